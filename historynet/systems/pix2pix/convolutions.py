"""The layers that both networks are made of, with their initial weights (R6, R20)."""

from collections.abc import Callable

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
