"""A network and a film -> a film.

libav (PyAV) decodes and encodes. A frame's own luma stays as it is, number for number; only the chrominance is new.
What else the file holds, sound and subtitles, is copied as it is where the result's container can hold it.
"""

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import av
import numpy as np

from historynet import files, locks
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.records import Records, identify
from historynet.colorizing.results import name_unfinished
from historynet.errors import InputError, PictureError, reason, translated
from historynet.films import joining, segments
from historynet.films.options import FilmOptions
from historynet.films.reading import Film
from historynet.films.segments import Place, WorkFolder
from historynet.films.steadying import LOOK_BACK, Steadier, find_cuts
from historynet.parallel import CORES, batched, in_background, map_ahead
from historynet.pictures import color

NOTHING_BETWEEN = "no frame is between --start and --end"
"""Why there is no film of an excerpt."""

_FRAMES_AT_ONCE = 8
"""So many go through the network together, and wait before and behind it."""


@dataclass
class FilmReport:
    """What became of a film.

    Attributes:
        frames: number of frames in the result.
        continued: how many of them an earlier, stopped run had made.
        notes: what could not be kept, and what else there is to say.
        damage: what of the film could not be read, in the order of its discovery.
    """

    frames: int = 0
    continued: int = 0
    notes: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)


@dataclass
class _Frame:
    """One frame on its way through the stages.

    Attributes:
        time: when it is shown, in the film's ticks; 0 is the beginning of the result.
        luma: Y as the film has it, (height, width), upright (`Planes.luma`); None once it is recombined.
        luminance: 8-bit L as the network sees it, uint8 (height, width).
        cut: whether it is the first of a shot.
        segment: number of the segment it belongs to.
        ab: its chrominance as steadied, float32 (height, width, 2) in 0..1; None before the network.
    """

    time: int
    luma: np.ndarray | None
    luminance: np.ndarray
    cut: bool = False
    segment: int = 0
    ab: np.ndarray | None = None


def colorize_film(
    colorizer: Colorizer,
    source: Path,
    result: Path,
    options: FilmOptions | None = None,
    progress: Callable[[int], object] = lambda count: None,
    records: Records | None = None,
) -> FilmReport:
    """Colorizes a film, with bounded memory: decoding and encoding run beside the network.

    A run that was stopped goes on where it was: finished segments wait in a folder beside the result, with a record of
    what they were made of. The result appears, whole, under its name at the end.

    Args:
        colorizer: the trained network.
        source: the film.
        result: the file to write; its extension says the container: .mp4, .mov or .mkv.
        options: how the film is colorized; None: `FilmOptions()`.
        progress: called with the number of frames just finished, first with those that an earlier run had made.
        records: where it is recorded what the result is made from; None: nowhere.

    Raises:
        PictureError: if the film cannot be read, or not be encoded so; or if, by the records, the result is another
            film's. If it is its disk that cannot be read, finished
            segments stay for the next run.
        BusyError: if another process is making the result; other films can go on.
        InputError: if the result cannot be written, or there is not enough memory.
        MemoryError: if there is not even enough to open the film.
    """
    options = options or FilmOptions()
    film = _open_film(source, options)
    folder = name_unfinished(result)
    naming = contextlib.nullcontext
    if records is not None:
        naming = partial(records.naming, source, identify(source), result, options.made_with)

    def explain(error: av.FFmpegError | MemoryError) -> InputError:
        if isinstance(error, MemoryError):
            return InputError(f"{source}: there is not enough memory for it")
        if error.errno in joining.DISK_ERRORS:
            return InputError(f"{result}: cannot be written ({reason(error)})")
        return PictureError(f"{source}: damaged so that no film can be made of it ({reason(error)})")

    with locks.lock(folder, "another process is making this film's result there; wait until it has ended"):
        try:
            with translated((av.FFmpegError, MemoryError), explain):
                with naming():
                    pass  # From now on the name is this film's.
                report = _make(colorizer, film, folder, result, options, progress, naming)
        except PictureError:
            # Nothing stays of a film that is refused; finished segments of one that ends otherwise do.
            if not any(path.suffix == ".nut" for path in files.list_folder(folder)):
                shutil.rmtree(folder)
            raise
        shutil.rmtree(folder)
    return report


def count_frames(source: Path, options: FilmOptions | None = None) -> int | None:
    """About how many frames a film has between start and end by its header; None if that does not say.

    It is 0 only if the film ends before start, or if end comes first.

    Raises:
        PictureError: if the film cannot be read.
    """
    options = options or FilmOptions()
    film = _open_film(source, options)
    end = min((x for x in (film.duration or None, options.end) if x is not None), default=None)
    if end is not None and end <= options.start:
        return 0
    return None if end is None or not film.rate else max(1, round((end - options.start) * film.rate))


def _open_film(source: Path, options: FilmOptions) -> Film:
    return Film(source, options)


