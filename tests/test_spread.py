"""Items that several processes work on."""

import math
import multiprocessing
import os
import time

import pytest

from historynet.errors import InputError
from historynet.spread import spread


@pytest.mark.parametrize("workers", [1, 2])
def test_each_item_is_done_once(workers):
    assert sorted(spread(math.sqrt, [16, 4, 9], workers)) == [2, 3, 4]
    assert list(spread(math.sqrt, [], workers)) == []
    with pytest.raises(ValueError, match="math domain|nonnegative"):
        list(spread(math.sqrt, [4, -1, 9], workers))


def test_a_process_that_the_system_ends_is_said():
    with pytest.raises(InputError, match="ended by the system.*--workers"):
        list(spread(os._exit, [9, 9], 2))


def test_what_ends_the_loop_ends_the_processes():
    before = set(multiprocessing.active_children())
    begin = time.monotonic()
    for _ in spread(time.sleep, [0, 300, 300, 300], 2):
        break
    assert time.monotonic() - begin < 100
    assert set(multiprocessing.active_children()) <= before
