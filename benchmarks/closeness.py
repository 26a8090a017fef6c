"""Measures how far apart JAX and TensorFlow are after the same updates, and how far each is from float64.

    python -m benchmarks.closeness [--runs 16] [--before 100]

Small trainings of HistoryNet (width 1/32, pictures of 32x32, four noisy ones a batch, all losses), each from other
initial weights. Each is trained in float64 by TensorFlow up to the point where it is to be taken up; from there it goes
on for three updates in float32, on TensorFlow, on TensorFlow without oneDNN, which sums in another order, and on JAX;
and in float64 on both engines: whether they compute the same, and what float32 can give of it. The figures are worst
relative differences of losses: of how many runs they are within 1e-4, their median and the largest, with all losses and
without those that have nearly a pole. On the CPU. A run of float32 is one draw: another order of summation, as of
another number of threads, gives another.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import measuring
from benchmarks.reference import with_alpha
from historynet import errors
from historynet.commands import running

WEIGHTS = {"L_r": 1.0, "L_cls": 0.003, "L_par": 0.003, "L_g": 0.1, "L_info": 0.003}
"""The paper's, section 3."""

NEARLY_POLES = ("L_info", "classifier")
"""Losses whose gradient, 1 / p down to p = 1e-7, makes much of what was rounded in p."""

UPDATES = 3
SAMPLES, SIZE, LABELS = 4, 32, 42
ENGINES = {
    "tensorflow": {"engine": "tensorflow", "onednn": True},
    "without oneDNN": {"engine": "tensorflow", "onednn": False},
    "jax": {"engine": "jax", "onednn": True},
}
"""Arguments of `backend.start`."""

PAIRS = (
    ("tensorflow", "jax"),
    ("tensorflow", "without oneDNN"),
    *(("float64", engine) for engine in ENGINES),
    ("float64", "jax float64"),
)


def make_system(seed: int, weights: Mapping[str, float] = WEIGHTS) -> Any:
    """A small HistoryNet with the trainer's learning rate and random weights.

    Adam's beta_2 and the leaky ReLUs' slope are the numbers that float32 has for theirs: in float64, too, TensorFlow
    rounds the two so, and JAX does not.
    """
    import keras

    from historynet.systems.historynet.classifier import build_classifier
    from historynet.systems.historynet.discriminator import build_discriminator
    from historynet.systems.historynet.generator import build_generator
    from historynet.systems.historynet.system import HistoryNet, Options
    from historynet.systems.historynet.variants import Architecture
    from historynet.systems.optimizers import Adams

    keras.utils.set_random_seed(seed)
    architecture = Architecture("HistoryNet", image_size=SIZE, width=1 / 32)
    networks = [build(architecture) for build in (build_generator, build_discriminator, build_classifier)]
    for layer in (layer for network in networks for layer in network.layers):
        if isinstance(layer, keras.layers.LeakyReLU):
            layer.negative_slope = float(np.float32(layer.negative_slope))
    return HistoryNet(
        *networks,
        generator_loss=weights,
        penalty_weight=10.0,
        options=Options(adams=Adams(learning_rate=2e-5, beta_1=0.5, beta_2=float(np.float32(Adams.beta_2)))),
        architecture=architecture,
        fields={},
    )


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Keras' floatx and policy, also on JAX, which has to be told that there is float64.

    Raises:
        RuntimeError: if Keras would compute float64 in float32 all the same.
    """
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(precision)
    keras.config.set_dtype_policy(precision)
    try:
        if keras.backend.backend() == "jax" and precision == "float64":
            import jax
            from keras.src.backend.common import dtypes

            # Keras promotes float64 to float32 on JAX, even where JAX has it: batches would be normalised in float32.
            with jax.enable_x64(True), mock.patch.dict(dtypes.BIT64_TO_BIT32_DTYPE, float64="float64"):
                if keras.backend.result_type("float64", "float32") != "float64":
                    raise RuntimeError("this version of Keras does not compute in float64 on JAX")
                yield
        else:
            yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def make_batch(number: int) -> dict[str, np.ndarray]:
    """The batch of an update: four of twelve noisy pictures."""
    rng = np.random.default_rng(0)
    fields = {name: rng.random((3 * SAMPLES, SIZE, SIZE, n)) for name, n in (("L", 1), ("ab", 2), ("parsing", 1))}
    fields["label"] = np.eye(LABELS)[: 3 * SAMPLES]
    fields |= {"label_weight": np.ones(3 * SAMPLES), "parsing_weight": np.ones(3 * SAMPLES)}
    return {name: np.roll(value, number, axis=0)[:SAMPLES] for name, value in fields.items()}


def update(
    numbers: range,
    precision: str,
    *,
    start: Path | str | None = None,
    end: Path | str | None = None,
    seed: int = 0,
    weights: Mapping[str, float] = WEIGHTS,
) -> list[dict[str, float]]:
    """Updates all networks of a small HistoryNet, the penalty's random numbers given.

    Args:
        numbers: of the updates.
        precision: Keras' floatx.
        start: file of all that an update changes, networks and optimisers with their moments, to go on from; None to
            begin at random weights.
        end: file to write the same to, .npz.
        seed: of the initial weights.
        weights: of the losses.

    Returns:
        The losses of each update.

    Raises:
        FileNotFoundError: if there is no `start`.
        ValueError: if it is not of such a system.
    """
    import keras

    from historynet.training.engine import Step

    with computing_in(precision):
        system = make_system(seed, weights)
        system.phases = with_alpha(system.phases, np.linspace(0, 1, SAMPLES).reshape(SAMPLES, 1, 1, 1))
        step = Step(system, seed=0)
        # After the step is made, which gives the optimisers their moments.
        variables = {variable.path: variable for part in system.networks.values() for variable in part.variables}
        for name, optimizer in system.optimizers.items():
            # Keras numbers the optimisers of a process, in a path's first part.
            variables |= {f"{name} {one.path.partition('/')[2]}": one for one in optimizer.variables}
        if start:
            with np.load(start) as arrays:
                if set(arrays.files) != set(variables):
                    raise ValueError(f"{start}: of another system: {sorted(set(arrays.files) ^ set(variables))[:3]}")
                for name, variable in variables.items():
                    variable.assign(arrays[name].astype(variable.dtype))
        losses = [step({name: a.astype(precision) for name, a in make_batch(i).items()}, i) for i in numbers]
        if end:
            np.savez(end, **{name: keras.ops.convert_to_numpy(one) for name, one in variables.items()})
        return losses


def differences(one: Sequence[Mapping[str, float]], other: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The worst relative difference of each loss over the updates.

    Raises:
        ValueError: if there are not as many updates, or other losses, in one as in the other.
    """
    if [list(losses) for losses in one] != [list(losses) for losses in other]:
        raise ValueError("not the same losses of as many updates")
    ours, theirs = ({name: np.array([losses[name] for losses in run]) for name in one[0]} for run in (one, other))
    return {name: float(np.max(np.abs(theirs[name] - values) / np.abs(values))) for name, values in ours.items()}


