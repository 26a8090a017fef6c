"""Which files a command's inputs stand for: files and folders -> files, and a line on what is passed over."""

import codecs
import contextlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from historynet import files
from historynet.colorizing import records
from historynet.colorizing.results import SUFFIXES, RealPaths
from historynet.errors import InputError
from historynet.pictures import formats, images

_OF_SYSTEMS = frozenset(
    {"@eadir", "@recycle", "@__thumb", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "lost+found"}
    | {"system volume information"}
)
"""Folders of thumbnails and of what was thrown away, which network drives and systems keep, in lower case."""


@dataclass
class PassedOver:
    """What lies in the inputs' folders and is not taken, by the folder that was named.

    Attributes:
        other_kinds: files without an extension of a picture or film, by extension.
        hidden: files with one whose names begin with a dot, by extension.
        of_systems: folders that systems keep for themselves, by name.
        links: links to folders, by name.
        subfolders: folders that were not entered.
        same: (a link, the path by which its file is taken).
    """

    other_kinds: dict[Path, Counter[str]] = field(default_factory=dict)
    hidden: dict[Path, Counter[str]] = field(default_factory=dict)
    of_systems: dict[Path, Counter[str]] = field(default_factory=dict)
    links: dict[Path, Counter[str]] = field(default_factory=dict)
    subfolders: Counter[Path] = field(default_factory=Counter)
    same: list[tuple[Path, Path]] = field(default_factory=list)

    def count(self, given: Path, folder: Path, extensions: Collection[str], entered: bool, results: str | None) -> None:
        """Counts what of a folder is not taken.

        Args:
            given: the folder that was named, in which it lies.
            folder: the folder; one that cannot be read is left to whoever takes its pictures.
            extensions: of the files that are taken.
            entered: whether its folders are entered, too.
            results: the folder of the results, without links, which is nobody's loss.
        """
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    if os.path.realpath(entry.path) != results:
                        self._count_folder(given, entry, entered)
                    continue
                extension = os.path.splitext(entry.name.lstrip("."))[1].lower()
                if entry.name.startswith("."):
                    # A hidden .DS_Store is nobody's picture.
                    if extension in extensions and entry.name != records.NAME:
                        _count(self.hidden, given, extension)
                elif extension not in extensions:
                    _count(self.other_kinds, given, extension or "without extension")

    def _count_folder(self, given: Path, entry: os.DirEntry, entered: bool) -> None:
        if is_of_a_system(entry.name):
            # Nor is what is finished of a film.
            if entered and not entry.name.endswith(".unfinished"):
                _count(self.of_systems, given, entry.name)
        elif not entered:
            self.subfolders[given] += 1
        elif entry.is_symlink():
            _count(self.links, given, entry.name)

    def lines(self) -> list[tuple[Path, str]]:
        """(the folder or file, what is said of it), in order."""
        kinds = (
            (self.other_kinds, "file", "of other kinds passed over"),
            (self.hidden, "hidden file", "passed over"),
            (self.of_systems, "folder", "passed over that systems keep for themselves"),
            (self.links, "link", "to a folder not followed"),
        )
        found = [
            (given, f"{_number(counts.total(), noun)} {what}: {_list(counts, with_number=noun != 'link')}")
            for by_folder, noun, what in kinds
            for given, counts in by_folder.items()
        ]
        found += [
            (given, f"{_number(n, 'subfolder')} not entered (--recursive)") for given, n in self.subfolders.items()
        ]
        return found + [(path, f"the same file as {first}; one result is made") for path, first in self.same]


def is_of_a_system(name: str) -> bool:
    """Whether a folder of this name is one that nobody keeps pictures in."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def _count(counts: dict[Path, Counter[str]], given: Path, what: str) -> None:
    counts.setdefault(given, Counter())[what] += 1


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _list(counts: Counter[str], with_number: bool = True) -> str:
    """Most first: "3 .dpx, 2 .xcf"."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{number} {what}" if with_number else what for what, number in ordered)


