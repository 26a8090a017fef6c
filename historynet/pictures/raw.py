"""Raw files of cameras: recognised by content, and developed where LibRaw is installed (`pip install '.[raw]'`)."""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np

from historynet import extras
from historynet.errors import PictureError
from historynet.pictures.decoded import Decoded, Source
from historynet.pictures.tiff_pages import Directories

_BEGINNINGS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
"""Fujifilm, Olympus, Panasonic, Sigma, Minolta; Canon's have their marks further on."""

_SRGB_GAMMA = (2.4, 12.92)


class Raw(Source):
    """A raw file.

    Args:
        file: opened to be read.
        path: the file, for the messages.
        directories: those of a file that is a TIFF file, too.

    Raises:
        PictureError: if LibRaw is not installed.
    """

    def __init__(self, file: BinaryIO, path: Path, directories: Directories | None = None):
        self.directories = directories
        if not extras.is_installed("rawpy"):
            raise PictureError(
                f"{path}: a raw file of a camera; develop it to a TIFF file of 16 bits (darktable, RawTherapee), "
                f"or let this program do so: {extras.how_to_install('rawpy')}"
            )
        import rawpy

        file.seek(0)
        self._raw = rawpy.imread(io.BytesIO(file.read()))
        sizes = self._raw.sizes
        # 5 and 6 are quarter turns.
        turned = sizes.flip in (5, 6)
        self.width, self.height = (sizes.iheight, sizes.iwidth) if turned else (sizes.iwidth, sizes.iheight)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins so is one; those that are TIFF files say so in their directories."""
        beginning = head.startswith(_BEGINNINGS) or head[8:11] == b"CR\x02"
        return beginning or head[4:12] == b"ftypcrx "

    def decode(self, data: bytes) -> Decoded:
        """The picture, developed with the camera's white balance to sRGB of 16 bits, the right way up.

        Args:
            data: not looked at.
        """
        with self._raw as raw:
            rgb = raw.postprocess(use_camera_wb=True, output_bps=16, gamma=_SRGB_GAMMA)
        return Decoded(np.ascontiguousarray(rgb), bits=16)
