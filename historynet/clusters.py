"""Work on items, each for itself, on several machines with Ray."""

import contextlib
import hashlib
import importlib.metadata
import logging
import os
import pickle
import platform
import signal
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from historynet import __version__, backend, extras, files
from historynet.errors import HistoryNetError, InputError, reason, translated

Item = TypeVar("Item")
Result = TypeVar("Result")

HERE = "here"
"""In the place of an address: Ray is started on this machine alone."""

_TRIES = 3
"""So often an item is begun: a process that ends each time will do so the fourth time, too."""

_CORES = 4
"""Of a machine's processor for each process with an engine: more of them together do less than several by four."""

_LIBRARIES = (
    *("numpy", "opencv-python-headless", "pillow", "imagecodecs", "tifffile", "pillow-heif", "scikit-image"),
    *("keras", "tensorflow", "jax", "jaxlib", "onnxruntime", "openvino"),
)


@dataclass(frozen=True)
class Cluster:
    """The machines of a Ray cluster, and what is started on them.

    Attributes:
        address: HOST:PORT or "auto", or HERE.
        workers: cores that are used with HERE; a cluster has its own number.
        engine: whether each process computes with an engine, which takes a GPU if the cluster has any, and else
            several cores; others take a core.
        gpu: whether GPUs may be taken.

    Raises:
        InputError: if the address is none.
    """

    address: str
    workers: int
    engine: bool = False
    gpu: bool = True

    def __post_init__(self) -> None:
        host, _, port = self.address.rpartition(":")
        if self.address not in (HERE, "auto") and not (host and port.isdecimal()):
            raise InputError(
                f"--cluster {self.address}: takes HOST:PORT or auto; files and folders stand before it, or behind --"
            )

    def check(self) -> None:
        """Sees that Ray is installed and somebody listens at the address: Ray itself would try for minutes.

        Raises:
            InputError: if not.
        """
        if not extras.is_installed("ray"):
            raise InputError(f"--cluster: Ray is not installed: {extras.how_to_install('ray')}")
        host, colon, port = self.address.rpartition(":")
        if colon:
            with translated((OSError, OverflowError), self.refuse):
                socket.create_connection((host, int(port)), timeout=10).close()

    def refuse(self, error: Exception) -> InputError:
        """Our error of what Ray or the system says of the address."""
        return InputError(f"--cluster {self.address}: no Ray cluster there ({reason(error)})")

    @property
    def gpu_id(self) -> str:
        """For `backend.start` in one of its processes: Ray shows each one GPU, which is its first."""
        return "0" if self.gpu else "cpu"


def library_versions() -> dict[str, str | None]:
    """The versions of what results follow from; None of a library that is not installed."""
    found: dict[str, str | None] = {"historynet": __version__, "Python": platform.python_version()}
    for name in _LIBRARIES:
        found[name] = None
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def digests(*paths: Path) -> dict[str, str]:
    """What files hold, by their names: the beginning of their SHA-256, or that they are missing."""
    found = {}
    for path in paths:
        found[str(path)] = "missing"
        with contextlib.suppress(OSError), path.open("rb") as file:
            found[str(path)] = f"SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    return found


