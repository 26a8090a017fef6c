"""A film file: what its header says, its frames with their times, and what of it is damaged."""

import contextlib
import itertools
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.stream import Disposition
from av.video.reformatter import ColorRange

from historynet import files
from historynet.errors import PictureError, reason
from historynet.films.source import DAMAGE, Source, seek
from historynet.pictures import formats

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

_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
"""The ways from RGB to YUV that libav's scaler knows, by their number in H.273."""


class Film:
    """A film file, as its header and first frame say.

    Times in seconds are the file's own; times in ticks are in units of `time_base`, and 0 is the result's beginning.

    Args:
        path: of the film's file.
        start: seconds after the film's beginning; what comes before is left out.
        end: seconds after the film's beginning; what comes after is left out; None: nothing.
        max_megapixels: a film with larger frames is refused.

    Attributes:
        path: of the film's file.
        time_base: length of the video's tick, in seconds.
        duration: of the video in seconds, None if the file does not say.
        rate: frames a second, on average; None if the file does not say.
        step: ticks from frame to frame, on average.
        is_whole: whether nothing is left out by start and end.
        begin: time of the file's first frame or sound, in seconds; 0 if that is below 0.
        start: time of the file at which the result begins, in seconds.
        end: time of the file at which the result ends, in seconds; infinite if nothing is left out.
        shape: (height, width) of a luma plane that `luma` gives; both even.
        aspect: width of a pixel by its height, None if the file does not say.
        tags: colour range, matrix, primaries and transfer function, numbers as in H.273, for the result.
        notes: what the result does not keep, and what else there is to say.
        damage: what of the film could not be read, in the order of its discovery.

    Raises:
        PictureError: if there is no film in the file, or it cannot be read.
        MemoryError: if there is not enough memory to read it.
    """

    def __init__(
        self,
        path: Path,
        start: float = 0.0,
        end: float | None = None,
        max_megapixels: float = formats.MAX_MEGAPIXELS,
    ):
        self.path = path
        self.notes: list[str] = []
        self.damage: list[str] = []
        self.is_whole = not start and end is None
        self._cut_at_start, self._cut_at_end = bool(start), end is not None
        self._last_end: float | None = None
        self._sources: list[Source] = []
        with self.open() as container:
            stream = find_video(container)
            self._check(stream, max_megapixels)
            self.time_base: Fraction = stream.time_base
            self.rate: Fraction | None = stream.average_rate or stream.guessed_rate
            self.duration = _duration(stream)
            # What begins late (recorded broadcasts) is moved to the beginning.
            self.begin = max(container.start_time or 0, 0) / 1e6
            self.start = self.begin + start
            self.end = math.inf if end is None else self.begin + end
            self.step = max(1, round(1 / (self.rate * self.time_base))) if self.rate else 1
            frame = next(self._decode(container, stream), None)
            if frame is None:
                raise PictureError(f"{path}: no frame can be decoded")
            # Only the frames of the result count, and they are read again.
            self.damage.clear()
            self._describe(frame, stream)

    def _check(self, stream: av.VideoStream | None, max_megapixels: float) -> None:
        if stream is None:
            raise PictureError(f"{self.path}: there is no video in it that can be decoded")
        if stream.width * stream.height > max_megapixels * 1e6:
            raise PictureError(
                f"{self.path}: {stream.width}x{stream.height} pixels are more than {max_megapixels:g} "
                "megapixels (--max-megapixels)"
            )

    def _describe(self, frame: av.VideoFrame, stream: av.VideoStream) -> None:
        """Sets what the first frame says of all: size, rotation, colours; notes what the result does not keep."""
        self._height, self._width = frame.height, frame.width
        self._rotation = round(frame.rotation / 90) % 4
        # Where nothing else is said, gray and yuvj formats are of full range.
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        full |= frame.format.name.startswith("gray") and frame.color_range != ColorRange.MPEG
        # Players, too, guess the matrix by the size.
        large = self._width >= 1280 or self._height > 576
        matrix = frame.colorspace if frame.colorspace in _MATRICES else 1 if large else 6
        context = stream.codec_context
        range_ = int(ColorRange.JPEG if full else ColorRange.MPEG)
        self.tags: tuple[int, int, int, int] = range_, matrix, context.color_primaries, context.color_trc
        aspect = stream.sample_aspect_ratio
        self.aspect: Fraction | None = 1 / aspect if aspect and self._rotation % 2 else aspect
        self.shape: tuple[int, int] = self.luma(frame).shape
        if self._width % 2 or self._height % 2:
            self.note(
                f"its frames have an odd size, {self._width}x{self._height}; the last row or column is doubled, "
                "since encoders take even sizes"
            )
        if self._rotation:
            self.note("its frames are turned upright, as players show them")
        if frame.format.components[0].bits > 8:
            self.note("its values are cut to 8 bits")
        if frame.interlaced_frame:
            self.note("it is interlaced, and encoded as whole frames")

    @contextlib.contextmanager
    def open(self) -> Iterator[av.container.InputContainer]:
        """Opens the file.

        Raises:
            PictureError: if that is not possible.
            MemoryError: if there is not enough memory to.
        """
        with files.open_regular(self.path) as file:
            with files.reading(self.path, PictureError):
                if not file.read(1):
                    raise PictureError(f"{self.path}: the file is empty")
                file.seek(0)
            source = Source(file, self.path)
            self._sources.append(source)
            try:
                container = av.open(source, options={"format_whitelist": _CONTAINERS}, metadata_errors="replace")
            except MemoryError:
                raise
            except (av.FFmpegError, ValueError) as error:
                self.check_source()
                raise PictureError(
                    f"{self.path}: not a film that can be read, or a damaged one ({reason(error)})"
                ) from error
            self.check_source()
            with container:
                yield container

    def check_source(self) -> None:
        """Sees that the system could read all that was to be read so far: what it refuses to read is not damaged.

        Raises:
            PictureError: if it could not, or there was not enough memory to.
        """
        for source in self._sources:
            if source.error:
                with files.reading(self.path, PictureError):
                    raise source.error

    def demux(self, container: av.container.InputContainer, *streams: av.stream.Stream) -> Iterator[av.Packet]:
        """The packets of streams, each as the file holds it or as far as damage lets it be read.

        Args:
            container: of `open`.
            streams: of the container.

        Raises:
            PictureError: if the system cannot read the file to its end; no packet that lacks a part is yielded then.
            FFmpegError, IndexError: DAMAGE, if the file is damaged.
            MemoryError: if there is not enough memory.
        """
        try:
            for packet in container.demux(*streams):
                self.check_source()
                yield packet
        except DAMAGE:
            self.check_source()
            raise
        self.check_source()

    def frames(self, time: int | None = None, number: int = 0) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames between start and end with their times in ticks, which rise; ends where nothing more is read.

        Args:
            time: of the first frame that is wanted, in ticks; None: not known.
            number: how many frames are before it; they are counted where the file does not lead to that time.
        """
        if time is not None:
            frames = self._timed(time)
            first = next(frames, None)
            if first is not None and first[0] == time:
                yield first
                yield from frames
                return
        yield from itertools.islice(self._timed(), number, None)

    def _timed(self, first: int | None = None) -> Iterator[tuple[int, av.VideoFrame]]:
        shift = self.ticks(self.start)
        last = None
        with self.open() as container:
            stream = find_video(container)
            stream.thread_type = "AUTO"
            if self._cut_at_start or first is not None:
                frames = self._seek(container, stream, shift + (first or 0))
            else:
                frames = self._decode(container, stream)
            for frame in frames:
                time = (0 if last is None else last + self.step) if frame.pts is None else frame.pts - shift
                seconds = (time + shift) * self.time_base
                if seconds >= self.end:
                    return
                if not self.is_wanted(seconds) or (first is not None and time < first):
                    continue
                # Times that do not rise, as in damaged films, no container takes.
                time = time if last is None else max(time, last + 1)
                yield time, frame
                last = time
                self._last_end = float(seconds) + (frame.duration or self.step) * self.time_base

    def _seek(
        self, container: av.container.InputContainer, stream: av.VideoStream, begin: int
    ) -> Iterator[av.VideoFrame]:
        """The frames from a time of the file on, or earlier; from the film's beginning where the file leads astray."""
        if seek(container, begin, stream=stream):
            frames = self._decode(container, stream)
            frame = next(frames, None)
            if frame is not None and frame.pts is not None and frame.pts <= begin:
                return itertools.chain([frame], frames)
            seek(container, 0)
        return self._decode(container, stream)

    def _decode(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
        try:
            for packet in self.demux(container, stream):
                try:
                    frames = packet.decode()
                except MemoryError:
                    raise
                except av.FFmpegError as error:
                    self.note_damage(f"some of its frames cannot be decoded ({error.strerror})")
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self.note_damage("some of its frames are damaged")
                    yield frame
        except MemoryError:
            raise
        except DAMAGE as error:
            self.note_damage(f"it cannot be read to its end ({reason(error)})")

    def note(self, what: str) -> None:
        """Adds to `notes`, each text once."""
        if what not in self.notes:
            self.notes.append(what)

    def note_damage(self, what: str) -> None:
        """Adds to `damage`, each text once."""
        if what not in self.damage:
            self.damage.append(what)

    def check_end(self) -> None:
        """Notes as damage that the frames read so far end well before the video's end by its header."""
        known = self.duration is not None and self._last_end is not None and not self._cut_at_end
        if known and self._last_end < self.duration - 0.5:
            self.note_damage(f"its video ends at {self._last_end:.1f} s of {self.duration:.1f} s")

    def is_wanted(self, seconds: float) -> bool:
        """Whether a time of the file is between start and end. What comes before its own beginning belongs to it."""
        return (not self._cut_at_start or seconds >= self.start) and seconds < self.end

    def luma(self, frame: av.VideoFrame) -> np.ndarray:
        """The Y plane of a frame, uint8 (height, width), upright; the last row or column twice if they are odd."""
        range_, matrix = self.tags[:2]
        plain = "gray" if frame.format.name.startswith("gray") else "yuv420p"
        plane = frame.reformat(
            width=self._width,
            height=self._height,
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
        """A Y plane, uint8 (height, width), as gray levels 0..255 of the same shape."""
        if self.tags[0] == ColorRange.JPEG:
            return luma
        return cv2.LUT(luma, np.rint((np.arange(256) - 16) * 255 / 219).clip(0, 255).astype(np.uint8))

    def ticks(self, seconds: float) -> int:
        """Seconds in units of `time_base`."""
        return round(Fraction(seconds) / self.time_base)


def find_video(container: av.container.Container) -> av.VideoStream | None:
    """The first video that there is a decoder for and that is not a picture of the film's cover; None without one."""
    videos = (s for s in container.streams.video if s.codec_context and not s.disposition & Disposition.attached_pic)
    return next(videos, None)


def _duration(stream: av.VideoStream) -> float | None:
    """Seconds of a stream alone: a container's duration is that of its longest stream."""
    if stream.duration is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    # Matroska's tag, "00:00:28.023000000".
    tag = re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", ""))
    return tag and int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
