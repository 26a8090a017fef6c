"""The generator: pix2pix's U-Net (Isola et al. 2017), `unet_128` at 128x128, with self-attention in its decoder."""

import keras
from keras import layers

from historynet.systems.pix2pix import value_ranges
from historynet.systems.pix2pix.architecture import GENERATOR, Architecture
from historynet.systems.pix2pix.attention import self_attention
from historynet.systems.pix2pix.convolutions import SLOPE, Dropout, convolution, normalization

DROPOUT = 0.5
"""Share of the decoder's deepest features that training leaves out (R5)."""


def build_generator(architecture: Architecture, dropout: float = DROPOUT) -> keras.Model:
    """The graph: down1, down2, ... halve the map, ..., up2, up1 double it again, joined with what was halved.

    Args:
        architecture: of the network.
        dropout: share of features that training leaves out in up5 to the last but one; colorizing leaves out none.

    Returns:
        A model from L (batch, height, width, 1) in 0..1 to {"ab": (batch, height, width, 2)} in 18/255..238/255.

    Under a policy of mixed precision ab stays in `floatx`, float32.
    """
    full_precision = keras.config.floatx()
    depth = architecture.depth
    down = convolution(architecture.spectral_norm)
    up = convolution(architecture.spectral_norm, transposed=True)
    luminance = keras.Input((*architecture.size, 1), name="L")

    x = layers.Rescaling(**value_ranges.L_SCALED, name="L_scaled")(luminance)
    skips = []
    for i in range(1, depth + 1):
        if i > 1:
            skips.append(x)
            x = layers.LeakyReLU(SLOPE, name=f"down{i}_relu")(x)
        x = down(architecture.channels(i), 4, strides=2, padding="same", use_bias=False, name=f"down{i}")(x)
        if 1 < i < depth:
            x = normalization(f"down{i}_bn")(x)

    for i in range(depth, 0, -1):
        x = layers.ReLU(name=f"up{i}_relu")(x)
        filters = architecture.channels(i - 1) if i > 1 else 2
        x = up(filters, 4, strides=2, padding="same", use_bias=i == 1, name=f"up{i}")(x)
        if i > 1:
            x = normalization(f"up{i}_bn")(x)
        if 5 <= i < depth:
            x = Dropout(dropout, name=f"up{i}_dropout")(x)
        if i == architecture.generator_attention:
            x = self_attention(x, down)
        if i > 1:
            x = layers.Concatenate(name=f"up{i}_skip")([skips.pop(), x])

    x = layers.Activation("tanh", dtype=full_precision, name="ab_scaled")(x)
    ab = layers.Rescaling(**value_ranges.AB, dtype=full_precision, name="ab")(x)
    return keras.Model(luminance, {"ab": ab}, name=GENERATOR)
