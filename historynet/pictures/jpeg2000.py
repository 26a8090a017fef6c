"""A reader for JPEG 2000 (.jp2, .j2k) of 1 to 16 bits a sample, decoded by OpenJPEG through imagecodecs."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import imagecodecs
import numpy as np

from historynet.errors import PictureError
from historynet.pictures import images, profiles
from historynet.pictures.decoded import Decoded, Source, from_samples, to_levels

_BOXES = b"\0\0\0\x0cjP  \r\n\x87\n"
_CODESTREAM = b"\xff\x4f\xff\x51"
_START_OF_DATA, _END = b"\xff\x93", b"\xff\xd9"
_CMYK, _SRGB, _GRAY, _SYCC = 12, 16, 17, 18
_SPACES = {_CMYK, _SRGB, _GRAY, _SYCC}
_LONGEST_BOX = 16 << 20
_MOST_BOXES = 100_000


class Jpeg2000(Source):
    """The header of a file.

    Args:
        file: opened to be read.
        path: the file, for the messages.

    Raises:
        PictureError: if it is damaged, or holds what is not read.
    """

    def __init__(self, file: BinaryIO, path: Path):
        self._path = path
        self._space: int | None = None
        self._kinds: dict[int, int] = {}
        self._palette: list[int] = []
        self.icc: bytes | None = None
        self.width = self.height = 0
        file.seek(0)
        if file.read(4) == _CODESTREAM:
            self._read_size(file, 0)
        else:
            self._readboxes(file)
        if not (self.width > 0 and self.height > 0):
            raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
        # OpenJPEG has four bytes for each sample.
        self.weight = max(1.0, len(self._palette or self._depths) / 2)

    def _readboxes(self, file: BinaryIO) -> None:
        for kind, start, end in boxes(file, 0, file.seek(0, 2)):
            if kind == b"jp2h":
                for inner, begin, stop in boxes(file, start, end):
                    file.seek(begin)
                    self._read_box(inner, begin, file.read(min(stop - begin, _LONGEST_BOX)))
            elif kind == b"jp2c":
                self._read_size(file, start)
                return

    def _read_box(self, kind: bytes, place: int, content: bytes) -> None:
        if kind == b"colr" and self._space is None and self.icc is None:
            if content[0] == 1:
                self._space = int.from_bytes(content[3:7], "big")
            elif content[0] == 2:
                self.icc, self._icc_place = content[3:], place
        elif kind == b"cdef":
            for channel, meaning, _ in struct.iter_unpack(
                ">3H", content[2 : 2 + 6 * int.from_bytes(content[:2], "big")]
            ):
                self._kinds[channel] = meaning
        elif kind == b"pclr":
            self._palette = list(content[3 : 3 + content[2]])

    def _read_size(self, file: BinaryIO, start: int) -> None:
        """Sets size and depths from the codestream's SIZ segment."""
        file.seek(start + 8)
        right, bottom, left, top = struct.unpack(">4I", file.read(16))
        file.seek(start + 40)
        count = int.from_bytes(file.read(2), "big")
        parts = file.read(3 * count)
        self.width, self.height = right - left, bottom - top
        self._depths = list(parts[::3])
        self._subsampled = any(step != 1 for step in parts[1::3] + parts[2::3])

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins so is one of these."""
        return head.startswith((_BOXES, _CODESTREAM))

    def decode(self, data: bytes) -> Decoded:
        path = self._path
        depths = self._palette or self._depths
        if any(depth & 0x80 for depth in depths):
            raise PictureError(f"{path}: holds signed values; save it with unsigned ones of 8 or 16 bits")
        if len(set(depths)) != 1 or depths[0] > 15:
            raise PictureError(
                f"{path}: holds samples of more than 16 bits, or of different ones; save it with 8 or 16"
            )
        if not (self._space is None or self._space in _SPACES):
            raise PictureError(f"{path}: its colour space ({self._space}) is not read; save it as RGB")
        # OpenJPEG gives what it has of a file that is cut off.
        if data.rfind(_END) < data.find(_START_OF_DATA):
            raise PictureError(f"{path}: the JPEG 2000 file ends early")
        bits = depths[0] + 1
        if self._space == _SYCC or self._subsampled:
            if bits != 8:
                raise PictureError(f"{path}: holds YCbCr of {bits} bits; save it as RGB")
            return Decoded(images.decode(data, path, cv2.IMREAD_COLOR_RGB))
        values = imagecodecs.jpeg2k_decode(self._without_profile(data, len(depths)))
        return self._decoded(np.atleast_3d(values), bits)

    def _without_profile(self, data: bytes, samples: int) -> bytes | bytearray:
        """The file with a mere number for its colour space: imagecodecs would convert by the profile, in 8 bits."""
        if self.icc is None:
            return data
        changed = bytearray(data)
        number = _CMYK if samples >= 4 and self._is_cmyk() else _GRAY if samples < 3 else _SRGB
        changed[self._icc_place : self._icc_place + 7] = struct.pack(">BBBI", 1, 0, 0, number)
        return changed

    def _is_cmyk(self) -> bool:
        return self._space == _CMYK or (self.icc is not None and profiles.space_of(self.icc) == "CMYK")

    def _decoded(self, values: np.ndarray, bits: int) -> Decoded:
        samples = values.shape[2]
        channels = 4 if self._is_cmyk() else 1 if samples < 3 else 3
        if samples < channels:
            raise PictureError(f"{self._path}: not a picture that can be read, or a damaged one")
        # Without a word on it, one sample more than colours is transparency.
        alpha = next((i for i, kind in self._kinds.items() if kind in (1, 2) and channels <= i < samples), None)
        if alpha is None and samples == channels + 1 and channels not in self._kinds:
            alpha = channels
        decoded = from_samples(to_levels(values, 2**bits - 1), channels, alpha, self._kinds.get(alpha) == 2)
        decoded.bits, decoded.icc = bits, self.icc
        return decoded


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two places of a file, so many of them: kind, and where the content begins and ends."""
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        begin = start + 8
        if length == 1:
            length, begin = int.from_bytes(file.read(8), "big"), begin + 8
        stop = end if length == 0 else start + length
        if stop < begin:
            return
        yield kind, begin, min(stop, end)
        start = stop
