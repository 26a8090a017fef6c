"""The list of the films that a data set is made from: films.csv, a row for each film."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from historynet import films
from historynet.collecting import rows
from historynet.colorizing.inputs import list_inputs
from historynet.errors import InputError

NAME = "films.csv"

COLUMNS = (
    *("key", "part", "path", "name", "year", "era", "nationality", "garment", "licence", "source", "start", "end"),
)
"""Of the list; others are kept."""

ERA, NATIONALITY, GARMENT = "era", "nationality", "garment"
"""The columns that hold words of the label table."""

_KEY, _PART, _WORD = (re.compile(form) for form in ("[a-z0-9][a-z0-9-]{0,39}", "[a-z0-9]{0,12}", "[a-z0-9-]+"))
_MODERN = 1990


@dataclass(frozen=True)
class Film:
    """A row of the list.

    Attributes:
        key: of the title, which several parts may share.
        part: of the title, an episode; empty if it has one.
        path: of the film's file, absolute.
        name: of the film; empty if it is not said.
        year: in which it was made; None if it is not said.
        eras: those that occur in it, words of the label table; empty: any.
        nationalities: the same.
        garments: the same.
        licence: of the film; empty if it is not said.
        source: where it is from; empty if it is not said.
        start: seconds from its begin; what comes before is left out; None: nothing.
        end: seconds from its begin; what comes after is left out; None: nothing.
        more: (column, value) of the list's other columns.
        line: of the list.
    """

    key: str
    part: str
    path: Path
    name: str = ""
    year: int | None = None
    eras: tuple[str, ...] = ()
    nationalities: tuple[str, ...] = ()
    garments: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    start: float | None = None
    end: float | None = None
    more: tuple[tuple[str, str], ...] = ()
    line: int = 0

    @property
    def file_key(self) -> str:
        """Names the film's folder, and its pictures begin with it."""
        return f"{self.key}-{self.part}" if self.part else self.key


def read(path: Path, words: Mapping[str, Collection[str]] | None = None) -> list[Film]:
    """The films of a list, in its order.

    Args:
        path: of the list.
        words: those that the columns ERA, NATIONALITY and GARMENT may hold, by column; None: any.

    Raises:
        InputError: with line and column, if it cannot be read, a field is wrong, or two rows name one file key.
    """
    listed: dict[str, Film] = {}
    for line, cells in rows.read(path, COLUMNS[:3]):
        film = _film(path, line, cells, words or {})
        other = listed.setdefault(film.file_key, film)
        if other is not film:
            raise InputError(
                f"{path}, line {line}, column key: {film.file_key} is that of line {other.line}, too; give one of them "
                "another key, or another part"
            )
    if not listed:
        raise InputError(f"{path}: there is no film in it")
    return list(listed.values())


def _film(path: Path, line: int, row: Mapping[str, str], words: Mapping[str, Collection[str]]) -> Film:
    def refuse(column: str, wanted: str) -> InputError:
        return InputError(f"{path}, line {line}, column {column}: {row[column]!r} will not do; it takes {wanted}")

    def several(column: str) -> tuple[str, ...]:
        found = tuple(row.get(column, "").split())
        for word in found:
            if word not in words.get(column, found) or not _WORD.fullmatch(word):
                raise refuse(column, f"words of {', '.join(sorted(words.get(column, ['the label table'])))}")
        return found

    def seconds(column: str) -> float | None:
        if not row.get(column):
            return None
        try:
            value = float(row[column])
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e9:
            raise refuse(column, "seconds from the film's begin, or nothing")
        return value

    if not _KEY.fullmatch(row["key"]):
        raise refuse("key", "up to 40 of a to z, 0 to 9 and -, not - first")
    if not _PART.fullmatch(row["part"]):
        raise refuse("part", "up to 12 of a to z and 0 to 9, or nothing")
    if not row["path"] or "\0" in row["path"]:
        raise refuse("path", "the path of the film, from the folder of this list")
    year = row.get("year", "")
    if not re.fullmatch("([1-9][0-9]{3})?", year):
        raise refuse("year", "four digits, not 0 first, or nothing")
    start, end = seconds("start"), seconds("end")
    if end is not None and end <= (start or 0):
        raise refuse("end", "seconds after start, or nothing")
    return Film(
        key=row["key"],
        part=row["part"],
        path=(path.absolute().parent / row["path"]).absolute(),
        name=row.get("name", ""),
        year=int(year) if year else None,
        eras=several(ERA),
        nationalities=several(NATIONALITY),
        garments=several(GARMENT),
        licence=row.get("licence", ""),
        source=row.get("source", ""),
        start=start,
        end=end,
        more=tuple((column, value) for column, value in row.items() if column not in COLUMNS),
        line=line,
    )


