"""A film file: what its header says, its frames with their times, and what of it is damaged."""

import contextlib
import heapq
import itertools
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from historynet import files
from historynet.errors import PictureError, reason
from historynet.films import fields
from historynet.films.options import FilmOptions
from historynet.films.planes import Planes
from historynet.films.source import DAMAGE, Source, seek

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

_LOOKED_AT = 16
"""So many frames tell whether a film is interlaced, and whether its times can be believed."""

_LOOKED_AT_FOR_PULLDOWN = 60
_CHANGE = "the size or aspect of its frames changes at"


class Film:
    """A film file, as its header and first frame say.

    Times in seconds are the file's own; times in ticks are in units of `time_base`, and 0 is the result's beginning.

    Args:
        path: of the film's file.
        options: what is left out of it, and the form that its frames are given.

    Attributes:
        path: of the film's file.
        time_base: length of the video's tick, in seconds.
        duration: of the video in seconds, None if the file does not say.
        rate: frames a second of the result, on average; None if the file does not say.
        step: ticks from frame to frame, on average.
        is_whole: whether nothing is left out by start and end.
        threads: that decode, 0 for one a core; of a damaged film the frames may depend on it.
        begin: time of the file's first frame or sound, in seconds; 0 if that is below 0.
        start: time of the file at which the result begins, in seconds.
        end: time of the file at which the result ends, in seconds; infinite if nothing is left out.
        planes: what its frames are.
        first_field: which field of the result's frames is shown first (`fields`); PROGRESSIVE if they have none.
        notes: what the result does not keep, and what else there is to say.
        damage: what of the film could not be read, in the order of its discovery.

    Raises:
        PictureError: if there is no film in the file, or it cannot be read.
        MemoryError: if there is not enough memory to read it.
    """

    def __init__(self, path: Path, options: FilmOptions):
        self.path = path
        self.notes: list[str] = []
        self.damage: list[str] = []
        self.is_whole = not options.start and options.end is None
        self._cut_at_start, self._cut_at_end = bool(options.start), options.end is not None
        self._most_pixels, self.threads = options.max_megapixels * 1e6, 0
        self._last_end: float | None = None
        self._sources: list[Source] = []
        with self.open() as container:
            stream = find_video(container)
            self._check(stream, options.max_megapixels)
            self.time_base: Fraction = stream.time_base
            self.rate: Fraction | None = stream.average_rate or stream.guessed_rate
            self.duration = _duration(stream)
            # What begins late (recorded broadcasts) is moved to the beginning.
            self.begin = max(container.start_time or 0, 0) / 1e6
            self.start = self.begin + options.start
            self.end = math.inf if options.end is None else self.begin + options.end
            self._by_decoding = False
            frames = self._decode(container, stream)
            first = next(frames, None)
            if first is None:
                raise PictureError(f"{path}: no frame can be decoded")
            self.planes = Planes(first, stream, options.pixel_format)
            self.notes += self.planes.notes
            seen = [first, *itertools.islice(frames, _LOOKED_AT - 1)]
            times = [frame.pts for frame in seen if frame.pts is not None]
            # AVI has no times but those at which decoding begins, and Matroska none else of what came from AVI.
            self._by_decoding = "avi" in container.format.name or times != sorted(times)
            self._look_for_fields(seen, stream, options.deinterlace)
        self.step = max(1, round(1 / (self.rate * self.time_base))) if self.rate else 1
        # Only the frames of the result count, and they are read again.
        self.damage.clear()

    def _check(self, stream: av.VideoStream | None, max_megapixels: float) -> None:
        if stream is None:
            raise PictureError(f"{self.path}: there is no video in it that can be decoded")
        if stream.width * stream.height > self._most_pixels:
            raise PictureError(
                f"{self.path}: {stream.width}x{stream.height} pixels are more than {max_megapixels:g} "
                "megapixels (--max-megapixels)"
            )

    def _look_for_fields(self, seen: list[av.VideoFrame], stream: av.VideoStream, deinterlace: bool) -> None:
        """Sets what is to be done with the fields of an interlaced film, and notes it."""
        self.first_field = fields.first_field(seen, stream)
        self._whole_frames = deinterlace
        self._marked = any(frame.interlaced_frame for frame in seen)
        self._telecined = False
        if (self.first_field or deinterlace) and self.rate and 29.5 < self.rate < 30.5:
            self._telecined = fields.is_telecined(self._middle())
        name = "upper" if self.first_field == fields.TOP_FIRST else "lower"
        kind = f"interlaced, {name} field first"
        if self._telecined:
            kind = "telecined: 24 frames a second are spread over the fields of 30"
        if deinterlace:
            self.first_field = fields.PROGRESSIVE
            if self._telecined:
                self.rate *= Fraction(fields.CYCLE - 1, fields.CYCLE)
                self.note("it is telecined; --deinterlace gives it back its own 24 frames a second")
        elif self.first_field or self._telecined:
            self.note(f"it is {kind}; this is kept, and --deinterlace makes whole frames of it")

    def _middle(self) -> list[av.VideoFrame]:
        """Some frames of the film's middle: at its beginning there are titles, which stand still."""
        with self.open() as container:
            stream = find_video(container)
            if self.duration:
                seek(container, int((self.begin + self.duration / 2) * av.time_base))
            return list(itertools.islice(self._decode(container, stream), _LOOKED_AT_FOR_PULLDOWN))

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

    def frames(self, time: int | None = None, number: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """As `decoded`, with each frame's luma, as `Planes.luma` has it, in place of the frame."""
        return ((ticks, self.planes.luma(*frame)) for ticks, *frame in self.decoded(time, number))

    def decoded(self, time: int | None = None, number: int = 0) -> Iterator[tuple[int, av.VideoFrame, Fraction | None]]:
        """The frames between start and end: times in ticks, which rise; frames; their pixels' aspect, for `planes`.

        Ends where nothing more is read.

        Args:
            time: of the first frame that is wanted, in ticks; None: not known.
            number: how many frames are before it; they are counted where the file does not lead to that time.
        """
        # Times by decoding, and what filters do, follow from all frames before.
        if time is not None and not self._by_decoding and not self._whole_frames:
            frames = self._timed(time)
            first = next(frames, None)
            if first is not None and first[0] == time:
                yield first
                yield from frames
                return
        yield from itertools.islice(self._timed(), number, None)

    def _timed(self, first: int | None = None) -> Iterator[tuple[int, av.VideoFrame, Fraction | None]]:
        shift = self.ticks(self.start)
        last = None
        with self.open() as container:
            stream = find_video(container)
            stream.thread_type, stream.codec_context.thread_count = "AUTO", self.threads
            if (self._cut_at_start or first is not None) and not self._by_decoding:
                frames = self._seek(container, stream, shift + (first or 0))
            else:
                frames = self._decode(container, stream)
            if self._whole_frames:
                frames = fields.whole_frames(frames, self._telecined, self._marked, self.time_base)
            for frame in frames:
                time = (0 if last is None else last + self.step) if frame.pts is None else frame.pts - shift
                seconds = (time + shift) * self.time_base
                if seconds >= self.end:
                    return
                if not self.is_wanted(seconds) or (first is not None and time < first):
                    continue
                # Times that do not rise, as in damaged films, no container takes.
                time = time if last is None else max(time, last + 1)
                yield time, frame, self._aspect(frame, stream, float(seconds))
                last = time
                self._last_end = float(seconds) + (frame.duration or self.step) * self.time_base

    def _aspect(self, frame: av.VideoFrame, stream: av.VideoStream, seconds: float) -> Fraction | None:
        aspect = stream.codec_context.sample_aspect_ratio
        # Once: also where somebody goes on behind a change, and has put the earlier notes here.
        if not any(note.startswith(_CHANGE) for note in self.notes) and self.planes.differs(frame, aspect):
            self.note(
                f"{_CHANGE} {seconds:.1f} s, to {frame.width}x{frame.height}; what differs from the beginning is "
                "fitted into it with black borders"
            )
        return aspect

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
        times = []
        try:
            for packet in self.demux(container, stream):
                if not packet.size and packet.dts is not None:
                    # An empty packet means that the frame before is shown on; decoders take it for the end.
                    continue
                if self._by_decoding and packet.dts is not None:
                    heapq.heappush(times, packet.dts)
                try:
                    frames = packet.decode()
                except MemoryError:
                    raise
                except av.FFmpegError as error:
                    self.note_damage(f"some of its frames cannot be decoded ({error.strerror})")
                    if packet.dts in times:
                        times.remove(packet.dts)
                        heapq.heapify(times)
                    continue
                for frame in frames:
                    if times:
                        # Frames are shown in the order of their times, whatever order they are decoded in.
                        frame.pts = heapq.heappop(times)
                    if self._is_sound(frame):
                        yield frame
        except MemoryError:
            raise
        except DAMAGE as error:
            self.note_damage(f"it cannot be read to its end ({reason(error)})")

    def _is_sound(self, frame: av.VideoFrame) -> bool:
        """Whether a frame can be used; notes damage."""
        if frame.is_corrupt:
            self.note_damage("some of its frames are damaged")
        if frame.width * frame.height > self._most_pixels:
            self.note_damage("some of its frames are larger than --max-megapixels allows")
            return False
        return True

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
