"""What a file holds besides 8-bit colours: depth, transparency, pages, EXIF data, profiles."""

import errno
import io
import os

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from historynet import files
from historynet.errors import PictureError
from historynet.pictures import color, formats, images

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def rgb():
    return cv2.resize(np.random.default_rng(3).integers(0, 256, (5, 4, 3), np.uint8), (40, 30))


@pytest.fixture
def alpha():
    return np.random.default_rng(4).integers(0, 256, (30, 40), np.uint8)


def save(path, array, mode=None, **options):
    picture = Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp", "bmp", "jp2", "ppm", "gif", "tga", "pcx", "sgi"])
def test_every_format_gives_the_pixels_that_pillow_sees(tmp_path, rgb, extension):
    path = save(tmp_path / f"a.{extension}", rgb)
    seen = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(formats.read(path).rgb, seen)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_every_kind_of_png_and_tiff(tmp_path, rgb, mode, extension):
    if (mode, extension) == ("LA", "tif"):
        picture = Image.fromarray(rgb).convert("LA")
        picture.save(tmp_path / "a.tif")
    else:
        save(tmp_path / f"a.{extension}", rgb, mode)
    seen = np.asarray(Image.open(tmp_path / f"a.{extension}").convert("RGB"))
    np.testing.assert_array_equal(formats.read(tmp_path / f"a.{extension}").rgb, seen)


def test_cmyk_without_a_profile_is_as_before_and_with_one_is_converted(tmp_path, rgb):
    path = save(tmp_path / "a.jpg", rgb, "CMYK", quality=95)
    np.testing.assert_array_equal(formats.read(path).rgb, images.read_rgb(path))
    # There is no CMYK profile without a foreign file; an RGB one does not fit and changes nothing.
    save(path, rgb, "CMYK", quality=95, icc_profile=SRGB)
    np.testing.assert_array_equal(formats.read(path).rgb, images.read_rgb(path))


@pytest.mark.parametrize("extension", ["png", "tif", "webp"])
def test_transparency_is_kept(tmp_path, rgb, alpha, extension):
    path = save(tmp_path / "in.png", np.dstack([rgb, alpha]))
    picture = formats.read(path)
    np.testing.assert_array_equal(picture.alpha, alpha)
    np.testing.assert_array_equal(picture.rgb, rgb)
    formats.write(tmp_path / f"out.{extension}", picture)
    written = Image.open(tmp_path / f"out.{extension}")
    np.testing.assert_array_equal(np.asarray(written)[..., 3], alpha)
    if extension != "webp":
        np.testing.assert_array_equal(np.asarray(written)[..., :3], rgb)
    assert picture.notes == []


def test_transparency_of_a_tiff_does_not_darken_its_colours(tmp_path, rgb, alpha):
    path = save(tmp_path / "in.tif", np.dstack([rgb, alpha]))
    np.testing.assert_array_equal(formats.read(path).rgb, rgb)


def test_what_jpeg_cannot_hold_is_noted(tmp_path, rgb, alpha):
    picture = formats.Picture(rgb, alpha)
    formats.write(tmp_path / "a.jpg", picture)
    assert any("transparency" in note for note in picture.notes)
    deep = (rgb.astype(np.uint16) << 8) + 7
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    picture = formats.read(tmp_path / "deep.png")
    assert picture.rgb.dtype == np.uint8
    np.testing.assert_array_equal(picture.rgb, rgb[..., ::-1])
    assert any("16 bits" in note for note in picture.notes)


@pytest.mark.parametrize("source", ["png", "tif"])
@pytest.mark.parametrize("target", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_come_through(tmp_path, source, target, channels):
    deep = np.random.default_rng(0).integers(0, 65536, (30, 40, channels)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"in.{source}"), deep)
    picture = formats.read(tmp_path / f"in.{source}", deep=True)
    formats.write(tmp_path / f"out.{target}", picture)
    written = cv2.imread(str(tmp_path / f"out.{target}"), cv2.IMREAD_UNCHANGED)
    assert written.dtype == np.uint16
    np.testing.assert_array_equal(written[..., :3], deep[..., :3] if channels > 1 else deep.repeat(3, axis=2))
    if channels == 4:
        np.testing.assert_array_equal(written[..., 3], (deep[..., 3] >> 8) * 257)


def test_pages_of_a_tiff(tmp_path, rgb):
    pages = [Image.fromarray(rgb), Image.fromarray(rgb[:10]), Image.fromarray(rgb[:, :7])]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    header = formats.read_header(tmp_path / "a.tif")
    assert (header.pages, header.width, header.height) == (3, 40, 30)
    for i, page in enumerate(pages):
        np.testing.assert_array_equal(formats.read(tmp_path / "a.tif", i).rgb, np.asarray(page))


def exif_of(path):
    with Image.open(path) as image:
        exif = image.getexif()
        # Read while the file is open.
        exif.get_ifd(ExifTags.IFD.Exif)
        return exif, image.info.get("icc_profile")


