"""The network of Chen, Luo, Ding and Yu (2018), and that of Zhang, Isola and Efros (2016), which it grew out of."""

import keras
from keras import layers

from historynet.systems import vgg16
from historynet.systems.film_cnn.architecture import NAME, Architecture
from historynet.systems.film_cnn.bins import COUNT

_EPSILON = 1e-5
"""Of batch normalisation, as Caffe has it."""


def build_network(architecture: Architecture, size: tuple[int, int] | None = None) -> keras.Model:
    """The graph, with the names of the layers of Zhang et al. where these have them.

    Args:
        architecture: of the network; with neither multi_scale nor vgg_features it is Zhang et al.'s.
        size: (height, width) of the pictures, multiples of 8; None: those of colorizing.

    Returns:
        A model from L (batch, height, width, 1) in 0..1 to {"logits": (batch, height / 4, width / 4, 313)}.

    Under a policy of mixed precision the logits stay in `floatx`, float32.
    """
    channels = architecture.channels
    size = size or (architecture.colorizing_size,) * 2

    def conv(x, filters, name, kernel=3, strides=1, dilation=1):
        if strides > 1:
            # Zero on every side, as Caffe pads; Keras would pad at the right and below alone.
            x = layers.ZeroPadding2D(1, name=f"{name}_padded")(x)
        padding = "valid" if strides > 1 else "same"
        return layers.Conv2D(
            channels(filters),
            kernel,
            strides,
            padding,
            dilation_rate=dilation,
            activation="relu",
            kernel_initializer="he_normal",
            name=name,
        )(x)

    def normalized(x, name):
        return layers.BatchNormalization(epsilon=_EPSILON, name=name)(x)

    def joined(features, name):
        return layers.Concatenate(name=name)(features) if len(features) > 1 else features[0]

    luminance = keras.Input((*size, 1), name="L")
    centred = layers.Rescaling(1.0, -0.5, name="L_centred")(luminance)

    # VGG16's features (section 3.2): the last convolutions of its first three blocks.
    features = [[], [], []]
    if architecture.vgg_features:
        three = layers.Concatenate(name="L_three_times")([luminance] * 3)
        counts = [architecture.feature_channels(count) for count, _ in vgg16.BLOCKS[:3]]
        for i, block in enumerate(vgg16.blocks(three, counts)):
            features[i].append(normalized(block, f"vgg_bn{i + 1}"))

    # The trunk, joined with them where it has the same side; multi-scale kernels first (section 3.1).
    if architecture.multi_scale:
        first = [conv(centred, 64, f"conv1_1_{side}x{side}", kernel=side) for side in (3, 5)]
    else:
        first = [conv(centred, 64, "conv1_1")]
    x = joined([*first, *features[0]], "fusion1")
    x = normalized(conv(x, 64, "conv1_2", strides=2), "conv1_bn")
    x = conv(joined([x, *features[1]], "fusion2"), 128, "conv2_1")
    x = normalized(conv(x, 128, "conv2_2", strides=2), "conv2_bn")
    x = conv(joined([x, *features[2]], "fusion3"), 256, "conv3_1")
    x = conv(x, 256, "conv3_2")
    x = normalized(conv(x, 256, "conv3_3", strides=2), "conv3_bn")
    for block, dilation in ((4, 1), (5, 2), (6, 2), (7, 1)):
        for i in (1, 2, 3):
            x = conv(x, 512, f"conv{block}_{i}", dilation=dilation)
        x = normalized(x, f"conv{block}_bn")
    x = layers.Conv2DTranspose(
        channels(256), 4, 2, "same", activation="relu", kernel_initializer="he_normal", name="conv8_1"
    )(x)
    x = conv(conv(x, 256, "conv8_2"), 256, "conv8_3")
    logits = layers.Conv2D(COUNT, 1, kernel_initializer="he_normal", dtype=keras.config.floatx(), name="bins")(x)
    return keras.Model(luminance, {"logits": logits}, name=NAME)
