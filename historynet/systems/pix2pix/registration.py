"""The networks of Pix2Pix, as whoever reads their files finds them."""

from collections.abc import Mapping

from historynet.systems.pix2pix import patch_discriminator, unet
from historynet.systems.pix2pix.architecture import Architecture
from historynet.systems.system import Colorizing, Registration, register

NAME = "Pix2Pix"


def _facts(network: str, architecture: Architecture) -> Mapping[str, str]:
    facts = {"image size": f"{architecture.image_height}x{architecture.image_width}"}
    if network == unet.NAME:
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
        networks={
            unet.NAME: unet.build_generator,
            patch_discriminator.NAME: patch_discriminator.build_discriminator,
        },
        colorizing=Colorizing(unet.NAME, unet.build_generator, options={}),
        programs={NAME: "SOURCE_Pix2Pix"},
        facts=_facts,
    )
)
