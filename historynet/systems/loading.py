"""A system's networks <-> their files.

Every file is read as arrays into our own graph, completely or not at all (`historynet.weights`). Our files say which
system they belong to and with what architecture their network was made; those of before that was written are
HistoryNet's. Of other files each system is asked whether it recognises its own arrays.
"""

import contextlib
import dataclasses
import json
import threading
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from historynet.errors import InputError, reason
from historynet.systems import system
from historynet.systems.system import Registration, System
from historynet.weights import reading, writing
from historynet.weights.assigning import assign, check_fit, check_names, shapes_of
from historynet.weights.reading import Arrays

_BEFORE_SYSTEMS = "HistoryNet"
"""Whose files did not name their system, and had the architecture beside the network's name."""

_LONGEST = 200
"""Characters of the name of a system or of a network, which ends up in our messages."""


@dataclass(frozen=True)
class Contents:
    """A file that holds a network of a registered system.

    Attributes:
        form: the kind of file, for people.
        registration: of the system.
        network: Keras name of the network.
        architecture: of the system. Files that do not say it are recognised by the names and shapes of their arrays.
        arrays: by our layer names.
    """

    form: str
    registration: Registration
    network: str
    architecture: Any
    arrays: Arrays


def save(network: keras.Model, name: str, architecture: Any, path: Path, half: bool = False) -> None:
    """Writes a network as a .keras file that says, as JSON, which network of which system it is.

    Args:
        network: one of the system's networks.
        name: of the system.
        architecture: of the system, a dataclass.
        path: the file to write.
        half: as of `historynet.weights.writing.save`.

    Raises:
        InputError: if the file cannot be written, or float16 does not hold a kernel's values.
    """
    description = {"system": name, "network": network.name, "architecture": dataclasses.asdict(architecture)}
    writing.save(network, description, path, half)


def load(path: Path, name: str, network: str, program: str | None = None) -> tuple[keras.Model, Any]:
    """Builds the network that a file holds and fills it with the file's arrays.

    Args:
        path: a .keras file of ours, or another that the system recognises.
        name: the system that is wanted.
        network: Keras name of the network that is wanted.
        program: the program whose network is wanted; None: any.

    Returns:
        The network, and the system's architecture.

    Raises:
        InputError: if the file is missing, no network of ours, of another system, program or kind, or does not fit
            array for array.
    """
    contents = identify(path)
    if contents.registration.name != name:
        raise InputError(f"{path}: a network of {contents.registration.name}; one of {name} is needed")
    check(contents, network, program, path)
    return build(contents, path), contents.architecture


def load_colorizing(
    path: Path, program: str | None = None, dtype_policy: str = "float32"
) -> tuple[keras.Model, Registration]:
    """Builds what colorizing needs of the network that a file holds, and fills it.

    Layers that the colours do not need are neither built nor read, though the file must hold them.

    Args:
        path: a .keras file of ours, or another that a system recognises.
        program: the program whose network is wanted; None: any.
        dtype_policy: Keras' name of what the network computes in.

    Returns:
        The network, from L to a dict of outputs, and its system's registration.

    Raises:
        InputError: as `load`; also if the system does not colorize.
    """
    contents = identify(path)
    colorizing = contents.registration.colorizing
    if colorizing is None:
        raise InputError(f"{path}: a network of {contents.registration.name}, which does not colorize pictures")
    check(contents, colorizing.network, program, path)
    needed = contents.arrays
    shapes = shapes_of(lambda: colorizing.build(contents.architecture))
    if colorizing.layers:
        check_names(contents.arrays, colorizing.layers(contents.architecture), colorizing.network, path)
        needed = {name: contents.arrays[name] for name in shapes}
    check_fit(needed, shapes, colorizing.network, path)
    with dtype_policy_of(dtype_policy), _without_initial_values():
        network = colorizing.build(contents.architecture)
    assign(network, needed, path)
    return network, contents.registration


