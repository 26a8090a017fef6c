"""The table of formats of docs/colorizing.md, line by line (make test-formats): the lightness of what is read.

Each file is made of known numbers, and what they mean is computed here, by the formats' and profiles' own definitions,
without any of the project's readers: L of the numbers against L of what `formats.read` gives.
"""

import io
import itertools
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from test_newer_formats import heif, planes, psd
from test_odd_formats import netpbm
from test_profiles import GRAYS, NARROW, STEPS, WIDE, encoded, gray_profile, rgb_profile, with_chunk

from historynet.pictures import formats

pytestmark = pytest.mark.formats

SHAPE = (48, 64)


def linear_of_srgb(part):
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lightness(linear):
    """CIE's L of linear sRGB (height, width, 3)."""
    y = linear @ (0.212671, 0.715160, 0.072169)
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def scene(maximum, channels):
    """Numbers from nearly black to white: a ramp, and for colours three that differ."""
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    ramp = 0.05 + 0.95 * x / (SHAPE[1] - 1)
    parts = np.dstack([ramp, 0.75 * ramp + 0.1, 0.9 * ramp * (1 - 0.2 * y / SHAPE[0]) + 0.05])
    values = np.rint((parts if channels == 3 else ramp) * maximum)
    return values.astype(np.uint8 if maximum <= 255 else np.uint16)


@dataclass
class Case:
    """A file of the matrix.

    Attributes:
        name: what it is.
        make: its content, of the scene's numbers.
        maximum: of the numbers.
        channels: 1 or 3.
        light: linear sRGB of the numbers divided by their maximum; sRGB's own by default.
        mean: of the difference of L at most.
        worst: the largest difference of L at most.
    """

    name: str
    make: Callable[[np.ndarray], bytes]
    maximum: int = 255
    channels: int = 3
    light: Callable[[np.ndarray], np.ndarray] = linear_of_srgb
    mean: float = 0.15
    worst: float = 0.5


LOSSY = {"mean": 0.8, "worst": 8.0}
WIDE_ICC = rgb_profile()
CURVES = {
    name: (
        gray_profile(shape),
        (lambda part, shape=shape: np.interp(part, STEPS, shape) if np.ndim(shape) else part**shape),
    )
    for name, shape in GRAYS.items()
}


def wide(part):
    return np.clip(part ** (461 / 256) @ WIDE.T @ np.linalg.inv(NARROW).T, 0, 1)


def by_tifffile(**options):
    def make(values):
        stored = values
        if options.get("photometric") == "miniswhite":
            stored = (2 ** options["bitspersample"] - 1 - values).astype(values.dtype)
        if "extrasamples" in options:
            stored = np.dstack([values, np.full(SHAPE, np.iinfo(values.dtype).max, values.dtype)])
        if options.get("planarconfig") == "separate":
            stored = np.moveaxis(stored, -1, 0)
        file = io.BytesIO()
        tifffile.imwrite(file, stored, metadata=None, **options)
        return file.getvalue()

    return make


def packed(bits, polarity, compression):
    """A TIFF file of compressed rows of packed numbers, which tifffile does not write."""
    code, compress = {"zlib": (8, zlib.compress), "zstd": (50000, imagecodecs.zstd_encode)}[compression]

    def make(values):
        stored = values if polarity == "minisblack" else (2**bits - 1 - values).astype(values.dtype)
        digits = stored[..., None] >> np.arange(bits - 1, -1, -1) & 1
        rows = np.packbits(digits.reshape(len(stored), -1), axis=1).tobytes()
        body = compress(rows)
        height, width = values.shape
        place = 10 + 12 * 8 + 4
        tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, code), (262, 3, polarity == "minisblack")]
        tags += [(273, 4, place), (278, 4, height), (279, 4, len(body))]
        entries = b"".join(
            struct.pack(">HHI", tag, kind, 1)
            + (struct.pack(">I" if kind == 4 else ">HH", *([value] + [0] * (kind == 3))))
            for tag, kind, value in tags
        )
        return b"MM\0*" + struct.pack(">IH", 8, len(tags)) + entries + bytes(4) + body

    return make


def by_pillow(kind, mode=None, **options):
    def make(values):
        file = io.BytesIO()
        picture = Image.fromarray(values)
        (picture.convert(mode) if mode else picture).save(file, kind, **options)
        return file.getvalue()

    return make


