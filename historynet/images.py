"""Files <-> arrays: pictures in, pictures out, and the pictures of a folder."""

import contextlib
import errno
import fcntl
import os
import re
import stat
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from historynet.errors import InputError, PictureError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})

_UNFINISHED = ".unfinished-"

_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7]")

# OpenCV warns of damaged files on the standard error stream, without their names; our own messages name them.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_rgb(path: Path) -> np.ndarray:
    """The picture in a file as uint8 RGB (height, width, 3), turned the way its EXIF data says.

    Gray becomes three equal channels, alpha is dropped, 16 bits become 8.

    Raises:
        PictureError: if the file cannot be read, is no picture, or ends early.
    """
    return decode(read_bytes(path), path)


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


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """A file's content.

    Raises:
        PictureError: if the file cannot be read, is empty, or longer than `limit` bytes.
    """
    with open_regular(path) as file:
        try:
            if limit is not None and os.fstat(file.fileno()).st_size > limit:
                raise PictureError(f"{path}: a file of more than {limit / 1e6:.0f} MB")
            data = file.read()
        except OSError as error:
            raise PictureError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise PictureError(f"{path}: the file is empty")
    return data


def decode(data: bytes, path: Path, flags: int = cv2.IMREAD_COLOR_RGB, page: int | None = None) -> np.ndarray:
    """A picture file's content as OpenCV decodes it with the flags.

    Args:
        data: the content.
        path: the file, for the messages.
        flags: of cv2.imdecode.
        page: which of several pictures, from 0; None if the file holds one.

    Raises:
        PictureError: if it is no picture, or ends early.
    """
    if data.startswith(b"\xff\xd8") and not _jpeg_is_whole(data):
        raise PictureError(f"{path}: the JPEG file ends early")
    buffer = np.frombuffer(data, np.uint8)
    try:
        if page is None:
            picture = cv2.imdecode(buffer, flags)
        else:
            done, pages = cv2.imdecodemulti(buffer, flags, range=(page, page + 1))
            picture = pages[0] if done and pages else None
    except cv2.error as error:
        raise PictureError(f"{path}: cannot be decoded ({' '.join(str(error.err).split())})") from None
    if picture is None:
        raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
    return picture


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether a JPEG's compressed data reaches its end mark; OpenCV would fill what is missing with gray.

    Walks the segments up to the first end mark (FF D9); what a camera appended after it does not matter.
    """
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            return True  # not a segment: damaged in another way, which the decoder judges
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
        elif marker == 0xD9:
            return True
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
            if marker == 0xDA:
                place = _end_of_scan(data, place)
    return data[place : place + 2] == b"\xff\xd9"


def _end_of_scan(data: bytes, place: int) -> int:
    """Where the compressed data that starts here ends: the next FF that is followed by neither 00 nor RST0..RST7."""
    mark = _MARK.search(data, place)
    return mark.start() if mark else len(data)


def write_rgb(path: Path, rgb: np.ndarray) -> None:
    """Writes uint8 RGB (height, width, 3) in the format of the name's extension, at OpenCV's default quality.

    The folder is made if need be. The name appears only when the file is complete.

    Raises:
        PictureError: if the format cannot hold a picture of this size, or the file system no such name.
        InputError: if nothing can be written there.
    """
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise PictureError(f"{path}: {rgb.shape[1]}x{rgb.shape[0]} pixels are too many for a {path.suffix} file")
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


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
def alone(folder: Path, otherwise: str) -> Iterator[None]:
    """Sees that no other process works in a folder, which is made if need be. A process that is killed lets go of it.

    Args:
        folder: which.
        otherwise: what is said after the folder's name if another does.

    Raises:
        InputError: if so, or the folder cannot be written to.
    """
    make_folder(folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise InputError(f"{folder}: {otherwise}") from None
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


def list_pictures(folder: Path, or_none: bool = False, extensions: Collection[str] = EXTENSIONS) -> list[str]:
    """The names of a folder's pictures (by extension, in any case), sorted; subfolders are not walked.

    Names that start with a dot are left out: hidden files, and what an interrupted run left unfinished.

    Raises:
        InputError: if the folder cannot be read, or, unless `or_none`, it holds no picture.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if os.path.splitext(entry.name)[1].lower() in extensions]
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from None
    names = sorted(name for name in names if not name.startswith("."))
    if not names and not or_none:
        raise InputError(f"{folder}: no pictures in this folder ({', '.join(sorted(extensions))})")
    return names
