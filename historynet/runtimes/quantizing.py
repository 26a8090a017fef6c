"""An exported network in float32 -> the same computing in int8 where that costs it nothing to speak of.

Static quantisation: the ranges of all values are those that some pictures gave; weights have one for each channel. A
few layers take it badly, and which ones differs from network to network. So each is quantised alone first, and those
whose change of the outputs is not small stay in float32.
"""

import copy
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_KINDS = ["Conv", "MatMul"]
"""Operators that are quantised; nearly all of the time goes there."""

_SMALL = 1e-3
"""Of the variance of the outputs: the mean square of what quantising one layer alone may change."""

_TRIED = 6
"""Pictures on which that is measured."""


def quantise(path: Path, luminance: Sequence[np.ndarray]) -> list[str]:
    """Quantises an ONNX file in its place.

    Args:
        path: a network in float32; what the file says of itself is the caller's business.
        luminance: L of the pictures that give the ranges, (height, width, 1) each, in 0..1.

    Returns:
        The names of the layers that stay in float32.
    """
    import onnx

    model = onnx.load(path)
    ranges = _find_ranges(path, luminance)
    tried = np.stack(luminance[:: max(1, len(luminance) // _TRIED)][:_TRIED])
    expected = _run(model, tried)
    variance = sum(float(output.var()) for output in expected)
    layers = [node.name for node in model.graph.node if node.op_type in _KINDS]
    kept = []
    for layer in layers:
        outputs = _run(_quantised(model, ranges, [layer]), tried)
        change = sum(float(np.square(one - other).mean()) for one, other in zip(outputs, expected, strict=True))
        if not change <= _SMALL * variance:
            kept.append(layer)
    onnx.save(_quantised(model, ranges, [layer for layer in layers if layer not in kept]), path)
    return kept


def _find_ranges(path: Path, luminance: Sequence[np.ndarray]) -> Any:
    """The smallest and largest value of each array that goes into a layer or comes out of one."""
    from onnxruntime.quantization.calibrate import CalibrationDataReader, CalibrationMethod, create_calibrator

    class _Pictures(CalibrationDataReader):
        def __init__(self, name: str):
            self._left: Iterator[np.ndarray] = iter(luminance)
            self._name = name

        def get_next(self) -> dict[str, np.ndarray] | None:
            picture = next(self._left, None)
            return None if picture is None else {self._name: picture[None]}

    with tempfile.TemporaryDirectory() as folder:
        calibrator = create_calibrator(
            path, _KINDS, str(Path(folder) / "watched.onnx"), calibrate_method=CalibrationMethod.MinMax
        )
        calibrator.collect_data(_Pictures(calibrator.infer_session.get_inputs()[0].name))
        return calibrator.compute_data()


def _quantised(model: Any, ranges: Any, layers: Sequence[str]) -> Any:
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    quantizer = QDQQuantizer(
        copy.deepcopy(model),
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=ranges,
        nodes_to_quantize=list(layers),
        nodes_to_exclude=[],
        op_types_to_quantize=_KINDS,
        extra_options={},
    )
    # With no layer at all it would take every one.
    if layers:
        quantizer.quantize_model()
    return quantizer.model.model


def _run(model: Any, luminance: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: luminance})
