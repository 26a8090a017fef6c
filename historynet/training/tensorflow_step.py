"""One update of any system on one batch, computed in parts and on several devices if wanted."""

import bisect
import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from historynet import backend
from historynet.errors import NotFiniteError
from historynet.systems.system import Phase, System
from historynet.training.strategy import Workers, synchronized

_NOT_FINITE = "is not finite"


class Share(NamedTuple):
    """The samples of a batch that one replica computes at a time.

    Attributes:
        fields: their fields.
        start: place of the first one in the batch.
        samples: of the whole batch.
        copies: how many replicas compute the same.
    """

    fields: Mapping[str, tf.Tensor]
    start: tf.Tensor
    samples: tf.Tensor
    copies: tf.Tensor


class Computed(NamedTuple):
    """What a phase gives for a share.

    Attributes:
        losses: the share's part of their means over the batch, by name.
        gradients: by network.
        shared: what the system computes once a batch, for the phases that follow.
    """

    losses: dict[str, tf.Tensor]
    gradients: dict[str, list[tf.Tensor | None]]
    shared: Mapping[str, tf.Tensor]


class StepTools:
    """`historynet.systems.system.Tools` in TensorFlow.

    Args:
        seed: of the run.
        step: the update's number.
        phase: the phase's place in the update.
        share: the samples that the phase sees.
    """

    def __init__(self, seed: int, step: tf.Tensor, phase: int, share: Share):
        self.step = step
        self._seed = seed
        self._share = share
        self._draws = 100 * phase

    def input_gradient(self, function: Callable[[Any], Any], point: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(point)
            value = function(point)
        return tape.gradient(value, point)

    def uniform(self, shape: Sequence[int]) -> tf.Tensor:
        # Stateless: a run continued at a step draws what the run that was never stopped drew there. For the whole
        # batch, so that a sample gets the same number whoever computes it.
        self._draws += 1
        seed = tf.stack([tf.cast(self._seed * 1000 + self._draws, tf.int64), tf.cast(self.step, tf.int64)])
        numbers = tf.random.stateless_uniform((self._share.samples, *shape[1:]), seed, dtype=keras.config.floatx())
        return numbers[self._share.start :][: shape[0]]


class Step:
    """Runs a system's phases on one batch; calling it gives the losses, unweighted, by name.

    All replicas of tf.distribute's strategy, in which the system was made, compute their shares of the batch. Losses
    and gradients are those of the whole batch, and so are the statistics of batch normalisation but for `parts`.

    Args:
        system: what to train.
        seed: of the random numbers that the phases ask for.
        parts: how many parts of the batch are computed one after the other, which takes less memory. Batch
            normalisation sees a part at a time.
        jit: whether XLA compiles losses and gradients; with one device only. It draws other random numbers.

    Raises:
        NotFiniteError: naming the loss that is NaN or infinite; nothing of its phase has been applied then, on no
            device.
        WorkerLostError: if another process of the training has ended.
    """

    def __init__(self, system: System, seed: int, parts: int = 1, jit: bool = False):
        self._system = system
        self._seed = seed
        self._parts = parts
        self._jit = jit
        self.workers = Workers()
        for name, network in system.networks.items():
            # A restored one is built; another time would give that with a loss scale its variables twice.
            if not system.optimizers[name].built:
                system.optimizers[name].build(network.trainable_variables)
        self._compiled = {}

    def __call__(self, fields: Mapping[str, np.ndarray], step: int, samples: int | None = None) -> dict[str, float]:
        """One update.

        Args:
            fields: of this process's samples, `workers.own_places` of the batch's.
            step: number of the update, for the random numbers.
            samples: of the whole batch; None if this process computes all.
        """
        if samples is None:
            samples = len(next(iter(fields.values())))
        shares = self._shares(fields, samples)
        active = tuple(step >= phase.first_step for phase in self._system.phases)
        key = len(shares), active
        if key in self._compiled:
            return self._call(key, shares, step)
        # Batches may differ in their first axis (the last one of an epoch) without a new trace.
        specs = tf.nest.map_structure(
            lambda value: tf.TensorSpec((None, *value.shape[1:]) if value.shape.rank else (), value.dtype), shares
        )
        # Nothing here branches on a tensor in Python, and AutoGraph takes two fifths of the time of tracing.
        self._compiled[key] = tf.function(
            functools.partial(self._update_together, active),
            input_signature=[specs, tf.TensorSpec((), tf.int64)],
            autograph=False,
        )
        with backend.quiet():
            return self._call(key, shares, step)

    def place(self, fields: Mapping[str, np.ndarray], samples: int | None = None) -> Mapping[str, np.ndarray]:
        """The fields as they are: TensorFlow sends them when it computes."""
        return fields

    def gradients(
        self, fields: Mapping[str, np.ndarray], step: int = 0
    ) -> list[tuple[dict[str, float], dict[str, list[tf.Tensor | None]]]]:
        """Each phase's losses and its networks' gradients, of the whole batch, before any update.

        Nothing is applied; what a pass moves by itself, as the statistics of batch normalisation, moves. A variable
        that no loss reaches has None. With one device and losses that are not scaled.
        """
        samples = tf.constant(len(next(iter(fields.values()))))
        tensors = {name: tf.convert_to_tensor(value) for name, value in fields.items()}
        share = Share(tensors, tf.constant(0), samples, tf.constant(1))
        shared, results = {}, []
        for number, phase in enumerate(self._system.phases):
            computed = self._gradients_of(phase, number, tf.constant(step, tf.int64))(share, shared)
            shared = computed.shared
            losses = {name: float(value) for name, value in computed.losses.items()}
            results.append((losses, computed.gradients))
        return results

    def graph(self, fields: Mapping[str, np.ndarray]) -> tf.Graph:
        """The graph of an update on batches of just this size, in which all shapes are known: what it computes."""
        shares = self._shares(fields, len(next(iter(fields.values()))))
        active = (True,) * len(self._system.phases)
        function = tf.function(functools.partial(self._update_together, active), autograph=False)
        return function.get_concrete_function(shares, tf.TensorSpec((), tf.int64)).graph

    def _shares(self, fields: Mapping[str, np.ndarray], samples: int) -> list[list[Share]]:
        """For each part of the batch a share for each of this process's replicas."""
        own_places = self.workers.own_places(samples, self._parts)

        def share(part: list[range], places: range) -> Share:
            first = bisect.bisect(own_places, places.start) - 1
            own = {name: tf.convert_to_tensor(value[first : first + len(places)]) for name, value in fields.items()}
            return Share(own, *map(tf.constant, (places.start, samples, part.count(places))))

        return [
            [share(part, part[replica]) for replica in self.workers.own]
            for part in self.workers.shares(samples, self._parts)
        ]

    def _call(self, key: Hashable, shares: list[list[Share]], step: int) -> dict[str, float]:
        try:
            with self.workers.watched():
                losses = self._compiled[key](shares, tf.constant(step, tf.int64))
                return {name: float(value) for name, value in losses.items()}
        except tf.errors.InvalidArgumentError as error:
            line = next((line for line in str(error).splitlines() if _NOT_FINITE in line), None)
            if line is None:
                raise
            raise NotFiniteError(line.split(_NOT_FINITE)[0].split()[-1] + f" {_NOT_FINITE} at step {step}") from None

    def _update_together(
        self, active: Sequence[bool], shares: list[list[Share]], step: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        def update() -> dict[str, tf.Tensor]:
            replica = tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group)
            return self._update(active, [part[replica - self.workers.own.start] for part in shares], step)

        networks = self._system.networks.values() if self.workers.replicas > 1 else ()
        with synchronized(networks):
            losses = self.workers.strategy.run(update)
        return {name: self.workers.strategy.experimental_local_results(value)[0] for name, value in losses.items()}

    def _update(self, active: Sequence[bool], parts: Sequence[Share], step: tf.Tensor) -> dict[str, tf.Tensor]:
        shared, losses = [{}] * len(parts), {}
        for number, (phase, is_active) in enumerate(zip(self._system.phases, active, strict=True)):
            compute = self._gradients_of(phase, number, step)
            computed = _in_turn(compute, list(zip(parts, shared, strict=True)))
            shared = [result.shared for result in computed]
            named, gradients = _sum([(result.losses, result.gradients) for result in computed])
            named = self._apply(named, gradients if is_active else {})
            assert not named.keys() & losses.keys(), "two phases have a loss of the same name"
            losses |= named
        return losses

    def _gradients_of(self, phase: Phase, number: int, step: tf.Tensor) -> Callable[[Share, Mapping], Computed]:
        """(share, shared) -> `_gradients`, compiled if wanted: what applies them is not, as XLA drops its checks."""

        def compute(share: Share, shared: Mapping) -> Computed:
            return self._gradients(phase, share, shared, StepTools(self._seed, step, number, share))

        return tf.function(compute, jit_compile=True, autograph=False) if self._jit else compute

    def _gradients(self, phase: Phase, share: Share, shared: Mapping, tools: StepTools) -> Computed:
        """A share's part of the losses' means over the batch, and their gradients by network."""
        variables = {name: self._system.networks[name].trainable_variables for name in phase.objectives}
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            for network_variables in variables.values():
                tape.watch([variable.value for variable in network_variables])
            if phase is self._system.phases[0]:
                shared = self._system.once(share.fields)
            losses = {
                name: tf.reduce_sum(value) / tf.cast(share.samples * share.copies, value.dtype)
                for name, value in phase.losses(share.fields, shared, tools).items()
            }
            objectives = {
                network: self._system.optimizers[network].scale_loss(
                    tf.add_n([weight * losses[name] for name, weight in weights.items()])
                )
                for network, weights in phase.objectives.items()
            }
        gradients = {
            network: tape.gradient(objective, [variable.value for variable in variables[network]])
            for network, objective in objectives.items()
        }
        return Computed(losses, gradients, shared)

    def _apply(self, losses: Mapping[str, tf.Tensor], gradients: Mapping[str, Sequence]) -> dict[str, tf.Tensor]:
        """Updates the phase's networks if all is finite on all replicas; the losses of the whole batch."""
        norms = {f"gradient-of-{network}": self._checked_norm(network, values) for network, values in gradients.items()}
        # A sum is finite where each of its terms is: all replicas stop, or none.
        total = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, {**losses, **norms})
        checks = [tf.debugging.assert_all_finite(value, f"{name} {_NOT_FINITE}") for name, value in total.items()]
        for network, values in gradients.items():
            # A variable that no loss of the phase depends on stays as it is.
            reached = [
                (value, variable)
                for value, variable in zip(values, self._system.networks[network].trainable_variables, strict=True)
                if value is not None
            ]
            with tf.control_dependencies(checks):
                values = [tf.identity(value) for value, _ in reached]
            # Keras sums them over the replicas.
            self._system.optimizers[network].apply(values, [variable for _, variable in reached])
        return {name: total[name] for name in losses}

    def _checked_norm(self, network: str, gradient: Sequence[tf.Tensor | None]) -> tf.Tensor:
        """A number that is not finite where the gradient is not, and nothing else can answer that."""
        norm = tf.linalg.global_norm([value for value in gradient if value is not None])
        optimizer = self._system.optimizers[network]
        if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return norm
        # It leaves such an update out and halves its scale. Below 1 that would help no more.
        return tf.where(optimizer.dynamic_scale.value > 1, tf.zeros_like(norm), norm)


def _in_turn(function: Callable, arguments: Sequence[tuple]) -> list:
    """function(*arguments) of each, none begun before the one before is done, so that their memory is not added."""
    results = []
    for values in arguments:
        with tf.control_dependencies([value for value in tf.nest.flatten(results[-1:]) if value is not None]):
            values = tf.nest.map_structure(tf.identity, values)
        results.append(function(*values))
    return results


def _sum(results: Sequence) -> Any:
    """Structures of tensors added up; what is None in one is None in each."""
    return tf.nest.map_structure(lambda *values: None if values[0] is None else tf.add_n(values), *results)
