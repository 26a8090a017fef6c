"""Drives a fuzzer: each case in another process, within limits on time and memory; counts how the cases end.

A fuzzer is a function (number of the case, empty folder) -> how it ended, in a word ("read", "refused"). It makes the
case from the number alone, so that a fault can be seen again, and lets out whatever should not have been raised. A
fault is such an exception, a crash, a case that takes too long, and one that takes too much memory.

    report = fuzzing.run(functools.partial(attempt, seeds), range(100), seconds=10, memory=500e6)
    assert not report.faults, report

As a command (`main`) it tries as many cases as one likes and prints one table.
"""

import argparse
import contextlib
import multiprocessing
import multiprocessing.connection
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

Attempt = Callable[[int, Path], str]

STARTING = 300
"""Seconds that a process may take to start and to import what the cases need."""

_EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80")


@dataclass
class Report:
    """How the cases ended.

    Attributes:
        ends: how many ended with each word; "fault" is one of them.
        faults: (number, what happened) of those that should not have ended so.
        slowest: (seconds, number) of the slowest.
        largest: (bytes that the process grew by, number) of the one that took the most memory.
    """

    ends: Counter = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, 0)
    largest: tuple[float, int] = (0.0, 0)

    def add(self, number: int, end: str, fault: str | None, seconds: float, grown: float) -> None:
        self.ends["fault" if fault else end] += 1
        if fault:
            self.faults.append((number, fault))
        self.slowest = max(self.slowest, (seconds, number))
        self.largest = max(self.largest, (grown, number))

    def __str__(self) -> str:
        rows = [(end, f"{count}") for end, count in sorted(self.ends.items())]
        rows += [("cases", f"{self.ends.total()}"), ("faults", f"{len(self.faults)}")]
        rows += [("slowest", f"{self.slowest[0]:.2f} s (case {self.slowest[1]})")]
        rows += [("most memory", f"{self.largest[0] / 1e6:.0f} MB (case {self.largest[1]})")]
        lines = [f"{name:16} {value}" for name, value in rows]
        return "\n".join([*lines, *(f"case {number}: {fault}" for number, fault in self.faults)])


def run(
    attempt: Attempt,
    numbers: Iterable[int],
    seconds: float = 10,
    memory: float = 500e6,
    prepare: Callable[[], object] | None = None,
    show: Callable[[Report], object] | None = None,
) -> Report:
    """Tries cases one after the other.

    Args:
        attempt: the fuzzer, which another process must be able to import: a function of a module, or a partial of one.
        numbers: of the cases.
        seconds: that a case may take.
        memory: bytes that the process may grow by in a case.
        prepare: called in each new process before its first case: imports, what is made once.
        show: told of the report after each case.
    """
    report = Report()
    with contextlib.ExitStack() as stack:
        worker = stack.enter_context(_Worker(attempt, prepare))
        for number in numbers:
            report.add(number, *worker.attempt(number, seconds, memory))
            if show:
                show(report)
    return report


