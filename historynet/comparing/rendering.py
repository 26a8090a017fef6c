"""A measured table as text, Markdown, LaTeX, CSV and a chart; pictures and their results side by side."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from historynet import files
from historynet.comparing import metrics
from historynet.comparing.comparison import COLORFULNESS, LPIPS, PSNR, SSIM, Comparison
from historynet.comparing.methods import METRICS
from historynet.comparing.pairing import pair_folders
from historynet.comparing.tables import Table
from historynet.errors import InputError
from historynet.pictures import color, figures, images

Item = TypeVar("Item")

_DECIMALS = 4
_HEADERS = {LPIPS: "LPIPS↓", PSNR: "PSNR↑", SSIM: "SSIM↑"}


ORIGINAL, GRAY, RESULTS = "Original", "Gray", "results"
"""Columns of `draw_pictures`."""


class _Best(str):
    """A cell that holds the best value of its column."""


def as_text(table: Table) -> str:
    """For a terminal: columns of equal width, the best of each with an asterisk."""
    parts = [f"{title}\n" + text_of(cells) for title, cells in _parts(table)]
    return "\n\n".join([*parts, "\n".join(table.notes("* best"))])


def as_markdown(table: Table) -> str:
    """Tables of Markdown, the best of each column in bold."""
    parts = [f"**{title}**\n\n" + markdown_of(cells) for title, cells in _parts(table)]
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in table.notes("bold: best"))])


def as_latex(table: Table) -> str:
    r"""Two `tabular`s for the package booktabs, the best of each column in \textbf."""
    notes = "\n".join(f"% {note}" for note in table.notes("bold: best"))
    return "\n\n".join([notes, *(f"% {title}\n" + latex_of(cells) for title, cells in _parts(table))])


def as_csv(table: Table) -> str:
    """One line a method: pairs; mean and standard deviation of each score; published values and differences."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    published = [(metric, source) for metric in METRICS for source in table.experiment.sources]
    rows.writerow(
        ["method", "pairs", "originals"]
        + [f"{metric}{suffix}" for metric in table.metrics for suffix in ("", " deviation")]
        + [f"{metric} {source}{suffix}" for metric, source in published for suffix in ("", " difference")]
    )
    for name, row in table.rows.items():
        cells = [name, len(row.scores), _originals(row)]
        for metric in table.metrics:
            cells += [_number(row.mean(metric)), _number(row.deviation(metric))]
        for metric, source in published:
            value = table.experiment.published(name, metric, source)
            cells += [value, _number(table.difference(name, metric, source))]
        rows.writerow(cells)
    return file.getvalue()


def draw(table: Table, path: Path) -> None:
    """Writes a chart of the measured means, their standard errors, and the published means, as PNG."""
    measured = {
        _HEADERS[metric]: {name: (row.mean(metric), _error(row, metric)) for name, row in table.rows.items()}
        for metric in METRICS
        if metric in table.metrics
    }
    published = {
        source: {
            _HEADERS[metric]: {
                name: float(table.experiment.published(name, metric, source) or "nan") for name in table.rows
            }
            for metric in METRICS
        }
        for source in table.experiment.sources
    }
    figures.plot_scores(measured, published, path)


def write(table: Table, folder: Path, name: str) -> None:
    """Writes NAME.txt, .md, .csv, .tex and the chart NAME.png into a folder.

    Raises:
        InputError: if they cannot be written.
    """
    for extension, render in {"txt": as_text, "md": as_markdown, "csv": as_csv, "tex": as_latex}.items():
        files.write_text(folder / f"{name}.{extension}", render(table).rstrip() + "\n")
    draw(table, folder / f"{name}.png")


def draw_pictures(
    originals: Path,
    folders: Mapping[str, Path],
    paths: Sequence[Path],
    rows: int,
    names: Sequence[str] = (),
    columns: Sequence[str] = (ORIGINAL, GRAY, RESULTS),
) -> None:
    """Draws the papers' figures of pictures: originals, their gray versions, and each method's results.

    Args:
        originals: folder of pictures.
        folders: folders of results by column title.
        paths: files to write, .png or .pdf.
        rows: how many pictures, spread evenly over those that every method has a result of.
        names: these originals instead, if there are any.
        columns: ORIGINAL, GRAY and RESULTS, which is a column for each folder, in any order.

    Raises:
        InputError: if there is no such original, or no picture that all methods have.
        PictureError: if a picture cannot be read.
    """
    results = {
        title: {original.name: result for original, result in pair_folders(originals, folder).pairs}
        for title, folder in folders.items()
    }
    shared = [name for name in images.list_pictures(originals) if all(name in found for found in results.values())]
    if not names and not shared:
        raise InputError(f"{originals}: of no picture here do all methods have a result")
    pictures = []
    for name in names or evenly(shared, rows):
        original = images.read_rgb(originals / name)
        made = [images.read_rgb(found[name]) if name in found else None for found in results.values()]
        shown = {ORIGINAL: [original], GRAY: [color.to_gray(original)], RESULTS: made}
        pictures.append([picture for column in columns for picture in shown[column]])
    titles = [title for column in columns for title in (folders if column == RESULTS else [column])]
    figures.print_pictures(pictures, titles, paths)


