"""What a file of the films CNN says of its network."""

from dataclasses import dataclass

from historynet.systems.scaling import scaled

NAME = "film_cnn"
"""Keras name of the network."""


@dataclass(frozen=True)
class Architecture:
    """How the network was built. Its weights serve pictures of any size that is a multiple of 8.

    Attributes:
        multi_scale: whether the first layer has kernels of 3x3 and 5x5; without, those of 3x3 alone, as Zhang et al.
        vgg_features: whether VGG16's features of three scales are joined to the trunk's; Zhang et al. have none.
        width: factor on every channel count but those of L and of the bins; 1.0 is the paper's network.
        features_width: the same for VGG16's three blocks; `width` if None.
        colorizing_size: side in pixels of the pictures that the network sees when it colorizes.
    """

    multi_scale: bool = True
    vgg_features: bool = True
    width: float = 1.0
    features_width: float | None = None
    colorizing_size: int = 256

    def __post_init__(self):
        if self.features_width is None:
            object.__setattr__(self, "features_width", self.width)
        if not all(0 < factor <= 16 for factor in (self.width, self.features_width)):
            raise ValueError("its widths must be above 0 and at most 16")
        if not 16 <= self.colorizing_size <= 4096 or self.colorizing_size % 8:
            raise ValueError(f"{self.colorizing_size} is no side of its pictures: 16 to 4096, a multiple of 8")

    def channels(self, full: int) -> int:
        """The channel count of a layer that has `full` channels in the paper."""
        return scaled(full, self.width)

    def feature_channels(self, full: int) -> int:
        """The same in VGG16's blocks."""
        return scaled(full, self.features_width)