def _make(
    colorizer: Colorizer,
    film: Film,
    folder: Path,
    result: Path,
    options: FilmOptions,
    progress: Callable[[int], object],
    naming: Callable[[], contextlib.AbstractContextManager[None]],
) -> FilmReport:
    """Makes the result in its work folder, from the place on that an earlier run has reached."""
    # What is made already, and whether the rest can be.
    work = WorkFolder(folder, segments.make_record(film.path, colorizer.digest(), asdict(options)))
    joined = folder / f"joined{result.suffix}"
    plan = joining.check_container(film, joined, options)
    report = FilmReport(continued=work.place.frames, notes=film.notes, damage=film.damage)
    film.damage += work.place.damage
    if work.note:
        film.note(work.note)
    if film.first_field and not segments.has_fields(film, options):
        film.note("its fields are encoded as whole frames: only H.264 with a height divisible by four has them")
    progress(work.place.frames)
    # The video, segment by segment.
    with contextlib.closing(_coloured(colorizer, film, options, work.place)) as frames:
        for _, segment in itertools.groupby(frames, key=lambda pair: pair[0].segment):
            work.add(partial(_encode, film, options, segment, progress))
    report.frames = work.place.frames
    if not report.frames:
        missing = "no frame can be decoded" if film.is_whole else NOTHING_BETWEEN
        raise PictureError(f"{film.path}: {missing}")
    film.check_end()
    # The result, whole.
    work.check()
    joining.join(film, plan, work.segments(), joined, options.provenance)
    with files.writing(result), naming():
        joined.replace(result)
    return report


def _coloured(
    colorizer: Colorizer, film: Film, options: FilmOptions, place: Place
) -> Iterator[tuple[_Frame, av.VideoFrame]]:
    """Each frame from a place on, and what the encoder is to take: the stages but for encoding, beside each other."""
    steadier = Steadier(options.steadiness)
    steadier.luminance, steadier.ab = place.luminance, place.ab
    with contextlib.ExitStack() as stages:

        def beside(frames: Iterator[_Frame]) -> Iterator[_Frame]:
            return stages.enter_context(contextlib.closing(in_background(frames, _FRAMES_AT_ONCE)))

        decoded = beside(_decode(film, colorizer.size, place))
        steadied = beside(_steady(steadier, _predict(colorizer, decoded)))
        yield from map_ahead(partial(_recombine, film, options), steadied, ahead=2 * CORES)


def _decode(film: Film, size: tuple[int, int], place: Place) -> Iterator[_Frame]:
    """The frames from a place on, as a network that sees (height, width) takes them, with their cuts and segments."""
    made = min(place.frames, LOOK_BACK)
    # A few that are made already tell whether the next begins a shot.
    frames = (_prepare(film, size, time, luma) for time, luma in film.frames(place.look_back, place.frames - made))
    judged = itertools.islice(find_cuts(frames, lambda frame: frame.luminance), made, None)
    for frame, cut, segment in segments.number_segments(judged, place.segment):
        frame.cut, frame.segment = cut, segment
        yield frame


def _prepare(film: Film, size: tuple[int, int], time: int, luma: np.ndarray) -> _Frame:
    return _Frame(time, luma, film.planes.luminance(luma, size))


def _predict(colorizer: Colorizer, frames: Iterable[_Frame]) -> Iterator[tuple[_Frame, np.ndarray]]:
    """Each frame with its ab as predicted, float32 (height, width, 2) in 0..1."""
    # Batches do not reach over segments, or a continued run would compute in others.
    for _, segment in itertools.groupby(frames, key=lambda frame: frame.segment):
        for batch in batched(segment, _FRAMES_AT_ONCE):
            luminance = np.stack([frame.luminance for frame in batch])[..., None]
            yield from zip(batch, colorizer.predict_ab(luminance.astype(np.float32) / np.float32(255)), strict=True)


def _steady(steadier: Steadier, predicted: Iterable[tuple[_Frame, np.ndarray]]) -> Iterator[_Frame]:
    """The frames with their ab held still within a shot."""
    for frame, ab in predicted:
        frame.ab = steadier(frame.luminance, ab, frame.cut)
        yield frame


def _recombine(film: Film, options: FilmOptions, frame: _Frame) -> tuple[_Frame, av.VideoFrame]:
    """The frame's own Y with its ab, in YUV, as the encoder takes it."""
    rgb = np.dstack([film.planes.to_gray(frame.luma)] * 3)
    rgb = color.with_chrominance(rgb, frame.ab, options.strength, options.upsampling, out=rgb)
    picture = film.planes.join(frame.luma, rgb)
    picture.pts, picture.time_base = frame.time, film.time_base
    # It has done its work, and many frames wait.
    frame.luma = None
    return frame, picture


def _encode(
    film: Film,
    options: FilmOptions,
    frames: Iterable[tuple[_Frame, av.VideoFrame]],
    progress: Callable[[int], object],
    place: Place,
    path: Path,
) -> Place:
    """Writes the segment that begins at a place into a file; returns the place behind it."""
    times = []
    with segments.writing(path, film, options) as write:
        for frame, picture in frames:
            times.append(frame.time)
            write(picture)
            progress(1)
    return Place(
        segment=place.segment + 1,
        frames=place.frames + len(times),
        look_back=times[-LOOK_BACK:][0],
        luminance=frame.luminance,
        ab=frame.ab,
        damage=tuple(film.damage),
    )
