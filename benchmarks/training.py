"""Measures training: the matrix rate, operations, forward pass and update of each variant and precision, memory.

    python -m benchmarks.training [--variants HistoryNet Baseline] [--precisions float32 bfloat16]

Each variant and precision is measured in a process of its own, in turns with the matrix rates of that moment; the
precisions of a variant take turns with each other. `fraction_of_limit` is the time that the operations needed take at
the rate of the square matrix product of side 4096 in the same precision, divided by the time of the update.
"""

import runpy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import measuring
from benchmarks.measuring import ROOT, seconds
from historynet import errors
from historynet.commands import running
from historynet.settings import PRECISIONS
from historynet.systems.historynet.variants import VARIANTS

YARDSTICK = "4096x4096x4096"
MATRICES = {
    "1024x1024x1024": (1024, 1024, 1024),
    "2048x2048x2048": (2048, 2048, 2048),
    YARDSTICK: (4096, 4096, 4096),
    "block3_conv2 as a matrix, 16 pictures": (16 * 56 * 56, 9 * 256, 256),
    "block4_conv2 as a matrix, 16 pictures": (16 * 28 * 28, 9 * 512, 512),
}
"""(rows, terms of a sum, columns) of the products."""


def matrix_product(rows: int, terms: int, columns: int, precision: str) -> Callable[[], float]:
    """What measures the operations a second of a product once."""
    import tensorflow as tf

    left, right = (tf.cast(tf.random.uniform(shape), precision) for shape in ((rows, terms), (terms, columns)))
    return lambda: 2 * rows * terms * columns / seconds(lambda: tf.matmul(left, right)[0, 0].numpy())


def make_system(variant: str, **settings: Any) -> Any:
    """The system that a variant's trainer makes, with random weights and these settings."""
    from historynet import settings as declared
    from historynet.systems.historynet.settings import HistoryNetSettings

    folder = ROOT / VARIANTS[variant].folder
    config = folder / "config.py"
    arguments = ["--vgg16-weights", "none"]
    for name, value in settings.items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    parser = declared.make_parser("", declared.TRAIN, config, HistoryNetSettings)
    resolved, _ = declared.resolve(parser.parse_args(arguments), config, HistoryNetSettings)
    fields = runpy.run_path(str(folder / "dataclass.py"))["FIELDS"]
    return runpy.run_path(str(folder / f"{variant}.py"))["build"](resolved, fields)


def picture_size(system: Any) -> tuple[int, int]:
    """(height, width) of the pictures that a system's generator sees, pixels."""
    return tuple(system.G.input.shape[1:3])


def make_batch(system: Any, samples: int) -> dict[str, np.ndarray]:
    """A batch of noise with what a system reads."""
    rng = np.random.default_rng(0)
    size, classes = picture_size(system), system.architecture.num_classes
    shapes = {"L": (*size, 1), "ab": (*size, 2), "label": (classes,), "parsing": (*size, 1)}
    fields = {name: rng.random((samples, *shapes[name]), np.float32) for name in system.fields}
    return fields | {f"{name}_weight": np.ones(samples, np.float32) for name in ("label", "parsing") if name in fields}


def trace(system: Any, batch: dict[str, np.ndarray]) -> Any:
    """The graph of an update on batches of this size alone, in which all shapes are known."""
    from historynet.training.tensorflow_step import Step

    return Step(system, seed=0).graph(batch)


def make_worker(kind: str, **case: Any) -> Callable[[], dict[str, float]]:
    """What measures a case once, in a process of its own."""
    from historynet import backend

    backend.start("cpu", seed=0)
    return {"operations": _operations, "matrices": _matrices, "update": _update}[kind](**case)


