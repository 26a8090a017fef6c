"""The labeller as something trainable: one network, one phase."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from historynet.systems import classification
from historynet.systems.labeller.architecture import Architecture
from historynet.systems.labeller.network import HEAD
from historynet.systems.labeller.registration import NAME
from historynet.systems.labeller.settings import LabellerSettings
from historynet.systems.optimizers import Adams
from historynet.systems.system import Evaluator, Phase, Score, Tensors, Tools

MOST = 10.0
"""The largest weight of a label."""


def class_weights(counts: np.ndarray) -> np.ndarray:
    """How much each label's pictures count: min(10, sqrt(mean n / n_c)), float32 (labels,).

    Args:
        counts: pictures of each label; the mean is over those that have any, and the others' weights are `MOST`.
    """
    mean = counts[counts > 0].mean()
    return np.minimum(MOST, np.sqrt(mean / np.maximum(counts, 1e-9))).astype(np.float32)


class Labeller:
    """The network, its loss and its optimiser.

    Args:
        network: from RGB to the logits; with `settings.frozen` its last layer alone is trained.
        architecture: what it was built from.
        settings: of the run.
        fields: of a batch, "rgb" or, with `settings.frozen`, "features", and "label", and who reads them.
        weights: of the labels, (labels,).
        steps: of the whole training, over which the learning rate falls to 0.
        evaluator: measures it after each epoch.
    """

    name = NAME
    score = Score("recall")

    def __init__(
        self,
        network: keras.Model,
        architecture: Architecture,
        settings: LabellerSettings,
        fields: Mapping[str, Any],
        weights: np.ndarray,
        steps: int,
        evaluator: Evaluator,
    ):
        self.architecture, self.fields, self.evaluator = architecture, fields, evaluator
        self._network, self._weights, self._frozen = network, weights, settings.frozen
        self.networks = {"classification": network}
        self.optimizers = Adams(learning_rate=settings.learning_rate, decay_steps=steps).make(self.networks)
        self.phases = (Phase({"classification": {"L_label": 1.0}}, self._losses),)

    def once(self, batch: Tensors) -> Tensors:
        return {}

    def logits(self, seen: Any, training: bool = False) -> Any:
        """What a batch holds of the pictures, RGB in 0..255 or features -> (batch, labels)."""
        return self._network.get_layer(HEAD)(seen) if self._frozen else self._network(seen, training=training)

    def _losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        logits = self.logits(batch["features" if self._frozen else "rgb"], training=True)
        entropy = classification.cross_entropy(batch["label"], logits)
        weights = ops.take(ops.convert_to_tensor(self._weights), ops.cast(batch["label"][:, 0], "int32"))
        return {"L_label": weights * entropy}
