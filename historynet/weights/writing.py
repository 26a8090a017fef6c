"""A network -> a .keras file: Keras' own archive with one more member that says which network it is."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from historynet import files
from historynet.errors import InputError
from historynet.weights.reading import ARRAYS, DESCRIPTION


def save(network: keras.Model, description: Mapping[str, Any], path: Path, half: bool = False) -> None:
    """Writes a network as a .keras file with a description.

    Args:
        network: what is saved.
        description: what the file is to say of it; anything that JSON holds.
        path: the file to write.
        half: whether kernels are stored as float16, in half the space; they are float32 again when they are read.

    Raises:
        InputError: if the file cannot be written, or float16 does not hold a kernel's values.
    """

    def write(temporary: Path) -> None:
        network.save(temporary)
        if half:
            _halve_in_place(temporary, path)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(DESCRIPTION, json.dumps(description))

    files.write_atomically(path, write)


def _halve_in_place(archive_file: Path, path: Path) -> None:
    with zipfile.ZipFile(archive_file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    try:
        members[ARRAYS] = _halved(members[ARRAYS])
    except OverflowError as error:
        raise InputError(f"{path}: {error}; the network cannot be stored in it") from error
    with zipfile.ZipFile(archive_file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _halved(data: bytes) -> bytes:
    """The content of a .weights.h5 with its kernels, which are nearly all of it, in float16.

    Vectors stay as they are: variances can be larger than float16 holds.

    Raises:
        OverflowError: naming the first kernel with a value that float16 does not hold.
    """
    half = io.BytesIO()
    with h5py.File(io.BytesIO(data), "r") as source, h5py.File(half, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made = target.require_group(name)
            else:
                values = item[()]
                if values.ndim > 1:
                    if np.abs(values).max() > np.finfo(np.float16).max:
                        raise OverflowError(f"{item.parent.attrs['name']} has values beyond float16")
                    values = values.astype(np.float16)
                made = target.create_dataset(name, data=values)
            made.attrs.update(item.attrs)

        source.visititems(copy)
    return half.getvalue()
