import keras
import numpy as np
import pytest
import tensorflow as tf

from historynet.optimizers import Adam

PAPER = {"learning_rate": 1e-2, "beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-7}


@pytest.mark.parametrize("more", [{}, {"use_ema": True, "ema_momentum": 0.9}])
def test_adam_is_keras_adam(more):
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal((5, 4)), rng.standard_normal((6, 5, 4)).astype(np.float32)

    def states(make):
        optimizer, variable = make(**PAPER, **more), keras.Variable(start, dtype="float32")
        optimizer.build([variable])
        apply = tf.function(lambda gradient: optimizer.apply([gradient], [variable]))
        for gradient in gradients:
            apply(gradient)
        return [variable.numpy(), *(value.numpy() for value in optimizer.variables)]

    # 1 - 0.999 is not the same number in float32 as in float64, from which Keras rounds it.
    ours, theirs = states(Adam), states(keras.optimizers.Adam)
    assert len(ours) == len(theirs) == 5 + len(more) // 2
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5)
