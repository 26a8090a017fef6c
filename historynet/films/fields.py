"""Interlaced films: which field is shown first, film that was spread over fields (telecine), whole frames of both."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
import numpy as np

from historynet.films.planes import view

PROGRESSIVE, TOP_FIRST, BOTTOM_FIRST = 0, 4, 5
"""Which field is shown first, as an encoder takes it (libav's AVFieldOrder, where fields lie line by line)."""

_FIRST = {2: TOP_FIRST, 3: BOTTOM_FIRST, 4: TOP_FIRST, 5: BOTTOM_FIRST}
"""The same by all of libav's numbers, as editing programs write them."""

CYCLE = 5
"""Telecine makes so many frames of four of film (2:3 pulldown: 24 frames a second become 30)."""

_STILL = 0.5
"""Levels that fields differ by where nothing moves."""

_REPEATED = 0.4
"""A field that repeats the one before differs from it by less than so much of what others do."""


def first_field(frames: Sequence[av.VideoFrame], stream: av.VideoStream) -> int:
    """Which field of a film is shown first; PROGRESSIVE if neither frames nor file say that it is interlaced.

    Args:
        frames: some of them, at least one.
        stream: that they are of.
    """
    marked = [frame for frame in frames if frame.interlaced_frame]
    if not marked:
        return _FIRST.get(stream.codec_context.field_order, PROGRESSIVE)
    # PyAV does not tell, but libav's filters know.
    time_base = marked[0].time_base
    graph = _make_graph(marked[0], ["select=eq(interlace_type\\,TOPFIRST)"], time_base)
    return TOP_FIRST if list(_pull(graph, marked[0], time_base)) else BOTTOM_FIRST


def is_telecined(frames: Iterable[av.VideoFrame]) -> bool:
    """Whether one upper and one lower field of each five repeat those of the frame before, at different frames.

    Args:
        frames: some twenty or more in order; where nothing moves nothing is found.
    """
    changes, before = [], None
    for frame in frames:
        deep = frame.format.components[0].bits > 8
        luma = frame.reformat(format="gray16le" if deep else "gray").planes[0]
        luma = view(luma, deep).astype(np.float32) / (257 if deep else 1)
        fields = luma[: len(luma) // 2 * 2].reshape(len(luma) // 2, 2, -1).swapaxes(0, 1)
        if before is not None and fields.shape == before.shape:
            changes.append(np.abs(fields - before).mean(axis=(1, 2)))
        before = fields
    if len(changes) < 4 * CYCLE:
        return False
    repeats = [_find_repeats(change) for change in np.transpose(changes)]
    return None not in repeats and (repeats[0] - repeats[1]) % CYCLE in (2, 3)


def _find_repeats(changes: np.ndarray) -> int | None:
    """The place in the cycle at which fields hardly change; None without one."""
    places = np.arange(len(changes)) % CYCLE
    # Medians: a cut says nothing.
    typical = [float(np.median(changes[places == place])) for place in range(CYCLE)]
    lowest = int(np.argmin(typical))
    others = min(typical[:lowest] + typical[lowest + 1 :])
    return lowest if others > _STILL and typical[lowest] < _REPEATED * others else None


def whole_frames(
    frames: Iterable[av.VideoFrame], telecined: bool, marked: bool, time_base: Fraction
) -> Iterator[av.VideoFrame]:
    """The frames of an interlaced film without its fields: libav's bwdif; of a telecined film those of the film itself.

    Args:
        frames: with their times.
        telecined: whether the film is telecined: four frames are made of five.
        marked: whether interlaced frames are marked as such; else all are taken for it.
        time_base: of their times.

    Raises:
        av.FFmpegError: if the filter can't be had for such frames.
    """
    fields = f"bwdif=mode=send_frame:deint={'interlaced' if marked or telecined else 'all'}"
    chain = ["fieldmatch", fields, f"decimate=cycle={CYCLE}"] if telecined else [fields]
    graph, form = None, None
    for frame in frames:
        if (frame.width, frame.height, frame.format.name) != form:
            if graph:
                yield from _pull(graph, None, time_base)
            form = frame.width, frame.height, frame.format.name
            graph = _make_graph(frame, chain, time_base)
        yield from _pull(graph, frame, time_base)
    if graph:
        yield from _pull(graph, None, time_base)


def _make_graph(frame: av.VideoFrame, chain: list[str], time_base: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = {
        "video_size": f"{frame.width}x{frame.height}",
        "pix_fmt": frame.format.name,
        "time_base": str(time_base),
        # Pulldown is undone at a constant rate only; which one does not matter.
        "frame_rate": "30000/1001",
    }
    nodes = [graph.add("buffer", **source), *(graph.add(*link.split("=", 1)) for link in chain)]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph


def _pull(graph: av.filter.Graph, frame: av.VideoFrame | None, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """Lets a frame in, None at the end, and all out that are ready."""
    graph.vpush(frame)
    while True:
        try:
            ready = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        if ready.pts is not None:
            ready.pts = round(ready.pts * ready.time_base / time_base)
        ready.time_base = time_base
        yield ready


class Marker:
    """Marks frames as interlaced ones whose upper field is shown first; x264 takes all others for the other order.

    Args:
        frame: one of those that are to be marked.
    """

    def __init__(self, frame: av.VideoFrame):
        self._graph = _make_graph(frame, ["setfield=tff"], frame.time_base)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        (marked,) = _pull(self._graph, frame, frame.time_base)
        return marked
