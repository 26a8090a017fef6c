"""Which of our extras brings a library that is not installed."""

import importlib.util

EXTRAS = {
    "tensorflow": "tensorflow",
    "jax": "jax",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "onnx": "export",
    "tf2onnx": "export",
    "ray": "cluster",
    "fsspec": "cluster",
    "fastapi": "web",
    "uvicorn": "web",
    "lpips": "lpips",
    "torch": "lpips",
    "torchvision": "lpips",
    "rawpy": "raw",
}
"""The extra of pyproject.toml that brings a module; those that are not named come with the project itself."""


def is_installed(module: str) -> bool:
    """Whether a module could be imported."""
    return importlib.util.find_spec(module) is not None


def how_to_install(module: str, extra: str | None = None) -> str:
    """The command that brings a module, for the end of a message.

    Args:
        module: one of EXTRAS.
        extra: another one that brings it, with what else its user needs.
    """
    return f"pip install '.[{extra or EXTRAS[module]}]' in the project's folder"
