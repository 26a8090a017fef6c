"""The standard streams: closed ones, those whose reader goes, and the line that says how far a long job is."""

import errno
import io
import os
import shutil
import stat
import sys
import time
from typing import Any

SECONDS_BETWEEN = 30
"""Between two lines of progress where there is no terminal."""

_GONE = frozenset({errno.EPIPE, errno.EIO})
"""What writing answers where nobody reads any more: a pipe's other end, a terminal that was closed."""


def _is_gone(error: OSError, descriptor: int) -> bool:
    """Whether an error says that nobody reads any more; a file's disk that cannot be written to is none of these."""
    # A terminal that was closed is not known for one any more (isatty), but still for a character device.
    mode = os.fstat(descriptor).st_mode
    return error.errno in _GONE and (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


class _Lasting(io.FileIO):
    """A file whose reader may go: what is written then goes nowhere, and the work goes on."""

    def write(self, data: Any) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            if not _is_gone(error, self.fileno()):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(data)


def open_lasting(number: int, encoding: str = "utf-8", errors: str = "backslashreplace") -> io.TextIOWrapper:
    """A text stream into an open file descriptor, which stays open, that outlasts its reader."""
    buffer = io.BufferedWriter(_Lasting(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding, errors, line_buffering=True)


def prepare() -> None:
    """Makes the standard streams such that nothing can go wrong with them; for programs, not for the library.

    Whoever starts a program may have closed them (`2>&-`): the next file that is opened would be taken for one. And who
    reads them may go before the work is done (`| head`).
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        stream = getattr(sys, name)
        # Not one that somebody has put there, as tests do.
        if number and stream is getattr(sys, f"__{name}__"):
            form = (stream.encoding, stream.errors) if stream else ()
            setattr(sys, f"__{name}__", open_lasting(number, *form))
            setattr(sys, name, getattr(sys, f"__{name}__"))


class Progress:
    """Says on standard error how far a job is: a bar on a terminal, else a line every 30 seconds and one at the end.

    Args:
        total: number of what there is to do; None if nobody knows.
        unit: what is counted, in the singular.
        title: what stands before; empty: nothing.
        about: whether the number is an estimate; when all is done it counts no more.
    """

    def __init__(self, total: int | None, unit: str, title: str = "", about: bool = False):
        self._total, self._unit, self._title, self._about = total, unit, title, about
        self._done, self._bar = 0, None
        self._begun = self._shown = time.monotonic()
        self._before: tuple[float, int] | None = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from tqdm import tqdm

            # tqdm itself would show nothing where nobody knows how large the terminal is.
            columns, rows = shutil.get_terminal_size()
            title = self._title or None
            self._bar = tqdm(total=self._total, unit=self._unit, desc=title, ncols=columns, nrows=rows)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        is_known = self._about and error is None
        if self._bar is not None:
            self._bar.total = self._bar.n if is_known else self._total
            self._bar.close()
        else:
            self._total = None if is_known else self._total
            self._print(f" in {_clock(time.monotonic() - self._begun)}")

    def update(self, count: int) -> None:
        """Counts what is just done."""
        if self._bar is not None:
            self._bar.update(count)
            return
        self._done += count
        now = time.monotonic()
        # The first may be what an earlier run has done.
        since, before = self._before = self._before or (now, self._done)
        if now - self._shown >= SECONDS_BETWEEN and self._done > before:
            self._shown = now
            rate = (self._done - before) / (now - since)
            left = "" if self._total is None else f", {_clock((self._total - self._done) / rate)} left"
            self._print(f", {rate:.3g} a second{left}")

    def _print(self, end: str) -> None:
        title = f"{self._title}: " if self._title else ""
        total = "" if self._total is None else f" of {'about ' * self._about}{self._total}"
        print(f"{title}{self._done}{total} {self._unit}s{end}", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    """Hours:minutes:seconds."""
    left = max(0, round(seconds))
    return f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
