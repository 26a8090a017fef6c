"""Numbers by which pictures are chosen: range, tone, cast, sharpness, blur, hash; all at a short side of 224 pixels."""

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 224
"""Short side of the pictures that are measured."""

_LEAST_BOX = 16
_LUMINANCE_BINS = 16
_LEVELS = np.arange(256) - 128.0
"""a and b of OpenCV's 8-bit Lab, with gray at 0."""
_HASHED, _CORNER = 32, 8


@dataclass(frozen=True)
class Scores:
    """What is measured of a whole picture.

    Attributes:
        range: levels between the darkest and the lightest percent of gray, 0..255.
        tone: spread of ab that luminance does not explain, in OpenCV's 8-bit Lab.
        cast: mean chroma, in the same.
        sharpness: variance of the Laplacian by that of gray.
        hash: 64 bits that nearly equal pictures share.
    """

    range: float
    tone: float
    cast: float
    sharpness: float
    hash: int


def measure(rgb: np.ndarray) -> Scores:
    """The scores of a picture, uint8 RGB (h, w, 3) with a short side of `SIDE`."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return Scores(spread(gray), *tone_and_cast(rgb), sharpness(gray), perceptual_hash(gray))


def spread(gray: np.ndarray) -> float:
    """Levels between the 1st and the 99th percentile of a gray picture, uint8."""
    lowest, highest = np.percentile(gray, [1, 99])
    return float(highest - lowest)


def tone_and_cast(rgb: np.ndarray) -> tuple[float, float]:
    """How much colour a picture has besides one tone, and how much in all.

    Sepia and tints follow from luminance: pixels of one of 16 bins of L have nearly one ab. What is left when the mean
    of each bin is taken away is colour.

    Args:
        rgb: uint8 (h, w, 3).

    Returns:
        Root of the mean square of a and b about the mean of their bin; mean distance of (a, b) from gray.
    """
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    pixels = lab.shape[0] * lab.shape[1]
    squares = 0.0
    for channel in (1, 2):
        # Counts of (bin of L, level): all that the sums need, in a fraction of the time.
        counts = _counts(lab, (0, channel), (_LUMINANCE_BINS, 256))
        sums = counts @ _LEVELS
        # The sum of squares about the means of the bins.
        squares += counts.sum(axis=0) @ _LEVELS**2 - np.sum(sums**2 / np.maximum(counts.sum(axis=1), 1))
    chroma = np.hypot(_LEVELS[:, None], _LEVELS)
    cast = np.sum(_counts(lab, (1, 2), (256, 256)) * chroma) / pixels
    return float(np.sqrt(max(squares, 0) / pixels)), float(cast)


def _counts(lab: np.ndarray, channels: tuple[int, int], bins: tuple[int, int]) -> np.ndarray:
    return cv2.calcHist([lab], channels, None, bins, [0, 256, 0, 256]).astype(float)


def sharpness(gray: np.ndarray) -> float:
    """Variance of the Laplacian by the variance of the levels, so that contrast does not count.

    Args:
        gray: uint8 (h, w).
    """
    laplacian = cv2.Laplacian(gray, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REFLECT_101)
    _, deviation = cv2.meanStdDev(gray)
    _, edges = cv2.meanStdDev(laplacian)
    return float(edges[0, 0] ** 2 / max(deviation[0, 0] ** 2, 1))


def person_sharpness(gray: np.ndarray, box: np.ndarray) -> tuple[float, float]:
    """How sharp a person is: `sharpness` and Crete's blur effect, which sees motion along one axis as well.

    Args:
        gray: uint8 (h, w).
        box: left, top, right, bottom in its pixels; at least 16 pixels a side are taken.

    Returns:
        Sharpness; blur effect, 0 to 1, sharp to blurred.
    """
    from skimage.measure import blur_effect

    left, right = _interval(box[0], box[2], gray.shape[1])
    top, bottom = _interval(box[1], box[3], gray.shape[0])
    part = gray[top:bottom, left:right]
    return sharpness(part), float(blur_effect(part))


def _interval(begin: float, end: float, length: int) -> tuple[int, int]:
    """Whole pixels from begin to end, `_LEAST_BOX` at least where there are so many."""
    first, last = max(round(begin), 0), min(round(end), length)
    lacking = max(_LEAST_BOX - (last - first), 0)
    first = max(min(first - lacking // 2, length - _LEAST_BOX), 0)
    return first, min(max(last, first + _LEAST_BOX), length)


def perceptual_hash(gray: np.ndarray) -> int:
    """64 bits: which of the lowest 8x8 coefficients of the cosine transform at 32x32 are above their median.

    Args:
        gray: uint8 (h, w).

    Returns:
        The bits row by row, the most significant first.
    """
    small = cv2.resize(gray, (_HASHED, _HASHED), interpolation=cv2.INTER_AREA)
    corner = cv2.dct(small.astype(np.float32))[:_CORNER, :_CORNER]
    bits = np.packbits(corner > np.median(corner))
    return int.from_bytes(bits.tobytes(), "big")
