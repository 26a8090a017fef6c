"""What became of the files of a run: counts and messages, and a table with a line for each picture."""

import csv
import errno
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

from historynet import files
from historynet.errors import InputError, PictureError

COLORIZED, IN_PART, EXISTING = "colorized", "colorized in part", "there already"
COLORED, SKIPPED, NOT_REACHED, PASSED_OVER = "has colour, left alone", "skipped", "not reached", "passed over"
"""What can become of a file."""

ALTERNATIVE, CONFIDENCE = "alternative", "confidence"
"""What can be made beside its result."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture, a page or a film.

    Attributes:
        picture: its file; a folder, where files in it were passed over; a URL in a store.
        result: the file that holds its result, or its URL; None if there is none.
        outcome: in a few words.
        why: what there is to say of it.
        tint: how far the picture is from having one tone only, in 8-bit levels of ab (`toning.tint`): 0 is gray; None
            if nobody looked.
        value: of an alternative the mean log probability of a place's colour, of a map of confidence its mean.
    """

    picture: Path | str
    result: Path | str | None
    outcome: str
    why: str = ""
    tint: float | None = None
    value: float | None = None


_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""Errors of writing that every further result would meet, too."""


_NEARLY_GRAY = "the predicted colours are nearly gray: an untrained network, or the wrong one?"

_FORMULA = "=+-@\t\r"
"""What a formula begins with, for one spreadsheet or another. Anybody may have named a picture."""

_COLUMNS = [column.name for column in fields(Outcome)]

_FIRST_COLUMNS = ",".join(_COLUMNS[:5])
"""Those that the tables of all versions have."""


def is_report(path: Path) -> bool:
    """Whether a file is a table of an earlier run, which may be replaced.

    Raises:
        InputError: if it cannot be read, or is no regular file.
    """
    with files.open_regular(path, InputError) as file, files.reading(path):
        return file.read(1000).decode("utf-8-sig", errors="replace").startswith(_FIRST_COLUMNS)


def _cell(value: Path | str | None) -> str:
    """What stands in the table; a file's name that a spreadsheet would take for a formula is written as ./NAME."""
    text = str(value or "")
    return f"./{text}" if isinstance(value, Path) and text[0] in _FORMULA else text


def reason_to_skip(path: Path, error: InputError | MemoryError) -> str:
    """Why a run skips a file and goes on with the next.

    Args:
        path: of the picture's or film's file.
        error: why it cannot be read, or its result not be made or written.

    Raises:
        InputError: the same, if every further result would meet it, too: a full disk.
    """
    if isinstance(error, MemoryError):
        return f"{path}: there is not enough memory for it"
    cause = error.__cause__ or error.__context__
    if not isinstance(error, PictureError) and getattr(cause, "errno", None) in _OF_THE_DISK:
        raise error
    return str(error)


@dataclass
class Report:
    """What became of the files of a run.

    Attributes:
        done: number of results; each page of a document counts.
        skipped: why others were not made: messages that name the file.
        beside: number of alternatives and maps of confidence that were made.
        colored: number of pictures that were left as they are because they have colour.
        existing: number of files that were passed over because their results exist.
        damaged: what could not be read of films whose rest is done: messages that name the film.
        notes: what else there is to say -> the files it is said of.
        nearly_gray: pictures for which hardly any colours were predicted.
        outcomes: the same picture by picture.
        is_tabled: whether outcomes are added that are for a table: a million take a gigabyte.
    """

    done: int = 0
    beside: int = 0
    skipped: list[str] = field(default_factory=list)
    colored: int = 0
    existing: int = 0
    damaged: list[str] = field(default_factory=list)
    notes: dict[str, list[Path | str]] = field(default_factory=dict)
    nearly_gray: list[Path | str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    is_tabled: bool = True

    def note(self, path: Path | str, notes: Iterable[str]) -> None:
        """Adds what there is to say of a file."""
        for note in notes:
            self.notes.setdefault(note, []).append(path)

    def skip(self, path: Path | str, message: str, tint: float | None = None) -> None:
        """Adds a file that is skipped, with a message that names it."""
        self.skipped.append(message)
        self.outcomes.append(Outcome(path, None, SKIPPED, message.removeprefix(f"{path}: "), tint))

    def note_nearly_gray(self) -> None:
        """Says at the end of a run that most results are nearly gray. One among many has a subject without colours."""
        if 2 * len(self.nearly_gray) > self.done:
            for path in self.nearly_gray:
                self.note(path, [_NEARLY_GRAY])

    def add(self, other: "Report") -> None:
        """Adds what became of other files."""
        self.done += other.done
        self.beside += other.beside
        self.colored += other.colored
        self.existing += other.existing
        self.skipped += other.skipped
        self.damaged += other.damaged
        self.nearly_gray += other.nearly_gray
        self.outcomes += other.outcomes if self.is_tabled else []
        for note, paths in other.notes.items():
            self.notes.setdefault(note, []).extend(paths)

    def write(self, path: Path) -> None:
        """Writes the outcomes as a table of comma-separated values that spreadsheets open, UTF-8 with a mark.

        Raises:
            InputError: if it cannot be written.
        """

        def write(temporary: Path) -> None:
            # Names need not be text.
            with temporary.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
                rows = csv.writer(file)
                rows.writerow(_COLUMNS)
                for outcome in self.outcomes:
                    *texts, tint, value = astuple(outcome)
                    numbers = ["" if tint is None else f"{tint:.2f}", "" if value is None else f"{value:.4f}"]
                    rows.writerow([*map(_cell, texts), *numbers])

        files.write_atomically(path, write)
