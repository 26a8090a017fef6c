import keras
import pytest
import tensorflow as tf
from keras import layers

from benchmarks import operations, training


def test_a_convolution_and_a_dense_layer_by_hand():
    picture = keras.Input((8, 6, 3))
    x = layers.Conv2D(5, 3, 2, "same")(picture)
    network = keras.Model(picture, layers.Dense(7)(layers.Flatten()(x)))
    convolution, dense = 2 * (4 * 3 * 5) * (3 * 3 * 3), 2 * (4 * 3 * 5) * 7
    assert operations.of_layers(network) == [convolution, dense]

    @tf.function
    def gradients(batch):
        network(batch)
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(network(batch) ** 2)
        return tape.gradient(value, network.trainable_variables)

    counts = operations.in_graph(gradients.get_concrete_function(tf.TensorSpec((10, 8, 6, 3))).graph)
    # The first call of the network serves nothing and is not executed; no gradient by the picture is asked for.
    assert counts == {
        "Conv2D": 10 * convolution,
        "Conv2DBackpropFilter": 10 * convolution,
        "MatMul": 3 * 10 * dense,
    }


@pytest.mark.parametrize("variant", ["HistoryNet", "Baseline"])
def test_an_update_computes_what_it_needs_and_no_more(variant):
    system = training.make_system(variant, width=1 / 32, image_size=32)
    counts = operations.in_graph(training.trace(system, training.make_batch(system, 2)))
    assert sum(counts.values()) == 2 * sum(operations.needed(system).values())
