"""Files <-> arrays: pictures in, pictures out, and the pictures of a folder."""

import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from historynet.errors import InputError, PictureError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})

# OpenCV tells about damaged files on the standard error stream, without their names; our own messages name them.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_rgb(path: Path) -> np.ndarray:
    """The picture in a file as uint8 RGB (height, width, 3), turned the way its EXIF data says.

    Gray becomes three equal channels, alpha is dropped, 16 bits become 8.

    Raises:
        PictureError: if the file cannot be read, is no picture, or ends early.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise PictureError(f"{path}: not a regular file")
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise PictureError(f"{path}: the file is empty")
    if data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        # OpenCV would fill the missing part with gray. In compressed data FF is always followed by 00, so a scan
        # (FF DA) after the last end mark (FF D9) is one that never ended.
        raise PictureError(f"{path}: the JPEG file ends early")
    try:
        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise PictureError(f"{path}: cannot be decoded ({' '.join(str(error.err).split())})") from None
    if rgb is None:
        raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
    return rgb


def write_rgb(path: Path, rgb: np.ndarray) -> None:
    """Writes uint8 RGB (height, width, 3) in the format of the name's extension, at OpenCV's default quality.

    The folder is made if need be. The name appears only when the file is complete.
    """
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not done:
        raise InputError(f"{path}: a picture of {rgb.shape[1]}x{rgb.shape[0]} cannot be written in this format")
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary file beside `path`, then gives it the name: never half a file under the name.

    The temporary name keeps the extension, which some writers look at.

    Raises:
        InputError: if the folder or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".unfinished-{uuid.uuid4().hex}{path.suffix}")
        try:
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


def list_pictures(folder: Path) -> list[str]:
    """The names of a folder's pictures (by extension, in any case), sorted; subfolders are not walked.

    Raises:
        InputError: if there is no such folder, or it holds no picture.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if os.path.splitext(entry.name)[1].lower() in EXTENSIONS)
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from None
    if not names:
        raise InputError(f"{folder}: no pictures in this folder ({', '.join(sorted(EXTENSIONS))})")
    return names
