"""Pix2Pix as something trainable: a discriminator and a generator, updated in turn."""

from collections.abc import Mapping, Sequence
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

    Both phases see the same generated picture: `once` makes it, and the second phase makes it again from the
    statistics, spectral norms and dropout that the generator had then.

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
        """The generated ab, constant; by their paths, the generator's arrays that a run moves, as they were before."""
        moving = self.generator.non_trainable_variables
        before = {variable.path: keras.ops.copy(variable.value) for variable in moving}
        ab, moved = self._generate(batch, before)
        for variable, value in zip(moving, moved, strict=True):
            variable.assign(value)
        return {"ab": keras.ops.stop_gradient(ab), **before}

    def predict(self, luminance: Any) -> Tensors:
        return self.generator(luminance, training=False)

    def _discriminator_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        """Batch normalisation sees generated and real pictures one after the other, not mixed."""
        return {
            "L_fake": losses.mean_of_patches(self._gan_loss.fake(self._judge(batch["L"], once["ab"]))),
            "L_real": losses.mean_of_patches(self._gan_loss.real(self._judge(batch["L"], batch["ab"]))),
        }

    def _generator_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        ab, _ = self._generate(batch, once)
        return {
            "L_GAN": losses.mean_of_patches(self._gan_loss.generator(self._judge(batch["L"], ab))),
            "L_L1": losses.l1(batch["ab"], ab),
        }

    def _generate(self, batch: Tensors, moving: Tensors) -> tuple[Any, Sequence[Any]]:
        """ab from the given arrays in the place of those that a run moves, and these as it moved them; none is kept."""
        G = self.generator
        trainable = [variable.value for variable in G.trainable_variables]
        state = [moving[variable.path] for variable in G.non_trainable_variables]
        made, moved = G.stateless_call(trainable, state, batch["L"], training=True)
        return made["ab"], moved

    def _judge(self, luminance, ab):
        return self.discriminator([luminance, ab], training=True)
