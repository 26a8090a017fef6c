"""What a network is to whoever colorizes with it, whatever computes it."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import hashlib


class Network(Protocol):
    """A trained network.

    Attributes:
        size: (height, width) of the pictures that it sees.
        precision: what it computes in: one of `settings.PRECISIONS`, or "int8".
    """

    size: tuple[int, int]
    precision: str

    def predict(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        """L (pictures, height, width, 1), float32 in 0..1 -> the raw outputs by name, the picture as first axis."""

    def identify(self, digest: "hashlib._Hash") -> None:
        """Adds to a checksum what tells the network from others: its weights, and what it computes with."""
