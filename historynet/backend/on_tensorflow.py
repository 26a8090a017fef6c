"""Starts TensorFlow on the devices that were asked for."""

import os
import sys
from typing import Any

from historynet.backend.machines import find_machines
from historynet.backend.noise import out_of_sight
from historynet.errors import InputError


def start(gpu_id: str, strategy: str, onednn: bool) -> str:
    """Imports TensorFlow and takes devices; arguments, result and errors as of `historynet.backend.start`."""
    if not onednn:
        # Read when TensorFlow is imported.
        if "tensorflow" in sys.modules and os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0":
            raise RuntimeError("TensorFlow is imported already, with oneDNN")
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    # Keras imports Matplotlib, and TensorFlow SciPy, for what nobody does here: a quarter of the time that they take.
    with out_of_sight("matplotlib", "scipy"):
        import keras  # noqa: F401
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
    find_machines()
    return tf.distribute.MultiWorkerMirroredStrategy()
