"""HistoryNet and the variants of its ablation (section 5.3): the networks G, D1 and D2, trained in turn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
from keras import ops

from historynet.systems import vgg16
from historynet.systems.historynet import losses
from historynet.systems.historynet.discriminator import piecewise_linear
from historynet.systems.historynet.normalization import pass_as_released
from historynet.systems.historynet.registration import NAME
from historynet.systems.historynet.settings import HistoryNetSettings
from historynet.systems.historynet.variants import Architecture
from historynet.systems.optimizers import Adams
from historynet.systems.system import Phase, Score, Tensors, Tools, ab_of

FEATURES = tuple(vgg16.layer_names(blocks=3))
"""The layers of G0 that are VGG16's at any width: those that can be frozen."""

CRITICS = ("discriminator", "classifier")
"""D1 and D2, which judge what G makes."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a variant is trained, apart from the weights of its losses.

    Attributes:
        adams: the networks' optimisers; section 5.1 has beta1 0.5 and beta2 0.999.
        critic_adams: those of D1 and D2; None: they are as G's.
        critic_warmup: batches at the beginning in which D1 and D2 alone are trained.
        reconstruction: arguments of `losses.reconstruction`: huber_delta, chroma_weight, log_error.
        released_statistics: whether G's stored statistics of batch normalisation move as in the released program, by
            its arithmetic and in the passes that it makes.
    """

    adams: Adams
    critic_adams: Adams | None = None
    critic_warmup: int = 0
    reconstruction: Mapping[str, Any] = field(default_factory=dict)
    released_statistics: bool = False

    @classmethod
    def of(cls, settings: HistoryNetSettings) -> "Options":
        """The options of a run."""
        return cls(
            adams=Adams(
                learning_rate=settings.learning_rate,
                beta_1=settings.beta_1,
                beta_2=settings.beta_2,
                decay_steps=settings.decay_steps,
                final_rate=settings.final_rate,
                warmup_steps=settings.warmup_steps,
                weight_decay=settings.weight_decay,
                clip_norm=settings.clip_norm,
                rates={} if settings.features_rate == 1 else dict.fromkeys(FEATURES, settings.features_rate),
                ema_momentum=settings.ema_momentum,
                averaged=("colorization",),
                shared_steps=settings.shared_adam_steps,
            ),
            critic_adams=settings.critic_rate and Adams(learning_rate=settings.critic_rate, beta_1=0.5, beta_2=0.9),
            critic_warmup=settings.critic_warmup,
            reconstruction={
                "huber_delta": settings.huber_delta,
                "chroma_weight": settings.chroma_weight,
                "log_error": settings.log_error,
            },
            released_statistics=settings.released_statistics,
        )


