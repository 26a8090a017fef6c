"""The parameters that the gray VGG16 has besides those of every system. No engine is needed here."""

from dataclasses import dataclass

from historynet.settings.accepting import integer, number, text
from historynet.settings.declared import COLORIZE, RUN, TRAIN, setting
from historynet.systems import vgg16_source
from historynet.systems.gray_vgg16.architecture import HALVINGS
from historynet.systems.picture_list import PictureListSettings


@dataclass(frozen=True, kw_only=True)
class GrayVGG16Settings(PictureListSettings):
    """The parameters of a run of the gray VGG16; see `Settings`."""

    image_size: int = setting(
        integer(HALVINGS, 4096, multiple_of=HALVINGS), TRAIN, "network", "pixels, side of the pictures", fixed=RUN
    )
    width: float = setting(
        number(above=True), TRAIN, "network", "factor on every channel and unit count", "1.0 is VGG16", fixed=RUN
    )
    num_classes: int = setting(
        integer(1),
        TRAIN,
        "network",
        "classes that the network tells apart",
        "ImageNet's 1000, also where pictures of some of them are trained on",
        fixed=RUN,
    )
    vgg16_weights: str = vgg16_source.weights_setting("initial weights", "a .h5 file of the whole network")
    vgg16_preprocessing: bool = vgg16_source.preprocessing_setting(
        "let these see L as they were trained to", "the first layer"
    )
    learning_rate: float = setting(number(above=True), TRAIN, "optimiser", "step size of gradient descent")
    momentum: float = setting(
        number(below=1.0), TRAIN, "optimiser", "share of the last step that the next one keeps", fixed=RUN
    )
    weight_decay: float = setting(
        number(), TRAIN, "losses", "weight of the kernels' and biases' squares", "L2 in the gradient, as Caffe has it"
    )

    # It does not colorize, and its config.py has none of these.
    pretrained: None = setting(text, COLORIZE, "colorizing", "none", optional=True, since=None)
    test_dir: None = setting(text, COLORIZE, "colorizing", "none", optional=True, since=None)
    result_dir: None = setting(text, COLORIZE, "colorizing", "none", optional=True, since=None)
