"""Our errors: every end of the program that a user can do something about, with its exit code.

A message is one line that names the file or the setting and says what to do about it.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

DONE = 0
DEFECT = 1
BAD_INPUT = 2
SKIPPED = 3
NOT_FINITE = 4
WORKER_LOST = 5
INTERRUPTED = 130
TERMINATED = 143


class HistoryNetError(Exception):
    """An end of the program that the user can do something about."""

    exit_code = DEFECT


class InputError(HistoryNetError, ValueError):
    """A file, folder, argument or setting that cannot be used as it is."""

    exit_code = BAD_INPUT


class PictureError(InputError):
    """A picture that cannot be read. A run over a folder skips it; training stops unless told to go on."""


class BusyError(InputError):
    """Another process works in the same folder; what else a run has to do can go on."""


class NotFiniteError(HistoryNetError):
    """A loss or a gradient became NaN or infinite; nothing of that phase was applied."""

    exit_code = NOT_FINITE


class WorkerLostError(HistoryNetError):
    """Another process of a training on several machines has ended."""

    exit_code = WORKER_LOST


class StoppedError(HistoryNetError):
    """SIGTERM or Ctrl-C ended the program.

    Args:
        message: what ended it, and what is saved.
        number: SIGINT or SIGTERM, which sets the exit code.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.exit_code = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}[number]


def reason(error: BaseException) -> str:
    """Why something failed, for the brackets of a message: one line of at most 200 characters, never empty."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    # The system's own words are short; a library may have added the file's name, or have said nothing at all.
    text = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
    return text or type(error).__name__


@contextlib.contextmanager
def translated(
    kinds: type[Exception] | tuple[type[Exception], ...], translate: Callable[[Any], HistoryNetError]
) -> Iterator[None]:
    """Within it, errors of the system or of a library become errors of ours; ours pass as they are.

    Args:
        kinds: the classes of the errors that are translated; all others pass.
        translate: makes our error from the other one, which stays its cause (`--debug` shows it).

    Raises:
        HistoryNetError: what `translate` returned.
    """
    try:
        yield
    except HistoryNetError:
        raise
    except kinds as error:
        raise translate(error) from error
