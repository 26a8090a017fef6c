"""A network's arrays for pictures of another size."""

from pathlib import Path

import keras
import numpy as np

from historynet.weights import reading
from historynet.weights.reading import Arrays

BEHIND_FLATTEN = ("info_dense1", "label_dense1", "classifier_dense")
"""The layers that see a flattened map of features, 1/32 of the picture's side: their kernels depend on its size."""


def for_image_size(arrays: Arrays, size_before: int, size: int, path: Path) -> Arrays:
    """The arrays that are others for pictures of another size; none if the size is the same.

    The kernels see the new map as it is when it is resized to the old one, so that the same features in all places give
    the same.

    Args:
        arrays: of a network, by layer.
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
    for name in BEHIND_FLATTEN:
        values = reading.values(arrays.get(name, []), path)
        # What is no such kernel is for `assign` to name.
        if values and values[0].ndim == 2 and len(values[0]) % before**2 == 0:
            units = values[0].shape[1]
            places = values[0].reshape(before, before, -1, units)
            places = np.einsum("ia,jb,ijcu->abcu", resizing, resizing, places, optimize=True)
            fitted[name] = [places.reshape(-1, units), *values[1:]]
    return fitted
