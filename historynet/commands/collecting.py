"""What all command lines share that make training pictures of films: which films, in which part, and the report."""

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from historynet import errors, files, films, locks, streams
from historynet.collecting import jobs, records
from historynet.collecting.jobs import Job, Progress, Result
from historynet.collecting.records import Named, Record
from historynet.colorizing.inputs import list_inputs
from historynet.commands.running import between, one_line
from historynet.errors import InputError, PictureError
from historynet.parallel import CORES
from historynet.spread import spread
from historynet.training.stopping import Stop

Item, Done = TypeVar("Item"), TypeVar("Done")

STOPPED = "what is finished is kept; the same command goes on from there"


@dataclass(frozen=True)
class Way:
    """A way to take frames of films.

    Attributes:
        record: what is recorded of a film.
        take: takes a film's frames; a function of a module, for processes.
        distinguish: whether films of one name get different ones; if not, they are refused.
    """

    record: type[Record]
    take: Callable[[Job, Progress], Record]
    distinguish: bool = True


def add_arguments(parser: argparse.ArgumentParser, apart: str) -> None:
    """Adds the films, and what is asked of them in each way.

    Args:
        parser: of the command line.
        apart: what --help says of a film that is not for tests.
    """
    parser.add_argument("films", nargs="+", type=Path, help="films, or folders of them")
    parser.add_argument("--recursive", action="store_true", help="walk folders")
    parser.add_argument(
        "--test-films",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILM",
        help=f"the films whose pictures are for tests, by name or path; {apart} (default: none)",
    )
    parser.add_argument(
        "--workers", type=between(int, 1, 256), default=CORES, metavar="N", help="films at a time (%(default)s)"
    )


def collect(arguments: argparse.Namespace, folder: Path, options: Any, way: Way) -> int:
    """Takes the frames of films and prints what became of them; the exit code.

    Args:
        arguments: of a parser with `add_arguments`.
        folder: of the frames.
        options: how they are taken, as of `Job`.
        way: which frames, and what is recorded of them.

    Raises:
        InputError: naming the file or the option, and what to do.
        StoppedError: if a signal came; what is finished is kept.
    """
    kind = way.record
    paths = list_inputs(arguments.films, folder, arguments.recursive, films.EXTENSIONS, kind="films")
    with locks.lock(folder, "another process is making frames there; wait until it has ended"):
        known, readable, skipped = records.read_all(folder, kind), *_readable(paths)
        named, same = records.name_films(readable, known, way.distinguish)
        tests = _find_tests(named, arguments.test_films)
        for part in (*kind.PARTS, records.FILMS):
            files.make_folder(folder / part)
            files.remove_unfinished(folder / part)
        work = [Job(one, one.film in tests, folder, options, known.get(one.film)) for one in named]
        _say_moves(work)
        for path, first in same:
            print(one_line(f"note: {path}: the same film as {first}; its frames are taken once"), file=sys.stderr)
        try:
            with Stop() as stop, stop.at_once(STOPPED):
                done = over_films(
                    functools.partial(jobs.attempt, way.take),
                    work,
                    lambda job: (job.named.film, job.named.path),
                    arguments.workers,
                )
                results = list(_shown(done))
        finally:
            # Also of a run that was stopped.
            made = records.read_all(folder, kind)
            records.write_table(folder, kind, made.values())
    return _report(results, skipped, list(made.values()), folder, kind)


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


def _say_moves(work: Sequence[Job]) -> None:
    for job in work:
        record = job.known()
        total = len(record.pictures()) if record else 0
        for (before, after), count in record.moves(job.is_test, job.options).items() if record else ():
            some = "its pictures" if count == total else f"{count} of its {total} pictures"
            print(one_line(f"{job.named.film}: {some} move from {before} to {after}"), flush=True)


def over_films(
    do: Callable[..., Done],
    work: Sequence[Item],
    film_of: Callable[[Item], tuple[str, Path]],
    workers: int,
    spread_elsewhere: Callable[[Callable[[Item], Done], Sequence[Item]], Iterator[Done]] | None = None,
) -> Iterator[Done]:
    """Does something with each of some films, several at a time, and says how far it is.

    Args:
        do: called with an item; where there is one film at a time also with a function, which it calls with the number
            of frames just read.
        work: an item for each film.
        film_of: the name and the path of an item's film.
        workers: films at a time.
        spread_elsewhere: as `spread`, over other processes than those of this machine.

    Yields:
        What it gives, in no order.
    """
    if not spread_elsewhere and (workers == 1 or len(work) == 1):
        for item in work:
            with streams.Progress(None, "frame", one_line(film_of(item)[0])) as bar:
                done = do(item, bar.update)
            yield done
        return
    with streams.Progress(len(work), "film") as bar:
        # Large files first: at the end no core waits for a long film.
        ordered = sorted(work, key=lambda item: (-_bytes(film_of(item)[1]), film_of(item)[0]))
        for done in spread_elsewhere(do, ordered) if spread_elsewhere else spread(do, ordered, workers):
            bar.update(1)
            yield done


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _shown(results: Iterator[Result]) -> Iterator[Result]:
    for result in results:
        if result.record:
            print(one_line(f"{result.named.film}: {result.record.summary()}"), flush=True)
        yield result


def _report(
    results: Sequence[Result], skipped: Sequence[str], made: Sequence[Record], folder: Path, kind: type[Record]
) -> int:
    """Prints what there is to say of the films, and what the folder holds now; the exit code."""
    skipped = [*skipped, *(result.skipped for result in results if result.skipped)]
    damaged = [f"{result.named.path}: {what}" for result in results if result.record for what in result.record.damage]
    parts = [list(record.pictures().values()) for record in made]
    for part in kind.PARTS:
        counts = [count for pictures in parts if (count := pictures.count(part))]
        print(one_line(f"{folder / part}: pictures: {sum(counts)}, films: {len(counts)}"), flush=True)
    print(one_line(f"{folder / records.TABLE}: {kind.IN_TABLE}"), flush=True)
    for result in results:
        for note in result.record.remarks() if result.record else ():
            print(one_line(f"note: {result.named.path}: {note}"), file=sys.stderr)
    for reason in damaged:
        print(one_line(f"damaged: {reason}; the rest is done"), file=sys.stderr)
    for reason in skipped:
        print(one_line(f"skipped: {reason}"), file=sys.stderr)
    return errors.SKIPPED if skipped or damaged else errors.DONE
