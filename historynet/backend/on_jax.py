"""Starts JAX on the devices that were asked for."""

from historynet.backend.machines import find_machines
from historynet.backend.noise import out_of_sight
from historynet.errors import InputError

_LOST_AFTER = 600
"""Seconds without a word from a worker after which JAX itself aborts the others.

Long enough for these to come to where they need it, and so to hear of its end and to say so themselves.
"""


def start(gpu_id: str, strategy: str, onednn: bool) -> str:
    """Imports JAX and takes devices; arguments, result and errors as of `historynet.backend.start`.

    One device becomes JAX's default device. There is no such default where several compute together: all that JAX has.
    """
    if not onednn:
        raise InputError(
            "--released-arithmetic: with --backend tensorflow only; it keeps TensorFlow from using oneDNN, and JAX "
            "sums in an order of its own"
        )
    # Keras imports Matplotlib, and TensorFlow where it is installed, for what nobody does here.
    with out_of_sight("matplotlib", "tensorflow"):
        import jax
        import keras  # noqa: F401

    # The devices.
    if gpu_id == "cpu":
        jax.config.update("jax_platforms", "cpu")
    if strategy == "multiworker":
        _meet()
    devices = jax.local_devices(backend="cpu" if gpu_id == "cpu" else None)
    kind = devices[0].platform.upper()
    if strategy != "none":
        used = devices
    elif kind == "CPU":
        used = devices[:1]
    elif int(gpu_id) < len(devices):
        used = [devices[int(gpu_id)]]
    else:
        raise InputError(f"--gpu-id {gpu_id}: the {kind}s here are 0 to {len(devices) - 1}, or use --gpu-id cpu")
    jax.config.update("jax_default_device", used[0] if strategy == "none" else None)

    # What is said of them.
    together = f", {jax.device_count()} devices together" if strategy != "none" else ""
    if kind == "CPU":
        return "running on the CPU with JAX" + ("" if gpu_id == "cpu" else ", which found no GPU") + together
    names = ", ".join(device.device_kind for device in used)
    return f"running on {kind} {gpu_id if strategy == 'none' else 'all'} ({names}) with JAX{together}"


def _meet() -> None:
    """Waits for the other workers, once a process.

    Raises:
        InputError: if TF_CONFIG does not say which machines there are, or they do not come.
    """
    import jax

    workers, index = find_machines()
    if jax.distributed.is_initialized():
        return
    try:
        jax.distributed.initialize(workers[0], len(workers), index, heartbeat_timeout_seconds=_LOST_AFTER)
    except jax.errors.JaxRuntimeError as error:
        raise InputError(
            f"TF_CONFIG: the {len(workers)} workers did not meet at {workers[0]} ({str(error).splitlines()[0]}); start "
            "all of them within five minutes"
        ) from error
