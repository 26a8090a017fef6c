"""The line that shows how far an epoch is."""

import math
import shutil
import sys
import time
from collections import deque
from collections.abc import Mapping

import numpy as np

from historynet.streams import SECONDS_BETWEEN

SMOOTHING = 100
"""Steps over which the shown losses and the drawn curves are averaged; fewer in short curves."""


class Progress:
    """The line that shows how far an epoch is: rewritten in place on a terminal, else a new one every 30 seconds.

    Args:
        epoch: its number, from 0.
        epochs: of the training.
        steps_per_epoch: batches in an epoch.
        steps: batches of this epoch that earlier starts have used.

    Attributes:
        steps: batches of this epoch that are used.
    """

    def __init__(self, epoch: int, epochs: int, steps_per_epoch: int, steps: int = 0):
        self.steps = steps
        self._epoch, self._epochs, self._steps_per_epoch = epoch, epochs, steps_per_epoch
        self._recent = deque(maxlen=SMOOTHING)
        self._times = deque([(time.monotonic(), 0)], maxlen=20)
        self._terminal = sys.stdout.isatty()
        self._shown = -math.inf
        self._shown_step = steps

    def show(self, losses: Mapping[str, float], pictures: int) -> None:
        """Counts a batch and its pictures, and shows the line if it is time to."""
        self.steps += 1
        self._recent.append(losses)
        self._times.append((time.monotonic(), self._times[-1][1] + pictures))
        now = self._times[-1][0]
        if now - self._shown >= (0.2 if self._terminal else SECONDS_BETWEEN):
            self._shown = now
            self._print()

    def close(self) -> None:
        """Shows the last line of the epoch."""
        if self._shown_step < self.steps:
            self._print()
        if self._terminal:
            print()

    def _print(self) -> None:
        self._shown_step = self.steps
        (first, before), (last, after) = self._times[0], self._times[-1]
        rate = (after - before) / (last - first)
        epochs, steps = self._epochs, self._steps_per_epoch
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
