"""What was made from what: a file in each folder of results says it, so that nothing passes for another's result.

`.historynet.jsonl` has a line of JSON for each result that was made there, the last of a name counts. It stands beside
the results and not in them: whoever publishes one does not publish where its source lies, and thousands are compared
by reading one file. Results without a line (of versions up to 0.2.0, or brought there by hand) are known by their names
alone, and that is said.
"""

import contextlib
import functools
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from historynet import files, locks
from historynet.colorizing.results import name_unfinished
from historynet.errors import InputError, PictureError

NAME = ".historynet.jsonl"
"""Of the file of records in a folder of results."""

WITHOUT_RECORD = (
    "what its result, which is there already, was made from is not recorded: by its name it is this one's "
    "(--overwrite makes it again)"
)
"""What is said of a result that an earlier version made, or that somebody brought there."""

_PART, _PARTS = 1 << 20, 64
"""Bytes of a part of a source, and the parts that are compared: all of most pictures, some of a film."""


_KEPT = 200_000
"""Records that are kept in memory, about a kilobyte each; those of one folder all."""


@dataclass(frozen=True)
class Source:
    """A file that something is made from, as it is now.

    Attributes:
        path: where it lies, without links.
        size: in bytes.
        modified: when it was last written, in nanoseconds since 1970.
        content: a digest of what it holds, of evenly spaced parts if it is longer than 64 MB.
    """

    path: str
    size: int
    modified: int
    content: str


def identify(path: Path) -> Source:
    """A file as it is now; reads at most 64 MB of it.

    Raises:
        PictureError: if it cannot be read.
    """
    with files.reading(path, PictureError):
        status = path.stat()
    content = _digest(path, status.st_size, status.st_mtime_ns)
    return Source(os.path.realpath(path), status.st_size, status.st_mtime_ns, content)


# The pages of a document come one after the other.
@functools.lru_cache(maxsize=64)
def _digest(path: Path, size: int, modified: int) -> str:
    parts = -(-size // _PART)
    # Twice as fast as SHA-256 where the processor has no instructions for that.
    digest = hashlib.blake2b(digest_size=16)
    with files.open_regular(path) as file, files.reading(path, PictureError):
        for part in range(parts) if parts <= _PARTS else (i * (size - _PART) // (_PARTS - 1) for i in range(_PARTS)):
            file.seek(part * _PART if parts <= _PARTS else part)
            digest.update(file.read(_PART))
    return digest.hexdigest()


@dataclass
class _Folder:
    """The records of a folder of results, as far as they are read.

    Attributes:
        entries: by the result's name; the last of a name.
        by_folded_name: the same for file systems to which a and A are one name.
        size: bytes of the file that are read.
    """

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_folded_name: dict[str, dict[str, Any]] = field(default_factory=dict)
    size: int = 0
    # A run has few kinds of settings: of a million lines each is kept once.
    _kinds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, lines: bytes) -> None:
        """Adds whole lines; those that are none of ours (cut off, of another program) are passed over."""
        for line in lines.splitlines():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in _KEYS.items()):
                entry["settings"] = self._kinds.setdefault(repr(entry["settings"]), entry["settings"])
                self.entries[entry["result"]] = self.by_folded_name[entry["result"].casefold()] = entry


_KEYS = {"result": str, "source": str, "bytes": int, "modified": int, "content": str, "settings": dict}
"""What a line holds: the result's name; path, size, time and content of its source; what it was made with."""


