"""VGG16 (Simonyan and Zisserman 2014): its lower part, which the generator begins with, and the whole of it."""

import keras
from keras import layers

from historynet.systems.historynet.variants import Architecture

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3))
"""(channels, convolutions) of the four blocks up to block4_conv3."""


def features(rgb: keras.KerasTensor, architecture: Architecture) -> keras.KerasTensor:
    """The output of block4_conv3, (batch, size / 8, size / 8, 512 * width), under the layer names of Keras' VGG16."""
    x = rgb
    # The fourth block takes part in the paths' width.
    counts = [architecture.feature_channels] * 3 + [architecture.channels]
    for block, (channels, convolutions) in enumerate(BLOCKS, start=1):
        if block > 1:
            x = layers.MaxPooling2D(2, name=f"block{block - 1}_pool")(x)
        for i in range(1, convolutions + 1):
            name = f"block{block}_conv{i}"
            x = layers.Conv2D(counts[block - 1](channels), 3, padding="same", activation="relu", name=name)(x)
    return x


def layer_names(blocks: int = len(BLOCKS)) -> list[str]:
    """The names of the convolutions that `features` makes in its first blocks."""
    return [f"block{block}_conv{i + 1}" for block, (_, n) in enumerate(BLOCKS[:blocks], start=1) for i in range(n)]


def build_teacher(architecture: Architecture) -> keras.Model:
    """The whole network, which the Baseline learns its labels from.

    Returns:
        A model from L (batch, size, size, 1) in 0..1, which it sees three times as the generator does, to the classes
        of ImageNet (batch, 1000), in 0..1 with sum 1. It is not trainable.
    """
    size, channels = architecture.image_size, architecture.channels
    luminance = keras.Input((size, size, 1), name="L")
    x = features(layers.Concatenate(name="L_three_times")([luminance] * 3), architecture)
    x = layers.MaxPooling2D(2, name="block4_pool")(x)
    for i in (1, 2, 3):
        x = layers.Conv2D(channels(512), 3, padding="same", activation="relu", name=f"block5_conv{i}")(x)
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(2, name="block5_pool")(x))
    x = layers.Dense(channels(4096), activation="relu", name="fc1")(x)
    x = layers.Dense(channels(4096), activation="relu", name="fc2")(x)
    x = layers.Dense(architecture.num_classes, activation="softmax", dtype=keras.config.floatx(), name="predictions")(x)
    model = keras.Model(luminance, x, name="teacher")
    model.trainable = False
    return model
