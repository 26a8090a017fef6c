"""Networks <-> files, and foreign weights in: VGG16's.

A file is read as arrays into our own graph, completely or not at all. Nothing that a file says is ever run: arrays and
plain JSON only.
"""

import dataclasses
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import keras
import numpy as np

from historynet import images
from historynet.errors import InputError
from historynet.networks import VARIANTS, Architecture, vgg16
from historynet.networks.classifier import build_classifier
from historynet.networks.discriminator import build_discriminator
from historynet.networks.generator import build_generator

BUILDERS = {"generator": build_generator, "discriminator": build_discriminator, "classifier": build_classifier}

# The files that Keras downloads, and their MD5.
_VGG16_WHOLE = ("vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b")
_VGG16_NOTOP = ("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc")

_MEMBER = "historynet.json"
_ARRAYS = "model.weights.h5"

Arrays = Mapping[str, list[np.ndarray]]
"""Layer name -> its arrays in the order of the layer's variables."""


def save(network: keras.Model, architecture: Architecture, path: Path) -> None:
    """Writes a network as a .keras file that also says, as JSON, which of our networks it is."""

    def write(temporary: Path) -> None:
        network.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_MEMBER, json.dumps({"network": network.name} | dataclasses.asdict(architecture)))

    images.write_atomically(path, write)


