"""The eight experiments of the Pix2Pix report (section 4.3): Table 4.1 trained, Table 4.2 measured, Fig. 4.4 drawn."""

import csv
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from historynet import errors, files, settings
from historynet.comparing import rendering, tables
from historynet.comparing.comparison import PSNR, SSIM, Comparison
from historynet.comparing.methods import Experiment
from historynet.comparing.metrics import Convention
from historynet.data.samples import steps_per_epoch
from historynet.errors import InputError
from historynet.experiments import trainings
from historynet.experiments.processes import run_script
from historynet.experiments.trainings import Run
from historynet.pictures import color, images
from historynet.systems.pix2pix.settings import Pix2PixSettings
from historynet.training.tensorboard_log import read_times

TRAINER = "SOURCE_Pix2Pix/Pix2Pix.py"

GRAY = "gray"
"""The name of what the gray pictures themselves score."""

_MEASURED_STEPS = 21
"""Steps of a measurement: TensorBoard's files have the times of steps 10 and 20, when all is compiled."""


@dataclass(frozen=True)
class Published:
    """A row of the report's Table 4.2: means and deviations as printed there, and their ranks."""

    psnr: str
    psnr_rank: int
    ssim: str
    ssim_rank: int


PUBLISHED = {
    1: Published("20.668 ± 2.275", 4, "0.8520 ± 0.0602", 4),
    2: Published("20.903 ± 2.512", 2, "0.8557 ± 0.0580", 3),
    3: Published("16.675 ± 1.586", 8, "0.6794 ± 0.0644", 8),
    4: Published("20.419 ± 2.238", 5, "0.8476 ± 0.0618", 5),
    5: Published("20.307 ± 2.082", 6, "0.8613 ± 0.0577", 2),
    6: Published("20.830 ± 2.366", 3, "0.8385 ± 0.0585", 6),
    7: Published("19.447 ± 2.805", 7, "0.7381 ± 0.1077", 7),
    8: Published("22.169 ± 3.96", 1, "0.8629 ± 0.1186", 1),
}
"""By the number of the experiment."""

CLAIMS = (
    "The report's text and Fig. 4.4 call experiment 5 the one with the best SSIM, and the most plausible to the eye; "
    "by its Table 4.2 experiment 8 is best in both."
)


def plan(root: Path, out: Path, numbers: Sequence[int], options: Sequence[str]) -> dict[int, Run]:
    """The runs of the chosen experiments by number, each with its settings file.

    Args:
        root: the project's folder.
        out: the experiments' folder; a folder for each is made in it.
        numbers: of PUBLISHED.
        options: of Pix2Pix' trainer, the same for all.

    Raises:
        InputError: if an option is wrong or cannot be the same for all, or an experiment was trained in `out` with
            other settings.
    """
    trainer = root / TRAINER
    config = trainer.with_name("config.py")
    parser = settings.make_parser("Trains Pix2Pix.", settings.TRAIN, config, Pix2PixSettings)
    arguments = parser.parse_args(options)
    trainings.refuse_own(arguments, "the experiments")
    for own in ("attention", "gan_loss"):
        if getattr(arguments, own, None) is not None:
            raise InputError(f"--{own.replace('_', '-')}: the experiments differ by it; leave it out")
    planned = []
    for number in numbers:
        preset = str(trainer.with_name(f"expt{number}.json"))
        resolved = settings.resolve(parser.parse_args(["--config", preset, *options]), config, Pix2PixSettings)
        planned.append(trainings.prepare(f"expt{number}", trainer, out / f"expt{number}", *resolved))
    return dict(zip(numbers, trainings.write_settings(planned, "an experiment"), strict=True))


def measure_plan(runs: Mapping[int, Run], out: Path) -> str:
    """Measures an update of the experiment with the least attention and of that with the most; says how long all takes.

    What was measured is kept in the folder: an experiment that is continued does not wait for it again.

    Raises:
        InputError: if a training of some steps fails; it has said why.
    """
    sizes = {number: run.settings.attention or 0 for number, run in runs.items()}
    updates = {number: _updates(run) for number, run in runs.items()}
    left = [number for number, run in runs.items() if "training" not in trainings.read_record(run)]
    kept = out / "seconds.json"
    seconds = files.read_json(kept, dict, "damaged; remove it to measure again") if kept.exists() else {}
    for number in dict.fromkeys([min(sizes, key=sizes.get), max(sizes, key=sizes.get)]) if left else ():
        if str(number) not in seconds:
            print(f"{runs[number].name}: measuring an update", flush=True)
            if measured := _seconds_an_update(runs[number]):
                seconds[str(number)] = measured
                files.write_json(kept, seconds)
    lines = [f"experiment {number}: {each:.2f} seconds an update" for number, each in seconds.items()]
    # The size of attention decides: one between two that were measured takes at most as long as the next larger.
    known = {sizes[int(number)]: each for number, each in seconds.items() if int(number) in sizes}
    if left and known:
        total = sum(
            updates[number] * min((each for size, each in known.items() if size >= sizes[number]), default=0)
            for number in left
        )
        lines.append(f"{len(left)} to train, {updates[left[0]]} updates each: {total / 3600:.1f} hours at most")
    return "\n".join(lines)


