"""A trained network and a picture -> a picture."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from historynet import settings
from historynet.colorizing.choosing import find_model
from historynet.errors import InputError
from historynet.pictures import color
from historynet.systems import loading
from historynet.systems.system import ab_of

_PICTURES_AT_ONCE = 8
"""So many go through the network: 16 take 0.2 GB more memory."""


class Colorizer:
    """Colorizes pictures with a trained network of any system that does so.

    It computes on the engine that Keras runs on in the process. If Keras is not imported yet, importing Colorizer takes
    KERAS_BACKEND of the environment, else TensorFlow, or JAX where that is not installed.

    Args:
        model: a model file, the name of one in MODEL/HistoryNet with or without its extension, "shipped" for the one
            that comes with the project, or a network from L to a dict with "ab"; by default the best of the run there,
            or else the one that is shipped (`choosing.choose_model`).
        variant: the program that the file must be of, as "HistoryNet" or "Baseline"; any if None.
        precision: one of `settings.PRECISIONS`; the numbers that the network computes with, if it is read from a file.
        decoding: what the system's `decode` is to know, as a temperature; by name.

    Attributes:
        size: (height, width) of the pictures that the network sees.

    Raises:
        InputError: if the file is no network of ours, one of another program, or of a system that does not colorize.

    Example:
        colorize = Colorizer("MODEL/HistoryNet/my_model_colorizationEpoch7.keras")
        rgb = colorize(gray)
    """

    def __init__(
        self,
        model: str | Path | keras.Model = settings.DEFAULT,
        variant: str | None = None,
        precision: str = "float32",
        decoding: Mapping[str, Any] | None = None,
    ):
        self._decode = ab_of
        if not isinstance(model, keras.Model):
            path = find_model(str(model), Path("MODEL/HistoryNet"), "HistoryNet")
            # A variance can be larger than float16 holds.
            policy = "mixed_float16" if precision == "float16" else precision
            model, registration = loading.load_colorizing(path, variant, policy)
            self._decode = registration.colorizing.decode
        elif "ab" in model.output:
            model = keras.Model(model.input, {"ab": model.output["ab"]})
        self.size: tuple[int, int] = tuple(model.input.shape[1:3])
        self._network = model
        self._decoding = dict(decoding or {})

    def digest(self) -> str:
        """SHA-256 of the network's weights and of what it computes with; takes about a second for a full one."""
        digest = hashlib.sha256()
        for layer in self._network.layers:
            digest.update(f"{layer.name} {layer.compute_dtype}".encode())
            for weight in layer.weights:
                digest.update(np.ascontiguousarray(weight))
        if self._decoding:
            digest.update(json.dumps(self._decoding, sort_keys=True).encode())
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

    def predict(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        """L (pictures, height, width, 1) in 0..1 -> the network's raw outputs by name, the picture as first axis."""
        parts = range(0, len(luminance), _PICTURES_AT_ONCE)
        outputs = [self._pass(luminance[i : i + _PICTURES_AT_ONCE]) for i in parts]
        return {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}

    def _pass(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        count = len(luminance)
        if keras.backend.backend() == "jax":
            # It compiles for each number of pictures, which takes seconds: only for 1, 2, 4 and 8.
            missing = (1 << (count - 1).bit_length()) - count
            luminance = np.concatenate([luminance, np.repeat(luminance[-1:], missing, axis=0)])
        return {name: output[:count] for name, output in self._network.predict_on_batch(luminance).items()}

    def decode(self, outputs: Mapping[str, np.ndarray], **decoding: Any) -> np.ndarray:
        """Raw outputs -> ab (pictures, height, width, 2), float32 in 0..1, without another pass.

        Args:
            outputs: of `predict`.
            decoding: in place of what the colorizer was made with.
        """
        return self._decode(outputs, {**self._decoding, **decoding})

    def predict_ab(self, luminance: np.ndarray) -> np.ndarray:
        """L (pictures, height, width, 1) in 0..1 -> ab (pictures, height, width, 2), float32 in 0..1."""
        # Part by part: raw outputs can be a hundred times as large as what becomes of them.
        parts = range(0, len(luminance), _PICTURES_AT_ONCE)
        return np.concatenate([self.decode(self.predict(luminance[i : i + _PICTURES_AT_ONCE])) for i in parts])


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    gray_or_rgb = picture.ndim == 2 or picture.shape[2:] == (3,)
    if picture.dtype != np.uint8 or not gray_or_rgb or not picture.size:
        raise InputError(
            "a picture must be a uint8 array (height, width, 3) or (height, width), "
            f"not {picture.dtype} {picture.shape}"
        )
    return picture if picture.ndim == 3 else np.dstack([picture] * 3)
