"""VGG16 on gray pictures, with a head that gives logits."""

import keras

from historynet.systems import vgg16
from historynet.systems.gray_vgg16.architecture import Architecture


def build_network(architecture: Architecture) -> keras.Model:
    """A model from L (batch, size, size, 1) in 0..1 to the logits of the classes (batch, classes)."""
    channels = [*(count for count, _ in vgg16.BLOCKS), 512]
    return vgg16.build_whole(
        (architecture.image_size,) * 2,
        [architecture.channels(count) for count in channels],
        architecture.channels(4096),
        architecture.classes,
        activation=None,
    )
