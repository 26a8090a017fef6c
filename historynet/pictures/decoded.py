"""What the decoders hand on: a file's values as levels of 8 or 16 bits, in the file's own colours."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_PIXELS_AT_ONCE = 1 << 20
"""Pixels that are worked on at a time where the work needs more memory than the picture."""


@dataclass
class Decoded:
    """The values of one picture of a file.

    Attributes:
        colours: uint8 or uint16 (height, width, channels), 0 to the type's maximum; one channel is gray from black to
            white, three are RGB, four CMYK from no ink to full ink.
        alpha: uint8 (height, width), 255 is opaque; None if everything is.
        bits: of a sample in the file, 1 to 16.
        orientation: EXIF's number, 1 to 8, of how the values are still to be turned.
        icc: the profile of the colours; None if there is none.
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    bits: int = 8
    orientation: int = 1
    icc: bytes | None = None


@functools.lru_cache(maxsize=8)
def _levels(maximum: int) -> np.ndarray:
    full = 255 if maximum <= 255 else 65535
    dtype = np.uint8 if full == 255 else np.uint16
    return ((2 * full * np.arange(maximum + 1, dtype=np.int64) + maximum) // (2 * maximum)).astype(dtype)


def to_levels(values: np.ndarray, maximum: int) -> np.ndarray:
    """Unsigned values of any depth as levels: the one rule for all formats.

    A file's own maximum, which is white, becomes 255 where it is at most that, else 65535; what lies between is scaled
    and rounded. So 8- and 16-bit values stay as they are.

    Args:
        values: whole numbers of any type; what is larger than `maximum` counts as that.
        maximum: 1 to 65535.

    Returns:
        uint8 or uint16 of the same shape; the array itself if nothing is to be done.
    """
    if (values.dtype, maximum) in ((np.uint8, 255), (np.uint16, 65535)):
        return values
    return looked_up(_levels(maximum), values)


def from_samples(values: np.ndarray, channels: int, alpha: int | None = None, premultiplied: bool = False) -> Decoded:
    """Colours and transparency from a picture's samples.

    Args:
        values: levels (height, width, samples).
        channels: the number of those, from the first, that are colours.
        alpha: which one is the transparency; None if none is.
        premultiplied: whether the colours are multiplied by it, which is undone.
    """
    colours = np.ascontiguousarray(values[..., :channels])
    if alpha is None:
        return Decoded(colours)
    opacity = values[..., alpha]
    if premultiplied:
        colours = _divided(colours, opacity)
    if opacity.dtype == np.uint16:
        opacity = opacity >> 8
    return Decoded(colours, np.ascontiguousarray(opacity, np.uint8))


def _divided(colours: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    full = np.iinfo(colours.dtype).max
    result = np.empty_like(colours)
    for rows in strips(*colours.shape[:2]):
        share = np.maximum(opacity[rows], 1)[..., None].astype(np.float32)
        result[rows] = np.rint(np.minimum(colours[rows] * (np.float32(full) / share), full))
    return result


def strips(height: int, width: int) -> list[slice]:
    """The rows of a picture, about a megapixel at a time."""
    step = max(1, _PIXELS_AT_ONCE // width)
    return [slice(top, top + step) for top in range(0, height, step)]


def looked_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """table[values], without eight bytes for each value.

    Args:
        table: (levels,) or (levels, channels); what is beyond its end counts as its last.
        values: whole numbers from 0 (height, width, ...).
    """
    result = np.empty(values.shape + table.shape[1:], table.dtype)
    for rows in strips(*values.shape[:2]):
        result[rows] = np.take(table, values[rows], axis=0, mode="clip")
    return result


class Source:
    """A file of a kind that has a reader of its own, its header read.

    Attributes:
        width: in pixels.
        height: in pixels.
        exif: its EXIF data; None if there is none.
        xmp: its XMP packet; None if there is none, or it lies in a box of its own.
        iptc: its IPTC data; None if there is none.
        notes: what there is to say of it.
        weight: times as much memory a pixel as an ordinary picture's that decoding takes.
    """

    width: int
    height: int
    weight: float = 1.0
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    notes: Sequence[str] = ()

    def decode(self, data: bytes) -> Decoded:
        """The picture.

        Args:
            data: the file's content.

        Raises:
            PictureError: if it is damaged or ends early, or holds what is not read.
        """
        raise NotImplementedError


def to_rgb(colours: np.ndarray) -> np.ndarray:
    """Gray, RGB or CMYK without a profile as RGB (height, width, 3) of the same type.

    CMYK as OpenCV and libtiff have it: each ink takes its share of what black leaves.
    """
    channels = colours.shape[2]
    if channels == 3:
        return colours
    if channels == 1:
        return colours.repeat(3, axis=2)
    full = np.uint32(np.iinfo(colours.dtype).max)
    result = np.empty((*colours.shape[:2], 3), colours.dtype)
    for rows in strips(*colours.shape[:2]):
        light = full - colours[rows]
        result[rows] = light[..., :3] * light[..., 3:] // full
    return result


def turned(picture: np.ndarray, orientation: int) -> np.ndarray:
    """A picture (height, width, ...) turned the way EXIF's orientation says; unknown numbers change nothing."""
    if orientation in (5, 6, 7, 8):
        picture = picture.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    return np.ascontiguousarray(picture)
