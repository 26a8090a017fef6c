"""Some frames of a film at even distances, without decoding what lies between."""

from collections.abc import Iterator
from fractions import Fraction

import av

from historynet.films.reading import Film, find_video
from historynet.films.source import DAMAGE, seek

_PACKETS = 100
"""So many packets behind a keyframe give a frame, or it is passed over."""


def skim(film: Film, count: int) -> Iterator[tuple[av.VideoFrame, Fraction | None]]:
    """Keyframes near the middles of equal parts of a film, each once: fewer than parts where keyframes are rare.

    Args:
        film: the film; what lies before its start and behind its end is left out.
        count: how many parts.

    Yields:
        Frames and their pixels' aspect, for `planes`; none of a film that does not say how long it is.

    Raises:
        PictureError: if the system cannot read the file.
        MemoryError: if there is not enough memory.
    """
    if not film.duration:
        return
    last = min(film.end, film.begin + film.duration)
    with film.open() as container:
        stream = find_video(container)
        seen = set()
        for part in range(count):
            time = film.start + (part + 0.5) * (last - film.start) / count
            if not seek(container, int(time * av.time_base)):
                continue
            frame = _first(film, container, stream)
            if frame is not None and frame.pts not in seen:
                seen.add(frame.pts)
                yield frame, stream.codec_context.sample_aspect_ratio


def _first(film: Film, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame | None:
    """The first keyframe from here on that is not damaged; None if there is none near."""
    try:
        for _, packet in zip(range(_PACKETS), film.demux(container, stream), strict=False):
            for frame in packet.decode():
                if frame.key_frame and not frame.is_corrupt:
                    return frame
    except MemoryError:
        raise
    except DAMAGE:
        pass
    return None
