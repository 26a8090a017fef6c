"""The files of labels in WORK, and which of them decides about a picture: persons, a second look, the labeller."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from historynet.collecting import answers, rows
from historynet.collecting.answers import OUTSIDE
from historynet.collecting.labels import Label
from historynet.errors import InputError

FOLDER = "labels"
"""In WORK."""

HAND, SECOND_LOOK, AUDIT, PREDICTED = "hand.csv", "second_look.csv", "audit.csv", "predicted.csv"
"""In that folder: what persons answered of drawn pictures, of unsure ones, of some others; what the labeller says."""

COLUMNS = ("picture", "label", "confidence", "second", "margin")
"""Of PREDICTED."""

_BY = {HAND: "hand", AUDIT: "audit", SECOND_LOOK: "second-look"}
"""In the order in which they count."""


@dataclass(frozen=True)
class Guess:
    """What the labeller says of a picture.

    Attributes:
        label: name of the likeliest label.
        confidence: its probability.
        second: name of the next one; empty if there is none.
        margin: how much likelier the first is.
    """

    label: str
    confidence: float
    second: str
    margin: float


@dataclass(frozen=True)
class FinalLabel:
    """What a picture is labelled with in the end.

    Attributes:
        label: name of the label; None: the table has none for it, and the picture leaves the set.
        by: hand:NAME, audit:NAME, second-look:NAME or predicted.
        confidence: of the labeller; None if a person said it.
    """

    label: str | None
    by: str
    confidence: float | None


def final_labels(
    work: Path, pictures: Collection[str], table: Sequence[Label], audited: bool = True
) -> dict[str, FinalLabel]:
    """The labels of the pictures that have one. A person's word counts more than the labeller's.

    Args:
        work: the folder WORK.
        pictures: names of those that are kept.
        table: all labels.
        audited: whether what an audit found counts; no: what it is to be compared with.

    Raises:
        InputError: if a file cannot be used; naming the line.
    """
    names = {label.name for label in table}
    guesses = read_guesses(work, names)
    final = {
        name: FinalLabel(guess.label, "predicted", guess.confidence)
        for name, guess in guesses.items()
        if name in pictures
    }
    for file, by in reversed(_BY.items()):
        if file == AUDIT and not audited:
            continue
        for name, answer in settled(work, file, pictures, names).items():
            label = None if answer.label == OUTSIDE else answer.label
            final[name] = FinalLabel(label, f"{by}:{answer.by}", None)
    return final


def settled(work: Path, file: str, pictures: Collection[str], names: Collection[str]) -> dict[str, answers.Answer]:
    """The answer of a file that counts for each picture.

    Args:
        work: the folder WORK.
        file: HAND, SECOND_LOOK or AUDIT.
        pictures: names of those that are kept.
        names: of the labels.

    Raises:
        InputError: if it cannot be used; naming the line.
    """
    return answers.settled(answers.read(work / FOLDER / file, pictures, names))


def read_guesses(work: Path, names: Collection[str]) -> dict[str, Guess]:
    """What the labeller says of the pictures; nothing if it has not been asked.

    Args:
        work: the folder WORK.
        names: of the labels.

    Raises:
        InputError: if the file cannot be read, or has another label; naming the line.
    """
    path = work / FOLDER / PREDICTED
    if not path.exists():
        return {}
    found: dict[str, Guess] = {}
    for line, cells in rows.read(path, COLUMNS):
        found[cells["picture"]] = _guess(cells, names, f"{path}, line {line}")
    return found


def _guess(cells: Mapping[str, str], names: Collection[str], where: str) -> Guess:
    if cells["label"] not in names:
        raise InputError(f"{where}: there is no label {cells['label']!r}; `label.py rest` writes the file anew")
    try:
        return Guess(cells["label"], float(cells["confidence"]), cells["second"], float(cells["margin"]))
    except ValueError as error:
        raise InputError(f"{where}: not what `label.py rest` has written") from error
