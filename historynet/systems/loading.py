"""Networks <-> files: ours, the released program's, and VGG16's.

Every file is read as arrays into our own graph, completely or not at all (`historynet.weight_files`).
`python -m historynet.weights inspect FILE` says what a file is; `... convert IN OUT` makes a .keras file of ours of it.
"""

import dataclasses
import json
import math
import os
import statistics
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

import historynet
from historynet import files, settings
from historynet.errors import InputError
from historynet.systems import vgg16
from historynet.systems.historynet import released
from historynet.systems.historynet.classifier import build_classifier
from historynet.systems.historynet.discriminator import build_discriminator
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import VARIANTS, Architecture, scaled
from historynet.weights import reading as weight_files
from historynet.weights.reading import Arrays

BUILDERS = {"generator": build_generator, "discriminator": build_discriminator, "classifier": build_classifier}

# The files that Keras downloads, and their MD5.
_VGG16_WHOLE = ("vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b")
_VGG16_NOTOP = ("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc")


@dataclass(frozen=True)
class Contents:
    """A file that holds one of our networks.

    Attributes:
        form: the kind of file, for people.
        kind: "generator", "discriminator" or "classifier".
        architecture: of the network. The released files and .weights.h5 files do not say it: it is found from the names
            and shapes of the arrays. Discriminators and classifiers are the same in every variant.
        arrays: by our layer names.
    """

    form: str
    kind: str
    architecture: Architecture
    arrays: Arrays


def save(network: keras.Model, architecture: Architecture, path: Path, half: bool = False) -> None:
    """Writes a network as a .keras file that also says, as JSON, which of our networks it is.

    Args:
        network: one of ours.
        architecture: of the network.
        path: the file.
        half: whether kernels are stored as float16, in half the space; they are float32 again when they are read.

    Raises:
        InputError: if the file cannot be written, or float16 does not hold a kernel's values.
    """

    def write(temporary: Path) -> None:
        network.save(temporary)
        if half:
            with zipfile.ZipFile(temporary) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            try:
                members[weight_files.ARRAYS] = weight_files.halved(members[weight_files.ARRAYS])
            except OverflowError as error:
                raise InputError(f"{path}: {error}; the network cannot be stored in it") from None
            with zipfile.ZipFile(temporary, "w") as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
        with zipfile.ZipFile(temporary, "a") as archive:
            description = {"network": network.name} | dataclasses.asdict(architecture)
            archive.writestr(weight_files.DESCRIPTION, json.dumps(description))

    files.write_atomically(path, write)


def load(
    path: Path, kind: str, variant: str | None = None, wanted: Collection[str] | None = None
) -> tuple[keras.Model, Architecture]:
    """Builds the network that a file holds and fills it with the file's arrays.

    Args:
        path: a .keras file of ours, a Keras 3 .weights.h5, or a Keras 2 .h5, weights or whole model.
        kind: which network is wanted: "generator", "discriminator" or "classifier".
        variant: which variant a generator must be of; any if None.
        wanted: the outputs that a generator is needed for; layers that none of them needs are neither built nor read,
            though the file must hold them. None: all.

    Raises:
        InputError: if the file is missing, no network of ours, of another kind or variant, or does not fit array for
            array.
    """
    contents = identify(path)
    _check(contents, kind, variant, path)
    if wanted is None:
        return _build(contents, path), contents.architecture
    network = build_generator(contents.architecture, wanted)
    _check_names(contents.arrays, released.layer_names(kind, contents.architecture.variant), kind, path)
    needed = {layer.name: contents.arrays[layer.name] for layer in network.layers if layer.weights}
    assign(network, needed, path)
    return network, contents.architecture