def write(path: Path, listed: Sequence[Film]) -> None:
    """Writes a list; the paths of films beneath its folder from there.

    Raises:
        InputError: if it cannot be written.
    """
    folder = path.absolute().parent
    more = list(dict.fromkeys(column for film in listed for column, _ in film.more))
    lines = [[*COLUMNS, *more]]
    for film in listed:
        place = film.path.relative_to(folder) if film.path.is_relative_to(folder) else film.path
        words = (" ".join(several) for several in (film.eras, film.nationalities, film.garments))
        times = ("" if time is None else f"{time!r}" for time in (film.start, film.end))
        own = [film.key, film.part, place, film.name, film.year or "", *words, film.licence, film.source, *times]
        lines.append([*own, *(dict(film.more).get(column, "") for column in more)])
    rows.write(path, lines)


def open_list(given: Path, private: bool, words: Mapping[str, Collection[str]] | None = None) -> list[Film]:
    """The films of a list, or of a folder, in which a list is written if there is none.

    Args:
        given: the list, or the folder.
        private: whether films without licence and source are allowed: the data set then stays with who makes it.
        words: as `read` takes them.

    Raises:
        InputError: if the list cannot be used; if a film lacks licence or source, unless `private`; if the folder
            holds no film.
    """
    path, written = given, False
    if given.is_dir():
        path = given / NAME
        if not path.exists():
            write(path, name_films(list_inputs([given], None, False, films.EXTENSIONS, kind="films")))
            written = True
    listed = read(path, words)
    if not private:
        check_licences(path, listed, written)
    return listed


def unlisted(path: Path, file_key: str) -> InputError:
    """What is said where pictures are kept of a film that the list has no more."""
    return InputError(
        f"{path}: there is no film {file_key}, whose pictures are kept; choose.py chooses anew among the films that "
        "are listed"
    )


def check_licences(path: Path, listed: Sequence[Film], written: bool = False) -> None:
    """Sees that each film has a licence and a source.

    Args:
        path: of the list.
        listed: its films.
        written: whether it has just been written.

    Raises:
        InputError: naming the first that lacks one of them.
    """
    lacking = [film for film in listed if not (film.licence and film.source)]
    otherwise = "fill in licence and source, or pass --private for a data set that is not passed on"
    if lacking and written:
        raise InputError(f"{path}: now lists the folder's {len(listed)} films; {otherwise}")
    if lacking:
        column = "source" if lacking[0].licence else "licence"
        raise InputError(
            f"{path}, line {lacking[0].line}, column {column}: nothing stands there; {len(lacking)} of {len(listed)} "
            f"films lack one of both; {otherwise}"
        )


def name_films(paths: Sequence[Path]) -> list[Film]:
    """A row for each file, with a key made of its name; the films of one name are told apart by numbers.

    Raises:
        InputError: if a file's name is no text.
    """
    listed, taken = [], set()
    for path in paths:
        if path.name != path.name.encode("utf-8", "replace").decode():
            raise InputError(f"{path}: a name that is no text cannot stand in a list; rename it")
        stem = re.sub("[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:36].strip("-") or "film"
        key = next(key for key in _numbered(stem) if key not in taken)
        taken.add(key)
        listed.append(Film(key, "", path.absolute(), path.stem))
    return listed


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def notes(listed: Sequence[Film]) -> list[str]:
    """What there is to say of a list that is no error."""
    return [
        f"{film.file_key}: of {film.year}; the paper takes films made after the 1990s, whose colours are true"
        for film in listed
        if film.year is not None and film.year < _MODERN
    ]
