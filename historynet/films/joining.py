"""The result: the segments' video, and all else that the film holds, without encoding again what need not be."""

import contextlib
import errno
import heapq
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from historynet.errors import PictureError, reason
from historynet.films import streams
from historynet.films.options import FilmOptions
from historynet.films.reading import Film, find_video
from historynet.films.segments import read_packets, writing
from historynet.films.source import DAMAGE
from historynet.films.streams import Feed, Plan

DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES)
"""Numbers of libav's errors that come of the disk that is written to; others come of a damaged film.

Reading a film never raises them for its disk's sake: `reading.Film.check_source`."""

_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}

_TRIED = 300
"""Packets of the film that are tried before the work."""

_Written = tuple[Counter[int], Counter[int]]
"""How many packets of each of the film's streams were written, and how many could not be."""


def same_container(path: Path) -> str:
    """The extension of a film's result that keeps its container; else Matroska's, which holds any stream."""
    return {".mp4": ".mp4", ".m4v": ".mp4", ".mov": ".mov"}.get(path.suffix.lower(), ".mkv")


def check_container(film: Film, path: Path, options: FilmOptions) -> Plan:
    """Tries to make the result, of black frames and the film's first packets, before hours go into it.

    Args:
        film: the film; what the result will not hold, or in another form, is said in its notes and damage.
        path: the file that is written, with the result's extension.
        options: of the encoder.

    Returns:
        How the result is to be joined.

    Raises:
        PictureError: if the container cannot hold the video, or the system cannot read the film.
        av.FFmpegError: if the file cannot be written.
    """
    if path.suffix not in _FORMATS:
        raise PictureError(f"{path}: films are written as {', '.join(_FORMATS)}")
    trial = path.with_name("trial.nut")
    try:
        try:
            _encode_black(film, trial, options)
            _write(film, [trial], path, None, Plan(tags=False), True)
        except PictureError:
            # One of ours is a ValueError, too.
            raise
        except (av.FFmpegError, ValueError) as error:
            if _is_of_the_machine(error):
                raise
            height, width = film.planes.shape
            raise PictureError(
                f"{film.path}: a {path.suffix} file holds no video of {width}x{height} pixels by "
                f"{options.codec} with {options.pixel_format} ({reason(error)}); try --film-format mkv, or another "
                "--codec or --pixel-format"
            ) from error
        return _find_plan(film, trial, path)
    finally:
        trial.unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _encode_black(film: Film, path: Path, options: FilmOptions) -> None:
    """Writes a segment of some black frames."""
    with writing(path, film, options) as write:
        for number in range(3):
            black = film.planes.black()
            black.pts, black.time_base = number * film.step, film.time_base
            write(black)


def _find_plan(film: Film, trial: Path, path: Path) -> Plan:
    """Which forms of the film's streams and tags a container takes, by trying."""
    plan = Plan()
    with film.open() as source:
        video = find_video(source)
        others = [stream for stream in source.streams if stream.index != video.index and not streams.is_silent(stream)]
        timecode = streams.find_timecode(source, video)
        for stream in others:
            forms = streams.possible_forms(stream, path.suffix)
            takes = (form for form in forms if _takes(film, trial, path, Plan({stream.index: form}), stream.index))
            form = next(takes, streams.NOTHING)
            _say(film, stream, form, path.suffix)
            if form:
                plan.forms[stream.index] = form
    if timecode and film.rate:
        frames = round((film.start - film.begin) * film.rate)
        plan.timecode = streams.shift_timecode(timecode, frames, film.rate) if frames else timecode
    # Now all together; what is least needed is given up first.
    if not _takes(film, trial, path, plan):
        plan.timecode = None
    if not _takes(film, trial, path, plan):
        plan.tags = False
        film.note(f"its tags and chapters are left out: a {path.suffix} file cannot hold them")
    if not _takes(film, trial, path, plan):
        film.note_damage(f"a {path.suffix} file cannot hold its sound and subtitles together; they are left out")
        return Plan()
    if timecode and not plan.timecode:
        film.note(f"its timecode, {timecode}, is left out: a {path.suffix} file cannot hold it")
    _say_lost(film, path, plan)
    return plan


