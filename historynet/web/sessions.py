"""What the people before the page have: their sessions, the files they gave, and what is made of these."""

import asyncio
import math
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from historynet.web.wanted import Wanted

PICTURE, FILM = "picture", "film"
"""What a file can be."""

QUEUED, WORKING, DONE, FAILED, CANCELLED = "queued", "working", "done", "failed", "cancelled"
"""How far a result is."""

_LONG = 300
"""Megapixels of all pages: minutes of work."""

UPLOADED, REMOVED = "uploaded", "removed"
"""What else is said of a file."""


@dataclass
class Page:
    """The files that were made of one picture of a file.

    Attributes:
        result: None if the picture is left as it is.
        alternatives: in order.
    """

    result: Path | None
    alternatives: list[Path] = field(default_factory=list)

    def file(self, alternative: int) -> Path | None:
        """The result (0), or an alternative from 1; None if there is none."""
        files = [self.result, *self.alternatives]
        return files[alternative] if 0 <= alternative < len(files) else None


@dataclass(eq=False)
class Result:
    """What somebody wants made of a file, and how far it is.

    Attributes:
        id: which tells it from all others.
        input: the file.
        wanted: how it is to be made.
        folder: of what is made.
        state: how far it is.
        place: in the line, from 1, while it waits.
        done: number of pages or frames.
        total: of them; None if nobody knows.
        began: when the work began, by `time.monotonic`.
        paced: when the first of its pages or frames were done, likewise, and how many those were.
        expected: seconds that it will take from then on; None if nobody knows.
        error: why it failed.
        notes: what there is to say of it.
        pages: what was made.
        keys: of the network's outputs for each page, as of `remembering.Outputs`.
        cancelled: whether nobody wants it any more.
    """

    id: str
    input: "Input"
    wanted: Wanted
    folder: Path
    state: str = QUEUED
    place: int = 0
    done: int = 0
    total: int | None = None
    began: float | None = None
    paced: tuple[float, int] | None = None
    expected: float | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    cancelled: bool = False

    @property
    def kept(self) -> bool:
        """Whether the file was left as it is."""
        return self.state == DONE and all(page.result is None for page in self.pages)

    @property
    def unfinished(self) -> bool:
        """Whether it waits or is being made."""
        return self.state in (QUEUED, WORKING)

    def seconds_left(self) -> int | None:
        """About how many seconds it will take; None if nobody knows."""
        if self.state != WORKING:
            return None
        now = time.monotonic()
        if self.total == 1:
            return None if self.expected is None else max(0, round(self.expected - (now - self.began)))
        if self.total is None or self.paced is None or self.done <= self.paced[1]:
            return None
        # What comes before the first of them, as the loading of a network, says nothing of the rest.
        since, before = self.paced
        return round((now - since) / (self.done - before) * max(0, self.total - self.done))

    def count(self, done: int) -> None:
        """Adds pages or frames that are done."""
        self.done += done
        self.paced = self.paced or (time.monotonic(), self.done)


@dataclass(eq=False)
class Input:
    """A file that somebody gave.

    Attributes:
        id: which tells it from all others.
        name: as it is shown.
        folder: that holds it and all that is made of it.
        path: of the file.
        size: in bytes.
        kind: PICTURE or FILM.
        width: in pixels, of the largest page.
        height: likewise.
        pages: pictures in it.
        seconds: of a film.
        frames: of a film, about; None if nobody knows.
        notes: what there is to say of it.
        results: by their id.
        used: when it was last worked on, by `time.monotonic`.
        bytes: on the disk, of all that is made of it, too.
        copying: held by whoever reads it to make a small copy.
    """

    id: str
    name: str
    folder: Path
    path: Path
    size: int
    kind: str = PICTURE
    width: int = 0
    height: int = 0
    pages: int = 1
    seconds: float | None = None
    frames: int | None = None
    notes: list[str] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    used: float = field(default_factory=time.monotonic)
    bytes: int = 0
    copying: threading.Lock = field(default_factory=threading.Lock)

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6

    @property
    def is_long(self) -> bool:
        """Whether its results may take so long that others are not to wait for them alone."""
        return self.kind == FILM or self.megapixels * self.pages > _LONG

    def says(self) -> dict[str, Any]:
        """What there is to say of it, as JSON holds it."""
        names = ("name", "kind", "width", "height", "pages", "seconds", "notes")
        return {name: getattr(self, name) for name in names}


class Listener:
    """A page that listens: what it has not been told yet, the newest of each result alone, however slow it is."""

    def __init__(self):
        self._untold: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._something = asyncio.Event()

    def tell(self, event: dict[str, Any]) -> None:
        """Adds what it is to be told."""
        key = (event["input"], event.get("result"))
        # At the end, behind what came before it.
        self._untold.pop(key, None)
        self._untold[key] = event
        self._something.set()

    def wake(self) -> None:
        """Lets it look at once, though there is nothing to tell."""
        self._something.set()

    async def next(self, seconds: float) -> list[dict[str, Any]]:
        """What it is to be told, as soon as there is something; nothing after some seconds."""
        try:
            await asyncio.wait_for(self._something.wait(), seconds)
        except TimeoutError:
            return []
        self._something.clear()
        events, self._untold = list(self._untold.values()), {}
        return events


@dataclass(eq=False)
class Session:
    """A browser.

    Attributes:
        folder: of its files.
        inputs: by their id.
        uploading: number of files that are coming.
        sending: number of zip files that are going.
        listeners: its pages.
        left: when the last of its pages went or it was last heard of, by `time.monotonic`.
        ending: when one of its pages said that it goes, by `time.monotonic`.
        ended: whether it is removed.
    """

    folder: Path
    inputs: dict[str, Input] = field(default_factory=dict)
    uploading: int = 0
    sending: int = 0
    listeners: set[Listener] = field(default_factory=set)
    left: float = field(default_factory=time.monotonic)
    ending: float = -math.inf
    ended: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nobody would miss it."""
        return not (self.inputs or self.uploading or self.listeners)

    def results(self) -> Iterator[Result]:
        """Of all its files."""
        for one in self.inputs.values():
            yield from one.results.values()

    def find(self, number: str) -> Result | None:
        """A result by its id, if it is this session's."""
        return next((result for result in self.results() if result.id == number), None)

    def tell(self, event: dict[str, Any]) -> None:
        """Tells all its pages."""
        for listener in self.listeners:
            listener.tell(event)


def new_id() -> str:
    """What nobody can guess."""
    return secrets.token_hex(16)


def event_of(one: Input, result: Result | None = None, state: str = UPLOADED) -> dict[str, Any]:
    """What a page is told of a file, or of a result."""
    said = {"input": one.id, "state": state, **one.says()}
    if result is None:
        return said
    said |= {"result": result.id, "state": result.state, "wanted": result.wanted.model_dump()}
    said |= {"done": result.done, "total": result.total, "seconds_left": result.seconds_left()}
    if result.state == QUEUED:
        said["place"] = result.place
    if result.state == FAILED:
        said["error"] = result.error
    if result.state == DONE:
        said |= {"kept": result.kept, "notes": result.notes, "pages": len(result.pages)}
        said["alternatives"] = max(len(page.alternatives) for page in result.pages)
    return said


def remove(folder: Path) -> None:
    """Removes a folder with all that is in it, as far as it is there."""
    shutil.rmtree(folder, ignore_errors=True)
