"""Keeps libpng's and libjpeg's own lines off the terminal: they name no file, and our messages do."""

import contextlib
import ctypes
import functools
import os
import threading
import warnings
from collections.abc import Iterator

# Pillow's words on damaged tags, likewise.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_lock = threading.Lock()
_inside = 0
_original: int | None = None


@functools.cache
def _streams() -> tuple[ctypes.c_void_p, int] | None:
    """The C library's variable `stderr`, and a stream that leads nowhere; None where it has no such variable.

    Python writes to the descriptor itself, so that what we say meanwhile, in another thread, is seen.
    """
    try:
        library = ctypes.CDLL(None)
        variable = ctypes.c_void_p.in_dll(library, "stderr")
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(os.devnull.encode(), b"w")
    except (AttributeError, OSError, TypeError, ValueError):
        return None
    return (variable, nowhere) if nowhere else None


@contextlib.contextmanager
def libraries() -> Iterator[None]:
    """Within it, in any thread, what C libraries print as errors goes nowhere. May be nested."""
    global _inside, _original
    streams = _streams()
    if streams is None:
        yield
        return
    variable, nowhere = streams
    with _lock:
        _inside += 1
        if _inside == 1:
            _original, variable.value = variable.value, nowhere
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                variable.value = _original
