"""A reader for PBM, PGM, PPM and PAM files with any maximum: libraries take 1023 for nearly black."""

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from historynet.errors import PictureError
from historynet.pictures.decoded import Decoded, Source, from_samples, to_levels

_SPACE = rb"(?:\s|#[^\n\r]*[\n\r])+"
_NUMBER = rb"(\d{1,9})"
_BITMAP = re.compile(b"P([14])" + _SPACE + _NUMBER + _SPACE + _NUMBER + rb"(?:#[^\n\r]*)?\s")
_PIXMAP = re.compile(b"P([2356])" + _SPACE + _SPACE.join([_NUMBER] * 3) + rb"(?:#[^\n\r]*)?\s")
_ARBITRARY = re.compile(rb"P7\s(.*?)\bENDHDR[ \t\r]*\n", re.DOTALL)
_LONGEST_HEADER = 64_000


class Netpbm(Source):
    """The header of a file.

    Args:
        file: opened to be read.
        path: the file, for the messages.

    Raises:
        PictureError: if it is damaged.
    """

    def __init__(self, file: BinaryIO, path: Path):
        self._path = path
        file.seek(0)
        head = file.read(_LONGEST_HEADER)
        found = _BITMAP.match(head) or _PIXMAP.match(head) or _ARBITRARY.match(head)
        if found is None:
            raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
        self._start = found.end()
        self._kind = head[1] - ord("0")
        if self._kind == 7:
            names = dict(re.findall(rb"^(\w+)[ \t]+(\S+)", found[1], re.MULTILINE))
            numbers = [int(names.get(name, b"0")) for name in (b"WIDTH", b"HEIGHT", b"MAXVAL", b"DEPTH")]
            self.width, self.height, self._maximum, self._samples = numbers
        else:
            self.width, self.height, *rest = (int(number) for number in found.groups()[1:])
            self._maximum = rest[0] if rest else 1
            self._samples = 3 if self._kind in (3, 6) else 1
        if not (self.width and self.height and 1 <= self._maximum <= 65535 and 1 <= self._samples <= 4):
            raise PictureError(f"{path}: not a picture that can be read, or a damaged one")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins so is one of these."""
        return re.match(rb"P[1-7][\s#]", head) is not None

    def decode(self, data: bytes) -> Decoded:
        count = self.width * self.height * self._samples
        body = memoryview(data)[self._start :]
        values = self._plain(bytes(body), count) if self._kind in (1, 2, 3) else self._packed(body, count)
        if values is None:
            raise PictureError(f"{self._path}: the file ends early")
        values = values.reshape(self.height, self.width, self._samples)
        if self._kind in (1, 4):
            values = 1 - values  # 1 is black
        # What one and two samples are, and four: gray, RGB, each with transparency.
        colours = 1 if self._samples < 3 else 3
        alpha = colours if self._samples > colours else None
        decoded = from_samples(to_levels(values, self._maximum), colours, alpha)
        decoded.bits = self._maximum.bit_length()
        return decoded

    def _plain(self, text: bytes, count: int) -> np.ndarray | None:
        text = re.sub(rb"#[^\n\r]*", b"", text)
        if self._kind == 1:
            digits = np.frombuffer(text, np.uint8)
            values = digits[(digits == ord("0")) | (digits == ord("1"))] - ord("0")
        else:
            values = np.fromstring(text, np.int32, sep=" ")
        return values[:count] if len(values) >= count else None

    def _packed(self, body: memoryview, count: int) -> np.ndarray | None:
        if self._kind == 4:
            row = -(-self.width // 8)
            if len(body) < row * self.height:
                return None
            rows = np.frombuffer(body, np.uint8, row * self.height).reshape(self.height, row)
            return np.unpackbits(rows, axis=1, count=self.width)
        dtype = np.dtype(np.uint8 if self._maximum <= 255 else ">u2")
        if len(body) < count * dtype.itemsize:
            return None
        values = np.frombuffer(body, dtype, count)
        # In a type of this machine's own, and, as all results, to be written to.
        return values.astype(dtype.newbyteorder("="))
