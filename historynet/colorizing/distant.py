"""Picture files that are colorized on the machines of a cluster, some at a time; imports no engine."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from historynet.colorizing.options import Options
from historynet.colorizing.reporting import Report
from historynet.colorizing.results import SUFFIX

_MOST, _FEWEST, _SHARES = 64, 8, 32
"""Files of a piece of work: most, so that little is lost with a machine, and fewest; pieces of a small run."""

_DERIVED = re.compile(rf"_(p\d+|alternative\d+){SUFFIX}$")
"""What names end with that follow from those of other results: pages, alternatives."""


@dataclass(frozen=True)
class Setup:
    """What a process needs to colorize.

    Attributes:
        model: its file, under the same path on all machines.
        variant: as of `Colorizer`.
        precision: as of `Colorizer`.
        decoding: as of `Colorizer`.
        common: what all results are made with, as of `Records`.
        options: how pictures are colorized.
        batch_size: pictures that go through the network together.
        engine: GPU, whether oneDNN may be used, and name, as of `backend.start`.
    """

    model: Path
    variant: str | None
    precision: str
    decoding: Mapping[str, Any]
    common: Mapping[str, Any]
    options: Options
    batch_size: int
    engine: tuple[str, bool, str]

    def begin(self) -> Callable[["Piece"], Report]:
        """Starts the engine and loads the network; what colorizes pieces with it, once a process.

        Raises:
            InputError: if the engine cannot be started, or the network not be loaded.
        """
        from PIL import Image

        from historynet import backend

        # The limit is --max-megapixels.
        Image.MAX_IMAGE_PIXELS = None
        gpu, onednn, name = self.engine
        with backend.quiet():
            backend.start(gpu, onednn=onednn, engine=name)
            from historynet.colorizing.colorizer import Colorizer
            from historynet.colorizing.folder import colorize_files
            from historynet.colorizing.records import Records

            colorizer = Colorizer(self.model, self.variant, self.precision, self.decoding)
        records = Records(self.common)

        def colorize(piece: Piece) -> Report:
            paths, results = ([Path(name) for name in names] for names in zip(*piece.files, strict=True))
            options = self.options
            if piece.begun and options.existing == "refuse":
                # They are of the process that was lost.
                options = replace(options, existing="skip")
            with backend.quiet():
                return colorize_files(
                    *(colorizer, paths, results, self.batch_size),
                    options=options,
                    records=records,
                    others=piece.others,
                )

        return colorize


@dataclass(frozen=True)
class Piece:
    """Some files of a run, and their results.

    Attributes:
        files: (picture, result); names take a fifth of the memory of paths.
        others: results of the rest of the run that are called as pages or alternatives of these could be, casefolded.
        begun: whether a process was lost that had begun it, and may have made some of the results.
    """

    files: tuple[tuple[str, str], ...]
    others: frozenset[str]
    begun: bool = False

    def again(self) -> "Piece":
        """The same, after a process was lost that had begun it."""
        return replace(self, begun=True)

    def lost(self) -> Report:
        """The report of a piece whose file ended every process."""
        report = Report()
        for name, _ in self.files:
            path = Path(name)
            report.skip(path, f"{path}: ended each process that read it, perhaps for lack of memory")
        return report


def split(files: Sequence[tuple[Path, Path]]) -> list[Piece]:
    """A run's files in pieces of work, in order, whatever there are of machines: so results do not depend on them.

    Args:
        files: (picture, result).
    """
    size = min(_MOST, max(_FEWEST, -(-len(files) // _SHARES)))
    derived = _derived(result for _, result in files)
    pieces = []
    for begin in range(0, len(files), size):
        part = files[begin : begin + size]
        near = (derived.get(base, ()) for path, result in part for base in _bases(path, result))
        others = frozenset(name for names in near for name in names) if derived else frozenset()
        pieces.append(Piece(tuple((str(path), str(result)) for path, result in part), others))
    return pieces


def _derived(results: Iterator[Path]) -> dict[str, list[str]]:
    """Results that are called as others' pages or alternatives could be, by what stands before that, casefolded."""
    found: dict[str, list[str]] = {}
    for result in results:
        base, number = _DERIVED.subn("", result.stem)
        if number:
            found.setdefault(str(result.with_name(base)).casefold(), []).append(str(result).casefold())
    return found


def _bases(path: Path, result: Path) -> Collection[str]:
    """What the names of a file's pages and alternatives can begin with, as of `results.name_page`."""
    names = (result.stem.removesuffix(SUFFIX), path.name, f"{path.parent.name}_{path.name}")
    return {str(result.with_name(name)).casefold() for name in names}


def singly(piece: Piece) -> list[Piece]:
    """The same files, each by itself."""
    return [Piece((file,), piece.others | _results(piece), begun=True) for file in piece.files]


def _results(piece: Piece) -> frozenset[str]:
    return frozenset(result.casefold() for _, result in piece.files)
