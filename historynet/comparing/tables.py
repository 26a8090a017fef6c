"""The papers' tables of LPIPS, PSNR and SSIM, measured: folders of results -> a table, a row for each method."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from historynet.comparing import metrics
from historynet.comparing.comparison import COLORFULNESS, LPIPS, PSNR, SSIM, Comparison, compare
from historynet.comparing.methods import Experiment
from historynet.comparing.metrics import Convention
from historynet.comparing.pairing import pair_folders
from historynet.comparing.perceptual import Lpips
from historynet.errors import InputError, PictureError
from historynet.parallel import CORES, map_ahead
from historynet.pictures import images


@dataclass
class Table:
    """An experiment, measured.

    Attributes:
        experiment: the published table that this one is compared with.
        protocol: how the values were computed.
        metrics: the measured columns.
        rows: by method.
        original_colorfulness: mean over the originals; None if it was not asked for.
        left_out: why methods have no row, and which originals have no part in their mean colourfulness.
    """

    experiment: Experiment
    protocol: str
    metrics: Sequence[str]
    rows: dict[str, Comparison] = field(default_factory=dict)
    original_colorfulness: float | None = None
    left_out: list[str] = field(default_factory=list)

    def difference(self, name: str, metric: str, source: str) -> float:
        """A method's measured minus its published value; NaN if one of them is missing."""
        value = self.experiment.published(name, metric, source)
        return self.rows[name].mean(metric) - float(value) if value and metric in self.metrics else math.nan

    def notes(self, best: str) -> list[str]:
        """What a reader must know, a sentence each.

        Args:
            best: how the best value of a column is marked.
        """
        sources = [f"{source}: {where}" for source, where in self.experiment.sources.items()]
        brackets = ["in brackets the measured value minus the published"] if sources else []
        notes = [self.protocol, "; ".join([best, *sources, *brackets])]
        if LPIPS not in self.metrics:
            notes.append("LPIPS was not measured")
        return notes + self.remarks()

    def remarks(self) -> list[str]:
        """What is to be said of the results and their means, a sentence each."""
        notes = []
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
        experiment: the published table that the measured one is compared with.
        originals: folder of pictures.
        folders: each method's folder of results, in the order of the rows.
        convention: how PSNR and SSIM are computed.
        lpips: measures LPIPS; None leaves the column out.
        colorfulness: whether there is one more column, of colourfulness.
        resize: whether results that differ in size are resized; otherwise such pairs are left out.
        progress: called with the number of pairs just finished.

    Raises:
        InputError: if there is no method whose results can be compared.
    """
    wanted = {LPIPS: lpips, PSNR: True, SSIM: True, COLORFULNESS: colorfulness}
    protocol = "; ".join(str(how) for how in (convention, lpips) if how)
    table = Table(experiment, protocol, [metric for metric, how in wanted.items() if how])

    # A row for each method that can be compared.
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
        table.original_colorfulness = _mean_colorfulness(originals, table.left_out)
    return table


def _mean_colorfulness(folder: Path, left_out: list[str]) -> float:
    """The mean over a folder's pictures; why some have no part in it is added to `left_out`."""
    paths = [folder / name for name in images.list_pictures(folder)]
    outcomes = list(map_ahead(_colorfulness, paths, CORES))
    left_out += [f"colourfulness of the originals: {error}" for error in outcomes if isinstance(error, PictureError)]
    return metrics.finite_mean([value for value in outcomes if not isinstance(value, PictureError)])


def _colorfulness(path: Path) -> float | PictureError:
    """A picture's colourfulness, or why it cannot be read."""
    try:
        return metrics.colorfulness(images.read_rgb(path))
    except PictureError as error:
        return error
