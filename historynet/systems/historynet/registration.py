"""HistoryNet's networks, as whoever reads their files finds them."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from historynet.systems.historynet.variants import VARIANTS, Architecture
from historynet.systems.system import Colorizing, Registration, register

NAME = "HistoryNet"
GENERATOR = "generator"


# Imported within: who reads an exported network has no engine, without which Keras cannot be imported.


def _build_generator(architecture: Architecture, wanted: Collection[str] | None = None) -> Any:
    from historynet.systems.historynet.generator import build_generator

    return build_generator(architecture, wanted)


def _build_discriminator(architecture: Architecture) -> Any:
    from historynet.systems.historynet.discriminator import build_discriminator

    return build_discriminator(architecture)


def _build_classifier(architecture: Architecture) -> Any:
    from historynet.systems.historynet.classifier import build_classifier

    return build_classifier(architecture)


def _layer_names(architecture: Architecture) -> Collection[str]:
    from historynet.systems.historynet import released

    return released.layer_names(GENERATOR, architecture.variant)


def _recognise(arrays: Mapping[str, Any], path: Path) -> tuple[str, Architecture, Mapping[str, Any]] | None:
    from historynet.systems.historynet import released

    return released.recognise(arrays, path)


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
            GENERATOR: _build_generator,
            "discriminator": _build_discriminator,
            "classifier": _build_classifier,
        },
        colorizing=Colorizing(
            network=GENERATOR,
            # No label head, no parsing output.
            build=lambda architecture: _build_generator(architecture, ("ab",)),
            layers=_layer_names,
            options={},
        ),
        recognise=_recognise,
        programs={name: variant.folder for name, variant in VARIANTS.items()},
        program_of=lambda architecture: architecture.variant,
        facts=_facts,
    )
)
