"""Names of the model files that a training run leaves: my_model_colorizationEpoch7.keras, one a network and epoch."""

import re
from pathlib import Path

from historynet import files

CHECKPOINTS = "checkpoints"
"""The checkpoints' folder in a run's MODEL_DIR."""

_NAME = re.compile(r"my_model_(?P<network>.+)Epoch(?P<epoch>[0-9]+)\.keras")


def model_path(folder: Path, network: str, epoch: int) -> Path:
    """The file of a network after an epoch.

    Args:
        folder: the run's MODEL_DIR.
        network: name of the network, as its system has it: "colorization", "discriminator", ...
        epoch: number of the epoch, from 0.
    """
    return folder / f"my_model_{network}Epoch{epoch}.keras"


def list_models(folder: Path, network: str = "*") -> list[Path]:
    """The model files of a run, by epoch, then by name; an empty list if there is no such folder.

    Args:
        folder: the run's MODEL_DIR.
        network: name of a network; "*" stands for all.

    Raises:
        InputError: if the folder is there and cannot be read.
    """
    matches = [(path, _NAME.fullmatch(path.name)) for path in files.list_folder(folder)]
    models = [path for path, match in matches if match and network in ("*", match["network"])]
    return sorted(models, key=lambda path: (epoch_of(path), path.name))


def epoch_of(path: Path) -> int | None:
    """The epoch in a model file's name; None if it is not the name of a run's model file."""
    match = _NAME.fullmatch(path.name)
    return int(match["epoch"]) if match else None
