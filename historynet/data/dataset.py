"""MHMD's folder layout -> a checked list of samples -> batches.

`FOLDER/NAME.jpg` are the pictures, `FOLDER/sign.txt` their labels, `FOLDER_seg/NAME_seg.jpg` their parsing pictures.

Batches are made by threads, not by tf.data: OpenCV must decode (the released program's pixels are to be met exactly),
its errors arrive here as they are, with the file's name, and a broken picture can be left out without a hole in its
batch.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead
from historynet.pictures import color, images

PARSING_SUFFIX = "_seg"


@dataclass(frozen=True)
class Dataset:
    """The pictures of a folder with what is known of each.

    Attributes:
        folder: the pictures' folder.
        names: file names, sorted.
        labels: int16 (pictures, classes), or None if nobody asked for labels; zeros where `has_label` is False.
        has_label: bool (pictures,).
        parsing_folder: folder of the parsing pictures.
        parsing: file names of the parsing pictures, None where there is none.
        unused_labels: lines of the label file whose picture is not there.
    """

    folder: Path
    names: list[str]
    labels: np.ndarray | None
    has_label: np.ndarray
    parsing_folder: Path
    parsing: list[str | None]
    unused_labels: int = 0

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Batch:
    """Some samples: their file names, and their fields as float32 arrays with the sample as first axis.

    Where several processes share a batch, the names are those of the whole batch, and the fields those of the process's
    own samples. `end` is how many samples of the epoch's order are used up with this batch, those left out included.

    `label_weight` and `parsing_weight`, (batch,), are 0 where a sample has no label or parsing picture; their mean over
    the whole batch is 1 (unless no sample has one), so that the mean of weight * loss is the mean over those that have
    one.
    """

    names: list[str]
    end: int
    fields: dict[str, np.ndarray]


def open_dataset(
    folder: Path,
    fields: Sequence[str],
    sign_name: str = "sign.txt",
    num_classes: int = 42,
    parsing_folder: Path | None = None,
    allow_missing_labels: bool = False,
    allow_missing_parsing: bool = False,
) -> Dataset:
    """Lists a folder and checks that each picture has what training needs; no picture is opened.

    Args:
        folder: the pictures.
        fields: what the system reads of a batch; labels and parsing pictures are looked for only if it reads them.
        sign_name: the label file's name in the folder.
        num_classes: integers on each of its lines.
        parsing_folder: `<folder>_seg` if None.
        allow_missing_labels: accept pictures without a line, or no label file at all.
        allow_missing_parsing: accept pictures without a parsing picture, or no folder of them.

    Raises:
        InputError: naming the file or the line and what to do.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; put the training pictures there or name another with --train-data")
    names = images.list_pictures(folder)
    labels, has_label, unused = None, np.zeros(len(names), bool), 0
    if "label" in fields:
        labels, has_label, unused = _read_labels(folder / sign_name, names, num_classes, allow_missing_labels)
        if not allow_missing_labels and not has_label.all():
            raise InputError(
                f"{folder / sign_name}: no line for {names[int(np.argmin(has_label))]} "
                f"({np.count_nonzero(~has_label)} of {len(names)} pictures have none); add it, or train without with "
                "--allow-missing-labels"
            )
    if parsing_folder and not parsing_folder.is_dir():
        raise InputError(f"{parsing_folder}: no such folder; --train-parsing names the parsing pictures' folder")
    parsing_folder = parsing_folder or folder.with_name(folder.name + PARSING_SUFFIX)
    parsing = [None] * len(names)
    if "parsing" in fields:
        parsing = find_parsing(parsing_folder, names)
        missing = [name for name, found in zip(names, parsing, strict=True) if found is None]
        if missing and not allow_missing_parsing:
            stem = os.path.splitext(missing[0])[0]
            raise InputError(
                f"{parsing_folder / (stem + PARSING_SUFFIX)}.*: no parsing picture for {missing[0]} ({len(missing)} of "
                f"{len(names)} pictures have none); add it, or train without with --allow-missing-parsing"
            )
    return Dataset(folder, names, labels, has_label, parsing_folder, parsing, unused)


