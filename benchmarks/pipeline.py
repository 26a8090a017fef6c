"""Measures how training's pictures are read: `python -m benchmarks.pipeline [DATASET]`.

DATASET holds dataset_train and, if there are parsing pictures, dataset_train_seg; without one a small one is made of
noise. `core_milliseconds_to_decode` is the part of a sample's time that goes into its files, the rest is resizing,
colours and, in a sample of the GPU's recipe, ageing. `ratio_to_memory` is the time of an update on files divided by
that on a batch in memory. The last part lists and
shuffles a folder of 1,300,000 (empty) pictures with their labels, made for it and removed.
"""

import argparse
import os
import runpy
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import measuring
from benchmarks.measuring import ROOT, core_milliseconds, seconds
from benchmarks.training import make_system, picture_size
from historynet import backend, errors, settings
from historynet.commands import running
from historynet.data import varying
from historynet.data.batches import batches
from historynet.data.samples import Samples, epoch_order, fingerprint, open_samples, whole_picture
from historynet.parallel import CORES
from historynet.pictures import images
from historynet.settings import PRECISIONS
from historynet.systems.historynet.settings import HistoryNetSettings

CLASSES = 42
SAMPLES = 64
"""So many are read to measure the rate of reading."""


CONFIG = ROOT / "SOURCE_HistoryNet/config.py"


def resolve(*arguments: object) -> HistoryNetSettings:
    """The trainer's settings with these options."""
    parser = settings.make_parser("", settings.TRAIN, CONFIG, HistoryNetSettings)
    return settings.resolve(parser.parse_args(list(map(str, arguments))), CONFIG, HistoryNetSettings)[0]


def open_folder(folder: Path, *fields: str) -> Samples:
    """A folder of training pictures, whatever is missing in it."""
    known = runpy.run_path(str(CONFIG.with_name("dataclass.py")))["FIELDS"]
    run_settings = resolve("--train-data", folder, "--allow-missing-labels", "--allow-missing-parsing")
    return open_samples(run_settings, {name: known[name] for name in fields or known})


def make_worker(kind: str, **case: Any) -> Callable[[], dict[str, float]]:
    """What measures a case once, in a process of its own."""
    return {"reading": _reading, "update": _update, "listing": _listing}[kind](**case)


def _reading(folder: str, image_size: int) -> Callable[[], dict[str, float]]:
    samples = open_folder(Path(folder))
    order = list(islice(cycle(range(len(samples))), SAMPLES))
    size = (image_size, image_size)
    crop = whole_picture(size)

    def read_in_turn() -> None:
        for index in order:
            samples.read(index, crop)

    # As SOURCE_HistoryNet/compact.json has them: cut or whole, half of them aged.
    recipe = ("--crop-from", round(image_size * 8 / 7), "--crop-share", 0.4, "--age-luminance", 0.5)
    view = varying.views(resolve("--image-size", image_size, *recipe), range(SAMPLES), 0)

    def read_varied() -> None:
        for place, index in enumerate(order):
            samples.read(index, view(place))

    def decode() -> None:
        for index in order:
            for path in filter(None, (reader.picture(index) for reader in samples.readers)):
                images.read_rgb(path)

    def read_together() -> None:
        for _ in batches(samples, order, 16, size):
            pass

    def measure() -> dict[str, float]:
        core = core_milliseconds(read_in_turn, 1) / SAMPLES
        before = time.thread_time()
        read_together()
        joining = 1000 * (time.thread_time() - before) / SAMPLES
        return {
            "core_milliseconds_to_decode": core_milliseconds(decode, 1) / SAMPLES,
            "core_milliseconds_a_sample_of_the_recipe": core_milliseconds(read_varied, 1) / SAMPLES,
            "milliseconds_to_join_a_sample": joining,
            "core_milliseconds_a_sample": core,
            "samples_per_second_of_a_core": 1000 / core,
            "samples_per_second_of_all_cores": SAMPLES / seconds(read_together),
            "cores": CORES,
        }

    return measure


