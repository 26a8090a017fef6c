"""Which files a command's inputs stand for: files and folders -> files."""

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from historynet.colorizing.results import SUFFIXES
from historynet.errors import InputError
from historynet.pictures import formats, images


def list_inputs(
    inputs: Iterable[Path],
    result_dir: Path | None = None,
    recursive: bool = False,
    extensions: Collection[str] = formats.EXTENSIONS,
) -> list[Path]:
    """The files that files and folders stand for, each once, in order.

    Earlier results are left out of a folder that is also the results' own; a folder of results below the inputs is not
    walked. Links to folders are not followed.

    Args:
        inputs: files, which are taken whatever their names, and folders.
        result_dir: the folder of the results; None if they go nowhere near.
        recursive: whether the folders' folders are walked, too.
        extensions: of the files that are taken of folders, in lower case with their dots.

    Raises:
        InputError: if an input does not exist, or a folder holds no such file.
    """
    results = result_dir and os.path.realpath(result_dir)
    paths = {}
    for given in inputs:
        if given.is_dir():
            found = list((_walk if recursive else _pictures)(given, results, extensions))
            if not found:
                raise InputError(f"{given}: no pictures in this folder or below it")
            # Not Path.resolve, which fails on a loop of links.
            paths |= {os.path.realpath(path): path for path in found}
        elif os.path.lexists(given):
            paths.setdefault(os.path.realpath(given), given)
        else:
            raise InputError(f"{given}: no such file or folder")
    return list(paths.values())


def _pictures(folder: Path, results: str | None, extensions: Collection[str], or_none: bool = False) -> Iterator[Path]:
    for name in images.list_pictures(folder, or_none, extensions):
        made = Path(name).stem.endswith(SUFFIXES)
        if not (made and os.path.realpath(folder) == results):
            yield folder / name


def _walk(root: Path, results: str | None, extensions: Collection[str]) -> Iterator[Path]:
    # A folder that cannot be read is yielded itself: reading it as a picture says why.
    failed = []
    for folder, folders, _ in os.walk(root, onerror=lambda error: failed.append(Path(error.filename))):
        below = os.path.realpath(root) != results
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not (below and os.path.realpath(Path(folder) / name) == results)
        )
        with contextlib.suppress(InputError):
            found = _pictures(Path(folder), results, extensions, or_none=True)
            yield from (path for path in found if path.name not in folders)
    yield from failed
