"""Films: a file -> frames and all else it holds; a network and a film -> a film.

libav (PyAV) decodes and encodes. A frame's own luma stays as it is, number for number; only the chrominance is new.
What else the file holds, sound and subtitles, is copied as it is.
"""

import contextlib
import errno
import hashlib
import heapq
import itertools
import json
import math
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.stream import Disposition
from av.video.reformatter import ColorRange

import historynet
from historynet import files
from historynet.colorizing.colorizer import Colorizer, fitting_name
from historynet.errors import InputError, PictureError
from historynet.films.steadying import LOOK_BACK, Steadier, find_cuts
from historynet.parallel import CORES, batched, in_background, map_ahead
from historynet.pictures import color, formats

EXTENSIONS = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".m2ts", ".mts"),
        *(".wmv", ".asf", ".flv", ".ogv", ".3gp", ".mxf", ".dv"),
    }
)
"""A file with one of these is taken for a film; what it is, its content says."""

# No playlists, which would open other files.
_CONTAINERS = "mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,h264,hevc,asf,flv,ogg,mxf,dv,nut,yuv4mpegpipe"
_CONTAINERS += ",mov,mp4,m4a,3gp,3g2,mj2"

_FRAMES_AT_ONCE = 8
"""So many go through the network together, and wait before and behind it."""

_SHORTEST, _LONGEST = 120, 240
"""Frames of a segment, the part of a result that a stopped run keeps: to the next cut, or the longest."""

_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
"""The ways from RGB to YUV that libav's scaler knows, by their number in H.273."""


def same_container(path: Path) -> str:
    """The extension of a film's result that keeps its container; else Matroska's, which holds any stream."""
    return {".mp4": ".mp4", ".m4v": ".mp4", ".mov": ".mov"}.get(path.suffix.lower(), ".mkv")


@dataclass(frozen=True)
class FilmOptions:
    """How a film is colorized.

    Attributes:
        strength: factor on the predicted chrominance: 0 is gray, 1 as predicted.
        upsampling: one of `color.UPSAMPLINGS`.
        steadiness: of the colours over time, 0..1 (`steadying.Steadier`).
        codec: one of libav's encoders that have a constant rate factor: libx264 or libvpx-vp9.
        crf: the encoder's constant rate factor: lower is better and larger.
        start: seconds; what comes before is left out.
        end: seconds; what comes after is left out; None: nothing.
        provenance: a line for the container's comment; None: none.
        max_megapixels: films with larger frames are refused.
    """

    strength: float = 1.0
    upsampling: str = color.BILINEAR
    steadiness: float = 0.9
    codec: str = "libx264"
    crf: float = 18
    start: float = 0.0
    end: float | None = None
    provenance: str | None = None
    max_megapixels: float = formats.MAX_MEGAPIXELS


