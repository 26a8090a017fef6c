"""A zip file that is sent while it is made: never whole in memory or on the disk."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from historynet.web import names

_PIECE = 1 << 20


class _Pieces(io.RawIOBase):
    """Takes what is written, until it is taken away."""

    def __init__(self):
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: bytes) -> int:
        """Takes it."""
        self._pieces.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """How much was written."""
        return self._written

    def take(self) -> bytes:
        """What was written since."""
        data, self._pieces = b"".join(self._pieces), []
        return data


def stream(members: Sequence[tuple[str, Path]]) -> Iterator[bytes]:
    """The bytes of a zip file, piece by piece.

    Args:
        members: the names, which are made unique, and the files.

    Raises:
        FileNotFoundError: if one is not there any more: whoever gets the bytes sees that they break off.
    """
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_STORED) as archive:
        for name, (_, path) in zip(names.unique(name for name, _ in members), members, strict=True):
            with path.open("rb") as source, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                while data := source.read(_PIECE):
                    member.write(data)
                    yield pieces.take()
            yield pieces.take()
    yield pieces.take()
