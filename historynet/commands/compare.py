"""The command lines that compare results: their options, and what they print."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from historynet import errors, files, settings, streams
from historynet.errors import InputError

if TYPE_CHECKING:
    from historynet.comparing.perceptual import Lpips


def comparison_parser(description: str) -> settings.Parser:
    """The options that the scripts which compare two folders share."""
    # The companion's script for LPIPS has a --version of its own, which takes the place of ours.
    parser = settings.Parser(description=description, allow_abbrev=False, conflict_handler="resolve")
    parser.add_argument("-d0", "--dir0", type=Path, required=True, metavar="ORIGINALS", help="folder of the originals")
    parser.add_argument(
        *("-d1", "--dir1"),
        type=Path,
        required=True,
        metavar="RESULTS",
        help="folder of the results: NAME_reconstructed.* or NAME.* for NAME.*",
    )
    parser.add_argument("--resize", action="store_true", help="resize results that are of another size")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write each pair's values")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write values, averages and counts")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def compare_folders(arguments: argparse.Namespace, report: Path | None = None, **measures: Any) -> int:
    """Compares two folders, prints and writes the report; the exit code.

    Args:
        arguments: of `comparison_parser`.
        report: a file for what is printed; None: no file.
        measures: `convention` or `lpips` of `comparison.compare`.

    Raises:
        InputError: also if pictures of a pair differ in size; the report over the others has been given then.
    """
    from historynet.comparing.comparison import compare
    from historynet.comparing.pairing import pair_folders

    pairing = pair_folders(arguments.dir0, arguments.dir1)
    with streams.Progress(len(pairing.pairs), "pair") as bar:
        comparison = compare(pairing, resize=arguments.resize, progress=bar.update, **measures)
    protocol = "; ".join(map(str, measures.values()))

    # What was left out, then the scores of the others.
    for reason in comparison.unreadable:
        print(f"skipped: {reason}", file=sys.stderr)
    for pair in comparison.different_size:
        print(f"different size: {pair}", file=sys.stderr)
    if comparison.scores:
        text = "\n".join([protocol, *comparison.report()])
        print(text, flush=True)
        if report:
            files.write_text(report, text + "\n")
        if arguments.csv:
            comparison.write_csv(arguments.csv)
        if arguments.json:
            comparison.write_json(arguments.json, protocol)

    # The exit code.
    if comparison.different_size:
        raise InputError(
            f"{arguments.dir1}: results of another size than their originals: {len(comparison.different_size)}, which "
            "were not compared; --resize resizes them"
        )
    if not comparison.scores:
        raise InputError(f"{arguments.dir1}: no pair can be read")
    return errors.SKIPPED if comparison.unreadable else errors.DONE


def results_parser(description: str) -> settings.Parser:
    """The options of the scripts that take the results of several methods."""
    from historynet.comparing.methods import EXPERIMENTS, ORIGINALS_NAMES

    parser = settings.Parser(description=description, allow_abbrev=False)
    tables = "; ".join(f"{name}: {' and '.join(one.sources.values())}" for name, one in EXPERIMENTS.items())
    parser.add_argument(
        "experiment", choices=EXPERIMENTS, help=f"whose methods are recognised by their folders' names ({tables})"
    )
    parser.add_argument(
        "folder",
        metavar="DIR",
        type=Path,
        help="holds the originals and a folder for each method; or what run_ablation.py has written (its --out)",
    )
    parser.add_argument(
        "--originals",
        type=Path,
        metavar="DIR",
        help=f"folder of the originals, if it is not in DIR under one of the names {', '.join(ORIGINALS_NAMES)}",
    )
    parser.add_argument(
        "--method", action="append", default=[], metavar="NAME=DIR", help="results of a method; can be repeated"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def named_folders(
    texts: Iterable[str], told: str = "--method takes NAME=DIR", called: Callable[[str], str] = str
) -> dict[str, Path]:
    """Folders by label, of arguments LABEL=DIR.

    Args:
        texts: the arguments.
        told: what is said of one that is none.
        called: a label as it is given -> as it is used.

    Raises:
        InputError: if one is not LABEL=DIR, or two have the same label.
    """
    named = {}
    for text in texts:
        label, _, folder = text.partition("=")
        if not label.strip() or not label.isprintable() or not folder:
            raise InputError(f"{text}: {told}")
        label = called(label)
        if label in named:
            raise InputError(f"{text}: {label} is the label of {named[label]}, too; each folder has its own")
        named[label] = Path(folder)
    return named


def find_results(arguments: argparse.Namespace) -> tuple[Path, dict[str, Path]]:
    """The originals, and each method's folder of results, by the arguments of `results_parser`.

    Raises:
        InputError: if there are no originals or no method.
    """
    from historynet.comparing import methods
    from historynet.experiments import ablation

    experiment = methods.EXPERIMENTS[arguments.experiment]
    named = ablation.find_results(arguments.folder) if arguments.experiment == "ablation" else {}
    named |= {methods.ORIGINALS: arguments.originals} if arguments.originals else {}
    named |= named_folders(arguments.method, called=lambda name: methods.method_name(name, experiment))
    folders, others = methods.find_folders(arguments.folder, experiment, named)
    originals = folders.pop(methods.ORIGINALS, None)
    if originals is None:
        names = ", ".join(methods.ORIGINALS_NAMES[1:])
        raise InputError(
            f"{arguments.folder}: no folder is called originals; call it so (or {names}), or name it with "
            "--originals DIR"
        )
    if not folders:
        raise InputError(f"{arguments.folder}: no folder of a known method; name them with --method NAME=DIR")
    used = {folder.resolve() for folder in (originals, *folders.values())}
    for path in others:
        if not any(folder.is_relative_to(path.resolve()) for folder in used):
            print(f"left out: {path.name} is no known method; --method NAME={path} adds it")
    return originals, methods.in_order(folders, experiment)


def find_lpips(use_gpu: bool) -> "Lpips | None":
    """LPIPS with AlexNet, or None with a message where it is not installed."""
    from historynet.comparing.perceptual import Lpips

    try:
        return Lpips(use_gpu=use_gpu)
    except InputError as error:
        print(f"without LPIPS: {error}", file=sys.stderr)
        return None
