"""The parameters that the labeller has besides those of every system. No engine is needed here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet.settings.accepting import boolean, integer, number, only, text
from historynet.settings.declared import COLORIZE, RUN, TRAIN, Settings, setting
from historynet.systems import vgg16_source
from historynet.systems.labeller.architecture import SIDES


def _unused(value: Any = None) -> Any:
    """A parameter of every system that this one has no use for, and its config.py no constant."""
    return setting(only(value), COLORIZE, "colorizing", "none", optional=value is None, since=value)


@dataclass(frozen=True, kw_only=True)
class LabellerSettings(Settings):
    """The parameters of a run of the labeller; see `Settings`."""

    train_data: Path = setting(
        text, TRAIN, "data", "folder of manifest, frames and labels", "WORK of config.py", path=True
    )
    labels: Path | None = setting(
        text,
        TRAIN,
        "data",
        "table of the labels",
        "a CSV file with index, era, nationality, garment; none: the paper's 42",
        path=True,
        optional=True,
        fixed=RUN,
    )
    num_classes: int = setting(integer(2, 10**4), TRAIN, "data", "labels that the table may have", fixed=RUN)
    holdout: float = setting(
        number(below=1.0),
        TRAIN,
        "data",
        "share of titles, and of pictures, held out",
        "they are not trained on: pictures of other titles choose the epoch, titles say what a new film gets",
        fixed=RUN,
    )

    image_size: int = setting(integer(*SIDES), TRAIN, "network", "pixels, side of the pictures", fixed=RUN)
    width: float = setting(
        number(above=True), TRAIN, "network", "factor on every channel count", "1.0 is ResNet50", fixed=RUN
    )
    labeller_weights: str = setting(
        text,
        TRAIN,
        "network",
        "initial weights of ResNet50",
        "'imagenet' (downloaded by Keras), 'none' (random), a .h5 file of Keras, or the .keras file of a labeller; "
        "the last layer is always random",
        path=vgg16_source.is_path,
        fixed=RUN,
    )
    frozen: bool = setting(
        boolean,
        TRAIN,
        "network",
        "train the last layer alone",
        "on features that are made once, of pictures as they are",
        fixed=RUN,
    )
    learning_rate: float = setting(
        number(above=True), TRAIN, "optimiser", "first step size of Adam", "it falls to 0 along half a cosine"
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
        return not self.frozen

    def contradictions(self, command: str) -> Iterator[tuple[bool, str]]:
        yield from super().contradictions(command)
        yield (
            self.frozen and self.labeller_weights == "none",
            "--frozen: with --labeller-weights none there is nothing to keep; give weights, or --no-frozen",
        )
