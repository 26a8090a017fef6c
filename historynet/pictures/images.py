"""Files <-> arrays: pictures in, pictures out, and the pictures of a folder."""

import math
import os
from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import numpy as np

from historynet import files
from historynet.errors import InputError, PictureError, reason, translated
from historynet.pictures import jpeg, png, quiet

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})

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

    Args:
        path: the file to read.
        limit: bytes that it may have; None for any number.

    Raises:
        PictureError: if the file cannot be read, is empty, or longer than `limit` bytes.
    """
    with files.open_regular(path) as file, files.reading(path, PictureError):
        if limit is not None and os.fstat(file.fileno()).st_size > limit:
            raise PictureError(f"{path}: a file of more than {limit / 1e6:.0f} MB")
        data = file.read()
    if not data:
        raise PictureError(f"{path}: the file is empty")
    return data


def decode(data: bytes, path: Path, flags: int = cv2.IMREAD_COLOR_RGB, page: int | None = None) -> np.ndarray:
    """A picture file's content as OpenCV decodes it.

    Args:
        data: the content.
        path: the file, for the messages.
        flags: cv2.imdecode's, which choose channels and depth.
        page: the number, from 0, of the picture in a file of several; None if the file holds one.

    Returns:
        (height, width, channels), by default uint8 RGB.

    Raises:
        PictureError: if it is no picture, or ends early, or there is not enough memory.
    """
    for kind in (jpeg, png):
        if kind.recognises(data):
            kind.check(data, path)
    buffer = np.frombuffer(data, np.uint8)

    def translate(error: cv2.error | MemoryError) -> PictureError:
        return _refusal(path, error, f"cannot be decoded ({' '.join(str(getattr(error, 'err', '')).split())})")

    with translated((cv2.error, MemoryError), translate), quiet.libraries():
        if page is None:
            picture = cv2.imdecode(buffer, flags)
        else:
            done, pages = cv2.imdecodemulti(buffer, flags, range=(page, page + 1))
            picture = pages[0] if done and pages else None
    if picture is None:
        raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
    return picture


def _refusal(path: Path, error: cv2.error | MemoryError, otherwise: str) -> PictureError:
    """What is said of a picture on which OpenCV failed, `otherwise` if that was not for lack of memory."""
    # The last is what its Python module says if NumPy has no memory for the result.
    if isinstance(error, MemoryError) or error.code == cv2.Error.StsNoMem or "numpy array" in error.err:
        otherwise = "there is not enough memory for it"
    return PictureError(f"{path}: {otherwise}")


_LONGEST_SIDE = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}
"""Pixels; what OpenCV writes besides holds larger pictures than a memory does."""


def encode(
    path: Path,
    rgb: np.ndarray,
    parameters: Sequence[int] = (),
    metadata: Sequence[tuple[int, bytes]] = (),
) -> np.ndarray | None:
    """A picture file's content as OpenCV encodes it, in the format of the name's extension.

    Args:
        path: the file, for its extension and the messages.
        rgb: uint8 or uint16 (height, width, 3), or 4 with transparency; or gray (height, width).
        parameters: cv2.imencode's flags and their values, one behind the other.
        metadata: blocks of EXIF data or profiles, each with OpenCV's flag for it (cv2.IMAGE_METADATA_EXIF, ...).

    Returns:
        The bytes; None if there is metadata, and it does not fit into a file of this format.

    Raises:
        PictureError: if the format cannot hold a picture of this size, or there is not enough memory.
    """
    height, width = rgb.shape[:2]
    failure = "it cannot be encoded, perhaps for lack of memory"
    if max(height, width) > _LONGEST_SIDE.get(path.suffix.lower(), math.inf):
        failure = f"{width}x{height} pixels are too many for a {path.suffix} file"
    with translated((cv2.error, MemoryError), lambda error: _refusal(path, error, failure)):
        order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
        bgr = rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, order[rgb.shape[2]])
        if metadata:
            kinds = [kind for kind, _ in metadata]
            blocks = [np.frombuffer(block, np.uint8) for _, block in metadata]
            done, data = cv2.imencodeWithMetadata(path.suffix, bgr, kinds, blocks, parameters)
            return data if done else None
        done, data = cv2.imencode(path.suffix, bgr, parameters)
    if not done:
        raise PictureError(f"{path}: {failure}")
    return data


def write_rgb(path: Path, rgb: np.ndarray) -> None:
    """Writes uint8 RGB (height, width, 3) in the format of the name's extension, at OpenCV's default quality.

    The folder is made if need be. The name appears only when the file is complete.

    Raises:
        PictureError: if the format cannot hold a picture of this size, or the file system no such name.
        InputError: if nothing can be written there.
    """
    data = encode(path, rgb)
    files.write_atomically(path, lambda temporary: temporary.write_bytes(data))


def list_pictures(folder: Path, or_none: bool = False, extensions: Collection[str] = EXTENSIONS) -> list[str]:
    """The names of a folder's pictures (by extension, in any case), sorted; subfolders are not walked.

    Names that start with a dot are left out: hidden files, and what an interrupted run left unfinished.

    Args:
        folder: the folder.
        or_none: whether a folder without pictures is allowed.
        extensions: those of pictures, in lower case with the dot.

    Raises:
        InputError: if the folder cannot be read, or, unless `or_none`, it holds no picture.
    """

    def translate(error: OSError) -> InputError:
        return InputError(f"{folder}: the folder cannot be read ({reason(error)})")

    with translated(OSError, translate), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if os.path.splitext(entry.name)[1].lower() in extensions]
    names = sorted(name for name in names if not name.startswith("."))
    if not names and not or_none:
        raise InputError(f"{folder}: no pictures in this folder ({', '.join(sorted(extensions))})")
    return names
