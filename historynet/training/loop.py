"""Epochs and steps of any system: logs, curves, evaluations, saved networks, checkpoints."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from historynet import files, parallel
from historynet.errors import InputError, NotFiniteError
from historynet.pictures import figures, images
from historynet.systems.system import Evaluation, System
from historynet.training.averaging import averaged
from historynet.training.checkpoints import Position
from historynet.training.history import EPOCHS, LOSSES, Table, is_finished
from historynet.training.progress import SMOOTHING, Progress
from historynet.training.stopping import Stop
from historynet.training.tensorboard_log import TensorBoardLog

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


class Step(Protocol):
    """One update of the system, by whichever engine.

    Attributes:
        workers: the processes that train together (`historynet.training.strategy.Workers`).
    """

    workers: "Workers"

    def place(self, fields: Mapping[str, np.ndarray], samples: int | None = None) -> Any:
        """Begins to send a batch to the devices; what it gives is the fields for a call."""

    def __call__(self, fields: Any, step: int, samples: int | None = None) -> dict[str, float]:
        """Updates the networks; the losses by name.

        Args:
            fields: of this process's samples, as they are or as `place` made them.
            step: number of the update.
            samples: of the whole batch.
        """


class Workers(Protocol):
    """The processes that train together, mostly one.

    Attributes:
        is_chief: whether this is the process that writes files.
    """

    is_chief: bool

    def exchange(self, numbers: Sequence[int]) -> np.ndarray:
        """Waits for all workers to come here; everybody's numbers, (workers, len(numbers)), the chief's first."""

    def wait(self) -> None:
        """Waits for all workers to come here."""


class Run(Protocol):
    """What surrounds the updates: the data, and what becomes of the networks.

    Of several processes that train together, the chief alone evaluates and saves the networks; all of them go through
    `save_checkpoint` after the same updates.
    """

    def batches(self, epoch: int, used: int) -> Iterable[Batch]:
        """The batches of an epoch, without those of the first `used` samples of its order."""

    def evaluate(self, epoch: int) -> Evaluation:
        """Evaluates the networks as they are after an epoch."""

    def save_networks(self, epoch: int) -> None:
        """Saves the networks after an epoch, if they are to be saved after this one."""

    def save_checkpoint(self, position: Position) -> Path:
        """Saves all that is needed to go on from there; says where."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to train, and what to do when.

    Attributes:
        epochs: passes over the data.
        steps_per_epoch: batches in a pass, at most.
        save_every: updates from one checkpoint to the next; None: the time alone counts.
        save_minutes: time from one checkpoint to the next; None: the updates alone count.
        log_dir: TensorBoard's files, losses.csv, epochs.csv and losses.png.
        out_dir: the pictures EpochN.png.
    """

    epochs: int
    steps_per_epoch: int
    save_every: int | None
    save_minutes: float | None
    log_dir: Path
    out_dir: Path


def train(system: System, step: Step, plan: Plan, run: Run, start: Position = _BEGINNING) -> None:
    """Trains a system, epoch after epoch, numbered from 0.

    Args:
        system: what to train; of a continued training, as its checkpoint left it.
        step: updates it.
        plan: how long.
        run: the data, and what becomes of the networks.
        start: where the checkpoint was saved.

    Raises:
        NotFiniteError: if a loss is NaN or infinite; names it, the step and the batch's pictures.
        StoppedError: on SIGTERM and Ctrl-C in this process or another one of the training, after a checkpoint.
        WorkerLostError: if another process of the training has ended.
        InputError: if an epoch has no batch, or something cannot be written.
    """
    for folder in (plan.log_dir, plan.out_dir):
        files.make_folder(folder)
    with (
        TensorBoardLog(plan.log_dir, start.steps) as log,
        Table(plan.log_dir / LOSSES, start.steps) as losses,
        Table(plan.log_dir / EPOCHS, start.epoch) as evaluations,
        Stop() as stop,
    ):
        _Training(system, step, plan, run, log, losses, evaluations, stop, start).go_on(start)
        # A worker that ends before the chief's last evaluation is a lost one.
        step.workers.wait()


class _Training:
    """A training under way: its files are open, its signals are noted."""

    def __init__(
        self,
        system: System,
        step: Step,
        plan: Plan,
        run: Run,
        log: TensorBoardLog,
        losses: Table,
        evaluations: Table,
        stop: Stop,
        start: Position,
    ):
        self._system, self._step, self._plan, self._run = system, step, plan, run
        self._log, self._losses, self._evaluations, self._stop = log, losses, evaluations, stop
        self._last_save = time.monotonic()
        self._saved = f"what this start continued from ({start}) is kept" if start.steps else "nothing was saved yet"

    def go_on(self, position: Position) -> None:
        """Trains from a position to the end."""
        between_epochs = position.epoch and not position.epoch_steps
        if between_epochs and not is_finished(self._evaluations.columns, position.epoch - 1):
            self._end_epoch(position.epoch - 1)
        for epoch in range(position.epoch, self._plan.epochs):
            position = self._train_epoch(epoch, position)
            self._save_checkpoint(position)
            self._end_epoch(epoch)

    def _train_epoch(self, epoch: int, position: Position) -> Position:
        """Makes the updates of an epoch that are still to be made; where the next epoch begins."""
        plan = self._plan
        progress = Progress(epoch, plan.epochs, plan.steps_per_epoch, position.epoch_steps)
        remaining = max(0, plan.steps_per_epoch - position.epoch_steps)
        for batch, fields in self._placed(islice(self._run.batches(epoch, position.samples), remaining)):
            losses = self._update(batch, fields, position)
            position = Position(epoch, position.epoch_steps + 1, batch.end, position.steps + 1)
            progress.show(losses, len(batch.names))
            # All workers save, or stop, after the same update.
            requested, due = self._step.workers.exchange([self._stop.requested or 0, self._is_due(position)]).max(
                axis=0
            )
            self._stop.heed(requested)
            # The last one of an epoch is saved as the start of the next.
            if position.epoch_steps < plan.steps_per_epoch and (requested or due):
                self._save_checkpoint(position)
                if requested:
                    self._stop.check(self._saved)
        progress.close()
        if not progress.steps:
            raise InputError("there is no training picture that can be read")
        return Position(epoch + 1, 0, 0, position.steps)

    def _placed(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Any]]:
        """Batches, joined and on their way to the devices while those before are computed."""
        placed = ((batch, self._step.place(batch.fields, len(batch.names))) for batch in batches)
        return parallel.in_background(placed, 2)

    def _update(self, batch: Batch, fields: Any, position: Position) -> dict[str, float]:
        try:
            losses = self._step(fields, position.steps, len(batch.names))
        except NotFiniteError as error:
            raise NotFiniteError(
                f"{error}; its pictures: {', '.join(batch.names)}; {self._saved}. A lower --learning-rate may help"
            ) from error
        self._losses.add({"epoch": position.epoch, "step": position.steps} | losses)
        if position.steps % _SCALARS_EVERY == 0:
            self._log.add_scalars({f"losses/{name}": value for name, value in losses.items()}, position.steps)
        return losses

    def _is_due(self, position: Position) -> bool:
        every, minutes = self._plan.save_every, self._plan.save_minutes
        return bool(every and position.steps % every == 0) or bool(
            minutes and time.monotonic() - self._last_save >= 60 * minutes
        )

    def _save_checkpoint(self, position: Position) -> None:
        # A continued run finds the losses of all steps before its checkpoint.
        self._losses.flush()
        self._saved = f"{self._run.save_checkpoint(position)} ({position}) is kept, start again to continue"
        self._last_save = time.monotonic()
        self._log.flush()

    def _end_epoch(self, epoch: int) -> None:
        """Saves the networks, draws the curves, evaluates, logs; a signal need not wait for it."""
        with self._stop.at_once(self._saved):
            if not self._step.workers.is_chief:
                return
            with averaged(self._system):
                self._run.save_networks(epoch)
                losses = {
                    name: values for name, values in self._losses.columns.items() if name not in ("epoch", "step")
                }
                # None where an evaluation is made up for whose losses' table is not there any more.
                if losses:
                    figures.plot_curves(losses, self._plan.log_dir / "losses.png", SMOOTHING)
                self._note(epoch, self._run.evaluate(epoch))

    def _note(self, epoch: int, evaluation: Evaluation) -> None:
        """Writes, logs and prints an evaluation."""
        if evaluation.picture is not None:
            images.write_rgb(self._plan.out_dir / f"Epoch{epoch}.png", evaluation.picture)
            self._log.add_picture("test/pictures", evaluation.picture, epoch)
        best, best_value = self._best(epoch, evaluation.scores)
        scores = {**evaluation.scores, "best_epoch": best}
        self._log.add_scalars({f"test/{name}": value for name, value in scores.items()}, epoch)
        self._log.flush()
        self._evaluations.add({"epoch": epoch} | scores)
        self._evaluations.flush()
        shown = "  ".join(f"{name} {value:.4g}" for name, value in evaluation.scores.items())
        name = self._system.score.name
        mark = "best so far" if best == epoch else f"best: Epoch{best} with {name} {best_value:.4g}"
        print(f"Epoch{epoch}: {shown}  ({mark})", flush=True)

    def _best(self, epoch: int, scores: Mapping[str, float]) -> tuple[int, float]:
        """The best epoch so far, and the value of its score."""
        score, columns = self._system.score, self._evaluations.columns
        value = scores[score.name]
        if columns:
            best = int(columns["best_epoch"][-1])
            best_value = columns[score.name][columns["epoch"].index(best)]
            if not score.is_better(value, best_value):
                return best, best_value
        return epoch, value
