"""SSIM and PSNR of a folder of results against a folder of originals, pair by pair and on average.

Run `python compute_ssim_psnr.py -d0 ORIGINALS -d1 RESULTS`; docs/metrics.md explains the conventions.
"""

import sys
from collections.abc import Sequence

try:
    from historynet.commands import compare, running
    from historynet.comparing.metrics import CONVENTIONS
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = compare.comparison_parser(__doc__.splitlines()[0])
    texts = "; ".join(f"{name}: {convention.text}" for name, convention in CONVENTIONS.items())
    parser.add_argument("--convention", choices=CONVENTIONS, default="exact", help=f"{texts} (default: exact)")
    arguments = parser.parse_args(argv)
    return compare.compare_folders(arguments, convention=CONVENTIONS[arguments.convention])


if __name__ == "__main__":
    running.run(main)
