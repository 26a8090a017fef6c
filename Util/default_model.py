"""The shipped model: its data set, its file, its figures on pictures that it has not seen. See docs/model_card.md.

prepare   one data set from Clothing Co-Parsing (CCP), colour photographs of 1939 to 1944 (FSA) and public repositories
train     on it, in two runs that can be stopped and continued
export    a trained generator -> the file that is shipped
fit       its last layer again, to how like the pictures look (LPIPS)
evaluate  the figures, beside those of gray pictures
curves    losses and scores of the runs as pictures
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet import backend, errors, settings
    from historynet.commands import compare, running
    from historynet.comparing.perceptual import Lpips
    from historynet.experiments import default_model, last_layer
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "DATASET/compact"
FETCHED = ROOT / "DATASET/fetched"
RESULT = ROOT / "RESULT/compact"


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    arguments = make_parser().parse_args(argv)
    if arguments.action in ("train", "export", "fit", "evaluate"):
        # For the trainers, too, which are processes of their own and take it from the environment.
        backend.choose(arguments.backend)
    if arguments.action == "prepare":
        given = {"ccp": arguments.ccp, "ccpmore": arguments.ccp_more, "fsa": arguments.fsa}
        unclear = arguments.with_unclear_licences
        return default_model.prepare(given, arguments.pool, arguments.fetched, arguments.out, unclear, arguments.copy)
    if arguments.action == "train":
        return default_model.train(ROOT, arguments.start, arguments.data, arguments.models)
    if arguments.action == "export":
        default_model.export(arguments.model, arguments.out, arguments.strength)
    elif arguments.action == "fit":
        shares = [last_layer.open_share(*given) for given in arguments.pictures]
        # PyTorch is imported before TensorFlow, which it crashes after.
        lpips = Lpips()
        how = last_layer.Fit(arguments.steps, arguments.rate, arguments.colorfulness, arguments.seed)
        last_layer.fit(arguments.model, shares, arguments.out, lpips, how)
    elif arguments.action == "evaluate":
        # PyTorch is imported before TensorFlow, which it crashes after.
        lpips = compare.find_lpips(use_gpu=False)
        default_model.evaluate(arguments.model, arguments.data, arguments.out, lpips)
    else:
        default_model.curves(arguments.results, arguments.out)
    return errors.DONE


def make_parser() -> argparse.ArgumentParser:
    """The parser of the six actions, each with its own options."""
    parser = settings.Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    running.add_backend(parser)
    actions = parser.add_subparsers(dest="action", required=True)
    making = actions.add_parser("prepare", help="make the data set")
    making.add_argument("--ccp", type=Path, required=True, metavar="DIR", help="CCP in MHMD's layout")
    making.add_argument("--ccp-more", type=Path, required=True, metavar="DIR", help="further photographs of CCP")
    making.add_argument("--fsa", type=Path, required=True, metavar="DIR", help="colour photographs of FSA")
    making.add_argument(
        "--pool",
        type=Path,
        nargs="+",
        default=(),
        metavar="PATH",
        help="local copies of the public sets: archives of SET/NAME, or folders (default: they are fetched with git)",
    )
    making.add_argument("--fetched", type=Path, default=FETCHED, metavar="DIR", help="what was fetched (%(default)s)")
    making.add_argument(
        "--with-unclear-licences",
        action="store_true",
        help="also the sets for which no licence was stated where they were found",
    )
    making.add_argument("--out", type=Path, default=DATA, metavar="DIR", help="folder to make (%(default)s)")
    making.add_argument("--copy", action="store_true", help="copy given pictures, not link them")
    training = actions.add_parser("train", help="train on it; the same command continues a training that was stopped")
    training.add_argument(
        "--start", default="shipped", metavar="FILE.keras", help="generator that training begins with (%(default)s)"
    )
    training.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="what prepare made (%(default)s)")
    training.add_argument("--models", type=Path, default=ROOT / "MODEL", metavar="DIR", help="(%(default)s)")
    exporting = actions.add_parser("export", help="make the file that is shipped")
    exporting.add_argument("model", type=Path, metavar="GENERATOR.keras", help="my_model_colorizationEpoch....keras")
    exporting.add_argument("--out", type=Path, metavar="FILE.keras", help="default: where the shipped model belongs")
    exporting.add_argument(
        "--strength",
        type=running.between(float, 0, 2),
        nargs=2,
        default=(1.0, 1.0),
        metavar=("A", "B"),
        help="factors on the predicted a and b (default: 1 1)",
    )
    _add_fitting(actions.add_parser("fit", help="fit the last layer to how like the pictures look (LPIPS)"))
    measuring = actions.add_parser("evaluate", help="measure a model on the held-out pictures")
    measuring.add_argument("model", type=Path, nargs="?", metavar="GENERATOR.keras", help="default: the shipped model")
    measuring.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="what prepare made (%(default)s)")
    measuring.add_argument("--out", type=Path, default=RESULT, metavar="DIR", help="for the results (%(default)s)")
    drawing = actions.add_parser("curves", help="draw the losses and the scores of the runs")
    drawing.add_argument("--results", type=Path, default=ROOT / "RESULT", metavar="DIR", help="(%(default)s)")
    drawing.add_argument("--out", type=Path, default=RESULT, metavar="DIR", help="for the pictures (%(default)s)")
    return parser


def _add_fitting(fitting: argparse.ArgumentParser) -> None:
    fitting.add_argument("model", type=Path, metavar="GENERATOR.keras", help="generator to fit")
    fitting.add_argument(
        "--pictures",
        nargs=3,
        action="append",
        required=True,
        metavar=("DIR", "N", "PSNR"),
        help="photographs in colour, preferably ones that the network has not learnt; how many of them each step "
        "draws; what their PSNR weighs (about 0.2); may be given several times",
    )
    fitting.add_argument("--out", type=Path, required=True, metavar="FILE.keras", help="the new file")
    fitting.add_argument(
        "--steps",
        type=running.between(int, 1, 100_000),
        default=last_layer.Fit.steps,
        metavar="N",
        help="(%(default)s)",
    )
    fitting.add_argument(
        "--rate", type=running.between(float, 1e-6, 1), default=last_layer.Fit.rate, help="of learning (%(default)s)"
    )
    fitting.add_argument(
        "--colorfulness",
        type=running.between(float, 0, 1),
        default=last_layer.Fit.colorfulness,
        metavar="WEIGHT",
        help="how much colourfulness weighs (%(default)s)",
    )
    fitting.add_argument(
        "--seed",
        type=running.between(int, 0, 2**31 - 1),
        default=last_layer.Fit.seed,
        metavar="N",
        help="(%(default)s)",
    )


if __name__ == "__main__":
    running.run(main)
