"""The losses of Pix2Pix: one value a sample, (batch,), the mean over its patches, or its pixels and channels."""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from historynet.systems.pix2pix import value_ranges


@dataclass(frozen=True)
class GanLoss:
    """A GAN's loss; each function gives one value for each value of the discriminator's map.

    Attributes:
        real: of what the discriminator says of a picture.
        fake: of what it says of a generated one.
        generator: the same for the generator.
        discriminator_weight: of `real` and of `fake` in what the discriminator minimises (R15).
    """

    real: Callable
    fake: Callable
    generator: Callable
    discriminator_weight: float


GAN_LOSSES = {
    # Eq. 3.1, 3.2: sigmoid cross-entropy. The generator minimises -log D(fake), not log(1 - D(fake)) (R14).
    "log": GanLoss(
        real=lambda s: ops.softplus(-s),
        fake=ops.softplus,
        generator=lambda s: ops.softplus(-s),
        discriminator_weight=0.5,
    ),
    # Mao et al. 2017, with targets 1 and 0 (R16).
    "least_squares": GanLoss(
        real=lambda s: ops.square(s - 1),
        fake=ops.square,
        generator=lambda s: ops.square(s - 1),
        discriminator_weight=0.5,
    ),
    # Eq. 3.12, 3.13 (R27)
    "hinge": GanLoss(
        real=lambda s: ops.relu(1 - s),
        fake=lambda s: ops.relu(1 + s),
        generator=lambda s: -s,
        discriminator_weight=1.0,
    ),
}
"""By the name that GAN_LOSS has."""


def mean_of_patches(values):
    """(batch, rows, columns, 1) -> (batch,)."""
    return ops.mean(values, axis=(1, 2, 3))


def l1(ab_true, ab):
    """L_L1, Eq. 3.3, on the scale of the networks (R18): (batch, height, width, 2) in 0..1 twice -> (batch,)."""
    return ops.mean(ops.abs(ab - ab_true), axis=(1, 2, 3)) * value_ranges.AB_SCALED["scale"]