def _takes(film: Film, trial: Path, path: Path, plan: Plan, index: int | None = None) -> bool:
    """Whether a container takes what is planned, and packets of the stream that is named, if any come."""
    try:
        written, refused = _write(film, [trial], path, None, plan, True)
    except PictureError:
        raise
    except (av.FFmpegError, ValueError) as error:
        if _is_of_the_machine(error):
            raise
        return False
    return index is None or bool(written[index]) or not refused[index]


def _say(film: Film, stream: av.stream.Stream, form: str, suffix: str) -> None:
    """Says in the film's notes, or in its damage, what becomes of a stream that is not copied."""
    if form == streams.NOTHING:
        text = f"its {streams.name(stream)} is left out: a {suffix} file cannot hold it"
        # Who hears nothing has not got the film.
        (film.note_damage if stream.type == "audio" else film.note)(text)
    elif form not in (streams.COPY, streams.COVER, streams.ATTACHMENT):
        film.note(f"its {streams.name(stream)} is converted to {form}: a {suffix} file cannot hold it as it is")


def _say_lost(film: Film, path: Path, plan: Plan) -> None:
    """Notes which of the film's tags and covers are not in the file that was tried."""
    with film.open() as source, av.open(f"file:{path}") as made:
        kept = {name.lower() for name in made.metadata}
        lost = [name for name in streams.of_the_film(source.metadata) if name.lower() not in kept]
        if plan.tags and lost:
            film.note(f"its tags {', '.join(lost)} are left out: a {path.suffix} file cannot hold them")
        covers = [i for i, form in plan.forms.items() if form == streams.COVER]
        if covers and not any(s.disposition & Disposition.attached_pic for s in made.streams):
            _say(film, source.streams[covers[0]], streams.NOTHING, path.suffix)


def _is_of_the_machine(error: Exception) -> bool:
    """Whether an error says nothing of the film: that there is not enough memory, or the disk cannot be written to."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in DISK_ERRORS


def join(film: Film, plan: Plan, segments: Sequence[Path], path: Path, provenance: str | None) -> None:
    """Writes the result; what is left out of it against the plan is said in the film's damage.

    Args:
        film: the film, from which all but the video is taken.
        plan: of `check_container`.
        segments: files of all segments, in order; at least one.
        path: the file to write; its extension says the container.
        provenance: a line for the container's comment; None: none.

    Raises:
        PictureError: if the system cannot read the film.
        av.FFmpegError: if the file cannot be written.
    """
    try:
        written, refused = _write(film, segments, path, provenance, plan)
    except PictureError:
        raise
    except (av.FFmpegError, ValueError) as error:
        if _is_of_the_machine(error):
            raise
        film.note_damage("its sound, subtitles and tags cannot be joined to it")
        _write(film, segments, path, provenance, Plan(tags=False))
        return
    if refused:
        some = "some of " if all(written[index] for index in refused) else ""
        film.note_damage(f"{some}its sound or subtitles cannot be copied")


def _write(
    film: Film, segments: Sequence[Path], path: Path, provenance: str | None, plan: Plan, trial: bool = False
) -> _Written:
    """Writes the result as planned; of the film's packets the first ones only if that is a trial."""
    mp4_options = {
        "movflags": "faststart",
        # By default the video's start would be rounded to milliseconds.
        "movie_timescale": str(film.time_base.denominator),
    }
    options = {} if path.suffix == ".mkv" else mp4_options
    written, refused = Counter(), Counter()
    with (
        film.open() as source,
        av.open(f"file:{segments[0]}") as first,
        av.open(f"file:{path}", "w", format=_FORMATS[path.suffix], container_options=options) as container,
    ):
        video = container.add_stream_from_template(first.streams.video[0], opaque=True)
        video.time_base = film.time_base
        streams.describe(video, find_video(source), plan.tags)
        _describe_whole(film, source, container, plan, provenance)
        if plan.timecode:
            video.metadata["timecode"] = plan.timecode
            video.codec_context.framerate = film.rate
        feeds, covers = {}, []
        for index, form in plan.forms.items():
            feed, cover = streams.add(container, source.streams[index], form, plan.tags, lambda s: _read_cover(film, s))
            if cover is not None:
                covers.append(cover)
            if feed is not None:
                feeds[index] = feed
        container.mux(covers)
        # The packets, in the order of time.
        last = film.start + max(time for time, _ in read_packets(segments[-1], film)) * film.time_base
        others = _other_packets(film, source, feeds, refused, last, trial)
        for _, index, packet in heapq.merge(_video_packets(film, segments, video), others, key=lambda one: one[0]):
            try:
                container.mux(packet)
                written[index] += 1
            except av.FFmpegError as error:
                if packet.stream is video or _is_of_the_machine(error):
                    raise
                refused[index] += 1
    return written, refused


