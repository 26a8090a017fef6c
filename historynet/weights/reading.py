"""Weight files -> arrays, by the names the file gives them.

Keras 2's .h5, Keras 3's .weights.h5, our .keras, and NumPy's .npz.

Which of them a file is, its content says, not its name. It is read completely or not at all: every array in it must
belong to a layer. Nothing that a file says is ever run: arrays and plain JSON only. No other file is read, and what
does not belong into a model file is refused before it takes time or memory (`hdf5`, `archives`).
"""

import errno
import io
import itertools
import json
import os
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from historynet import files
from historynet.errors import InputError, translated
from historynet.weights import archives, hdf5

DESCRIPTION = "historynet.json"
"""Member of our .keras files that says which network they hold."""

NPZ = "NumPy arrays (.npz)"
"""The form of an archive of arrays LAYER_kernel, LAYER_bias, ..."""

ARRAYS = "model.weights.h5"
"""Member of a .keras file that holds its arrays."""

_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK"
"""How the files begin."""

_ERRNO = re.compile(r", errno = (\d+), error message = ")
"""In HDF5's messages."""

_LONGEST_DESCRIPTION = 1 << 20
"""Bytes of the member DESCRIPTION. It is some hundred long."""

_WIDEST = 8
"""Bytes of a number of an array."""

_ORDER = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
"""Keras' order of a layer's variables."""

_NESTED_MODEL = re.compile(r"(model|functional)(_\d+)?")
_VGG16_LAYER = re.compile(r"(block\d_conv\d)(_\d+)?")

Arrays = Mapping[str, list[h5py.Dataset | np.ndarray]]
"""Layer name -> its arrays in the order of the layer's variables, still in the file: shapes cost nothing, and of a
network of which only a part is wanted only that part is read."""


@dataclass(frozen=True)
class WeightFile:
    """What a file holds.

    Attributes:
        form: the kind of file, for people.
        arrays: by the layer names of the file.
        description: what our .keras files say of their network; None for other files.
    """

    form: str
    arrays: Arrays
    description: Mapping[str, Any] | None = None


def check_form(path: Path) -> None:
    """Sees that a file could be one that `read` reads, by its first bytes.

    Raises:
        InputError: if it could not, or cannot be read.
    """
    with files.open_regular(path, InputError) as file, files.reading(path):
        start = file.read(len(_HDF5))
    _form(start, path)


def _form(start: bytes, path: Path) -> bytes:
    """_HDF5 or _ZIP, by the first bytes of a file.

    Raises:
        InputError: if it is neither.
    """
    if not start:
        raise InputError(f"{path}: the file is empty")
    for form in (_HDF5, _ZIP):
        if start.startswith(form):
            return form
    others = {b"\x08": "; it may be an ONNX file, whose name ends with .onnx", b"<?xml": "; OpenVINO's end with .xml"}
    hint = next((words for first, words in others.items() if start.startswith(first)), "")
    raise InputError(f"{path}: not a model file (neither .keras nor HDF5){hint}")


def read(path: Path) -> WeightFile:
    """Reads a file of any of the four kinds.

    Raises:
        InputError: if it is missing, empty, damaged, something else, or holds an array that belongs to no layer, or to
            another layer than the one that it stands under; or if the system cannot read it.
    """
    with files.open_archive(path, partial(_explain, path)) as file:
        if _form(file.read(len(_HDF5)), path) == _HDF5:
            # Open as long as one of its arrays is in use.
            return _read_hdf5(h5py.File(path, "r"), path)
        with zipfile.ZipFile(file) as archive:
            fault = archives.find_fault(archive, path.stat().st_size)
            if fault:
                raise InputError(f"{path}: {fault}")
            names = archive.namelist()
            if names and all(name.endswith(".npy") for name in names):
                return WeightFile(NPZ, _npz_arrays(archive, path))
            return _read_archive(archive, path)


def _explain(path: Path, error: Exception) -> InputError:
    """What h5py, zipfile or NumPy raised while they read a file, as an error for the user."""
    # h5py raises an OSError for damage, too, and a KeyError or RuntimeError for what the system refused; but only of
    # the latter HDF5 gives the number.
    in_text = _ERRNO.search(str(error))
    number = int(in_text[1]) if in_text else getattr(error, "errno", None)
    # A damaged file leads to places before its beginning, for which the system has a number, too.
    if number and number != errno.EINVAL:
        return InputError(f"{path}: cannot be read ({os.strerror(number)})")
    if isinstance(error, LookupError | ValueError | TypeError | AttributeError):
        return InputError(f"{path}: not a model file of HistoryNet, or a damaged one")
    return InputError(f"{path}: cannot be read (a damaged or unfinished file)")


