"""Epochs and steps of any system: progress, logs, curves, a look at the test pictures, saved networks."""

import csv
import math
import shutil
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf

from historynet import figures, images
from historynet.errors import InputError, NotFiniteError
from historynet.systems.system import System
from historynet.training.step import Step

_SMOOTHING = 100
"""Steps over which the shown losses and the drawn curves are averaged; fewer in short curves."""

_SCALARS_EVERY = 10
"""Steps between two TensorBoard scalars."""


class Batch(Protocol):
    """What the loop needs of a batch: the samples' names, for error messages, and the fields."""

    names: Sequence[str]
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
        batches: epoch -> its batches.
        evaluate: epoch -> a look at the test pictures.
        save: epoch -> saves the networks.
        log_dir: TensorBoard's files, losses.csv, epochs.csv and losses.png.
        out_dir: the grids EpochN.png.
        seed: of the phases' random numbers.
    """

    epochs: int
    steps_per_epoch: int
    batches: Callable[[int], Iterable[Batch]]
    evaluate: Callable[[int], Looks]
    save: Callable[[int], None]
    log_dir: Path
    out_dir: Path
    seed: int


def train(system: System, plan: Plan) -> None:
    """Trains a system, epoch after epoch, numbered from 0.

    Raises:
        NotFiniteError: if a loss is NaN or infinite; names it, the step and the batch's pictures.
        InputError: if an epoch has no batch, or something cannot be written.
    """
    step = Step(system, plan.seed)
    curves, best, steps = {}, None, 0
    for folder in (plan.log_dir, plan.out_dir):
        images.make_folder(folder)
    writer = tf.summary.create_file_writer(str(plan.log_dir))
    with writer.as_default(), (plan.log_dir / "losses.csv").open("w", newline="") as table:
        for epoch in range(plan.epochs):
            progress = Progress(epoch, plan)
            for batch in islice(plan.batches(epoch), plan.steps_per_epoch):
                try:
                    losses = step(batch.fields, steps)
                except NotFiniteError as error:
                    raise NotFiniteError(
                        f"{error}; its pictures: {', '.join(batch.names)}. The networks of earlier epochs are "
                        "kept. A lower --learning-rate may help"
                    ) from None
                if not steps:
                    curves = {name: array("d") for name in losses}
                    rows = csv.DictWriter(table, ["epoch", "step", *losses])
                    rows.writeheader()
                rows.writerow({"epoch": epoch, "step": steps} | losses)
                for name, value in losses.items():
                    curves[name].append(value)
                    if steps % _SCALARS_EVERY == 0:
                        tf.summary.scalar(f"losses/{name}", value, steps)
                steps += 1
                progress.show(losses, len(batch.names))
            progress.close()
            if not progress.steps:
                raise InputError("there is no training picture that can be read")
            plan.save(epoch)
            table.flush()
            figures.plot_curves(curves, plan.log_dir / "losses.png", _SMOOTHING)
            looks = plan.evaluate(epoch)
            best = _log_looks(looks, epoch, best, plan)
            writer.flush()


def _log_looks(looks: Looks, epoch: int, best: tuple[float, int] | None, plan: Plan) -> tuple[float, int]:
    """Logs, writes and prints a look at the test pictures; the best PSNR so far and its epoch."""
    for name, value in looks.scores.items():
        tf.summary.scalar(f"test/{name}", value, epoch)
    tf.summary.image("test/pictures", looks.grid[None], epoch)
    images.write_rgb(plan.out_dir / f"Epoch{epoch}.png", looks.grid)
    if best is None or not looks.scores["psnr"] <= best[0]:
        best = (looks.scores["psnr"], epoch)
    tf.summary.scalar("test/best_epoch", best[1], epoch)
    path = plan.log_dir / "epochs.csv"
    with path.open("w" if epoch == 0 else "a", newline="") as table:
        rows = csv.DictWriter(table, ["epoch", *looks.scores, "best_epoch"])
        if epoch == 0:
            rows.writeheader()
        rows.writerow({"epoch": epoch} | dict(looks.scores) | {"best_epoch": best[1]})
    scores = "  ".join(f"{name} {value:.4g}" for name, value in looks.scores.items())
    mark = "best so far" if best[1] == epoch else f"best: Epoch{best[1]} with PSNR {best[0]:.4g}"
    print(f"Epoch{epoch}: {scores}  ({mark})", flush=True)
    return best


class Progress:
    """The line that shows how far an epoch is: rewritten in place on a terminal, else a new one every ten seconds."""

    def __init__(self, epoch: int, plan: Plan):
        self.steps = 0
        self._epoch = epoch
        self._plan = plan
        self._recent = deque(maxlen=_SMOOTHING)
        self._times = deque([(time.monotonic(), 0)], maxlen=20)
        self._terminal = sys.stdout.isatty()
        self._shown = -math.inf
        self._shown_step = 0

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
