"""The paper's ablation (section 5.3): four variants trained alike, one test set colorized by each, one table.

A variant's trainer and colorizer run as processes of their own, as users run them, with one settings file for both.
What is done is recorded, so that a stopped run goes on where it was; the trainers themselves continue from their
checkpoints.
"""

import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet import errors, files, settings
from historynet.comparing import rendering, tables
from historynet.comparing.methods import EXPERIMENTS, ORIGINALS
from historynet.comparing.metrics import Convention
from historynet.comparing.perceptual import Lpips
from historynet.errors import InputError
from historynet.experiments.processes import run_script
from historynet.pictures import figures
from historynet.settings import Settings
from historynet.settings.declared import REQUIRED
from historynet.systems.historynet.settings import HistoryNetSettings
from historynet.training import history
from historynet.training.checkpoints import Checkpoints
from historynet.weights import run_files

TRAINERS = {
    "Baseline": "Baseline/Baseline.py",
    "Baseline+Classifier": "SOURCE_Classifier/HistoryNet_Classifier.py",
    "Baseline+Parsing": "SOURCE_Parsing/HistoryNet_Parsing.py",
    "HistoryNet": "SOURCE_HistoryNet/HistoryNet.py",
}
"""By name in the table, in its order."""

_OWN = (
    "config",
    "test_name",
    "model_dir",
    "out_dir",
    "log_dir",
    "init_generator",
    "init_discriminator",
    "init_classifier",
)
"""Options of the trainers that can't be the same for four variants."""

_SMOOTHING = 100

_SETTINGS, _COLORIZED = "settings.json", "colorized"
"""In a variant's folder: what it is trained with, and its results."""


@dataclass(frozen=True)
class Run:
    """One variant of an ablation.

    Attributes:
        name: the variant's name in the table.
        trainer: the variant's training script; colorization.py stands beside it.
        folder: holds all files of the run.
        settings: what the variant is trained with, checked.
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
        return self.folder / _SETTINGS

    @property
    def record_file(self) -> Path:
        return self.folder / "record.json"


def plan(root: Path, out: Path, options: Sequence[str]) -> list[Run]:
    """The four runs of the trainers' options, each with its settings file.

    Nothing is written before the settings of all four are found right, together and beside what was trained before.

    Args:
        root: the project's folder.
        out: the ablation's folder; a folder for each variant is made in it.
        options: of HistoryNet's trainer; a variant without a part goes without the part's options.

    Raises:
        InputError: if an option is wrong or can't be the same for all, or a variant was trained in `out` with other
            settings.
    """
    # HistoryNet first: it has all options, so its complaints are right.
    planned = [_plan_variant(name, root / TRAINERS[name], out, options) for name in reversed(TRAINERS)]
    for run, written in planned:
        _check_earlier_settings(run, written)
    for run, written in planned:
        files.write_json(run.settings_file, written)
    return [run for run, _ in reversed(planned)]


def _plan_variant(name: str, trainer: Path, out: Path, options: Sequence[str]) -> tuple[Run, dict[str, Any]]:
    """A variant's run, and its settings as they are to be written."""
    config = trainer.with_name("config.py")
    parser = settings.make_parser(f"Trains {name}.", settings.TRAIN, config, HistoryNetSettings)
    arguments = parser.parse_args(options) if name == "HistoryNet" else parser.parse_known_args(options)[0]
    for own in _OWN:
        if getattr(arguments, own, None) is not None:
            raise InputError(f"--{own.replace('_', '-')}: can't be the same for four variants; leave it out")
    resolved, written = settings.resolve(arguments, config, HistoryNetSettings)
    run = Run(name, trainer, out / trainer.stem, resolved)
    written |= {
        "test_name": trainer.stem,
        "model_dir": str(run.model_dir),
        "out_dir": str(run.folder / "training"),
        "log_dir": str(run.folder / "logs"),
        "pretrained": str(run_files.model_path(run.model_dir, "colorization", resolved.num_epochs - 1)),
        "test_dir": str(resolved.test_data),
        "result_dir": str(run.folder / _COLORIZED),
    }
    return run, written


def _check_earlier_settings(run: Run, written: Mapping[str, Any]) -> None:
    """Refuses to continue what was trained with other settings. A start that trained nothing is in nobody's way."""
    if not run.settings_file.exists() or not _has_trained(run):
        return
    # An earlier version did not have all of the settings, and did what their values since then say.
    before = files.read_json(run.settings_file, dict, "damaged; name another folder with --out")
    since = {field.name: field.metadata["since"] for field in dataclasses.fields(HistoryNetSettings)}
    since = {name: value for name, value in since.items() if value is not REQUIRED and name in written}
    if since | before != written:
        raise InputError(
            f"{run.settings_file}: an ablation with other settings; give the same options to continue it, or name "
            "another folder with --out"
        )


