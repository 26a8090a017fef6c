"""The network as its training begins with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from historynet.errors import InputError, translated
from historynet.systems import loading
from historynet.systems.keras_files import KerasFile
from historynet.systems.labeller.architecture import Architecture
from historynet.systems.labeller.network import FIRST, HEAD, build_network
from historynet.systems.labeller.registration import NAME
from historynet.systems.labeller.settings import LabellerSettings
from historynet.weights import reading
from historynet.weights.assigning import assign, check_names

_IMAGENET = KerasFile(
    "ResNet50",
    "resnet",
    "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "4d473c1dd8becc155b73f8504c6f6626",
    95,
    "--labeller-weights",
)


def initial_network(settings: LabellerSettings, labels: Sequence[str]) -> tuple[keras.Model, Architecture]:
    """ResNet50 with the weights of a file, or random; it computes in the run's precision.

    Args:
        settings: of the run.
        labels: names of the labels.

    Raises:
        InputError: if it cannot be made, or a file does not fit.
    """
    with translated(ValueError, lambda error: InputError(f"the network cannot be made: {error}")):
        architecture = Architecture(settings.image_size, settings.width, tuple(labels))
    precision = settings.precision
    with loading.dtype_policy_of(precision if precision == "float32" else f"mixed_{precision}"):
        network = build_network(architecture)
    path = weights_file(settings)
    if path is not None:
        arrays = _arrays(path)
        check_names(
            arrays, [layer.name for layer in network.layers if layer.weights and layer.name != HEAD], NAME, path
        )
        assign(network, arrays, path, complete=False)
    for layer in network.layers:
        layer.trainable = layer.name == HEAD or not settings.frozen
    return network, architecture


def weights_file(settings: LabellerSettings) -> Path | None:
    """The file of the initial weights; None: there is none, or it would have to be downloaded.

    Raises:
        InputError: if it cannot be downloaded, or fits another width only.
    """
    source = settings.labeller_weights
    if source == "none":
        return None
    if source != "imagenet":
        return Path(source)
    if settings.width != 1:
        raise InputError("ResNet50's weights fit --width 1 only: with another width give --labeller-weights none")
    return _IMAGENET.find()


def _arrays(path: Path) -> Mapping[str, Any]:
    """The arrays of a file by layer, without those of a last layer.

    Raises:
        InputError: if it cannot be read, or holds another of our networks.
    """
    file = reading.read(path)
    arrays = {name: values for name, values in file.arrays.items() if name != HEAD}
    if file.description is not None:
        if file.description.get("system") != NAME:
            raise InputError(f"{path}: not a network of {NAME}; give Keras' file, or one of an earlier training")
        return arrays
    if FIRST in arrays:
        # Keras' network sees blue, green, red.
        kernel, *others = reading.values(arrays[FIRST], path)
        arrays[FIRST] = [np.flip(kernel, axis=2) if kernel.ndim == 4 else kernel, *others]
    return arrays
