"""OpenVINO's files from anybody, NAME.xml and NAME.bin: what is refused by their bytes, before OpenVINO sees them."""

import hashlib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from historynet.errors import InputError
from historynet.runtimes import exported

_START = b'<?xml version="1.0"?>\n<net '
"""As OpenVINO begins. So the text is UTF-8, and no other reader takes it for anything else."""

_LARGEST_TEXT = 16 << 20
"""Bytes of the .xml file; a network of the papers has 0.3 MB."""

_MOST = 100_000
"""Elements of the .xml file; a network of the papers has some thousand."""

WEIGHTS = "weights"
"""In the description: SHA-256 of the .bin file, so that the two are never mixed up."""

LAYERS = frozenset(
    {
        *("Add", "Broadcast", "Clamp", "Concat", "Const", "Convert", "Convolution", "ConvolutionBackpropData"),
        *("Divide", "Exp", "FakeQuantize", "Gather", "MatMul", "MaxPool", "Maximum", "Multiply", "Negative", "PReLU"),
        *("Pad", "Parameter", "Power", "ReLU", "ReduceMax", "ReduceMean", "ReduceProd", "ReduceSum", "Reshape"),
        *("Result", "ShapeOf", "Sigmoid", "Slice", "SoftMax", "Split", "Sqrt", "Squeeze", "StridedSlice", "Subtract"),
        *("Tanh", "Tile", "Transpose", "Unsqueeze", "Interpolate"),
    }
)
"""What the networks of our systems consist of. None repeats, branches, or reads a file."""

_FLOATS = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2"), "f64": np.dtype("<f8")}
_OTHERS = {"u8", "i8", "i32", "i64", "boolean"}


def read(path: Path) -> tuple[bytes, bytes, str]:
    """The contents of NAME.xml and NAME.bin that are no more than a network, and what they say of themselves.

    Raises:
        InputError: if one is missing, damaged, something else, not exported by us, or holds what our export never does.
    """
    text = exported.read_whole(path, _LARGEST_TEXT)
    # A document type could define texts that grow without limit.
    if not text.startswith(_START) or b"<!" in text:
        raise InputError(f"{path}: not an OpenVINO network (.xml) as our export writes it")
    try:
        net = ElementTree.fromstring(text)
    except (ElementTree.ParseError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: a damaged OpenVINO network (.xml)") from error
    if sum(1 for _ in net.iter()) > _MOST:
        raise InputError(f"{path}: has more than {_MOST} elements, as no exported network has")
    told = [element.get("value") for element in net.findall(f"rt_info/{exported.KEY}")]
    if len(told) != 1 or told[0] is None:
        raise InputError(f"{path}: not exported by `python -m historynet.weights export`: it does not say what it is")
    weights = _read_weights(path)
    _check_layers(net, weights, path)
    return text, weights, told[0]


def weights_file(path: Path) -> Path:
    """NAME.xml -> NAME.bin."""
    return path.with_suffix(".bin")


def check_replaces(path: Path) -> None:
    """Sees that no file of others is lost where our weights will be.

    Args:
        path: NAME.xml, which is to be written.

    Raises:
        InputError: if NAME.bin is there, and NAME.xml is none of ours.
    """
    beside = weights_file(path)
    if not beside.exists():
        return
    try:
        read(path)
    except InputError as error:
        raise InputError(
            f"{beside}: is there already, of no network {path.name} of ours, and would be replaced; name another file"
        ) from error


def _read_weights(path: Path) -> bytes:
    beside = weights_file(path)
    if not beside.exists():
        raise InputError(f"{path}: its weights, {beside.name}, are not beside it")
    if beside.resolve().parent != path.resolve().parent:
        raise InputError(f"{path}: its weights, {beside.name}, are a link to another folder, which is not followed")
    return exported.read_whole(beside)


def check_weights(weights: bytes, told: object, path: Path) -> None:
    """Sees that the weights are those that the network was written with.

    Args:
        weights: content of NAME.bin.
        told: what the description says of them.
        path: NAME.xml.

    Raises:
        InputError: if not.
    """
    if hashlib.sha256(weights).hexdigest() != told:
        raise InputError(f"{path}: {weights_file(path).name} beside it is damaged, or of another network")


def _check_layers(net: ElementTree.Element, weights: bytes, path: Path) -> None:
    for layer in net.iter("layer"):
        kind = layer.get("type", "")
        if kind not in LAYERS or not layer.get("version", "").startswith("opset"):
            raise InputError(f"{path}: holds a layer of type {kind[:100]!r}, which no exported network has")
        if layer.find("body") is not None or layer.find("then_body") is not None:
            raise InputError(f"{path}: holds a layer with a network of its own, which no exported network has")
        if kind == "Const":
            _check_constant(layer.find("data"), weights, path)


def _check_constant(data: ElementTree.Element | None, weights: bytes, path: Path) -> None:
    values = {} if data is None else data.attrib
    try:
        offset, size, kind = int(values["offset"]), int(values["size"]), values["element_type"]
        sides = [int(side) for side in values["shape"].split(",") if side]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: holds an array without a place in the weights") from error
    if min([offset, size, *sides]) < 0 or offset + size > len(weights):
        raise InputError(f"{path}: holds an array that is not within the weights")
    if kind not in _FLOATS:
        if kind not in _OTHERS:
            raise InputError(f"{path}: holds an array of a kind that no exported network has")
        return
    if size % _FLOATS[kind].itemsize:
        raise InputError(f"{path}: holds an array that is not within the weights")
    count = size // _FLOATS[kind].itemsize
    exported.check_finite(np.frombuffer(weights, _FLOATS[kind], count, offset), path)
