"""From the distribution over colours to one of them, Eq. (2). NumPy: it is done again without the network."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from historynet.systems.film_cnn.bins import COUNT, centres

TEMPERATURE = 0.5
"""The paper's."""

UPSCALING = 4
"""The network's colours have a quarter of the picture's side."""


def annealed_mean(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Eq. (2): logits (..., 313) -> ab in Lab units, float32 (..., 2).

    Args:
        logits: of the network.
        temperature: 1 gives the mean of the distribution, 0 the colour of its largest logit, the first of equals.

    Raises:
        ValueError: if the temperature is below 0 or no number.
    """
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature {temperature}: a number of at least 0 is needed")
    if temperature == 0:
        return centres()[logits.argmax(axis=-1)]
    likely = logits.astype(np.float32) - logits.max(axis=-1, keepdims=True)
    # In float64: a small temperature makes large numbers of small ones.
    likely = np.exp(likely / np.float64(temperature))
    return ((likely @ centres().astype(np.float64)) / likely.sum(axis=-1, keepdims=True)).astype(np.float32)


def decode(outputs: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> np.ndarray:
    """Logits (batch, rows, columns, 313) -> ab (batch, 4 rows, 4 columns, 2), float32 in 0..1.

    Args:
        outputs: of the network, "logits".
        settings: "temperature"; TEMPERATURE if it is not there.
    """
    lab = annealed_mean(outputs["logits"], settings.get("temperature", TEMPERATURE))
    return to_house(np.stack([enlarged(picture) for picture in lab]))


def enlarged(values: np.ndarray) -> np.ndarray:
    """Float32 (rows, columns, channels) -> (4 rows, 4 columns, channels).

    Bilinear between the centres of the pixels, whose edges are repeated.
    """
    rows, columns = values.shape[:2]
    return cv2.resize(values, (UPSCALING * columns, UPSCALING * rows), interpolation=cv2.INTER_LINEAR)


def to_house(lab: np.ndarray) -> np.ndarray:
    """ab in Lab units -> as the house has it, 0..1."""
    return (lab + np.float32(128)) / np.float32(255)


def confidence(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """How sure the network is of the colour of each place: 1 - entropy / ln 313.

    Args:
        outputs: of one picture, "logits" (rows, columns, 313).

    Returns:
        Float32 (rows, columns): 1 where it knows one colour only, 0 where all are the same to it.
    """
    likely = outputs["logits"].astype(np.float64)
    likely -= likely.max(axis=-1, keepdims=True)
    weights = np.exp(likely)
    total = weights.sum(axis=-1)
    entropy = np.log(total) - (weights * likely).sum(axis=-1) / total
    return np.clip(1 - entropy / np.log(COUNT), 0, 1).astype(np.float32)