def _operations(variant: str, **settings: Any) -> Callable[[], dict[str, float]]:
    from benchmarks import operations

    system = make_system(variant, **settings)
    # Of two pictures: a batch of one could be a batch that is broadcast, of which no shape is known.
    traced = {name: count // 2 for name, count in operations.in_graph(trace(system, make_batch(system, 2))).items()}
    needed = operations.needed(system)
    trained = sum(network.count_params() for network in system.networks.values())
    fixed = system.teacher.count_params() if system.teacher else 0
    activations = sum(
        np.prod(layer.output.shape[1:]) for network in system.networks.values() for layer in network.layers
    )
    return lambda: {
        "needed": needed,
        "needed_in_all": sum(needed.values()),
        "in_the_graph": traced,
        "in_the_graph_in_all": sum(traced.values()),
        "forward": operations.forward(system.G),
        # In float32: weights, gradients and Adam's two moments; the activations, of which the gradients are computed.
        "calculated_memory_of_variables": 4 * (4 * trained + fixed),
        "calculated_memory_a_picture": 4 * int(activations),
    }


def _matrices(precision: str, quick: bool) -> Callable[[], dict[str, float]]:
    scale = 8 if quick else 1
    products = {name: matrix_product(*(side // scale for side in sides), precision) for name, sides in MATRICES.items()}
    return lambda: {name: product() / 1e9 for name, product in products.items()}


def _update(
    variant: str, precision: str, samples: int, jit: bool, quick: bool, **settings: Any
) -> Callable[[], dict[str, float]]:
    from historynet.training.tensorflow_step import Step

    side = 512 if quick else 4096
    product = matrix_product(side, side, side, precision)
    system = make_system(variant, precision=precision, **settings)
    batch = make_batch(system, samples)
    step = Step(system, seed=0, jit=jit)

    def measure() -> dict[str, float]:
        before = product()
        figures = {
            "forward_seconds": seconds(lambda: system.G.predict_on_batch(batch["L"])),
            "update_seconds": seconds(lambda: step(batch, 0)),
        }
        return figures | {"matrix_rate": (before + product()) / 2}

    return measure


def _figures(turns: Sequence[dict[str, float]], samples: int, operations: dict[str, Any]) -> dict[str, Any]:
    """Of a variant in one precision."""
    rates = [
        {
            "forward_images_per_second": samples / turn["forward_seconds"],
            "update_images_per_second": samples / turn["update_seconds"],
            "update_gflops": samples * operations["needed_in_all"] / turn["update_seconds"] / 1e9,
            "forward_fraction_of_limit": samples
            * operations["forward"]
            / (turn["forward_seconds"] * turn["matrix_rate"]),
            "fraction_of_limit": samples * operations["needed_in_all"] / (turn["update_seconds"] * turn["matrix_rate"]),
        }
        for turn in turns
    ]
    return measuring.medians(turns) | measuring.medians(rates) | {"turns": turns}


def main(argv: Sequence[str]) -> int:
    """Prints the figures and saves them as JSON; the exit code."""
    if measuring.serve(make_worker):
        return errors.DONE
    parser = measuring.parser(__doc__, "training")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["float32", "bfloat16"])
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--jit", action="store_true", help="updates compiled by XLA")
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.width, arguments.image_size, arguments.batch_size, arguments.repeats = 0.0625, 32, 2, 1
    settings = {"width": arguments.width, "image_size": arguments.image_size}
    samples, module = arguments.batch_size, "benchmarks.training"

    # The machine's own rates.
    cases = {name: {"kind": "matrices", "precision": name, "quick": arguments.quick} for name in arguments.precisions}
    turns = measuring.in_turns(module, cases, arguments.repeats)
    figures = {"matrix_gflops": {name: measuring.medians(turns[name]) for name in cases}, "variants": {}}
    # Each variant: what it computes, then how fast, the precisions in turns.
    for variant in arguments.variants:
        case = {"kind": "operations", "variant": variant, **settings}
        with measuring.Worker(module, case) as worker:
            operations = worker.turn()
        cases = {
            precision: {
                **case,
                "kind": "update",
                "precision": precision,
                "samples": samples,
                "jit": arguments.jit,
                "quick": arguments.quick,
            }
            for precision in arguments.precisions
        }
        turns = measuring.in_turns(module, cases, arguments.repeats)
        measured = {"operations_a_picture": operations}
        measured |= {name: _figures(turns[name], samples, operations) for name in cases}
        if "float32" in turns and len(turns) > 1:
            for name in turns.keys() - {"float32"}:
                pairs = zip(turns["float32"], turns[name], strict=True)
                speedups = [one["update_seconds"] / other["update_seconds"] for one, other in pairs]
                measured[name]["speed_of_float32s"] = float(np.median(speedups))
        figures["variants"][variant] = measured
    measuring.save(arguments.json, arguments, figures)
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
