"""A reader for TIFF: what the numbers of a page mean. tifffile and imagecodecs decode them."""

import io
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from historynet.errors import PictureError
from historynet.pictures import color, images
from historynet.pictures.decoded import Decoded, from_samples, looked_up, to_levels
from historynet.pictures.tiff_pages import Directory

if TYPE_CHECKING:
    import tifffile

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _CIELAB, _ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _CIELAB: 3, _ICCLAB: 3}
_OLD_JPEG, _JPEG = 6, 7
_FAX = (2, 3, 4)
_IMAGE_COMPRESSIONS = frozenset({_OLD_JPEG, _JPEG, 33003, 33005, 34712, 34927, 50002, 52546})
"""JPEG and JPEG 2000 and JPEG XL: their decoders turn YCbCr into RGB themselves."""

_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_PHOTOMETRIC, _ORIENTATION, _INK_SET, _PROFILE, _FILL = 262, 274, 332, 34675, 4
_ASSOCIATED, _UNASSOCIATED = 1, 2
_LARGEST_PART = 1 << 20
"""Pixels that a tile may have beyond a few times its picture's."""

# It reports damaged files on the standard error stream without their names; our own messages name them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False


def decode(data: bytes, directory: Directory, path: Path) -> Decoded:
    """One page.

    Args:
        data: the file's content.
        directory: the page's.
        path: the file, for the messages.

    Raises:
        PictureError: if it holds what cannot be read rightly, or ends early.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as document:
        document.filehandle.seek(directory.offset)
        page = tifffile.TiffPage(document, 0)
        photometric = _photometric(page)
        _check(page, photometric, path)
        if photometric == _YCBCR and page.compression not in _IMAGE_COMPRESSIONS - {_OLD_JPEG}:
            decoded = _ycbcr(data, page, directory, path)
        else:
            _check_parts(page, len(data), path)
            values = _samples(page)
            decoded = _meaning(values, page, photometric, path)
            decoded.orientation = int(page.tags.valueof(_ORIENTATION, 1))
        decoded.bits = _bits(page)
        profile = page.tags.valueof(_PROFILE)
        # Lab needs none, and is RGB by now.
        decoded.icc = bytes(profile) if profile and photometric not in (_CIELAB, _ICCLAB) else None
    return decoded


def _photometric(page: "tifffile.TiffPage") -> int:
    """What the samples mean; where the tag is missing, what libtiff takes them for."""
    value = page.tags.valueof(_PHOTOMETRIC)
    if value is None:
        if page.samplesperpixel >= 3:
            return _YCBCR if page.compression == _OLD_JPEG else _RGB
        return _WHITE_IS_ZERO if page.compression in _FAX else _BLACK_IS_ZERO
    return int(value)


def _bits(page: "tifffile.TiffPage") -> int:
    bits = page.bitspersample
    return max(bits) if isinstance(bits, tuple) else int(bits)


def _check(page: "tifffile.TiffPage", photometric: int, path: Path) -> None:
    """Refuses by name what has no one meaning as a picture, or what no decoder here knows."""
    bits, form = _bits(page), page.sampleformat
    advice = "save it with 16 or 8 bits"
    if form == _SIGNED:
        raise PictureError(f"{path}: holds signed {bits}-bit values; {advice}, unsigned")
    if bits > 16 or form not in (_UNSIGNED, _FLOAT):
        raise PictureError(f"{path}: holds {bits}-bit values; {advice}")
    if form == _FLOAT:
        raise PictureError(f"{path}: holds {bits}-bit floating-point values; {advice}")
    if isinstance(page.bitspersample, tuple) or page.imagedepth != 1:
        raise PictureError(f"{path}: its samples have several depths; save it with 8 or 16 bits each")
    if photometric not in _CHANNELS:
        name = getattr(page.photometric, "name", str(photometric))
        raise PictureError(f"{path}: its kind of colours ({name}) is not read; save it as RGB or gray")
    if photometric == _CMYK and page.tags.valueof(_INK_SET, 1) != 1:
        raise PictureError(f"{path}: its inks are not cyan, magenta, yellow and black; save it as RGB or CMYK")
    if photometric in (_CIELAB, _ICCLAB) and bits != 8:
        raise PictureError(f"{path}: holds Lab colours of {bits} bits; save it as RGB")
    if page.samplesperpixel < _CHANNELS[photometric] and page.compression != _OLD_JPEG:
        raise PictureError(f"{path}: not a picture that can be read, or a damaged one")


def _check_parts(page: "tifffile.TiffPage", length: int, path: Path) -> None:
    """Refuses a page whose strips or tiles are not all there: tifffile would leave memory as it is, or zeros."""
    early = PictureError(f"{path}: the TIFF file ends early")
    if page.is_tiled:
        tile = page.tilewidth * page.tilelength
        if tile > 4 * page.imagewidth * page.imagelength + _LARGEST_PART:
            raise PictureError(
                f"{path}: a tile of {page.tilewidth}x{page.tilelength} pixels; save it with smaller ones"
            )
    if page.is_contiguous:
        if page.dataoffsets[0] + page.nbytes > length:
            raise early
        return
    offsets, counts = (np.array(numbers, np.uint64) for numbers in (page.dataoffsets, page.databytecounts))
    expected = math.prod(page.chunked)
    if min(len(offsets), len(counts)) < expected or not (offsets.all() and counts.all()):
        raise PictureError(f"{path}: parts of the picture are missing in the file")
    if (offsets + counts > length).any():
        raise early


def _samples(page: "tifffile.TiffPage") -> np.ndarray:
    """A page's numbers as they are in the file (height, width, samples), unsigned."""
    values = page.asarray(squeeze=False, maxworkers=1)[:, 0]
    values = values[0] if len(values) == 1 else np.moveaxis(values[..., 0], 0, -1)
    return values.view(np.uint8) if values.dtype == bool else values