@dataclass
class FilmReport:
    """What became of a film.

    Attributes:
        frames: in the result.
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
    """One frame on its way.

    Attributes:
        time: when it is shown, in the film's time base; 0 is the beginning of the result.
        luma: Y as the film has it, uint8 (height, width), upright, both even.
        luminance: 8-bit L as the network sees it, uint8 (height, width).
        cut: whether it is the first of a shot.
        segment: the number of the part of the result it belongs to.
        ab: its chrominance, float32 (height, width, 2) in 0..1.
    """

    time: int
    luma: np.ndarray
    luminance: np.ndarray
    cut: bool = False
    segment: int = 0
    ab: np.ndarray | None = None


@dataclass(frozen=True)
class _Place:
    """Where a continued run goes on.

    Attributes:
        segment: the first that is still to be made.
        frames: how many are made.
        look_back: the time of the frame `LOOK_BACK` before the next one; None at the beginning.
        luminance: of the last frame.
        ab: of the last frame, as steadied.
        damage: as in the report.
    """

    segment: int = 0
    frames: int = 0
    look_back: int | None = None
    luminance: np.ndarray | None = None
    ab: np.ndarray | None = None
    damage: tuple[str, ...] = ()


def colorize_film(
    colorizer: Colorizer,
    source: Path,
    result: Path,
    options: FilmOptions | None = None,
    progress: Callable[[int], object] = lambda count: None,
) -> FilmReport:
    """Colorizes a film, with bounded memory: decoding and encoding run beside the network.

    A run that was stopped goes on where it was: finished segments wait in a folder beside the result, with a record of
    what they were made of. The result appears, whole, under its name at the end.

    Args:
        colorizer: with which.
        source: the film.
        result: the file to write; its extension says the container: .mp4, .mov or .mkv.
        options: how.
        progress: called with the number of frames just finished, first with those that were there already.

    Raises:
        PictureError: if the film cannot be read, or not be encoded so.
        BusyError: if another process is making the result; other films can go on.
        InputError: if the result cannot be written.
    """
    options = options or FilmOptions()
    film = _Film(source, options)
    folder = result.with_name(fitting_name(f".{result.name}", ".unfinished"))
    otherwise = "another process is making this film's result there; wait until it has ended"
    with files.lock(folder, otherwise), _removing_if_refused(folder), _naming(source, result):
        work = _Work(folder, _record(film, colorizer, options))
        joined = folder / f"joined{result.suffix}"
        _check_container(film, joined, options)
        report = FilmReport(0, work.place.frames, film.notes, film.damage)
        film.damage += work.place.damage
        progress(work.place.frames)
        with contextlib.closing(_coloured(film, colorizer, options, work.place)) as frames:
            for _, segment in itertools.groupby(frames, key=lambda pair: pair[0].segment):
                work.add(partial(_encode, film, options, segment, progress))
        report.frames = work.place.frames
        if not report.frames:
            raise PictureError(
                f"{source}: "
                + ("no frame can be decoded" if film.is_whole else "no frame is between --start and --end")
            )
        film.check_end()
        try:
            _join(film, work.segments(), joined, options, _COPIED[result.suffix])
        except av.FFmpegError as error:
            if error.errno in _OF_THE_DISK:
                raise
            film.note_damage("its sound and subtitles cannot be copied")
            _join(film, work.segments(), joined, options, ())
        try:
            joined.replace(result)
        except OSError as error:
            raise InputError(f"{result}: cannot be written ({error.strerror})") from None
        shutil.rmtree(folder)
    return report


def count_frames(source: Path, options: FilmOptions | None = None) -> int | None:
    """About how many frames a film has between start and end by its header; None if that does not say.

    Raises:
        PictureError: if the film cannot be read.
    """
    options = options or FilmOptions()
    film = _Film(source, options)
    end = min((x for x in (film.duration, options.end) if x is not None), default=None)
    return None if end is None or not film.rate else max(1, round((end - options.start) * film.rate))


_OF_THE_DISK = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES)


@contextlib.contextmanager
def _naming(source: Path, result: Path) -> Iterator[None]:
    """Turns libav's errors into ours: the system's come of the disk, libav's own of a damaged film."""
    try:
        yield
    except av.FFmpegError as error:
        if error.errno in _OF_THE_DISK:
            raise InputError(f"{result}: cannot be written ({error.strerror})") from None
        raise PictureError(f"{source}: damaged so that no film can be made of it ({error.strerror})") from None


@contextlib.contextmanager
def _removing_if_refused(folder: Path) -> Iterator[None]:
    """Removes the folder of a film of which nothing could be made; what is finished of others is kept."""
    try:
        yield
    except PictureError:
        if not any(folder.glob("*.nut")):
            shutil.rmtree(folder)
        raise


# PyAV's demuxer raises the second when a damaged file seems to begin a new stream.
_READING_ERRORS = (av.FFmpegError, IndexError)


