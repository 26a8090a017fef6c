"""How a labeller does, after each epoch, on pictures and on titles that it was not trained on."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from historynet.collecting import labelled as readers
from historynet.collecting import measuring, rows
from historynet.collecting.labelled import Labelled
from historynet.collecting.labels import Label
from historynet.collecting.looking import look
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead
from historynet.pictures import figures
from historynet.systems.labeller.settings import LabellerSettings
from historynet.systems.system import Evaluation

PICTURES, TITLES = "pictures", "titles"
"""What is held out: pictures of titles that are trained on, surely what the paper's 98% means; whole titles."""

TEMPERATURE = "temperature"
"""The score that is the temperature of the epoch's network."""


class Judge:
    """Evaluates a labeller; writes what it finds into the epoch's folder.

    accuracy.csv has the accuracy of all, of each era, nationality and garment, and of each label; confusion_*.csv and
    .png who is taken for whom; reliability.csv how far confidence can be trusted, at the temperature.

    Args:
        settings: of the run.
        labelled: the labelled pictures. If there are too few for any to be held out, those of the training are looked
            at, which says nothing of others; a note says so.

    Attributes:
        left_out: why pictures were left out: messages, each once.
    """

    def __init__(self, settings: LabellerSettings, labelled: Labelled):
        self._settings, self._labelled = settings, labelled
        self._parts = {PICTURES: labelled.held_pictures, TITLES: labelled.held_titles}
        if not labelled.held_pictures:
            print(
                "note: so few pictures have a label that none is held out; the labeller is judged by those that it is "
                "trained on, which says nothing of others",
                file=sys.stderr,
            )
            self._parts[PICTURES] = labelled.training
        self._features = readers.features(settings, labelled) if settings.frozen else None
        self.left_out: dict[str, None] = {}

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def __call__(self, system: Any, out_dir: Path) -> Evaluation:
        """Scores: recall, the mean over the labels, and accuracy, of both; what calibrates confidence, and its error.

        Raises:
            InputError: if no picture can be read, or nothing be written.
        """
        found = {part: self._logits(system, names) for part, names in self._parts.items()}
        logits, truth = found[PICTURES]
        if not len(truth):
            raise InputError(f"{self._labelled.work}: none of the held-out pictures can be read")
        temperature = measuring.find_temperature(logits, truth)
        matrices = {
            part: measuring.confusion(truth, logits.argmax(axis=1), len(self._labelled.labels))
            for part, (logits, truth) in found.items()
        }
        bins = {part: _reliability(*both, temperature) for part, both in found.items()}
        there = {part: matrix for part, matrix in matrices.items() if matrix.any()}
        self._write(out_dir, there, {part: bins[part] for part in there})
        return Evaluation(
            {
                "recall": measuring.macro_recall(matrices[PICTURES]),
                "accuracy": _share(matrices[PICTURES]),
                "recall_titles": measuring.macro_recall(matrices[TITLES]),
                "accuracy_titles": _share(matrices[TITLES]),
                "cross_entropy": measuring.cross_entropy(logits, truth),
                TEMPERATURE: temperature,
                "calibration_error": measuring.calibration_error(bins[PICTURES]),
            }
        )

    def _logits(self, system: Any, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Logits (pictures, labels) and true labels of the pictures that can be read."""
        ahead = 2 * self._settings.batch_size
        logits = [np.zeros((0, len(self._labelled.labels)), np.float32)]
        truth: list[int] = []
        for batch in batched(self._readable(map_ahead(self._see, names, ahead)), self._settings.batch_size):
            seen, numbers = zip(*batch, strict=True)
            logits.append(np.asarray(system.logits(np.stack(seen)), np.float32))
            truth += numbers
        return np.concatenate(logits), np.array(truth, int)

    def _see(self, name: str) -> tuple[np.ndarray, int] | PictureError:
        try:
            if self._features is not None:
                return self._features.of(name), self._labelled.numbers[name]
            return look(self._labelled.paths[name], self._settings.size), self._labelled.numbers[name]
        except PictureError as error:
            return error

    def _readable(self, seen: Iterator[tuple[np.ndarray, int] | PictureError]) -> Iterator[tuple[np.ndarray, int]]:
        for one in seen:
            if isinstance(one, PictureError):
                self.left_out[str(one)] = None
            else:
                yield one

    def _write(
        self, folder: Path, matrices: Mapping[str, np.ndarray], bins: Mapping[str, Sequence[measuring.Bin]]
    ) -> None:
        names = [label.name for label in self._labelled.labels]
        rows.write(folder / "accuracy.csv", accuracies(self._labelled.labels, matrices))
        lines = [
            (part, f"{one.low:.1f}", one.pictures, _number(one.confidence), _number(one.accuracy))
            for part, several in bins.items()
            for one in several
        ]
        rows.write(folder / "reliability.csv", [("held out", "from", "pictures", "confidence", "accuracy"), *lines])
        for part, matrix in matrices.items():
            table = [("label", *names), *((name, *line) for name, line in zip(names, matrix.tolist(), strict=True))]
            rows.write(folder / f"confusion_{part}.csv", table)
            figures.plot_confusion(matrix, names, folder / f"confusion_{part}.png")


def _reliability(logits: np.ndarray, truth: np.ndarray, temperature: float) -> list[measuring.Bin]:
    if not len(truth):
        return measuring.reliability(np.zeros(0), np.zeros(0))
    likely = measuring.softmax(logits, temperature)
    return measuring.reliability(likely.max(axis=1), likely.argmax(axis=1) == truth)


def accuracies(labels: Sequence[Label], matrices: Mapping[str, np.ndarray]) -> list[tuple[object, ...]]:
    """The lines of a table of accuracies: of all labels, of their parts, of each.

    Of an era, say, those of its pictures are right whose label is of that era, whatever else it says.

    Args:
        labels: in the matrices' order.
        matrices: as of `measuring.confusion`, by what was held out.
    """
    lines: list[tuple[object, ...]] = [("of", "held out", "pictures", "right", "accuracy")]
    groupings = {
        "era": [label.era for label in labels],
        "nationality": [label.nationality for label in labels],
        "garment": [label.garment for label in labels],
        "label": [label.name for label in labels],
    }
    for part, matrix in matrices.items():
        total = matrix.sum(axis=1)
        for kind, words in groupings.items():
            same = np.array([[word == other for other in words] for word in words])
            right = (matrix * same).sum(axis=1)
            lines.append(_line(f"{kind}, all", part, right, total))
            for word in dict.fromkeys(words):
                own = np.array([word == other for other in words])
                lines.append(_line(word, part, right[own], total[own]))
    return lines


def _line(what: str, part: str, right: np.ndarray, total: np.ndarray) -> tuple[object, ...]:
    count = int(total.sum())
    return what, part, count, int(right.sum()), _number(right.sum() / count if count else math.nan)


def _share(matrix: np.ndarray) -> float:
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else math.nan


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
