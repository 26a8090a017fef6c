"""The critic D1 (green in Figure 2): a PatchGAN (Isola et al. 2017) on the picture's L and ab."""

import keras
from keras import layers, ops

from historynet.systems.historynet.variants import Architecture


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


def piecewise_linear(network: keras.Model) -> keras.Model:
    """The same network on the same weights, for gradients of its gradients.

    LeakyReLU's second derivative is zero. TensorFlow takes it for a tensor of zeros, which it then sends back through
    every layer below; here there is nothing to send.
    """
    return keras.models.clone_model(
        network, clone_function=lambda layer: _Slopes(layer) if isinstance(layer, layers.LeakyReLU) else layer
    )


class _Slopes(layers.Layer):
    """LeakyReLU as a product with its slope, which counts as constant."""

    def __init__(self, activation: layers.LeakyReLU):
        super().__init__(dtype=activation.dtype_policy, name=activation.name)
        self._negative_slope = activation.negative_slope

    def call(self, x):
        slope = ops.where(x > 0, 1.0, self._negative_slope)
        return x * ops.stop_gradient(ops.cast(slope, x.dtype))