class _Film:
    """A film file, as its header and first frame say.

    Attributes:
        path: the file.
        time_base: of the video, seconds.
        duration: of the video in seconds, None if the file does not say.
        rate: frames a second, on average; None if the file does not say.
        step: ticks of the time base from frame to frame, on average.
        begin: time of the file's first frame or sound, in seconds; 0 if that is below 0.
        start: the same of the result.
        end: the same of the result's end; infinite if nothing is left out.
        shape: height and width of a luma plane that `luma` gives.
        aspect: width of a pixel by its height, None if the file does not say.
        tags: colour range, matrix, primaries and transfer function, numbers as in H.273, for the result.
        notes: what could not be kept.
        damage: what could not be decoded.

    Raises:
        PictureError: if there is no film in it.
    """

    def __init__(self, path: Path, options: FilmOptions):
        self.path = path
        self.notes, self.damage = [], []
        self._options = options
        self._last = None
        with self.open() as container:
            stream = _video(container)
            if stream is None:
                raise PictureError(f"{path}: there is no video in it that can be decoded")
            if stream.width * stream.height > options.max_megapixels * 1e6:
                raise PictureError(
                    f"{path}: {stream.width}x{stream.height} pixels are more than {options.max_megapixels:g} "
                    "megapixels (--max-megapixels)"
                )
            self.time_base = stream.time_base
            self.rate = stream.average_rate or stream.guessed_rate
            self.duration = _duration(stream)
            # What begins late (recorded broadcasts) is moved to the beginning.
            self.begin = max(container.start_time or 0, 0) / 1e6
            self.start = self.begin + options.start
            self.end = math.inf if options.end is None else self.begin + options.end
            self.step = max(1, round(1 / (self.rate * self.time_base))) if self.rate else 1
            frame = next(self._decode(container, stream), None)
            if frame is None:
                raise PictureError(f"{path}: no frame can be decoded")
            self.damage.clear()
            aspect = stream.sample_aspect_ratio
            primaries, transfer = stream.codec_context.color_primaries, stream.codec_context.color_trc
        self._size = frame.width, frame.height
        self._rotation = round(frame.rotation / 90) % 4
        # Where nothing else is said, gray and yuvj formats are of full range.
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        full |= frame.format.name.startswith("gray") and frame.color_range != ColorRange.MPEG
        large = self._size[0] >= 1280 or self._size[1] > 576
        matrix = frame.colorspace if frame.colorspace in _MATRICES else 1 if large else 6
        self.tags = int(ColorRange.JPEG if full else ColorRange.MPEG), matrix, primaries, transfer
        self.aspect = 1 / aspect if aspect and self._rotation % 2 else aspect
        self.shape = self.luma(frame).shape
        if self._size[0] % 2 or self._size[1] % 2:
            self.notes.append(
                f"its frames have an odd size, {self._size[0]}x{self._size[1]}; the last row or column is doubled, "
                "since encoders take even sizes"
            )
        if self._rotation:
            self.notes.append("its frames are turned upright, as players show them")
        if frame.format.components[0].bits > 8:
            self.notes.append("its values are cut to 8 bits")
        if frame.interlaced_frame:
            self.notes.append("it is interlaced, and encoded as whole frames")

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out by start and end."""
        return not self._options.start and self._options.end is None

    @contextlib.contextmanager
    def open(self) -> Iterator[av.container.InputContainer]:
        """Opens the file.

        Raises:
            PictureError: if that is not possible.
        """
        with files.open_regular(self.path) as file:
            if not file.read(1):
                raise PictureError(f"{self.path}: the file is empty")
        try:
            # Without the prefix a name like http:x.mp4 would be an address.
            container = av.open(
                f"file:{self.path}", options={"format_whitelist": _CONTAINERS}, metadata_errors="replace"
            )
        except (av.FFmpegError, ValueError) as error:
            raise PictureError(
                f"{self.path}: not a film that can be read, or a damaged one ({_reason(error)})"
            ) from None
        with container:
            yield container

    def frames(self, size: int, place: _Place) -> Iterator[_Frame]:
        """The frames from a place on, after as many before it as `find_cuts` needs; ends where nothing more is read.

        Args:
            size: the network's.
            place: where.
        """
        if place.look_back is not None:
            found = self._timed(size, place.look_back)
            first = next(found, None)
            if first is not None and first.time == place.look_back:
                yield first
                yield from found
                return
        yield from itertools.islice(self._timed(size), max(0, place.frames - LOOK_BACK), None)

    def _timed(self, size: int, first: int | None = None) -> Iterator[_Frame]:
        shift = self.ticks(self.start)
        last = None
        with self.open() as container:
            stream = _video(container)
            stream.thread_type = "AUTO"
            frames = self._decode(container, stream)
            if self._options.start or first is not None:
                frames = self._seek(container, stream, shift + (first or 0))
            for frame in frames:
                time = (0 if last is None else last + self.step) if frame.pts is None else frame.pts - shift
                seconds = (time + shift) * self.time_base
                if seconds >= self.end:
                    return
                if not self.is_wanted(seconds) or (first is not None and time < first):
                    continue
                # Times that do not rise, as in damaged films, no container takes.
                time = time if last is None else max(time, last + 1)
                luma = self.luma(frame)
                small = color.resize(self.to_gray(luma), *size)
                luminance = color.rgb_to_lab(np.dstack([small] * 3))[..., 0]
                yield _Frame(time, luma, luminance)
                last = time
                self._last = float(seconds) + (frame.duration or self.step) * self.time_base

    def _seek(
        self, container: av.container.InputContainer, stream: av.VideoStream, begin: int
    ) -> Iterator[av.VideoFrame]:
        """The frames from a time of the file on, or earlier; from the film's beginning where the file leads astray."""
        with contextlib.suppress(av.FFmpegError):
            container.seek(begin, stream=stream)
            frames = self._decode(container, stream)
            frame = next(frames, None)
            if frame is not None and frame.pts is not None and frame.pts <= begin:
                return itertools.chain([frame], frames)
            container.seek(0)
        return self._decode(container, stream)

    def _decode(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    self.note_damage(f"some of its frames cannot be decoded ({error.strerror})")
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self.note_damage("some of its frames are damaged")
                    yield frame
        except _READING_ERRORS as error:
            self.note_damage(f"it cannot be read to its end ({_reason(error)})")

    def note_damage(self, what: str) -> None:
        """Adds to `damage`."""
        if what not in self.damage:
            self.damage.append(what)

    def check_end(self) -> None:
        """Notes it if the video ended well before its header says."""
        known = self.duration is not None and self._last is not None and self._options.end is None
        if known and self._last < self.duration - 0.5:
            self.note_damage(f"its video ends at {self._last:.1f} s of {self.duration:.1f} s")

    def is_wanted(self, seconds: float) -> bool:
        """Whether a time of the file is between start and end. What comes before its own beginning belongs to it."""
        return (not self._options.start or seconds >= self.start) and seconds < self.end

    def luma(self, frame: av.VideoFrame) -> np.ndarray:
        """The Y plane of a frame, uint8 (height, width), upright; the last row or column twice if they are odd."""
        matrix, range_ = self.tags[1], self.tags[0]
        plain = "gray" if frame.format.name.startswith("gray") else "yuv420p"
        plane = frame.reformat(
            *self._size,
            format=plain,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=range_,
            dst_color_range=range_,
        ).planes[0]
        luma = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        luma = np.rot90(luma, self._rotation)
        return np.pad(luma, [(0, side % 2) for side in luma.shape], mode="edge")

    def to_gray(self, luma: np.ndarray) -> np.ndarray:
        """A Y plane as gray levels, uint8."""
        if self.tags[0] == ColorRange.JPEG:
            return luma
        return cv2.LUT(luma, np.rint((np.arange(256) - 16) * 255 / 219).clip(0, 255).astype(np.uint8))

    def join(self, frame: _Frame, options: FilmOptions) -> av.VideoFrame:
        """The frame with its own Y and its ab, as the encoder takes it."""
        rgb = np.dstack([self.to_gray(frame.luma)] * 3)
        rgb = color.with_chrominance(rgb, frame.ab, options.strength, options.upsampling, out=rgb)
        yuv = av.VideoFrame.from_ndarray(rgb, "rgb24")
        yuv = yuv.reformat(format="yuv420p", dst_colorspace=self.tags[1], dst_color_range=self.tags[0]).to_ndarray()
        yuv[: len(frame.luma)] = frame.luma
        joined = av.VideoFrame.from_ndarray(yuv, "yuv420p")
        joined.pts, joined.time_base = frame.time, self.time_base
        return joined

    def ticks(self, seconds: float) -> int:
        """Seconds in the video's time base."""
        return round(Fraction(seconds) / self.time_base)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _video(container: av.container.Container) -> av.VideoStream | None:
    """The first video that there is a decoder for and that is not a picture of the film's cover."""
    videos = (s for s in container.streams.video if s.codec_context and not s.disposition & Disposition.attached_pic)
    return next(videos, None)


def _duration(stream: av.VideoStream) -> float | None:
    """Of a stream alone: a container's is that of its longest stream."""
    if stream.duration is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    # Matroska's tag, "00:00:28.023000000".
    tag = re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", ""))
    return tag and int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])


