import numpy as np
import pytest
from scipy.ndimage import correlate1d

from historynet import metrics


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


def test_ssim_of_equal_and_of_tiny_pictures(pictures):
    assert metrics.ssim(pictures[0], pictures[0]) == pytest.approx(1)
    assert np.isnan(metrics.ssim(pictures[0][:10], pictures[1][:10]))


def test_colorfulness():
    assert metrics.colorfulness(np.full((4, 4, 3), 77, np.uint8)) == 0
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    # No spread; the means are rg = 200 and yb = 100.
    assert metrics.colorfulness(red) == pytest.approx(0.3 * np.hypot(200, 100))


def test_golden_pictures(reference):
    """Figures of the released metric script's definition in float64, over the released program's own results."""
    from historynet import images

    scores = []
    for path in sorted((reference / "golden/photos").iterdir()):
        made = reference / "golden/HistoryNet/colorized" / f"{path.stem}_reconstructed.jpg"
        true, picture = images.read_rgb(path), images.read_rgb(made)
        scores.append((metrics.ssim(true, picture), metrics.psnr(true, picture)))
    assert np.mean(scores, axis=0) == pytest.approx((0.94839310, 25.09944630), abs=1e-6)