def _has_trained(run: Run) -> bool:
    """Whether there is anything that the run's trainer would continue from, or has finished."""
    saved = Checkpoints(run.model_dir / run_files.CHECKPOINTS, run.settings.keep_checkpoints)
    return bool(saved.paths() or run_files.list_models(run.model_dir)) or "training" in _read_record(run)


def execute(run: Run) -> int:
    """Trains and colorizes what is not done yet; the exit code of what failed, or DONE or SKIPPED."""
    record = _read_record(run)
    steps = {"training": (run.trainer, []), "colorizing": (run.trainer.with_name("colorization.py"), ["--overwrite"])}
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


def _read_record(run: Run) -> dict[str, Any]:
    """What was done of a run: the exit code of each finished step, and the seconds of each step."""
    if not run.record_file.exists():
        return {}
    return files.read_json(run.record_file, dict, f"damaged; remove it to start {run.name} again")


def find_results(out: Path) -> dict[str, Path]:
    """Folders of results by variant, and that of the test pictures by ORIGINALS, in an ablation's folder.

    Empty for any other folder, and without what is not there any more.

    Raises:
        InputError: if a settings file in it is damaged.
    """
    found = {}
    for name, trainer in TRAINERS.items():
        folder = out / Path(trainer).stem
        if (folder / _SETTINGS).is_file() and (folder / _COLORIZED).is_dir():
            test_dir = files.read_json(folder / _SETTINGS, dict, "damaged").get("test_dir")
            found[name] = folder / _COLORIZED
            if isinstance(test_dir, str) and Path(test_dir).is_dir():
                found[ORIGINALS] = Path(test_dir)
    return found


def report(runs: Sequence[Run], folder: Path, convention: Convention, lpips: Lpips | None, rows: int) -> tables.Table:
    """Writes the paper's Table 3 (the companion's Table 2), curves, a picture grid and report.md into a folder.

    Args:
        runs: of `plan`, all trained and colorized.
        folder: for the report, made if need be.
        convention: how PSNR and SSIM are computed.
        lpips: measures LPIPS; None leaves the column out.
        rows: number of test pictures in the grid.

    Returns:
        The measured table.

    Raises:
        InputError: if results are missing or nothing can be written.
    """
    test_data = runs[0].settings.test_data
    results = {run.name: run.folder / _COLORIZED for run in runs}
    table = tables.measure(EXPERIMENTS["ablation"], test_data, results, convention, lpips, colorfulness=True)
    rendering.write(table, folder, "table")
    logs = {run.name: run.folder / "logs" for run in runs}
    losses = history.read_runs(logs, history.LOSSES)
    figures.plot_runs(
        {name: losses[name] for name in losses if name not in ("epoch", "step")},
        folder / "losses.png",
        "step",
        _SMOOTHING,
    )
    scores = history.read_runs(logs, history.EPOCHS)
    # A horizontal line: what the gray pictures themselves score.
    shown = {name: scores[name] | {"gray": scores[f"{name}_gray"][runs[-1].name]} for name in ("psnr", "ssim")}
    figures.plot_runs(shown | {"colorfulness": scores["colorfulness"]}, folder / "scores.png", "epoch")
    rendering.draw_pictures(test_data, results, [folder / "pictures.png", folder / "pictures.pdf"], rows)
    files.write_text(folder / "report.md", _describe(runs, table))
    return table


def _describe(runs: Sequence[Run], table: tables.Table) -> str:
    """The page of the report, in Markdown."""
    hidden = {name.upper() for name in _OWN}
    described = [dict(settings.describe(run.settings, settings.TRAIN)) for run in runs]
    names = [name for name in described[-1] if name not in hidden]
    rows = []
    for name in names:
        values = [_value(values[name]) if name in values else "" for values in described]
        rows.append(f"| {name} | " + " | ".join(values) + " |")
    for step in ("training", "colorizing"):
        seconds = [str(_read_record(run)[f"{step}_seconds"]) for run in runs]
        rows.append(f"| seconds of {step} | " + " | ".join(seconds) + " |")
    return f"""# Ablation

Four variants, each trained once with the same data, seed and steps; all test pictures colorized by the networks of the
last epoch.

{rendering.as_markdown(table)}

![Means with their standard errors, and the published values](table.png)

![Test pictures](pictures.png)

![Losses of training, moving means](losses.png)

![Scores of the sample of test pictures that is colorized after each epoch](scores.png)

## Settings

| | {" | ".join(run.name for run in runs)} |
|---|{"---|" * len(runs)}
{chr(10).join(rows)}
"""


def _value(value: Any) -> str:
    return "none" if value is None else str(value)
