"""One process at a time in a folder."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from historynet import files
from historynet.errors import BusyError

_WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF})
"""What file systems answer that know no locks; the last is NFS's answer, where a folder cannot be locked."""


@contextlib.contextmanager
def lock(folder: Path, otherwise: str) -> Iterator[None]:
    """Sees that no other process works in a folder, which is made if need be.

    A process that ends, however it ends, releases its lock. On a file system that knows no locks nobody is kept out.

    Args:
        folder: the folder that this process alone may use within the context.
        otherwise: what is said after the folder's name if another process uses it.

    Raises:
        BusyError: if another process uses it.
        InputError: if the folder cannot be written to, or not be locked.
    """
    handle = None
    while handle is None:
        handle = _open_locked(folder, otherwise)
    try:
        # Only now: in a folder that another process is about to remove a probe would be in its way.
        files.make_folder(folder)
        yield
    finally:
        os.close(handle)


def is_locked(folder: Path) -> bool:
    """Whether another process works in a folder (`lock`); False if it cannot be told.

    Nothing is written. While this looks, for some microseconds, a `lock` of another process would be refused.
    """
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            _flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False


def _open_locked(folder: Path, otherwise: str) -> int | None:
    """Opens a folder, made if need be, and locks it; None if its owner removed it between the two."""
    with files.writing(folder, "written to"):
        folder.mkdir(parents=True, exist_ok=True)
    with files.writing(folder, "locked"), contextlib.ExitStack() as stack:
        try:
            handle = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            return None
        stack.callback(os.close, handle)
        try:
            _flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"{folder}: {otherwise}") from error
        # The lock of a removed folder keeps nobody out of the next one of that name.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), folder.stat()):
                stack.pop_all()
                return handle
    return None


def wait_to_lock(handle: int) -> None:
    """Waits until no other process or thread holds the lock of an open file; closing it releases the lock.

    On a file system that knows no locks nobody waits.

    Raises:
        OSError: if it cannot be locked otherwise.
    """
    _flock(handle, fcntl.LOCK_EX)


def _flock(handle: int, operation: int) -> None:
    try:
        fcntl.flock(handle, operation)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
