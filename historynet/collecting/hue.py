"""The hues of a set of pictures, in the paper's way and in one that hues do not cancel out in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from historynet.errors import PictureError
from historynet.parallel import CORES, map_ahead
from historynet.pictures import images

BINS = 18
"""Of 20 degrees, from red over yellow, green and blue to red."""

MISLEADING = (
    "The mean hue of a picture, which the paper compares, misleads: red lies at both ends of OpenCV's 0 to 179, so its "
    "mean is that of green and blue. The histograms are weighted by saturation; each picture's sums to 1."
)


@dataclass(frozen=True)
class Hues:
    """Of a set of pictures.

    Attributes:
        means: the arithmetic mean of OpenCV's H, 0..179, of each picture that can be read.
        histogram: the mean over the pictures of their hues weighted by saturation, float64 (BINS,), its sum 1; pictures
            without any saturation have no part in it.
        unreadable: why some cannot be read.
    """

    means: np.ndarray
    histogram: np.ndarray
    unreadable: Sequence[str]

    def counts(self) -> np.ndarray:
        """How many pictures have their mean in which bin, int64 (BINS,): the paper's comparison."""
        return np.histogram(self.means, BINS, (0, 180))[0]


def hues_of(paths: Sequence[Path]) -> Hues:
    """The hues of pictures, a few at a time in memory."""
    outcomes = list(map_ahead(_hues, paths, CORES))
    found = [outcome for outcome in outcomes if not isinstance(outcome, PictureError)]
    histograms = [histogram for _, histogram in found if histogram.any()]
    return Hues(
        np.array([mean for mean, _ in found]),
        np.mean(histograms, axis=0) if histograms else np.zeros(BINS),
        [str(outcome) for outcome in outcomes if isinstance(outcome, PictureError)],
    )


def _hues(path: Path) -> tuple[float, np.ndarray] | PictureError:
    """A picture's mean and histogram, or why it cannot be read."""
    try:
        hsv = cv2.cvtColor(images.read_rgb(path), cv2.COLOR_RGB2HSV)
    except PictureError as error:
        return error
    histogram = np.bincount(hsv[..., 0].ravel() // (180 // BINS), hsv[..., 1].ravel(), BINS)
    return float(hsv[..., 0].mean()), histogram / max(histogram.sum(), 1)
