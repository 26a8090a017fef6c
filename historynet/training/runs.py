"""A run's folder: who may train there, from where, how much it takes, and what describes it.

settings.json holds the settings as they are now, run.json a record of each start.
"""

import contextlib
import importlib.metadata
import math
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import historynet
from historynet import files, locks
from historynet.errors import InputError
from historynet.settings import Settings, changes
from historynet.systems.system import System
from historynet.training import checkpoints, history
from historynet.training.checkpoints import Checkpoint, Checkpoints, Position
from historynet.weights import run_files

_REPLACES = "replaces"

_LIBRARIES = ("tensorflow", "jax", "keras", "numpy", "opencv-python-headless", "h5py", "tensorboard")


_LOCKED = (
    "another process is training there; wait until it has ended, or name another run with --test-name or --model-dir"
)


def lock(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Sees that no other process trains in a folder, which is made if need be. A killed process releases its lock.

    Raises:
        InputError: if one does, or the folder cannot be written to.
    """
    return locks.lock(folder, _LOCKED)


def check_unlocked(folder: Path) -> None:
    """Sees the same, and changes nothing.

    Raises:
        InputError: if another process trains there.
    """
    if locks.is_locked(folder):
        raise InputError(f"{folder}: {_LOCKED}")


@dataclass(frozen=True)
class StartingPoint:
    """How a run starts: anew, or from a checkpoint.

    Attributes:
        checkpoint: None for a new run.
        position: where to go on; not the checkpoint's if the epoch must begin again.
        notes: lines about what changed since the checkpoint.
    """

    checkpoint: Checkpoint | None
    position: Position
    notes: list[str]


def find_start(saved: Checkpoints, settings: Settings, run: Mapping[str, Any], fresh: bool) -> StartingPoint:
    """From where a run is to start: from its newest checkpoint that is whole, unless a fresh start is wanted.

    Args:
        saved: the run's checkpoints.
        settings: of this start.
        run: the description of this run that its checkpoints hold: "program", "settings", "pictures" and, since they
            name it, "engine".
        fresh: whether the run is to start over.

    Raises:
        InputError: if the checkpoints are of another program, all damaged, or of settings that cannot change; if there
            are models of an earlier run, but no checkpoint; or if what is there cannot be read.
    """
    # What `record_start` adds to, before networks are made.
    _read_starts(settings.model_dir)
    if fresh:
        return StartingPoint(None, Position(), [])
    checkpoint = saved.newest(lambda message: print(message, file=sys.stderr))
    if checkpoint is None:
        models = run_files.list_models(settings.model_dir)
        if models:
            raise InputError(
                f"{models[-1]}: there are trained models already, and no checkpoint to continue from; name another "
                "folder with --model-dir (or another run with --test-name), or replace them with --fresh"
            )
        return StartingPoint(None, Position(), [])
    position, before = checkpoint.position, checkpoint.run
    if not before.keys() >= run.keys() - {"engine"} or not isinstance(before["settings"], dict):
        raise InputError(
            f"{checkpoint.path}: not a checkpoint of a training run of this project; move it away, or name another run "
            "with --test-name or --model-dir"
        )
    if before["program"] != run["program"]:
        raise InputError(
            f"{checkpoint.path}: a run of {before['program']}; name another run with --test-name or --model-dir, or "
            "start over with --fresh"
        )
    changed = changes(before["settings"], settings, within_epoch=position.epoch_steps > 0)
    notes = [f"changed since: {name} {then} -> {now}" for name, (then, now) in changed.items()]
    engine = before.get("engine", run["engine"])
    if engine != run["engine"]:
        notes.append(f"changed since: the engine {engine} -> {run['engine']}")
    if before["pictures"] != run["pictures"]:
        notes.append("changed since: the training pictures")
        if position.epoch_steps:
            notes[-1] += f"; epoch {position.epoch} begins again with those of now"
            position = Position(position.epoch, steps=position.steps)
    return StartingPoint(checkpoint, position, notes)


def is_evaluated(settings: Settings, epoch: int) -> bool:
    """Whether an epoch's networks are saved and evaluated."""
    return history.is_finished(history.read(settings.log_dir / history.EPOCHS)[0], epoch)


@dataclass(frozen=True)
class Space:
    """Bytes on the disk of MODEL_DIR.

    Attributes:
        models: of the networks of all epochs.
        checkpoints: of those that are kept, and of one more, since the newest is whole before the oldest goes.
        existing: of models and checkpoints that are there already, which they leave or replace.
        free: what is free.
    """

    models: int
    checkpoints: int
    existing: int
    free: int

    @property
    def needed(self) -> int:
        return max(0, self.models + self.checkpoints - self.existing)

    @property
    def enough(self) -> bool:
        return self.needed <= self.free


def disk_space(settings: Settings, system: System, saved: Checkpoints) -> Space:
    """What a run takes on the disk, and what there is.

    Args:
        settings: of the run.
        system: what is trained.
        saved: the run's checkpoints. Those that it found to be damaged stay where they are, and will not make room.

    Raises:
        InputError: if MODEL_DIR cannot be read.
    """
    folder = next(parent for parent in (settings.model_dir, *settings.model_dir.parents) if parent.exists())
    parameters = sum(network.count_params() for network in system.networks.values())
    existing = (*run_files.list_models(settings.model_dir), *saved.paths())
    return Space(
        models=4 * parameters * math.ceil(settings.num_epochs / settings.save_networks_every),
        checkpoints=checkpoints.size(system) * (settings.keep_checkpoints + 1),
        existing=sum(map(_size, existing)),
        free=shutil.disk_usage(folder).free,
    )


def _size(path: Path) -> int:
    """Bytes of a file; 0 if a training that runs has removed it since it was listed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def record_start(
    folder: Path, as_written: Mapping[str, Any], device: str, start: StartingPoint, epoch: Mapping[str, int]
) -> None:
    """Writes settings.json and adds to run.json: date, command line, versions, device, checkpoint, what changed.

    Args:
        folder: of the run's networks.
        as_written: the settings as they were written, for --config.
        device: what the program runs on.
        start: from where; of a new run also the earlier run's networks are noted, which it is to replace.
        epoch: how long an epoch is, as `run_files.EPOCH` says.

    Raises:
        InputError: if they cannot be written, or run.json is not of an earlier start.
    """
    starts = _read_starts(folder)
    versions = {name: version for name in _LIBRARIES if (version := _version(name))}
    starts.append(
        {
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
            "command": sys.argv,
            "code": {"historynet": historynet.__version__, "git": _git_version()},
            "versions": {"python": platform.python_version()} | versions,
            "machine": platform.platform(),
            "device": device,
            run_files.EPOCH: dict(epoch),
            "continues": start.checkpoint and {"file": start.checkpoint.path.name, "notes": start.notes},
            _REPLACES: [] if start.checkpoint else [path.name for path in run_files.list_models(folder)],
        }
    )
    files.write_json(folder / run_files.SETTINGS, as_written)
    files.write_json(folder / run_files.STARTS, starts)


def _version(library: str) -> str | None:
    """A library's version; None if it is not installed, as one of the engines need not be."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def remove_replaced(folder: Path, epoch: int) -> None:
    """Removes the networks of an earlier run that this run was to replace, and now does, having saved its first.

    Args:
        folder: of the run's networks.
        epoch: whose networks were just saved, over the earlier run's perhaps.

    Raises:
        InputError: if run.json cannot be read or written, or a network not be removed.
    """
    starts = _read_starts(folder)
    names = {name for start in starts for name in start.get(_REPLACES, [])}
    removed = [
        path for path in run_files.list_models(folder) if path.name in names and run_files.epoch_of(path) != epoch
    ]
    if names:
        # Whenever it is killed: what this run has saved is noted no more, and what is left of the other still is.
        _note_replaced(folder, starts, [path.name for path in removed])
        for path in removed:
            path.unlink(missing_ok=True)
        _note_replaced(folder, starts, [])


def _note_replaced(folder: Path, starts: list[dict[str, Any]], names: list[str]) -> None:
    others = [{**start, _REPLACES: []} for start in starts[:-1]]
    files.write_json(folder / run_files.STARTS, [*others, {**starts[-1], _REPLACES: names}])


def _read_starts(folder: Path) -> list[dict[str, Any]]:
    path = folder / run_files.STARTS
    otherwise = "not the record of earlier starts; move it away"
    starts = files.read_json(path, list, otherwise) if path.exists() else []
    if not all(isinstance(start, dict) for start in starts):
        raise InputError(f"{path}: {otherwise}")
    return starts


def _git_version() -> str | None:
    """The commit that the code is of, "-dirty" if it was changed since; None without git."""
    root = Path(historynet.__file__).resolve().parent.parent
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
