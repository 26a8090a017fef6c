"""The paper's ablation (section 5.3): four variants trained alike, one test set colorized by each, one table.

A variant's trainer and colorizer run as processes of their own, as users run them, with one settings file for both.
What is done is recorded, so that a stopped run goes on where it was; the trainers themselves continue from their
checkpoints.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet import errors, files, settings
from historynet.comparing import tables
from historynet.comparing.metrics import Convention
from historynet.comparing.perceptual import Lpips
from historynet.errors import InputError
from historynet.pictures import figures
from historynet.settings import Settings
from historynet.training import history

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


@dataclass(frozen=True)
class Run:
    """One variant of an ablation.

    Attributes:
        name: in the table.
        trainer: its script; colorization.py stands beside it.
        folder: of all its files.
        settings: checked.
    """

    name: str
    trainer: Path
    folder: Path
    settings: Settings

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.json"

    @property
    def record_file(self) -> Path:
        return self.folder / "record.json"


def plan(root: Path, out: Path, options: Sequence[str]) -> list[Run]:
    """The four runs of the trainers' options, each with its settings file.

    Args:
        root: the project's folder.
        out: the ablation's folder; a folder for each variant is made in it.
        options: of HistoryNet's trainer; a variant without a part goes without the part's options.

    Raises:
        InputError: if an option is wrong or can't be the same for all, or `out` holds a run of other settings.
    """
    runs = []
    for name in reversed(TRAINERS):  # HistoryNet first: it has all options, so its complaints are right
        trainer = root / TRAINERS[name]
        config = trainer.with_name("config.py")
        parser = settings.make_parser(f"Trains {name}.", settings.TRAIN, config)
        arguments = parser.parse_args(options) if name == "HistoryNet" else parser.parse_known_args(options)[0]
        for own in _OWN:
            if getattr(arguments, own, None) is not None:
                raise InputError(f"--{own.replace('_', '-')}: can't be the same for four variants; leave it out")
        chosen, written = settings.resolve(arguments, config)
        folder = out / trainer.stem
        written |= {
            "test_name": trainer.stem,
            "model_dir": str(folder / "models"),
            "out_dir": str(folder / "training"),
            "log_dir": str(folder / "logs"),
            "pretrained": str(folder / f"models/my_model_colorizationEpoch{chosen.num_epochs - 1}.keras"),
            "test_dir": str(chosen.test_data),
            "result_dir": str(folder / "colorized"),
        }
        run = Run(name, trainer, folder, chosen)
        _save_settings(run, written)
        runs.append(run)
    return runs[::-1]


def _save_settings(run: Run, written: Mapping[str, Any]) -> None:
    text = json.dumps(written, indent=2) + "\n"
    if run.settings_file.exists() and run.settings_file.read_text(encoding="utf-8") != text:
        raise InputError(
            f"{run.settings_file}: an ablation with other settings; give the same options to continue it, or name "
            "another folder with --out"
        )
    files.write_atomically(run.settings_file, lambda path: path.write_text(text, encoding="utf-8"))


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
        code = _call([sys.executable, script, "--config", run.settings_file, *options])
        seconds = f"{step}_seconds"
        record[seconds] = record.get(seconds, 0) + round(time.monotonic() - start)
        if code in (errors.DONE, errors.SKIPPED):
            record[step] = code
        files.write_atomically(
            run.record_file, lambda path: path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        )
        if record.get(step) is None:
            print(
                f"{run.name}: {step} ended with exit code {code}; the same command continues from here", file=sys.stderr
            )
            return code
    return max(record["training"], record["colorizing"])


def _read_record(run: Run) -> dict[str, Any]:
    try:
        return json.loads(run.record_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise InputError(f"{run.record_file}: damaged; remove it to start {run.name} again") from None


def _call(command: Sequence[object]) -> int:
    """Runs a process to its end, also when we are told to stop: it saves then, and its exit code says so."""
    process = subprocess.Popen(list(map(str, command)))
    # A terminal interrupts both of us; other signals come to us alone.
    handlers = {
        signal.SIGINT: signal.SIG_IGN,
        signal.SIGTERM: lambda number, frame: process.send_signal(number),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def report(runs: Sequence[Run], folder: Path, convention: Convention, lpips: Lpips | None, rows: int) -> tables.Table:
    """Writes Table 2, loss curves, test scores, a picture grid and report.md with the settings into a folder.

    Raises:
        InputError: if results are missing or nothing can be written.
    """
    test_data = runs[0].settings.test_data
    results = {run.name: run.folder / "colorized" for run in runs}
    table = tables.measure(tables.EXPERIMENTS["ablation"], test_data, results, convention, lpips, colorfulness=True)
    tables.write(table, folder, "table")
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
    tables.draw_pictures(test_data, results, [folder / "pictures.png", folder / "pictures.pdf"], rows)
    text = _describe(runs, table)
    files.write_atomically(folder / "report.md", lambda path: path.write_text(text, encoding="utf-8"))
    return table


def _describe(runs: Sequence[Run], table: tables.Table) -> str:
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

{table.markdown()}

![Means with their standard errors, and the published values](table.png)

![Test pictures](pictures.png)

![Losses of training, moving means](losses.png)

![Scores of the sample of test pictures that is looked at after each epoch](scores.png)

## Settings

| | {" | ".join(run.name for run in runs)} |
|---|{"---|" * len(runs)}
{chr(10).join(rows)}
"""


def _value(value: Any) -> str:
    return "none" if value is None else str(value)
