"""Pix2Pix as something trainable: a discriminator and a generator, updated in turn."""

from collections.abc import Mapping
from typing import Any

import keras

from historynet.systems.optimizers import Adams
from historynet.systems.pix2pix import losses
from historynet.systems.pix2pix.architecture import Architecture
from historynet.systems.pix2pix.registration import NAME
from historynet.systems.pix2pix.settings import Pix2PixSettings
from historynet.systems.system import Phase, Score, Tensors, Tools, ab_of


class Pix2Pix:
    """The networks, their losses and the order of their updates (R23).

    Both phases see the same generated picture: the first runs the generator without keeping what the run moves, so that
    the second has the same statistics, spectral norms and dropout.

    Args:
        generator: from L to {"ab": ...}.
        discriminator: from [L, ab] to the patches' logits.
        settings: of the run.
        architecture: what the networks were built from.
        fields: of a batch, "L" and "ab", and who reads them.
    """

    name = NAME
    score = Score("psnr")
    evaluator = None
    decode = staticmethod(ab_of)

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        settings: Pix2PixSettings,
        architecture: Architecture,
        fields: Mapping[str, Any],
    ):
        self.architecture, self.fields = architecture, fields
        self.generator, self.discriminator = generator, discriminator
        self.networks = {"colorization": generator, "discriminator": discriminator}
        betas = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
        discriminator_rate = settings.discriminator_learning_rate or settings.learning_rate
        self.optimizers = Adams(learning_rate=settings.learning_rate, **betas).make(
            self.networks, {"discriminator": Adams(learning_rate=discriminator_rate, **betas)}
        )
        self._gan_loss = losses.GAN_LOSSES[settings.gan_loss]
        judged = dict.fromkeys(("L_fake", "L_real"), self._gan_loss.discriminator_weight)
        self.phases = (
            Phase({"discriminator": judged}, self._discriminator_losses),
            # Eq. 3.4
            Phase({"colorization": {"L_GAN": 1.0, "L_L1": settings.lambda_l1}}, self._generator_losses),
        )

    def once(self, batch: Tensors) -> Tensors:
        return {}

    def predict(self, luminance: Any) -> Tensors:
        return self.generator(luminance, training=False)

    def _discriminator_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        """Batch normalisation sees generated and real pictures one after the other, not mixed."""
        G = self.generator
        state = (
            [variable.value for variable in listed] for listed in (G.trainable_variables, G.non_trainable_variables)
        )
        made, _ = G.stateless_call(*state, batch["L"], training=True)
        fake = keras.ops.stop_gradient(made["ab"])
        return {
            "L_fake": losses.mean_of_patches(self._gan_loss.fake(self._judge(batch["L"], fake))),
            "L_real": losses.mean_of_patches(self._gan_loss.real(self._judge(batch["L"], batch["ab"]))),
        }

    def _generator_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        ab = self.generator(batch["L"], training=True)["ab"]
        return {
            "L_GAN": losses.mean_of_patches(self._gan_loss.generator(self._judge(batch["L"], ab))),
            "L_L1": losses.l1(batch["ab"], ab),
        }

    def _judge(self, luminance, ab):
        return self.discriminator([luminance, ab], training=True)
