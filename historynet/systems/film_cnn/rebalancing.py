"""More weight for rare colours, as Zhang et al. (2016) train; Chen et al. (2018) do not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from keras import ops

from historynet import files, streams
from historynet.errors import InputError
from historynet.parallel import CORES, map_ahead
from historynet.systems.film_cnn.bins import COUNT, nearest, nearest_of_all

UNIFORM = 0.5
"""Share of a uniform distribution that is mixed into that of the training pictures."""

COUNTS = "colours.json"
"""File of a run's MODEL_DIR that holds how often each bin occurs."""

SAVE_EVERY = 1000
"""Pictures that are counted between two saves."""


def weights(counts: np.ndarray) -> np.ndarray:
    """w(q), proportional to 1 / (0.5 p(q) + 0.5 / 313) and such that the sum of p w is 1, float32 (313,).

    Args:
        counts: how often each bin is the nearest in the training pictures, (313,), not all 0.
    """
    p = counts / counts.sum()
    w = 1 / ((1 - UNIFORM) * p + UNIFORM / COUNT)
    return (w / (p * w).sum()).astype(np.float32)


def weight_of_pixels(lab, bin_weights):
    """The weight of each pixel, that of its nearest bin.

    Args:
        lab: the true colours in Lab units, (batch, rows, columns, 2).
        bin_weights: of `weights`.

    Returns:
        (batch, rows, columns).
    """
    table = nearest_of_all()
    places = ops.cast(ops.round(lab), "int32") + 128
    nearest_bins = ops.take(ops.convert_to_tensor(table.ravel()), places[..., 0] * len(table) + places[..., 1])
    return ops.take(ops.convert_to_tensor(bin_weights), nearest_bins)


def count(read: Callable[[int], np.ndarray | None], number: int, pictures: str, path: Path) -> np.ndarray:
    """How often each bin is the nearest in the training pictures; it goes on where an earlier start has stopped.

    Args:
        read: index -> colours of a picture, integers in Lab units (..., 2); None: it is left out.
        number: of the pictures.
        pictures: a text that differs where the pictures or what is looked at of them do.
        path: file of what is counted so far.

    Returns:
        int64 (313,).

    Raises:
        InputError: if the file cannot be read or written, or holds something else, or no picture can be read.
    """
    counts, done = _read(path, pictures, number) if path.exists() else (np.zeros(COUNT, np.int64), 0)
    if done < number:

        def count_one(index: int) -> np.ndarray:
            lab = read(index)
            if lab is None:
                return np.zeros(COUNT, np.int64)
            return np.bincount(nearest(lab).ravel(), minlength=COUNT)

        with streams.Progress(number, "picture", "counting colours") as bar:
            bar.update(done)
            for counted in map_ahead(count_one, range(done, number), ahead=2 * CORES):
                counts += counted
                done += 1
                bar.update(1)
                if done % SAVE_EVERY == 0 or done == number:
                    files.write_json(path, {"pictures": pictures, "done": done, "counts": counts.tolist()})
    if not counts.any():
        raise InputError(f"{path}: no colour was counted: none of the training pictures can be read")
    return counts


def _read(path: Path, pictures: str, number: int) -> tuple[np.ndarray, int]:
    """The counts in a file, and of how many pictures they are; of none if they are of others."""
    damaged = "not a count of colours; remove it"
    content = files.read_json(path, dict, damaged)
    if content.get("pictures") != pictures:
        return np.zeros(COUNT, np.int64), 0
    counts, done = content.get("counts"), content.get("done")
    whole = [value for value in counts if isinstance(value, int) and value >= 0] if isinstance(counts, list) else []
    if len(whole) != COUNT or len(counts) != COUNT or not isinstance(done, int) or not 0 < done <= number:
        raise InputError(f"{path}: {damaged}")
    return np.array(whole, np.int64), done
