"""The parser, as whoever reads its files finds it. It does not colorize."""

from collections.abc import Mapping
from typing import Any

from historynet.systems.parser.architecture import NAME as NETWORK
from historynet.systems.parser.architecture import Architecture
from historynet.systems.system import Registration, register

NAME = "Parser"


def _build(architecture: Architecture) -> Any:
    # Imported here: who reads an exported network has no engine, without which Keras cannot be imported.
    from historynet.systems.parser.network import build_network

    return build_network(architecture)


def _facts(network: str, architecture: Architecture) -> Mapping[str, str]:
    return {
        "image size": f"{architecture.height}x{architecture.width}",
        "classes": ", ".join(architecture.classes),
    }


PARSER = register(
    Registration(
        name=NAME,
        architecture=Architecture,
        networks={NETWORK: _build},
        programs={NAME: "SOURCE_MHMD"},
        facts=_facts,
    )
)
