"""The discriminator: pix2pix's PatchGAN of 70x70 pixels (Isola et al. 2017), with self-attention."""

import keras
from keras import layers

from historynet.systems.pix2pix import value_ranges
from historynet.systems.pix2pix.architecture import DISCRIMINATOR, Architecture
from historynet.systems.pix2pix.attention import self_attention
from historynet.systems.pix2pix.convolutions import SLOPE, convolution, normalization


def build_discriminator(architecture: Architecture) -> keras.Model:
    """The graph. It sees the picture, L and ab (R4). With spectral normalisation it has no other (R25).

    Returns:
        A model from [L (batch, height, width, 1), ab (batch, height, width, 2)], both in 0..1, to the logits of the
        patches (batch, height / 8 - 2, width / 8 - 2, 1); 14x14 at 128x128 (R3).
    """
    full_precision = keras.config.floatx()
    conv = convolution(architecture.spectral_norm)
    count = architecture.discriminator_layers
    luminance = keras.Input((*architecture.size, 1), name="L")
    ab = keras.Input((*architecture.size, 2), name="ab")
    scaled_luminance = layers.Rescaling(**value_ranges.L_SCALED, dtype=full_precision, name="L_scaled")(luminance)
    scaled_ab = layers.Rescaling(**value_ranges.AB_SCALED, dtype=full_precision, name="ab_scaled")(ab)
    x = layers.Concatenate(dtype=full_precision, name="picture")([scaled_luminance, scaled_ab])

    for i in range(1, count + 1):
        name, filters = f"patch_conv{i}", architecture.channels(i)
        is_normalized = i > 1 and not architecture.spectral_norm
        if i < count:
            x = conv(filters, 4, strides=2, padding="same", use_bias=not is_normalized, name=name)(x)
        else:
            # "same" would pad two of four sides by 2.
            x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
            x = conv(filters, 4, use_bias=not is_normalized, name=name)(x)
        if is_normalized:
            x = normalization(f"{name}_bn")(x)
        x = layers.LeakyReLU(SLOPE, name=f"{name}_relu")(x)
        if i == architecture.discriminator_attention:
            x = self_attention(x, conv)
    x = layers.ZeroPadding2D(1, name="patches_pad")(x)
    patches = conv(1, 4, dtype=full_precision, name="patches")(x)
    return keras.Model([luminance, ab], patches, name=DISCRIMINATOR)