def _coloured(
    film: _Film, colorizer: Colorizer, options: FilmOptions, place: _Place
) -> Iterator[tuple[_Frame, av.VideoFrame]]:
    """Each frame from a place on, and what the encoder is to take."""
    steadier = Steadier(options.steadiness)
    steadier.luminance, steadier.ab = place.luminance, place.ab

    def decoded() -> Iterator[_Frame]:
        seen = find_cuts(film.frames(colorizer.size, place), lambda frame: frame.luminance)
        number, length = place.segment, 0
        for frame, cut in itertools.islice(seen, min(place.frames, LOOK_BACK), None):
            if length == _LONGEST or (cut and length >= _SHORTEST):
                number, length = number + 1, 0
            frame.cut, frame.segment = cut, number
            length += 1
            yield frame

    def predicted(frames: Iterable[_Frame]) -> Iterator[_Frame]:
        # Batches do not reach over segments, or a continued run would compute in others.
        for _, segment in itertools.groupby(frames, key=lambda frame: frame.segment):
            for batch in batched(segment, _FRAMES_AT_ONCE):
                luminance = np.stack([frame.luminance for frame in batch])[..., None]
                colours = colorizer.predict_ab(luminance.astype(np.float32) / np.float32(255))
                for frame, ab in zip(batch, colours, strict=True):
                    frame.ab = steadier(frame.luminance, ab, frame.cut)
                    yield frame

    def join(frame: _Frame) -> tuple[_Frame, av.VideoFrame]:
        joined = film.join(frame, options)
        frame.luma = None
        return frame, joined

    with contextlib.ExitStack() as stages:

        def beside(items: Iterable[_Frame]) -> Iterator[_Frame]:
            return stages.enter_context(contextlib.closing(in_background(items, _FRAMES_AT_ONCE)))

        yield from map_ahead(join, beside(predicted(beside(decoded()))), ahead=2 * CORES)


