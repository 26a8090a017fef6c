"""Optimisers: Keras' own, where TensorFlow has an operation that does the same at once."""

import keras
import tensorflow as tf
from keras import ops


class Adam(keras.optimizers.Adam):
    """Keras' Adam (without AMSGrad) in one pass through memory instead of ten.

    The numbers are the same but for rounding. With the 159 million weights of G it takes 0.15 s on two cores instead of
    0.5 s.
    """

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        dtype = variable.dtype
        count = ops.cast(self.iterations + 1, dtype)
        beta1, beta2, epsilon, rate = (
            ops.cast(value, dtype) for value in (self.beta_1, self.beta_2, self.epsilon, learning_rate)
        )
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=ops.power(beta1, count),
            beta2_power=ops.power(beta2, count),
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            grad=ops.cast(gradient, dtype),
        )
