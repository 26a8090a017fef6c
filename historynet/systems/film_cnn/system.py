"""The films CNN as something trainable: one network, one phase."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from historynet.systems.film_cnn import losses
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.decoding import UPSCALING, decode
from historynet.systems.film_cnn.registration import NAME
from historynet.systems.film_cnn.settings import FilmCNNSettings
from historynet.systems.optimizers import Adams
from historynet.systems.system import Phase, Score, Tensors, Tools


class FilmCNN:
    """The network and its loss.

    Args:
        network: from L to the logits.
        architecture: what it was built from.
        settings: of the run.
        fields: of a batch, "L" and "ab", and who reads them.
    """

    name = NAME
    score = Score("psnr")
    evaluator = None
    decode = staticmethod(decode)

    def __init__(
        self, network: keras.Model, architecture: Architecture, settings: FilmCNNSettings, fields: Mapping[str, Any]
    ):
        self.architecture, self.fields = architecture, fields
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
        entropy = losses.cross_entropy(lab, logits, settings.neighbours, settings.sigma)
        return {
            # A gray picture teaches nothing, and still counts in the mean.
            "L_ce": losses.is_colourful(lab) * entropy,
            "L_2": losses.weight_decay(self._network) * ops.ones_like(entropy),
        }