def _record(film: _Film, colorizer: Colorizer, options: FilmOptions) -> dict:
    """All that the segments of a result depend on; another record's segments do not fit."""
    status = film.path.stat()
    digest = hashlib.sha256()
    with film.path.open("rb") as file:
        # The whole of a long film would be minutes; the first and last megabyte hold headers and indices.
        digest.update(file.read(1 << 20))
        file.seek(max(0, status.st_size - (1 << 20)))
        digest.update(file.read())
    of_film = {"bytes": status.st_size, "modified": status.st_mtime_ns, "ends": digest.hexdigest()}
    return {
        "version": historynet.__version__,
        "libav": av.__version__,
        "film": of_film,
        "network": colorizer.digest(),
        "options": asdict(options),
    }


class _Work:
    """The folder of a result that is being made: finished segments, and the state behind each.

    Attributes:
        folder: where.
        place: where to go on.
    """

    def __init__(self, folder: Path, record: dict):
        self.folder = folder
        path = folder / "record.json"
        text = json.dumps(record, indent=2) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            for old in folder.iterdir():
                old.unlink()
            files.write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        files.remove_unfinished(folder)
        self.place = self._find_place()

    def segment(self, number: int) -> Path:
        """A finished segment, in NUT, which keeps every time base."""
        return self.folder / f"{number:06}.nut"

    def segments(self) -> list[Path]:
        """The finished ones, in order."""
        return list(itertools.takewhile(Path.exists, map(self.segment, itertools.count())))

    def add(self, write: Callable[[_Place, Path], _Place]) -> None:
        """Adds a segment: `write` makes its file and says where to go on behind it.

        What that is appears before the segment does, so that the last segment always has it.
        """
        path = self.segment(self.place.segment)

        def write_both(temporary: Path) -> None:
            self.place = write(self.place, temporary)
            state = {name: value for name, value in vars(self.place).items() if name != "segment"}
            files.write_atomically(path.with_suffix(".npz"), lambda file: np.savez(file, **state))

        files.write_atomically(path, write_both)
        for old in self.folder.glob("*.npz"):
            if old.stem != path.stem:
                old.unlink()

    def _find_place(self) -> _Place:
        number = len(self.segments()) - 1
        if number < 0:
            return _Place()
        with np.load(self.segment(number).with_suffix(".npz")) as state:
            return _Place(
                segment=number + 1,
                frames=int(state["frames"]),
                look_back=int(state["look_back"]),
                luminance=state["luminance"],
                ab=state["ab"],
                damage=tuple(map(str, state["damage"])),
            )


