"""Epochs and steps of any system: progress, logs, curves, a look at the test pictures, saved networks, checkpoints."""

import contextlib
import math
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from historynet import files
from historynet.errors import InputError, NotFiniteError
from historynet.pictures import figures, images
from historynet.systems.system import System
from historynet.training.averaging import averaged
from historynet.training.checkpoints import Position
from historynet.training.history import EPOCHS, LOSSES, Table, is_finished
from historynet.training.stopping import Stop
from historynet.training.tensorflow_step import Step

_SMOOTHING = 100
"""Steps over which the shown losses and the drawn curves are averaged; fewer in short curves."""

_SCALARS_EVERY = 10
"""Steps between two TensorBoard scalars."""

_BEGINNING = Position()


class Batch(Protocol):
    """What the loop needs of a batch.

    Attributes:
        names: the samples' names, for error messages.
        end: how many samples of the epoch's order are used up with this batch.
        fields: what the system reads.
    """

    names: Sequence[str]
    end: int
    fields: Mapping[str, np.ndarray]


class Looks(Protocol):
    """What a look at the test pictures gives: scores by name, of which "psnr" chooses the best epoch, and a picture."""

    scores: Mapping[str, float]
    grid: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do besides updating.

    Attributes:
        epochs: passes over the data.
        steps_per_epoch: batches in a pass, at most.
        batches: (epoch, used) -> its batches, without those of the first `used` samples of its order.
        evaluate: epoch -> a look at the test pictures.
        save: epoch -> saves the networks.
        checkpoint: position -> saves all that is needed to go on from there; says where.
        save_every: updates from one checkpoint to the next; None: the time alone counts.
        save_minutes: time from one checkpoint to the next; None: the updates alone count.
        log_dir: TensorBoard's files, losses.csv, epochs.csv and losses.png.
        out_dir: the grids EpochN.png.
        seed: of the phases' random numbers.
        accumulate: parts that a batch is computed in.
        jit: whether XLA compiles the updates.

    Of several processes that train together, the chief alone evaluates and saves the networks; all of them go through
    `checkpoint` after the same updates.
    """

    epochs: int
    steps_per_epoch: int
    batches: Callable[[int, int], Iterable[Batch]]
    evaluate: Callable[[int], Looks]
    save: Callable[[int], None]
    checkpoint: Callable[[Position], Path]
    save_every: int | None
    save_minutes: float | None
    log_dir: Path
    out_dir: Path
    seed: int
    accumulate: int = 1
    jit: bool = False


def train(system: System, plan: Plan, start: Position = _BEGINNING) -> None:
    """Trains a system, epoch after epoch, numbered from 0.

    Args:
        system: what to train; of a continued training, as its checkpoint left it.
        plan: what to do besides.
        start: where the checkpoint was saved.

    Raises:
        NotFiniteError: if a loss is NaN or infinite; names it, the step and the batch's pictures.
        StoppedError: on SIGTERM and Ctrl-C in this process or another one of the training, after a checkpoint.
        WorkerLostError: if another process of the training has ended.
        InputError: if an epoch has no batch, or something cannot be written.
    """
    step = Step(system, plan.seed, plan.accumulate, plan.jit)
    workers = step.workers
    for folder in (plan.log_dir, plan.out_dir):
        files.make_folder(folder)
    _log_start(plan.log_dir, start.steps)
    writer = tf.summary.create_file_writer(str(plan.log_dir))
    with (
        writer.as_default(),
        Table(plan.log_dir / LOSSES, start.steps) as curves,
        Table(plan.log_dir / EPOCHS, start.epoch) as looks,
        Stop() as stop,
    ):
        checkpoints = _Schedule(plan, curves, start)
        if start.epoch and not start.epoch_steps and not is_finished(looks.columns, start.epoch - 1):
            with stop.at_once(checkpoints.kept):
                if workers.is_chief:
                    with averaged(system):
                        _end_epoch(start.epoch - 1, plan, curves, looks)
        position = start
        for epoch in range(start.epoch, plan.epochs):
            progress = Progress(epoch, plan, position.epoch_steps)
            left = max(0, plan.steps_per_epoch - position.epoch_steps)
            for batch in islice(plan.batches(epoch, position.samples), left):
                try:
                    losses = step(batch.fields, position.steps, len(batch.names))
                except NotFiniteError as error:
                    raise NotFiniteError(
                        f"{error}; its pictures: {', '.join(batch.names)}; {checkpoints.kept}. A lower "
                        "--learning-rate may help"
                    ) from None
                curves.add({"epoch": epoch, "step": position.steps} | losses)
                if position.steps % _SCALARS_EVERY == 0:
                    with _writing(plan.log_dir):
                        for name, value in losses.items():
                            tf.summary.scalar(f"losses/{name}", value, position.steps)
                position = Position(epoch, position.epoch_steps + 1, batch.end, position.steps + 1)
                progress.show(losses, len(batch.names))
                requested, due = workers.exchange([stop.requested or 0, checkpoints.due(position)]).max(axis=0)
                stop.heed(requested)
                # The last one of an epoch is saved as the start of the next.
                if position.epoch_steps < plan.steps_per_epoch and (requested or due):
                    checkpoints.save(position)
                    if requested:
                        stop.check(checkpoints.kept)
            progress.close()
            if not progress.steps:
                raise InputError("there is no training picture that can be read")
            position = Position(epoch + 1, 0, 0, position.steps)
            checkpoints.save(position)
            with stop.at_once(checkpoints.kept):
                if workers.is_chief:
                    with averaged(system):
                        _end_epoch(epoch, plan, curves, looks)
        # A worker that ends before the chief's last look is a lost one.
        workers.wait()


class _Schedule:
    """Saves checkpoints when they are due, and the table of losses with them."""

    def __init__(self, plan: Plan, curves: Table, start: Position):
        self._plan = plan
        self._curves = curves
        self._saved = time.monotonic()
        self.kept = f"what this start continued from ({start}) is kept" if start.steps else "nothing was saved yet"

    def due(self, position: Position) -> bool:
        every, minutes = self._plan.save_every, self._plan.save_minutes
        return bool(every and position.steps % every == 0) or bool(
            minutes and time.monotonic() - self._saved >= 60 * minutes
        )

    def save(self, position: Position) -> None:
        # A continued run finds the losses of all steps before its checkpoint.
        self._curves.flush()
        self.kept = f"{self._plan.checkpoint(position)} ({position}) is kept, start again to continue"
        self._saved = time.monotonic()
        with _writing(self._plan.log_dir):
            tf.summary.flush()


@contextlib.contextmanager
def _writing(log_dir: Path) -> Iterator[None]:
    """Names the folder if TensorFlow cannot write its logs there: to TensorFlow a full disk is an exhausted memory."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0].split("; ")[-1]
        raise InputError(f"{log_dir}: TensorBoard's files cannot be written ({reason})") from None