def fill(network: keras.Model, architecture: Architecture, path: Path) -> list[str]:
    """Gives a network of ours the arrays of a file, as `load` does; one made for pictures of another size is fitted.

    Returns:
        The names of the layers whose kernels had to be fitted.

    Raises:
        InputError: as `load`; also if the file's network has other numbers of channels, units or classes.
    """
    contents = identify(path)
    _check(contents, network.name, architecture.variant, path)
    fitted = _for_image_size(contents, architecture.image_size, path)
    try:
        assign(network, contents.arrays | fitted, path)
    except InputError as error:
        sizes = ", ".join(
            f"--{name.replace('_', '-')} {getattr(contents.architecture, name):g}"
            for name in ("width", "features_width", "dense_width", "num_classes")
            if getattr(contents.architecture, name) != getattr(architecture, name)
        )
        raise InputError(f"{error}; the file's network was made with {sizes}" if sizes else str(error)) from None
    return list(fitted)


_BEHIND_FLATTEN = ("info_dense1", "label_dense1", "classifier_dense")
"""The layers that see a flattened map of features, 1/32 of the picture's side: their kernels depend on its size."""


def _for_image_size(contents: Contents, size: int, path: Path) -> Arrays:
    """The arrays that are others for pictures of another size; none if the size is the same.

    The kernels see the new map as it is when it is resized to the old one, so that the same features in all places give
    the same.
    """
    before, after = (-(-side // 32) for side in (contents.architecture.image_size, size))
    if before == after:
        return {}
    # (before, after), each row with sum 1.
    resizing = keras.ops.image.resize(np.eye(after)[None, :, :, None], (before, after), "bilinear", antialias=True)
    resizing = np.asarray(resizing)[0, :, :, 0]
    fitted = {}
    for name in _BEHIND_FLATTEN:
        values = _read(contents.arrays.get(name, []), path)
        # What is no such kernel is for `assign` to name.
        if values and values[0].ndim == 2 and len(values[0]) % before**2 == 0:
            units = values[0].shape[1]
            places = values[0].reshape(before, before, -1, units)
            places = np.einsum("ia,jb,ijcu->abcu", resizing, resizing, places, optimize=True)
            fitted[name] = [places.reshape(-1, units), *values[1:]]
    return fitted


def _read(values: Sequence[np.ndarray], path: Path) -> list[np.ndarray]:
    """Arrays of a file, which may be read only now, as float32."""
    try:
        return [value[()].astype(np.float32, copy=False) for value in values]
    except (OSError, RuntimeError):
        raise InputError(f"{path}: cannot be read (a damaged or unfinished file)") from None


def identify(path: Path) -> Contents:
    """Reads a file and finds which network it holds.

    Raises:
        InputError: if it is none of ours; naming the first layer that is missing or left over.
    """
    file = weight_files.read(path)
    if file.description is not None:
        return _described(file, path)
    kind, variant, names = _recognise(file.arrays, path)
    arrays = {names[name]: values for name, values in file.arrays.items()}
    try:
        architecture = _infer_architecture(kind, variant, arrays)
    except IndexError:
        raise InputError(f"{path}: holds layers without arrays, or arrays without a shape") from None
    return Contents(file.form, kind, architecture, arrays)


def _build(contents: Contents, path: Path) -> keras.Model:
    network = BUILDERS[contents.kind](contents.architecture)
    assign(network, contents.arrays, path)
    return network


def _described(file: weight_files.WeightFile, path: Path) -> Contents:
    description = dict(file.description)
    try:
        kind = description.pop("network")
        architecture = Architecture(**description)
        right = isinstance(architecture.image_size, int) and 16 <= architecture.image_size <= 4096
        right &= architecture.image_size % 8 == 0
        widths = (architecture.width, architecture.features_width, architecture.dense_width)
        right &= all(0 < float(width) <= 16 for width in widths)
        right &= isinstance(architecture.num_classes, int) and 0 < architecture.num_classes < 10**6
        right &= isinstance(architecture.variant, str) and kind in BUILDERS
    except (KeyError, TypeError, ValueError):
        right = False
    if not right:
        raise InputError(f"{path}: not a model file of HistoryNet, or a damaged one") from None
    if architecture.variant not in VARIANTS:
        raise InputError(f"{path}: a model of {architecture.variant!r}, which this version does not know")
    return Contents(file.form, kind, architecture, file.arrays)


def _recognise(arrays: Arrays, path: Path) -> tuple[str, str, dict[str, str]]:
    """Kind and variant of the network whose layers have these names, ours or the released ones; their names -> ours."""
    in_file = released.count_from_one(arrays)
    best = None
    for kind in BUILDERS:
        for variant in VARIANTS:
            theirs = released.layer_names(kind, variant)
            for ours in ({name: name for name in theirs}, {name: ours for ours, name in theirs.items()}):
                apart = len(set(ours) ^ set(in_file.values()))
                if best is None or apart < best[0]:
                    best = (apart, kind, variant, ours)
    apart, kind, variant, ours = best
    if apart > len(arrays) / 2:
        raise InputError(f"{path}: holds weights, but of no network of HistoryNet")
    left_over = [name for name, known in in_file.items() if known not in ours]
    if left_over:
        raise InputError(f"{path}: holds a layer {left_over[0]!r} that the {variant} {kind} does not have")
    missing = [name for known, name in ours.items() if known not in in_file.values()]
    if missing:
        raise InputError(f"{path}: the {variant} {kind}'s layer {missing[0]!r} is not in the file")
    return kind, variant, {name: ours[known] for name, known in in_file.items()}


def _infer_architecture(kind: str, variant: str, arrays: Arrays) -> Architecture:
    """The architecture that a network's arrays have; where they are at odds, what most of them say.

    Images of 200 to 224 pixels give the same shapes: the largest is taken. A discriminator fits every image size.
    """
    dense, convs, features = (
        {name: (arrays[name][0].shape[-1], full) for name, full in layers.items()} for layers in _MEASURES[kind]
    )
    # Large layers say the factor best, and most often it is one for all.
    factors = [count / full for count, full in (dense | convs | features).values()]
    width, features_width, dense_width = (
        _most_fitting(factors, layers.values()) if layers else None for layers in (convs, features, dense)
    )
    # The dense layers see 512 channels of 1/32 of the side.
    flat = [arrays[name][0].shape[0] for name in _BEHIND_FLATTEN if name in arrays]
    channels = scaled(512, width)
    sides = [side for rows in flat if (side := math.isqrt(rows // channels)) and side**2 * channels == rows]
    size = 32 * statistics.mode(sides) if sides else Architecture.image_size
    classes = max(1, arrays["label"][0].shape[-1]) if "label" in arrays else None
    return Architecture(variant, size, width, classes, features_width, dense_width)


_MEASURES = {
    "generator": (
        {"label_dense1": 4096, "info_dense1": 1024, "info_dense2": 512},
        {"global_conv4": 512, "global_conv2": 512, "block4_conv2": 512},
        {"block3_conv2": 256, "block2_conv2": 128, "block1_conv2": 64},
    ),
    "discriminator": ({}, {f"critic_conv{i}": 32 * 2**i for i in (4, 3, 2, 1)}, {}),
    "classifier": (
        {"classifier_dense": 1024, "classifier_info": 256},
        {f"classifier_conv{i}": full for i, full in ((5, 512), (4, 512), (3, 256))},
        {},
    ),
}
"""Layers of each kind of network whose sizes tell dense_width, width and features_width, with their full sizes."""


def _most_fitting(factors: Sequence[float], layers: Collection[tuple[int, int]]) -> float:
    """The first of the factors by which the most of the layers (size, full size) were scaled."""
    return max(factors, key=lambda factor: sum(scaled(full, factor) == size for size, full in layers))


def _check(contents: Contents, kind: str, variant: str | None, path: Path) -> None:
    if contents.kind != kind:
        raise InputError(
            f"{path}: this is a {contents.kind}; a {kind} is needed (my_model_colorization... is the generator)"
        )
    found = contents.architecture.variant
    if kind == "generator" and variant not in (None, found):
        raise InputError(
            f"{path}: this is a {found} model; {VARIANTS[variant].folder} needs a {variant} model "
            f"({VARIANTS[found].folder} is for this one)"
        )


def assign(network: keras.Model, arrays: Arrays, path: Path, complete: bool = True) -> None:
    """Gives a network the arrays of a file.

    Args:
        network: the network to fill.
        arrays: the arrays, by layer.
        path: the file they came from, for the messages.
        complete: whether every variable of the network must be filled; every array must be used in any case.

    Raises:
        InputError: naming the first layer that is missing, left over, or of another shape, nothing being assigned
            then; or if the file cannot be read to its end.
    """
    layers = {layer.name: layer for layer in network.layers if layer.weights}
    _check_names(arrays, layers if complete else [name for name in layers if name in arrays], network.name, path)
    for name, values in arrays.items():
        variables = layers[name].weights
        if [tuple(value.shape) for value in values] != [tuple(variable.shape) for variable in variables]:
            in_file = ", ".join(str(tuple(value.shape)) for value in values)
            needed = ", ".join(str(tuple(variable.shape)) for variable in variables)
            raise InputError(f"{path}: layer {name!r} has arrays of shape {in_file}; the {network.name} needs {needed}")
    for name, values in arrays.items():
        layers[name].set_weights(_read(values, path))


def _check_names(arrays: Arrays, layers: Collection[str], network: str, path: Path) -> None:
    left_over = [name for name in arrays if name not in layers]
    if left_over:
        raise InputError(f"{path}: holds a layer {left_over[0]!r} that the {network} does not have")
    missing = [name for name in layers if name not in arrays]
    if missing:
        raise InputError(f"{path}: the {network}'s layer {missing[0]!r} is not in the file")


SHIPPED = Path(historynet.__file__).with_name("models") / "historynet_compact.keras"
"""The generator of HistoryNet that comes with the project."""

_LAST_EPOCH = "my_model_colorizationEpoch7"


def find_model(pretrained: str, model_dir: Path, variant: str | None = None) -> Path:
    """The file that PRETRAINED means: a path, or a name in MODEL_DIR with or without its extension.

    "default" is the model of the paper's last epoch in MODEL_DIR or, where that holds no generator at all, the one that
    is shipped, if it is of the variant.

    Raises:
        InputError: listing the models that are there.
    """
    default = pretrained == settings.DEFAULT
    if default:
        pretrained = _LAST_EPOCH
    candidates = [
        Path(pretrained),
        *(model_dir / (pretrained + extension) for extension in ("", ".keras", ".h5", ".weights.h5")),
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if Path(pretrained).is_dir():
        raise InputError(f"{pretrained}: is a folder; name a model file in it")
    there = sorted(path.name for path in model_dir.glob("*colorization*")) if model_dir.is_dir() else []
    if default and not there and variant == "HistoryNet" and SHIPPED.is_file():
        return SHIPPED
    raise InputError(
        f"{model_dir / pretrained}: no such model; "
        + (f"--pretrained can be {', '.join(there)}" if there else "train one, or name a file with --pretrained")
    )


def load_vgg16(
    network: keras.Model, architecture: Architecture, source: str, whole: bool = False, preprocessing: bool = False
) -> list[str]:
    """Initialises G0 (section 5.1), or the teacher, from VGG16.

    Args:
        network: a generator, whose layers block1_conv1 to block4_conv3 are filled, or the teacher.
        architecture: of the network.
        source: "imagenet" for the weights that Keras downloads, "none" to leave them random, or a file in Keras' layout
            (vgg16_weights_tf_dim_ordering_tf_kernels.h5; for a generator also the one with "_notop", or a part of it: a
            .npz of arrays block1_conv1_kernel, block1_conv1_bias, ..., every one of which must fit).
        whole: whether the network is VGG16 as a whole.
        preprocessing: whether the first layer is changed to see L in 0..1 as VGG16 was trained to see pictures.

    Returns:
        The names of the layers that were filled.

    Raises:
        InputError: if the weights cannot be had or do not fit.
    """
    if source == "none":
        return []
    if architecture.features_width != 1:
        raise InputError(
            "VGG16's weights fit --features-width 1, or --width 1, only: with another width give --vgg16-weights none"
        )
    path = None if source == "imagenet" else Path(source)
    file = path and weight_files.read(path)
    part = file is not None and file.form == weight_files.NPZ and not whole
    if not part and architecture.width != 1:
        raise InputError(
            "VGG16's four blocks fit --width 1 only: with another width give --vgg16-weights none, or a .npz of the "
            "first three blocks"
        )
    if whole and architecture.image_size != 224:
        raise InputError(
            "VGG16's dense layers fit --image-size 224 only: with another size give --vgg16-weights none (a random "
            "teacher)"
        )
    if file is None:
        path = _download_vgg16(whole)
        file = weight_files.read(path)
    if part:
        arrays = _vgg16_part(file.arrays, path)
    else:
        needed = [layer.name for layer in network.layers if layer.weights] if whole else vgg16.layer_names()
        arrays = _vgg16_whole(file.arrays, needed, path)
    if preprocessing and "block1_conv1" in arrays:
        arrays["block1_conv1"] = _fold_preprocessing(*(array[()] for array in arrays["block1_conv1"]))
    assign(network, arrays, path, complete=whole)
    return list(arrays)


_IMAGENET_MEAN = np.array([103.939, 116.779, 123.68], np.float32)
"""Blue, green, red of 0..255: what VGG16's pictures had subtracted."""


def _fold_preprocessing(kernel: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
    """VGG16's first layer for L three times in 0..1 instead of 0..255 less the mean.

    It gives the same but at the picture's border, whose padding was the mean and is black now.
    """
    return [kernel * np.float32(255), bias - np.einsum("hwio,i->o", kernel, _IMAGENET_MEAN)]


def _vgg16_part(arrays: Arrays, path: Path) -> dict[str, list[np.ndarray]]:
    """Kernel and bias of layers of G0, of which a file must hold nothing but some."""
    for name, values in arrays.items():
        if name not in vgg16.layer_names() or len(values) != 2:
            raise InputError(f"{path}: {name!r} is not a layer of G0 with kernel and bias, as block1_conv1 is one")
    return dict(arrays)


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


def _vgg16_whole(arrays: Arrays, needed: Sequence[str], path: Path) -> dict[str, list[np.ndarray]]:
    """Kernel and bias of the layers that are needed, from Keras' VGG16 file."""
    missing = [name for name in needed if name not in arrays]
    if missing:
        hint = f"; {_VGG16_WHOLE[0]} is needed" if missing[0] == "fc1" else ""
        raise InputError(f"{path}: not VGG16's weights (there is no layer {missing[0]!r}){hint}")
    return {name: arrays[name] for name in needed}


def inspect(path: Path) -> None:
    """Prints which network a file holds, and its arrays.

    Raises:
        InputError: as `load`.
    """
    contents = identify(path)
    architecture = contents.architecture
    network = _build(contents, path)
    rows = {"file": contents.form, "network": contents.kind}
    if contents.kind == "generator":
        rows |= {"variant": f"{architecture.variant} ({VARIANTS[architecture.variant].folder})"}
        rows |= {"classes": architecture.num_classes}
    if contents.kind != "discriminator":
        rows |= {"image size": architecture.image_size}
    rows |= {"width": f"{architecture.width:g}"}
    for name in ("features_width", "dense_width"):
        if getattr(architecture, name) != architecture.width:
            rows |= {name.replace("_", " "): f"{getattr(architecture, name):g}"}
    rows |= {"parameters": f"{network.count_params():,}"}
    for name, value in rows.items():
        print(f"{name:14} {value}")
    print("layers")
    for name, values in contents.arrays.items():
        print(f"  {name:20} {' '.join(str(value.shape) for value in values)}")


def convert(source: Path, target: Path) -> None:
    """Turns a file that holds a network of ours, whatever its form, into a .keras file.

    Raises:
        InputError: as `load`; also if the new file cannot be written.
    """
    if target.suffix != ".keras":
        raise InputError(f"{target}: the new file's name must end with .keras")
    contents = identify(source)
    network = _build(contents, source)
    save(network, contents.architecture, target)
    print(f"{target}: {contents.architecture.variant + ' ' if contents.kind == 'generator' else ''}{contents.kind}")
