"""The network as its training begins with it."""

import keras

from historynet.errors import InputError, translated
from historynet.systems import loading, vgg16
from historynet.systems.gray_vgg16.architecture import Architecture
from historynet.systems.gray_vgg16.network import build_network
from historynet.systems.gray_vgg16.settings import GrayVGG16Settings
from historynet.weights import reading
from historynet.weights.assigning import assign


def initial_network(settings: GrayVGG16Settings) -> tuple[keras.Model, Architecture]:
    """VGG16 with ImageNet's weights, or random; it computes in the run's precision, its variables are in float32.

    Raises:
        InputError: if it cannot be made, or a file does not fit.
    """
    with translated(ValueError, lambda error: InputError(f"the network cannot be made: {error}")):
        architecture = Architecture(settings.image_size, settings.width, settings.num_classes)
    precision = settings.precision
    with loading.dtype_policy_of(precision if precision == "float32" else f"mixed_{precision}"):
        network = build_network(architecture)
    source = settings.vgg16_weights
    if source == "none":
        return network, architecture
    if settings.width != 1:
        raise InputError("VGG16's weights fit --width 1 only: with another width give --vgg16-weights none")
    path = vgg16.weights_file(source, whole=True)
    if path is None:
        return network, architecture
    file = reading.read(path)
    part = file.form == reading.NPZ
    if part:
        arrays = vgg16.part_arrays(file.arrays, path)
        print(f"only VGG16's {', '.join(arrays)} are pretrained, its other layers are random", flush=True)
    else:
        arrays = vgg16.whole_arrays(file.arrays, [layer.name for layer in network.layers if layer.weights], path)
    if settings.vgg16_preprocessing:
        arrays = vgg16.fold_preprocessing(arrays, path)
    assign(network, arrays, path, complete=not part)
    return network, architecture
