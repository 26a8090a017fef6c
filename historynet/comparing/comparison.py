"""How close a folder of results is to a folder of originals: pair by pair, and on average."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from historynet import files
from historynet.comparing import metrics
from historynet.comparing.metrics import Convention
from historynet.comparing.pairing import Pairing
from historynet.comparing.perceptual import Lpips
from historynet.errors import PictureError
from historynet.parallel import CORES, map_ahead
from historynet.pictures import color, images

SSIM, PSNR, LPIPS, COLORFULNESS = "SSIM", "PSNR", "LPIPS", "Colorfulness"
"""The scores of a pair: SSIM -1..1; PSNR in dB; LPIPS from 0; colourfulness of the result from 0."""


@dataclass
class Comparison:
    """What comparing two folders gave.

    Attributes:
        pairing: the pairs, and what has no partner.
        metrics: names of the scores.
        scores: by original's name, each pair's scores by metric; pairs that could not be compared are missing.
        unreadable: why pictures could not be read.
        different_size: pairs that were not compared: "NAME: 300x200, its result NAME2: 301x200".
        resized: results that were resized to their originals.
        gray_originals: originals that have no colour at all.
        gray_results: results that have none.
    """

    pairing: Pairing
    metrics: Sequence[str]
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    different_size: list[str] = field(default_factory=list)
    resized: int = 0
    gray_originals: int = 0
    gray_results: int = 0

    def values(self, metric: str) -> np.ndarray:
        """One score a pair that has it; the infinite PSNR of equal pictures is left out."""
        return metrics.finite([scores[metric] for scores in self.scores.values()])

    def mean(self, metric: str) -> float:
        """The mean over the pairs that have the score; NaN if there are none."""
        return metrics.finite_mean(self.values(metric))

    def deviation(self, metric: str) -> float:
        """The sample standard deviation (n - 1) over the pairs; NaN if there are fewer than two."""
        values = self.values(metric)
        return float(values.std(ddof=1)) if values.size > 1 else float("nan")

    def report(self) -> list[str]:
        """Lines to print: NAME: value for each pair, then averages, deviations and counts."""
        lines = [f"{name}: {_line(scores)}" for name, scores in self.scores.items()]
        lines.append(f"average: {_line({metric: self.mean(metric) for metric in self.metrics}, 8)}")
        lines.append(f"standard deviation: {_line({metric: self.deviation(metric) for metric in self.metrics}, 8)}")
        for metric in self.metrics:
            if left_out := len(self.scores) - self.values(metric).size:
                why = "infinite: the pictures are equal" if metric == PSNR else "undefined: the pictures are too small"
                lines.append(f"pairs left out of the average {metric}: {left_out} ({why})")
        lines.append(f"pairs found: {len(self.pairing.pairs)}, compared: {len(self.scores)}")
        lines.append(f"originals without a result: {_count(self.pairing.without_result)}")
        lines.append(f"results without an original: {_count(self.pairing.without_original)}")
        lines.append(
            f"pairs of different size: {self.resized}, results resized to the originals"
            if self.resized
            else f"pairs of different size: {len(self.different_size)}"
        )
        if self.gray_originals or self.gray_results:
            lines.append(f"without any colour: {self.gray_originals} originals, {self.gray_results} results")
        return lines

    def write_csv(self, path: Path) -> None:
        """Writes a line for each pair: the original's name and the scores."""

        def write(temporary: Path) -> None:
            with temporary.open("w", newline="", encoding="utf-8") as file:
                rows = csv.DictWriter(file, ["name", *self.metrics])
                rows.writeheader()
                rows.writerows({"name": name} | scores for name, scores in self.scores.items())

        files.write_atomically(path, write)

    def write_json(self, path: Path, protocol: str) -> None:
        """Writes scores, averages, counts and names; null stands for a score that is infinite or undefined.

        Args:
            path: the file to write.
            protocol: how the scores were computed.
        """

        def finite(values: dict[str, float]) -> dict[str, float | None]:
            return {metric: value if np.isfinite(value) else None for metric, value in values.items()}

        content = {
            "protocol": protocol,
            "pairs_found": len(self.pairing.pairs),
            "pairs_compared": len(self.scores),
            "average": finite({metric: self.mean(metric) for metric in self.metrics}),
            "standard_deviation": finite({metric: self.deviation(metric) for metric in self.metrics}),
            "averaged": {metric: self.values(metric).size for metric in self.metrics},
            "originals_without_result": self.pairing.without_result,
            "results_without_original": self.pairing.without_original,
            "different_size": self.different_size,
            "resized": self.resized,
            "unreadable": self.unreadable,
            "originals_without_colour": self.gray_originals,
            "results_without_colour": self.gray_results,
            "scores": {name: finite(scores) for name, scores in self.scores.items()},
        }
        files.write_json(path, content)


