"""Which photographs are fit to learn colours from, and which two are one."""

from collections.abc import Iterable

import cv2
import numpy as np

from historynet.pictures import color

SIDE = 256
"""Pixels: of the pictures that are measured and stored."""

SHORTEST = 64
"""Pixels: a shorter side is a thumbnail's."""

LONGEST = 3
"""Times the shorter side."""

COLOURED = 6.0
"""Mean Lab chroma from which a picture is kept."""

COLOURED_STORED = 5.0
"""The same for pictures that were compressed, and kept once before."""

SEVERAL_HUES = 2.5
"""What a regression on L leaves of ab, in levels, from which a picture has more than one hue."""

NEAR = (10, 8, 44)
"""Bits, of 64, 64 and 256, in which two pictures that are one differ at most: average, difference, fine difference."""

TOO_SMALL, TOO_LONG, PALE, ONE_HUE = "too small", "too long", "little colour", "one hue"
"""Why a picture is left out."""


def unfit(rgb: np.ndarray, coloured: float) -> str | None:
    """Why a picture is no good for training, or None.

    Args:
        rgb: uint8 RGB as it is in its file.
        coloured: the least mean chroma.
    """
    short, long = sorted(rgb.shape[:2])
    if short < SHORTEST:
        return TOO_SMALL
    if long > LONGEST * short:
        return TOO_LONG
    # A quarter of the pixels tells as much.
    lab = color.rgb_to_lab(np.ascontiguousarray(reduced(rgb)[::2, ::2])).reshape(-1, 3).astype(np.float32)
    if cv2.magnitude(lab[:, 1] - color.GRAY, lab[:, 2] - color.GRAY).mean() < coloured:
        return PALE
    return ONE_HUE if residual(lab) < SEVERAL_HUES else None


def reduced(rgb: np.ndarray) -> np.ndarray:
    """The whole picture, SIDE x SIDE without its aspect, as networks see it."""
    smaller = min(rgb.shape[:2]) >= SIDE
    return cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def residual(lab: np.ndarray) -> float:
    """The root mean square of what a linear regression on L leaves of a and b: near 0 for a toned picture.

    Args:
        lab: 8-bit Lab levels (pixels, 3), float32.
    """
    centred = lab - lab.mean(axis=0)
    light, ab = centred[:, :1], centred[:, 1:]
    slope = (light * ab).sum(axis=0) / max(float((light * light).sum()), 1.0)
    return float(np.sqrt(((ab - slope * light) ** 2).sum(axis=1).mean()))


def fingerprint(rgb: np.ndarray) -> np.ndarray:
    """Six uint64: 8x8 average hash, 8x8 difference hash, 16x16 difference hash of the picture's gray version."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)

    def small(width: int, height: int) -> np.ndarray:
        return cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA).astype(np.int16)

    eight = small(8, 8)
    bits = [eight > eight.mean(), np.diff(small(9, 8)) > 0, np.diff(small(17, 16)) > 0]
    return np.concatenate([np.packbits(plane.ravel()) for plane in bits]).view(np.uint64)


def trimmed(rgb: np.ndarray, share: float) -> np.ndarray:
    """The picture without a share of its width and height at each side."""
    rows, columns = (int(share * side) for side in rgb.shape[:2])
    return rgb[rows : rgb.shape[0] - rows, columns : rgb.shape[1] - columns]


class Seen:
    """Fingerprints that others are compared with."""

    def __init__(self, fingerprints: Iterable[np.ndarray] = ()):
        self._rows = np.empty((256, 6), np.uint64)
        self._count = 0
        for one in fingerprints:
            self.add(one)

    def add(self, fingerprint: np.ndarray) -> None:
        """Takes one more."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self._count] = fingerprint
        self._count += 1

    def has(self, fingerprint: np.ndarray) -> bool:
        """Whether there is one of nearly the same picture."""
        bits = np.bitwise_count(self._rows[: self._count] ^ fingerprint)
        distances = np.stack([bits[:, 0], bits[:, 1], bits[:, 2:].sum(axis=1)], axis=1)
        return bool((distances <= NEAR).all(axis=1).any())