def _encode(
    film: _Film,
    options: FilmOptions,
    frames: Iterable[tuple[_Frame, av.VideoFrame]],
    progress: Callable[[int], object],
    place: _Place,
    path: Path,
) -> _Place:
    """Writes the segment from a place on, which can be decoded without the others; says where to go on behind it."""
    times = []
    with av.open(f"file:{path}", "w", format="nut") as container:
        stream = _add_video(container, film, options)
        for frame, joined in frames:
            times.append(frame.time)
            joined.pts += _headroom(film)
            container.mux(stream.encode(joined))
            progress(1)
        container.mux(stream.encode())
    return _Place(
        segment=place.segment + 1,
        frames=place.frames + len(times),
        look_back=times[-LOOK_BACK:][0],
        luminance=frame.luminance,
        ab=frame.ab,
        damage=tuple(film.damage),
    )


def _headroom(film: _Film) -> int:
    """Added to the times in segments: an encoder's first are before the first frame's, and NUT holds none below 0."""
    return film.ticks(3600)


_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_COPIED = {".mp4": ("audio", "subtitle"), ".mov": ("audio", "subtitle"), ".mkv": ("audio", "subtitle", "attachment")}

_OF_THE_FILE = re.compile(
    "major_brand|minor_version|compatible_brands|encoder|duration|bps|number_of_.*|_statistics_.*"
)
"""Metadata that speaks of how a file was written, not of the film."""


def _check_container(film: _Film, path: Path, options: FilmOptions) -> None:
    """Sees that the result's container can hold the video, before hours go into it.

    Raises:
        PictureError: if not.
    """
    if path.suffix not in _FORMATS:
        raise PictureError(f"{path}: films are written as {', '.join(_FORMATS)}")
    height, width = film.shape
    try:
        with av.open(f"file:{path}", "w", format=_FORMATS[path.suffix]) as container:
            stream = _add_video(container, film, options)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.zeros((height * 3 // 2, width), np.uint8), "yuv420p"))
            )
            container.mux(stream.encode())
    except (av.FFmpegError, ValueError) as error:
        raise PictureError(
            f"{film.path}: a {path.suffix} file holds no video of {width}x{height} pixels by {options.codec} "
            f"({_reason(error)}); try --film-format mkv, or another --codec"
        ) from None


def _add_video(container: av.container.OutputContainer, film: _Film, options: FilmOptions) -> av.VideoStream:
    # With its macroblock tree x264 does not give the same twice.
    own = {"mbtree": "0"} if options.codec == "libx264" else {}
    stream = container.add_stream(options.codec, film.rate, {"crf": f"{options.crf:g}"} | own)
    stream.height, stream.width = film.shape
    context = stream.codec_context
    context.time_base = stream.time_base = film.time_base
    if film.aspect:
        context.sample_aspect_ratio = film.aspect
    context.color_range, context.colorspace, context.color_primaries, context.color_trc = film.tags
    context.flags |= Flags.global_header
    return stream


def _join(film: _Film, segments: list[Path], path: Path, options: FilmOptions, kinds: Collection[str]) -> None:
    """Writes the result: the segments' video, and the film's other streams of these kinds, as they are."""
    with (
        film.open() as source,
        av.open(f"file:{segments[0]}") as first,
        av.open(
            f"file:{path}",
            "w",
            format=_FORMATS[path.suffix],
            # By default the video's start would be rounded to milliseconds.
            container_options={}
            if path.suffix == ".mkv"
            else {"movflags": "faststart", "movie_timescale": str(film.time_base.denominator)},
        ) as container,
    ):
        video = container.add_stream_from_template(first.streams.video[0], opaque=True)
        video.time_base = film.time_base
        original = _video(source)
        _describe(video, original)
        copies = {}
        for stream in source.streams:
            if stream.index == original.index:
                continue
            try:
                if stream.type not in kinds:
                    raise ValueError
                copies[stream.index] = container.add_stream_from_template(stream, opaque=True)
                _describe(copies[stream.index], stream)
            except ValueError:
                film.notes.append(f"its stream {stream.index} ({stream.type}) is left out")
        container.metadata.update(_kept(source.metadata))
        if options.provenance:
            comment = container.metadata.get("comment")
            container.metadata["comment"] = f"{comment}; {options.provenance}" if comment else options.provenance
        if film.is_whole:
            container.set_chapters(source.chapters())
        packets = heapq.merge(
            _video_packets(film, segments, video), _copied_packets(film, source, copies), key=lambda pair: pair[0]
        )
        for _, packet in packets:
            try:
                container.mux(packet)
            except av.FFmpegError as error:
                if packet.stream is video or error.errno in _OF_THE_DISK:
                    raise
                film.note_damage("some of its sound or subtitles cannot be copied")


def _describe(stream: av.stream.Stream, original: av.stream.Stream) -> None:
    stream.metadata.update(_kept(original.metadata))
    stream.disposition = original.disposition


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in metadata.items() if not _OF_THE_FILE.fullmatch(name.lower())}


