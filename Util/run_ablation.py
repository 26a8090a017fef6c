"""Trains the ablation's four variants alike, colorizes with each, writes the paper's Table 3, the companion's Table 2.

Run `python run_ablation.py --out FOLDER` with any options of HistoryNet's trainer
(`python SOURCE_HistoryNet/HistoryNet.py --help` explains them). The same command continues a stopped run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet import errors, settings
    from historynet.commands import compare, running
    from historynet.comparing import rendering
    from historynet.comparing.metrics import CONVENTIONS
    from historynet.experiments import ablation, trainings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = settings.Parser(
        description=__doc__.splitlines()[0],
        epilog="All other options are those of the trainers, the same for each: SOURCE_HistoryNet/HistoryNet.py --help "
        "explains them.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "RESULT/ablation", metavar="DIR", help="for everything (%(default)s)"
    )
    parser.add_argument("--rows", type=int, default=6, help="test pictures in the picture grid (%(default)s)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments, options = parser.parse_known_args(argv)
    out = arguments.out.absolute()
    runs = ablation.plan(ROOT, out, options)
    codes = []
    for run in runs:
        codes.append(trainings.execute(run))
        if codes[-1] not in (errors.DONE, errors.SKIPPED):
            return codes[-1]
    lpips = compare.find_lpips(use_gpu=False)
    table = ablation.report(runs, out / "report", CONVENTIONS["exact"], lpips, arguments.rows)
    print(f"\n{rendering.as_text(table)}\n\nwritten: {out / 'report/report.md'}")
    return max(codes)


if __name__ == "__main__":
    running.run(main)