def _read_archive(archive: zipfile.ZipFile, path: Path) -> WeightFile:
    if archive.getinfo(DESCRIPTION).file_size > _LONGEST_DESCRIPTION:
        raise InputError(f"{path}: its {DESCRIPTION} is longer than {_LONGEST_DESCRIPTION} bytes")
    description = json.loads(archive.read(DESCRIPTION))
    if not isinstance(description, dict):
        raise ValueError
    member = archive.getinfo(ARRAYS)
    is_stored = member.compress_type == zipfile.ZIP_STORED
    # To the end, where the checksum is compared; but not into memory, of which a full-size network takes 0.6 GB.
    unpacked = io.BytesIO()
    with archive.open(member) as content:
        while part := content.read(1 << 20):
            if not is_stored:
                unpacked.write(part)
    file = h5py.File(_Stored(path, member) if is_stored else unpacked, "r")
    return WeightFile(
        "HistoryNet .keras", _keras3_arrays(hdf5.list_contents(file, member.file_size, path), path), description
    )


class _Stored(io.RawIOBase):
    """A member that an archive stores as it is, read in its place."""

    _LOCAL_HEADER = struct.Struct("<26xHH")

    def __init__(self, path: Path, member: zipfile.ZipInfo):
        self._file = path.open("rb")
        self._file.seek(member.header_offset)
        name, extra = self._LOCAL_HEADER.unpack(self._file.read(self._LOCAL_HEADER.size))
        self._start = member.header_offset + self._LOCAL_HEADER.size + name + extra
        self._size = member.file_size
        self.seek(0)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        return self._file.seek(self._start + origin + offset) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start

    def readinto(self, buffer: memoryview) -> int:
        return self._file.readinto(memoryview(buffer)[: max(0, self._size - self.tell())])

    def close(self) -> None:
        self._file.close()
        super().close()


def _npz_arrays(archive: zipfile.ZipFile, path: Path) -> Arrays:
    found = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        variable = next((variable for variable in _ORDER if name.endswith(f"_{variable}")), None)
        if variable is None:
            raise InputError(f"{path}: holds an array {name!r}; LAYER_{' or LAYER_'.join(_ORDER[:2])} is needed")
        with archive.open(member) as content:
            # NumPy would take memory for whatever size the header says.
            archives.read_header(content, member.file_size)
        with archive.open(member) as content:
            array = np.lib.format.read_array(content, allow_pickle=False)
        found.setdefault(name.removesuffix(f"_{variable}"), {})[variable] = _array(array, name, path)
    return _in_order(found)


def _read_hdf5(file: h5py.File, path: Path) -> WeightFile:
    contents = hdf5.list_contents(file, path.stat().st_size, path)
    if "model_weights" in contents.groups:
        return WeightFile("Keras 2 model (.h5)", _keras2_arrays("model_weights/", contents, path))
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return WeightFile("Keras 2 weights (.h5)", _keras2_arrays("", contents, path))
    if "layers" in contents.groups:
        return WeightFile("Keras 3 weights (.weights.h5)", _keras3_arrays(contents, path))
    raise InputError(f"{path}: an HDF5 file, but not a model or weight file of Keras")


def _keras3_arrays(contents: hdf5.Contents, path: Path) -> Arrays:
    """Keras 3 groups a layer's arrays as LAYER/vars/0, 1, ... and notes the layer's name at `vars`.

    A layer within another stands in its group and is called OUTER/INNER here, as `assigning.layers_of` calls it.
    """
    arrays, used = {}, []
    for name, group in sorted(contents.groups.items()):
        if name.endswith("/vars") and len(group) and not name.startswith("optimizer"):
            layer = _full_name(contents, name.removesuffix("/vars"))
            if layer in arrays:
                raise InputError(f"{path}: holds the layer {layer!r} twice")
            names = [f"{name}/{i}" for i in range(len(group))]
            missing = [array for array in names if array not in contents.arrays]
            if missing:
                raise InputError(f"{path}: the array {missing[0]!r} of the layer {layer!r} is not there")
            arrays[layer] = [_array(contents.arrays[array], f"/{array}", path) for array in names]
            used.extend(names)
    _refuse_left_over(contents, used, "optimizer", path)
    return arrays


def _full_name(contents: hdf5.Contents, group: str) -> str:
    """The names of the layers that a group lies within, the outermost first, and of its own."""
    parts = group.split("/")
    outer = ("/".join([*parts[: i + 1], "vars"]) for i in range(len(parts)))
    return "/".join(contents.text(name, "name") for name in outer if name in contents.groups)


