"""Colorizes photographs that scikit-image carries in its own package with the shipped model, and compares.

The gray versions of colour photographs are colorized, and one that has always been black and white.
"""

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

try:
    import skimage.data

    from historynet import backend, errors, settings
    from historynet.colorizing import choosing
    from historynet.commands import running
    from historynet.comparing.metrics import CONVENTIONS
    from historynet.errors import InputError
    from historynet.pictures import color, figures, images
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "DATASET/demo"
RESULT = ROOT / "RESULT/demo"

COLOR = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
BLACK_AND_WHITE = ("camera.png",)


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = settings.Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    running.add_backend(parser)
    arguments = parser.parse_args(argv)
    begin = time.monotonic()
    print(backend.start("0", engine=arguments.backend), flush=True)
    # Imported here: the engine has to be started quietly before.
    from historynet.colorizing.colorizer import Colorizer
    from historynet.colorizing.folder import colorize_files
    from historynet.colorizing.inputs import list_inputs
    from historynet.colorizing.results import name_results
    from historynet.comparing import rendering, tables
    from historynet.comparing.methods import Experiment

    if not choosing.SHIPPED.is_file():
        raise InputError(f"{choosing.SHIPPED}: the shipped model is not there; make demo-train trains a small one")

    # The photographs and their gray versions.
    for folder in (DATA, RESULT):
        shutil.rmtree(folder, ignore_errors=True)
    source = Path(skimage.data.__file__).parent
    for name in COLOR:
        rgb = images.read_rgb(source / name)
        images.write_rgb(DATA / "originals" / name, rgb)
        images.write_rgb(DATA / "gray" / Path(name).with_suffix(".png"), color.to_gray(rgb))
    for name in BLACK_AND_WHITE:
        images.write_rgb(DATA / "gray" / name, images.read_rgb(source / name))

    # Colorized as a user's folder is.
    paths = list_inputs([DATA / "gray"])
    results = name_results(paths, RESULT / "colorized")
    colorize_files(Colorizer(choosing.SHIPPED), paths, results, batch_size=len(paths))

    # The pictures and their scores.
    originals = {Path(name).stem: images.read_rgb(DATA / "originals" / name) for name in COLOR}
    rows = [
        [images.read_rgb(path), images.read_rgb(result), originals.get(path.stem)]
        for path, result in zip(paths, results, strict=True)
    ]
    images.write_rgb(RESULT / "comparison.png", figures.grid(rows, ["gray (input)", "HistoryNet", "original"]))
    table = tables.measure(
        Experiment("Against the originals", {}, ()),
        DATA / "originals",
        {"gray": DATA / "gray", "HistoryNet": RESULT / "colorized"},
        CONVENTIONS["exact"],
        colorfulness=True,
    )
    print(f"\n{rendering.as_text(table)}\n")
    print(f"written: {RESULT / 'comparison.png'}; {time.monotonic() - begin:.0f} seconds")
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
