"""What a file of the labeller says of its network."""

from dataclasses import dataclass

from historynet.systems.scaling import scaled

NAME = "resnet50"
"""Keras name of the network."""

SIDES = (32, 4096)
"""Smallest and largest side of its pictures."""


@dataclass(frozen=True)
class Architecture:
    """How the network was built.

    Attributes:
        image_size: side of its pictures in pixels.
        width: factor on every channel count; 1.0 is ResNet50.
        labels: names of the labels that it tells apart, in their order.
    """

    image_size: int = 224
    width: float = 1.0
    labels: tuple[str, ...] = ()

    def __post_init__(self):
        if not SIDES[0] <= self.image_size <= SIDES[1]:
            raise ValueError(f"{self.image_size} is no side of its pictures: {SIDES[0]} to {SIDES[1]}")
        if not 0 < self.width <= 16:
            raise ValueError("its width must be above 0 and at most 16")
        if not 1 <= len(set(self.labels)) == len(self.labels) <= 10_000:
            raise ValueError("its labels must be 1 to 10,000, each once")

    def channels(self, full: int) -> int:
        """The count of a layer's channels that ResNet50 has `full` of."""
        return scaled(full, self.width)
