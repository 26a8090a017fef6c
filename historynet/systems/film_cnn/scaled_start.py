"""A start that depends on the data, after Zhang et al. (2016), who scale the first outputs of their network so, too."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

SMALLEST_DEVIATION = 1e-6
"""Of a channel's outputs; one that gives a constant is not made larger than this would make it."""


def scale(network: keras.Model, luminances: Sequence[np.ndarray], kept: Sequence[str] = ()) -> None:
    """Scales each convolution's kernel and moves its bias: each channel of its outputs gets mean 0 and variance 1.

    That is before the ReLU, over all places of the pictures; one layer after the other from the network's input on, as
    what a layer sees depends on those before. Batch normalisation goes by each batch, as in training; what it has
    stored stays as it is.

    Args:
        network: from L.
        luminances: batches of L (batch, height, width, 1) in 0..1.
        kept: names of convolutions that stay as they are.
    """
    convolutions = [
        layer
        for layer in network.layers
        if isinstance(layer, layers.Conv2D | layers.Conv2DTranspose) and layer.name not in kept
    ]
    statistics = [variable for variable in network.variables if not variable.trainable]
    before = [ops.convert_to_numpy(variable) for variable in statistics]
    for layer in convolutions:
        mean, deviation = _moments(keras.Model(network.input, layer.input), layer, luminances)
        factor = 1 / np.maximum(deviation, SMALLEST_DEVIATION)
        kernel = ops.convert_to_numpy(layer.kernel)
        # A transposed convolution has its output channels before those of its input.
        over_channels = factor[:, None] if isinstance(layer, layers.Conv2DTranspose) else factor
        layer.kernel.assign(kernel * over_channels.astype(kernel.dtype))
        layer.bias.assign((ops.convert_to_numpy(layer.bias) - mean) * factor)
    for variable, value in zip(statistics, before, strict=True):
        variable.assign(value)


def _moments(up_to: keras.Model, layer: keras.Layer, luminances: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a layer's outputs before its activation, each (channels,), float64."""
    activation, layer.activation = layer.activation, keras.activations.linear
    try:
        sums = []
        for luminance in luminances:
            outputs = ops.convert_to_numpy(layer(up_to(luminance, training=True))).astype(np.float64)
            outputs = outputs.reshape(-1, outputs.shape[-1])
            sums.append([np.full(outputs.shape[-1], len(outputs)), outputs.sum(axis=0), (outputs**2).sum(axis=0)])
    finally:
        layer.activation = activation
    count, total, squares = np.sum(sums, axis=0)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))
