"""The papers' tables from folders of results: LPIPS, PSNR and SSIM of each method, with the published values.

Run `python tables.py quantitative DIR` or `python tables.py ablation DIR`: DIR holds the originals and one folder of
results for each method, as the authors' "Quantitative_comparison" and "Ablation_experiments" do, or is what
run_ablation.py has written.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet import errors, streams
    from historynet.commands import compare, running
    from historynet.comparing import rendering, tables
    from historynet.comparing.methods import EXPERIMENTS
    from historynet.comparing.metrics import CONVENTIONS
    from historynet.errors import InputError
    from historynet.pictures import images
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = compare.results_parser(__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "RESULT/tables", metavar="DIR", help="for the table's files (%(default)s)"
    )
    parser.add_argument(
        "--convention", choices=CONVENTIONS, default="exact", help="of PSNR and SSIM: see docs/metrics.md (%(default)s)"
    )
    parser.add_argument("--colorfulness", action="store_true", help="one more column: PSNR rewards gray")
    parser.add_argument("--resize", action="store_true", help="resize results that are of another size")
    parser.add_argument("--use_gpu", "--use-gpu", action="store_true", help="for LPIPS, instead of the CPU")
    arguments = parser.parse_args(argv)

    # The originals and the results of each method, compared.
    originals, folders = compare.find_results(arguments)
    lpips = compare.find_lpips(arguments.use_gpu)
    pairs = len(folders) * len(images.list_pictures(originals))
    with streams.Progress(pairs, "pair") as bar:
        table = tables.measure(
            EXPERIMENTS[arguments.experiment],
            originals,
            folders,
            CONVENTIONS[arguments.convention],
            lpips,
            arguments.colorfulness,
            arguments.resize,
            bar.update,
        )
    rendering.write(table, arguments.out, arguments.experiment)
    print(f"\n{rendering.as_text(table)}\n\nwritten: {arguments.out / arguments.experiment}.txt, .md, .csv, .tex, .png")

    # What has no part in the means.
    different = 0
    for reason in table.left_out:
        print(f"left out: {reason}", file=sys.stderr)
    for name, row in table.rows.items():
        for reason in (*row.unreadable, *row.different_size):
            print(f"left out: {name}: {reason}", file=sys.stderr)
        different += len(row.different_size)
    if different:
        raise InputError(f"{different} pairs of different size were left out of their means; --resize compares them")
    return errors.SKIPPED if table.left_out or any(row.unreadable for row in table.rows.values()) else errors.DONE


if __name__ == "__main__":
    running.run(main)
