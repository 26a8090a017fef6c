"""Measures training on JAX: the matrix rate, and an update of HistoryNet at full size on noise.

    python -m benchmarks.jax_training [--gpu-id 0] [--batch-sizes 16 64] [--precision bfloat16] [--hours-for 1350000]

`share` is the time that the operations needed take at the rate of the square matrix product of side 8192 in the same
precision, divided by the time of the update. Compiling is timed apart. The hours are those of an epoch of so many
pictures, if they come as fast.
"""

import argparse
import time
from collections.abc import Sequence

from benchmarks import training
from historynet import backend, errors
from historynet.commands import running
from historynet.settings import PRECISIONS

TURNS = 10
GIGA = 1e9


def matrix_rate(precision: str, side: int) -> float:
    """GFLOP/s of a product of two square matrices of random numbers."""
    import jax

    left, right = (jax.random.normal(jax.random.key(seed), (side, side), precision) for seed in (0, 1))
    product = jax.jit(lambda left, right: left @ right)
    jax.block_until_ready(product(left, right))
    begin = time.perf_counter()
    for _ in range(TURNS):
        left = product(left, right)
    jax.block_until_ready(left)
    return 2 * side**3 * TURNS / (time.perf_counter() - begin) / GIGA


def update_rate(precision: str, samples: int, gpu_id: str) -> tuple[float, float]:
    """(seconds of the first update, pictures/s of those that follow)."""
    from historynet.training.engine import Step

    system = training.make_system("HistoryNet", precision=precision, gpu_id=gpu_id)
    step = Step(system, seed=0)
    batch = step.place(training.make_batch(system, samples))
    begin = time.perf_counter()
    step(batch, 0)
    first = time.perf_counter() - begin
    step(batch, 1)
    begin = time.perf_counter()
    for number in range(TURNS):
        step(batch, number)
    return first, samples * TURNS / (time.perf_counter() - begin)


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu-id", default="0")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=(16, 64))
    parser.add_argument("--precision", choices=PRECISIONS, default="bfloat16")
    parser.add_argument("--side", type=int, default=8192, help="of the matrices")
    parser.add_argument("--operations", type=float, default=280.0, help="GFLOP that a picture needs (%(default)s)")
    parser.add_argument("--hours-for", type=int, default=1_350_000, help="pictures in an epoch (%(default)s)")
    arguments = parser.parse_args(argv)
    print(backend.start(arguments.gpu_id, seed=0))
    rate = matrix_rate(arguments.precision, arguments.side)
    print(f"matrices of {arguments.side}: {rate / 1000:.1f} TFLOP/s in {arguments.precision}")
    for samples in arguments.batch_sizes:
        first, pictures = update_rate(arguments.precision, samples, arguments.gpu_id)
        print(
            f"batch {samples}: first update {first:.1f} s, then {pictures:.1f} pictures/s, "
            f"share {pictures * arguments.operations / rate:.2f}, "
            f"an epoch of {arguments.hours_for:,}: {arguments.hours_for / pictures / 3600:.2f} h",
            flush=True,
        )
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
