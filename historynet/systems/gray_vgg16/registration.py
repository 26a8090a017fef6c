"""The gray VGG16, as whoever reads its files finds it. It does not colorize."""

from collections.abc import Mapping

from historynet.systems import vgg16
from historynet.systems.gray_vgg16.architecture import Architecture
from historynet.systems.gray_vgg16.network import build_network
from historynet.systems.system import Registration, register

NAME = "GrayVGG16"


def _facts(network: str, architecture: Architecture) -> Mapping[str, str]:
    return {
        "image size": str(architecture.image_size),
        "width": f"{architecture.width:g}",
        "classes": str(architecture.classes),
    }


GRAY_VGG16 = register(
    Registration(
        name=NAME,
        architecture=Architecture,
        networks={vgg16.NAME: build_network},
        programs={NAME: "SOURCE_GrayVGG16"},
        facts=_facts,
    )
)
