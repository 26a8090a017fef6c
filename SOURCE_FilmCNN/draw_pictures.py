"""Draws data B, the pictures of stage 1: 500 of ImageNet's classes, 500 pictures of each, and writes their list.

Nothing is copied: `FilmCNN.py` and `GrayVGG16.py` read the list with `--train-data TREE --picture-list LIST.csv`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet import errors, settings
    from historynet.commands import running
    from historynet.data import classes
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

OUT = Path(__file__).resolve().parent.parent / "DATASET/data_b.csv"


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    arguments = make_parser().parse_args(argv)
    drawn = classes.draw(arguments.tree, arguments.classes, arguments.pictures, arguments.seed)
    classes.write_list(arguments.out, drawn)
    print(f"{arguments.out}: {len(drawn)} pictures of {arguments.classes} classes")
    return errors.DONE


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = settings.Parser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("tree", type=Path, metavar="TREE", help="folder of ImageNet's classes, CLASS/NAME.JPEG")
    number, seed = running.between(int, 1, 10**6), running.between(int, 0, 2**32 - 1)
    parser.add_argument("--classes", type=number, default=500, help="how many classes (%(default)s)")
    parser.add_argument("--pictures", type=number, default=500, help="of each class (%(default)s)")
    parser.add_argument("--seed", type=seed, default=0, help="of the choice (%(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE.csv", help="list to write (%(default)s)")
    return parser


if __name__ == "__main__":
    running.run(main)
