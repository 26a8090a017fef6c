"""The two commands behind every variant's scripts: train, and colorize a folder; and those for models and metrics."""

import argparse
import contextlib
import dataclasses
import json
import math
import os
import runpy
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from historynet import backend, color, dataset, errors, images, runs, settings
from historynet.errors import HistoryNetError, InputError, PictureError, StoppedError
from historynet.settings import Settings
from historynet.training.checkpoints import Checkpoints, Position, restore
from historynet.training.stopping import Stop

Build = Callable[[Settings, Sequence[str]], Any]
"""From the settings and the fields of a sample to a system (`historynet.systems.system.System`)."""


def train(script: str, build: Build) -> None:
    """A trainer's command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the trainer; config.py and dataclass.py stand beside it.
        build: makes what is trained.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _train(config, build, argv))


def colorize(script: str, variant: str) -> None:
    """A colorizer's command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of colorization.py; config.py stands beside it.
        variant: the variant whose models it takes.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _colorize(config, variant, argv))


def colorize_anywhere() -> None:
    """The installed command `historynet-colorize`: HistoryNet's defaults, models of any variant.

    Paths start at the current folder, since there need be no project's folder.
    """
    # Beside the library in the project, inside of it once installed.
    library = Path(__file__).resolve().parent
    configs = [folder / "SOURCE_HistoryNet/config.py" for folder in (library.parent, library)]
    config = next((path for path in configs if path.is_file()), configs[-1])
    run(lambda argv: _colorize(config, None, argv, Path.cwd()))


def model_files() -> None:
    """The command line `python -m historynet.weights`; ends the process with one of the exit codes of `errors`."""
    run(_model_files)


def run(command: Callable[[Sequence[str]], int]) -> None:
    """Runs a command line: arguments -> exit code; ends the process with it, or with one line and the error's code."""
    argv = sys.argv[1:]
    try:
        code = command(argv)
    except HistoryNetError as error:
        if "--debug" in argv:
            traceback.print_exc()
        text = _one_line(str(error))
        print(text if isinstance(error, StoppedError) else f"error: {text}", file=sys.stderr)
        code = error.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = errors.BAD_INPUT
    except OSError as error:
        if "--debug" in argv:
            traceback.print_exc()
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        code = errors.BAD_INPUT
    except KeyboardInterrupt:
        print("\ninterrupted; what was saved is kept", file=sys.stderr)
        code = errors.INTERRUPTED
    except Exception as error:
        # TensorFlow's error by its name: this module does not import it before it must.
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":
            raise
        print(
            "error: out of memory; lower --batch-size, or train with a lower --width or --image-size", file=sys.stderr
        )
        code = errors.BAD_INPUT
    sys.exit(code)


