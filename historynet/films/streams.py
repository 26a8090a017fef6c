"""What a film holds beside its video, and in which form the result's container takes it."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.stream import Discard, Disposition

from historynet.errors import reason
from historynet.films import sound
from historynet.films.reading import Film
from historynet.films.source import DAMAGE, seek

COPY, COVER, ATTACHMENT, NOTHING = "copy", "cover", "attachment", ""
"""Forms of a stream in the result: packets as they are, a picture of the cover, the same as an attached file, none.

Any other form is the name of an encoder of sound."""

_OF_THE_FILE = re.compile(
    "major_brand|minor_version|compatible_brands|encoder|software|duration|bps|number_of_.*|_statistics_.*|timecode"
)
"""Metadata that speaks of how a file was written, not of the film; a timecode has a way of its own."""

_NEVER = "1970-01-01T00:00:00"
"""The creation_time of films that have none: older programs wrote the zero of their clock."""

_LEAP = 60
"""Seconds; sound that goes on without a gap may last longer than the pictures."""

_PICTURES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


@dataclass
class Plan:
    """How a result holds what the film holds beside its video.

    Attributes:
        forms: form of each stream, by its index.
        timecode: of the first frame; None: none, or it is left out.
        tags: whether titles, languages, chapters and the like are kept.
    """

    forms: dict[int, str] = field(default_factory=dict)
    timecode: str | None = None
    tags: bool = True


def is_silent(stream: av.stream.Stream) -> bool:
    """Whether nothing is lost without a stream: its content is read elsewhere, as chapters or as the timecode."""
    return stream.type == "data" and (stream.discard == Discard.all or "timecode" in stream.metadata)


def name(stream: av.stream.Stream) -> str:
    """What a stream is called in a message."""
    codec = getattr(stream, "name", None) if stream.type in ("data", "attachment") else None
    if stream.type not in ("data", "attachment") and stream.codec_context is not None:
        codec = stream.codec_context.name
    kind = "cover picture" if stream.disposition & Disposition.attached_pic else stream.type
    kind = {"audio": "sound", "subtitle": "subtitles", "video": "further video"}.get(kind, kind)
    return f"{kind} (stream {stream.index}{f', {codec}' if codec else ''})"


def possible_forms(stream: av.stream.Stream, suffix: str) -> tuple[str, ...]:
    """The forms that a stream may have in a result with such an extension, the best first."""
    if stream.disposition & Disposition.attached_pic:
        return (ATTACHMENT if suffix == ".mkv" else COVER,)
    if stream.type == "video":
        return ()
    if stream.type == "audio":
        return COPY, *sound.encoders(stream)
    return (COPY,)


def find_timecode(container: av.container.InputContainer, video: av.VideoStream) -> str | None:
    """The timecode of a film's first frame: of its video, its timecode track, or the file; None without one."""
    for holder in (video, *container.streams, container):
        for key, text in holder.metadata.items():
            if key.lower() == "timecode" and text.strip():
                return text.strip()
    return None


