"""What a trainable system tells the training loop about itself.

A system declares its networks, an optimiser for each, the fields of a batch that it reads, and its phases in order. It
owns no train step: tapes, the check for NaN, the mean over the batch and applying the gradients are the business of
`historynet.training`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras

Tensors = Mapping[str, Any]
"""Named tensors with the batch as first axis."""


class Tools(Protocol):
    """What the training step lends to a phase, because Keras has no backend-independent form of it."""

    def input_gradient(self, function: Callable[[Any], Any], point: Any) -> Any:
        """The gradient of the summed function(point) with respect to point; it can be differentiated again."""

    def uniform(self, shape: Sequence[int]) -> Any:
        """Random numbers in [0, 1), the first axis for the phase's samples.

        They depend on the run's seed, the step and the sample's place in the batch alone.
        """


@dataclass(frozen=True)
class Phase:
    """One update within a batch.

    Attributes:
        objectives: for each network that the phase updates, the weight of each loss it minimises.
        losses: (batch, what the system computed once a batch, tools) -> named losses, (batch,) each. Pure but for the
            moving statistics of batch normalisation.
    """

    objectives: Mapping[str, Mapping[str, float]]
    losses: Callable[[Tensors, Tensors, Tools], Tensors]


class System(Protocol):
    """Networks, losses and optimisers joined into something trainable.

    Attributes:
        architecture: a dataclass that says how the networks were built; saved with them.
        fields: what each batch must hold, of "L", "ab", "label", "parsing".
        networks: by the names that their files have, my_model_<name>Epoch<N>.keras; "colorization" is the generator.
        optimizers: one for each network.
        phases: the updates within a batch, in order.
    """

    architecture: Any
    fields: tuple[str, ...]
    networks: Mapping[str, keras.Model]
    optimizers: Mapping[str, keras.optimizers.Optimizer]
    phases: Sequence[Phase]

    def once(self, batch: Tensors) -> Tensors:
        """What the phases of a batch share, computed within the first, whose gradients reach through it.

        To the others it is constant.
        """

    def predict(self, luminance: Any) -> Tensors:
        """L (batch, size, size, 1) in 0..1 -> at least "ab" (batch, size, size, 2), in inference mode."""