def _train(config: Path, build: Build, argv: Sequence[str]) -> int:
    parser = settings.make_parser(f"Trains {config.parent.name}'s networks.", settings.TRAIN, config)
    parser.add_argument("--dry-run", action="store_true", help="show settings, data, networks and disk space, and stop")
    parser.add_argument(
        "--fresh", action="store_true", help="start over: remove MODEL_DIR's checkpoints and replace its models"
    )
    arguments = parser.parse_args(argv)
    chosen, as_written = settings.resolve(arguments, config)
    _check_together(chosen)
    _check_arithmetic(chosen)
    fields = runpy.run_path(str(config.with_name("dataclass.py")))["FIELDS"]
    device = None
    if chosen.strategy == "multiworker" and not arguments.dry_run:
        # The workers meet first, so that what is wrong with one ends the others, too.
        device = backend.start(chosen.gpu_id, chosen.seed, chosen.strategy, chosen.released_arithmetic)
        print(device, flush=True)

    samples = dataset.open_dataset(
        chosen.train_data,
        fields,
        chosen.sign_name,
        chosen.num_classes,
        chosen.train_parsing,
        chosen.allow_missing_labels,
        chosen.allow_missing_parsing,
    )
    steps = _steps_per_epoch(chosen, samples)
    if arguments.dry_run:
        print(backend.start(chosen.gpu_id, chosen.seed, released_arithmetic=chosen.released_arithmetic), flush=True)
        _show(chosen, samples, _make_evaluator(chosen), build(chosen, fields), steps)
        return errors.DONE
    if device is None:
        device = backend.start(chosen.gpu_id, chosen.seed, chosen.strategy, chosen.released_arithmetic)
        print(device, flush=True)
    from historynet.training.strategy import Workers

    workers = Workers()
    if chosen.batch_size < chosen.accumulate * workers.replicas:
        raise InputError(
            f"--batch-size {chosen.batch_size}: {workers.replicas} devices and --accumulate {chosen.accumulate} need "
            "at least a picture for each device and part; it is the number of pictures in all of them together"
        )
    with runs.alone(chosen.model_dir) if workers.is_chief else contextlib.nullcontext():
        about = {
            "program": config.parent.name,
            "settings": settings.as_json(chosen),
            "pictures": dataset.fingerprint(samples.names),
        }
        checkpoints = Checkpoints(chosen.model_dir / runs.CHECKPOINTS, chosen.keep_checkpoints)
        start = runs.find_start(checkpoints, chosen, about, arguments.fresh)
        finished = start.position.epoch >= chosen.num_epochs and runs.is_looked_at(chosen, start.position.epoch - 1)
        if _agree(workers, about, start.position, finished):
            print(
                f"{start.checkpoint.path}: this run is finished after {start.position.epoch} epochs; a higher "
                "--num-epochs continues it, --fresh starts over"
            )
            return errors.DONE
        evaluator = _make_evaluator(chosen)
        system = build(chosen, fields)
        space = runs.disk_space(chosen, system)
        if workers.is_chief and not space.enough:
            raise InputError(
                f"{chosen.model_dir}: {space.needed / 1e9:.2f} GB are needed there (--dry-run says for what) and "
                f"{space.free / 1e9:.2f} GB are free; free some, lower --keep-checkpoints or --num-epochs, or name "
                "another place with --model-dir"
            )
        if workers.is_chief:
            runs.record_start(chosen.model_dir, as_written, device, start)
            for folder in (chosen.model_dir, checkpoints.folder, chosen.out_dir, chosen.log_dir):
                images.remove_unfinished(folder)
        known = f", {samples.has_label.sum()} with a label" if samples.labels is not None else ""
        if "parsing" in system.fields:
            known += f", {len(samples) - samples.parsing.count(None)} with a parsing picture"
        print(f"{len(samples)} pictures{known}; {steps} steps an epoch; networks go to {chosen.model_dir}", flush=True)
        if start.checkpoint:
            print(f"continuing from {start.checkpoint.path}: {start.checkpoint.position}")
            for line in start.notes:
                print(f"  {line}")
            sys.stdout.flush()
            restore(start.checkpoint, system)
        elif workers.is_chief:
            checkpoints.clear()
        left_out = _fit(chosen, samples, evaluator, system, steps, start.position, checkpoints, about, workers)
    for message in evaluator.left_out:
        print(f"left out of the test pictures: {message}", file=sys.stderr)
    if left_out:
        print(f"{len(left_out)} training pictures could not be read and were left out")
    return errors.SKIPPED if left_out or evaluator.left_out else errors.DONE


def _check_together(chosen: Settings) -> None:
    """Refuses settings that exclude each other."""
    several = chosen.strategy != "none"
    for wrong, message in (
        (
            chosen.accumulate > chosen.batch_size,
            f"--accumulate {chosen.accumulate}: more parts than pictures in a batch",
        ),
        (chosen.jit and several, "--jit: with --strategy none only, since XLA does not compile what devices exchange"),
        (
            chosen.released_statistics and (several or chosen.accumulate > 1),
            "--released-statistics: with --strategy none and --accumulate 1 only, as the released program trained",
        ),
        (
            chosen.skip_broken and chosen.strategy == "multiworker",
            "--skip-broken: not with --strategy multiworker, whose workers do not read each other's pictures; "
            "leave it out, and mend or remove the pictures that are named",
        ),
        (
            chosen.ema_momentum is not None and several,
            "--ema-momentum: with --strategy none only; averages of weights were not tried on several devices",
        ),
        (
            chosen.precision == "float16" and several,
            "--precision float16: with --strategy none only; scaled losses were not tried on several devices",
        ),
    ):
        if wrong:
            raise InputError(message)


