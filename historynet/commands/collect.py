"""The command line that makes candidates of films: the first step to a data set."""

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from historynet import errors, locks, settings
from historynet.clusters import Cluster, spread_with_ray
from historynet.collecting import film_list, labels, persons, rows
from historynet.collecting.candidates import NO_SHOT
from historynet.collecting.film_folders import Job, Options, Result, collect, versions
from historynet.collecting.settings import MHMDSettings
from historynet.commands.collecting import STOPPED, over_films
from historynet.commands.running import add_cluster, between, one_line, run
from historynet.parallel import CORES
from historynet.training.stopping import Stop

LEFT_OUT = "left_out.csv"


def main(script: str) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the program; config.py stands beside it.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _run(config, argv))


def _run(config: Path, argv: Sequence[str]) -> int:
    parser = settings.make_parser("Makes candidates of films.", settings.COLLECT, config, MHMDSettings)
    add_options(parser)
    arguments = parser.parse_args(argv)
    resolved, _ = settings.resolve(arguments, config, MHMDSettings)
    table = labels.table(resolved.labels, resolved.num_classes)
    listed = film_list.open_list(arguments.films, arguments.private, labels.words(table))
    return collect_films(listed, resolved, arguments.workers, arguments.keep_versions, arguments.cluster)


def add_options(parser: settings.Parser, optional: bool = False) -> None:
    """Adds what `collect.py` takes besides the constants of config.py.

    Args:
        parser: to which it is added.
        optional: whether FILMS may be left out.
    """
    listed = "the list films.csv, or a folder of films, in which one is written"
    parser.add_argument("films", type=Path, nargs="?" if optional else None, metavar="FILMS", help=listed)
    parser.add_argument(
        "--private", action="store_true", help="take films without licence and source; the set must stay here"
    )
    parser.add_argument(
        "--workers", type=between(int, 1, 256), default=CORES, metavar="N", help="films at a time (%(default)s)"
    )
    parser.add_argument(
        "--keep-versions", action="store_true", help="do not make again what other versions of the libraries have made"
    )
    # Its first name was --ray.
    add_cluster(parser, "--ray")


def collect_films(
    listed: Sequence[film_list.Film],
    resolved: MHMDSettings,
    workers: int,
    keep_versions: bool,
    cluster: str | None = None,
) -> int:
    """Makes the candidates of films, several at a time, and says what became of each; the exit code.

    Args:
        listed: the films.
        resolved: the settings of the run.
        workers: films at a time.
        keep_versions: whether what other versions of the libraries made counts as done.
        cluster: address of a Ray cluster; None: the work is done here.

    Raises:
        InputError: if the detector cannot be used, or nothing be written.
    """
    over = Cluster(cluster, workers) if cluster is not None else None
    # Before the first film.
    persons.open_detector(resolved.detector)
    for note in film_list.notes(listed):
        print(one_line(f"note: {note}"), file=sys.stderr)
    work, options = resolved.work, Options.of(resolved)
    with locks.lock(work / "frames", "another process is collecting there; wait until it has ended"):
        film_list.write(work / film_list.NAME, listed)
        jobs = [Job(film, work, options, keep_versions) for film in listed]
        with Stop() as stop, stop.at_once(STOPPED):
            results = list(_shown(_work(jobs, workers, over)))
        left_out = [result for result in results if result.reason]
        _write_left_out(work / LEFT_OUT, left_out)
    return _report(results, work)


def _work(jobs: Sequence[Job], workers: int, cluster: Cluster | None) -> Iterator[Result]:
    """Makes the candidates of all films, several at a time; says how far it is."""

    def over_cluster(function: Callable[[Job], Result], ordered: Sequence[Job]) -> Iterator[Result]:
        of_machine = functools.partial(_versions, jobs[0].options.detector)
        over = spread_with_ray(lambda: function, ordered, cluster, jobs[0].work, of_machine, _lost)
        return (result for _, result in over)

    elsewhere = over_cluster if cluster else None
    return over_films(collect, jobs, lambda job: (job.film.file_key, job.film.path), workers, elsewhere)


def _lost(job: Job) -> Result:
    """Of a film that ends each process: the others are done all the same."""
    return Result(job.film, None, reason="ended each process that read it, perhaps for lack of memory")


def _versions(detector: str) -> dict[str, str | None]:
    return versions(detector) | {"detector": persons.digest(detector)}


def _shown(results: Iterator[Result]) -> Iterator[Result]:
    for result in results:
        if result.record:
            counts = ", ".join(f"{result.record[name]} {name}" for name in ("frames", "shots", "candidates", "stored"))
            done = " (as they were)" if result.existing else ""
            print(one_line(f"{result.film.file_key}: {counts}{done}"), flush=True)
        yield result


def _write_left_out(path: Path, left_out: Sequence[Result]) -> None:
    ordered = sorted(left_out, key=lambda result: result.film.file_key)
    lines = [[result.film.file_key, result.film.path, result.reason] for result in ordered]
    rows.write(path, [["file_key", "path", "reason"], *lines])


def _report(results: Sequence[Result], work: Path) -> int:
    """Prints what there is to say of the films; the exit code."""
    results = sorted(results, key=lambda result: result.film.file_key)
    done = [result.record for result in results if result.record]
    print(one_line(f"{work / 'frames'}: films: {len(done)}, pictures: {sum(record['stored'] for record in done)}"))
    for result in results:
        of_film = [] if not result.record else [*result.record["notes"], *[NO_SHOT] * (not result.record["candidates"])]
        for note in (*result.notes, *of_film):
            print(one_line(f"note: {result.film.file_key}: {note}"), file=sys.stderr)
    skipped = False
    for result in results:
        for damage in result.record["damage"] if result.record else ():
            skipped = True
            print(one_line(f"damaged: {result.film.path}: {damage}; the rest is done"), file=sys.stderr)
    for result in results:
        if result.reason:
            skipped = True
            print(one_line(f"left out: {result.film.file_key}: {result.reason}"), file=sys.stderr)
    return errors.SKIPPED if skipped else errors.DONE