def _keras2_arrays(root: str, contents: hdf5.Contents, path: Path) -> Arrays:
    """Keras 2 groups arrays by layer, lists them in attributes, and repeats the layer's name in the arrays' names.

    The arrays of a nested model stand under the model's group, with their own layers' names.
    """
    found, used = {}, []
    for group in _names(contents, root.removesuffix("/"), "layer_names", path):
        for name in _names(contents, f"{root}{group}", "weight_names", path):
            layer, variable = _layer_and_variable(group, name, path)
            full = f"{root}{group}/{name}"
            if full not in contents.arrays:
                raise InputError(f"{path}: the array {name!r} that the layer {group!r} lists is not there")
            variables = found.setdefault(layer, {})
            if variable in variables:
                raise InputError(f"{path}: holds the array {name!r} of the layer {layer!r} twice")
            variables[variable] = _array(contents.arrays[full], name, path)
            used.append(full)
    _refuse_left_over(contents, used, "optimizer_weights", path)
    return _in_order(found)


def _in_order(found: Mapping[str, Mapping[str, h5py.Dataset | np.ndarray]]) -> Arrays:
    """Arrays by layer and variable -> by layer, in Keras' order of the variables."""
    return {layer: [variables[name] for name in _ORDER if name in variables] for layer, variables in found.items()}


def _names(contents: hdf5.Contents, group: str, attribute: str, path: Path) -> list[str]:
    if group not in contents.groups:
        raise InputError(f"{path}: the layer {group!r} that the file lists is not there")
    names = contents.names(group, attribute)
    if names is not None:
        return names
    # Keras cuts a list that is too long for one attribute into attribute0, attribute1, ...
    names = []
    for i in itertools.count():
        part = contents.names(group, f"{attribute}{i}")
        if part is None:
            break
        names += part
        if len(names) > hdf5.MOST:
            raise InputError(f"{path}: {f'/{group}'!r} has {attribute} that are no list of names")
    if not names:
        raise InputError(f"{path}: {f'/{group}'!r} does not list its {attribute}")
    return names


def _layer_and_variable(group: str, name: str, path: Path) -> tuple[str, str]:
    """The layer and the variable that an array of a group is of: (conv2d_6, kernel)."""
    old = re.fullmatch(r"(.+)_([Wb])(_\d+)?:0", name)
    if old:
        # Keras 1, which wrote VGG16's file: block1_conv1_W_1:0.
        layer, variable = old[1], {"W": "kernel", "b": "bias"}[old[2]]
    else:
        layer, _, variable = name.removesuffix(":0").rpartition("/")
    if variable not in _ORDER:
        raise InputError(f"{path}: the layer {group!r} holds an array {name!r}, which no layer of ours has")
    if _NESTED_MODEL.fullmatch(group):
        vgg16_layer = _VGG16_LAYER.fullmatch(layer)
        if not vgg16_layer:
            raise InputError(
                f"{path}: this is a combined model, several networks in one file; my_model_colorization..., "
                "my_model_discriminator... and my_model_classifier... hold them one by one"
            )
        return vgg16_layer[1], variable
    # Keras' own suffix tells a layer from an earlier one of the same name in the same process.
    if not re.fullmatch(re.escape(group) + r"(_\d+)?", layer):
        raise InputError(f"{path}: under the layer {group!r} stands an array of another layer, {name!r}")
    return group, variable


def values(arrays: Sequence[h5py.Dataset | np.ndarray], path: Path) -> list[np.ndarray]:
    """Arrays of a file, which may be read only now, as float32.

    Raises:
        InputError: if they cannot be read, or a number is not finite: a network would give colours all the same.
    """
    # What is too large for float32 becomes infinite.
    with files.reading(path), translated((OSError, RuntimeError), partial(_explain, path)), np.errstate(over="ignore"):
        read_now = [array[()].astype(np.float32, copy=False) for array in arrays]
    if not all(np.isfinite(array).all() for array in read_now):
        raise InputError(f"{path}: holds numbers that are not finite, as a training that went wrong leaves them")
    return read_now


def _array(array: h5py.Dataset | np.ndarray, name: str, path: Path) -> h5py.Dataset | np.ndarray:
    if array.dtype.kind != "f" or array.dtype.itemsize > _WIDEST:
        raise InputError(f"{path}: {name if name.isprintable() else repr(name)} is no array of real numbers")
    return array


def _refuse_left_over(contents: hdf5.Contents, used: Iterable[str], optimizer: str, path: Path) -> None:
    """Refuses a file with an array that no layer lists; the optimizer's state, beside the layers, is not needed."""
    for name in sorted(contents.arrays.keys() - set(used)):
        if not name.startswith(f"{optimizer}/"):
            raise InputError(f"{path}: holds an array {f'/{name}'!r} that belongs to none of its layers")
