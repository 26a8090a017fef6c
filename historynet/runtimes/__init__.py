"""A trained network as Keras, onnxruntime or OpenVINO computes it, behind the same `predict`."""

import os
from pathlib import Path

RUNTIMES = {".onnx": ("onnxruntime", "onnxruntime"), ".xml": ("openvino", "OpenVINO")}
"""By the extension of an exported network: the package that computes it, and its name for people."""


def is_exported(path: str | os.PathLike) -> bool:
    """Whether a model file is one that `python -m historynet.weights export` makes, by its name."""
    return Path(path).suffix.lower() in RUNTIMES
