"""What the command line of the colorizers starts: pictures, then films, and a report however that ends."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

from historynet import __version__, backend, errors, files, films, streams
from historynet.clusters import Cluster
from historynet.colorizing import choosing, distant, objects
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.distant import Piece, Setup
from historynet.colorizing.folder import colorize_files, digest
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
from historynet.commands import colorize_cluster, colorize_objects
from historynet.commands.colorize_plan import Plan, make_plan, note_unobeyed, show
from historynet.commands.running import one_line
from historynet.errors import InputError, PictureError, translated
from historynet.films.options import FilmOptions
from historynet.runtimes import is_exported, opening
from historynet.settings import Settings
from historynet.training.stopping import Stop

_STOPPED = "what is finished, of a film too, is kept; the same command with --skip-existing goes on from there"


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
    cluster = colorize_cluster.open_cluster(arguments.cluster, settings.gpu_id)
    if colorize_objects.check_given(arguments):
        return _run_objects(cluster, arguments, settings, variant)
    plan = make_plan(arguments, settings.result_dir)
    choice = choosing.choose_model(settings.pretrained, settings.model_dir, variant or "HistoryNet")
    if arguments.alternatives or arguments.confidence:
        _check_beside(choice.path, arguments)
    place = f"running on {colorize_cluster.describe(cluster)}" if cluster else device
    print(one_line(f"{place}; colorizing with {choice}"), flush=True)
    report = Report()
    for path, line in plan.passed_over:
        report.note(path, [line])
        report.outcomes.append(Outcome(path, None, PASSED_OVER, line))
    note_unobeyed(arguments, plan, report)
    end = arguments.end if arguments.preview is None else arguments.start + arguments.preview
    if arguments.dry_run:
        show(plan, arguments, _options(FilmOptions, arguments, provenance=None, end=end), report)
        _print_report(report, settings.result_dir, "would be colorized")
        return errors.SKIPPED if report.skipped else errors.DONE
    if cluster:
        setup = _setup(cluster, choice.path, variant, arguments, settings)
        return _run_over(cluster, setup, arguments, settings, plan, report)
    with backend.quiet():
        colorizer, records = _load(choice.path, variant, settings, _decoding(arguments, settings))
        line = records.provenance(__version__) if arguments.provenance else None
        order = [path for path, _ in (*plan.pictures, *plan.films)]
        with _reported(arguments.report, order, report, settings.result_dir), Stop() as stop, stop.at_once(_STOPPED):
            options = _options(Options, arguments, provenance=line, seed=settings.seed)
            _colorize_pictures(colorizer, plan, settings.colorizing_batch_size, options, report, records)
            film_options = _options(FilmOptions, arguments, provenance=line, end=end)
            _colorize_films(colorizer, plan, film_options, report, records)
    return errors.SKIPPED if report.skipped or report.damaged else errors.DONE


def _run_over(
    cluster: Cluster, setup: Setup, arguments: argparse.Namespace, settings: Settings, plan: Plan, report: Report
) -> int:
    """The same on the machines of a cluster."""
    for path, _ in plan.films:
        report.skip(path, f"{path}: {colorize_cluster.FILM}")
    pieces = distant.split([(str(path), str(result)) for path, result in plan.pictures])
    order = [path for path, _ in (*plan.pictures, *plan.films)]
    return _spread(cluster, setup, pieces, order, settings.result_dir, report, arguments.report)


def _run_objects(cluster: Cluster, arguments: argparse.Namespace, settings: Settings, variant: str | None) -> int:
    """The same with object storage."""
    plan, results = colorize_objects.make_plan(arguments), objects.normal(arguments.results_url)
    choice = choosing.choose_model(settings.pretrained, settings.model_dir, variant or "HistoryNet")
    if arguments.alternatives or arguments.confidence:
        _check_beside(choice.path, arguments)
    print(one_line(f"running on {colorize_cluster.describe(cluster)}; colorizing with {choice}"), flush=True)
    setup, report = _setup(cluster, choice.path, variant, arguments, settings), Report()
    left = colorize_objects.leave_out_done(plan, results, setup, report)
    if arguments.dry_run:
        for picture, name in zip(left.pictures, left.names, strict=True):
            print(one_line(f"{picture.url} -> {results}/{name}"))
        report.done = len(left.pictures)
        _print_report(report, results, "would be colorized")
        return errors.SKIPPED if report.skipped else errors.DONE
    files_of = [(picture.url, name) for picture, name in zip(left.pictures, left.names, strict=True)]
    pieces = distant.split(files_of, left.pictures, results)
    return _spread(cluster, setup, pieces, plan.urls, results, report, arguments.report)


def _spread(
    cluster: Cluster,
    setup: Setup,
    pieces: Sequence[Piece],
    order: Sequence[Path | str],
    results: Path | str,
    report: Report,
    table: Path | None,
) -> int:
    report.is_tabled = table is not None
    with contextlib.ExitStack() as stack:
        stack.enter_context(_reported(table, order, report, results))
        stack.enter_context(stack.enter_context(Stop()).at_once(_STOPPED))
        bar = stack.enter_context(streams.Progress(sum(len(piece.files) for piece in pieces), "picture"))
        colorize_cluster.colorize(
            cluster, setup, pieces, results if isinstance(results, Path) else None, report, bar.update
        )
    return errors.SKIPPED if report.skipped else errors.DONE


def _setup(
    cluster: Cluster, model: Path, variant: str | None, arguments: argparse.Namespace, settings: Settings
) -> Setup:
    """What the processes of a cluster need."""
    decoding = _decoding(arguments, settings)
    precision, engine = settings.precision, settings.backend
    if is_exported(model):
        # What it computes in is the file's own.
        precision = opening.open_network(model, variant, precision)[0].precision
    else:
        # Not what each machine takes by default.
        engine = backend.choose(engine)
    common = _common(model, digest(model), precision, decoding)
    line = Records(common).provenance(__version__) if arguments.provenance else None
    options = _options(Options, arguments, provenance=line, seed=settings.seed)
    started = (cluster.gpu_id, settings.onednn, engine)
    size = settings.colorizing_batch_size
    return Setup(model.absolute(), variant, settings.precision, decoding, common, options, size, started)


def _decoding(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    return {**settings.decoding, **dict(getattr(arguments, "decoding", ()))}


def _check_beside(model: Path, arguments: argparse.Namespace) -> None:
    """Sees that the model has what is wanted beside its colours, before the work.

    Raises:
        InputError: if not.
    """
    registration = opening.identify(model).registration
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


@contextlib.contextmanager
def _reported(path: Path | None, order: Sequence[Path | str], report: Report, result_dir: Path | str) -> Iterator[None]:
    """Prints what became of the files, and writes the table if there is to be one, however what is within ends.

    Raises:
        InputError: if the table cannot be written and nothing else went wrong before.
    """

    def finish() -> None:
        _print_report(report, result_dir)
        if path:
            _write_report(path, order, report)

    try:
        yield
    except BaseException:
        # Of a run that was stopped, or that a full disk ended: why is what counts, and its exit code.
        try:
            finish()
        except InputError as error:
            print(one_line(f"error: {error}"), file=sys.stderr)
        raise
    finish()


def _write_report(path: Path, files_in_order: Sequence[Path | str], report: Report) -> None:
    reached = {outcome.picture for outcome in report.outcomes}
    order = {file: place for place, file in enumerate(files_in_order)}
    report.outcomes += [Outcome(file, None, NOT_REACHED) for file in order if file not in reached]
    report.outcomes.sort(key=lambda outcome: order.get(outcome.picture, -1))
    report.write(path)
    print(one_line(f"what became of each picture: {path}"), flush=True)


def _load(
    model: Path, variant: str | None, settings: Settings, decoding: Mapping[str, Any]
) -> tuple[Colorizer, Records]:
    """The network, and the records that say what was used, for which the file is read meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as hasher:
        hashed = hasher.submit(digest, model)
        colorizer = Colorizer(model, variant, settings.precision, decoding)
    return colorizer, Records(_common(model, hashed.result(), colorizer.precision, decoding))


