"""The driver of the fuzzers itself: what must not happen is seen, and the next case is tried all the same."""

import functools
import os
import signal
import time

import fuzzing
import numpy as np


def attempt(words, number, folder):
    (folder / "case").write_bytes(b"")
    if number == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 2:
        time.sleep(60)
    if number == 3:
        return f"{np.ones(40_000_000).sum()}"
    if number == 4:
        # Held for a moment only.
        np.ones(8_000_000)
    if number == 5:
        raise KeyError("foreign")
    return words[number % 2]


def test_crash_hang_memory_and_foreign_errors_are_faults():
    report = fuzzing.run(functools.partial(attempt, ("even", "odd")), range(10), seconds=1, memory=50e6)
    assert report.ends == {"fault": 5, "even": 3, "odd": 2}
    assert [number for number, _ in report.faults] == [1, 2, 3, 4, 5]
    for (_, fault), words in zip(
        report.faults, ("exit code -11", "killed after 1", " MB", " MB", "KeyError"), strict=True
    ):
        assert words in fault
    assert report.slowest[1] == 2
    assert report.largest[1] in (3, 4)
    assert "cases            10\nfaults           5\n" in str(report)


def test_mutations_follow_from_the_number():
    data = bytes(range(256)) * 4
    results = [[fuzzing.mutated(data, np.random.default_rng((1, i))) for i in range(50)] for _ in range(2)]
    assert results[0] == results[1]
    assert len(set(results[0])) > 45