def _check_arithmetic(chosen: Settings) -> None:
    if chosen.released_arithmetic and chosen.precision != "float32":
        raise InputError("--released-arithmetic: with --precision float32 only, which the released program computes in")


def _agree(workers: Any, about: Mapping[str, Any], start: Position, finished: bool) -> bool:
    """Sees that all workers are about to do the same; whether the chief says that the run is finished.

    Raises:
        InputError: if they differ in the settings or the names of the pictures, or would continue from different
            places.
    """
    same = {
        "settings": about["settings"],
        "program and training pictures": (about["program"], about["pictures"]),
        "checkpoints (MODEL_DIR must be one folder, shared by all machines)": dataclasses.astuple(start),
    }
    numbers = [zlib.crc32(json.dumps(value).encode()) for value in same.values()]
    *columns, said = workers.exchange([*numbers, finished]).T
    for what, column in zip(same, columns, strict=True):
        if len(set(column)) > 1:
            raise InputError(f"--strategy multiworker: the workers differ in their {what}; start all of them alike")
    return bool(said[0])


def _make_evaluator(chosen: Settings) -> Any:
    from historynet.evaluation import Evaluator

    return Evaluator(chosen.test_data, chosen.num_test_images, chosen.seed, chosen.image_size, chosen.batch_size)


def _steps_per_epoch(chosen: Settings, samples: dataset.Dataset) -> int:
    steps = (math.floor if chosen.drop_last else math.ceil)(len(samples) / chosen.batch_size)
    if not steps:
        raise InputError(
            f"{chosen.train_data}: {len(samples)} pictures do not fill a batch of {chosen.batch_size}; "
            "lower --batch-size, or take them with --no-drop-last"
        )
    return min(steps, chosen.steps_per_epoch or steps)


def _fit(
    chosen: Settings,
    samples: dataset.Dataset,
    evaluator: Any,
    system: Any,
    steps: int,
    start: Position,
    checkpoints: Checkpoints,
    about: Mapping[str, Any],
    workers: Any,
) -> set[str]:
    """Trains; the messages about pictures that were left out. An earlier run's networks go when there are new ones."""
    from historynet import weights
    from historynet.training import loop

    left_out = set()

    def report_broken(error: errors.PictureError) -> None:
        if str(error) not in left_out:
            left_out.add(str(error))
            print(f"left out: {error}", file=sys.stderr)

    def batches(epoch: int, used: int) -> Iterator[dataset.Batch]:
        order = range(len(samples))
        if chosen.shuffle:
            order = dataset.epoch_order(len(samples), chosen.seed, epoch)
        crop = None
        if chosen.crop_from is not None:
            crop = partial(dataset.random_crop, chosen.crop_from, chosen.image_size, chosen.seed, epoch)
        return dataset.batches(
            samples,
            system.fields,
            order,
            chosen.batch_size,
            chosen.image_size,
            report_broken if chosen.skip_broken else None,
            used,
            crop,
            (lambda count: workers.own_places(count, chosen.accumulate)) if workers.are_several else None,
        )

    def save(epoch: int) -> None:
        for name, network in system.networks.items():
            weights.save(network, system.architecture, chosen.model_dir / f"my_model_{name}Epoch{epoch}.keras")
        for path in chosen.model_dir.glob("my_model_*Epoch*.keras") if epoch == 0 else ():
            if not path.name.endswith("Epoch0.keras"):
                path.unlink(missing_ok=True)

    def checkpoint(position: Position) -> Path:
        path = checkpoints.path(position)
        if workers.is_chief:
            checkpoints.save(system, position, about)
        # Nobody goes on, or ends, before it is saved.
        workers.wait()
        return path

    with tempfile.TemporaryDirectory() as nowhere:
        plan = loop.Plan(
            epochs=chosen.num_epochs,
            steps_per_epoch=steps,
            batches=batches,
            evaluate=lambda epoch: evaluator(system, chosen.out_dir / f"Epoch{epoch}"),
            save=save,
            checkpoint=checkpoint,
            save_every=chosen.save_every,
            save_minutes=chosen.save_minutes,
            # The chief's are for all workers.
            log_dir=chosen.log_dir if workers.is_chief else Path(nowhere),
            out_dir=chosen.out_dir if workers.is_chief else Path(nowhere),
            seed=chosen.seed,
            accumulate=chosen.accumulate,
            jit=chosen.jit,
        )
        loop.train(system, plan, start)
    return left_out