class HistoryNet:
    """The networks of a variant and the order of their updates.

    Args:
        G: from L to a dict of "ab" and, as far as the variant has them, "label", "parsing", "info".
        D1: from [L, ab] to one value a patch; not trained, nor among `networks`, if the weight of "L_g" is 0.
        D2: from ab to the info vector, the same with "L_info"; None for a variant without.
        teacher: from L to the labels that G is to predict; None if they are in the data.
        generator_loss: weights in Eq. (1) of "L_r", "L_cls", "L_g" and, as far as the variant has them, "L_par" and
            "L_info".
        penalty_weight: weight of the gradient penalty in Eq. (6).
        options: of the training.
        architecture: what the networks were built from.
        fields: of a batch, as below, and who reads them.

    Batches hold "L", "ab" and, as far as the variant reads them, "label" and "label_weight", "parsing" and
    "parsing_weight"; a weight (batch,) is 0 where the sample has no label or parsing picture, with mean 1 over the
    batch otherwise.
    """

    name = NAME
    score = Score("psnr")
    evaluator = None

    def __init__(
        self,
        G: keras.Model,
        D1: keras.Model,
        D2: keras.Model | None = None,
        teacher: keras.Model | None = None,
        *,
        generator_loss: Mapping[str, float],
        penalty_weight: float,
        options: Options,
        architecture: Architecture,
        fields: Mapping[str, Any],
    ):
        self.architecture, self.fields = architecture, fields
        self.G, self.teacher = G, teacher
        features = G.get_layer(vgg16.layer_names()[-1]).output
        self._G0, self._paths = keras.Model(G.input, features), keras.Model(features, G.output)
        self.D1 = D1 if generator_loss["L_g"] else None
        self._linear_D1 = piecewise_linear(D1) if self.D1 else None
        self.D2 = D2 if generator_loss.get("L_info") else None
        self._options = options
        networks = {"colorization": G, "discriminator": self.D1, "classifier": self.D2}
        self.networks = {name: network for name, network in networks.items() if network}
        critics = {} if options.critic_adams is None else dict.fromkeys(CRITICS, options.critic_adams)
        self.optimizers = options.adams.make(self.networks, critics)
        objective = {name: weight for name, weight in generator_loss.items() if weight}
        self.phases = (Phase({"colorization": objective}, self._generator_losses, options.critic_warmup),)
        judged = {"discriminator": {"critic": 1.0, "penalty": penalty_weight}, "classifier": {"classifier": 1.0}}
        judged = {name: weights for name, weights in judged.items() if name in self.networks}
        if judged:
            self.phases += (Phase(judged, self._critic_losses),)

    def once(self, batch: Tensors) -> Tensors:
        """G0's features; G2's vector, which the colours are to express and D2 to find; the labels that a teacher gives.

        The vector is that of inference mode. G0, half of its work, is the same in both modes: the paths train from the
        same features.
        """
        shared = {"features": self._G0(batch["L"])}
        if self.D2:
            shared["info"] = ops.stop_gradient(self._paths(shared["features"], training=False)["info"])
        if self.teacher:
            shared["label"] = self.teacher(batch["L"], training=False)
            shared["label_weight"] = ops.ones_like(shared["label"][:, 0])
        return shared

    def predict(self, luminance: Any) -> Tensors:
        return self.G(luminance, training=False)

    decode = staticmethod(ab_of)

    def _generator_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        true = {**batch, **once}
        made = self._make(once["features"], 0, tools)
        named = {
            "L_r": losses.reconstruction(true["ab"], made["ab"], **self._options.reconstruction),
            "L_cls": true["label_weight"] * losses.classification(true["label"], made["label"]),
        }
        if "parsing" in made:
            named["L_par"] = true["parsing_weight"] * losses.parsing(true["parsing"], made["parsing"])
        if self.D1:
            named["L_g"] = losses.adversarial(self.D1([batch["L"], made["ab"]], training=True))
        if self.D2:
            named["L_info"] = losses.info(true["info"], self.D2(made["ab"], training=True))
        return named

    def _critic_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        """D1 and D2 see the same picture, made by the generator after its update."""
        luminance, real = batch["L"], batch["ab"]
        features = self._G0(luminance)
        fake = self._make(features, 1, tools)["ab"]
        named = {}
        if self.D1:

            def judge(D1, ab):
                return D1([luminance, ab], training=True)

            mixed = losses.mix(real, fake, tools.uniform((ops.shape(real)[0], 1, 1, 1)))
            named["critic"] = losses.critic(judge(self.D1, real), judge(self.D1, fake))
            gradient = tools.input_gradient(partial(judge, self._linear_D1), mixed)
            named["penalty"] = losses.gradient_penalty(gradient)
        if self.D2:
            if self._options.released_statistics:
                # The released program makes the same picture again for D2, which moves the statistics once more.
                self._make(features, 2, tools)
            named["classifier"] = losses.info(once["info"], self.D2(fake, training=True))
        return named

    def _make(self, features, updates: int, tools: Tools) -> Tensors:
        """What G makes of G0's features in training, after so many of the networks' updates on this batch."""
        if not self._options.released_statistics:
            return self._paths(features, training=True)
        # Not the optimiser's count: it leaves an update out whose scaled losses overflow, but the pass was made.
        passes_before = tools.step * len(self.networks)
        return pass_as_released(self._paths, features, passes_before + updates + 1)
