"""One start of a training: what is trained, on what, from where, and what becomes of it."""

import contextlib
import dataclasses
import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from historynet import files
from historynet.data import batches, varying
from historynet.data.batches import Batch
from historynet.data.samples import OpenReader, Samples, fingerprint, steps_per_epoch
from historynet.errors import InputError, PictureError
from historynet.settings import TRAIN, Settings, as_json, describe
from historynet.systems import loading
from historynet.systems.system import Evaluation, Evaluator, System
from historynet.training import loop, runs
from historynet.training.checkpoints import Checkpoints, Position, restore
from historynet.training.engine import Step, Workers
from historynet.training.evaluation import ColorizedPictures
from historynet.weights import run_files

Build = Callable[[Settings, Mapping[str, OpenReader]], System]
"""(settings, the fields of a batch and who reads them) -> what is trained."""


class Session:
    """Trains a system as its settings say. To `training.loop` it is the run.

    The engine must have been started (`historynet.backend.start`).

    Args:
        program: name of the trainer, which its checkpoints hold.
        settings: of the run.
        samples: of the training.
        fields: of a batch, and who reads them.
        build: makes the system.

    Raises:
        InputError: if the samples do not fill a batch, a batch is too small for the devices, or a file stands where a
            folder is to be made.
    """

    def __init__(
        self, program: str, settings: Settings, samples: Samples, fields: Mapping[str, OpenReader], build: Build
    ):
        self._settings, self._samples, self._fields, self._build = settings, samples, fields, build
        self._description = {
            "program": program,
            "settings": as_json(settings),
            "pictures": fingerprint(samples.names),
            "engine": keras.backend.backend(),
        }
        self._steps = steps_per_epoch(settings, samples)
        self._weights = None
        if settings.sample_weights is not None:
            self._weights = varying.read_weights(settings.sample_weights, samples.names)
            self._description["pictures"] = fingerprint([*samples.names, *map(str, self._weights)])
        self._checkpoints = Checkpoints(settings.model_dir / run_files.CHECKPOINTS, settings.keep_checkpoints)
        self._folders = settings.model_dir, self._checkpoints.folder, settings.out_dir, settings.log_dir
        for folder in self._folders:
            files.check_folder(folder)
        self._workers = Workers()
        replicas = self._workers.replicas
        if settings.batch_size < settings.accumulate * replicas:
            raise InputError(
                f"--batch-size {settings.batch_size}: {replicas} devices and --accumulate {settings.accumulate} need "
                "at least a picture for each device and part; it is the number of pictures in all of them together"
            )
        self._system: System | None = None
        self._evaluator: Evaluator | None = None
        self._left_out: set[str] = set()

    def show(self, fresh: bool) -> None:
        """Prints settings, data, networks, disk space, and from where a training would start.

        Args:
            fresh: whether the run would start over.

        Raises:
            InputError: if something is wrong with them, or the run could not go on from what there is.
        """
        settings = self._settings
        problem, start, finished = None, None, ""
        try:
            runs.check_unlocked(settings.model_dir)
            start, finished = self._find_start(fresh)
        except InputError as error:
            # Said in its place, after the rest.
            problem = error
        self._make_system()
        print("settings")
        for name, value in describe(settings, TRAIN):
            print(f"  {name:22} {value}")
        print("data")
        print(f"  {'training pictures':22} {len(self._samples)}, {self._steps} steps an epoch")
        for reader in self._samples.readers:
            if reader.present is not None:
                present, absent = reader.present.sum(), (~reader.present).sum()
                remarks = f", {reader.remarks}" if reader.remarks else ""
                print(f"  {reader.noun + 's':22} {present} pictures have one, {absent} have none{remarks}")
        print(f"  {'test pictures':22} {len(self._evaluator)} for the evaluation after each epoch")
        print("networks")
        for name, network in self._system.networks.items():
            print(f"  {name:22} {network.count_params():,} parameters")
        space = runs.disk_space(settings, self._system, self._checkpoints)
        print(f"disk space in {settings.model_dir}")
        print(f"  {'models':22} {space.models / 1e9:.2f} GB for {settings.num_epochs} epochs")
        number = settings.keep_checkpoints
        print(f"  {'checkpoints':22} {space.checkpoints / 1e9:.2f} GB for {number}, and one more while it is written")
        print(f"  {'already used':22} {space.existing / 1e9:.2f} GB of these")
        print(f"  {'free':22} {space.free / 1e9:.2f} GB" + ("" if space.enough else ": not enough"))
        print("start", flush=True)
        if problem:
            raise problem
        new = "a new run, in place of another" if space.existing else "a new run"
        lines = [finished] if finished else _describe(start) or [new]
        print(*(f"  {line}" for line in lines), sep="\n")

    def train(self, written: Mapping[str, Any], device: str, fresh: bool) -> bool:
        """Trains to the end of the last epoch, from the newest checkpoint on if there is one.

        Args:
            written: the settings as they were written, to be saved with the run.
            device: what the program runs on, for the record.
            fresh: whether the run is to start over.

        Returns:
            Whether pictures were left out, of training or of evaluation; all are named on the standard error stream.

        Raises:
            InputError: if the run cannot go on from what there is, or something cannot be read or written.
            NotFiniteError, StoppedError, WorkerLostError: as `loop.train`.
        """
        settings, is_chief = self._settings, self._workers.is_chief
        with runs.lock(settings.model_dir) if is_chief else contextlib.nullcontext():
            start, finished = self._find_start(fresh)
            if self._agree(start.position, bool(finished)):
                print(finished)
                return False
            self._make_system()
            self._check_space()
            if is_chief:
                epoch = {"steps": self._steps, "batch_size": settings.batch_size, "pictures": len(self._samples)}
                runs.record_start(settings.model_dir, written, device, start, epoch)
                for folder in self._folders:
                    files.make_folder(folder)
                    files.remove_unfinished(folder)
            self._print_start()
            self._restore(start)
            self._train_from(start.position)
        for message in self._evaluator.left_out:
            print(f"left out of the test pictures: {message}", file=sys.stderr)
        if self._left_out:
            print(f"{len(self._left_out)} training pictures could not be read and were left out")
        return bool(self._left_out or self._evaluator.left_out)

    def batches(self, epoch: int, used: int) -> Iterator[Batch]:
        """The batches of an epoch, as `loop.Run` has them."""
        settings, workers = self._settings, self._workers
        return batches.of_epoch(
            settings,
            self._samples,
            self._weights,
            epoch,
            used,
            self._report_broken if settings.skip_broken else None,
            (lambda count: workers.own_places(count, settings.accumulate)) if workers.are_several else None,
        )

    def evaluate(self, epoch: int) -> Evaluation:
        """Evaluates the networks as they are."""
        return self._evaluator(self._system, self._settings.out_dir / f"Epoch{epoch}")

    def save_networks(self, epoch: int) -> None:
        """Saves the networks after every SAVE_NETWORKS_EVERY epochs and the last one.

        An earlier run's networks go when there are new ones.
        """
        settings, every = self._settings, self._settings.save_networks_every
        if (epoch + 1) % every and epoch + 1 < settings.num_epochs:
            return
        for name, network in self._system.networks.items():
            path = run_files.model_path(settings.model_dir, name, epoch)
            loading.save(network, self._system.name, self._system.architecture, path)
        runs.remove_replaced(settings.model_dir, epoch)

    def save_checkpoint(self, position: Position) -> Path:
        """Saves all that is needed to go on from a position; all workers wait until it is on the disk."""
        if self._workers.is_chief:
            self._checkpoints.save(self._system, position, self._description)
        # Nobody goes on, or ends, before it is saved.
        self._workers.wait()
        return self._checkpoints.path(position)

    def _make_system(self) -> None:
        test_data = self._settings.test_data
        if test_data is not None and not test_data.is_dir():
            # Before networks are made, and VGG16 is perhaps downloaded.
            raise InputError(
                f"{test_data}: no such folder; put the test pictures there or name another with --test-data"
            )
        self._system = self._build(self._settings, self._fields)
        loading.check_system(self._system)
        self._evaluator = self._system.evaluator
        if self._evaluator is None:
            if not hasattr(self._system, "decode"):
                raise TypeError(f"{self._system.name} does not colorize: it needs an evaluator of its own")
            self._evaluator = ColorizedPictures(self._settings, self._fields)

    def _find_start(self, fresh: bool) -> tuple[runs.StartingPoint, str]:
        """From where the run starts; and a line that says so if there is nothing left to train.

        Raises:
            InputError: if it cannot go on from what there is.
        """
        start = runs.find_start(self._checkpoints, self._settings, self._description, fresh)
        epochs = start.position.epoch
        if epochs < self._settings.num_epochs or not runs.is_evaluated(self._settings, epochs - 1):
            return start, ""
        return start, (
            f"{start.checkpoint.path}: this run is finished after {epochs} epochs; a higher --num-epochs continues it, "
            "--fresh starts over"
        )

    def _agree(self, start: Position, finished: bool) -> bool:
        """Sees that all workers are about to do the same; whether the chief says that the run is finished.

        Raises:
            InputError: if they differ in the settings or the names of the pictures, or would continue from different
                places.
        """
        compared = {
            "settings": self._description["settings"],
            "program and training pictures": (self._description["program"], self._description["pictures"]),
            "checkpoints (MODEL_DIR must be one folder, shared by all machines)": dataclasses.astuple(start),
        }
        numbers = [zlib.crc32(json.dumps(value).encode()) for value in compared.values()]
        *columns, chiefs = self._workers.exchange([*numbers, finished]).T
        for what, column in zip(compared, columns, strict=True):
            if len(set(column)) > 1:
                raise InputError(f"--strategy multiworker: the workers differ in their {what}; start all of them alike")
        return bool(chiefs[0])

    def _check_space(self) -> None:
        space = runs.disk_space(self._settings, self._system, self._checkpoints)
        if self._workers.is_chief and not space.enough:
            raise InputError(
                f"{self._settings.model_dir}: {space.needed / 1e9:.2f} GB are needed there (--dry-run says for what) "
                f"and {space.free / 1e9:.2f} GB are free; free some, lower --keep-checkpoints or --num-epochs, raise "
                "--save-networks-every, or name another place with --model-dir"
            )

    def _print_start(self) -> None:
        known = "".join(
            f", {reader.present.sum()} with a {reader.noun}"
            for reader in self._samples.readers
            if reader.present is not None
        )
        print(
            f"{len(self._samples)} pictures{known}; {self._steps} steps an epoch; networks go to "
            f"{self._settings.model_dir}",
            flush=True,
        )

    def _restore(self, start: runs.StartingPoint) -> None:
        if start.checkpoint is None:
            if self._workers.is_chief:
                self._checkpoints.clear()
            return
        print(*_describe(start), sep="\n", flush=True)
        restore(start.checkpoint, self._system)

    def _train_from(self, position: Position) -> None:
        settings, is_chief = self._settings, self._workers.is_chief
        with tempfile.TemporaryDirectory() as nowhere:
            plan = loop.Plan(
                epochs=settings.num_epochs,
                steps_per_epoch=self._steps,
                save_every=settings.save_every,
                save_minutes=settings.save_minutes,
                # The chief's are for all workers.
                log_dir=settings.log_dir if is_chief else Path(nowhere),
                out_dir=settings.out_dir if is_chief else Path(nowhere),
            )
            step = Step(self._system, settings.seed, settings.accumulate, settings.jit)
            loop.train(self._system, step, plan, self, position)

    def _report_broken(self, error: PictureError) -> None:
        if str(error) not in self._left_out:
            self._left_out.add(str(error))
            print(f"left out: {error}", file=sys.stderr)


def _describe(start: runs.StartingPoint) -> list[str]:
    """Lines about the checkpoint that a run goes on from, and what changed since."""
    checkpoint = start.checkpoint
    if checkpoint is None:
        return []
    return [f"continuing from {checkpoint.path}: {checkpoint.position}", *(f"  {note}" for note in start.notes)]
