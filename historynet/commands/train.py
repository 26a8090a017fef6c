"""The command line of the trainers."""

import contextlib
import dataclasses
import json
import math
import runpy
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from historynet import backend, errors, files, settings
from historynet.commands import running
from historynet.data import dataset
from historynet.errors import InputError
from historynet.settings import Settings
from historynet.training import runs
from historynet.training.checkpoints import Checkpoints, Position, restore

Build = Callable[[Settings, Sequence[str]], Any]
"""From the settings and the fields of a sample to a system (`historynet.systems.system.System`)."""


def main(script: str, build: Build) -> None:
    """A trainer's command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the trainer; config.py and dataclass.py stand beside it.
        build: makes what is trained.
    """
    config = Path(script).resolve().with_name("config.py")
    running.run(lambda argv: _train(config, build, argv))


def _train(config: Path, build: Build, argv: Sequence[str]) -> int:
    parser = settings.make_parser(f"Trains {config.parent.name}'s networks.", settings.TRAIN, config)
    parser.add_argument("--dry-run", action="store_true", help="show settings, data, networks and disk space, and stop")
    parser.add_argument(
        "--fresh", action="store_true", help="start over: remove MODEL_DIR's checkpoints and replace its models"
    )
    arguments = parser.parse_args(argv)
    chosen, as_written = settings.resolve(arguments, config)
    _check_together(chosen)
    check_arithmetic(chosen)
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
                files.remove_unfinished(folder)
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


def check_arithmetic(chosen: Settings) -> None:
    """Refuses the released arithmetic in another precision."""
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
    from historynet.training.evaluation import Evaluator

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
    from historynet.systems import loading as weights
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
