"""Starts TensorFlow: without its noise, on the devices that were asked for."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from historynet import streams
from historynet.errors import InputError

# Lines of the log of TensorFlow's C++, "I0000 00:00:1795226408.528851 ...", but for fatal ones; and libpng's, which do
# not say of which file they speak.
_FILTER = r"""
import re, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
for line in sys.stdin.buffer:
    if not re.match(rb"[IWE]\d{4} |WARNING: All log messages before absl|To enable the following inst|libpng ", line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leaves what TensorFlow and libpng log by themselves out of the standard error stream.

    Its C++ greets with half a dozen lines, some of them called errors, on every machine without a GPU, and again when
    it first optimises a graph; since 2.21 no environment variable stops them. Another process filters them, so that
    what a crash prints last still arrives. Python's own `sys.stderr` goes past the filter.
    """
    try:
        terminal = os.dup(2) if "python" in Path(sys.executable or "").name else None
    except OSError:
        terminal = None
    if terminal is None:
        # Nobody would hear it; or the interpreter is within another program, which would be started again.
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    # In a session of its own, or a Ctrl-C would end it before us.
    reader = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _FILTER], stdin=subprocess.PIPE, start_new_session=True
    )
    os.dup2(reader.stdin.fileno(), 2)
    replaced = sys.stderr
    if replaced is not None and replaced is sys.__stderr__:
        sys.stderr = streams.open_lasting(terminal)
    try:
        yield
    finally:
        # What stands there without a line feed would be written to a closed file later, or to another one.
        if sys.stderr is not None:
            sys.stderr.flush()
        sys.stderr = replaced
        os.dup2(terminal, 2)
        os.close(terminal)
        reader.stdin.close()
        reader.wait()


@contextlib.contextmanager
def _out_of_sight(*modules: str) -> Iterator[None]:
    """Within it, modules that nobody has imported yet seem not to be installed.

    Keras imports Matplotlib, and TensorFlow SciPy, for what nobody does here: a quarter of the time that they take.
    """
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def start(gpu_id: str, seed: int | None = None, strategy: str = "none", onednn: bool = True) -> str:
    """Imports TensorFlow, takes the devices that were asked for, and seeds Keras.

    Args:
        gpu_id: "0", "1", ... or "cpu".
        seed: of the initial weights; None leaves Keras' generators as they are.
        strategy: "none" for one device; "mirrored" for all GPUs of this machine, "multiworker" for those of the
            machines in TF_CONFIG, where it waits for the other ones. With "cpu" or without a GPU for the CPU of each.
        onednn: whether a CPU may use oneDNN, which is faster and sums in another order than older versions did.

    Returns:
        One line that says what the program runs on.

    Raises:
        InputError: if there are GPUs but not the one that was asked for, or TF_CONFIG will not do.
        RuntimeError: if oneDNN is not wanted when TensorFlow has been imported with it.
    """
    if not onednn:
        # Read when TensorFlow is imported.
        if "tensorflow" in sys.modules and os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0":
            raise RuntimeError("TensorFlow is imported already, with oneDNN")
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    with quiet():
        with _out_of_sight("matplotlib", "scipy"):
            import keras
            import tensorflow as tf

        # The devices.
        gpus = tf.config.list_physical_devices("GPU") if gpu_id != "cpu" else []
        if strategy != "none":
            used = gpus
        elif gpus and int(gpu_id) >= len(gpus):
            raise InputError(f"--gpu-id {gpu_id}: the GPUs here are 0 to {len(gpus) - 1}, or use --gpu-id cpu")
        else:
            used = [gpus[int(gpu_id)]] if gpus else []
        tf.config.set_visible_devices(used, "GPU")
        for gpu in used:
            tf.config.experimental.set_memory_growth(gpu, True)
        if strategy != "none":
            # Before the first operation: a process joins its cluster only then.
            tf.distribute.experimental_set_strategy(_make_strategy(strategy))
        # The first operation starts the devices, which is where the rest of the noise comes from.
        tf.zeros(1)
        if seed is not None:
            keras.utils.set_random_seed(seed)
        names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in used]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync

    # What is said of them.
    together = f", {replicas} devices together" if strategy != "none" else ""
    if names:
        return f"running on GPU {gpu_id if strategy == 'none' else 'all'} ({', '.join(names)}){together}"
    return "running on the CPU" + ("" if gpu_id == "cpu" else ": TensorFlow found no GPU") + together


def _make_strategy(name: str) -> Any:
    """TensorFlow's strategy of this name.

    Raises:
        InputError: if TF_CONFIG does not say which machines there are.
    """
    import tensorflow as tf

    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])
        workers, task = cluster["cluster"]["worker"], cluster["task"]
        is_valid = task["type"] == "worker" and 0 <= int(task["index"]) < len(workers)
    except (KeyError, TypeError, ValueError):
        is_valid = False
    if not is_valid:
        raise InputError(
            "TF_CONFIG: --strategy multiworker needs it in the environment, as "
            '{"cluster": {"worker": ["HOST0:PORT", "HOST1:PORT"]}, "task": {"type": "worker", "index": 0}}'
        )
    return tf.distribute.MultiWorkerMirroredStrategy()
