"""The colours of training pictures, as whoever counts them sees them."""

from collections.abc import Callable

import numpy as np

from historynet.data.samples import Samples, fingerprint, whole_picture
from historynet.errors import PictureError
from historynet.settings import Settings

STEP = 4
"""Pixels from one that is looked at to the next, in rows and columns."""


def fingerprint_of(settings: Settings, samples: Samples) -> str:
    """A text that differs where the pictures' names do, or the size in which they are looked at."""
    return fingerprint([*samples.names, "{}x{}".format(*(settings.crop_size or settings.size))])


def reader(settings: Settings, samples: Samples) -> Callable[[int], np.ndarray | None]:
    """Reads the colours of a sample's picture: int32 (rows, columns, 2), Lab units; None if it is left out.

    The whole picture is resized as for training, before crops, and every fourth pixel is taken.

    Args:
        settings: of the run.
        samples: all of them.
    """
    view = whole_picture(settings.crop_size or settings.size)

    def read(index: int) -> np.ndarray | None:
        try:
            ab = samples.read(index, view)["ab"]
        except PictureError:
            if settings.skip_broken:
                # The training names it.
                return None
            raise
        return np.round(ab[::STEP, ::STEP] * 255).astype(np.int32) - 128

    return read
