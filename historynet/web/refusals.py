"""Why a request is refused, in a sentence for people who know no command line."""

import re
from pathlib import Path

from starlette.exceptions import HTTPException


class Refused(HTTPException):
    """A request that is refused.

    Args:
        status: HTTP's number.
        why: one sentence for people.
        retry_after: seconds after which it may be tried again; None: it is no matter of time.
    """

    def __init__(self, status: int, why: str, retry_after: int | None = None):
        super().__init__(status, why, None if retry_after is None else {"Retry-After": str(retry_after)})
        self.why, self.retry_after = why, retry_after


class CancelledError(Exception):
    """Nobody wants a result any more."""


_HINT = re.compile(r",?\s*\((?:[^()]*\s)?--[a-z][^()]*\)")
"""What a message of the library says of its command line."""

_FOLDERS = re.compile(r"(?<![^\s'\"(])/(?:[^\s/:;,]+/)+")
"""The folders of a path."""

ASK = "ask who runs the page"

_ADVICE = {
    "not a film that can be read": "perhaps it was not copied to its end",
    " megapixels": f"make it smaller, or {ASK}",
}
"""What to do about what a message of the library says."""


def for_people(text: str, path: Path, name: str) -> str:
    """A message or a note of the library as the page shows it, beside the file's name.

    Args:
        text: the message.
        path: of the file that it speaks of, whose place is nobody's business.
        name: by which the file was given.
    """
    text = text.removeprefix(f"{path}: ").removeprefix(f"{name}: ").replace(str(path), name)
    text = re.sub(re.escape(str(path.parent)) + r"[^\s:;,]*", "the result", text)
    # Of others, as a model's, the name is enough.
    text = _FOLDERS.sub("", text)
    text = re.sub(r"--([a-z]+)", r"\1", _HINT.sub("", text))
    advice = [f"; {words}" for sign, words in _ADVICE.items() if sign in text]
    return "".join([text[:1].upper() + text[1:], *advice])
