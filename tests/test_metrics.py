import cv2
import numpy as np
import pytest
import skimage.data
from scipy.ndimage import correlate1d, uniform_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from historynet.comparing import metrics
from historynet.comparing.comparison import compare
from historynet.comparing.metrics import CONVENTIONS
from historynet.comparing.pairing import pair_folders


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 256, (40, 30, 3), np.uint8)
    return true, np.clip(true.astype(int) + rng.integers(-20, 21, true.shape), 0, 255).astype(np.uint8)


def test_psnr_of_a_constant_difference():
    black = np.zeros((8, 8, 3), np.uint8)
    assert metrics.psnr(black, black + 5) == pytest.approx(20 * np.log10(255 / 5))
    assert metrics.psnr(black, black) == np.inf


def test_ssim_by_its_definition(pictures):
    """Wang et al. 2004, written out: an 11-tap Gaussian of sigma 1.5, whole windows only."""
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()

    def mean(x):
        return correlate1d(correlate1d(x, taps, axis=0), taps, axis=1)[5:-5, 5:-5]

    x, y = (picture.astype(float) for picture in pictures)
    mx, my = mean(x), mean(y)
    vx, vy, cxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = ((2 * mx * my + c1) * (2 * cxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()
    assert metrics.ssim(*pictures) == pytest.approx(expected, abs=1e-9)


def rough(picture):
    """The picture as a coarse JPEG."""
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_UNCHANGED)


def random_pair(height, width):
    rng = np.random.default_rng(height * width)
    return rng.integers(0, 256, (2, height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "pair",
    [
        *(lambda size=size: random_pair(*size) for size in ((11, 11), (74, 11), (75, 40), (139, 21), (300, 200))),
        *(
            lambda name=name: (getattr(skimage.data, name)(), rough(getattr(skimage.data, name)()))
            for name in ("coffee", "chelsea")
        ),
    ],
)
def test_exact_values_against_scikit_image(pair):
    """Heights around the strips that ssim works in: 64 rows of windows, 10 more of pixels."""
    true, picture = pair()
    ssim = structural_similarity(
        true, picture, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert metrics.ssim(true, picture) == pytest.approx(ssim, abs=1e-7)
    assert metrics.psnr(true, picture) == pytest.approx(peak_signal_noise_ratio(true, picture), abs=1e-7)


def test_released_convention_is_the_exact_one_in_float32(pictures):
    assert CONVENTIONS["released"].psnr(*pictures) == pytest.approx(metrics.psnr(*pictures), abs=1e-4)
    assert CONVENTIONS["released"].ssim(*pictures) == pytest.approx(metrics.ssim(*pictures), abs=1e-4)


def test_gray_convention_is_of_the_luma(pictures):
    true, picture = (np.rint(p @ (0.299, 0.587, 0.114)) for p in pictures)
    expected = 10 * np.log10(255**2 / np.mean((true - picture) ** 2))
    assert CONVENTIONS["gray"].psnr(*pictures) == pytest.approx(expected, abs=1e-3)
    expected = structural_similarity(
        true, picture, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert CONVENTIONS["gray"].ssim(*pictures) == pytest.approx(expected, abs=1e-3)


def test_rgb_mean_convention_takes_the_mean_of_decibels():
    black = np.zeros((16, 16, 3), np.uint8)
    picture = black + np.array([1, 10, 100], np.uint8)
    expected = np.mean([20 * np.log10(255 / difference) for difference in (1, 10, 100)])
    assert CONVENTIONS["rgb-mean"].psnr(black, picture) == pytest.approx(expected)


def test_skimage_convention_by_its_definition(pictures):
    """A uniform 7x7 window, covariances divided by 48 instead of 49."""

    def mean(values):
        return uniform_filter(values, (7, 7, 1))[3:-3, 3:-3]

    x, y = (picture.astype(float) for picture in pictures)
    mx, my = mean(x), mean(y)
    vx, vy, cxy = ((mean(p) - q) * 49 / 48 for p, q in ((x * x, mx**2), (y * y, my**2), (x * y, mx * my)))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = ((2 * mx * my + c1) * (2 * cxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()
    assert CONVENTIONS["skimage"].ssim(*pictures) == pytest.approx(expected, abs=1e-9)
    assert CONVENTIONS["skimage"].psnr(*pictures) == pytest.approx(metrics.psnr(*pictures))


@pytest.mark.parametrize("name", CONVENTIONS)
def test_equal_and_tiny_pictures_in_each_convention(pictures, name):
    convention, picture = CONVENTIONS[name], pictures[0]
    assert convention.psnr(picture, picture) == np.inf
    assert convention.ssim(picture, picture) == pytest.approx(1)
    assert np.isnan(convention.ssim(picture[:6], pictures[1][:6]))


def test_ssim_of_equal_and_of_tiny_pictures(pictures):
    assert metrics.ssim(pictures[0], pictures[0]) == pytest.approx(1)
    assert np.isnan(metrics.ssim(pictures[0][:10], pictures[1][:10]))


def test_colorfulness():
    assert metrics.colorfulness(np.full((4, 4, 3), 77, np.uint8)) == 0
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    # No spread; the means are rg = 200 and yb = 100.
    assert metrics.colorfulness(red) == pytest.approx(0.3 * np.hypot(200, 100))


def test_finite_mean():
    assert metrics.finite_mean([1, np.inf, 3, np.nan]) == 2
    assert np.isnan(metrics.finite_mean([np.inf]))


@pytest.mark.parametrize(
    ("convention", "variant", "ssim", "psnr"),
    [
        ("exact", "HistoryNet", 0.94839310, 25.09944630),
        ("exact", "Baseline", 0.80756377, 14.47539965),
        ("released", "HistoryNet", 0.94932462, 25.09944630),
        ("released", "Baseline", 0.80799415, 14.47539965),
    ],
)
def test_golden_folders(reference, convention, variant, ssim, psnr):
    """What the released metric script printed, and its definition in float64."""
    pairing = pair_folders(reference / "golden/photos", reference / f"golden/{variant}/colorized")
    comparison = compare(pairing, CONVENTIONS[convention])
    assert len(comparison.scores) == 6
    within = 1e-5 if convention == "released" else 1e-6
    assert comparison.mean("SSIM") == pytest.approx(ssim, abs=within)
    assert comparison.mean("PSNR") == pytest.approx(psnr, abs=within)
