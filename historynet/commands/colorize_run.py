"""What the command line of the colorizers starts: pictures, then films, and a report however that ends."""

import argparse
import dataclasses
import sys
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

from historynet import __version__, backend, errors, files, films, streams
from historynet.colorizing import choosing
from historynet.colorizing.beside import Beside
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.folder import colorize_files, digest
from historynet.colorizing.inputs import PassedOver, list_inputs
from historynet.colorizing.options import Options
from historynet.colorizing.records import Records
from historynet.colorizing.reporting import (
    COLORIZED,
    EXISTING,
    IN_PART,
    NOT_REACHED,
    PASSED_OVER,
    Outcome,
    Report,
    is_report,
    reason_to_skip,
)
from historynet.colorizing.results import PREVIEW_SUFFIX, check_results, name_excerpt, name_page, name_results
from historynet.commands.running import one_line
from historynet.errors import InputError, PictureError, translated
from historynet.films.options import FilmOptions
from historynet.pictures import formats
from historynet.settings import Settings, option
from historynet.systems import loading
from historynet.training.stopping import Stop

_OF_PICTURES = {
    "keep_colored": Options.keep_colored,
    "compare": Options.compare,
    "alternatives": Options.alternatives,
    "confidence": Options.confidence,
    "quality": Options.quality,
    "format": "jpg",
}
"""Options that films do not obey, with their defaults."""

_OF_FILMS = {
    "preview": None,
    "start": FilmOptions.start,
    "end": FilmOptions.end,
    "steadiness": FilmOptions.steadiness,
    "film_format": "same",
    "codec": FilmOptions.codec,
    "crf": FilmOptions.crf,
    "pixel_format": FilmOptions.pixel_format,
    "deinterlace": FilmOptions.deinterlace,
}
"""Options that pictures do not obey, with their defaults."""

