"""The command line that reports on a finished data set."""

from collections.abc import Sequence
from pathlib import Path

from historynet import errors, settings
from historynet.collecting.settings import REPORT, MHMDSettings
from historynet.commands.running import run


def main(script: str) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the program; config.py stands beside it.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _run(config, argv))


def _run(config: Path, argv: Sequence[str]) -> int:
    parser = settings.make_parser("Reports on a finished data set.", REPORT, config, MHMDSettings)
    parser.add_argument("--compare", type=Path, metavar="DIR", help="a folder of pictures, to compare hues with")
    arguments = parser.parse_args(argv)
    resolved, _ = settings.resolve(arguments, config, MHMDSettings)
    return write(resolved, arguments.compare)


def write(resolved: MHMDSettings, compare: Path | None = None) -> int:
    """Writes and prints the report; the exit code.

    Args:
        resolved: the settings of the run.
        compare: a folder of pictures, to compare hues with.

    Raises:
        InputError: if something cannot be read or written.
    """
    from historynet.collecting import reporting

    print(reporting.write_report(resolved, compare))
    print(f"\nwritten: {resolved.out / reporting.FOLDER / 'report.md'}")
    return errors.DONE
