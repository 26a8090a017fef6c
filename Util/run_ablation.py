"""Trains the ablation's four variants alike, colorizes with each, writes the paper's Table 3, the companion's Table 2.

Run `python run_ablation.py --out FOLDER` with any options of HistoryNet's trainer
(`python SOURCE_HistoryNet/HistoryNet.py --help` explains them). The same command continues a stopped run.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet.commands import compare, experiments, running
    from historynet.comparing import rendering
    from historynet.comparing.metrics import CONVENTIONS
    from historynet.experiments import ablation
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    trainer = "SOURCE_HistoryNet/HistoryNet.py"
    parser = experiments.make_parser(__doc__.splitlines()[0], trainer, ROOT / "RESULT/ablation")
    arguments, options = parser.parse_known_args(argv)
    out = arguments.out.absolute()
    runs = ablation.plan(ROOT, out, options)
    code, done = experiments.execute(runs)
    if not done:
        return code
    lpips = compare.find_lpips(use_gpu=False)
    table = ablation.report(runs, out / "report", CONVENTIONS["exact"], lpips, arguments.rows)
    print(f"\n{rendering.as_text(table)}\n\nwritten: {out / 'report/report.md'}")
    return code


if __name__ == "__main__":
    running.run(main)
