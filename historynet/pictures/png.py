"""The chunks of a PNG file: whether they are all there, and the texts in them."""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from historynet.errors import PictureError

_MARK = b"\x89PNG\r\n\x1a\n"
HEADER_END = 33
_MOST_CHUNKS = 10_000
"""Before the pixels; Pillow takes them one by one."""

_XMP = b"XML:com.adobe.xmp"
_RAW_IPTC, _RAW_XMP = b"Raw profile type iptc", b"Raw profile type xmp"
_RAW_PROFILE = re.compile(rb"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_LONGEST_TEXT, _LONGEST_TEXTS = 1 << 20, 16 << 20
"""Bytes of one, and of all; Pillow's own limits are the same and four times as much."""


def recognises(head: bytes) -> bool:
    """Whether a file that begins so is a PNG file."""
    return head.startswith(_MARK)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each chunk up to the last, and where its content begins and ends, as it says."""
    place = len(_MARK)
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, place + 8, place + 8 + length
        if kind == b"IEND":
            return
        place += 12 + length


def check_header(file: BinaryIO, path: Path) -> None:
    """Refuses a file whose header nobody should walk chunk by chunk.

    Args:
        file: opened to be read.
        path: the file, for the messages.

    Raises:
        PictureError: if there are more chunks than any program writes.
    """
    for number, (kind, _, _) in enumerate(_chunks(file)):
        if kind == b"IDAT":
            return
        if number == _MOST_CHUNKS:
            break
    else:
        return  # to be judged by the decoder
    raise PictureError(f"{path}: a PNG file of more than {_MOST_CHUNKS} chunks before its picture; save it again")


def check(data: bytes, path: Path) -> None:
    """Refuses a file one of whose chunks goes beyond its end: OpenCV takes as much memory as a chunk says.

    Args:
        data: the file's content.
        path: the file, for the messages.

    Raises:
        PictureError: if it ends early.
    """
    if any(end > len(data) for _, _, end in _chunks(io.BytesIO(data))):
        raise PictureError(f"{path}: the PNG file ends early")


def without_long_texts(file: BinaryIO) -> BinaryIO:
    """A file as Pillow takes it, which refuses pictures for long texts: the same, or one without any texts.

    Args:
        file: opened to be read.
    """
    found, lengths = [], []
    for kind, start, end in _chunks(file):
        if kind in _TEXTS:
            file.seek(start)
            content = file.read(end - start)
            is_packed = kind == b"zTXt" or (kind == b"iTXt" and content.partition(b"\0")[2][:1] == b"\1")
            packed = _text(kind, content) if is_packed else b""
            lengths.append(max(len(content), len(_inflated(packed, _LONGEST_TEXT))))
            found.append((start - 8, end + 4))
    if max(lengths, default=0) <= _LONGEST_TEXT and sum(lengths) <= _LONGEST_TEXTS:
        return file
    file.seek(0)
    data, parts, place = file.read(), [], 0
    for start, end in found:
        parts.append(data[place:start])
        place = end
    return io.BytesIO(b"".join([*parts, data[place:]]))


def read_texts(data: bytes, longest: int) -> tuple[bytes, bytes]:
    """The XMP packet of a file, and its IPTC data as ImageMagick and ExifTool store it; empty if there is none.

    Args:
        data: the file's content.
        longest: bytes that each may have; what is longer is cut somewhere behind that.
    """
    packet, iptc = b"", b""
    for kind, start, end in _chunks(io.BytesIO(data)):
        if kind not in _TEXTS:
            continue
        content = data[start:end]
        keyword, _, rest = content.partition(b"\0")
        text = _text(kind, content)
        if kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\1"):
            # Twice as long, if it is in hexadecimal digits.
            text = _inflated(text, 3 * longest)
        if keyword == _XMP:
            packet = packet or text
        elif keyword in (_RAW_IPTC, _RAW_XMP):
            found = _RAW_PROFILE.match(text)
            block = bytes.fromhex(found[1].decode()) if found else b""
            packet, iptc = (packet or block, iptc) if keyword == _RAW_XMP else (packet, iptc or block)
    return packet, iptc


def _text(kind: bytes, content: bytes) -> bytes:
    """The text of a chunk, packed or not."""
    rest = content.partition(b"\0")[2]
    return rest[2:].split(b"\0", 2)[-1] if kind == b"iTXt" else rest[1:] if kind == b"zTXt" else rest


def _inflated(data: bytes, longest: int) -> bytes:
    """At most one byte more than `longest`; nothing if it is damaged."""
    try:
        return zlib.decompressobj().decompress(data, longest + 1)
    except zlib.error:
        return b""


def xmp_chunk(packet: bytes) -> bytes:
    """A chunk that holds an XMP packet, to stand behind the header."""
    content = _XMP + b"\0\0\0\0\0" + packet
    return struct.pack(">I", len(content)) + b"iTXt" + content + struct.pack(">I", zlib.crc32(b"iTXt" + content))
