"""Measures what a cluster costs beside the plain command: `python -m benchmarks.cluster [--pretrained FILE]`.

Many small pictures go through a small network, so that what is beside the network counts most; --pretrained names
another. The plain command, then two nodes of Ray on this machine, of half its cores each, then the same with one of
them killed when a third of the results are there. Startup is the time before the first result. The results of all must
be the same bytes.
"""

import argparse
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import measuring
from historynet import backend, errors, extras
from historynet.commands import running
from historynet.errors import InputError
from historynet.parallel import CORES

SCRIPT = "SOURCE_HistoryNet/colorization.py"
_A_FOLDER = 1000
"""Pictures."""


def main(argv: Sequence[str]) -> int:
    """Prints the figures and writes them as JSON."""
    parser = measuring.parser(__doc__, "cluster")
    parser.add_argument("--pictures", type=int, default=20_000, metavar="N")
    parser.add_argument("--side", type=int, default=64, metavar="PIXELS")
    parser.add_argument("--pretrained", type=Path, metavar="FILE", help="by default a network of 32x32, untrained")
    arguments = parser.parse_args(argv)
    try:
        import ray.cluster_utils  # noqa: F401
    except ImportError as error:
        raise InputError(f"Ray is not installed: {extras.how_to_install('ray')}") from error
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(arguments, Path(temporary))
    measuring.save(arguments.json, arguments, figures)
    return errors.DONE


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The figures of each way.

    Args:
        arguments: of the command line.
        folder: an empty one.

    Raises:
        InputError: if a run fails, as `run_process`.
        RuntimeError: if two ways do not give the same bytes.
    """
    count = 200 if arguments.quick else arguments.pictures
    make_pictures(folder / "in", count, arguments.side)
    model = arguments.pretrained or folder / "tiny.keras"
    if not arguments.pretrained:
        make_network(model)
    figures: dict[str, Any] = {"pictures": count}
    figures["plain"] = run(folder, "plain", model, count)
    expected = digest(folder / "plain")
    for name, lost in (("two nodes", False), ("two nodes, one killed", True)):
        figures[name] = run_on_two(folder, name, model, count, lost)
        if digest(folder / name) != expected:
            raise RuntimeError(f"{name}: other results than those of the plain command")
    plain, cluster = (figures[name]["seconds after the first result"] for name in ("plain", "two nodes"))
    figures["two nodes to plain, after the first result"] = cluster / plain
    return figures


def make_pictures(folder: Path, count: int, side: int) -> None:
    """Gray JPEG files of waves and noise, a thousand in a folder."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    for number in range(count):
        place = folder / f"{number // _A_FOLDER:03}"
        if number % _A_FOLDER == 0:
            place.mkdir(parents=True)
        waves = np.sin(2 * np.pi * (x * rng.uniform(0.5, 3) + y * rng.uniform(0.5, 3) + rng.random()))
        gray = np.clip(128 + 90 * waves + rng.normal(0, 6, waves.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(place / f"{number:06}.jpg"), gray)


def make_network(path: Path) -> None:
    """A HistoryNet with random weights, of a thirty-second of the channels."""
    backend.start("cpu", seed=0)
    from historynet.systems import loading
    from historynet.systems.historynet.generator import build_generator
    from historynet.systems.historynet.variants import Architecture

    architecture = Architecture(image_size=32, width=1 / 32)
    loading.save(build_generator(architecture), "HistoryNet", architecture, path)


def run(folder: Path, name: str, model: Path, count: int, *more: str) -> dict[str, float]:
    """The command's time, rate and memory."""
    options = ("--recursive", "--pretrained", str(model), "--no-provenance", "--report", str(folder / f"{name}.csv"))
    first: list[float] = []
    begun = time.perf_counter()

    def watch() -> None:
        while not first and time.perf_counter() < begun + 600:
            if any((folder / name).glob("*/*_reconstructed.jpg")):
                first.append(time.perf_counter() - begun)
            time.sleep(0.05)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    found = measuring.run_process([SCRIPT, str(folder / "in"), "--result-dir", str(folder / name), *options, *more])
    watching.join()
    after = found["seconds"] - first[0]
    return found | {
        "seconds to the first result": first[0],
        "seconds after the first result": after,
        "pictures a second after it": count / after,
        "bytes of the report": (folder / f"{name}.csv").stat().st_size,
    }


def run_on_two(folder: Path, name: str, model: Path, count: int, lost: bool) -> dict[str, float]:
    """The same on two nodes of Ray here, one of which may be lost in the middle."""
    from ray.cluster_utils import Cluster

    # Its processes would be nicer than the plain command is.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    # The processes' Python finds the project as this one does.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(measuring.ROOT), os.environ.get("PYTHONPATH", "")])
    cores, ended = max(1, CORES // 2), threading.Event()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cores, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=cores)
        cluster.wait_for_nodes()

        def lose() -> None:
            while not ended.wait(0.2):
                if sum(1 for _ in (folder / name).glob("*/*_reconstructed.jpg")) > count / 3:
                    cluster.remove_node(second, allow_graceful=False)
                    return

        killer = threading.Thread(target=lose)
        if lost:
            killer.start()
        found = run(folder, name, model, count, "--cluster", cluster.address)
        if lost and killer.is_alive():
            raise RuntimeError(f"{name}: no node was killed")
        return found
    finally:
        ended.set()
        cluster.shutdown()


def digest(folder: Path) -> str:
    """Of the names and bytes of all results."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*_reconstructed.jpg")):
        found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    running.run(main)
