"""What the readers and writers of pictures accept, and their defaults; imports next to nothing: `--help` is quick."""

import numbers
from collections.abc import Collection
from typing import Any

from historynet.errors import InputError

BILINEAR, GUIDED = "bilinear", "guided"
UPSAMPLINGS = (BILINEAR, GUIDED)
"""How a predicted chrominance is brought to a picture's size: as the released program does, or along L's edges."""

STRENGTHS = (0, 2)
"""Lowest and highest factor on the predicted chrominance."""

MAX_MEGAPIXELS = 200
"""Files that claim more are refused."""

LIMITS = (0.0001, 1000)
"""Lowest and highest of such limits, in megapixels."""

MAX_SECONDS = 300
"""What takes longer to be read is refused; 200 megapixels of the slowest format take less."""

SECONDS = (0, 86_400)
"""Lowest and highest of such limits; 0 is none."""

QUALITY = 95
"""Of JPEG and WebP files; OpenCV's default for JPEG."""

QUALITIES = (1, 100)
"""Lowest and highest of them."""


FILM, SHOT, NONE = "film", "shot", "none"
EXTENTS = (FILM, SHOT, NONE)
"""What has a white balance or an exposure of its own among pictures made of films."""


def check_number(name: str, value: Any, ends: tuple[float, float], kind: type = numbers.Real) -> None:
    """Sees that an argument is a number in a range, ends included, as the command line does with its option.

    Args:
        name: of the argument.
        value: what was given for it.
        ends: of the range.
        kind: numbers.Real, or numbers.Integral.

    Raises:
        InputError: if not.
    """
    # NaN lies nowhere.
    if not isinstance(value, kind) or isinstance(value, bool) or not ends[0] <= value <= ends[1]:
        noun = "a number" if kind is numbers.Real else "an integer"
        raise InputError(f"{name}: {value!r} will not do; it takes {noun} from {ends[0]:g} to {ends[1]:g}")


def check_switch(name: str, value: Any) -> None:
    """Sees that an argument is True or False.

    Raises:
        InputError: if not.
    """
    if not isinstance(value, bool):
        raise InputError(f"{name}: {value!r} will not do; it takes True or False")


def check_word(name: str, value: Any, words: Collection[str | None]) -> None:
    """Sees that an argument is one of a few words.

    Raises:
        InputError: if not.
    """
    if not isinstance(value, str | None) or value not in words:
        raise InputError(f"{name}: {value!r} will not do; it takes {' or '.join(map(repr, words))}")
