"""The gray VGG16, as whoever reads its files finds it. It does not colorize."""

from collections.abc import Mapping
from typing import Any

from historynet.systems.gray_vgg16.architecture import Architecture
from historynet.systems.system import Registration, register

NAME = "GrayVGG16"
NETWORK = "vgg16"
"""Keras name of the network, `vgg16.NAME`."""


def _build(architecture: Architecture) -> Any:
    # Imported here: who reads an exported network has no engine, without which Keras cannot be imported.
    from historynet.systems.gray_vgg16.network import build_network

    return build_network(architecture)


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
        networks={NETWORK: _build},
        programs={NAME: "SOURCE_GrayVGG16"},
        facts=_facts,
    )
)
