"""The critic D1 (green in Figure 2): a PatchGAN (Isola et al. 2017) on the picture's L and ab."""

import keras
from keras import layers

from historynet.networks import Architecture


def build_discriminator(architecture: Architecture) -> keras.Model:
    """Without normalisation, as the gradient penalty needs it, and without activation at the end.

    Returns:
        A model from [L (batch, size, size, 1), ab (batch, size, size, 2)], both in 0..1, to one value a patch,
        (batch, size / 8, size / 8, 1); 28x28 patches at 224x224.
    """
    size = architecture.image_size
    luminance = keras.Input((size, size, 1), name="L")
    ab = keras.Input((size, size, 2), name="ab")
    x = layers.Concatenate(name="picture")([luminance, ab])
    for i, (filters, strides) in enumerate(((64, 2), (128, 2), (256, 2), (512, 1)), start=1):
        x = layers.Conv2D(architecture.channels(filters), 4, strides, "same", name=f"critic_conv{i}")(x)
        x = layers.LeakyReLU(0.3, name=f"critic_relu{i}")(x)
    patches = layers.Conv2D(1, 4, padding="same", dtype=keras.config.floatx(), name="patches")(x)
    return keras.Model([luminance, ab], patches, name="discriminator")
