"""Photoshop, HEIC, AVIF, JPEG XL and raw files: against the arrays they were made from, or another reader."""

import importlib.util
import io
import struct
import zlib

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import ExifTags, Image
from test_odd_formats import colours, expected, gray
from test_profiles import encoded, gray_profile

from historynet.errors import PictureError
from historynet.pictures import formats

MODES = {"bitmap": 0, "gray": 1, "indexed": 2, "rgb": 3, "cmyk": 4, "duotone": 8}


def resource(kind, content):
    return b"8BIM" + struct.pack(">H2xI", kind, len(content)) + content + b"\0" * (len(content) % 2)


def psd(planes, mode, bits, compression=0, resources=b"", palette=b"", layers=0, version=1):
    """A file of Photoshop's, from its published specification.

    Args:
        planes: (channels, height, width).
        mode: a name of `MODES`.
        bits: 1, 8 or 16.
        compression: 0 none, 1 PackBits, 2 deflate, 3 deflate of differences.
        resources: image resources, one behind the other.
        palette: of indexed colours.
        layers: their number, negative if the first channel beside the colours is transparency.
        version: 2 for PSB.
    """
    channels, height, width = planes.shape
    data = b"8BPS" + struct.pack(">H6xHIIHH", version, channels, height, width, bits, MODES[mode])
    data += struct.pack(">I", len(palette)) + palette + struct.pack(">I", len(resources)) + resources
    number = ">I" if version == 1 else ">Q"
    section = struct.pack(number, 4) + struct.pack(">hH", layers, 0)
    data += struct.pack(number, len(section)) + section + struct.pack(">H", compression)
    if bits == 1:
        rows = [np.packbits(row).tobytes() for plane in planes for row in plane]
    else:
        values = planes.copy()
        if compression == 3:
            values[..., 1:] -= planes[..., :-1]
        rows = [row.astype(">u2" if bits == 16 else np.uint8).tobytes() for plane in values for row in plane]
    if compression == 1:
        rows = [imagecodecs.packbits_encode(row) for row in rows]
        data += b"".join(struct.pack(">H" if version == 1 else ">I", len(row)) for row in rows)
    body = b"".join(rows)
    return data + (zlib.compress(body) if compression > 1 else body)


def planes(values):
    return np.ascontiguousarray(np.moveaxis(np.atleast_3d(values), -1, 0))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", range(4))
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("mode", ["gray", "rgb", "duotone"])
def test_photoshop_of_every_compression(tmp_path, bits, compression, version, mode):
    maximum = 2**bits - 1
    values = colours(maximum) if mode == "rgb" else gray(maximum)
    data = psd(planes(values), mode, bits, compression, version=version)
    (tmp_path / "a.psd").write_bytes(data)
    header = formats.read_header(tmp_path / "a.psd")
    assert (header.width, header.height, header.pages) == (61, 45, 1)
    np.testing.assert_array_equal(formats.read(tmp_path / "a.psd", deep=True).rgb, expected(values, maximum))
    for tenth in range(1, 10):
        (tmp_path / "cut.psd").write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(PictureError, match=r"cut\.psd"):
            formats.read(tmp_path / "cut.psd")


