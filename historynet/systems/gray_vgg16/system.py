"""VGG16 that learns ImageNet's classes on gray pictures, as Larsson et al. (2016) did: stage 0 of the films CNN."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from historynet.systems import classification
from historynet.systems.gray_vgg16.architecture import Architecture
from historynet.systems.gray_vgg16.registration import NAME
from historynet.systems.gray_vgg16.settings import GrayVGG16Settings
from historynet.systems.optimizers import half_squares
from historynet.systems.system import Evaluation, Phase, Score, Tensors, Tools


class GrayVGG16:
    """The network, its loss and its optimiser.

    Args:
        network: from L to the logits.
        architecture: what it was built from.
        settings: of the run.
        fields: of a batch, "L" and "label", and who reads them.
        evaluator: measures it after each epoch.
    """

    name = NAME
    score = Score("top_1")

    def __init__(
        self,
        network: keras.Model,
        architecture: Architecture,
        settings: GrayVGG16Settings,
        fields: Mapping[str, Any],
        evaluator: "TopOne",
    ):
        self.architecture, self.fields, self.evaluator = architecture, fields, evaluator
        self._network = network
        self.networks = {"classification": network}
        descent = keras.optimizers.SGD(settings.learning_rate, settings.momentum)
        # Small gradients would be zero in float16.
        is_half = network.compute_dtype == "float16"
        self.optimizers = {"classification": keras.optimizers.LossScaleOptimizer(descent) if is_half else descent}
        objective = {"L_class": 1.0, "L_2": settings.weight_decay}
        self.phases = (Phase({"classification": objective}, self._losses),)

    def once(self, batch: Tensors) -> Tensors:
        return {}

    def logits(self, luminance: Any) -> Any:
        """L (batch, size, size, 1) in 0..1 -> (batch, classes), in inference mode."""
        return self._network(luminance, training=False)

    def _losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        entropy = classification.cross_entropy(batch["label"], self._network(batch["L"], training=True))
        return {"L_class": entropy, "L_2": half_squares(self._network) * ops.ones_like(entropy)}


class TopOne:
    """The share of the test pictures whose class is the likeliest of all to the network, and their cross-entropy.

    Args:
        pictures: iterated over for each evaluation, batches of L (batch, size, size, 1) and labels (batch, 1); with a
            length, and `left_out` as evaluators have it.
    """

    def __init__(self, pictures: Any):
        self._pictures = pictures

    @property
    def left_out(self) -> Collection[str]:
        return self._pictures.left_out

    def __len__(self) -> int:
        return len(self._pictures)

    def __call__(self, system: GrayVGG16, out_dir: Path) -> Evaluation:
        measured = []
        for luminance, label in self._pictures:
            logits, label = system.logits(luminance), ops.convert_to_tensor(label)
            both = classification.is_found(label, logits), classification.cross_entropy(label, logits)
            measured.append(np.stack([ops.convert_to_numpy(value) for value in both]))
        top_1, entropy = np.concatenate(measured, axis=1).mean(axis=1)
        return Evaluation({"top_1": float(top_1), "cross_entropy": float(entropy)})
