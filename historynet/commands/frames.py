"""The command line that makes training pictures of films."""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from historynet import errors, files, films, settings, streams
from historynet.collecting import records
from historynet.collecting.frames import Job, Result, take_frames
from historynet.collecting.options import FrameOptions
from historynet.collecting.records import KEPT, TEST, TRAINING, Named, Record
from historynet.colorizing.inputs import list_inputs
from historynet.commands.running import between, one_line, run
from historynet.errors import InputError, PictureError
from historynet.parallel import CORES
from historynet.settings import Settings
from historynet.spread import spread
from historynet.training.stopping import Stop

_STOPPED = "what is finished is kept; the same command goes on from there"


def main(script: str, declared: type[Settings]) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the program; config.py stands beside it.
        declared: the system's settings, with the fields of `FrameOptions` and `frames_dir`.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _run(config, declared, argv))


def _run(config: Path, declared: type[Settings], argv: Sequence[str]) -> int:
    parser = settings.make_parser("Makes training pictures of colour films.", settings.COLLECT, config, declared)
    parser.add_argument("films", nargs="+", type=Path, help="films, or folders of them")
    parser.add_argument("--recursive", action="store_true", help="walk folders")
    parser.add_argument(
        "--test-films",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILM",
        help="the films whose pictures are for tests, by name or path; a film is never split (default: none)",
    )
    parser.add_argument(
        "--workers", type=between(int, 1, 256), default=CORES, metavar="N", help="films at a time (%(default)s)"
    )
    arguments = parser.parse_args(argv)
    resolved, _ = settings.resolve(arguments, config, declared)
    options = FrameOptions(**{field.name: getattr(resolved, field.name) for field in dataclasses.fields(FrameOptions)})
    paths = list_inputs(arguments.films, resolved.frames_dir, arguments.recursive, films.EXTENSIONS, kind="films")
    folder = resolved.frames_dir
    with files.lock(folder, "another process is making frames there; wait until it has ended"):
        for part in (TRAINING, TEST, records.FILMS):
            files.make_folder(folder / part)
            files.remove_unfinished(folder / part)
        known, readable, skipped = records.read_all(folder), *_readable(paths)
        named, same = records.name_films(readable, known)
        tests = _find_tests(named, arguments.test_films)
        jobs = [
            Job(one, TEST if one.film in tests else TRAINING, folder, options, known.get(one.film)) for one in named
        ]
        _say_moves(jobs)
        for path, first in same:
            print(one_line(f"note: {path}: the same film as {first}; its frames are taken once"), file=sys.stderr)
        try:
            with Stop() as stop, stop.at_once(_STOPPED):
                results = list(_shown(_work(jobs, arguments.workers)))
        finally:
            # Also of a run that was stopped.
            made = records.read_all(folder)
            records.write_table(folder, made.values())
    return _report(results, skipped, made, resolved.frames_dir)


def _readable(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The films that can be opened at all, and what is said of the others."""
    readable, skipped = [], []
    for path in paths:
        try:
            records.identify(path)
            readable.append(path)
        except PictureError as error:
            skipped.append(str(error))
    return readable, skipped


def _find_tests(named: Sequence[Named], wanted: Sequence[str]) -> set[str]:
    """The films that are meant, by their names among the pictures, those of their files, or paths.

    Raises:
        InputError: if one fits no film, or several.
    """
    tests = set()
    for text in wanted:
        fitting = {one.film for one in named if text in (one.film, one.path.name, one.path.stem)}
        fitting = {one.film for one in named if Path(text).absolute() == one.path.absolute()} or fitting
        if len(fitting) != 1:
            found = f"several films: {', '.join(sorted(fitting))}" if fitting else "none of the films"
            raise InputError(f"--test-films {text}: this is the name of {found}; give the film's path")
        tests |= fitting
    return tests


def _say_moves(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.record and job.record.part != job.part:
            print(one_line(f"{job.named.film}: its pictures move from {job.record.part} to {job.part}"), flush=True)


def _work(jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    """Takes the frames of all films, several at a time; says how far it is."""
    if workers == 1 or len(jobs) == 1:
        for job in jobs:
            with streams.Progress(None, "frame", one_line(job.named.film)) as bar:
                result = take_frames(job, bar.update)
            yield result
        return
    with streams.Progress(len(jobs), "film") as bar:
        # Large files first: at the end no core waits for a long film.
        ordered = sorted(jobs, key=lambda job: -job.named.path.stat().st_size)
        for result in spread(take_frames, ordered, workers):
            bar.update(1)
            yield result


def _shown(results: Iterator[Result]) -> Iterator[Result]:
    for result in results:
        if result.record:
            print(one_line(f"{result.named.film}: {_counts(result.record)}"), flush=True)
        yield result


def _counts(record: Record) -> str:
    counts = record.outcomes()
    others = "".join(f", {count} {outcome}" for outcome, count in sorted(counts.items()) if outcome != KEPT)
    return f"{len(record.analysis.shots)} shots, {counts[KEPT]} frames kept{others}"


def _report(results: Sequence[Result], skipped: Sequence[str], made: dict[str, Record], folder: Path) -> int:
    """Prints what there is to say of the films, and what the folder holds now; the exit code."""
    skipped = [*skipped, *(result.skipped for result in results if result.skipped)]
    damaged = [f"{result.named.path}: {what}" for result in results if result.record for what in result.record.damage]
    for part in (TRAINING, TEST):
        of_part = [record for record in made.values() if record.part == part and record.outcomes()[KEPT]]
        pictures = sum(record.outcomes()[KEPT] for record in of_part)
        print(one_line(f"{folder / part}: pictures: {pictures}, films: {len(of_part)}"), flush=True)
    print(one_line(f"{folder / 'frames.csv'}: all frames, and why those are left out that are"), flush=True)
    for result in results:
        for note in result.record.notes if result.record else ():
            print(one_line(f"note: {result.named.path}: {note}"), file=sys.stderr)
    for reason in damaged:
        print(one_line(f"damaged: {reason}; the rest is done"), file=sys.stderr)
    for reason in skipped:
        print(one_line(f"skipped: {reason}"), file=sys.stderr)
    return errors.SKIPPED if skipped or damaged else errors.DONE
