"""What the terminal says to who runs the page: nothing of whom, and of no file's name."""

import secrets
import sys
import time
import traceback

_AGAIN = 60.0
"""Seconds within which the same is said once."""

_said: dict[str, float] = {}


def once(text: str) -> None:
    """Says one line, if it has not been said in the last minute."""
    now = time.monotonic()
    if now - _said.get(text, -_AGAIN) >= _AGAIN:
        _said[text] = now
        print(f"note: {text}", file=sys.stderr, flush=True)


def of_defect(error: Exception, is_shown: bool = False) -> str:
    """Puts a number at the end of a traceback, which goes to the terminal; the words, with it, that the page shows.

    Args:
        error: what was raised.
        is_shown: whether its traceback is shown by somebody else.
    """
    number = secrets.token_hex(2)
    error.add_note(f"The page says that it is number {number}.")
    if not is_shown:
        print("".join(traceback.format_exception(error)), end="", file=sys.stderr, flush=True)
    return f"Something went wrong here. Please tell who runs this page, with the number {number}."
