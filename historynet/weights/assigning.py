"""Arrays -> the layers of a network: all of them or none."""

from collections.abc import Collection
from pathlib import Path

import keras

from historynet.errors import InputError
from historynet.weights import reading
from historynet.weights.reading import Arrays


def assign(network: keras.Model, arrays: Arrays, path: Path, complete: bool = True) -> None:
    """Gives a network the arrays of a file.

    Args:
        network: the network to fill.
        arrays: the arrays, by layer.
        path: the file they came from, for the messages.
        complete: whether every variable of the network must be filled; every array must be used in any case.

    Raises:
        InputError: naming the first layer that is missing, left over, or of another shape, nothing being assigned
            then; or if the file cannot be read to its end.
    """
    layers = {layer.name: layer for layer in network.layers if layer.weights}
    check_names(arrays, layers if complete else [name for name in layers if name in arrays], network.name, path)
    for name, values in arrays.items():
        variables = layers[name].weights
        if [tuple(value.shape) for value in values] != [tuple(variable.shape) for variable in variables]:
            in_file = ", ".join(str(tuple(value.shape)) for value in values)
            needed = ", ".join(str(tuple(variable.shape)) for variable in variables)
            raise InputError(f"{path}: layer {name!r} has arrays of shape {in_file}; the {network.name} needs {needed}")
    for name, values in arrays.items():
        layers[name].set_weights(reading.values(values, path))


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