def png(chunk=None, content=b"", alpha=False):
    def make(values):
        ordered = values if values.ndim == 2 else values[..., ::-1]
        if alpha:
            ordered = np.dstack([ordered, np.full(SHAPE, np.iinfo(values.dtype).max, values.dtype)])
        data = cv2.imencode(".png", np.ascontiguousarray(ordered))[1].tobytes()
        return with_chunk(data, chunk, content) if chunk else data

    return make


def icc_chunk(icc):
    return b"iCCP", b"made\0\0" + zlib.compress(icc)


def tiff_cases():
    for bits, polarity, compression in itertools.product(
        (1, 2, 4, 8, 10, 12, 14, 16), ("minisblack", "miniswhite"), (None, "zlib", "zstd")
    ):
        make = by_tifffile(photometric=polarity, bitspersample=bits)
        make = packed(bits, polarity, compression) if compression else make
        yield Case(f"TIFF gray {bits} bits {polarity} {compression}", make, 2**bits - 1, 1)
    for bits, planar, compression, tile in itertools.product(
        (8, 16), ("contig", "separate"), (None, "lzw", "zlib", "zstd", "packbits", "lzma"), (None, (16, 32))
    ):
        make = by_tifffile(photometric="rgb", planarconfig=planar, compression=compression, tile=tile)
        yield Case(f"TIFF RGB {bits} bits {planar} {compression} {tile}", make, 2**bits - 1)
    for bits, planar, extra in itertools.product(
        (8, 16), ("contig", "separate"), ("unassalpha", "unspecified", "assocalpha")
    ):
        make = by_tifffile(photometric="rgb", planarconfig=planar, extrasamples=[extra])
        yield Case(f"TIFF RGB {bits} bits {planar} {extra}", make, 2**bits - 1)
    for bits, (name, (icc, light)) in itertools.product((8, 16), CURVES.items()):
        yield Case(f"TIFF gray {bits} bits {name}", by_tifffile(iccprofile=icc), 2**bits - 1, 1, light)
    for bits, planar in itertools.product((8, 16), ("contig", "separate")):
        make = by_tifffile(photometric="rgb", planarconfig=planar, iccprofile=WIDE_ICC)
        yield Case(f"TIFF RGB {bits} bits {planar} wide gamut", make, 2**bits - 1, 3, wide)
    for big, order in itertools.product((False, True), "<>"):
        yield Case(f"TIFF big={big} {order}", by_tifffile(photometric="rgb", bigtiff=big, byteorder=order), 65535)
    for kind in ("jpeg", "tiff_lzw", "tiff_deflate"):
        yield Case(f"TIFF YCbCr {kind}", by_pillow("TIFF", "YCbCr", compression=kind), **LOSSY)
    yield Case("TIFF CMYK", by_pillow("TIFF", "CMYK"))
    yield Case("TIFF palette", by_pillow("TIFF", "P"), 255, 1)


def png_cases():
    for bits, channels, alpha in itertools.product((8, 16), (1, 3), (False, True)):
        if (channels, alpha) != (1, True):
            yield Case(f"PNG {channels} channels {bits} bits alpha={alpha}", png(alpha=alpha), 2**bits - 1, channels)
    for bits, (name, (icc, light)) in itertools.product((8, 16), CURVES.items()):
        yield Case(f"PNG gray {bits} bits {name}", png(*icc_chunk(icc)), 2**bits - 1, 1, light)
    for bits in (8, 16):
        yield Case(f"PNG RGB {bits} bits wide gamut", png(*icc_chunk(WIDE_ICC)), 2**bits - 1, 3, wide)
        for gamma, channels in itertools.product((100_000, 55_556), (1, 3)):
            make = png(b"gAMA", gamma.to_bytes(4, "big"))
            light = lambda part, gamma=gamma: part ** (100_000 / gamma)  # noqa: E731
            yield Case(f"PNG {channels} channels {bits} bits gamma {gamma}", make, 2**bits - 1, channels, light)
    for mode in ("P", "LA"):
        yield Case(f"PNG {mode}", by_pillow("PNG", mode), 255, 1)


