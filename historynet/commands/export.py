"""What `python -m historynet.weights export` does."""

from pathlib import Path

from historynet import backend
from historynet.errors import InputError
from historynet.runtimes import exporting


def export(model: str, target: Path, engine: str) -> None:
    """Writes a network for another run-time, and prints by how much its outputs differ.

    Args:
        model: a model file, or "shipped".
        target: the new file.
        engine: of `--backend`.

    Raises:
        InputError: if it cannot be exported, or differs.
    """
    if engine not in (backend.DEFAULT, "tensorflow"):
        raise InputError(f"--backend {engine}: exporting takes TensorFlow's graph; leave the option out")
    exporting.check_target(target, False)
    backend.start("cpu", engine="tensorflow")
    from historynet.colorizing.choosing import find_model
    from historynet.systems import loading

    path = find_model(model, Path(), None, "MODEL")
    network, found = loading.load_colorizing(path)
    difference = exporting.export(network, found, target)
    print(f"{target}: {found.registration.program(found.architecture)} {found.network}, from {path}")
    print(f"largest difference from Keras: {difference:.2g} of the outputs' range")
