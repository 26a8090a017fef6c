"""Self-attention of a map of features (Zhang et al. 2019), Eq. 3.9 to 3.11, in bounded memory.

Every place looks at every other: the matrix of N x N weights, N = height * width, would be 1 GiB a picture at 128x128.
Its rows do not depend on each other. So they are computed some at a time and never kept: the gradient makes them again.
"""

from collections.abc import Callable

import keras
from keras import layers, ops

PLAIN_UP_TO = 1024
"""Places of a map that is attended to in one piece: 4 MiB a picture."""

CHUNK = 2**20
"""Weights of one picture that are there at a time: the processor's cache holds them."""


def attend(query, key, value, chunk: int | None = None):
    """sum_i softmax_i(query_j . key_i) value_i for each place j; no scaling of the logits (R11).

    Args:
        query: (batch, N, channels).
        key: the same shape.
        value: the same shape.
        chunk: weights of one picture that are there at a time; None: all up to PLAIN_UP_TO places, CHUNK above.

    Returns:
        (batch, N, channels).
    """
    places = query.shape[1]
    if chunk is None and places <= PLAIN_UP_TO:
        return _in_one_piece(query, key, value)
    rows = min(places, max(1, (chunk or CHUNK) // places))
    return ops.custom_gradient(lambda query, key, value: _chunked(rows, query, key, value))(query, key, value)


def _in_one_piece(query, key, value):
    return ops.matmul(ops.softmax(_products(query, key), axis=-1), value)


def _transposed(x):
    return ops.transpose(x, (0, 2, 1))


def _products(rows, others):
    """(batch, rows, channels), (batch, N, channels) -> the dot products, (batch, rows, N)."""
    # With one channel there is nothing to sum, and a product of matrices would be slower.
    return rows * _transposed(others) if rows.shape[-1] == 1 else ops.matmul(rows, _transposed(others))


def _summed(factors, rows):
    """Sums over the rows, (batch, rows, N), each times its factors, (batch, rows, channels) -> (batch, N, channels).

    The small factors are transposed, not the rows.
    """
    return _transposed(ops.matmul(_transposed(ops.concatenate(factors, axis=-1)), rows))


def _chunked(rows: int, query, key, value):
    """`attend`, with `rows` places at a time, and its gradient."""
    places = query.shape[1]
    chunks = -(-places // rows)

    def divided(x):
        """(batch, N, channels) -> (chunks, batch, rows, channels), zeros behind the last place."""
        x = ops.pad(x, ((0, 0), (0, chunks * rows - places), (0, 0)))
        return ops.transpose(ops.reshape(x, (-1, chunks, rows, x.shape[-1])), (1, 0, 2, 3))

    def joined(x):
        """Back."""
        x = ops.reshape(ops.transpose(x, (1, 0, 2, 3)), (-1, chunks * rows, x.shape[-1]))
        return x[:, :places]

    one = ops.ones_like(value[..., :1])

    def forward(query_rows):
        s = _products(query_rows, key)
        largest = ops.max(s, axis=-1, keepdims=True)
        # The sum of the weights is a product with ones, so that the rows are read once for both.
        sums = ops.matmul(ops.exp(s - largest), ops.concatenate([value, one], axis=-1))
        return sums[..., :-1] / sums[..., -1:], largest + ops.log(sums[..., -1:])

    attended, log_sums = ops.map(forward, divided(query))
    attended = joined(attended)

    def gradient(*arguments, upstream=None):
        d_attended = arguments[0] if upstream is None else upstream
        queries, d_rows = divided(query), divided(d_attended)
        # The softmax's: what each row's weights have in common.
        common = divided(ops.sum(d_attended * attended, axis=-1, keepdims=True))

        def add(i, sums):
            d_query, d_key, d_value = sums
            q, d, c = (ops.take(x, i, axis=0) for x in (queries, d_rows, common))
            beta = ops.exp(_products(q, key) - ops.take(log_sums, i, axis=0))
            if key.shape[-1] == 1:
                # d_s = beta (d value - c) has the rank of beta: its products are those of beta.
                both = ops.matmul(beta, ops.concatenate([value * key, key], axis=-1))
                d_q = d * both[..., :1] - c * both[..., 1:]
                sums = _summed([d, d * q, c * q], beta)
                d_value, d_key = d_value + sums[..., :1], d_key + value * sums[..., 1:2] - sums[..., 2:]
            else:
                d_s = beta * (_products(d, value) - c)
                d_q = ops.matmul(d_s, key)
                d_value, d_key = d_value + _summed([d], beta), d_key + _summed([q], d_s)
            return ops.slice_update(d_query, (i, 0, 0, 0), d_q[None]), d_key, d_value

        start = (ops.zeros_like(queries), ops.zeros_like(key), ops.zeros_like(value))
        d_query, d_key, d_value = ops.fori_loop(0, chunks, add, start)
        return joined(d_query), d_key, d_value

    return attended, gradient


@keras.saving.register_keras_serializable("historynet")
class Attend(layers.Layer):
    """`attend` on maps: query, key and value (batch, height, width, channels) -> the same shape.

    Attributes:
        in_one_piece: whether the whole matrix is there at a time, however large: an exported network has no loops.
    """

    in_one_piece = False

    def call(self, inputs):
        height, width, channels = inputs[0].shape[1:]
        flat = [ops.reshape(x, (-1, height * width, channels)) for x in inputs]
        attended = _in_one_piece(*flat) if self.in_one_piece else attend(*flat)
        return ops.reshape(attended, (-1, height, width, channels))

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable("historynet")
class AddAttended(layers.Layer):
    """x + gamma * o, Eq. 3.11; gamma is 0 at first, and the block the identity."""

    def build(self, input_shape):
        self.attention_gamma = self.add_weight(name="attention_gamma", shape=(), initializer="zeros")

    def call(self, inputs):
        x, attended = inputs
        return x + self.attention_gamma * attended

    def compute_output_shape(self, input_shape):
        return input_shape[0]


def self_attention(x: keras.KerasTensor, convolution: Callable[..., layers.Layer]) -> keras.KerasTensor:
    """The block: query, key and value of an eighth of the channels (R10), and a convolution back (R11).

    Args:
        x: (batch, height, width, channels).
        convolution: makes the network's convolutions, with or without spectral normalisation, as `layers.Conv2D`.
    """
    channels = x.shape[-1]
    narrow = max(1, channels // 8)
    three = [convolution(narrow, 1, use_bias=False, name=f"attention_{role}")(x) for role in ("query", "key", "value")]
    attended = Attend(dtype=keras.config.floatx(), name="attention_attend")(three)
    attended = convolution(channels, 1, use_bias=False, name="attention_output")(attended)
    return AddAttended(name="attention")([x, attended])
