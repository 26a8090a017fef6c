"""A film -> candidates: of each half second of a shot its sharpest frame, as a picture, with what is measured of it."""

import csv
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from historynet import files
from historynet.collecting import rows, scores
from historynet.collecting.jobs import write_picture
from historynet.collecting.persons import Detector
from historynet.collecting.sampling import CUT_SIZE, Crop, fit
from historynet.collecting.settings import RANGE_FLOOR, SHARPNESS_FLOOR, TONE_FLOOR
from historynet.errors import InputError
from historynet.films.reading import Film
from historynet.films.steadying import find_cuts

TABLE = "candidates.csv"

NO_SHOT = "there are no candidates: no shot is longer than what --trim leaves out at its ends"
"""Said of a film."""

_MEASURED = 448
"""Pixels, short side to which a frame is brought before anything is measured, at least."""


@dataclass(frozen=True)
class Seen:
    """A frame that may become a candidate, still as it was decoded.

    Attributes:
        seconds: from the film's begin.
        frame: as decoded.
        aspect: of its pixels, for `planes`.
        luma: as gray levels without bars, uint8, short side 224.
    """

    seconds: Fraction
    frame: av.VideoFrame
    aspect: Fraction | None
    luma: np.ndarray


@dataclass(frozen=True)
class Found:
    """The sharpest frame of a slot of a shot; see `Seen`.

    Attributes:
        slot: its number, from 0 at the film's begin.
        shot: its number, from 0.
        sharpness: of the luma.
        seen: the frame.
    """

    slot: int
    shot: int
    sharpness: float
    seen: Seen


@dataclass(frozen=True)
class Candidate:
    """What is measured of a candidate, as `TABLE` holds it.

    Attributes:
        file_key: of its film.
        ms: milliseconds from the film's begin.
        slot: see `Found`.
        shot: see `Found`.
        range: see `scores.Scores`.
        tone: the same.
        cast: the same.
        sharpness: the same.
        hash: the same, 16 hexadecimal digits.
        boxes: of persons, the surest first: left, top, right, bottom in pixels of the stored picture.
        scores: of them, 0..1.
        person_sharpness: of them, None where nothing can hang on it.
        person_blur: the same.
        stored: whether there is a picture of it.
        height: of the picture, in pixels.
    """

    file_key: str
    ms: int
    slot: int
    shot: int
    range: float
    tone: float
    cast: float
    sharpness: float
    hash: str
    boxes: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    person_sharpness: list[float | None] = field(default_factory=list)
    person_blur: list[float | None] = field(default_factory=list)
    stored: bool = False
    height: int = 0

    @property
    def picture(self) -> str:
        """The name of its picture."""
        return f"{self.file_key}-{self.ms:08}.jpg"


_LISTS = ("boxes", "scores", "person_sharpness", "person_blur")


