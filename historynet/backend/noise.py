"""What the libraries of the engines say and import that nobody here needs."""

import contextlib
import functools
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from historynet import streams

# Lines of the log of TensorFlow's and XLA's C++, "I0000 00:00:1795226408.528851 ...", and of Ray's, "[2026-01-01
# 00:00:00,000 E 1 2] ...", but for fatal ones; and libpng's, which do not say of which file they speak.
_FILTER = r"""
import re, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
for line in sys.stdin.buffer:
    if not re.match(rb"[IWE]\d{4} |WARNING: All log messages before absl|To enable the following inst|libpng |"
                    rb"\[[-\d]+ [:,\d]+ [IWE] \d+ \d+\] ", line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


_lock = threading.Lock()
_inside = 0
_filtering = contextlib.ExitStack()
_past: int | None = None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leaves what an engine and libpng log by themselves out of the standard error stream.

    TensorFlow's C++ greets with half a dozen lines, some of them called errors, on every machine without a GPU, and
    again when it first optimises a graph; since 2.21 no environment variable stops them. Another process filters them,
    so that what a crash prints last still arrives. Python's own `sys.stderr` goes past the filter. May be nested, and
    entered by several threads: there is one filter, as long as anybody is inside.
    """
    global _inside
    with _lock:
        if not _inside:
            _filtering.enter_context(_filtered())
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _filtering.close()


def _way_past() -> int:
    """A second descriptor of what the standard error stream is now; the same number each time.

    It is never closed. TensorFlow's loggers, made within the filter, write to the stream that they found there for
    ever; and the number of a closed one would soon be that of somebody's file.
    """
    global _past
    if _past is None:
        _past = os.dup(2)
    else:
        os.dup2(2, _past, inheritable=False)
    return _past


@functools.cache
def _stream_past(number: int) -> io.TextIOWrapper:
    return streams.open_lasting(number)


@contextlib.contextmanager
def _filtered() -> Iterator[None]:
    """Sends the standard error stream of the process through another process, which filters it."""
    try:
        terminal = _way_past() if "python" in Path(sys.executable or "").name else None
    except OSError:
        terminal = None
    if terminal is None:
        # Nobody would hear it; or the interpreter is within another program, which would be started again.
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    # In a session of its own, or a Ctrl-C would end it before us.
    reader = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _FILTER], stdin=subprocess.PIPE, start_new_session=True
    )
    os.dup2(reader.stdin.fileno(), 2)
    replaced = sys.stderr
    if replaced is not None and replaced is sys.__stderr__:
        sys.stderr = _stream_past(terminal)
    try:
        yield
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        sys.stderr = replaced
        os.dup2(terminal, 2)
        reader.stdin.close()
        reader.wait()


@contextlib.contextmanager
def out_of_sight(*modules: str) -> Iterator[None]:
    """Within it, modules that nobody has imported yet seem not to be installed."""
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
