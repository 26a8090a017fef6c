import os
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_picture

from historynet.errors import InputError, PictureError
from historynet.pictures import images


@pytest.fixture
def picture():
    return cv2.resize(np.random.default_rng(3).integers(0, 256, (5, 4, 3), np.uint8), (37, 21))


@pytest.mark.parametrize("extension", ["png", "tif", "tiff", "bmp", "PNG", "BMP"])
def test_lossless_formats_come_back_equal(tmp_path, picture, extension):
    path = tmp_path / f"a b ü.{extension}"
    images.write_rgb(path, picture)
    np.testing.assert_array_equal(images.read_rgb(path), picture)


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "webp", "JPG"])
def test_lossy_formats_come_back_alike(tmp_path, picture, extension):
    images.write_rgb(tmp_path / f"a.{extension}", picture)
    assert np.abs(images.read_rgb(tmp_path / f"a.{extension}").astype(int) - picture).mean() < 6


def test_jpeg_has_opencvs_default_quality(tmp_path, picture):
    images.write_rgb(tmp_path / "a.jpg", picture)
    _, expected = cv2.imencode(".jpg", picture[..., ::-1])
    assert (tmp_path / "a.jpg").read_bytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_and_alpha_become_rgb(tmp_path, dtype):
    scale = np.iinfo(dtype).max // 255
    gray = (np.arange(256).reshape(16, 16) * scale).astype(dtype)
    cv2.imwrite(str(tmp_path / "gray.png"), gray)
    cv2.imwrite(str(tmp_path / "alpha.png"), np.dstack([gray, gray, gray, gray[::-1]]))
    expected = np.dstack([np.arange(256, dtype=np.uint8).reshape(16, 16)] * 3)
    for name in ("gray.png", "alpha.png"):
        np.testing.assert_array_equal(images.read_rgb(tmp_path / name), expected)


def test_orientation_is_honoured(tmp_path, picture):
    path = tmp_path / "a.jpg"
    images.write_rgb(path, picture)
    data = path.read_bytes()
    # A minimal EXIF block: one entry, orientation (0x0112) 6, "turn right to view".
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    exif = b"Exif\x00\x00" + tiff
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    assert images.read_rgb(path).shape == (37, 21, 3)


def test_every_truncation_of_a_jpeg_is_refused(tmp_path):
    write_picture(tmp_path / "a.jpg", size=(64, 64))
    data = (tmp_path / "a.jpg").read_bytes()
    for tenth in range(10):
        (tmp_path / "cut.jpg").write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(PictureError, match="cut.jpg"):
            images.read_rgb(tmp_path / "cut.jpg")


def test_what_a_camera_appends_to_a_jpeg_does_not_matter(tmp_path):
    write_picture(tmp_path / "a.jpg", size=(64, 64))
    picture = images.read_rgb(tmp_path / "a.jpg")
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"\xff\xda" + np.random.default_rng(0).bytes(100_000) + b"\xff\xda")
    np.testing.assert_array_equal(images.read_rgb(tmp_path / "a.jpg"), picture)


def test_a_progressive_jpeg_is_read_and_its_truncations_are_refused(tmp_path):
    path = tmp_path / "a.jpg"
    rng = np.random.default_rng(0)
    assert cv2.imwrite(str(path), rng.integers(0, 256, (50, 40, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert images.read_rgb(path).shape == (50, 40, 3)
    data = path.read_bytes()
    for part in range(1, 10):
        path.write_bytes(data[: len(data) * part // 10])
        with pytest.raises(PictureError, match="a.jpg"):
            images.read_rgb(path)


def test_what_the_format_or_the_file_system_cannot_hold_is_the_pictures_fault(tmp_path):
    with pytest.raises(PictureError, match="70000x1 pixels are too many"):
        images.write_rgb(tmp_path / "wide.jpg", np.zeros((1, 70_000, 3), np.uint8))
    with pytest.raises(PictureError, match="File name too long"):
        images.write_rgb(tmp_path / ("x" * 252 + ".jpg"), np.zeros((1, 1, 3), np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"not a picture", b"<html></html>", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_is_refused_by_name(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(PictureError, match="x.png"):
        images.read_rgb(tmp_path / "x.png")


def test_folder_pipe_and_missing_file_are_refused(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("folder.jpg", "pipe.jpg", "none.jpg"):
        with pytest.raises(PictureError, match=name):
            images.read_rgb(tmp_path / name)


@pytest.fixture
def little_memory():
    """30 MB more than this process has."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 30_000_000, limits[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_AS, limits)


def test_a_sound_picture_that_does_not_fit_into_memory_is_not_called_damaged(tmp_path, little_memory):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((6000, 6000), np.uint8))
    little_memory()
    with pytest.raises(PictureError, match=rf"^{path}: there is not enough memory for it$"):
        images.read_rgb(path)


def test_a_picture_whose_file_does_not_fit_into_memory_is_not_called_too_large(tmp_path, little_memory):
    picture = np.zeros((6000, 6000, 3), np.uint8)
    little_memory()
    for name in ("a.bmp", "a.webp"):
        with pytest.raises(PictureError, match=f"{name}: (there is not enough|it cannot be .* lack of) memory"):
            images.write_rgb(tmp_path / name, picture)
    assert not list(tmp_path.iterdir())


def test_listing_takes_pictures_only_in_any_case(tmp_path):
    for name in ("b.JPG", "a.jpeg", "c.Tiff", "d.webp", "sign.txt", "e.gif", "._f.jpg"):
        (tmp_path / name).touch()
    assert images.list_pictures(tmp_path) == ["a.jpeg", "b.JPG", "c.Tiff", "d.webp"]


def test_listing_nothing_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        images.list_pictures(tmp_path)
