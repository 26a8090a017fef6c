"""What became of each film: a file for each, by which a stopped run goes on, and a table of all their frames.

A folder of frames holds the pictures in two folders, of training and of tests; `films`, a record for each film; and
`frames.csv`. What a record says besides, and how pictures are called, is the business of each way to take frames.
"""

import copy
import csv
import io
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from historynet import files
from historynet.colorizing.records import identify
from historynet.errors import InputError

FILMS = "films"
"""The folder of the records."""

TABLE = "frames.csv"

NO_RECORD = "no record of a film's frames; remove it, and the film is read again"


@dataclass
class Record:
    """What became of a film. A subclass says of its pictures what the methods without a body ask for.

    Attributes:
        film: its name in the names of its pictures.
        path: of its file, without links.
        content: digest of its file.
        made_with: the options that the pictures depend on, by name.
        notes: what there is to say of it.
        damage: what of the film could not be read.
    """

    film: str
    path: str
    content: str
    made_with: Mapping[str, Any]
    notes: Sequence[str] = field(default_factory=list, kw_only=True)
    damage: Sequence[str] = field(default_factory=list, kw_only=True)

    PARTS: ClassVar[tuple[str, str]]
    """The folders of the pictures for training and for tests."""

    PICTURE: ClassVar[str]
    """A regular expression of what the pictures' names have behind the film's."""

    COLUMNS: ClassVar[tuple[str, ...]]
    """Of the table of frames."""

    IN_TABLE: ClassVar[str]
    """What the table of frames tells."""

    @classmethod
    def restore(cls, content: dict[str, Any], path: Path) -> Self:
        """The record that `write` has written.

        Args:
            content: of its file.
            path: of its file.

        Raises:
            LookupError, TypeError, ValueError, ArithmeticError, AttributeError: if it is none.
            InputError: if a file beside it cannot be read.
        """
        raise NotImplementedError

    def pictures(self) -> Mapping[str, str]:
        """The names of the film's pictures, and the part that each is in."""
        raise NotImplementedError

    def assign(self, is_test: bool, options: Any) -> None:
        """Says in which part each picture is from now on.

        Args:
            is_test: whether the film is for tests as a whole.
            options: how the frames are taken.
        """
        raise NotImplementedError

    def rows(self) -> Iterator[Sequence[Any]]:
        """A line of the table for each frame."""
        raise NotImplementedError

    def summary(self) -> str:
        """What came of the film, in a few words."""
        raise NotImplementedError

    def why_none(self) -> str | None:
        """Why the film has no picture; None if it has one."""
        raise NotImplementedError

    def remarks(self) -> Sequence[str]:
        """What there is to say of the film in the end."""
        return self.notes

    def state(self) -> dict[str, Any]:
        """What the record's file holds."""
        return asdict(self)

    def write(self, folder: Path) -> None:
        """Writes the record into a folder of frames.

        Raises:
            InputError: if that cannot be.
        """
        files.write_json(record_path(folder, self.film), self.state())

    def moves(self, is_test: bool, options: Any) -> Counter[tuple[str, str]]:
        """How many pictures go from a part to another by `move`."""
        before, after = self.pictures(), self._assigned(is_test, options).pictures()
        return Counter((part, after[name]) for name, part in before.items() if part != after[name])

    def _assigned(self, is_test: bool, options: Any) -> Self:
        other = copy.copy(self)
        other.assign(is_test, options)
        return other

    def move(self, folder: Path, is_test: bool, options: Any) -> None:
        """Moves the pictures to their parts, where most may be already: a move that was stopped goes on, or back.

        Raises:
            InputError: if that cannot be.
        """
        moved = self._assigned(is_test, options)
        for name, part in moved.pictures().items():
            with files.writing(folder / part, "written to"):
                (folder / part).mkdir(parents=True, exist_ok=True)
                for other in {*self.PARTS} - {part}:
                    if (folder / other / name).exists():
                        (folder / other / name).rename(folder / part / name)
        if moved != self:
            self.assign(is_test, options)
            self.write(folder)


Kind = TypeVar("Kind", bound=Record)


def record_path(folder: Path, film: str) -> Path:
    """Where a film's record is."""
    return folder / FILMS / f"{film}.json"


