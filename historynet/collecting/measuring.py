"""How good labels are: recall, temperature, calibration, confusion; all of logits or probabilities and true labels."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10
"""Of a reliability table."""

_LOG_T = (-2.0, 2.0)
"""Smallest and largest logarithm of a temperature."""


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities (pictures, labels) of logits divided by a temperature, float64."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cross_entropy(logits: np.ndarray, truth: np.ndarray, temperature: float = 1.0) -> float:
    """The mean negative log-likelihood of the true labels.

    Args:
        logits: (pictures, labels).
        truth: numbers of the labels, (pictures,).
        temperature: that the logits are divided by.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    largest = scaled.max(axis=1)
    log_sums = largest + np.log(np.exp(scaled - largest[:, None]).sum(axis=1))
    return float(np.mean(log_sums - scaled[np.arange(len(truth)), truth]))


def find_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature of the least negative log-likelihood (Guo et al. 2017), its logarithm within -2..2."""
    return math.exp(golden_section(lambda log_t: cross_entropy(logits, truth, math.exp(log_t)), *_LOG_T))


def golden_section(function: Callable[[float], float], low: float, high: float, width: float = 1e-4) -> float:
    """Where a function of one valley is least, to within a width (Kiefer 1953)."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > width:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


def confusion(truth: np.ndarray, found: np.ndarray, labels: int) -> np.ndarray:
    """How many pictures of each label (rows) were taken for each (columns), (labels, labels)."""
    return np.bincount(truth * labels + found, minlength=labels**2).reshape(labels, labels)


def macro_recall(matrix: np.ndarray) -> float:
    """The mean, over the labels that there are pictures of, of the share that was found; NaN if there are none."""
    counts = matrix.sum(axis=1)
    there = counts > 0
    return float(np.mean(np.diag(matrix)[there] / counts[there])) if there.any() else math.nan


@dataclass(frozen=True)
class Bin:
    """The pictures whose confidence is within a tenth.

    Attributes:
        low: smallest confidence; the largest is `low` + 0.1, which belongs to the next bin but for 1.
        pictures: how many.
        confidence: their mean confidence; NaN if there are none.
        accuracy: the share of them whose label is right.
    """

    low: float
    pictures: int
    confidence: float
    accuracy: float


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[Bin]:
    """The reliability table of labels.

    Args:
        confidence: of each, 0..1.
        right: whether each is right.
    """
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        own = places == place
        means = (float(values[own].mean()) if own.any() else math.nan for values in (confidence, right))
        bins.append(Bin(place / BINS, int(own.sum()), *means))
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: the mean distance of confidence and accuracy over all pictures; NaN of none."""
    total = sum(one.pictures for one in bins)
    gaps = (one.pictures * abs(one.confidence - one.accuracy) for one in bins if one.pictures)
    return sum(gaps) / total if total else math.nan


def wilson(right: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's (1927) score interval of a share, by default of 95%.

    Args:
        right: how many of them.
        total: all, at least 1.
        z: quantile of the normal distribution.
    """
    share = right / total
    middle = share + z**2 / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return (middle - half) / (1 + z**2 / total), (middle + half) / (1 + z**2 / total)
