"""The parser, as whoever reads its files finds it. It does not colorize."""

from collections.abc import Mapping

from historynet.systems.parser.architecture import Architecture
from historynet.systems.parser.network import NAME as NETWORK
from historynet.systems.parser.network import build_network
from historynet.systems.system import Registration, register

NAME = "Parser"


def _facts(network: str, architecture: Architecture) -> Mapping[str, str]:
    return {
        "image size": f"{architecture.height}x{architecture.width}",
        "classes": ", ".join(architecture.classes),
    }


PARSER = register(
    Registration(
        name=NAME,
        architecture=Architecture,
        networks={NETWORK: build_network},
        programs={NAME: "SOURCE_MHMD"},
        facts=_facts,
    )
)
