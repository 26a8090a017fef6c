"""Films: `from historynet.films import FilmOptions, colorize_film`."""

import importlib
from typing import Any

_MODULES = {
    "EXTENSIONS": "reading",
    "NOTHING_BETWEEN": "colorizing",
    "same_container": "joining",
    "FilmOptions": "options",
    "FilmReport": "colorizing",
    "colorize_film": "colorizing",
    "count_frames": "colorizing",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    # Reading and steadying need no network, whose import takes seconds.
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
