"""Convolutions whose kernel is divided by its spectral norm (Miyato et al. 2018).

Keras' SpectralNormalization is another thing: it overwrites the kernel with the divided one, lets the gradient pass the
norm by, and takes a transposed convolution's input channels for its output channels.
"""

import keras
from keras import layers, ops


def matrix(kernel, transposed: bool):
    """A kernel as (all other axes, output channels), whose largest singular value is the norm.

    Args:
        kernel: (height, width, in, out), of a transposed convolution (height, width, out, in).
        transposed: whether it is one's.
    """
    if transposed:
        kernel = ops.transpose(kernel, (0, 1, 3, 2))
    return ops.reshape(kernel, (-1, kernel.shape[-1]))


def iterate(kernel_matrix, u):
    """One step of the power iteration: u (out,) -> (the next u, the norm as it is known then).

    Both singular vectors count as constants: the norm's gradient is their outer product.
    """
    constant = ops.stop_gradient(kernel_matrix)
    v = _unit(ops.matmul(constant, u))
    u = _unit(ops.matmul(v, constant))
    u, v = ops.stop_gradient(u), ops.stop_gradient(v)
    return u, ops.sum(v * ops.matmul(kernel_matrix, u))


def norm_by(kernel_matrix, u):
    """The norm as u knows it, without a step: |W u|."""
    return ops.norm(ops.matmul(kernel_matrix, u))


def _unit(x):
    return x / (ops.norm(x) + 1e-12)


@keras.saving.register_keras_serializable("historynet")
class SpectralConv2D(layers.Layer):
    """A convolution, or a transposed one, with its kernel divided by its spectral norm.

    A training call makes one step of the power iteration and keeps its u; the stored kernel stays as it is. In
    inference mode nothing moves.

    Args:
        filters: output channels.
        kernel_size: side of the kernel.
        strides: of the convolution.
        padding: "valid" or "same".
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel, as Keras names it.
        transposed: whether it is a transposed convolution.
        named: of every layer.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        use_bias: bool = True,
        kernel_initializer="glorot_uniform",
        transposed: bool = False,
        **named,
    ):
        super().__init__(**named)
        self.filters, self.kernel_size, self.strides, self.padding = filters, kernel_size, strides, padding
        self.use_bias, self.transposed = use_bias, transposed
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        channels = (self.filters, input_shape[-1]) if self.transposed else (input_shape[-1], self.filters)
        shape = (self.kernel_size, self.kernel_size, *channels)
        # The norm is computed as precisely as the kernel is stored, whatever the convolution computes in.
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.kernel_initializer, autocast=False)
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros") if self.use_bias else None
        self.u = self.add_weight(
            name="u",
            shape=(self.filters,),
            initializer=_unit_normal,
            trainable=False,
            autocast=False,
            # Each replica finds the same of the same kernel.
            aggregation="only_first_replica",
        )

    def call(self, inputs, training=False):
        kernel_matrix = matrix(ops.convert_to_tensor(self.kernel), self.transposed)
        if training:
            u, sigma = iterate(kernel_matrix, ops.convert_to_tensor(self.u))
            self.u.assign(u)
        else:
            sigma = norm_by(kernel_matrix, ops.convert_to_tensor(self.u))
        kernel = ops.cast(self.kernel / sigma, self.compute_dtype)
        convolve = ops.conv_transpose if self.transposed else ops.conv
        outputs = convolve(inputs, kernel, strides=self.strides, padding=self.padding)
        return outputs if self.bias is None else outputs + ops.cast(self.bias, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        if self.transposed:
            sides = [side * self.strides for side in input_shape[1:3]]
        else:
            lost = 0 if self.padding == "same" else self.kernel_size - 1
            sides = [-(-(side - lost) // self.strides) for side in input_shape[1:3]]
        return (input_shape[0], *sides, self.filters)

    def get_config(self):
        own = ("filters", "kernel_size", "strides", "padding", "use_bias", "transposed")
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in own},
            "kernel_initializer": initializer,
        }


def _unit_normal(shape, dtype=None):
    return _unit(keras.random.normal(shape, dtype=dtype))
