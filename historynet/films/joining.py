"""The result: the segments' video, and all else that the film holds, packet by packet, without encoding again."""

import errno
import heapq
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from historynet.errors import PictureError, reason
from historynet.films.reading import DAMAGE, Film, find_video, seek
from historynet.films.segments import add_video, read_packets

DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES)
"""Numbers of libav's errors that come of the disk that is written to; others come of a damaged film.

Reading a film never raises them for its disk's sake: `reading.Film.check_source`."""

_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_COPIED = {".mp4": ("audio", "subtitle"), ".mov": ("audio", "subtitle"), ".mkv": ("audio", "subtitle", "attachment")}

_OF_THE_FILE = re.compile(
    "major_brand|minor_version|compatible_brands|encoder|duration|bps|number_of_.*|_statistics_.*"
)
"""Metadata that speaks of how a file was written, not of the film."""


def same_container(path: Path) -> str:
    """The extension of a film's result that keeps its container; else Matroska's, which holds any stream."""
    return {".mp4": ".mp4", ".m4v": ".mp4", ".mov": ".mov"}.get(path.suffix.lower(), ".mkv")


def check_container(film: Film, path: Path, codec: str, crf: float) -> None:
    """Sees that the result's container can hold the video, before hours go into it; writes a film of one frame.

    Args:
        film: the film.
        path: the file that is written, with the result's extension.
        codec: as `segments.add_video` takes it.
        crf: as `segments.add_video` takes it.

    Raises:
        PictureError: if it cannot.
        av.FFmpegError: if the file cannot be written.
    """
    if path.suffix not in _FORMATS:
        raise PictureError(f"{path}: films are written as {', '.join(_FORMATS)}")
    height, width = film.shape

    try:
        with av.open(f"file:{path}", "w", format=_FORMATS[path.suffix]) as container:
            stream = add_video(container, film, codec, crf)
            black = np.zeros((height * 3 // 2, width), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(black, "yuv420p")))
            container.mux(stream.encode())
    except (av.FFmpegError, ValueError) as error:
        if _is_of_the_machine(error):
            raise
        raise PictureError(
            f"{film.path}: a {path.suffix} file holds no video of {width}x{height} pixels by {codec} "
            f"({reason(error)}); try --film-format mkv, or another --codec"
        ) from error


def _is_of_the_machine(error: Exception) -> bool:
    """Whether an error says nothing of the film: that there is not enough memory, or the disk cannot be written to."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in DISK_ERRORS


def join(film: Film, segments: Sequence[Path], path: Path, provenance: str | None) -> None:
    """Writes the result; what is left out of it is said in the film's notes and damage.

    Args:
        film: the film, from which all but the video is copied.
        segments: files of all segments, in order; at least one.
        path: the file to write; its extension says the container.
        provenance: a line for the container's comment; None: none.

    Raises:
        PictureError: if the system cannot read the film.
        av.FFmpegError: if the file cannot be written.
    """
    try:
        _write(film, segments, path, provenance, _COPIED[path.suffix])
    except av.FFmpegError as error:
        if _is_of_the_machine(error):
            raise
        film.note_damage("its sound and subtitles cannot be copied")
        _write(film, segments, path, provenance, ())


def _write(film: Film, segments: Sequence[Path], path: Path, provenance: str | None, kinds: Collection[str]) -> None:
    """Writes the result with the film's other streams of these kinds."""
    mp4_options = {
        "movflags": "faststart",
        # By default the video's start would be rounded to milliseconds.
        "movie_timescale": str(film.time_base.denominator),
    }
    with (
        film.open() as source,
        av.open(f"file:{segments[0]}") as first,
        av.open(
            f"file:{path}",
            "w",
            format=_FORMATS[path.suffix],
            container_options={} if path.suffix == ".mkv" else mp4_options,
        ) as container,
    ):
        # The streams.
        video = container.add_stream_from_template(first.streams.video[0], opaque=True)
        video.time_base = film.time_base
        original = find_video(source)
        _describe(video, original)
        copies = {}
        for stream in source.streams:
            if stream.index != original.index:
                copy = _add_copy(container, stream) if stream.type in kinds else None
                if copy is None:
                    film.note(f"its stream {stream.index} ({stream.type}) is left out")
                else:
                    copies[stream.index] = copy
        # What is said of the whole.
        container.metadata.update(_of_the_film(source.metadata))
        if provenance:
            comment = container.metadata.get("comment")
            container.metadata["comment"] = f"{comment}; {provenance}" if comment else provenance
        if film.is_whole:
            container.set_chapters(source.chapters())
        # The packets, in the order of time.
        packets = heapq.merge(
            _video_packets(film, segments, video), _copied_packets(film, source, copies), key=lambda pair: pair[0]
        )
        for _, packet in packets:
            try:
                container.mux(packet)
            except av.FFmpegError as error:
                if packet.stream is video or _is_of_the_machine(error):
                    raise
                film.note_damage("some of its sound or subtitles cannot be copied")


def _add_copy(container: av.container.OutputContainer, stream: av.stream.Stream) -> av.stream.Stream | None:
    """Adds a stream for another's packets; None if the container holds none of its kind."""
    try:
        copy = container.add_stream_from_template(stream, opaque=True)
        _describe(copy, stream)
    except ValueError:
        return None
    return copy


def _describe(stream: av.stream.Stream, original: av.stream.Stream) -> None:
    stream.metadata.update(_of_the_film(original.metadata))
    stream.disposition = original.disposition


def _of_the_film(metadata: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in metadata.items() if not _OF_THE_FILE.fullmatch(name.lower())}


def _video_packets(film: Film, segments: Sequence[Path], stream: av.VideoStream) -> Iterator[tuple[float, av.Packet]]:
    """The packets of all segments, each with the time by which its decoding begins, in seconds.

    An encoder decodes ahead of what it shows; the segments' own times of decoding would meet at their ends. So they are
    given anew, as one encoder would have: packet i has the time of the frame that is shown `delay` frames before it.
    """
    order = [[time for time, _ in read_packets(path, film)] for path in segments]
    delay = max(i - rank for times in order for i, rank in enumerate(np.argsort(np.argsort(times))))
    shown = [time for times in order for time in sorted(times)]
    step = shown[1] - shown[0] if len(shown) > 1 else film.step
    decoded = [shown[0] - (delay - i) * step for i in range(delay)] + shown
    lengths = dict(itertools.pairwise(shown))
    packets = itertools.chain.from_iterable(read_packets(path, film) for path in segments)
    for before, (time, packet) in zip(decoded, packets, strict=False):
        packet.time_base = film.time_base
        packet.pts, packet.dts = time, before
        packet.duration = lengths.get(time, time + step) - time
        packet.stream = stream
        yield float(before * film.time_base), packet


def _copied_packets(
    film: Film, source: av.container.InputContainer, copies: dict[int, av.stream.Stream]
) -> Iterator[tuple[float, av.Packet]]:
    """The packets of the other streams between start and end, with their times from the start on, in seconds."""
    streams = [source.streams[index] for index in copies if source.streams[index].type != "attachment"]
    if not streams:
        return
    try:
        if film.start > film.begin:
            # Where a file's index is coarse it may lead behind the time.
            seek(source, int(max(film.begin, film.start - 5) * av.time_base))
        for packet in film.demux(source, *streams):
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
    except MemoryError:
        raise
    except DAMAGE as error:
        film.note_damage(f"its sound cannot be read to its end ({reason(error)})")
