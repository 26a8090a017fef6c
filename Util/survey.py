"""The films CNN's Figure 8: which pictures do viewers believe to be from colour films? See docs/film_cnn.md.

page      folders of pictures, one a type -> a page that viewers answer, in any browser, without a network
results   the page and the files of answers that it saved -> shares, medians, box plot
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet import errors, settings, streams
    from historynet.commands import compare, running
    from historynet.comparing import answers, survey
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "RESULT/survey/survey.html"


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    arguments = make_parser().parse_args(argv)
    return make_page(arguments) if arguments.action == "page" else show_results(arguments)


def make_page(arguments: argparse.Namespace) -> int:
    """Writes the page; the exit code."""
    folders = compare.named_folders(arguments.types, "a type is LABEL=FOLDER")
    chosen = survey.choose(folders, arguments.truth, arguments.pictures, arguments.seed)
    with streams.Progress(len(chosen), "picture") as bar:
        notes = survey.write_page(arguments.out, chosen, list(folders), arguments.truth, arguments.side, bar.update)
    for note in notes:
        print(f"versions differ in size, by which viewers may know them: {note}", file=sys.stderr)
    megabytes = arguments.out.stat().st_size / 1e6
    print(
        f"written: {arguments.out} ({megabytes:.1f} MB): {len(folders)} types of {arguments.pictures} pictures; keep "
        "it, `results` needs it"
    )
    return errors.DONE


def show_results(arguments: argparse.Namespace) -> int:
    """Reads the answers, prints and writes what they gave; the exit code."""
    asked = survey.read_page(arguments.page)
    given, left_out = answers.read_answers(asked, arguments.answers)
    results = answers.evaluate(asked, given, arguments.draws, arguments.seed)
    paths = results.write(arguments.out)
    print("\n".join(results.report()))
    print(f"written: {', '.join(map(str, paths))}")
    for reason in left_out:
        print(f"left out: {running.one_line(reason)}", file=sys.stderr)
    return errors.SKIPPED if left_out else errors.DONE


def make_parser() -> argparse.ArgumentParser:
    """The parser of the two actions, each with its own options."""
    parser = settings.Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    actions = parser.add_subparsers(dest="action", required=True)
    page = actions.add_parser("page", help="make the page")
    page.add_argument(
        "types",
        nargs="+",
        metavar="LABEL=FOLDER",
        help="a type's pictures, in the figure's order; versions of a picture are called NAME.* or "
        f"NAME_reconstructed.*. {answers.NOT_FINE_TUNED} and {answers.FINE_TUNED} are compared with the paper",
    )
    page.add_argument("--truth", metavar="LABEL", help="the type that is of colour films, with pictures of its own")
    page.add_argument(
        "--pictures",
        type=running.between(int, survey.APART, 1000),
        default=10,
        metavar="N",
        help="of each type, drawn if there are more (%(default)s)",
    )
    page.add_argument("--seed", type=running.between(int, 0, 2**32 - 1), default=0, help="of the draw (%(default)s)")
    page.add_argument(
        "--side",
        type=running.between(int, 64, 4096),
        default=960,
        metavar="PIXELS",
        help="larger pictures are embedded with this longer side (%(default)s)",
    )
    page.add_argument("--out", type=Path, default=PAGE, metavar="FILE.html", help="the page (%(default)s)")
    results = actions.add_parser("results", help="evaluate the answers")
    results.add_argument("page", type=Path, metavar="FILE.html", help="the page that was answered")
    results.add_argument(
        "answers", type=Path, nargs="+", metavar="PATH", help="files of answers, or folders of answers_*.csv"
    )
    results.add_argument(
        "--draws", type=running.between(int, 100, 1_000_000), default=10_000, help="of the bootstrap (%(default)s)"
    )
    results.add_argument("--seed", type=running.between(int, 0, 2**32 - 1), default=0, help="of it (%(default)s)")
    results.add_argument("--out", type=Path, default=PAGE.parent, metavar="DIR", help="for the files (%(default)s)")
    return parser


if __name__ == "__main__":
    running.run(main)
