"""Files and folders: complete or not there at all, JSON, what may be written."""

import contextlib
import errno
import json
import os
import stat
import struct
import tokenize
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from historynet.errors import HistoryNetError, InputError, PictureError, reason, translated

_UNFINISHED = ".unfinished-"

_LONGEST_JSON = 16 << 20
"""Bytes; the settings and records of a run have some thousand."""


def reading(path: Path, kind: type[InputError] = InputError) -> contextlib.AbstractContextManager[None]:
    """Within it, what the system refuses becomes an error of ours that says that `path` cannot be read.

    Args:
        path: the file or folder that is read.
        kind: the class of the error.

    Raises:
        InputError: or the other kind, if the system refuses to read, or there is not enough memory.
    """
    return translated((OSError, MemoryError), lambda error: kind(f"{path}: cannot be read ({reason(error)})"))


def writing(path: Path, done: str = "written") -> contextlib.AbstractContextManager[None]:
    """Within it, what the system refuses becomes an error of ours that says that `path` cannot be written.

    Args:
        path: the file or folder that is written.
        done: the verb of the message: "written", "written to", "removed".

    Raises:
        InputError: if the system refuses, as on a full disk.
    """
    return translated(OSError, lambda error: InputError(f"{path}: cannot be {done} ({reason(error)})"))


def open_regular(path: Path, kind: type[InputError] = PictureError) -> BinaryIO:
    """Opens a picture, a film or a model to be read, but no pipe or device, which could keep us waiting for ever.

    Args:
        path: the file.
        kind: the class of the error.

    Raises:
        PictureError: or the other kind, if it is no regular file, or cannot be opened.
    """
    with reading(path, kind):
        if not stat.S_ISREG(path.stat().st_mode):
            raise kind(f"{path}: not a regular file")
        return path.open("rb")


def _open(path: Path) -> BinaryIO:
    """The same for an InputError; of a folder the system itself says what it is."""
    return path.open("rb") if path.is_dir() else open_regular(path, InputError)


class WatchedFile:
    """A file opened to be read that remembers with what the system refused to: libraries take that for damage.

    Args:
        file: opened to be read.

    Attributes:
        error: why the system could not read, or there was not enough memory to; None as long as it could.
    """

    def __init__(self, file: BinaryIO):
        self.error: OSError | MemoryError | None = None
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """As a file's `read`."""
        try:
            return self._file.read(size)
        except (OSError, MemoryError) as error:
            self.error = error
            raise


class _Archive(WatchedFile):
    """The same for `zipfile`, which reads a table of contents of any size at once: a megabyte is 10,000 members."""

    _LONGEST = 1 << 20

    def read(self, size: int = -1) -> bytes:
        """As a file's `read`, but no more than a megabyte.

        Raises:
            ValueError: if more is asked for.
        """
        if size > self._LONGEST:
            raise ValueError(f"{size} bytes to be read at once")
        return super().read(size if size >= 0 else self._LONGEST)


# What `zipfile`, `json` and NumPy raise where the content is not what was written: an OSError where an offset is
# negative, a RuntimeError where something is nested too deeply; NumPy reads an array's header as an expression of
# Python. Not a MemoryError, which says nothing of the file.
_ARCHIVE_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, LookupError, ValueError, OverflowError),
    *(RuntimeError, AttributeError, TypeError, SyntaxError, tokenize.TokenError),
)


@contextlib.contextmanager
def open_archive(path: Path, damaged: Callable[[Exception], HistoryNetError]) -> Iterator[WatchedFile]:
    """Opens a zip file, or NumPy's kind of one, to be read within the context; tells damage from what is none.

    Args:
        path: the file.
        damaged: makes our error from what a reader raised because the file does not hold what was written.

    Yields:
        The file, for `zipfile` or NumPy to read.

    Raises:
        HistoryNetError: what `damaged` returned.
        InputError: if the system cannot read the file, or there is not enough memory. That says nothing of what it
            holds.
    """
    with reading(path), _open(path) as file:
        watched = _Archive(file)
        try:
            yield watched
        except HistoryNetError:
            raise
        except _ARCHIVE_DAMAGE as error:
            raise watched.error or damaged(error) from error


def list_folder(folder: Path) -> list[Path]:
    """What is in a folder, in no order; nothing if there is no such folder.

    Not Path.glob, which takes a folder that cannot be read for an empty one.

    Raises:
        InputError: if the folder is there and cannot be read.
    """
    with reading(folder), contextlib.suppress(FileNotFoundError):
        return list(folder.iterdir())
    return []


def write_atomically(
    path: Path,
    write: Callable[[Path], object],
    naming: contextlib.AbstractContextManager[object] | None = None,
) -> None:
    """Lets `write` fill a temporary file beside `path`, then gives it the name: never half a file under the name.

    Args:
        path: the file. Its folder is made if need be; a file of this name is replaced, or left as it is if `write`
            fails.
        write: writes to the path that it is called with. That keeps the extension, which some writers look at.
        naming: entered when the file is complete, left when it has its name; an error on entering leaves all as it is.

    Raises:
        PictureError: if the file system cannot hold so long a name.
        InputError: if the folder or the file cannot be written.
    """

    def translate(error: OSError) -> InputError:
        # A shorter name can still be written there; on a full disk nothing can.
        kind = PictureError if error.errno == errno.ENAMETOOLONG else InputError
        return kind(f"{path}: cannot be written ({reason(error)})")

    with translated(OSError, translate):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}{path.suffix}")
        try:
            write(temporary)
            with naming or contextlib.nullcontext():
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, complete or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file in UTF-8, complete or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    # A file's name may hold bytes that are no text, which Python keeps as lone surrogates. UTF-8 has none; JSON writes
    # them as \udcXX, which is what "backslashreplace" makes of them.
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode("utf-8", "backslashreplace")))


def read_json(path: Path, kind: type, otherwise: str) -> Any:
    """The content of a JSON file.

    Args:
        path: the file to read.
        kind: the class that the content must have: dict or list.
        otherwise: what is said after the file's name if it holds something else, or no JSON.

    Raises:
        InputError: if it cannot be read, is not there, is a pipe or longer than 16 MB, or holds something else.
    """
    with reading(path), _open(path) as file:
        data = file.read(_LONGEST_JSON + 1)
    if len(data) > _LONGEST_JSON:
        raise InputError(f"{path}: longer than {_LONGEST_JSON >> 20} MB; nothing that is read here is")
    try:
        content = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {otherwise}") from error
    if not isinstance(content, kind):
        raise InputError(f"{path}: {otherwise}")
    return content


def make_folder(folder: Path) -> None:
    """Makes a folder if need be, and sees that a file can be written there before anybody works for hours to do so.

    Raises:
        InputError: if the folder cannot be made, or no file be written there.
    """
    with writing(folder, "written to"):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"{_UNFINISHED}{uuid.uuid4().hex}"
        probe.write_bytes(b"")
        probe.unlink()


def check_folder(folder: Path) -> None:
    """Sees, for what is not done yet, that no file stands where a folder is to be made.

    Raises:
        InputError: if one does.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not nearest.is_dir():
        raise InputError(f"{folder}: cannot be written to ({nearest} is no folder)")


def remove_unfinished(folder: Path) -> None:
    """Removes what a process that was killed left unfinished in a folder. No other may be writing there.

    Raises:
        InputError: if it cannot be removed, or the folder not be read.
    """
    for path in list_folder(folder):
        if path.name.startswith(_UNFINISHED):
            with writing(path, "removed"):
                path.unlink(missing_ok=True)
