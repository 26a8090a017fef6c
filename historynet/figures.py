"""Labelled grids of pictures, and curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from historynet import color
from historynet.images import write_atomically

_HEADER = 28
_GAP = 4
_WHITE = 255


def grid(rows: Sequence[Sequence[np.ndarray | None]], titles: Sequence[str], height: int = 224) -> np.ndarray:
    """Rows of pictures under column titles.

    Args:
        rows: for each row, a uint8 RGB picture a column, or None for an empty place; sizes may differ.
        titles: one for each column.
        height: of each row, pixels; a column is as wide as its widest picture at that height.

    Returns:
        uint8 RGB.
    """
    scaled = [[None if picture is None else scale(picture, height) for picture in row] for row in rows]
    widths = [
        max((row[i].shape[1] for row in scaled if row[i] is not None), default=height) for i in range(len(titles))
    ]
    canvas = np.full(
        (_HEADER + len(rows) * (height + _GAP), sum(widths) + _GAP * (len(titles) - 1), 3), _WHITE, np.uint8
    )
    left = 0
    for i, (title, width) in enumerate(zip(titles, widths, strict=True)):
        cv2.putText(canvas, title, (left + 4, _HEADER - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        for j, row in enumerate(scaled):
            if row[i] is not None:
                top = _HEADER + j * (height + _GAP)
                canvas[top : top + height, left : left + row[i].shape[1]] = row[i]
        left += width + _GAP
    return canvas


def scale(picture: np.ndarray, height: int = 224) -> np.ndarray:
    """A uint8 picture at the height of a grid's row; a panorama or a 1x20000 strip does not take the whole page."""
    width = int(np.clip(round(picture.shape[1] * height / picture.shape[0]), height // 4, height * 3))
    return color.resize(picture, height, width)


def plot_curves(curves: Mapping[str, Sequence[float]], path: Path, smoothing: int) -> None:
    """Draws each curve over the step in a plot of its own, its moving mean on top, as PNG.

    Args:
        curves: values by name, one a step.
        path: the file.
        smoothing: steps of the moving mean; a sixth of a curve that is shorter than six times that.
    """
    import matplotlib.figure  # takes a second to import

    columns = 3
    lines = -(-len(curves) // columns)
    figure = matplotlib.figure.Figure(figsize=(4 * columns, 2.6 * lines), layout="constrained")
    for i, (name, values) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(lines, columns, i)
        values = np.asarray(values, float)
        steps = np.arange(1, len(values) + 1)
        axes.plot(steps, values, color="0.75", linewidth=0.8)
        window = max(1, min(smoothing, len(values) // 6))
        smooth = np.convolve(values, np.ones(window) / window, mode="valid")
        axes.plot(steps[window - 1 :], smooth, color="tab:blue", label=f"mean of {window} steps")
        axes.set_title(name)
        axes.set_xlabel("step")
        axes.legend(fontsize="x-small")
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100))
