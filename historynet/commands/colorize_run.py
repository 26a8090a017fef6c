"""What the command line of the colorizers starts: pictures, then films, and a report however that ends."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from historynet import __version__, backend, errors, films
from historynet.colorizing import choosing
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.folder import Report, colorize_files, digest, reason_to_skip
from historynet.colorizing.inputs import PassedOver, list_inputs
from historynet.colorizing.options import Options
from historynet.colorizing.records import Records
from historynet.colorizing.results import PREVIEW_SUFFIX, check_results, name_excerpt, name_results
from historynet.commands.running import one_line
from historynet.errors import InputError, PictureError, translated
from historynet.films.options import FilmOptions
from historynet.pictures import formats
from historynet.settings import Settings, option
from historynet.training.stopping import Stop

_OF_PICTURES = {
    "keep_colored": Options.keep_colored,
    "compare": Options.compare,
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
    plan = _make_plan(arguments, settings.result_dir)
    choice = choosing.choose_model(settings.pretrained, settings.model_dir, variant or "HistoryNet")
    print(one_line(f"{device}; colorizing with {choice}"), flush=True)
    report = Report()
    for path, line in plan.passed_over:
        report.note(path, [line])
    _note_unobeyed(arguments, plan, report)
    with backend.quiet():
        colorizer, records = _load(choice.path, variant, settings)
        line = records.provenance(__version__) if arguments.provenance else None
        try:
            with Stop() as stop, stop.at_once(_STOPPED):
                options = _options(Options, arguments, provenance=line)
                _colorize_pictures(colorizer, plan, settings.colorizing_batch_size, options, report, records)
                end = arguments.end if arguments.preview is None else arguments.start + arguments.preview
                film_options = _options(FilmOptions, arguments, provenance=line, end=end)
                _colorize_films(colorizer, plan, film_options, report, records)
        finally:
            # Also of a run that was stopped, or that a full disk ended.
            _print_report(report, settings.result_dir)
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
    # First: of another source's results neither --skip-existing nor --overwrite makes one's own.
    Records().check([*zip(pictures, results, strict=True), *zip(film_files, film_results, strict=True)])
    check_results(found, results, arguments.existing)
    check_results(found, film_results, existing_films)
    return _Plan(
        list(zip(pictures, results, strict=True)),
        list(zip(film_files, film_results, strict=True)),
        existing_films,
        passed_over.lines(),
    )


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


def _load(model: Path, variant: str | None, settings: Settings) -> tuple[Colorizer, Records]:
    """The network, and the records that say what was used, for which the file is read meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as hasher:
        hashed = hasher.submit(digest, model)
        colorizer = Colorizer(model, variant, settings.precision, settings.decoding)
    common = {"model": model.name, "sha256": hashed.result(), "precision": settings.precision, **settings.decoding}
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
    with tqdm(total=len(paths), unit="picture", disable=None) as bar:
        colorize_files(colorizer, paths, results, batch_size, bar.update, options, report, records)


def _colorize_films(colorizer: Colorizer, plan: _Plan, options: FilmOptions, report: Report, records: Records) -> None:
    for path, result in plan.films:
        try:
            if plan.existing_films == "refuse" and result.exists():
                raise PictureError(f"{path}: {result} is there already (--overwrite, --skip-existing)")
            if plan.existing_films == "skip" and result.exists():
                report.note(path, records.compare(path, result, options.made_with))
                report.existing += 1
                continue
            _colorize_film(colorizer, path, result, options, report, records)
        except (InputError, MemoryError) as error:
            report.skipped.append(reason_to_skip(path, error))


def _colorize_film(
    colorizer: Colorizer, path: Path, result: Path, options: FilmOptions, report: Report, records: Records
) -> None:
    # What disappears meanwhile is this film's own trouble.
    system_errors = translated(OSError, lambda error: InputError(f"{error.filename or path}: {error.strerror}"))
    with system_errors, tqdm(total=films.count_frames(path, options), unit="frame", disable=None) as bar:
        of_film = films.colorize_film(colorizer, path, result, options, bar.update, records)
    report.done += 1
    if of_film.continued:
        print(one_line(f"{result}: {of_film.continued} of its {of_film.frames} frames were there already"))
    report.note(path, of_film.notes)
    report.damaged += [f"{path}: {what}" for what in of_film.damage]


def _print_report(report: Report, result_dir: Path) -> None:
    """Prints a summary, and on standard error a line for each note and each file that is not, or not wholly, done."""
    counts = [f"{report.done} colorized into {result_dir}", f"{len(report.skipped)} skipped"]
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
