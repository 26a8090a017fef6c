"""The network of the films CNN, as whoever reads its files finds it."""

from collections.abc import Mapping
from typing import Any

from historynet.settings.accepting import number
from historynet.systems.film_cnn.alternatives import alternatives
from historynet.systems.film_cnn.architecture import NAME as NETWORK
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.bins import COUNT, centres
from historynet.systems.film_cnn.decoding import TEMPERATURE, confidence, decode
from historynet.systems.system import Colorizing, Registration, register

NAME = "FilmCNN"


def _build(architecture: Architecture) -> Any:
    # Imported here: who reads an exported network has no engine, without which Keras cannot be imported.
    from historynet.systems.film_cnn.network import build_network

    return build_network(architecture)


def _facts(network: str, architecture: Architecture) -> Mapping[str, str]:
    return {
        "first layer": "3x3 and 5x5" if architecture.multi_scale else "3x3",
        "VGG16's features": "yes" if architecture.vgg_features else "no",
        "width": f"{architecture.width:g}",
        "features width": f"{architecture.features_width:g}",
        "colorizing size": str(architecture.colorizing_size),
    }


FILM_CNN = register(
    Registration(
        name=NAME,
        architecture=Architecture,
        networks={NETWORK: _build},
        colorizing=Colorizing(
            NETWORK,
            _build,
            decode,
            outputs={"logits": COUNT},
            constants=lambda: {"colours": centres().astype(int).tolist(), "temperature": TEMPERATURE},
            options={"temperature": number()},
            defaults={"temperature": TEMPERATURE},
            alternatives=alternatives,
            confidence=confidence,
        ),
        programs={NAME: "SOURCE_FilmCNN"},
        facts=_facts,
    )
)