def _line(scores: dict[str, float], decimals: int = 6) -> str:
    if len(scores) == 1:
        return f"{next(iter(scores.values())):.{decimals}f}"
    return "  ".join(f"{metric} {value:.{decimals}f}" for metric, value in scores.items())


def _count(names: Sequence[str], shown: int = 5) -> str:
    if not names:
        return "0"
    return f"{len(names)} ({', '.join(names[:shown])}{', ...' if len(names) > shown else ''})"


def compare(
    pairing: Pairing,
    convention: Convention | None = None,
    lpips: Lpips | None = None,
    colorfulness: bool = False,
    resize: bool = False,
    progress: Callable[[int], object] = lambda count: None,
) -> Comparison:
    """Compares each original with its result, a few pairs at a time in memory.

    Args:
        pairing: the pairs of original and result.
        convention: how SSIM and PSNR are computed; None leaves them out.
        lpips: measures LPIPS; None leaves it out.
        colorfulness: whether the results' colourfulness is measured as well.
        resize: whether results get the size of their originals, bilinearly; otherwise pairs of different size are not
            compared.
        progress: called with the number of pairs just finished.
    """
    wanted = {SSIM: convention, PSNR: convention, LPIPS: lpips, COLORFULNESS: colorfulness}
    comparison = Comparison(pairing, [metric for metric, how in wanted.items() if how])
    measure = partial(_measure, convention, colorfulness, resize)

    # All scores but LPIPS, by threads; the pictures go on to LPIPS, which batches them.
    def compared() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        outcomes = map_ahead(measure, pairing.pairs, ahead=CORES)
        for (original, _), outcome in zip(pairing.pairs, outcomes, strict=True):
            progress(1)
            if isinstance(outcome, _SizeError):
                comparison.different_size.append(str(outcome))
            elif isinstance(outcome, PictureError):
                comparison.unreadable.append(str(outcome))
            else:
                comparison.scores[original.name] = outcome.scores
                comparison.resized += outcome.resized
                comparison.gray_originals += _is_gray(outcome.true)
                comparison.gray_results += _is_gray(outcome.picture)
                yield original.name, outcome.true, outcome.picture

    if lpips:
        for name, distance in lpips.distances(compared()):
            comparison.scores[name][LPIPS] = distance
    else:
        for _ in compared():
            pass
    return comparison


class _Compared(NamedTuple):
    """A pair that was measured: its pictures, uint8 RGB (height, width, 3) of one size, and their scores."""

    true: np.ndarray
    picture: np.ndarray
    scores: dict[str, float]
    resized: bool


class _SizeError(PictureError):
    """A pair whose pictures differ in size."""


def _measure(
    convention: Convention | None, colorfulness: bool, resize: bool, pair: tuple[Path, Path]
) -> _Compared | PictureError:
    """A pair's scores and pictures, or why it cannot be compared."""
    try:
        true, picture = map(images.read_rgb, pair)
    except PictureError as error:
        return error
    resized = picture.shape != true.shape
    if resized and not resize:
        return _SizeError(f"{pair[0].name}: {_pixels(true)}, its result {pair[1].name}: {_pixels(picture)}")
    if resized:
        picture = color.resize(picture, *true.shape[:2])
    scores = {SSIM: convention.ssim(true, picture), PSNR: convention.psnr(true, picture)} if convention else {}
    if colorfulness:
        scores[COLORFULNESS] = metrics.colorfulness(picture)
    return _Compared(true, picture, scores, resized)


def _is_gray(picture: np.ndarray) -> bool:
    return bool((picture == picture[..., :1]).all())


def _pixels(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
