"""The command line `python -m historynet.weights`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from historynet import backend, errors, settings
from historynet.commands import export, running
from historynet.errors import InputError
from historynet.runtimes import is_exported, opening
from historynet.training.stopping import Stop

_STOPPED = "nothing was written"


def main() -> None:
    """Ends the process with one of the exit codes of `errors`."""
    running.run(_models)


def _models(argv: Sequence[str]) -> int:
    parser = settings.Parser(prog="python -m historynet.weights", description="Says or changes what model files are.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    running.add_backend(parser)
    actions = parser.add_subparsers(dest="action", required=True)
    inspecting = actions.add_parser("inspect", help="say which network a file holds, and list its arrays")
    inspecting.add_argument("file", type=Path)
    converting = actions.add_parser("convert", help="turn a released .h5, or a .weights.h5, into a .keras file of ours")
    converting.add_argument("source", metavar="IN", type=Path)
    converting.add_argument("target", metavar="OUT.keras", type=Path)
    converting.add_argument("--half", action="store_true", help="keep kernels in float16, half of the bytes")
    exporting = actions.add_parser("export", help="write a network for onnxruntime or OpenVINO")
    exporting.add_argument("model", metavar="MODEL", help="a model file, or shipped")
    exporting.add_argument("target", metavar="OUT.onnx|OUT.xml", type=Path)
    exporting.add_argument(
        "--int8",
        metavar="PICTURES",
        type=Path,
        help="compute in int8 if that is as good: a folder of pictures in colour, half calibrate, half measure",
    )
    arguments = parser.parse_args(argv)
    if arguments.action == "inspect" and is_exported(arguments.file):
        inspect_exported(arguments.file)
        return errors.DONE
    if arguments.action == "export":
        with Stop() as stop, stop.at_once(_STOPPED):
            export.export(arguments.model, arguments.target, arguments.backend, arguments.int8)
        return errors.DONE
    backend.start("cpu", engine=arguments.backend)
    if arguments.action == "inspect":
        inspect(arguments.file)
    else:
        convert(arguments.source, arguments.target, arguments.half)
    return errors.DONE


def inspect_exported(path: Path) -> None:
    """Prints which network an exported file holds.

    Raises:
        InputError: if it holds none of ours, or what computes it is not installed.
    """
    network = opening.open_exported(path)
    found = network.description
    registration = found.registration
    facts = {
        "file": f"exported (*{path.suffix})",
        "system": registration.name,
    }
    facts |= {"network": found.network}
    facts |= registration.facts(found.network, found.architecture) if registration.facts else {}
    facts |= {"size": "x".join(map(str, network.size)), "precision": network.precision}
    _print_facts(facts)


def inspect(path: Path) -> None:
    """Prints which network a file holds, and its arrays.

    Raises:
        InputError: if it holds none of ours, or does not fit array for array.
    """
    from historynet.systems import loading

    contents = loading.identify(path)
    registration = contents.registration
    network = loading.build(contents, path)
    facts = {"file": contents.form, "system": registration.name, "network": contents.network}
    facts |= registration.facts(contents.network, contents.architecture) if registration.facts else {}
    facts |= {"parameters": f"{network.count_params():,}"}
    _print_facts(facts)
    print("layers")
    for name, values in contents.arrays.items():
        print(f"  {name:20} {' '.join(str(value.shape) for value in values)}")


def _print_facts(facts: Mapping[str, str]) -> None:
    for name, value in facts.items():
        print(f"{name:14} {value}")


def convert(source: Path, target: Path, half: bool = False) -> None:
    """Turns a file that holds a network of ours, whatever its form, into a .keras file.

    Args:
        source: the file.
        target: the new one.
        half: whether its kernels are kept in float16.

    Raises:
        InputError: as `inspect`; also if the new file cannot be written.
    """
    if target.suffix != ".keras":
        raise InputError(f"{target}: the new file's name must end with .keras")
    from historynet.systems import loading

    contents = loading.identify(source)
    registration = contents.registration
    loading.save(loading.build(contents, source), registration.name, contents.architecture, target, half)
    program = registration.program(contents.architecture)
    colorizes = registration.colorizing and contents.network == registration.colorizing.network
    print(f"{target}: {program + ' ' if colorizes else ''}{contents.network}")
