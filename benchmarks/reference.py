"""The reference files of runs of the released program, and its networks and arithmetic in our graphs."""

import contextlib
import dataclasses
import functools
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
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

Gradients = Mapping[str, Sequence[np.ndarray]]
"""Of networks, by their names."""


def reference_folder() -> Path:
    """The folder of the reference files where the environment, or the place beside the project, has one."""
    return Path(os.environ.get("HISTORYNET_REFERENCE", ROOT.parent / "shared")) / "golden"


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A copy of an HDF5 file of the released program whose arrays are stored as they are.

    The reference files are packed to be smaller, and the program's reader takes nothing that is.
    """
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with h5py.File(path) as packed, h5py.File(copy, "w") as whole:

            def add(name: str, item: Any) -> None:
                is_array = isinstance(item, h5py.Dataset)
                added = whole.create_dataset(name, data=item[()]) if is_array else whole.require_group(name)
                added.attrs.update(item.attrs)

            whole.attrs.update(packed.attrs)
            packed.visititems(add)
        yield copy


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

        def load(file: str, **kind: str) -> tuple[Any, Any]:
            with unpacked(self.files / file) as path:
                return loading.load(path, name="HistoryNet", **kind)

        G, self._architecture = load("my_model_colorizationEpoch7.h5", network="generator", program=variant)
        D1, _ = load("my_model_discriminatorEpoch7.h5", network="discriminator")
        D2 = None
        if "info" in self._architecture.outputs:
            D2, _ = load("classifier.h5", network="classifier")
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

    def batch(self, arrays: Mapping[str, np.ndarray], suffix: str = "") -> dict[str, np.ndarray]:
        """The fields of a reference batch; the Baseline's labels are among them, there is no teacher.

        Args:
            arrays: `steps` or `gradients`.
            suffix: what the arrays' names end with: "_0" for the first batch of `steps`.
        """
        import keras

        names = {"L": "L", "ab": "AB", "label": "sign", "parsing": "seg"}
        fields = {
            name: arrays[theirs + suffix].astype(keras.config.floatx())
            for name, theirs in names.items()
            if theirs + suffix in arrays
        }
        ones = np.ones(len(fields["L"]), fields["L"].dtype)
        return fields | {"label_weight": ones, "parsing_weight": ones}

    @functools.cache  # noqa: B019 - a reference lives as long as its process
    def _step(self, without: str | None) -> Any:
        """The engine's step, which computes losses and gradients as in training; a loss can be left out."""
        import keras

        from historynet.training.engine import Step

        system = self.make_system()
        system.phases = with_alpha(system.phases, self.gradients["alpha"])
        # The step is compiled with the weights that it finds.
        for i, phase in enumerate(system.phases):
            objectives = {
                network: {loss: weight for loss, weight in weights.items() if loss != without}
                for network, weights in phase.objectives.items()
            }
            system.phases[i] = dataclasses.replace(phase, objectives=objectives)
        # Nothing is applied, and Adam's moments would be two gigabytes.
        system.optimizers = {name: keras.optimizers.SGD() for name in system.networks}
        return Step(system, seed=0)

    def losses_and_gradients(
        self, batch: Mapping[str, np.ndarray], without: str | None = None
    ) -> list[tuple[dict[str, float], Gradients]]:
        """Of each phase, before any update: the means of its losses, and its networks' gradients, array for array.

        Args:
            batch: its fields.
            without: a loss that no network is to minimise.
        """
        return [
            (losses, {name: [np.asarray(value) for value in values] for name, values in gradients.items()})
            for losses, gradients in self._step(without).gradients(batch)
        ]

    def total(self, phase: int, network: str, losses: Mapping[str, float]) -> float:
        """The weighted sum of the losses that a network minimises."""
        return sum(weight * losses[name] for name, weight in self.system.phases[phase].objectives[network].items())


class _ReferenceTools:
    """The training step's tools, whose random numbers are the reference's.

    Args:
        tools: the step's.
        alpha: the numbers of the gradient penalty's mixture, 0..1.
    """

    def __init__(self, tools: Any, alpha: np.ndarray):
        self.step, self.input_gradient = tools.step, tools.input_gradient
        self._alpha = alpha

    def uniform(self, shape: Sequence[int]) -> Any:
        import keras

        return keras.ops.convert_to_tensor(self._alpha, keras.config.floatx())


def with_alpha(phases: Sequence[Any], alpha: np.ndarray) -> list[Any]:
    """The phases, which draw these numbers."""

    def replaced(phase: Any) -> Any:
        return dataclasses.replace(
            phase, losses=lambda batch, once, tools: phase.losses(batch, once, _ReferenceTools(tools, alpha))
        )

    return [replaced(phase) for phase in phases]


def after_one_step(reference: Reference, batch: Mapping[str, np.ndarray], luminance: Any, released: bool) -> np.ndarray:
    """The colours predicted after one update, 0..1 (batch, height, width, 2); the networks are left as they were.

    Args:
        reference: whose networks are trained.
        batch: the fields to train on.
        luminance: what is colorized then, 0..1 (batch, height, width, 1).
        released: whether Adam's step counts and the moving statistics are the released program's.
    """
    from historynet.training.engine import Step

    system = reference.make_system(released)
    before = [network.get_weights() for network in system.networks.values()]
    system.phases = with_alpha(system.phases, reference.steps["alpha"])
    Step(system, seed=0)(batch, 0)
    ab = np.asarray(system.predict(luminance)["ab"])
    for network, values in zip(system.networks.values(), before, strict=True):
        network.set_weights(values)
    return ab


def with_statistics_restored(reference: Reference, check: Callable[[Reference], Iterator[Result]]) -> Iterator[Result]:
    """Runs a check and gives the networks back the moving statistics that its passes changed."""
    networks = reference.system.networks.values()
    before = [[np.array(variable) for variable in network.non_trainable_variables] for network in networks]
    yield from check(reference)
    for network, values in zip(networks, before, strict=True):
        for variable, value in zip(network.non_trainable_variables, values, strict=True):
            variable.assign(value)
