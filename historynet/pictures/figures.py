"""Labelled grids of pictures, and curves."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from historynet import files
from historynet.pictures import color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
        path: the file to write.
        smoothing: steps of the moving mean; a sixth of a curve that is shorter than six times that.
    """
    import matplotlib.figure  # takes a second to import

    columns = min(3, len(curves))
    lines = -(-len(curves) // columns)
    figure = matplotlib.figure.Figure(figsize=(4 * columns, 2.6 * lines), layout="constrained")
    for i, (name, values) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(lines, columns, i)
        # A copy: Matplotlib may hold it for a while, and an array.array with a view of it cannot grow.
        values = np.array(values, float)
        steps = np.arange(1, len(values) + 1)
        axes.plot(steps, values, color="0.75", linewidth=0.8)
        smooth = _moving_mean(values, smoothing)
        window = len(values) - len(smooth) + 1
        axes.plot(steps[window - 1 :], smooth, color="tab:blue", label=f"mean of {window} steps")
        axes.set_title(name)
        axes.set_xlabel("step")
        axes.legend(fontsize="x-small")
    files.write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=100))


def _moving_mean(values: np.ndarray, smoothing: int) -> np.ndarray:
    window = max(1, min(smoothing, len(values) // 6))
    return np.convolve(values, np.ones(window) / window, mode="valid")


def plot_runs(curves: Mapping[str, Mapping[str, Sequence[float]]], path: Path, step: str, smoothing: int = 1) -> None:
    """Draws the curves of several runs over one another, a panel for each quantity, as PNG.

    Args:
        curves: values by quantity and run, from step 1, NaN before the run begins; a run may lack a quantity.
        path: the file to write.
        step: what the horizontal axis counts, its label: "step", "epoch".
        smoothing: steps of the moving mean that is drawn, as in `plot_curves`.
    """
    import matplotlib.figure

    columns = min(3, len(curves))
    lines = -(-len(curves) // columns)
    figure = matplotlib.figure.Figure(figsize=(4 * columns, 0.6 + 2.6 * lines), layout="constrained")
    colors = {run: f"C{i}" for i, run in enumerate(dict.fromkeys(run for runs in curves.values() for run in runs))}
    handles = {}
    for i, (name, runs) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(lines, columns, i)
        for run, values in runs.items():
            values = np.asarray(values, float)
            smooth = _moving_mean(values[np.isnan(values).argmin() :], smoothing)
            steps = np.arange(len(values) - len(smooth) + 1, len(values) + 1)
            # A single step would be no line.
            marker = "o" if len(smooth) < 20 else None
            (handles[run],) = axes.plot(steps, smooth, color=colors[run], marker=marker, markersize=3, linewidth=1.2)
        axes.set_title(name)
        axes.set_xlabel(step)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=min(len(handles), 2 * columns),
        frameon=False,
    )
    files.write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))


def plot_scores(
    measured: Mapping[str, Mapping[str, tuple[float, float]]],
    published: Mapping[str, Mapping[str, Mapping[str, float]]],
    path: Path,
) -> None:
    """Draws a panel for each metric with a line for each method, as PNG.

    Args:
        measured: (mean, standard error) by metric and method.
        published: values by source, metric and method; NaN where there is none.
        path: the file to write.
    """
    import matplotlib.figure

    methods = list(next(iter(measured.values())))
    places = np.arange(len(methods))
    figure = matplotlib.figure.Figure(figsize=(11, 1.7 + 0.42 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(measured), sharey=True, squeeze=False)[0]
    for axes, (metric, scores) in zip(panels, measured.items(), strict=True):
        means, errors = np.array([scores[method] for method in methods], float).T
        for (source, values), marker in zip(published.items(), "Ds^v", strict=False):
            known = [values[metric][method] for method in methods]
            axes.plot(known, places, marker, color="0.35", fillstyle="none", markersize=7, label=f"published, {source}")
        axes.errorbar(
            means,
            places,
            xerr=errors,
            fmt="o",
            color="tab:blue",
            markersize=7,
            capsize=3,
            zorder=3,
            label="measured, standard error",
        )
        axes.set_title(metric)
        axes.grid(axis="x", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.08)
    panels[0].set_yticks(places, methods)
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    files.write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))


