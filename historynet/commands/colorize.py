"""The command line of the colorizers."""

import argparse
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

import historynet
from historynet import backend, errors, files, settings
from historynet.commands import running
from historynet.commands.train import check_arithmetic
from historynet.errors import InputError, PictureError
from historynet.pictures import color
from historynet.pictures.options import UPSAMPLINGS
from historynet.training.stopping import Stop


def main(script: str, variant: str) -> None:
    """A colorizer's command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of colorization.py; config.py stands beside it.
        variant: the variant whose models it takes.
    """
    config = Path(script).resolve().with_name("config.py")
    running.run(lambda argv: _colorize(config, variant, argv))


def anywhere() -> None:
    """The installed command `historynet-colorize`: HistoryNet's defaults, models of any variant.

    Paths start at the current folder, since there need be no project's folder.
    """
    # Beside the library, in the project as where it is installed.
    config = Path(historynet.__file__).resolve().parent.parent / "SOURCE_HistoryNet/config.py"
    running.run(lambda argv: _colorize(config, None, argv, Path.cwd()))


def _colorize(config: Path, variant: str | None, argv: Sequence[str], root: Path | None = None) -> int:
    name = f"a trained {variant}" if variant else "a trained network of any variant"
    parser = settings.make_parser(f"Colorizes pictures with {name}.", settings.COLORIZE, config)
    _add_colorize_options(parser)
    # argparse itself forgets the "--" before names that begin with a dash when options may stand between names.
    end = argv.index("--") if "--" in argv else len(argv)
    arguments = parser.parse_intermixed_args(argv[:end])
    arguments.inputs += map(Path, argv[end + 1 :])
    chosen, _ = settings.resolve(arguments, config, root)
    check_arithmetic(chosen)
    if not arguments.inputs and not chosen.test_dir.is_dir():
        raise InputError(
            f"{chosen.test_dir}: no such folder; put pictures there, name another with --test-dir, or name pictures on "
            "the command line"
        )
    files.make_folder(chosen.result_dir)
    device = backend.start(chosen.gpu_id, released_arithmetic=chosen.released_arithmetic)
    from PIL import Image

    from historynet import __version__, films
    from historynet.colorizing.colorizer import (
        PREVIEW_SUFFIX,
        Colorizer,
        Options,
        Report,
        check_results,
        colorize_files,
        list_inputs,
        name_results,
        provenance,
    )
    from historynet.comparing.pairing import SUFFIX
    from historynet.pictures import formats
    from historynet.systems import loading as weights

    # --max-megapixels is our own limit, checked before a picture is decoded.
    Image.MAX_IMAGE_PIXELS = None
    inputs = arguments.inputs or [chosen.test_dir]
    found = list_inputs(inputs, chosen.result_dir, arguments.recursive, formats.EXTENSIONS | films.EXTENSIONS)
    paths = [path for path in found if path.suffix.lower() not in films.EXTENSIONS]
    film_paths = [path for path in found if path.suffix.lower() in films.EXTENSIONS]
    roots = [given for given in inputs if arguments.recursive and given.is_dir()]
    results = name_results(paths, chosen.result_dir, roots, arguments.format)
    film_results = name_results(
        film_paths,
        chosen.result_dir,
        roots,
        arguments.film_format,
        films.same_container,
        SUFFIX if arguments.preview is None else PREVIEW_SUFFIX,
    )
    existing = "skip" if arguments.skip_existing else "overwrite" if arguments.overwrite else "refuse"
    check_results(found, results, existing)
    # A preview is there to be made again with other options.
    check_results(found, film_results, existing if arguments.preview is None else "overwrite")
    model = weights.find_model(chosen.pretrained, chosen.model_dir, variant or "HistoryNet")
    shipped = "the shipped model, " if model == weights.SHIPPED else ""
    print(f"{device}; colorizing with {shipped}{model}", flush=True)
    with ThreadPoolExecutor(max_workers=1) as hasher, backend.quiet():
        line = hasher.submit(provenance, model, __version__) if arguments.provenance else None
        colorizer = Colorizer(model, variant, chosen.precision)
        options = Options(
            strength=arguments.strength,
            upsampling=arguments.upsampling,
            keep_colored=arguments.keep_colored,
            compare=arguments.compare,
            quality=arguments.quality,
            provenance=line and line.result(),
            max_megapixels=arguments.max_megapixels,
            existing=existing,
        )
        # What a sum is rounded to depends on how many pictures are in the batch.
        together = 1 if chosen.released_arithmetic else chosen.batch_size
        report = Report()
        if paths:
            with tqdm(total=len(paths), unit="picture", disable=None) as bar:
                report = colorize_files(colorizer, paths, results, together, bar.update, options)
        film_options = films.FilmOptions(
            strength=arguments.strength,
            upsampling=arguments.upsampling,
            steadiness=arguments.steadiness,
            codec=arguments.codec,
            crf=arguments.crf,
            start=arguments.start,
            end=arguments.end if arguments.preview is None else arguments.start + arguments.preview,
            provenance=options.provenance,
            max_megapixels=arguments.max_megapixels,
        )
        damage = []
        for path, result in zip(film_paths, film_results, strict=True):
            if existing == "skip" and arguments.preview is None and result.exists():
                report.existing += 1
            else:
                damage += _colorize_film(colorizer, path, result, film_options, report)
    counts = [f"{report.done} colorized into {chosen.result_dir}", f"{len(report.skipped)} skipped"]
    counts += [f"{report.existing} there already"] if report.existing else []
    counts += [f"{report.colored} left alone, which have colour"] if report.colored else []
    print(running.one_line(", ".join(counts)))
    for note, paths_of in report.notes.items():
        more = f" and {len(paths_of) - 1} more" if len(paths_of) > 1 else ""
        print(running.one_line(f"note: {paths_of[0]}{more}: {note}"), file=sys.stderr)
    for reason in damage:
        print(running.one_line(f"damaged: {reason}; the rest is done"), file=sys.stderr)
    for reason in report.skipped:
        print(running.one_line(f"skipped: {reason}"), file=sys.stderr)
    return errors.SKIPPED if report.skipped or damage else errors.DONE


