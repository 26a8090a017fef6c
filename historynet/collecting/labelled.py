"""The pictures that persons labelled, as the labeller is trained and judged by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from historynet.collecting import final, labels, manifest
from historynet.collecting.answers import OUTSIDE
from historynet.collecting.drawing import unit
from historynet.collecting.features import FeatureTable
from historynet.collecting.labels import Label
from historynet.collecting.looking import look
from historynet.data.samples import Crop, OpenReader, Samples, open_named, steps_per_epoch
from historynet.errors import InputError
from historynet.systems.labeller.settings import LabellerSettings


@dataclass(frozen=True)
class Labelled:
    """The labelled pictures of a folder WORK.

    Attributes:
        work: the folder.
        labels: all labels, in their order.
        numbers: of the label of each picture, by its name; sorted by name.
        paths: the files of these pictures, by name.
        training: names of those that are trained on.
        held_pictures: names of those held out of titles that are trained on.
        held_titles: names of those of titles that are held out as a whole.
    """

    work: Path
    labels: Sequence[Label]
    numbers: Mapping[str, int]
    paths: Mapping[str, Path]
    training: Sequence[str]
    held_pictures: Sequence[str]
    held_titles: Sequence[str]

    @cached_property
    def counts(self) -> np.ndarray:
        """How many training pictures each label has, (labels,)."""
        return np.bincount([self.numbers[name] for name in self.training], minlength=len(self.labels))


def read(settings: LabellerSettings) -> Labelled:
    """The labelled pictures of a run, and which of them are held out.

    Held out are the titles, and of the others the pictures, that a number below HOLDOUT follows from.

    Raises:
        InputError: if manifest, table or answers cannot be used, or no labelled picture is left to train on.
    """
    table = labels.table(settings.labels, settings.num_classes)
    work = settings.train_data
    pictures = {picture.picture: picture for picture in manifest.read(work)}
    places = {label.name: label.index for label in table}
    settled = final.settled(work, final.HAND, pictures, places)
    numbers = {name: places[settled[name].label] for name in sorted(settled) if settled[name].label != OUTSIDE}
    training, held_pictures, held_titles = [], [], []
    for name in numbers:
        if unit(f"{settings.seed}/holdout/{pictures[name].key}") < settings.holdout:
            held_titles.append(name)
        elif unit(f"{settings.seed}/holdout/{name}") < settings.holdout:
            held_pictures.append(name)
        else:
            training.append(name)
    path = work / final.FOLDER / final.HAND
    if not numbers:
        raise InputError(f"{path}: no picture has a label; `label.py draw`, then `label.py by-hand` give some")
    if not training:
        raise InputError(
            f"{path}: all {len(numbers)} labelled pictures are held out; label more of them, give another "
            "--seed or a lower --holdout"
        )
    paths = {name: manifest.path_of(work, pictures[name]) for name in numbers}
    return Labelled(work, table, numbers, paths, training, held_pictures, held_titles)


def open_labelled(settings: LabellerSettings, fields: Mapping[str, OpenReader]) -> Samples:
    """The samples of a training: the labelled pictures that are not held out.

    Raises:
        InputError: as `read`.
    """
    return open_named(settings, read(settings).training, fields_of(settings, fields))


def fields_of(settings: LabellerSettings, fields: Mapping[str, OpenReader]) -> Mapping[str, OpenReader]:
    """What a batch holds: features in the place of pictures if the head alone is trained."""
    if not settings.frozen:
        return fields
    return {"features": Features, **{name: read for name, read in fields.items() if read is not Pictures}}


def total_steps(settings: LabellerSettings, labelled: Labelled) -> int:
    """Updates of the whole training."""
    samples = Samples(labelled.training, ())
    return settings.num_epochs * steps_per_epoch(settings, samples)


class _Reader:
    """What the readers of labelled pictures share."""

    present = None
    remarks = ""

    def __init__(self, settings: LabellerSettings, folder: Path, names: Sequence[str], required: bool):
        self._settings, self._names = settings, names

    @cached_property
    def _labelled(self) -> Labelled:
        return read(self._settings)


class Pictures(_Reader):
    """Reads "rgb", the picture squashed to the network's square, (size, size, 3) in 0..255.

    Half of the samples are mirrored, half of them blurred, as the epoch's key of the sample says.
    """

    fields = ("rgb",)
    noun = "picture"

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        return (*size, 3)

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        return {"rgb": look(self.picture(index), crop.size, crop.key)}

    def picture(self, index: int) -> Path:
        return self._labelled.paths[self._names[index]]


class Features(_Reader):
    """Reads "features", what the network makes of the picture before its head, (channels,)."""

    fields = ("features",)
    noun = "picture"

    @cached_property
    def _table(self) -> FeatureTable:
        return features(self._settings, self._labelled)

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        return self._table.of(self._names[0]).shape

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        return {"features": self._table.of(self._names[index])}

    def picture(self, index: int) -> Path:
        return self._labelled.paths[self._names[index]]


def features(settings: LabellerSettings, labelled: Labelled) -> FeatureTable:
    """The features of all labelled pictures, those that are held out as well."""
    return FeatureTable(settings, labelled.paths)


class LabelNumbers(_Reader):
    """Reads "label", the number of the picture's label, (1,)."""

    fields = ("label",)
    noun = "label"

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        return (1,)

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        return {"label": np.float32([self._labelled.numbers[self._names[index]]])}

    def picture(self, index: int) -> None:
        return None
