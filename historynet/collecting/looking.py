"""A picture as the labeller sees it."""

from pathlib import Path

import cv2
import numpy as np

from historynet.pictures import color, images

_BLUR = (0.5, 1.5)
"""Smallest and largest sigma, pixels, of the Gaussian that blurs half of the samples."""


def look(path: Path, size: tuple[int, int], key: tuple[int, ...] | None = None) -> np.ndarray:
    """A picture as the network sees it: RGB (height, width, 3) in 0..255, float32.

    Args:
        path: the picture's file.
        size: (height, width) that it is squashed to.
        key: from which follows whether it is mirrored, and blurred; None: neither.

    Raises:
        PictureError: if it cannot be read.
    """
    rgb = color.resize(images.read_rgb(path), *size)
    if key is not None:
        # Not the numbers that are drawn of the same key for crops and ageing.
        mirrored, blurred, sigma = np.random.default_rng((*key, 3)).random(3)
        rgb = np.ascontiguousarray(rgb[:, ::-1]) if mirrored < 0.5 else rgb
        if blurred < 0.5:
            rgb = cv2.GaussianBlur(rgb, (0, 0), _BLUR[0] + (_BLUR[1] - _BLUR[0]) * sigma)
    return rgb.astype(np.float32)
