"""Kills a small training again and again and continues it: `python tests/kill_and_continue.py --kills 20`.

SIGKILL comes at random moments: while the program starts, while it trains, and while it writes a checkpoint. At the end
everything that was trained and logged must be, bit for bit, what a training gives that was never killed.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path

import cv2
import kept_pictures
import numpy as np
import painted
from conftest import ROOT, label_line, write_picture

from historynet.collecting import masks
from historynet.weights import reading as weight_files

PICTURES = 20
OPTIONS = "--batch-size 2 --save-every 2 --gpu-id cpu"
# All that is drawn by chance, or counts steps.
_COLORIZING = "--width 0.03125 --crop-share 0.4 --age-luminance 0.5"
_VGG16 = f"{_COLORIZING} --vgg16-weights none --image-size 32 --crop-from 40"
_LABELLER, _PARSER = "SOURCE_MHMD/MHMD_Labeller.py", "SOURCE_MHMD/MHMD_Parser.py"
OWN_OPTIONS = {
    "SOURCE_HistoryNet/HistoryNet.py": f"{_VGG16} --beta-2 0.99 --weight-decay 0.02 --clip-norm 1 --learning-rate 4e-4 "
    "--warmup-steps 5 --decay-steps 20 --final-rate 0.02 --features-rate 0.25 --ema-momentum 0.9 --critic-rate 1e-4 "
    "--critic-warmup 3",
    "SOURCE_FilmCNN/FilmCNN.py": f"{_VGG16} --no-frozen-features --scaled-start 2 --rebalancing --colorizing-size 32",
    "SOURCE_GrayVGG16/GrayVGG16.py": _VGG16,
    # Attention in chunks, dropout and the state of the spectral norms.
    "SOURCE_Pix2Pix/Pix2Pix.py": f"{_COLORIZING} --image-size 64 --crop-from 70 --u-net-depth 6 --attention 64 "
    "--gan-loss hinge --spectral-norm --discriminator-learning-rate 4e-4 --save-networks-every 1",
    _LABELLER: "--width 0.03125 --image-size 32 --labeller-weights none --holdout 0.2",
    _PARSER: "--image-size 64x32 --holdout 0.2",
}
"""Of each trainer that is looked at."""

MOMENTS = ("starting", "training", "training", "saving")


def main() -> None:
    """Prints a line for each kill and the verdict; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(description="Kills a small training again and again and continues it.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--trainer", choices=OWN_OPTIONS, default=next(iter(OWN_OPTIONS)))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if kill_and_continue(Path(folder), arguments.kills, arguments.seed, arguments.trainer) else 1)


def kill_and_continue(folder: Path, kills: int, seed: int, trainer: str = next(iter(OWN_OPTIONS))) -> bool:
    """Trains twice, once with kills; whether both gave the same."""
    start = partial(start_trainer, trainer, make_data(folder / "DATASET", trainer))
    epochs = kills + 2
    begin = time.monotonic()
    with start(folder, "whole", epochs) as process:
        wait_for_checkpoints(process, folder / "whole", 1)
        startup = time.monotonic() - begin
    assert process.returncode == 0
    print(f"never killed: {epochs} epochs, {epochs * PICTURES // 2} steps; the first checkpoint after {startup:.0f} s")
    print(f"{'kill':>4}  {'while':8} {'after':>7}  {'unfinished files':>16}  whole checkpoints")
    moments = random.Random(seed)
    for kill in range(kills):
        moment = MOMENTS[kill % len(MOMENTS)]
        begin = time.monotonic()
        with start(folder, "killed", epochs) as process:
            if moment == "starting":
                time.sleep(moments.uniform(0, startup))
            else:
                wait_for_checkpoints(process, folder / "killed", moments.randint(1, 4))
                if moment == "training":
                    time.sleep(moments.uniform(0, 0.3))
                else:
                    wait_for_unfinished(process, folder / "killed")
            assert process.poll() is None, "the training had ended before the kill"
            process.kill()
            after = time.monotonic() - begin
        saved = folder / "killed/MODEL/checkpoints"
        unfinished = len(list(saved.glob(".*")))
        names = " ".join(f"{check_whole(path)}" for path in sorted(saved.glob("step*")))
        print(f"{kill + 1:4}  {moment:8} {after:6.2f}s  {unfinished:16}  {names}", flush=True)
    with start(folder, "killed", epochs) as process:
        pass
    assert process.returncode == 0
    same = {name: make(folder / "whole") == make(folder / "killed") for name, make in RESULTS.items()}
    for name, equal in same.items():
        print(f"{name}: {'identical' if equal else 'DIFFERENT'}")
    return all(same.values())


