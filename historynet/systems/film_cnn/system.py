"""The films CNN as something trainable: one network, one phase."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from historynet.systems.film_cnn import losses
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.decoding import UPSCALING, decode
from historynet.systems.film_cnn.registration import NAME
from historynet.systems.film_cnn.settings import FilmCNNSettings
from historynet.systems.optimizers import Adams, half_squares
from historynet.systems.system import Phase, Score, Tensors, Tools


class FilmCNN:
    """The network and its loss.

    Args:
        network: from L to the logits.
        architecture: what it was built from.
        settings: of the run.
        fields: of a batch, "L" and "ab", and who reads them.
        bin_weights: makes the weights of the bins, (313,), when they are first needed; None: all count alike.
    """

    name = NAME
    score = Score("psnr")
    evaluator = None
    decode = staticmethod(decode)

    def __init__(
        self,
        network: keras.Model,
        architecture: Architecture,
        settings: FilmCNNSettings,
        fields: Mapping[str, Any],
        bin_weights: Callable[[], np.ndarray] | None = None,
    ):
        self.architecture, self.fields = architecture, fields
        # Called once: to have them may take minutes, and whoever only looks at the system needs none.
        self._bin_weights = bin_weights and functools.cache(bin_weights)
        self._network, self._settings = network, settings
        self.networks = {"colorization": network}
        adams = Adams(learning_rate=settings.learning_rate, beta_1=0.9, beta_2=0.99, epsilon=1e-8)
        self.optimizers = adams.make(self.networks)
        height, width = settings.size
        # Eq. (1) is a sum over pixels, and the weight decay is weighed against that.
        pixels = height * width / UPSCALING**2
        objective = {"L_ce": pixels, "L_2": settings.weight_decay}
        self.phases = (Phase({"colorization": objective}, self._losses),)

    def once(self, batch: Tensors) -> Tensors:
        return {}

    def predict(self, luminance: Any) -> Tensors:
        return self._network(luminance, training=False)

    def _losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        settings = self._settings
        lab = losses.target(batch["ab"], settings.averaged_target)
        logits = self._network(batch["L"], training=True)["logits"]
        bin_weights = self._bin_weights and self._bin_weights()
        entropy = losses.cross_entropy(lab, logits, settings.neighbours, settings.sigma, bin_weights)
        return {
            # A gray picture teaches nothing, and still counts in the mean.
            "L_ce": losses.is_colourful(lab) * entropy,
            "L_2": half_squares(self._network) * ops.ones_like(entropy),
        }
