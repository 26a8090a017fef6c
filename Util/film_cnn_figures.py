"""Draws Figures 4 to 7 of the films CNN's paper, of your own pictures.

`python film_cnn_figures.py figure4 MODEL PICTURES` shows what the temperature does; `figure5`, `figure6` and `figure7`
with `ORIGINALS --method NAME=RESULTS --method ...` show the results of several networks side by side.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from historynet import backend, errors, settings
    from historynet.commands import compare, running
    from historynet.comparing import rendering
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent

TEMPERATURES = (1, 0.77, 0.58, 0.5, 0.38, 0.29, 0.14, 0)
"""Those of Zhang et al., and the paper's 0.5; which ones its Figure 4 has cannot be read (D16)."""

COLUMNS = {
    "figure5": ("of ImageNet", (rendering.GRAY, rendering.RESULTS, rendering.ORIGINAL)),
    "figure6": ("of old colour films", (rendering.GRAY, rendering.RESULTS, rendering.ORIGINAL)),
    "figure7": ("of black-and-white films", (rendering.GRAY, rendering.RESULTS)),
}
"""What pictures are compared, and the columns; of a black-and-white film there is no truth."""


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code."""
    arguments = _parse(argv)
    out = arguments.out or ROOT / f"RESULT/figures/film_cnn_{arguments.figure}"
    paths = [out.with_name(out.name + extension) for extension in (".png", ".pdf")]
    if arguments.figure == "figure4":
        draw_temperatures(arguments, paths)
    else:
        _, columns = COLUMNS[arguments.figure]
        methods = compare.named_folders(arguments.method)
        rendering.draw_pictures(arguments.originals, methods, paths, arguments.rows, arguments.pictures, columns)
    print(f"written: {paths[0]} and {paths[1].suffix}")
    return errors.DONE


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = settings.Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    figures = parser.add_subparsers(dest="figure", required=True, metavar="FIGURE")
    text = "one picture a row, at several temperatures of Eq. (2)"
    figure4 = figures.add_parser("figure4", help=text, description=text)
    figure4.add_argument("model", type=Path, metavar="MODEL", help="a trained network of the films CNN")
    figure4.add_argument("inputs", type=Path, nargs="+", metavar="PICTURE", help="pictures, or folders of them")
    figure4.add_argument(
        "--temperatures",
        type=running.between(float, 0, 100),
        nargs="+",
        default=TEMPERATURES,
        metavar="T",
        help=f"1 is the mean, 0 the mode ({' '.join(map(str, TEMPERATURES))})",
    )
    running.add_backend(figure4)
    for name, (kind, columns) in COLUMNS.items():
        text = f"one picture {kind} a row: gray, each method's result" + ", truth" * (rendering.ORIGINAL in columns)
        figure = figures.add_parser(name, help=text, description=text)
        figure.add_argument("originals", type=Path, metavar="ORIGINALS", help="folder of the pictures")
        figure.add_argument(
            "--method",
            action="append",
            required=True,
            metavar="NAME=DIR",
            help="a column's title and folder of results; repeated, in the order of the columns",
        )
        figure.add_argument("--pictures", nargs="+", default=[], metavar="NAME", help="these originals alone")
    for figure in figures.choices.values():
        figure.add_argument("--rows", type=running.between(int, 1, 100), default=5, help="pictures (%(default)s)")
        figure.add_argument(
            "--out", type=Path, metavar="FILE", help="without extension (RESULT/figures/film_cnn_FIGURE)"
        )
        figure.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


def draw_temperatures(arguments: argparse.Namespace, paths: Sequence[Path]) -> None:
    """Figure 4: each picture's colours at all temperatures, from one pass of the network.

    Args:
        arguments: of the command line.
        paths: files to write, .png or .pdf.

    Raises:
        InputError: if there are no pictures, one cannot be read, or the model is none of the films CNN.
    """
    print(backend.start("0", engine=arguments.backend), flush=True)
    # Imported here: the engine has to be started quietly before.
    from historynet.colorizing.colorizer import Colorizer
    from historynet.colorizing.inputs import list_inputs
    from historynet.pictures import color, figures, formats

    inputs = rendering.evenly(list_inputs(arguments.inputs), arguments.rows)
    colorizer = Colorizer(arguments.model, "FilmCNN")
    rows = []
    for path in inputs:
        rgb = color.to_8_bit(formats.read(path).rgb)
        outputs = colorizer.predict(color.network_lab(rgb, colorizer.size)[None, ..., :1])
        colours = [colorizer.decode(outputs, temperature=temperature)[0] for temperature in arguments.temperatures]
        rows.append([color.to_gray(rgb), *(color.with_chrominance(rgb, ab) for ab in colours)])
    figures.print_pictures(rows, [rendering.GRAY, *map(_title, arguments.temperatures)], paths)


def _title(temperature: float) -> str:
    return f"T = {temperature:g}" + {0: " (mode)", 1: " (mean)"}.get(temperature, "")


if __name__ == "__main__":
    running.run(main)
