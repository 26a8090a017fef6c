"""Persons with their parsing, as the compact parser is trained and judged by them."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from historynet.collecting import crops, parts, tags
from historynet.collecting.drawing import unit
from historynet.data import mhmd
from historynet.data.samples import Crop, OpenReader, Samples, open_named, steps_per_epoch, training_folder
from historynet.errors import InputError, PictureError
from historynet.parallel import map_ahead
from historynet.pictures import images
from historynet.systems.parser.architecture import CLASSES
from historynet.systems.parser.settings import ParserSettings

_COUNTED = 1000
"""Parsing pictures, at most, that the shares of the classes are counted in."""

_REMEMBERED = 1000
"""Parsings that are in memory, decoded: some 100 KB each."""

_PART_HEIGHT = (0.3, 0.7)
"""Of a person's height: of the parts that half of the samples are."""

_MARGIN = 0.2
"""Of a box's sides: how much is seen around a person, at most, in training."""

_SATURATION, _CONTRAST, _BRIGHTNESS = (0.4, 1.3), (0.7, 1.2), 25
_BLUR = (0.5, 1.5)
"""Factors; levels; sigma of the Gaussian that blurs half of the samples, pixels."""


def split(settings: ParserSettings) -> tuple[Sequence[str], Sequence[str]]:
    """Names of TRAIN_DATA's pictures: those that are trained on, those that are held out.

    Held out are those that a number below HOLDOUT follows from.

    Raises:
        InputError: if there is no such folder, or nothing is left to train on.
    """
    names = images.list_pictures(training_folder(settings))
    held = {name for name in names if unit(f"{settings.seed}/holdout/{name}") < settings.holdout}
    training = [name for name in names if name not in held]
    if not training:
        raise InputError(f"{settings.train_data}: all {len(names)} pictures are held out; give a lower --holdout")
    return training, sorted(held)


def open_parsed(settings: ParserSettings, fields: Mapping[str, OpenReader]) -> Samples:
    """The samples of a training: the pictures that are not held out.

    Raises:
        InputError: as `split`; also if a picture has no parsing.
    """
    return open_named(settings, split(settings)[0], fields)


def total_steps(settings: ParserSettings) -> int:
    """Updates of the whole training."""
    return settings.num_epochs * steps_per_epoch(settings, Samples(split(settings)[0], ()))


def decoder(drawing: str) -> Callable[[np.ndarray], np.ndarray]:
    """Drawn parsing, uint8 RGB (height, width, 3) -> numbers of the compact parser's classes (height, width), uint8.

    Args:
        drawing: how it is drawn, one of `systems.parser.settings.DRAWINGS`.
    """
    if drawing == "ccp":
        colours = tags.pascal_colours(len(tags.TAGS))
        return lambda rgb: tags.classes(parts.read_drawn(rgb, colours))
    classes = np.array([CLASSES.index(parts.TO_COMPACT[name]) for name in parts.NAMES], np.uint8)
    return lambda rgb: classes[parts.read_drawn(rgb, parts.PALETTES[drawing])]


