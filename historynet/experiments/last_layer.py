"""Fits the last layer of a HistoryNet to how like the pictures look, on photographs that the network has not learnt.

What a network learns by a distance of colours is the mean of what could be. The last layer, two 3x3 kernels over a few
features, is small enough to be fitted through the whole way to the picture at its full size: LPIPS there, beside the
error that PSNR is made of and the colourfulness, so that neither is paid with the others.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from historynet import backend, streams
from historynet.comparing.perceptual import LEAST_SIDE, Lpips
from historynet.errors import InputError
from historynet.parallel import CORES
from historynet.pictures import color, images, toning

if TYPE_CHECKING:
    import keras
    import torch

TYPICAL = 0.11
"""An LPIPS; so that all terms of the loss are about 1."""

_LEAST_ERROR = 1e-6
"""Where the logarithm of the squared error ends: 60 dB."""

_RISE = 5
_BATCH_SIZE = 8

# Lab's D65 white, and XYZ -> linear RGB, as OpenCV has them.
_WHITE = 0.950456, 1.0, 1.088754
_RGB_OF_XYZ = (3.240479, -1.53715, -0.498535), (-0.969256, 1.875991, 0.041556), (0.055648, -0.204043, 1.057311)


@dataclass(frozen=True)
class Share:
    """What a set of pictures has in the fitting.

    Attributes:
        paths: of the pictures, in colour.
        drawn: how many of them are drawn for each step.
        error: weight of the logarithm of the mean squared error, that is, of PSNR.
    """

    paths: Sequence[Path]
    drawn: int
    error: float


@dataclass(frozen=True)
class Fit:
    """How the last layer is fitted.

    Attributes:
        steps: of Adam.
        rate: its learning rate, after a short rise, along half a cosine to 0.
        colorfulness: weight of the colourfulness, as a share of the original's.
        seed: of the draws.
    """

    steps: int = 150
    rate: float = 0.006
    colorfulness: float = 0.02
    seed: int = 3


@dataclass(frozen=True)
class _Seen:
    """A picture, as the loss sees it.

    Attributes:
        features: that the last layer gets, float16 (rows, columns, channels).
        luminance: L of the picture, uint8 (height, width).
        rgb: the original, uint8 (height, width, 3).
        error: see `Share`.
    """

    features: np.ndarray
    luminance: np.ndarray
    rgb: np.ndarray
    error: float


def open_share(folder: str, drawn: str, error: str) -> Share:
    """A share, as it is given on a command line.

    Raises:
        InputError: if the folder has too few pictures in colour, one cannot be read or is too small, or a number is
            none.
    """
    try:
        count, weight = int(drawn), float(error)
    except ValueError:
        count, weight = 0, 0.0
    if count < 1 or not 0 <= weight <= 1:
        raise InputError(f"--pictures {folder} {drawn} {error}: wanted is DIR N PSNR, N 1 or more, PSNR 0 to 1")
    paths = []
    for path in (Path(folder) / name for name in images.list_pictures(Path(folder))):
        rgb = images.read_rgb(path)
        if min(rgb.shape[:2]) < LEAST_SIDE:
            raise InputError(f"{path}: {rgb.shape[1]}x{rgb.shape[0]}, too small for LPIPS; remove it")
        # Gray ones would teach gray, and their squared error has no logarithm.
        if toning.look(rgb)[1] == toning.COLORED:
            paths.append(path)
    if len(paths) < count:
        raise InputError(
            f"--pictures {folder}: {len(paths)} pictures in colour, fewer than the {count} that a step draws"
        )
    return Share(paths, count, weight)


def fit(model: Path, shares: Sequence[Share], out: Path, lpips: Lpips, how: Fit) -> None:
    """Fits the last layer of a generator, and stores it as it is shipped, with kernels in float16.

    Args:
        model: the generator's file.
        shares: of the sets of pictures.
        out: the new file.
        lpips: measures, and tells in what direction it would be less.
        how: it is fitted.

    Raises:
        InputError: if it is no generator of HistoryNet, a picture cannot be read, there is not enough memory, or the
            new file cannot be written.
    """
    if not out.parent.is_dir() or out.is_dir():
        raise InputError(f"{out}: cannot be written there; name a file in a folder that exists")
    print(backend.start("cpu"), flush=True)
    import keras

    from historynet.systems import loading
    from historynet.systems.historynet.registration import GENERATOR, NAME

    generator, architecture = loading.load(model, NAME, GENERATOR, "HistoryNet")
    last = generator.get_layer("ab_half")
    network = keras.Model(generator.inputs, last.input)
    count = sum(len(share.paths) for share in shares)
    with streams.Progress(count, "picture", "features") as bar:
        seen = [list(_look(network, share, bar)) for share in shares]
    last.set_weights(_descend(last.get_weights(), seen, [share.drawn for share in shares], lpips, how))
    loading.save(generator, NAME, architecture, out, half=True)
    print(f"{out}: its last layer is fitted to {count} pictures")


def _look(network: "keras.Model", share: Share, bar: streams.Progress) -> Iterator[_Seen]:
    size = network.input_shape[1:3]
    for start in range(0, len(share.paths), _BATCH_SIZE):
        originals = [images.read_rgb(path) for path in share.paths[start : start + _BATCH_SIZE]]
        gray = [color.to_gray(rgb) for rgb in originals]
        luminance = np.stack([color.network_lab(rgb, size)[..., :1] for rgb in gray])
        features = np.asarray(network.predict_on_batch(luminance), np.float16)
        for rgb, plain, one in zip(originals, gray, features, strict=True):
            yield _Seen(one, color.rgb_to_lab(plain)[..., 0], rgb, share.error)
        bar.update(len(originals))


def _descend(
    weights: Sequence[np.ndarray], seen: Sequence[Sequence[_Seen]], drawn: Sequence[int], lpips: Lpips, how: Fit
) -> list[np.ndarray]:
    """The kernel (3, 3, channels, 2) and the bias (2) after all steps."""
    import torch

    torch.set_num_threads(CORES)
    kernel, bias = (torch.tensor(np.asarray(values, np.float32), requires_grad=True) for values in weights)
    adam = torch.optim.Adam([kernel, bias], lr=how.rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda step: min(1, (step + 1) / _RISE) * (1 + math.cos(math.pi * step / how.steps)) / 2
    )
    rng = np.random.default_rng(how.seed)
    with streams.Progress(how.steps, "step", "fitting") as bar:
        for _ in range(how.steps):
            batch = [of[i] for of, n in zip(seen, drawn, strict=True) for i in rng.choice(len(of), n, replace=False)]
            for one in batch:
                # One by one: their sizes differ.
                with lpips.enough_memory():
                    (_loss(one, kernel, bias, lpips, how.colorfulness) / len(batch)).backward()
            adam.step()
            adam.zero_grad()
            schedule.step()
            bar.update(1)
    fitted = [values.detach().numpy() for values in (kernel, bias)]
    if not all(np.isfinite(values).all() for values in fitted):
        raise InputError("the fitting has come to numbers that are not finite; a lower --rate may do")
    return fitted


def _loss(
    one: _Seen, kernel: "torch.Tensor", bias: "torch.Tensor", lpips: Lpips, colorfulness: float
) -> "torch.Tensor":
    import torch

    original = torch.tensor(one.rgb.transpose(2, 0, 1), dtype=torch.float32) / 255
    result = render(one.features, one.luminance, kernel, bias)
    distance = lpips.distance(result[None], original[None])[0] / TYPICAL
    error = torch.log(torch.mean((result - original) ** 2).clamp(min=_LEAST_ERROR))
    share = _colorfulness(result) / _colorfulness(original).clamp(min=10)
    return distance + one.error * error - colorfulness * share


def render(features: np.ndarray, luminance: np.ndarray, kernel: "torch.Tensor", bias: "torch.Tensor") -> "torch.Tensor":
    """What `Colorizer` makes of the last layer's features, without its rounding; with a gradient.

    Args:
        features: (rows, columns, channels).
        luminance: L of the picture, uint8 (height, width).
        kernel: (3, 3, channels, 2).
        bias: (2).

    Returns:
        RGB in 0..1, (3, height, width).
    """
    import torch
    from torch.nn import functional

    values = torch.tensor(features.astype(np.float32).transpose(2, 0, 1))[None]
    ab = torch.sigmoid(functional.conv2d(values, kernel.permute(3, 2, 0, 1), bias, padding="same"))
    ab = functional.interpolate(ab, scale_factor=2, mode="nearest")
    # An 8-bit picture's ab is cut to whole levels: half a level less, on average.
    ab = functional.interpolate(ab * 255 - 0.5, size=luminance.shape, mode="bilinear")[0] - color.GRAY
    y = (torch.tensor(luminance.astype(np.float32)) * (100 / 255) + 16) / 116
    lab = torch.stack([y + ab[0] / 500, y, y - ab[1] / 200])
    edge = 6 / 29
    xyz = torch.where(lab > edge, lab.clamp(min=edge) ** 3, 3 * edge**2 * (lab - 4 / 29))
    linear = torch.einsum("ij,jhw->ihw", torch.tensor(_RGB_OF_XYZ) * torch.tensor(_WHITE), xyz).clamp(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)


def _colorfulness(rgb: "torch.Tensor") -> "torch.Tensor":
    """`metrics.colorfulness` of RGB in 0..1, (3, height, width)."""
    r, g, b = rgb * 255
    red_green, yellow_blue = r - g, (r + g) / 2 - b
    # A root has no gradient at 0.
    spread = (red_green.var(correction=0) + yellow_blue.var(correction=0) + 1e-6).sqrt()
    return spread + 0.3 * (red_green.mean() ** 2 + yellow_blue.mean() ** 2 + 1e-6).sqrt()
