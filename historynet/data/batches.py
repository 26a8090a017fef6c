"""Samples -> batches.

Batches are made by threads, not by tf.data: OpenCV must decode (the released program's pixels are to be met exactly),
its errors arrive here as they are, with the file's name, and a broken picture can be left out without a hole in its
batch.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from historynet.data import varying
from historynet.data.samples import Crop, Samples, whole_picture
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead
from historynet.settings import Settings


@dataclass(frozen=True)
class Batch:
    """Some samples: their file names, and their fields as float32 arrays with the sample as first axis.

    Where several processes share a batch, the names are those of the whole batch, and the fields those of the process's
    own samples. `end` is how many samples of the epoch's order are used up with this batch, those left out included.

    FIELD_weight (batch,), of a field that samples may lack, is 0 where one does; its mean over the whole batch is 1
    (unless no sample has the field), so that the mean of weight * loss is the mean over those that have it.
    """

    names: list[str]
    end: int
    fields: dict[str, np.ndarray]


def of_epoch(
    settings: Settings,
    samples: Samples,
    weights: np.ndarray | None,
    epoch: int,
    used: int = 0,
    report_broken: Callable[[PictureError], None] | None = None,
    share: Callable[[int], Sequence[int]] | None = None,
) -> Iterator[Batch]:
    """The batches of an epoch of a run.

    Args:
        settings: of the run.
        samples: all of them.
        weights: as of `varying.sample_order`.
        epoch: its number.
        used: as of `batches`.
        report_broken: the same.
        share: the same.

    Raises:
        PictureError: if a picture cannot be read and nobody is told.
    """
    order = varying.sample_order(settings, weights, len(samples), epoch)
    views = varying.views(settings, order, epoch)
    return batches(samples, order, settings.batch_size, settings.size, report_broken, used, views, share)


def first_batches(settings: Settings, samples: Samples, count: int) -> list[Batch]:
    """The first batches of a run; pictures that cannot be read are left out of them if the run leaves them out.

    Raises:
        InputError: if SAMPLE_WEIGHTS cannot be read, or no picture.
        PictureError: if a picture cannot be read that the run does not leave out.
    """
    weights = None
    if settings.sample_weights is not None:
        weights = varying.read_weights(settings.sample_weights, samples.names)
    # The training names it.
    report_broken = (lambda error: None) if settings.skip_broken else None
    with contextlib.closing(of_epoch(settings, samples, weights, 0, report_broken=report_broken)) as all_batches:
        first = list(islice(all_batches, count))
    if not first:
        raise InputError("there is no training picture that can be read")
    return first


def batches(
    samples: Samples,
    order: Sequence[int],
    batch_size: int,
    size: tuple[int, int],
    report_broken: Callable[[PictureError], None] | None = None,
    used: int = 0,
    crop: Callable[[int], Crop] | None = None,
    share: Callable[[int], Sequence[int]] | None = None,
) -> Iterator[Batch]:
    """The batches of an epoch, the last one smaller if need be, read ahead by threads.

    Args:
        samples: all of them.
        order: which samples, in which order.
        batch_size: samples in a batch.
        size: (height, width) of the pictures in a batch, pixels.
        report_broken: told of each picture that cannot be read, which is then left out; if None, it is raised.
        used: how many samples of the order an interrupted epoch had used up; they are not read again.
        crop: place in the order -> the part of that sample's picture, of `size`, that the batch gets; None: all.
        share: samples of a batch -> the places in it, rising, of those that this process is to read; None for all.
            Not with `report_broken`: nobody knows which pictures of the others are broken.

    Raises:
        PictureError: if a picture cannot be read and nobody is told.
    """
    crop = crop or (lambda place: whole_picture(size))

    def read(place: int) -> tuple[int, dict[str, np.ndarray] | PictureError]:
        try:
            sample = samples.read(order[place], crop(place))
            # Joining is the one thing that only one thread does: it is to be plain copying.
            return place, {name: np.ascontiguousarray(value) for name, value in sample.items()}
        except PictureError as error:
            return place, error

    def readable(places: Iterable[int]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        for place, sample in map_ahead(read, places, ahead=2 * batch_size):
            if not isinstance(sample, PictureError):
                yield place, sample
            elif report_broken is None:
                raise PictureError(f"{sample}; mend or remove it, or leave such pictures out with --skip-broken")
            else:
                report_broken(sample)

    everything = range(used, len(order))
    if share is None:
        for read_samples in batched(readable(everything), batch_size):
            yield _join(samples, order, [place for place, _ in read_samples], read_samples, size)
        return
    own = (places[i] for places in batched(everything, batch_size) for i in share(len(places)))
    with contextlib.closing(readable(own)) as own_samples:
        for places in batched(everything, batch_size):
            yield _join(samples, order, places, list(islice(own_samples, len(share(len(places))))), size)


def _join(
    samples: Samples,
    order: Sequence[int],
    places: Sequence[int],
    read_samples: Sequence[tuple[int, Mapping[str, np.ndarray]]],
    size: tuple[int, int],
) -> Batch:
    """The batch of the order's samples at the places, of which some or all were read here."""
    indices = [order[place] for place in places]
    own = np.searchsorted(places, [place for place, _ in read_samples])
    joined = {}
    for reader in samples.readers:
        for field in reader.fields:
            joined[field] = np.zeros((len(read_samples), *reader.shape(field, size)), np.float32)
            for row, (_, sample) in zip(joined[field], read_samples, strict=True):
                if field in sample:
                    row[...] = sample[field]
            if reader.present is not None:
                joined[f"{field}_weight"] = _weights(reader.present[indices])[own]
    return Batch([samples.names[index] for index in indices], places[-1] + 1, joined)


def _weights(present: np.ndarray) -> np.ndarray:
    """0 for the absent, and for the present what makes the mean 1."""
    weights = present.astype(np.float32)
    return weights * (len(weights) / max(weights.sum(), 1))