class Persons:
    """The pictures of a folder with their parsing.

    Args:
        folder: of the pictures.
        drawn: of their parsing; None: the folder with _seg behind its name.
        drawing: how it is drawn, one of `systems.parser.settings.DRAWINGS`.
        names: of the pictures.

    Raises:
        InputError: if a picture has no parsing.
    """

    def __init__(self, folder: Path, drawn: Path | None, drawing: str, names: Sequence[str]):
        self._folder, self._names = folder, names
        self._drawn = drawn or folder.with_name(folder.name + mhmd.PARSING_SUFFIX)
        self._found = mhmd.find_parsing(self._drawn, names)
        missing = [name for name, found in zip(names, self._found, strict=True) if found is None]
        if missing:
            raise InputError(
                f"{self._drawn / (Path(missing[0]).stem + mhmd.PARSING_SUFFIX)}.*: no parsing picture for {missing[0]} "
                f"({len(missing)} of {len(names)} pictures have none); add it, or remove the picture"
            )
        self._decode = decoder(drawing)
        # Decoding takes longer than all else that is done to a sample.
        self._classes = lru_cache(_REMEMBERED)(self._read_classes)

    def __len__(self) -> int:
        return len(self._names)

    def picture(self, index: int) -> Path:
        """The file of a picture."""
        return self._folder / self._names[index]

    def whole(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """A picture as it is, uint8 RGB, and the numbers of its classes, uint8.

        Raises:
            PictureError: if one of them cannot be read, or they are not of one size.
        """
        rgb, classes = images.read_rgb(self.picture(index)), self._classes(index)
        if classes.shape != rgb.shape[:2]:
            (height, width), (rows, columns) = rgb.shape[:2], classes.shape
            drawn = self._drawn / self._found[index]
            raise PictureError(f"{drawn}: {columns}x{rows} pixels, but its picture has {width}x{height}")
        return rgb, classes

    def _read_classes(self, index: int) -> np.ndarray:
        return self._decode(images.read_rgb(self._drawn / self._found[index]))


def open_persons(settings: ParserSettings, names: Sequence[str]) -> Persons:
    """Some of TRAIN_DATA's pictures with their parsing.

    Raises:
        InputError: if one has none.
    """
    return Persons(settings.train_data, settings.train_parsing, settings.drawing, names)


class Varied:
    """Reads "rgb", a person in 0..255, (height, width, 3), and "classes", the numbers of its parts, (height, width).

    A quarter of the samples are whole pictures, a quarter persons, half parts of them, since films show upper bodies;
    colours, contrast, brightness and sharpness vary, as the epoch's key of the sample says.
    """

    fields = ("rgb", "classes")
    noun = "parsing picture"
    present = None
    remarks = ""

    def __init__(self, settings: ParserSettings, folder: Path, names: Sequence[str], required: bool):
        self._persons = open_persons(settings, names)

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        return (*size, 3) if field == "rgb" else size

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        rng = np.random.default_rng((*(crop.key or ()), 3))
        rgb, classes = vary(*self._persons.whole(index), crop.size, rng)
        return {"rgb": rgb.astype(np.float32), "classes": classes.astype(np.float32)}

    def picture(self, index: int) -> Path:
        return self._persons.picture(index)


def vary(
    rgb: np.ndarray, classes: np.ndarray, size: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A person, or a part of one, as an epoch sees it: of (height, width) `size`.

    A quarter are whole pictures, a quarter persons with little around them, half parts of persons.

    Args:
        rgb: the picture, uint8.
        classes: numbers of its parts, uint8.
        size: (height, width) of the result.
        rng: what is drawn from.
    """
    mirrored, kind, height, begin, margin, blurred, sigma, saturation, contrast, brightness = rng.random(10)
    box = _box(classes)
    if kind < 0.25:
        box = 0, 0, classes.shape[1], classes.shape[0]
    elif kind < 0.75:
        share = _between(_PART_HEIGHT, height) * (box[3] - box[1])
        first = box[1] + begin * (box[3] - box[1] - share)
        rows = slice(int(first), max(int(first) + 1, round(first + share)))
        left, _, right, _ = _box(classes[rows])
        box = left, rows.start, right, rows.stop
    place = crops.place(box, margin * _MARGIN, classes.shape, size)
    seen = crops.fit(place.cut(rgb), size)
    of_seen = cv2.resize(place.cut(classes), size[::-1], interpolation=cv2.INTER_NEAREST)
    if mirrored < 0.5:
        seen, of_seen = np.ascontiguousarray(seen[:, ::-1]), of_seen[:, ::-1]
    if blurred < 0.5:
        seen = cv2.GaussianBlur(seen, (0, 0), _between(_BLUR, sigma))
    seen = seen.astype(np.float32)
    gray = seen.mean(axis=2, keepdims=True)
    seen = gray + _between(_SATURATION, saturation) * (seen - gray)
    seen = 127.5 + _between(_CONTRAST, contrast) * (seen - 127.5) + _BRIGHTNESS * (2 * brightness - 1)
    return np.clip(seen, 0, 255), of_seen


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share


def _box(classes: np.ndarray) -> crops.Box:
    """What holds all parts; of background alone the whole."""
    rows, columns = (np.flatnonzero(classes.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 0, 0, classes.shape[1], classes.shape[0]
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def shares(settings: ParserSettings) -> np.ndarray:
    """Shares of the classes in the parsing of the training pictures, (classes,), with sum 1.

    Of many pictures some are counted, evenly spread.

    Raises:
        InputError: if none can be read.
    """
    names = split(settings)[0]
    persons = open_persons(settings, names)

    def count(index: int) -> np.ndarray:
        try:
            return np.bincount(persons.whole(index)[1].ravel(), minlength=len(CLASSES))
        except PictureError:
            # The training names it.
            return np.zeros(len(CLASSES), int)

    counted = np.unique(np.linspace(0, len(names) - 1, _COUNTED).astype(int)).tolist()
    counts = sum(map_ahead(count, counted, 16), np.zeros(len(CLASSES), int))
    if not counts.any():
        raise InputError(f"{settings.train_data}: no picture can be read with its parsing")
    return counts / counts.sum()
