"""The parser as something trainable: one network, one phase."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from historynet.systems.optimizers import Adams
from historynet.systems.parser.architecture import Architecture
from historynet.systems.parser.registration import NAME
from historynet.systems.parser.settings import ParserSettings
from historynet.systems.system import Evaluator, Phase, Score, Tensors, Tools


def class_weights(shares: np.ndarray, power: float) -> np.ndarray:
    """How much the pixels of each class count: share^-power, such that the mean over all pixels is 1, float32.

    Args:
        shares: of all pixels, (classes,), with sum 1; a class without any has the weight 0.
        power: 0..1.
    """
    weights = np.where(shares > 0, np.maximum(shares, 1e-12) ** -power, 0)
    return (weights / (weights * shares).sum()).astype(np.float32)


class Parser:
    """The network, its loss and its optimiser.

    Args:
        network: from RGB to the logits.
        architecture: what it was built from.
        settings: of the run.
        fields: of a batch, "rgb" and "classes", and who reads them.
        weights: of the classes, (classes,).
        steps: of the whole training, over which the learning rate falls to 0.
        evaluator: measures it after each epoch.
    """

    name = NAME
    score = Score("mean_iou")

    def __init__(
        self,
        network: keras.Model,
        architecture: Architecture,
        settings: ParserSettings,
        fields: Mapping[str, Any],
        weights: np.ndarray,
        steps: int,
        evaluator: Evaluator,
    ):
        self.architecture, self.fields, self.evaluator = architecture, fields, evaluator
        self._network, self._weights = network, weights
        self.networks = {"parsing": network}
        adams = Adams(learning_rate=settings.learning_rate, decay_steps=steps, weight_decay=settings.weight_decay)
        self.optimizers = adams.make(self.networks)
        self.phases = (Phase({"parsing": {"L_par": 1.0}}, self._losses),)

    def once(self, batch: Tensors) -> Tensors:
        return {}

    def logits(self, rgb: Any) -> Any:
        """RGB (batch, height, width, 3) in 0..255 -> (batch, height, width, classes), in inference mode."""
        return self._network(rgb, training=False)

    def _losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        """Cross-entropy, each pixel with the weight of its class."""
        true = ops.cast(batch["classes"], "int32")[..., None]
        logits = self._network(batch["rgb"], training=True)
        entropy = -ops.take_along_axis(ops.log_softmax(logits, axis=-1), true, axis=-1)[..., 0]
        weights = ops.take(ops.convert_to_tensor(self._weights), true[..., 0])
        return {"L_par": ops.mean(weights * entropy, axis=(1, 2))}
