"""Where VGG16's weights can come from, for the settings of those systems that start from it. No engine is needed."""

from pathlib import Path
from typing import Any

from historynet.settings.accepting import boolean, text
from historynet.settings.declared import RUN, TRAIN, setting

WORDS = ("imagenet", "none")
"""What VGG16_WEIGHTS can be besides a file."""


def is_path(value: str, folder: Path) -> bool:
    """Whether a value of VGG16_WEIGHTS names a file."""
    return value not in WORDS


def weights_setting(label: str, file: str = "a .h5 file", more: str = "") -> Any:
    """Declares VGG16_WEIGHTS.

    Args:
        label: what starts from them.
        file: which of Keras' files fit.
        more: what else the system takes.
    """
    return setting(
        text,
        TRAIN,
        "network",
        label,
        f"'imagenet' (downloaded by Keras), 'none' (random), {file}, or a .npz of some layers' arrays "
        f"(block1_conv1_kernel, block1_conv1_bias, ...){more}",
        path=is_path,
        fixed=RUN,
    )


def preprocessing_setting(label: str, layer: str = "its first layer", more: str = "") -> Any:
    """Declares VGG16_PREPROCESSING.

    Args:
        label: what it lets see L as VGG16 was trained to.
        layer: what is changed for that.
        more: what else is to be said of not doing so.
    """
    return setting(
        boolean,
        TRAIN,
        "network",
        label,
        f"in 0..255 less ImageNet's mean, by a change of {layer}; no: in 0..1{more}",
        fixed=RUN,
    )
