"""How long a data set takes and how much disk, before it is built: from the films' headers and measured rates.

The rates are those of one process on two shared cores. Once a film is collected, its own time corrects them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from historynet import files
from historynet.collecting import film_folders, manifest
from historynet.collecting.film_list import Film
from historynet.collecting.sampling import open_film
from historynet.collecting.settings import MHMDSettings
from historynet.errors import PictureError
from historynet.films.options import FilmOptions

_PIXELS, _PER_SECOND = (854 * 480, 1280 * 720, 1920 * 1080), (469, 339, 168)
"""Frames a second that are decoded and looked at for shots and sharpness, by their size."""

_CANDIDATE = 0.027
"""Seconds of a candidate: its picture, its scores, its persons."""

_KEPT = 1_353_166 / 2_116_800
"""Share of the candidates that is kept: the paper's pictures of what its 147 titles would give at two a second."""

_BYTES, _MASK_BYTES = 44_000, 3_000
_BY_HAND, _LABELLED, _TRAINED, _PARSED = 2.0, 12.6, 5.6, 158
"""Seconds of a person's answer (assumed); pictures labelled and trained on a second (ResNet50); persons parsed."""

_EPOCHS, _NOT_HELD_OUT, _PERSONS = 30, 0.81, 1.5
_MACHINES = 10


@dataclass(frozen=True)
class Header:
    """What a film's header says.

    Attributes:
        key: of the title.
        seconds: between its start and its end.
        frames: the same.
        pixels: of a frame.
    """

    key: str
    seconds: float
    frames: float
    pixels: int

    @property
    def looking(self) -> float:
        """Seconds of a process for its frames, at the measured rates."""
        each = 1 / np.array(_PER_SECOND)
        # Beyond the largest that was measured: by its pixels.
        larger = max(1.0, self.pixels / _PIXELS[-1])
        return self.frames * float(np.interp(self.pixels, _PIXELS, each)) * larger


def read_header(film: Film) -> Header:
    """What a film's header says.

    Raises:
        PictureError: if it cannot be read, or does not say how long it is.
    """
    opened = open_film(film.path, FilmOptions(start=film.start or 0.0, end=film.end))
    if opened.duration is None or opened.rate is None:
        raise PictureError(f"{film.path}: its header does not say how long it is")
    seconds = max(0.0, min(opened.duration, film.end or math.inf) - (film.start or 0))
    height, width = opened.planes.shape
    return Header(film.key, seconds, seconds * float(opened.rate), height * width)


@dataclass(frozen=True)
class Own:
    """What the films that are collected already say of this machine and these films.

    Attributes:
        films: how many there are.
        time: their seconds by those of the measured rates.
        bytes: of a stored picture.
        kept: share of the candidates that is kept.
    """

    films: int = 0
    time: float = 1.0
    bytes: float = _BYTES
    kept: float = _KEPT


def own_rates(work: Path, headers: Mapping[str, Header]) -> Own:
    """What the collected films say.

    Args:
        work: the folder WORK.
        headers: of the films, by file key.

    Raises:
        InputError: if a record cannot be read.
    """
    took, predicted, candidates, sizes, seen = 0.0, 0.0, 0, [], []
    for key, header in headers.items():
        folder = manifest.frames_of(work, key)
        if not (folder / film_folders.TIMING).exists() or not film_folders.read_record(folder):
            continue
        timing: dict[str, Any] = files.read_json(folder / film_folders.TIMING, dict, "no times of a film; remove it")
        seen.append(key)
        took += timing["seconds"]
        predicted += header.looking + timing["candidates"] * _CANDIDATE
        candidates += timing["candidates"]
        sizes += [path.stat().st_size for path in files.list_folder(folder) if path.suffix == ".jpg"]
    if not predicted or not candidates:
        return Own()
    kept = _KEPT
    if (work / manifest.NAME).exists():
        kept = sum(picture.file_key in set(seen) for picture in manifest.read(work)) / candidates
    return Own(len(seen), took / predicted, float(np.mean(sizes)) if sizes else _BYTES, kept)


def rows(headers: Sequence[Header], settings: MHMDSettings, workers: int, own: Own) -> list[tuple[str, str, str]]:
    """The steps, with their time on one machine and on ten: the table of hours, and the disk.

    Args:
        headers: of all films.
        settings: of the run.
        workers: processes of a machine.
        own: what this machine says.
    """
    candidates: Counter[str] = Counter()
    for header in headers:
        candidates[header.key] += math.ceil(header.seconds * settings.rate)
    kept = sum(min(settings.max_per_title, count * own.kept) for count in candidates.values())
    looking = sum(header.looking for header in headers) * own.time
    measuring = sum(candidates.values()) * _CANDIDATE * own.time
    drawn = math.ceil(Fraction(str(settings.label_share)) * math.ceil(kept))
    parsed = min(kept, settings.parse_count or kept)

    def spread(step: str, seconds: float, shared: int = 1) -> tuple[str, str, str]:
        return step, _hours(seconds / shared), _hours(seconds / shared / _MACHINES)

    return [
        spread("collect: frames", looking, workers),
        spread("collect: candidates", measuring, workers),
        ("choose", "< 0.5 h", "-"),
        (f"label by hand: {drawn:,} pictures", f"{_hours(drawn * _BY_HAND)} of a person", "-"),
        (f"train the labeller: {_EPOCHS} epochs", _hours(drawn * _NOT_HELD_OUT * _EPOCHS / _TRAINED), "a GPU"),
        spread("label the rest", (kept - drawn) / _LABELLED),
        spread(f"parse: {_PERSONS} persons a picture", parsed * _PERSONS / _PARSED),
        ("disk: pictures", _gigabytes(kept * own.bytes), "with those refused 10 to 30% more"),
        ("disk: parsing", _gigabytes(parsed * _MASK_BYTES), ""),
    ]


def estimate(listed: Sequence[Film], settings: MHMDSettings, workers: int) -> str:
    """How long the films of a list will take, for people; films that cannot be read are named and left out.

    Raises:
        InputError: if a record of a film cannot be read.
    """
    headers, left_out = {}, []
    for film in listed:
        try:
            headers[film.file_key] = read_header(film)
        except PictureError as error:
            left_out.append(f"left out: {error}")
    own = own_rates(settings.work, headers)
    several = list(headers.values())
    titles = len({header.key for header in several})
    total = sum(math.ceil(header.seconds * settings.rate) for header in several)
    lines = [
        f"films: {len(several)} of {titles} titles, {sum(header.seconds for header in several) / 3600:.1f} hours, "
        f"{sum(header.frames for header in several):,.0f} frames, about {total:,} candidates",
        f"rates: as {own.films} films here took, {own.time:.2f} times the measured time"
        if own.films
        else "rates: measured on two shared cores; after the first film those of this machine",
        "",
    ]
    header = ("step", f"one machine, {workers} processes", "ten")
    table = [header, *rows(several, settings, workers, own)]
    widths = [max(len(row[i]) for row in table) for i in (0, 1)]
    lines += [f"{a:{widths[0]}}  {b:>{widths[1]}}  {c}".rstrip() for a, b, c in table]
    return "\n".join([*lines, *left_out]) + "\n"


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    if hours < 0.05:
        return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
    return f"{hours:.1f} h" if hours < 9.5 else f"{hours:.0f} h"


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.2g} GB" if count < 1e10 else f"{count / 1e9:.0f} GB"
