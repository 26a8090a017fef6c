"""The shipped model: its data set, its training, its file, its figures on pictures that it has not seen.

docs/model_card.md says what came of it; Util/default_model.py is the command line. `train` makes the model from which
the shipped one was trained on.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from historynet import backend, errors, files, streams
from historynet.colorizing import choosing
from historynet.comparing import rendering, tables
from historynet.comparing.comparison import COLORFULNESS, PSNR
from historynet.comparing.methods import Experiment
from historynet.comparing.metrics import CONVENTIONS
from historynet.comparing.perceptual import Lpips
from historynet.errors import InputError
from historynet.experiments.pool import building, gathering, listing, sources
from historynet.experiments.processes import run_script
from historynet.pictures import color, figures, images
from historynet.training import history
from historynet.weights import run_files

if TYPE_CHECKING:
    from historynet.colorizing.colorizer import Colorizer

TEST_SETS = {"test_ccp": "CCP, held out", "test_fsa": "FSA, held out"}
"""Folders of the data set, and what they hold."""

RUNS = ("compact", "compact_critic")
"""Settings, in SOURCE_HistoryNet: towards the pictures' colours; then towards D1's judgement, too."""

LARGEST = 32_000_000
"""Bytes of the shipped file, at most."""


def prepare(
    folders: Mapping[str, Path], pool: Sequence[Path], cache: Path, out: Path, unclear: bool, copy: bool
) -> int:
    """Makes a data set in MHMD's layout of which CCP's test pictures and every tenth photograph of FSA are held out.

    Training evaluates on `validation`, a part that is set aside of what is left; `test_ccp` and `test_fsa` hold the
    held-out pictures. What was fetched stays; a data set is there as a whole or not at all, and the same for the same
    sources.

    Args:
        folders: of the pictures that are given: "ccp" in MHMD's layout (dataset_train with sign.txt, dataset_second,
            and the parsing pictures of the first), "ccpmore" and "fsa" without labels and parsing.
        pool: local copies of the public sets, archives or folders; empty: they are fetched.
        cache: folder of the fetched repositories.
        out: folder to make.
        unclear: whether public sets without a stated licence are used.
        copy: whether given pictures are copied; else they are linked.

    Returns:
        SKIPPED if pictures could not be read, else DONE.

    Raises:
        InputError: if a folder or the labels are missing, a repository cannot be fetched, `out` exists, or two given
            pictures have one name.
    """
    if out.exists():
        raise InputError(f"{out}: is there already; remove it, or name another folder with --out")
    training = folders["ccp"] / "dataset_train"
    fsa = gathering.of_folder(sources.FSA, folders["fsa"])
    held_out = {
        "test_ccp": _pictures(folders["ccp"] / "dataset_second"),
        "test_fsa": [picture.path for picture in fsa[9::10]],
    }
    given = [
        *gathering.of_folder(sources.CCP, training),
        *gathering.of_folder(sources.CCP_MORE, folders["ccpmore"]),
        *(picture for picture in fsa if picture.path not in held_out["test_fsa"]),
    ]

    # No given picture may be in both halves; the labels must be there.
    names = {}
    for path in (*(picture.path for picture in given), *(path for paths in held_out.values() for path in paths)):
        if path.stem in names:
            raise InputError(f"{path}: has the same name as {names[path.stem]}; a held-out picture could be trained on")
        names[path.stem] = path
    labels = training / "sign.txt"
    if not labels.is_file():
        raise InputError(f"{labels}: no such file; it holds the labels of the pictures beside it")

    # Fetched and looked at; written only now that all of it is right.
    if pool:
        public = gathering.of_copies(pool, unclear)
    else:
        public = gathering.of_repositories(cache, unclear, lambda line: print(line, flush=True))
    chosen, counts = building.select([*given, *public], held_out)
    building.write(out, chosen, counts, held_out, training, copy)
    for name, what, number in listing.rows(counts):
        print(f"{name}: {what} {number}")
    print(f"{out}: " + ", ".join(f"{what} {len(ones)}" for what, ones in chosen.items()))
    return errors.SKIPPED if any(what == building.UNREADABLE for _, what in counts) else errors.DONE


def _pictures(folder: Path) -> list[Path]:
    return [folder / name for name in images.list_pictures(folder)]


def train(root: Path, start: str, data: Path, models: Path) -> int:
    """Runs the trainer for each of RUNS, the second from what the first has trained.

    Args:
        root: the project's folder.
        start: the generator that the first begins with, as the trainer's --init-generator takes it.
        data: the data set that `prepare` made.
        models: folder for the runs' folders of models.

    Returns:
        The exit code of the run that failed; DONE if none did.
    """
    for name in RUNS:
        config = root / f"SOURCE_HistoryNet/{name}.json"
        command = [root / "SOURCE_HistoryNet/HistoryNet.py", "--config", config, "--init-generator", start]
        command += ["--train-data", data / "dataset_train", "--test-data", data / building.VALIDATION]
        command += ["--sample-weights", data / listing.WEIGHTS, "--model-dir", models / name]
        code = run_script(*command)
        if code:
            return code
        last = files.read_json(config, dict, "not the settings of a run")["num_epochs"] - 1
        start = run_files.model_path(models / name, "colorization", last)
    return errors.DONE


def export(model: Path, out: Path | None, strength: Sequence[float]) -> None:
    """Stores a trained generator as it is shipped, with kernels in float16.

    Args:
        model: the generator's file.
        out: the new file; None: where the shipped model belongs.
        strength: two factors on the distances of a and of b from gray, as far as the sigmoid behind the last layer is
            straight. What a network learns by a distance of colours is paler than the pictures are.

    Raises:
        InputError: if it is no generator of HistoryNet, or too large.
    """
    backend.start("cpu")
    from historynet.systems import loading
    from historynet.systems.historynet.registration import GENERATOR, NAME

    generator, architecture = loading.load(model, NAME, GENERATOR, "HistoryNet")
    if 2 * generator.count_params() > LARGEST:
        raise InputError(f"{model}: {generator.count_params():,} parameters are more than {LARGEST:,} bytes hold")
    strength, neutral = np.array(strength), np.log(128 / 127)  # whose sigmoid is 128/255, gray
    last = generator.get_layer("ab_half")
    kernel, bias = last.get_weights()
    last.set_weights([strength * kernel, neutral + strength * (bias - neutral)])
    out = out or choosing.SHIPPED
    loading.save(generator, NAME, architecture, out, half=True)
    print(f"{out}: {generator.count_params():,} parameters, {out.stat().st_size:,} bytes")


def evaluate(model: Path | None, data: Path, out: Path, lpips: Lpips | None) -> None:
    """Colorizes the held-out pictures, writes and prints a table for each set of them, and a page of pictures.

    Args:
        model: the generator's file; None: the shipped model.
        data: the data set that `prepare` made.
        out: folder for the results.
        lpips: measures LPIPS; None leaves the column out.

    Raises:
        InputError: if there is no such model or data set.
    """
    print(backend.start("0"), flush=True)
    from historynet.colorizing.colorizer import Colorizer

    colorizer = Colorizer(model or choosing.SHIPPED)
    for name, title in TEST_SETS.items():
        methods = _colorize(colorizer, _pictures(data / name), out / name, title)
        table = tables.measure(
            Experiment(title, {}, ()), data / name, methods, CONVENTIONS["exact"], lpips, colorfulness=True
        )
        rendering.write(table, out, name)
        ours, without = table.rows["HistoryNet"], table.rows["gray"]
        pages = [out / f"{name}_pictures.png"]
        rendering.draw_pictures(data / name, {"HistoryNet": methods["HistoryNet"]}, pages, rows=12)
        share = ours.mean(COLORFULNESS) / table.original_colorfulness
        print(
            f"\n{rendering.as_text(table)}\n{ours.mean(PSNR) - without.mean(PSNR):+.2f} dB over gray, "
            f"{share:.0%} of the originals' colourfulness",
            flush=True,
        )


def _colorize(colorizer: "Colorizer", originals: Sequence[Path], out: Path, title: str) -> dict[str, Path]:
    """Writes the gray versions of pictures, and these colorized; the folders by method."""
    from historynet.colorizing.folder import colorize_files
    from historynet.colorizing.options import Options

    methods = {method: out / method for method in ("gray", "HistoryNet")}
    # PNG: what JPEG loses is not the model's.
    gray, colorized = ([folder / f"{path.stem}.png" for path in originals] for folder in methods.values())
    for original, result in zip(originals, gray, strict=True):
        images.write_rgb(result, color.to_gray(images.read_rgb(original)))
    with streams.Progress(len(originals), "picture", title) as bar:
        # The network is what is measured, on the borders of scans as well, whose paper has a tint.
        everywhere = Options(borders=False)
        colorize_files(colorizer, gray, colorized, batch_size=16, progress=bar.update, options=everywhere)
    return methods


def curves(results: Path, out: Path) -> None:
    """Draws the losses over the steps and the scores over the epochs, one run after the other.

    Args:
        results: the folder with a folder for each of RUNS.
        out: folder for losses.png and scores.png.

    Raises:
        InputError: if a run has left no tables.
    """
    logs = {name: results / name / "logs" for name in RUNS}
    losses, scores = (_one_after_the_other(history.read_runs(logs, table)) for table in history.KEYS)
    # Each run has a colour loss of its own, up to thousands of times another's.
    panels = {f"L_r of {run}": {run: values} for run, values in losses["L_r"].items()}
    panels |= {name: values for name, values in losses.items() if name not in ("epoch", "step", "L_r")}
    for column, beside, title in (("psnr", "psnr_gray", "gray"), ("colorfulness", "colorfulness_true", "originals")):
        lengths = [len(values) for values in scores[column].values()]
        scores[column][title] = [scores[beside][RUNS[-1]][-1]] * max(lengths)
    figures.plot_runs(panels, out / "losses.png", "step", smoothing=100)
    figures.plot_runs({name: scores[name] for name in ("psnr", "colorfulness")}, out / "scores.png", "epoch")
    print(f"written: {out / 'losses.png'}, {out / 'scores.png'}")


def _one_after_the_other(columns: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, dict[str, list[float]]]:
    """Each run's columns, after a NaN for each line of the runs before it."""
    # All runs have the first column, whose lines are counted.
    begin, begins = 0, {}
    for run, values in next(iter(columns.values())).items():
        begins[run] = begin
        begin += len(values)
    return {
        column: {run: [math.nan] * begins[run] + list(values) for run, values in runs.items()}
        for column, runs in columns.items()
    }