def _updates(run: Run) -> int:
    """Of a whole training."""
    return run.settings.num_epochs * steps_per_epoch(run.settings, images.list_pictures(run.settings.train_data))


def _seconds_an_update(run: Run) -> float | None:
    """Measured by a training of some steps that is thrown away; None if there are too few pictures for it."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, "logs")
        paths = ["--model-dir", Path(folder, "models"), "--out-dir", Path(folder, "out"), "--log-dir", logs]
        few = ["--num-epochs", 1, "--steps-per-epoch", _MEASURED_STEPS, "--num-test-images", 1]
        code = run_script(run.trainer, "--config", run.settings_file, *paths, *few)
        if code not in (errors.DONE, errors.SKIPPED):
            raise InputError(f"{run.name}: an update could not be measured: its training ended with exit code {code}")
        times = read_times(logs)
    return (times[20] - times[10]) / 10 if 20 in times else None


def report(runs: Mapping[int, Run], folder: Path, convention: Convention, rows: int) -> str:
    """Writes Table 4.2, the curves, Fig. 4.4 and report.md into a folder.

    Args:
        runs: of `plan`, all trained and colorized.
        folder: for the report, made if need be.
        convention: how PSNR and SSIM are computed (R33, R34).
        rows: test pictures in the figure.

    Returns:
        The table, as text.

    Raises:
        InputError: if results are missing or nothing can be written.
    """
    test_data = next(iter(runs.values())).settings.test_data
    results = {run.name: run.colorized for run in runs.values()}
    experiment = Experiment("Table 4.2", {}, ())
    measured = tables.measure(experiment, test_data, results | {GRAY: _write_gray(test_data, folder)}, convention)
    if missing := results.keys() - measured.rows.keys():
        raise InputError(f"{', '.join(sorted(missing))}: nothing to compare: {'; '.join(measured.left_out)}")
    lines = table_lines(runs, measured.rows)
    protocol = f"Mean ± sample deviation over {len(measured.rows[GRAY].scores)} pictures; {convention}."
    files.write_text(folder / "table.csv", _as_csv(lines))
    trainings.draw_curves(list(runs.values()), folder)
    columns = (rendering.GRAY, rendering.ORIGINAL, rendering.RESULTS)
    rendering.draw_pictures(test_data, results, [folder / "pictures.png"], rows, columns=columns)
    files.write_text(folder / "report.md", _describe(list(runs.values()), lines, protocol))
    return f"{rendering.text_of(lines)}\n\n{protocol}\n{CLAIMS}"


def table_lines(runs: Mapping[int, Run], measured: Mapping[str, Comparison]) -> list[list[str]]:
    """Table 4.2, a line of headers first: measured and published values with their ranks; last what gray scores."""
    psnr = {number: measured[run.name].mean(PSNR) for number, run in runs.items()}
    ssim = {number: measured[run.name].mean(SSIM) for number, run in runs.items()}
    lines = [["Experiment", "Attention", "Loss", "PSNR", "Rank", "SSIM", "Rank"]]
    lines[0] += ["PSNR published", "Rank", "SSIM published", "Rank"]
    for number, run in runs.items():
        row, size, said = measured[run.name], run.settings.attention, PUBLISHED[number]
        what = [str(number), f"{size}x{size}" if size else "-", run.settings.gan_loss.replace("_", " ")]
        ours = [_with_deviation(row, PSNR, 3), _rank(psnr, number), _with_deviation(row, SSIM, 4), _rank(ssim, number)]
        lines.append([*what, *ours, said.psnr, str(said.psnr_rank), said.ssim, str(said.ssim_rank)])
    gray = measured[GRAY]
    scores = [_with_deviation(gray, PSNR, 3), "", _with_deviation(gray, SSIM, 4)]
    lines.append([GRAY, "", "", *scores, *[""] * 5])
    return lines


def _with_deviation(row: Comparison, metric: str, decimals: int) -> str:
    return f"{row.mean(metric):.{decimals}f} ± {row.deviation(metric):.{decimals}f}"


def _rank(means: Mapping[int, float], number: int) -> str:
    return str(1 + sum(mean > means[number] for mean in means.values()))


def _write_gray(test_data: Path, folder: Path) -> Path:
    """The test pictures without their colours, in a folder of their own."""
    gray = folder / GRAY
    for name in images.list_pictures(test_data):
        path = gray / f"{name}_reconstructed.png"
        if not path.exists():
            images.write_rgb(path, np.ascontiguousarray(color.to_gray(images.read_rgb(test_data / name))))
    return gray


def _as_csv(lines: Sequence[Sequence[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue()


def _describe(runs: Sequence[Run], lines: Sequence[Sequence[str]], protocol: str) -> str:
    """The page of the report, in Markdown."""
    return f"""# The experiments of Table 4.1

Each trained once with the same data, seed and updates; all test pictures colorized by the networks of the last epoch.

{rendering.markdown_of(lines)}

{protocol} {CLAIMS} "gray" is what the pictures without any colour score: a network can lie below and still be the
better picture.

![Gray pictures, originals, and each experiment's results](pictures.png)

![Losses of training, moving means](losses.png)

![Scores of the sample of test pictures that is colorized after each epoch](scores.png)

## Settings

{trainings.settings_table(runs)}
"""
