"""The parameters that the parser has besides those of every system. No engine is needed here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet.settings.accepting import number, only, text, word
from historynet.settings.declared import COLORIZE, RUN, TRAIN, Settings, setting
from historynet.systems.parser.architecture import Architecture

DRAWINGS = ("ccp", "levels", "cihp")
"""How the parts of training pictures may be drawn."""


def _unused(value: Any = None) -> Any:
    """A parameter of every system that this one has no use for, and its config.py no constant."""
    return setting(only(value), COLORIZE, "colorizing", "none", optional=value is None, since=value)


@dataclass(frozen=True, kw_only=True)
class ParserSettings(Settings):
    """The parameters of a run of the parser; see `Settings`."""

    train_parsing: Path | None = setting(
        text,
        TRAIN,
        "data",
        "folder of the parsing pictures",
        "none: TRAIN_DATA with _seg behind its name",
        path=True,
        optional=True,
    )
    drawing: str = setting(
        word(DRAWINGS),
        TRAIN,
        "data",
        "how the training parsing is drawn",
        "'ccp': the tags of Clothing Co-Parsing in PASCAL's colours; 'levels', 'cihp': the 20 parts, as parse.py draws "
        "them",
        fixed=RUN,
    )
    holdout: float = setting(
        number(below=1.0),
        TRAIN,
        "data",
        "share of the pictures held out",
        "they are not trained on, and choose the epoch",
        fixed=RUN,
    )

    parser_weights: str = setting(
        text,
        TRAIN,
        "network",
        "initial weights",
        "'none' (random), or the .keras file of a parser",
        path=lambda value, folder: value != "none",
        fixed=RUN,
    )
    weight_power: float = setting(
        number(at_most=1.0),
        TRAIN,
        "training",
        "how much more rare classes count",
        "a class of a share s of all pixels has the weight s^-WEIGHT_POWER; 0: all alike",
        fixed=RUN,
    )
    learning_rate: float = setting(
        number(above=True), TRAIN, "optimiser", "first step size of AdamW", "it falls to 0 along half a cosine"
    )
    weight_decay: float = setting(
        number(below=1.0), TRAIN, "optimiser", "share taken off each kernel a step", "times the learning rate"
    )

    out_dir: Path = setting(text, TRAIN, "results", "folder of what the evaluations give", path=True)

    # It does not colorize, and what happens to its pictures is its own.
    test_data: None = _unused()
    num_test_images: None = _unused()
    crop_from: None = _unused()
    crop_share: float = _unused(1.0)
    age_luminance: float = _unused(0.0)
    pretrained: None = _unused()
    test_dir: None = _unused()
    result_dir: None = _unused()

    @property
    def varies(self) -> bool:
        return True

    def contradictions(self, command: str) -> Iterator[tuple[bool, str]]:
        yield from super().contradictions(command)
        try:
            Architecture(*self.size)
        except ValueError as error:
            yield True, f"--image-size {self.image_size}: {error}"
