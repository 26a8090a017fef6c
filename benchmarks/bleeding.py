"""How much of the error of colours lies along the edges of things, where colours bleed.

    python -m benchmarks.bleeding ORIGINALS PARSING LABEL=RESULTS [LABEL=RESULTS ...]

ORIGINALS and PARSING (NAME_seg.*) as in MHMD's layout, RESULTS as colorization.py writes them. Error is the mean
distance of ab in levels of 8 bits at SIDE x SIDE, "near" within NEAR pixels of an edge of the parsing. A picture counts
as one; "gray" is what no colour at all gives.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from historynet import errors
from historynet.commands import compare, running
from historynet.comparing.pairing import pair_folders
from historynet.data.mhmd import find_parsing
from historynet.errors import InputError
from historynet.pictures import color, images
from historynet.settings import Parser

SIDE, NEAR = 128, 3
STEP = 12
"""Gray levels between two parts: what JPEG adds to one part is less. Parts that are nearer to each other are one."""


def near_edges(parsing: np.ndarray) -> np.ndarray:
    """Where an edge of a parsing picture, uint8 gray (height, width), is near: bool (SIDE, SIDE)."""
    parts = cv2.resize(cv2.medianBlur(parsing, 5), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    edges = cv2.morphologyEx(parts, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > STEP
    return cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5) <= NEAR


def ab_of(rgb: np.ndarray) -> np.ndarray:
    """float32 (SIDE, SIDE, 2), in levels of 8 bits from gray."""
    return color.rgb_to_lab(color.resize(rgb, SIDE, SIDE))[..., 1:].astype(np.float32) - 128


def measure(originals: Path, parsing: Path, results: Path | None) -> tuple[float, float, int]:
    """(error near edges, error elsewhere, number of pictures); of gray without results."""
    pairs = (
        pair_folders(originals, results).pairs
        if results
        else [(originals / name, None) for name in images.list_pictures(originals)]
    )
    scores = []
    for (original, result), drawn in zip(pairs, find_parsing(parsing, [pair[0].name for pair in pairs]), strict=True):
        if drawn is None:
            continue
        near = near_edges(cv2.cvtColor(images.read_rgb(parsing / drawn), cv2.COLOR_RGB2GRAY))
        made = ab_of(images.read_rgb(result)) if result else 0
        error = np.linalg.norm(ab_of(images.read_rgb(original)) - made, axis=-1)
        if near.any() and not near.all():
            scores.append((error[near].mean(), error[~near].mean()))
    if not scores:
        raise InputError(f"{parsing}: no parsing picture NAME_seg.* of a picture that has a result")
    return *np.mean(scores, axis=0), len(scores)


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("originals", type=Path)
    parser.add_argument("parsing", type=Path)
    parser.add_argument("results", nargs="+", metavar="LABEL=DIR")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse_args(argv)
    named = compare.named_folders(arguments.results, told="LABEL=DIR names a folder of results")
    for label, folder in ({"gray": None} | named).items():
        near, elsewhere, count = measure(arguments.originals, arguments.parsing, folder)
        if folder is None:
            print("| results | near edges | elsewhere | near / elsewhere | pictures |\n|---|---:|---:|---:|---:|")
        print(f"| {label} | {near:.2f} | {elsewhere:.2f} | {near / elsewhere:.3f} | {count} |", flush=True)
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