def spread_with_ray(
    begin: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    cluster: Cluster,
    folder: Path | None,
    versions: Callable[[], Mapping[str, Any]],
    lost: Callable[[Item], Result] | None = None,
    again: Callable[[Item], Item] | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yields (place, result) of each item, in order, which the machines of a Ray cluster work on.

    Ray Data hands out the items and brings the results back, a few at a time; what they make lies in a folder that all
    machines see under one path. An item whose process or machine is lost is done again, so doing it twice must do no
    harm. The processes' current folder is the one here, if they see it.

    Args:
        begin: called once in each process; what it returns is called with one item after the other.
        items: what is to be done.
        cluster: the machines.
        folder: that all machines must see; None: none.
        versions: of what the results follow from; must be the same on all machines.
        lost: makes the result of an item of which every process was lost that began it; None: an error.
        again: what an item becomes whose process was lost, when it is begun again; None: it stays as it is.

    Raises:
        InputError: if Ray is not installed, there is no such cluster, a machine sees another folder or has other
            versions, also one that comes later, or an item ends every process that begins it.
        Exception: the first that the function raises.
    """
    if not items:
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(backend.quiet())
        ray = _start_ray(cluster)
        stack.callback(ray.shutdown)
        probe = stack.enter_context(_seen_by_all(folder))
        look = _Look(str(Path.cwd()), folder, probe, versions, dict(versions()))
        _compare_machines(ray, look)
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        for row in _rows(ray, begin, items, cluster, look, again):
            place, is_lost, result, error = pickle.loads(row["result"])
            if error is not None:
                raise error
            if not is_lost:
                yield place, result
            elif lost is not None:
                yield place, lost(items[place])
            else:
                raise InputError(
                    f"--cluster: {_TRIES} processes were ended by their systems with the same work, perhaps for "
                    "lack of memory; what is finished is kept, and the same command goes on"
                )


def _rows(
    ray: Any,
    begin: Callable,
    items: Sequence[Any],
    cluster: Cluster,
    look: "_Look",
    again: Callable[[Any], Any] | None,
) -> Iterator[Mapping]:
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    tries = ray.remote(num_cpus=0)(_Tries).options(scheduling_strategy=here).remote()
    needs = _needs(ray, cluster)
    rows = [{"number": number, "item": pickle.dumps(item)} for number, item in enumerate(items)]
    # Of many, Ray Data would make blocks itself, and hand out one item where another is waited for.
    pool = ray.data.ActorPoolStrategy(min_size=1, max_size=len(rows), max_tasks_in_flight_per_actor=2)
    arguments = (begin, again or (lambda item: item), look, tries, needs["num_cpus"])
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _Process, fn_constructor_args=arguments, compute=pool, **needs
    )
    return iter(done.iter_rows())


def _needs(ray: Any, cluster: Cluster) -> dict[str, int]:
    """What a process takes of its machine."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not cluster.engine or not machines:
        return {"num_cpus": 1}
    # Not the cores of machines without a GPU beside the others' GPUs: they compute a little differently.
    gpus = [machine for machine in machines if machine.get("GPU", 0) >= 1] if cluster.gpu else []
    if gpus:
        return {"num_gpus": 1, "num_cpus": max(1, min(int(one["CPU"] // one["GPU"]) for one in gpus))}
    return {"num_cpus": min(_CORES, *(int(machine["CPU"]) for machine in machines))}


class _Tries:
    """How often each item was begun, on whichever machine."""

    def __init__(self):
        self._counts = Counter()

    def begin(self, number: int) -> int:
        self._counts[number] += 1
        return self._counts[number]


class _Process:
    """A process of the cluster: begins once, then does one item after the other.

    An error of ours is a result, since Ray would wrap it in its own.
    """

    def __init__(
        self,
        begin: Callable[[], Callable[[Any], Any]],
        again: Callable[[Any], Any],
        look: "_Look",
        tries: Any,
        cores: int,
    ):
        self._begin, self._again, self._look, self._tries, self._cores = begin, again, look, tries, cores
        self._work: Callable[[Any], Any] | None = None

    def __call__(self, row: Mapping[str, Any]) -> dict[str, bytes]:
        import ray

        number = int(row["number"])
        try:
            self._work = self._work or self._start()
            tries, item = ray.get(self._tries.begin.remote(number)), pickle.loads(row["item"])
            if tries > _TRIES:
                answer = number, True, None, None
            else:
                answer = number, False, self._work(item if tries == 1 else self._again(item)), None
        except HistoryNetError as error:
            answer = number, False, None, error
        return {"result": pickle.dumps(answer)}

    def _start(self) -> Callable[[Any], Any]:
        import cv2

        cv2.setNumThreads(1)
        # TensorFlow and JAX would otherwise take all cores, each process of a machine.
        os.environ |= {"TF_NUM_INTRAOP_THREADS": str(self._cores), "NPROC": str(self._cores)}
        # A machine that has come after the first look at all of them.
        self._look.refuse(self._look())
        return self._begin()


def _start_ray(cluster: Cluster) -> Any:
    cluster.check()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray.data
    import ray.util.scheduling_strategies

    here = {"address": "local", "num_cpus": cluster.workers, "include_dashboard": False}
    where = here if cluster.address == HERE else {"address": cluster.address}
    # Ray takes it, and would end the program with an exit code of its own.
    terminated = signal.getsignal(signal.SIGTERM)
    # Its errors have no class in common but Exception.
    with translated(Exception, cluster.refuse):
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **where)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminated)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


@contextlib.contextmanager
def _seen_by_all(folder: Path | None) -> Iterator[str]:
    """Within it a file lies in a folder, by which other machines see that it is the same one; yields its name."""
    name = f".unfinished-{uuid.uuid4().hex}"
    if folder is None:
        yield name
        return
    files.make_folder(folder)
    files.write_text(folder / name, name)
    try:
        yield name
    finally:
        with files.writing(folder / name, "removed"):
            (folder / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Look:
    """What a machine sees, and what it must see.

    Attributes:
        current: the current folder here.
        folder: that all must see; None: none.
        probe: the name and content of a file there.
        versions: finds those of the machine.
        here: those here.
    """

    current: str
    folder: Path | None
    probe: str
    versions: Callable[[], Mapping[str, Any]]
    here: Mapping[str, Any]

    def __call__(self) -> tuple[str, bool, dict[str, Any]]:
        """The machine's name, whether it sees the folder, its versions; changes to the current folder here."""
        with contextlib.suppress(OSError):
            os.chdir(self.current)
        probe = self.folder and self.folder / self.probe
        seen = probe is None or (probe.exists() and probe.read_text() == self.probe)
        return socket.gethostname(), seen, dict(self.versions())

    def refuse(self, found: tuple[str, bool, dict[str, Any]]) -> None:
        """Sees that a machine is as it must be.

        Raises:
            InputError: if not.
        """
        machine, seen, there = found
        if not seen:
            raise InputError(
                f"{self.folder}: the machine {machine} sees no such folder, or another; all machines must see it under "
                "one path"
            )
        if there != self.here:
            name = next(name for name in self.here.keys() | there.keys() if self.here.get(name) != there.get(name))
            raise InputError(
                f"--cluster: on the machine {machine} {name} is {there.get(name)}, here {self.here.get(name)}; the "
                "results would not be the same"
            )


def _compare_machines(ray: Any, look: _Look) -> None:
    """Sees that all machines have one folder and one set of versions.

    Raises:
        InputError: naming the first that has not.
    """
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    remote = ray.remote(num_cpus=0)(_Look.__call__)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    answers = [remote.options(scheduling_strategy=strategy(node, soft=False)).remote(look) for node in nodes]
    with translated(ray.exceptions.RayError, lambda error: InputError(f"--cluster: a machine fails ({reason(error)})")):
        for one in ray.get(answers):
            look.refuse(one)
