"""HistoryNet and the variants of its ablation (section 5.3): the networks G, D1 and D2, trained in turn."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras
from keras import ops
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule

from historynet.settings import Settings
from historynet.systems import loading as weights
from historynet.systems import vgg16
from historynet.systems.historynet import losses
from historynet.systems.historynet.classifier import build_classifier
from historynet.systems.historynet.discriminator import build_discriminator, piecewise_linear
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.normalization import pass_as_released
from historynet.systems.historynet.variants import Architecture
from historynet.systems.system import Phase, Tensors, Tools


class Start:
    """The networks of a variant as training begins with them: random but for G0, or from the files of --init-...

    They compute in the run's precision; their variables are in float32.

    Args:
        variant: a name in VARIANTS.
        settings: of the run.
    """

    def __init__(self, variant: str, settings: Settings):
        self.architecture = Architecture(
            variant,
            settings.image_size,
            settings.width,
            settings.num_classes,
            settings.features_width,
            settings.dense_width,
        )
        self._settings = settings

    def generator(self) -> keras.Model:
        """G, with G0 from VGG16 (section 5.1)."""
        network = self._build(build_generator)
        if self._settings.init_generator is not None:
            self._filled(network, self._settings.init_generator)
            filled = vgg16.layer_names()
        else:
            filled = self._load_vgg16(network)
        left = [name for name in vgg16.layer_names() if name not in filled]
        if filled and left:
            print(
                f"G0 starts from a part of VGG16: {', '.join(filled)} are pretrained, {', '.join(left)} are random",
                flush=True,
            )
        if self._settings.frozen_features:
            for name in vgg16.layer_names(blocks=3):
                network.get_layer(name).trainable = name not in filled
        return network

    def discriminator(self) -> keras.Model:
        """D1."""
        return self._filled(self._build(build_discriminator), self._settings.init_discriminator)

    def classifier(self) -> keras.Model:
        """D2."""
        return self._filled(self._build(build_classifier), self._settings.init_classifier)

    def _build(self, build: Callable[[Architecture], keras.Model]) -> keras.Model:
        before = keras.config.dtype_policy()
        precision = self._settings.precision
        keras.config.set_dtype_policy(precision if precision == "float32" else f"mixed_{precision}")
        try:
            return build(self.architecture)
        finally:
            keras.config.set_dtype_policy(before)

    def _filled(self, network: keras.Model, path: Path | None) -> keras.Model:
        if path is not None:
            fitted = weights.fill(network, self.architecture, path)
            if fitted:
                print(f"{path}: made for pictures of another size; fitted: {', '.join(fitted)}", flush=True)
        return network

    def teacher(self) -> keras.Model:
        """VGG16, whole and frozen."""
        network = self._build(vgg16.build_teacher)
        if self._settings.vgg16_weights == "none":
            print("--vgg16-weights none: the teacher is random, and so are the labels that it gives", flush=True)
        self._load_vgg16(network, whole=True)
        return network

    def _load_vgg16(self, network: keras.Model, whole: bool = False) -> list[str]:
        return weights.load_vgg16(
            network, self.architecture, self._settings.vgg16_weights, whole, self._settings.vgg16_preprocessing
        )


_ADAM = {"beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-7}


class SharedSteps(LearningRateSchedule):
    """The learning rate under which a network's own Adam steps like one that counts the updates of all networks.

    Args:
        learning_rate: that of the shared Adam; a schedule counts the network's updates, one a batch.
        first: the shared count at the network's first update. The released program's starts with 2.
        stride: how far it rises from one of the network's updates to the next.
    """

    def __init__(self, learning_rate: float | LearningRateSchedule, first: int, stride: int):
        self._learning_rate, self._first, self._stride = learning_rate, first, stride

    def __call__(self, step):
        def correction(count):
            return ops.sqrt(1 - ops.power(_ADAM["beta_2"], count)) / (1 - ops.power(_ADAM["beta_1"], count))

        rate = self._learning_rate(step) if callable(self._learning_rate) else self._learning_rate
        step = ops.cast(step, "float32")
        shared = self._first + self._stride * step
        return rate * correction(shared) / correction(step + 1)


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
        learning_rate: of the networks' Adams; beta1 0.5, beta2 0.999 (section 5.1).
        decay_steps: batches over which it falls to zero along half a cosine; None: it stays.
        warmup_steps: batches before these over which it rises from zero; None: none, as without `decay_steps`.
        ema_momentum: share that a moving average of G's weights keeps at each step, in its Adam; None: no average.
        huber_delta: of `losses.reconstruction`.
        chroma_weight: of `losses.reconstruction`.
        log_error: of `losses.reconstruction`.
        shared_adam_steps: whether Adam's step count, which its bias correction depends upon, rises with every update
            of any network, as in the released program, instead of with the network's own.
        released_statistics: whether G's stored statistics of batch normalisation move as in the released program, by
            its arithmetic and in the passes that it makes.
        architecture: what the networks were built from.
        fields: of a batch, as below.

    Batches hold "L", "ab" and, as far as the variant reads them, "label" and "label_weight", "parsing" and
    "parsing_weight"; a weight (batch,) is 0 where the sample has no label or parsing picture, with mean 1 over the
    batch otherwise.
    """

    def __init__(
        self,
        G: keras.Model,
        D1: keras.Model,
        D2: keras.Model | None = None,
        teacher: keras.Model | None = None,
        *,
        generator_loss: Mapping[str, float],
        penalty_weight: float,
        learning_rate: float,
        decay_steps: int | None = None,
        warmup_steps: int | None = None,
        ema_momentum: float | None = None,
        huber_delta: float | None = None,
        chroma_weight: float = 0.0,
        log_error: bool = False,
        shared_adam_steps: bool = False,
        released_statistics: bool = False,
        architecture: Architecture,
        fields: Sequence[str],
    ):
        self.architecture, self.fields = architecture, tuple(fields)
        self.G, self.teacher = G, teacher
        features = G.get_layer(vgg16.layer_names()[-1]).output
        self._G0, self._paths = keras.Model(G.input, features), keras.Model(features, G.output)
        self.D1 = D1 if generator_loss["L_g"] else None
        self._linear_D1 = piecewise_linear(D1) if self.D1 else None
        self.D2 = D2 if generator_loss.get("L_info") else None
        self._released_statistics = released_statistics
        self._reconstruction = {"huber_delta": huber_delta, "chroma_weight": chroma_weight, "log_error": log_error}
        networks = {"colorization": G, "discriminator": self.D1, "classifier": self.D2}
        self.networks = {name: network for name, network in networks.items() if network}
        self.optimizers = {}
        rate = learning_rate
        if decay_steps:
            warmup = {"warmup_target": learning_rate, "warmup_steps": warmup_steps} if warmup_steps else {}
            rate = CosineDecay(0.0 if warmup else learning_rate, decay_steps, **warmup)
        for place, (name, network) in enumerate(self.networks.items()):
            average = {"use_ema": True, "ema_momentum": ema_momentum} if ema_momentum and network is G else {}
            own = SharedSteps(rate, place + 2, len(self.networks)) if shared_adam_steps else rate
            optimizer = keras.optimizers.Adam(own, **_ADAM, **average)
            # Small gradients would be zero in float16.
            scaled = network.compute_dtype == "float16"
            self.optimizers[name] = keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer
        objective = {name: weight for name, weight in generator_loss.items() if weight}
        self.phases = (Phase({"colorization": objective}, self._generator_losses),)
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

    def predict(self, luminance) -> Tensors:
        return self.G(luminance, training=False)

    def _generator_losses(self, batch: Tensors, once: Tensors, tools: Tools) -> Tensors:
        true = {**batch, **once}
        made = self._make(once["features"], 0)
        named = {
            "L_r": losses.reconstruction(true["ab"], made["ab"], **self._reconstruction),
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
        fake = self._make(features, 1)["ab"]
        named = {}
        if self.D1:

            def judge(D1, ab):
                return D1([luminance, ab], training=True)

            mixed = losses.mix(real, fake, tools.uniform((ops.shape(real)[0], 1, 1, 1)))
            named["critic"] = losses.critic(judge(self.D1, real), judge(self.D1, fake))
            gradient = tools.input_gradient(partial(judge, self._linear_D1), mixed)
            named["penalty"] = losses.gradient_penalty(gradient)
        if self.D2:
            if self._released_statistics:
                # The released program makes the same picture again for D2, which moves the statistics once more.
                self._make(features, 2)
            named["classifier"] = losses.info(once["info"], self.D2(fake, training=True))
        return named

    def _make(self, features, updates: int) -> Tensors:
        """What G makes of G0's features in training, after so many of the networks' updates on this batch."""
        if not self._released_statistics:
            return self._paths(features, training=True)
        # The generator is the first to be updated, so that its Adam has counted this batch in later passes.
        batches_before = self.optimizers["colorization"].iterations - (1 if updates else 0)
        return pass_as_released(self._paths, features, batches_before * len(self.networks) + updates + 1)
