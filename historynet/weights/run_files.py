"""What a training run leaves for whoever uses its networks.

Their files are called my_model_colorizationEpoch7.keras, one a network and epoch; settings.json and run.json beside
them say where the table of its epochs is, and how long an epoch was.
"""

import csv
import math
import re
from pathlib import Path
from typing import Any

from historynet import files
from historynet.errors import InputError

CHECKPOINTS = "checkpoints"
"""The checkpoints' folder in a run's MODEL_DIR."""

SETTINGS, STARTS, EPOCHS = "settings.json", "run.json", "epochs.csv"
"""The settings as they are now and the record of each start, in MODEL_DIR; the table of the epochs, in LOG_DIR."""

EPOCH = "epoch"
"""What a start in run.json says of an epoch: its "steps", "batch_size", and the "pictures" of a whole one."""

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


def find_table(folder: Path) -> Path | None:
    """The table of a run's epochs; None if it is not to be found.

    Relative paths of its settings start at the project's folder, wherever that is by now.

    Args:
        folder: the run's MODEL_DIR.
    """
    settings = _read(folder / SETTINGS, dict) or {}
    log_dir, name = settings.get("log_dir"), settings.get("test_name")
    if not isinstance(log_dir, str) or not isinstance(name, str):
        return None
    # MODEL_DIR is MODEL/<TEST_NAME> in it, unless it was named otherwise.
    projects = (folder.absolute().parent.parent, Path(__file__).resolve().parents[2])
    tables = (project / log_dir.replace("{TEST_NAME}", name) / EPOCHS for project in projects)
    return next((table for table in tables if table.is_file()), None)


def read_best_epochs(table: Path) -> list[int]:
    """The best epoch so far, by the score of the run's system, after each epoch; empty if the table does not say.

    Args:
        table: a run's epochs.csv.
    """
    best_epochs = _column(table, "best_epoch")
    return [int(best) for best in best_epochs] if all(map(math.isfinite, best_epochs)) else []


def read_scores(table: Path, name: str) -> dict[int, float]:
    """A score of each epoch that was evaluated; empty if the table does not have it, and without what is no number.

    Args:
        table: a run's epochs.csv.
        name: of the score, "psnr" for example.
    """
    scores = zip(_column(table, "epoch"), _column(table, name), strict=False)
    return {int(epoch): value for epoch, value in scores if math.isfinite(epoch) and math.isfinite(value)}


def _column(table: Path, name: str) -> list[float]:
    """A column of a run's table; empty if it is not there, or damaged. A line that was cut off does not count."""
    try:
        lines = [line for line in table.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
        return [float(row[name]) for row in csv.DictReader(lines)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []


def is_shorter_than_a_pass(folder: Path, epoch: int) -> bool:
    """Whether a run had not yet seen all its training pictures once after an epoch.

    Networks without settings beside them are none of a run and count as trained. What runs up to version 0.2.0 saw is
    not recorded: theirs do not if STEPS_PER_EPOCH limited their epochs.

    Args:
        folder: the run's MODEL_DIR.
        epoch: number of the epoch, from 0.
    """
    settings = _read(folder / SETTINGS, dict) or {}
    if settings.get("steps_per_epoch") is None:
        return False
    starts = _read(folder / STARTS, list) or []
    facts = [start[EPOCH] for start in starts if isinstance(start, dict) and isinstance(start.get(EPOCH), dict)]
    try:
        steps, pictures, batch_size = (int(facts[-1][name]) for name in ("steps", "pictures", "batch_size"))
        # The last, incomplete batch of a pass may be left out.
        return (epoch + 1) * steps < pictures // batch_size
    except (IndexError, KeyError, ValueError, TypeError, ZeroDivisionError):
        return True


def _read(path: Path, kind: type) -> Any:
    """What a file of a run holds; None if it is not there or damaged: its networks can be used all the same."""
    try:
        return files.read_json(path, kind, "")
    except InputError:
        return None
