"""What data sets of films begin with: a film's shots, its black bars, a frame a second, and pictures of its frames."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from historynet import files
from historynet.errors import PictureError
from historynet.films import fields
from historynet.films.options import FilmOptions
from historynet.films.planes import HIGH_DYNAMIC_RANGE
from historynet.films.reading import Film
from historynet.films.steadying import find_cuts

CUT_SIZE = 224, 224
"""(height, width) of the luminance that cuts are found on."""

_BLACK = 24
_BLACK_SHARE = 0.95
_LEAST_LEFT = 0.2
"""Share of a side that is left at least: bars that leave less are none, but a dark film."""


def open_film(path: Path, options: FilmOptions | None = None) -> Film:
    """A film whose frames are to become pictures: without fields, and in colours of ordinary range.

    Args:
        path: of the film.
        options: what of it is read.

    Raises:
        PictureError: if it cannot be read, or is HDR.
        MemoryError: if there is not enough memory to.
    """
    options = options or FilmOptions()
    film = Film(path, options)
    curve = HIGH_DYNAMIC_RANGE.get(film.planes.tags[3])
    if curve:
        raise PictureError(f"{path}: it is HDR ({curve}), whose colours would come out wrong; convert it to SDR first")
    if film.first_field != fields.PROGRESSIVE:
        film = Film(path, dataclasses.replace(options, deinterlace=True))
    # So far they speak of films as results.
    film.notes.clear()
    return film


@dataclass(frozen=True)
class Shot:
    """The frames between two cuts.

    Attributes:
        first: number of its first frame in the film, from 0.
        count: how many frames it has.
    """

    first: int
    count: int


def find_shots(
    film: Film, sample: Callable[[int, np.ndarray], object], progress: Callable[[int], object] = lambda count: None
) -> tuple[list[Shot], float]:
    """Reads a film to its end for its shots, and shows one frame of each second on the way.

    Args:
        film: of `open_film`.
        sample: called with the number of a frame and its uint8 RGB (height, width, 3), all of one size.
        progress: called with the number of frames just read.

    Returns:
        The shots in order, and how many frames there are a second.
    """
    seconds: list[Fraction] = []

    def luminances() -> Iterator[np.ndarray]:
        for number, (ticks, *frame) in enumerate(film.decoded()):
            time = ticks * film.time_base
            if not seconds or int(time) > int(seconds[-1]):
                sample(number, film.planes.rgb(*frame))
            # The first and the last are enough.
            seconds[1:] = [time]
            yield film.planes.luminance(film.planes.luma(*frame), CUT_SIZE)
            progress(1)

    firsts, count = [0], 0
    for _, cut in find_cuts(luminances(), lambda luminance: luminance):
        if cut and count:
            firsts.append(count)
        count += 1
    film.check_end()
    if not count:
        raise PictureError(f"{film.path}: no frame can be decoded")
    rate = film.rate or (count - 1) / max(seconds[-1] - seconds[0], film.time_base)
    return [Shot(first, end - first) for first, end in zip(firsts, [*firsts[1:], count], strict=True)], float(rate)


@dataclass(frozen=True)
class Crop:
    """Rows and columns of a picture that are cut off, in pixels."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """What is left of a picture (h, w, ...)."""
        height, width = picture.shape[:2]
        return picture[self.top : height - self.bottom, self.left : width - self.right]

    def scaled(self, factor: float) -> "Crop":
        """The same on a picture that is so many times as large; what is cut in part is cut."""
        return Crop(*(int(np.ceil(side * factor)) for side in (self.top, self.bottom, self.left, self.right)))


class BorderFinder:
    """Finds black bars: outer rows and columns 95% of whose pixels are below level 24, over all frames together.

    Frames that are as dark as that in the whole say nothing of bars.
    """

    def __init__(self):
        self._rows = self._columns = 0
        self._frames = 0

    def add(self, rgb: np.ndarray) -> None:
        """Looks at a frame, uint8 RGB (height, width, 3), of the same size as all others."""
        black = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) < _BLACK
        if black.mean() < _BLACK_SHARE:
            self._rows = self._rows + black.mean(axis=1)
            self._columns = self._columns + black.mean(axis=0)
            self._frames += 1

    def borders(self) -> Crop:
        """What is to be cut off."""
        if not self._frames:
            return Crop()
        sides = []
        for shares in (self._rows, self._columns):
            inside = np.flatnonzero(shares / self._frames < _BLACK_SHARE)
            is_enough = len(inside) and inside[-1] + 1 - inside[0] >= _LEAST_LEFT * len(shares)
            sides += [int(inside[0]), int(len(shares) - 1 - inside[-1])] if is_enough else [0, 0]
        return Crop(*sides)


class Samples:
    """Small frames that wait on the disk, since only the film's end tells which of their pixels are bars.

    Args:
        folder: where they wait, in a file without a name.
    """

    WIDTH = 160

    def __init__(self, folder: Path):
        self._folder = folder
        self._numbers: list[int] = []
        self._shape: tuple[int, ...] = ()
        with files.writing(folder, "written to"):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def __enter__(self) -> "Samples":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, number: int, rgb: np.ndarray) -> None:
        """Puts a frame aside, by its number; uint8 RGB (height, width, 3), of the same size as all others."""
        height, width = rgb.shape[:2]
        small = cv2.resize(rgb, (self.WIDTH, max(1, round(height * self.WIDTH / width))), interpolation=cv2.INTER_AREA)
        self._shape = small.shape
        self._factor = self.WIDTH / width
        with files.writing(self._folder, "written to"):
            self._file.write(small)
        self._numbers.append(number)

    def read(self, crop: Crop) -> Iterator[tuple[int, np.ndarray]]:
        """The frames with their numbers, in order, `WIDTH` pixels wide less their bars.

        Args:
            crop: what is cut off a frame of full size.
        """
        with files.writing(self._folder, "written to"):
            self._file.seek(0)
        crop = crop.scaled(self._factor)
        for number in self._numbers:
            with files.reading(self._folder):
                data = self._file.read(int(np.prod(self._shape)))
            yield number, crop(np.frombuffer(data, np.uint8).reshape(self._shape))


def places(count: int, rate: float) -> list[int]:
    """The frames that stand for a shot, by their numbers within it: the middles of three to five equal parts.

    Args:
        count: of the shot's frames.
        rate: frames a second.

    Returns:
        3 numbers under 4 seconds, 4 under 8, else 5; none under one second.
    """
    seconds = count / rate
    parts = 0 if seconds < 1 else 3 if seconds < 4 else 4 if seconds < 8 else 5
    return [int((i + 0.5) * count / parts) for i in range(parts)]


def fit(rgb: np.ndarray, side: int, aspect: Fraction | None = None) -> np.ndarray:
    """A picture, uint8 RGB (h, w, 3), with square pixels and so many on its short side.

    Args:
        rgb: the picture.
        side: of the result.
        aspect: width of its pixels by their height; None: square.
    """
    height, width = rgb.shape[:2]
    shown = width * float(aspect or 1)
    factor = side / min(height, shown)
    size = max(1, round(shown * factor)), max(1, round(height * factor))
    down = size[0] <= width and size[1] <= height
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if down else cv2.INTER_LINEAR)
