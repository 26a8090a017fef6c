"""Systems of a few lines that the house has never heard of, and what trains them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from historynet.settings.accepting import number
from historynet.settings.declared import BOTH, Settings, setting
from historynet.systems.system import Colorizing, Evaluation, Phase, Registration, Score, register
from historynet.training import loop
from historynet.training.checkpoints import Position
from historynet.training.tensorflow_step import Step


class Toy:
    """One dense layer that learns to double, and one that follows the first."""

    name = "Toy"
    architecture = None
    score = Score("psnr")
    evaluator = None

    def __init__(self, rate=0.1):
        self.fields = {"L": None}
        networks = ("first", "second")
        self.networks = {
            name: keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="dense")], name=name)
            for name in networks
        }
        self.optimizers = {name: keras.optimizers.SGD(rate) for name in networks}
        self.phases = (Phase({"first": {"double": 1.0}}, self.double), Phase({"second": {"follow": 0.5}}, self.follow))

    def once(self, batch):
        return {"target": 2 * batch["L"]}

    def double(self, batch, once, tools):
        return {"double": ops.sum(ops.square(self.networks["first"](batch["L"]) - once["target"]), axis=-1)}

    def follow(self, batch, once, tools):
        first, second = (network(batch["L"]) for network in self.networks.values())
        return {"follow": ops.sum(ops.square(first - second), axis=-1)}


@dataclass
class Numbers:
    """A batch of numbers."""

    names: list
    end: int
    fields: dict


def evaluation(psnr: float) -> Evaluation:
    return Evaluation({"psnr": psnr}, np.zeros((8, 8, 3), np.uint8))


@dataclass
class ToyRun:
    """A plan and the run around the updates, each part of which a test can replace."""

    plan: loop.Plan
    batches: Callable[[int, int], Any]
    evaluate: Callable[[int], Evaluation]
    save_checkpoint: Callable[[Position], Any]
    saved: list = field(default_factory=list)

    def save_networks(self, epoch):
        self.saved.append(epoch)


def train(system, run: ToyRun, start: Position | None = None):
    loop.train(system, Step(system, seed=0), run.plan, run, start or Position())


# A system that colorizes rectangles by a distribution over a few colours. All that the house needs to know of it stands
# here.

PALETTE = np.float32([[0.5, 0.5], [0.7, 0.6], [0.3, 0.4], [0.5, 0.8]])
"""ab of the colours, 0..1."""


@dataclass(frozen=True, kw_only=True)
class PainterSettings(Settings):
    temperature: float = setting(number(above=True), BOTH, "colorizing", "temperature of the distribution")

    @property
    def decoding(self):
        return {"temperature": self.temperature}


@dataclass(frozen=True)
class PainterArchitecture:
    size: tuple[int, int] = (24, 40)
    hidden: int | None = None


def build_painter(architecture: PainterArchitecture) -> keras.Model:
    luminance = keras.Input((*architecture.size, 1), name="L")
    x = keras.layers.Conv2D(architecture.hidden or 4, 3, padding="same", activation="relu", name="hidden")(luminance)
    return keras.Model(luminance, {"logits": keras.layers.Conv2D(len(PALETTE), 1, name="logits")(x)}, name="painter")


def mean_color(outputs, settings):
    """The mean of the palette, at the distribution's temperature."""
    logits = outputs["logits"] - outputs["logits"].max(-1, keepdims=True)
    likely = np.exp(logits / settings.get("temperature", 1.0))
    return np.float32(likely / likely.sum(-1, keepdims=True)) @ PALETTE


PAINTER = register(
    Registration(
        "Painter",
        PainterArchitecture,
        {"painter": build_painter},
        Colorizing("painter", build_painter, mean_color, options={"temperature": number(above=True)}),
    )
)


class Painter:
    name = "Painter"
    score = Score("psnr")
    evaluator = None
    decode = staticmethod(mean_color)

    def __init__(self, settings: PainterSettings, fields):
        self.architecture, self.fields = PainterArchitecture(settings.size, hidden=3), fields
        self.networks = {"colorization": build_painter(self.architecture)}
        self.optimizers = {"colorization": keras.optimizers.Adam(0.01)}
        self.phases = (Phase({"colorization": {"L_ab": 1.0}}, self.losses),)

    def once(self, batch):
        return {}

    def losses(self, batch, once, tools):
        logits = self.networks["colorization"](batch["L"], training=True)["logits"]
        return {"L_ab": ops.mean(ops.square(ops.softmax(logits) @ PALETTE - batch["ab"]), axis=(1, 2, 3))}

    def predict(self, luminance):
        return self.networks["colorization"](luminance, training=False)
