"""A reader for HEIC and HEIF, as telephones write them; libheif decodes them through pillow-heif."""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from historynet.errors import PictureError
from historynet.pictures.decoded import Decoded, Source, from_samples, to_levels

_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_PQ, _HLG = 16, 18


class Heif(Source):
    """The header of a file.

    Args:
        file: opened to be read.
        path: the file, for the messages.

    Raises:
        PictureError: if it holds what is not read.
    """

    def __init__(self, file: BinaryIO, path: Path):
        import pillow_heif

        file.seek(0)
        # One thread: several pictures are read beside each other.
        pillow_heif.options.DECODE_THREADS = 1
        container = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
        self._image = container[container.primary_index]
        self.width, self.height = self._image.size
        self.exif, self.xmp = self._image.info.get("exif"), self._image.info.get("xmp")
        more = len(container) > 1
        self.notes = ["a file of several pictures: only its first is colorized"] if more else []
        transfer = self._image.info.get("nclx_profile", {}).get("transfer_characteristics")
        if transfer in (_PQ, _HLG):
            raise PictureError(f"{path}: holds colours of a high dynamic range (PQ or HLG); save it as sRGB")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins so is one of these; AVIF files are not."""
        length = int.from_bytes(head[:4], "big")
        brands = {head[8:12], *(head[i : i + 4] for i in range(16, min(length, len(head)), 4))}
        return head[4:8] == b"ftyp" and head[8:12] in _BRANDS and not brands & {b"avif", b"avis"}

    def decode(self, data: bytes) -> Decoded:
        info = self._image.info
        values = np.atleast_3d(np.asarray(self._image))
        bits = info.get("bit_depth", 8) if values.dtype == np.uint16 else 8
        if bits > 8:
            # They lie in the upper bits.
            values = to_levels(values >> (16 - bits), 2**bits - 1)
        channels = 1 if values.shape[2] < 3 else 3
        alpha = channels if values.shape[2] > channels else None
        decoded = from_samples(values, channels, alpha, "a" in self._image.mode)
        # libheif has turned it.
        decoded.bits, decoded.icc = bits, info.get("icc_profile") or None
        return decoded
