"""How results are called and where they go; what must not be written over."""

import contextlib
import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from historynet.errors import InputError
from historynet.pictures import formats

SUFFIX = "_reconstructed"
"""Of the results of pictures and films."""

COMPARISON_SUFFIX = "_comparison"
"""Of a picture beside its result."""

CONFIDENCE_SUFFIX = "_confidence"
"""Of the map of how sure the network is of a picture's colours."""

PREVIEW_SUFFIX = "_preview"
"""Of the first seconds of films."""

SUFFIXES = (SUFFIX, COMPARISON_SUFFIX, CONFIDENCE_SUFFIX, PREVIEW_SUFFIX)

_LONGEST_NAME = 255
"""Bytes that file systems take."""


def name_results(
    paths: Sequence[Path],
    result_dir: Path,
    roots: Sequence[Path] = (),
    format: str = "jpg",
    same: Callable[[Path], str] = formats.same_format,
    end: str = SUFFIX,
) -> list[Path]:
    """RESULT_DIR/NAME_reconstructed.jpg for each picture; where two would share a name, it is told apart.

    First by the picture's extension, which stays in the name, then by its folder's name, then by a number. Names that
    differ in case alone are told apart, too: not every file system does.

    Args:
        paths: the pictures.
        result_dir: the folder of all results.
        roots: folders whose tree is mirrored below `result_dir`.
        format: extension of the results without its dot, or "same".
        same: the extension, with its dot, that "same" stands for, by the input's name.
        end: what the results' names end with, before the extension; itself ends with one of SUFFIXES.
    """
    folders = [_mirrored(path, roots) for path in paths]
    count = Counter((folder, path.stem.casefold()) for folder, path in zip(folders, paths, strict=True))
    taken = {key for key, number in count.items() if number == 1}
    results = []
    for folder, path in zip(folders, paths, strict=True):
        name = path.stem
        if count[folder, name.casefold()] > 1:
            name = next(name for name in _longer_names(path) if (folder, name.casefold()) not in taken)
            taken.add((folder, name.casefold()))
        extension = same(path) if format == "same" else f".{format}"
        results.append(result_dir / folder / fitting_name(name, end + extension))
    return results


def _mirrored(path: Path, roots: Sequence[Path]) -> Path:
    return next((path.parent.relative_to(root) for root in roots if path.is_relative_to(root)), Path())


def _longer_names(path: Path) -> Iterator[str]:
    """What a result can be called if its picture's stem is another's, too; the last kind never ends."""
    yield path.name
    yield f"{path.parent.name}_{path.name}"
    for number in itertools.count(2):
        yield f"{path.parent.name}_{path.name}_{number}"


def name_page(path: Path, result: Path, page: int, planned: Collection[str]) -> Path:
    """The result of a page of a document: RESULT_DIR/NAME_p001_reconstructed.jpg, but no other picture's result.

    Args:
        path: the document.
        result: its result if it had a single page.
        page: the page's number from 0.
        planned: the results of all files of the run, casefolded.
    """
    end = f"_p{page + 1:03}{SUFFIX}{result.suffix}"
    stem = result.stem.removesuffix(SUFFIX)
    names = (fitting_name(name, end) for name in itertools.chain([stem], _longer_names(path)))
    return next(result.with_name(name) for name in names if str(result.with_name(name)).casefold() not in planned)


def name_comparison(result: Path) -> Path:
    """The file for a picture beside its result."""
    return result.with_name(fitting_name(result.stem.removesuffix(SUFFIX), f"{COMPARISON_SUFFIX}.jpg"))


def name_alternatives(result: Path, count: int, planned: Collection[str]) -> list[Path]:
    """The files for other colours of a picture: RESULT_DIR/NAME_alternative1_reconstructed.jpg and so on.

    Args:
        result: of the picture, or of a page.
        count: how many.
        planned: the results of all files of the run, casefolded, whose names are not taken.
    """
    ends = [f"_alternative{number}{SUFFIX}{result.suffix}" for number in range(1, count + 1)]
    return [_beside(result, end, planned) for end in ends]


def name_confidence(result: Path, planned: Collection[str]) -> Path:
    """The file for the map of how sure the network is: RESULT_DIR/NAME_confidence.png; arguments as above."""
    return _beside(result, f"{CONFIDENCE_SUFFIX}.png", planned)


def _beside(result: Path, end: str, planned: Collection[str]) -> Path:
    stem = result.stem.removesuffix(SUFFIX)
    names = itertools.chain([stem], (f"{stem}~{number}" for number in itertools.count(2)))
    paths = (result.with_name(fitting_name(name, end)) for name in names)
    return next(path for path in paths if str(path).casefold() not in planned)


def name_unfinished(result: Path) -> Path:
    """The folder in which what is finished of a film's result waits."""
    return result.with_name(fitting_name(f".{result.name}", ".unfinished"))


def name_excerpt(start: float, end: float | None) -> str:
    """What the name of a film's result ends with: "_6s-90.5s_reconstructed", so that it never passes for the whole.

    Args:
        start: in seconds.
        end: in seconds; None: to the film's end.
    """
    if not start and end is None:
        return SUFFIX
    first, last = (f"{seconds:.3f}".rstrip("0").rstrip(".") for seconds in (start, end or 0.0))
    return f"_{first}s-{'end' if end is None else f'{last}s'}{SUFFIX}"


def fitting_name(name: str, end: str) -> str:
    """A file's name with another end; cut where a file system would refuse it, and then told apart by a digest."""
    room = _LONGEST_NAME - len(end)
    encoded = os.fsencode(name)
    if len(encoded) > room:
        digest = hashlib.sha256(encoded).hexdigest()[:8]
        name = f"{encoded[: room - len(digest) - 1].decode(errors='ignore')}~{digest}"
    return name + end


class RealPaths:
    """`os.path.realpath` of many files: of a folder it is asked once, since each of its own folders is looked at."""

    def __init__(self):
        self._folders: dict[Path, str] = {}

    def __call__(self, path: Path) -> str:
        with contextlib.suppress(OSError):
            if not path.is_symlink() and path.name not in ("", ".."):
                return self._in_folder(path.parent, path.name)
        # It knows what to do with names that are too long, and in folders that are closed.
        return os.path.realpath(path)

    def _in_folder(self, folder: Path, name: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder).rstrip("/")
        return f"{self._folders[folder]}/{name}"


def check_results(paths: Sequence[Path], results: Sequence[Path], existing: str) -> None:
    """Sees that no input is written over, and no earlier result unless that is wanted.

    Args:
        paths: all inputs of the run.
        results: the files to be written.
        existing: as in `Options`.

    Raises:
        InputError: naming the first result that would be.
    """
    if not results:
        return
    real = RealPaths()
    inputs = set(map(real, paths))
    for result in results:
        if real(result) in inputs:
            raise InputError(f"{result}: is one of the pictures, and would be a result; name another --result-dir")
    earlier = [result for result in results if os.path.lexists(result)] if existing == "refuse" else []
    if earlier:
        raise InputError(
            f"{earlier[0]}: is there already ({len(earlier)} of {len(results)} results are); --skip-existing leaves "
            "such pictures out, --overwrite makes them again"
        )
