"""Trains the eight experiments of the Pix2Pix report alike, colorizes with each, writes its Table 4.2 and Fig. 4.4.

Run `python run_pix2pix.py --out FOLDER` with any options of Pix2Pix' trainer
(`python SOURCE_Pix2Pix/Pix2Pix.py --help` explains them). The same command continues a stopped run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet.commands import experiments, running
    from historynet.comparing.metrics import CONVENTIONS
    from historynet.experiments import pix2pix
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = experiments.make_parser(__doc__.splitlines()[0], "SOURCE_Pix2Pix/Pix2Pix.py", ROOT / "RESULT/pix2pix")
    parser.add_argument(
        "--experiments",
        type=int,
        nargs="+",
        choices=pix2pix.PUBLISHED,
        default=list(pix2pix.PUBLISHED),
        metavar="N",
        help="which ones, of 1 to 8 (all)",
    )
    arguments, options = parser.parse_known_args(argv)
    out = arguments.out.absolute()
    runs = pix2pix.plan(ROOT, out, sorted(set(arguments.experiments)), options)
    print(pix2pix.measure_plan(runs, out), flush=True)
    code, done = experiments.execute(runs.values(), ["--format", "png"])
    if not done:
        return code
    print(f"\n{pix2pix.report(runs, out / 'report', CONVENTIONS['exact'], arguments.rows)}")
    print(f"\nwritten: {out / 'report/report.md'}")
    return code


if __name__ == "__main__":
    running.run(main)
