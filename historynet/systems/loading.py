"""A system's networks <-> their files.

Every file is read as arrays into our own graph, completely or not at all (`historynet.weights`). Our files say which
system they belong to and with what architecture their network was made; those of before that was written are
HistoryNet's. Of other files each system is asked whether it recognises its own arrays.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from historynet.errors import InputError
from historynet.systems import system
from historynet.systems.description import (
    Description,
    check,
    check_architecture,
    check_colorizes,
    describe,
    understand,
)
from historynet.systems.system import System
from historynet.weights import reading, writing
from historynet.weights.assigning import assign, check_fit, check_names, shapes_of
from historynet.weights.reading import Arrays


@dataclass(frozen=True)
class Contents(Description):
    """A file that holds a network of a registered system.

    Files that do not say which one are recognised by the names and shapes of their arrays.

    Attributes:
        form: the kind of file, for people.
        arrays: by our layer names.
    """

    form: str
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
    writing.save(network, describe(name, network.name, architecture), path, half)


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
) -> tuple[keras.Model, Description]:
    """Builds what colorizing needs of the network that a file holds, and fills it.

    Layers that the colours do not need are neither built nor read, though the file must hold them.

    Args:
        path: a .keras file of ours, or another that a system recognises.
        program: the program whose network is wanted; None: any.
        dtype_policy: Keras' name of what the network computes in.

    Returns:
        The network, from L to a dict of outputs, and which one of which system it is.

    Raises:
        InputError: as `load`; also if the system does not colorize.
    """
    contents = identify(path)
    colorizing = check_colorizes(contents, program, path)
    needed = contents.arrays
    shapes = shapes_of(lambda: colorizing.build(contents.architecture))
    if colorizing.layers:
        check_names(contents.arrays, colorizing.layers(contents.architecture), colorizing.network, path)
        needed = {name: contents.arrays[name] for name in shapes}
    check_fit(needed, shapes, colorizing.network, path)
    with dtype_policy_of(dtype_policy), _without_initial_values():
        network = colorizing.build(contents.architecture)
    assign(network, needed, path)
    return network, Description(contents.registration, contents.network, contents.architecture)


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
        found = understand(file.description, path)
        return Contents(found.registration, found.network, found.architecture, file.form, file.arrays)
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
            return Contents(registration, network, architecture, file.form, arrays)
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
