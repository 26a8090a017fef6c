"""One update of any system on one batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from historynet import backend
from historynet.errors import NotFiniteError
from historynet.systems.system import Phase, System

_NOT_FINITE = "is not finite"


class StepTools:
    """`historynet.systems.system.Tools` in TensorFlow."""

    def __init__(self, seed: int, step: tf.Tensor):
        self._seed = seed
        self._step = step
        self._draws = 0

    def input_gradient(self, function: Callable[[Any], Any], point: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(point)
            value = function(point)
        return tape.gradient(value, point)

    def uniform(self, shape: Sequence[int]) -> tf.Tensor:
        # Stateless: a run continued at a step draws what the run that was never stopped drew there.
        self._draws += 1
        seed = tf.stack([tf.cast(self._seed * 1000 + self._draws, tf.int64), tf.cast(self._step, tf.int64)])
        return tf.random.stateless_uniform(shape, seed)


class Step:
    """Runs a system's phases on one batch; calling it gives the losses, unweighted, by name.

    Args:
        system: what to train.
        seed: of the random numbers that the phases ask for.

    Raises:
        NotFiniteError: naming the loss that is NaN or infinite; nothing of its phase has been applied then.
    """

    def __init__(self, system: System, seed: int):
        self._system = system
        self._seed = seed
        for name, network in system.networks.items():
            system.optimizers[name].build(network.trainable_variables)
        self._compiled = None

    def __call__(self, batch: Mapping[str, np.ndarray], step: int) -> dict[str, float]:
        if self._compiled is None:
            # Batches may differ in their first axis (the last one of an epoch) without a new trace.
            specs = {name: tf.TensorSpec((None, *value.shape[1:]), value.dtype) for name, value in batch.items()}
            self._compiled = tf.function(self._update, input_signature=[specs, tf.TensorSpec((), tf.int64)])
            with backend.quiet():
                return self._call(batch, step)
        return self._call(batch, step)

    def _call(self, batch: Mapping[str, np.ndarray], step: int) -> dict[str, float]:
        try:
            losses = self._compiled(
                {name: tf.convert_to_tensor(value) for name, value in batch.items()}, tf.constant(step, tf.int64)
            )
            return {name: float(value) for name, value in losses.items()}
        except tf.errors.InvalidArgumentError as error:
            line = next((line for line in str(error).splitlines() if _NOT_FINITE in line), None)
            if line is None:
                raise
            raise NotFiniteError(line.split(_NOT_FINITE)[0].split()[-1] + f" {_NOT_FINITE} at step {step}") from None

    def _update(self, batch: Mapping[str, tf.Tensor], step: tf.Tensor) -> dict[str, tf.Tensor]:
        once = {name: tf.stop_gradient(value) for name, value in self._system.once(batch).items()}
        tools = StepTools(self._seed, step)
        losses = {}
        for phase in self._system.phases:
            named = self._run(phase, batch, once, tools)
            assert not named.keys() & losses.keys(), "two phases have a loss of the same name"
            losses |= named
        return losses

    def _run(self, phase: Phase, batch: Mapping, once: Mapping, tools: StepTools) -> dict[str, tf.Tensor]:
        variables = {name: self._system.networks[name].trainable_variables for name in phase.objectives}
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            for network_variables in variables.values():
                tape.watch([variable.value for variable in network_variables])
            losses = {name: tf.reduce_mean(value) for name, value in phase.losses(batch, once, tools).items()}
            objectives = {
                network: tf.add_n([weight * losses[name] for name, weight in weights.items()])
                for network, weights in phase.objectives.items()
            }
        gradients = {
            network: tape.gradient(objective, [variable.value for variable in variables[network]])
            for network, objective in objectives.items()
        }
        checks = [tf.debugging.assert_all_finite(value, f"{name} {_NOT_FINITE}") for name, value in losses.items()]
        checks += [
            tf.debugging.assert_all_finite(
                tf.linalg.global_norm([v for v in values if v is not None]), f"gradient-of-{network} {_NOT_FINITE}"
            )
            for network, values in gradients.items()
        ]
        for network, values in gradients.items():
            # A variable that no loss of the phase depends on stays as it is.
            reached = [
                (value, variable)
                for value, variable in zip(values, variables[network], strict=True)
                if value is not None
            ]
            with tf.control_dependencies(checks):
                values = [tf.identity(value) for value, _ in reached]
            self._system.optimizers[network].apply(values, [variable for _, variable in reached])
        return losses
