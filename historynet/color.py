"""Lab arithmetic on 8-bit pictures: split, join, resize.

Everything follows OpenCV's 8-bit Lab, in which L, a and b all run from 0 to 255 and a = b = 128 is gray. The networks
see these values divided by 255. NumPy and OpenCV only: no files, no networks.
"""

import cv2
import numpy as np

GRAY = 128
"""The 8-bit a and b of a pixel without chroma."""


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes a uint8 picture (h, w) or (h, w, channels) to (height, width), bilinearly."""
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """8-bit RGB (h, w, 3) as 8-bit Lab (h, w, 3)."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """8-bit Lab (h, w, 3) as 8-bit RGB (h, w, 3)."""
    return cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)


def network_lab(rgb: np.ndarray, size: int) -> np.ndarray:
    """A uint8 RGB picture of any size as the networks see it: Lab in 0..1, float32, (size, size, 3).

    The picture is resized first and turned into Lab afterwards; the other order gives other values.
    """
    return rgb_to_lab(resize(rgb, size, size)).astype(np.float32) / np.float32(255)


def with_chrominance(rgb: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """A uint8 RGB picture (h, w, 3) with its own full-size L and a predicted ab (size, size, 2) in 0..1, as uint8 RGB.

    The chrominance is cut to 8 bits (truncated, as the released program does) before it is resized to the picture.
    """
    lab = rgb_to_lab(rgb)
    ab = np.clip(ab * np.float32(255), 0, 255).astype(np.uint8)
    lab[..., 1:] = resize(ab, *rgb.shape[:2])
    return lab_to_rgb(lab)


def to_gray(rgb: np.ndarray) -> np.ndarray:
    """The picture with its own L and no chroma, uint8 RGB (h, w, 3)."""
    lab = rgb_to_lab(rgb)
    lab[..., 1:] = GRAY
    return lab_to_rgb(lab)