def text_of(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, the first the headers, as columns of equal width."""
    lines = [[cell + ("*" if isinstance(cell, _Best) else " ") for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in (aligned[0], "-" * len(aligned[0]), *aligned[1:]))


def markdown_of(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, the first the headers, as a table of Markdown."""
    rows = [
        "| " + " | ".join(f"**{cell}**" if isinstance(cell, _Best) else cell for cell in line) + " |" for line in lines
    ]
    return "\n".join([rows[0], "|---|" + "---:|" * (len(lines[0]) - 1), *rows[1:]])


def latex_of(lines: Sequence[Sequence[str]]) -> str:
    r"""Lines of cells, the first the headers, as a `tabular` for the package booktabs."""

    def escape(cell: str) -> str:
        escaped = re.sub(r"([&%#_$])", r"\\\1", cell)
        escaped = escaped.replace("↓", r"$\downarrow$").replace("↑", r"$\uparrow$")
        escaped = re.sub(r"\(-([\d.]+)\)", r"($-$\1)", escaped)
        return rf"\textbf{{{escaped}}}" if isinstance(cell, _Best) else escaped

    rows = [" & ".join(map(escape, line)) + r" \\" for line in lines]
    return "\n".join(
        [
            r"\begin{tabular}{l" + "r" * (len(lines[0]) - 1) + "}",
            *(r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"),
            r"\end{tabular}",
        ]
    )


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """So many items, spread evenly over all from the first to the last; all if there are fewer."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, count).round().astype(int))]


def _parts(table: Table) -> list[tuple[str, list[list[str]]]]:
    """(title, lines of cells) of the measured table and, if any value was published, of the published one."""
    title, published = table.experiment.title, _published_cells(table)
    parts = [(f"{title}, measured", _measured_cells(table))]
    return parts + [(f"{title}, published", published)] * (len(published) > 1)


def _measured_cells(table: Table) -> list[list[str]]:
    best = {}
    for metric in METRICS:
        means = [row.mean(metric) for row in table.rows.values() if metric in table.metrics]
        # Where all are alike none is best.
        if len({round(mean, _DECIMALS) for mean in means}) > 1:
            found = (min if metric == LPIPS else max)(metrics.finite(means), default=math.nan)
            best[metric] = round(found, _DECIMALS)
    lines = [["Method", "Pairs", *(_HEADERS.get(metric, metric) for metric in table.metrics)]]
    if table.original_colorfulness is not None:
        blank = ["" if metric != COLORFULNESS else f"{table.original_colorfulness:.2f}" for metric in table.metrics]
        lines.append(["Original", "", *blank])
    for name, row in table.rows.items():
        cells = [name, f"{len(row.scores)} of {_originals(row)}"]
        for metric in table.metrics:
            mean = row.mean(metric)
            cell = f"{mean:.{2 if metric == COLORFULNESS else _DECIMALS}f}"
            cells.append(_Best(cell) if round(mean, _DECIMALS) == best.get(metric) else cell)
        lines.append(cells)
    return lines


def _published_cells(table: Table) -> list[list[str]]:
    """A line of headers, and one for each method that has a published value."""
    columns = [(metric, source) for metric in METRICS for source in table.experiment.sources]
    lines = [["Method", *(f"{_HEADERS[metric]} {source}" for metric, source in columns)]]
    for name in table.rows:
        values = [table.experiment.published(name, *column) for column in columns]
        if any(values):
            differences = [table.difference(name, *column) for column in columns]
            lines.append([name, *map(_with_difference, values, differences)])
    return lines


def _originals(row: Comparison) -> int:
    return len(row.pairing.pairs) + len(row.pairing.without_result)


def _error(row: Comparison, metric: str) -> float:
    """The standard error of the mean."""
    return row.deviation(metric) / math.sqrt(max(1, row.values(metric).size))


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


def _with_difference(value: str, difference: float) -> str:
    decimals = len(value.partition(".")[2])
    return value if math.isnan(difference) else f"{value} ({difference:+.{decimals}f})"
