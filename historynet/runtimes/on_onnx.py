"""An exported network that onnxruntime computes, on the processor."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from historynet.errors import InputError, reason, translated
from historynet.runtimes import exported, onnx_files
from historynet.systems.description import Description


class OnnxNetwork:
    """A `Network` of onnxruntime.

    Args:
        path: of an ONNX file that our export has made.

    Attributes:
        description: which network it is.

    Raises:
        InputError: if the file is none.
    """

    def __init__(self, path: Path):
        data, text = onnx_files.read(path)
        self.description: Description
        self.description, told = exported.understand(text, path)
        self.precision: str = told["precision"]
        self.size: tuple[int, int] = tuple(told["size"])
        self._path, self._checksum = path, hashlib.sha256(data).digest()
        self._session = self._open(data)
        inputs = [(port.name, port.shape, port.type == "tensor(float)") for port in self._session.get_inputs()]
        outputs = {port.name: (port.shape, port.type == "tensor(float)") for port in self._session.get_outputs()}
        exported.check_ports(self.description, self.size, inputs, outputs, path)
        self._input, self._outputs = inputs[0][0], list(outputs)

    def _open(self, data: bytes) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Nothing but what it raises.
        options.log_severity_level = 4
        # What is computed of constants when a file is opened can be of any size; our export has left little to compute.
        return self._translated(
            lambda: onnxruntime.InferenceSession(
                data, options, ["CPUExecutionProvider"], disabled_optimizers=["ConstantFolding"]
            ),
            "not a network that onnxruntime computes",
        )

    def _translated(self, compute: Any, words: str) -> Any:
        # onnxruntime's errors have no class in common but Exception.
        with translated(Exception, lambda error: InputError(f"{self._path}: {words} ({reason(error)})")):
            return compute()

    def predict(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        """As of `Network`."""
        run = partial(self._session.run, self._outputs, {self._input: luminance})
        return dict(zip(self._outputs, self._translated(run, "could not be computed"), strict=True))

    def identify(self, digest: "hashlib._Hash") -> None:
        """As of `Network`."""
        digest.update(b"onnxruntime")
        digest.update(self._checksum)
