"""The command line that makes training pictures of films, so many frames a second."""

import dataclasses
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from historynet import settings
from historynet.collecting.movies import MovieRecord, take_movie
from historynet.collecting.options import MINUTES, RATES, SIDES, MovieOptions
from historynet.commands import collecting
from historynet.commands.running import between, run


def main(out: Path) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        out: the folder of the frames, unless another is named.
    """
    run(lambda argv: _run(out, argv))


def _run(out: Path, argv: Sequence[str]) -> int:
    default = MovieOptions()
    parser = settings.Parser(
        description="Makes training pictures of films: so many frames a second, all of one size.", allow_abbrev=False
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    collecting.add_arguments(parser, "of all others the frames after --train-minutes are")
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help="where they go (%(default)s)")
    rate, minutes, side = between(_fraction, *RATES), between(_fraction, *MINUTES), between(int, *SIDES)
    parser.add_argument(
        "--rate", type=rate, default=default.rate, metavar="N", help="frames a second, 0.5 or 24000/1001 (%(default)s)"
    )
    parser.add_argument(
        "--train-minutes",
        type=minutes,
        default=default.train_minutes,
        metavar="N",
        help="until when a film's frames are for training; later ones are for tests (%(default)s)",
    )
    parser.add_argument("--height", type=side, default=default.height, metavar="N", help="pixels (%(default)s)")
    parser.add_argument("--width", type=side, default=default.width, metavar="N", help="pixels (%(default)s)")
    parser.add_argument("--crop-bars", action="store_true", help="cut black bars off first; films are read twice")
    arguments = parser.parse_args(argv)
    options = MovieOptions(**{f.name: getattr(arguments, f.name) for f in dataclasses.fields(MovieOptions)})
    way = collecting.Way(MovieRecord, take_movie, distinguish=False)
    return collecting.collect(arguments, arguments.out, options, way)


def _fraction(text: str) -> Fraction:
    """An exact number: 2, 0.5 or 24000/1001."""
    # Not all that Fraction reads: 1e999999999 would take it for ever, and nothing is divided by 0.
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9}|/[1-9]\d{0,8})?", text, re.ASCII):
        raise ValueError
    return Fraction(text)
