"""The networks of Pix2Pix, as whoever reads their files finds them."""

from collections.abc import Mapping
from typing import Any

from historynet.systems.pix2pix.architecture import DISCRIMINATOR, GENERATOR, Architecture
from historynet.systems.system import Colorizing, Registration, register

NAME = "Pix2Pix"


# Imported within: who reads an exported network has no engine, without which Keras cannot be imported.


def _build_generator(architecture: Architecture) -> Any:
    from historynet.systems.pix2pix.unet import build_generator

    return build_generator(architecture)


def _build_discriminator(architecture: Architecture) -> Any:
    from historynet.systems.pix2pix.patch_discriminator import build_discriminator

    return build_discriminator(architecture)


def _facts(network: str, architecture: Architecture) -> Mapping[str, str]:
    facts = {"image size": f"{architecture.image_height}x{architecture.image_width}"}
    if network == GENERATOR:
        facts |= {"depth": str(architecture.depth)}
    else:
        facts |= {"hidden layers": str(architecture.discriminator_layers)}
    return facts | {
        "width": f"{architecture.width:g}",
        "attention": "none" if architecture.attention is None else str(architecture.attention),
        "spectral normalisation": "yes" if architecture.spectral_norm else "no",
    }


PIX2PIX = register(
    Registration(
        name=NAME,
        architecture=Architecture,
        networks={GENERATOR: _build_generator, DISCRIMINATOR: _build_discriminator},
        colorizing=Colorizing(GENERATOR, _build_generator, options={}),
        programs={NAME: "SOURCE_Pix2Pix"},
        facts=_facts,
    )
)
