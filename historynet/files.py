"""Files and folders: complete or not there at all, JSON, and who may write where."""

import contextlib
import errno
import fcntl
import json
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from historynet.errors import BusyError, InputError, PictureError

_UNFINISHED = ".unfinished-"


def open_regular(path: Path) -> BinaryIO:
    """Opens a file to be read, but no pipe or device, which could keep us waiting for ever.

    Raises:
        PictureError: if that is not possible.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise PictureError(f"{path}: not a regular file")
        return path.open("rb")
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror})") from None


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary file beside `path`, then gives it the name: never half a file under the name.

    The temporary name keeps the extension, which some writers look at.

    Raises:
        InputError: if the folder or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}{path.suffix}")
        try:
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        kind = PictureError if error.errno == errno.ENAMETOOLONG else InputError
        raise kind(f"{path}: cannot be written ({error.strerror or error})") from None


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, complete or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file, complete or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, kind: type, otherwise: str) -> Any:
    """The content of a JSON file.

    Args:
        path: the file.
        kind: what it must hold: dict or list.
        otherwise: what is said after the file's name if it holds something else, or no JSON.

    Raises:
        InputError: if it cannot be read, is not there, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {otherwise}") from error
    if not isinstance(content, kind):
        raise InputError(f"{path}: {otherwise}")
    return content


def make_folder(folder: Path) -> None:
    """Makes a folder if need be, and sees that a file can be written there before anybody works for hours to do so.

    Raises:
        InputError: if not.
    """
    probe = folder / f"{_UNFINISHED}{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror})") from None


@contextlib.contextmanager
def lock(folder: Path, otherwise: str) -> Iterator[None]:
    """Sees that no other process works in a folder, which is made if need be. A killed process releases its lock.

    Args:
        folder: which.
        otherwise: what is said after the folder's name if another does.

    Raises:
        BusyError: if another does.
        InputError: if the folder cannot be written to.
    """
    make_folder(folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise BusyError(f"{folder}: {otherwise}") from error
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(handle)


def remove_unfinished(folder: Path) -> None:
    """Removes what a process that was killed left unfinished in a folder. No other may be writing there."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)
