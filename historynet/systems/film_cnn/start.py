"""The network as its training begins with it."""

from collections.abc import Sequence
from pathlib import Path

import keras

from historynet.errors import InputError, translated
from historynet.systems import description, loading, vgg16
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.network import NAME as NETWORK
from historynet.systems.film_cnn.network import build_network
from historynet.systems.film_cnn.registration import NAME
from historynet.systems.film_cnn.settings import FilmCNNSettings
from historynet.weights import reading
from historynet.weights.assigning import assign


def initial_network(settings: FilmCNNSettings) -> tuple[keras.Model, Architecture]:
    """The network that a run starts from: random but for VGG16's blocks, or of an earlier stage.

    It computes in the run's precision; its variables are in float32.

    Raises:
        InputError: if it cannot be made, or a file does not fit.
    """
    with translated(ValueError, lambda error: InputError(f"the network cannot be made: {error}")):
        architecture = Architecture(
            settings.multi_scale,
            settings.vgg_features,
            settings.width,
            settings.features_width,
            settings.colorizing_size,
        )
    precision = settings.precision
    with loading.dtype_policy_of(precision if precision == "float32" else f"mixed_{precision}"):
        network = build_network(architecture, settings.size)
    names = vgg16.layer_names(blocks=3) if settings.vgg_features else []
    if settings.init_network is not None:
        _fill(network, settings.init_network)
        print(f"the network starts from {settings.init_network}", flush=True)
    elif names:
        loaded = _load_vgg16(network, settings)
        random = [name for name in names if name not in loaded]
        if loaded and random:
            print(f"VGG16's {', '.join(loaded)} are pretrained, {', '.join(random)} are random", flush=True)
    if settings.frozen_features:
        for name in names:
            network.get_layer(name).trainable = False
    return network, architecture


def pretrained_layers(settings: FilmCNNSettings) -> list[str]:
    """The names of the convolutions that a run does not begin with at random."""
    return vgg16.layer_names(blocks=3) if settings.vgg_features and settings.vgg16_weights != "none" else []


def _fill(network: keras.Model, path: Path) -> None:
    contents = loading.identify(path)
    if contents.registration.name != NAME:
        raise InputError(f"{path}: a network of {contents.registration.name}; one of {NAME} is needed")
    description.check(contents, NETWORK, NAME, path)
    assign(network, contents.arrays, path)


def _load_vgg16(network: keras.Model, settings: FilmCNNSettings) -> list[str]:
    """Fills VGG16's blocks 1 to 3; the names of the layers that were filled."""
    source, width = settings.vgg16_weights, settings.features_width or settings.width
    if source == "none":
        return []
    names = vgg16.layer_names(blocks=3)
    # It may have another width.
    file = None if source == "imagenet" else reading.read(Path(source))
    if file is not None and file.description is not None:
        assign(network, _of_stage_0(Path(source), names, width), Path(source), complete=False)
        return names
    if width != 1:
        raise InputError(
            "VGG16's weights fit --features-width 1, or --width 1, only: with another width give --vgg16-weights none"
        )
    path = vgg16.weights_file(source, whole=False)
    if path is None:
        return names
    file = file or reading.read(path)
    if file.form == reading.NPZ:
        arrays = {name: values for name, values in vgg16.part_arrays(file.arrays, path).items() if name in names}
    else:
        arrays = vgg16.whole_arrays(file.arrays, names, path)
    if settings.vgg16_preprocessing:
        arrays = vgg16.fold_preprocessing(arrays, path)
    assign(network, arrays, path, complete=False)
    return list(arrays)


def _of_stage_0(path: Path, names: Sequence[str], width: float) -> dict[str, list]:
    """VGG16's layers as they were trained on gray pictures: on L in 0..1, so that nothing is to be folded in."""
    contents = loading.identify(path)
    if contents.network != vgg16.NAME:
        raise InputError(
            f"{path}: a {contents.network} of {contents.registration.name}; a VGG16 of stage 0 is needed, or VGG16's "
            "weights in Keras' layout"
        )
    if contents.architecture.width != width:
        raise InputError(f"{path}: of width {contents.architecture.width:g}, not {width:g} (--features-width)")
    return vgg16.whole_arrays(contents.arrays, names, path)
