"""How close two pictures are: PSNR, SSIM and colourfulness, exactly (float64)."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def psnr(true: np.ndarray, picture: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 pictures (height, width, 3), over all channels; inf if equal."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(true, picture, data_range=255))


def ssim(true: np.ndarray, picture: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) of two uint8 pictures (height, width, 3), -1..1.

    An 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, windows that lie within the picture only, mean over
    the three channels. NaN for pictures with a side under 11 pixels, which hold no window.
    """
    if min(true.shape[:2]) < 11:
        return float("nan")
    return float(
        structural_similarity(
            true,
            picture,
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def colorfulness(rgb: np.ndarray) -> float:
    """Hasler and Suesstrunk (2003) of a uint8 RGB picture: 0 is gray, about 30 averagely, 60 quite colourful."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    red_green, yellow_blue = r - g, (r + g) / 2 - b
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
