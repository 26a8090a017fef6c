"""Whether a picture has colours already, or one tone: gray, sepia, the blue of a cyanotype, the yellow of its age.

The colour of a toned print follows from its lightness. A photograph in colours has things that are as light as one
another and not of one colour.
"""

import cv2
import numpy as np

GRAY, TONED, COLORED = "gray", "toned", "coloured"
"""What a picture can be."""

COLORED_TINT = 2.1
"""Above this a picture counts as coloured (`tint`)."""

_TONED_CHROMA = 4.0
"""Above this a picture that is not coloured counts as toned: mean distance from gray, in 8-bit levels of ab."""

_LONG_SIDE = 96
"""Pixels of the copy that is looked at: noise and JPEG's blocks average out, and colours stay."""

_PATCHES = 0.03
"""Share of the picture that may have any colour, as stamps and ink have."""

_STEPS = 16


def tint(lab: np.ndarray) -> float:
    """How far a picture is from being toned in one colour, in 8-bit levels of ab.

    The tone of a pixel is the median ab of those that are as light. Two numbers say how far the pixels are from their
    tone, and their geometric mean is the tint: the distance that 5% exceed, and the deviation across the direction in
    which they deviate most. Paper that has yellowed unevenly deviates far, but in one direction.

    Args:
        lab: L and ab of pixels (..., 3), in 8-bit levels or fractions of them.
    """
    pixels = lab.reshape(-1, 3)
    pixels = pixels[np.argsort(pixels[:, 0], kind="stable")]
    steps = np.array_split(pixels, min(_STEPS, len(pixels)))
    lightness = [step[:, 0].mean() for step in steps]
    tones = np.array([np.median(step[:, 1:], axis=0) for step in steps]).T
    expected = np.stack([np.interp(pixels[:, 0], lightness, tone) for tone in tones])
    apart = pixels[:, 1:].T - expected
    distance = np.hypot(*apart)
    most = apart[:, distance <= np.quantile(distance, 1 - _PATCHES)]
    across = np.linalg.eigvalsh(np.cov(most, bias=True))[0]
    return float(np.sqrt(np.quantile(distance, 0.95) * np.sqrt(max(across, 0.0))))


def look(rgb: np.ndarray, inside: np.ndarray | None = None) -> tuple[float, str]:
    """A picture's tint, and whether that is GRAY, TONED or COLORED.

    Args:
        rgb: uint8 RGB (h, w, 3), such as `print_area.reduce` makes.
        inside: where the print lies (`print_area.find_print`); None: everywhere.
    """
    height, width = rgb.shape[:2]
    scale = min(1, _LONG_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    # Not through 8-bit Lab, whose rounding would count as colour.
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    if inside is not None:
        within = cv2.resize(inside, size, interpolation=cv2.INTER_AREA) >= 250
        lab = lab[within] if within.any() else lab
    found = tint(lab)
    if found > COLORED_TINT:
        return found, COLORED
    chroma = float(np.linalg.norm(lab[..., 1:], axis=-1).mean())
    return found, TONED if chroma > _TONED_CHROMA else GRAY
