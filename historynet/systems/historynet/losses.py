"""The losses of HistoryNet, section 3 of the paper: one pure function per equation.

Each gives one value a sample, (batch,), averaged over the sample's pixels and channels (the paper writes the squared
norm, which is the sum); whoever calls takes the mean over the batch. Colours and parsing are in 0..1.
"""

import keras
from keras import ops

from historynet.pictures import color

SMALLEST_PROBABILITY = 1e-7
ROUNDING = 1 / 255**2
"""Squared error of one 8-bit level of a and b: what is less is not worth learning."""


def reconstruction(ab_true, ab, huber_delta=None, chroma_weight=0.0, log_error=False):
    """L_r, Eq. (2): (batch, size, size, 2) twice -> (batch,).

    Args:
        ab_true: the picture's colours.
        ab: the predicted ones.
        huber_delta: error from which on the loss grows linearly (Huber 1964): half the square below; None for Eq. (2).
        chroma_weight: weight of a pixel is 1 + chroma_weight * chroma, its distance from gray of 0..1: most pixels have
            little chroma, and their mean pulls rare colours towards gray.
        log_error: whether each sample's error goes through log(1 + error / ROUNDING), as PSNR takes it: to save a tenth
            of it counts as much in a picture of little colour, where it is small, as in a colourful one.
    """
    if huber_delta is None:
        error = ops.square(ab - ab_true)
    else:
        # Keras takes the mean over the last axis.
        error = keras.losses.huber(ab_true[..., None], ab[..., None], huber_delta)
    if chroma_weight:
        chroma = ops.norm((ab_true * 255 - color.GRAY) / 128, axis=-1, keepdims=True)
        error = error * (1 + chroma_weight * chroma)
    error = ops.mean(error, axis=(1, 2, 3))
    return ops.log1p(error / ROUNDING) if log_error else error


def parsing(parsing_true, parsing_predicted):
    """L_par, Eq. (3): (batch, size, size, 1) twice -> (batch,)."""
    return ops.mean(ops.square(parsing_predicted - parsing_true), axis=(1, 2, 3))


def kl_divergence(p, q):
    """sum p log(p / q) over the last axis, both sides cut to [1e-7, 1]: (batch, n) twice -> (batch,).

    On vectors that are no distributions (`info`) it still is what the released program minimises: it has no gradient
    where a component lies outside of [1e-7, 1].
    """
    p = ops.clip(p, SMALLEST_PROBABILITY, 1.0)
    q = ops.clip(q, SMALLEST_PROBABILITY, 1.0)
    return ops.sum(p * ops.log(p / q), axis=-1)


def classification(label_true, label):
    """L_cls, Eq. (4): (batch, classes) twice -> (batch,)."""
    return kl_divergence(label_true, label)


def info(vector, vector_found):
    """L_info, Eq. (5): G2's vector and what D2 finds of it in the colours, (batch, n) twice -> (batch,)."""
    return kl_divergence(vector, vector_found)


def adversarial(patches_fake):
    """L_g as the generator sees it, the middle term of Eq. (6): (batch, side, side, 1) -> (batch,)."""
    return -ops.mean(patches_fake, axis=(1, 2, 3))


def critic(patches_real, patches_fake):
    """The first two terms of Eq. (6), negated, since D1 maximises them: (batch, side, side, 1) twice -> (batch,)."""
    return ops.mean(patches_fake, axis=(1, 2, 3)) - ops.mean(patches_real, axis=(1, 2, 3))


def mix(ab_real, ab_fake, alpha):
    """A point on the line between real and generated colours, where the penalty looks; alpha (batch, 1, 1, 1)."""
    return alpha * ab_real + (1 - alpha) * ab_fake


def gradient_penalty(gradient):
    """The last term of Eq. (6), from the gradient of D1's summed patches: (batch, size, size, 2) -> (batch,)."""
    # A plain square root has no finite derivative at a zero gradient.
    norm = ops.sqrt(ops.sum(ops.square(gradient), axis=(1, 2, 3)) + 1e-12)
    return ops.square(norm - 1.0)