def _colorize_film(colorizer: Any, path: Path, result: Path, options: Any, report: Any) -> list[str]:
    """Colorizes a film into a report of `colorizer.colorize_files`; returns what of the film was damaged.

    Raises:
        StoppedError: at SIGTERM or Ctrl-C.
    """
    from historynet import films

    kept = (
        f"what is finished of {result} is kept; the same command, with --skip-existing if others are done, continues it"
    )
    with Stop() as stop, stop.at_once(kept):
        try:
            with tqdm(total=films.count_frames(path, options), unit="frame", disable=None) as bar:
                of_film = films.colorize_film(colorizer, path, result, options, bar.update)
        except PictureError as error:
            report.skipped.append(str(error))
            return []
    report.done += 1
    if of_film.continued:
        print(running.one_line(f"{result}: {of_film.continued} of its {of_film.frames} frames were there already"))
    for note in of_film.notes:
        report.notes.setdefault(note, []).append(path)
    return [f"{path}: {what}" for what in of_film.damage]


def _add_colorize_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="*", type=Path, help="pictures, films, or folders of them (default: TEST_DIR)")
    group = parser.add_argument_group("files")
    group.add_argument("--recursive", action="store_true", help="walk folders; their tree is mirrored in RESULT_DIR")
    group.add_argument(
        "--format", choices=["jpg", "png", "tif", "webp", "same"], default="jpg", help="of the results (default: jpg)"
    )
    group.add_argument(
        "--quality",
        type=running.between(int, 1, 100),
        default=95,
        metavar="N",
        help="of JPEG and WebP files (default: 95)",
    )
    group.add_argument("--no-provenance", dest="provenance", action="store_false", help="no line in the EXIF data")
    group.add_argument(
        "--max-megapixels",
        type=running.between(float, 0.0001, 1000),
        default=200,
        metavar="N",
        help="refuse files that claim to be larger (default: 200)",
    )
    existing = group.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="make results again that are there already")
    existing.add_argument("--skip-existing", action="store_true", help="leave pictures out whose results are there")
    group = parser.add_argument_group("colours")
    group.add_argument(
        "--strength",
        type=running.between(float, 0, 2),
        default=1.0,
        metavar="X",
        help="factor on the predicted chrominance: 0 is gray, 1 as predicted (default: 1)",
    )
    group.add_argument(
        "--upsampling", choices=UPSAMPLINGS, default=color.BILINEAR, help="of the chrominance (default: bilinear)"
    )
    group.add_argument("--keep-colored", action="store_true", help="leave pictures alone that have colour already")
    group.add_argument("--compare", action="store_true", help="also write NAME_comparison.jpg, before and after")
    group = parser.add_argument_group("films")
    group.add_argument(
        "--preview", type=running.between(float, 0.01, 3600), metavar="SECONDS", help="only so much, into NAME_preview"
    )
    group.add_argument("--start", type=_seconds, default=0.0, metavar="TIME", help="seconds, or hours:minutes:seconds")
    group.add_argument("--end", type=_seconds, metavar="TIME", help="the same; of the film, not of the result")
    group.add_argument(
        "--steadiness",
        type=running.between(float, 0, 1),
        default=0.9,
        metavar="X",
        help="of the colours over time: 0 is each frame by itself (default: 0.9)",
    )
    group.add_argument(
        "--film-format",
        choices=["same", "mp4", "mov", "mkv"],
        default="same",
        help="of the results (default: same, and mkv for what is neither mp4 nor mov)",
    )
    group.add_argument(
        "--codec",
        choices=["libx264", "libvpx-vp9"],
        default="libx264",
        help="of the results: H.264 or VP9 (default: libx264)",
    )
    group.add_argument(
        "--crf",
        type=running.between(float, 0, 63),
        default=18,
        metavar="N",
        help="of the codec: lower is better and larger (default: 18)",
    )


def _seconds(text: str) -> float:
    """Seconds of a text like 90, 1:30 or 0:01:30.5."""
    parts = [float(part) for part in text.split(":")]
    if len(parts) > 3 or not all(0 <= part < math.inf for part in parts):
        raise ValueError
    return sum(part * 60**place for place, part in enumerate(reversed(parts)))


_seconds.__name__ = "time in seconds or hours:minutes:seconds"