def load(path: Path, kind: str, variant: str | None = None) -> tuple[keras.Model, Architecture]:
    """Builds the network that a .keras file of ours describes and fills it with the file's arrays.

    Args:
        path: the file.
        kind: which network is wanted: "generator", "discriminator" or "classifier".
        variant: which variant is wanted; any if None.

    Raises:
        InputError: if the file is missing, none of ours, of another kind or variant, or does not fit array for array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(archive.read(_MEMBER))
            arrays = _keras_arrays(archive.read(_ARRAYS), path)
        found = description.pop("network")
        architecture = Architecture(**description)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, ValueError, TypeError, AttributeError):
        raise InputError(f"{path}: not a model file of HistoryNet, or a damaged one") from None
    if found != kind:
        raise InputError(f"{path}: this is a {found}; a {kind} is needed (my_model_colorization... is the generator)")
    if architecture.variant not in VARIANTS:
        raise InputError(f"{path}: a model of {architecture.variant!r}, which this version does not know")
    if variant is not None and architecture.variant != variant:
        raise InputError(f"{path}: this is a {architecture.variant} model; a {variant} model is needed")
    network = BUILDERS[kind](architecture)
    assign(network, arrays, path)
    return network, architecture


def _keras_arrays(data: bytes, path: Path) -> Arrays:
    """The arrays of a Keras 3 weight file, by the layer names that it records beside them."""
    arrays = {}

    def collect(name: str, group: object) -> None:
        if isinstance(group, h5py.Group) and name.endswith("/vars") and len(group):
            layer = group.attrs["name"]
            arrays[layer] = [group[str(i)][()] for i in range(len(group))]

    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(collect)
    return arrays


def assign(network: keras.Model, arrays: Arrays, path: Path, complete: bool = True) -> None:
    """Gives a network the arrays of a file.

    Args:
        network: the network to fill.
        arrays: the arrays, by layer.
        path: the file they came from, for the messages.
        complete: whether every variable of the network must be filled; every array must be used in any case.

    Raises:
        InputError: naming the first layer that is missing, left over, or of another shape. Nothing is assigned then.
    """
    layers = {layer.name: layer for layer in network.layers if layer.weights}
    left_over = [name for name in arrays if name not in layers]
    if left_over:
        raise InputError(f"{path}: holds a layer {left_over[0]!r} that the {network.name} does not have")
    missing = [name for name in layers if name not in arrays]
    if complete and missing:
        raise InputError(f"{path}: the {network.name}'s layer {missing[0]!r} is not in the file")
    for name, values in arrays.items():
        variables = layers[name].weights
        if [tuple(value.shape) for value in values] != [tuple(variable.shape) for variable in variables]:
            in_file = ", ".join(str(tuple(value.shape)) for value in values)
            needed = ", ".join(str(tuple(variable.shape)) for variable in variables)
            raise InputError(f"{path}: layer {name!r} has arrays of shape {in_file}; the {network.name} needs {needed}")
    for name, values in arrays.items():
        layers[name].set_weights(values)


def find_model(pretrained: str, model_dir: Path) -> Path:
    """The file that PRETRAINED means: a path, or a name in MODEL_DIR with or without its extension.

    Raises:
        InputError: listing the models that are there.
    """
    candidates = [Path(pretrained), *(model_dir / (pretrained + extension) for extension in ("", ".keras", ".h5"))]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    there = sorted(path.name for path in model_dir.glob("*colorization*")) if model_dir.is_dir() else []
    raise InputError(
        f"{model_dir / pretrained}: no such model; "
        + (f"--pretrained can be {', '.join(there)}" if there else "train one, or name a file with --pretrained")
    )


def load_vgg16(network: keras.Model, architecture: Architecture, source: str, whole: bool = False) -> None:
    """Initialises G0 (section 5.1), or the teacher, from VGG16.

    Args:
        network: a generator, whose layers block1_conv1 to block4_conv3 are filled, or the teacher.
        architecture: of the network.
        source: "imagenet" for the weights that Keras downloads, "none" to leave them random, or a file in Keras' layout
            (vgg16_weights_tf_dim_ordering_tf_kernels.h5; for a generator also the one with "_notop").
        whole: whether the network is VGG16 as a whole.

    Raises:
        InputError: if the weights cannot be had or do not fit.
    """
    if source == "none":
        return
    if architecture.width != 1:
        raise InputError("VGG16's weights fit --width 1 only: with another width give --vgg16-weights none")
    if whole and architecture.image_size != 224:
        raise InputError(
            "VGG16's dense layers fit --image-size 224 only: with another size give --vgg16-weights none (a random "
            "teacher)"
        )
    path = _download_vgg16(whole) if source == "imagenet" else Path(source)
    needed = [layer.name for layer in network.layers if layer.weights] if whole else vgg16.layer_names()
    assign(network, _vgg16_arrays(path, needed), path, complete=whole)


def _download_vgg16(whole: bool) -> Path:
    name, digest = _VGG16_WHOLE if whole else _VGG16_NOTOP
    address = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{name}"
    try:
        return Path(keras.utils.get_file(name, address, cache_subdir="models", file_hash=digest))
    except Exception as error:  # urllib, sockets and Keras' own checks each raise their own
        folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
        reason = str(error).splitlines()[0].split(": ")[-1].removeprefix("None -- ")
        raise InputError(
            f"VGG16's ImageNet weights could not be downloaded ({reason}): put {name} from {address} into {folder}, "
            "or name it with --vgg16-weights FILE, or give --vgg16-weights none to start from random weights"
        ) from None


def _vgg16_arrays(path: Path, needed: Sequence[str]) -> Arrays:
    """Kernel and bias of the layers that are needed, from Keras' VGG16 file."""
    layers = _legacy_layers(path)
    missing = [name for name in needed if name not in layers]
    if missing:
        hint = f"; {_VGG16_WHOLE[0]} is needed" if missing[0] == "fc1" else ""
        raise InputError(f"{path}: not VGG16's weights (there is no layer {missing[0]!r}){hint}")
    return {name: list(layers[name].values()) for name in needed}


def _legacy_layers(path: Path) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Layer name -> weight name -> array, in the order of an .h5 file that Keras 1 or 2 wrote."""

    def names(holder: h5py.Group, attribute: str) -> list[str]:
        return [name.decode() if isinstance(name, bytes) else name for name in holder.attrs[attribute]]

    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            return {
                layer: {name: root[layer][name][()] for name in names(root[layer], "weight_names")}
                for layer in names(root, "layer_names")
            }
    except OSError as error:
        reason = error.strerror or "not an HDF5 file, or a damaged one"
        raise InputError(f"{path}: cannot be read ({reason})") from None
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: not a weight file of Keras 2") from None
