"""A network that Keras computes, on TensorFlow or JAX."""

from typing import TYPE_CHECKING

import keras
import numpy as np

if TYPE_CHECKING:
    import hashlib


class KerasNetwork:
    """A `Network` of Keras.

    Args:
        model: from L (pictures, height, width, 1) in 0..1 to a dict of outputs.
        precision: what it computes in.
    """

    def __init__(self, model: keras.Model, precision: str):
        self._model, self.precision = model, precision
        self.size: tuple[int, int] = tuple(model.input.shape[1:3])

    def predict(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        """As of `Network`."""
        count = len(luminance)
        if keras.backend.backend() == "jax":
            # It compiles for each number of pictures, which takes seconds: only for 1, 2, 4 and 8.
            missing = (1 << (count - 1).bit_length()) - count
            luminance = np.concatenate([luminance, np.repeat(luminance[-1:], missing, axis=0)])
        return {name: output[:count] for name, output in self._model.predict_on_batch(luminance).items()}

    def identify(self, digest: "hashlib._Hash") -> None:
        """As of `Network`."""
        for layer in self._model.layers:
            digest.update(f"{layer.name} {layer.compute_dtype}".encode())
            for weight in layer.weights:
                digest.update(np.ascontiguousarray(weight))
