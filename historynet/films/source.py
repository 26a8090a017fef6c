"""A film's file as libav reads it: what is damage, and what the system refused to read."""

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import av

from historynet import files
from historynet.errors import PictureError

DAMAGE = (av.FFmpegError, IndexError)
"""What reading packets raises where a film is damaged, and PyAV's MemoryError, which says nothing of it. PyAV's demuxer
raises the second when a damaged file seems to begin a new stream."""


_ENDS = 1 << 20
"""Bytes. The whole of a long film would be minutes; the first and last megabyte hold headers and indices."""


def identify(path: Path) -> dict[str, Any]:
    """A film's file as it is now, as JSON holds it: its bytes, its time, and a digest of its ends.

    Raises:
        PictureError: if it cannot be read.
    """
    digest = hashlib.sha256()
    with files.open_regular(path) as file, files.reading(path, PictureError):
        status = os.fstat(file.fileno())
        digest.update(file.read(_ENDS))
        file.seek(max(0, status.st_size - _ENDS))
        digest.update(file.read(_ENDS))
    return {"bytes": status.st_size, "modified": status.st_mtime_ns, "ends": digest.hexdigest()}


class Source(files.WatchedFile):
    """A film's file as libav reads it: it ends where the system refuses to read.

    libav takes an error of the system for damage, and answers damage with the same numbers: only who reads the file can
    tell. And PyAV would raise what is raised here wherever it next looks for errors, be it while the result is written.
    """

    def __init__(self, file: BinaryIO, path: Path):
        super().__init__(file)
        # Without the prefix a name like http:x.mp4 would be an address.
        self.name = f"file:{path}"
        self.seek = self._seek

    def read(self, size: int = -1) -> bytes:
        try:
            return super().read(size)
        except (OSError, MemoryError):
            return b""

    def _seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            # A damaged file leads to places before its beginning.
            return -1


def seek(container: av.container.InputContainer, offset: int, **options: Any) -> bool:
    """Goes to a time of a container, as its own `seek` does; whether it could. Where a file is damaged it may not.

    Raises:
        MemoryError: if there is not enough memory.
    """
    try:
        container.seek(offset, **options)
    except MemoryError:
        raise
    except av.FFmpegError:
        return False
    return True