def _log_start(log_dir: Path, step: int) -> None:
    """Tells TensorBoard that what earlier starts, if any, logged from this step on is lost or will be logged again."""
    writer = EventFileWriter(str(log_dir))
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    writer.add_event(event_pb2.Event(wall_time=time.time(), step=step, session_log=start))
    writer.close()


def _end_epoch(epoch: int, plan: Plan, curves: Table, looks: Table) -> None:
    """Saves the networks, draws the curves, logs, writes and prints a look at the test pictures."""
    plan.save(epoch)
    losses = {name: values for name, values in curves.columns.items() if name not in ("epoch", "step")}
    figures.plot_curves(losses, plan.log_dir / "losses.png", _SMOOTHING)
    look = plan.evaluate(epoch)
    images.write_rgb(plan.out_dir / f"Epoch{epoch}.png", look.grid)
    best, psnr = epoch, look.scores["psnr"]
    if looks.columns:
        earlier = int(looks.columns["best_epoch"][-1])
        earlier_psnr = looks.columns["psnr"][looks.columns["epoch"].index(earlier)]
        if psnr <= earlier_psnr:
            best, psnr = earlier, earlier_psnr
    with _writing(plan.log_dir):
        for name, value in (dict(look.scores) | {"best_epoch": best}).items():
            tf.summary.scalar(f"test/{name}", value, epoch)
        tf.summary.image("test/pictures", look.grid[None], epoch)
        tf.summary.flush()
    looks.add({"epoch": epoch} | dict(look.scores) | {"best_epoch": best})
    looks.flush()
    scores = "  ".join(f"{name} {value:.4g}" for name, value in look.scores.items())
    mark = "best so far" if best == epoch else f"best: Epoch{best} with PSNR {psnr:.4g}"
    print(f"Epoch{epoch}: {scores}  ({mark})", flush=True)


class Progress:
    """The line that shows how far an epoch is: rewritten in place on a terminal, else a new one every ten seconds."""

    def __init__(self, epoch: int, plan: Plan, steps: int = 0):
        self.steps = steps
        self._epoch = epoch
        self._plan = plan
        self._recent = deque(maxlen=_SMOOTHING)
        self._times = deque([(time.monotonic(), 0)], maxlen=20)
        self._terminal = sys.stdout.isatty()
        self._shown = -math.inf
        self._shown_step = steps

    def show(self, losses: Mapping[str, float], pictures: int) -> None:
        self.steps += 1
        self._recent.append(losses)
        self._times.append((time.monotonic(), self._times[-1][1] + pictures))
        now = self._times[-1][0]
        if now - self._shown >= (0.2 if self._terminal else 10):
            self._shown = now
            self._print()

    def close(self) -> None:
        if self._shown_step < self.steps:
            self._print()
        if self._terminal:
            print()

    def _print(self) -> None:
        self._shown_step = self.steps
        (first, before), (last, after) = self._times[0], self._times[-1]
        rate = (after - before) / (last - first)
        epochs, steps = self._plan.epochs, self._plan.steps_per_epoch
        seconds = ((epochs - self._epoch) * steps - self.steps) * (last - first)
        left = round(seconds / max(1, len(self._times) - 1))
        means = {name: np.mean([losses[name] for losses in self._recent]) for name in self._recent[-1]}
        line = (
            f"Epoch{self._epoch} ({self._epoch + 1}/{epochs})  step {self.steps}/{steps}"
            f"  {rate:.1f} images/s  {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left  "
            + "  ".join(f"{name} {value:.4g}" for name, value in means.items())
        )
        if self._terminal:
            # A line that wraps could not be rewritten.
            print("\r\033[K" + line[: shutil.get_terminal_size().columns - 1], end="", flush=True)
        else:
            print(line, flush=True)
