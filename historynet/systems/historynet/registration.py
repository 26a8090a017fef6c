"""HistoryNet's networks, as whoever reads their files finds them."""

from collections.abc import Mapping

from historynet.systems.historynet import released
from historynet.systems.historynet.classifier import build_classifier
from historynet.systems.historynet.discriminator import build_discriminator
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import VARIANTS, Architecture
from historynet.systems.system import Colorizing, Registration, register

NAME = "HistoryNet"
GENERATOR = "generator"


def _facts(network: str, architecture: Architecture) -> Mapping[str, str]:
    facts = {}
    if network == GENERATOR:
        facts |= {"variant": f"{architecture.variant} ({VARIANTS[architecture.variant].folder})"}
        facts |= {"classes": str(architecture.num_classes)}
    if network != "discriminator":
        facts |= {"image size": str(architecture.image_size)}
    facts |= {"width": f"{architecture.width:g}"}
    for name in ("features_width", "dense_width"):
        if getattr(architecture, name) != architecture.width:
            facts |= {name.replace("_", " "): f"{getattr(architecture, name):g}"}
    return facts


HISTORYNET = register(
    Registration(
        name=NAME,
        architecture=Architecture,
        networks={
            GENERATOR: build_generator,
            "discriminator": build_discriminator,
            "classifier": build_classifier,
        },
        colorizing=Colorizing(
            network=GENERATOR,
            # No label head, no parsing output.
            build=lambda architecture: build_generator(architecture, wanted=("ab",)),
            layers=lambda architecture: released.layer_names(GENERATOR, architecture.variant),
            options={},
        ),
        recognise=released.recognise,
        programs={name: variant.folder for name, variant in VARIANTS.items()},
        program_of=lambda architecture: architecture.variant,
        facts=_facts,
    )
)
