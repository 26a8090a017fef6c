"""How often the borders of scans are found, and toned prints told from photographs in colours.

    python -m benchmarks.borders --gray FOLDER [--colour FOLDER]

Of every second picture in the folders' order: the thresholds were chosen on the others. From the photographs of the
gray folder a seventh is cut off at each side, since scans of negatives have borders of their own.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.made_scans import make_scan, make_toned
from historynet import errors
from historynet.commands import running
from historynet.pictures import images, print_area, toning
from historynet.settings import Parser


def _odd(folder: Path) -> list[np.ndarray]:
    return [images.read_rgb(folder / name) for name in images.list_pictures(folder)[1::2]]


def measure_borders(photographs: list[np.ndarray]) -> str:
    """A line on a made scan of each photograph: what is cut of the prints, and what is left of the borders."""
    cut, left = [], []
    for seed, photograph in enumerate(photographs):
        scan, share = make_scan(photograph, seed)
        inside = print_area.find_print(scan)
        inside = np.ones(share.shape) if inside is None else cv2.resize(inside, share.shape[::-1]) / 255
        cut.append(1 - inside[share == 1].mean())
        left.append(inside[share == 0].mean())
    return (
        f"{len(cut)} made scans: {sum(one > 0.99 for one in left)} borders not found; of the print cut "
        f"{np.mean(cut):.2%} on average and {max(cut):.2%} at most; of the border coloured {np.mean(left):.1%}"
    )


def _look(rgb: np.ndarray) -> str:
    copy = print_area.reduce(rgb)
    return toning.look(copy, print_area.find_print(copy))[1]


def measure_tones(photographs: list[np.ndarray]) -> str:
    """A line on a toned print made of each photograph, on paper and without."""
    toned = [make_toned(photograph[..., 0], seed) for seed, photograph in enumerate(photographs)]
    scans = [make_scan(print_, seed)[0] for seed, print_ in enumerate(toned)]
    wrong = [sum(_look(rgb) == toning.COLORED for rgb in kind) for kind in (toned, scans)]
    return f"{len(toned)} toned prints: {wrong[0]} taken for coloured, {wrong[1]} on paper"


def main(argv: Sequence[str]) -> int:
    """Prints the rates."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--gray", type=Path, required=True, help="a folder of black-and-white photographs")
    parser.add_argument("--colour", type=Path, help="a folder of photographs in colours")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse_args(argv)
    photographs = []
    for rgb in _odd(arguments.gray):
        height, width = rgb.shape[0] // 7, rgb.shape[1] // 7
        photographs.append(np.ascontiguousarray(rgb[height:-height, width:-width]))
    print(measure_borders(photographs), flush=True)
    print(measure_tones(photographs), flush=True)
    if arguments.colour:
        coloured = _odd(arguments.colour)
        alike = sum(_look(rgb) != toning.COLORED for rgb in coloured)
        borders = sum(print_area.find_print(rgb) is not None for rgb in coloured)
        print(f"{len(coloured)} photographs in colours: {alike} taken for gray or toned; {borders} with a border")
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