_STOPPED = "what is finished, of a film too, is kept; the same command with --skip-existing goes on from there"


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What the run makes of what: pairs of a file and its result.

    Attributes:
        pictures: in the order of the inputs.
        films: in the order of the inputs.
        existing_films: what becomes of films whose results exist, as in `Options`.
        passed_over: what lies in the inputs' folders and is not taken: (folder or file, what is said of it).
    """

    pictures: Sequence[tuple[Path, Path]]
    films: Sequence[tuple[Path, Path]]
    existing_films: str
    passed_over: Sequence[tuple[Path, str]]


def run(arguments: argparse.Namespace, settings: Settings, variant: str | None, device: str) -> int:
    """Colorizes what a command line names.

    Args:
        arguments: of the command line.
        settings: the resolved ones.
        variant: the variant that the model must be of; any if None.
        device: one line that says what the program runs on.

    Returns:
        The exit code.

    Raises:
        InputError: if the inputs, the results' names or the model will not do, or no result can be written any more.
        StoppedError: at SIGTERM or Ctrl-C.
    """
    # --max-megapixels is our own limit, checked before a picture is decoded.
    Image.MAX_IMAGE_PIXELS = None
    _check_report(arguments)
    plan = _make_plan(arguments, settings.result_dir)
    choice = choosing.choose_model(settings.pretrained, settings.model_dir, variant or "HistoryNet")
    if arguments.alternatives or arguments.confidence:
        _check_beside(choice.path, arguments)
    print(one_line(f"{device}; colorizing with {choice}"), flush=True)
    report = Report()
    for path, line in plan.passed_over:
        report.note(path, [line])
        report.outcomes.append(Outcome(path, None, PASSED_OVER, line))
    _note_unobeyed(arguments, plan, report)
    end = arguments.end if arguments.preview is None else arguments.start + arguments.preview
    if arguments.dry_run:
        _show(plan, arguments, _options(FilmOptions, arguments, provenance=None, end=end), report)
        _print_report(report, settings.result_dir, "would be colorized")
        return errors.SKIPPED if report.skipped else errors.DONE
    with backend.quiet():
        colorizer, records = _load(choice.path, variant, settings, dict(getattr(arguments, "decoding", ())))
        line = records.provenance(__version__) if arguments.provenance else None
        try:
            with Stop() as stop, stop.at_once(_STOPPED):
                options = _options(Options, arguments, provenance=line, seed=settings.seed)
                _colorize_pictures(colorizer, plan, settings.colorizing_batch_size, options, report, records)
                film_options = _options(FilmOptions, arguments, provenance=line, end=end)
                _colorize_films(colorizer, plan, film_options, report, records)
        finally:
            # Also of a run that was stopped, or that a full disk ended.
            _print_report(report, settings.result_dir)
            if arguments.report:
                _write_report(arguments.report, plan, report)
    return errors.SKIPPED if report.skipped or report.damaged else errors.DONE


def _make_plan(arguments: argparse.Namespace, result_dir: Path) -> _Plan:
    """Which files there are, and which result each has.

    Raises:
        InputError: if there are none, or a result would replace an input or, unasked, an earlier result.
    """
    passed_over, extensions = PassedOver(), formats.EXTENSIONS | films.EXTENSIONS
    found = list_inputs(arguments.inputs, result_dir, arguments.recursive, extensions, passed_over)
    pictures = [path for path in found if path.suffix.lower() not in films.EXTENSIONS]
    film_files = [path for path in found if path.suffix.lower() in films.EXTENSIONS]
    roots = [given for given in arguments.inputs if arguments.recursive and given.is_dir()]
    results = name_results(pictures, result_dir, roots, arguments.format)
    suffix = name_excerpt(arguments.start, arguments.end) if arguments.preview is None else PREVIEW_SUFFIX
    film_results = name_results(film_files, result_dir, roots, arguments.film_format, films.same_container, suffix)
    # A preview is there to be made again with other options.
    existing_films = arguments.existing if arguments.preview is None else "overwrite"
    # What stands beside a document's pages is seen when it is read.
    planned = {str(result).casefold() for result in results}
    both = [
        (path, file)
        for path, result in zip(pictures, results, strict=True)
        for file in _with_beside(result, arguments, planned)
    ]
    # First: of another source's results neither --skip-existing nor --overwrite makes one's own.
    Records().check([*both, *zip(film_files, film_results, strict=True)])
    check_results(found, [file for _, file in both], arguments.existing)
    check_results(found, film_results, existing_films)
    return _Plan(
        list(zip(pictures, results, strict=True)),
        list(zip(film_files, film_results, strict=True)),
        existing_films,
        passed_over.lines(),
    )


def _with_beside(result: Path, arguments: argparse.Namespace, planned: Collection[str]) -> tuple[Path, ...]:
    """A result and the files beside it."""
    return (result, *Beside.of(result, arguments.alternatives, arguments.confidence, planned).paths)


def _check_beside(model: Path, arguments: argparse.Namespace) -> None:
    """Sees that the model has what is wanted beside its colours, before the work.

    Raises:
        InputError: if not.
    """
    registration = loading.identify(model).registration
    # What does not colorize at all is refused with the other reason.
    if registration.colorizing:
        registration.colorizing.check_beside(registration.name, arguments.alternatives > 0, arguments.confidence)


def _check_report(arguments: argparse.Namespace) -> None:
    """Sees that the table can be written, before the work.

    Raises:
        InputError: if not.
    """
    path = arguments.report
    if path is None:
        return
    if arguments.dry_run:
        raise InputError("--report: not with --dry-run, after which there is nothing to report")
    if path.suffix.lower() != ".csv" or path.is_dir():
        raise InputError(f"--report {path}: it takes a file whose name ends with .csv")
    if path.exists() and not is_report(path):
        raise InputError(f"--report {path}: is there already and no such table; name another file")
    files.make_folder(path.absolute().parent)


def _write_report(path: Path, plan: _Plan, report: Report) -> None:
    reached = {outcome.picture for outcome in report.outcomes}
    order = {file: place for place, (file, _) in enumerate((*plan.pictures, *plan.films))}
    report.outcomes += [Outcome(file, None, NOT_REACHED) for file in order if file not in reached]
    report.outcomes.sort(key=lambda outcome: order.get(outcome.picture, -1))
    report.write(path)
    print(one_line(f"what became of each picture: {path}"), flush=True)


def _show(plan: _Plan, arguments: argparse.Namespace, film_options: FilmOptions, report: Report) -> None:
    """Prints what the run would make of which file, by the files' headers, and counts it."""
    planned = {str(result).casefold() for _, result in plan.pictures}
    for path, result in (*plan.pictures, *plan.films):
        is_film = path.suffix.lower() in films.EXTENSIONS
        skips = (plan.existing_films if is_film else arguments.existing) == "skip"
        files_of = [result] if is_film else _with_beside(result, arguments, planned)
        if skips and all(file.exists() for file in files_of):
            report.existing += 1
            continue
        results = [result]
        try:
            if is_film:
                size = f"about {films.count_frames(path, film_options) or 'an unknown number of'} frames"
            else:
                header = formats.read_header(path, arguments.max_megapixels)
                size = f"{header.width}x{header.height}"
                if header.pages > 1:
                    results = [name_page(path, result, page, planned) for page in range(header.pages)]
                    size = f"{size}, {header.pages} pages"
                files_of = [file for page in results for file in _with_beside(page, arguments, planned)]
        except (InputError, MemoryError) as error:
            report.skip(path, reason_to_skip(path, error))
            continue
        made = [file for file in files_of if not (skips and file.exists())]
        done = len(set(made) & set(results))
        report.done += done
        report.existing += len(results) - done
        report.beside += len(made) - done
        if made:
            print(one_line(f"{path} ({size}) -> {made[0]}" + (" and so on" if len(made) > 1 else "")))