def _show(chosen: Settings, samples: dataset.Dataset, evaluator: Any, system: Any, steps: int) -> None:
    print("settings")
    for name, value in settings.describe(chosen, settings.TRAIN):
        print(f"  {name:22} {value}")
    print("data")
    print(f"  {'training pictures':22} {len(samples)}, {steps} steps an epoch")
    if samples.labels is not None:
        print(
            f"  {'labels':22} {samples.has_label.sum()} pictures have one, {(~samples.has_label).sum()} have none, "
            f"{samples.unused_labels} lines for pictures that are not there"
        )
    if "parsing" in system.fields:
        missing = samples.parsing.count(None)
        print(f"  {'parsing pictures':22} {len(samples) - missing} pictures have one, {missing} have none")
    print(f"  {'test pictures':22} {len(evaluator)} colorized after each epoch")
    print("networks")
    for name, network in system.networks.items():
        print(f"  {name:22} {network.count_params():,} parameters")
    space = runs.disk_space(chosen, system)
    print(f"disk space in {chosen.model_dir}")
    print(f"  {'models':22} {space.models / 1e9:.2f} GB for {chosen.num_epochs} epochs")
    kept = chosen.keep_checkpoints
    print(f"  {'checkpoints':22} {space.checkpoints / 1e9:.2f} GB for {kept}, and one more while it is written")
    print(f"  {'there already':22} {space.there / 1e9:.2f} GB of these")
    print(f"  {'free':22} {space.free / 1e9:.2f} GB" + ("" if space.enough else ": not enough"))


