"""What an exported network's file says of itself, and what is refused in any such file.

A file comes from anybody. So it must be of the form that our export writes, and of nothing more: operators of a short
list, numbers that are finite, all within the file. What it says of itself is JSON: as of a .keras file of ours which
network it is, and with it what decoding hangs on.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from historynet import files
from historynet.errors import InputError, reason
from historynet.systems import description
from historynet.systems.description import Description

KEY = "historynet"
"""Under which a file holds its description."""

FLOAT32, INT8 = "float32", "int8"

LARGEST = 2**31 - 1
"""Bytes of a file: all that an ONNX file can have. The largest network of the papers has 0.6 GB."""

_LONGEST_DESCRIPTION = 1 << 20
"""Characters; the colours of the films CNN take some thousand."""

_LARGEST_SIDE = 4096

LARGEST_DIFFERENCE = 1e-4
"""An exported network's raw outputs may differ from Keras' by so much, as a part of the largest of them, or of 1."""


def describe(found: Description, size: Sequence[int], precision: str) -> dict[str, Any]:
    """What a file is to say of its network; `understand` reads it.

    Args:
        found: which network it is.
        size: (height, width) of the pictures that it sees.
        precision: FLOAT32 or INT8.
    """
    registration = found.registration
    told = description.describe(registration.name, found.network, found.architecture)
    told |= {"size": list(size), "precision": precision, "decoding": registration.colorizing.constants()}
    # As it will be when it is read.
    return json.loads(json.dumps(told))


def understand(text: str, path: Path) -> tuple[Description, dict[str, Any]]:
    """Which network a file holds, and all that it says of it.

    Raises:
        InputError: if it does not say so, or was exported by a version that decodes otherwise.
    """
    damaged = f"{path}: not an exported network of HistoryNet, or a damaged one"
    try:
        told = json.loads(text) if len(text) <= _LONGEST_DESCRIPTION else None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{damaged} ({reason(error)})") from error
    if not isinstance(told, dict) or "system" not in told or told.get("precision") not in (FLOAT32, INT8):
        raise InputError(damaged)
    size = told.get("size")
    is_size = isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)
    if not is_size or not all(0 < side <= _LARGEST_SIDE for side in size):
        raise InputError(f"{damaged} (its size is none)")
    found = description.understand(told, path)
    colorizing = description.check_colorizes(found, None, path)
    # As JSON, where 1 and true differ.
    if json.dumps(told.get("decoding")) != json.dumps(colorizing.constants()):
        raise InputError(f"{path}: its outputs mean other colours than in this version; export the model again")
    return found, told


def check_ports(
    found: Description,
    size: Sequence[int],
    inputs: Sequence[tuple[str, Sequence[Any], bool]],
    outputs: Mapping[str, tuple[Sequence[Any], bool]],
    path: Path,
) -> None:
    """Sees that a network takes L and gives what its system decodes.

    Args:
        found: which network it is.
        size: (height, width) that the file speaks of.
        inputs: name, shape and whether it is float32 of each input; a number of any other kind is unknown.
        outputs: shape and whether it is float32 by name.
        path: the file.

    Raises:
        InputError: if not.
    """
    wanted = found.registration.colorizing.outputs
    if len(inputs) != 1 or list(inputs[0][1][1:]) != [*size, 1] or not inputs[0][2] or len(inputs[0][1]) != 4:
        raise InputError(f"{path}: its input is no luminance of {size[0]}x{size[1]}")
    for name, channels in wanted.items():
        shape, is_float = outputs.get(name, ((), False))
        sides = list(shape[1:3])
        if not is_float or len(shape) != 4 or shape[3] != channels or not all(_is_side(side) for side in sides):
            raise InputError(f"{path}: gives no {name!r} of {channels} channels, which its system decodes")
    if len(outputs) != len(wanted):
        raise InputError(f"{path}: gives more outputs than its system decodes")


def _is_side(side: Any) -> bool:
    return isinstance(side, int) and 0 < side <= _LARGEST_SIDE


def read_whole(path: Path, largest: int = LARGEST) -> bytes:
    """The bytes of a file, which is no pipe and of no size that nobody has use for.

    Raises:
        InputError: if it cannot be read, or is empty or too large.
    """
    file: BinaryIO
    with files.open_regular(path, InputError) as file, files.reading(path):
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise InputError(f"{path}: the file is empty")
        if size > largest:
            raise InputError(f"{path}: has {size:,} bytes; {largest:,} are read at most")
        return file.read()


def check_finite(values: np.ndarray, path: Path) -> None:
    """Sees that numbers of a network are finite: it would give colours all the same.

    Raises:
        InputError: if not.
    """
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds numbers that are not finite, as a training that went wrong leaves them")
