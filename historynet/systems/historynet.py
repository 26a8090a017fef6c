"""HistoryNet: the generator G, the critic D1 and the classifier network D2, trained in turn (sections 3 and 5.1)."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from historynet.losses import historynet as losses
from historynet.networks import Architecture
from historynet.systems.system import Phase, Tensors, Tools


class HistoryNet:
    """The three networks and the order of their updates.

    Args:
        G: from L to a dict of "ab" and, as far as the variant has them, "label", "parsing", "info".
        D1: from [L, ab] to one value a patch.
        D2: from ab to the info vector.
        generator_loss: weights of "L_r", "L_cls", "L_par", "L_g", "L_info" in Eq. (1).
        penalty_weight: weight of the gradient penalty in Eq. (6).
        learning_rate: of the three Adams; beta1 0.5, beta2 0.999 (section 5.1).
        architecture: what the networks were built from.
        fields: of a batch, as below.

    Batches hold "L", "ab", "label", "label_weight", "parsing" and "parsing_weight"; a weight (batch,) is 0 where the
    sample has no label or parsing picture, with mean 1 over the batch otherwise.
    """

    def __init__(
        self,
        G: keras.Model,
        D1: keras.Model,
        D2: keras.Model,
        generator_loss: Mapping[str, float],
        penalty_weight: float,
        learning_rate: float,
        architecture: Architecture,
        fields: Sequence[str],
    ):
        self.architecture, self.fields = architecture, tuple(fields)
        self.G, self.D1, self.D2 = G, D1, D2
        self.networks = {"colorization": G, "discriminator": D1, "classifier": D2}
        self.optimizers = {
            name: keras.optimizers.Adam(learning_rate, beta_1=0.5, beta_2=0.999, epsilon=1e-7) for name in self.networks
        }
        self.phases = (
            Phase({"colorization": generator_loss}, self._generator_losses),
            Phase(
                {"discriminator": {"critic": 1.0, "penalty": penalty_weight}, "classifier": {"classifier": 1.0}},
                self._critic_losses,
            ),
        )

    def once(self, batch: Tensors) -> Tensors:
        """G2's vector, which the generator's colours are to express and D2 to find."""
        return {"info": self.G(batch["L"], training=False)["info"]}

    def predict(self, luminance) -> Tensors:
        return self.G(luminance, training=False)

    def _generator_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        made = self.G(batch["L"], training=True)
        return {
            "L_r": losses.reconstruction(batch["ab"], made["ab"]),
            "L_cls": batch["label_weight"] * losses.classification(batch["label"], made["label"]),
            "L_par": batch["parsing_weight"] * losses.parsing(batch["parsing"], made["parsing"]),
            "L_g": losses.adversarial(self.D1([batch["L"], made["ab"]], training=True)),
            "L_info": losses.info(once["info"], self.D2(made["ab"], training=True)),
        }

    def _critic_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        """D1 and D2 see the same picture, made by the generator after its update."""
        luminance, real = batch["L"], batch["ab"]
        fake = self.G(luminance, training=True)["ab"]

        def judge(ab):
            return self.D1([luminance, ab], training=True)

        mixed = losses.mix(real, fake, tools.uniform((ops.shape(real)[0], 1, 1, 1)))
        return {
            "critic": losses.critic(judge(real), judge(fake)),
            "penalty": losses.gradient_penalty(tools.input_gradient(judge, mixed)),
            "classifier": losses.info(once["info"], self.D2(fake, training=True)),
        }
