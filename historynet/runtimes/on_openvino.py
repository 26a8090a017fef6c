"""An exported network that OpenVINO computes, on the processor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from historynet.errors import InputError, reason, translated
from historynet.runtimes import exported, openvino_files
from historynet.systems.description import Description

if TYPE_CHECKING:
    import hashlib

_LARGEST_ARRAY = 1 << 31
"""Numbers of an array of a network, for one picture: the attention of 64x64 places has 2^24."""


class OpenVinoNetwork:
    """A `Network` of OpenVINO.

    Args:
        path: of NAME.xml, which our export has made; NAME.bin lies beside it.
        precision: "float32" or "bfloat16"; the latter only of a network that is not quantised.

    Attributes:
        description: which network it is.

    Raises:
        InputError: if the files are none, or the processor does not know the precision.
    """

    def __init__(self, path: Path, precision: str = exported.FLOAT32):
        self._text, self._weights, text = openvino_files.read(path)
        self.description: Description
        self.description, told = exported.understand(text, path)
        openvino_files.check_weights(self._weights, told.get(openvino_files.WEIGHTS), path)
        self.size: tuple[int, int] = tuple(told["size"])
        is_quantised = told["precision"] != exported.FLOAT32
        if is_quantised and precision != exported.FLOAT32:
            raise InputError(f"{path}: computes in {told['precision']}; {precision} is for one that is not quantised")
        self.precision: str = told["precision"] if is_quantised else precision
        self._path = path
        # Its errors have no class in common but Exception.
        words = "not a network that OpenVINO computes"
        with translated(Exception, lambda error: InputError(f"{path}: {words} ({reason(error)})")):
            self._compiled = self._compile(precision)
        self._outputs = [port.get_any_name() for port in self._compiled.outputs]

    def _compile(self, precision: str) -> Any:
        import openvino

        core = openvino.Core()
        if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise InputError(f"{self._path}: this processor does not compute in bfloat16 with OpenVINO")
        model = core.read_model(model=self._text, weights=self._weights)
        self._check_ports(model)
        for port in model.inputs:
            # The number of pictures is open.
            port.get_node().set_partial_shape(openvino.PartialShape([1, *self.size, 1]))
        model.validate_nodes_and_infer_types()
        self._check_sizes(model)
        for port in model.inputs:
            port.get_node().set_partial_shape(openvino.PartialShape([-1, *self.size, 1]))
        model.validate_nodes_and_infer_types()
        hint = {exported.FLOAT32: "f32", "bfloat16": "bf16"}[precision]
        # By itself it computes in bfloat16 where the processor can.
        return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint, "CACHE_DIR": ""})

    def _check_ports(self, model: Any) -> None:
        def port_of(port: Any) -> tuple[list[int | None], bool]:
            sides = [side.get_length() if side.is_static else None for side in port.partial_shape]
            return sides, port.element_type.to_string() == "f32"

        inputs = [(port.get_any_name(), *port_of(port)) for port in model.inputs]
        outputs = {port.get_any_name(): port_of(port) for port in model.outputs}
        exported.check_ports(self.description, self.size, inputs, outputs, self._path)

    def _check_sizes(self, model: Any) -> None:
        for node in model.get_ops():
            for port in node.outputs():
                shape = port.partial_shape
                if shape.is_static and np.prod([float(side) for side in shape.to_shape()]) > _LARGEST_ARRAY:
                    raise InputError(f"{self._path}: its layer {node.friendly_name[:100]!r} makes too large an array")

    def predict(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        """As of `Network`."""
        with translated(Exception, lambda error: InputError(f"{self._path}: could not be computed ({reason(error)})")):
            # A request of its own, since threads may ask at the same time.
            computed = self._compiled.create_infer_request().infer(luminance)
        return {name: np.array(computed[i]) for i, name in enumerate(self._outputs)}

    def identify(self, digest: "hashlib._Hash") -> None:
        """As of `Network`."""
        digest.update(f"openvino {self.precision}".encode())
        digest.update(self._text)
        digest.update(self._weights)
