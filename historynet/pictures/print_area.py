"""The print within a scan: what lies inside of a border of paper, mount or film, found on a reduced copy.

From each side a flat strip is looked for that ends at a straight line, nearly parallel to the side. It counts as a
border if all four sides have one, or three have a clear one: a sky, a wall or a studio's backdrop does not end in
straight lines all around. Prints lie on mounts and negatives on paper, so what is found is looked at again.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from historynet.pictures import color

_LONG_SIDE = 512
"""Pixels of the copy in which the print is looked for."""

_SLOPES = np.linspace(-1, 1, 19) * math.tan(math.radians(2.7))
"""Of the lines that may end a border: a scan lies straight within 2 degrees or so."""

_DEEPEST = 0.4
"""Share of the picture that a border takes at most from a side."""

_SMALLEST = 64
"""Pixels of the copy's short side below which nothing is looked for."""

_LEAST = 0.3
"""Share of the picture that the print takes, at least."""

_NOISIEST = 4.0
"""Levels of L by which paper varies, at most, half of the time: what varies more is part of a picture."""

_FLAT = 0.75
"""Share of a border that looks like its paper, at least; the rest are captions and stamps."""

_WEAK, _USUAL, _CLEAR = 0.35, 0.6, 0.8
"""Share of a side along which the border is seen to end: at least; of all four sides on average; of a clear one."""

_UNEVEN = {_CLEAR: 5.0, 0.0: 2.5}
"""By the least score of a side: times the width of the other sides' borders that its own has at most.

What is flat behind that is a picture: dark woods at a black edge, a white sky at white paper.
"""

_ANOTHER = 40
"""Levels of L within which borders are of one paper; one within another is of another."""

_NESTED = 3
"""Borders within one another that are looked for."""


@dataclass
class _Edge:
    """Where a border ends, seen from its side.

    Attributes:
        paper: L of the border.
        score: share of the columns in which something else than the border begins at the line.
        line: the line's row, in pixels from the picture's side, in each column.
        depths: the row for each column at which the border ends: the line's, or a torn edge near to it.
    """

    paper: float
    score: float
    line: np.ndarray
    depths: np.ndarray