class Records:
    """What the results of a run's folders were made from. Threads may share it, and processes the folders.

    Args:
        common: what all results of the run are made with besides their options, as JSON holds it: "model" (its name),
            "sha256" (its digest), "precision", ...
    """

    def __init__(self, common: Mapping[str, Any] | None = None):
        self._common = dict(common or {})
        # The one that was asked for last at the end.
        self._folders: dict[Path, _Folder] = {}
        self._reading = threading.Lock()

    def provenance(self, version: str) -> str:
        """The line that says in a result what it was colorized with."""
        return f"colourised by HistoryNet {version} with {self._common['model']} (SHA-256 {self._common['sha256']})"

    def check(self, pairs: Iterable[tuple[Path, Path]]) -> None:
        """Sees that no result of another source is in the place of one that is to be made.

        Args:
            pairs: a file, and the result that it is to have.

        Raises:
            InputError: naming the first, whose it is, and how many there are; or if a record cannot be read.
        """
        pairs = list(pairs)
        # Folder by folder, each of which is read once so.
        others = []
        for path, result in sorted(pairs, key=lambda pair: str(pair[1].parent)):
            owner = self.find_owner(path, result)
            if owner is not None:
                others.append((path, result, owner))
        if others:
            path, result, owner = others[0]
            raise InputError(
                f"{_is_anothers(path, result, owner)} (so are {len(others)} of {len(pairs)} results); name another "
                "folder with --result-dir"
            )

    def find_owner(self, path: Path, result: Path) -> str | None:
        """The path of another source that a result was made from, or is being made from; None if there is none.

        A source that was moved or copied is the same as long as it holds the same.

        Args:
            path: of the source that the result is to belong to.
            result: a file, which need not be there.

        Raises:
            InputError: if the record cannot be read.
        """
        entry = self._find(result)
        if entry is None or entry["source"] == os.path.realpath(path) or _holds(path, entry):
            return None
        # A film that was stopped has no result yet, but hours of work.
        begun = os.path.lexists(result) or (name_unfinished(result) / "record.json").exists()
        return entry["source"] if begun else None

    def refuse(self, path: Path, result: Path) -> None:
        """Sees that a result is not another source's, as of `find_owner`.

        Raises:
            PictureError: if it is.
            InputError: if the record cannot be read.
        """
        owner = self.find_owner(path, result)
        if owner is not None:
            raise PictureError(f"{_is_anothers(path, result, owner)}; name another folder with --result-dir")

    def compare(self, path: Path, result: Path, settings: Mapping[str, Any]) -> list[str]:
        """How a result that is there already differs from the one that would be made.

        Args:
            path: of its source.
            result: the result.
            settings: what it would be made with, besides what all results of the run have in common.

        Returns:
            What there is to say of it.

        Raises:
            PictureError: if it is another source's, or its own has changed since.
            InputError: if the record cannot be read.
        """
        entry = self._find(result)
        if entry is None:
            return [WITHOUT_RECORD]
        self.refuse(path, result)
        if not _is_unchanged(path, entry):
            raise PictureError(
                f"{path}: has changed since {result} was made, or another file has its name now; --overwrite makes it "
                "again, another --result-dir keeps both"
            )
        changed = differences(entry["settings"], {**self._common, **settings})
        if not changed:
            return []
        return [f"its result, which is there already, was made with {changed} (--overwrite makes it again)"]

    @contextlib.contextmanager
    def naming(self, path: Path, source: Source, result: Path, settings: Mapping[str, Any]) -> Iterator[None]:
        """Within it a finished file gets a result's name; no other process names one in the folder meanwhile.

        Args:
            path: of the source, for messages.
            source: what the result was made from, as it was when it was read.
            result: the name.
            settings: as of `compare`.

        Raises:
            PictureError: if the name is by now that of another source's result.
            InputError: if the record cannot be written.
        """
        entry = {
            "result": result.name,
            "source": source.path,
            "bytes": source.size,
            "modified": source.modified,
            "content": source.content,
            "settings": {**self._common, **settings},
        }
        with self._locked(result.parent) as file:
            self.refuse(path, result)
            with files.writing(result.with_name(NAME)):
                size = os.fstat(file).st_size
                # What a full disk has cut off stays a line of its own.
                torn = size and os.pread(file, 1, size - 1) != b"\n"
                os.write(file, b"\n" * bool(torn) + json.dumps(entry).encode() + b"\n")
            yield

    @contextlib.contextmanager
    def _locked(self, folder: Path) -> Iterator[int]:
        """The folder's file of records, opened to be added to, while nobody else adds."""
        path = folder / NAME
        with contextlib.ExitStack() as stack:
            with files.writing(path):
                folder.mkdir(parents=True, exist_ok=True)
                file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
                stack.callback(os.close, file)
                if not os.fstat(file).st_size:
                    # Whoever may write results there may record them.
                    with contextlib.suppress(OSError):
                        os.fchmod(file, folder.stat().st_mode & 0o666)
                locks.wait_to_lock(file)
            yield file

    def _find(self, result: Path) -> dict[str, Any] | None:
        """The record of a result, as the file says now."""
        path = result.parent / NAME
        with self._reading, files.reading(path):
            folder = self._folders[result.parent] = self._folders.pop(result.parent, None) or _Folder()
            try:
                size = path.stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                size = 0
            if size < folder.size:
                # Somebody removed it, or put another in its place.
                folder = self._folders[result.parent] = _Folder()
            if size > folder.size:
                with path.open("rb") as file:
                    file.seek(folder.size)
                    lines = file.read()
                whole = lines.rfind(b"\n") + 1
                folder.add(lines[:whole])
                folder.size += whole
                self._forget()
            return folder.entries.get(result.name) or folder.by_folded_name.get(result.name.casefold())

    def _forget(self) -> None:
        """Lets go of folders that nobody has asked for lately: they can be read again."""
        kept = sum(len(folder.entries) for folder in self._folders.values())
        while kept > _KEPT and len(self._folders) > 1:
            kept -= len(self._folders.pop(next(iter(self._folders))).entries)


def _is_anothers(path: Path, result: Path, owner: str) -> str:
    return f"{result}: is the result of {owner}, not of {path}"


def _holds(path: Path, entry: Mapping[str, Any]) -> bool:
    """Whether a file holds what a result was made from."""
    try:
        return path.stat().st_size == entry["bytes"] and identify(path).content == entry["content"]
    except (OSError, PictureError):
        return False


def _is_unchanged(path: Path, entry: Mapping[str, Any]) -> bool:
    """Whether a source is as it was; one that cannot be read has its result."""
    try:
        status = path.stat()
    except OSError:
        return True
    return (status.st_size, status.st_mtime_ns) == (entry["bytes"], entry["modified"]) or _holds(path, entry)


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What a result was made with that is otherwise now: "strength 0.5, not 1"; empty if nothing is."""
    changed = [name for name in now if name in then and then[name] != now[name] and name not in ("model", "sha256")]
    found = [f"{name.replace('_', ' ')} {_shown(then[name])}, not {_shown(now[name])}" for name in changed]
    if "sha256" in then and "sha256" in now and then["sha256"] != now["sha256"]:
        found.append(f"another model ({then.get('model')}, SHA-256 {then['sha256']})")
    return " and ".join(found)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