def _note_unobeyed(arguments: argparse.Namespace, plan: _Plan, report: Report) -> None:
    """Notes which of the options that are given do not count for which of the inputs."""
    for pairs, defaults, others in ((plan.films, _OF_PICTURES, "pictures"), (plan.pictures, _OF_FILMS, "films")):
        given = [option(name) for name, default in defaults.items() if getattr(arguments, name) != default]
        for path, _ in pairs if given else ():
            report.note(path, [f"{', '.join(given)}: for {others} alone"])
    if arguments.preview is None:
        return
    for path, result in plan.films:
        if arguments.end is not None:
            report.note(path, ["--end does not count with --preview"])
        if arguments.existing == "skip" and result.exists():
            report.note(path, ["--skip-existing: previews are made again each time"])


def _load(model: Path, variant: str | None, settings: Settings, given: Mapping[str, str]) -> tuple[Colorizer, Records]:
    """The network, and the records that say what was used, for which the file is read meanwhile."""
    decoding = {**settings.decoding, **given}
    with ThreadPoolExecutor(max_workers=1) as hasher:
        hashed = hasher.submit(digest, model)
        colorizer = Colorizer(model, variant, settings.precision, decoding)
    common = {"model": model.name, "sha256": hashed.result(), "precision": settings.precision, **decoding}
    return colorizer, Records(common)


def _options(kind: type, arguments: argparse.Namespace, **others: Any) -> Any:
    """Options or FilmOptions, of the arguments that have their fields' names, and of others."""
    names = [field.name for field in dataclasses.fields(kind) if field.name not in others]
    return kind(**{name: getattr(arguments, name) for name in names}, **others)


def _colorize_pictures(
    colorizer: Colorizer, plan: _Plan, batch_size: int, options: Options, report: Report, records: Records
) -> None:
    if not plan.pictures:
        return
    paths, results = zip(*plan.pictures, strict=True)
    with streams.Progress(len(paths), "picture") as bar:
        colorize_files(colorizer, paths, results, batch_size, bar.update, options, report, records)


def _colorize_films(colorizer: Colorizer, plan: _Plan, options: FilmOptions, report: Report, records: Records) -> None:
    for path, result in plan.films:
        try:
            if plan.existing_films == "refuse" and result.exists():
                raise PictureError(f"{path}: {result} is there already (--overwrite, --skip-existing)")
            if plan.existing_films == "skip" and result.exists():
                notes = records.compare(path, result, options.made_with)
                report.note(path, notes)
                report.existing += 1
                report.outcomes.append(Outcome(path, result, EXISTING, "; ".join(notes)))
                continue
            _colorize_film(colorizer, path, result, options, report, records)
        except (InputError, MemoryError) as error:
            report.skip(path, reason_to_skip(path, error))


def _colorize_film(
    colorizer: Colorizer, path: Path, result: Path, options: FilmOptions, report: Report, records: Records
) -> None:
    # What disappears meanwhile is this film's own trouble.
    system_errors = translated(OSError, lambda error: InputError(f"{error.filename or path}: {error.strerror}"))
    with system_errors, streams.Progress(films.count_frames(path, options), "frame", one_line(path.name)) as bar:
        of_film = films.colorize_film(colorizer, path, result, options, bar.update, records)
    report.done += 1
    if of_film.continued:
        print(one_line(f"{result}: {of_film.continued} of its {of_film.frames} frames were there already"))
    report.note(path, of_film.notes)
    report.damaged += [f"{path}: {what}" for what in of_film.damage]
    outcome = IN_PART if of_film.damage else COLORIZED
    report.outcomes.append(Outcome(path, result, outcome, "; ".join([*of_film.damage, *of_film.notes])))


def _print_report(report: Report, result_dir: Path, done: str = "colorized") -> None:
    """Prints a summary, and on standard error a line for each note and each file that is not, or not wholly, done."""
    counts = [f"{report.done} {done} into {result_dir}", f"{len(report.skipped)} skipped"]
    counts += [f"{report.beside} beside them"] if report.beside else []
    counts += [f"{report.existing} there already"] if report.existing else []
    counts += [f"{report.colored} left alone, which have colour"] if report.colored else []
    print(one_line(", ".join(counts)), flush=True)
    for note, paths in report.notes.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        print(one_line(f"note: {paths[0]}{more}: {note}"), file=sys.stderr)
    for reason in report.damaged:
        print(one_line(f"damaged: {reason}; the rest is done"), file=sys.stderr)
    for reason in report.skipped:
        print(one_line(f"skipped: {reason}"), file=sys.stderr)
