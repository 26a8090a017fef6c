"""Draws a sheet: pictures in gray, in their usual colours, in other ones, and how sure the network is of each place.

For models that predict a distribution over colours, as those of SOURCE_FilmCNN do.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import numpy as np

    from historynet import backend, errors, settings
    from historynet.colorizing.inputs import list_inputs
    from historynet.colorizing.options import ALTERNATIVES, SEEDS
    from historynet.commands import running
    from historynet.pictures import color, figures, formats, images
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    from historynet import Colorizer


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    parser = settings.Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("pictures", nargs="+", type=Path, help="pictures, or folders of them; a row each")
    parser.add_argument("--pretrained", required=True, type=Path, metavar="FILE", help="network to colorize with")
    parser.add_argument("--out", type=Path, default=Path("alternatives.jpg"), help="file to write (%(default)s)")
    parser.add_argument("--alternatives", type=running.between(int, *ALTERNATIVES), default=3, help="(%(default)s)")
    parser.add_argument(
        "--seed", type=running.between(int, *SEEDS), default=0, help="of the alternatives (%(default)s)"
    )
    parser.add_argument(
        "--height", type=running.between(int, 16, 4096), default=200, help="pixels of a row (%(default)s)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    running.add_backend(parser)
    arguments = parser.parse_args(argv)
    paths = list_inputs(arguments.pictures)
    print(backend.start("0", engine=arguments.backend), flush=True)
    # Imported here: the engine has to be started quietly before.
    from historynet.colorizing.colorizer import Colorizer

    with backend.quiet():
        colorize = Colorizer(arguments.pretrained)
        colorize.check_beside(arguments.alternatives > 0, confidence=True)
        rows = [_row(colorize, path, arguments) for path in paths]
    alternatives = [f"alternative {i + 1}" for i in range(arguments.alternatives)]
    sheet = figures.grid(rows, ["gray", "result", *alternatives, "confidence"], arguments.height)
    images.write_rgb(arguments.out, sheet)
    print(arguments.out)
    return errors.DONE


def _row(colorize: "Colorizer", path: Path, arguments: argparse.Namespace) -> list[np.ndarray]:
    """Of one picture, by one pass of the network."""
    rgb = figures.scale(color.to_8_bit(formats.read(path).rgb), 2 * arguments.height)
    luminance = color.network_lab(rgb, colorize.size)[..., :1]
    outputs = colorize.predict(luminance[None])
    of_one = {name: output[0] for name, output in outputs.items()}
    found = colorize.alternatives_of(of_one, luminance, arguments.alternatives, arguments.seed)
    for i, one in enumerate(found, start=1):
        print(f"{path.name}, alternative {i}: log probability {one.log_probability:.3f}, distance {one.distance:.2f}")
    colours = [colorize.decode(outputs)[0], *(one.ab for one in found)]
    sure = np.rint(255 * colorize.confidence_of(of_one)).astype(np.uint8)
    sure = color.resize(np.dstack([sure] * 3), *rgb.shape[:2])
    gray = color.to_gray(rgb)
    return [gray, *(color.with_chrominance(gray, ab) for ab in colours), sure]


if __name__ == "__main__":
    running.run(main)
