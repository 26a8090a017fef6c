"""Work on a stream of items with several threads, in order and within bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
