"""A small U-Net (Ronneberger et al. 2015) of separable convolutions that says which part of a person each pixel is."""

import keras
from keras import layers

from historynet.systems.parser.architecture import NAME, Architecture

HEAD = "predictions"
"""Name of the last layer with weights."""

_FIRST = 24
_LEVELS = (32, 64, 96, 128)
_MIDDLE = 192
"""Channels of the first convolution, of the four levels from the largest, and below them."""


def build_network(architecture: Architecture) -> keras.Model:
    """A model from RGB (batch, height, width, 3) in 0..255 to logits (batch, height, width, classes), in float32.

    It computes at half the pictures' sides and less.
    """
    rgb = keras.Input((architecture.height, architecture.width, 3), name="rgb")
    x = layers.Rescaling(1 / 127.5, -1, name="centred")(rgb)
    x = layers.Conv2D(_FIRST, 3, 2, "same", use_bias=False, name="first_conv")(x)
    x = _activated(x, "first")
    skips = []
    for level, channels in enumerate(_LEVELS, start=1):
        x = _two_convolutions(x, channels, f"down{level}")
        skips.append(x)
        x = layers.MaxPooling2D(name=f"down{level}_pool")(x)
    x = _gated(_two_convolutions(x, _MIDDLE, "middle"))
    for level, (channels, skip) in reversed(list(enumerate(zip(_LEVELS, skips, strict=True), start=1))):
        x = layers.UpSampling2D(interpolation="bilinear", name=f"up{level}_upsample")(x)
        x = layers.Concatenate(name=f"up{level}_join")([x, skip])
        x = _two_convolutions(x, channels, f"up{level}")
    # The logits stay in float32 in every precision.
    whole = keras.config.floatx()
    x = layers.Conv2D(len(architecture.classes), 1, dtype=whole, name=HEAD)(x)
    x = layers.UpSampling2D(interpolation="bilinear", dtype=whole, name="logits")(x)
    return keras.Model(rgb, x, name=NAME)


def _two_convolutions(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    for place in ("a", "b"):
        x = layers.SeparableConv2D(channels, 3, padding="same", use_bias=False, name=f"{name}{place}_conv")(x)
        x = _activated(x, f"{name}{place}")
    return x


def _activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    # The variances are a hundredth of what Keras begins with: with its momentum of 0.99 a training of some hundred
    # updates would be judged by the rest of that.
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x))


def _gated(x: keras.KerasTensor) -> keras.KerasTensor:
    """Each channel times a number in 0..1 that follows from the means of all: what the whole picture says."""
    gate = layers.GlobalAveragePooling2D(name="gate_mean")(x)
    gate = layers.Dense(x.shape[-1], activation="sigmoid", name="gate")(gate)
    return layers.Multiply(name="middle_gated")([x, layers.Reshape((1, 1, x.shape[-1]), name="gate_map")(gate)])
