"""What a setting accepts.

Each function turns a constant of config.py, a value of a JSON file or the text of the command line into the setting's
value, and raises ValueError with what is wanted instead.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Accept = Callable[[Any], Any]


def integer(at_least: int, at_most: int = 10**9, multiple_of: int = 1, word: str | None = None) -> Accept:
    """An integer in a range, ends included, or one word instead."""

    def accept(value: Any) -> int | str:
        if word and value == word:
            return value
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        right = isinstance(number, int) and not isinstance(number, bool) and at_least <= number <= at_most
        if not right or number % multiple_of:
            raise ValueError(
                f"an integer from {at_least} to {at_most}"
                + (f" and a multiple of {multiple_of}" if multiple_of > 1 else "")
                + (f", or {word!r}" if word else "")
            )
        return number

    return accept


def only(value: Any) -> Accept:
    """One value alone: of a parameter that a system has no use for."""

    def accept(given: Any) -> Any:
        if given != value:
            raise ValueError(f"nothing but {value}, since it is not used")
        return given

    return accept


def size(at_least: int, multiple_of: int = 1) -> Accept:
    """The size of a picture in pixels: its side, or "HEIGHTxWIDTH" (of JSON or config.py also two integers).

    The value is an integer for a square, else the text, which JSON files hold and `sides` reads.
    """
    side = integer(at_least, 10**5, multiple_of)

    def accept(value: Any) -> int | str:
        try:
            if isinstance(value, str) and (match := re.fullmatch(r"(\d+)x(\d+)", value.strip())):
                value = [int(match[1]), int(match[2])]
            if not isinstance(value, Sequence) or isinstance(value, str):
                return side(value)
            height, width = map(side, value)
        except ValueError as error:
            of_each = f", each a multiple of {multiple_of}" if multiple_of > 1 else ""
            raise ValueError(f"a side of at least {at_least} pixels, or HEIGHTxWIDTH{of_each}") from error
        return height if height == width else f"{height}x{width}"

    return accept


def sides(value: int | str) -> tuple[int, int]:
    """(height, width) of what `size` accepts."""
    if isinstance(value, int):
        return value, value
    height, width = map(int, value.split("x"))
    return height, width


def number(at_least: float = 0.0, above: bool = False, below: float = 1e9, at_most: float | None = None) -> Accept:
    """A number in a range; `above` leaves its lower end out, `below` is left out, `at_most` not."""

    def accept(value: Any) -> float:
        try:
            result = float(value)
        except (TypeError, ValueError, OverflowError):
            result = float("nan")
        is_wrong = isinstance(value, bool) or not (at_least < result < below or (result == at_least and not above))
        if is_wrong or (at_most is not None and result > at_most):
            limit = f" and below {below:g}" if below < 1e9 else ""
            limit = limit if at_most is None else f" and at most {at_most:g}"
            raise ValueError(f"a number {'above' if above else 'of at least'} {at_least:g}{limit}")
        return result

    return accept


def number_for_each(words: Sequence[str]) -> Accept:
    """One number of at least 0, or a mapping with one for each of the words."""
    accept_one = number()

    def accept(value: Any) -> float | dict[str, float]:
        if not isinstance(value, Mapping):
            return accept_one(value)
        if sorted(value) != sorted(words):
            raise ValueError(f"a number, or one for each of {', '.join(words)}")
        return {word: accept_one(one) for word, one in value.items()}

    return accept


def word(words: Sequence[str]) -> Accept:
    """One of the words."""

    def accept(value: Any) -> str:
        if value not in words:
            raise ValueError(" or ".join(map(repr, words)))
        return value

    return accept


def boolean(value: Any) -> bool:
    """True or False, as a setting is in config.py; the command line has --setting and --no-setting."""
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value


def gpu_id(value: Any) -> str:
    """The number of a GPU as a text, or "cpu"."""
    result = str(value).lower()
    if result != "cpu" and not (result.isdecimal() and result.isascii()):
        raise ValueError("the number of a GPU, 0, 1, ..., or 'cpu'")
    return result
