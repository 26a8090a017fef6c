"""Checkpoints: all that a training needs to go on as if it had never stopped.

A checkpoint is one file, `step000001234.npz`: NumPy's zip of plain arrays (all variables of the networks and their
optimisers), with one more member, `state.json`, that says where the training stood and in which run. Random numbers
need no place in it: they follow from the seed and the step. Each member carries a checksum.
"""

import dataclasses
import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from historynet import files
from historynet.errors import InputError, NotFiniteError

if TYPE_CHECKING:
    import keras

    from historynet.systems.system import System

_STATE = "state.json"
_NAME = re.compile(r"step\d{9}\.npz")


@dataclass(frozen=True)
class Position:
    """Where a training stands, between two updates.

    Attributes:
        epoch: the epoch to go on in, from 0.
        epoch_steps: updates already made in it.
        samples: samples of its order already used, those that could not be read included.
        steps: updates already made in all epochs.
    """

    epoch: int = 0
    epoch_steps: int = 0
    samples: int = 0
    steps: int = 0

    def __str__(self) -> str:
        return f"epoch {self.epoch}, step {self.steps}"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        path: the file.
        position: where the training stood.
        run: what was said of the run when it was saved.
    """

    path: Path
    position: Position
    run: dict[str, Any]


class Checkpoints:
    """The checkpoints of a run: a folder with the newest few of them.

    Args:
        folder: made when the first one is saved.
        keep: how many stay.
    """

    def __init__(self, folder: Path, keep: int):
        self.folder = folder
        self._keep = keep

    def paths(self) -> list[Path]:
        """The files, newest first."""
        return sorted((path for path in self.folder.glob("*") if _NAME.fullmatch(path.name)), reverse=True)

    def path(self, position: Position) -> Path:
        """Where the checkpoint of a position is."""
        return self.folder / f"step{position.steps:09}.npz"

    def save(self, system: "System", position: Position, run: Mapping[str, Any]) -> Path:
        """Writes a checkpoint, on the disk before it gets its name, then removes those that are not to be kept.

        Args:
            system: what is trained.
            position: where the training stands.
            run: what a continuation must know of the run; anything JSON can hold.

        Raises:
            NotFiniteError: if a variable is NaN or infinite; nothing is saved then.
            InputError: if the file cannot be written. The earlier checkpoints stay in both cases.
        """
        state = json.dumps({"position": dataclasses.asdict(position), "run": run})

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                with zipfile.ZipFile(file, "w") as archive:
                    archive.writestr(_STATE, state)
                    # One variable at a time: all of them would be as much memory once more as the training takes.
                    for name, variable in _variables(system).items():
                        array = variable.numpy()
                        if not np.isfinite(array).all():
                            raise NotFiniteError(f"{name} is not finite after {position}; {self._kept()}")
                        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                            np.lib.format.write_array(member, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())

        path = self.path(position)
        try:
            files.write_atomically(path, write)
        except InputError as error:
            raise InputError(f"{error}; {self._kept()}") from None
        _sync_folder(self.folder)
        # What is newer than this one was damaged: a training that goes on from an older one passes it by.
        older = [other for other in self.paths() if other <= path]
        for other in set(self.paths()) - set(older[: self._keep]):
            other.unlink()
        return path

    def _kept(self) -> str:
        paths = self.paths()
        return f"{paths[0]} is kept, start again to continue from it" if paths else "there is no earlier checkpoint"

    def newest(self, report_damaged: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that is whole; None if there is none at all.

        Args:
            report_damaged: told of each newer one that is not.

        Raises:
            InputError: if there are checkpoints, but every one is damaged.
        """
        paths = self.paths()
        for path in paths:
            try:
                return _read(path)
            except Exception as error:  # a damaged zip raises a dozen kinds
                report_damaged(f"{path}: a damaged checkpoint ({error})")
        if paths:
            raise InputError(f"{self.folder}: all checkpoints are damaged; --fresh starts over")
        return None

    def clear(self) -> None:
        """Removes the checkpoints of an earlier run."""
        for path in self.paths():
            path.unlink()


def restore(checkpoint: Checkpoint, system: "System") -> None:
    """Gives a system's variables the values that they had.

    Raises:
        InputError: naming the first variable that is missing, left over, or of another shape or type.
    """
    variables = _variables(system)
    with np.load(checkpoint.path, allow_pickle=False) as arrays:
        apart = sorted((set(arrays.files) - {_STATE}) ^ set(variables))
        if apart:
            where = "networks" if apart[0] in variables else "file"
            raise InputError(f"{checkpoint.path}: does not fit these networks: {apart[0]} is in the {where} alone")
        for name, variable in variables.items():
            array = arrays[name]
            if array.shape != tuple(variable.shape) or array.dtype != variable.dtype:
                raise InputError(
                    f"{checkpoint.path}: does not fit these networks: {name} is {array.dtype} {array.shape} there and "
                    f"{variable.dtype} {tuple(variable.shape)} here"
                )
            variable.assign(array)


def size(system: "System") -> int:
    """Bytes of a checkpoint of the system, but for a few thousand."""
    return sum(
        int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize for variable in _variables(system).values()
    )


def _read(path: Path) -> Checkpoint:
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
        state = json.loads(archive.read(_STATE))
        return Checkpoint(path, Position(**state["position"]), state["run"])


def _variables(system: "System") -> dict[str, "keras.Variable"]:
    """All that changes in training, by a name that is the same in each process."""
    variables = []
    for name, network in system.networks.items():
        optimizer = system.optimizers[name]
        if not optimizer.built:
            optimizer.build(network.trainable_variables)
        variables += [(f"{name}/{variable.path}", variable) for variable in network.variables]
        # The learning rate is a setting, which may change from one start to the next.
        state = [variable for variable in optimizer.variables if variable is not optimizer.learning_rate]
        variables += [(f"{name}/optimizer/{i:04}_{variable.name}", variable) for i, variable in enumerate(state)]
    named = dict(variables)
    assert len(named) == len(variables), "two variables have the same name"
    return named


def _sync_folder(folder: Path) -> None:
    """Puts a folder's names on the disk, so that an older file is removed after the newer one is safe."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
