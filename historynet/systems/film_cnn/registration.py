"""The network of the films CNN, as whoever reads its files finds it."""

from collections.abc import Mapping

from historynet.settings.accepting import number
from historynet.systems.film_cnn.alternatives import alternatives
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.decoding import TEMPERATURE, confidence, decode
from historynet.systems.film_cnn.network import NAME as NETWORK
from historynet.systems.film_cnn.network import build_network
from historynet.systems.system import Colorizing, Registration, register

NAME = "FilmCNN"


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
        networks={NETWORK: build_network},
        colorizing=Colorizing(
            NETWORK,
            build_network,
            decode,
            options={"temperature": number()},
            defaults={"temperature": TEMPERATURE},
            alternatives=alternatives,
            confidence=confidence,
        ),
        programs={NAME: "SOURCE_FilmCNN"},
        facts=_facts,
    )
)