def reduce(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture (h, w, ...) by a whole factor smaller, with a short side of at least `side`, or as it is."""
    factor = max(1, min(picture.shape[:2]) // side)
    if factor == 1:
        return picture
    height, width = (length // factor for length in picture.shape[:2])
    cut = picture[: height * factor, : width * factor]
    return cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA)


def watch(film: Film, crop: Crop) -> Iterator[Seen]:
    """All frames of a film in order.

    Args:
        film: of `sampling.open_film`.
        crop: its black bars.
    """
    planes, begin = film.planes, film.ticks(film.start) - film.ticks(film.begin)
    gray = None
    for ticks, frame, aspect in film.decoded():
        gray = planes.to_gray(planes.luma(frame, aspect), gray)
        # The next frame has its memory: what is kept is the copy that `fit` makes.
        luma = crop(gray)
        yield Seen((ticks + begin) * film.time_base, frame, aspect, fit(reduce(luma, scores.SIDE), scores.SIDE))


def find(frames: Iterable[Seen], rate: float, trim: int) -> Iterator[Found]:
    """The sharpest frame of each slot of each shot, the earlier of equals.

    Args:
        frames: of a film, in order.
        rate: slots a second.
        trim: frames at both ends of a shot that are left out.
    """
    rate = Fraction(rate)
    shot, place, best = 0, 0, None
    waiting: deque[Seen] = deque()
    for seen, cut in find_cuts(frames, _for_cuts):
        if cut:
            # What waits are the last frames of the shot.
            waiting.clear()
            if best:
                yield best
            shot, place, best = shot + 1, 0, None
        if place >= trim:
            waiting.append(seen)
        place += 1
        if len(waiting) > trim:
            one = waiting.popleft()
            found = Found(math.floor(one.seconds * rate), shot, scores.sharpness(one.luma), one)
            if best and best.slot != found.slot:
                yield best
                best = None
            if best is None or found.sharpness > best.sharpness:
                best = found
    if best:
        yield best


def _for_cuts(seen: Seen) -> np.ndarray:
    return cv2.resize(seen.luma, CUT_SIZE[::-1], interpolation=cv2.INTER_AREA)


class Maker:
    """Makes candidates of a film's frames, and their pictures.

    Args:
        film: of `sampling.open_film`.
        file_key: of the film.
        folder: of the pictures.
        crop: the film's black bars.
        side: short side of the pictures, in pixels.
        squash: side of squares that they are squashed to instead; None: they keep their proportions.
        detector: of persons.
    """

    def __init__(
        self, film: Film, file_key: str, folder: Path, crop: Crop, side: int, squash: int | None, detector: Detector
    ):
        self._film, self._file_key, self._folder, self._crop = film, file_key, folder, crop
        self._side, self._squash, self._detector = side, squash, detector
        self._last = -1

    def __call__(self, found: Found) -> Candidate:
        """The candidate of a frame; its picture is written if it may be wanted.

        Raises:
            InputError: if it cannot be written.
        """
        picture = self._picture(found.seen)
        small = fit(picture, scores.SIDE)
        measured = scores.measure(small)
        # Times that nearly meet, as in damaged films, have names of their own.
        self._last = ms = max(round(found.seen.seconds * 1000), self._last + 1)
        base = Candidate(
            file_key=self._file_key,
            ms=ms,
            slot=found.slot,
            shot=found.shot,
            range=round(measured.range, 1),
            tone=round(measured.tone, 3),
            cast=round(measured.cast, 3),
            sharpness=round(measured.sharpness, 5),
            hash=f"{measured.hash:016x}",
        )
        if base.range < RANGE_FLOOR or base.tone < TONE_FLOOR or base.sharpness < SHARPNESS_FLOOR:
            return base
        persons = self._detector(picture)
        if not len(persons.scores):
            return base
        stored = fit(picture, self._side)
        if self._squash:
            stored = cv2.resize(picture, (self._squash, self._squash), interpolation=cv2.INTER_AREA)
        factors = np.tile(np.divide(stored.shape[1::-1], picture.shape[1::-1]), 2)
        boxes, sure = (persons.boxes * factors).round(1), persons.scores.round(3)
        sharp, blur = {}, {}
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        for number in _tallest(boxes, sure):
            box = persons.boxes[number] * (scores.SIDE / min(picture.shape[:2]))
            sharp[number], blur[number] = scores.person_sharpness(gray, box)
        candidate = Candidate(
            **{name: value for name, value in vars(base).items() if name not in (*_LISTS, "stored", "height")},
            boxes=boxes.tolist(),
            scores=sure.tolist(),
            person_sharpness=[_rounded(sharp.get(number), 5) for number in range(len(boxes))],
            person_blur=[_rounded(blur.get(number), 4) for number in range(len(boxes))],
            stored=True,
            height=stored.shape[0],
        )
        write_picture(self._folder / candidate.picture, stored)
        return candidate

    def _picture(self, seen: Seen) -> np.ndarray:
        """A frame in its colours, upright, without bars, with square pixels; uint8 RGB (h, w, 3)."""
        planes = self._film.planes
        rgb = self._crop(planes.rgb(seen.frame, seen.aspect))
        if planes.aspect and planes.aspect != 1:
            width = max(1, round(rgb.shape[1] * float(planes.aspect)))
            down = cv2.INTER_AREA if width < rgb.shape[1] else cv2.INTER_LINEAR
            rgb = cv2.resize(rgb, (width, rgb.shape[0]), interpolation=down)
        return np.ascontiguousarray(reduce(rgb, _MEASURED))


def _tallest(boxes: np.ndarray, sure: np.ndarray) -> list[int]:
    """The persons that are the tallest of those with at least some score, whatever PERSON_SCORE will be.

    Args:
        boxes: (n, 4).
        sure: scores (n,).
    """
    tallest, highest = [], 0.0
    for number in np.argsort(boxes[:, 1] - boxes[:, 3], kind="stable").tolist():
        if sure[number] > highest:
            highest = sure[number]
            tallest.append(number)
    return tallest


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def write_table(folder: Path, candidates: Iterable[Candidate]) -> None:
    """Writes the table of a film's candidates.

    Raises:
        InputError: if it cannot be written.
    """
    lines = [[column.name for column in fields(Candidate)]]
    for candidate in candidates:
        values = dict(vars(candidate), stored=int(candidate.stored))
        lines.append([json.dumps(value) if name in _LISTS else value for name, value in values.items()])
    rows.write(folder / TABLE, lines)


def read_table(folder: Path) -> list[Candidate]:
    """The candidates of a film, in order.

    Raises:
        InputError: if the table cannot be read, or is none.
    """
    path = folder / TABLE
    with files.reading(path), path.open(encoding="utf-8", newline="") as file:
        try:
            return [_candidate(row) for row in csv.DictReader(file)]
        except (KeyError, ValueError, TypeError, csv.Error) as error:
            raise InputError(f"{path}: not a table of candidates; remove {folder}, and collect.py makes it") from error


def _candidate(row: dict[str, str]) -> Candidate:
    kinds: dict[str, Callable] = dict.fromkeys(_LISTS, json.loads)
    kinds |= dict.fromkeys(("ms", "slot", "shot", "height"), int) | {"file_key": str, "hash": str}
    kinds["stored"] = lambda text: bool(int(text))
    return Candidate(**{one.name: kinds.get(one.name, float)(row[one.name]) for one in fields(Candidate)})
