"""Other colourings of a picture, drawn from the distribution over colours: whole ones, not a colour a place.

A draw for each place by itself would be noise. So the picture is divided into regions, and a region's colour is drawn
as a whole, by Gumbel's trick: the largest of log s(q) + g(q), with noise g of Gumbel's distribution, is distributed as
s. Regions that are alike and near share their noise in part, and so tend to win with the same colours. For each place
the colour is then the annealed mean, Eq. (2), of its own distribution around the colour drawn for its region. Of a pool
of draws the most probable one is taken that is far enough from all before it, where colours that change in the midst of
an even luminance count against it. NumPy: the network is not needed again.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from historynet.pictures import color
from historynet.systems.film_cnn import decoding
from historynet.systems.film_cnn.bins import centres, nearest
from historynet.systems.system import APART, Alternative

_DRAWS = 128
"""In the pool."""

_REACHES = (0.1, 1.0)
"""How unlike regions may be that share noise, `_unlikeness`: each draw has one between these."""

_SCALE = 0.03
"""Of the segmentation: larger gives larger regions."""

_SMALLEST = 150
"""A region has at least this part of the picture."""

_NEAR_COLOURS = 10.0
"""Lab units, sigma: by so much the bins are smoothed before one is drawn, whose near ones would share its votes."""

_AROUND = 20.0
"""Lab units, sigma, of the window around a colour that was drawn."""

_FLAT = 0.04
"""Difference of L between neighbours from which on there may well be an edge."""

_BLOTCHES = 0.3
"""What a Lab unit of them costs, in log probability. With more, the alternatives differ in their tone alone."""

_MARGIN = 1.1
"""Colours that are enlarged, cut to whole levels and compressed come a little nearer to each other."""


def alternatives(
    outputs: Mapping[str, np.ndarray], luminance: np.ndarray, settings: Mapping[str, Any], count: int, seed: int
) -> Sequence[Alternative]:
    """Other colourings of one picture, as of `Colorizing.alternatives`.

    Args:
        outputs: of the network, "logits" (rows, columns, 313).
        luminance: L, float32 (4 rows, 4 columns, 1) in 0..1.
        settings: as of `decoding.decode`.
        count: how many; the first of many are those of few.
        seed: of the draws.
    """
    logits = outputs["logits"]
    temperature = settings.get("temperature", decoding.TEMPERATURE)
    # L as the colours have it, a quarter of the side.
    guide = cv2.resize(luminance[..., 0], logits.shape[1::-1], interpolation=cv2.INTER_AREA)
    usual = decoding.annealed_mean(logits, temperature)
    likely = logits - logits.max(axis=-1, keepdims=True)
    likely -= np.log(np.exp(likely).sum(axis=-1, keepdims=True))
    pool = _pool(likely, guide, temperature, np.random.default_rng(seed))
    pool = usual + _smoothed(pool - usual, guide)
    scores = np.array([_log_probability(likely, ab) for ab in pool])
    merits = scores - _BLOTCHES * _blotches(pool - usual, guide)
    chosen = _choose(_shown(pool, guide), _shown(usual[None], guide), merits, count)

    # Enlarged as the usual colours are, but that what differs from them ends where L has an edge.
    base = decoding.enlarged(usual)
    large = np.stack([base, *(base + _to_edges(pool[i] - usual, guide, luminance[..., 0]) for i in chosen)])
    shown = _shown(large, luminance[..., 0])
    return [
        Alternative(
            ab=decoding.to_house(large[i + 1]),
            log_probability=float(scores[place]),
            distance=min(_distance(shown[i + 1], other) for other in shown[: i + 1]),
        )
        for i, place in enumerate(chosen)
    ]


def _choose(pool: np.ndarray, usual: np.ndarray, merits: np.ndarray, count: int) -> list[int]:
    """In each step the best draw that is far enough from the usual colours and all that are chosen.

    Where there is none, the farthest. (The choice of a step does not depend on how many follow.)
    """
    distances = np.array([_distance(ab, usual[0]) for ab in pool])
    chosen: list[int] = []
    for _ in range(count):
        far = distances >= APART * _MARGIN
        chosen.append(int(np.where(far, merits, -np.inf).argmax() if far.any() else distances.argmax()))
        distances = np.minimum(distances, [_distance(ab, pool[chosen[-1]]) for ab in pool])
    return chosen


def _distance(ab: np.ndarray, other: np.ndarray) -> float:
    """The mean distance of two colourings, (rows, columns, 2) each, in Lab units."""
    return float(np.linalg.norm(ab - other, axis=-1).mean())


def _shown(ab: np.ndarray, luminance: np.ndarray) -> np.ndarray:
    """What a screen shows of colours (n, rows, columns, 2) with a luminance (rows, columns) in 0..1, in Lab units.

    In the dark and in the light there are few, and many that are predicted look the same.
    """
    n, rows, columns = ab.shape[:3]
    lab = np.empty((n * rows, columns, 3), np.uint8)
    lab[..., 0] = np.rint(np.tile(luminance, (n, 1)) * 255)
    lab[..., 1:] = np.rint(np.clip(ab.reshape(-1, columns, 2) + 128, 0, 255))
    return color.rgb_to_lab(color.lab_to_rgb(lab))[..., 1:].reshape(ab.shape).astype(np.float32) - 128


def _blotches(change: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """How much changes of colours (n, rows, columns, 2) differ between neighbours where L does not; Lab units, (n,)."""
    total = np.zeros(len(change))
    for axis in (0, 1):
        flat = np.exp(-np.abs(np.diff(guide, axis=axis)) / _FLAT)
        total += (np.linalg.norm(np.diff(change, axis=axis + 1), axis=-1) * flat).mean(axis=(1, 2))
    return total


def _log_probability(likely: np.ndarray, ab: np.ndarray) -> float:
    """The mean over the places of the log probability of the bin nearest to each one's colour."""
    return float(np.take_along_axis(likely, nearest(ab)[..., None], axis=-1).mean())


