"""The command line that labels pictures: by hand, then by a trained labeller, then checked by hand."""

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from historynet import errors, locks, settings, streams
from historynet.clusters import Cluster, digests, library_versions, spread_with_ray
from historynet.collecting import answers, measuring, selecting
from historynet.collecting.answers import Notebook
from historynet.collecting.final import AUDIT, HAND, SECOND_LOOK, read_guesses
from historynet.collecting.labelling import Item, Labelling, check_person
from historynet.collecting.labelling_page import Server
from historynet.collecting.selecting import Kept
from historynet.collecting.settings import LABEL, MHMDSettings
from historynet.commands.running import add_backend, add_cluster, one_line, run
from historynet.errors import InputError
from historynet.parallel import CORES
from historynet.settings.accepting import gpu_id
from historynet.training.stopping import Stop

_ACTIONS = {
    "draw": "pictures to be labelled by hand",
    "by-hand": "label them in the browser (--by NAME)",
    "check": "the labels of persons, and how far they agree",
    "rest": "label all pictures with the trained labeller",
    "second-look": "label those that it is unsure of in the browser (--by NAME)",
    "audit": "check some of the others in the browser (--by NAME)",
}

_KEPT = "what is labelled is kept; the same command goes on from there"


def main(script: str) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the program; config.py stands beside it.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _run(config, argv))


def _run(config: Path, argv: Sequence[str]) -> int:
    parser = settings.make_parser("Labels the kept pictures.", LABEL, config, MHMDSettings)
    actions = "; ".join(f"{name}: {what}" for name, what in _ACTIONS.items())
    parser.add_argument("action", choices=_ACTIONS, metavar="ACTION", help=actions)
    parser.add_argument("--by", metavar="NAME", help="who labels")
    parser.add_argument("--gpu-id", type=gpu_id, default="0", metavar="ID", help="GPU for rest, or 'cpu' (%(default)s)")
    add_backend(parser)
    add_cluster(parser)
    arguments = parser.parse_args(argv)
    resolved, _ = settings.resolve(arguments, config, MHMDSettings)
    kept = Kept(resolved)
    if arguments.action == "check":
        return _check(kept)
    # Nothing is made where there are no pictures yet.
    _ = kept.pictures
    with locks.lock(kept.folder, "another process is labelling there; wait until it has ended"):
        if arguments.action == "draw":
            return _draw(kept)
        if arguments.action == "rest":
            return _rest(kept, arguments.gpu_id, arguments.backend, arguments.cluster)
        if arguments.by is None:
            raise InputError(f"label.py {arguments.action}: --by NAME says who labels")
        return _by_person(kept, arguments.action, check_person(arguments.by))


def _draw(kept: Kept) -> int:
    drawn, new = selecting.draw(kept)
    titles = Counter(kept.pictures[name].key for name in drawn)
    for key, count in sorted(titles.items()):
        print(f"{key}: {count} pictures")
    share = 100 * len(drawn) / len(kept.pictures)
    print(f"drawn: {len(drawn)} of {len(kept.pictures)} pictures ({share:.2f}%), {new} of them now")
    return errors.DONE


def _by_person(kept: Kept, action: str, person: str) -> int:
    file = {"by-hand": HAND, "second-look": SECOND_LOOK, "audit": AUDIT}[action]
    items = {
        "by-hand": lambda: selecting.by_hand(kept, person),
        "second-look": lambda: selecting.second_look(kept),
        "audit": lambda: selecting.audit(kept),
    }[action]()
    if not items:
        print("there is nothing to label")
        return errors.DONE
    _serve(kept, file, person, items)
    done = selecting.given_by(kept, file, person)
    print(f"{sum(item.picture in done for item in items)} of {len(items)} pictures have an answer of {person}")
    if file == AUDIT:
        _print_audit(kept)
    return errors.DONE


