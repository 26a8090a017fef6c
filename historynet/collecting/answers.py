"""What persons answered: tables of (picture, label, by, when), a line an answer, the last one of a person counts."""

import contextlib
import errno
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from historynet import files
from historynet.collecting import rows
from historynet.errors import InputError

COLUMNS = ("picture", "label", "by", "when")

OUTSIDE, UNSURE = "outside", "unsure"
"""Answers that are no labels: the table has none for it, and the picture leaves the set; whoever looked cannot say."""

_SHOWN = 10
"""Wrong lines that a message names."""


@dataclass(frozen=True)
class Answer:
    """What a person said of a picture.

    Attributes:
        picture: its name.
        label: name of a label, OUTSIDE or UNSURE.
        by: the person's name.
        when: the time in UTC, ISO 8601; whatever another program wrote.
    """

    picture: str
    label: str
    by: str
    when: str


def read(path: Path, pictures: Collection[str], labels: Collection[str]) -> list[Answer]:
    """The answers of a file, in its order; none if there is no file. A torn last line is passed by.

    Args:
        path: the table.
        pictures: the names of all that can be meant.
        labels: the names of all labels.

    Raises:
        InputError: naming the lines, if the file cannot be read, or has an unknown picture or label, or nobody's name.
    """
    if not path.exists():
        return []
    with files.reading(path):
        content = _whole(path.read_bytes())
    # Whoever was stopped while the first line was written has answered nothing.
    found = [
        (line, Answer(*(cells[column] for column in COLUMNS)))
        for line, cells in (rows.parse(content, path, COLUMNS) if content else ())
    ]
    check(path, found, pictures, labels)
    return [answer for _, answer in found]


def check(path: Path, found: Sequence[tuple[int, Answer]], pictures: Collection[str], labels: Collection[str]) -> None:
    """Sees that answers are of known pictures and labels.

    Args:
        path: the table that they are from.
        found: them and their lines.
        pictures: as of `read`.
        labels: the same.

    Raises:
        InputError: naming the lines that are wrong.
    """
    wrong, known = [], {*labels, OUTSIDE, UNSURE}
    for line, answer in found:
        for is_wrong, what in (
            (answer.picture not in pictures, f"no picture {answer.picture!r}"),
            (answer.label not in known, f"no label {answer.label!r}"),
            (not answer.by, "nobody's name"),
        ):
            if is_wrong:
                wrong.append(f"line {line}: {what}")
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise InputError(f"{path}: {'; '.join(wrong[:_SHOWN])}{more}; mend these lines or remove them")


def _whole(content: bytes) -> bytes:
    """The content without a last line that was torn while it was written."""
    end = content.rfind(b"\n") + 1
    last = content[end:]
    if not last:
        return content
    cells = last.decode(errors="replace").split(",")
    with contextlib.suppress(ValueError):
        # Other programs write no line feed behind the last line; of a torn one the time is not whole, or not there.
        if len(cells) == len(COLUMNS) and (not cells[-1] or datetime.fromisoformat(cells[-1])):
            return content + b"\n"
    return content[:end]


class Notebook:
    """A table of answers that are added one by one; each is on the disk when `add` returns.

    Args:
        path: the table; made if need be. A torn last line is cut.
        by: the name of the person who answers.

    Attributes:
        cut: the torn line that was there, or None.

    Raises:
        InputError: if it cannot be read or written.
    """

    def __init__(self, path: Path, by: str):
        self._path, self._by = path, by
        self.cut: str | None = None
        with files.writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
            self._file.seek(0)
            content = self._file.read()
            whole = _whole(content)
            if len(whole) < len(content):
                self.cut = content[len(whole) :].decode(errors="replace")
                self._file.truncate(len(whole))
            else:
                self._append(whole[len(content) :])
            if not whole:
                self._append(rows.text([COLUMNS]).encode())

    def add(self, picture: str, label: str) -> Answer:
        """Adds an answer, of now.

        Raises:
            InputError: if it cannot be written, as on a full disk; nothing of it is left in the table then.
        """
        answer = Answer(picture, label, self._by, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        with files.writing(self._path):
            self._append(rows.text([[answer.picture, answer.label, answer.by, answer.when]]).encode())
        return answer

    def _append(self, line: bytes) -> None:
        before = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(before)
            raise

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def by_person(answers: Sequence[Answer]) -> dict[str, dict[str, str]]:
    """The last label that each person gave a picture: picture -> person -> label; persons in the order they came in."""
    found: dict[str, dict[str, str]] = {}
    for answer in answers:
        found.setdefault(answer.picture, {})[answer.by] = answer.label
    return found


def settled(answers: Sequence[Answer]) -> dict[str, Answer]:
    """The answer that counts for each picture: of the persons who are sure of it, the one who saw it first."""
    found: dict[str, dict[str, Answer]] = {}
    for answer in answers:
        found.setdefault(answer.picture, {})[answer.by] = answer
    sure = {
        picture: next((answer for answer in given.values() if answer.label != UNSURE), None)
        for picture, given in found.items()
    }
    return {picture: answer for picture, answer in sure.items() if answer is not None}


@dataclass(frozen=True)
class Agreement:
    """How far two persons agree.

    Attributes:
        persons: their names.
        pictures: that both labelled and were sure of.
        same: of these, with one label.
        kappa: Cohen's; NaN where chance alone would have them agree always, or there are no pictures.
    """

    persons: tuple[str, str]
    pictures: int
    same: int
    kappa: float


def agreements(answers: Sequence[Answer]) -> list[Agreement]:
    """Of each two persons who labelled some pictures both."""
    given = by_person(answers)
    persons = sorted({answer.by for answer in answers})
    found = []
    for one, other in combinations(persons, 2):
        pairs = [(labels[one], labels[other]) for labels in given.values() if one in labels and other in labels]
        pairs = [pair for pair in pairs if UNSURE not in pair]
        if pairs:
            same = sum(a == b for a, b in pairs)
            found.append(Agreement((one, other), len(pairs), same, cohens_kappa(pairs)))
    return found


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa: (observed - expected agreement) / (1 - expected agreement).

    Args:
        pairs: what two persons said of each thing.

    Returns:
        At most 1; NaN if both always said the same one word.
    """
    total = len(pairs)
    observed = sum(a == b for a, b in pairs) / total
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[word] * second[word] for word in first) / total**2
    return float("nan") if expected == 1 else (observed - expected) / (1 - expected)


def counts(named: Mapping[str, str], order: Sequence[str]) -> list[tuple[str, int]]:
    """How many pictures have each label, in an order of labels, then OUTSIDE and UNSURE where there are such.

    Args:
        named: label by picture.
        order: names of the labels.
    """
    found = Counter(named.values())
    return [(name, found[name]) for name in order] + [(name, found[name]) for name in (OUTSIDE, UNSURE) if found[name]]