def print_pictures(
    rows: Sequence[Sequence[np.ndarray | None]], titles: Sequence[str], paths: Sequence[Path], width: float = 1.3
) -> None:
    """Draws a figure for a paper: rows of pictures under column titles, on white, at 200 dots an inch.

    Args:
        rows: for each row, a uint8 RGB picture a column, or None for an empty place. A row is as high as its first
            picture at the columns' width.
        titles: one for each column.
        paths: files to write, the format by their extension: .png, .pdf.
        width: of a column, inches.
    """
    import matplotlib
    import matplotlib.figure

    gap, header, dots = 0.03, 0.22, 200
    # A strip of 1x20000 does not take the whole page.
    heights = [width * float(np.clip(row[0].shape[0] / row[0].shape[1], 0.3, 3)) for row in rows]
    total = (len(titles) * (width + gap) - gap, header + sum(heights) + gap * (len(rows) - 1))
    figure = matplotlib.figure.Figure(figsize=total)
    top = total[1] - header
    for row, height in zip(rows, heights, strict=True):
        for i, picture in enumerate(row):
            if picture is None:
                continue
            place = (i * (width + gap) / total[0], (top - height) / total[1], width / total[0], height / total[1])
            axes = figure.add_axes(place)
            axes.set_axis_off()
            axes.imshow(shrink(picture, round(height * dots), round(width * dots)), aspect="auto")
        top -= height + gap
    for i, title in enumerate(titles):
        middle = (i * (width + gap) + width / 2) / total[0]
        figure.text(middle, 1 - 0.55 * header / total[1], title, ha="center", va="center", fontsize=8)
    with matplotlib.rc_context({"pdf.fonttype": 42}):  # what publishers take
        for path in paths:
            files.write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=dots))


def shrink(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A uint8 picture at most this large, without moire; smaller ones stay as they are."""
    size = min(width, picture.shape[1]), min(height, picture.shape[0])
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def plot_shares(
    shares: Mapping[str, Sequence[float]],
    intervals: Mapping[str, tuple[float, float]],
    published: Mapping[str, float],
    path: Path,
    label: str,
) -> None:
    """Draws a box plot of shares a group, with published medians, as PNG.

    Args:
        shares: 0..1 by group, NaN is left out; boxes are quartiles, whiskers reach to the last share.
        intervals: of the medians, 0..1 by group; drawn beside the boxes.
        published: medians, 0..1 by group; a group without shares has a place of its own.
        path: the file to write.
        label: of the vertical axis.
    """
    import matplotlib.figure

    groups = list(dict.fromkeys([*shares, *published]))
    figure = matplotlib.figure.Figure(figsize=(2 + 1.6 * len(groups), 4.8), layout="constrained")
    axes = figure.subplots()
    for place, group in enumerate(groups):
        values = 100 * np.asarray(shares.get(group, []), float)
        values = values[~np.isnan(values)]
        if values.size:
            axes.boxplot(
                values, positions=[place], widths=0.5, whis=(0, 100), medianprops={"color": "tab:blue", "linewidth": 2}
            )
            axes.plot(np.full(values.size, place), values, "o", color="0.2", alpha=0.35, markersize=4, zorder=3)
            median, (low, high) = np.median(values), (100 * bound for bound in intervals[group])
            error = [[max(0, median - low)], [max(0, high - median)]]
            axes.errorbar(
                place + 0.36, median, yerr=error, fmt="o", color="tab:blue", capsize=3, label="median, 95% interval"
            )
            _label(axes, place + 0.36, median, on_the_left=False)
        if group in published:
            value, left = 100 * published[group], place - 0.36 * bool(values.size)
            axes.plot(left, value, "D", color="0.35", fillstyle="none", label="published median")
            _label(axes, left, value, on_the_left=True)
    # A name is no formula, and long ones take several lines.
    names = [group if "\n" in group else textwrap.fill(group, 16) for group in groups]
    axes.set_xticks(range(len(groups)), names, parse_math=False)
    axes.set_xlim(-0.75, len(groups) - 0.25)
    axes.set_ylim(-3, 103)
    axes.set_ylabel(label)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    once = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=2, frameon=False)
    files.write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))


def _label(axes: "Axes", place: float, value: float, on_the_left: bool) -> None:
    """Writes a value beside its mark."""
    offset, side = ((-6, 0), "right") if on_the_left else ((5, 0), "left")
    text = f"{value:.1f}"
    axes.annotate(text, (place, value), offset, textcoords="offset points", va="center", ha=side, fontsize=8)


def plot_confusion(matrix: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Draws which class is taken for which as shares of the true class, with the counts of what is there, as PNG.

    Args:
        matrix: counts, (true classes, found classes).
        names: of the classes.
        path: the file to write.
    """
    import matplotlib.figure

    side = 2.5 + 0.3 * len(names)
    figure = matplotlib.figure.Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=6, color=color)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7, parse_math=False)
    axes.set_yticks(range(len(names)), names, fontsize=7, parse_math=False)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.tick_params(length=0)
    files.write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=120))
