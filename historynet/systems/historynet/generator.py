"""The generator G of section 3 and Figure 2: from luminance to chrominance, labels and parsing."""

import itertools
from collections.abc import Collection

import keras
from keras import layers

from historynet.systems import vgg16
from historynet.systems.historynet.variants import VARIANTS, Architecture


def build_generator(architecture: Architecture, wanted: Collection[str] | None = None) -> keras.Model:
    """G0 to G3 as one graph.

    Args:
        architecture: of the network.
        wanted: those of the variant's outputs that the model is to have, with only the layers they need; None: all.

    Returns:
        A model from L (batch, size, size, 1) in 0..1 to a dict of the variant's outputs:
        "ab" (batch, size, size, 2) in 0..1, "label" (batch, classes) in 0..1 with sum 1,
        "parsing" (batch, size, size, 1) in 0..1, "info" (batch, 256 * dense_width), linear.

    Under a policy of mixed precision the outputs and what makes them stay in `floatx`, float32.
    """
    variant = VARIANTS[architecture.variant]
    size = architecture.image_size
    channels, units = architecture.channels, architecture.dense_units
    wanted = variant.outputs if wanted is None else wanted

    def conv(x, filters, name, kernel=3, strides=1):
        return layers.Conv2D(channels(filters), kernel, strides, "same", activation="relu", name=name)(x)

    def conv_bn(x, filters, name, strides=1):
        return layers.BatchNormalization(name=f"{name}_bn")(conv(x, filters, name, strides=strides))

    def convs(x, count, filters, names):
        for _ in range(count):
            x = conv(x, filters, next(names))
        return x

    # Of the outputs under any dtype policy: bfloat16 cannot tell neighbouring 8-bit levels apart.
    full_precision = keras.config.floatx()
    luminance = keras.Input((size, size, 1), name="L")
    # G0 (yellow): low-level features. VGG16 wants three channels.
    features = vgg16.features(layers.Concatenate(name="L_three_times")([luminance] * 3), architecture.vgg16_channels)

    # G2 (red): what the picture is about, as a vector that the colour path and D2 get, and as labels.
    x = conv_bn(features, 512, "global_conv1", strides=2)
    x = conv_bn(x, 512, "global_conv2")
    x = conv_bn(x, 512, "global_conv3", strides=2)
    x = conv_bn(x, 512, "global_conv4")
    flat = layers.Flatten(name="global_flatten")(x)
    x = layers.Dense(units(1024), name="info_dense1")(flat)
    x = layers.Dense(units(512), name="info_dense2")(x)
    info = layers.Dense(units(256), dtype=full_precision, name="info")(x)
    outputs = {"info": info}
    if "label" in wanted:
        x = flat
        for i, full in enumerate(variant.label_units, start=1):
            x = layers.Dense(units(full), name=f"label_dense{i}")(x)
        classes = architecture.num_classes
        outputs["label"] = layers.Dense(classes, activation="softmax", dtype=full_precision, name="label")(x)

    # G3 (orange), first half: parsing features at 1/8 of the side, which the colour path gets too.
    parsing_names = (f"parsing_conv{i}" for i in itertools.count(1))
    if variant.parsing_convs:
        x = conv_bn(features, 512, "parsing_input1")
        x = conv_bn(x, 512, "parsing_input2")
        parsing = convs(convs(x, 1, 256, parsing_names), 1, 128, parsing_names)

    # G1 (blue): the colour path, joined with G2's vector at every place, then with G3's features at 1/8, 1/4, 1/2.
    x = conv_bn(features, 512, "color_input1")
    x = conv_bn(x, 256, "color_input2")
    x = layers.Concatenate(name="color_with_info")([x, _at_every_place(info, size // 8)])
    color_names = (f"color_conv{i}" for i in itertools.count(1))
    color = convs(conv(x, 256, "color_fusion", kernel=1), 1, 128, color_names)
    for level, filters in enumerate((128, 64, 32)):
        if level:
            color = convs(_up(color, f"color_up{level}"), 1, filters, color_names)
        if variant.parsing_convs:
            if level:
                parsing = convs(_up(parsing, f"parsing_up{level}"), 1, filters, parsing_names)
            color = layers.Concatenate(name=f"color_with_parsing{level + 1}")([color, parsing])
            if level < 2 or "parsing" in wanted:
                parsing = convs(parsing, variant.parsing_convs[level], filters, parsing_names)
        color = convs(color, variant.color_convs[level], filters, color_names)

    def head(x, filters, name):
        half = layers.Conv2D(
            filters, 3, padding="same", activation="sigmoid", dtype=full_precision, name=f"{name}_half"
        )
        return _up(half(x), name, dtype=full_precision)

    outputs["ab"] = head(color, 2, "ab")
    if "parsing" in wanted:
        outputs["parsing"] = head(parsing, 1, "parsing")
    return keras.Model(luminance, {name: outputs[name] for name in variant.outputs if name in wanted}, name="generator")


def _up(x, name, dtype=None):
    return layers.UpSampling2D(2, interpolation="nearest", dtype=dtype, name=name)(x)


def _at_every_place(vector, side):
    """(batch, n) -> (batch, side, side, n)."""
    x = layers.RepeatVector(side * side, name="info_repeat")(vector)
    return layers.Reshape((side, side, vector.shape[-1]), name="info_map")(x)