def test_other_modes_of_photoshop_as_pillow_sees_them(tmp_path):
    inks = np.dstack([colours(), 255 - gray() // 2])
    palette = np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes()
    for mode, values, bits, more in (
        ("cmyk", inks, 8, {}),
        ("indexed", gray(), 8, {"palette": palette}),
    ):
        (tmp_path / "a.psd").write_bytes(psd(planes(values), mode, bits, **more))
        with Image.open(tmp_path / "a.psd") as image:
            image.frame = 1
            seen = np.asarray(image.convert("RGB")).astype(int)
        assert np.abs(formats.read(tmp_path / "a.psd").rgb - seen).max() <= 1, mode


def test_bitmaps_of_photoshop_have_one_for_black(tmp_path):
    """Pillow has it the other way round; ImageMagick and psd-tools have it so."""
    black = gray() < 120
    (tmp_path / "a.psd").write_bytes(psd(planes(black.astype(np.uint8)), "bitmap", 1))
    np.testing.assert_array_equal(formats.read(tmp_path / "a.psd").rgb[..., 0], np.where(black, 0, 255))


def test_photoshops_transparency_selections_profile_and_exif(tmp_path):
    samples = planes(np.dstack([colours(), gray()]))
    (tmp_path / "a.psd").write_bytes(psd(samples, "rgb", 8, 1))
    assert formats.read(tmp_path / "a.psd").alpha is None  # a saved selection
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "a caption"
    resources = resource(1058, exif.tobytes().removeprefix(b"Exif\0\0"))
    (tmp_path / "a.psd").write_bytes(psd(samples, "rgb", 8, 1, resources, layers=-1))
    picture = formats.read(tmp_path / "a.psd")
    np.testing.assert_array_equal(picture.alpha, gray())
    assert picture.exif[ExifTags.Base.ImageDescription] == "a caption"
    (tmp_path / "a.psd").write_bytes(psd(planes(gray()), "gray", 8, 1, resource(1039, gray_profile(1.0))))
    right = encoded(gray() / 255)
    assert np.abs(formats.read(tmp_path / "a.psd").rgb[..., 0] / 255 - right).max() < 4e-3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (psd(planes(gray()), "gray", 8, resources=resource(1057, b"\0\0\0\1\0")), "Maximize Compatibility"),
        (psd(planes(gray()), "gray", 32), "holds 32-bit values"),
        (psd(planes(gray()), "rgb", 8), "kind of colours"),
        (psd(planes(gray()), "gray", 8, 4), "ends early"),
    ],
)
def test_photoshop_files_that_cannot_be_read_rightly_are_refused(tmp_path, data, message):
    (tmp_path / "a.psd").write_bytes(data)
    with pytest.raises(PictureError, match=rf"a\.psd: .*{message}"):
        formats.read(tmp_path / "a.psd")


def heif(values, mode, **options):
    height, width = values.shape[:2]
    file = io.BytesIO()
    pillow_heif.from_bytes(mode, (width, height), np.ascontiguousarray(values).tobytes()).save(file, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("mode", "values"), [("RGB", colours()), ("L", gray()), ("RGBA", np.dstack([colours(), gray()]))]
)
def test_heic_of_8_bits(tmp_path, mode, values):
    (tmp_path / "a.heic").write_bytes(heif(values, mode, quality=-1))
    picture = formats.read(tmp_path / "a.heic", deep=True)
    assert picture.rgb.flags.writeable  # colours are written into it
    assert picture.rgb.dtype == np.uint8
    seen = np.atleast_3d(values)[..., : 1 if mode == "L" else 3]
    assert np.abs(picture.rgb.astype(int) - seen).mean() < 3
    assert (picture.alpha is not None) == (mode == "RGBA")


def test_heic_of_10_bits_keeps_them(tmp_path):
    values = np.dstack([gray(65535)] * 3)
    (tmp_path / "a.heic").write_bytes(heif(values, "RGB;16", quality=-1))
    picture = formats.read(tmp_path / "a.heic", deep=True)
    assert np.abs(picture.rgb / 65535 - values / 65535).max() < 3e-3
    assert len(np.unique(picture.rgb)) > 300
    assert formats.read(tmp_path / "a.heic").notes == ["10 bits are cut to 8; --format png and tif keep 16"]


