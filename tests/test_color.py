import cv2
import numpy as np
import pytest
from skimage import color as skimage_color

from historynet.pictures import color


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)


def test_lab_is_opencvs_own(rgb):
    # The released program worked on BGR pictures; the same pixels must come out.
    bgr = rgb[..., ::-1].copy()
    lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2Lab)
    np.testing.assert_array_equal(color.rgb_to_lab(rgb), lab)
    np.testing.assert_array_equal(color.lab_to_rgb(lab), cv2.cvtColor(lab, cv2.COLOR_Lab2BGR)[..., ::-1])


def test_lab_is_scikit_images_within_eight_bits(rgb):
    exact = skimage_color.rgb2lab(rgb) * (255 / 100, 1, 1) + (0, 128, 128)
    # OpenCV computes 8-bit Lab with integer tables; over the whole of RGB it is off by up to 2.6.
    assert np.abs(color.rgb_to_lab(rgb) - exact).max() <= 2.6
    assert np.abs(color.rgb_to_lab(rgb) - exact).mean() <= 0.4


def test_network_lab_resizes_first_and_divides_exactly(rgb):
    lab = cv2.cvtColor(cv2.resize(rgb[..., ::-1], (24, 24)), cv2.COLOR_BGR2Lab)
    seen = color.network_lab(rgb, (24, 24))
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen, (lab / 255.0).astype(np.float32))


def test_network_lab_of_every_byte_is_the_rounded_quotient():
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(every.astype(np.float32) / np.float32(255), (every / 255.0).astype(np.float32))


def test_chrominance_is_truncated_not_rounded():
    gray = np.full((8, 8, 3), 120, np.uint8)
    ab = np.full((4, 4, 2), 140.9 / 255, np.float32)
    expected = cv2.cvtColor(
        np.dstack([color.rgb_to_lab(gray)[..., 0], np.full((8, 8, 2), 140, np.uint8)]), cv2.COLOR_Lab2RGB
    )
    np.testing.assert_array_equal(color.with_chrominance(gray, ab), expected)


def test_chrominance_outside_of_its_range_is_cut():
    gray = np.full((4, 4, 3), 120, np.uint8)
    inside = color.with_chrominance(gray, np.array([[[0.0, 1.0]]], np.float32))
    np.testing.assert_array_equal(color.with_chrominance(gray, np.array([[[-3.0, 7.0]]], np.float32)), inside)


def test_own_chrominance_gives_the_picture_back():
    smooth = cv2.resize(np.random.default_rng(1).integers(60, 200, (3, 3, 3), np.uint8), (32, 32))
    back = color.with_chrominance(smooth, color.network_lab(smooth, (32, 32))[..., 1:])
    assert np.abs(back.astype(int) - smooth).max() <= 6
    assert np.abs(back.astype(int) - smooth).mean() < 1.5


def test_gray_keeps_the_luminance(rgb):
    gray = color.to_gray(rgb)
    assert np.ptp(gray.astype(int), axis=-1).max() <= 1
    difference = color.rgb_to_lab(gray)[..., 0].astype(int) - color.rgb_to_lab(rgb)[..., 0]
    assert np.abs(difference).max() <= 1