def worst(apart: Mapping[str, float], without: Sequence[str] = ()) -> float:
    """The largest of them, but for some; NaN if one is."""
    return float(np.max([value for name, value in apart.items() if name not in without]))


def summary(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of `differences` of several runs: how many are within 1e-4, the median and the largest, by their worst loss."""
    figures = {}
    for which, without in (("", ()), (", no pole", NEARLY_POLES)):
        values = np.array([worst(apart, without) for apart in runs])
        figures |= {
            f"within 1e-4{which}": int(np.sum(values < 1e-4)),
            f"median{which}": float(np.median(values)),
            f"largest{which}": float(np.max(values)),
        }
    return figures


def make_worker(started: dict[str, Any], span: list[int], **arguments: Any) -> Callable[[], dict[str, Any]]:
    """What makes the updates, in a process of its own; the other arguments are `update`'s."""
    from historynet import backend

    # Whatever the environment says.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = str(int(started["onednn"]))
    backend.start("cpu", **started)
    return lambda: {"losses": update(range(*span), **arguments)}


def on(engine: str, numbers: range, precision: str, **arguments: Any) -> list[dict[str, float]]:
    """`update` in a process of its own."""
    case = {"started": ENGINES[engine], "span": [numbers.start, numbers.stop], "precision": precision, **arguments}
    with measuring.Worker("benchmarks.closeness", case) as worker:
        return worker.turn()["losses"]


def main(argv: Sequence[str]) -> int:
    """Prints the figures and saves them as JSON; the exit code."""
    if measuring.serve(make_worker):
        return errors.DONE
    parser = measuring.parser(__doc__, "closeness")
    parser.add_argument("--runs", type=int, default=16, help="initial weights (default: 16)")
    parser.add_argument("--before", type=int, default=100, help="updates before (default: 100)")
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.runs = arguments.before = 1
    runs, before = arguments.runs, arguments.before
    if runs < 1 or before < 0:
        raise errors.InputError("--runs takes 1 or more, --before 0 or more")
    apart = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(runs):
            state = str(Path(folder) / f"{seed}.npz")
            on("tensorflow", range(before), "float64", end=state, seed=seed)
            numbers = range(before, before + UPDATES)
            found = {engine: on(engine, numbers, "float32", start=state) for engine in ENGINES}
            found |= {
                "float64": on("tensorflow", numbers, "float64", start=state),
                "jax float64": on("jax", numbers, "float64", start=state),
            }
            apart.append({f"{a}, {b}": differences(found[a], found[b]) for a, b in PAIRS})
            print(f"run {seed}", {pair: f"{worst(values):.1e}" for pair, values in apart[-1].items()}, flush=True)
    figures = {pair: summary([run[pair] for run in apart]) for pair in apart[0]}
    # Lists are saved and not printed.
    measuring.save(arguments.json, arguments, figures | {"runs": apart})
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