def test_heic_is_turned_once_and_keeps_its_exif_data(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "a telephone"
    (tmp_path / "a.heic").write_bytes(heif(colours(), "RGB", quality=-1, exif=exif.tobytes()))
    picture = formats.read(tmp_path / "a.heic")
    with pillow_heif.read_heif(tmp_path / "a.heic").to_pillow() as seen:
        assert picture.rgb.shape[:2] == seen.size[::-1]
    assert picture.exif[ExifTags.Base.Make] == "a telephone"
    assert ExifTags.Base.Orientation not in picture.exif


def test_heic_that_is_cut_off_is_refused(tmp_path):
    data = heif(colours(), "RGB")
    for tenth in range(1, 10):
        (tmp_path / "cut.heic").write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(PictureError, match=r"cut\.heic"):
            formats.read(tmp_path / "cut.heic")


def test_avif(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "a.avif", quality=100, subsampling="4:4:4")
    seen = np.asarray(Image.open(tmp_path / "a.avif").convert("RGB"))
    np.testing.assert_array_equal(formats.read(tmp_path / "a.avif").rgb, seen)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("boxes", [False, True])
def test_jpeg_xl(tmp_path, bits, channels, boxes):
    maximum = 2**bits - 1
    values = gray(maximum) if channels < 3 else colours(maximum)
    samples = values if channels in (1, 3) else np.dstack([values, gray(maximum)])
    data = imagecodecs.jpegxl_encode(samples, lossless=True, bitspersample=bits, usecontainer=boxes)
    (tmp_path / "a.jxl").write_bytes(data)
    header = formats.read_header(tmp_path / "a.jxl")
    assert (header.width, header.height) == (61, 45)
    picture = formats.read(tmp_path / "a.jxl", deep=True)
    right = expected(values, maximum)
    # This encoder calls values of more than 8 bits linear light.
    right = right / 255 if bits == 8 else encoded(right / 65535)
    assert np.abs(picture.rgb / np.iinfo(picture.rgb.dtype).max - right).max() < (1e-9 if bits == 8 else 3e-4)
    assert (picture.alpha is not None) == (channels in (2, 4))
    for tenth in range(1, 10):
        (tmp_path / "cut.jxl").write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(PictureError, match=r"cut\.jxl"):
            formats.read(tmp_path / "cut.jxl")


def test_jpeg_xl_with_loss(tmp_path):
    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(colours(), level=95))
    assert np.abs(formats.read(tmp_path / "a.jxl").rgb.astype(int) - colours()).mean() < 5


def test_jpeg_xl_of_other_values_is_refused(tmp_path):
    (tmp_path / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(gray().astype(np.float32) / 255))
    with pytest.raises(PictureError, match=r"a\.jxl: .*save it"):
        formats.read(tmp_path / "a.jxl")


def dng(path):
    """The layout of raw files: a preview first, the sensor's values behind it."""
    sensor = gray(65535, 64, 96)
    tags = [
        (50706, "B", 4, bytes([1, 4, 0, 0]), True),
        (271, "s", 0, "Maker", True),
        (272, "s", 0, "Model", True),
        (50708, "s", 0, "Maker Model", True),
        (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
        (50778, "H", 1, 21, True),
    ]
    with tifffile.TiffWriter(path, byteorder="<") as file:
        preview = np.dstack([gray()] * 3)
        file.write(preview, photometric="rgb", subfiletype=1, subifds=1, metadata=None, extratags=tags)
        pattern = [(33421, "H", 2, (2, 2), True), (33422, "B", 4, bytes([0, 1, 1, 2]), True)]
        file.write(sensor, photometric=32803, subfiletype=0, metadata=None, extratags=pattern)
    return sensor


RAW = {
    "a.raf": b"FUJIFILMCCD-RAW 0201FF",
    "a.orf": b"IIRO\x08\0\0\0",
    "a.rw2": b"IIU\0\x08\0\0\0",
    "a.cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "a.x3f": b"FOVb\0\0\2\0",
}


@pytest.mark.parametrize("name", ["a.dng", "a.tif", "a.nef", *RAW])
def test_raw_files_are_recognised_by_content_and_refused_with_what_to_do(tmp_path, name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    path = tmp_path / name
    if name in RAW:
        path.write_bytes(RAW[name] + bytes(1000))
    else:
        dng(path)
    for call in (formats.read_header, formats.read):
        with pytest.raises(PictureError, match=rf"^{path}: a raw file of a camera; develop .*pip install '\.\[raw\]'"):
            call(path)


def test_raw_files_are_developed_at_full_size_where_libraw_is_installed(tmp_path):
    pytest.importorskip("rawpy")
    sensor = dng(tmp_path / "a.dng")
    picture = formats.read(tmp_path / "a.dng", deep=True)
    height, width = picture.rgb.shape[:2]
    assert abs(height - len(sensor)) <= 8
    assert abs(width - sensor.shape[1]) <= 8
    assert picture.rgb.dtype == np.uint16
    level = picture.rgb.mean(axis=(0, 2))
    assert np.corrcoef(level, sensor.mean(axis=0)[:width])[0, 1] > 0.95
    assert picture.exif[ExifTags.Base.Make] == "Maker"


def test_folders_give_what_can_be_read():
    for extension in (".psd", ".psb", ".heic", ".heif", ".avif", ".jxl", ".dng", ".nef", ".cr2"):
        assert extension in formats.EXTENSIONS
