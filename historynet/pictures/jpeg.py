"""The segments of a JPEG file: whether they are all there, and no more than a decoder does in good time."""

import re
from pathlib import Path
from typing import BinaryIO

from historynet.errors import PictureError

_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_NO_PADDING = re.compile(rb"[^\xff]")
_END, _SCAN = 0xD9, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MAX_SEGMENTS = 20_000
_MAX_PADDING = 1 << 16
"""Bytes before the first scan; Pillow takes them one by one."""

_USUAL_SCANS = 64
_MAX_SCAN_MEGAPIXELS = 1000
"""Scans times megapixels, which is the time that decoding takes: some ten seconds. Ten scans are usual."""


ROOM = 65_533
"""Bytes that a segment holds."""


def recognises(head: bytes) -> bool:
    """Whether a file that begins so is a JPEG file."""
    return head.startswith(b"\xff\xd8")


def check_header(file: BinaryIO, path: Path) -> None:
    """Refuses a file whose header nobody should walk byte by byte.

    Args:
        file: opened to be read.
        path: the file, for the messages.

    Raises:
        PictureError: if there is more padding, or there are more segments, than any program writes.
    """
    place, padding = 2, 0
    for _ in range(_MAX_SEGMENTS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (_SCAN, _END):
            return  # to be judged by the decoder
        if head[1] in (0xFF, 0):
            block = file.read(_MAX_PADDING)
            found = re.search(rb"\xff[^\xff\x00]", block)
            padding += 2 + (found.start() if found else len(block))
            if padding > _MAX_PADDING:
                raise PictureError(f"{path}: a JPEG file of padding; save it again in another program")
            place += 4 + found.start() if found else 4 + len(block)
        else:
            place += 2 + int.from_bytes(head[2:4], "big")
    raise PictureError(f"{path}: a JPEG file of more than {_MAX_SEGMENTS} segments; save it again in another program")


def check(data: bytes, path: Path) -> None:
    """Refuses a file whose compressed data does not reach its end mark: OpenCV would fill what is missing with gray.

    Walks the segments up to the first end mark (FF D9); what a camera appended after it does not matter.

    Args:
        data: the file's content.
        path: the file, for the messages.

    Raises:
        PictureError: if it ends early, or has more scans or segments than a decoder does in good time.
    """
    place, scans, segments, megapixels = 2, 0, 0, 0.0
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            return  # not a segment: damaged in another way, which the decoder judges
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            found = _NO_PADDING.search(data, place)
            place = found.start() - 1 if found else len(data)
            continue
        if marker == _END:
            return
        segments += 1
        if marker in _FRAMES:
            height, width = (int.from_bytes(data[i : i + 2], "big") for i in (place + 5, place + 7))
            megapixels = width * height / 1e6
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _SCAN:
            place = _end_of_scan(data, place)
            scans += 1
            if scans > _USUAL_SCANS and scans * max(megapixels, 1) > _MAX_SCAN_MEGAPIXELS:
                raise PictureError(f"{path}: a JPEG file of {scans} scans or more; save it again with fewer")
        if segments > _MAX_SEGMENTS:
            raise PictureError(f"{path}: a JPEG file of more than {_MAX_SEGMENTS} segments; save it again")
    if data[place : place + 2] != b"\xff\xd9":
        raise PictureError(f"{path}: the JPEG file ends early")


def _end_of_scan(data: bytes, place: int) -> int:
    """Where the compressed data that starts here ends: the next FF that is followed by neither 00 nor RST0..RST7."""
    mark = _MARK.search(data, place)
    return mark.start() if mark else len(data)


def find_place(data: memoryview) -> int:
    """Where in a file more segments belong: behind JFIF's and those of EXIF data and profile."""
    place = 2
    while data[place] == 0xFF and 0xE0 <= data[place + 1] <= 0xEF:
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return place


def segment(kind: int, content: bytes) -> bytes:
    """A segment.

    Args:
        kind: the second byte of its marker.
        content: at most `ROOM` bytes.
    """
    return bytes([0xFF, kind]) + (len(content) + 2).to_bytes(2, "big") + content
