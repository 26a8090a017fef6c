"""ONNX files from anybody: what is refused by their bytes, before onnxruntime sees them.

ONNX lets an array lie in any other file, a node hold a graph of its own, and a model bring functions. Our export needs
none of that. An ONNX file is a message of Protocol Buffers: numbered fields, some of which are messages themselves.
"""

import struct
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from historynet.errors import InputError
from historynet.runtimes import exported

_MOST = 200_000
"""Fields of a file that are looked at. A network has some thousand."""

OPERATORS = frozenset(
    {
        *("Add", "BatchNormalization", "Cast", "Concat", "Conv", "ConvTranspose", "DequantizeLinear", "Div", "Exp"),
        *("Gather", "Gemm", "GlobalAveragePool", "Identity", "LeakyRelu", "MatMul", "MaxPool", "Mul", "Pad"),
        *("QuantizeLinear", "ReduceMax", "ReduceSum", "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Slice"),
        *("Softmax", "Sqrt", "Squeeze", "Sub", "Tanh", "Tile", "Transpose", "Unsqueeze"),
    }
)
"""What the networks of our systems consist of. None repeats, branches, or makes large arrays of nothing."""

# Numbers of fields (onnx.proto), of those that our export writes.
_MODEL = {1: "ir_version", 2: "producer_name", 3: "producer_version", 4: "domain", 5: "model_version", 6: "doc_string"}
_GRAPH, _OPSET, _PROPERTY = 7, 8, 14
_NODE, _INITIALIZER, _OF_GRAPH = 1, 5, (2, 10, 11, 12, 13)
_OPERATOR, _ATTRIBUTE, _DOMAIN, _OF_NODE = 4, 5, 7, (1, 2, 3, 6)
_TENSOR, _OF_ATTRIBUTE = 5, (1, 2, 3, 4, 7, 8, 13, 20)
_KIND, _FLOATS, _RAW, _EXTERNAL, _LOCATION, _OF_TENSOR = 2, 4, 9, 13, 14, (1, 5, 7, 8)

_FLOAT, _KINDS = 1, frozenset({1, 2, 3, 6, 7, 9})
"""Of arrays: float32; and with it uint8, int8, int32, int64 and bool."""

_NUMBER, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
"""Kinds of fields."""


class _DamageError(Exception):
    """The bytes are no message."""


class _Reader:
    """Reads messages, up to so many fields in all."""

    def __init__(self):
        self._left = _MOST

    def fields(self, message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
        """(number, kind, content) of each field, a number's content being its bytes."""
        position = 0
        while position < len(message):
            self._left -= 1
            if self._left < 0:
                raise _DamageError
            key, position = _varint(message, position)
            number, kind = key >> 3, key & 7
            if kind == _NUMBER:
                end = _varint(message, position)[1]
            elif kind == _BYTES:
                length, position = _varint(message, position)
                end = position + length
            elif kind in (_EIGHT, _FOUR):
                end = position + (8 if kind == _EIGHT else 4)
            else:
                raise _DamageError
            if end > len(message):
                raise _DamageError
            yield number, kind, message[position:end]
            position = end


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number, seven bits a byte, and where it ends."""
    value = shift = 0
    while shift < 70 and position < len(message):
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    raise _DamageError


def read(path: Path) -> tuple[bytes, str]:
    """The content of an ONNX file that is no more than a network, and what it says of itself (`exported.understand`).

    Raises:
        InputError: if it is missing, damaged, something else, not exported by us, or holds what our export never does.
    """
    data = exported.read_whole(path)
    try:
        told = _check_model(memoryview(data), path)
    except (_DamageError, struct.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not an ONNX file, or a damaged one") from error
    if told is None:
        raise InputError(f"{path}: not exported by `python -m historynet.weights export`: it does not say what it is")
    return data, told


def _check_model(model: memoryview, path: Path) -> str | None:
    reader, told = _Reader(), []
    graphs = 0
    for number, kind, content in reader.fields(model):
        if number == _GRAPH and kind == _BYTES:
            graphs += 1
            _check_graph(reader, content, path)
        elif number == _OPSET and kind == _BYTES:
            # The domain's name is field 1; the standard's is empty. tf2onnx names one more, of which nothing is used.
            names = [bytes(part).decode() for field, _, part in reader.fields(content) if field == 1]
            _refuse(names, ("", "ai.onnx.ml"), "operators of the domain", path)
        elif number == _PROPERTY and kind == _BYTES:
            pair = {field: bytes(part).decode() for field, _, part in reader.fields(content)}
            if pair.get(1) == exported.KEY:
                told.append(pair.get(2, ""))
        elif number not in _MODEL:
            raise InputError(f"{path}: holds what no exported network has (field {number} of the model)")
    if graphs != 1:
        raise _DamageError
    if len(told) > 1:
        raise InputError(f"{path}: says twice what it is")
    return told[0] if told else None


def _check_graph(reader: _Reader, graph: memoryview, path: Path) -> None:
    for number, kind, content in reader.fields(graph):
        if number == _NODE and kind == _BYTES:
            _check_node(reader, content, path)
        elif number == _INITIALIZER and kind == _BYTES:
            _check_tensor(reader, content, path)
        elif number not in _OF_GRAPH:
            raise InputError(f"{path}: holds what no exported network has (field {number} of the graph)")


def _check_node(reader: _Reader, node: memoryview, path: Path) -> None:
    for number, kind, content in reader.fields(node):
        if number == _OPERATOR:
            _refuse([bytes(content).decode()], OPERATORS, "an operator", path)
        elif number == _DOMAIN:
            _refuse([bytes(content).decode()], ("",), "an operator of the domain", path)
        elif number == _ATTRIBUTE and kind == _BYTES:
            for field, form, part in reader.fields(content):
                if field == _TENSOR and form == _BYTES:
                    _check_tensor(reader, part, path)
                elif field not in _OF_ATTRIBUTE:
                    raise InputError(f"{path}: holds a node with more than numbers (field {field} of an attribute)")
        elif number not in _OF_NODE:
            raise InputError(f"{path}: holds what no exported network has (field {number} of a node)")


def _check_tensor(reader: _Reader, tensor: memoryview, path: Path) -> None:
    kinds, parts = [], []
    for number, _, content in reader.fields(tensor):
        if number == _EXTERNAL or (number == _LOCATION and bytes(content) != b"\0"):
            raise InputError(f"{path}: keeps arrays in another file, which is never read")
        if number == _KIND:
            kinds.append(_varint(content, 0)[0])
        elif number in (_FLOATS, _RAW):
            parts.append((number, content))
        elif number not in (*_OF_TENSOR, _LOCATION):
            raise InputError(f"{path}: holds what no exported network has (field {number} of an array)")
    if len(kinds) != 1 or kinds[0] not in _KINDS:
        raise InputError(f"{path}: holds an array of a kind that no exported network has")
    for number, content in parts:
        if number == _FLOATS or kinds[0] == _FLOAT:
            if len(content) % 4:
                raise _DamageError
            exported.check_finite(np.frombuffer(content, "<f4"), path)


def _refuse(names: Collection[str], known: Collection[str], what: str, path: Path) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"{path}: holds {what} {unknown[0][:100]!r}, which no exported network has")
