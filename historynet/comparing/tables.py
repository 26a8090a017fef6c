"""Folders of results -> the papers' tables of LPIPS, PSNR and SSIM, with the published values beside."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from historynet import files
from historynet.comparing import metrics
from historynet.comparing.comparison import COLORFULNESS, LPIPS, PSNR, SSIM, Comparison, compare
from historynet.comparing.metrics import Convention
from historynet.comparing.pairing import pair_folders
from historynet.comparing.perceptual import Lpips
from historynet.errors import InputError, PictureError
from historynet.parallel import CORES, map_ahead
from historynet.pictures import color, figures, images

METRICS = (LPIPS, PSNR, SSIM)
"""The columns of the papers' tables, in their order."""

PAPER, COMPANION = "MM '21", "MM '22"
"""The two sources of published values: the paper, and its reproducibility companion. They differ."""

_DECIMALS = 4


@dataclass(frozen=True)
class Method:
    """A row of a published table.

    Attributes:
        name: as in the companion.
        folders: what its folder of results may be called, as `_plain` leaves it.
        published: LPIPS, PSNR and SSIM by source, as printed there.
    """

    name: str
    folders: frozenset[str]
    published: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Experiment:
    """A published table: where its values are printed, and its rows."""

    title: str
    sources: Mapping[str, str]
    methods: Sequence[Method]


def _method(name: str, folders: str, paper: str, companion: str) -> Method:
    return Method(name, frozenset(folders.split()), {PAPER: paper.split(), COMPANION: companion.split()})


EXPERIMENTS = {
    "quantitative": Experiment(
        "Quantitative comparison",
        {PAPER: "the paper's Table 2", COMPANION: "the companion's Table 1"},
        (
            _method("Iizuka et al.", "iizuka", "0.134 25.779 0.956", "0.134 25.779 0.956"),
            _method("Larsson et al.", "larsson", "0.147 24.527 0.946", "0.147 24.506 0.946"),
            _method("Deoldify", "deoldify", "0.127 26.321 0.957", "0.127 26.321 0.957"),
            _method("ChromaGAN", "chromagan", "0.118 29.487 0.951", "0.076 29.748 0.955"),
            _method("Su et al.", "su instcolorization", "0.132 25.951 0.941", "0.150 24.660 0.936"),
            _method("HistoryNet", "historynet ours", "0.101 30.638 0.962", "0.074 29.958 0.963"),
        ),
    ),
    "ablation": Experiment(
        "Ablation",
        {PAPER: "the paper's Table 3", COMPANION: "the companion's Table 2"},
        (
            _method("Baseline", "baseline chromagan", "0.123 27.093 0.946", "0.0652 31.2108 0.9587"),
            _method(
                "Baseline+Classifier",
                "baselineclassifier historynetclassifier sourceclassifier classifier",
                "0.119 29.828 0.951",
                "0.0665 31.1887 0.9607",
            ),
            _method(
                "Baseline+Parsing",
                "baselineparsing historynetparsing sourceparsing parsing",
                "0.121 28.992 0.948",
                "0.0662 31.4211 0.9615",
            ),
            _method("HistoryNet", "historynet sourcehistorynet ours", "0.107 30.585 0.959", "0.0632 31.6704 0.9618"),
        ),
    ),
}

_ORIGINALS = frozenset({"original", "originals", "groundtruth", "gt", "true", "source", "datasetsecond"})


def _plain(name: str) -> str:
    """A folder's name without what is added to a method's: "Iizuka et al. [18] results" is "iizuka"."""
    words = re.findall(r"[a-z]+", name.lower())
    extra = {"et", "al", "result", "results", "image", "images", "img", "imgs", "colorized", "reconstructed"}
    return "".join(word for word in words if word not in extra)


ORIGINALS = "originals"


