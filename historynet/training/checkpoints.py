"""Checkpoints: all that a training needs to go on as if it had never stopped.

A checkpoint is one file, `step000001234.npz`: NumPy's zip of plain arrays (all variables of the networks and their
optimisers), with one more member, `state.json`, that says where the training stood and in which run. Random numbers
need no place in it: they follow from the seed and the step. Each member carries a checksum.
"""

import contextlib
import dataclasses
import io
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
from historynet.errors import InputError, NotFiniteError, reason, translated
from historynet.weights import archives

if TYPE_CHECKING:
    import keras

    from historynet.systems.system import System

_STATE = "state.json"
_LONGEST_STATE = 16 << 20
"""Bytes of it. What is said of a run is some thousand long."""

_NAME = re.compile(r"step\d{9}\.npz")
_ASIDE = ".damaged"
"""What is added to the name of a damaged checkpoint."""


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
    """What a whole checkpoint says of itself; its arrays stay in the file.

    Attributes:
        path: of the checkpoint's file.
        position: where the training stood.
        run: what was said of the run when it was saved.
    """

    path: Path
    position: Position
    run: dict[str, Any]


class _DamagedError(InputError):
    """A checkpoint that the system could read does not hold what was written."""


class Checkpoints:
    """The checkpoints of a run: a folder with the newest few of them.

    One that is found to be damaged is not deleted, but by `clear`. When the training that goes on without it saves its
    own, the damaged one gets the name `step000001234.npz.damaged`, and `clear` leaves it: memory or a cable may be what
    is damaged, and most of the arrays of a damaged file can be taken out of it.

    Args:
        folder: made when the first one is saved.
        keep: how many whole ones stay.
    """

    def __init__(self, folder: Path, keep: int):
        self.folder = folder
        self._keep = keep
        self._damaged: set[Path] = set()

    def paths(self) -> list[Path]:
        """The files, newest first, without those that `newest` found to be damaged.

        Raises:
            InputError: if the folder is there and cannot be read.
        """
        paths = {path for path in files.list_folder(self.folder) if _NAME.fullmatch(path.name)}
        return sorted(paths - self._damaged, reverse=True)

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

        def write(temporary: Path) -> None:
            _write(temporary, system, position, run)
            # Only now, when there is something to go on from; and before the new one, which may have the same name.
            self._set_damaged_aside()

        path = self.path(position)
        try:
            files.write_atomically(path, write)
        except (InputError, NotFiniteError) as error:
            raise type(error)(f"{error}; {self._latest()}") from error
        with files.writing(path):
            _sync_folder(self.folder)
        # Newer ones, which this training does not come from, are not its to remove.
        older = [other for other in self.paths() if other <= path]
        for other in older[self._keep :]:
            with files.writing(other, "removed"):
                other.unlink(missing_ok=True)
        return path

    def _set_damaged_aside(self) -> None:
        for path in sorted(self._damaged):
            with files.writing(path, "renamed"), contextlib.suppress(FileNotFoundError):
                path.replace(path.with_name(path.name + _ASIDE))
            self._damaged.remove(path)

    def _latest(self) -> str:
        paths = self.paths()
        return f"{paths[0]} is kept, start again to continue from it" if paths else "there is no earlier checkpoint"

    def newest(self, report_damaged: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that is whole; None if there is none at all.

        Args:
            report_damaged: told of each newer one that is not.

        Raises:
            InputError: if there are checkpoints, but every one is damaged; or if one cannot be read to its end, by the
                disk's fault or for lack of memory: it may be whole, and nobody wants to lose what was trained since
                the one before it.
        """
        self._damaged.clear()
        damages = {}
        for path in self.paths():
            try:
                whole = _read(path)
            except _DamagedError as error:
                damages[path] = f"{path}: a damaged checkpoint ({error})"
                continue
            except InputError:
                for damage in damages.values():
                    report_damaged(damage)
                raise
            for damaged, damage in damages.items():
                self._damaged.add(damaged)
                report_damaged(f"{damage}, passed by; when a new one is saved, it is renamed to {damaged.name}{_ASIDE}")
            return whole
        for damage in damages.values():
            report_damaged(damage)
        if damages:
            raise InputError(
                f"{self.folder}: all checkpoints are damaged; --fresh removes them and starts over, move them away to "
                "keep them"
            )
        return None

    def clear(self) -> None:
        """Removes the checkpoints of an earlier run, but for the damaged ones that got another name.

        Raises:
            InputError: if one cannot be removed.
        """
        for path in self.paths():
            with files.writing(path, "removed"):
                path.unlink(missing_ok=True)


def restore(checkpoint: Checkpoint, system: "System") -> None:
    """Gives a system's variables the values that they had.

    Raises:
        InputError: if the file cannot be read; naming the first variable that is missing, left over, or of another
            shape or type.
    """
    path, variables = checkpoint.path, _variables(system)

    def translate(error: Exception) -> InputError:
        return InputError(f"{path}: cannot be read ({reason(error)})")

    with files.reading(path), translated(zipfile.BadZipFile, translate), np.load(path, allow_pickle=False) as arrays:
        unmatched = sorted((set(arrays.files) - {_STATE}) ^ set(variables))
        if unmatched:
            where = "networks" if unmatched[0] in variables else "file"
            raise InputError(f"{path}: does not fit these networks: {unmatched[0]} is in the {where} alone")
        for name, variable in variables.items():
            with translated(ValueError, translate):
                array = _as_here(arrays[name], np.dtype(variable.dtype))
            if array.shape != tuple(variable.shape) or array.dtype != variable.dtype:
                raise InputError(
                    f"{path}: does not fit these networks: {name} is {array.dtype} {array.shape} there and "
                    f"{variable.dtype} {tuple(variable.shape)} here"
                )
            variable.assign(array)


def _as_here(array: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Whole numbers in this width if it holds them: one engine counts in 64 bits, another in 32. Others as they are."""
    if array.dtype.kind != "i" or kind.kind != "i":
        return array
    here = array.astype(kind)
    return here if (here == array).all() else array


def size(system: "System") -> int:
    """Bytes of a checkpoint of the system, but for a few thousand."""
    return sum(
        int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize for variable in _variables(system).values()
    )


def _write(path: Path, system: "System", position: Position, run: Mapping[str, Any]) -> None:
    """Writes a checkpoint and puts it on the disk."""
    state = json.dumps({"position": dataclasses.asdict(position), "run": run})
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(_STATE, state)
            # One variable at a time: all of them would be as much memory once more as the training takes.
            for name, variable in _variables(system).items():
                array = variable.numpy()
                if not np.isfinite(array).all():
                    raise NotFiniteError(f"{name} is not finite after {position}")
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> Checkpoint:
    """Reads a checkpoint to its end.

    Raises:
        _DamagedError: if it does not hold what was written.
        InputError: if the system cannot read it; that says nothing of what it holds.
    """
    with (
        files.open_archive(path, lambda error: _DamagedError(reason(error))) as file,
        zipfile.ZipFile(file) as archive,
    ):
        fault = archives.find_fault(archive, path.stat().st_size)
        if fault:
            raise _DamagedError(fault)
        for member in archive.infolist():
            _check_member(archive, member, path)
        state = json.loads(archive.read(_STATE))
    return Checkpoint(path, *_position_and_run(state))


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    """Reads a member to its end, where its checksum is compared, and sees that an array begins like one.

    Args:
        archive: the checkpoint.
        member: one of it.
        path: the file.

    Raises:
        _DamagedError: or what `zipfile` raises, if it is damaged.
        InputError: if it is whole, but no plain array.
    """
    # Nothing of ours is compressed, and so nothing takes more memory than it says.
    is_state = member.filename == _STATE
    if member.compress_type != zipfile.ZIP_STORED or (is_state and member.file_size > _LONGEST_STATE):
        raise _DamagedError(f"wrong header of {member.filename!r}")
    with archive.open(member) as content:
        start = content.read(1 << 20)
        while content.read(1 << 20):
            pass
    if not is_state:
        with translated(
            (ValueError, TypeError), lambda error: _DamagedError(f"{member.filename!r} is no array: {reason(error)}")
        ):
            _, dtype = archives.read_header(io.BytesIO(start), member.file_size)
        if dtype.hasobject:
            raise InputError(f"{path}: {member.filename!r} holds pickled objects, which are never read")


def _position_and_run(state: Any) -> tuple[Position, dict[str, Any]]:
    """Position and run out of a checkpoint's state.json.

    Raises:
        _DamagedError: if it holds something else.
    """
    position, run = (state.get("position"), state.get("run")) if isinstance(state, dict) else (None, None)
    names = {field.name for field in dataclasses.fields(Position)}
    if not isinstance(position, dict) or not position.keys() <= names or not isinstance(run, dict):
        raise _DamagedError(f"{_STATE} holds no position, or no run")
    # Not isinstance, to which a truth value is a number.
    if not all(type(count) is int and count >= 0 for count in position.values()):
        raise _DamagedError(f"{_STATE} holds a position that is none")
    return Position(**position), run


def _variables(system: "System") -> dict[str, "keras.Variable"]:
    """All that changes in training, by a name that is the same in each process."""
    variables = []
    for name, network in system.networks.items():
        optimizer = system.optimizers[name]
        if not optimizer.built:
            optimizer.build(network.trainable_variables)
        variables += [(f"{name}/{variable.path}", variable) for variable in network.variables]
        # The learning rate is a setting, which may change from one start to the next. A schedule computes it anew each
        # time that it is asked for.
        learning_rate = optimizer.learning_rate
        state = [variable for variable in optimizer.variables if variable is not learning_rate]
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
