"""What an epoch sees of its samples: which of them, how often, which part of each picture, and how aged.

All follows from the seed, the epoch and the sample, on any machine, so that a continued epoch sees the same.
"""

import csv
import dataclasses
import fnmatch
import io
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from historynet import files
from historynet.data.samples import Ageing, Crop, epoch_order, random_crop, whole_picture
from historynet.errors import InputError
from historynet.settings import Settings

_COLUMNS = ["name", "weight"]


def read_weights(path: Path, names: Sequence[str]) -> np.ndarray:
    """How often each sample is wanted, beside the others: float64 (samples,).

    The file is a table (CSV) with the columns name and weight. A name may hold *, ? and [...], as in a shell, unless a
    sample is called just so; a sample has the weight of the first line that fits it, and 1 where none does.

    Args:
        path: the table.
        names: the samples' file names.

    Raises:
        InputError: naming the line, if it is no such table, or a line fits no sample, or all weights are 0.
    """
    with files.reading(path):
        content = path.read_bytes()
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: no table of names and weights ({error})") from error
    if not lines or [cell.strip() for cell in lines[0]] != _COLUMNS:
        raise InputError(f"{path}: its first line has to be {','.join(_COLUMNS)}")
    weights, places = np.full(len(names), np.nan), {name: i for i, name in enumerate(names)}
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        pattern, weight = _pattern_and_weight(line, f"{path}: line {number}")
        if pattern in places:
            # A picture's own name, whatever it holds. There may be a line for each picture.
            fitting = [places[pattern]]
        else:
            fits = re.compile(fnmatch.translate(pattern)).match
            fitting = [i for i, name in enumerate(names) if fits(name)]
        if not fitting:
            raise InputError(f"{path}: line {number}: {pattern} fits no training picture")
        # The first line that fits counts.
        fitting = [i for i in fitting if np.isnan(weights[i])]
        weights[fitting] = weight
    weights = np.nan_to_num(weights, nan=1.0)
    if not weights.any():
        raise InputError(f"{path}: all training pictures have the weight 0")
    return weights


def _pattern_and_weight(line: Sequence[str], where: str) -> tuple[str, float]:
    try:
        pattern, weight = line
        weight = float(weight)
    except ValueError as error:
        raise InputError(f"{where}: a name and a number are wanted") from error
    if not (math.isfinite(weight) and weight >= 0):
        raise InputError(f"{where}: the weight has to be a number of at least 0")
    return pattern.strip(), weight


def sample_order(settings: Settings, weights: np.ndarray | None, samples: int, epoch: int) -> Sequence[int]:
    """Which samples an epoch sees, in which order.

    Args:
        settings: of the run.
        weights: with them samples are drawn, each time anew from all of them: as many as there are, or as
            STEPS_PER_EPOCH asks for.
        samples: how many there are.
        epoch: its number.
    """
    if weights is not None:
        rng = np.random.default_rng((settings.seed, epoch))
        number = max(samples, settings.batch_size * (settings.steps_per_epoch or 0))
        return rng.choice(samples, size=number, p=weights / weights.sum())
    return epoch_order(samples, settings.seed, epoch) if settings.shuffle else range(samples)


def views(settings: Settings, order: Sequence[int], epoch: int) -> Callable[[int], Crop] | None:
    """What an epoch sees of each sample; None: whole pictures as they are.

    Args:
        settings: of the run.
        order: of the epoch's samples.
        epoch: its number.

    Returns:
        Place in the order -> the view.
    """
    if settings.crop_size is None and not settings.age_luminance and not settings.varies:
        return None
    drawn = settings.sample_weights is not None

    def view(place: int) -> Crop:
        # A sample that is drawn twice is seen in two ways.
        key = (settings.seed, epoch, len(order) + place if drawn else int(order[place]))
        crop = whole_picture(settings.size)
        if settings.crop_size is not None:
            cut = random_crop(settings.crop_size, settings.size, *key)
            is_cut = settings.crop_share >= 1 or np.random.default_rng((*key, 1)).random() < settings.crop_share
            crop = cut if is_cut else dataclasses.replace(crop, mirrored=cut.mirrored)
        rng = np.random.default_rng((*key, 2))
        if settings.age_luminance and rng.random() < settings.age_luminance:
            crop = dataclasses.replace(crop, ageing=draw_ageing(rng))
        return dataclasses.replace(crop, key=key) if settings.varies else crop

    return view


def draw_ageing(rng: np.random.Generator) -> Ageing:
    """How one picture's luminance ages: faded, flat, unsharp, grainy."""
    return Ageing(
        gamma=math.exp(rng.uniform(-0.35, 0.35)),
        contrast=rng.uniform(0.75, 1.15),
        offset=rng.uniform(-0.06, 0.06),
        blur=rng.uniform() if rng.random() < 0.4 else 0.0,
        noise=rng.uniform(0.0, 0.03),
        seed=int(rng.integers(2**32)),
    )
