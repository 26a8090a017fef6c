"""White balance and exposure of a film, or of a shot: arrays -> numbers -> arrays."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])
"""Of red, green and blue."""

_NEUTRAL_LEVELS = 16, 250
_GAIN_LIMIT = 1.5
_LEAST_NEUTRAL = 0.01
_DARKEST, _LIGHTEST = 1, 99
_RANGE = 240
_LO_LIMIT, _SCALE_LIMIT = 32, 2

_STEPS = 1 << 14
"""Parts of a level that lumas are counted in, so that memory does not grow with the film."""


@dataclass(frozen=True)
class Adjustment:
    """What is done to the values of a picture; nothing by default.

    Attributes:
        gains: factors on red, green and blue.
        lo: level, after the gains, that becomes 0.
        scale: factor on the distance from it.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    lo: float = 0.0
    scale: float = 1.0

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """A picture, uint8 RGB (h, w, 3), adjusted: both in one step, so that it is rounded once."""
        table = (np.arange(256)[:, None] * self.gains - self.lo) * self.scale
        return cv2.LUT(rgb, np.rint(table).clip(0, 255).astype(np.uint8)[None])


def gray_world(pictures: Iterable[np.ndarray]) -> tuple[float, float, float]:
    """The gains of red, green and blue under which the mean of all nearly neutral pixels is gray.

    Args:
        pictures: uint8 RGB (h, w, 3), pooled.

    Returns:
        Gains from 1/1.5 to 1.5; 1 if fewer than 1% of the pixels are nearly neutral.
    """
    sums, neutral, pixels = np.zeros(3), 0, 0
    lowest, highest = _NEUTRAL_LEVELS
    for picture in pictures:
        largest, smallest = picture.max(axis=-1).astype(int), picture.min(axis=-1)
        # The largest less the smallest is at most 0.4 of the largest; in whole numbers.
        is_neutral = (largest >= lowest) & (largest <= highest) & (5 * (largest - smallest) <= 2 * largest)
        sums += picture[is_neutral].sum(axis=0, dtype=np.int64)
        neutral += np.count_nonzero(is_neutral)
        pixels += is_neutral.size
    if neutral < _LEAST_NEUTRAL * pixels or not sums.all():
        return 1.0, 1.0, 1.0
    gains = np.clip(LUMA @ sums / sums, 1 / _GAIN_LIMIT, _GAIN_LIMIT)
    return tuple(map(float, gains))


def exposure(pictures: Iterable[tuple[np.ndarray, tuple[float, float, float]]]) -> tuple[float, float]:
    """The level that is to become black, and the factor that brings the lightest percent to 240 above it.

    Args:
        pictures: uint8 RGB (h, w, 3) and the gains that it will have, pooled.

    Returns:
        lo, at most 32, and scale, from 1 to 2; 0 and 1 without pictures.
    """
    counts = np.zeros(int(255 * _GAIN_LIMIT * _STEPS) + 1, np.int64)
    for picture, gains in pictures:
        luma = picture.reshape(-1, 3) @ (LUMA * gains)
        np.add.at(counts, np.rint(luma * _STEPS).astype(int), 1)
    up_to = np.cumsum(counts)
    if not up_to[-1]:
        return 0.0, 1.0
    lo, hi = (_percentile(up_to, share) / _STEPS for share in (_DARKEST, _LIGHTEST))
    lo = min(lo, _LO_LIMIT)
    return lo, float(np.clip(_RANGE / max(hi - lo, 1), 1, _SCALE_LIMIT))


def _percentile(up_to: np.ndarray, share: float) -> float:
    """As `numpy.percentile` interpolates, of the values 0, 1, 2, ... of which there are `up_to` up to each."""
    place = share / 100 * (int(up_to[-1]) - 1)
    below, above = np.searchsorted(up_to, [int(place), int(np.ceil(place))], side="right")
    return float(below + (above - below) * (place - int(place)))
