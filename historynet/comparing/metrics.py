"""How close two pictures are: PSNR and SSIM by one of several conventions, and colourfulness.

Pictures are uint8; a pair has one shape. `psnr` and `ssim` are the definitions in float64 ("exact"); published figures
use others as well, which give other numbers on the same pictures: see `CONVENTIONS` and docs/metrics.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

_WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_STRIP = 64
"""Rows at a time: a picture of any size needs little memory, and the temporaries stay in the processor's cache."""


def psnr(true: np.ndarray, picture: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures, uint8 (height, width[, 3]), over all channels; inf if equal."""
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(255**2 * true.size / np.float64(cv2.norm(true, picture, cv2.NORM_L2SQR))))


def ssim(true: np.ndarray, picture: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) of two pictures, uint8 (height, width[, 3]), -1..1.

    An 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, windows that lie within the picture only, mean over
    the channels. NaN for pictures with a side under 11 pixels, which hold no window.
    """
    total, count = 0.0, 0
    for similarity in _similarities(true, picture, np.float64):
        total += similarity.sum()
        count += similarity.size
    return float(total / count) if count else float("nan")


def _similarities(true: np.ndarray, picture: np.ndarray, dtype: type) -> Iterator[np.ndarray]:
    """SSIM's map, strip after strip of (rows, width - 10[, 3]); nothing of pictures that hold no window.

    Args:
        true: as of `ssim`.
        picture: as of `ssim`.
        dtype: what it is computed in.
    """
    border = _WINDOW // 2
    if min(true.shape[:2]) < _WINDOW:
        return
    taps = cv2.getGaussianKernel(_WINDOW, _SIGMA, cv2.CV_64F).astype(dtype)

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(values, -1, taps, taps)[border:-border, border:-border]

    for top in range(0, true.shape[0] - 2 * border, _STRIP):
        x, y = (strip[top : top + _STRIP + 2 * border].astype(dtype) for strip in (true, picture))
        mean_x, mean_y = mean(x), mean(y)
        product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
        covariance, variances = mean(x * y) - product, mean(x**2 + y**2) - squares
        yield (2 * product + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))


@dataclass(frozen=True)
class Convention:
    """A way of computing both metrics.

    Attributes:
        name: for the command line and reports.
        text: what it is, in a few words.
        psnr: of two pictures, uint8 (height, width, 3), in dB.
        ssim: of two pictures, -1..1, NaN for pictures smaller than its window.
    """

    name: str
    text: str
    psnr: Callable[[np.ndarray, np.ndarray], float]
    ssim: Callable[[np.ndarray, np.ndarray], float]

    def __str__(self) -> str:
        return f"PSNR and SSIM by convention {self.name}: {self.text}"


def _released_psnr(true: np.ndarray, picture: np.ndarray) -> float:
    return float(np.float32(psnr(true, picture)))


def _released_ssim(true: np.ndarray, picture: np.ndarray) -> float:
    # As tf.image.ssim's mean on a CPU: each channel's sum takes one value after the other, and what float32 does not
    # hold of so large a sum is lost.
    totals, count = np.zeros((1, 3), np.float32), 0
    for similarity in _similarities(true, picture, np.float32):
        values = similarity.reshape(-1, 3)
        totals = np.add.accumulate(np.concatenate([totals, values]), axis=0)[-1:]
        count += len(values)
    return float(np.mean(totals / np.float32(count))) if count else float("nan")


def _gray(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def _channel_psnr(true: np.ndarray, picture: np.ndarray) -> float:
    return float(np.mean([psnr(x, y) for x, y in zip(cv2.split(true), cv2.split(picture), strict=True)]))


def _skimage_psnr(true: np.ndarray, picture: np.ndarray) -> float:
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(true, picture))


def _skimage_ssim(true: np.ndarray, picture: np.ndarray) -> float:
    if min(true.shape[:2]) < 7:
        return float("nan")
    return float(structural_similarity(true, picture, channel_axis=-1))


CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention("exact", "RGB, SSIM by an 11x11 Gaussian of sigma 1.5 within the picture, float64", psnr, ssim),
        Convention(
            "released",
            "the released script's: as exact, but by tf.image in float32, whose mean over a large picture is off by "
            "about 1e-3",
            _released_psnr,
            _released_ssim,
        ),
        Convention(
            "gray",
            "of the 8-bit luma (ITU-R BT.601), else as exact; blind to most of the colour",
            lambda true, picture: psnr(_gray(true), _gray(picture)),
            lambda true, picture: ssim(_gray(true), _gray(picture)),
        ),
        Convention("rgb-mean", "the mean of the PSNR of R, of G and of B, else as exact", _channel_psnr, ssim),
        Convention(
            "skimage",
            "scikit-image's defaults: SSIM by a uniform 7x7 window with the sample covariance",
            _skimage_psnr,
            _skimage_ssim,
        ),
    )
}
"""By name; the first is the default."""


def colorfulness(rgb: np.ndarray) -> float:
    """Hasler and Suesstrunk (2003) of a uint8 RGB picture: 0 is gray, about 30 averagely, 60 quite colourful."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    red_green, yellow_blue = r - g, (r + g) / 2 - b
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def finite(values: Sequence[float]) -> np.ndarray:
    """The values that can be averaged: not the PSNR of equal pictures, inf, nor the SSIM of tiny ones, NaN."""
    values = np.asarray(values, float)
    return values[np.isfinite(values)]


def finite_mean(values: Sequence[float]) -> float:
    """The mean of the values that can be averaged; NaN if there are none."""
    values = finite(values)
    return float(values.mean()) if values.size else float("nan")
