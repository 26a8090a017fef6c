"""What a user can do wrong, and the exit code of each.

A message is one line that names the file or the setting and says what to do about it.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator

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


class InputError(HistoryNetError):
    """A file, folder or setting that cannot be used as it is."""

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
    """SIGTERM or Ctrl-C ended a training, after what it says was saved."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.exit_code = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}[number]


@contextlib.contextmanager
def translated(
    kinds: type[BaseException] | tuple[type[BaseException], ...], translate: Callable[[Exception], HistoryNetError]
) -> Iterator[None]:
    """Within it errors of these kinds, of the system or a library, become one of ours; ours pass as they are.

    Args:
        kinds: which.
        translate: makes our error of the other one, which stays its cause (`--debug` shows it).
    """
    try:
        yield
    except HistoryNetError:
        raise
    except kinds as error:
        raise translate(error) from error
