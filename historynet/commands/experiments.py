"""What the command lines share that train several networks alike, colorize with each, and report on them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from historynet import errors, settings
from historynet.commands.running import between
from historynet.experiments import trainings
from historynet.experiments.trainings import Run


def make_parser(description: str, trainer: str, out: Path) -> settings.Parser:
    """The command line but for what a trainer takes, which is left to it.

    Args:
        description: for --help.
        trainer: whose options are the same for each network.
        out: the folder of everything, unless another is named.
    """
    parser = settings.Parser(
        description=description,
        epilog=f"All other options are those of the trainers, the same for each: {trainer} --help explains them.",
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, default=out, metavar="DIR", help="for everything (%(default)s)")
    parser.add_argument(
        "--rows", type=between(int, 1, 100), default=6, help="test pictures in the picture grid (%(default)s)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def execute(runs: Iterable[Run], colorizing: Sequence[str] = ()) -> tuple[int, bool]:
    """Trains and colorizes with one after the other, until one fails.

    Args:
        runs: what is trained.
        colorizing: more options of colorization.py.

    Returns:
        The exit code; whether all are done, so that they can be reported on.
    """
    worst = errors.DONE
    for run in runs:
        code = trainings.execute(run, colorizing)
        if code not in (errors.DONE, errors.SKIPPED):
            return code, False
        worst = max(worst, code)
    return worst, True
