"""The paper's Figures 4 (quantitative) and 7 (ablation): pictures, gray versions, each method's results side by side.

Run `python comparison_figure.py quantitative DIR` or `python comparison_figure.py ablation DIR`: DIR is as for
tables.py, or what run_ablation.py has written.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet import errors
    from historynet.commands import compare, running
    from historynet.comparing import rendering
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent

OURS = "HistoryNet"


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = compare.results_parser(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5, help="pictures, evenly spread over the folder (%(default)s)")
    parser.add_argument("--pictures", nargs="+", default=[], metavar="NAME", help="these originals instead")
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "RESULT/figures/comparison",
        metavar="FILE",
        help="without extension (%(default)s)",
    )
    arguments = parser.parse_args(argv)
    originals, folders = compare.find_results(arguments)
    if OURS in folders:
        folders = {"Ours": folders.pop(OURS)} | folders
    paths = [arguments.out.with_name(arguments.out.name + extension) for extension in (".png", ".pdf")]
    rendering.draw_pictures(originals, folders, paths, arguments.rows, arguments.pictures)
    print(f"written: {paths[0]} and {paths[1].suffix}")
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