def reduce(rgb: np.ndarray) -> np.ndarray:
    """A picture (h, w, 3) of 8 or 16 bits as the uint8 copy in which the print is looked for."""
    height, width = rgb.shape[:2]
    scale = min(1, _LONG_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return color.to_8_bit(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


def border_share(inside: np.ndarray) -> float:
    """The share of a picture that is border, by what `find_print` has found."""
    return 1 - float(inside.mean()) / 255


def find_print(rgb: np.ndarray) -> np.ndarray | None:
    """Where the print lies in a scan.

    Args:
        rgb: uint8 or uint16 RGB (h, w, 3) of any size.

    Returns:
        uint8 (rows, columns), at most 512 of them: 255 inside of the print, 0 in the border, between where the edge
        crosses a pixel. None if no border is found.
    """
    lab = color.rgb_to_lab(reduce(rgb))
    paper, found, rows, columns = None, None, slice(0, lab.shape[0]), slice(0, lab.shape[1])
    for _ in range(_NESTED):
        looked = _look(lab[rows, columns].astype(np.float32), paper)
        if looked is None:
            break
        inner, paper = looked
        found = np.zeros(lab.shape[:2], np.uint8)
        found[rows, columns] = inner
        # Behind the edge itself, which is no picture either.
        ends = [
            _inside(np.mean(found == 255, axis=axis) > 0.5 * np.mean(found == 255, axis=axis).max()) for axis in (1, 0)
        ]
        rows, columns = (slice(first + 2, last - 2) for first, last in ends)
    return found


def _inside(inside: np.ndarray) -> tuple[int, int]:
    places = np.flatnonzero(inside)
    return int(places[0]), int(places[-1]) + 1


def _look(lab: np.ndarray, within: float | None) -> tuple[np.ndarray, float] | None:
    """The print within one border, as of `find_print`, and the border's L.

    Args:
        lab: float32 Lab (rows, columns, 3) of the size in which it is looked for.
        within: L of the border in which it lies; None if it lies in none.
    """
    if min(lab.shape[:2]) < _SMALLEST:
        return None
    sides = [np.ascontiguousarray(np.rot90(lab, turn)) for turn in range(4)]
    edges = [_find_edge(side, 0, side.shape[1], _DEEPEST * len(side)) for side in sides]
    if sum(edge is not None and edge.score > 0.2 for edge in edges) < 3:
        return None
    for _ in range(2):
        depths = [max(0, int(edge.line.mean())) if edge and edge.score > 0.2 else 0 for edge in edges]
        # A side's line goes from one neighbour's to the other's. Turned to the left, what was right is up.
        for turn, side in enumerate(sides):
            first, last = depths[turn - 1], side.shape[1] - depths[(turn + 1) % 4]
            usual = np.median(depths[:turn] + depths[turn + 1 :])
            for score, times in _UNEVEN.items() if last - first >= _SMALLEST // 2 else ():
                deepest = min(_DEEPEST * len(side), times * usual + 0.02 * max(lab.shape))
                edges[turn] = _find_edge(side, first, last, deepest)
                if edges[turn] is None or edges[turn].score >= score:
                    break
    scores = sorted(edge.score if edge else 0.0 for edge in edges)
    everywhere = scores[0] >= _WEAK and np.mean(scores) >= (_USUAL if within is None else _CLEAR)
    if not everywhere and (within is not None or scores[1] < _CLEAR):
        return None
    inside, papers = np.ones(lab.shape[:2], np.float32), []
    for turn, edge in enumerate(edges):
        if edge and (everywhere or edge.score >= _CLEAR):
            rows = np.arange(1, len(sides[turn]) + 1, dtype=np.float32)[:, None]
            inside *= np.rot90(np.clip(rows - edge.depths, 0, 1), -turn)
            papers.append(edge.paper)
    paper = float(np.mean(papers))
    another = within is None or abs(paper - within) > _ANOTHER
    if inside.mean() < _LEAST or np.ptp(papers) > _ANOTHER or not another:
        return None
    return np.rint(inside * 255).astype(np.uint8), paper


def _distance(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far the pixels of two pictures are apart, by the channel in which they are so most."""
    far = np.abs(lab - other)
    # Five times as fast as the largest over an axis of three.
    return np.maximum(np.maximum(far[..., 0], far[..., 1]), far[..., 2])


def _paper(lab: np.ndarray) -> tuple[np.ndarray, float]:
    """The border's own Lab along the upper side (w, 3), and how far it varies, in levels of L."""
    height, width = lab.shape[:2]
    strip = lab[: max(2, round(0.012 * max(height, width)))]
    blocks = np.array([np.median(block, axis=(0, 1)) for block in np.array_split(strip, 9, axis=1)])
    # What is written there, or the print itself, may fill two of nine.
    padded = np.pad(blocks, ((2, 2), (0, 0)), "reflect")
    blocks = np.median([padded[i : i + len(blocks)] for i in range(5)], axis=0)
    centers = (np.arange(len(blocks)) + 0.5) * width / len(blocks)
    paper = np.stack([np.interp(np.arange(width), centers, channel) for channel in blocks.T], axis=-1)
    return paper.astype(np.float32), float(np.median(np.abs(strip - paper)[..., 0]))


def _find_edge(lab: np.ndarray, first: int, last: int, deepest: float) -> _Edge | None:
    """The line at which the border of the upper side ends, judged by the columns from `first` to `last`."""
    width = lab.shape[1]
    paper, noise = _paper(lab)
    if noise > _NOISIEST:
        return None
    rows = max(4, int(deepest))
    upper = lab[: rows + 3]
    like = _distance(upper, paper) < min(10 + 3 * noise, 24)
    # The edge of a reduced picture is blurred over two pixels.
    begins = like[:-3] & ~like[3:] & (_distance(upper[3:], upper[:-3]) > max(8, 4 * noise))
    begins = cv2.dilate(np.pad(begins, ((1, 0), (0, 0)))[:rows].astype(np.uint8), np.ones((3, 1), np.uint8))
    flat = np.cumsum(like[:rows], axis=0)
    best = 0.0, 0, 0.0
    for slope, (score, before) in zip(_SLOPES, _along_lines(np.stack([begins, flat]), first, last), strict=True):
        score[before < _FLAT * (np.arange(rows) + 1)] = 0
        if score.max() > best[0]:
            best = float(score.max()), int(score.argmax()), slope
    score, offset, slope = best
    if not score:
        return None
    line = offset + 1 + slope * (np.arange(width) - (width - 1) / 2)
    return _Edge(float(np.median(paper[:, 0])), score, *_refined(lab, paper, line, first, last))


def _along_lines(maps: np.ndarray, first: int, last: int) -> Iterator[np.ndarray]:
    """The means of maps (n, rows, width) along lines, (n, rows) by the row in the middle, for each of the slopes."""
    rows, width = maps.shape[1:]
    beyond = math.ceil(_SLOPES[-1] * width / 2)
    # What would lie outside of the picture counts as what is nearest. A line is a staircase: sums of whole steps.
    sums = np.pad(maps[..., first:last], ((0, 0), (beyond, beyond), (1, 0)), "edge").transpose(2, 0, 1)
    sums = np.cumsum(sums, axis=0, dtype=np.float32)
    for slope in _SLOPES:
        shifts = beyond + np.rint(slope * (np.arange(first, last) - (width - 1) / 2)).astype(int)
        cuts = [0, *(np.flatnonzero(np.diff(shifts)) + 1), len(shifts)]
        steps = zip(cuts, cuts[1:], shifts[cuts[:-1]], strict=False)
        yield sum((sums[end] - sums[start])[:, shift : shift + rows] for start, end, shift in steps) / (last - first)


_AROUND = 5
"""Rows before and behind a line in which the edge itself is measured."""


def _refined(
    lab: np.ndarray, paper: np.ndarray, line: np.ndarray, first: int, last: int
) -> tuple[np.ndarray, np.ndarray]:
    """A line to parts of a pixel, and the edge near to it that a torn print has, as rows for each column."""
    height, width = lab.shape[:2]
    reach = max(_AROUND, round(0.02 * max(height, width)))
    columns = np.arange(width)

    def measure(near: int) -> tuple[np.ndarray, np.ndarray]:
        places = np.rint(line).astype(int) + np.arange(-near, near)[:, None]
        around = _distance(lab[np.clip(places, 0, height - 1), columns], paper)
        around[places < 0] = 0
        inner = np.sort(around[near:], axis=0)[-3]
        # The first row of the print, and the share of the pixel before that.
        share = np.clip(around / np.maximum(inner, 1), 0, 1)
        begun = share > 0.5
        row = begun.argmax(axis=0)
        before = np.where(row > 0, share[np.maximum(row - 1, 0), columns], 0)
        after = share[row, columns]
        part = np.clip((after - 0.5) / np.maximum(after - before, 1e-3), 0, 1)
        return places[row, columns] + 0.5 - part, begun.any(axis=0) & (inner > 12)

    depths, seen = measure(_AROUND)
    known = seen & (columns >= first) & (columns < last) & (np.abs(depths - line) < 2.5)
    if np.count_nonzero(known) < 8:
        return line, line
    for _ in range(2):
        line = np.polyval(np.polyfit(columns[known], depths[known], 1), columns)
        known &= np.abs(depths - line) < 1.5
        if np.count_nonzero(known) < 8:
            break
    torn, seen = measure(reach)
    torn = np.where(seen & (columns >= first) & (columns < last), torn, line)
    torn = cv2.medianBlur(torn.astype(np.float32)[None], 5)[0]
    if np.median(np.abs(torn - line)[first:last]) < 1:
        return line, line
    return line, torn
