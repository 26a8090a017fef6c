"""The samples of a training: their names, and who reads which of their fields."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from historynet.errors import InputError, PictureError
from historynet.pictures import color, images, toning
from historynet.settings import Settings


@dataclass(frozen=True)
class Ageing:
    """What time and a scanner do to a photograph's luminance.

    Attributes:
        gamma: exponent.
        contrast: factor on the distance from a middle gray of 0.5.
        offset: added then.
        blur: share of the mean of 3x3 pixels in each.
        noise: standard deviation of the grain.
        seed: of the grain.
    """

    gamma: float
    contrast: float
    offset: float
    blur: float
    noise: float
    seed: int

    def __call__(self, luminance: np.ndarray) -> np.ndarray:
        """L (height, width, 1) in 0..1, float32, as new -> the same, aged."""
        aged = (luminance[..., 0] ** np.float32(self.gamma) - np.float32(0.5)) * np.float32(self.contrast)
        aged += np.float32(0.5 + self.offset)
        if self.blur:
            aged += np.float32(self.blur) * (cv2.blur(aged, (3, 3)) - aged)
        aged += np.float32(self.noise) * np.random.default_rng(self.seed).standard_normal(aged.shape, np.float32)
        return np.clip(aged, 0, 1)[..., None]


@dataclass(frozen=True)
class Crop:
    """A rectangular part of a picture that has been resized.

    Attributes:
        resized: (height, width) of the whole, pixels.
        size: (height, width) of the part.
        top: row of the part's first pixel.
        left: column of it.
        mirrored: whether left and right are then exchanged.
        ageing: what then happens to the luminance that the network is given; None: nothing.
        key: of this look at the sample, from which a reader may draw what else happens to it (`Settings.varies`): the
            same for the same seed, epoch and sample; None: nothing happens to it.
    """

    resized: tuple[int, int]
    size: tuple[int, int]
    top: int = 0
    left: int = 0
    mirrored: bool = False
    ageing: Ageing | None = None
    key: tuple[int, ...] | None = None

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """The part of a uint8 RGB picture as networks see it: Lab in 0..1, float32 (height, width, 3)."""
        lab = color.network_lab(rgb, self.resized)[self.top :, self.left :][: self.size[0], : self.size[1]]
        return lab[:, ::-1] if self.mirrored else lab

    def age(self, luminance: np.ndarray) -> np.ndarray:
        """The part's L (height, width, 1) in 0..1 as the network is to see it."""
        return self.ageing(luminance) if self.ageing else luminance


def whole_picture(size: tuple[int, int]) -> Crop:
    """All of the picture, resized to (height, width), as released."""
    return Crop(size, size)


def random_crop(resized: tuple[int, int], size: tuple[int, int], seed: int, epoch: int, index: int) -> Crop:
    """The part of a sample that an epoch sees: the same for the same seed, epoch and sample, on any machine.

    Args:
        resized: (height, width) of the whole picture.
        size: (height, width) of the part.
        seed: of the run.
        epoch: its number.
        index: of the sample.
    """
    rng = np.random.default_rng((seed, epoch, index))
    top, left = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(resized, size, strict=True))
    return Crop(resized, size, top, left, bool(rng.integers(2)))


class Reader(Protocol):
    """Reads some fields of a folder's samples.

    Attributes:
        fields: their names.
        noun: what a sample has that they are read from, for people: "label", "parsing picture".
        present: bool (samples,), which samples have it; None: all. If it is given, batches also hold FIELD_weight.
        remarks: what else there is to say of the files, for people; mostly empty.
    """

    fields: tuple[str, ...]
    noun: str
    present: np.ndarray | None
    remarks: str

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        """The shape of a field of one sample, whose pictures have (height, width) `size`."""

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        """The fields of a sample, float32; of one that does not have them, nothing.

        Raises:
            PictureError: if a file cannot be read.
        """

    def picture(self, index: int) -> Path | None:
        """The picture file that the sample's fields are read from; None if there is none."""


OpenReader = Callable[[Settings, Path, Sequence[str], bool], Reader]
"""(settings, folder, names of the samples, whether a missing one is an error) -> the reader."""


