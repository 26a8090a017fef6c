"""The main job on a small scale: a data set, a training of a few minutes, a folder colorized, a comparison.

The photographs are those that scikit-image carries in its own package, so nothing is downloaded. Each is cut into many
crops; the labels (one a photograph) and the parsing pictures (superpixels) are stand-ins. A network that has seen parts
of a handful of photographs again and again knows them by heart: this shows that the machinery works, not how well
HistoryNet colours a picture it has never seen.
"""

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

try:
    import numpy as np
    import skimage.data
    from skimage.segmentation import slic

    from historynet import backend, errors, files, settings, streams
    from historynet.commands import running
    from historynet.comparing import metrics
    from historynet.experiments.processes import run_script
    from historynet.parallel import map_ahead
    from historynet.pictures import color, figures, images
    from historynet.weights import run_files
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "DATASET/demo_train"
MODEL = ROOT / "MODEL/demo_train"
RESULT = ROOT / "RESULT/demo_train"

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
CROPS = 64
CROP_SIDE = 256
SEGMENTS = 60
NUM_EPOCHS = 9
BATCH_SIZE = 8
TRAINING = {
    "--vgg16-weights": "none",
    "--width": 0.25,
    "--image-size": 160,
    "--batch-size": BATCH_SIZE,
    "--num-epochs": NUM_EPOCHS,
    # The paper's 2e-5 is for ten days; with few steps the colours need a larger share, too.
    "--learning-rate": 5e-4,
    "--lambda-rec": 100,
    # Falls to zero at the end, wherever the critic has swung it.
    "--decay-steps": NUM_EPOCHS * len(PHOTOGRAPHS) * CROPS // BATCH_SIZE,
}


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code, or that of a command that failed."""
    parser = settings.Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    running.add_backend(parser)
    # The trainer and the colorizer, which are processes of their own, take it from the environment.
    backend.choose(parser.parse_args(argv).backend)
    start = time.monotonic()
    print("HistoryNet's demonstration: a small network learns a few photographs by heart, in some minutes.")
    print("It shows that the machinery works; what it has learnt is of no use for other pictures.")
    print("Its labels (one a photograph) and parsing pictures (superpixels) are stand-ins.\n")
    for folder in (DATA, MODEL, RESULT):
        shutil.rmtree(folder, ignore_errors=True)
    make_data()
    code = run(
        "HistoryNet.py",
        *("--train-data", DATA / "dataset_train", "--test-data", DATA / "originals"),
        *("--model-dir", MODEL, "--out-dir", RESULT / "training", "--log-dir", RESULT / "logs"),
        *(word for option in TRAINING.items() for word in option),
    ) or run(
        "colorization.py",
        *("--test-dir", DATA / "gray", "--result-dir", RESULT / "colorized"),
        *("--pretrained", run_files.model_path(MODEL, "colorization", NUM_EPOCHS - 1)),
    )
    if code:
        return code
    compare()
    print(f"the comparison is in {RESULT / 'comparison.png'}; all of it took {time.monotonic() - start:.0f} seconds")
    return errors.DONE


def make_data() -> None:
    """DATASET/demo_train in MHMD's layout: crops with labels and parsing, the photographs, and their gray versions."""
    source = Path(skimage.data.__file__).parent
    rng = np.random.default_rng(0)
    jobs, lines = [], []
    for label, name in enumerate(PHOTOGRAPHS):
        rgb = images.read_rgb(source / name)
        stem = Path(name).stem
        images.write_rgb(DATA / f"originals/{stem}.png", rgb)
        images.write_rgb(DATA / f"gray/{stem}.png", color.to_gray(rgb))
        for i in range(CROPS):
            jobs.append((f"{stem}_{i:02}", crop(rgb, rng)))
            signs = ["1" if position == label else "0" for position in range(42)]
            lines.append(" ".join([f"{stem}_{i:02}.jpg", *signs]) + " \n")
    with streams.Progress(len(jobs), "picture", "making the data set") as bar:
        for _ in map_ahead(write_sample, jobs, ahead=8):
            bar.update(1)
    files.write_text(DATA / "dataset_train/sign.txt", "".join(lines))
    print(f"{len(PHOTOGRAPHS)} photographs became {len(jobs)} training pictures in {DATA}")


def crop(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A part of a picture with sides of 60 to 100 %, mirrored half of the time, as a square: uint8 RGB."""
    height, width = (round(side * rng.uniform(0.6, 1.0)) for side in rgb.shape[:2])
    top, left = (rng.integers(0, whole - part + 1) for whole, part in zip(rgb.shape, (height, width), strict=False))
    part = rgb[top : top + height, left : left + width]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    return color.resize(np.ascontiguousarray(part), CROP_SIDE, CROP_SIDE)


def write_sample(job: tuple[str, np.ndarray]) -> None:
    """Writes a training picture and its stand-in parsing picture."""
    name, rgb = job
    images.write_rgb(DATA / f"dataset_train/{name}.jpg", rgb)
    segments = slic(rgb, SEGMENTS, start_label=0)
    # Any drawing with one colour for each part will do.
    palette = np.random.default_rng(0).integers(0, 256, (segments.max() + 1, 3), np.uint8)
    images.write_rgb(DATA / f"dataset_train_seg/{name}_seg.jpg", palette[segments])


def run(script: str, *arguments: object) -> int:
    """Runs a script of SOURCE_HistoryNet, as a user would; its exit code."""
    command = [ROOT / "SOURCE_HistoryNet" / script, *arguments]
    print("\n$ python " + " ".join(map(str, command)).replace(f"{ROOT}/", ""), flush=True)
    return run_script(*command)


def compare() -> None:
    """Prints the scores beside those of the gray pictures, writes comparison.png."""
    rows, table = [], []
    for name in PHOTOGRAPHS:
        stem = Path(name).stem
        original = images.read_rgb(DATA / f"originals/{stem}.png")
        gray = images.read_rgb(DATA / f"gray/{stem}.png")
        made = images.read_rgb(RESULT / f"colorized/{stem}_reconstructed.jpg")
        rows.append([gray, made, original])
        table.append([metric(original, p) for metric in (metrics.psnr, metrics.ssim) for p in (gray, made)])
    images.write_rgb(RESULT / "comparison.png", figures.grid(rows, ["gray (input)", "HistoryNet", "original"]))
    print_table(table)


def print_table(table: Sequence[Sequence[float]]) -> None:
    """One line a photograph: PSNR and SSIM of the gray and of the colorized picture."""
    print(f"\n{'against the original':22} {'PSNR gray':>10} {'colorized':>10} {'SSIM gray':>10} {'colorized':>10}")
    for name, row in zip((*PHOTOGRAPHS, "mean"), (*table, np.mean(table, axis=0)), strict=True):
        psnr_gray, psnr, ssim_gray, ssim = row
        print(f"{Path(name).stem:22} {psnr_gray:10.2f} {psnr:10.2f} {ssim_gray:10.4f} {ssim:10.4f}")


if __name__ == "__main__":
    running.run(main)
