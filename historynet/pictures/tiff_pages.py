"""Which pictures a TIFF file holds: its directories, walked without decoding anything."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from historynet.errors import PictureError

MAX_PAGES = 10_000
MAX_PARTS = 500_000
"""Strips or tiles of a page; each costs memory of its own."""

_MARKS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_SIZES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}
"""Bytes of a value, by type: BYTE, SHORT, LONG, IFD, LONG8, IFD8."""

_MAX_TAGS = 4096
_MAX_SUB_DIRECTORIES = 256

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, PHOTOMETRIC, STRIPS, TILES, SUB_DIRECTORIES = (
    254,
    255,
    256,
    257,
    262,
    273,
    324,
    330,
)
DNG_VERSION = 50706
_ORIENTATION = 274
XMP, IPTC, RESOURCES = 700, 33723, 34377
_WANTED = (SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, PHOTOMETRIC, SUB_DIRECTORIES, DNG_VERSION)
_COLOR_FILTER, _LINEAR_RAW = 32803, 34892
_REDUCED, _MASK = 1, 4


@dataclass
class Directory:
    """One directory, which describes one picture.

    Attributes:
        offset: its place in the file.
        number: its place in the chain of directories, from 0; None if another directory points to it.
        values: those numbers of its tags that are looked at here, by tag.
        parts: number of strips or tiles.
        texts: where XMP, IPTC data and Photoshop's resources begin in the file, and their bytes, by tag.
    """

    offset: int
    number: int | None
    values: dict[int, tuple[int, ...]] = field(default_factory=dict)
    parts: int = 0
    texts: dict[int, tuple[int, int]] = field(default_factory=dict)

    def value(self, tag: int) -> int:
        """A tag's first number; 0 if it has none."""
        return (self.values.get(tag) or (0,))[0]

    @property
    def width(self) -> int:
        return self.value(WIDTH)

    @property
    def height(self) -> int:
        return self.value(HEIGHT)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def orientation(self) -> int:
        """EXIF's number, of how the picture is to be turned."""
        return self.value(_ORIENTATION) or 1

    @property
    def is_dng(self) -> bool:
        """Whether it is the first directory of a DNG file."""
        return DNG_VERSION in self.values

    @property
    def is_sensor(self) -> bool:
        """Whether its picture is what a camera's sensor saw."""
        return self.value(PHOTOMETRIC) in (_COLOR_FILTER, _LINEAR_RAW)

    @property
    def is_page(self) -> bool:
        """Whether it is a picture in its own right: no reduced copy, no mask."""
        return not (self.value(SUBFILE) & (_REDUCED | _MASK) or self.value(OLD_SUBFILE) == 2)


class Directories:
    """The directories of a file.

    Args:
        file: opened to be read; at any place.
        path: the file, for the messages.

    Attributes:
        order: of a number's bytes, "<" or ">".
        big: whether it is a BigTIFF file.
        chain: those that follow one another.
        pages: those of pictures that count, in the file's order.
        is_raw: whether it is a camera's raw file: a DNG, or one with a sensor's picture in it.

    Raises:
        PictureError: if the chain is damaged, or holds more than is read.
    """

    def __init__(self, file: BinaryIO, path: Path):
        self._file, self._path = file, path
        file.seek(0)
        head = file.read(16)
        self.order = _MARKS[head[:4]]
        self.big = b"+" in head[2:4]
        self._offset = "Q" if self.big else "I"
        first = head[8:16] if self.big else head[4:8]
        if len(head) < 16:
            raise self._damage()
        self.chain = list(self._walk(*struct.unpack(self.order + self._offset, first)))
        # Of copies in several sizes the whole one counts. It may lie behind a preview's own directory.
        whole = [directory for directory in self.chain if directory.is_page]
        behind = self._behind()
        self.is_raw = self.chain[0].is_dng or any(directory.is_sensor for directory in self.chain[:1] + behind)
        self.pages = whole or [directory for directory in behind if directory.is_page] or self.chain[:1]
        if not all(min(directory.size) > 0 for directory in self.pages):
            raise self._damage()

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins so is a TIFF file."""
        return head[:4] in _MARKS

    def _damage(self) -> PictureError:
        return PictureError(f"{self._path}: not a picture that can be read, or a damaged one")

    def _walk(self, offset: int) -> Iterator[Directory]:
        seen = set()
        while offset and offset not in seen:
            if len(seen) == MAX_PAGES:
                raise PictureError(f"{self._path}: a TIFF file of more than {MAX_PAGES} pages; split it")
            directory, following = self._read(offset, len(seen))
            seen.add(offset)
            yield directory
            offset = following
        if not seen:
            raise self._damage()

    def _behind(self) -> list[Directory]:
        """The directories to which those of the chain point."""
        offsets = [offset for directory in self.chain for offset in directory.values.get(SUB_DIRECTORIES, ())]
        directories = []
        for offset in offsets[:_MAX_SUB_DIRECTORIES]:
            # What one that is damaged says is not needed where the chain holds a picture.
            with contextlib.suppress(PictureError):
                directories.append(self._read(offset, None)[0])
        return [directory for directory in directories if min(directory.size) > 0]

    def _read(self, offset: int, number: int | None) -> tuple[Directory, int]:
        """A directory, and the next one's place."""
        head, entry = ("Q", "HHQ8s") if self.big else ("H", "HHI4s")
        size = struct.calcsize(self.order + entry)
        self._file.seek(offset)
        (count,) = self._unpack(head)
        if not 0 < count <= _MAX_TAGS:
            raise self._damage()
        block = self._take(count * size)
        (following,) = self._unpack(self._offset)
        directory = Directory(offset, number)
        for place, (tag, kind, length, value) in enumerate(struct.iter_unpack(self.order + entry, block), 1):
            if tag in (XMP, IPTC, RESOURCES):
                start = offset + struct.calcsize(self.order + head) + place * size - len(value)
                count = length * _SIZES.get(kind, 1)
                if count > len(value):
                    (start,) = struct.unpack(self.order + self._offset, value)
                directory.texts[tag] = start, count
            if tag in (STRIPS, TILES):
                directory.parts = max(directory.parts, length)
            if (tag in _WANTED or (tag == _ORIENTATION and length == 1)) and kind in _SIZES:
                directory.values[tag] = self._numbers(kind, min(length, _MAX_SUB_DIRECTORIES), value)
        if directory.parts > MAX_PARTS:
            raise PictureError(
                f"{self._path}: a TIFF file of more than {MAX_PARTS} strips or tiles; save it with fewer"
            )
        return directory, following

    def _numbers(self, kind: int, count: int, value: bytes) -> tuple[int, ...]:
        size = _SIZES[kind]
        if count * size > len(value):
            self._file.seek(*struct.unpack(self.order + self._offset, value))
            value = self._take(count * size)
        letter = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
        return struct.unpack(f"{self.order}{count}{letter}", value[: count * size])

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise self._damage()
        return data

    def _unpack(self, letter: str) -> tuple[int, ...]:
        return struct.unpack(self.order + letter, self._take(struct.calcsize(self.order + letter)))
