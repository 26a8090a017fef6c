"""Two processes on this machine that train together, against one; one of them killed, then both started again.

`python tests/two_workers.py [--backend jax]` prints what it sees; it takes minutes, since the engine starts fifteen
times. The processes have a network of their own where the system allows it (`unshare --net`, as root), since TensorFlow
listens on all addresses.
"""

import argparse
import csv
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from conftest import ROOT, label_line, train_arguments, write_picture

SCRIPT = ROOT / "SOURCE_HistoryNet/HistoryNet.py"
PICTURES = 11


def make_data(folder: Path) -> Path:
    """MHMD's layout; every third picture without a label, every fourth without a parsing picture."""
    lines = []
    for i in range(PICTURES):
        write_picture(folder / f"dataset_train/{i:04}.jpg", i)
        if i % 4:
            write_picture(folder / f"dataset_train_seg/{i:04}_seg.jpg", 100 + i)
        if i % 3:
            lines.append(label_line(f"{i:04}.jpg", i))
    (folder / "dataset_train/sign.txt").write_text("".join(lines))
    write_picture(folder / "dataset_second/t0.png", 200)
    return folder


def arguments(data: Path, run: Path, *more: object) -> list[str]:
    places = [argument for name in ("model", "out", "log") for argument in (f"--{name}-dir", run / name)]
    # A batch of four, the last one of three; a small rate, at which rounding errors do not grow.
    same = ("--batch-size", 4, "--num-epochs", 2, "--learning-rate", 1e-6, "--gpu-id", "cpu")
    lacking = ("--allow-missing-labels", "--allow-missing-parsing")
    return [str(argument) for argument in (*train_arguments(data), *places, *same, *lacking, *more)]


def free_ports() -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_two(data: Path, run: Path, *more: object) -> list[subprocess.Popen]:
    """Both workers, the chief first; what they say goes to RUN/worker0.txt and RUN/worker1.txt."""
    run.mkdir(exist_ok=True)
    workers = [f"127.0.0.1:{port}" for port in free_ports()]
    processes = []
    for index in range(2):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        with (run / f"worker{index}.txt").open("w") as said:
            command = [sys.executable, str(SCRIPT), *arguments(data, run, "--strategy", "multiworker", *more)]
            environment = os.environ | {"TF_CONFIG": json.dumps(config)}
            processes.append(subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT))
    return processes


def end(processes: list[subprocess.Popen], run: Path) -> list[int]:
    codes = [process.wait(timeout=900) for process in processes]
    for index, code in enumerate(codes):
        text = (run / f"worker{index}.txt").read_text()
        last = [line for line in text.splitlines() if line.startswith(("error", "continuing", "stopped"))]
        print(f"  worker {index}: exit code {code}; " + " | ".join(line[:150] for line in last[-3:]), flush=True)
    return codes


def losses(run: Path) -> np.ndarray:
    with (run / "log/losses.csv").open() as table:
        return np.array([[float(value) for value in row.values()] for row in csv.DictReader(table)])


def weights(run: Path) -> dict[str, np.ndarray]:
    """The networks' variables in the newest checkpoint; Adam's are of the size of gradients."""
    with np.load(max((run / "model/checkpoints").iterdir())) as arrays:
        return {name: arrays[name] for name in arrays.files if "/optimizer/" not in name and name != "state.json"}


def compare(what: str, one: Path, other: Path) -> None:
    a, b = losses(one), losses(other)
    assert a.shape == b.shape == (6, 10), (a.shape, b.shape)
    loss = (abs(a - b) / np.maximum(abs(a), 1e-3)).max()
    first, second = weights(one), weights(other)
    weight = max(float(abs(first[name] - second[name]).max()) for name in first)
    print(f"{what}: losses apart {loss:.1e} (relative), weights {weight:.1e}", flush=True)
    assert loss < 1e-3
    assert weight < 2e-5


def kill_in_the_middle(processes: list[subprocess.Popen], run: Path, index: int, number: int) -> None:
    """Sends a signal when the second checkpoint is there."""
    while not (run / "model/checkpoints/step000000002.npz").exists():
        assert all(process.poll() is None for process in processes), (run / "worker0.txt").read_text()
        time.sleep(0.02)
    processes[index].send_signal(number)


def main() -> None:
    if os.environ.get("TWO_WORKERS_ALONE") is None and shutil.which("unshare"):
        inside = f'ip link set lo up && exec "{sys.executable}" "{__file__}" {shlex.join(sys.argv[1:])}'
        alone = ["unshare", "--net", "sh", "-c", inside]
        if subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0:
            sys.exit(subprocess.run(alone, env=os.environ | {"TWO_WORKERS_ALONE": "1"}, check=False).returncode)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    # What the processes are started with.
    os.environ["KERAS_BACKEND"] = parser.parse_args().backend
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = make_data(folder / "DATASET")
        one, two = folder / "one", folder / "two"
        one.mkdir()
        command = [sys.executable, str(SCRIPT), *arguments(data, one, "--save-every", 1)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print("two workers", flush=True)
        assert end(start_two(data, two, "--save-every", 1), two) == [0, 0]
        compare("two workers and one process", one, two)
        assert "images/s" in (two / "worker0.txt").read_text()
        for what, index, number, codes in (
            ("the second worker killed", 1, signal.SIGKILL, [5, -signal.SIGKILL]),
            ("the chief killed", 0, signal.SIGKILL, [-signal.SIGKILL, 5]),
            ("SIGTERM to the second worker", 1, signal.SIGTERM, [143, 143]),
        ):
            print(what, flush=True)
            run = folder / re.sub(r"\W", "-", what)
            processes = start_two(data, run, "--save-every", 1)
            kill_in_the_middle(processes, run, index, number)
            began = time.monotonic()
            ended = end(processes, run)
            # JAX's own thread aborts a process that has lost the chief, where its service is.
            if os.environ["KERAS_BACKEND"] == "jax" and index == 0 and ended[1] == -signal.SIGABRT:
                ended[1] = 5
            assert ended == codes
            print(f"  both ended after {time.monotonic() - began:.0f} s; started again:", flush=True)
            assert end(start_two(data, run, "--save-every", 1), run) == [0, 0]
            assert "continuing from" in (run / "worker1.txt").read_text()
            compare(f"{what}, continued, and never stopped", two, run)
    print("all as it should be")


if __name__ == "__main__":
    main()
