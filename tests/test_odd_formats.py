"""TIFF, JPEG 2000 and PNM of every kind: what the numbers in a file mean, against the array they were made from."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from historynet.errors import PictureError
from historynet.pictures import decoded, formats, tiff_pages


def gray(maximum=255, height=45, width=61):
    y, x = np.mgrid[0:height, 0:width]
    values = np.rint((0.1 + 0.8 * x / (width - 1)) * maximum * (1 - 0.3 * y / (height - 1)))
    return values.astype(np.uint8 if maximum <= 255 else np.uint16)


def colours(maximum=255):
    g = gray(maximum)
    return np.dstack([g, g[::-1], (maximum - g).astype(g.dtype)])


def expected(values, maximum):
    """Levels of 8 or 16 bits, by exact arithmetic."""
    full = 255 if maximum <= 255 else 65535
    levels = (2 * values.astype(np.int64) * full + maximum) // (2 * maximum)
    levels = levels.astype(np.uint8 if full == 255 else np.uint16)
    return levels if levels.ndim == 3 else np.dstack([levels] * 3)


def written(path, values, **options):
    tifffile.imwrite(path, values, metadata=None, **options)
    return path


def read_deep(path, page=0):
    return formats.read(path, page, deep=True)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_gray_of_every_depth(tmp_path, bits, photometric):
    maximum = 2**bits - 1
    values = gray(maximum)
    path = written(tmp_path / "a.tif", values, photometric=photometric, bitspersample=bits)
    right = values if photometric == "minisblack" else (maximum - values).astype(values.dtype)
    picture = read_deep(path)
    np.testing.assert_array_equal(picture.rgb, expected(right, maximum))
    assert picture.notes == []
    shallow = formats.read(path)
    assert shallow.rgb.dtype == np.uint8
    np.testing.assert_array_equal(
        shallow.rgb, decoded.to_levels(expected(right, maximum), 255) if bits <= 8 else (expected(right, maximum) >> 8)
    )
    assert len(shallow.notes) == (bits > 8)


@pytest.mark.parametrize("maximum", [255, 65535])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("alpha", [None, "unassalpha", "unspecified"])
def test_colours_of_both_layouts(tmp_path, maximum, planar, alpha):
    values = colours(maximum)
    samples = values if alpha is None else np.dstack([values, gray(maximum)])
    stored = samples if planar == "contig" else np.moveaxis(samples, -1, 0)
    extra = {} if alpha is None else {"extrasamples": [alpha]}
    path = written(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, **extra)
    picture = read_deep(path)
    np.testing.assert_array_equal(picture.rgb, values)
    if alpha == "unassalpha":
        np.testing.assert_array_equal(picture.alpha, gray(maximum) >> (8 if maximum > 255 else 0))
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("maximum", [255, 65535])
def test_gray_with_transparency_also_where_it_is_multiplied_in(tmp_path, maximum):
    alpha = np.full_like(gray(maximum), maximum)
    alpha[:, :20] = maximum // 2
    samples = np.dstack([gray(maximum), alpha])
    path = written(
        tmp_path / "a.tif", samples, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
    )
    np.testing.assert_array_equal(read_deep(path).rgb, np.dstack([gray(maximum)] * 3))
    multiplied = np.rint(gray(maximum) * (alpha / maximum)).astype(alpha.dtype)
    path = written(
        tmp_path / "b.tif",
        np.dstack([multiplied, alpha]),
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["assocalpha"],
    )
    picture = read_deep(path)
    assert np.abs(picture.rgb[..., 0].astype(int) - gray(maximum)).max() <= 1
    assert picture.alpha.min() == 127


@pytest.mark.parametrize(
    "compression", ["lzw", "zlib", "zstd", "packbits", "lzma", "webp", "png", "jpegxl", "jpeg2000"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_compressions_without_loss(tmp_path, compression, channels):
    values = gray() if channels == 1 else colours()
    photometric = "minisblack" if channels == 1 else "rgb"
    level = {"webp": {"lossless": True}, "jpeg2000": {"level": 0}, "jpegxl": {"lossless": True}}.get(compression)
    if compression == "webp" and channels == 1:
        pytest.skip("WebP holds no gray")
    path = written(
        tmp_path / "a.tif",
        values,
        photometric=photometric,
        compression=compression,
        compressionargs=level,
        predictor=compression in ("lzw", "zlib", "zstd"),
    )
    np.testing.assert_array_equal(read_deep(path).rgb, expected(values, 255))


def test_jpeg_in_tiff(tmp_path):
    path = written(
        tmp_path / "a.tif",
        colours(),
        photometric="rgb",
        compression="jpeg",
        compressionargs={"level": 95},
        tile=(32, 32),
    )
    assert np.abs(read_deep(path).rgb.astype(int) - colours()).mean() < 4
    path = written(
        tmp_path / "b.tif",
        gray(4095),
        photometric="minisblack",
        compression="jpeg",
        bitspersample=12,
        compressionargs={"level": 98},
    )
    assert np.abs(read_deep(path).rgb[..., 0] / 65535 - gray(4095) / 4095).mean() < 0.01


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "packbits"])
def test_fax_of_both_polarities(tmp_path, compression):
    picture = Image.fromarray(gray() > 120)
    for name, photometric in (("a.tif", 0), ("b.tif", 1)):
        picture.save(tmp_path / name, compression=compression, tiffinfo={262: photometric})
        seen = np.asarray(Image.open(tmp_path / name).convert("RGB"))
        np.testing.assert_array_equal(read_deep(tmp_path / name).rgb, seen)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
def test_ycbcr_as_libtiff_reads_it(tmp_path, compression):
    picture = Image.fromarray(colours()).convert("YCbCr")
    picture.save(tmp_path / "a.tif", compression=compression)
    seen = np.asarray(Image.open(tmp_path / "a.tif").convert("RGB")).astype(int)
    assert np.abs(read_deep(tmp_path / "a.tif").rgb - seen).max() <= 3


@pytest.mark.parametrize("maximum", [255, 65535])
def test_cmyk_without_a_profile(tmp_path, maximum):
    inks = np.dstack([colours(maximum), gray(maximum) // 2])
    path = written(tmp_path / "a.tif", inks, photometric="separated", planarconfig="contig")
    light = 1 - inks / maximum
    right = light[..., :3] * light[..., 3:] * maximum
    assert np.abs(read_deep(path).rgb - right).max() <= 1


def test_palettes_of_8_and_of_16_bits(tmp_path):
    index = (gray() // 20).astype(np.uint8)
    table = np.random.default_rng(0).integers(0, 256, (3, 256))
    for name, factor in (("a.tif", 257), ("b.tif", 256), ("c.tif", 1)):
        path = written(tmp_path / name, index, photometric="palette", colormap=(table * factor).astype(np.uint16))
        np.testing.assert_array_equal(read_deep(path).rgb, table.T[index])


def test_lab_keeps_its_lightness(tmp_path):
    lab = np.dstack([gray(), np.zeros_like(gray()), np.zeros_like(gray())])
    rgb = read_deep(written(tmp_path / "a.tif", lab, photometric="cielab")).rgb
    assert np.ptp(rgb.astype(int), axis=2).max() <= 1
    y = ((gray() * (100 / 255) + 16) / 116) ** 3
    right = np.where(y <= 0.0031308, 12.92 * y, 1.055 * y ** (1 / 2.4) - 0.055) * 255
    assert np.abs(rgb[..., 1] - right).max() <= 1.5


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_orders_bigtiff_tiles_and_turned_pages(tmp_path, big, order):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as file:
        for orientation in range(1, 9):
            file.write(
                colours(65535),
                photometric="rgb",
                tile=(16, 32),
                compression="lzw",
                metadata=None,
                extratags=[(274, "H", 1, orientation, True), (315, "s", 0, "somebody", True)],
            )
    for page in range(8):
        turn = Image.fromarray((colours(65535) >> 8).astype(np.uint8))
        turn.getexif()[274] = page + 1
        data = io.BytesIO()
        turn.save(data, "PNG", exif=turn.getexif())
        seen = np.asarray(ImageOps.exif_transpose(Image.open(data)))
        picture = read_deep(path, page)
        np.testing.assert_array_equal(picture.rgb >> 8, seen)
        # Pillow cannot read the tags of this rare kind.
        assert (big and order == ">") or picture.exif[315] == "somebody"


def test_reduced_copies_and_masks_are_no_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(gray()[::2, ::2], subfiletype=1, metadata=None)
        file.write(gray(), subfiletype=0, metadata=None, subifds=2)
        file.write(gray()[::2, ::2], subfiletype=1, metadata=None)
        file.write(gray()[::4, ::4], subfiletype=1, metadata=None)
        file.write(gray() > 100, subfiletype=4, photometric="mask", metadata=None)
        file.write(gray()[:20], subfiletype=2, metadata=None)
    assert formats.read_header(tmp_path / "a.tif").pages == 2
    np.testing.assert_array_equal(read_deep(tmp_path / "a.tif").rgb[..., 0], gray())
    np.testing.assert_array_equal(read_deep(tmp_path / "a.tif", 1).rgb[..., 0], gray()[:20])


def test_a_picture_behind_its_preview(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(gray()[::2, ::2], subfiletype=1, subifds=1, metadata=None)
        file.write(gray(65535), subfiletype=0, metadata=None)
    header = formats.read_header(tmp_path / "a.tif")
    assert (header.width, header.height, header.pages) == (61, 45, 1)
    np.testing.assert_array_equal(read_deep(tmp_path / "a.tif").rgb[..., 0], gray(65535))


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (gray(65535).astype(np.int16), {}, "signed 16-bit values"),
        (gray().astype(np.int8), {}, "signed 8-bit values"),
        (gray().astype(np.float32), {}, "holds 32-bit values"),
        (gray().astype(np.float64), {}, "holds 64-bit values"),
        (gray().astype(np.float16), {}, "16-bit floating-point"),
        (gray().astype(np.uint32), {}, "holds 32-bit values"),
        (gray().astype(np.complex64), {}, "holds 64-bit values"),
        (colours(65535), {"photometric": "cielab"}, "Lab colours of 16 bits"),
        (np.dstack([gray()] * 4), {"photometric": "separated", "planarconfig": "contig",
                                   "extratags": [(332, "H", 1, 2, True)]}, "its inks"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_rightly_is_refused_by_name(tmp_path, values, options, message):
    path = written(tmp_path / "a.tif", values, **options)
    for deep in (False, True):
        with pytest.raises(PictureError, match=rf"^{path}: .*{message}.*save it"):
            formats.read(path, deep=deep)


@pytest.mark.parametrize("compression", [None, "lzw", "jpeg"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_parts_that_are_missing_are_not_black(tmp_path, compression, tile):
    path = written(tmp_path / "a.tif", colours(), photometric="rgb", compression=compression, tile=tile, rowsperstrip=9)
    with tifffile.TiffFile(path, mode="r+") as file:
        tag = file.pages[0].tags[324 if tile else 273]
        offsets = list(tag.value)
        tag.overwrite([0, *offsets[1:]])
    with pytest.raises(PictureError, match=r"a\.tif: parts of the picture are missing"):
        formats.read(path)


def test_pages_strips_and_tiles_have_a_limit(tmp_path, monkeypatch):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(12):
            file.write(gray(), metadata=None, rowsperstrip=1)
    assert formats.read_header(tmp_path / "a.tif").pages == 12
    monkeypatch.setattr(tiff_pages, "MAX_PAGES", 11)
    with pytest.raises(PictureError, match="more than 11 pages; split it"):
        formats.read_header(tmp_path / "a.tif")
    monkeypatch.setattr(tiff_pages, "MAX_PAGES", 12)
    monkeypatch.setattr(tiff_pages, "MAX_PARTS", 44)
    with pytest.raises(PictureError, match="more than 44 strips or tiles"):
        formats.read_header(tmp_path / "a.tif")


def test_a_chain_of_pages_that_bites_its_tail_ends(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(written(tmp_path / "b.tif", gray()).read_bytes())
    data = bytearray(path.read_bytes())
    first = int.from_bytes(data[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    data[end : end + 4] = data[4:8]
    path.write_bytes(data)
    assert formats.read_header(path).pages == 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("extension", ["jp2", "j2k"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_2000_of_every_depth(tmp_path, bits, extension, channels):
    maximum = 2**bits - 1
    values = gray(maximum) if channels == 1 else colours(maximum)
    samples = np.dstack([values, gray(maximum)]) if channels == 4 else values
    data = imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, bitspersample=bits, codecformat=extension)
    path = tmp_path / f"a.{extension}"
    path.write_bytes(data)
    header = formats.read_header(path)
    assert (header.width, header.height) == (61, 45)
    picture = read_deep(path)
    np.testing.assert_array_equal(picture.rgb, expected(values, maximum))
    assert (picture.alpha is not None) == (channels == 4)


def test_jpeg_2000_with_signed_values_is_refused(tmp_path):
    path = tmp_path / "a.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(gray(65535).astype(np.int16), codecformat="jp2"))
    with pytest.raises(PictureError, match=rf"^{path}: holds signed values"):
        formats.read(path)


@pytest.mark.parametrize("extension", ["jp2", "j2k"])
def test_jpeg_2000_that_is_cut_off_is_refused(tmp_path, extension):
    data = imagecodecs.jpeg2k_encode(colours(), level=0, codecformat=extension)
    for tenth in range(1, 10):
        (tmp_path / "cut.jp2").write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(PictureError, match=r"cut\.jp2"):
            formats.read(tmp_path / "cut.jp2")


def netpbm(kind, values, maximum):
    height, width = values.shape[:2]
    head = f"P{kind}\n# made by a scanner\n{width} {height}" + ("" if kind in (1, 4) else f"\n{maximum}") + "\n"
    if kind in (1, 2, 3):
        body = "\n".join(" ".join(map(str, row.ravel())) for row in values).encode()
    elif kind == 4:
        body = np.packbits(values, axis=1).tobytes()
    else:
        body = values.astype(np.uint8 if maximum < 256 else ">u2").tobytes()
    return head.encode() + body


@pytest.mark.parametrize("kind", [2, 3, 5, 6])
@pytest.mark.parametrize("maximum", [1, 15, 100, 255, 256, 1023, 4095, 65535])
def test_pnm_of_any_maximum(tmp_path, kind, maximum):
    values = gray(maximum) if kind in (2, 5) else colours(maximum)
    path = tmp_path / "a.pnm"
    path.write_bytes(netpbm(kind, values, maximum))
    np.testing.assert_array_equal(read_deep(path).rgb, expected(values, maximum))
    path.write_bytes(netpbm(kind, values, maximum)[:-20])
    with pytest.raises(PictureError, match="ends early"):
        formats.read(path)


@pytest.mark.parametrize("kind", [1, 4])
def test_bitmaps_have_one_for_black(tmp_path, kind):
    black = gray() < 120
    (tmp_path / "a.pbm").write_bytes(netpbm(kind, black.astype(np.uint8), 1))
    np.testing.assert_array_equal(read_deep(tmp_path / "a.pbm").rgb[..., 0], np.where(black, 0, 255))


@pytest.mark.parametrize(("depth", "kind"), [(1, "GRAYSCALE"), (2, "GRAYSCALE_ALPHA"), (3, "RGB"), (4, "RGB_ALPHA")])
def test_pam(tmp_path, depth, kind):
    samples = np.dstack([colours(4095), gray(4095)])[..., 4 - depth if depth < 3 else 0 :][..., :depth]
    head = f"P7\nWIDTH 61\nHEIGHT 45\nDEPTH {depth}\nMAXVAL 4095\nTUPLTYPE {kind}\nENDHDR\n".encode()
    (tmp_path / "a.pam").write_bytes(head + samples.astype(">u2").tobytes())
    picture = read_deep(tmp_path / "a.pam")
    count = 1 if depth < 3 else 3
    np.testing.assert_array_equal(picture.rgb, expected(samples[..., :count] if count == 3 else samples[..., 0], 4095))
    assert (picture.alpha is not None) == (depth in (2, 4))
