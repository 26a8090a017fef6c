"""Batch normalisation as the released program's Keras 2.2.4 and TensorFlow 1.14 did it."""

import keras
from keras import layers, ops


def pass_as_released(network: keras.Model, inputs, count):
    """A training pass in which the stored statistics move as in the released program.

    Normalising by the batch is the same everywhere. The stored variance takes the unbiased estimate there, and stored
    statistics are zero-debiased: the first pass replaces them, whatever they were, and pass n moves them by
    (1 - momentum) / (1 - momentum^n) of the way.

    Args:
        network: whose layers of batch normalisation have the batch as first and the channels as last axis.
        inputs: of the network.
        count: number of this training pass of the network, from 1, a scalar tensor.

    Returns:
        The network's outputs.
    """
    normalizations = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    before = [
        (ops.copy(layer.moving_mean.value), ops.copy(layer.moving_variance.value), layer.momentum)
        for layer in normalizations
    ]
    for layer in normalizations:
        # So that the pass leaves the batch's own statistics.
        layer.momentum = 0.0
    outputs = network(inputs, training=True)
    batch = ops.shape(inputs)[0]
    for layer, (mean, variance, momentum) in zip(normalizations, before, strict=True):
        layer.momentum = momentum
        share = (1 - momentum) / (1 - ops.power(momentum, ops.cast(count, layer.moving_mean.dtype)))
        samples = ops.cast(batch * ops.prod(layer.output.shape[1:-1]), layer.moving_mean.dtype)
        unbiased = layer.moving_variance * (samples / (samples - 1))
        layer.moving_mean.assign(mean + share * (layer.moving_mean - mean))
        layer.moving_variance.assign(variance + share * (unbiased - variance))
    return outputs
