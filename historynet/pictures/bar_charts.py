"""Counts and shares as bars."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from historynet import files


def plot_groups(panels: Mapping[str, Mapping[str, Mapping[str, float]]], path: Path, label: str) -> None:
    """Draws a panel for each of some things, in it a group of bars for each of others, as PNG.

    Args:
        panels: values by panel, group and bar; a bar of one name has one colour in all of them.
        path: the file to write.
        label: of the vertical axis.
    """
    import matplotlib.figure

    groups = [len(panel) for panel in panels.values()]
    figure = matplotlib.figure.Figure(figsize=(2 + 1.3 * sum(groups), 4.2), layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=groups)[0]
    names = dict.fromkeys(bar for panel in panels.values() for group in panel.values() for bar in group)
    colors = {name: f"C{i}" for i, name in enumerate(names)}
    for axes, (title, panel) in zip(all_axes, panels.items(), strict=True):
        for place, bars in enumerate(panel.values()):
            for i, (bar, value) in enumerate(bars.items()):
                left = place + (i - (len(bars) - 1) / 2) * 0.24
                drawn = axes.bar(left, value, 0.22, color=colors[bar], label=bar)
                axes.bar_label(drawn, [f"{value:,.0f}"], rotation=90, padding=3, fontsize=7)
        axes.set_xticks(range(len(panel)), panel, fontsize=8)
        axes.set_title(title)
        axes.margins(y=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    all_axes[0].set_ylabel(label)
    handles = {}
    for axes in all_axes:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False)
    files.write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))


def plot_histograms(
    panels: Mapping[str, Mapping[str, Sequence[float]]], edges: Mapping[str, Sequence[float]], path: Path
) -> None:
    """Draws a panel for each histogram, that of several sets over one another, as PNG.

    Args:
        panels: heights of the bins by panel and set.
        edges: of the bins by panel, one more than there are.
        path: the file to write.
    """
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(4.6 * len(panels), 3.4), layout="constrained")
    for i, (title, sets) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), i)
        for name, heights in sets.items():
            axes.stairs(np.asarray(heights, float), np.asarray(edges[title], float), label=name, linewidth=1.5)
        axes.set_title(title, fontsize=10)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        if len(sets) > 1:
            axes.legend(frameon=False, fontsize=8)
    files.write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=150))
