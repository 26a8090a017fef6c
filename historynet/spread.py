"""Work on items, each for itself, in several processes, or on several machines with Ray."""

import functools
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

import cv2

from historynet import files
from historynet.errors import HistoryNetError, InputError, reason, translated

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Yields function(item) for each item in the order in which they are finished; one worker: here, in order.

    A process that another library's threads are in cannot be forked, so each begins anew: the function must be that of
    a module, and it, items and results must be such that `pickle` takes them. Whatever ends the loop, a signal too,
    ends the processes; they do not outlive this one.

    Args:
        function: called with one item.
        items: what is to be done, the longest first for the shortest time.
        workers: processes at the same time.

    Raises:
        InputError: if a process is ended by the system, as for lack of memory.
        Exception: the first that the function raises.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(function, items)
        return
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        for future in as_completed([pool.submit(function, item) for item in items]):
            yield future.result()
        pool.shutdown()
    except BrokenProcessPool as error:
        raise InputError(
            "a process was ended by the system, perhaps for lack of memory; what is finished is kept, and the same "
            "command with a lower --workers goes on"
        ) from error
    finally:
        # There are some only where the loop was ended early.
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    # Ctrl-C goes to all processes of a terminal; the first one says what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


RAY_HERE = "here"
"""In the place of an address: Ray is started on this machine alone."""


def spread_with_ray(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    address: str,
    folder: Path,
    versions: Callable[[], Mapping[str, Any]],
    workers: int,
) -> Iterator[Result]:
    """The same over the machines of a Ray cluster, in the items' order.

    Ray hands out the items and brings the results back; what they make lies in a folder that all machines see under one
    path. An item whose process or machine is lost is done again, so the function must be such that this does no harm.

    Args:
        function: called with one item.
        items: what is to be done.
        address: of the cluster, HOST:PORT or "auto", or RAY_HERE.
        folder: that all machines must see.
        versions: of what the results follow from; must be the same on all machines.
        workers: processes at the same time with RAY_HERE; a cluster has its own number of cores.

    Raises:
        InputError: if Ray is not installed, there is no such cluster, or a machine sees another folder or has other
            versions.
        Exception: the first that the function raises.
    """
    ray = _start_ray(address, workers)
    try:
        _compare_machines(ray, folder, versions)
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        rows = [{"item": pickle.dumps(item)} for item in items]
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            functools.partial(_call, function), num_cpus=1
        )
        for row in done.iter_rows():
            result, error = pickle.loads(row["result"])
            if error is not None:
                raise error
            yield result
    finally:
        ray.shutdown()


def _start_ray(address: str, workers: int) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError("--ray: Ray is not installed: pip install -e '.[mhmd-ray]'") from error
    here = {"num_cpus": workers, "include_dashboard": False} if address == RAY_HERE else {}
    host, colon, port = address.rpartition(":")
    # Ray itself would try for minutes.
    if colon and port.isdecimal():
        with translated(OSError, lambda error: InputError(f"--ray {address}: no Ray cluster there ({reason(error)})")):
            socket.create_connection((host, int(port)), timeout=10).close()
    # Its errors have no class in common but Exception.
    with translated(Exception, lambda error: InputError(f"--ray {address}: no Ray cluster there ({reason(error)})")):
        ray.init(
            address="local" if address == RAY_HERE else address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            **here,
        )
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _call(function: Callable[[Any], Any], row: Mapping[str, bytes]) -> dict[str, bytes]:
    """One item in a process of Ray; an error of ours is a result, since Ray would wrap it in its own."""
    cv2.setNumThreads(1)
    try:
        answer = function(pickle.loads(row["item"])), None
    except HistoryNetError as error:
        answer = None, error
    return {"result": pickle.dumps(answer)}


def _compare_machines(ray: Any, folder: Path, versions: Callable[[], Mapping[str, Any]]) -> None:
    """Sees that all machines have one folder and one set of versions.

    Raises:
        InputError: naming the first that has not.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    files.make_folder(folder)
    probe, text = folder / f".unfinished-{uuid.uuid4().hex}", uuid.uuid4().hex
    files.write_text(probe, text)
    try:
        look = ray.remote(num_cpus=0)(_look)
        nodes = [node for node in ray.nodes() if node["Alive"]]
        answers = [
            look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
                probe, versions
            )
            for node in nodes
        ]
        with translated(ray.exceptions.RayError, lambda error: InputError(f"--ray: a machine fails ({reason(error)})")):
            found = ray.get(answers)
    finally:
        with files.writing(probe, "removed"):
            probe.unlink()
    here = dict(versions())
    for node, (seen, there) in zip(nodes, found, strict=True):
        if seen != text:
            raise InputError(
                f"{folder}: the machine {node['NodeManagerHostname']} sees no such folder, or another; all machines "
                "must see it under one path"
            )
        if there != here:
            name = next(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
            raise InputError(
                f"--ray: the machine {node['NodeManagerHostname']} has {name} {there.get(name)}, this one "
                f"{here.get(name)}; the results would not be the same"
            )


def _look(probe: Path, versions: Callable[[], Mapping[str, Any]]) -> tuple[str | None, dict[str, Any]]:
    return (probe.read_text() if probe.exists() else None), dict(versions())
