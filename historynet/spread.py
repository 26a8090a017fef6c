"""Work on items, each for itself, in several processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from historynet.errors import InputError

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
