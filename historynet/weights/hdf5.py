"""HDF5 files from anybody: what such a file itself holds, at most as much as its size, and nothing else.

HDF5 lets an array lie in any other file, fetch it from several, unpack it by a library that is loaded for it, or claim
a size that was never written. A link can lead into another file, or back to where it came from. Keras needs none of
that: its arrays are stored as they are. So all else is refused before an array is read, by what the headers say.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from historynet.errors import InputError

MOST = 8_000
"""Groups and arrays of a file, and names in a list. HistoryNet's generator has 300; each takes the library 0.1 ms."""

_DEEPEST = 32
"""Groups within groups."""

_LONGEST = 255
"""Bytes of a name, and characters of a listed one, which end up in our messages."""

_LARGEST_LIST = 64 << 20
"""Bytes of an attribute that lists names, if all were as long as the longest can be. Keras needs some thousand."""

_HEAP, _HEAP_SIZE = re.compile(rb"(?=GCOL\x01...(.{5})\0\0\0)", re.DOTALL), 16
"""How a place where HDF5 keeps texts of any length begins: the name, version 1, three more bytes, its size.

One that begins within what looks like another is found, too."""


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        path: of the file, which holds it all, or the archive that it is in.
        groups: by their paths, without the first slash; the file itself is "".
        arrays: by theirs. None of them is read yet.
    """

    path: Path
    groups: Mapping[str, h5py.Group]
    arrays: Mapping[str, h5py.Dataset]

    def text(self, group: str, attribute: str) -> str:
        """A text at a group.

        Raises:
            InputError: if there is none, or something else.
        """
        found = self._attribute(group, attribute)
        is_text = found and found.shape == () and isinstance(found.get_type(), h5t.TypeStringID)
        value = self.groups[group].attrs[attribute] if is_text else None
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise InputError(f"{self.path}: {f'/{group}'!r} has no {attribute} that is a text")
        return value

    def names(self, group: str, attribute: str) -> list[str] | None:
        """A list of texts at a group; None if there is no such attribute.

        Raises:
            InputError: if it holds something else, or more or longer texts than a list of names has.
        """
        found = self._attribute(group, attribute)
        if found is None:
            return None
        kind, count = found.get_type(), math.prod(found.shape or (0,))
        if not count:
            # NumPy makes numbers of a list without texts.
            return []
        if isinstance(kind, h5t.TypeStringID) and len(found.shape) == 1 and count <= MOST:
            longest = max(self._longest_text, kind.get_size()) if kind.is_variable_str() else kind.get_size()
            if count * longest <= _LARGEST_LIST:
                values = self.groups[group].attrs[attribute]
                names = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
                if max(map(len, names)) <= _LONGEST:
                    return names
        raise InputError(f"{self.path}: {f'/{group}'!r} has {attribute} that are no list of names")

    def _attribute(self, group: str, name: str) -> h5a.AttrID | None:
        holder = self.groups[group].id
        return h5a.open(holder, name.encode()) if h5a.exists(holder, name.encode()) else None

    @cached_property
    def _longest_text(self) -> int:
        """Bytes of the largest place of texts of any length, of which none is longer.

        A list could name one large text thousands of times, and the library reads a list as a whole.
        """
        largest, found, before = 0, 0, b""
        with self.path.open("rb") as file:
            while part := file.read(1 << 20):
                part = before + part
                for match in _HEAP.finditer(part):
                    found += 1
                    if found > MOST:
                        raise InputError(f"{self.path}: more than {MOST} places of texts")
                    largest = max(largest, int.from_bytes(match[1], "little"))
                before = part[-_HEAP_SIZE + 1 :]
        return largest


def list_contents(file: h5py.File, size: int, path: Path) -> Contents:
    """Finds all groups and arrays of a file, each by the one way that leads to it.

    Args:
        file: opened to be read.
        size: of the file, bytes.
        path: what the messages call it.

    Raises:
        InputError: if something is not stored in the file itself and as it is, is reached by a link of another kind or
            by two, or is more than the file can hold.
        OSError, RuntimeError, LookupError, ValueError, TypeError: what h5py raises of a damaged file.
    """
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise InputError(f"{path}: its offsets and lengths do not have 8 bytes")
    groups, arrays = {"": h5py.Group(h5g.open(file.id, b"/"))}, {}
    reached = {h5o.get_info(groups[""].id).addr}
    waiting, total = [("", 0)], 0
    while waiting:
        group, depth = waiting.pop()
        names = _links(groups[group].id, group, path)
        if depth == _DEEPEST or len(groups) + len(arrays) + len(names) > MOST:
            raise InputError(f"{path}: more than {MOST} groups and arrays, or groups more than {_DEEPEST} deep")
        for name in names:
            item = h5o.open(groups[group].id, name)
            address, full = h5o.get_info(item).addr, f"{group}/{name.decode()}".removeprefix("/")
            if address in reached:
                raise InputError(f"{path}: two links lead to {full!r}")
            reached.add(address)
            if isinstance(item, h5g.GroupID):
                groups[full] = h5py.Group(item)
                waiting.append((full, depth + 1))
            elif isinstance(item, h5d.DatasetID):
                total += _size(item, full, path)
                arrays[full] = h5py.Dataset(item)
            else:
                raise InputError(f"{path}: {full!r} is neither a group nor an array")
            if total > size:
                raise InputError(f"{path}: claims arrays of more bytes than the file has")
    return Contents(path, groups, arrays)


def _links(group: h5g.GroupID, name: str, path: Path) -> list[bytes]:
    """The names in a group, of hard links only; not many more than a file may have in all."""
    names, others = [], []

    def collect(link: bytes, info: h5l.LinkInfo) -> bool:
        # A slash would lead through other links, which may not have been looked at yet.
        if info.type != h5l.TYPE_HARD or b"/" in link or len(link) > _LONGEST or link in (b"", b"."):
            others.append(link)
        names.append(link)
        return bool(others) or len(names) > MOST

    group.links.iterate(collect, info=True)
    if others:
        link = others[0][:_LONGEST].decode(errors="backslashreplace")
        raise InputError(f"{path}: {f'{name}/{link}'!r} is a link to somewhere else, or has no proper name")
    return names


def _size(array: h5d.DatasetID, name: str, path: Path) -> int:
    """Bytes of an array, seen to lie in the file itself."""
    creation = array.get_create_plist()
    layout = creation.get_layout()
    # Before its shape is asked for, which of a virtual array can depend on other files.
    if layout == h5d.VIRTUAL or creation.get_external_count():
        raise InputError(f"{path}: the array {name!r} lies in another file")
    if layout not in (h5d.COMPACT, h5d.CONTIGUOUS) or creation.get_nfilters():
        raise InputError(
            f"{path}: the array {name!r} is packed or in pieces; `h5repack -f NONE -l CONTI IN OUT` stores it as it is"
        )
    kind, space = array.get_type(), array.get_space()
    if not isinstance(kind, h5t.TypeFloatID | h5t.TypeIntegerID):
        raise InputError(f"{path}: {name!r} is no array of real numbers")
    if space.get_simple_extent_type() == h5s.NULL:
        raise InputError(f"{path}: the array {name!r} is empty")
    size = math.prod(space.get_simple_extent_dims()) * kind.get_size()
    # Arrays that were never written have no place in the file, and take memory all the same.
    if layout == h5d.CONTIGUOUS and size and (array.get_offset() is None or array.get_storage_size() != size):
        raise InputError(f"{path}: the array {name!r} is not in the file as a whole")
    return size
