"""A person's way through some pictures to be labelled: which comes next, what is offered, what was answered."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet.collecting.answers import OUTSIDE, UNSURE, Notebook
from historynet.collecting.labels import Label
from historynet.errors import InputError

_RATED = 50
"""Answers over which the pictures an hour are counted."""


@dataclass(frozen=True)
class Item:
    """A picture that is shown to a person.

    Attributes:
        picture: its name.
        path: its file.
        title: key of its title, whose label is likely that of the picture before.
        name: of the title, for people.
        seconds: since the film's beginning.
        boxes: of the main persons, (left, top, right, bottom) in pixels.
        labels: that it can have.
        guess: name of the label that Enter stands for; None: that of the title's last picture.
    """

    picture: str
    path: Path
    title: str
    name: str
    seconds: float
    boxes: Sequence[Sequence[float]]
    labels: Sequence[Label]
    guess: str | None = None


class Labelling:
    """The pictures of a person, in their order. Its methods may be called by several threads.

    Args:
        items: what is shown.
        given: the person's answers so far, label by picture, in the order in which they were given.
        notebook: where answers go.
    """

    def __init__(self, items: Sequence[Item], given: Mapping[str, str], notebook: Notebook):
        self._items, self._notebook = items, notebook
        self._given = {item.picture: given[item.picture] for item in items if item.picture in given}
        self._lock = threading.Lock()
        titles = {item.picture: item.title for item in items}
        self._last: dict[str, str] = {}
        for picture, label in given.items():
            if picture in titles:
                self._note(titles[picture], label)
        self._times: deque[float] = deque(maxlen=_RATED + 1)

    def __len__(self) -> int:
        return len(self._items)

    def path(self, place: int) -> Path:
        """The file of the picture at a place."""
        return self._items[place].path

    def next(self, place: int = -1) -> int | None:
        """The place of the first picture without an answer behind a place, or else of any; None: all have one."""
        with self._lock:
            return self._next(place)

    def view(self, place: int | None) -> dict[str, Any]:
        """What the page shows of a picture, for JSON; without a place, that all have an answer."""
        with self._lock:
            return self._view(place)

    def answer(self, place: int, label: str) -> dict[str, Any]:
        """Notes an answer, which is on the disk then; what the page shows next.

        Raises:
            ValueError: if the picture cannot have the label.
            InputError: if it cannot be written; nothing is noted then.
        """
        with self._lock:
            item = self._items[place]
            if label not in (OUTSIDE, UNSURE) and label not in {known.name for known in item.labels}:
                raise ValueError(f"{item.picture} cannot be {label!r}")
            self._notebook.add(item.picture, label)
            self._given[item.picture] = label
            self._note(item.title, label)
            self._times.append(time.monotonic())
            return self._view(self._next(place))

    def _note(self, title: str, label: str) -> None:
        if label not in (OUTSIDE, UNSURE):
            self._last[title] = label

    def _next(self, place: int) -> int | None:
        behind = (*range(place + 1, len(self._items)), *range(place + 1))
        return next((i for i in behind if self._items[i].picture not in self._given), None)

    def _view(self, place: int | None) -> dict[str, Any]:
        counts = {"count": len(self._items), "done": len(self._given), "rate": self._rate()}
        if place is None:
            return {"place": None, **counts}
        item = self._items[place]
        names = [label.name for label in item.labels]
        enter = item.guess or self._last.get(item.title)
        following = self._next(place)
        return {
            "place": place,
            **counts,
            "title": item.name,
            "seconds": item.seconds,
            "boxes": [list(box) for box in item.boxes],
            "labels": names,
            "enter": enter if enter in names else None,
            "answer": self._given.get(item.picture),
            "following": following if following != place else None,
        }

    def _rate(self) -> float | None:
        """Pictures an hour; None before there are two answers."""
        if len(self._times) < 2:
            return None
        return 3600 * (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-3)


def check_person(name: str) -> str:
    """A name that can stand in a table of answers.

    Raises:
        InputError: if it cannot.
    """
    if not 1 <= len(name) <= 40 or name != name.strip() or not all(c.isalnum() or c in " ._-" for c in name):
        raise InputError(f"--by {name!r}: a name of 1 to 40 letters, digits, spaces, dots, '_' and '-' is wanted")
    return name
