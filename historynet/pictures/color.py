"""Lab arithmetic: split, join, resize.

Everything follows OpenCV's 8-bit Lab, in which L, a and b all run from 0 to 255 and a = b = 128 is gray. The networks
see these values divided by 255. Pictures of 16 bits are joined in float32. NumPy and OpenCV only: no
files, no networks.
"""

import functools
import math

import cv2
import numpy as np

from historynet.pictures.options import BILINEAR, GUIDED

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


def to_8_bit(picture: np.ndarray) -> np.ndarray:
    """A uint8 or uint16 array as uint8; OpenCV's decoders leave out the lower byte, too."""
    if picture.dtype == np.uint8:
        return picture
    # In pieces that NumPy chooses, without a second picture of 16 bits.
    return np.right_shift(picture, 8, out=np.empty(picture.shape, np.uint8), casting="unsafe")


def network_lab(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A uint8 or uint16 RGB picture of any size as networks see it: Lab in 0..1, float32, (height, width, 3).

    The picture is resized first and turned into Lab afterwards; the other order gives other values.

    Args:
        rgb: the picture.
        size: (height, width) of the network's pictures.
    """
    return rgb_to_lab(to_8_bit(resize(rgb, *size))).astype(np.float32) / np.float32(255)


_STRIP = 1 << 20
"""Pixels that are turned into Lab and back at a time: a picture of 200 megapixels needs no second one beside it."""


def with_chrominance(
    rgb: np.ndarray,
    ab: np.ndarray,
    strength: float = 1.0,
    upsampling: str = BILINEAR,
    out: np.ndarray | None = None,
    inside: np.ndarray | None = None,
) -> np.ndarray:
    """A picture (h, w, 3) with its own full-size L and a predicted ab (rows, columns, 2) in 0..1.

    In an 8-bit picture with bilinear upsampling the chrominance is cut to 8 bits (truncated, as the released program
    does) before it is resized; else it stays as exact as it is.

    Args:
        rgb: uint8 or uint16 RGB.
        ab: predicted chrominance.
        strength: factor on the distance from gray: 0 is gray, 1 as predicted.
        upsampling: one of `options.UPSAMPLINGS`.
        out: the array for the result, which may be rgb itself.
        inside: uint8 (rows, columns) of any size, 255 where the picture gets its chrominance and 0 where it stays as it
            is (`print_area.find_print`); None: everywhere.

    Returns:
        RGB of the same shape and type.
    """
    height, width = rgb.shape[:2]
    ab = ab * np.float32(255)
    if strength != 1:
        ab = GRAY + np.float32(strength) * (ab - GRAY)
    ab = np.clip(ab, 0, 255)
    exact = rgb.dtype == np.uint8 and upsampling == BILINEAR
    if exact:
        ab = resize(ab.astype(np.uint8), height, width)
    elif upsampling == GUIDED:
        ab = _guided_coefficients(network_lab(rgb, ab.shape[:2])[..., 0], ab)
    if not exact:
        # To the full width once; to the full height strip by strip.
        ab = cv2.resize(ab, (width, len(ab)), interpolation=cv2.INTER_LINEAR)
    out = np.empty_like(rgb) if out is None else out
    if inside is not None:
        inside = cv2.resize(inside, (width, len(inside)), interpolation=cv2.INTER_LINEAR)
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        outside = [] if inside is None else _columns_outside(inside, rows, height)
        before = [rgb[rows, columns].copy() for columns in outside]
        if exact:
            lab = rgb_to_lab(rgb[rows])
            # Ten times as fast as an assignment.
            cv2.mixChannels([ab[rows]], [lab], (0, 1, 1, 2))
            out[rows] = lab_to_rgb(lab)
        else:
            out[rows] = _finely(rgb[rows], _stretch(ab, rows, height))
        for columns, pixels in zip(outside, before, strict=True):
            share = _stretch(inside[:, columns, None], rows, height)[..., 0]
            _keep_outside(out[rows, columns], pixels, share, height / len(inside))
    return out


def _columns_outside(inside: np.ndarray, rows: slice, height: int) -> list[slice]:
    """The columns that rows of a picture do not have wholly inside of an area (n, w), which is stretched to them."""
    first, last = rows.start * len(inside) // height - 1, rows.stop * len(inside) // height + 2
    whole = inside[max(0, first) : last].min(axis=0) == 255
    places = np.flatnonzero(whole)
    if not len(places) or not whole[places[0] : places[-1]].all():
        return [slice(0, len(whole))]
    parts = slice(0, places[0]), slice(places[-1] + 1, len(whole))
    return [part for part in parts if part.start < part.stop]


def _keep_outside(rows: np.ndarray, before: np.ndarray, inside: np.ndarray, scale: float) -> None:
    """Puts back into rows of a result what they were outside of an area.

    Args:
        rows: (h, w, 3), changed in place.
        before: the same rows of the picture.
        inside: (h, w), 0..255, enlarged by a factor.
        scale: the factor: the edge, a pixel of the small area, becomes a pixel of the picture.
    """
    share = np.clip((inside / np.float32(255) - 0.5) * np.float32(max(1, scale)) + 0.5, 0, 1)
    np.copyto(rows, before, where=(share == 0)[..., None])
    edge = (share > 0) & (share < 1)
    part = share[edge][:, None]
    rows[edge] = np.rint(before[edge] * (1 - part) + rows[edge] * part)


def _finely(rgb: np.ndarray, chrominance: np.ndarray) -> np.ndarray:
    """Rows of a picture with a chrominance in 0..255, or with the coefficients of one (`_guided_coefficients`)."""
    deep = rgb.dtype == np.uint16
    lab = _deep_rgb_to_lab(rgb) if deep else rgb_to_lab(rgb)
    if chrominance.shape[-1] == 4:
        luminance = lab[..., :1] / np.float32(100 if deep else 255)
        chrominance = chrominance[..., :2] * luminance + chrominance[..., 2:]
    chrominance = np.clip(chrominance, 0, 255)
    lab[..., 1:] = chrominance - GRAY if deep else np.rint(chrominance)
    return _deep_lab_to_rgb(lab) if deep else lab_to_rgb(lab)


# OpenCV's float32 Lab of gamma-encoded RGB interpolates in a coarse table and is off by half an 8-bit level; that of
# linear RGB is computed.


@functools.cache
def _linear_light() -> np.ndarray:
    """sRGB's transfer function (IEC 61966-2-1) for each 16-bit value."""
    value = np.arange(1 << 16) / 65535
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _deep_rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(_linear_light()[rgb], cv2.COLOR_LRGB2Lab)


def _deep_lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    linear = np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2LRGB), 0, 1)
    value = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(value * 65535).astype(np.uint16)


