"""A reader for JPEG XL; libjxl decodes it through imagecodecs, which does not say what colours it gives."""

from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np

from historynet.errors import PictureError
from historynet.pictures import profiles
from historynet.pictures.decoded import Decoded, Source, from_samples, to_levels
from historynet.pictures.jpeg2000 import boxes

_BOXES = b"\0\0\0\x0cJXL \r\n\x87\n"
_CODESTREAM = b"\xff\x0a"
_HEADER, _LONGEST_EXIF = 1 << 16, 16 << 20
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_ALPHA, _GRAY = 0, 1
_D65, _SRGB_PRIMARIES, _BT709, _LINEAR, _SRGB = 1, 1, 1, 8, 13


class _Bits:
    """Numbers of a codestream's header (ISO/IEC 18181-1), from the lowest bit on."""

    def __init__(self, data: bytes):
        self._number, self._place = int.from_bytes(data, "little"), 0

    def take(self, count: int) -> int:
        value = (self._number >> self._place) & ((1 << count) - 1)
        self._place += count
        return value

    def choice(self, *forms: tuple[int, int]) -> int:
        """One of four forms, each an offset and a number of bits to be added to it."""
        offset, count = forms[self.take(2)]
        return offset + self.take(count)

    def kind(self) -> int:
        return self.choice((0, 0), (1, 0), (2, 4), (18, 6))

    def size(self) -> tuple[int, int]:
        """Width and height."""
        small = self.take(1)
        height = self._side(small)
        ratio = self.take(3)
        if not ratio:
            return self._side(small), height
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height

    def _side(self, small: int) -> int:
        return 8 * (self.take(5) + 1) if small else self.choice((1, 9), (1, 13), (1, 18), (1, 30))

    def depth(self) -> int:
        """Bits of a sample; 0 if it is a floating-point number."""
        if self.take(1):
            self.choice((32, 0), (16, 0), (24, 0), (1, 6))
            self.take(4)
            return 0
        return self.choice((8, 0), (10, 0), (12, 0), (1, 6))


class JpegXl(Source):
    """The header of a file.

    Args:
        file: opened to be read.
        path: the file, for the messages.

    Raises:
        PictureError: if it is damaged, or holds what is not read.
    """

    def __init__(self, file: BinaryIO, path: Path):
        self._path = path
        head = self._codestream(file)
        if not head.startswith(_CODESTREAM):
            raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
        bits = _Bits(head[2:600])
        self.width, self.height = bits.size()
        self._bits, self._is_gray = 8, False
        self._icc: bytes | None = None
        if not bits.take(1) and not self._read_metadata(bits):
            raise PictureError(f"{path}: its kind of colours is not read; save it as PNG or TIFF, in sRGB")
        if not 1 <= self._bits <= 16:
            raise PictureError(f"{path}: holds values of more than 16 bits; save it with 16 or 8 bits")

    def _codestream(self, file: BinaryIO) -> bytes:
        """Where the codestream begins; sets the EXIF data of a file of boxes."""
        file.seek(0)
        head = file.read(_HEADER)
        if not head.startswith(_BOXES):
            return head
        head = b""
        for kind, start, end in boxes(file, 0, file.seek(0, 2)):
            # Parts of a codestream are numbered, the EXIF data has its own offset before it.
            skipped = 4 if kind in (b"jxlp", b"Exif") else 0
            file.seek(start + skipped)
            if kind in (b"jxlc", b"jxlp"):
                head = head or file.read(min(end - start, _HEADER))
            elif kind == b"Exif":
                self.exif = file.read(min(end - start, _LONGEST_EXIF) - skipped)
        return head

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins so is one of these."""
        return head.startswith((_BOXES, _CODESTREAM))

    def _read_metadata(self, bits: _Bits) -> bool:
        """Sets depth and channels; whether the colours are known: sRGB, or of a gamma of their own."""
        if bits.take(1):
            bits.take(3)  # the decoder turns it
            if bits.take(1):
                bits.size()
            if bits.take(2):
                raise PictureError(f"{self._path}: an animation, or a file with a preview, is not read; save it as PNG")
        self._bits = bits.depth()
        bits.take(1)
        for _ in range(bits.choice((0, 0), (1, 0), (2, 4), (1, 12))):
            if bits.take(1):
                continue
            if bits.kind() != _ALPHA:
                raise PictureError(f"{self._path}: holds channels that are not read; save it as PNG or TIFF")
            bits.depth()
            bits.choice((0, 0), (3, 0), (4, 0), (1, 3))
            bits.take(8 * bits.choice((0, 0), (0, 4), (16, 5), (48, 10)))
            bits.take(1)
        in_xyb = bits.take(1)
        if bits.take(1):
            return True
        has_profile, space = bits.take(1), bits.kind()
        self._is_gray = space == _GRAY
        if has_profile:
            # Without a profile at hand libjxl turns its own XYB into sRGB; other values stay as they are.
            return bool(in_xyb)
        white = bits.kind()
        primaries = _SRGB_PRIMARIES if self._is_gray or white != _D65 else bits.kind()
        gamma = bits.take(24) / 1e7 if bits.take(1) else {_SRGB: 0, _BT709: 0, _LINEAR: 1}.get(bits.kind())
        if gamma:
            self._icc = profiles.of_gamma(1 / gamma, self._is_gray)
        return (white, primaries) == (_D65, _SRGB_PRIMARIES) and gamma is not None

    def decode(self, data: bytes) -> Decoded:
        values = np.atleast_3d(imagecodecs.jpegxl_decode(data, numthreads=1))
        if values.ndim != 3 or values.dtype not in (np.uint8, np.uint16) or values.shape[2] > 4:
            raise PictureError(f"{self._path}: not a picture that can be read, or a damaged one")
        channels = 1 if values.shape[2] < 3 else 3
        alpha = channels if values.shape[2] > channels else None
        decoded = from_samples(to_levels(values, 2**self._bits - 1), channels, alpha)
        decoded.bits, decoded.icc = self._bits, self._icc
        return decoded
