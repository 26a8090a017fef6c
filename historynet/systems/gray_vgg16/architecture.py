"""What a file of the gray VGG16 says of its network."""

from dataclasses import dataclass

from historynet.systems.scaling import scaled

HALVINGS = 32
"""Factor between the sides of the pictures and of the last block's features."""


@dataclass(frozen=True)
class Architecture:
    """How the network was built.

    Attributes:
        image_size: side of its pictures in pixels.
        width: factor on every channel and unit count but the classes; 1.0 is VGG16.
        classes: how many it tells apart.
    """

    image_size: int = 224
    width: float = 1.0
    classes: int = 1000

    def __post_init__(self):
        if not HALVINGS <= self.image_size <= 4096 or self.image_size % HALVINGS:
            raise ValueError(f"{self.image_size} is no side of its pictures: 32 to 4096, a multiple of {HALVINGS}")
        if not 0 < self.width <= 16:
            raise ValueError("its width must be above 0 and at most 16")
        if not 1 <= self.classes <= 1_000_000:
            raise ValueError("its classes must be 1 to 1,000,000")

    def channels(self, full: int) -> int:
        """The count of a layer's channels or units that VGG16 has `full` of."""
        return scaled(full, self.width)
