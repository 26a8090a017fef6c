"""A run's folder: who may train there, from where, how much it takes, and what describes it.

settings.json holds the settings as they are now, run.json a record of each start.
"""

import contextlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import historynet
from historynet import files, settings
from historynet.errors import InputError
from historynet.settings import Settings
from historynet.training import checkpoints, history
from historynet.training.checkpoints import Checkpoint, Checkpoints, Position

if TYPE_CHECKING:
    from historynet.systems.system import System

CHECKPOINTS = "checkpoints"
"""The checkpoints' folder in MODEL_DIR."""

_MODELS = "my_model_*Epoch*.keras"
_LIBRARIES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "h5py", "tensorboard")


def alone(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Sees that no other process trains in a folder, which is made if need be. A process that is killed lets go of it.

    Raises:
        InputError: if one does, or the folder cannot be written to.
    """
    return files.lock(
        folder,
        "another process is training there; wait until it has ended, or name another run with --test-name or "
        "--model-dir",
    )


@dataclass(frozen=True)
class Start:
    """How a run starts: anew, or from a checkpoint.

    Attributes:
        checkpoint: None for a new run.
        position: where to go on; not the checkpoint's if the epoch must begin again.
        notes: lines about what changed since the checkpoint.
    """

    checkpoint: Checkpoint | None
    position: Position
    notes: list[str]


def find_start(saved: Checkpoints, chosen: Settings, about: Mapping[str, Any], fresh: bool) -> Start:
    """From where a run is to start: from its newest checkpoint that is whole, unless a fresh start is wanted.

    Args:
        saved: the run's checkpoints.
        chosen: the settings of this start.
        about: of this run, as its checkpoints hold it: "program", "settings" and "pictures".
        fresh: whether the run is to start over.

    Raises:
        InputError: if the checkpoints are of another program, all damaged, or of settings that cannot change; if there
            are models of an earlier run, but no checkpoint.
    """
    if fresh:
        return Start(None, Position(), [])
    checkpoint = saved.newest(lambda message: print(message, file=sys.stderr))
    if checkpoint is None:
        there = sorted(chosen.model_dir.glob(_MODELS))
        if there:
            raise InputError(
                f"{there[-1]}: there are trained models already, and no checkpoint to continue from; name another "
                "folder with --model-dir (or another run with --test-name), or replace them with --fresh"
            )
        return Start(None, Position(), [])
    position, before = checkpoint.position, checkpoint.run
    if before["program"] != about["program"]:
        raise InputError(
            f"{checkpoint.path}: a run of {before['program']}; name another run with --test-name or --model-dir, or "
            "start over with --fresh"
        )
    changed = settings.changes(before["settings"], chosen, within_epoch=position.epoch_steps > 0)
    notes = [f"changed since: {name} {then} -> {now}" for name, (then, now) in changed.items()]
    if before["pictures"] != about["pictures"]:
        notes.append("changed since: the training pictures")
        if position.epoch_steps:
            notes[-1] += f"; epoch {position.epoch} begins again with those of now"
            position = Position(position.epoch, steps=position.steps)
    return Start(checkpoint, position, notes)


def is_looked_at(chosen: Settings, epoch: int) -> bool:
    """Whether an epoch's networks are saved and its look at the test pictures is done."""
    return history.is_finished(history.read(chosen.log_dir / history.EPOCHS)[0], epoch)


@dataclass(frozen=True)
class Space:
    """Bytes on the disk of MODEL_DIR.

    Attributes:
        models: of the networks of all epochs.
        checkpoints: of those that are kept, and of one more, since the newest is whole before the oldest goes.
        there: what models and checkpoints take already, which they leave or replace.
        free: what is free.
    """

    models: int
    checkpoints: int
    there: int
    free: int

    @property
    def needed(self) -> int:
        return max(0, self.models + self.checkpoints - self.there)

    @property
    def enough(self) -> bool:
        return self.needed <= self.free


def disk_space(chosen: Settings, system: "System") -> Space:
    """What a run takes on the disk, and what there is."""
    folder = next(parent for parent in (chosen.model_dir, *chosen.model_dir.parents) if parent.exists())
    saved = Checkpoints(chosen.model_dir / CHECKPOINTS, chosen.keep_checkpoints)
    return Space(
        models=4 * sum(network.count_params() for network in system.networks.values()) * chosen.num_epochs,
        checkpoints=checkpoints.size(system) * (chosen.keep_checkpoints + 1),
        there=sum(path.stat().st_size for path in (*chosen.model_dir.glob(_MODELS), *saved.paths())),
        free=shutil.disk_usage(folder).free,
    )


def record_start(folder: Path, as_written: Mapping[str, Any], device: str, start: Start) -> None:
    """Writes settings.json and adds to run.json: date, command line, versions, device, checkpoint, what changed.

    Args:
        folder: of the run's networks.
        as_written: the settings as they were written, for --config.
        device: what the program runs on.
        start: from where.

    Raises:
        InputError: if they cannot be written, or run.json is not of an earlier start.
    """
    path = folder / "run.json"
    try:
        starts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        starts = None
    if not isinstance(starts, list):
        raise InputError(f"{path}: not the record of earlier starts; move it away")
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    starts.append(
        {
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
            "command": sys.argv,
            "code": {"historynet": historynet.__version__, "git": _git_version()},
            "versions": {"python": platform.python_version()} | versions,
            "machine": platform.platform(),
            "device": device,
            "continues": start.checkpoint and {"file": start.checkpoint.path.name, "notes": start.notes},
        }
    )
    _write_json(folder / "settings.json", as_written)
    _write_json(path, starts)


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=2) + "\n"
    files.write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _git_version() -> str | None:
    """The commit that the code is of, "-dirty" if it was changed since; None without git."""
    root = Path(historynet.__file__).resolve().parent.parent
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
