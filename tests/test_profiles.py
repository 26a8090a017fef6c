"""Colours of any profile become sRGB: against arithmetic on the profiles' own numbers, without littleCMS."""

import io
import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from historynet.pictures import formats, profiles

# ProPhoto's primaries, and sRGB's, for the white D50.
WIDE = np.array([[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0, 0, 0.8249]])
NARROW = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)


def encoded(linear):
    """sRGB's transfer function (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def profile(space, tags):
    body, table, at = b"", struct.pack(">I", len(tags)), 132 + 12 * len(tags)
    for name, data in tags:
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"\0" * 4, 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def xyz(*values):
    return b"XYZ " + b"\0" * 4 + struct.pack(">iii", *(round(value * 65536) for value in values))


def curve(value):
    if np.isscalar(value):
        return b"curv" + b"\0" * 4 + struct.pack(">IH", 1, round(value * 256))
    return b"curv" + b"\0" * 4 + struct.pack(f">I{len(value)}H", len(value), *(round(v * 65535) for v in value))


COMMON = [
    (b"desc", b"desc" + b"\0" * 4 + struct.pack(">I", 5) + b"made\0" + b"\0" * 79),
    (b"cprt", b"text\0\0\0\0none\0"),
    (b"wtpt", xyz(0.9642, 1, 0.8249)),
]


def rgb_profile(gamma=1.8, extra=()):
    primaries = [(name, xyz(*WIDE[:, i])) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
    return profile(b"RGB ", [*COMMON, *primaries, *((n, curve(gamma)) for n in (b"rTRC", b"gTRC", b"bTRC")), *extra])


def gray_profile(shape):
    return profile(b"GRAY", [*COMMON, (b"kTRC", curve(shape))])


STEPS = np.linspace(0, 1, 256)
DOT_GAIN = 1 - np.clip((1 - STEPS) + 0.8 * (1 - STEPS) * STEPS, 0, 1)
GRAYS = {"linear": 1.0, "gamma 1.8": 1.8, "gamma 2.2": 2.2, "dot gain": DOT_GAIN}


def gray(bits):
    full = 2**bits - 1
    return (
        np.linspace(0.02, 1, 60 * 80).reshape(60, 80).__mul__(full).round().astype(np.uint8 if bits == 8 else np.uint16)
    )


def colours(bits):
    """Not far from gray, so that all of them exist in sRGB."""
    base = np.dstack([gray(bits)] * 3) * 0.6 + (0.12, 0.1, 0.08) * np.array(2**bits - 1)
    base[:20, :, 0] *= 1.1
    base[40:, :, 2] *= 1.1
    return np.round(base).astype(gray(bits).dtype)


def saved(path, values, icc):
    if path.suffix == ".tif":
        tifffile.imwrite(path, values, metadata=None, iccprofile=icc)
    elif path.suffix == ".jpg":
        Image.fromarray(values).save(path, icc_profile=icc, quality=100, subsampling=0)
    else:
        # Pillow writes no 16-bit colours.
        ordered = values if values.ndim == 2 else values[..., ::-1]
        done, data = cv2.imencode(".png", np.ascontiguousarray(ordered))
        assert done
        path.write_bytes(with_chunk(data.tobytes(), b"iCCP", b"x\0\0" + zlib.compress(icc)))
    return path


def with_chunk(png, kind, content):
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize("shape", GRAYS)
@pytest.mark.parametrize(("extension", "bits"), [("tif", 8), ("tif", 16), ("png", 8), ("png", 16), ("jpg", 8)])
def test_gray_of_any_curve_keeps_its_lightness(tmp_path, shape, extension, bits):
    values = gray(bits)
    path = saved(tmp_path / f"a.{extension}", values, gray_profile(GRAYS[shape]))
    picture = formats.read(path, deep=True)
    part = values / (2**bits - 1)
    linear = np.interp(part, STEPS, GRAYS[shape]) if shape == "dot gain" else part ** GRAYS[shape]
    error = np.abs(picture.rgb / (2**bits - 1) - encoded(linear)[..., None]).max()
    assert error < (2e-3 if bits == 16 else 0.05 if extension == "jpg" else 4e-3)
    assert np.ptp(picture.rgb.astype(int), axis=2).max() == 0
    assert picture.notes == []
    assert picture.icc == profiles.SRGB


@pytest.mark.parametrize(("extension", "bits"), [("tif", 8), ("tif", 16), ("png", 8), ("png", 16)])
@pytest.mark.parametrize("deep", [False, True])
def test_a_wide_gamut_becomes_srgb(tmp_path, extension, bits, deep):
    values = colours(bits)
    path = saved(tmp_path / f"a.{extension}", values, rgb_profile())
    picture = formats.read(path, deep=deep)
    linear = (values / (2**bits - 1)) ** (461 / 256) @ WIDE.T @ np.linalg.inv(NARROW).T
    right = encoded(linear)
    assert right.max() <= 1
    full = np.iinfo(picture.rgb.dtype).max
    error = np.abs(picture.rgb / full - right).max()
    assert error < (2e-4 if bits == 16 and deep else 1.2 / 255)
    assert np.abs(picture.rgb / full - values / (2**bits - 1)).max() > 0.02
    assert picture.icc == profiles.SRGB


@pytest.mark.parametrize("extension", ["png", "tif", "jpg", "webp"])
def test_what_is_converted_is_written_as_srgb(tmp_path, extension):
    picture = formats.read(saved(tmp_path / "a.tif", colours(8), rgb_profile()))
    formats.write(tmp_path / f"b.{extension}", picture)
    again = formats.read(tmp_path / f"b.{extension}")
    assert again.icc == profiles.SRGB
    if extension in ("png", "tif"):
        np.testing.assert_array_equal(again.rgb, picture.rgb)


@pytest.mark.parametrize("extension", ["png", "tif", "jpg"])
def test_srgb_stays_as_it_is(tmp_path, extension):
    path = saved(tmp_path / f"a.{extension}", colours(8), profiles.SRGB)
    plain = Image.fromarray(np.asarray(Image.open(path)))
    np.testing.assert_array_equal(formats.read(path).rgb, np.asarray(plain))


def test_cmyk_is_converted_by_its_profile_in_8_and_16_bits(tmp_path):
    """An inks' profile of a table (mft1) whose numbers are known: Lab L falls with black alone."""
    grid = np.zeros((2, 2, 2, 2, 3), np.uint8)
    grid[..., 0, 0], grid[..., 1:] = 255, 128
    head = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = head + bytes(range(256)) * 4 + grid.tobytes() + bytes(range(256)) * 3
    icc = bytearray(profile(b"CMYK", [*COMMON, (b"A2B0", table)]))
    icc[12:16], icc[20:24] = b"prtr", b"Lab "
    for bits in (8, 16):
        full = 2**bits - 1
        inks = np.dstack([gray(bits), gray(bits), gray(bits), full - gray(bits)])
        tifffile.imwrite(
            tmp_path / "a.tif",
            inks,
            metadata=None,
            photometric="separated",
            planarconfig="contig",
            iccprofile=bytes(icc),
        )
        rgb = formats.read(tmp_path / "a.tif", deep=True).rgb / full
        lightness = gray(bits) / full * 100
        y = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
        assert np.abs(rgb[..., 1] - encoded(y)).max() < 0.02


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.45455])
@pytest.mark.parametrize("coloured", [False, True])
def test_a_png_files_own_gamma_counts(tmp_path, bits, gamma, coloured):
    values = colours(bits) if coloured else gray(bits)
    done, data = cv2.imencode(".png", values[..., ::-1] if coloured else values)
    assert done
    data = with_chunk(data.tobytes(), b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    path = tmp_path / "a.png"
    path.write_bytes(data)
    part = values / (2**bits - 1)
    part = part if coloured else np.dstack([part] * 3)
    right = part if gamma == 0.45455 else encoded(part ** (1 / gamma))
    read = formats.read(path, deep=True).rgb
    assert read.dtype == values.dtype
    assert np.abs(read / np.iinfo(read.dtype).max - right).max() < 5e-3
    # What a file says to be sRGB is that, whatever gamma stands beside it.
    path.write_bytes(with_chunk(data, b"sRGB", b"\0"))
    np.testing.assert_array_equal(formats.read(path, deep=True).rgb, values if coloured else np.dstack([values] * 3))


def test_a_png_files_own_primaries_count(tmp_path):
    values = colours(8)
    done, data = cv2.imencode(".png", values[..., ::-1])
    assert done
    data = with_chunk(data.tobytes(), b"gAMA", struct.pack(">I", 45455))
    adobe = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    (tmp_path / "a.png").write_bytes(with_chunk(data, b"cHRM", struct.pack(">8I", *adobe)))
    rgb = formats.read(tmp_path / "a.png").rgb
    # Adobe RGB to sRGB, both of white D65.
    matrix = np.array([[1.3982, -0.3982, 0], [0, 1, 0], [0, -0.0429, 1.0429]])
    right = encoded((values / 255) ** 2.2 @ matrix.T)
    assert np.abs(rgb / 255 - right).max() < 0.01


def test_a_large_profile_costs_no_exif_data(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "a caption"
    big = rgb_profile(extra=[(b"priv", b"data\0\0\0\0" + np.random.default_rng(0).bytes(150_000))])
    Image.fromarray(colours(8)).save(tmp_path / "a.jpg", icc_profile=big, exif=exif, quality=95)
    picture = formats.read(tmp_path / "a.jpg")
    formats.write(tmp_path / "b.jpg", picture)
    assert picture.notes == []
    with Image.open(tmp_path / "b.jpg") as written:
        assert written.getexif()[ExifTags.Base.ImageDescription] == "a caption"
        assert written.info["icc_profile"] == profiles.SRGB
    # A profile of sRGB, however large, likewise.
    tail = b"\0" * 100_000
    srgb = struct.pack(">I", len(profiles.SRGB) + len(tail)) + profiles.SRGB[4:] + tail
    Image.fromarray(colours(8)).save(tmp_path / "a.jpg", icc_profile=srgb, exif=exif, quality=95)
    picture = formats.read(tmp_path / "a.jpg")
    formats.write(tmp_path / "b.jpg", picture)
    assert picture.notes == []
    with Image.open(tmp_path / "b.jpg") as written:
        assert written.getexif()[ExifTags.Base.ImageDescription] == "a caption"


def test_exif_data_names_the_colours_that_are_written(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ColorSpace: 0xFFFF}
    Image.fromarray(colours(8)).save(tmp_path / "a.jpg", icc_profile=rgb_profile(), exif=exif)
    picture = formats.read(tmp_path / "a.jpg")
    assert picture.exif[ExifTags.IFD.Exif][ExifTags.Base.ColorSpace] == 1


@pytest.mark.parametrize(
    ("mode", "icc", "note"),
    [
        ("RGB", gray_profile(1.0), "GRAY values does not fit"),
        ("L", rgb_profile()[:300], "damaged"),
        ("RGB", b"no profile", "damaged"),
        ("CMYK", rgb_profile(), None),
    ],
)
def test_a_profile_of_other_colours_is_left_out_with_a_note(tmp_path, mode, icc, note):
    picture = Image.fromarray(colours(8)).convert(mode)
    picture.save(tmp_path / "a.jpg", quality=100, icc_profile=icc)
    picture.save(tmp_path / "b.jpg", quality=100)
    read, plain = formats.read(tmp_path / "a.jpg"), formats.read(tmp_path / "b.jpg")
    np.testing.assert_array_equal(read.rgb, plain.rgb)
    assert read.icc is None
    assert [note in text for text in read.notes] == [True] if note else read.notes == []


def test_gray_with_an_rgb_profile_is_converted_too(tmp_path):
    path = saved(tmp_path / "a.tif", gray(8), rgb_profile())
    rgb = formats.read(path).rgb
    assert np.abs(rgb / 255 - encoded((gray(8) / 255) ** (461 / 256))[..., None]).max() < 0.01


def test_profiles_inside_jpeg_2000_count(tmp_path):
    values = gray(8)
    plain = imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat="jp2")
    icc = gray_profile(1.0)
    start = plain.index(b"colr") - 4
    old = int.from_bytes(plain[start : start + 4], "big")
    box = struct.pack(">I4sBBB", 11 + len(icc), b"colr", 2, 0, 0) + icc
    header = plain.index(b"jp2h") - 4
    length = int.from_bytes(plain[header : header + 4], "big") - old + len(box)
    data = plain[:header] + struct.pack(">I", length) + plain[header + 4 : start] + box + plain[start + old :]
    (tmp_path / "a.jp2").write_bytes(data)
    rgb = formats.read(tmp_path / "a.jp2").rgb
    assert np.abs(rgb / 255 - encoded(values / 255)[..., None]).max() < 4e-3


def test_the_profile_is_the_one_of_littlecms():
    assert profiles.is_srgb(profiles.SRGB)
    assert not profiles.is_srgb(rgb_profile())
    assert ImageCms.ImageCmsProfile(io.BytesIO(profiles.SRGB)).profile.xcolor_space.strip() == "RGB"
