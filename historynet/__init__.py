"""HistoryNet: colorizing old pictures of people."""

from typing import Any

from historynet.errors import BusyError, HistoryNetError, InputError, PictureError

__version__ = "0.2.0"
__all__ = ["BusyError", "Colorizer", "HistoryNetError", "InputError", "PictureError"]


def __getattr__(name: str) -> Any:
    # Colorizer brings libraries that take a second to import; --help and a mistyped option need none of it.
    if name == "Colorizer":
        from historynet.colorizing.colorizer import Colorizer

        return Colorizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
