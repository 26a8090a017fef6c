"""Runs of an experiment: each trained and colorized by scripts as processes of their own, as users run them.

One settings file serves trainer and colorizer. What is done is recorded, so that a stopped experiment goes on where it
was; the trainers themselves continue from their checkpoints.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet import errors, files, settings
from historynet.errors import InputError
from historynet.experiments.processes import run_script
from historynet.pictures import figures
from historynet.settings import Settings
from historynet.settings.declared import REQUIRED
from historynet.training import history
from historynet.training.checkpoints import Checkpoints
from historynet.weights import run_files

SETTINGS, COLORIZED = "settings.json", "colorized"
"""In a run's folder: what it is trained with, and its results."""

OWN = (
    "config",
    "test_name",
    "model_dir",
    "out_dir",
    "log_dir",
    "init_generator",
    "init_discriminator",
    "init_classifier",
)
"""Settings that cannot be the same for several runs."""

_SMOOTHING = 100


@dataclass(frozen=True)
class Run:
    """One training of an experiment.

    Attributes:
        name: in the table.
        trainer: the training script; colorization.py stands beside it.
        folder: holds all files of the run.
        settings: what is trained with, checked.
    """

    name: str
    trainer: Path
    folder: Path
    settings: Settings

    @property
    def model_dir(self) -> Path:
        return self.folder / "models"

    @property
    def settings_file(self) -> Path:
        return self.folder / SETTINGS

    @property
    def record_file(self) -> Path:
        return self.folder / "record.json"

    @property
    def colorized(self) -> Path:
        return self.folder / COLORIZED


def refuse_own(arguments: argparse.Namespace, what: str) -> None:
    """Refuses options of the trainers that cannot be the same for all runs.

    Args:
        arguments: of a trainer.
        what: the runs are, "four variants".

    Raises:
        InputError: if there is one.
    """
    for own in OWN:
        if getattr(arguments, own, None) is not None:
            raise InputError(f"--{own.replace('_', '-')}: can't be the same for {what}; leave it out")


def prepare(
    name: str, trainer: Path, folder: Path, resolved: Settings, written: Mapping[str, Any]
) -> tuple[Run, dict[str, Any]]:
    """A run, and its settings as they are to be written: with folders of its own.

    Args:
        name: in the table.
        trainer: the training script.
        folder: for all files of the run.
        resolved: the settings, of `settings.resolve`.
        written: the same as they are written.
    """
    run = Run(name, trainer, folder, resolved)
    own = {
        "test_name": folder.name,
        "model_dir": str(run.model_dir),
        "out_dir": str(folder / "training"),
        "log_dir": str(folder / "logs"),
        "pretrained": str(run_files.model_path(run.model_dir, "colorization", resolved.num_epochs - 1)),
        "test_dir": str(resolved.test_data),
        "result_dir": str(run.colorized),
    }
    return run, {**written, **own}


def write_settings(planned: Sequence[tuple[Run, Mapping[str, Any]]], what: str) -> list[Run]:
    """Writes the settings files of `prepare`, after all of them are found right beside what was trained before.

    Raises:
        InputError: if a run was trained in its folder with other settings.
    """
    for run, written in planned:
        _check_earlier_settings(run, written, what)
    for run, written in planned:
        files.write_json(run.settings_file, written)
    return [run for run, _ in planned]


def _check_earlier_settings(run: Run, written: Mapping[str, Any], what: str) -> None:
    """Refuses to continue what was trained with other settings. A start that trained nothing is in nobody's way."""
    if not run.settings_file.exists() or not _has_trained(run):
        return
    # An earlier version did not have all of the settings, and did what their values since then say.
    before = files.read_json(run.settings_file, dict, "damaged; name another folder with --out")
    since = {field.name: field.metadata["since"] for field in dataclasses.fields(run.settings)}
    since = {name: value for name, value in since.items() if value is not REQUIRED and name in written}
    if since | before != written:
        raise InputError(
            f"{run.settings_file}: {what} with other settings; give the same options to continue it, or name another "
            "folder with --out"
        )


def _has_trained(run: Run) -> bool:
    """Whether there is anything that the run's trainer would continue from, or has finished."""
    saved = Checkpoints(run.model_dir / run_files.CHECKPOINTS, run.settings.keep_checkpoints)
    return bool(saved.paths() or run_files.list_models(run.model_dir)) or "training" in read_record(run)


def execute(run: Run, colorizing: Sequence[str] = ()) -> int:
    """Trains and colorizes what is not done yet.

    Args:
        run: of `write_settings`.
        colorizing: options of the colorizer.

    Returns:
        The exit code of what failed, or DONE or SKIPPED.
    """
    record = read_record(run)
    steps = {
        "training": (run.trainer, []),
        "colorizing": (run.trainer.with_name("colorization.py"), ["--overwrite", *colorizing]),
    }
    for step, (script, options) in steps.items():
        if record.get(step) is not None:
            print(f"{run.name}: {step} is done", flush=True)
            continue
        print(f"\n{run.name}: {step}", flush=True)
        start = time.monotonic()
        code = run_script(script, "--config", run.settings_file, *options)
        seconds = f"{step}_seconds"
        record[seconds] = record.get(seconds, 0) + round(time.monotonic() - start)
        if code in (errors.DONE, errors.SKIPPED):
            record[step] = code
        files.write_json(run.record_file, record)
        if record.get(step) is None:
            print(
                f"{run.name}: {step} ended with exit code {code}; the same command continues from here", file=sys.stderr
            )
            return code
    return max(record["training"], record["colorizing"])


def read_record(run: Run) -> dict[str, Any]:
    """What was done of a run: the exit code of each finished step, and the seconds of each step."""
    if not run.record_file.exists():
        return {}
    return files.read_json(run.record_file, dict, f"damaged; remove it to start {run.name} again")


def draw_curves(runs: Sequence[Run], folder: Path) -> None:
    """Writes losses.png, moving means, and scores.png, of the pictures evaluated after each epoch.

    Raises:
        InputError: if a run has no tables yet, or nothing can be written.
    """
    logs = {run.name: run.folder / "logs" for run in runs}
    losses = history.read_runs(logs, history.LOSSES)
    curves = {name: losses[name] for name in losses if name not in ("epoch", "step")}
    figures.plot_runs(curves, folder / "losses.png", "step", _SMOOTHING)
    scores = history.read_runs(logs, history.EPOCHS)
    # A horizontal line: what the gray pictures themselves score.
    shown = {name: scores[name] | {"gray": scores[f"{name}_gray"][runs[-1].name]} for name in ("psnr", "ssim")}
    figures.plot_runs(shown | {"colorfulness": scores["colorfulness"]}, folder / "scores.png", "epoch")


def settings_table(runs: Sequence[Run]) -> str:
    """The settings of all runs side by side, and the seconds of each step, as a table of Markdown."""
    hidden = {name.upper() for name in OWN}
    described = [dict(settings.describe(run.settings, settings.TRAIN)) for run in runs]
    names = dict.fromkeys(name for values in reversed(described) for name in values if name not in hidden)
    rows = [[name, *(_value(values[name]) if name in values else "" for values in described)] for name in names]
    for step in ("training", "colorizing"):
        rows.append([f"seconds of {step}", *(str(read_record(run)[f"{step}_seconds"]) for run in runs)])
    header = ["", *(run.name for run in runs)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows])


def _value(value: Any) -> str:
    return "none" if value is None else str(value)
