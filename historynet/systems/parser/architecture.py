"""What a file of the parser says of its network."""

import math
from dataclasses import dataclass

NAME = "compact_parser"
"""Keras name of the network."""

CLASSES = (
    "background",
    "hat",
    "hair",
    "face",
    "limbs",
    "upper-clothes",
    "coat",
    "dress",
    "pants",
    "skirt",
    "socks",
    "shoes",
    "accessory",
)
"""What it tells apart: the 20 parts without left and right, and with little ones joined."""

STEP = 32
"""Its pictures' sides are multiples of so many pixels: it halves them five times."""


@dataclass(frozen=True)
class Architecture:
    """How the network was built.

    Attributes:
        height: of its pictures in pixels.
        width: of them.
        classes: names of what it tells apart, in their order.
    """

    height: int = 192
    width: int = 128
    classes: tuple[str, ...] = CLASSES

    def __post_init__(self):
        if math.gcd(self.height, self.width) % STEP or min(self.height, self.width) < STEP:
            raise ValueError(f"the sides of its pictures must be multiples of {STEP}, not {self.height}x{self.width}")
        if max(self.height, self.width) > 4096:
            raise ValueError("its pictures must have at most 4096 pixels a side")
        if not 2 <= len(set(self.classes)) == len(self.classes) <= 1000:
            raise ValueError("its classes must be 2 to 1000, each once")
