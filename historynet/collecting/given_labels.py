"""Labels of pictures from a file that persons or other programs have made, as if they were given on the page."""

import contextlib
from collections.abc import Collection
from pathlib import Path

from historynet.collecting import answers, rows
from historynet.collecting.answers import Answer
from historynet.collecting.final import HAND
from historynet.collecting.selecting import Kept
from historynet.errors import InputError

_COLUMNS = ("picture", "label")
"""That the file must have; by and when may be there, as in hand.csv."""


def is_of_pictures(path: Path) -> bool:
    """Whether a file holds labels of pictures, not the table of all labels.

    Raises:
        InputError: if it cannot be read, or is no table.
    """
    try:
        rows.read(path, _COLUMNS)
    except InputError:
        # It is the other kind, or neither.
        with contextlib.suppress(InputError):
            rows.read(path, ("era",))
            return False
        raise
    return True


def check_labels(path: Path, labels: Collection[str]) -> None:
    """Sees that a file names no unknown label, before there are pictures to have them.

    Args:
        path: of the file.
        labels: the names of all labels.

    Raises:
        InputError: naming the lines, if it does; if it cannot be read.
    """
    found = _read(path)
    answers.check(path, found, {answer.picture for _, answer in found}, labels)


def take(kept: Kept, path: Path) -> tuple[int, int, int]:
    """Adds the labels of a file to those that were given by hand. Nobody else may be labelling there.

    Of a picture and person the file's last label counts, and is added unless it is the last that is there already.

    Returns:
        How many labels the file has; how many of them are new; of how many pictures another label counts, since
        another person has given it earlier.

    Raises:
        InputError: naming the lines, if it has unknown pictures or labels; if something cannot be read or written.
    """
    found = _read(path)
    answers.check(path, found, kept.pictures, kept.names)
    before = answers.read(kept.folder / HAND, kept.pictures, kept.names)
    last = {(answer.picture, answer.by): answer for answer in before}
    given = {(answer.picture, answer.by): answer for _, answer in found}
    new = [answer for key, answer in given.items() if last.get(key) != answer]
    every = [*before, *new]
    rows.write(kept.folder / HAND, [answers.COLUMNS, *((one.picture, one.label, one.by, one.when) for one in every)])
    counts = answers.settled(every)
    other = {one.picture for one in given.values() if one.picture in counts and counts[one.picture].label != one.label}
    return len(found), len(new), len(other)


def _read(path: Path) -> list[tuple[int, Answer]]:
    return [
        (line, Answer(cells["picture"], cells["label"], cells.get("by") or path.name, cells.get("when", "")))
        for line, cells in rows.read(path, _COLUMNS)
    ]
