"""Measures the speed of comparing two folders: `python -m benchmarks.metrics ORIGINALS RESULTS [--lpips]`."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from historynet import errors, settings
from historynet.commands import running
from historynet.comparing import metrics
from historynet.comparing.comparison import compare
from historynet.comparing.metrics import CONVENTIONS
from historynet.comparing.pairing import pair_folders
from historynet.comparing.perceptual import Lpips
from historynet.parallel import CORES
from historynet.pictures import images


def measure(function: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The median seconds of a call, and of all cores' time that it takes, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        function()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return tuple(np.median(times, axis=0))


def main(argv: Sequence[str]) -> int:
    """Prints pairs a second, pairs a second of a core's time, and each part's time on one core; the exit code."""
    parser = settings.Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("originals", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--lpips", action="store_true", help="instead of PSNR and SSIM")
    parser.add_argument("--use-gpu", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse_args(argv)
    start = time.perf_counter()
    lpips = Lpips(use_gpu=arguments.use_gpu) if arguments.lpips else None
    if lpips:
        print(f"loading PyTorch and the network: {time.perf_counter() - start:.1f} s")
    pairing = pair_folders(arguments.originals, arguments.results)
    paths = pairing.pairs
    convention = None if lpips else CONVENTIONS["exact"]

    elapsed, cpu = measure(lambda: compare(pairing, convention, lpips), arguments.repeats)
    print(
        f"{len(paths)} pairs: {len(paths) / elapsed:.1f} pairs/s on {CORES} cores, "
        f"{len(paths) / cpu:.1f} pairs/s of a core's time"
    )

    pictures = [(images.read_rgb(original), images.read_rgb(result)) for original, result in paths]
    parts = {"read": lambda: [images.read_rgb(path) for pair in paths for path in pair]}
    if lpips:
        parts["LPIPS"] = lambda: list(lpips.distances((i, *pair) for i, pair in enumerate(pictures)))
    else:
        parts["SSIM"] = lambda: [metrics.ssim(*pair) for pair in pictures]
        parts["PSNR"] = lambda: [metrics.psnr(*pair) for pair in pictures]
    for name, part in parts.items():
        print(f"{name}: {1000 * measure(part, arguments.repeats)[1] / len(paths):.2f} ms of a core's time a pair")
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
