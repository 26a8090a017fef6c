"""The paper's ablation (section 5.3): four variants trained alike, one test set colorized by each, one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from historynet import files, settings
from historynet.comparing import rendering, tables
from historynet.comparing.methods import EXPERIMENTS, ORIGINALS
from historynet.comparing.metrics import Convention
from historynet.comparing.perceptual import Lpips
from historynet.experiments import trainings
from historynet.experiments.trainings import Run
from historynet.systems.historynet.settings import HistoryNetSettings

TRAINERS = {
    "Baseline": "Baseline/Baseline.py",
    "Baseline+Classifier": "SOURCE_Classifier/HistoryNet_Classifier.py",
    "Baseline+Parsing": "SOURCE_Parsing/HistoryNet_Parsing.py",
    "HistoryNet": "SOURCE_HistoryNet/HistoryNet.py",
}
"""By name in the table, in its order."""


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
    return trainings.write_settings(planned[::-1], "an ablation")


def _plan_variant(name: str, trainer: Path, out: Path, options: Sequence[str]) -> tuple[Run, dict[str, Any]]:
    """A variant's run, and its settings as they are to be written."""
    config = trainer.with_name("config.py")
    parser = settings.make_parser(f"Trains {name}.", settings.TRAIN, config, HistoryNetSettings)
    arguments = parser.parse_args(options) if name == "HistoryNet" else parser.parse_known_args(options)[0]
    trainings.refuse_own(arguments, "four variants")
    return trainings.prepare(
        name, trainer, out / trainer.stem, *settings.resolve(arguments, config, HistoryNetSettings)
    )


def find_results(out: Path) -> dict[str, Path]:
    """Folders of results by variant, and that of the test pictures by ORIGINALS, in an ablation's folder.

    Empty for any other folder, and without what is not there any more.

    Raises:
        InputError: if a settings file in it is damaged.
    """
    found = {}
    for name, trainer in TRAINERS.items():
        folder = out / Path(trainer).stem
        if (folder / trainings.SETTINGS).is_file() and (folder / trainings.COLORIZED).is_dir():
            test_dir = files.read_json(folder / trainings.SETTINGS, dict, "damaged").get("test_dir")
            found[name] = folder / trainings.COLORIZED
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
    results = {run.name: run.colorized for run in runs}
    table = tables.measure(EXPERIMENTS["ablation"], test_data, results, convention, lpips, colorfulness=True)
    rendering.write(table, folder, "table")
    trainings.draw_curves(runs, folder)
    rendering.draw_pictures(test_data, results, [folder / "pictures.png", folder / "pictures.pdf"], rows)
    files.write_text(folder / "report.md", _describe(runs, table))
    return table


def _describe(runs: Sequence[Run], table: tables.Table) -> str:
    """The page of the report, in Markdown."""
    return f"""# Ablation

Four variants, each trained once with the same data, seed and steps; all test pictures colorized by the networks of the
last epoch.

{rendering.as_markdown(table)}

![Means with their standard errors, and the published values](table.png)

![Test pictures](pictures.png)

![Losses of training, moving means](losses.png)

![Scores of the sample of test pictures that is colorized after each epoch](scores.png)

## Settings

{trainings.settings_table(runs)}
"""
