"""LPIPS of a folder of results against a folder of originals, pair by pair and on average.

Run `python lpips_2dirs.py -d0 ORIGINALS -d1 RESULTS -o lpips.txt`; needs the extra `lpips` of pyproject.toml.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet.commands import compare, running
    from historynet.comparing.perceptual import NETS, VERSIONS, Lpips
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = compare.comparison_parser(__doc__.splitlines()[0])
    parser.add_argument(
        *("-o", "--out"), type=Path, default=Path("lpips.txt"), metavar="FILE", help="the report (default: lpips.txt)"
    )
    parser.add_argument("-v", "--version", choices=VERSIONS, default="0.1", help="of LPIPS (default: 0.1)")
    parser.add_argument("--net", choices=NETS, default="alex", help="whose features to compare (default: alex)")
    parser.add_argument("--use_gpu", "--use-gpu", action="store_true", help="instead of the CPU")
    arguments = parser.parse_args(argv)
    lpips = Lpips(arguments.net, arguments.version, arguments.use_gpu)
    return compare.compare_folders(arguments, arguments.out, lpips=lpips)


if __name__ == "__main__":
    running.run(main)
