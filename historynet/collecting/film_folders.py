"""A film of the list -> its folder of pictures: record.json, candidates.csv and the pictures that may be wanted.

The record is written last. Where it is there and says the same film, settings and versions, nothing is done again.
"""

import importlib.metadata
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import cv2

from historynet import files, locks
from historynet.collecting import candidates, manifest, persons
from historynet.collecting.bars import find_bars
from historynet.collecting.film_list import Film as Listed
from historynet.collecting.sampling import Crop, open_film
from historynet.collecting.settings import MHMDSettings
from historynet.errors import BusyError, PictureError
from historynet.films.options import FilmOptions
from historynet.films.source import identify

RECORD, TIMING = "record.json", "timing.json"
"""What became of a film; how long it took, which alone is another each time."""

_NO_RECORD = "no record of a film; remove its folder, and the film is read again"


@dataclass(frozen=True)
class Options:
    """How candidates are made of films, as the settings of the same names say.

    Attributes:
        rate: candidates a second.
        trim: frames left out at both ends of a shot.
        crop_bars: whether black bars are cut off.
        min_side: short side that a film has at least without its bars, in pixels.
        picture_side: short side of the pictures, in pixels.
        squash: side of squares that they are squashed to instead; None: they are not.
        detector: of persons, as DETECTOR names it.
    """

    rate: float
    trim: int
    crop_bars: bool
    min_side: int
    picture_side: int
    squash: int | None
    detector: str

    @classmethod
    def of(cls, settings: MHMDSettings) -> "Options":
        """Those of a run's settings."""
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Job:
    """A film whose candidates are to be made.

    Attributes:
        film: of the list.
        work: folder of all that comes before the data set.
        options: how they are made.
        keep_versions: whether what other versions of the libraries made counts as done.
    """

    film: Listed
    work: Path
    options: Options
    keep_versions: bool = False


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes:
        film: of the list.
        record: the content of record.json; None if the film is left out.
        existing: whether an earlier run had done all.
        reason: why it is left out; None if it is not.
        notes: what else there is to say.
    """

    film: Listed
    record: Mapping[str, Any] | None
    existing: bool = False
    reason: str | None = None
    notes: tuple[str, ...] = ()


def collect(job: Job, progress: Callable[[int], object] = lambda count: None) -> Result:
    """Makes a film's candidates, unless that is done; memory is bounded, whatever the film's length.

    Args:
        job: what is to be done.
        progress: called with the number of frames just read.

    Raises:
        InputError: if nothing can be written any more, as on a full disk, or the detector cannot be used.
    """
    folder = manifest.frames_of(job.work, job.film.file_key)
    path = job.film.path
    try:
        with locks.lock(folder, "another process reads this film; wait until it has ended"):
            return _collect(job, folder, progress)
    except (BusyError, PictureError) as error:
        reason = str(error)
    except MemoryError:
        reason = f"{path}: there is not enough memory for it"
    return Result(job.film, None, reason=reason)


def _collect(job: Job, folder: Path, progress: Callable[[int], object]) -> Result:
    fingerprint = _fingerprint(job)
    before = read_record(folder)
    notes = ()
    if before:
        changed = {name for name in fingerprint if before["fingerprint"].get(name) != fingerprint[name]}
        if not changed or (changed == {"versions"} and job.keep_versions):
            lost = _lost(folder)
            if not lost:
                return Result(job.film, before, existing=True)
            notes = (f"{lost} is not there any more, so it is made again",)
        if changed == {"versions"} and not job.keep_versions:
            notes = ("made by other versions of the libraries, so it is made again; --keep-versions takes it as it is",)
    _empty(folder)
    begun = time.monotonic()
    record = {"fingerprint": fingerprint, **_make(job, folder, progress)}
    took = {"seconds": time.monotonic() - begun, "frames": record["frames"], "candidates": record["candidates"]}
    files.write_json(folder / TIMING, took)
    files.write_json(folder / RECORD, record)
    return Result(job.film, record, notes=notes)


def _lost(folder: Path) -> str:
    """The name of the table, or of a stored picture, that somebody has removed; empty if all are there."""
    there = {path.name for path in files.list_folder(folder)}
    if candidates.TABLE not in there:
        return candidates.TABLE
    stored = [candidate.picture for candidate in candidates.read_table(folder) if candidate.stored]
    return next((name for name in stored if name not in there), "")


def _make(job: Job, folder: Path, progress: Callable[[int], object]) -> dict[str, Any]:
    """Writes pictures and table of a film; what its record says of it."""
    listed, options = job.film, job.options
    film = open_film(listed.path, FilmOptions(start=listed.start or 0.0, end=listed.end))
    # Of a damaged film the frames would hang on how many there are.
    film.threads = 1
    crop = find_bars(film, progress) if options.crop_bars else Crop()
    height, width = film.planes.shape
    height -= crop.top + crop.bottom
    width = round((width - crop.left - crop.right) * (film.planes.aspect or 1))
    if min(height, width) < options.min_side:
        bars = " without its bars" if crop != Crop() else ""
        raise PictureError(
            f"{listed.path}: {width}x{height} pixels{bars} are too few; the short side must have {options.min_side} "
            "(--min-side)"
        )
    detector = persons.open_detector(options.detector)
    maker = candidates.Maker(film, listed.file_key, folder, crop, options.picture_side, options.squash, detector)
    frames, last = 0, 0.0
    shots = 0

    def counted():
        nonlocal frames, last
        for seen in candidates.watch(film, crop):
            frames, last = frames + 1, float(seen.seconds)
            progress(1)
            yield seen

    made = []
    for found in candidates.find(counted(), options.rate, options.trim):
        made.append(maker(found))
        shots = found.shot + 1
    film.check_end()
    if not frames:
        raise PictureError(f"{listed.path}: no frame can be decoded between its start and its end")
    candidates.write_table(folder, made)
    return {
        "frames": frames,
        "seconds": last,
        "size": [width, height],
        "crop": asdict(crop),
        "shots": shots,
        "candidates": len(made),
        "stored": sum(candidate.stored for candidate in made),
        "notes": film.notes,
        "damage": film.damage,
    }


def _empty(folder: Path) -> None:
    """Removes what an earlier run left in a film's folder, its record first; not the masks, which may be hand-made."""
    paths = [folder / RECORD, *sorted(files.list_folder(folder))]
    for path in paths:
        if not path.is_dir():
            with files.writing(path, "removed"):
                path.unlink(missing_ok=True)


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a film's folder; None if there is none.

    Raises:
        InputError: if it cannot be read, or is none.
    """
    path = folder / RECORD
    if not path.exists():
        return None
    record = files.read_json(path, dict, _NO_RECORD)
    if not isinstance(record.get("fingerprint"), dict):
        return None
    return record


def _fingerprint(job: Job) -> dict[str, Any]:
    """All that a film's candidates follow from.

    Raises:
        PictureError: if the film's file cannot be read.
    """
    settings = {name: value for name, value in asdict(job.options).items() if name != "detector"}
    return {
        "versions": versions(job.options.detector),
        "film": identify(job.film.path),
        "settings": settings | {"start": job.film.start, "end": job.film.end},
        "detector": persons.digest(job.options.detector),
    }


def versions(detector: str) -> dict[str, str | None]:
    """The versions of what makes candidates: this project, libav, OpenCV, and onnxruntime if the detector needs it."""
    libav = " ".join(f"{name} {'.'.join(map(str, number))}" for name, number in sorted(av.library_versions.items()))
    with_onnx = len(persons.model_files(detector)) == 1
    return {
        "historynet": sys.modules[__name__.partition(".")[0]].__version__,
        "libav": libav,
        "opencv": cv2.__version__,
        "onnxruntime": importlib.metadata.version("onnxruntime") if with_onnx else None,
    }
