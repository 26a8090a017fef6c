"""What a file of Pix2Pix says of its networks. R1, R2, ... are readings of the report in docs/pix2pix.md."""

from dataclasses import dataclass

from historynet.systems.scaling import scaled

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
"""Keras names of the networks."""


@dataclass(frozen=True)
class Architecture:
    """How the networks were built.

    Attributes:
        image_height: pixels, of the pictures; a multiple of 2^depth.
        image_width: the same across.
        width: factor on every channel count from 64 on; 1.0 is pix2pix's.
        depth: how often the U-Net halves its map (R1, R13, R32).
        attention: shorter side of the map that attends to itself, in both networks (R7 to R9, R12); None: no attention.
        spectral_norm: whether every convolution is divided by its kernel's spectral norm (R24, R25).
        discriminator_layers: hidden convolutions of the discriminator, the last of stride 1 (R2).
    """

    image_height: int = 128
    image_width: int = 128
    width: float = 1.0
    depth: int = 7
    attention: int | None = None
    spectral_norm: bool = False
    discriminator_layers: int = 4

    def __post_init__(self):
        if not 0 < self.width <= 16:
            raise ValueError("its width must be above 0 and at most 16")
        if not 2 <= self.depth <= 10:
            raise ValueError(f"a U-Net of depth {self.depth}; it takes 2 to 10")
        step = 2**self.depth
        for side in (self.image_height, self.image_width):
            if not step <= side <= 4096 or side % step:
                raise ValueError(
                    f"{side} is no side of its pictures: {step} to 4096, a multiple of {step} (2^{self.depth}, "
                    "as often as the U-Net halves it)"
                )
        if self.attention is not None and self.attention not in self.stage_sides:
            sides = ", ".join(map(str, self.stage_sides))
            raise ValueError(f"no stage has a map whose shorter side is {self.attention}; there are {sides}")
        if not 2 <= self.discriminator_layers <= 8:
            raise ValueError(f"a discriminator of {self.discriminator_layers} layers; it takes 2 to 8")
        if self._shorter_side < 3 * 2 ** (self.discriminator_layers - 1):
            raise ValueError(
                f"pictures of {self.image_height}x{self.image_width} leave a discriminator of "
                f"{self.discriminator_layers} layers no patch"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures."""
        return self.image_height, self.image_width

    @property
    def _shorter_side(self) -> int:
        return min(self.size)

    @property
    def stage_sides(self) -> list[int]:
        """The shorter sides of the maps that the decoder's stages up1, up2, ... make."""
        return [self._shorter_side // 2**i for i in range(self.depth)]

    @property
    def generator_attention(self) -> int | None:
        """The number of the decoder's stage whose output attends to itself (R7)."""
        return None if self.attention is None else self.stage_sides.index(self.attention) + 1

    @property
    def discriminator_attention(self) -> int | None:
        """The number of the discriminator's convolution of stride 2 whose output does: of that size or nearest (R8)."""
        if self.attention is None:
            return None
        halving = range(1, self.discriminator_layers)
        return min(halving, key=lambda i: abs(self._shorter_side // 2**i - self.attention))

    def channels(self, stage: int) -> int:
        """The channels of the map halved `stage` times, from 1 on: 64, 128, 256, 512, 512, ..., by width."""
        return scaled(64 * min(2 ** (stage - 1), 8), self.width)
