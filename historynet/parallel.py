"""Work on a stream of items with several threads, in order and within bounded memory."""

import ctypes
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _one(item: object) -> float:
    return 1


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], ahead: float, cost: Callable[[Item], float] = _one
) -> Iterator[Result]:
    """Yields function(item) for each item, in order, while later ones that cost up to `ahead` are being worked on.

    OpenCV lets go of Python's lock while it decodes, converts and encodes, so threads are enough. An exception of the
    function is raised where its result would have come.

    Args:
        function: called with one item, in another thread.
        items: taken one by one, as far ahead as they are worked on.
        ahead: the cost of the items that are worked on, or finished and not yet taken.
        cost: of an item; 1 each unless something else is said.
    """
    with ThreadPoolExecutor(max_workers=CORES) as pool:
        pending = deque()
        try:
            for item in items:
                pending.append((pool.submit(function, item), cost(item)))
                while sum(costs for _, costs in pending) > ahead:
                    yield pending.popleft()[0].result()
            while pending:
                yield pending.popleft()[0].result()
        finally:
            for future, _ in pending:
                future.cancel()


class _GivenUp(SystemExit):
    """Ends a thread that nobody waits for any more, without a word."""


_places = threading.BoundedSemaphore(2)
"""For what is given up and still goes on."""


def within(seconds: float, function: Callable[..., Result], *arguments: object) -> Result:
    """function(*arguments), which is given up after some time.

    It runs in a thread of its own, which then ends at its next step in Python. What it does in a C library goes on to
    its end, beside all else; of such there are two at most, since they hold memory, and a third is waited for.

    Args:
        seconds: 0 for as many as it takes.
        function: called in another thread.
        arguments: the function's.

    Raises:
        TimeoutError: if it is given up; else whatever the function raises.
    """
    if not seconds:
        return function(*arguments)
    future = Future()

    def work() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while not wait([future], seconds).done:
        seconds = 0.1
        if _places.acquire(blocking=False):
            future.add_done_callback(lambda _: _places.release())
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_GivenUp))
            raise TimeoutError
    return future.result()


def in_background(items: Iterable[Item], ahead: int) -> Iterator[Item]:
    """Yields the items while another thread makes the next ones, up to `ahead` of them (at least 1).

    An exception of the iterable is raised after the items that came before it.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending = deque(pool.submit(next, iterator, end) for _ in range(ahead))
        try:
            while (item := pending.popleft().result()) is not end:
                pending.append(pool.submit(next, iterator, end))
                yield item
        finally:
            for future in pending:
                future.cancel()


def batched(items: Iterable[Item], size: float, cost: Callable[[Item], float] = _one) -> Iterator[list[Item]]:
    """Lists of items that together cost at least `size`, and less without their last item; the last list may cost less.

    Args:
        items: taken one by one.
        size: the cost of a list.
        cost: of an item; 1 each unless something else is said.
    """
    batch = []
    for item in items:
        batch.append(item)
        if sum(map(cost, batch)) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
