"""What the measurements share: times taken in turns, processes of their own, the machine, JSON.

Machines differ, and one and the same machine is not always equally fast. What is to be compared is therefore measured
in turns, and a ratio is the median of the turns' ratios.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from historynet import backend, errors, extras, files, settings
from historynet.errors import InputError
from historynet.parallel import CORES

ROOT = Path(__file__).resolve().parent.parent


def seconds(function: Callable[[], object]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def core_milliseconds(function: Callable[[], object], repeats: int) -> float:
    """The median of all cores' time that a call takes, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times))


def peak_memory() -> int:
    """The most bytes of physical memory that this process ever held."""
    # Not getrusage, which begins with what the process held that this one was forked from.
    return _status("VmHWM")


def memory() -> int:
    """The bytes of physical memory that this process holds."""
    return _status("VmRSS")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def medians(turns: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: float(np.median([turn[name] for turn in turns])) for name in turns[0]}


class Worker:
    """A process of its own that measures a case: its peak memory is the case's, and it waits while others measure.

    Args:
        module: the module to run, which calls `serve`.
        case: what to measure, the arguments of `serve`'s `make`.
    """

    def __init__(self, module: str, case: Mapping[str, Any]):
        command = [sys.executable, "-m", module, "--worker", json.dumps(case)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()
        self._process.wait()

    def turn(self) -> dict[str, float]:
        """Lets it measure once.

        Raises:
            InputError: if it has ended for bad input, which it has named.
            RuntimeError: if it has ended for another reason.
        """
        # If it has ended it does not answer.
        with suppress(BrokenPipeError):
            print(file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise _failed(self._process.args, self._process.wait())
        return json.loads(answer)


def serve(make: Callable[..., Callable[[], Mapping[str, float]]]) -> bool:
    """In a worker: measures whenever it is asked to, and adds its peak memory.

    Args:
        make: the case's items -> what measures once. The first call is not among the turns that count (`in_turns`).

    Returns:
        False in a process that is no worker.
    """
    if sys.argv[1:2] != ["--worker"]:
        return False
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with backend.quiet():
        measure = make(**json.loads(sys.argv[2]))
        for _ in sys.stdin:
            print(json.dumps({**measure(), "peak_memory": peak_memory()}), file=answers, flush=True)
    return True


def _failed(command: Sequence[str], code: int) -> Exception:
    """The error for a process that has failed; a user's error has been printed by the process."""
    kind = InputError if code == errors.BAD_INPUT else RuntimeError
    return kind(f"{' '.join(map(str, command))} ended with exit code {code}")


def in_turns(module: str, cases: Mapping[str, Mapping[str, Any]], repeats: int) -> dict[str, list[dict[str, float]]]:
    """Measures cases in turns, each in a process of its own.

    Args:
        module: the module that the processes run.
        cases: what to measure, by name.
        repeats: turns that count, after one that does not.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(module, case)) for name, case in cases.items()}
        turns = {name: [] for name in cases}
        for i in range(1 + repeats):
            for name, worker in workers.items():
                figures = worker.turn()
                if i:
                    turns[name].append(figures)
    return turns


def run_process(arguments: Sequence[str], watched: Path | None = None) -> dict[str, float]:
    """Runs a Python process: its time, all cores' time, peak memory.

    Args:
        arguments: of the interpreter.
        watched: a folder that is empty at the start; "first_result" are the seconds until a file is in it.

    Raises:
        InputError: if it fails for bad input, which it has named.
        RuntimeError: if it fails for another reason.
    """
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    first, ended = None, 0
    while not ended:
        waiting = watched is not None and first is None
        if waiting and any(not path.name.startswith(".") for path in watched.iterdir()):
            first = time.perf_counter() - start
        # Not Popen.wait, which says nothing of what the process took.
        ended, status, usage = os.wait4(process.pid, os.WNOHANG if waiting else 0)
        time.sleep(0.005)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise _failed(["python", *arguments], process.returncode)
    figures = {
        "seconds": time.perf_counter() - start,
        "core_seconds": usage.ru_utime + usage.ru_stime,
        "peak_memory": usage.ru_maxrss * 1024,
    }
    return figures | ({} if first is None else {"first_result": first})


def parser(doc: str, name: str) -> argparse.ArgumentParser:
    """The options that all measurements have.

    Args:
        doc: its first line describes the measurement.
        name: of the JSON file that the figures are written to.
    """
    options = settings.Parser(description=doc.splitlines()[0], allow_abbrev=False)
    options.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options.add_argument("--quick", action="store_true", help="small networks and few pictures: sees that it works")
    options.add_argument("--repeats", type=int, default=3, help="turns of each measurement (default: 3)")
    options.add_argument("--json", type=_file, default=ROOT / f"RESULT/benchmarks/{name}.json", help="where figures go")
    return options


def _file(text: str) -> Path:
    """A file that can be written, as far as its path says: after hours of measuring it is too late to say so."""
    path = Path(text)
    try:
        files.check_folder(path.parent)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder; name a file in it")
    return path


def save(path: Path, arguments: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """Prints the figures and writes them, with what they were measured on, as JSON."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    machine = {
        "machine": model[0].split(":")[1].strip() if model else platform.machine(),
        "cores": CORES,
        "python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "jax", "keras") if extras.is_installed(name)},
        "opencv": version("opencv-python-headless"),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "arguments": {name: str(value) for name, value in vars(arguments).items()},
    }
    _print(figures)
    files.write_json(path, machine | figures)
    print(f"saved in {path}")


def _print(figures: Mapping[str, Any], indent: str = "") -> None:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}")
            _print(value, indent + "  ")
        elif not isinstance(value, list):
            value = f"{value:.4g}" if isinstance(value, float) else value
            print(f"{indent}{name:{40 - len(indent)}} {value}")
