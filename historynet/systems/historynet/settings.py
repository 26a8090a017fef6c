"""The parameters that HistoryNet and its variants have besides those of every system. No engine is needed here."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet.errors import InputError
from historynet.settings.accepting import boolean, integer, number, number_for_each, text, word
from historynet.settings.declared import BOTH, RUN, TRAIN, pretrained_setting, setting
from historynet.systems import vgg16_source
from historynet.systems.historynet import shipped
from historynet.systems.historynet.optimizer_settings import OptimizerSettings

LOSS_PRESETS = ("paper", "released")
"""What LOSSES can be; config.py gives a loss weight as one number, or as one for each of these."""

ARCHITECTURE = ("image_size", "width", "features_width", "dense_width")
"""What a generator's file says of itself that a training that goes on from it must have, too."""

# Parts that some variants do not have.
_LABELS, _PARSING, _INFO = "labels", "parsing", "info"


@dataclass(frozen=True, kw_only=True)
class HistoryNetSettings(OptimizerSettings):
    """The parameters of a run of HistoryNet or one of its variants; see `Settings`."""

    released_arithmetic: bool = setting(
        boolean,
        BOTH,
        "run",
        "sum as the released program did",
        "with TensorFlow on a CPU without oneDNN, and colorize pictures one by one: as close to its numbers as can be, "
        "and slower",
    )

    train_parsing: Path | None = setting(
        text,
        TRAIN,
        "data",
        "folder of the parsing pictures",
        "named NAME_seg.*; none: <TRAIN_DATA>_seg",
        path=True,
        optional=True,
        part=_PARSING,
    )
    sign_name: str | None = setting(
        text, TRAIN, "data", "name of the label file", "in the training folder", part=_LABELS
    )
    num_classes: int | None = setting(
        integer(1),
        TRAIN,
        "data",
        "labels of a picture",
        "integers on a line of the label file",
        part=_LABELS,
        fixed=RUN,
    )
    allow_missing_labels: bool | None = setting(
        boolean,
        TRAIN,
        "data",
        "train with pictures without labels",
        "those that have no line in the label file are left out of L_cls",
        part=_LABELS,
    )
    allow_missing_parsing: bool | None = setting(
        boolean,
        TRAIN,
        "data",
        "train with pictures without a parsing picture",
        "they are left out of L_par",
        part=_PARSING,
    )

    # In place of the rectangles of other systems.
    image_size: int = setting(
        integer(16, multiple_of=8),
        TRAIN,
        "network",
        "pixels, side of the networks' pictures",
        "they are square",
        fixed=RUN,
    )
    width: float = setting(
        number(above=True),
        TRAIN,
        "network",
        "factor on every channel count",
        "1.0 is the paper's network, which alone VGG16's whole weights fit",
        fixed=RUN,
    )
    features_width: float | None = setting(
        number(above=True),
        TRAIN,
        "network",
        "WIDTH of VGG16's blocks 1 to 3 in G0",
        "where its weights fit 1.0 only; none: WIDTH",
        optional=True,
        fixed=RUN,
    )
    dense_width: float | None = setting(
        number(above=True),
        TRAIN,
        "network",
        "WIDTH of G2's and D2's dense layers",
        "which hold the most parameters; none: WIDTH",
        optional=True,
        fixed=RUN,
    )
    vgg16_weights: str = vgg16_source.weights_setting("initial weights of G0")
    vgg16_preprocessing: bool = vgg16_source.preprocessing_setting(
        "let VGG16 see L as it was trained to", more=", as released"
    )
    frozen_features: bool = setting(
        boolean,
        TRAIN,
        "network",
        "keep VGG16's blocks 1 to 3 in G0",
        "as INIT_GENERATOR has them, or what VGG16_WEIGHTS fills of them, which is much faster; no: they are trained "
        "along, as in the paper",
        fixed=RUN,
    )
    init_generator: Path | None = setting(
        text,
        TRAIN,
        "network",
        "generator to go on training from",
        "a .keras, .weights.h5 or released .h5 file, or 'shipped', the compact one that comes with the project; G0 "
        "needs no VGG16 then. On the command line IMAGE_SIZE and the widths are the file's, as far as it says them, "
        "unless they are given, too; it may be of another IMAGE_SIZE",
        path=lambda value, folder: value != shipped.WORD,
        optional=True,
        fixed=RUN,
    )
    init_discriminator: Path | None = setting(
        text, TRAIN, "network", "the same for the discriminator D1", path=True, optional=True, fixed=RUN
    )
    init_classifier: Path | None = setting(
        text,
        TRAIN,
        "network",
        "the same for the classifier network D2",
        path=True,
        optional=True,
        part=_INFO,
        fixed=RUN,
    )

    released_statistics: bool = setting(
        boolean, TRAIN, "optimiser", "move batch normalisation's statistics as released", "those that are stored"
    )

    losses: str = setting(
        word(LOSS_PRESETS),
        TRAIN,
        "losses",
        "loss weights, 'paper' or 'released'",
        "Eq. (1)'s or the released program's; a LAMBDA_... that is set to one number, in config.py or here, wins",
    )
    lambda_rec: float = setting(
        number_for_each(LOSS_PRESETS), TRAIN, "losses", "weight of the colour loss L_r, Eq. (2)"
    )
    huber_delta: float | None = setting(
        number(above=True),
        TRAIN,
        "losses",
        "error from which L_r grows linearly",
        "of ab in 0..1; below, L_r is half the square (Huber); none: the whole square always, Eq. (2)",
        optional=True,
    )
    chroma_weight: float = setting(
        number(),
        TRAIN,
        "losses",
        "how much more colourful pixels count in L_r",
        "a pixel's weight is 1 + CHROMA_WEIGHT * its chroma, which is 0 for gray and about 1 for the most colourful",
    )
    log_error: bool = setting(
        boolean,
        TRAIN,
        "losses",
        "L_r is the logarithm of a picture's error",
        "as PSNR takes it: a picture of little colour counts as much as a colourful one; it is thousands of times "
        "larger then, and LAMBDA_REC has to make up for it",
    )
    lambda_cls: float = setting(
        number_for_each(LOSS_PRESETS), TRAIN, "losses", "weight of the classification loss L_cls, Eq. (4)"
    )
    lambda_par: float | None = setting(
        number_for_each(LOSS_PRESETS), TRAIN, "losses", "weight of the parsing loss L_par, Eq. (3)", part=_PARSING
    )
    lambda_g: float = setting(
        number_for_each(LOSS_PRESETS), TRAIN, "losses", "weight of the adversarial loss L_g, Eq. (6)"
    )
    lambda_info: float | None = setting(
        number_for_each(LOSS_PRESETS), TRAIN, "losses", "weight of D2's loss L_info, Eq. (5)", part=_INFO
    )
    lambda_gp: float = setting(
        number_for_each(LOSS_PRESETS), TRAIN, "losses", "weight of the gradient penalty in Eq. (6)"
    )

    def __post_init__(self):
        if self.init_generator is not None:
            object.__setattr__(self, "init_generator", _init_file(self.init_generator))

    @classmethod
    def implied(cls, given: Mapping[str, Any], known: Collection[str]) -> Mapping[str, Any]:
        """The size and the widths of the generator that the training is to go on from, if its file says them."""
        wanted = [name for name in ARCHITECTURE if name not in known]
        if given.get("init_generator") is None or not wanted:
            return {}
        # Imported here: --help needs none of h5py and NumPy.
        from historynet.weights import reading

        path = _init_file(given["init_generator"])
        description = reading.read(path).description or {}
        # Before a file named its system, what it was built from stood beside the network's name.
        architecture = description.get("architecture", description)
        if not isinstance(architecture, dict):
            return {}
        implied = {name: architecture[name] for name in wanted if _is_number(architecture.get(name))}
        for name, value in implied.items():
            if not 0 < value < 10**6:
                raise InputError(f"{path}: not a model file of HistoryNet, or a damaged one (its {name} is no size)")
        return implied

    pretrained: str = pretrained_setting(
        "; of HistoryNet itself, not of its variants, 'shipped' is the compact one that comes with the project, which "
        "'default' is, too, where there is no such run"
    )

    @property
    def onednn(self) -> bool:
        return not self.released_arithmetic

    @property
    def colorizing_batch_size(self) -> int:
        # What a sum is rounded to depends on how many pictures are in the batch.
        return 1 if self.released_arithmetic else self.batch_size

    def contradictions(self, command: str) -> Iterator[tuple[bool, str]]:
        yield from super().contradictions(command)
        yield (
            self.released_arithmetic and self.precision != "float32",
            "--released-arithmetic: with --precision float32 only, which the released program computes in",
        )
        if command != TRAIN:
            return
        several = self.strategy != "none"
        yield (
            self.frozen_features and self.init_generator is None and self.vgg16_weights == "none",
            "--frozen-features: with --vgg16-weights none there is nothing to keep",
        )
        yield (
            self.released_statistics and (several or self.accumulate > 1),
            "--released-statistics: with --strategy none and --accumulate 1 only, as the released program trained",
        )
        yield (
            self.released_statistics and self.critic_warmup > 0,
            "--released-statistics: not with --critic-warmup; the released program had none",
        )
        critics = {"--critic-rate": self.critic_rate is not None, "--critic-warmup": self.critic_warmup > 0}
        is_judged = self.lambda_g > 0 or bool(self.lambda_info)
        for name, is_given in critics.items():
            yield is_given and not is_judged, f"{name}: with a --lambda-g or --lambda-info above 0 only"
        yield (
            self.frozen_features and self.features_rate != 1,
            "--features-rate: not with --frozen-features, which do not move at all",
        )


def _init_file(value: str | Path) -> Path:
    return shipped.SHIPPED if value == shipped.WORD else Path(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