def _meaning(values: np.ndarray, page: "tifffile.TiffPage", photometric: int, path: Path) -> Decoded:
    channels, bits = _CHANNELS[photometric], _bits(page)
    if photometric == _PALETTE:
        return Decoded(_looked_up(values[..., 0], page, path))
    values = to_levels(values, 2**bits - 1)
    alpha, kind = _transparency(page, channels)
    decoded = from_samples(values, channels, alpha, kind == _ASSOCIATED)
    if photometric == _WHITE_IS_ZERO:
        full = np.iinfo(decoded.colours.dtype).max
        decoded.colours = np.subtract(full, decoded.colours, dtype=decoded.colours.dtype)
    elif photometric in (_CIELAB, _ICCLAB):
        # CIELab's a and b are signed; OpenCV's, as ICCLab's, have gray at 128.
        shift = np.uint8(128 if photometric == _CIELAB else 0)
        decoded.colours[..., 1:] ^= shift
        decoded.colours = color.lab_to_rgb(decoded.colours)
    return decoded


def _transparency(page: "tifffile.TiffPage", channels: int) -> tuple[int | None, int]:
    """Which sample is the transparency, and of which kind; None if none is."""
    kinds = [int(kind) for kind in page.extrasamples]
    if not kinds and page.samplesperpixel == channels + 1:
        # Without a word on it, as libraries take it.
        kinds = [_UNASSOCIATED]
    for i, kind in enumerate(kinds[: page.samplesperpixel - channels]):
        if kind in (_ASSOCIATED, _UNASSOCIATED):
            return channels + i, kind
    return None, 0


def _looked_up(indices: np.ndarray, page: "tifffile.TiffPage", path: Path) -> np.ndarray:
    if page.colormap is None:
        raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
    table = np.asarray(page.colormap, np.uint16).T
    # Some writers store 8 bits where 16 belong, as libtiff knows.
    table = (table >> 8 if table.max() > 255 else table).astype(np.uint8)
    if indices.max() >= len(table):
        raise PictureError(f"{path}: has colours that its palette does not name")
    return looked_up(table, indices)


def _ycbcr(data: bytes, page: "tifffile.TiffPage", directory: Directory, path: Path) -> Decoded:
    """YCbCr that no JPEG decoder turns into RGB: libtiff does, in OpenCV, which turns it the right way up, too."""
    if _bits(page) != 8 or directory.number is None or page.samplesperpixel > 3:
        raise PictureError(f"{path}: holds YCbCr of a kind that is not read; save it as RGB")
    return Decoded(images.decode(data, path, cv2.IMREAD_COLOR_RGB, directory.number))
