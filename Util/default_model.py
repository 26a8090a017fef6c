"""The shipped model: its data set, its file, its figures on pictures that it has not seen. See docs/model_card.md.

prepare   one data set from Clothing Co-Parsing (CCP) and colour photographs of 1939 to 1944 (FSA)
train     on it, in four runs that can be stopped and continued
export    a trained generator -> the file that is shipped
evaluate  the figures, beside those of gray pictures
curves    losses and scores of the four runs as pictures
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from historynet import backend, errors, files, settings
from historynet.commands import compare, running
from historynet.comparing.metrics import CONVENTIONS
from historynet.data.dataset import PARSING_SUFFIX, find_parsing
from historynet.errors import InputError
from historynet.pictures import color, figures, images
from historynet.training import history

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "DATASET/compact"
RESULT = ROOT / "RESULT/compact"
TEST_SETS = {"test_ccp": "CCP, held out", "test_fsa": "FSA, held out"}
"""Folders of the data set, and what they hold."""

RUNS = ("compact_start", "compact_large", "compact_whole", "compact")
"""Settings, in SOURCE_HistoryNet: VGG16 frozen; larger pictures; everything trained; towards PSNR."""

LARGEST = 32_000_000
"""Bytes of the shipped file, at most."""


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = settings.Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    actions = parser.add_subparsers(dest="action", required=True)
    making = actions.add_parser("prepare", help="make the data set")
    making.add_argument("--ccp", type=Path, required=True, metavar="DIR", help="CCP in MHMD's layout")
    making.add_argument("--ccp-more", type=Path, required=True, metavar="DIR", help="further photographs of CCP")
    making.add_argument("--fsa", type=Path, required=True, metavar="DIR", help="colour photographs of FSA")
    making.add_argument("--out", type=Path, default=DATA, metavar="DIR", help="folder to make (%(default)s)")
    making.add_argument("--copy", action="store_true", help="copy the pictures instead of linking them")
    training = actions.add_parser("train", help="train on it; the same command continues a training that was stopped")
    training.add_argument("--vgg16-weights", required=True, metavar="FILE.npz", help="VGG16's blocks 1 to 3")
    training.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="what prepare made (%(default)s)")
    training.add_argument("--models", type=Path, default=ROOT / "MODEL", metavar="DIR", help="(%(default)s)")
    exporting = actions.add_parser("export", help="make the file that is shipped")
    exporting.add_argument("model", type=Path, metavar="GENERATOR.keras", help="my_model_colorizationEpoch....keras")
    exporting.add_argument("--out", type=Path, metavar="FILE.keras", help="default: where the shipped model belongs")
    exporting.add_argument(
        "--strength",
        type=running.between(float, 0, 2),
        nargs=2,
        default=(1.0, 1.0),
        metavar=("A", "B"),
        help="factors on the predicted a and b (default: 1 1)",
    )
    measuring = actions.add_parser("evaluate", help="measure a model on the held-out pictures")
    measuring.add_argument("model", type=Path, nargs="?", metavar="GENERATOR.keras", help="default: the shipped model")
    measuring.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="what prepare made (%(default)s)")
    measuring.add_argument("--out", type=Path, default=RESULT, metavar="DIR", help="for the results (%(default)s)")
    drawing = actions.add_parser("curves", help="draw the losses and the scores of the runs")
    drawing.add_argument("--results", type=Path, default=ROOT / "RESULT", metavar="DIR", help="(%(default)s)")
    drawing.add_argument("--out", type=Path, default=RESULT, metavar="DIR", help="for the pictures (%(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.action == "prepare":
        prepare(arguments.ccp, arguments.ccp_more, arguments.fsa, arguments.out, arguments.copy)
    elif arguments.action == "train":
        return train(arguments.vgg16_weights, arguments.data, arguments.models)
    elif arguments.action == "export":
        export(arguments.model, arguments.out, arguments.strength)
    elif arguments.action == "curves":
        curves(arguments.results, arguments.out)
    else:
        evaluate(arguments.model, arguments.data, arguments.out)
    return errors.DONE


def prepare(ccp: Path, ccp_more: Path, fsa: Path, out: Path, copy: bool) -> None:
    """Makes a data set in MHMD's layout of which CCP's test pictures and every tenth photograph of FSA are held out.

    Training looks at `dataset_second`, which holds all that is held out; `test_ccp` and `test_fsa` hold it apart.

    Args:
        ccp: dataset_train with sign.txt, dataset_second, and their parsing pictures.
        ccp_more: photographs without labels and parsing.
        fsa: the same.
        out: folder to make.
        copy: whether pictures are copied; else they are linked.

    Raises:
        InputError: if a folder is missing, `out` exists, or two pictures have one name.
    """
    if out.exists():
        raise InputError(f"{out}: is there already; remove it, or name another folder with --out")
    train, test = ccp / "dataset_train", ccp / "dataset_second"
    fsa_pictures = _pictures(fsa)
    held_out = {"test_ccp": _pictures(test), "test_fsa": fsa_pictures[9::10]}
    unseen = [path for paths in held_out.values() for path in paths]
    kept = [path for path in fsa_pictures if path not in held_out["test_fsa"]]
    folders = {
        "dataset_train": [*_pictures(train), *_pictures(ccp_more), *kept],
        "dataset_train" + PARSING_SUFFIX: _parsing(train),
        "dataset_second": unseen,
        "dataset_second" + PARSING_SUFFIX: _parsing(test),
        **held_out,
    }
    names = {}
    for path in (*folders["dataset_train"], *unseen):
        if path.stem in names:
            raise InputError(f"{path}: has the same name as {names[path.stem]}; a held-out picture could be trained on")
        names[path.stem] = path
    for folder, paths in folders.items():
        files.make_folder(out / folder)
        for path in paths:
            (shutil.copyfile if copy else os.symlink)(path.resolve(), out / folder / path.name)
    shutil.copyfile(train / "sign.txt", out / "dataset_train/sign.txt")
    print(f"{out}: " + ", ".join(f"{folder} {len(paths)}" for folder, paths in folders.items()))


def _pictures(folder: Path) -> list[Path]:
    return [folder / name for name in images.list_pictures(folder)]


def _parsing(folder: Path) -> list[Path]:
    drawn = folder.with_name(folder.name + PARSING_SUFFIX)
    return [drawn / name for name in find_parsing(drawn, images.list_pictures(folder)) if name]


def train(vgg16_weights: str, data: Path, models: Path) -> int:
    """Runs the trainer for each of RUNS, the first from VGG16, the others from what the one before has trained.

    Returns:
        The exit code of the run that failed, if one did.
    """
    begin = ("--vgg16-weights", vgg16_weights)
    for name in RUNS:
        config = ROOT / f"SOURCE_HistoryNet/{name}.json"
        command = [sys.executable, ROOT / "SOURCE_HistoryNet/HistoryNet.py", "--config", config, *begin]
        command += ["--train-data", data / "dataset_train", "--test-data", data / "dataset_second"]
        command += ["--model-dir", models / name]
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
        last = json.loads(config.read_text())["num_epochs"] - 1
        begin = ("--init-generator", models / name / f"my_model_colorizationEpoch{last}.keras")
    return errors.DONE


def export(model: Path, out: Path | None, strength: Sequence[float]) -> None:
    """Stores a trained generator as it is shipped, with kernels in float16.

    Args:
        model: the generator's file.
        out: the new file; None: where the shipped model belongs.
        strength: factors on the distances of a and of b from gray, as far as the sigmoid behind the last layer is
            straight. What a network learns by a distance of colours is paler than the pictures are.

    Raises:
        InputError: if it is no generator of HistoryNet, or too large.
    """
    backend.start("cpu")
    from historynet.systems import loading as weights

    generator, architecture = weights.load(model, "generator", "HistoryNet")
    if 2 * generator.count_params() > LARGEST:
        raise InputError(f"{model}: {generator.count_params():,} parameters are more than {LARGEST:,} bytes hold")
    strength, neutral = np.array(strength), np.log(128 / 127)  # whose sigmoid is 128/255, gray
    last = generator.get_layer("ab_half")
    kernel, bias = last.get_weights()
    last.set_weights([strength * kernel, neutral + strength * (bias - neutral)])
    out = out or weights.SHIPPED
    weights.save(generator, architecture, out, half=True)
    print(f"{out}: {generator.count_params():,} parameters, {out.stat().st_size:,} bytes")


def evaluate(model: Path | None, data: Path, out: Path) -> None:
    """Colorizes the held-out pictures, writes and prints a table for each set of them, and a page of pictures.

    Raises:
        InputError: if there is no such model or data set.
    """
    lpips = compare.find_lpips(use_gpu=False)
    print(backend.start("0"), flush=True)
    from historynet.colorizing.colorizer import Colorizer
    from historynet.colorizing.folder import colorize_files
    from historynet.comparing import tables
    from historynet.systems import loading as weights

    colorizer = Colorizer(model or weights.SHIPPED)
    for name, title in TEST_SETS.items():
        originals = _pictures(data / name)
        methods = {method: out / name / method for method in ("gray", "HistoryNet")}
        # PNG: what JPEG loses is not the model's.
        gray, colorized = ([folder / f"{path.stem}.png" for path in originals] for folder in methods.values())
        for original, result in zip(originals, gray, strict=True):
            images.write_rgb(result, color.to_gray(images.read_rgb(original)))
        with tqdm(desc=title, total=len(originals), unit="picture", disable=None) as bar:
            colorize_files(colorizer, gray, colorized, batch_size=16, progress=bar.update)
        table = tables.measure(
            tables.Experiment(title, {}, ()),
            data / name,
            methods,
            CONVENTIONS["exact"],
            lpips,
            colorfulness=True,
        )
        tables.write(table, out, name)
        tables.draw_pictures(
            data / name, {"HistoryNet": methods["HistoryNet"]}, [out / f"{name}_pictures.png"], rows=12
        )
        ours, without = table.rows["HistoryNet"], table.rows["gray"]
        share = ours.mean(tables.COLORFULNESS) / table.original_colorfulness
        print(
            f"\n{table.text()}\n{ours.mean(tables.PSNR) - without.mean(tables.PSNR):+.2f} dB over gray, "
            f"{share:.0%} of the originals' colourfulness",
            flush=True,
        )


def curves(results: Path, out: Path) -> None:
    """Draws the losses over the steps and the scores over the epochs, one run behind the other.

    Args:
        results: the folder with a folder for each of RUNS.
        out: folder for losses.png and scores.png.

    Raises:
        InputError: if a run has left no tables.
    """
    logs = {name: results / name / "logs" for name in RUNS}
    losses, scores = (_one_behind_the_other(history.read_runs(logs, table)) for table in history.KEYS)
    # Each run has a colour loss of its own, up to thousands of times another's.
    panels = {f"L_r of {run}": {run: values} for run, values in losses["L_r"].items()}
    panels |= {name: values for name, values in losses.items() if name not in ("epoch", "step", "L_r")}
    for column, beside, title in (("psnr", "psnr_gray", "gray"), ("colorfulness", "colorfulness_true", "originals")):
        lengths = [len(values) for values in scores[column].values()]
        scores[column][title] = [scores[beside][RUNS[-1]][-1]] * max(lengths)
    figures.plot_runs(panels, out / "losses.png", "step", smoothing=100)
    figures.plot_runs({name: scores[name] for name in ("psnr", "colorfulness")}, out / "scores.png", "epoch")
    print(f"written: {out / 'losses.png'}, {out / 'scores.png'}")


def _one_behind_the_other(columns: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, dict[str, list[float]]]:
    """Each run's columns behind NaN for the lines of the runs before it."""
    # Each run has the column that counts.
    begin, begins = 0, {}
    for run, values in next(iter(columns.values())).items():
        begins[run] = begin
        begin += len(values)
    return {
        column: {run: [math.nan] * begins[run] + list(values) for run, values in runs.items()}
        for column, runs in columns.items()
    }


if __name__ == "__main__":
    running.run(main)