def _stretch(values: np.ndarray, rows: slice, height: int) -> np.ndarray:
    """Some rows of what `values` (n, w, channels) would be at the full height, bilinearly as OpenCV resizes."""
    places = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) * (len(values) / height) - 0.5
    places = np.clip(places, 0, len(values) - 1)
    above = places.astype(int)
    share = (places - above)[:, None, None]
    return values[above] * (1 - share) + values[np.minimum(above + 1, len(values) - 1)] * share


def _guided_coefficients(guide: np.ndarray, ab: np.ndarray, radius: int = 1, epsilon: float = 0.04) -> np.ndarray:
    """As in the fast guided filter (He and Sun 2015): around each pixel ab as a linear function of L.

    Args:
        guide: L at the network's size (rows, columns), 0..1.
        ab: (rows, columns, 2).
        radius: of the windows, in pixels of the network's pictures.
        epsilon: variance of L below which a window counts as flat.

    Returns:
        (rows, columns, 4), float32: the slopes of a and b, then their offsets; ab = slope * L + offset at any size.
    """

    def mean(values: np.ndarray) -> np.ndarray:
        side = 2 * radius + 1
        return cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT_101)

    guide = guide[..., None]
    mean_guide, mean_ab = mean(guide)[..., None], mean(ab)
    variance = mean(guide * guide)[..., None] - mean_guide * mean_guide
    slope = (mean(guide * ab) - mean_guide * mean_ab) / (variance + np.float32(epsilon))
    slope = mean(slope)
    # Not the filter's own offset, which smooths: at the network's size ab is to come out as it is.
    return np.concatenate([slope, ab - slope * guide], axis=-1)


NEARLY_GRAY = 2.5
"""Below this a predicted chrominance counts as nearly gray (`chroma`)."""


def chroma(ab: np.ndarray) -> float:
    """The root mean square distance from gray of a chrominance (rows, columns, 2) in 0..1, in 8-bit levels."""
    return cv2.norm(ab * 255 - GRAY) / math.sqrt(ab.shape[0] * ab.shape[1])


def to_gray(rgb: np.ndarray) -> np.ndarray:
    """The picture with its own L and no chroma, uint8 RGB (h, w, 3)."""
    lab = rgb_to_lab(rgb)
    lab[..., 1:] = GRAY
    return lab_to_rgb(lab)
