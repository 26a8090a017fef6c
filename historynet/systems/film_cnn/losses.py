"""The loss of the films CNN, Eq. (1): one pure function an idea. Each gives one value a sample, (batch,)."""

from keras import ops

from historynet.systems.film_cnn import rebalancing
from historynet.systems.film_cnn.bins import soft_encoding

SMALLEST_COLOUR = 5.0
"""Lab units of |a| and |b| beyond which one place at least must be for a picture to teach anything."""


def target(ab, averaged: bool = False):
    """The colours that the network is to find at a quarter of the side, in Lab units.

    Args:
        ab: of the pictures, (batch, height, width, 2) in 0..1, of 8 bits.
        averaged: whether they are the means of 4x4 pixels; else every fourth pixel, beginning with the first, as in the
            public code of Zhang et al.

    Returns:
        (batch, height / 4, width / 4, 2).
    """
    # k / 255 * 255 is not k, and noise would decide between bins that are equally near.
    lab = ops.round(ab * 255) - 128
    return ops.average_pool(lab, 4, 4) if averaged else lab[:, ::4, ::4]


def cross_entropy(lab, logits, neighbours: int = 5, sigma: float = 5.0, bin_weights=None):
    """Eq. (1) divided by the number of pixels: -sum Z log Z^, where Z^ = softmax(logits).

    Args:
        lab: the true colours in Lab units, (batch, rows, columns, 2).
        logits: (batch, rows, columns, 313).
        neighbours: as of `soft_encoding`.
        sigma: the same.
        bin_weights: of each bin, (313,): a pixel counts with that of its nearest; None: all count alike.
    """
    indices, weights = soft_encoding(lab, neighbours, sigma)
    chosen = ops.take_along_axis(ops.log_softmax(logits, axis=-1), indices, axis=-1)
    entropy = -ops.sum(weights * chosen, axis=-1)
    if bin_weights is not None:
        entropy = rebalancing.weight_of_pixels(lab, bin_weights) * entropy
    return ops.mean(entropy, axis=(1, 2))


def is_colourful(lab):
    """1 for pictures that have a colour anywhere, 0 for those that would teach that everything is gray.

    Args:
        lab: the true colours in Lab units, (batch, rows, columns, 2).
    """
    return ops.cast(ops.max(ops.abs(lab), axis=(1, 2, 3)) > SMALLEST_COLOUR, lab.dtype)
