"""A folder -> a folder: many files through one network, in order, with bounded memory."""

import contextlib
import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from historynet.colorizing import beside
from historynet.colorizing.beside import Beside
from historynet.colorizing.colorizer import PICTURES_AT_ONCE, Colorizer
from historynet.colorizing.job import KEPT, Job
from historynet.colorizing.options import Options
from historynet.colorizing.records import Records, identify
from historynet.colorizing.reporting import COLORED, COLORIZED, EXISTING, Outcome, Report, reason_to_skip
from historynet.colorizing.results import name_comparison, name_page
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead, within
from historynet.pictures import color, figures, formats, images, print_area, toning

_COMPARISON_HEIGHT = 1024
"""Pixels, at most, of a picture beside its result."""

_MEGAPIXELS_AT_ONCE = 24
"""About as many are read ahead, in the network's batch, and being written; a larger picture goes alone."""


def digest(model: Path) -> str:
    """The beginning of a model file's SHA-256; reads the whole file."""
    with model.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def colorize_files(
    colorizer: Colorizer,
    paths: Sequence[Path],
    results: Sequence[Path],
    batch_size: int,
    progress: Callable[[int], object] = lambda count: None,
    options: Options | None = None,
    report: Report | None = None,
    records: Records | None = None,
    others: Collection[str] | None = None,
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
        others: results of the other files of a larger run, casefolded, of which these are a part; None: it is no part.

    Returns:
        The report.

    Raises:
        InputError: if no result can be written any more, as on a full disk; or if the network's system has not what is
            wanted beside the colours.
    """
    report = Report() if report is None else report
    options = options or Options()
    if options.alternatives or options.confidence:
        colorizer.check_beside(options.alternatives > 0, options.confidence)
        # Raw outputs, which wait to be written, can be a hundred times as large as what becomes of them.
        batch_size = min(batch_size, PICTURES_AT_ONCE)
    planned = {str(result).casefold() for result in results} | set(others or ())
    several = others is not None or len(paths) > 1
    run = _Run(colorizer, batch_size, progress, options, report, planned, records, several, others is not None)
    run.colorize(zip(paths, results, strict=True))
    return report


@dataclass
class _Run:
    """A run over files. The methods stand in the order in which a picture meets them.

    Attributes:
        planned: the results of all files, casefolded.
        several: whether there is more than one file.
        is_part: whether these are some of a larger run's files.
        unfinished: the pictures that the network has seen and nobody has counted yet, in order.
        The others are as in `colorize_files`.
    """

    colorizer: Colorizer
    batch_size: int
    progress: Callable[[int], object]
    options: Options
    report: Report
    planned: set[str]
    records: Records | None
    several: bool
    is_part: bool
    unfinished: deque[Job] = field(default_factory=deque)

    def colorize(self, files: Iterable[tuple[Path, Path]]) -> None:
        """Takes (file, result) pairs through all stages; opening, reading and writing have threads of their own."""
        with contextlib.ExitStack() as stages:

            def beside(work: Callable, items: Iterable, *cost: Callable[[Job], float]) -> Iterator:
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

    def _cost(self, job: Job) -> float:
        """The pictures of usual size that it counts as."""
        return max(1, self.batch_size * job.megapixels / _MEGAPIXELS_AT_ONCE)

    def _attempt(self, work: Callable[[Job], None], job: Job) -> Job:
        """Does a stage's work on a picture; one that fails is skipped, and the run goes on."""
        try:
            work(job)
        except (InputError, MemoryError) as error:
            job.picture = None
            job.skipped = reason_to_skip(job.path, error)
        return job

    def _open(self, file: tuple[Path, Path]) -> list[Job]:
        """A file's pictures, by its header."""
        path, result = file
        job = Job(path, result, beside=self._beside(result))
        if self.options.existing == "skip" and all(file.exists() for file in (result, *job.beside.paths)):
            self._attempt(self._pass_over, job)
            return [job]
        try:
            header = self._within(formats.read_header, path, self.options.max_megapixels)
        except (PictureError, MemoryError) as error:
            return [Job(path, result, skipped=reason_to_skip(path, error))]
        pages, megapixels = header.pages, header.megapixels
        results = [result] if pages == 1 else [name_page(path, result, page, self.planned) for page in range(pages)]
        return [
            Job(path, made, page, page == pages - 1, megapixels, beside=self._beside(made))
            for page, made in enumerate(results)
        ]

    def _beside(self, result: Path) -> Beside:
        return Beside.of(result, self.options.alternatives, self.options.confidence, self.planned)

    def _within(self, read: Callable, path: Path, *arguments: object) -> Any:
        """What `read` makes of a file, if it does so in time."""
        seconds = self.options.max_seconds
        try:
            return within(seconds, read, path, *arguments)
        except TimeoutError as error:
            raise PictureError(f"{path}: takes more than {seconds:g} seconds to be read (--max-seconds)") from error

    def _read(self, job: Job) -> None:
        if job.skipped or job.existing:
            return
        results = (job.result, *job.beside.paths)
        for result in results if self.records is not None else ():
            self.records.refuse(job.path, result)
        existing = [result for result in results if result.exists()]
        if existing and self.options.existing == "refuse":
            job.skipped = f"{job.path}: {existing[0]} is there already (--overwrite, --skip-existing)"
            return
        if existing and self.options.existing == "skip":
            self._pass_over(job)
            if job.existing:
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

    def _pass_over(self, job: Job) -> None:
        """Sees whether what is there already is the picture's; the rest of it, if anything is missing, is made."""
        results = (job.result, *job.beside.paths)
        job.kept = {result for result in results if result.exists()}
        job.existing = len(job.kept) == len(results)
        for result in results if self.records is not None else ():
            if result in job.kept:
                notes = self.records.compare(job.path, result, self._made_with(job, result))
                job.notes += [note for note in notes if note not in job.notes]
        if self.options.compare and job.result in job.kept and not name_comparison(job.result).exists():
            job.notes.append("no --compare of a result that is there already (--overwrite makes both)")

    def _pass_on(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """What the network is needed for; the others are finished."""
        for job in jobs:
            if job.skipped or job.existing or job.colored:
                job.picture = None
                self._finish(job)
            else:
                yield job

    def _predict(self, jobs: Iterable[Job]) -> Iterator[Job]:
        for batch in batched(jobs, self.batch_size, self._cost):
            luminance = np.stack([job.luminance for job in batch])
            if self.several and self.batch_size > 1 and len(batch) % PICTURES_AT_ONCE == 1:
                # One alone is computed by other sums than several. Which pictures others meet must not be seen in it.
                # In batches of one all go alone, as the released program's do.
                luminance = np.concatenate([luminance, luminance[-1:]])
            outputs = self.colorizer.predict(luminance) if self._has_beside else {}
            colours = self.colorizer.decode(outputs) if outputs else self.colorizer.predict_ab(luminance)
            for i, (job, ab) in enumerate(zip(batch, colours[: len(batch)], strict=True)):
                job.ab = ab
                # Copies: a part of an array would keep all of it.
                job.outputs = {name: output[i].copy() for name, output in outputs.items()}
                self.unfinished.append(job)
                yield job

    @property
    def _has_beside(self) -> bool:
        return bool(self.options.alternatives or self.options.confidence)

    def _made_with(self, job: Job, result: Path) -> dict[str, Any]:
        """What a file of a picture depends on."""
        own = result == job.result
        return self.options.made_with(result.suffix) if own else job.beside.made_with(result, self.options)

    def _write(self, job: Job) -> None:
        def naming(result: Path) -> contextlib.AbstractContextManager[None] | None:
            if self.records is None:
                return None
            return self.records.naming(job.path, job.source, result, self._made_with(job, result))

        job.nearly_gray = color.chroma(job.ab) < color.NEARLY_GRAY
        if self.options.provenance:
            formats.add_provenance(job.picture, self.options.provenance)
        if self._has_beside:
            # First: the result itself is coloured in the picture's own place.
            job.made = beside.write(
                *(job.picture, job.path, job.outputs, job.luminance, job.inside, job.beside, job.kept),
                *(self.colorizer, self.options, naming),
            )
        if job.result not in job.kept:
            _write(job.picture, job.ab, job.inside, job.result, self.options, naming(job.result))
        # The notes stay; the rest has done its work.
        job.picture.rgb = job.picture.alpha = job.outputs = None
        job.written = True

    def _finish(self, job: Job) -> None:
        self._count(job)
        if job.last:
            self.progress(1)

    def _count(self, job: Job) -> None:
        report = self.report
        if job.skipped:
            report.skip(job.path, job.skipped, job.tint)
            return
        if job.existing:
            report.existing += 1
            result, outcome, notes, why = job.result, EXISTING, job.notes, job.notes
            job.made = [Outcome(job.path, path, EXISTING) for path in job.beside.paths]
        elif job.colored:
            report.colored += 1
            result, outcome, notes, why = None, COLORED, [KEPT], [KEPT]
        else:
            kept = job.result in job.kept
            report.done += not kept
            report.existing += kept
            result, outcome = job.result, EXISTING if kept else COLORIZED
            notes, why = ([*job.notes, *said] for said in job.remarks(self.options.keep_colored))
            report.nearly_gray += [job.path] * job.nearly_gray
        report.note(job.path, notes)
        report.outcomes.append(Outcome(job.path, result, outcome, "; ".join(why), job.tint))
        report.outcomes += job.made
        report.beside += sum(outcome.outcome != EXISTING for outcome in job.made)
        report.note(job.path, [beside.SURE] * any(outcome.why.startswith(beside.IS_SURE) for outcome in job.made))

    def _count_unfinished(self) -> None:
        for job in self.unfinished:
            if job.written or job.skipped:
                self._count(job)
        if not self.is_part:
            self.report.note_nearly_gray()


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
    formats.write(result, picture, options.quality, naming)
    if options.compare:
        after = figures.scale(color.to_8_bit(picture.rgb), len(before))
        pair = figures.grid([[before, after]], ["original", "colorized"], len(before))
        images.write_rgb(name_comparison(result), pair)
