"""The engine that computes, TensorFlow or JAX: which one, without its noise, on the devices that were asked for."""

import importlib
import os
import sys

from historynet import extras
from historynet.backend.noise import out_of_sight, quiet
from historynet.errors import InputError

__all__ = ["CHOICES", "DEFAULT", "choose", "out_of_sight", "quiet", "start"]

DEFAULT = "default"
"""KERAS_BACKEND of the environment, else the first of _ENGINES that is installed."""

_ENGINES = {"tensorflow": "TensorFlow", "jax": "JAX"}
"""Keras' names of those that the programs run on, and their own."""

_OTHERS = ("torch", "numpy", "openvino")
"""Keras' other engines. They may run what a caller of the library does with Keras besides."""

CHOICES = (DEFAULT, *_ENGINES)
"""What --backend takes."""

_EXTRAS = (
    "pip install '.[tensorflow]' or pip install '.[jax]' in the project's folder brings one ('.[gpu]' or '.[jax-cuda]' "
    "with what an NVIDIA GPU needs)"
)


def choose(name: str = DEFAULT) -> str:
    """Sets which engine Keras will take when it is imported, whatever its own keras.json says; Keras' name of it.

    Where Keras is imported already its engine stays, whichever that is.

    Args:
        name: one of CHOICES.

    Raises:
        InputError: if it is not installed, none is, it is no engine, or Keras runs on another already.
    """
    if "keras" in sys.modules:
        current = importlib.import_module("keras").backend.backend()
        if name not in (DEFAULT, current):
            raise InputError(f"--backend {name}: Keras runs on {current} in this process already")
        return current
    source = f"--backend {name}"
    if name == DEFAULT:
        name = os.environ.get("KERAS_BACKEND") or next(filter(extras.is_installed, _ENGINES), DEFAULT)
        source = f"KERAS_BACKEND={name}"
    if name == DEFAULT:
        raise InputError(f"an engine is needed, and neither TensorFlow nor JAX is installed: {_EXTRAS}")
    if name not in _ENGINES and not (name in _OTHERS and extras.is_installed(name)):
        raise _other(name)
    if not extras.is_installed(name):
        raise InputError(f"{source}: {_ENGINES[name]} is not installed: {_EXTRAS}")
    os.environ["KERAS_BACKEND"] = name
    if name == "jax":
        # Otherwise it takes three quarters of a GPU's memory at once. Read when it meets the GPU.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return name


def _other(name: str) -> InputError:
    return InputError(
        f"KERAS_BACKEND={name}: the programs run on {' or '.join(_ENGINES)}; set one of these, or name it with "
        "--backend"
    )


def start(
    gpu_id: str, seed: int | None = None, strategy: str = "none", onednn: bool = True, engine: str = DEFAULT
) -> str:
    """Imports Keras on an engine, takes the devices that were asked for, and seeds Keras.

    Args:
        gpu_id: "0", "1", ... or "cpu".
        seed: of the initial weights; None leaves Keras' generators as they are.
        strategy: "none" for one device; "mirrored" for all GPUs of this machine, "multiworker" for those of the
            machines in TF_CONFIG, where it waits for the other ones. With "cpu" or without a GPU for the CPU of each.
        onednn: whether TensorFlow may use oneDNN on a CPU, which is faster and sums in another order than older
            versions did. JAX knows no such choice.
        engine: one of CHOICES.

    Returns:
        One line that says what the program runs on.

    Raises:
        InputError: if there are GPUs but not the one that was asked for, TF_CONFIG will not do, or the engine is not
            installed or not one of CHOICES, or cannot do without oneDNN.
        RuntimeError: if oneDNN is not wanted when TensorFlow has been imported with it.
    """
    name = choose(engine)
    if name not in _ENGINES:
        raise _other(name)
    with quiet():
        line = importlib.import_module(f"historynet.backend.on_{name}").start(gpu_id, strategy, onednn)
        if seed is not None:
            # With JAX, Keras would import TensorFlow to seed it, too.
            with out_of_sight("tensorflow"):
                importlib.import_module("keras").utils.set_random_seed(seed)
    return line
