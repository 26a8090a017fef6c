"""Measures an update of the compact network on TensorFlow and JAX, in turns: compiling apart, then each update.

    python -m benchmarks.engines [--batch-size 4] [--precision float32] [--critics]

The sizes are those of SOURCE_HistoryNet/compact.json, the weights random, the batch noise. `first_update_seconds` has
the compiling in it (tracing, with TensorFlow). With --critics D1 and D2 are trained as well, which compact.json's
training does without. On the CPU.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks import measuring
from benchmarks.measuring import ROOT, seconds
from historynet import errors
from historynet.commands import running
from historynet.settings import PRECISIONS

ENGINES = ("tensorflow", "jax")
QUICK = {"image_size": 32, "width": 0.0625, "features_width": 0.0625}


def make_worker(samples: int, **settings: Any) -> Callable[[], dict[str, float]]:
    """What measures an update once, in a process whose environment names the engine."""
    from benchmarks import training
    from historynet import backend

    backend.start("cpu", seed=0)
    from historynet.training.engine import Step

    system = training.make_system("HistoryNet", **settings)
    step = Step(system, seed=0)
    batch = step.place(training.make_batch(system, samples))
    begin = time.perf_counter()
    step(batch, 0)
    first = time.perf_counter() - begin
    return lambda: {"first_update_seconds": first, "update_seconds": seconds(lambda: step(batch, 1))}


def main(argv: Sequence[str]) -> int:
    """Prints the figures and saves them as JSON; the exit code."""
    if measuring.serve(make_worker):
        return errors.DONE
    parser = measuring.parser(__doc__, "engines")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--critics", action="store_true", help="train D1 and D2, too")
    arguments = parser.parse_args(argv)
    recipe = json.loads((ROOT / "SOURCE_HistoryNet/compact.json").read_text())
    settings = {name: recipe[name] for name in ("image_size", "width", "features_width", "dense_width")}
    settings |= {} if arguments.critics else {"lambda_g": 0, "lambda_info": 0}
    settings |= QUICK if arguments.quick else {}
    case = {"samples": arguments.batch_size, "precision": arguments.precision, **settings}

    # A process for each engine; the first turn does not count.
    turns = {engine: [] for engine in ENGINES}
    with ExitStack() as stack:
        workers = {}
        for engine in ENGINES:
            os.environ["KERAS_BACKEND"] = engine
            workers[engine] = stack.enter_context(measuring.Worker("benchmarks.engines", case))
            # So that no two of them compile at a time.
            workers[engine].turn()
        for _ in range(arguments.repeats):
            for engine, worker in workers.items():
                turns[engine].append(worker.turn())
    figures = {engine: measuring.medians(turns[engine]) | {"turns": turns[engine]} for engine in ENGINES}
    for values in figures.values():
        values["pictures_per_second"] = arguments.batch_size / values["update_seconds"]
    measuring.save(arguments.json, arguments, figures)
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