@pytest.mark.parametrize("source", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("target", ["jpg", "png", "tif", "webp"])
def test_exif_and_profile_are_kept_and_orientation_is_right(tmp_path, rgb, source, target):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.ImageDescription] = "a photograph"
    exif[ExifTags.Base.Software] = "a scanner"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: "1931:05:01 10:00:00"}
    # Pillow's TIFF writer takes a nested directory only from EXIF data that was read.
    exif.load(exif.tobytes())
    path = save(tmp_path / f"in.{source}", rgb, exif=exif, icc_profile=SRGB)
    picture = formats.read(path)
    assert picture.rgb.shape == (40, 30, 3)
    header = formats.read_header(path)
    assert (header.width, header.height) == (30, 40)
    formats.add_provenance(picture, "colourised")
    formats.write(tmp_path / f"out.{target}", picture)
    assert formats.read(tmp_path / f"out.{target}").rgb.shape == (40, 30, 3)
    kept, profile = exif_of(tmp_path / f"out.{target}")
    assert kept.get(ExifTags.Base.Orientation, 1) == 1
    assert kept[ExifTags.Base.ImageDescription] == "a photograph"
    assert kept[ExifTags.Base.Software] == "a scanner; colourised"
    assert kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "1931:05:01 10:00:00"
    assert profile == SRGB
    assert picture.notes == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_transparency_is_turned_with_the_colours(tmp_path, rgb, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = save(tmp_path / "a.png", np.dstack([rgb, rgb[..., 0]]), exif=exif)
    picture = formats.read(path)
    np.testing.assert_array_equal(picture.alpha, picture.rgb[..., 0])
    header = formats.read_header(path)
    assert picture.rgb.shape[:2] == (header.height, header.width)


def test_a_profile_that_cannot_be_used_is_left_out_with_a_note(tmp_path, rgb):
    # An sRGB profile that says it is one of gray values, whose curve it lacks.
    gray = SRGB[:16] + b"GRAY" + SRGB[20:]
    picture = formats.read(save(tmp_path / "a.png", rgb, "L", icc_profile=gray))
    assert picture.icc is None
    assert picture.notes == ["its colour profile is damaged and is left out"]


def test_a_scans_resolution_is_kept(tmp_path, rgb):
    picture = formats.read(save(tmp_path / "a.jpg", rgb, dpi=(300, 300)))
    formats.write(tmp_path / "b.jpg", picture)
    assert exif_of(tmp_path / "b.jpg")[0][ExifTags.Base.XResolution] == 300


def test_what_does_not_fit_a_jpeg_file_is_left_out_with_a_note(tmp_path, rgb):
    picture = formats.Picture(rgb, icc=SRGB + bytes(100_000))
    formats.write(tmp_path / "a.jpg", picture)
    assert "does not fit" in picture.notes[0]
    assert images.read_rgb(tmp_path / "a.jpg").shape == rgb.shape


def test_damaged_exif_data_does_not_stop_a_picture(tmp_path, rgb):
    data = io.BytesIO()
    Image.fromarray(rgb).save(data, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x0e\0\x02\x7f" * 40)
    (tmp_path / "a.jpg").write_bytes(data.getvalue())
    assert formats.read(tmp_path / "a.jpg").rgb.shape == rgb.shape


def test_a_disk_that_cannot_be_read_and_too_little_memory_are_not_called_damage(tmp_path, rgb, monkeypatch):
    path = save(tmp_path / "a.tif", rgb)
    real = files.open_regular

    class Disk(io.BytesIO):
        def read(self, size=-1):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(files, "open_regular", lambda path: Disk(real(path).read()))
        with pytest.raises(PictureError, match=rf"^{path}: cannot be read \(Input/output error\)"):
            formats.read_header(path)

    def no_memory(*arguments, **keywords):
        raise MemoryError

    for owner, call in ((Image.Exif, "load_from_fp"), (tifffile.TiffPage, "asarray")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, call, no_memory)
            with pytest.raises(PictureError, match=rf"^{path}: there is not enough memory for it"):
                formats.read(path)


def test_jpeg_pixels_are_those_of_images_write_rgb(tmp_path, rgb):
    images.write_rgb(tmp_path / "a.jpg", rgb)
    picture = formats.Picture(rgb, icc=SRGB)
    formats.add_provenance(picture, "colourised")
    formats.write(tmp_path / "b.jpg", picture)
    np.testing.assert_array_equal(images.read_rgb(tmp_path / "b.jpg"), images.read_rgb(tmp_path / "a.jpg"))


def test_the_limit_is_checked_in_the_header(tmp_path, rgb):
    path = save(tmp_path / "a.png", rgb)
    with pytest.raises(PictureError, match="40x30 pixels are more than 0.001 megapixels"):
        formats.read_header(path, 0.001)
    with pytest.raises(PictureError, match="megapixels"):
        formats.read(path, max_megapixels=0.001)


def test_sixteen_bit_luminance_survives_colour():
    gray = np.arange(8000, 56000, dtype=np.uint16)[: 200 * 200].reshape(200, 200, 1).repeat(3, axis=2)
    ab = np.full((32, 32, 2), (133 / 255, 125 / 255), np.float32)
    deep = color.with_chrominance(gray, ab)

    # Independently: CIE's lightness is a function of Y, which sRGB's matrix gives from linear light.
    def luminance(picture):
        value = picture / 65535
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        return linear @ (0.212671, 0.715160, 0.072169)

    assert deep.dtype == np.uint16
    assert np.abs(np.ptp(deep.astype(int), axis=2)).min() > 500
    assert np.abs(luminance(deep) - luminance(gray)).max() < 1e-4
