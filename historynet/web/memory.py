"""How much memory the server takes: work that would need more than there is waits until other work has ended."""

import contextlib
import ctypes
import gc
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

_PICTURE, _WEBP = 22, 40
"""Bytes for a pixel of a picture that is colorized, besides its file, at most; the second where WebP is written."""

_FILM = 150
"""Bytes for a pixel of a film's frame: frames wait before and behind the network, and in the encoder."""

_LOOK = 10
"""Bytes for a pixel of a picture that is looked at."""

_NETWORK = 0.5e9
"""Bytes that a network takes when it computes several pictures together, besides those that loading it has taken."""

_PATIENCE = 15.0
"""Seconds that short work waits at most."""

_LEAST = 0.2e9
"""Bytes that there are for pictures even if the network alone has taken all."""


def of_picture(megapixels: float, pages: int, size: int, webp: bool = False) -> float:
    """Bytes that colorizing a picture takes, whose file has `size` bytes."""
    # Some pages are read and written beside each other.
    return (_WEBP if webp else _PICTURE) * 1e6 * max(megapixels, min(megapixels * pages, 24)) + size


def of_film(megapixels: float) -> float:
    """Bytes that colorizing a film takes."""
    return _FILM * 1e6 * megapixels


def of_look(megapixels: float, size: int) -> float:
    """Bytes that a reduced copy of a picture takes while it is made."""
    return _LOOK * 1e6 * megapixels + size


def resident() -> int:
    """Bytes of memory that this process takes; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class Memory:
    """What of the memory is left for work.

    Args:
        most: bytes that the process is to stay within; what it has taken by now is no more to be given.

    Attributes:
        room: bytes that there are for work.
        film: held by whoever opens a film, which takes what nobody knows before it is open.
    """

    def __init__(self, most: float):
        self._most, self.room = most, max(most - resident() - _NETWORK, _LEAST)
        self._left, self._short, self._next = self.room, 0.0, math.inf
        self._changed = threading.Condition()
        self.film = threading.Lock()
        self._door = threading.Lock()

    def fits(self, need: float) -> bool:
        """Whether work that needs so many bytes can be done at all."""
        return need <= self.room

    def is_exceeded(self) -> bool:
        """Whether the process has taken more than it is to, whatever was reckoned, and work may give it back."""
        if resident() <= self._most:
            return False
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            # What was freed and is kept for later; glibc alone has it.
            ctypes.CDLL(None).malloc_trim(0)
        return resident() > self._most and self._left < self.room

    @contextlib.contextmanager
    def taking(self, need: float) -> Iterator[None]:
        """Waits until there are so many bytes, which are taken within the context: who comes first goes first."""
        need = min(need, self.room)
        with self._door, self._changed:
            self._next = need
            self._changed.wait_for(lambda: self._left >= need)
            self._next = math.inf
            self._left -= need
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._left += need
                self._changed.notify_all()

    @contextlib.contextmanager
    def taking_shortly(self, need: float) -> Iterator[None]:
        """The same for work of a moment, which does not stand behind what waits for long work to end.

        Raises:
            MemoryError: if there are not so many bytes for some seconds.
        """
        need = min(need, self.room)

        def may_go() -> bool:
            # What waits for short work alone goes first.
            return self._left >= need and self._next > self._left + self._short

        with self._changed:
            if not self._changed.wait_for(may_go, _PATIENCE):
                raise MemoryError
            self._left, self._short = self._left - need, self._short + need
        try:
            yield
        finally:
            with self._changed:
                self._left, self._short = self._left + need, self._short - need
                self._changed.notify_all()