def _serve(kept: Kept, file: str, person: str, items: Sequence[Item]) -> None:
    """The page, until it or a signal ends it."""
    # Read first, so that wrong lines are named before anything is added.
    given = selecting.given_by(kept, file, person)
    with contextlib.closing(Notebook(kept.folder / file, person)) as notebook:
        if notebook.cut is not None:
            print(one_line(f"note: {kept.folder / file}: a torn last line is cut: {notebook.cut}"), file=sys.stderr)
        with Server(Labelling(items, given, notebook), kept.table) as server, Stop() as stop:
            print(f"open {server.address} in a browser on this machine; q in the page or Ctrl-C here ends", flush=True)
            with stop.at_once(f"all answers are kept in {kept.folder / file}"):
                server.serve_forever(poll_interval=0.1)


def _check(kept: Kept) -> int:
    found = {file: answers.read(kept.folder / file, kept.pictures, kept.names) for file in (HAND, SECOND_LOOK, AUDIT)}
    settled = {name: answer.label for name, answer in kept.settled(HAND).items()}
    for name, count in answers.counts(settled, kept.names):
        print(f"{name}: {count}")
    drawn = selecting.read_drawn(kept)
    print(f"labelled by hand: {len(settled)} pictures, {sum(name in settled for name in drawn)} of {len(drawn)} drawn")
    for file, given in found.items():
        for person, count in sorted(Counter(answer.by for answer in given).items()):
            print(f"{file}: {count} answers of {person}")
        for line in selecting.agreed(given):
            print(f"{file}: {line}")
    _print_audit(kept)
    return errors.DONE


def _print_audit(kept: Kept) -> None:
    right, total = selecting.audit_result(kept)
    if total:
        low, high = (100 * bound for bound in measuring.wilson(right, total))
        print(
            f"audit: {right} of {total} final labels are right, {100 * right / total:.1f}% (Wilson's 95% interval "
            f"{low:.1f}% to {high:.1f}%); the paper says 98% or more"
        )


def _versions(labeller: Path) -> dict[str, str | None]:
    return library_versions() | digests(labeller)


def _begin_there(gpu: str, seed: int, backend: str) -> Callable[[Any], list[str]]:
    """What labels shards, in a process of another machine."""
    from historynet import backend as engines

    with engines.quiet():
        engines.start(gpu, seed, engine=backend)
        from historynet.collecting import predicting

    return predicting.label_shard


def _rest(kept: Kept, gpu: str, backend: str, address: str | None) -> int:
    from historynet import backend as engines

    cluster = Cluster(address, CORES, engine=True, gpu=gpu != "cpu") if address is not None else None
    # Before the engine is started, which takes seconds.
    pictures = kept.pictures
    possible = selecting.possible_places(kept, pictures.values()) if kept.settings.title_mask else None
    # The GPUs are the other processes'.
    print(engines.start("cpu" if cluster else gpu, kept.settings.seed, engine=backend), flush=True)
    from historynet.collecting import manifest, predicting

    trained = predicting.find(kept.settings.labeller)
    print(one_line(f"labeller: {trained.remark}"), flush=True)
    paths = {name: manifest.path_of(kept.work, picture) for name, picture in pictures.items()}
    rest = predicting.Rest(kept.work, trained, kept.names, paths, possible)
    over = cluster and partial(
        spread_with_ray,
        # The same engine there, whatever those machines have and take by default.
        partial(_begin_there, cluster.gpu_id, kept.settings.seed, engines.choose(backend)),
        cluster=cluster,
        folder=kept.work,
        versions=partial(_versions, trained.path),
    )
    with Stop() as stop, stop.at_once(_KEPT), streams.Progress(len(paths), "picture", "labels") as bar:
        if not rest.make(bar.update, over):
            print("all of it is there already, of the same labeller and pictures")
    guesses = read_guesses(kept.work, kept.names)
    unsure = sum(
        guess.confidence < kept.settings.sure_confidence or guess.margin < kept.settings.sure_margin
        for guess in guesses.values()
    )
    print(f"{len(guesses)} pictures are labelled, {unsure} of them need a second look (label.py second-look)")
    for reason in rest.left_out:
        print(one_line(f"skipped: {reason}"), file=sys.stderr)
    missing = [name for name in paths if name not in guesses]
    if missing:
        print(one_line(f"skipped: {len(missing)} pictures have no label, {missing[0]} for one"), file=sys.stderr)
    return errors.SKIPPED if missing else errors.DONE
