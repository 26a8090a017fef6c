"""The command line `python -m historynet.weights`."""

from collections.abc import Sequence
from pathlib import Path

from historynet import backend, errors, settings
from historynet.commands import running


def main() -> None:
    """The command line `python -m historynet.weights`; ends the process with one of the exit codes of `errors`."""
    running.run(_model_files)


def _model_files(argv: Sequence[str]) -> int:
    parser = settings.Parser(prog="python -m historynet.weights", description="Says or changes what model files are.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    actions = parser.add_subparsers(dest="action", required=True)
    inspect = actions.add_parser("inspect", help="say which network a file holds, and list its arrays")
    inspect.add_argument("file", type=Path)
    convert = actions.add_parser("convert", help="turn a released .h5, or a .weights.h5, into a .keras file of ours")
    convert.add_argument("source", metavar="IN", type=Path)
    convert.add_argument("target", metavar="OUT.keras", type=Path)
    arguments = parser.parse_args(argv)
    backend.start("cpu")
    from historynet.systems import loading as weights

    if arguments.action == "inspect":
        weights.inspect(arguments.file)
    else:
        weights.convert(arguments.source, arguments.target)
    return errors.DONE
