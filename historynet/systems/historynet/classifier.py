"""The classifier network D2 (purple in Figure 2): finds the generator's info vector again in its colours.

After InfoGAN (Chen et al. 2016): chrominance from which the vector can be read has kept what the vector says.
"""

import keras
from keras import layers

from historynet.systems.historynet.variants import Architecture


def build_classifier(architecture: Architecture) -> keras.Model:
    """Returns a model from ab (batch, size, size, 2) in 0..1 to a vector (batch, 256 * dense_width), linear."""
    size = architecture.image_size
    ab = keras.Input((size, size, 2), name="ab")
    x = ab
    for i, filters in enumerate((64, 128, 256, 512, 512), start=1):
        x = layers.Conv2D(architecture.channels(filters), 4, 2, "same", name=f"classifier_conv{i}")(x)
        x = layers.LeakyReLU(0.3, name=f"classifier_relu{i}")(x)
        if i > 1:
            x = layers.BatchNormalization(name=f"classifier_bn{i}")(x)
    x = layers.Flatten(name="classifier_flatten")(x)
    x = layers.Dense(architecture.dense_units(1024), name="classifier_dense")(x)
    vector = layers.Dense(architecture.dense_units(256), dtype=keras.config.floatx(), name="classifier_info")(x)
    return keras.Model(ab, vector, name="classifier")
