"""What a command line of the colorizers would make of which file."""

import argparse
import dataclasses
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from historynet import films
from historynet.colorizing.beside import Beside
from historynet.colorizing.inputs import PassedOver, list_inputs, read_list
from historynet.colorizing.options import Options, is_url
from historynet.colorizing.records import Records
from historynet.colorizing.reporting import Report, reason_to_skip
from historynet.colorizing.results import PREVIEW_SUFFIX, check_results, name_excerpt, name_page, name_results
from historynet.commands.running import one_line
from historynet.errors import InputError, PictureError
from historynet.films.options import FilmOptions
from historynet.pictures import formats
from historynet.settings import option

_OF_PICTURES = {
    "borders": Options.borders,
    "keep_colored": Options.keep_colored,
    "compare": Options.compare,
    "alternatives": Options.alternatives,
    "confidence": Options.confidence,
    "quality": Options.quality,
    "max_seconds": Options.max_seconds,
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


@dataclasses.dataclass(frozen=True)
class Plan:
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


def make_plan(arguments: argparse.Namespace, result_dir: Path) -> Plan:
    """Which files there are, and which result each has.

    Raises:
        InputError: if there are none, or a result would replace an input or, unasked, an earlier result.
    """
    passed_over, extensions = PassedOver(), formats.EXTENSIONS | films.EXTENSIONS
    listed = read_list(arguments.list) if arguments.list else []
    for name in filter(is_url, listed):
        raise InputError(f"{name}: of objects the results are objects, too: --result-dir takes a URL")
    # Only of absolute paths without `..` all have a folder in common.
    listed = [Path(os.path.abspath(name) if arguments.recursive else name) for name in listed]
    found = list_inputs(arguments.inputs, result_dir, arguments.recursive, extensions, passed_over, listed=listed)
    pictures = [path for path in found if path.suffix.lower() not in films.EXTENSIONS]
    film_files = [path for path in found if path.suffix.lower() in films.EXTENSIONS]
    roots = [given for given in arguments.inputs if arguments.recursive and given.is_dir()]
    if listed and arguments.recursive:
        roots.append(Path(os.path.commonpath([path.parent for path in listed])))
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
    return Plan(
        list(zip(pictures, results, strict=True)),
        list(zip(film_files, film_results, strict=True)),
        existing_films,
        passed_over.lines(),
    )


def _with_beside(result: Path, arguments: argparse.Namespace, planned: Collection[str]) -> tuple[Path, ...]:
    """A result and the files beside it."""
    return (result, *Beside.of(result, arguments.alternatives, arguments.confidence, planned).paths)


def show(plan: Plan, arguments: argparse.Namespace, film_options: FilmOptions, report: Report) -> None:
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
                frames = films.count_frames(path, film_options)
                if frames == 0:
                    raise PictureError(f"{path}: {films.NOTHING_BETWEEN}")
                size = f"about {frames or 'an unknown number of'} frames"
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


def note_unobeyed(arguments: argparse.Namespace, plan: Plan, report: Report) -> None:
    """Notes which of the options that are given do not count for which of the inputs."""
    for pairs, defaults, others in ((plan.films, _OF_PICTURES, "pictures"), (plan.pictures, _OF_FILMS, "films")):
        values = {name: getattr(arguments, name) for name in defaults}
        given = [
            option(f"no_{name}" if value is False else name)
            for name, value in values.items()
            if value != defaults[name]
        ]
        for path, _ in pairs if given else ():
            report.note(path, [f"{', '.join(given)}: for {others} alone"])
    if arguments.preview is None:
        return
    for path, result in plan.films:
        if arguments.end is not None:
            report.note(path, ["--end does not count with --preview"])
        if arguments.existing == "skip" and result.exists():
            report.note(path, ["--skip-existing: previews are made again each time"])
