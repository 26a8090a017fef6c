"""The tables of a run: losses.csv has a line for each step, epochs.csv one for each epoch's evaluation.

A continued run goes on behind the lines that were there when its checkpoint was saved.
"""

import contextlib
import math
import os
from array import array
from collections.abc import Mapping
from pathlib import Path

from historynet import files
from historynet.errors import InputError, translated
from historynet.weights import run_files

LOSSES, EPOCHS = "losses.csv", run_files.EPOCHS
KEYS = {LOSSES: "step", EPOCHS: "epoch"}
"""The column that counts a table's lines."""

Columns = dict[str, array]
"""A table's numbers by column; no column at all if it has no line."""


def read(path: Path, below: float = math.inf) -> tuple[Columns, int]:
    """The lines of a table before the first that was cut off or whose count is not below a limit.

    Args:
        path: the file, with a name in KEYS.
        below: the limit of the column that counts the lines.

    Returns:
        The columns, and the bytes that header and lines take in the file. Nothing if there is no file.

    Raises:
        InputError: if the file cannot be read, or is no such table.
    """
    columns, size, key = {}, 0, KEYS[path.name]

    def not_ours(_: Exception) -> InputError:
        return InputError(f"{path}: not the table of an earlier start; move it away")

    with (
        files.reading(path),
        contextlib.suppress(FileNotFoundError),
        path.open("rb") as file,
        translated((ValueError, KeyError), not_ours),
    ):
        header = file.readline()
        names = header.decode().strip().split(",")
        for line in file:
            if not line.endswith(b"\n"):
                break
            row = dict(zip(names, map(float, line.split(b",")), strict=True))
            if row[key] >= below:
                break
            size = (size or len(header)) + len(line)
            for name, value in row.items():
                columns.setdefault(name, array("d")).append(value)
    return columns, size


def read_runs(logs: Mapping[str, Path], name: str) -> dict[str, dict[str, array]]:
    """A table of several runs, by column and run; the columns in the order of the run that has most of them.

    Args:
        logs: the folder of each run's tables, by the run's name.
        name: LOSSES or EPOCHS.

    Raises:
        InputError: as `read`; or if a run has no such table.
    """
    tables = {run: read(folder / name)[0] for run, folder in logs.items()}
    for run, columns in tables.items():
        if not columns:
            raise InputError(f"{logs[run] / name}: not there, or empty; {run} has not been trained yet")
    fullest = sorted(tables.values(), key=len, reverse=True)
    return {
        column: {run: columns[column] for run, columns in tables.items() if column in columns}
        for column in dict.fromkeys(column for columns in fullest for column in columns)
    }


def is_finished(epochs: Columns, epoch: int) -> bool:
    """Whether an epoch's networks are saved and evaluated, by the columns of epochs.csv."""
    return epoch in epochs.get("epoch", ())


class Table:
    """A table to which lines are added. As a context manager it is closed at the end.

    Args:
        path: the file, with a name in KEYS.
        below: lines of an earlier start from this count on are removed; 0 for a new table.

    Attributes:
        columns: what it holds, the lines of earlier starts included.

    Raises:
        InputError: as `read`; or, at any time, if the file cannot be written.
    """

    def __init__(self, path: Path, below: int):
        self.columns, size = read(path, below) if below else ({}, 0)
        self._path = path
        with files.writing(path):
            self._file = path.open("a", encoding="utf-8")
            self._file.truncate(size)

    def add(self, row: Mapping[str, float]) -> None:
        """Adds a line, the header first if it is the first one.

        Raises:
            InputError: if the table has other columns, of a training with other losses or scores.
        """
        if self.columns and list(row) != list(self.columns):
            raise InputError(
                f"{self._path}: has the columns {', '.join(self.columns)}, and this training {', '.join(row)}; name "
                "another run with --test-name or --log-dir"
            )
        with files.writing(self._path):
            if not self.columns:
                self.columns |= {name: array("d") for name in row}
                self._file.write(",".join(row) + "\n")
            self._file.write(",".join(map(str, row.values())) + "\n")
        for name, value in row.items():
            self.columns[name].append(value)

    def flush(self) -> None:
        """Puts all lines on the disk."""
        with files.writing(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            with files.writing(self._path):
                self._file.close()
        except InputError:
            # What made the training stop matters more.
            if kind is None:
                raise
