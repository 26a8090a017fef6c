"""The layers that both networks are made of, with their initial weights (R6, R20)."""

from collections.abc import Callable

import keras
from keras import initializers, layers

from historynet.systems.pix2pix.spectral_normalization import SpectralConv2D

SLOPE = 0.2
"""Of LeakyReLU."""


def convolution(spectral_norm: bool, transposed: bool = False) -> Callable[..., layers.Layer]:
    """What makes a network's convolutions, called as `layers.Conv2D`.

    Args:
        spectral_norm: whether kernels are divided by their spectral norm.
        transposed: whether they are transposed convolutions.
    """

    def make(*arguments, **named) -> layers.Layer:
        named = {"kernel_initializer": initializers.RandomNormal(0.0, 0.02), **named}
        if spectral_norm:
            return SpectralConv2D(*arguments, transposed=transposed, **named)
        return (layers.Conv2DTranspose if transposed else layers.Conv2D)(*arguments, **named)

    return make


def normalization(name: str) -> layers.Layer:
    """Batch normalisation with PyTorch's constants; the stored variance is Keras', biased."""
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=initializers.RandomNormal(1.0, 0.02), name=name
    )


@keras.saving.register_keras_serializable("historynet")
class Dropout(layers.Layer):
    """Keras' Dropout, but that the state of its random numbers is named after it.

    Keras numbers these names within a process, and a training that goes on finds its state in a checkpoint by name.

    Args:
        rate: share of the values that training sets to zero.
        named: of every layer.
    """

    def __init__(self, rate: float, **named):
        super().__init__(**named)
        self.rate = rate
        if rate:
            self.seed_generator = keras.random.SeedGenerator(name=f"{self.name}_seed")

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        return keras.random.dropout(inputs, self.rate, seed=self.seed_generator)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
