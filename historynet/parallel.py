"""Work on a stream of items with several threads, in order and within bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Yields function(item) for each item, in order, while up to `ahead` later ones are being worked on.

    OpenCV lets go of Python's lock while it decodes, converts and encodes, so threads are enough. An exception of the
    function is raised where its result would have come.
    """
    with ThreadPoolExecutor(max_workers=CORES) as pool:
        pending = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last one shorter if need be (itertools.batched needs Python 3.12)."""
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
