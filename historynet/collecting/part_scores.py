"""How a parser does: shares of pixels, and of what is found and there, by class."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from historynet.collecting import crops, measuring, parsed, parts, rows
from historynet.collecting.parsed import Persons
from historynet.collecting.parsers import Parser
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead
from historynet.pictures import figures, images
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


_COMPACT_OF = np.array([CLASSES.index(parts.TO_COMPACT[name]) for name in parts.NAMES], np.uint8)


def measure(
    parser: Parser, folder: Path, drawing: str, progress: Callable[[int], object] = lambda count: None
) -> tuple[np.ndarray, list[str]]:
    """How a parser does on pictures with parsing, each taken for one person, by the classes of the compact parser.

    Args:
        parser: that tells parts apart.
        folder: of the pictures; their parsing is in FOLDER_seg.
        drawing: how it is drawn, one of `systems.parser.settings.DRAWINGS`.
        progress: told how many pictures are done.

    Returns:
        Pixels by true and found class, (classes, classes), and why pictures were left out.

    Raises:
        InputError: if there is no such folder, a picture has no parsing, none can be read, or the parser fails.
    """
    if parts.PERSON in parser.description.indices:
        raise InputError(f"{parser.description.path}: tells persons but no parts; there is nothing to compare")
    persons = Persons(folder, None, drawing, images.list_pictures(folder))
    confusion, left_out = np.zeros((len(CLASSES),) * 2, int), []

    def see(index: int) -> tuple[np.ndarray, np.ndarray] | PictureError:
        try:
            return persons.whole(index)
        except PictureError as error:
            return error

    for batch in batched(map_ahead(see, range(len(persons)), 32), 16):
        left_out += [str(one) for one in batch if isinstance(one, PictureError)]
        readable = [one for one in batch if not isinstance(one, PictureError)]
        boxes = [[(0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0]))] for rgb, _ in readable]
        for (_, classes), parsing in zip(readable, parser([rgb for rgb, _ in readable], boxes), strict=True):
            found = _COMPACT_OF[parsing.indices]
            confusion += measuring.confusion(classes.ravel().astype(int), found.ravel(), len(CLASSES))
        progress(len(batch))
    if not confusion.any():
        raise InputError(f"{folder}: none of the pictures can be read with its parsing")
    return confusion, left_out


class Judge:
    """Evaluates a compact parser on pictures that are held out; writes iou.csv and confusion.csv for each epoch.

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
        self._persons = parsed.open_persons(settings, names)
        self.left_out: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._persons)

    def __call__(self, system: Any, out_dir: Path) -> Evaluation:
        """Scores: mean IoU of the classes, and the share of pixels that is right.

        Raises:
            InputError: if no picture can be read, or nothing be written.
        """
        size, batch_size = self._settings.size, self._settings.batch_size
        confusion, grid = np.zeros((len(CLASSES),) * 2, int), []
        readable = (one for one in map_ahead(self._see, range(len(self._persons)), 2 * batch_size) if one is not None)
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
