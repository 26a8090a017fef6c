"""The trained labeller -> labels of all pictures, in shards, so that a stopped run goes on."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from historynet import files
from historynet.collecting import measuring, rows
from historynet.collecting.final import COLUMNS, FOLDER, PREDICTED
from historynet.collecting.judging import TEMPERATURE
from historynet.collecting.looking import look
from historynet.collecting.shards import SHARD, Shards, digest_of, digest_of_file
from historynet.colorizing.choosing import Choice, best_epoch
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead
from historynet.systems import loading
from historynet.systems.labeller.network import NAME as NETWORK
from historynet.systems.labeller.registration import NAME as SYSTEM
from historynet.weights import run_files

_BATCH = 32
_SHARDS = "predicted"
"""The folder of shards beside PREDICTED."""

_SCORE = "recall"


@dataclass(frozen=True)
class Trained:
    """A trained labeller.

    Attributes:
        path: of its network.
        temperature: that its logits are divided by; 1 if nobody has found one.
        remark: why it is this one, and where the temperature is from, for people.
    """

    path: Path
    temperature: float
    remark: str


def find(labeller: Path) -> Trained:
    """The labeller that LABELLER names: a network's file, or of a training's folder the best epoch.

    Raises:
        InputError: if there is none.
    """
    choice = Choice(labeller)
    if labeller.is_dir():
        run = run_files.list_models(labeller, "classification")
        if not run:
            raise InputError(f"{labeller}: no trained labeller; MHMD_Labeller.py trains one, or name one: --labeller")
        choice = best_epoch(labeller, run, _SCORE)
    elif not labeller.is_file():
        raise InputError(f"{labeller}: no such labeller; MHMD_Labeller.py trains one, or name one with --labeller")
    table = run_files.find_table(choice.path.parent)
    temperatures = run_files.read_scores(table, TEMPERATURE) if table else {}
    found = temperatures.get(run_files.epoch_of(choice.path))
    said = f"temperature {found:.3g}" if found else "nobody knows its temperature, 1 is taken"
    return Trained(choice.path, found or 1.0, f"{choice}; {said}")


@dataclass(frozen=True)
class Shard:
    """Some pictures to be labelled, and all that is needed for it; any process can.

    Attributes:
        network: file of the labeller's network.
        temperature: of it.
        labels: names of the labels, in the network's order.
        pictures: their names.
        paths: their files.
        possible: for each the places of the labels that it can have; None: of all.
        result: the file to write.
    """

    network: Path
    temperature: float
    labels: tuple[str, ...]
    pictures: tuple[str, ...]
    paths: tuple[Path, ...]
    possible: tuple[tuple[int, ...] | None, ...]
    result: Path


def label_shard(shard: Shard, progress: Callable[[int], object] = lambda count: None) -> list[str]:
    """Labels the pictures of a shard and writes its file, whole or not at all; why pictures were left out.

    Raises:
        InputError: if the network cannot be used, or the file not be written.
    """
    network, _ = _load(shard.network, shard.network.stat().st_mtime_ns)
    size, lines, left_out = network.input_shape[1:3], [], []

    def see(path: Path) -> np.ndarray | PictureError:
        try:
            return look(path, size)
        except PictureError as error:
            return error

    seen = zip(shard.pictures, shard.possible, map_ahead(see, shard.paths, 2 * _BATCH), strict=True)
    for batch in batched(seen, _BATCH):
        readable = [one for one in batch if not isinstance(one[2], PictureError)]
        left_out += [str(one[2]) for one in batch if isinstance(one[2], PictureError)]
        if readable:
            logits = _logits(network, [picture for _, _, picture in readable])
            likely = measuring.softmax(logits, shard.temperature)
            for (name, possible, _), row in zip(readable, likely, strict=True):
                lines.append((name, *_best(mask(row, possible), shard.labels)))
        progress(len(batch))
    rows.write(shard.result, lines)
    return left_out


@lru_cache(maxsize=1)
def _load(path: Path, _changed: int) -> tuple[Any, Any]:
    """The network, once a process; it is another one where the file has changed."""
    return loading.load(path, SYSTEM, NETWORK)


def _logits(network: Any, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Logits of a batch, which is filled up: of one size there is one compiled program, and one order of sums."""
    filled = [*pictures, *pictures[-1:] * (_BATCH - len(pictures))]
    return np.asarray(network.predict_on_batch(np.stack(filled)))[: len(pictures)]


