"""The 313 colours of ab between which the network chooses, and a colour as a distribution over them."""

import functools
import zlib
from pathlib import Path

import numpy as np

from historynet import files
from historynet.errors import InputError

COUNT = 313
_FILE = Path(__file__).with_name("bins.csv")

_CHECKSUM = 0x60E58B8E
"""CRC-32 of the colours as pairs of little-endian 16-bit integers: one that is changed colours wrongly."""


@functools.cache
def centres() -> np.ndarray:
    """ab of the bins in Lab units, float32 (313, 2): the grid of step 10 of Zhang et al. (2016), in its order.

    Raises:
        InputError: if the project's own table is damaged.
    """
    with files.reading(_FILE):
        text = _FILE.read_text(encoding="ascii", errors="replace")
    try:
        rows = np.array([[int(cell) for cell in line.split(",")] for line in text.splitlines()[1:]], "<i2")
    except (ValueError, OverflowError) as error:
        raise InputError(f"{_FILE}: damaged ({error}); install the project again") from error
    is_whole = rows.shape == (COUNT, 3) and (rows[:, 0] == np.arange(COUNT)).all()
    if not is_whole or zlib.crc32(rows[:, 1:].tobytes()) != _CHECKSUM:
        raise InputError(f"{_FILE}: damaged, it does not hold the {COUNT} colours; install the project again")
    return rows[:, 1:].astype(np.float32)


def soft_encoding(ab, neighbours: int = 5, sigma: float = 5.0):
    """H_gt^-1 of Eq. (1): a colour -> the bins nearest to it, and how much each of them has.

    Of bins equally near the one of the smaller index comes first.

    Args:
        ab: in Lab units, (..., 2).
        neighbours: how many bins; 5 in the paper, 10 in the public code of Zhang et al.
        sigma: of the Gaussian by which they are weighed, Lab units.

    Returns:
        (indices, weights), each (..., neighbours), nearest first; the weights have the sum 1.
    """
    # Imported here: an exported network is decoded without an engine, and so without Keras.
    from keras import ops

    bins = ops.cast(centres(), ab.dtype)
    # Not expanded into products: of 8-bit colours the squares are exact, and ties are ties.
    squared = ops.square(ab[..., :1] - bins[:, 0]) + ops.square(ab[..., 1:] - bins[:, 1])
    nearness, indices = ops.top_k(-squared, neighbours)
    # The softmax takes the nearest bin's distance off: far outside of the gamut the plain formula is 0 / 0.
    return indices, ops.softmax(nearness / (2 * sigma**2), axis=-1)


def nearest(ab: np.ndarray) -> np.ndarray:
    """The bin nearest to each colour: ab in Lab units (..., 2), rounded and cut to -128..127 -> int32 (...)."""
    places = np.clip(np.rint(ab), -128, 127).astype(int) + 128
    return nearest_of_all()[places[..., 0], places[..., 1]]


@functools.cache
def nearest_of_all() -> np.ndarray:
    """The bin nearest to each whole colour, the first of equals: int32 (256, 256), by a + 128 and b + 128."""
    axis = np.arange(-128, 128)
    bins = centres().astype(int)
    # One a at a time: 20 million distances are a lot of memory.
    rows = [np.argmin((a - bins[:, 0]) ** 2 + (axis[:, None] - bins[:, 1]) ** 2, axis=1) for a in axis]
    return np.stack(rows).astype(np.int32)


def distribution(indices, weights):
    """What `soft_encoding` gives as the whole distribution Z: (..., neighbours) twice -> (..., 313)."""
    from keras import ops

    return sum(
        weights[..., i, None] * ops.one_hot(indices[..., i], COUNT, dtype=weights.dtype)
        for i in range(weights.shape[-1])
    )
