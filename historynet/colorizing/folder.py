"""A folder -> a folder: many files through one network, in order, with bounded memory."""

import contextlib
import errno
import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.options import Options
from historynet.colorizing.records import Records, Source, identify
from historynet.colorizing.reporting import COLORED, COLORIZED, EXISTING, Outcome, Report
from historynet.colorizing.results import name_comparison, name_page
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead, within
from historynet.pictures import color, figures, formats, images, print_area, toning

_COMPARISON_HEIGHT = 1024
"""Pixels, at most, of a picture beside its result."""

_MEGAPIXELS_AT_ONCE = 24
"""About as many are read ahead, in the network's batch, and being written; a larger picture goes alone."""

_NEARLY_GRAY = "the predicted colours are nearly gray: an untrained network, or the wrong one?"

_BORDER = "a border stays as it is, and the print within is coloured (--no-borders colours all)"

_KEPT, _TONED, _COLORED = "kept: coloured already", "toned print: coloured anew", "coloured already: coloured anew"
"""What is said of a picture that is not gray."""

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""Errors of writing that every further result would meet, too."""


def digest(model: Path) -> str:
    """The beginning of a model file's SHA-256; reads the whole file."""
    with model.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def reason_to_skip(path: Path, error: InputError | MemoryError) -> str:
    """Why a run skips a file and goes on with the next.

    Args:
        path: of the picture's or film's file.
        error: why it cannot be read, or its result not be made or written.

    Raises:
        InputError: the same, if every further result would meet it, too: a full disk.
    """
    if isinstance(error, MemoryError):
        return f"{path}: there is not enough memory for it"
    cause = error.__cause__ or error.__context__
    if not isinstance(error, PictureError) and getattr(cause, "errno", None) in _OF_THE_DISK:
        raise error
    return str(error)


def colorize_files(
    colorizer: Colorizer,
    paths: Sequence[Path],
    results: Sequence[Path],
    batch_size: int,
    progress: Callable[[int], object] = lambda count: None,
    options: Options | None = None,
    report: Report | None = None,
    records: Records | None = None,
) -> Report:
    """Colorizes files, in order, with bounded memory: reading and writing run beside the network.

    A file that cannot be read, or whose result cannot be written, is reported with its reason and left out.

    Args:
        colorizer: the trained network.
        paths: pictures.
        results: the file to write for each; the pages of a document become NAME_p001_reconstructed.jpg and so on.
        batch_size: number of pictures that go through the network together.
        progress: called with the number of files just finished or skipped.
        options: how the files are colorized; None: `Options()`.
        report: a report to add to, which is right also if an exception (a stop, a full disk) ends the run; None: a new
            one.
        records: where it is recorded what results are made from, and seen whose those are that are there already;
            None: nowhere, and a result is known by its name alone.

    Returns:
        The report.

    Raises:
        InputError: if no result can be written any more, as on a full disk.
    """
    report = Report() if report is None else report
    planned = {str(result).casefold() for result in results}
    run = _Run(colorizer, batch_size, progress, options or Options(), report, planned, records)
    run.colorize(zip(paths, results, strict=True))
    return report