def main(
    attempt: Attempt,
    description: str,
    prepare: Callable[[], object] | None = None,
    count: int = 1000,
    seconds: float = 10,
    memory: float = 500e6,
) -> int:
    """The command of a fuzzer: prints the table. Returns 1 if there was a fault, else 0.

    Args:
        attempt: as of `run`.
        description: what `--help` says of it.
        prepare: as of `run`.
        count: of cases, by default.
        seconds: as of `run`, by default.
        memory: as of `run`, by default.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--count", type=int, default=count, help="how many cases (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=seconds, help="that a case may take (default: %(default)s)")
    parser.add_argument("--megabytes", type=float, default=memory / 1e6, help="the same of memory (%(default)s)")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="make the first case in this folder, and no other")
    arguments = parser.parse_args()
    if arguments.keep:
        if prepare:
            prepare()
        arguments.keep.mkdir(parents=True, exist_ok=True)
        print(attempt(arguments.first, arguments.keep))
        return 0

    def show(report: Report) -> None:
        if sys.stderr.isatty() or report.ends.total() % 100 == 0:
            print(f"{report.ends.total()} of {arguments.count}", end="\r", file=sys.stderr, flush=True)

    numbers = range(arguments.first, arguments.first + arguments.count)
    report = run(attempt, numbers, arguments.seconds, arguments.megabytes * 1e6, prepare, show)
    print(report)
    return 1 if report.faults else 0


class _Worker(contextlib.AbstractContextManager):
    """A process that tries cases, and is started again when one of them has cost its life."""

    def __init__(self, attempt: Attempt, prepare: Callable[[], object] | None):
        self._attempt, self._prepare = attempt, prepare
        self._process, self._pipe, self._folder = None, None, None

    def attempt(self, number: int, seconds: float, memory: float) -> tuple[str, str | None, float, float]:
        """(how it ended, the fault, seconds, bytes)."""
        if self._process is None:
            self._start()
        before, largest, start = _resident(self._process.pid), 0, time.monotonic()
        try:
            self._pipe.send(number)
            while not self._pipe.poll(0.02):
                largest = max(largest, _resident(self._process.pid) - before)
                taken = time.monotonic() - start
                if taken > seconds or largest > memory:
                    self._end()
                    return "", f"killed after {taken:.1f} s, with {largest / 1e6:.0f} MB", taken, largest
            end, fault, grown = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._end()
            return "", f"crashed with exit code {code}", time.monotonic() - start, largest
        grown, taken = max(grown, largest), time.monotonic() - start
        if fault is None and grown > memory:
            fault = f"took {grown / 1e6:.0f} MB"
        if fault is None and taken > seconds:
            fault = f"took {taken:.1f} s"
        return end, fault, taken, grown

    def _start(self) -> None:
        # Not forked: threads and locks of libraries that are in use here would be left in any state.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._folder = tempfile.mkdtemp(prefix="fuzzing-")
        arguments = (theirs, self._folder, self._attempt, self._prepare)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(STARTING) or self._pipe.recv() is not None:
            self._end()
            raise RuntimeError("the process of the cases could not be started")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            shutil.rmtree(self._folder, ignore_errors=True)
        self._process = None

    def __exit__(self, *_: object) -> None:
        self._end()


def _serve(pipe: multiprocessing.connection.Connection, folder: str, attempt: Attempt, prepare) -> None:
    """The other process: numbers in, (how it ended, the fault, bytes) out."""
    if prepare:
        prepare()
    pipe.send(None)
    with contextlib.suppress(EOFError):
        while True:
            number = pipe.recv()
            case = Path(folder) / str(number)
            case.mkdir()
            # From here on the kernel remembers anew how large the process was at most.
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")
            before, fault, end = _memory("self", "VmRSS"), None, "fault"
            try:
                end = attempt(number, case)
            except BaseException:
                fault = traceback.format_exc(limit=-6)
            pipe.send((end, fault, _memory("self", "VmHWM") - before))
            shutil.rmtree(case, ignore_errors=True)


def _resident(pid: int) -> int:
    return _memory(str(pid), "VmRSS")


def _memory(process: str, name: str) -> int:
    """Bytes of a line of /proc/.../status; 0 of a process that has ended, or where there is no /proc."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def mutated(data: bytes, rng: np.random.Generator, header: int = 200) -> bytes:
    """Bytes with a few changes: others, extreme numbers, some left out, some twice, some moved, or an early end.

    Args:
        data: of a whole file.
        rng: what is drawn from.
        header: half of the changes are in so many bytes of the beginning, where the trouble is.
    """
    data = bytearray(data)
    for _ in range(rng.integers(1, 12)):
        if not data:
            break
        end = len(data) if rng.random() < 0.5 else min(len(data), header)
        place, kind = int(rng.integers(end)), rng.integers(20)
        if kind < 8:
            data[place] = rng.integers(256)
        elif kind < 12:
            extreme = _EXTREMES[rng.integers(len(_EXTREMES))]
            data[place : place + 4] = extreme * int(rng.integers(1, 3))
        elif kind < 14:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind < 16:
            del data[place : place + int(rng.integers(1, 50))]
        elif kind < 18:
            data[place:place] = data[place : place + int(rng.integers(1, 50))]
        elif kind < 19:
            source, size = int(rng.integers(len(data))), int(rng.integers(1, 200))
            data[place : place + size] = data[source : source + size]
        elif rng.random() < 0.5:
            del data[int(rng.integers(len(data))) :]
    return bytes(data)