@contextlib.contextmanager
def dtype_policy_of(name: str) -> Iterator[None]:
    """Within it layers are made with Keras' dtype policy of this name."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


_making = threading.RLock()


@contextlib.contextmanager
def _without_initial_values() -> Iterator[None]:
    """Within it this thread makes layers with zeros, which a file's arrays replace; the others go on as ever.

    To draw initial values JAX compiles a program for each shape: several times what the rest of loading takes.
    """
    thread = threading.get_ident()
    # One at a time, so that what is put back in the end is Keras' own.
    with _making:
        add_weight = keras.Layer.add_weight

        def add_zeros(layer: keras.Layer, shape: Any = None, initializer: Any = None, *more: Any, **named: Any) -> Any:
            ours = threading.get_ident() == thread
            return add_weight(layer, shape, _zeros if ours else initializer, *more, **named)

        keras.Layer.add_weight = add_zeros
        try:
            yield
        finally:
            keras.Layer.add_weight = add_weight


def _zeros(shape: Any, dtype: Any = None) -> Any:
    return keras.ops.convert_to_tensor(np.zeros(shape, np.float32), dtype)


def identify(path: Path) -> Contents:
    """Reads a file and finds which network it holds.

    Raises:
        InputError: if it is none of ours; naming the first layer that is missing or left over.
    """
    file = reading.read(path)
    if file.description is not None:
        return _described(file, path)
    nearly = []
    for registration in system.registered().values():
        try:
            found = registration.recognise and registration.recognise(file.arrays, path)
        except InputError as error:
            # It may be whole to another system.
            nearly.append(error)
            continue
        if found:
            network, architecture, arrays = found
            return Contents(file.form, registration, network, architecture, arrays)
    raise nearly[0] if nearly else InputError(f"{path}: holds weights, but of no network that this program has")


def build(contents: Contents, path: Path) -> keras.Model:
    """The network that a file holds, filled.

    Raises:
        InputError: if the arrays do not fit.
    """
    build_it = partial(contents.registration.networks[contents.network], contents.architecture)
    # Before the network takes the memory that the file says.
    check_fit(contents.arrays, shapes_of(build_it), contents.network, path)
    with _without_initial_values():
        network = build_it()
    assign(network, contents.arrays, path)
    return network


def check(contents: Contents, network: str, program: str | None, path: Path) -> None:
    """Sees that a file holds the network that is wanted.

    Raises:
        InputError: if it is of another kind or program.
    """
    if contents.network != network:
        raise InputError(
            f"{path}: this is a {contents.network}; a {network} is needed (my_model_colorization... is the one that "
            "colorizes)"
        )
    registration = contents.registration
    found = registration.program(contents.architecture)
    colorizes = registration.colorizing and network == registration.colorizing.network
    if colorizes and program not in (None, found):
        folders = dict(pair for known in system.registered().values() for pair in known.programs.items())
        raise InputError(
            f"{path}: this is a {found} model; {folders.get(program, program)} needs a {program} model"
            + (f" ({folders[found]} is for this one)" if found in folders else "")
        )


def check_system(trained: System) -> None:
    """Sees that a system's networks will be found again in their files, before anything is trained.

    Raises:
        TypeError: if the system or one of its networks is not registered, by the name it has, or the architecture does
            not come back from a file as it is.
    """
    registration = system.registered().get(trained.name)
    if registration is None:
        raise TypeError(f"{trained.name} is not registered, so that its files could not be read again")
    for name, network in trained.networks.items():
        if network.name not in registration.networks:
            raise TypeError(
                f"{trained.name}'s network {name!r} is called {network.name!r}; its registration has "
                f"{', '.join(registration.networks)}"
            )
    check_architecture(trained.architecture)


def check_architecture(architecture: Any) -> None:
    """Sees that an architecture comes back from a file as it is, before anything is trained with it.

    Fields can be numbers, texts, booleans, None, tuples and dataclasses of these, each with its type.

    Raises:
        TypeError: if not.
    """
    values = json.loads(json.dumps(dataclasses.asdict(architecture)))
    if _from_json(type(architecture), values) != architecture:
        raise TypeError(f"{architecture} does not come back from JSON as it is")


def _described(file: reading.WeightFile, path: Path) -> Contents:
    description = dict(file.description)
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
    return Contents(file.form, registration, network, architecture, file.arrays)


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