def _common(model: Path, sha256: str, precision: str, decoding: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": model.name, "sha256": sha256, "precision": precision, **decoding}


def _options(kind: type, arguments: argparse.Namespace, **others: Any) -> Any:
    """Options or FilmOptions, of the arguments that have their fields' names, and of others."""
    names = [field.name for field in dataclasses.fields(kind) if field.name not in others]
    return kind(**{name: getattr(arguments, name) for name in names}, **others)


def _colorize_pictures(
    colorizer: Colorizer, plan: Plan, batch_size: int, options: Options, report: Report, records: Records
) -> None:
    if not plan.pictures:
        return
    paths, results = zip(*plan.pictures, strict=True)
    with streams.Progress(len(paths), "picture") as bar:
        colorize_files(colorizer, paths, results, batch_size, bar.update, options, report, records)


def _colorize_films(colorizer: Colorizer, plan: Plan, options: FilmOptions, report: Report, records: Records) -> None:
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
    frames = films.count_frames(path, options)
    with system_errors, streams.Progress(frames, "frame", one_line(path.name), about=True) as bar:
        of_film = films.colorize_film(colorizer, path, result, options, bar.update, records)
    report.done += 1
    if of_film.continued:
        print(one_line(f"{result}: {of_film.continued} of its {of_film.frames} frames were there already"))
    report.note(path, of_film.notes)
    report.damaged += [f"{path}: {what}" for what in of_film.damage]
    outcome = IN_PART if of_film.damage else COLORIZED
    report.outcomes.append(Outcome(path, result, outcome, "; ".join([*of_film.damage, *of_film.notes])))


def _print_report(report: Report, result_dir: Path | str, done: str = "colorized") -> None:
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