def _colorize(config: Path, variant: str | None, argv: Sequence[str], root: Path | None = None) -> int:
    name = f"a trained {variant}" if variant else "a trained network of any variant"
    parser = settings.make_parser(f"Colorizes pictures with {name}.", settings.COLORIZE, config)
    _add_colorize_options(parser)
    # argparse itself forgets the "--" before names that begin with a dash when options may stand between names.
    end = argv.index("--") if "--" in argv else len(argv)
    arguments = parser.parse_intermixed_args(argv[:end])
    arguments.inputs += map(Path, argv[end + 1 :])
    chosen, _ = settings.resolve(arguments, config, root)
    _check_arithmetic(chosen)
    if not arguments.inputs and not chosen.test_dir.is_dir():
        raise InputError(
            f"{chosen.test_dir}: no such folder; put pictures there, name another with --test-dir, or name pictures on "
            "the command line"
        )
    images.make_folder(chosen.result_dir)
    device = backend.start(chosen.gpu_id, released_arithmetic=chosen.released_arithmetic)
    from PIL import Image

    from historynet import __version__, films, formats, weights
    from historynet.colorizer import (
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
    from historynet.pairing import SUFFIX

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
    print(_one_line(", ".join(counts)))
    for note, files in report.notes.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        print(_one_line(f"note: {files[0]}{more}: {note}"), file=sys.stderr)
    for reason in damage:
        print(_one_line(f"damaged: {reason}; the rest is done"), file=sys.stderr)
    for reason in report.skipped:
        print(_one_line(f"skipped: {reason}"), file=sys.stderr)
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
        print(_one_line(f"{result}: {of_film.continued} of its {of_film.frames} frames were there already"))
    for note in of_film.notes:
        report.notes.setdefault(note, []).append(path)
    return [f"{path}: {what}" for what in of_film.damage]


def _one_line(text: str) -> str:
    """A message with what a file's name may hold besides letters (line feeds, bytes that are no text) written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _add_colorize_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="*", type=Path, help="pictures, films, or folders of them (default: TEST_DIR)")
    group = parser.add_argument_group("files")
    group.add_argument("--recursive", action="store_true", help="walk folders; their tree is mirrored in RESULT_DIR")
    group.add_argument(
        "--format", choices=["jpg", "png", "tif", "webp", "same"], default="jpg", help="of the results (default: jpg)"
    )
    group.add_argument(
        "--quality", type=between(int, 1, 100), default=95, metavar="N", help="of JPEG and WebP files (default: 95)"
    )
    group.add_argument("--no-provenance", dest="provenance", action="store_false", help="no line in the EXIF data")
    group.add_argument(
        "--max-megapixels",
        type=between(float, 0.0001, 1000),
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
        type=between(float, 0, 2),
        default=1.0,
        metavar="X",
        help="factor on the predicted chrominance: 0 is gray, 1 as predicted (default: 1)",
    )
    group.add_argument(
        "--upsampling", choices=color.UPSAMPLINGS, default=color.BILINEAR, help="of the chrominance (default: bilinear)"
    )
    group.add_argument("--keep-colored", action="store_true", help="leave pictures alone that have colour already")
    group.add_argument("--compare", action="store_true", help="also write NAME_comparison.jpg, before and after")
    group = parser.add_argument_group("films")
    group.add_argument(
        "--preview", type=between(float, 0.01, 3600), metavar="SECONDS", help="only so much, into NAME_preview"
    )
    group.add_argument("--start", type=_seconds, default=0.0, metavar="TIME", help="seconds, or hours:minutes:seconds")
    group.add_argument("--end", type=_seconds, metavar="TIME", help="the same; of the film, not of the result")
    group.add_argument(
        "--steadiness",
        type=between(float, 0, 1),
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
        type=between(float, 0, 63),
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


def between(kind: type, lowest: float, highest: float) -> Callable[[str], float]:
    """What an option accepts that is a number in a range, ends included: argparse's `type`."""

    def number(text: str) -> float:
        value = kind(text)
        if not lowest <= value <= highest:
            raise ValueError
        return value

    number.__name__ = f"number from {lowest:g} to {highest:g}"
    return number


def _model_files(argv: Sequence[str]) -> int:
    parser = settings.Parser(prog="python -m historynet.weights", description="Says or changes what model files are.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    actions = parser.add_subparsers(dest="action", required=True)
    inspect = actions.add_parser("inspect", help="say which network a file holds, and list its arrays")
    inspect.add_argument("file", type=Path)
    convert = actions.add_parser("convert", help="turn a released .h5, or a .weights.h5, into a .keras file of ours")
    convert.add_argument("source", metavar="IN", type=Path)
    convert.add_argument("target", metavar="OUT.keras", type=Path)
    arguments = parser.parse_args(argv)
    backend.start("cpu")
    from historynet import weights

    if arguments.action == "inspect":
        weights.inspect(arguments.file)
    else:
        weights.convert(arguments.source, arguments.target)
    return errors.DONE


def comparison_parser(description: str) -> settings.Parser:
    """The options that the scripts which compare two folders share."""
    parser = settings.Parser(description=description, allow_abbrev=False)
    parser.add_argument("-d0", "--dir0", type=Path, required=True, metavar="ORIGINALS", help="folder of the originals")
    parser.add_argument(
        *("-d1", "--dir1"),
        type=Path,
        required=True,
        metavar="RESULTS",
        help="folder of the results: NAME_reconstructed.* or NAME.* for NAME.*",
    )
    parser.add_argument("--resize", action="store_true", help="resize results that are of another size")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write each pair's values")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write values, averages and counts")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def compare_folders(arguments: argparse.Namespace, report: Path | None = None, **measures: Any) -> int:
    """Compares two folders, prints and writes the report; the exit code.

    Args:
        arguments: of `comparison_parser`.
        report: a file for what is printed.
        measures: `convention` or `lpips` of `comparison.compare`.

    Raises:
        InputError: also if pictures of a pair differ in size; the report over the others has been given then.
    """
    from historynet.comparison import compare
    from historynet.pairing import pair_folders

    pairing = pair_folders(arguments.dir0, arguments.dir1)
    with tqdm(total=len(pairing.pairs), unit="pair", disable=None) as bar:
        comparison = compare(pairing, resize=arguments.resize, progress=bar.update, **measures)
    protocol = "; ".join(map(str, measures.values()))
    for reason in comparison.unreadable:
        print(f"skipped: {reason}", file=sys.stderr)
    for pair in comparison.different_size:
        print(f"different size: {pair}", file=sys.stderr)
    if comparison.scores:
        text = "\n".join([protocol, *comparison.report()])
        print(text, flush=True)
        if report:
            images.write_atomically(report, lambda path: path.write_text(text + "\n", encoding="utf-8"))
        if arguments.csv:
            comparison.write_csv(arguments.csv)
        if arguments.json:
            comparison.write_json(arguments.json, protocol)
    if comparison.different_size:
        raise InputError(
            f"{arguments.dir1}: results of another size than their originals: {len(comparison.different_size)}, which "
            "were not compared; --resize resizes them"
        )
    if not comparison.scores:
        raise InputError(f"{arguments.dir1}: no pair can be read")
    return errors.SKIPPED if comparison.unreadable else errors.DONE


def results_parser(description: str) -> settings.Parser:
    """The options of the scripts that take the results of several methods."""
    from historynet.tables import EXPERIMENTS

    parser = settings.Parser(description=description, allow_abbrev=False)
    parser.add_argument("experiment", choices=EXPERIMENTS, help="whose methods are recognised by their folders' names")
    parser.add_argument("folder", metavar="DIR", type=Path, help="holds the originals and a folder for each method")
    parser.add_argument("--originals", type=Path, metavar="DIR", help="folder of the originals, if it is elsewhere")
    parser.add_argument(
        "--method", action="append", default=[], metavar="NAME=DIR", help="results of a method; can be repeated"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def find_results(arguments: argparse.Namespace) -> tuple[Path, dict[str, Path]]:
    """The originals, and each method's folder of results, by the arguments of `results_parser`.

    Raises:
        InputError: if there are no originals or no method.
    """
    from historynet import tables

    experiment = tables.EXPERIMENTS[arguments.experiment]
    named = {tables.ORIGINALS: arguments.originals} if arguments.originals else {}
    for text in arguments.method:
        name, _, folder = text.partition("=")
        if not name or not folder:
            raise InputError(f"--method {text}: it takes NAME=DIR")
        named[tables.method_name(name, experiment)] = Path(folder)
    folders, others = tables.find_folders(arguments.folder, experiment, named)
    originals = folders.pop(tables.ORIGINALS, None)
    if originals is None:
        raise InputError(f"{arguments.folder}: no folder is called originals; name it with --originals")
    if not folders:
        raise InputError(f"{arguments.folder}: no folder of a known method; name them with --method NAME=DIR")
    used = {folder.resolve() for folder in (originals, *folders.values())}
    for path in others:
        if path.resolve() not in used:
            print(f"left out: {path.name} is no known method; --method NAME={path} adds it")
    return originals, tables.in_order(folders, experiment)


def find_lpips(use_gpu: bool) -> Any:
    """LPIPS with AlexNet, or None with a message where it is not installed."""
    from historynet.perceptual import Lpips

    try:
        return Lpips(use_gpu=use_gpu)
    except InputError as error:
        print(f"without LPIPS: {error}", file=sys.stderr)
        return None