def _read_labels(
    path: Path, names: Sequence[str], num_classes: int, allow_missing: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """The labels of the named pictures, which of them have one, and the number of lines for other pictures."""
    labels = np.zeros((len(names), num_classes), np.int16)
    has_label = np.zeros(len(names), bool)
    unused = 0
    rows = {name: row for row, name in enumerate(names)}
    parsed = {}  # a million lines have few different ends
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                name, _, end = line.partition(" ")
                row = rows.get(name)
                if row is not None and end in parsed and not has_label[row]:
                    labels[row] = parsed[end]
                    has_label[row] = True
                    continue
                # From the right, since a file name may hold spaces. A space at the end of the line is MHMD's habit.
                name, *values = line.rsplit(maxsplit=num_classes) or [""]
                name = name.strip()
                row = rows.get(name)
                right = len(values) == num_classes and all(_is_label(value) for value in values)
                if name and (not right or (row is None and _without_labels(line) in rows)):
                    raise InputError(
                        f"{path}, line {number}: {num_classes} integers from 0 to {_LARGEST_LABEL} are needed after "
                        f"the picture's name; {_what_is_wrong(line)}"
                    )
                if row is not None:
                    if has_label[row] and (labels[row] != np.array(values, np.int16)).any():
                        raise InputError(f"{path}, line {number}: {name} has other labels on an earlier line")
                    labels[row] = values
                    has_label[row] = True
                    if len(line) == len(name) + 1 + len(end):
                        parsed[end] = labels[row]
                elif name:
                    unused += 1
    except FileNotFoundError:
        if not allow_missing:
            raise InputError(
                f"{path}: no label file; put it there, name another with --sign-name, or train without with "
                "--allow-missing-labels"
            ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8") from None
    return labels, has_label, unused


_LARGEST_LABEL = 9999


def _is_label(text: str) -> bool:
    return text.isdecimal() and len(text) <= len(str(_LARGEST_LABEL))


def _without_labels(line: str) -> str:
    """A label line without the integers at its end: the picture's name."""
    words = line.split()
    while words and _is_label(words[-1]):
        words.pop()
    return " ".join(words)


def _what_is_wrong(line: str) -> str:
    values = line.split()[1:]
    wrong = next((value for value in reversed(values) if not _is_label(value)), None)
    return f"there are {len(values)}" if wrong is None else f"{wrong[:40]!r} is not one"


def find_parsing(folder: Path, names: Sequence[str]) -> list[str | None]:
    """The parsing picture NAME_seg.* of each picture NAME.*, or None; all None if there is no such folder.

    Of several, NAME_seg.jpg and NAME_seg.png, it is the first by name.
    """
    stems = {}
    if folder.is_dir():
        for name in images.list_pictures(folder, or_none=True):
            stems.setdefault(os.path.splitext(name)[0], name)
    return [stems.get(os.path.splitext(name)[0] + PARSING_SUFFIX) for name in names]


def epoch_order(pictures: int, seed: int, epoch: int) -> np.ndarray:
    """The order of an epoch's pictures: the same for the same seed and epoch, on any machine."""
    return np.random.default_rng((seed, epoch)).permutation(pictures)


def fingerprint(names: Sequence[str]) -> str:
    """A text that differs where the names or their order do, and then `epoch_order` means other pictures."""
    return hashlib.sha256("\n".join(names).encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Crop:
    """A square part of a picture that has been resized to a square.

    Attributes:
        resized: side of the whole, pixels.
        size: side of the part.
        top: row of the part's first pixel.
        left: column of it.
        mirrored: whether left and right are then exchanged.
    """

    resized: int
    size: int
    top: int = 0
    left: int = 0
    mirrored: bool = False

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """The part of a uint8 RGB picture as the networks see it: Lab in 0..1, float32 (size, size, 3)."""
        lab = color.network_lab(rgb, (self.resized,) * 2)[self.top :, self.left :][: self.size, : self.size]
        return lab[:, ::-1] if self.mirrored else lab


def whole_picture(size: int) -> Crop:
    """All of the picture, as released."""
    return Crop(size, size)


def random_crop(resized: int, size: int, seed: int, epoch: int, index: int) -> Crop:
    """The part of a sample that an epoch sees: the same for the same seed, epoch and sample, on any machine."""
    rng = np.random.default_rng((seed, epoch, index))
    top, left = map(int, rng.integers(0, resized - size + 1, 2))
    return Crop(resized, size, top, left, bool(rng.integers(2)))


def load_sample(dataset: Dataset, index: int, crop: Crop) -> dict[str, np.ndarray]:
    """One sample: "L" and "ab", and "label" and "parsing" where the dataset was opened for them (zeros if missing).

    The parsing is the luminance of the same part of the drawn picture.

    Raises:
        PictureError: if the picture or its parsing picture cannot be read.
    """
    lab = crop(images.read_rgb(dataset.folder / dataset.names[index]))
    sample = {"L": lab[..., :1], "ab": lab[..., 1:]}
    if dataset.labels is not None:
        sample["label"] = dataset.labels[index].astype(np.float32)
    parsing = dataset.parsing[index]
    if parsing is not None:
        sample["parsing"] = crop(images.read_rgb(dataset.parsing_folder / parsing))[..., :1]
    return sample


def batches(
    dataset: Dataset,
    fields: Sequence[str],
    order: Sequence[int],
    batch_size: int,
    image_size: int,
    report_broken: Callable[[PictureError], None] | None = None,
    used: int = 0,
    crop: Callable[[int], Crop] | None = None,
    share: Callable[[int], Sequence[int]] | None = None,
) -> Iterator[Batch]:
    """The batches of an epoch, the last one smaller if need be, read ahead by threads.

    Args:
        dataset: the samples.
        fields: the fields that each batch is to hold.
        order: which samples, in which order.
        batch_size: samples in a batch.
        image_size: side of the pictures in a batch, pixels.
        report_broken: told of each picture that cannot be read, which is then left out; if None, it is raised.
        used: how many samples of the order an interrupted epoch had used up; they are not read again.
        crop: index of a sample -> the part of its picture, of side `image_size`, that the batch gets; None: all.
        share: samples of a batch -> the places in it, rising, of those that this process is to read; None for all.
            Not with `report_broken`: nobody knows which pictures of the others are broken.
    """
    crop = crop or (lambda index: whole_picture(image_size))

    def load(place: int) -> tuple[int, dict[str, np.ndarray] | PictureError]:
        try:
            return place, load_sample(dataset, order[place], crop(order[place]))
        except PictureError as error:
            return place, error

    def readable(places: Iterable[int]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        for place, sample in map_ahead(load, places, ahead=2 * batch_size):
            if not isinstance(sample, PictureError):
                yield place, sample
            elif report_broken is None:
                raise PictureError(f"{sample}; mend or remove it, or leave such pictures out with --skip-broken")
            else:
                report_broken(sample)

    everything = range(used, len(order))
    if share is None:
        for samples in batched(readable(everything), batch_size):
            yield _join(dataset, fields, order, [place for place, _ in samples], samples, image_size)
        return
    own = (places[i] for places in batched(everything, batch_size) for i in share(len(places)))
    with contextlib.closing(readable(own)) as own_samples:
        for places in batched(everything, batch_size):
            samples = list(islice(own_samples, len(share(len(places)))))
            yield _join(dataset, fields, order, places, samples, image_size)


def _join(
    dataset: Dataset,
    fields: Sequence[str],
    order: Sequence[int],
    places: Sequence[int],
    samples: Sequence[tuple[int, Mapping]],
    image_size: int,
) -> Batch:
    """The batch of the order's samples at the places, of which some or all are there."""
    indices = [order[place] for place in places]
    there = np.searchsorted(places, [place for place, _ in samples])
    channels = {"L": 1, "ab": 2, "parsing": 1}
    joined = {}
    for field in fields:
        shape = (image_size, image_size, channels[field]) if field in channels else dataset.labels.shape[1:]
        joined[field] = np.zeros((len(samples), *shape), np.float32)
        for row, (_, sample) in zip(joined[field], samples, strict=True):
            if field in sample:
                row[...] = sample[field]
        if field == "label":
            joined["label_weight"] = _weights(dataset.has_label[indices])[there]
        elif field == "parsing":
            joined["parsing_weight"] = _weights([dataset.parsing[index] is not None for index in indices])[there]
    return Batch([dataset.names[index] for index in indices], places[-1] + 1, joined)


def _weights(present: Sequence[bool]) -> np.ndarray:
    """0 for the absent, and for the present what makes the mean 1."""
    weights = np.asarray(present, np.float32)
    return weights * (len(weights) / max(weights.sum(), 1))
