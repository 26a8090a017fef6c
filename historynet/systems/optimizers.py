"""Optimisers and their schedules, as the systems' papers have them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

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
        decay_steps: batches over which the learning rate falls along half a cosine; None: it stays.
        final_rate: share of it that is left then.
        warmup_steps: batches before these over which it rises from zero; None: none, as without `decay_steps`.
        weight_decay: share of a kernel that is taken off it at each step, times the step's learning rate (AdamW,
            Loshchilov and Hutter 2019); 0: the plain Adam.
        clip_norm: largest norm of a network's gradient, which is shortened to it; None: any.
        rates: factors on the learning rate of some layers, by their names.
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
    final_rate: float = 0.0
    warmup_steps: int | None = None
    weight_decay: float = 0.0
    clip_norm: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    ema_momentum: float | None = None
    averaged: Collection[str] = ()
    shared_steps: bool = False

    def make(
        self, networks: Mapping[str, keras.Model], others: "Mapping[str, Adams] | None" = None
    ) -> dict[str, keras.optimizers.Optimizer]:
        """An optimiser for each network, by name; the networks are updated in this order. Losses are scaled in float16.

        Args:
            networks: by name.
            others: for the networks whose Adams are not these, theirs.

        Raises:
            ValueError: if none of the networks has a layer that is to have a rate of its own.
        """
        layers = {part for network in networks.values() for weight in network.weights for part in _layers_of(weight)}
        unknown = self.rates.keys() - layers
        if unknown:
            raise ValueError(f"rates of {', '.join(sorted(unknown))}: no network has such a layer with weights")
        return {
            name: (others or {}).get(name, self)._make_one(name, network, place, len(networks))
            for place, (name, network) in enumerate(networks.items())
        }

    def _make_one(self, name: str, network: keras.Model, place: int, networks: int) -> keras.optimizers.Optimizer:
        rate = self._schedule()
        if self.shared_steps:
            # The released program's count is 2 at the first update of all.
            rate = SharedSteps(rate, place + 2, networks, self.beta_1, self.beta_2)
        options = {"global_clipnorm": self.clip_norm}
        if self.ema_momentum and name in self.averaged:
            options |= {"use_ema": True, "ema_momentum": self.ema_momentum}
        optimizer = Adam(
            rate, self.beta_1, self.beta_2, self.epsilon, decay=self.weight_decay, rates=self.rates, **options
        )
        # Small gradients would be zero in float16.
        return keras.optimizers.LossScaleOptimizer(optimizer) if network.compute_dtype == "float16" else optimizer

    def _schedule(self) -> float | LearningRateSchedule:
        if not self.decay_steps:
            return self.learning_rate
        if not self.warmup_steps:
            return CosineDecay(self.learning_rate, self.decay_steps, self.final_rate)
        return CosineDecay(
            0.0,
            self.decay_steps,
            self.final_rate,
            warmup_target=self.learning_rate,
            warmup_steps=self.warmup_steps,
        )


def half_squares(network: keras.Model):
    """Half the sum of the squares of the trained kernels and biases of convolutions and dense layers: a scalar.

    As a loss its weight is Caffe's weight decay, which is added to the gradient before the optimiser's moments; the
    decay that optimisers of Keras have is added to the step instead.
    """
    return 0.5 * sum(
        ops.sum(ops.square(variable))
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose | keras.layers.Dense)
        for variable in layer.trainable_variables
    )


class Adam(keras.optimizers.Adam):
    """Keras' Adam, with a decay of kernels and with learning rates of some layers.

    Args:
        decay: `Adams.weight_decay`.
        rates: `Adams.rates`.
        others: of Keras' Adam.
    """

    def __init__(self, *others, decay: float = 0.0, rates: Mapping[str, float] | None = None, **named):
        super().__init__(*others, **named)
        self._decay = decay
        self._rates = rates or {}
        self._of_variables: list[tuple[float, float]] = []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        for variable in variables:
            rate = next((self._rates[layer] for layer in _layers_of(variable) if layer in self._rates), 1.0)
            self._of_variables.append((rate, self._decay if variable.name.endswith("kernel") else 0.0))

    # The norm that counts is that of all devices' sum. TensorFlow's form of Keras' optimisers clips each device's share
    # before it adds them up; the other engines give the sum.

    def _clip_gradients(self, gradients):
        return gradients if hasattr(super(), "_all_reduce_sum_gradients") else super()._clip_gradients(gradients)

    def _all_reduce_sum_gradients(self, gradients_and_variables):
        gradients, variables = zip(*super()._all_reduce_sum_gradients(gradients_and_variables), strict=True)
        return list(zip(super()._clip_gradients(gradients), variables, strict=True))

    def update_step(self, gradient, variable, learning_rate):
        rate, decay = self._of_variables[self._get_variable_index(variable)]
        if rate != 1:
            learning_rate = learning_rate * rate
        if decay:
            self.assign_sub(variable, variable * ops.cast(learning_rate * decay, variable.dtype))
        super().update_step(gradient, variable, learning_rate)


def _layers_of(variable: keras.Variable) -> list[str]:
    """The names of the layer that a variable belongs to, and of those that this one is in."""
    return variable.path.split("/")[:-1]


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
