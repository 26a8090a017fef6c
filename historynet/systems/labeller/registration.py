"""The labeller, as whoever reads its files finds it. It does not colorize."""

from collections.abc import Mapping
from typing import Any

from historynet.systems.labeller.architecture import NAME as NETWORK
from historynet.systems.labeller.architecture import Architecture
from historynet.systems.system import Registration, register

NAME = "Labeller"


def _build(architecture: Architecture) -> Any:
    # Imported here: who reads an exported network has no engine, without which Keras cannot be imported.
    from historynet.systems.labeller.network import build_network

    return build_network(architecture)


def _facts(network: str, architecture: Architecture) -> Mapping[str, str]:
    return {
        "image size": str(architecture.image_size),
        "width": f"{architecture.width:g}",
        "labels": ", ".join(architecture.labels),
    }


LABELLER = register(
    Registration(
        name=NAME,
        architecture=Architecture,
        networks={NETWORK: _build},
        programs={NAME: "SOURCE_MHMD"},
        facts=_facts,
    )
)
