"""What a file says of its network: which one of which system, with what architecture. No Keras is needed."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet.errors import InputError, reason
from historynet.systems import system
from historynet.systems.system import Colorizing, Registration

_BEFORE_SYSTEMS = "HistoryNet"
"""Whose files did not name their system, and had the architecture beside the network's name."""

_LONGEST = 200
"""Characters of the name of a system or of a network, which ends up in our messages."""


@dataclass(frozen=True)
class Description:
    """A network of a registered system.

    Attributes:
        registration: of the system.
        network: Keras name of the network.
        architecture: of the system.
    """

    registration: Registration
    network: str
    architecture: Any


def describe(system_name: str, network: str, architecture: Any) -> dict[str, Any]:
    """What a file is to say of its network; `understand` reads it.

    Args:
        system_name: of the system.
        network: Keras name of the network.
        architecture: of the system, a dataclass.
    """
    return {"system": system_name, "network": network, "architecture": dataclasses.asdict(architecture)}


def understand(description: Mapping[str, Any], path: Path) -> Description:
    """Finds the network that a file's description is of.

    Args:
        description: as the file holds it: plain JSON, of anybody.
        path: the file, for the messages.

    Raises:
        InputError: if it describes none, or one that this version does not know.
    """
    description = dict(description)
    damaged = f"{path}: not a model file of HistoryNet, or a damaged one"
    if "system" in description:
        name, network, values = (description.get(key) for key in ("system", "network", "architecture"))
    else:
        name, network, values = _BEFORE_SYSTEMS, description.pop("network", None), description
    texts = (name, network)
    if not all(isinstance(text, str) and len(text) < _LONGEST for text in texts) or not isinstance(values, dict):
        raise InputError(damaged)
    registration = system.find(name, path)
    if network not in registration.networks:
        raise InputError(damaged)
    try:
        architecture = _from_json(registration.architecture, values)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{damaged} ({reason(error)})") from error
    return Description(registration, network, architecture)


def check(found: Description, network: str, program: str | None, path: Path) -> None:
    """Sees that a file holds the network that is wanted.

    Args:
        found: what the file holds.
        network: Keras name of the one that is wanted.
        program: the program whose network is wanted; None: any.
        path: the file, for the messages.

    Raises:
        InputError: if it is of another kind or program.
    """
    if found.network != network:
        raise InputError(
            f"{path}: this is a {found.network}; a {network} is needed (my_model_colorization... is the one that "
            "colorizes)"
        )
    registration = found.registration
    its_program = registration.program(found.architecture)
    colorizes = registration.colorizing and network == registration.colorizing.network
    if colorizes and program not in (None, its_program):
        folders = dict(pair for known in system.registered().values() for pair in known.programs.items())
        raise InputError(
            f"{path}: this is a {its_program} model; {folders.get(program, program)} needs a {program} model"
            + (f" ({folders[its_program]} is for this one)" if its_program in folders else "")
        )


def check_colorizes(found: Description, program: str | None, path: Path) -> Colorizing:
    """Sees that a file holds the network of its system that colorizes; how it does.

    Args:
        found: as of `check`.
        program: as of `check`.
        path: as of `check`.

    Raises:
        InputError: as `check`; also if the system does not colorize.
    """
    colorizing = found.registration.colorizing
    if colorizing is None:
        raise InputError(f"{path}: a network of {found.registration.name}, which does not colorize pictures")
    check(found, colorizing.network, program, path)
    return colorizing


def check_architecture(architecture: Any) -> None:
    """Sees that an architecture comes back from a file as it is, before anything is trained with it.

    Fields can be numbers, texts, booleans, None, tuples and dataclasses of these, each with its type.

    Raises:
        TypeError: if not.
    """
    values = json.loads(json.dumps(dataclasses.asdict(architecture)))
    if _from_json(type(architecture), values) != architecture:
        raise TypeError(f"{architecture} does not come back from JSON as it is")


def _from_json(kind: type, values: Mapping[str, Any]) -> Any:
    """A dataclass of what `dataclasses.asdict` and JSON have made of it.

    Raises:
        TypeError, ValueError: if the values are not of the fields' types, or the dataclass refuses them.
    """
    hints = typing.get_type_hints(kind)
    unknown = values.keys() - hints.keys()
    if unknown:
        raise ValueError(f"there is no {min(unknown)!r} in it")
    return kind(**{name: _typed(hints[name], value, name) for name, value in values.items()})


def _typed(hint: Any, value: Any, name: str) -> Any:
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    for kind in kinds:
        origin = typing.get_origin(kind) or kind
        if dataclasses.is_dataclass(origin) and isinstance(value, dict):
            return _from_json(origin, value)
        if origin is tuple and isinstance(value, list):
            of_each = typing.get_args(kind)
            of_each = [of_each[0]] * len(value) if of_each[1:] == (...,) else of_each
            return tuple(_typed(one, item, name) for one, item in zip(of_each, value, strict=True))
        if origin is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, origin) and isinstance(value, bool) == (origin is bool):
            return value
    raise TypeError(f"{name} cannot be {value!r}")
