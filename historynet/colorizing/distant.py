"""Picture files that are colorized on the machines of a cluster, some at a time; imports no engine."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from historynet.colorizing import objects
from historynet.colorizing.objects import Object
from historynet.colorizing.options import Options
from historynet.colorizing.reporting import Report
from historynet.colorizing.results import SUFFIX
from historynet.runtimes import is_exported

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

    def made_with(self, extension: str) -> dict[str, Any]:
        """What a result depends on, by name; its extension has a dot."""
        return {**self.common, **self.options.made_with(extension)}

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
            if not is_exported(self.model):
                backend.start(gpu, onednn=onednn, engine=name)
            from historynet.colorizing.colorizer import Colorizer
            from historynet.colorizing.folder import colorize_files
            from historynet.colorizing.records import Records

            colorizer = Colorizer(self.model, self.variant, self.precision, self.decoding)
        records = Records(self.common)

        def colorize(pairs: Sequence[tuple[Path, Path]], others: Collection[str] | None, options: Options) -> Report:
            paths, results = zip(*pairs, strict=True)
            with backend.quiet():
                return colorize_files(
                    colorizer, paths, results, self.batch_size, options=options, records=records, others=others
                )

        def work(piece: Piece) -> Report:
            if piece.store:
                sources = zip(piece.objects, (result for _, result in piece.files), strict=True)
                replaced = self.options.existing == "overwrite"
                with objects.on_disk(list(sources), piece.store, replaced) as (folder, pairs, finish):
                    others = [f"{folder}/{name}".casefold() for name in piece.others or ()]
                    return finish(colorize(pairs, others, self.options))
            options = self.options
            if piece.begun and options.existing == "refuse":
                # They are of the process that was lost.
                options = replace(options, existing="skip")
            return colorize([(Path(path), Path(result)) for path, result in piece.files], piece.others, options)

        return work


@dataclass(frozen=True)
class Piece:
    """Some files of a run, and their results.

    Attributes:
        files: (picture, result); names take a fifth of the memory of paths.
        others: results of the rest of the run that are called as pages or alternatives of these could be, casefolded;
            None: there is no rest.
        objects: the pictures in a store, as they were listed; none of files.
        store: URL of the folder of results, whose names are from there then; empty: they are files.
        begun: whether a process was lost that had begun it, and may have made some of the results.
    """

    files: tuple[tuple[str, str], ...]
    others: frozenset[str] | None
    objects: tuple[Object, ...] = ()
    store: str = ""
    begun: bool = False

    def again(self) -> "Piece":
        """The same, after a process was lost that had begun it."""
        return replace(self, begun=True)

    def singly(self) -> list["Piece"]:
        """The same files, each by itself, after processes were lost that had begun all."""
        if self.others is None:
            return [self.again()]
        others = self.others | {result.casefold() for _, result in self.files}
        return [
            Piece((file,), others, self.objects[place : place + 1], self.store, begun=True)
            for place, file in enumerate(self.files)
        ]

    def lost(self) -> Report:
        """The report of a piece whose file ended every process."""
        report = Report()
        for name, _ in self.files:
            path = name if self.store else Path(name)
            report.skip(path, f"{path}: ended each process that read it, perhaps for lack of memory")
        return report


def split(files: Sequence[tuple[str, str]], objects: Sequence[Object] = (), store: str = "") -> list[Piece]:
    """A run's files in pieces of work, in order, whatever there are of machines: so results do not depend on them.

    Args:
        files: names of (picture, result).
        objects: as of `Piece`, of all files.
        store: as of `Piece`.
    """
    size = min(_MOST, max(_FEWEST, -(-len(files) // _SHARES)))
    derived = _derived(result for _, result in files)
    pieces = []
    for begin in range(0, len(files), size):
        part = files[begin : begin + size]
        near = (derived.get(base, ()) for path, result in part for base in _bases(path, result))
        others = frozenset(name for names in near for name in names) if derived else frozenset()
        if len(files) == 1 and not store:
            # As without a cluster; of objects there may be others that are done.
            others = None
        pieces.append(Piece(tuple(part), others, tuple(objects[begin : begin + size]), store))
    return pieces


def _derived(results: Iterator[str]) -> dict[str, list[str]]:
    """Results that are called as others' pages or alternatives could be, by what stands before that, casefolded."""
    found: dict[str, list[str]] = {}
    for result in map(PurePath, results):
        base, number = _DERIVED.subn("", result.stem)
        if number:
            found.setdefault(str(result.with_name(base)).casefold(), []).append(str(result).casefold())
    return found


def _bases(path: str, result: str) -> Collection[str]:
    """What the names of a file's pages and alternatives can begin with, as of `results.name_page`."""
    path, result = PurePath(path), PurePath(result)
    names = (result.stem.removesuffix(SUFFIX), path.name, f"{path.parent.name}_{path.name}")
    return {str(result.with_name(name)).casefold() for name in names}
