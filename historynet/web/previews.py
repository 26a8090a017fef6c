"""Small JPEG copies of what was given and of what was made; and a result made again at once, small, for sliders."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from historynet import files
from historynet.errors import InputError
from historynet.films.options import FilmOptions
from historynet.films.reading import Film
from historynet.parallel import within
from historynet.pictures import color, formats, images, print_area
from historynet.web import memory
from historynet.web.limits import Limits
from historynet.web.models import Models
from historynet.web.remembering import Outputs
from historynet.web.sessions import FILM, Input, Result

LONGEST = 2048
"""Pixels of a copy's long side, at most."""

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 90]

_REMEMBERED = 8
"""Pictures in whose colours somebody is looking about, which are kept in memory."""


@dataclass
class _Slide:
    """What making a small result again needs.

    Attributes:
        rgb: the small picture, uint8 (height, width, 3).
        inside: where the print lies in it; None: everywhere.
        outputs: the network's, with a first axis.
    """

    rgb: np.ndarray
    inside: np.ndarray | None
    outputs: dict[str, np.ndarray]


class Previews:
    """Makes the copies, and keeps the large ones as files beside what they are of.

    Args:
        models: at hand.
        limits: of what is read.
        room: the memory.
    """

    def __init__(self, models: Models, limits: Limits, room: memory.Memory):
        self._models, self._limits, self._room = models, limits, room
        self._slides: OrderedDict[tuple[str, int, int], _Slide] = OrderedDict()
        self._changing = threading.Lock()

    def before(self, one: Input, side: int, page: int) -> bytes:
        """A copy of an upload, JPEG, its long side at most `side`; of a film the frame in its middle.

        Raises:
            InputError: if it cannot be read.
        """
        return _jpeg(self._copy(one, one.path, one.folder / f"before{page}.png", side, page))

    def after(self, result: Result, file: Path, side: int) -> bytes:
        """The same of a file of a result."""
        return _jpeg(self._copy(result.input, file, file.with_name(f"{file.name}.preview.png"), side))

    def again(self, result: Result, page: int, side: int, strength: float, temperature: float | None) -> bytes:
        """A small copy of a result with another strength and temperature, without the network.

        Raises:
            InputError: if the network has not seen this page.
        """
        slide = self._slide(result, page, side)
        colorizer = self._models.load(result.wanted.model).colorizer
        decoding = {} if temperature is None else {"temperature": temperature}
        ab = colorizer.decode(slide.outputs, **decoding)[0]
        return _jpeg(color.with_chrominance(slide.rgb, ab, strength, inside=slide.inside))

    def _slide(self, result: Result, page: int, side: int) -> _Slide:
        key = (result.id, page, side)
        with self._changing:
            if key in self._slides:
                self._slides.move_to_end(key)
                return self._slides[key]
        one = result.input
        seen = [number for number, made in enumerate(result.pages) if made.result is not None]
        if page not in seen or len(seen) != len(result.keys):
            raise InputError(f"{one.path}: was not colorized")
        outputs = Outputs(one.folder, self._models.load(result.wanted.model).key).find(result.keys[seen.index(page)])
        if outputs is None:
            raise InputError(f"{one.path}: was not colorized")
        rgb = self._copy(one, one.path, one.folder / f"before{page}.png", side, page)
        inside = print_area.find_print(print_area.reduce(rgb)) if result.wanted.borders else None
        slide = _Slide(rgb, inside, {name: output[None] for name, output in outputs.items()})
        with self._changing:
            self._slides[key] = slide
            while len(self._slides) > _REMEMBERED:
                self._slides.popitem(last=False)
        return slide

    def _copy(self, one: Input, file: Path, kept: Path, side: int, page: int = 0) -> np.ndarray:
        """A copy of a file, uint8 RGB; the largest is kept as a file."""
        large = _read_kept(kept)
        if large is None:
            # Copies of several sizes are asked for at once, and the file is read for all of them.
            with one.copying:
                large = _read_kept(kept)
                if large is None:
                    large = _shrunk(self._read(one, file, page), LONGEST)
                    # Without loss and quickly: it is decoded again and again.
                    data = images.encode(kept, large, [cv2.IMWRITE_PNG_COMPRESSION, 1])
                    files.write_atomically(kept, lambda temporary: temporary.write_bytes(data))
        return _shrunk(large, side)

    def _read(self, one: Input, file: Path, page: int) -> np.ndarray:
        if one.kind == FILM:
            with self._room.film:
                return self._within(_frame, file, one.seconds / 2, self._limits.film_megapixels)
        with self._room.taking_shortly(memory.of_look(one.megapixels, one.size)):
            picture = self._within(formats.read, file, page, False, self._limits.megapixels)
            if picture.alpha is None:
                return picture.rgb
            return _on_white(_shrunk(picture.rgb, LONGEST), _shrunk(picture.alpha, LONGEST))

    def _within(self, read: Callable[..., Any], file: Path, *arguments: object) -> Any:
        try:
            return within(self._limits.read_seconds, read, file, *arguments)
        except TimeoutError as error:
            raise InputError(f"{file}: takes too long to be read") from error


def _read_kept(kept: Path) -> np.ndarray | None:
    try:
        return images.read_rgb(kept)
    except InputError:
        return None


def _frame(path: Path, seconds: float, megapixels: float) -> np.ndarray:
    """The frame of a film at a time, or the first one where there is none."""
    for start in (seconds, 0):
        film = Film(path, FilmOptions(start=start, max_megapixels=megapixels))
        for _, *frame in film.decoded():
            return film.planes.rgb(*frame)
    raise InputError(f"{path}: no frame can be decoded")


def _on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None].astype(np.uint16)
    return ((rgb * share + 255 * (255 - share)) // 255).astype(np.uint8)


def _shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture whose long side is at most so many pixels."""
    height, width = picture.shape[:2]
    scale = min(1, side / max(height, width))
    if scale == 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _jpeg(rgb: np.ndarray) -> bytes:
    return images.encode(Path("preview.jpg"), rgb, _QUALITY).tobytes()