def other_cases():
    for progressive, subsampling, channels in itertools.product((False, True), (0, 2), (1, 3)):
        make = by_pillow("JPEG", quality=98, progressive=progressive, subsampling=subsampling)
        yield Case(f"JPEG {channels} channels progressive={progressive} {subsampling}", make, 255, channels, **LOSSY)
    for name, (icc, light) in CURVES.items():
        yield Case(f"JPEG gray {name}", by_pillow("JPEG", quality=100, icc_profile=icc), 255, 1, light, **LOSSY)
    yield Case(
        "JPEG wide gamut", by_pillow("JPEG", quality=98, subsampling=0, icc_profile=WIDE_ICC), 255, 3, wide, **LOSSY
    )
    yield Case("JPEG CMYK", by_pillow("JPEG", "CMYK", quality=98), 255, 3, **LOSSY)
    for bits, channels, kind in itertools.product((1, 2, 4, 8, 10, 12, 14, 16), (1, 3), ("jp2", "j2k")):

        def make(values, bits=bits, kind=kind):
            return imagecodecs.jpeg2k_encode(values, level=0, reversible=True, bitspersample=bits, codecformat=kind)

        yield Case(f"JPEG 2000 .{kind} {channels} channels {bits} bits", make, 2**bits - 1, channels)
    for kind, maximum in itertools.product((2, 3, 5, 6), (1, 15, 100, 255, 1023, 4095, 65535)):

        def make(values, kind=kind, maximum=maximum):
            return netpbm(kind, values, maximum)

        yield Case(f"PNM P{kind} maximum {maximum}", make, maximum, 1 if kind in (2, 5) else 3)
    for bits, compression, mode in itertools.product((8, 16), range(4), ("gray", "rgb", "duotone")):

        def make(values, bits=bits, compression=compression, mode=mode):
            return psd(planes(values), mode, bits, compression)

        yield Case(f"PSD {mode} {bits} bits compression {compression}", make, 2**bits - 1, 3 if mode == "rgb" else 1)
    for bits, channels in itertools.product((8, 10, 12, 16), (1, 3)):

        def make(values, bits=bits):
            return imagecodecs.jpegxl_encode(values, lossless=True, bitspersample=bits)

        light = linear_of_srgb if bits == 8 else lambda part: part  # this encoder calls deep values linear light
        yield Case(f"JPEG XL {channels} channels {bits} bits", make, 2**bits - 1, channels, light)
    yield Case("HEIC RGB", lambda values: heif(values, "RGB", quality=-1), **LOSSY)
    yield Case("HEIC gray", lambda values: heif(values, "L", quality=-1), 255, 1, **LOSSY)
    yield Case("HEIC RGB 10 bits", lambda values: heif(values, "RGB;16", quality=-1), 65535, **LOSSY)
    yield Case("AVIF", by_pillow("AVIF", quality=100, subsampling="4:4:4"), **LOSSY)
    yield Case("WebP", by_pillow("WEBP", lossless=True))
    for kind in ("BMP", "DIB", "TGA", "PCX", "SGI", "QOI"):
        yield Case(kind, by_pillow(kind), channels=3)
    yield Case("ICO", by_pillow("ICO", sizes=[SHAPE[::-1]]))
    yield Case("GIF", by_pillow("GIF"), 255, 1)


CASES = [*tiff_cases(), *png_cases(), *other_cases()]


def test_there_are_enough_cases():
    assert len({case.name for case in CASES}) == len(CASES) >= 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("deep", [True, False], ids=["16 bits kept", "8 bits"])
def test_lightness(tmp_path, case, deep, record_property):
    values = scene(case.maximum, case.channels)
    path = tmp_path / "file"
    path.write_bytes(case.make(values))
    rgb = formats.read(path, deep=deep).rgb
    assert rgb.flags.writeable
    part = values / case.maximum
    light = case.light(part if part.ndim == 3 else np.dstack([part] * 3))
    difference = np.abs(lightness(linear_of_srgb(rgb / np.iinfo(rgb.dtype).max)) - lightness(light))
    record_property("mean", difference.mean())
    record_property("worst", difference.max())
    # The lower byte is cut off, not rounded: up to a level, half on average.
    mean, worst = (case.mean, case.worst) if rgb.dtype == np.uint16 or case.maximum <= 255 else (0.5, 1.2)
    mean, worst = max(mean, case.mean), max(worst, case.worst)
    assert difference.mean() <= mean, difference.mean()
    assert difference.max() <= worst, difference.max()
    assert encoded(light).max() <= 1
