"""The command line of the trainers."""

import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from historynet import backend, errors, settings
from historynet.commands import running
from historynet.data.samples import OpenReader, Samples, note_on_gray, open_samples, steps_per_epoch
from historynet.settings import Settings

Build = Callable[[Any, Mapping[str, OpenReader]], Any]
"""(the system's settings, the fields of a batch and who reads them) -> a system, `historynet.systems.system.System`."""

OpenSamples = Callable[[Any, Mapping[str, OpenReader]], Samples]
"""(the system's settings, the fields of a batch and who reads them) -> the samples of the training."""


def main(
    script: str, declared: type[Settings], build: Build, open_samples: OpenSamples = open_samples, prefix: str = ""
) -> None:
    """A trainer's command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the trainer; config.py and dataclass.py stand beside it.
        declared: the system's settings.
        build: makes what is trained.
        open_samples: finds the samples of the training; by default the pictures of a folder.
        prefix: what the names of its config.py and dataclass.py begin with, where several trainers share a folder.
    """
    path = Path(script).resolve()
    program = path.stem if prefix else path.parent.name
    beside = path.with_name(f"{prefix}config.py"), path.with_name(f"{prefix}dataclass.py")
    running.run(lambda argv: _train(program, *beside, declared, build, open_samples, argv))


def _train(
    program: str,
    config: Path,
    fields_file: Path,
    declared: type[Settings],
    build: Build,
    open_samples: OpenSamples,
    argv: Sequence[str],
) -> int:
    parser = settings.make_parser(f"Trains {program}'s networks.", settings.TRAIN, config, declared)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="show settings, data, networks, disk space, downloads and where it would start, and stop",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="start over: remove MODEL_DIR's checkpoints and replace its models"
    )
    arguments = parser.parse_args(argv)
    run_settings, written = settings.resolve(arguments, config, declared)
    fields = runpy.run_path(str(fields_file))["FIELDS"]
    strategy = "none" if arguments.dry_run else run_settings.strategy
    device = None
    if strategy == "multiworker":
        # The workers meet first, so that what is wrong with one ends the others, too.
        device = _start(run_settings, strategy)
    samples = open_samples(run_settings, fields)
    # Before the engine is started, which takes seconds.
    steps_per_epoch(run_settings, samples)
    if note := note_on_gray(samples):
        print(running.one_line(f"note: {note}"), file=sys.stderr)
    device = device or _start(run_settings, strategy)
    from historynet.systems import keras_files
    from historynet.training.session import Session

    session = Session(program, run_settings, samples, fields, build)
    if arguments.dry_run:
        with keras_files.without_download():
            session.show(arguments.fresh)
        return errors.DONE
    return errors.SKIPPED if session.train(written, device, arguments.fresh) else errors.DONE


def _start(run_settings: Settings, strategy: str) -> str:
    device = backend.start(run_settings.gpu_id, run_settings.seed, strategy, run_settings.onednn, run_settings.backend)
    print(device, flush=True)
    return device
