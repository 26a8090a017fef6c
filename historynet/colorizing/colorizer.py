"""A trained network and a picture -> a picture."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from historynet import settings
from historynet.errors import InputError
from historynet.pictures import color
from historynet.systems import loading as weights

_PICTURES_AT_ONCE = 8
"""So many go through the network: 16 take 0.2 GB more memory."""


class Colorizer:
    """Colorizes pictures with a trained generator.

    Args:
        model: a model file, the name of one in MODEL/HistoryNet with or without its extension, or the generator itself;
            by default the one of the paper's last epoch there, or else the one that is shipped.
        variant: the variant that the file must be of; any if None.
        precision: one of `settings.PRECISIONS`; the numbers that the network computes with, if it is read from a file.

    Raises:
        InputError: if the file is no generator, or one of another variant.

    Example:
        colorize = Colorizer("MODEL/HistoryNet/my_model_colorizationEpoch7.keras")
        rgb = colorize(gray)
    """

    def __init__(
        self,
        model: str | Path | keras.Model = settings.DEFAULT,
        variant: str | None = None,
        precision: str = "float32",
    ):
        if not isinstance(model, keras.Model):
            path = weights.find_model(str(model), Path("MODEL/HistoryNet"), "HistoryNet")
            # A variance can be larger than float16 holds.
            with _dtype_policy("mixed_float16" if precision == "float16" else precision):
                # Only what the colours need: no label head, no parsing output.
                model = weights.load(path, "generator", variant, wanted=("ab",))[0]
        self.size: tuple[int, int] = tuple(model.input.shape[1:3])
        self._colors = keras.Model(model.input, model.output["ab"])

    def digest(self) -> str:
        """SHA-256 of the network's weights and of what it computes with; takes about a second for a full one."""
        digest = hashlib.sha256()
        for layer in self._colors.layers:
            digest.update(f"{layer.name} {layer.compute_dtype}".encode())
            for weight in layer.weights:
                digest.update(np.ascontiguousarray(weight))
        return digest.hexdigest()

    def __call__(self, picture: np.ndarray, strength: float = 1.0, upsampling: str = color.BILINEAR) -> np.ndarray:
        """uint8 RGB (height, width, 3) or gray (height, width), of any size -> uint8 RGB (height, width, 3).

        Args:
            picture: the picture.
            strength: factor on the predicted chrominance: 0 is gray, 1 as predicted.
            upsampling: one of `color.UPSAMPLINGS`.
        """
        picture = _as_rgb(picture)
        ab = self.predict_ab(color.network_lab(picture, self.size)[None, ..., :1])[0]
        return color.with_chrominance(picture, ab, strength, upsampling)

    def predict_ab(self, luminance: np.ndarray) -> np.ndarray:
        """L (pictures, height, width, 1) -> ab (pictures, height, width, 2), float32 in 0..1."""
        parts = range(0, len(luminance), _PICTURES_AT_ONCE)
        return np.concatenate([self._colors.predict_on_batch(luminance[i : i + _PICTURES_AT_ONCE]) for i in parts])


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    gray_or_rgb = picture.ndim == 2 or picture.shape[2:] == (3,)
    if picture.dtype != np.uint8 or not gray_or_rgb or not picture.size:
        raise InputError(
            "a picture must be a uint8 array (height, width, 3) or (height, width), "
            f"not {picture.dtype} {picture.shape}"
        )
    return picture if picture.ndim == 3 else np.dstack([picture] * 3)
