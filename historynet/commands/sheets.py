"""The command lines that draw pictures side by side: the films CNN's figures, and a sheet of alternatives."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from historynet import backend, errors, settings
from historynet.colorizing.inputs import list_inputs
from historynet.colorizing.options import ALTERNATIVES, SEEDS
from historynet.commands import compare, running
from historynet.comparing import rendering, sheets
from historynet.pictures import figures, images

TEMPERATURES = (1, 0.77, 0.58, 0.5, 0.38, 0.29, 0.14, 0)
"""Those of Zhang et al., and the paper's 0.5; which ones its Figure 4 has cannot be read (D16)."""

COLUMNS = {
    "figure5": ("of ImageNet", (rendering.GRAY, rendering.RESULTS, rendering.ORIGINAL)),
    "figure6": ("of old colour films", (rendering.GRAY, rendering.RESULTS, rendering.ORIGINAL)),
    "figure7": ("of black-and-white films", (rendering.GRAY, rendering.RESULTS)),
}
"""What pictures are compared, and the columns; of a black-and-white film there is no truth."""


def draw_figures(argv: Sequence[str], description: str, folder: Path) -> int:
    """The command line of the films CNN's Figures 4 to 7; its exit code.

    Args:
        argv: the arguments.
        description: for `--help`.
        folder: for the figures, if no file is named.

    Raises:
        InputError: if there are no pictures, one cannot be read, or the model is none of the films CNN.
    """
    arguments = _figures_parser(description).parse_args(argv)
    out = arguments.out or folder / f"film_cnn_{arguments.figure}"
    paths = [out.with_name(out.name + extension) for extension in (".png", ".pdf")]
    if arguments.figure == "figure4":
        print(backend.start("0", engine=arguments.backend), flush=True)
        # Imported here: the engine has to be started quietly before.
        from historynet.colorizing.colorizer import Colorizer

        inputs = rendering.evenly(list_inputs(arguments.inputs), arguments.rows)
        colorizer = Colorizer(arguments.model, "FilmCNN")
        figures.print_pictures(*sheets.at_temperatures(colorizer, inputs, arguments.temperatures), paths)
    else:
        _, columns = COLUMNS[arguments.figure]
        methods = compare.named_folders(arguments.method)
        rendering.draw_pictures(arguments.originals, methods, paths, arguments.rows, arguments.pictures, columns)
    print(f"written: {paths[0]} and {paths[1].suffix}")
    return errors.DONE


def _figures_parser(description: str) -> argparse.ArgumentParser:
    parser = settings.Parser(description=description, allow_abbrev=False)
    drawn = parser.add_subparsers(dest="figure", required=True, metavar="FIGURE")
    text = "one picture a row, at several temperatures of Eq. (2)"
    figure4 = drawn.add_parser("figure4", help=text, description=text)
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
        figure = drawn.add_parser(name, help=text, description=text)
        figure.add_argument("originals", type=Path, metavar="ORIGINALS", help="folder of the pictures")
        figure.add_argument(
            "--method",
            action="append",
            required=True,
            metavar="NAME=DIR",
            help="a column's title and folder of results; repeated, in the order of the columns",
        )
        figure.add_argument("--pictures", nargs="+", default=[], metavar="NAME", help="these originals alone")
    for figure in drawn.choices.values():
        figure.add_argument("--rows", type=running.between(int, 1, 100), default=5, help="pictures (%(default)s)")
        figure.add_argument(
            "--out", type=Path, metavar="FILE", help="without extension (RESULT/figures/film_cnn_FIGURE)"
        )
        figure.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def draw_alternatives(argv: Sequence[str], description: str) -> int:
    """The command line of the sheet of alternatives; its exit code.

    Args:
        argv: the arguments.
        description: for `--help`.

    Raises:
        InputError: if there are no pictures, one cannot be read, or the model has no alternatives.
    """
    parser = settings.Parser(description=description, allow_abbrev=False)
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
        colorizer = Colorizer(arguments.pretrained)
        colorizer.check_beside(arguments.alternatives > 0, confidence=True)
        sheet, lines = sheets.with_alternatives(
            colorizer, paths, arguments.alternatives, arguments.seed, arguments.height
        )
    for line in lines:
        print(line)
    images.write_rgb(arguments.out, sheet)
    print(arguments.out)
    return errors.DONE
