"""Starts TensorFlow: without its noise, on the GPU that was asked for."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from historynet.errors import HistoryNetError, InputError


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what native code writes to the standard error stream from the terminal, unless it ends in a defect.

    TensorFlow's C++ greets with half a dozen lines, some of them called errors, on every machine without a GPU, and
    again when it first optimises a graph; since 2.21 no environment variable stops them.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except HistoryNetError:
            raise
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def start(gpu_id: str, seed: int | None = None) -> str:
    """Imports TensorFlow, chooses the devices and seeds Keras.

    Args:
        gpu_id: "0", "0,1" or "cpu".
        seed: of the initial weights.

    Returns:
        One line that says what the program runs on.

    Raises:
        InputError: if there are GPUs but not the one that was asked for.
    """
    with quiet():
        import keras
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        wanted = [] if gpu_id == "cpu" else [int(number) for number in gpu_id.split(",")]
        if gpus and any(number >= len(gpus) for number in wanted):
            raise InputError(f"--gpu-id {gpu_id}: the GPUs here are 0 to {len(gpus) - 1}, or use --gpu-id cpu")
        chosen = [gpus[number] for number in wanted] if gpus else []
        tf.config.set_visible_devices(chosen, "GPU")
        for gpu in chosen:
            tf.config.experimental.set_memory_growth(gpu, True)
        # The first operation starts the devices, which is where the rest of the noise comes from.
        tf.zeros(1)
        if seed is not None:
            keras.utils.set_random_seed(seed)
        names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in chosen]
    if names:
        return f"running on GPU {gpu_id} ({', '.join(names)})"
    return "running on the CPU" + ("" if gpu_id == "cpu" else ": TensorFlow found no GPU")
