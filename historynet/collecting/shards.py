"""Work on all pictures in shards, each a table that is whole or not there, so that a stopped run goes on."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from historynet import files
from historynet.errors import InputError

SHARD = 4096
"""Pictures that are worked on before they are on the disk."""

_RECORD = "record.json"


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        InputError: if it cannot be read.
    """
    with files.reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(lines: Iterable[str]) -> str:
    """SHA-256 of lines, hexadecimal."""
    sha256 = hashlib.sha256()
    for line in lines:
        sha256.update(f"{line}\n".encode(errors="surrogateescape"))
    return sha256.hexdigest()


class Shards:
    """The shards of a run, and what they are made of.

    Args:
        folder: of the shards while they are made.
        record: what they are made of; those of another record are made again. It stays beside the folder.
    """

    def __init__(self, folder: Path, record: Mapping[str, object]):
        self._folder, self._record = folder, dict(record)
        self._done = folder.with_suffix(".json")

    @property
    def are_done(self) -> bool:
        """Whether a run of this record has ended."""
        return _read(self._done) == self._record

    def begin(self) -> None:
        """Keeps what a stopped run of the same record has made, and nothing else.

        Raises:
            InputError: if something cannot be removed or written.
        """
        if _read(self._folder / _RECORD) != self._record:
            self.remove()
            files.write_json(self._folder / _RECORD, self._record)
        files.remove_unfinished(self._folder)

    def path(self, number: int) -> Path:
        """The file of a shard."""
        return self._folder / f"{number:05}.csv"

    def paths(self) -> Sequence[Path]:
        """The files of all shards that there are, in order."""
        return sorted(path for path in files.list_folder(self._folder) if path.suffix == ".csv")

    def end(self) -> None:
        """Says that all is done; the shards go.

        Raises:
            InputError: if something cannot be removed or written.
        """
        files.write_json(self._done, self._record)
        self.remove()

    def remove(self) -> None:
        """Removes the shards: the record first, since what is left without it is not taken for whole.

        Raises:
            InputError: if something cannot be removed.
        """
        for path in [self._folder / _RECORD, *files.list_folder(self._folder)]:
            with files.writing(path, "removed"):
                path.unlink(missing_ok=True)
        if self._folder.exists():
            with files.writing(self._folder, "removed"):
                self._folder.rmdir()


def _read(path: Path) -> dict[str, object] | None:
    """A record; None if there is none, or it is damaged: what it is of is made anew."""
    try:
        return files.read_json(path, dict, "no record") if path.exists() else None
    except InputError:
        return None
