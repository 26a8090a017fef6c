"""ONNX models of two or three operations, written byte by byte: each pixel's class by its colour."""

import numpy as np

_FLOAT, _INT64 = 1, 7


def _varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _field(number, value):
    """A field of a protocol buffer: an integer, or bytes, a text or another message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _tensor(name, values):
    kind = _INT64 if values.dtype == np.int64 else _FLOAT
    dims = b"".join(_field(1, size) for size in values.shape)
    return dims + _field(2, kind) + _field(8, name) + _field(9, values.tobytes())


def _value(name, shape, kind=_FLOAT):
    dims = b"".join(_field(1, _field(1, size) if isinstance(size, int) else _field(2, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, dims)))


def _node(operation, inputs, output, **integers):
    attributes = b"".join(
        _field(5, _field(1, name) + _field(3, value) + _field(20, 2)) for name, value in integers.items()
    )
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operation) + attributes


def write_nearest_colour(path, colours, channels_first=True, argmax=False, size=("rows", "columns")):
    """A model whose logit of class k is 2 c_k x - c_k c_k of a pixel x: the largest is that of the nearest colour.

    Args:
        path: the file.
        colours: (classes, 3), in what the model sees.
        channels_first: NCHW or NHWC.
        argmax: whether it gives classes instead of logits.
        size: rows and columns of its pictures; names: any.
    """
    colours = np.asarray(colours, np.float32)
    offsets, classes = -(colours**2).sum(axis=1), len(colours)
    rows, columns = size
    if channels_first:
        first, axis = _node("Conv", ["x", "w", "b"], "logits"), 1
        shape, kernel = [1, 3, rows, columns], (2 * colours).reshape(classes, 3, 1, 1)
        nodes, result = [first], [1, classes, rows, columns]
    else:
        axis, kernel = 3, np.ascontiguousarray(2 * colours.T)
        nodes = [_node("MatMul", ["x", "w"], "products"), _node("Add", ["products", "b"], "logits")]
        shape, result = [1, rows, columns, 3], [1, rows, columns, classes]
    outputs = [_value("logits", result)]
    if argmax:
        nodes.append(_node("ArgMax", ["logits"], "found", axis=axis, keepdims=0))
        outputs.insert(0, _value("found", [1, rows, columns], _INT64))
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "nearest")
    graph += _field(5, _tensor("w", kernel)) + _field(5, _tensor("b", offsets))
    graph += _field(11, _value("x", shape)) + b"".join(_field(12, output) for output in outputs)
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13)))