@dataclass(frozen=True)
class Samples:
    """The samples of a folder, and the readers of their fields.

    Attributes:
        names: file names, sorted.
        readers: who reads their fields.
    """

    names: Sequence[str]
    readers: Sequence[Reader]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        """The fields of one sample, float32, but for those that it does not have.

        Raises:
            PictureError: if a file cannot be read.
        """
        return {name: value for reader in self.readers for name, value in reader.read(index, crop).items()}


def open_samples(settings: Settings, fields: Mapping[str, OpenReader]) -> Samples:
    """Lists TRAIN_DATA's pictures and checks that each has what training needs; no picture is opened.

    Args:
        settings: of the run.
        fields: what a batch is to hold, and who reads it.

    Raises:
        InputError: naming the file or the line and what to do.
    """
    return open_named(settings, images.list_pictures(training_folder(settings)), fields)


def training_folder(settings: Settings) -> Path:
    """TRAIN_DATA.

    Raises:
        InputError: if there is no such folder.
    """
    folder = settings.train_data
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; put the training pictures there or name another with --train-data")
    return folder


def open_named(settings: Settings, names: Sequence[str], fields: Mapping[str, OpenReader]) -> Samples:
    """The samples of some of TRAIN_DATA's pictures, checked in the same way.

    Args:
        settings: of the run.
        names: of the pictures, within the folder.
        fields: what a batch is to hold, and who reads it.

    Raises:
        InputError: naming the file or the line and what to do.
    """
    # A reader of several fields is opened once.
    readers = {read: read(settings, settings.train_data, names, True) for read in fields.values()}
    for field, open_reader in fields.items():
        if field not in readers[open_reader].fields:
            raise TypeError(f"{open_reader.__name__} does not read {field!r}, as FIELDS says")
    return Samples(names, list(readers.values()))


_LOOKED_AT = 32
"""Training pictures that are looked at before a training, spread evenly over the folder."""


def note_on_gray(samples: Samples) -> str | None:
    """What there is to say before a training if most pictures have no colours to learn; None if they have some.

    Some pictures are looked at; what cannot be read is left to the training, which names it.
    """
    reader = next((reader for reader in samples.readers if {"L", "ab"} <= set(reader.fields)), None)
    gray, looked_at = [], 0
    for index in np.unique(np.linspace(0, len(samples) - 1, _LOOKED_AT).astype(int)) if reader else ():
        try:
            fields = reader.read(int(index), whole_picture((64, 64)))
        except PictureError:
            continue
        looked_at += 1
        if toning.tint(255 * np.concatenate([fields["L"], fields["ab"]], axis=-1)) <= toning.COLORED_TINT:
            gray.append(reader.picture(int(index)))
    if 2 * len(gray) <= looked_at or not gray:
        return None
    return (
        f"{len(gray)} of {looked_at} training pictures that were looked at are gray or of one tone, {gray[0]} for "
        "example: networks learn from them that everything is gray; train on colour photographs"
    )


def epoch_order(samples: int, seed: int, epoch: int) -> np.ndarray:
    """The order of an epoch's samples: the same for the same seed and epoch, on any machine."""
    return np.random.default_rng((seed, epoch)).permutation(samples)


def fingerprint(names: Sequence[str]) -> str:
    """A text that differs where the names or their order do, and then `epoch_order` means other samples."""
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()


def steps_per_epoch(settings: Settings, samples: Sized) -> int:
    """Batches in an epoch.

    Raises:
        InputError: if the samples do not fill a batch.
    """
    steps = (math.floor if settings.drop_last else math.ceil)(len(samples) / settings.batch_size)
    if not steps:
        raise InputError(
            f"{settings.train_data}: {len(samples)} pictures do not fill a batch of {settings.batch_size}; lower "
            "--batch-size, or take them with --no-drop-last"
        )
    if settings.sample_weights is not None:
        # They are drawn anew each time: an epoch may be of any length.
        return settings.steps_per_epoch or steps
    return min(steps, settings.steps_per_epoch or steps)
