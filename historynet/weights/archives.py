"""Zip files from anybody: what is refused by their table of contents, before a member is unpacked."""

import math
import re
import stat
import struct
import zipfile
from typing import BinaryIO

import numpy as np

_SMALL = 64 << 20
_PACKED = 4
"""What a file's members may be together when they are unpacked: 64 MB, or four times the file, whichever is more.

Trained weights get smaller by a tenth when they are packed."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_MAGIC, _START = b"\x93NUMPY\x01\x00", struct.Struct("<8sH")
"""How a .npy file begins, before the length of its header."""

_HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[<>|=]([?bBiufcSUV][0-9]{1,9}|O))', 'fortran_order': (True|False), "
    rb"'shape': \((?P<shape>|[0-9]{1,18},|[0-9]{1,18}(, ?[0-9]{1,18})+)\), \} *\n"
)
"""Written so that each text is read in one way: of a text that can be divided in many, all would be tried."""


def find_fault(archive: zipfile.ZipFile, size: int) -> str | None:
    """What is wrong with an archive's members, by its table of contents; None if nothing is.

    Args:
        archive: opened to be read.
        size: of its file, bytes.
    """
    members = archive.infolist()
    names = set()
    for member in members:
        name = member.filename[:200]
        if member.filename in names:
            return f"holds two members {name!r}"
        names.add(member.filename)
        if member.flag_bits & 1:
            return f"its member {name!r} is encrypted"
        if stat.S_ISLNK(member.external_attr >> 16):
            return f"its member {name!r} is a link"
        if member.compress_type not in _METHODS:
            return f"its member {name!r} is packed in a way that is not read: zip it again, by deflate or not at all"
        if member.compress_type == zipfile.ZIP_STORED and member.compress_size != member.file_size:
            return f"its member {name!r} has two sizes"
    if sum(member.compress_size for member in members) > size:
        return "claims members of more bytes than the file has"
    if sum(member.file_size for member in members) > max(_PACKED * size, _SMALL):
        return f"its members would be more than {_PACKED} times the file when they are unpacked"
    return None


def read_header(member: BinaryIO, size: int) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of a .npy file, whose data are seen to be as long as they must be.

    NumPy itself reads the header as an expression of Python. "object" is what is pickled, and never to be read.

    Args:
        member: the file, at its beginning; what is read is the header alone.
        size: of the file, bytes.

    Raises:
        ValueError: if it is no plain array.
    """
    start = member.read(_START.size)
    magic, length = _START.unpack(start) if len(start) == _START.size else (b"", 0)
    if magic != _MAGIC:
        raise ValueError("not an array of NumPy's format 1.0")
    header = _HEADER.fullmatch(member.read(length))
    if not header:
        raise ValueError("not the header of a plain array")
    shape = tuple(int(count) for count in header["shape"].replace(b" ", b"").split(b",") if count)
    dtype = np.dtype(header["dtype"].decode())
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != size - _START.size - length:
        raise ValueError("an array of another size than its file")
    return shape, dtype
