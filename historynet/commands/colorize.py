"""The command line of the colorizers: its options; what they start stands in `colorize_run`."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import historynet
from historynet import backend, files, settings
from historynet.clusters import Cluster
from historynet.colorizing.options import ALTERNATIVES, Options, is_url
from historynet.commands import running
from historynet.errors import InputError
from historynet.films.options import CODECS, CRFS, PIXEL_FORMATS, STEADINESSES, FilmOptions
from historynet.parallel import CORES
from historynet.pictures.options import LIMITS, QUALITIES, SECONDS, STRENGTHS, UPSAMPLINGS
from historynet.runtimes import is_exported
from historynet.settings import DEFAULT, Settings
from historynet.systems.historynet.settings import HistoryNetSettings
from historynet.systems.historynet.shipped import WORD


def main(script: str, declared: type[Settings], variant: str) -> None:
    """A colorizer's command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of colorization.py; config.py stands beside it.
        declared: the system's settings.
        variant: the program whose models it takes.
    """
    config = Path(script).resolve().with_name("config.py")
    running.run(lambda argv: _colorize(config, declared, variant, argv))


def anywhere() -> None:
    """The installed command `historynet-colorize`: HistoryNet's defaults, models of any variant.

    Paths start at the current folder, since there need be no project's folder.
    """
    # Beside the library, in the project as where it is installed.
    config = Path(historynet.__file__).resolve().parent.parent / "SOURCE_HistoryNet/config.py"
    running.run(lambda argv: _colorize(config, HistoryNetSettings, None, argv, Path.cwd()))


def _colorize(
    config: Path, declared: type[Settings], variant: str | None, argv: Sequence[str], root: Path | None = None
) -> int:
    arguments, resolved = _parse(config, declared, variant, argv, root)
    _check(arguments, resolved)
    if not arguments.results_url:
        (files.check_folder if arguments.dry_run else files.make_folder)(resolved.result_dir)
    # With --cluster the GPUs are the other processes'.
    device = _start(resolved, "cpu" if arguments.cluster else resolved.gpu_id)
    # Only now: the libraries behind it take seconds, and the backend has to be started before.
    from historynet.commands import colorize_run

    return colorize_run.run(arguments, resolved, variant, device)


def _check(arguments: argparse.Namespace, resolved: Settings) -> None:
    """Sees what can be seen before an engine is started, which takes long.

    Raises:
        InputError: if there is no such cluster, or the model that is named is no model file by its first bytes.
    """
    if arguments.cluster is not None and not arguments.dry_run:
        Cluster(arguments.cluster, CORES).check()
    model = Path(resolved.pretrained)
    if resolved.pretrained not in (DEFAULT, WORD) and model.is_file() and not is_exported(model):
        from historynet.weights import reading

        reading.check_form(model)


def _start(resolved: Settings, gpu: str) -> str:
    """Starts what computes; one line that says what the program runs on.

    Raises:
        InputError: if it is not there, or the model is an exported one and an option is for an engine.
    """
    if not is_exported(resolved.pretrained):
        return backend.start(gpu, onednn=resolved.onednn, engine=resolved.backend)
    for named, is_given in (
        (f"--backend {resolved.backend}", resolved.backend != backend.DEFAULT),
        ("--released-arithmetic", not resolved.onednn),
    ):
        if is_given:
            raise InputError(f"{named}: not for {resolved.pretrained}, which no engine of Keras computes")
    from historynet.runtimes import opening

    return opening.check_installed(Path(resolved.pretrained))


def _parse(
    config: Path, declared: type[Settings], variant: str | None, argv: Sequence[str], root: Path | None
) -> tuple[argparse.Namespace, Settings]:
    name = f"a trained {variant}" if variant else "a trained network of any variant"
    parser = settings.make_parser(f"Colorizes pictures with {name}.", settings.COLORIZE, config, declared)
    inputs = "pictures, films, or folders of them (default: TEST_DIR); with --cluster also URLs as s3://bucket/folder"
    parser.add_argument("inputs", nargs="*", type=_given, help=inputs)
    group = parser.add_argument_group("files")
    _add_input_options(group)
    _add_file_options(group)
    colors = parser.add_argument_group("colours")
    _add_color_options(colors)
    if variant is None:
        # A system's own colorization.py has them as settings.
        colors.add_argument(
            "--decoding",
            action="append",
            default=[],
            type=_named_value,
            metavar="NAME=VALUE",
            help="what the model's system has of its own for making colours of its outputs; can be repeated",
        )
    _add_film_options(parser.add_argument_group("films"))
    # argparse itself forgets the "--" before names that begin with a dash when options may stand between names.
    end = argv.index("--") if "--" in argv else len(argv)
    arguments = parser.parse_intermixed_args(argv[:end])
    arguments.inputs += map(_given, argv[end + 1 :])
    arguments.results_url = None
    if is_url(getattr(arguments, "result_dir", "")):
        arguments.results_url = arguments.result_dir
        del arguments.result_dir
    resolved, _ = settings.resolve(arguments, config, declared, root)
    if not arguments.inputs and arguments.list is None:
        if not resolved.test_dir.is_dir():
            raise InputError(
                f"{resolved.test_dir}: no such folder; put pictures there, name another with --test-dir, or name "
                "pictures on the command line"
            )
        arguments.inputs = [resolved.test_dir]
    return arguments, resolved


# The options' defaults are those of Options and FilmOptions, whose fields have the same names.


def _add_input_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--recursive", action="store_true", help="walk folders; their tree is mirrored in RESULT_DIR")
    group.add_argument(
        "--list",
        type=Path,
        metavar="FILE",
        help="take the files that it names, one a line; with --recursive their tree is mirrored, too",
    )
    running.add_cluster(group)


def _add_file_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dry-run", action="store_true", help="show what would become of which file, and stop")
    group.add_argument(
        "--format",
        type=lambda text: {"tiff": "tif", "jpeg": "jpg"}.get(text.lower(), text.lower()),
        choices=["jpg", "png", "tif", "webp", "same"],
        default="jpg",
        help="of the results (default: %(default)s; also jpeg and tiff)",
    )
    group.add_argument(
        "--quality",
        type=running.between(int, *QUALITIES),
        default=Options.quality,
        metavar="N",
        help="of JPEG and WebP files (default: %(default)s)",
    )
    group.add_argument("--no-provenance", dest="provenance", action="store_false", help="no line in the EXIF data")
    group.add_argument(
        "--max-megapixels",
        type=running.between(float, *LIMITS),
        default=Options.max_megapixels,
        metavar="N",
        help="refuse files that claim to be larger (default: %(default)g)",
    )
    group.add_argument(
        "--max-seconds",
        type=running.between(float, *SECONDS),
        default=Options.max_seconds,
        metavar="N",
        help="refuse pictures that take longer to be read (default: %(default)g; 0: none)",
    )
    group.add_argument(
        "--report",
        type=Path,
        metavar="FILE.csv",
        help="write a table of what became of each picture: picture, result, outcome, why, tint, value",
    )
    existing = group.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite",
        dest="existing",
        action="store_const",
        const="overwrite",
        default="refuse",
        help="make results again that are there already",
    )
    existing.add_argument(
        "--skip-existing",
        dest="existing",
        action="store_const",
        const="skip",
        default="refuse",
        help="leave pictures out whose results are there",
    )


def _add_color_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--strength",
        type=running.between(float, *STRENGTHS),
        default=Options.strength,
        metavar="X",
        help="factor on the predicted chrominance: 0 is gray, 1 as predicted (default: %(default)g)",
    )
    group.add_argument(
        "--upsampling",
        choices=UPSAMPLINGS,
        default=Options.upsampling,
        help="of the chrominance (default: %(default)s)",
    )
    group.add_argument(
        "--no-borders",
        dest="borders",
        action="store_false",
        help="colour the borders of scans, too, not the print alone",
    )
    group.add_argument("--keep-colored", action="store_true", help="leave pictures alone that have colour already")
    group.add_argument("--compare", action="store_true", help="also write NAME_comparison.jpg, before and after")
    group.add_argument(
        "--alternatives",
        type=running.between(int, *ALTERNATIVES),
        default=Options.alternatives,
        metavar="N",
        help="also write N pictures in other colours, NAME_alternative1_reconstructed and so on, drawn with --seed; of "
        "models that predict a distribution over colours",
    )
    group.add_argument(
        "--confidence",
        action="store_true",
        help="also write NAME_confidence.png, how sure the model is of each place's colour: black not at all, white "
        "entirely; of the same models",
    )


def _add_film_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--preview", type=running.between(float, 0.01, 3600), metavar="SECONDS", help="only so much, into NAME_preview"
    )
    group.add_argument(
        "--start",
        type=_seconds,
        default=FilmOptions.start,
        metavar="TIME",
        help="seconds, or hours:minutes:seconds; the result is NAME_90s-end_reconstructed",
    )
    group.add_argument(
        "--end",
        type=_seconds,
        default=FilmOptions.end,
        metavar="TIME",
        help="the same; of the film, not of the result, which is NAME_0s-90s_reconstructed",
    )
    group.add_argument(
        "--steadiness",
        type=running.between(float, *STEADINESSES),
        default=FilmOptions.steadiness,
        metavar="X",
        help="of the colours over time: 0 is each frame by itself (default: %(default)g)",
    )
    group.add_argument(
        "--film-format",
        choices=["same", "mp4", "mov", "mkv"],
        default="same",
        help="of the results (default: same, and mkv for what is neither mp4 nor mov)",
    )
    group.add_argument(
        "--codec",
        choices=CODECS,
        default=FilmOptions.codec,
        help="of the results: H.264 or VP9 (default: %(default)s)",
    )
    group.add_argument(
        "--crf",
        type=running.between(float, *CRFS),
        default=FilmOptions.crf,
        metavar="N",
        help="of the codec: lower is better and larger (default: %(default)g)",
    )
    group.add_argument(
        "--pixel-format",
        choices=PIXEL_FORMATS,
        default=FilmOptions.pixel_format,
        help="of the results; with 10 at the end 10 bits (default: %(default)s)",
    )
    group.add_argument(
        "--deinterlace",
        action="store_true",
        help="make whole frames of interlaced films, and of telecined ones the film's own 24 a second",
    )


def _given(text: str) -> Path | str:
    return text if is_url(text) else Path(text)


def _named_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError
    return name, value


_named_value.__name__ = "NAME=VALUE"


def _seconds(text: str) -> float:
    """Seconds of a text like 90, 1:30 or 0:01:30.5."""
    parts = [float(part) for part in text.split(":")]
    if len(parts) > 3 or not all(0 <= part < math.inf for part in parts):
        raise ValueError
    if any(part >= 60 for part in parts[1:]):
        raise argparse.ArgumentTypeError(f"{text!r}: behind a colon there are fewer than 60 minutes or seconds")
    return sum(part * 60**place for place, part in enumerate(reversed(parts)))


_seconds.__name__ = "time in seconds or hours:minutes:seconds"
