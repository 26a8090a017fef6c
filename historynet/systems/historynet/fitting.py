"""A network's arrays for pictures of another size."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from historynet.weights import reading
from historynet.weights.reading import Arrays

BEHIND_FLATTEN = ("info_dense1", "label_dense1", "classifier_dense")
"""The layers that see a flattened map of features, 1/32 of the picture's side: their kernels depend on its size."""


def for_image_size(
    arrays: Arrays, network: keras.Model, size_before: int, size: int, path: Path
) -> Mapping[str, list[np.ndarray]]:
    """The arrays that are others for pictures of another size; none if the size is the same.

    The kernels see the new map as it is when it is resized to the old one, so that the same features in all places give
    the same.

    Args:
        arrays: of a file, by layer.
        network: that is to be filled.
        size_before: side in pixels of the pictures that it was made for.
        size: side of the pictures that it is to see.
        path: the file that the arrays came from, for the messages.
    """
    before, after = (-(-side // 32) for side in (size_before, size))
    if before == after:
        return {}
    # (before, after), each row with sum 1.
    resizing = keras.ops.image.resize(np.eye(after)[None, :, :, None], (before, after), "bilinear", antialias=True)
    resizing = np.asarray(resizing)[0, :, :, 0]
    fitted = {}
    kernels = {layer.name: layer.kernel.shape for layer in network.layers if layer.name in BEHIND_FLATTEN}
    for name, needed in kernels.items():
        shapes = [tuple(array.shape) for array in arrays.get(name, [])]
        # What will not fit is for `assign` to name; of a small file it could be large.
        if shapes and _fits(shapes[0], needed, before, after):
            values = reading.values(arrays[name], path)
            units = values[0].shape[1]
            places = values[0].reshape(before, before, -1, units)
            places = np.einsum("ia,jb,ijcu->abcu", resizing, resizing, places, optimize=True)
            fitted[name] = [places.reshape(-1, units), *values[1:]]
    return fitted


def _fits(shape: tuple[int, ...], needed: tuple[int, ...], before: int, after: int) -> bool:
    """Whether a kernel of one map's side becomes one of the shape that is needed."""
    return len(shape) == 2 and shape[0] % before**2 == 0 and (shape[0] // before**2 * after**2, shape[1]) == needed
