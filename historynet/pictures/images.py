"""Files <-> arrays: pictures in, pictures out, and the pictures of a folder."""

import os
import re
from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np

from historynet import files
from historynet.errors import InputError, PictureError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})

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


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """A file's content.

    Raises:
        PictureError: if the file cannot be read, is empty, or longer than `limit` bytes.
    """
    with files.open_regular(path) as file:
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
    files.write_atomically(path, lambda temporary: temporary.write_bytes(data))


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
