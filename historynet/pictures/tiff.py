"""A TIFF writer for what neither library writes: Pillow's knows no 16-bit colours, OpenCV's no EXIF data."""

import itertools
import zlib

import numpy as np
from PIL import Image, TiffImagePlugin, TiffTags

from historynet.pictures.captions import Captions

_DEFLATE, _RGB, _CHUNKY, _UNASSOCIATED_ALPHA = 8, 2, 1, 2
_STRIP_BYTES = 1 << 20


def encode(pixels: np.ndarray, exif: Image.Exif | None, icc: bytes | None, captions: Captions | None = None) -> bytes:
    """A TIFF file's content: compressed strips, and a directory that Pillow writes.

    Args:
        pixels: uint8 or uint16 RGB (height, width, 3), or 4 with transparency.
        exif: becomes tags of the directory.
        icc: the profile of the RGB values.
        captions: XMP and IPTC data.
    """
    height, width, channels = pixels.shape
    rows = min(height, max(1, _STRIP_BYTES // pixels[:1].nbytes))
    strips = [_deflate(pixels[top : top + rows]) for top in range(0, height, rows)]
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in (exif or {}).items():
        directory[tag] = value
    tags = {
        TiffImagePlugin.IMAGEWIDTH: width,
        TiffImagePlugin.IMAGELENGTH: height,
        TiffImagePlugin.BITSPERSAMPLE: (pixels.itemsize * 8,) * channels,
        TiffImagePlugin.COMPRESSION: _DEFLATE,
        TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: _RGB,
        TiffImagePlugin.SAMPLESPERPIXEL: channels,
        TiffImagePlugin.ROWSPERSTRIP: rows,
        TiffImagePlugin.STRIPBYTECOUNTS: tuple(map(len, strips)),
        TiffImagePlugin.PLANAR_CONFIGURATION: _CHUNKY,
    }
    if channels == 4:
        tags[TiffImagePlugin.EXTRASAMPLES] = _UNASSOCIATED_ALPHA
    if icc:
        tags[TiffImagePlugin.ICCPROFILE] = icc
    if captions and captions.xmp:
        tags[TiffImagePlugin.XMP] = captions.packet
    if captions and captions.iptc:
        tags[TiffImagePlugin.IPTC_NAA_CHUNK] = captions.iptc
        directory.tagtype[TiffImagePlugin.IPTC_NAA_CHUNK] = TiffTags.UNDEFINED
    for tag, value in tags.items():
        directory[tag] = value
    # Pillow moves these offsets to where its directory ends.
    directory[TiffImagePlugin.STRIPOFFSETS] = tuple(itertools.accumulate(map(len, strips[:-1]), initial=0))
    return b"".join([b"II*\0\x08\0\0\0", directory.tobytes(8), *strips])


def _deflate(rows: np.ndarray) -> bytes:
    return zlib.compress(rows.astype(rows.dtype.newbyteorder("<"), copy=False).tobytes(), 6)