@dataclass
class _Job:
    """One picture of a file on its way through the stages.

    Attributes:
        path: of the picture's or film's file.
        result: the file to write.
        page: the picture's number in its file, from 0.
        last: whether it is the file's last picture.
        megapixels: its size by the file's header; 0 if that cannot be read.
        picture: its content, from reading to writing.
        luminance: L as the network sees it, float32 (height, width, 1) in 0..1.
        ab: as predicted, float32 (height, width, 2) in 0..1.
        inside: where the print lies in the picture, as of `print_area.find_print`; None: everywhere.
        existing: whether it is passed over because its result exists.
        colored: whether it is left as it is because it has colour.
        tint: how far it is from having one tone only; None before it is read.
        tone: what that makes of it, one of `toning.GRAY`, `TONED` and `COLORED`.
        nearly_gray: whether hardly any colours were predicted.
        written: whether its result is written.
        skipped: why it is skipped.
        source: what its file was when it was read, if that is recorded.
        notes: what there is to say of a result that was there already.
    """

    path: Path
    result: Path
    page: int = 0
    last: bool = True
    megapixels: float = 0.0
    picture: formats.Picture | None = None
    luminance: np.ndarray | None = None
    ab: np.ndarray | None = None
    inside: np.ndarray | None = None
    existing: bool = False
    colored: bool = False
    tint: float | None = None
    tone: str = toning.GRAY
    nearly_gray: bool = False
    written: bool = False
    skipped: str | None = None
    source: Source | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class _Run:
    """A run over files. The methods stand in the order in which a picture meets them.

    Attributes:
        planned: the results of all files, casefolded.
        unfinished: the pictures that the network has seen and nobody has counted yet, in order.
        nearly_gray: pictures for which hardly any colours were predicted.
        The others are as in `colorize_files`.
    """

    colorizer: Colorizer
    batch_size: int
    progress: Callable[[int], object]
    options: Options
    report: Report
    planned: set[str]
    records: Records | None
    unfinished: deque[_Job] = field(default_factory=deque)
    nearly_gray: list[Path] = field(default_factory=list)

    def colorize(self, files: Iterable[tuple[Path, Path]]) -> None:
        """Takes (file, result) pairs through all stages; opening, reading and writing have threads of their own."""
        with contextlib.ExitStack() as stages:

            def beside(work: Callable, items: Iterable, *cost: Callable[[_Job], float]) -> Iterator:
                # Whatever ends the run, the threads of the last stage end first.
                return stages.enter_context(contextlib.closing(map_ahead(work, items, self.batch_size, *cost)))

            # At the very end, after a stop, too: what the other threads have written by then counts.
            stages.callback(self._count_unfinished)
            opened = itertools.chain.from_iterable(beside(self._open, files))
            read = beside(partial(self._attempt, self._read), opened, self._cost)
            predicted = self._predict(self._pass_on(read))
            for job in beside(partial(self._attempt, self._write), predicted, self._cost):
                self.unfinished.popleft()
                self._finish(job)

    def _cost(self, job: _Job) -> float:
        """The pictures of usual size that it counts as."""
        return max(1, self.batch_size * job.megapixels / _MEGAPIXELS_AT_ONCE)

    def _attempt(self, work: Callable[[_Job], None], job: _Job) -> _Job:
        """Does a stage's work on a picture; one that fails is skipped, and the run goes on."""
        try:
            work(job)
        except (InputError, MemoryError) as error:
            job.picture = None
            job.skipped = reason_to_skip(job.path, error)
        return job

    def _open(self, file: tuple[Path, Path]) -> list[_Job]:
        """A file's pictures, by its header."""
        path, result = file
        if self.options.existing == "skip" and result.exists():
            job = _Job(path, result)
            self._attempt(self._pass_over, job)
            return [job]
        try:
            header = self._within(formats.read_header, path, self.options.max_megapixels)
        except (PictureError, MemoryError) as error:
            return [_Job(path, result, skipped=reason_to_skip(path, error))]
        pages, megapixels = header.pages, header.megapixels
        results = [result] if pages == 1 else [name_page(path, result, page, self.planned) for page in range(pages)]
        return [_Job(path, made, page, page == pages - 1, megapixels) for page, made in enumerate(results)]

    def _within(self, read: Callable, path: Path, *arguments: object) -> Any:
        """What `read` makes of a file, if it does so in time."""
        seconds = self.options.max_seconds
        try:
            return within(seconds, read, path, *arguments)
        except TimeoutError as error:
            raise PictureError(f"{path}: takes more than {seconds:g} seconds to be read (--max-seconds)") from error

    def _read(self, job: _Job) -> None:
        if job.skipped or job.existing:
            return
        if self.records is not None:
            self.records.refuse(job.path, job.result)
        if self.options.existing != "overwrite" and job.result.exists():
            if self.options.existing == "skip":
                self._pass_over(job)
            else:
                job.skipped = f"{job.path}: {job.result} is there already (--overwrite, --skip-existing)"
            return
        if self.records is not None:
            job.source = identify(job.path)
        deep = job.result.suffix in (".png", ".tif")
        job.picture = self._within(formats.read, job.path, job.page, deep, self.options.max_megapixels)
        job.luminance = color.network_lab(job.picture.rgb, self.colorizer.size)[..., :1]
        copy = print_area.reduce(job.picture.rgb)
        inside = print_area.find_print(copy)
        job.tint, job.tone = toning.look(copy, inside)
        job.colored = self.options.keep_colored and job.tone == toning.COLORED
        if self.options.borders:
            job.inside = inside

    def _pass_over(self, job: _Job) -> None:
        """Sees whether the result that is there already is the picture's."""
        job.existing = True
        if self.records is not None:
            settings = self.options.made_with(job.result.suffix)
            job.notes = self.records.compare(job.path, job.result, settings)
        if self.options.compare and not name_comparison(job.result).exists():
            job.notes.append("no --compare of a result that is there already (--overwrite makes both)")

    def _pass_on(self, jobs: Iterable[_Job]) -> Iterator[_Job]:
        """What the network is needed for; the others are finished."""
        for job in jobs:
            if job.skipped or job.existing or job.colored:
                job.picture = None
                self._finish(job)
            else:
                yield job

    def _predict(self, jobs: Iterable[_Job]) -> Iterator[_Job]:
        for batch in batched(jobs, self.batch_size, self._cost):
            colours = self.colorizer.predict_ab(np.stack([job.luminance for job in batch]))
            for job, ab in zip(batch, colours, strict=True):
                job.ab = ab
                self.unfinished.append(job)
                yield job

    def _write(self, job: _Job) -> None:
        naming = None
        if self.records is not None:
            settings = self.options.made_with(job.result.suffix)
            naming = self.records.naming(job.path, job.source, job.result, settings)
        job.nearly_gray = color.chroma(job.ab) < color.NEARLY_GRAY
        _write(job.picture, job.ab, job.inside, job.result, self.options, naming)
        # The notes stay; the pixels have done their work.
        job.picture.rgb = job.picture.alpha = None
        job.written = True

    def _finish(self, job: _Job) -> None:
        self._count(job)
        if job.last:
            self.progress(1)

    def _count(self, job: _Job) -> None:
        report = self.report
        if job.skipped:
            report.skip(job.path, job.skipped, job.tint)
            return
        if job.existing:
            report.existing += 1
            result, outcome, notes, why = job.result, EXISTING, job.notes, job.notes
        elif job.colored:
            report.colored += 1
            result, outcome, notes, why = None, COLORED, [_KEPT], [_KEPT]
        else:
            report.done += 1
            result, outcome = job.result, COLORIZED
            notes, why = self._remarks(job)
            self.nearly_gray += [job.path] * job.nearly_gray
        report.note(job.path, notes)
        report.outcomes.append(Outcome(job.path, result, outcome, "; ".join(why), job.tint))

    def _remarks(self, job: _Job) -> tuple[list[str], list[str]]:
        """What there is to say of a result: in a note for all that it is said of, and of the picture by itself."""
        notes, why = list(job.picture.notes), list(job.picture.notes)
        if job.inside is not None:
            notes.append(_BORDER)
            why.append(f"a border of {print_area.border_share(job.inside):.0%} stays as it is")
        if job.tone != toning.GRAY:
            said = _TONED if job.tone == toning.TONED else _COLORED
            why.append(said)
            # Elsewhere it is no news: all pictures are coloured.
            notes += [said] * self.options.keep_colored
        return notes, why

    def _count_unfinished(self) -> None:
        for job in self.unfinished:
            if job.written or job.skipped:
                self._count(job)
        # One among many has a subject without colours.
        if 2 * len(self.nearly_gray) > self.report.done:
            for path in self.nearly_gray:
                self.report.note(path, [_NEARLY_GRAY])


def _write(
    picture: formats.Picture,
    ab: np.ndarray,
    inside: np.ndarray | None,
    result: Path,
    options: Options,
    naming: contextlib.AbstractContextManager[None] | None,
) -> None:
    """Colours a picture by its ab, inside of an area, and writes it, and beside it what it was if that is wanted."""
    rgb = picture.rgb
    before = figures.scale(color.to_8_bit(rgb), min(len(rgb), _COMPARISON_HEIGHT)) if options.compare else None
    picture.rgb = color.with_chrominance(rgb, ab, options.strength, options.upsampling, rgb, inside)
    if options.provenance:
        formats.add_provenance(picture, options.provenance)
    formats.write(result, picture, options.quality, naming)
    if options.compare:
        after = figures.scale(color.to_8_bit(picture.rgb), len(before))
        pair = figures.grid([[before, after]], ["original", "colorized"], len(before))
        images.write_rgb(name_comparison(result), pair)
