"""ResNet50 (He et al. 2016), as Keras' applications have it, with a head that gives the logits of the labels."""

import keras
from keras import layers

from historynet.systems.labeller.architecture import NAME, Architecture

HEAD, FEATURES = "predictions", "avg_pool"
"""Names of the last layer, which each set of labels has its own of, and of the one before it."""

FIRST = "conv1_conv"
"""The layer that sees the picture."""

_STACKS = ((64, 3), (128, 4), (256, 6), (512, 3))
"""(channels, blocks) of conv2 to conv5."""

_MEAN = (123.68, 116.779, 103.939)
"""Of ImageNet's red, green and blue, 0..255."""


def build_network(architecture: Architecture) -> keras.Model:
    """A model from RGB (batch, size, size, 3) in 0..255 to the logits of the labels (batch, labels), in float32.

    The layers have the names that they have in Keras; its `preprocess_input` is part of the network, but for the order
    of the colours, which is that of the first kernel here.
    """
    channels = architecture.channels
    rgb = keras.Input((architecture.image_size, architecture.image_size, 3), name="rgb")
    x = layers.Rescaling(1.0, [-mean for mean in _MEAN], name="less_mean")(rgb)
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = layers.Conv2D(channels(64), 7, strides=2, name=FIRST)(x)
    x = layers.Activation("relu", name="conv1_relu")(_normalized(x, "conv1"))
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stack, (full, blocks) in enumerate(_STACKS, start=2):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stack > 2 else 1
            x = _block(x, channels(full), channels(4 * full), stride, block == 1, f"conv{stack}_block{block}")
    x = layers.GlobalAveragePooling2D(name=FEATURES)(x)
    x = layers.Dense(len(architecture.labels), dtype=keras.config.floatx(), name=HEAD)(x)
    return keras.Model(rgb, x, name=NAME)


def _block(x: keras.KerasTensor, narrow: int, wide: int, stride: int, changes: bool, name: str) -> keras.KerasTensor:
    """A bottleneck: 1x1, 3x3 and 1x1 convolutions beside a shortcut, which is one itself where the shape changes."""
    shortcut = x
    if changes:
        shortcut = _normalized(layers.Conv2D(wide, 1, strides=stride, name=f"{name}_0_conv")(x), f"{name}_0")
    x = _normalized(layers.Conv2D(narrow, 1, strides=stride, name=f"{name}_1_conv")(x), f"{name}_1")
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = _normalized(layers.Conv2D(narrow, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2")
    x = layers.Activation("relu", name=f"{name}_2_relu")(x)
    x = _normalized(layers.Conv2D(wide, 1, name=f"{name}_3_conv")(x), f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)


def features_of(network: keras.Model) -> keras.Model:
    """The part of the network before its head: RGB -> (batch, channels)."""
    return keras.Model(network.input, network.get_layer(FEATURES).output, name="features")
