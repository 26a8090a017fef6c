"""Reads what OpenCV and Pillow read rightly; ordinary files give the pixels they give in training."""

import struct
from pathlib import Path
from typing import BinaryIO

import cv2
import imagecodecs
import numpy as np
from PIL import ExifTags, Image

from historynet.errors import PictureError
from historynet.pictures import gif, images, jpeg, png, profiles
from historynet.pictures.decoded import Decoded, from_samples, strips, turned

_OPENCV = ("JPEG", "PNG", "WEBP", "BMP")
# Of these QOI and run-length coded DIB are decoded otherwise: Pillow takes a second for a megapixel.
# Formats whose Pillow readers start other programs (EPS) or want fonts (WMF) are left out.
_PILLOW = ("DIB", "GIF", "AVIF", "TGA", "PCX", "SGI", "SUN", "ICO", "QOI")
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")


def identify(file: BinaryIO, path: Path) -> Image.Image:
    """A file as Pillow opens it, its pixels not yet decoded.

    Raises:
        PictureError: if it is of no kind that is read here.
    """
    head = file.read(8)
    for kind in (jpeg, png, gif):
        if kind.recognises(head):
            kind.check_header(file, path)
    if png.recognises(head):
        file = png.without_long_texts(file)
    file.seek(0)
    try:
        return Image.open(file, formats=_OPENCV + _PILLOW)
    except Image.UnidentifiedImageError as error:
        what = "not a picture that can be read, or a damaged one" if file.seek(0, 2) else "the file is empty"
        raise PictureError(f"{path}: {what}") from error


def is_animation(image: Image.Image) -> bool:
    """Whether a file holds frames, of which the first counts."""
    return image.format in _ANIMATED and getattr(image, "is_animated", False)


def may_have_exif(image: Image.Image, data: bytes) -> bool:
    """Whether to look for EXIF data; Pillow would decode a PNG file to look for it behind the pixels."""
    return image.format != "PNG" or b"eXIf" in data or b"Raw profile type exif" in data


def decode(image: Image.Image, data: bytes, path: Path, deep: bool) -> Decoded:
    """A file's first picture.

    Args:
        image: the file, identified.
        data: its content.
        path: the file, for the messages.
        deep: whether 16-bit values are to be kept; they are, too, where a profile is to convert them.

    Raises:
        PictureError: if it cannot be decoded.
    """
    bits = _bits(image)
    if image.mode == "F" or bits > 16:
        raise PictureError(f"{path}: holds 32-bit values; save it with 16 or 8 bits")
    if image.format == "QOI":
        samples = imagecodecs.qoi_decode(data)
        return from_samples(samples, 3, 3 if samples.shape[2] == 4 else None)
    if image.format == "DIB" and image.tile[0][0] == "bmp_rle":
        # A BMP file without the first bytes of its header.
        head = struct.pack("<2sIII", b"BM", 0, 0, 14 + image.tile[0][2])
        return Decoded(images.decode(head + data, path))
    icc = profiles.of_image(image)
    has_alpha = image.format not in ("BMP", "DIB") and image.has_transparency_data
    keep_cmyk = False
    if image.mode == "CMYK" and icc:
        # Without a profile that fits, CMYK is what OpenCV takes it for.
        keep_cmyk = profiles.space_of(icc) == "CMYK"
        icc = icc if keep_cmyk else None
    by_pillow = image.format in _PILLOW or keep_cmyk
    alpha, orientation = None, 1
    if by_pillow or has_alpha:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        colours, alpha = _by_pillow(image, "CMYK" if keep_cmyk else "RGB" if by_pillow else None, has_alpha)
        # Its memory, before OpenCV takes more.
        image.close()
    if by_pillow:
        return Decoded(colours, alpha, bits, orientation, icc)
    # OpenCV turns it by itself.
    alpha = None if alpha is None else turned(alpha, orientation)
    in_16_bits = bits == 16 and (deep or profiles.changes(icc))
    return Decoded(_by_opencv(data, path, in_16_bits), alpha, bits, 1, icc)


def _by_pillow(image: Image.Image, mode: str | None, has_alpha: bool) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Colours in a mode of Pillow's, if one is given, and transparency, strip by strip: Pillow's copies are large."""
    image.load()
    width, height = image.size
    colours = None if mode is None else np.empty((height, width, len(mode)), np.uint8)
    alpha = np.empty((height, width), np.uint8) if has_alpha else None
    for rows in strips(height, width):
        part = image.crop((0, rows.start, width, min(rows.stop, height)))
        if has_alpha:
            part = part.convert("RGBA")
            alpha[rows] = np.asarray(part.getchannel("A"))
        if mode is not None:
            colours[rows] = np.asarray(part.convert(mode))
    return colours, alpha


def _by_opencv(data: bytes, path: Path, deep: bool) -> np.ndarray:
    """RGB as OpenCV decodes it: uint16 if `deep`, else uint8."""
    if not deep:
        return images.decode(data, path)
    bgr = images.decode(data, path, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _bits(image: Image.Image) -> int:
    """Bits of a sample; Pillow turns 16-bit colours into 8-bit ones and tells so only in the name of its raw mode."""
    raw_mode = image.tile[0][3] if image.format == "PNG" and image.tile else ""
    return 16 if "16" in f"{image.mode} {raw_mode}" else 8
