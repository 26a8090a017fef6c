"""Candidates -> the pictures that are kept, and why the others are not."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from historynet.collecting import candidates, film_folders, manifest, persons
from historynet.collecting.candidates import NO_SHOT, Candidate
from historynet.collecting.film_list import Film
from historynet.collecting.manifest import Picture
from historynet.collecting.settings import MHMDSettings

FLAT, GRAY, BLURRED, NOBODY, CROWD = "flat", "gray", "blurred", "nobody", "crowd"
PERSON_BLURRED, DUPLICATE, OVER_CAP, KEPT = "person blurred", "duplicate", "over the cap", "kept"
OUTCOMES = (FLAT, GRAY, BLURRED, NOBODY, CROWD, PERSON_BLURRED, DUPLICATE, OVER_CAP, KEPT)
"""What becomes of a candidate, in the order in which it is looked for."""

_BANDS = (13, 13, 13, 13, 12)
"""Bits of a hash: two that differ in at most 4 are equal in one of these five at least."""

_MOSTLY_GRAY, _HARDLY_KEPT = 0.9, 0.01


@dataclass
class Chosen:
    """A candidate and what becomes of it.

    Attributes:
        film: that it is of.
        candidate: what was measured.
        outcome: one of `OUTCOMES`.
        main: numbers of the main persons' boxes, the tallest first.
        like: name of the kept picture that it is a duplicate of; empty if it is none.
        distance: bits in which their hashes differ.
    """

    film: Film
    candidate: Candidate
    outcome: str
    main: list[int] = field(default_factory=list)
    like: str = ""
    distance: int | None = None


@dataclass
class Funnel:
    """What became of the frames of a film.

    Attributes:
        film: its file key.
        frames: how many it has.
        outcomes: how many candidates have each.
    """

    film: str
    frames: int
    outcomes: Counter[str]

    @property
    def candidates(self) -> int:
        """How many there are."""
        return self.outcomes.total()

    def remarks(self) -> Iterator[str]:
        """What is odd about it."""
        if self.candidates and self.outcomes[GRAY] > _MOSTLY_GRAY * self.candidates:
            yield f"{self.outcomes[GRAY]} of {self.candidates} candidates are gray; a black-and-white film?"
        if not self.candidates:
            yield NO_SHOT
        elif self.outcomes[KEPT] < _HARDLY_KEPT * self.candidates:
            yield f"{self.outcomes[KEPT]} of {self.candidates} candidates are kept"


def judge(candidate: Candidate, limits: MHMDSettings) -> tuple[str, list[int]]:
    """What a candidate is by itself: an outcome before DUPLICATE, or KEPT; and its main persons, the tallest first."""
    boxes = np.array(candidate.boxes, float).reshape(-1, 4)
    main = persons.main_persons(
        boxes,
        np.array(candidate.scores, float),
        candidate.height,
        limits.person_score,
        limits.main_height,
        limits.main_share,
    ).tolist()
    tinted = candidate.tone < limits.tinted_min and candidate.cast > limits.tinted_cast * candidate.tone
    if candidate.range < limits.range_min:
        return FLAT, main
    if candidate.tone < limits.tone_min or tinted:
        return GRAY, main
    if candidate.sharpness < limits.frame_sharpness:
        return BLURRED, main
    if not main:
        return NOBODY, main
    if len(main) > limits.max_persons:
        return CROWD, main
    sharpness, blur = candidate.person_sharpness[main[0]], candidate.person_blur[main[0]]
    if sharpness < limits.person_sharpness or blur > limits.person_blur:
        return PERSON_BLURRED, main
    return KEPT, main


class Hashes:
    """The hashes of pictures that are kept of earlier titles, found by one of five bands of bits.

    Args:
        most: bits in which a duplicate differs at most; 4 or fewer.
    """

    def __init__(self, most: int):
        self._most = most
        self._hashes = np.empty(0, np.uint64)
        self._names: list[str] = []
        self._bands: list[dict[int, array]] = [defaultdict(lambda: array("I")) for _ in _BANDS]

    def find(self, value: int) -> tuple[str, int] | None:
        """(name, bits that differ) of the nearest picture that a hash is a duplicate's of, the first of equals."""
        parts = zip(self._bands, _parts(value), strict=True)
        places = np.concatenate([np.array(band.get(part, ()), np.uint32) for band, part in parts])
        if not len(places):
            return None
        distances = np.bitwise_count(self._hashes[places] ^ np.uint64(value))
        distance = int(distances.min())
        first = int(places[distances == distance].min())
        return (self._names[first], distance) if distance <= self._most else None

    def add(self, names: Sequence[str], values: Sequence[int]) -> None:
        """Adds a title's."""
        for place, value in enumerate(values, len(self._names)):
            for band, part in zip(self._bands, _parts(value), strict=True):
                band[part].append(place)
        self._names += names
        self._hashes = np.concatenate([self._hashes, np.array(values, np.uint64)])


