"""Optimisers and their schedules, as the systems' papers have them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import keras
from keras import ops
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule


@dataclass(frozen=True, kw_only=True)
class Adams:
    """The Adams (Kingma and Ba 2015) of a system's networks, one for each, alike.

    Attributes:
        learning_rate: step size.
        beta_1: share that the mean of the gradients keeps at each step.
        beta_2: share that the mean of their squares keeps.
        epsilon: added to the root of the latter.
        decay_steps: batches over which the learning rate falls to zero along half a cosine; None: it stays.
        warmup_steps: batches before these over which it rises from zero; None: none, as without `decay_steps`.
        ema_momentum: share that a moving average of a network's weights keeps at each step; None: no average.
        averaged: names of the networks of which there is such an average.
        shared_steps: whether the step count, on which Adam's bias correction depends, rises with every update of any
            network, as in programs that have one Adam for all, instead of with the network's own.
    """

    learning_rate: float
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    decay_steps: int | None = None
    warmup_steps: int | None = None
    ema_momentum: float | None = None
    averaged: Collection[str] = ()
    shared_steps: bool = False

    def make(self, networks: Mapping[str, keras.Model]) -> dict[str, keras.optimizers.Optimizer]:
        """An optimiser for each network, by name; the networks are updated in this order. Losses are scaled in float16.

        Args:
            networks: by name.
        """
        optimizers = {}
        for place, (name, network) in enumerate(networks.items()):
            rate = self._schedule()
            if self.shared_steps:
                # The released program's count is 2 at the first update of all.
                rate = SharedSteps(rate, place + 2, len(networks), self.beta_1, self.beta_2)
            average = {}
            if self.ema_momentum and name in self.averaged:
                average = {"use_ema": True, "ema_momentum": self.ema_momentum}
            optimizer = keras.optimizers.Adam(rate, self.beta_1, self.beta_2, self.epsilon, **average)
            # Small gradients would be zero in float16.
            scaled = network.compute_dtype == "float16"
            optimizers[name] = keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer
        return optimizers

    def _schedule(self) -> float | LearningRateSchedule:
        if not self.decay_steps:
            return self.learning_rate
        if not self.warmup_steps:
            return CosineDecay(self.learning_rate, self.decay_steps)
        return CosineDecay(0.0, self.decay_steps, warmup_target=self.learning_rate, warmup_steps=self.warmup_steps)


class SharedSteps(LearningRateSchedule):
    """The learning rate under which a network's own Adam steps like one that counts the updates of all networks.

    Args:
        learning_rate: that of the shared Adam; a schedule counts the network's updates, one a batch.
        first: the shared count at the network's first update.
        stride: how far it rises from one of the network's updates to the next.
        beta_1: of both Adams.
        beta_2: of both Adams.
    """

    def __init__(
        self, learning_rate: float | LearningRateSchedule, first: int, stride: int, beta_1: float, beta_2: float
    ):
        self._learning_rate, self._first, self._stride = learning_rate, first, stride
        self._beta_1, self._beta_2 = beta_1, beta_2

    def __call__(self, step):
        def correction(count):
            return ops.sqrt(1 - ops.power(self._beta_2, count)) / (1 - ops.power(self._beta_1, count))

        rate = self._learning_rate(step) if callable(self._learning_rate) else self._learning_rate
        step = ops.cast(step, "float32")
        shared = self._first + self._stride * step
        return rate * correction(shared) / correction(step + 1)
