"""The engine that computes the updates: the one that Keras runs on."""

import keras

if keras.backend.backend() == "jax":
    from historynet.training.jax_devices import Workers
    from historynet.training.jax_step import Step, StepTools
else:
    from historynet.training.strategy import Workers
    from historynet.training.tensorflow_step import Step, StepTools

__all__ = ["Step", "StepTools", "Workers"]