def _update(
    folder: str, precision: str, batch_size: int, updates: int, **settings: Any
) -> Callable[[], dict[str, float]]:
    backend.start("cpu", seed=0)
    from historynet.training.tensorflow_step import Step

    system = make_system("HistoryNet", precision=precision, **settings)
    samples = open_folder(Path(folder))
    order = list(islice(cycle(range(len(samples))), (updates + 4) * batch_size))
    read = partial(batches, samples, order, batch_size, picture_size(system))
    step = Step(system, seed=0)
    in_memory = next(read()).fields

    def from_memory() -> None:
        for _ in range(updates):
            step(in_memory, 0)

    def measure() -> dict[str, float]:
        memory = seconds(from_memory)
        reading = read()
        # What is read before the first update is no part of the steady state.
        step(next(reading).fields, 0)
        files = seconds(lambda: [step(next(reading).fields, 0) for _ in range(updates)])
        reading.close()
        memory = (memory + seconds(from_memory)) / 2
        return {
            "seconds_from_memory": memory / updates,
            "seconds_from_files": files / updates,
            "ratio_to_memory": files / memory,
        }

    return measure


def _listing(pictures: int) -> Callable[[], dict[str, float]]:
    temporary = tempfile.TemporaryDirectory()
    folder = Path(temporary.name)
    rows = [" ".join("1" if i == label else "0" for i in range(CLASSES)) for label in range(CLASSES)]
    with (folder / "sign.txt").open("w") as labels:
        for i in range(pictures):
            name = f"film{i // 1000:04}_{i:07}.jpg"
            os.close(os.open(folder / name, os.O_CREAT))
            labels.write(f"{name} {rows[i % CLASSES]} \n")

    def measure() -> dict[str, float]:
        before = measuring.memory()
        start = time.perf_counter()
        samples = open_folder(folder, "L", "ab", "label")
        listed = time.perf_counter()
        fingerprint(samples.names)
        order = epoch_order(len(samples), 0, 0)
        end = time.perf_counter()
        assert len(order) == pictures
        temporary.cleanup()
        return {
            "pictures": pictures,
            "listing_seconds": listed - start,
            "shuffling_seconds": end - listed,
            "memory": measuring.peak_memory() - before,
        }

    return measure


def _make_dataset(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(16):
        for place in (folder / f"dataset_train/{i:03}.jpg", folder / f"dataset_train_seg/{i:03}_seg.jpg"):
            place.parent.mkdir(exist_ok=True)
            small = rng.integers(0, 256, (12, 9, 3), np.uint8)
            cv2.imwrite(str(place), cv2.resize(small, (256, 390), interpolation=cv2.INTER_CUBIC))


def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    module, repeats = "benchmarks.pipeline", arguments.repeats
    settings = {"width": arguments.width, "image_size": arguments.image_size}
    case = {"kind": "reading", "folder": str(folder), "image_size": arguments.image_size}
    turns = measuring.in_turns(module, {"reading": case}, repeats)
    figures = {"reading": measuring.medians(turns["reading"]), "update": {}}
    case = {"folder": str(folder), "batch_size": arguments.batch_size, "updates": arguments.updates, **settings}
    for precision in arguments.precisions:
        turns = measuring.in_turns(module, {"update": {"kind": "update", "precision": precision, **case}}, repeats)
        figures["update"][precision] = measuring.medians(turns["update"]) | {"turns": turns["update"]}
    with measuring.Worker(module, {"kind": "listing", "pictures": arguments.listed}) as worker:
        figures["listing"] = worker.turn()
    return figures


def main(argv: Sequence[str]) -> int:
    """Prints the figures and saves them as JSON; the exit code."""
    if measuring.serve(make_worker):
        return errors.DONE
    parser = measuring.parser(__doc__, "pipeline")
    parser.add_argument("dataset", nargs="?", type=Path)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["float32", "bfloat16"])
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--updates", type=int, default=3, help="in a turn (default: 3)")
    parser.add_argument("--listed", type=int, default=1_300_000, help="pictures to list (default: 1300000)")
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.width, arguments.image_size, arguments.batch_size, arguments.repeats = 0.0625, 32, 2, 1
        arguments.listed = 10_000
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.dataset is None:
            _make_dataset(Path(temporary))
        folder = (arguments.dataset or Path(temporary)).resolve() / "dataset_train"
        measuring.save(arguments.json, arguments, _measure(arguments, folder))
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