def find_folders(folder: Path, experiment: Experiment, named: Mapping[str, Path]) -> tuple[dict[str, Path], list[Path]]:
    """The folders of the originals and of each method, in a folder laid out like the release's.

    Args:
        folder: holds them.
        experiment: whose methods are looked for.
        named: folders that are known already, by method or ORIGINALS.

    Returns:
        Folders by method or ORIGINALS, the named ones included, and the other folders.

    Raises:
        InputError: if the folder cannot be read, or two folders fit one name.
    """
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from None
    found, others = {}, []
    for path in folders:
        name = ORIGINALS if _plain(path.name) in _ORIGINALS else _find(path.name, experiment)
        if name in found:
            raise InputError(
                f"{folder}: {found[name].name} and {path.name} both look like {name}; name the one with "
                + ("--originals DIR" if name == ORIGINALS else f"--method '{name}=DIR'")
            )
        if name and name not in named:
            found[name] = path
        else:
            others.append(path)
    return found | named, others


def _find(name: str, experiment: Experiment) -> str | None:
    return next((method.name for method in experiment.methods if _plain(name) in method.folders), None)


def method_name(name: str, experiment: Experiment) -> str:
    """The published method's own name for a name that is like it; any other name as it is."""
    return _find(name, experiment) or name


def in_order(folders: Mapping[str, Path], experiment: Experiment) -> dict[str, Path]:
    """Folders by method, in the published order; other methods after them."""
    order = [method.name for method in experiment.methods]
    return dict(sorted(folders.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


@dataclass
class Table:
    """An experiment, measured.

    Attributes:
        experiment: which.
        protocol: how the values were computed.
        metrics: the measured columns.
        rows: by method.
        original_colorfulness: mean over the originals; None if it was not asked for.
        left_out: why methods have no row.
    """

    experiment: Experiment
    protocol: str
    metrics: Sequence[str]
    rows: dict[str, Comparison] = field(default_factory=dict)
    original_colorfulness: float | None = None
    left_out: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For a terminal: columns of equal width, the best of each with an asterisk."""
        return "\n\n".join(
            [f"{title}\n" + _text(cells) for title, cells in self._parts()] + ["\n".join(self.notes("* best"))]
        )

    def markdown(self) -> str:
        """Tables of Markdown, the best of each column in bold."""
        parts = [f"**{title}**\n\n" + _markdown(cells) for title, cells in self._parts()]
        return "\n\n".join([*parts, "\n".join(f"- {note}" for note in self.notes("bold: best"))])

    def latex(self) -> str:
        r"""Two `tabular`s for the package booktabs, the best of each column in \textbf."""
        notes = "\n".join(f"% {note}" for note in self.notes("bold: best"))
        return "\n\n".join([notes, *(f"% {title}\n" + _latex(cells) for title, cells in self._parts())])

    def csv(self) -> str:
        """One line a method: pairs; mean and standard deviation of each score; published values and differences."""
        file = io.StringIO()
        rows = csv.writer(file, lineterminator="\n")
        published = [(metric, source) for metric in METRICS for source in self.experiment.sources]
        rows.writerow(
            ["method", "pairs", "originals"]
            + [f"{metric}{suffix}" for metric in self.metrics for suffix in ("", " deviation")]
            + [f"{metric} {source}{suffix}" for metric, source in published for suffix in ("", " difference")]
        )
        for name, row in self.rows.items():
            cells = [name, len(row.scores), _originals(row)]
            for metric in self.metrics:
                cells += [_number(row.mean(metric)), _number(row.deviation(metric))]
            for metric, source in published:
                value, difference = self._published(name, metric, source)
                cells += [value, _number(difference)]
            rows.writerow(cells)
        return file.getvalue()

    def notes(self, best: str) -> list[str]:
        """What a reader must know, a sentence each."""
        sources = [f"{source}: {where}" for source, where in self.experiment.sources.items()]
        brackets = ["in brackets the measured value minus the published"] if sources else []
        notes = [self.protocol, "; ".join([best, *sources, *brackets])]
        if LPIPS not in self.metrics:
            notes.append("LPIPS was not measured")
        counts = {len(row.scores) for row in self.rows.values()}
        if len(counts) > 1:
            notes.append("the methods were compared on different numbers of pairs: their means are not comparable")
        for name, row in self.rows.items():
            if equal := len(row.scores) - row.values(PSNR).size:
                notes.append(f"{name}: {equal} results equal their originals; their infinite PSNR is not in the mean")
            if row.gray_results:
                notes.append(f"{name}: {row.gray_results} results without any colour")
            if row.resized:
                notes.append(f"{name}: {row.resized} results resized to their originals")
            if row.pairing.without_original:
                notes.append(f"{name}: {len(row.pairing.without_original)} results without an original")
            if missing := len(row.different_size) + len(row.unreadable):
                notes.append(f"{name}: {missing} pairs left out: of different size or not readable")
        return notes

    def draw(self, path: Path) -> None:
        """A chart of the measured and the published means, as PNG."""
        figures.plot_scores(
            {
                _HEADERS[metric]: {name: (row.mean(metric), _error(row, metric)) for name, row in self.rows.items()}
                for metric in METRICS
                if metric in self.metrics
            },
            {
                source: {
                    _HEADERS[metric]: {
                        name: float(self._published(name, metric, source)[0] or "nan") for name in self.rows
                    }
                    for metric in METRICS
                }
                for source in self.experiment.sources
            },
            path,
        )

    def _parts(self) -> list[tuple[str, list[list[str]]]]:
        """(title, lines of cells) of the measured and of the published table."""
        best = {}
        for metric in METRICS:
            means = metrics.finite([row.mean(metric) for row in self.rows.values() if metric in self.metrics])
            best[metric] = round((min if metric == LPIPS else max)(means, default=math.nan), _DECIMALS)
        measured = [["Method", "Pairs", *(_HEADERS.get(metric, metric) for metric in self.metrics)]]
        if self.original_colorfulness is not None:
            blank = ["" if metric != COLORFULNESS else f"{self.original_colorfulness:.2f}" for metric in self.metrics]
            measured.append(["Original", "", *blank])
        for name, row in self.rows.items():
            cells = [name, f"{len(row.scores)} of {_originals(row)}"]
            for metric in self.metrics:
                mean = row.mean(metric)
                text = f"{mean:.{2 if metric == COLORFULNESS else _DECIMALS}f}"
                cells.append(_Best(text) if round(mean, _DECIMALS) == best.get(metric) else text)
            measured.append(cells)
        published = [["Method", *(f"{_HEADERS[m]} {source}" for m in METRICS for source in self.experiment.sources)]]
        for name in self.rows:
            values = [self._published(name, metric, source) for metric in METRICS for source in self.experiment.sources]
            if any(value for value, _ in values):
                published.append([name, *(_with_difference(*value) for value in values)])
        parts = [(f"{self.experiment.title}, measured", measured)]
        return parts + [(f"{self.experiment.title}, published", published)] * (len(published) > 1)

    def _published(self, name: str, metric: str, source: str) -> tuple[str, float]:
        """The value as printed, "" if there is none; the measured minus the published value, NaN if one is missing."""
        for method in self.experiment.methods:
            if method.name == name:
                value = method.published[source][METRICS.index(metric)]
                return value, self.rows[name].mean(metric) - float(value) if metric in self.metrics else math.nan
        return "", math.nan


class _Best(str):
    """A cell that holds the best value of its column."""


_HEADERS = {LPIPS: "LPIPS↓", PSNR: "PSNR↑", SSIM: "SSIM↑"}


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


def _text(lines: Sequence[Sequence[str]]) -> str:
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


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    rows = [
        "| " + " | ".join(f"**{cell}**" if isinstance(cell, _Best) else cell for cell in line) + " |" for line in lines
    ]
    return "\n".join([rows[0], "|---|" + "---:|" * (len(lines[0]) - 1), *rows[1:]])


def _latex(lines: Sequence[Sequence[str]]) -> str:
    def escape(cell: str) -> str:
        text = re.sub(r"([&%#_$])", r"\\\1", cell)
        text = text.replace("↓", r"$\downarrow$").replace("↑", r"$\uparrow$")
        text = re.sub(r"\(-([\d.]+)\)", r"($-$\1)", text)
        return rf"\textbf{{{text}}}" if isinstance(cell, _Best) else text

    rows = [" & ".join(map(escape, line)) + r" \\" for line in lines]
    return "\n".join(
        [
            r"\begin{tabular}{l" + "r" * (len(lines[0]) - 1) + "}",
            *(r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"),
            r"\end{tabular}",
        ]
    )


def measure(
    experiment: Experiment,
    originals: Path,
    folders: Mapping[str, Path],
    convention: Convention,
    lpips: Lpips | None = None,
    colorfulness: bool = False,
    resize: bool = False,
    progress: Callable[[int], object] = lambda count: None,
) -> Table:
    """Compares each method's results with the originals.

    Args:
        experiment: which table it is to be.
        originals: folder of pictures.
        folders: of results, by method, in the order of the rows.
        convention: of PSNR and SSIM.
        lpips: None leaves the column out.
        colorfulness: one more column.
        resize: results that differ in size; otherwise such pairs are left out.
        progress: called with the number of pairs just finished.

    Raises:
        InputError: if there is no method whose results can be compared.
    """
    wanted = {LPIPS: lpips, PSNR: True, SSIM: True, COLORFULNESS: colorfulness}
    protocol = "; ".join(str(how) for how in (convention, lpips) if how)
    table = Table(experiment, protocol, [metric for metric, how in wanted.items() if how])
    for name, folder in folders.items():
        try:
            row = compare(pair_folders(originals, folder), convention, lpips, colorfulness, resize, progress)
            if not row.scores:
                raise InputError(f"{folder}: no pair could be compared")
            table.rows[name] = row
        except InputError as error:
            table.left_out.append(f"{name}: {error}")
    if not table.rows:
        raise InputError("; ".join(table.left_out) or f"{originals}: there are no results to compare with")
    if colorfulness:
        table.original_colorfulness = metrics.finite_mean(list(map_ahead(_colorfulness, _pictures(originals), CORES)))
    return table


def _pictures(folder: Path) -> Iterable[Path]:
    return [folder / name for name in images.list_pictures(folder)]


def _colorfulness(path: Path) -> float:
    try:
        return metrics.colorfulness(images.read_rgb(path))
    except PictureError:
        return math.nan


def write(table: Table, folder: Path, name: str) -> None:
    """Writes NAME.txt, .md, .csv, .tex and the chart NAME.png into a folder.

    Raises:
        InputError: if they cannot be written.
    """
    for extension, text in {
        "txt": table.text(),
        "md": table.markdown(),
        "csv": table.csv(),
        "tex": table.latex(),
    }.items():
        files.write_atomically(
            folder / f"{name}.{extension}",
            lambda path, text=text: path.write_text(text.rstrip() + "\n", encoding="utf-8"),
        )
    table.draw(folder / f"{name}.png")


def draw_pictures(
    originals: Path, folders: Mapping[str, Path], paths: Sequence[Path], rows: int, names: Sequence[str] = ()
) -> None:
    """Draws the papers' Figures 4 and 7: originals, their gray versions, and each method's results.

    Args:
        originals: folder of pictures.
        folders: of results, by column title.
        paths: files to write, .png or .pdf.
        rows: how many pictures, spread evenly over those that every method has a result of.
        names: of originals, instead.

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
    names = names or [shared[i] for i in np.unique(np.linspace(0, len(shared) - 1, rows).round().astype(int))]
    pictures = []
    for name in names:
        original = images.read_rgb(originals / name)
        made = [images.read_rgb(found[name]) if name in found else None for found in results.values()]
        pictures.append([original, color.to_gray(original), *made])
    figures.print_pictures(pictures, ["Original", "Gray", *folders], paths)