def read_list(path: Path) -> list[str]:
    """The names of files that a list holds, one a line; they need not be there.

    Raises:
        InputError: if it cannot be read, or names no file.
    """
    with files.open_regular(path, InputError) as file, files.reading(path):
        # Names need not be text. Some editors begin a file with a mark.
        lines = (line.removeprefix(codecs.BOM_UTF8) if number == 0 else line for number, line in enumerate(file))
        names = [os.fsdecode(line.rstrip(b"\r\n")) for line in lines if line.strip()]
    if not names or any("\0" in name for name in names):
        raise InputError(f"{path}: no list of files, which names one on each line")
    return names


def list_inputs(
    inputs: Iterable[Path],
    result_dir: Path | None = None,
    recursive: bool = False,
    extensions: Collection[str] = formats.EXTENSIONS,
    passed_over: PassedOver | None = None,
    kind: str = "pictures",
    listed: Iterable[Path] = (),
) -> list[Path]:
    """The files that files and folders stand for, each once, in order.

    Earlier results are left out of a folder that is also the results' own; a folder of results below the inputs is not
    walked, nor are hidden ones and those that systems keep for themselves. Links to folders are not followed.

    Args:
        inputs: files, which are taken whatever their names, and folders.
        result_dir: the folder of the results; None if they go nowhere near.
        recursive: whether the folders' folders are walked, too.
        extensions: of the files that are taken of folders, in lower case with their dots.
        passed_over: where what is not taken is counted; None: nowhere.
        kind: what the files are, for messages.
        listed: further files, which need not exist: reading them will say so.

    Raises:
        InputError: if an input does not exist, or a folder holds no such file.
    """
    passed_over = PassedOver() if passed_over is None else passed_over
    results = result_dir and os.path.realpath(result_dir)
    paths: dict[str, Path] = {}
    real = RealPaths()

    def take(found: Iterable[Path]) -> None:
        for path in found:
            # Not Path.resolve, which fails on a loop of links.
            first = paths.setdefault(real(path), path)
            if first is not path and os.path.abspath(first) != os.path.abspath(path):
                passed_over.same.append((path, first))

    for given in inputs:
        if given.is_dir():
            found = list(_walk(given, results, extensions, recursive, passed_over))
            if not found:
                raise InputError(_nothing(given, recursive, extensions, passed_over, kind))
        elif os.path.lexists(given):
            found = [given]
        else:
            raise InputError(f"{given}: no such file or folder")
        take(found)
    take(listed)
    return list(paths.values())


def _nothing(given: Path, recursive: bool, extensions: Collection[str], passed_over: PassedOver, kind: str) -> str:
    below = " or below it" if recursive else ""
    others = passed_over.other_kinds.get(given)
    subfolders = passed_over.subfolders[given]
    found = [f"{_number(subfolders, 'subfolder')} not entered: --recursive enters them"] if subfolders else []
    found += [f"{_number(others.total(), 'file')} of other kinds: {_list(others)}"] if others else []
    return f"{given}: no {kind} in this folder{below} ({'; '.join(found) or ', '.join(sorted(extensions))})"


def _walk(
    root: Path, results: str | None, extensions: Collection[str], recursive: bool, passed_over: PassedOver
) -> Iterator[Path]:
    """The files of a folder, and of those below it if wanted."""
    if not recursive:
        yield from _pictures(root, results, extensions)
        passed_over.count(root, root, extensions, entered=False, results=results)
        return
    # A folder that cannot be read is yielded itself: reading it as a picture says why.
    failed = []
    for folder, folders, _ in os.walk(root, onerror=lambda error: failed.append(Path(error.filename))):
        below = os.path.realpath(root) != results
        folders[:] = sorted(
            name
            for name in folders
            if not is_of_a_system(name) and not (below and os.path.realpath(Path(folder) / name) == results)
        )
        passed_over.count(root, Path(folder), extensions, entered=True, results=results)
        with contextlib.suppress(InputError):
            yield from (path for path in _pictures(Path(folder), results, extensions) if path.name not in folders)
    yield from failed


def _pictures(folder: Path, results: str | None, extensions: Collection[str]) -> Iterator[Path]:
    for name in images.list_pictures(folder, or_none=True, extensions=extensions):
        made = Path(name).stem.endswith(SUFFIXES)
        if not (made and os.path.realpath(folder) == results):
            yield folder / name
