"""What a command line of the colorizers starts on the machines of a cluster."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from historynet.clusters import HERE, Cluster, digests, library_versions, spread_with_ray
from historynet.colorizing import objects
from historynet.colorizing.distant import Piece, Setup
from historynet.colorizing.options import is_url
from historynet.colorizing.reporting import Report
from historynet.parallel import CORES

FILM = "a film, which no cluster takes; the same command without --cluster makes it"

_SAMPLES = 8
"""Pictures that all machines are asked for, each of another folder."""


def open_cluster(address: str | None, gpu_id: str) -> Cluster | None:
    """The cluster of an address; None without one.

    Raises:
        InputError: if it is no address.
    """
    return Cluster(address, CORES, engine=True, gpu=gpu_id != "cpu") if address is not None else None


def describe(cluster: Cluster) -> str:
    """Where the work is done, for people."""
    return "processes of Ray here" if cluster.address == HERE else f"the Ray cluster at {cluster.address}"


def colorize(
    cluster: Cluster,
    setup: Setup,
    pieces: Sequence[Piece],
    folder: Path | None,
    report: Report,
    progress: Callable[[int], object],
) -> None:
    """Colorizes pictures on all machines, and adds what became of them to a report, in order.

    A file that ends each process that reads it is found among those of its piece, each of which is done by itself then.

    Args:
        cluster: the machines.
        setup: what each process needs.
        pieces: all pictures.
        folder: of all results, if they are files.
        report: to which is added.
        progress: called with the number of pictures that are just done.

    Raises:
        InputError: if Ray or the cluster cannot be used, a machine sees other files, or no result can be written any
            more.
    """
    if not pieces:
        return
    versions = functools.partial(_seen, setup.model, _samples(pieces))
    over = functools.partial(
        spread_with_ray, setup.begin, cluster=cluster, folder=folder, versions=versions, again=Piece.again
    )
    broken: list[Piece] = []
    made: dict[int, Report] = {}
    added = 0
    try:
        for place, one in over(pieces, lost=_none):
            made[place] = one or Report()
            broken += [] if one else pieces[place].singly()
            progress(len(pieces[place].files) if one else 0)
            while added in made:
                report.add(made.pop(added))
                added += 1
        for _, one in over(broken, lost=Piece.lost):
            report.add(one)
            progress(1)
    finally:
        # Of a run that was stopped, what waited for others.
        for place in sorted(made):
            report.add(made[place])
        report.note_nearly_gray()


def _none(_: Piece) -> None:
    return None


def _samples(pieces: Sequence[Piece]) -> Sequence[str]:
    """Some pictures that exist here, each of another folder."""
    first: dict[str, str] = {}
    for piece in pieces:
        for path, _ in piece.files:
            if len(first) < _SAMPLES:
                first.setdefault(path.rpartition("/")[0], path)
    return tuple(first.values())


def _seen(model: Path, samples: Sequence[str]) -> Mapping[str, str | None]:
    """What must be the same on all machines: libraries, the model, some of the pictures."""
    found = library_versions() | digests(model)
    for path in samples:
        try:
            found[path] = objects.look(path) if is_url(path) else f"{Path(path).stat().st_size} bytes"
        except OSError:
            found[path] = "missing"
    return found
