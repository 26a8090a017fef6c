"""ImageNet64's batches, NAME.npz -> pictures of 64x64.

"data" holds a picture a row: the red plane of 64x64 row by row, then green, then blue. The same batches are to be had
as Python's pickles; these are programs, and never read.
"""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from historynet import files
from historynet.collecting.pictures import Counts, write_missing
from historynet.colorizing.records import identify
from historynet.errors import InputError, reason
from historynet.weights import archives

SIDE = 64
_BYTES = 3 * SIDE * SIDE
_MEMBER = "data.npy"

_READ_AT_ONCE = 64
"""Pictures, 0.8 MB; besides these only those are held that threads are writing."""

_RECORD = ".imagenet64.json"
"""Says in a folder of pictures of which file's content those of each name are."""

_NO_RECORD = "not the record of a folder of ImageNet64; remove the folder, or name another one with --out"
_NPZ = "the .npz form of the batch is needed (train_data_batch_1.npz)"


@dataclass(frozen=True)
class Batch:
    """A file of ImageNet64.

    Attributes:
        path: of the file.
        count: of its pictures.
    """

    path: Path
    count: int

    def picture(self, number: int) -> str:
        """The name of its picture of a number, from 0."""
        return f"{self.path.stem}_{number:06}.png"


def open_batch(path: Path) -> Batch:
    """What a file holds, by its header: no more of it is read.

    Raises:
        InputError: if it is no batch of ImageNet64, is a pickle, holds one, or claims what it does not have.
    """
    with files.open_archive(path, partial(_explain, path)) as file:
        start = file.read(4)
        if not start:
            raise InputError(f"{path}: the file is empty")
        if not start.startswith(b"PK"):
            # How protocols 2 to 5 begin, and 0.
            kind = "a pickle of Python, which is a program and not read" if start[0] in b"\x80(" else "no batch"
            raise InputError(f"{path}: {kind}; {_NPZ}")
        with zipfile.ZipFile(file) as archive:
            fault = archives.find_fault(archive, path.stat().st_size)
            if fault:
                raise InputError(f"{path}: {fault}")
            if _MEMBER not in archive.namelist():
                raise InputError(f"{path}: has no array 'data'; {_NPZ}")
            return Batch(path, _check_header(archive, path))


def _check_header(archive: zipfile.ZipFile, path: Path) -> int:
    """The number of pictures."""
    size = archive.getinfo(_MEMBER).file_size
    with archive.open(_MEMBER) as member:
        shape, dtype = archives.read_header(member, size)
    if dtype.hasobject:
        raise InputError(f"{path}: 'data' holds pickled objects, which are programs and never read; {_NPZ}")
    if dtype != np.uint8 or len(shape) != 2 or shape[1] != _BYTES or not shape[0]:
        raise InputError(f"{path}: 'data' is {dtype} {shape}, not uint8 (n, {_BYTES}), pictures of {SIDE}x{SIDE}")
    with archive.open(_MEMBER) as member:
        if b"'fortran_order': True" in member.read(size - shape[0] * _BYTES):
            raise InputError(f"{path}: 'data' is stored column by column; {_NPZ}")
    return shape[0]


def _explain(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: damaged, or no batch of ImageNet64 ({reason(error)})")


def prepare(batch: Batch, folder: Path, progress: Callable[[int], object] = lambda count: None) -> Counts:
    """Writes a batch's pictures as PNG files; those that are there stay.

    The batch is read to its end once before, so that no picture of a damaged one is written; never more than some
    pictures of it are in memory.

    Args:
        batch: of `open_batch`.
        folder: of the pictures.
        progress: called with the number of pictures just done.

    Raises:
        InputError: if the batch is damaged, the folder holds pictures of another one of its name, or cannot be written
            to.
    """
    made = _read_record(batch, folder)
    for _ in _read(batch):
        pass
    files.write_json(folder / _RECORD, made)
    numbered = ((batch.picture(number), plane) for number, plane in enumerate(_read(batch)))
    return write_missing(folder, numbered, lambda picture: picture, progress)


def _read_record(batch: Batch, folder: Path) -> dict[str, str]:
    """Whose the folder's pictures are, by name; those of the batch's name are seen to be the batch's."""
    path, name, content = folder / _RECORD, batch.path.stem, identify(batch.path).content
    made = files.read_json(path, dict, _NO_RECORD) if path.exists() else {}
    if made.setdefault(name, content) != content:
        raise InputError(f"{batch.path}: {folder} holds pictures of another {name}.npz; name another folder with --out")
    return made


def _read(batch: Batch) -> Iterator[np.ndarray]:
    """The pictures, uint8 RGB (64, 64, 3), in order; at the end the file's checksum is compared."""
    with (
        files.open_archive(batch.path, partial(_explain, batch.path)) as file,
        zipfile.ZipFile(file) as archive,
        archive.open(_MEMBER) as member,
    ):
        _read_whole(member, archive.getinfo(_MEMBER).file_size - batch.count * _BYTES)
        for first in range(0, batch.count, _READ_AT_ONCE):
            data = _read_whole(member, min(_READ_AT_ONCE, batch.count - first) * _BYTES)
            planes = np.frombuffer(data, np.uint8).reshape(-1, 3, SIDE, SIDE)
            yield from planes.transpose(0, 2, 3, 1)
        if member.read(1):
            raise ValueError("an array of another size than its file")


def _read_whole(member: BinaryIO, size: int) -> bytes:
    """So many bytes of a file.

    Raises:
        EOFError: if it has less.
    """
    data = member.read(size)
    while len(data) < size:
        more = member.read(size - len(data))
        if not more:
            raise EOFError("it ends early")
        data += more
    return data
