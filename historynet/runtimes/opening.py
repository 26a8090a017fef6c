"""A model file of any kind -> a network that colorizes, and of which system it is."""

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

from historynet import backend, extras
from historynet.errors import InputError
from historynet.runtimes import RUNTIMES, is_exported
from historynet.runtimes.network import Network
from historynet.systems.description import Description, check_colorizes

if TYPE_CHECKING:
    import keras

    from historynet.runtimes.on_onnx import OnnxNetwork
    from historynet.runtimes.on_openvino import OpenVinoNetwork


def check_installed(path: Path) -> str:
    """Sees that what computes an exported network is installed; one line that says what that is.

    Args:
        path: the network's file.

    Raises:
        InputError: if it is not.
    """
    package, name = RUNTIMES[path.suffix.lower()]
    if not extras.is_installed(package):
        raise InputError(f"{path}: needs {name}, which is not installed: {extras.how_to_install(package)}")
    return f"running on the CPU with {name} {importlib.metadata.version(package)}"


def identify(path: Path) -> Description:
    """Which network a model file of any kind holds.

    Raises:
        InputError: if it is none of ours.
    """
    if is_exported(path):
        return open_exported(path).description
    with backend.quiet():
        return _loading().identify(path)


def open_network(path: Path, program: str | None, precision: str) -> tuple[Network, Description]:
    """Opens the network of a model file of any kind, to colorize with it.

    Args:
        path: the file.
        program: the program whose network is wanted; None: any.
        precision: one of `settings.PRECISIONS`.

    Raises:
        InputError: if it is none of ours, of another program, of a system that does not colorize, or cannot be computed
            in this precision.
    """
    if is_exported(path):
        network = open_exported(path, precision)
        check_colorizes(network.description, program, path)
        return network, network.description
    with backend.quiet():
        # A variance can be larger than float16 holds.
        policy = "mixed_float16" if precision == "float16" else precision
        model, found = _loading().load_colorizing(path, program, policy)
        return of_keras(model, precision), found


def of_keras(model: "keras.Model", precision: str = "float32") -> Network:
    """A network of Keras, as `open_network` gives it."""
    from historynet.runtimes.on_keras import KerasNetwork

    return KerasNetwork(model, precision)


def _loading():
    # Keras takes its engine when it is imported; if it is already, it is used with what it runs on.
    backend.choose()
    from historynet.systems import loading

    return loading


def open_exported(path: Path, precision: str = "float32") -> "OnnxNetwork | OpenVinoNetwork":
    """Opens an exported network, whatever it is of.

    Raises:
        InputError: as `open_network`.
    """
    check_installed(path)
    if path.suffix.lower() == ".onnx":
        if precision != "float32":
            raise InputError(
                f"{path}: {precision} is not for it: onnxruntime computes in what the file was exported in"
            )
        from historynet.runtimes.on_onnx import OnnxNetwork

        return OnnxNetwork(path)
    if precision == "float16":
        raise InputError(f"{path}: float16 is not for it: OpenVINO computes in float32 or bfloat16 on processors")
    from historynet.runtimes.on_openvino import OpenVinoNetwork

    return OpenVinoNetwork(path, precision)
