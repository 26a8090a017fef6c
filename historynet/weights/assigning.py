"""Arrays -> the layers of a network: all of them or none."""

import random
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras

from historynet.errors import InputError
from historynet.weights import reading
from historynet.weights.reading import Arrays

Shapes = Mapping[str, list[tuple[int, ...]]]
"""Layer name -> the shapes of its arrays."""


def assign(network: keras.Model, arrays: Arrays, path: Path, complete: bool = True) -> None:
    """Gives a network the arrays of a file.

    Args:
        network: the network to fill.
        arrays: the arrays, by layer.
        path: the file they came from, for the messages.
        complete: whether every variable of the network must be filled; every array must be used in any case.

    Raises:
        InputError: naming the first layer that is missing, left over, or of another shape, nothing being assigned
            then; or if the file cannot be read to its end, or holds numbers that are not finite.
    """
    layers = layers_of(network)
    check_fit(arrays, {name: _own_shapes(layer) for name, layer in layers.items()}, network.name, path, complete)
    for name, values in arrays.items():
        layers[name].load_own_variables({str(i): value for i, value in enumerate(reading.values(values, path))})


def check_fit(arrays: Arrays, shapes: Shapes, network: str, path: Path, complete: bool = True) -> None:
    """Sees that a network can be filled with the arrays of a file.

    Args:
        arrays: the arrays, by layer.
        shapes: what the network's layers need.
        network: its name, for the messages.
        path: the file they came from.
        complete: as of `assign`.

    Raises:
        InputError: as `assign`.
    """
    check_names(arrays, shapes if complete else [name for name in shapes if name in arrays], network, path)
    for name, values in arrays.items():
        if [tuple(value.shape) for value in values] != shapes[name]:
            in_file = ", ".join(str(tuple(value.shape)) for value in values)
            needed = ", ".join(map(str, shapes[name]))
            raise InputError(f"{path}: layer {name!r} has arrays of shape {in_file}; the {network} needs {needed}")


def shapes_of(build: Callable[[], keras.Model]) -> Shapes:
    """What the layers of a network need, by its graph alone: none of its arrays is made.

    A file can say that its network is of any size.

    Args:
        build: makes the network.
    """

    def find() -> Shapes:
        with keras.StatelessScope(initialize_variables=False):
            return {name: _own_shapes(layer) for name, layer in layers_of(build()).items()}

    # Keras draws seeds of random arrays meanwhile; those of the networks to come must be what they would have been.
    state = random.getstate()
    try:
        # In a thread of its own: in this one Keras would make the arrays at the next occasion.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(find).result()
    finally:
        random.setstate(state)


def layers_of(network: keras.Model) -> dict[str, keras.Layer]:
    """The layers that have variables of their own, by their names.

    A layer within another (attention, spectral normalisation, a network in a network) is called OUTER/INNER.

    Raises:
        ValueError: if two layers have one name.
    """
    found = {}

    def visit(layer: keras.Layer, name: str) -> None:
        if name in found:
            raise ValueError(f"two layers of {network.name} are called {name!r}")
        if _own_shapes(layer):
            found[name] = layer
        for inner in _inner_layers(layer):
            visit(inner, f"{name}/{inner.name}")

    for layer in network.layers:
        visit(layer, layer.name)
    return found


def _own_shapes(layer: keras.Layer) -> list[tuple[int, ...]]:
    """The shapes of the arrays that a layer itself stores, in their order."""
    store = {}
    layer.save_own_variables(store)
    return [tuple(value.shape) for value in store.values()]


def _inner_layers(layer: keras.Layer) -> list[keras.Layer]:
    """The layers that a layer holds as its attributes, alone or in lists, or as a network."""
    if isinstance(layer, keras.Model):
        return layer.layers
    inner = {}
    for value in vars(layer).values():
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        inner |= {id(one): one for one in values if isinstance(one, keras.Layer)}
    return list(inner.values())


def check_names(arrays: Arrays, layers: Collection[str], network: str, path: Path) -> None:
    """Sees that a file holds these layers and no other.

    Raises:
        InputError: naming the first layer that is left over or missing.
    """
    left_over = [name for name in arrays if name not in layers]
    if left_over:
        raise InputError(f"{path}: holds a layer {left_over[0]!r} that the {network} does not have")
    missing = [name for name in layers if name not in arrays]
    if missing:
        raise InputError(f"{path}: the {network}'s layer {missing[0]!r} is not in the file")
