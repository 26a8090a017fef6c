"""The tables of a run: losses.csv has a line for each step, epochs.csv one for each look at the test pictures.

A continued run goes on behind the lines that were there when its checkpoint was saved.
"""

import contextlib
import math
import os
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

from historynet.errors import InputError

LOSSES, EPOCHS = "losses.csv", "epochs.csv"

Columns = dict[str, array]
"""A table's numbers by column; no column at all if it has no line."""


def read(path: Path, key: str, below: float = math.inf) -> tuple[Columns, int]:
    """The lines of a table before the first that was cut off or whose key is not below a limit.

    Returns:
        The columns, and the bytes that header and lines take in the file. Nothing if there is no file.

    Raises:
        InputError: if the file cannot be read, or is no table of numbers with such a key.
    """
    columns, size = {}, 0
    try:
        with path.open("rb") as file:
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
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError):
        raise InputError(f"{path}: not the table of an earlier start; move it away") from None
    return columns, size


def is_finished(epochs: Columns, epoch: int) -> bool:
    """Whether an epoch's networks are saved and were looked at, by the columns of epochs.csv."""
    return epoch in epochs.get("epoch", ())


class Table:
    """A table to which lines are added. As a context manager it is closed at the end.

    Args:
        path: the file.
        key: the column that counts the lines.
        below: lines of an earlier start from this key on are removed; 0 for a new table.

    Attributes:
        columns: what it holds, the lines of earlier starts included.

    Raises:
        InputError: as `read`; or, at any time, if the file cannot be written.
    """

    def __init__(self, path: Path, key: str, below: int):
        self.columns, size = read(path, key, below) if below else ({}, 0)
        self._path = path
        with self._named():
            self._file = path.open("a")
            self._file.truncate(size)

    def add(self, row: Mapping[str, float]) -> None:
        """Adds a line, the header first if it is the first one."""
        with self._named():
            if not self.columns:
                self.columns |= {name: array("d") for name in row}
                self._file.write(",".join(row) + "\n")
            self._file.write(",".join(map(str, row.values())) + "\n")
        for name, value in row.items():
            self.columns[name].append(value)

    def flush(self) -> None:
        """Puts all lines on the disk."""
        with self._named():
            self._file.flush()
            os.fsync(self._file.fileno())

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            with self._named():
                self._file.close()
        except InputError:
            # What made the training stop matters more.
            if kind is None:
                raise

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror})") from None
