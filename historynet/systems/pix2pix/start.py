"""The networks as a training begins with them: random (R20)."""

import keras

from historynet.errors import InputError, translated
from historynet.systems import loading
from historynet.systems.pix2pix.architecture import Architecture
from historynet.systems.pix2pix.patch_discriminator import build_discriminator
from historynet.systems.pix2pix.settings import Pix2PixSettings
from historynet.systems.pix2pix.unet import build_generator


def initial_networks(settings: Pix2PixSettings) -> tuple[keras.Model, keras.Model, Architecture]:
    """Generator and discriminator of a run, and what they were built from.

    They compute in the run's precision; their variables are in float32.

    Raises:
        InputError: if they cannot be made.
    """
    with translated(ValueError, lambda error: InputError(f"the networks cannot be made: {error}")):
        architecture = settings.architecture
    precision = settings.precision
    with loading.dtype_policy_of(precision if precision == "float32" else f"mixed_{precision}"):
        return build_generator(architecture, settings.dropout), build_discriminator(architecture), architecture
