"""The network as its training begins with it."""

from pathlib import Path

import keras

from historynet.errors import InputError
from historynet.systems import description, loading
from historynet.systems.parser.architecture import Architecture
from historynet.systems.parser.network import NAME as NETWORK
from historynet.systems.parser.network import build_network
from historynet.systems.parser.registration import NAME
from historynet.systems.parser.settings import ParserSettings
from historynet.weights.assigning import assign


def initial_network(settings: ParserSettings) -> tuple[keras.Model, Architecture]:
    """The compact parser, random or with the weights of a file, whatever the size of that one's pictures.

    Raises:
        InputError: if the file cannot be read, or holds no parser of these classes.
    """
    architecture = Architecture(*settings.size)
    precision = settings.precision
    with loading.dtype_policy_of(precision if precision == "float32" else f"mixed_{precision}"):
        network = build_network(architecture)
    if settings.parser_weights != "none":
        path = Path(settings.parser_weights)
        contents = loading.identify(path)
        if contents.registration.name != NAME or contents.architecture.classes != architecture.classes:
            raise InputError(f"{path}: not a parser of the classes {', '.join(architecture.classes)}")
        description.check(contents, NETWORK, None, path)
        assign(network, contents.arrays, path)
    return network, architecture