def shift_timecode(text: str, frames: int, rate: Fraction) -> str | None:
    """The timecode so many frames later; None if it is none.

    Args:
        text: hours:minutes:seconds:frames; the last colon is a semicolon where numbers are left out to keep the time.
        frames: how many.
        rate: frames a second.
    """
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)", text)
    if not match:
        return None
    hours, minutes, seconds, rest = (int(match[i]) for i in (1, 2, 3, 5))
    fps = round(rate)
    # Two numbers (of 60, four) at the beginning of each minute but the tenth.
    dropped = fps // 15 if match[4] != ":" else 0
    passed = hours * 60 + minutes
    count = (passed * 60 + seconds) * fps + rest - dropped * (passed - passed // 10) + frames
    if dropped:
        ten = 600 * fps - 9 * dropped
        tens, over = divmod(count, ten)
        count += 9 * dropped * tens
        if over >= 60 * fps:
            count += dropped * (1 + (over - 60 * fps) // (60 * fps - dropped))
    whole, rest = divmod(count, fps)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours % 24:02}:{minutes:02}:{whole % 60:02}{match[4]}{rest:02}"


def of_the_film(metadata: dict[str, str]) -> dict[str, str]:
    """The tags that speak of the film."""
    tags = {name: text for name, text in metadata.items() if not _OF_THE_FILE.fullmatch(name.lower())}
    if tags.get("creation_time", "").startswith(_NEVER):
        del tags["creation_time"]
    return tags


def describe(stream: av.stream.Stream, original: av.stream.Stream, tags: bool = True) -> None:
    """Gives a stream of the result the tags and the disposition of the film's."""
    if tags:
        stream.metadata.update(of_the_film(original.metadata))
    stream.disposition = original.disposition


Feed = Callable[[av.Packet | None, Fraction], Iterator[av.Packet]]
"""Makes packets of the result of one of the film, or of None at its end; shifted back by seconds."""


def add(
    container: av.container.OutputContainer,
    stream: av.stream.Stream,
    form: str,
    tags: bool,
    picture: Callable[[av.stream.Stream], bytes],
) -> tuple[Feed | None, av.Packet | None]:
    """Adds a stream for one of the film; gives what makes its packets, if it has any, and the packet of a cover.

    Args:
        container: opened to be written.
        stream: of the film.
        form: in which it is to be.
        tags: whether its tags are kept.
        picture: reads the cover that a stream is.

    Raises:
        ValueError: if the container holds none of its kind.
        av.FFmpegError: if it cannot be encoded so.
    """
    if form == ATTACHMENT:
        kind = stream.codec_context.name if stream.codec_context else ""
        file, media_type = _PICTURES.get(kind, (f"cover.{kind}", "application/octet-stream"))
        container.add_attachment(file, media_type, picture(stream))
        return None, None
    if form not in (COPY, COVER):
        converter = sound.Converter(container, stream, form)
        describe(converter.stream, stream, tags)
        return converter, None
    copy = container.add_stream_from_template(stream, opaque=True)
    describe(copy, stream, tags)
    if form == COVER:
        cover = av.Packet(picture(stream))
        cover.stream, cover.time_base, cover.pts, cover.dts = copy, stream.time_base, 0, 0
        cover.is_keyframe = True
        return None, cover

    def feed(packet: av.Packet | None, shift: Fraction) -> Iterator[av.Packet]:
        if packet is not None:
            ticks = round(shift / packet.time_base)
            packet.pts = packet.pts if packet.pts is None else packet.pts - ticks
            packet.dts = packet.dts if packet.dts is None else packet.dts - ticks
            packet.stream = copy
            yield packet

    # A file that is attached is written with the headers.
    return (None if stream.type == "attachment" else feed), None


def wanted_packets(
    film: Film, source: av.container.InputContainer, indices: Sequence[int], last: Fraction, tried: int | None
) -> Iterator[av.Packet]:
    """The film's packets of streams that have a time between start and end.

    A time that leaps far behind the last picture is none: silence up to there could fill a disk.

    Args:
        film: the film.
        source: its file.
        indices: of the streams.
        last: time of the last picture in the film, seconds.
        tried: so many packets are read, as a trial of the beginning; None: all.
    """
    reached = dict.fromkeys(indices, last)
    try:
        if film.start > film.begin:
            # Where a file's index is coarse it may lead behind the time.
            seek(source, int(max(film.begin, film.start - 5) * av.time_base))
        # A trial reads all streams, so that it ends where one has next to nothing.
        wanted = source.streams if tried else [source.streams[index] for index in indices]
        for packet in itertools.islice(film.demux(source, *wanted), tried):
            time = packet.dts if packet.pts is None else packet.pts
            if packet.stream.index not in indices or not packet.size or time is None:
                continue
            seconds = time * packet.time_base
            if seconds - reached[packet.stream.index] > _LEAP:
                # A trial does not know where the pictures end.
                if tried is None:
                    film.note_damage(f"what leaps by over {_LEAP} s behind its last picture is left out, as sound")
            elif film.is_wanted(seconds):
                reached[packet.stream.index] = max(reached[packet.stream.index], seconds)
                yield packet
    except MemoryError:
        raise
    except DAMAGE as error:
        film.note_damage(f"its sound cannot be read to its end ({reason(error)})")