# Draws


def _pool(likely: np.ndarray, guide: np.ndarray, temperature: float, random: np.random.Generator) -> np.ndarray:
    """Draws of whole colourings.

    Args:
        likely: log probabilities (rows, columns, 313).
        guide: L of the same places, 0..1.
        temperature: of the annealed mean.
        random: of the draws.

    Returns:
        ab in Lab units, float32 (_DRAWS, rows, columns, 2).
    """
    regions = _regions(likely, guide)
    members = [np.nonzero(regions.ravel() == region)[0] for region in range(regions.max() + 1)]
    flat = likely.reshape(-1, likely.shape[-1])
    probable = np.stack([np.exp(flat[places]).mean(axis=0) for places in members])
    drawn = _draw(probable, _unlikeness(probable, guide, members), random)

    pool = np.empty((_DRAWS, len(flat), 2), np.float32)
    for region, places in enumerate(members):
        for mode in np.unique(drawn[:, region]):
            ab = decoding.annealed_mean(flat[places] + _window(_AROUND)[mode], temperature)
            pool[np.ix_(drawn[:, region] == mode, places)] = ab
    return pool.reshape(_DRAWS, *guide.shape, 2)


def _draw(probable: np.ndarray, unlikeness: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The bin that each draw takes for each region, (_DRAWS, regions).

    By itself each is distributed as the region's smoothed distribution. Gumbel's noise is max-stable: the largest of
    several, each with the logarithm of its share added, where the shares' sum is 1, is Gumbel's noise again. So regions
    can share it in part without anything else changing.

    Args:
        probable: mean distribution of each region, (regions, 313).
        unlikeness: of each two, (regions, regions).
        random: of the draws.
    """
    kernel = np.exp(_window(_NEAR_COLOURS))
    smooth = np.log(probable @ (kernel / kernel.sum(axis=1, keepdims=True)) + 1e-30)
    # Colours that nobody draws need no noise.
    bins = np.nonzero((smooth > np.log(1e-5)).any(axis=0))[0]
    drawn = np.empty((_DRAWS, len(probable)), int)
    for i, reach in enumerate(np.exp(random.uniform(*np.log(_REACHES), _DRAWS))):
        shares = np.exp(-unlikeness / reach)
        shares = np.log(shares / shares.sum(axis=1, keepdims=True) + 1e-30)
        noise = random.gumbel(size=(len(probable), len(bins)))
        noise = (noise + shares[..., None]).max(axis=1)
        drawn[i] = bins[(smooth[:, bins] + noise).argmax(axis=1)]
    return drawn


@functools.cache
def _window(sigma: float) -> np.ndarray:
    """Logarithms of Gaussian windows around the bins, (313, 313)."""
    bins = centres()
    return -np.square(bins[:, None] - bins).sum(axis=-1) / (2 * sigma**2)


# Regions


def _regions(likely: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """Numbers of regions (rows, columns), from 0: graph segmentation (Felzenszwalb and Huttenlocher 2004).

    Neighbours are as far from each other as their distributions are (Hellinger's distance), and as L is. Two regions
    become one where they are no farther from each other than each is within itself, and _SCALE by its size.
    """
    roots, weights = np.exp(likely / 2) / np.sqrt(2), 2 * cv2.GaussianBlur(guide, (0, 0), 0.7)
    traits = np.concatenate([roots, weights[..., None]], axis=-1).reshape(guide.size, -1)
    places = np.arange(guide.size).reshape(guide.shape)
    pairs = [(places[:, :-1], places[:, 1:]), (places[:-1], places[1:])]
    pairs += [(places[:-1, :-1], places[1:, 1:]), (places[:-1, 1:], places[1:, :-1])]
    edges = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in pairs])
    lengths = np.linalg.norm(traits[edges[:, 0]] - traits[edges[:, 1]], axis=1)
    order = np.argsort(lengths, kind="stable")

    parents, sizes, within = list(range(guide.size)), [1] * guide.size, [0.0] * guide.size

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = place = parents[parents[place]]
        return place

    smallest = max(1, guide.size // _SMALLEST)
    # Once more, so that none is too small to be seen.
    for at_least in (0, smallest):
        for (a, b), length in zip(edges[order].tolist(), lengths[order].tolist(), strict=True):
            a, b = root(a), root(b)
            alike = length <= min(within[a] + _SCALE / sizes[a], within[b] + _SCALE / sizes[b])
            if a != b and (alike or min(sizes[a], sizes[b]) < at_least):
                parents[b] = a
                sizes[a] += sizes[b]
                within[a] = max(within[a], within[b], length)
    return np.unique([root(place) for place in parents], return_inverse=True)[1].reshape(guide.shape)


def _unlikeness(probable: np.ndarray, guide: np.ndarray, members: Sequence[np.ndarray]) -> np.ndarray:
    """How unlike regions are, (regions, regions): squared distances of distributions, of L and of places together.

    Of the places, in picture's sides, half the distance counts.
    """
    hellinger = 1 - np.sqrt(probable) @ np.sqrt(probable).T
    rows, columns = guide.shape
    traits = np.stack(
        [
            (
                np.median(guide.ravel()[places]),
                (places // columns).mean() / rows / 2,
                (places % columns).mean() / columns / 2,
            )
            for places in members
        ]
    )
    return np.maximum(hellinger, 0) + np.square(traits[:, None] - traits).sum(axis=-1)


# Edges


def _smoothed(change: np.ndarray, guide: np.ndarray, radius: int = 2, epsilon: float = 0.002) -> np.ndarray:
    """Changes of colours (n, rows, columns, 2) smoothed but for edges of L: He and Sun's guided filter."""
    slope, mean_guide, mean_change = _slopes(change, guide, radius, epsilon)
    offset = _mean(mean_change - slope * mean_guide, radius)
    return _mean(slope, radius) * guide[..., None] + offset


def _to_edges(change: np.ndarray, guide: np.ndarray, large_guide: np.ndarray) -> np.ndarray:
    """A change of colours (rows, columns, 2) at L's size; between its places it goes as L does."""
    slope = _mean(_slopes(change[None], guide, 2, 0.005)[0], 2)[0]
    offset = change - slope * guide[..., None]
    return decoding.enlarged(slope) * large_guide[..., None] + decoding.enlarged(offset)


def _slopes(change, guide, radius, epsilon):
    mean_guide = _mean(guide[None, ..., None], radius)
    variance = _mean(np.square(guide)[None, ..., None], radius) - np.square(mean_guide)
    mean_change = _mean(change, radius)
    slope = (_mean(change * guide[..., None], radius) - mean_change * mean_guide) / (variance + epsilon)
    return slope, mean_guide, mean_change


def _mean(values: np.ndarray, radius: int) -> np.ndarray:
    """Means of windows, of values (n, rows, columns, channels)."""
    side = (2 * radius + 1,) * 2
    means = [cv2.boxFilter(one, -1, side, borderType=cv2.BORDER_REFLECT_101) for one in values]
    return np.stack(means).reshape(values.shape)
