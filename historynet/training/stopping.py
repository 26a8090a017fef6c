"""SIGTERM and Ctrl-C while training: the update that runs is finished and a checkpoint saved first."""

import contextlib
import os
import signal
from collections.abc import Iterator

from historynet.errors import StoppedError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """A context in which the two signals are only noted; further ones change nothing.

    Attributes:
        requested: the signal that came, or None.
    """

    def __init__(self):
        self.requested: signal.Signals | None = None
        self._saved: str | None = None
        self._before = {}

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def heed(self, number: int) -> None:
        """Takes over the signal, if it is one and not 0, that another process of the training got."""
        if number and self.requested is None:
            self.requested = signal.Signals(number)

    def check(self, saved: str) -> None:
        """Ends the training if a signal came; `saved` says what was saved.

        Raises:
            StoppedError: if so.
        """
        if self.requested is not None:
            raise StoppedError(f"stopped by {self.requested.name}; {saved}", self.requested)

    @contextlib.contextmanager
    def at_once(self, saved: str) -> Iterator[None]:
        """Within it a signal need not wait, since all is saved that there is to save.

        Raises:
            StoppedError: where the signal comes; at the end if what ran then passed it by.
        """
        self._saved = saved
        try:
            self.check(saved)
            yield
        except Exception:
            # Keras makes an error of its own of one that is raised within a layer.
            self.check(saved)
            raise
        else:
            # Or it was passed by, as all that is raised within a destructor is.
            self.check(saved)
        finally:
            self._saved = None

    def _note(self, number: int, _frame: object) -> None:
        if self.requested is not None:
            return
        self.requested = signal.Signals(number)
        if self._saved is not None:
            self.check(self._saved)
        # Not print: the signal may have come in the middle of one. And whoever reads it may have gone.
        with contextlib.suppress(OSError):
            os.write(2, f"\n{self.requested.name}: saving a checkpoint after this step\n".encode())
