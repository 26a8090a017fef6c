"""The command line that makes training pictures of the shots of films."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from historynet import settings
from historynet.collecting.frames import take_frames
from historynet.collecting.options import FrameOptions
from historynet.collecting.shots import ShotsRecord
from historynet.commands import collecting
from historynet.commands.running import run
from historynet.settings import Settings


def main(script: str, declared: type[Settings]) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the program; config.py stands beside it.
        declared: the system's settings, with the fields of `FrameOptions` and `frames_dir`.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _run(config, declared, argv))


def _run(config: Path, declared: type[Settings], argv: Sequence[str]) -> int:
    parser = settings.make_parser("Makes training pictures of colour films.", settings.COLLECT, config, declared)
    collecting.add_arguments(parser, "a film is never split")
    arguments = parser.parse_args(argv)
    resolved, _ = settings.resolve(arguments, config, declared)
    options = FrameOptions(**{field.name: getattr(resolved, field.name) for field in dataclasses.fields(FrameOptions)})
    return collecting.collect(arguments, resolved.frames_dir, options, collecting.Way(ShotsRecord, take_frames))
