"""A reader for Photoshop's files (PSD and PSB): the picture that all layers make together, of 1, 8 and 16 bits."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np

from historynet.errors import PictureError
from historynet.pictures import color
from historynet.pictures.decoded import Decoded, Source, from_samples, looked_up, to_levels

_BITMAP, _GRAY, _INDEXED, _RGB, _CMYK, _DUOTONE, _LAB = 0, 1, 2, 3, 4, 8, 9
_CHANNELS = {_BITMAP: 1, _GRAY: 1, _INDEXED: 1, _RGB: 3, _CMYK: 4, _DUOTONE: 1, _LAB: 3}
IPTC = 1028
_PROFILE, _VERSION, _EXIF, _XMP = 1039, 1057, 1058, 1060
_RAW, _PACKBITS, _ZIP, _ZIP_OF_DIFFERENCES = range(4)
_MOST_CHANNELS = 56
_LONGEST_RESOURCE = 64 << 20


def resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Photoshop's image resources, which other files have, too: number and content of each."""
    place = 0
    while place + 12 <= len(block):
        kind = int.from_bytes(block[place + 4 : place + 6], "big")
        place += 6 + (block[place + 6] + 2) // 2 * 2
        size = int.from_bytes(block[place : place + 4], "big")
        yield kind, block[place + 4 : place + 4 + size]
        place += 4 + (size + 1) // 2 * 2


class Psd(Source):
    """The header of a file.

    Args:
        file: opened to be read.
        path: the file, for the messages.

    Raises:
        PictureError: if it is damaged, or holds what is not read.
    """

    def __init__(self, file: BinaryIO, path: Path):
        self._path = path
        self._icc: bytes | None = None
        file.seek(0)
        head = file.read(26)
        if len(head) < 26:
            raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
        self._version, self._count, self.height, self.width, self._bits, self._mode = struct.unpack(">4xH6xHIIHH", head)
        if self._mode not in _CHANNELS or not _CHANNELS[self._mode] <= self._count <= _MOST_CHANNELS:
            raise PictureError(f"{path}: a Photoshop file of this kind of colours is not read; save it as RGB")
        if self._bits not in (1, 8, 16):
            raise PictureError(f"{path}: holds {self._bits}-bit values; save it with 16 or 8 bits")
        if not (self.width and self.height):
            raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
        self._palette = file.read(self._number(file, ">I"))
        self._read_resources(file)
        self._has_transparency = self._skip_layers(file)
        self._start = file.tell()

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins so is one of Photoshop's."""
        return head[:4] == b"8BPS" and head[4:6] in (b"\0\1", b"\0\2")

    def _number(self, file: BinaryIO, form: str) -> int:
        data = file.read(struct.calcsize(form))
        if len(data) < struct.calcsize(form):
            raise PictureError(f"{self._path}: the Photoshop file ends early")
        return struct.unpack(form, data)[0]

    def _read_resources(self, file: BinaryIO) -> None:
        length = self._number(file, ">I")
        if length > _LONGEST_RESOURCE:
            raise PictureError(f"{self._path}: not a picture that can be read, or a damaged one")
        for kind, content in resources(file.read(length)):
            if kind == _PROFILE:
                self._icc = content
            elif kind == _EXIF:
                self.exif = content
            elif kind == _XMP:
                self.xmp = content
            elif kind == IPTC:
                self.iptc = content
            elif kind == _VERSION and len(content) > 4 and not content[4]:
                # What stands in its place is white.
                raise PictureError(
                    f"{self._path}: holds layers alone; save it with 'Maximize Compatibility', or as a TIFF file"
                )

    def _skip_layers(self, file: BinaryIO) -> bool:
        """Goes to the picture; says whether its first channel beside the colours is transparency."""
        form = ">Q" if self._version == 2 else ">I"
        length = self._number(file, form)
        start = file.tell()
        count = 0
        if length > struct.calcsize(form) and self._number(file, form):
            count = self._number(file, ">h")
        file.seek(start + length)
        return count < 0

    def decode(self, data: bytes) -> Decoded:
        values = self._values(data)
        channels = _CHANNELS[self._mode]
        if self._mode == _INDEXED:
            if len(self._palette) < 768:
                raise PictureError(f"{self._path}: not a picture that can be read, or a damaged one")
            table = np.frombuffer(self._palette, np.uint8, 768).reshape(3, 256).T
            return Decoded(looked_up(table, values[..., 0]), icc=self._icc)
        if self._mode == _BITMAP:
            values = to_levels(1 - values, 1)  # 1 is black
        alpha = channels if self._has_transparency and self._count > channels else None
        decoded = from_samples(values, channels, alpha)
        if self._mode == _CMYK:
            decoded.colours = ~decoded.colours  # no ink is the largest number
        decoded.icc, decoded.bits = self._icc, self._bits
        if self._mode == _LAB:
            if self._bits != 8:
                raise PictureError(f"{self._path}: holds Lab colours of 16 bits; save it as RGB")
            decoded.colours, decoded.icc = color.lab_to_rgb(decoded.colours), None
        return decoded

    def _values(self, data: bytes) -> np.ndarray:
        """The samples (height, width, channels), without those that nobody looks at."""
        used = min(self._count, _CHANNELS[self._mode] + self._has_transparency)
        row = self.width * self._bits // 8 if self._bits > 1 else -(-self.width // 8)
        compression = int.from_bytes(data[self._start : self._start + 2], "big")
        body = memoryview(data)[self._start + 2 :]
        size = row * self.height * used
        if compression == _PACKBITS:
            plain = self._unpacked(body, row, used)
        elif compression in (_ZIP, _ZIP_OF_DIFFERENCES):
            plain = zlib.decompressobj().decompress(body, size)
        else:
            plain = body[:size]
        if compression > _ZIP_OF_DIFFERENCES or len(plain) < size:
            raise PictureError(f"{self._path}: the Photoshop file ends early")
        if self._bits == 1:
            rows = np.frombuffer(plain, np.uint8, size).reshape(used, self.height, row)
            values = np.unpackbits(rows, axis=2, count=self.width)
        else:
            dtype = np.dtype(">u2" if self._bits == 16 else np.uint8)
            values = np.frombuffer(plain, dtype).reshape(used, self.height, self.width)
        values = values.astype(values.dtype.newbyteorder("="))
        if compression == _ZIP_OF_DIFFERENCES:
            np.cumsum(values, axis=2, dtype=values.dtype, out=values)
        return np.ascontiguousarray(np.moveaxis(values, 0, -1))

    def _unpacked(self, body: memoryview, row: int, used: int) -> bytes:
        """PackBits: the lengths of all channels' rows, then the rows."""
        dtype = np.dtype(">u4" if self._version == 2 else ">u2")
        rows = self.height * self._count
        ends = np.cumsum(np.frombuffer(body, dtype, rows), dtype=np.int64) + rows * dtype.itemsize
        starts = np.concatenate([[rows * dtype.itemsize], ends[:-1]])
        parts = []
        for start, end in zip(starts[: self.height * used], ends, strict=False):
            part = imagecodecs.packbits_decode(bytes(body[start:end]))
            parts.append(part[:row].ljust(row, b"\0") if end <= len(body) else b"")
        return b"".join(parts)
