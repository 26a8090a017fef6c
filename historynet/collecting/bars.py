"""Black bars of a film, from the luma of some of its frames."""

from collections.abc import Callable

import numpy as np

from historynet.collecting.sampling import Crop
from historynet.films.reading import Film
from historynet.films.skimming import skim

_FRAMES = 60
_ENOUGH = 10
"""Frames that tell; if fewer keyframes do, the whole film is looked through."""

_LIGHT = 40
"""Level that a percent of a frame's pixels has at least, or it says nothing of bars."""

_BLACK = 20
_LEAST, _MOST = 0.02, 0.3
"""Share of a side that a bar has."""


class BarFinder:
    """Outer rows and columns whose mean luma is low in all frames that are light enough to tell.

    Args:
        most: so many frames are kept, spread evenly over those that are shown; None: all.
    """

    def __init__(self, most: int | None = None):
        self._most, self._stride, self._shown = most, 1, 0
        self._kept: list[tuple[int, np.ndarray, np.ndarray]] = []

    def is_next(self) -> bool:
        """Whether the frame that comes is to be shown to `add`; else it is only counted."""
        self._shown += 1
        return (self._shown - 1) % self._stride == 0

    def add(self, luma: np.ndarray) -> None:
        """Looks at a frame's luma as gray levels, uint8 (height, width), of the same size as all others."""
        if np.percentile(luma[::2, ::2], 99) < _LIGHT:
            return
        self._kept.append((self._shown - 1, luma.mean(axis=1), luma.mean(axis=0)))
        if self._most and len(self._kept) == 2 * self._most:
            self._stride *= 2
            self._kept = [one for one in self._kept if one[0] % self._stride == 0]

    @property
    def count(self) -> int:
        """How many of the frames tell."""
        return len(self._kept)

    def bars(self) -> Crop:
        """What is to be cut off, even numbers of pixels."""
        if not self._kept:
            return Crop()
        _, rows, columns = zip(*self._kept, strict=True)
        rows, columns = np.max(rows, axis=0), np.max(columns, axis=0)
        return Crop(*(_bar(means) for means in (rows, rows[::-1], columns, columns[::-1])))


def _bar(means: np.ndarray) -> int:
    """How wide the bar at the beginning of a side is, from the largest mean of each of its rows or columns."""
    light = np.flatnonzero(means >= _BLACK)
    width = int(light[0]) if len(light) else len(means)
    return width + width % 2 if _LEAST * len(means) <= width <= _MOST * len(means) else 0


def find_bars(film: Film, progress: Callable[[int], object] = lambda count: None) -> Crop:
    """The black bars of a film.

    Args:
        film: of `sampling.open_film`.
        progress: called with the number of frames just read, if the film has to be read for it.

    Raises:
        PictureError: if the system cannot read the file.
        MemoryError: if there is not enough memory.
    """
    planes = film.planes
    finder = BarFinder()
    for frame, aspect in skim(film, _FRAMES):
        finder.add(planes.to_gray(planes.luma(frame, aspect)))
    if finder.count >= _ENOUGH:
        return finder.bars()
    finder = BarFinder(_FRAMES)
    for _, frame, aspect in film.decoded():
        if finder.is_next():
            finder.add(planes.to_gray(planes.luma(frame, aspect)))
        progress(1)
    return finder.bars()
