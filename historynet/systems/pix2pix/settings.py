"""The parameters that Pix2Pix has besides those of every system. No engine is needed here."""

from collections.abc import Iterator
from dataclasses import dataclass

from historynet.settings import Settings
from historynet.settings.accepting import boolean, integer, number, word
from historynet.settings.declared import RUN, TRAIN, setting
from historynet.systems.pix2pix.architecture import Architecture

LOSSES = ("log", "least_squares", "hinge")
"""What GAN_LOSS can be."""


@dataclass(frozen=True, kw_only=True)
class Pix2PixSettings(Settings):
    """The parameters of a run of Pix2Pix; see `Settings`."""

    width: float = setting(
        number(above=True), TRAIN, "network", "factor on every channel count", "1.0 is pix2pix's", fixed=RUN
    )
    u_net_depth: int = setting(
        integer(2, 10),
        TRAIN,
        "network",
        "how often the U-Net halves its map",
        "both sides of IMAGE_SIZE are multiples of two to this power",
        fixed=RUN,
    )
    attention: int | None = setting(
        integer(1),
        TRAIN,
        "network",
        "pixels, shorter side of the map that attends to itself",
        "IMAGE_SIZE's, or a half, a quarter, ... of it; none: no self-attention",
        optional=True,
        fixed=RUN,
    )
    spectral_norm: bool = setting(
        boolean, TRAIN, "network", "divide kernels by their spectral norm", "in both networks", fixed=RUN
    )
    dropout: float = setting(
        number(below=1.0),
        TRAIN,
        "network",
        "share of deep features left out in training",
        "in up5 and the stages below it but the last; none in colorizing",
        fixed=RUN,
    )
    discriminator_layers: int = setting(
        integer(2, 8),
        TRAIN,
        "network",
        "hidden convolutions of the discriminator",
        "4: patches of 70x70 pixels",
        fixed=RUN,
    )

    gan_loss: str = setting(word(LOSSES), TRAIN, "losses", "'log', 'least_squares' or 'hinge'", fixed=RUN)
    lambda_l1: float = setting(number(), TRAIN, "losses", "weight of L_L1", "beside L_GAN")
    learning_rate: float = setting(
        number(above=True),
        TRAIN,
        "optimiser",
        "step size of Adam",
        "the generator's, and the discriminator's if it has none",
    )
    discriminator_learning_rate: float | None = setting(
        number(above=True),
        TRAIN,
        "optimiser",
        "the discriminator's step size",
        "none: LEARNING_RATE",
        optional=True,
    )
    beta_1: float = setting(
        number(below=1.0), TRAIN, "optimiser", "share of the gradients' mean that Adam keeps", fixed=RUN
    )
    beta_2: float = setting(
        number(below=1.0), TRAIN, "optimiser", "share of the squares' mean that Adam keeps", fixed=RUN
    )

    @property
    def architecture(self) -> Architecture:
        """What the networks are built from.

        Raises:
            ValueError: if there are no such networks.
        """
        return Architecture(
            *self.size, self.width, self.u_net_depth, self.attention, self.spectral_norm, self.discriminator_layers
        )

    def contradictions(self, command: str) -> Iterator[tuple[bool, str]]:
        yield from super().contradictions(command)
        if command != TRAIN:
            return
        try:
            _ = self.architecture
        except ValueError as error:
            yield (
                True,
                f"the networks cannot be made: {error} (--image-size, --u-net-depth, --attention, "
                "--discriminator-layers)",
            )
