"""The parameters that the films CNN has besides those of every system. No engine is needed here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet.pictures.options import EXTENTS
from historynet.settings.accepting import boolean, integer, number, size, text, word
from historynet.settings.declared import BOTH, COLLECT, RUN, TRAIN, setting
from historynet.systems import vgg16_source
from historynet.systems.picture_list import PictureListSettings


@dataclass(frozen=True, kw_only=True)
class FilmCNNSettings(PictureListSettings):
    """The parameters of a run of the films CNN; see `Settings`."""

    image_size: int | str = setting(
        size(16, multiple_of=8),
        TRAIN,
        "network",
        "pixels, side of the pictures in training",
        "or HEIGHTxWIDTH; the network serves any size",
        fixed=RUN,
    )
    colorizing_size: int = setting(
        integer(16, 4096, multiple_of=8),
        TRAIN,
        "network",
        "pixels, side of the pictures in colorizing",
        "which the network's file then says",
        fixed=RUN,
    )
    width: float = setting(
        number(above=True),
        TRAIN,
        "network",
        "factor on every channel count",
        "1.0 is the paper's network",
        fixed=RUN,
    )
    features_width: float | None = setting(
        number(above=True),
        TRAIN,
        "network",
        "WIDTH of VGG16's blocks 1 to 3",
        "whose weights fit 1.0 only; none: WIDTH",
        optional=True,
        fixed=RUN,
    )
    multi_scale: bool = setting(
        boolean, TRAIN, "network", "a first layer of 3x3 and 5x5 kernels", "no: of 3x3 alone", fixed=RUN
    )
    vgg_features: bool = setting(
        boolean,
        TRAIN,
        "network",
        "join VGG16's features to the trunk's",
        "with neither this nor MULTI_SCALE it is the network of Zhang et al. (2016)",
        fixed=RUN,
    )
    vgg16_weights: str = vgg16_source.weights_setting(
        "initial weights of VGG16's blocks 1 to 3", more=", or a .keras file of stage 0"
    )
    vgg16_preprocessing: bool = vgg16_source.preprocessing_setting("let VGG16 see L as it was trained to")
    frozen_features: bool = setting(
        boolean, TRAIN, "network", "keep VGG16's blocks as they are", "no: they are trained along", fixed=RUN
    )
    init_network: Path | None = setting(
        text,
        TRAIN,
        "network",
        "network to go on training from",
        "of an earlier stage, as the paper's second from its first; its .keras file",
        path=True,
        optional=True,
        fixed=RUN,
    )

    scaled_start: int | None = setting(
        integer(1),
        TRAIN,
        "network",
        "batches over which the first outputs are scaled",
        "each convolution's, before its ReLU, to mean 0 and variance 1, in order; not VGG16's blocks, unless they are "
        "random, nor a network of INIT_NETWORK; none: the kernels stay as they were drawn",
        optional=True,
        fixed=RUN,
        since=None,
    )

    learning_rate: float = setting(number(above=True), TRAIN, "optimiser", "step size of Adam", "0.9, 0.99 and 1e-8")
    weight_decay: float = setting(
        number(),
        TRAIN,
        "losses",
        "weight of the convolutions' squares",
        "L2 in the gradient, as Caffe has it, of kernels and biases that are trained",
    )
    neighbours: int = setting(
        integer(1, 313),
        TRAIN,
        "losses",
        "bins that share a pixel's colour",
        "5 in the paper; 10 in the public code of Zhang et al.",
        fixed=RUN,
    )
    sigma: float = setting(
        number(above=True), TRAIN, "losses", "Lab units, of the Gaussian that shares it out", fixed=RUN
    )
    averaged_target: bool = setting(
        boolean,
        TRAIN,
        "losses",
        "take the mean of 4x4 pixels for the target",
        "no: every fourth pixel, as the public code of Zhang et al.",
        fixed=RUN,
    )

    rebalancing: bool = setting(
        boolean,
        TRAIN,
        "losses",
        "let rare colours count more",
        "as Zhang et al., by how often each occurs in the training pictures, which are counted first; no: all count "
        "alike, as in the paper",
        fixed=RUN,
        since=False,
    )

    temperature: float = setting(
        number(),
        BOTH,
        "colorizing",
        "of the annealed mean, Eq. (2)",
        "1: the mean of the distribution, duller; 0: its most likely colour, less steady",
    )

    frames_dir: Path = setting(
        text, COLLECT, "frames of films", "folder of the pictures made of films", path=True, since="DATASET/films"
    )
    white_balance: str = setting(
        word(EXTENTS),
        COLLECT,
        "frames of films",
        "one for each 'film', each 'shot', or 'none'",
        "gray world: of what is nearly neutral the mean becomes so",
        since="film",
    )
    exposure: str = setting(
        word(EXTENTS),
        COLLECT,
        "frames of films",
        "one for each 'film', each 'shot', or 'none'",
        "dark percent to 0, light one to 240, by a factor of at most 2",
        since="film",
    )
    crop_borders: bool = setting(boolean, COLLECT, "frames of films", "cut black bars off", since=True)
    frame_side: int = setting(
        integer(16, 4096), COLLECT, "frames of films", "pixels, short side of a film's pictures", since=256
    )
    darkest: float = setting(
        number(at_most=1.0),
        COLLECT,
        "frames of films",
        "mean L, 0..1, below which frames are left out",
        "after white balance and exposure",
        since=0.2,
    )
    drop_colourless: bool = setting(
        boolean,
        COLLECT,
        "frames of films",
        "leave out frames without colour",
        "credits, scenes in black and white, also if they are toned",
        since=True,
    )

    @property
    def decoding(self) -> Mapping[str, Any]:
        return {"temperature": self.temperature}

    def contradictions(self, command: str) -> Iterator[tuple[bool, str]]:
        yield from super().contradictions(command)
        if command != TRAIN:
            return
        from_nothing = self.init_network is None and self.vgg16_weights == "none"
        yield (
            self.vgg_features and self.frozen_features and from_nothing,
            "--frozen-features: with --vgg16-weights none there is nothing to keep; give VGG16's weights, "
            "--no-frozen-features, or --no-vgg-features",
        )
        yield (
            self.scaled_start is not None and self.init_network is not None,
            "--scaled-start: not with --init-network, whose network is trained already",
        )
        yield (
            self.scaled_start is not None and self.strategy != "none",
            "--scaled-start: with --strategy none only; go on from its first checkpoint on several devices",
        )
