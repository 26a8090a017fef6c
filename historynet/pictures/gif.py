"""The blocks of a GIF file before its picture: no more than Pillow, which takes them one by one, does in good time."""

from pathlib import Path
from typing import BinaryIO

from historynet.errors import PictureError

_LONGEST_HEADER = 1 << 20
_PALETTE = 0x80


def recognises(head: bytes) -> bool:
    """Whether a file that begins so is a GIF file."""
    return head.startswith((b"GIF87a", b"GIF89a"))


def check_header(file: BinaryIO, path: Path) -> None:
    """Refuses a file whose header nobody should walk block by block.

    Args:
        file: opened to be read.
        path: the file, for the messages.

    Raises:
        PictureError: if there is more than a megabyte before the picture.
    """
    file.seek(0)
    head = file.read(_LONGEST_HEADER)
    if len(head) < 13:
        return  # to be judged by the decoder
    place = 13 + (3 << (head[10] & 7) + 1) * bool(head[10] & _PALETTE)
    while place + 2 < len(head) and head[place] == ord("!"):
        place += 2
        while place < len(head) and head[place]:
            place += 1 + head[place]
        place += 1
    if place >= _LONGEST_HEADER:
        raise PictureError(f"{path}: a GIF file of more than a megabyte of texts; save it again in another program")
