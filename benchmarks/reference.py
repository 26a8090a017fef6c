"""The reference files of runs of the released program, and its networks and arithmetic in our graphs."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measuring import ROOT

if TYPE_CHECKING:
    from historynet.systems.historynet.system import HistoryNet

FOLDERS = {
    "HistoryNet": "HistoryNet",
    "HistoryNet_Parsing": "Parsing",
    "HistoryNet_Classifier": "Classifier",
    "Baseline": "Baseline",
}
"""A variant's folder among the reference files."""

# What the released program trains with: (L_r, L_cls, L_par, L_g, L_info), and the penalty's weight.
LOSS_WEIGHTS = {"L_r": 2.0, "L_cls": 0.002, "L_par": 0.002, "L_g": 0.1, "L_info": 0.002}
BASELINE_LOSS_WEIGHTS = {"L_r": 1.0, "L_cls": 0.003, "L_g": 0.1}
PENALTY_WEIGHT = 10.0


def reference_folder() -> Path:
    """The folder of the reference files where the environment, or the place beside the project, has one."""
    return Path(os.environ.get("HISTORYNET_REFERENCE", ROOT.parent / "shared")) / "golden"


@dataclass(frozen=True)
class Result:
    """One measured figure: the largest of its kind, unless its name says otherwise."""

    check: str
    value: float


class Reference:
    """One variant's reference files and the released program's networks in our graphs.

    Args:
        folder: folder of the reference files.
        variant: a name in FOLDERS.

    Attributes:
        files: the variant's own folder of reference files.
        photos: folder of the photographs that the released program colorized.
        steps: arrays of its first updates: batches, losses, predicted colours.
        gradients: arrays before any update: a batch, losses, gradients and their norms.
        system: of the loaded networks.
    """

    def __init__(self, folder: Path, variant: str):
        from historynet.systems import loading

        self.variant = variant
        self.files = folder / FOLDERS[variant]
        self.photos = folder / "photos"
        self.steps = np.load(self.files / "steps.npz")
        self.gradients = np.load(self.files / "gradients.npz")
        load = functools.partial(loading.load, name="HistoryNet")
        G, self._architecture = load(
            self.files / "my_model_colorizationEpoch7.h5", network="generator", program=variant
        )
        D1, _ = load(self.files / "my_model_discriminatorEpoch7.h5", network="discriminator")
        D2 = None
        if "info" in self._architecture.outputs:
            D2, _ = load(self.files / "classifier.h5", network="classifier")
        self._networks = G, D1, D2
        self.system = self.make_system()

    def make_system(self, released: bool = False) -> "HistoryNet":
        """The system of the loaded networks, with new optimisers.

        Args:
            released: whether Adam's step counts and the moving statistics are the released program's.
        """
        from historynet.systems.historynet.system import HistoryNet, Options
        from historynet.systems.optimizers import Adams

        losses = {"parsing": "L_par", "info": "L_info"}
        lacking = [loss for output, loss in losses.items() if output not in self._architecture.outputs]
        return HistoryNet(
            *self._networks,
            generator_loss=BASELINE_LOSS_WEIGHTS
            if self.variant == "Baseline"
            else {name: weight for name, weight in LOSS_WEIGHTS.items() if name not in lacking},
            penalty_weight=PENALTY_WEIGHT,
            options=Options(
                adams=Adams(learning_rate=2e-5, beta_1=0.5, shared_steps=released), released_statistics=released
            ),
            architecture=self._architecture,
            fields={},
        )

    def batch(self, arrays: Mapping[str, np.ndarray], suffix: str = "") -> dict[str, Any]:
        """The fields of a reference batch; the Baseline's labels are among them, there is no teacher.

        Args:
            arrays: `steps` or `gradients`.
            suffix: what the arrays' names end with: "_0" for the first batch of `steps`.
        """
        import keras
        import tensorflow as tf

        names = {"L": "L", "ab": "AB", "label": "sign", "parsing": "seg"}
        fields = {
            name: tf.constant(arrays[theirs + suffix], keras.config.floatx())
            for name, theirs in names.items()
            if theirs + suffix in arrays
        }
        ones = tf.ones(len(fields["L"]), fields["L"].dtype)
        return fields | {"label_weight": ones, "parsing_weight": ones}

    def losses(self, phase: int, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The means of a phase's losses over a batch, with the reference's mixing weights."""
        import tensorflow as tf

        once = self.system.once(batch)
        named = self.system.phases[phase].losses(batch, once, reference_tools(self.gradients["alpha"]))
        return {name: tf.reduce_mean(value) for name, value in named.items()}

    def gradient(
        self, phase: int, network: str, batch: Mapping[str, Any]
    ) -> tuple[dict[str, float], float, list[np.ndarray]]:
        """A phase's losses, the weighted total for one of its networks, and the total's gradient, array for array."""
        import tensorflow as tf

        variables = self.system.networks[network].trainable_variables
        with tf.GradientTape() as tape:
            named = self.losses(phase, batch)
            weights = self.system.phases[phase].objectives[network]
            total = tf.add_n([weight * named[name] for name, weight in weights.items()])
        gradient = [value.numpy() for value in tape.gradient(total, variables)]
        return {name: float(value) for name, value in named.items()}, float(total), gradient


def reference_tools(alpha: np.ndarray) -> Any:
    """The training step's tools, whose random numbers are the reference's.

    Args:
        alpha: the numbers of the gradient penalty's mixture, 0..1.
    """
    import keras
    import tensorflow as tf

    from historynet.training.tensorflow_step import StepTools

    class ReferenceTools(StepTools):
        """Draws the reference's numbers."""

        def uniform(self, shape):
            return tf.constant(alpha, keras.config.floatx())

    return ReferenceTools(0, tf.constant(0), phase=0, share=None)


def _with_tools(phase: Any, tools: Any) -> Any:
    return dataclasses.replace(phase, losses=lambda batch, once, _: phase.losses(batch, once, tools))


def after_one_step(reference: Reference, batch: Mapping[str, np.ndarray], luminance: Any, released: bool) -> np.ndarray:
    """The colours predicted after one update, 0..1 (batch, height, width, 2); the networks are left as they were.

    Args:
        reference: whose networks are trained.
        batch: the fields to train on.
        luminance: what is colorized then, 0..1 (batch, height, width, 1).
        released: whether Adam's step counts and the moving statistics are the released program's.
    """
    from historynet.training.tensorflow_step import Step

    system = reference.make_system(released)
    before = [network.get_weights() for network in system.networks.values()]
    system.phases = [_with_tools(phase, reference_tools(reference.steps["alpha"])) for phase in system.phases]
    Step(system, seed=0)(batch, 0)
    ab = system.predict(luminance)["ab"].numpy()
    for network, values in zip(system.networks.values(), before, strict=True):
        network.set_weights(values)
    return ab


def with_statistics_restored(reference: Reference, check: Callable[[Reference], Iterator[Result]]) -> Iterator[Result]:
    """Runs a check and gives the networks back the moving statistics that its passes changed."""
    networks = reference.system.networks.values()
    before = [[variable.numpy() for variable in network.non_trainable_variables] for network in networks]
    yield from check(reference)
    for network, values in zip(networks, before, strict=True):
        for variable, value in zip(network.non_trainable_variables, values, strict=True):
            variable.assign(value)