def _video_packets(film: _Film, segments: Iterable[Path], stream: av.VideoStream) -> Iterator[tuple[float, av.Packet]]:
    """The packets of all segments, each with the time by which its decoding begins, in seconds.

    An encoder decodes ahead of what it shows; the segments' own times of decoding would meet at their ends. So they are
    given anew, as one encoder would have: packet i has the time of the frame that is shown `delay` frames before it.
    """
    order = [[time for time, _ in _packets(film, path)] for path in segments]
    delay = max(i - rank for times in order for i, rank in enumerate(np.argsort(np.argsort(times))))
    shown = [time for times in order for time in sorted(times)]
    step = shown[1] - shown[0] if len(shown) > 1 else film.step
    decoded = [shown[0] - (delay - i) * step for i in range(delay)] + shown
    lengths = dict(itertools.pairwise(shown))
    everything = itertools.chain.from_iterable(_packets(film, path) for path in segments)
    for before, (time, packet) in zip(decoded, everything, strict=False):
        packet.time_base = film.time_base
        packet.pts, packet.dts = time, before
        packet.duration = lengths.get(time, time + step) - time
        packet.stream = stream
        yield float(before * film.time_base), packet


def _packets(film: _Film, path: Path) -> Iterator[tuple[int, av.Packet]]:
    with av.open(f"file:{path}") as container:
        for packet in container.demux(video=0):
            if packet.size:
                yield round(packet.pts * packet.time_base / film.time_base) - _headroom(film), packet


def _copied_packets(
    film: _Film, source: av.container.InputContainer, copies: dict[int, av.stream.Stream]
) -> Iterator[tuple[float, av.Packet]]:
    """The packets of the other streams between start and end, with their times from the start on, in seconds."""
    streams = [source.streams[index] for index in copies if source.streams[index].type != "attachment"]
    if not streams:
        return
    try:
        if film.start > film.begin:
            with contextlib.suppress(av.FFmpegError):
                # Where a file's index is coarse it may lead behind the time.
                source.seek(int(max(film.begin, film.start - 5) * av.time_base))
        for packet in source.demux(streams):
            time = packet.dts if packet.pts is None else packet.pts
            if not packet.size or time is None:
                continue
            if not film.is_wanted(time * packet.time_base):
                continue
            shift = round(Fraction(film.start) / packet.time_base)
            packet.pts = packet.pts if packet.pts is None else packet.pts - shift
            packet.dts = packet.dts if packet.dts is None else packet.dts - shift
            time = float((time - shift) * packet.time_base)
            packet.stream = copies[packet.stream.index]
            yield time, packet
    except _READING_ERRORS as error:
        film.note_damage(f"its sound cannot be read to its end ({_reason(error)})")
