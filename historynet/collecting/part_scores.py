"""How a parser does: shares of pixels, and of what is found and there, by class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from historynet.collecting import crops, measuring, parsed, parts, rows
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead
from historynet.pictures import figures
from historynet.systems.parser.architecture import CLASSES
from historynet.systems.parser.settings import ParserSettings
from historynet.systems.system import Evaluation

_SHOWN = 6
"""Pictures in the grid of an evaluation."""

_COLOURS = parts.PALETTES["cihp"][[parts.NAMES.index(parts.OF_COMPACT[name]) for name in CLASSES]]


def ious(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class, (classes,); NaN of one that is neither there nor found.

    Args:
        confusion: pixels by true and found class, (classes, classes).
    """
    both = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def scores(confusion: np.ndarray) -> Mapping[str, float]:
    """Pixel accuracy, and the mean IoU of the classes that are there or found."""
    return {
        "mean_iou": float(np.nanmean(ious(confusion))),
        "pixel_accuracy": float(np.trace(confusion) / confusion.sum()),
    }


def table(confusion: np.ndarray, names: Sequence[str]) -> list[tuple[object, ...]]:
    """The lines of a table of classes: share of all pixels, share of it that is found, IoU."""
    lines: list[tuple[object, ...]] = [("class", "share", "found", "iou")]
    for name, row, iou in zip(names, enumerate(confusion), ious(confusion), strict=True):
        place, counts = row
        found = f"{counts[place] / counts.sum():.4f}" if counts.any() else ""
        lines.append((name, f"{counts.sum() / confusion.sum():.4f}", found, "" if np.isnan(iou) else f"{iou:.4f}"))
    return lines


class Judge:
    """Evaluates a compact parser on pictures that are held out; writes iou.csv and confusion.csv into the epoch's folder.

    Each picture is taken for one person.

    Args:
        settings: of the run.

    Attributes:
        left_out: why pictures were left out: messages, each once.
    """

    def __init__(self, settings: ParserSettings):
        self._settings = settings
        names = parsed.split(settings)[1]
        if not names:
            raise InputError("--holdout: no picture is held out to choose the epoch by; give a higher one")
        self._persons = parsed.Persons(settings, settings.train_data, names, True)
        self._length = len(names)
        self.left_out: dict[str, None] = {}

    def __len__(self) -> int:
        return self._length

    def __call__(self, system: Any, out_dir: Path) -> Evaluation:
        """Scores: mean IoU of the classes, and the share of pixels that is right.

        Raises:
            InputError: if no picture can be read, or nothing be written.
        """
        size, batch_size = self._settings.size, self._settings.batch_size
        confusion, grid = np.zeros((len(CLASSES),) * 2, int), []
        readable = (one for one in map_ahead(self._see, range(self._length), 2 * batch_size) if one is not None)
        for batch in batched(readable, batch_size):
            seen = np.stack([crops.fit(place.cut(rgb), size) for rgb, _, place in batch]).astype(np.float32)
            logits = np.asarray(system.logits(seen), np.float32)
            for (rgb, classes, place), answer in zip(batch, logits, strict=True):
                found = place.put_back(answer).argmax(axis=-1)
                confusion += measuring.confusion(classes.ravel().astype(int), found.ravel(), len(CLASSES))
                if len(grid) < _SHOWN:
                    grid.append([figures.scale(one) for one in (rgb, _COLOURS[found], _COLOURS[classes])])
        if not confusion.any():
            raise InputError(f"{self._settings.train_data}: none of the held-out pictures can be read")
        rows.write(out_dir / "iou.csv", table(confusion, CLASSES))
        named = [(name, *line) for name, line in zip(CLASSES, confusion.tolist(), strict=True)]
        rows.write(out_dir / "confusion.csv", [("class", *CLASSES), *named])
        return Evaluation(scores(confusion), figures.grid(grid, ("picture", "found", "true")))

    def _see(self, index: int) -> tuple[np.ndarray, np.ndarray, crops.Place] | None:
        try:
            rgb, classes = self._persons.whole(index)
        except PictureError as error:
            self.left_out[str(error)] = None
            return None
        height, width = classes.shape
        return rgb, classes, crops.place((0, 0, width, height), 0, classes.shape, self._settings.size)
