"""VGG16 (Simonyan and Zisserman 2014), as far as the generator uses it."""

import keras
from keras import layers

from historynet.networks import Architecture

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3))
"""(channels, convolutions) of the four blocks up to block4_conv3."""


def features(rgb: keras.KerasTensor, architecture: Architecture) -> keras.KerasTensor:
    """The output of block4_conv3, (batch, size / 8, size / 8, 512), under the layer names of Keras' own VGG16."""
    x = rgb
    for block, (channels, convolutions) in enumerate(BLOCKS, start=1):
        if block > 1:
            x = layers.MaxPooling2D(2, name=f"block{block - 1}_pool")(x)
        for i in range(1, convolutions + 1):
            name = f"block{block}_conv{i}"
            x = layers.Conv2D(architecture.channels(channels), 3, padding="same", activation="relu", name=name)(x)
    return x


def layer_names() -> list[str]:
    """The names of the convolutions that `features` makes."""
    return [f"block{block}_conv{i + 1}" for block, (_, n) in enumerate(BLOCKS, start=1) for i in range(n)]