def _parts(value: int) -> Iterator[int]:
    for bits in _BANDS:
        yield value & ((1 << bits) - 1)
        value >>= bits


def _drop_duplicates(title: Sequence[Chosen], most: int) -> None:
    """Finds the duplicates within a title: each picture is compared with all that are kept before it."""
    kept: list[Chosen] = []
    hashes = np.empty(len(title), np.uint64)
    for one in title:
        if one.outcome != KEPT:
            continue
        value = np.uint64(int(one.candidate.hash, 16))
        distances = np.bitwise_count(hashes[: len(kept)] ^ value)
        nearest = int(np.argmin(distances)) if kept else 0
        if kept and distances[nearest] <= most:
            one.outcome, one.like = DUPLICATE, kept[nearest].candidate.picture
            one.distance = int(distances[nearest])
        else:
            hashes[len(kept)] = value
            kept.append(one)


def _drop_known(title: Sequence[Chosen], known: Hashes) -> None:
    """Finds the duplicates of other titles' pictures.

    After those within the title, so that the same film under two keys is the same to the last picture.
    """
    for one in title:
        found = known.find(int(one.candidate.hash, 16)) if one.outcome == KEPT else None
        if found:
            one.outcome, (one.like, one.distance) = DUPLICATE, found
    kept = [one for one in title if one.outcome == KEPT]
    known.add([one.candidate.picture for one in kept], [int(one.candidate.hash, 16) for one in kept])


def _cap(title: Sequence[Chosen], most: int) -> None:
    kept = [one for one in title if one.outcome == KEPT]
    if len(kept) > most:
        places = {int((2 * i + 1) * len(kept) // (2 * most)) for i in range(most)}
        for place, one in enumerate(kept):
            if place not in places:
                one.outcome = OVER_CAP


def choose(work: Path, films: Sequence[Film], limits: MHMDSettings) -> Iterator[tuple[list[Chosen], list[Funnel]]]:
    """What becomes of the candidates, title by title in the order of their keys.

    Args:
        work: folder of all that comes before the data set.
        films: those whose candidates are there.
        limits: settings of this step.

    Yields:
        The title's candidates, by name, and what became of each of its films.

    Raises:
        InputError: if a film's table cannot be read.
    """
    titles = defaultdict(list)
    for film in films:
        titles[film.key].append(film)
    known = Hashes(limits.others_distance)
    for key in sorted(titles):
        title, funnels = [], []
        for film in sorted(titles[key], key=lambda film: film.file_key):
            folder = manifest.frames_of(work, film.file_key)
            of_film = [Chosen(film, one, *judge(one, limits)) for one in candidates.read_table(folder)]
            title += of_film
            funnels.append((film, film_folders.read_record(folder)["frames"], of_film))
        title.sort(key=lambda one: one.candidate.picture)
        _drop_duplicates(title, limits.title_distance)
        _drop_known(title, known)
        _cap(title, limits.max_per_title)
        yield (
            title,
            [Funnel(film.file_key, frames, Counter(one.outcome for one in some)) for film, frames, some in funnels],
        )


def as_picture(chosen: Chosen) -> Picture:
    """A kept candidate as the manifest holds it."""
    film, candidate = chosen.film, chosen.candidate
    return Picture(
        candidate.picture,
        film.file_key,
        film.key,
        film.part,
        candidate.ms / 1000,
        tuple(tuple(candidate.boxes[number]) for number in chosen.main),
        candidate.sharpness,
        candidate.tone,
    )
