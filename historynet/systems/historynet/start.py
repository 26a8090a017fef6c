"""The networks of a variant as its training begins with them."""

from pathlib import Path

import keras

from historynet.errors import InputError, translated
from historynet.systems import description, loading, vgg16
from historynet.systems.historynet.classifier import build_classifier
from historynet.systems.historynet.discriminator import build_discriminator
from historynet.systems.historynet.fitting import for_image_size
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.registration import NAME
from historynet.systems.historynet.settings import ARCHITECTURE, HistoryNetSettings
from historynet.systems.historynet.variants import Architecture
from historynet.weights import reading
from historynet.weights.assigning import assign


class InitialNetworks:
    """The networks of a variant: random but for G0, or from the files of --init-...

    They compute in the run's precision; their variables are in float32.

    Args:
        variant: a name in VARIANTS.
        settings: of the run.
    """

    def __init__(self, variant: str, settings: HistoryNetSettings):
        with translated(ValueError, lambda error: InputError(f"the networks cannot be made: {error}")):
            self.architecture = Architecture(
                variant,
                settings.image_size,
                settings.width,
                settings.num_classes,
                settings.features_width,
                settings.dense_width,
            )
        self._settings = settings
        precision = settings.precision
        self._dtype_policy = precision if precision == "float32" else f"mixed_{precision}"

    def generator(self) -> keras.Model:
        """G, with G0 from VGG16 (section 5.1)."""
        with loading.dtype_policy_of(self._dtype_policy):
            network = build_generator(self.architecture)
        if self._settings.init_generator is not None:
            size = ", ".join(f"{name.replace('_', ' ')} {getattr(self.architecture, name):g}" for name in ARCHITECTURE)
            print(f"G starts from {self._settings.init_generator}: {size}", flush=True)
            self._filled(network, self._settings.init_generator)
            filled = vgg16.layer_names()
        else:
            filled = self._load_vgg16(network)
        random = [name for name in vgg16.layer_names() if name not in filled]
        if filled and random:
            print(
                f"G0 starts from a part of VGG16: {', '.join(filled)} are pretrained, {', '.join(random)} are random",
                flush=True,
            )
        if self._settings.frozen_features:
            for name in vgg16.layer_names(blocks=3):
                network.get_layer(name).trainable = name not in filled
        return network

    def discriminator(self) -> keras.Model:
        """D1."""
        with loading.dtype_policy_of(self._dtype_policy):
            network = build_discriminator(self.architecture)
        return self._filled(network, self._settings.init_discriminator)

    def classifier(self) -> keras.Model:
        """D2."""
        with loading.dtype_policy_of(self._dtype_policy):
            network = build_classifier(self.architecture)
        return self._filled(network, self._settings.init_classifier)

    def teacher(self) -> keras.Model:
        """VGG16, whole and frozen, which the Baseline learns its labels from."""
        with loading.dtype_policy_of(self._dtype_policy):
            network = build_teacher(self.architecture)
        if self._settings.vgg16_weights == "none":
            print("--vgg16-weights none: the teacher is random, and so are the labels that it gives", flush=True)
        self._load_vgg16(network, whole=True)
        return network

    def _filled(self, network: keras.Model, path: Path | None) -> keras.Model:
        if path is not None:
            fitted = fill(network, self.architecture, path)
            if fitted:
                print(f"{path}: made for pictures of another size; fitted: {', '.join(fitted)}", flush=True)
        return network

    def _load_vgg16(self, network: keras.Model, whole: bool = False) -> list[str]:
        settings = self._settings
        return load_vgg16(network, self.architecture, settings.vgg16_weights, whole, settings.vgg16_preprocessing)


def build_teacher(architecture: Architecture) -> keras.Model:
    """VGG16 from L (batch, size, size, 1) in 0..1 to the Baseline's classes (batch, classes); it is not trainable."""
    network = vgg16.build_whole(
        (architecture.image_size,) * 2,
        [*architecture.vgg16_channels, architecture.channels(512)],
        architecture.channels(4096),
        architecture.num_classes,
    )
    network.trainable = False
    return network


def fill(network: keras.Model, architecture: Architecture, path: Path) -> list[str]:
    """Gives a network of ours the arrays of a file; one made for pictures of another size is fitted.

    Args:
        network: the network to fill.
        architecture: of the network.
        path: the file to read.

    Returns:
        The names of the layers whose kernels had to be fitted.

    Raises:
        InputError: as `loading.load`; also if the file's network has other numbers of channels, units or classes.
    """
    contents = loading.identify(path)
    if contents.registration.name != NAME:
        raise InputError(f"{path}: a network of {contents.registration.name}; one of {NAME} is needed")
    description.check(contents, network.name, architecture.variant, path)
    in_file = contents.architecture
    fitted = for_image_size(contents.arrays, network, in_file.image_size, architecture.image_size, path)
    try:
        assign(network, {**contents.arrays, **fitted}, path)
    except InputError as error:
        sizes = ", ".join(
            f"--{name.replace('_', '-')} {getattr(in_file, name):g}"
            for name in ("width", "features_width", "dense_width", "num_classes")
            if getattr(in_file, name) != getattr(architecture, name)
        )
        raise InputError(f"{error}; the file's network was made with {sizes}" if sizes else str(error)) from error
    return list(fitted)


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
        The names of the layers that were filled, or would be (`keras_files.without_download`).

    Raises:
        InputError: if the weights cannot be had or do not fit.
    """
    if source == "none":
        return []
    if architecture.features_width != 1:
        raise InputError(
            "VGG16's weights fit --features-width 1, or --width 1, only: with another width give --vgg16-weights none"
        )
    file = None if source == "imagenet" else reading.read(Path(source))
    part = file is not None and file.form == reading.NPZ and not whole
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
    path = vgg16.weights_file(source, whole)
    needed = [layer.name for layer in network.layers if layer.weights] if whole else vgg16.layer_names()
    if path is None:
        return needed
    if part:
        arrays = vgg16.part_arrays(file.arrays, path)
    else:
        arrays = vgg16.whole_arrays((file or reading.read(path)).arrays, needed, path)
    if preprocessing:
        arrays = vgg16.fold_preprocessing(arrays, path)
    assign(network, arrays, path, complete=whole)
    return list(arrays)