def mask(likely: np.ndarray, possible: Sequence[int] | None) -> np.ndarray:
    """Probabilities (labels,) of which only some are possible: the others 0, the sum 1 again.

    Args:
        likely: with sum 1.
        possible: places of the labels, at least one; None: all.
    """
    if possible is None:
        return likely
    places = list(possible)
    masked = np.zeros_like(likely)
    masked[places] = likely[places]
    total = masked.sum()
    if not total:
        # None of them is likely at all: nobody knows.
        masked[places] = 1 / len(places)
        return masked
    return masked / total


def _best(likely: np.ndarray, labels: Sequence[str]) -> tuple[str, str, str, str]:
    """label, confidence, second, margin, as they stand in the table."""
    first, *others = np.argsort(-likely, kind="stable")[:2]
    second = labels[others[0]] if others and likely[others[0]] > 0 else ""
    margin = likely[first] - (likely[others[0]] if others else 0)
    return labels[first], f"{likely[first]:.4f}", second, f"{margin:.4f}"


class Rest:
    """The labels of all kept pictures, of which some shards may be there already.

    Args:
        work: the folder WORK.
        trained: the labeller.
        labels: names of the labels, which must be those that the network was trained for.
        pictures: files of all kept pictures by name, sorted.
        possible: as of `Shard`, for each; None: all labels for all pictures.

    Attributes:
        left_out: why pictures were left out, of this run.

    Raises:
        InputError: if the network is none, or of other labels.
    """

    def __init__(
        self,
        work: Path,
        trained: Trained,
        labels: Sequence[str],
        pictures: Mapping[str, Path],
        possible: Sequence[tuple[int, ...] | None] | None,
    ):
        contents = loading.identify(trained.path)
        if contents.registration.name != SYSTEM:
            raise InputError(f"{trained.path}: a network of {contents.registration.name}; one of {SYSTEM} is needed")
        if contents.architecture.labels != tuple(labels):
            raise InputError(
                f"{trained.path}: tells {len(contents.architecture.labels)} other labels apart than the "
                f"{len(labels)} of the table; train one with this table, or name its own with --labels"
            )
        self._folder = work / FOLDER
        self._trained, self._labels, self._pictures = trained, tuple(labels), pictures
        self._possible = possible or [None] * len(pictures)
        self.left_out: list[str] = []

    def make(
        self,
        progress: Callable[[int], object] = lambda count: None,
        over: Callable[[Sequence[Shard]], Iterable[tuple[int, list[str]]]] | None = None,
    ) -> bool:
        """Labels what is not labelled yet, then joins the shards; False if all of it was there.

        Args:
            progress: called with the number of pictures that are just done.
            over: does shards elsewhere, and says of each place why pictures were left out; None: they are done here.

        Raises:
            InputError: if something cannot be written.
        """
        files.remove_unfinished(self._folder)
        shards = Shards(self._folder / _SHARDS, self._record())
        if shards.are_done and (self._folder / PREDICTED).exists():
            shards.remove()
            return False
        shards.begin()
        missing = []
        for shard in self._shards(shards):
            if shard.result.exists():
                progress(len(shard.pictures))
            else:
                missing.append(shard)
        if over is None:
            for shard in missing:
                self.left_out += label_shard(shard, progress)
        else:
            for place, left_out in over(missing):
                self.left_out += left_out
                progress(len(missing[place].pictures))
        self._join(shards.paths())
        shards.end()
        return True

    def _record(self) -> dict[str, object]:
        from historynet import __version__

        asked = (f"{name} {possible}" for name, possible in zip(self._pictures, self._possible, strict=True))
        return {
            "version": __version__,
            "network": digest_of_file(self._trained.path),
            "temperature": self._trained.temperature,
            "pictures": digest_of(asked),
        }

    def _shards(self, shards: Shards) -> Iterator[Shard]:
        everything = zip(self._pictures.items(), self._possible, strict=True)
        for number, several in enumerate(batched(everything, SHARD)):
            yield Shard(
                self._trained.path,
                self._trained.temperature,
                self._labels,
                tuple(name for (name, _), _ in several),
                tuple(path for (_, path), _ in several),
                tuple(possible for _, possible in several),
                shards.path(number),
            )

    def _join(self, paths: Sequence[Path]) -> None:
        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                file.write(rows.text([COLUMNS]).encode())
                for path in paths:
                    with files.reading(path):
                        file.write(path.read_bytes())

        files.write_atomically(self._folder / PREDICTED, write)