def remove(folder: Path, kind: type[Record], film: str) -> None:
    """Removes a film's record, then its pictures: what is left after a stop is nobody's and will be removed.

    Raises:
        InputError: if that cannot be.
    """
    path = record_path(folder, film)
    with files.writing(path, "removed"):
        path.unlink(missing_ok=True)
    remove_pictures(folder, kind, film)


def remove_pictures(folder: Path, kind: type[Record], film: str, keep: Collection[str] = ()) -> None:
    """Removes a film's pictures, but for those whose names are to be kept.

    Raises:
        InputError: if that cannot be.
    """
    is_its = re.compile(re.escape(film) + kind.PICTURE)
    for part in kind.PARTS:
        for path in files.list_folder(folder / part):
            if is_its.fullmatch(path.name) and path.name not in keep:
                with files.writing(path, "removed"):
                    path.unlink(missing_ok=True)


def read_all(folder: Path, kind: type[Kind]) -> dict[str, Kind]:
    """The records of a folder of frames, by film, in order.

    Raises:
        InputError: if one cannot be read, or is none.
    """
    paths = sorted(path for path in files.list_folder(folder / FILMS) if path.suffix == ".json")
    return {path.stem: _read(path, kind) for path in paths if not path.name.startswith(".")}


def _read(path: Path, kind: type[Kind]) -> Kind:
    content = files.read_json(path, dict, NO_RECORD)
    try:
        return kind.restore(content, path)
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise InputError(f"{path}: {NO_RECORD}") from error


@dataclass(frozen=True)
class Named:
    """A film and its name in the names of its pictures."""

    path: Path
    film: str
    content: str


def name_films(
    paths: Iterable[Path], records: Mapping[str, Record], distinguish: bool = True
) -> tuple[list[Named], list[tuple[Path, Path]]]:
    """A name for each film: its file's without extension, with some of its digest where others have that, too.

    A film that has a name by the records keeps it, wherever it lies now.

    Args:
        paths: of the films.
        records: of the folder of frames.
        distinguish: whether films of one name get different ones; if not, they are refused.

    Returns:
        The films, and pairs of (a file, the one before it that holds the very same film).

    Raises:
        PictureError: if a film cannot be read.
        InputError: if two films have one name and are not to be distinguished.
    """
    found, same = {}, []
    for path in paths:
        content = identify(path).content
        if content in found:
            same.append((path, found[content]))
        else:
            found[content] = path
    stems = Counter(_stem(path).casefold() for path in found.values())
    owners = {record.content: record for record in records.values()}
    # One that lies elsewhere now keeps its name, whatever is in its place.
    places = {record.path: record for record in records.values() if record.content not in found}
    taken = {film.casefold() for film in records}
    named = []
    for content, path in found.items():
        # One that was put in the place of another film's file has that one's name.
        record = owners.get(content) or places.get(os.path.realpath(path))
        film = _stem(path)
        if record:
            film = record.film
        elif stems[film.casefold()] > 1 or film.casefold() in taken:
            if not distinguish:
                others = [other for other in found.values() if other != path and _same_stem(other, path)]
                others += [Path(record.path) for record in records.values() if _same_stem(Path(record.film), path)]
                raise InputError(
                    f"{path}: pictures are named after their film, and {others[0]} has the same name; rename one of "
                    "them, or name another folder with --out"
                )
            film = f"{film}-{content[:8]}"
        named.append(Named(path, film, content))
    return named, same


def _same_stem(one: Path, other: Path) -> bool:
    return _stem(one).casefold() == _stem(other).casefold()


def _stem(path: Path) -> str:
    # A name may hold bytes that are no text; a table may not. What begins with a dot is hidden, a record too.
    return path.stem.encode("utf-8", "backslashreplace").decode().lstrip(".") or "film"


def write_table(folder: Path, kind: type[Record], records: Iterable[Record]) -> None:
    """Writes frames.csv: a line for each frame of each film.

    Raises:
        InputError: if it cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(kind.COLUMNS)
    for record in records:
        rows.writerows(record.rows())
    files.write_text(folder / TABLE, text.getvalue())