def _describe_whole(
    film: Film,
    source: av.container.InputContainer,
    container: av.container.OutputContainer,
    plan: Plan,
    provenance: str | None,
) -> None:
    """Gives the result the film's own tags and chapters."""
    if plan.tags:
        container.metadata.update(streams.of_the_film(source.metadata))
    if provenance:
        comment = container.metadata.get("comment")
        container.metadata["comment"] = f"{comment}; {provenance}" if comment else provenance
    chapters = []
    for chapter in source.chapters() if plan.tags else ():
        base = chapter["time_base"]
        start, end = chapter["start"] * base, chapter["end"] * base
        if end > film.start and start < film.end:
            begin = Fraction(film.start)
            last = end if film.is_whole or end < film.end else Fraction(film.end)
            times = {"start": round((max(start, begin) - begin) / base), "end": round((last - begin) / base)}
            chapters.append(chapter | times)
    if chapters:
        container.set_chapters(chapters)


def _read_cover(film: Film, stream: av.stream.Stream) -> bytes:
    """The picture of a film's cover; empty if it is not at the file's beginning."""
    with film.open() as source, contextlib.suppress(*DAMAGE):
        for packet in itertools.islice(film.demux(source, source.streams[stream.index]), _TRIED):
            if packet.size:
                return bytes(packet)
    return b""


def _video_packets(
    film: Film, segments: Sequence[Path], stream: av.VideoStream
) -> Iterator[tuple[float, int, av.Packet]]:
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
        yield float(before * film.time_base), -1, packet


def _other_packets(
    film: Film,
    source: av.container.InputContainer,
    feeds: dict[int, Feed],
    refused: Counter[int],
    last: Fraction,
    trial: bool,
) -> Iterator[tuple[float, int, av.Packet]]:
    """The packets of the other streams between start and end, with their times from the start on, in seconds.

    Args:
        film: the film.
        source: its file.
        feeds: what makes packets of the result, by the index of the film's stream.
        refused: counts the packets of which nothing can be made.
        last: time of the last picture in the film, seconds.
        trial: whether the first ones are enough.
    """
    if not feeds:
        return
    shift = Fraction(film.start)

    def made(index: int, packet: av.Packet | None) -> Iterator[tuple[float, int, av.Packet]]:
        try:
            for one in feeds[index](packet, shift):
                time = one.dts if one.pts is None else one.pts
                yield float((time or 0) * one.time_base), index, one
        except MemoryError:
            raise
        except av.FFmpegError:
            refused[index] += 1

    for packet in streams.wanted_packets(film, source, list(feeds), last, _TRIED if trial else None):
        yield from made(packet.stream.index, packet)
    for index in feeds:
        yield from made(index, None)
