"""VGG16 (Simonyan and Zisserman 2014): its lower part, the whole of it, and its ImageNet weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from historynet.errors import InputError
from historynet.systems.keras_files import KerasFile
from historynet.weights import reading
from historynet.weights.reading import Arrays

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3))
"""(channels, convolutions) of the four blocks up to block4_conv3."""

NAME = "vgg16"
"""Of the whole network."""

_WHOLE, _NOTOP = (
    KerasFile("VGG16", "vgg16", f"vgg16_weights_tf_dim_ordering_tf_kernels{end}.h5", *facts, "--vgg16-weights")
    for end, *facts in (
        ("", "64373286793e3c8b2b4e3219cbf3544b", 553),
        ("_notop", "6d6bbae143d832006294945121d1f1fc", 59),
    )
)

_IMAGENET_MEAN = np.array([103.939, 116.779, 123.68], np.float32)
"""Blue, green, red of 0..255: what VGG16's pictures had subtracted."""


def features(rgb: keras.KerasTensor, channels: Sequence[int]) -> keras.KerasTensor:
    """The output of block4_conv3, (batch, height / 8, width / 8, channels), under the layer names of Keras' VGG16.

    Args:
        rgb: pictures (batch, height, width, 3).
        channels: of each of the four blocks.
    """
    return blocks(rgb, channels)[-1]


def blocks(rgb: keras.KerasTensor, channels: Sequence[int]) -> list[keras.KerasTensor]:
    """The outputs of the last convolutions of the first blocks, of sides 1, 1/2, 1/4 and 1/8.

    Args:
        rgb: pictures (batch, height, width, 3).
        channels: of each block that is wanted.
    """
    x, outputs = rgb, []
    for block, (count, (_, convolutions)) in enumerate(zip(channels, BLOCKS, strict=False), start=1):
        if block > 1:
            x = layers.MaxPooling2D(2, name=f"block{block - 1}_pool")(x)
        for i in range(1, convolutions + 1):
            name = f"block{block}_conv{i}"
            x = layers.Conv2D(count, 3, padding="same", activation="relu", name=name)(x)
        outputs.append(x)
    return outputs


def layer_names(blocks: int = len(BLOCKS)) -> list[str]:
    """The names of the convolutions that `features` makes in its first blocks."""
    return [f"block{block}_conv{i + 1}" for block, (_, n) in enumerate(BLOCKS[:blocks], start=1) for i in range(n)]


def build_whole(
    size: tuple[int, int], channels: Sequence[int], units: int, classes: int, activation: str | None = "softmax"
) -> keras.Model:
    """The whole network, which sees L three times as the systems' networks do.

    Args:
        size: (height, width) of the pictures.
        channels: of each of the five blocks.
        units: of the two hidden dense layers.
        classes: ImageNet's are 1000.
        activation: of the last layer; None: it gives the logits.

    Returns:
        A model from L (batch, height, width, 1) in 0..1 to the classes (batch, classes), in 0..1 with sum 1 or logits.
    """
    luminance = keras.Input((*size, 1), name="L")
    x = features(layers.Concatenate(name="L_three_times")([luminance] * 3), channels[:-1])
    x = layers.MaxPooling2D(2, name="block4_pool")(x)
    for i in (1, 2, 3):
        x = layers.Conv2D(channels[-1], 3, padding="same", activation="relu", name=f"block5_conv{i}")(x)
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(2, name="block5_pool")(x))
    x = layers.Dense(units, activation="relu", name="fc1")(x)
    x = layers.Dense(units, activation="relu", name="fc2")(x)
    x = layers.Dense(classes, activation=activation, dtype=keras.config.floatx(), name="predictions")(x)
    return keras.Model(luminance, x, name=NAME)


def weights_file(source: str, whole: bool) -> Path | None:
    """The file of VGG16's weights: the one that is named, or, for "imagenet", the one that Keras downloads once.

    Args:
        source: a path, or "imagenet".
        whole: whether the dense layers are needed, too.

    Returns:
        Its path; None if it would have to be downloaded within `keras_files.without_download`.

    Raises:
        InputError: if it cannot be downloaded.
    """
    if source != "imagenet":
        return Path(source)
    return (_WHOLE if whole else _NOTOP).find()


def whole_arrays(arrays: Arrays, needed: Sequence[str], path: Path) -> dict[str, list[np.ndarray]]:
    """Kernel and bias of the layers that are needed, from Keras' VGG16 file.

    Raises:
        InputError: naming the first layer that the file does not have.
    """
    missing = [name for name in needed if name not in arrays]
    if missing:
        hint = f"; {_WHOLE.name} is needed" if missing[0] == "fc1" else ""
        raise InputError(f"{path}: not VGG16's weights (there is no layer {missing[0]!r}){hint}")
    return {name: arrays[name] for name in needed}


def part_arrays(arrays: Arrays, path: Path) -> dict[str, list[np.ndarray]]:
    """Kernel and bias of layers of `features`, of which a file must hold nothing but some.

    Raises:
        InputError: naming the first array of another layer.
    """
    for name, values in arrays.items():
        if name not in layer_names() or len(values) != 2:
            raise InputError(f"{path}: {name!r} is not a layer of G0 with kernel and bias, as block1_conv1 is one")
    return dict(arrays)


def fold_preprocessing(arrays: Mapping[str, list[np.ndarray]], path: Path) -> dict[str, list[np.ndarray]]:
    """The arrays with VGG16's first layer for L three times in 0..1 instead of 0..255 less the mean.

    It gives the same but at the picture's border, whose padding was the mean and is black now.

    Args:
        arrays: by layer; nothing is changed if the first layer is not among them, or no such layer.
        path: the file they came from, for the messages.
    """
    # What is no such layer is for `assign` to name.
    shapes = [tuple(array.shape) for array in arrays.get("block1_conv1", [])]
    if [len(shape) for shape in shapes] != [4, 1] or shapes[0][2:] != (len(_IMAGENET_MEAN), *shapes[1]):
        return dict(arrays)
    kernel, bias = reading.values(arrays["block1_conv1"], path)
    folded = [kernel * np.float32(255), bias - np.einsum("hwio,i->o", kernel, _IMAGENET_MEAN)]
    return {**arrays, "block1_conv1": folded}