def make_data(folder: Path, trainer: str) -> list[str]:
    """The pictures that a trainer needs; the options that name them."""
    (folder / "dataset_train").mkdir(parents=True)
    weighed = ["--sample-weights", str(folder / "weights.csv")]
    if trainer == _LABELLER:
        truth = kept_pictures.make_work(folder)
        kept_pictures.answer(folder, truth)
        (folder / "weights.csv").write_text("name,weight\nmid*.jpg,3\n")
        return ["--train-data", str(folder), *weighed]
    if trainer == _PARSER:
        for i in range(PICTURES):
            numbers, rgb = painted.painted(i)
            cv2.imwrite(str(folder / f"dataset_train/{i:02}.jpg"), rgb[..., ::-1])
            masks.write(folder / f"dataset_train_seg/{i:02}_seg.png", painted.INDICES[numbers], "levels")
        (folder / "weights.csv").write_text("name,weight\n0*.jpg,3\n11.jpg,0\n")
        return ["--train-data", str(folder / "dataset_train"), *weighed]
    make_pictures(folder, in_classes="Gray" in trainer)
    return ["--train-data", str(folder / "dataset_train"), "--test-data", str(folder / "dataset_second"), *weighed]


def make_pictures(folder: Path, in_classes: bool) -> None:
    """Training pictures with labels and parsing, and two test pictures; or all of them in folders, two classes."""
    if in_classes:
        for i in range(PICTURES):
            write_picture(folder / f"dataset_train/n{i % 2}/{i:02}.jpg", i)
        for i in range(2):
            write_picture(folder / f"dataset_second/n{i}/{i}.png", 200 + i)
        (folder / "weights.csv").write_text("name,weight\nn1/*.jpg,3\nn0/02.jpg,0\n")
        return
    names = [f"{i:02}.jpg" for i in range(PICTURES)]
    for i, name in enumerate(names):
        write_picture(folder / "dataset_train" / name, i)
        write_picture(folder / f"dataset_train_seg/{i:02}_seg.jpg", 100 + i)
    (folder / "dataset_train/sign.txt").write_text("".join(label_line(name, i) for i, name in enumerate(names)))
    (folder / "weights.csv").write_text("name,weight\n0*.jpg,3\n11.jpg,0\n")
    for i in range(2):
        write_picture(folder / f"dataset_second/{i}.png", 200 + i)


def start_trainer(trainer: str, data: list[str], folder: Path, run: str, epochs: int) -> subprocess.Popen:
    """Starts the training program, for the first time or again."""
    results = folder / run
    paths = {"--model-dir": results / "MODEL", "--out-dir": results / "OUT", "--log-dir": results / "LOG"}
    arguments = [*data, *(str(word) for option in paths.items() for word in option)]
    arguments += OPTIONS.split() + OWN_OPTIONS[trainer].split()
    command = [sys.executable, str(ROOT / trainer), *arguments, "--num-epochs", str(epochs)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def wait_for_checkpoints(process: subprocess.Popen, results: Path, new: int) -> None:
    """Waits until the process has written so many checkpoints."""
    seen = names = set(results.glob("MODEL/checkpoints/step*"))
    while len(names - seen) < new and process.poll() is None:
        time.sleep(0.001)
        names = names | set(results.glob("MODEL/checkpoints/step*"))


def wait_for_unfinished(process: subprocess.Popen, results: Path) -> None:
    """Waits until the process is writing a checkpoint."""
    while not any(results.glob("MODEL/checkpoints/.unfinished*")) and process.poll() is None:
        pass


def check_whole(checkpoint: Path) -> str:
    """The checkpoint's name, after reading all of it."""
    with zipfile.ZipFile(checkpoint) as archive:
        assert archive.testzip() is None
    return checkpoint.stem


def checkpoint_arrays(results: Path) -> dict[str, bytes]:
    newest = max((results / "MODEL/checkpoints").glob("step*.npz"))
    with np.load(newest, allow_pickle=False) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files if name != "state.json"}


def model_arrays(results: Path) -> dict[str, bytes]:
    return {
        f"{path.name} {layer} {i}": array[()].tobytes()
        for path in (results / "MODEL").glob("*.keras")
        for layer, arrays in weight_files.read(path).arrays.items()
        for i, array in enumerate(arrays)
    }


RESULTS = {
    "all networks, optimisers and statistics of the last checkpoint": checkpoint_arrays,
    "the networks saved after each epoch": model_arrays,
    "losses.csv": lambda results: (results / "LOG/losses.csv").read_bytes(),
    "epochs.csv": lambda results: (results / "LOG/epochs.csv").read_bytes(),
}


if __name__ == "__main__":
    main()
