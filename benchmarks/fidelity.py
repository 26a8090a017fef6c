"""How closely this program follows the released one: the tables of docs/fidelity.md.

    python -m benchmarks.fidelity [FOLDER] [VARIANT ...]

FOLDER holds the reference files of runs of the released program (HistoryNet/, Parsing/, Classifier/, Baseline/ and
photos/); by default `golden` in HISTORYNET_REFERENCE, or in ../shared. Each variant is measured in three processes of
its own: with --released-arithmetic, by default, and in float64, which says how far the released program itself was from
exact arithmetic. About a minute each on two cores.
"""

import dataclasses
import functools
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "HistoryNet": "HistoryNet",
    "HistoryNet_Parsing": "Parsing",
    "HistoryNet_Classifier": "Classifier",
    "Baseline": "Baseline",
}

RELEASED, DEFAULT, FLOAT64 = ARITHMETICS = ("with --released-arithmetic", "by default", "in float64")
"""Without oneDNN, with it as TensorFlow's default is, and what float32 is a rounding of."""

# What the released program trains with: (L_r, L_cls, L_par, L_g, L_info), and the penalty's weight.
LOSS_WEIGHTS = {"L_r": 2.0, "L_cls": 0.002, "L_par": 0.002, "L_g": 0.1, "L_info": 0.002}
BASELINE_LOSS_WEIGHTS = {"L_r": 1.0, "L_cls": 0.003, "L_g": 0.1}
PENALTY_WEIGHT = 10.0

# Reference gradients below this length are zero or noise: the last bias of a critic, the class head where the
# divergence is cut.
NOISE = 1e-6


@dataclass(frozen=True)
class Result:
    """One measured figure: the largest of its kind, unless its name says otherwise."""

    check: str
    value: float


class Reference:
    """One variant's reference files and the released program's networks in our graphs.

    Args:
        folder: of the reference files.
        variant: a name in FOLDERS.
    """

    def __init__(self, folder: Path, variant: str):
        from historynet.systems import loading as weights
        from historynet.systems.historynet.system import HistoryNet

        self.variant = variant
        self.files = folder / FOLDERS[variant]
        self.photos = folder / "photos"
        self.steps = np.load(self.files / "steps.npz")
        self.gradients = np.load(self.files / "gradients.npz")
        G, architecture = weights.load(self.files / "my_model_colorizationEpoch7.h5", "generator", variant)
        D1, _ = weights.load(self.files / "my_model_discriminatorEpoch7.h5", "discriminator")
        D2 = None
        if "info" in architecture.outputs:
            D2, _ = weights.load(self.files / "classifier.h5", "classifier")
        losses = {"parsing": "L_par", "info": "L_info"}
        lacking = [loss for output, loss in losses.items() if output not in architecture.outputs]
        self.make_system = functools.partial(
            HistoryNet,
            G,
            D1,
            D2,
            generator_loss=BASELINE_LOSS_WEIGHTS
            if variant == "Baseline"
            else {name: weight for name, weight in LOSS_WEIGHTS.items() if name not in lacking},
            penalty_weight=PENALTY_WEIGHT,
            learning_rate=2e-5,
            architecture=architecture,
            fields=(),
        )
        self.system = self.make_system()

    def batch(self, arrays: Mapping[str, np.ndarray], suffix: str = "") -> dict[str, Any]:
        """The fields of a reference batch; the Baseline's labels are among them, there is no teacher."""
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
        named = self.system.phases[phase].losses(batch, once, _tools(self.gradients["alpha"]))
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


def _tools(alpha: np.ndarray) -> Any:
    import keras
    import tensorflow as tf

    from historynet.training.tensorflow_step import StepTools

    class ReferenceTools(StepTools):
        """The training step's tools, with the reference's random numbers."""

        def uniform(self, shape):
            return tf.constant(alpha, keras.config.floatx())

    return ReferenceTools(0, tf.constant(0), phase=0, share=None)


def _with_tools(phase: Any, tools: Any) -> Any:
    return dataclasses.replace(phase, losses=lambda batch, once, _: phase.losses(batch, once, tools))


def second_batch(reference: Reference) -> Iterator[Result]:
    """The colours in inference mode after one batch of training, as by default and as in the released program."""
    batch = {name: value.numpy() for name, value in reference.batch(reference.steps, "_0").items()}
    luminance = reference.batch(reference.steps, "_1")["L"]
    theirs = reference.steps["predict_1_0"]
    for name, released in (("by default", False), ("as released", True)):
        apart = np.abs(_after_one_step(reference, batch, luminance, released) - theirs).mean()
        yield Result(f"second batch: ab, mean, {name}", float(apart))
        # The optimisers of one system take two gigabytes.
        gc.collect()


def _after_one_step(
    reference: Reference, batch: Mapping[str, np.ndarray], luminance: Any, released: bool
) -> np.ndarray:
    from historynet.training.tensorflow_step import Step

    system = reference.make_system(shared_adam_steps=released, released_statistics=released)
    before = [network.get_weights() for network in system.networks.values()]
    system.phases = [_with_tools(phase, _tools(reference.steps["alpha"])) for phase in system.phases]
    Step(system, seed=0)(batch, 0)
    ab = system.predict(luminance)["ab"].numpy()
    for network, values in zip(system.networks.values(), before, strict=True):
        network.set_weights(values)
    return ab


def norm(values: Any) -> np.float64:
    """|a|_2 of a whole array, summed in float64 and in parts: some have 10^8 numbers."""
    parts = np.array_split(np.ravel(values), 1 + np.size(values) // 10**6)
    return np.sqrt(sum(np.sum(np.square(part, dtype=float)) for part in parts))


def relative(ours: Any, theirs: Any) -> float:
    """|a - b|_2 / |b|_2 of a whole array."""
    return float(norm(np.asarray(ours) - np.asarray(theirs)) / norm(theirs))


def outputs(reference: Reference) -> Iterator[Result]:
    """The generator's outputs in inference mode."""
    made = reference.system.predict(reference.batch(reference.steps, "_0")["L"])
    for j, name in enumerate(reference.system.architecture.outputs):
        apart = np.abs(made[name].numpy() - reference.steps[f"predict_0_{j}"]).max()
        yield Result(f"output {name}, absolute", float(apart))


def pictures(reference: Reference) -> Iterator[Result]:
    """Our colorization.py's work on the photographs, decoded, against the released program's."""
    from historynet.colorizing.colorizer import Colorizer
    from historynet.colorizing.folder import colorize_files
    from historynet.colorizing.inputs import list_inputs
    from historynet.colorizing.results import name_results
    from historynet.pictures import images

    colorizer = Colorizer(reference.system.G)
    paths = list_inputs([reference.photos])
    for batch_size in (1, len(paths)):
        with tempfile.TemporaryDirectory() as folder:
            results = name_results(paths, Path(folder))
            colorize_files(colorizer, paths, results, batch_size)
            differences = [
                np.abs(
                    images.read_rgb(result) - images.read_rgb(reference.files / "colorized" / result.name).astype(int)
                )
                for result in results
            ]
        different = [difference.any(-1) for difference in differences]
        name = f"pictures in batches of {batch_size}"
        all_pixels = np.concatenate([pixels.ravel() for pixels in different])
        yield Result(f"{name}: pixels that differ, of all", float(all_pixels.mean()))
        yield Result(f"{name}: pixels that differ, of the worst picture", float(max(p.mean() for p in different)))
        yield Result(f"{name}: levels apart", float(max(difference.max() for difference in differences)))


def generator_losses(reference: Reference) -> Iterator[Result]:
    """The generator's losses of the first batch, each relative to itself."""
    batch = reference.batch(reference.steps, "_0")
    named = reference.losses(0, batch)
    weights = reference.system.phases[0].objectives["colorization"]
    total, *terms = reference.steps["g_loss_0"]
    yield Result("generator loss total", relative(sum(w * float(named[n]) for n, w in weights.items()), total))
    theirs = dict(zip(("L_r", "L_cls", "L_g"), terms[:3], strict=True)) | dict(
        zip([name for name in ("L_par", "L_info") if name in weights], terms[3:5], strict=False)
    )
    # The reference logs the mean of D1, of which L_g is the negative.
    theirs["L_g"] *= -1
    for name, value in theirs.items():
        yield Result(f"generator loss {name}", relative(float(named[name]), value))


def gradients(reference: Reference, network: str, key: str, phase: int) -> Iterator[Result]:
    """A network's loss and gradient before any update: norms of all arrays, small arrays in full."""
    batch = reference.batch(reference.gradients)
    _, total, ours = reference.gradient(phase, network, batch)
    norms = reference.gradients[f"{key}_grad_norm"]
    yield Result(f"{key} loss", relative(total, reference.gradients[f"{key}_loss"]))
    real = norms > NOISE * norms.max()
    apart = np.abs(np.array([norm(value) for value in ours]) - norms)
    yield Result(f"{key} gradient norms", float((apart[real] / norms[real]).max()))
    yield Result(f"{key} gradient norms, median", float(np.median(apart[real] / norms[real])))
    yield Result(f"{key} gradient norms that are noise, absolute", float(apart[~real].max(initial=0)))
    full = {
        i: reference.gradients[f"{key}_grad_{i}"]
        for i in range(len(ours))
        if f"{key}_grad_{i}" in reference.gradients and real[i]
    }
    spread = [relative(ours[i], theirs) for i, theirs in full.items()]
    yield Result(f"{key} gradients in full", max(spread))
    yield Result(f"{key} gradients in full, median", float(np.median(spread)))


def info_term(reference: Reference) -> Iterator[Result]:
    """How far the generator's gradient moves if L changes by a rounding error, with and without L_info."""
    import tensorflow as tf

    system = reference.system
    if system.D2 is None:
        return
    batch = reference.batch(reference.gradients)
    noise = np.random.default_rng(0).choice([-1, 1], batch["L"].shape) * 2.0**-24
    moved = batch | {"L": tf.constant(batch["L"].numpy() * (1 + noise), batch["L"].dtype)}
    weights = system.phases[0].objectives["colorization"]
    before = dict(weights)
    for name, weight in (("with L_info", weights["L_info"]), ("without L_info", 0.0)):
        weights["L_info"] = weight
        one, other = (reference.gradient(0, "colorization", fields)[2] for fields in (batch, moved))
        apart = np.array([relative(b, a) for a, b in zip(one, other, strict=True) if norm(a)])
        yield Result(f"G gradients when L moves by 2^-24, {name}, median", float(np.median(apart)))
    weights.update(before)


def first_updates(reference: Reference) -> Iterator[Result]:
    """The first update of D1 and D2 on their own; D1 afterwards, with Adam's step count at 1 and, as there, at 2."""
    system, theirs = reference.system, reference.gradients
    batch = reference.batch(theirs)
    patches = system.D1([batch["L"], batch["ab"]]).numpy()
    named, total, gradient = reference.gradient(1, "discriminator", batch)
    fake = system.D1([batch["L"], system.G(batch["L"], training=True)["ab"]]).numpy()
    ours = (total, patches.mean(), fake.mean(), PENALTY_WEIGHT * named["penalty"])
    for name, value, first in zip(("total", "real", "fake", "penalty"), ours, theirs["D1_first"], strict=True):
        yield Result(f"D1_first {name}", relative(value, first))
    if system.D2:
        yield Result("D2_first", relative(named["classifier"], theirs["D2_first"]))
    before = system.D1.get_weights()
    for step in (1, 2):
        optimizer = type(system.optimizers["discriminator"]).from_config(
            system.optimizers["discriminator"].get_config()
        )
        optimizer.build(system.D1.trainable_variables)
        optimizer.iterations.assign(step - 1)
        optimizer.apply(gradient, system.D1.trainable_variables)
        after = system.D1([batch["L"], batch["ab"]]).numpy()
        system.D1.set_weights(before)
        yield Result(
            f"D1_map_after, change of the map, Adam at step {step}",
            relative(after - patches, theirs["D1_map_after"] - patches),
        )


def measure(folder: Path, variant: str, arithmetic: str) -> dict[str, float]:
    """All checks of a variant, in a process of its own: value by name of the check.

    Args:
        folder: of the reference files.
        variant: a name in FOLDERS.
        arithmetic: one of ARITHMETICS.
    """
    command = [sys.executable, "-m", "benchmarks.fidelity", "--one", arithmetic, str(folder.resolve()), variant]
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return {check: float(value) for check, value in (line.split("\t") for line in done.stdout.splitlines())}


def _measure(arithmetic: str, folder: Path, variant: str) -> Iterator[Result]:
    from historynet import backend

    backend.start("cpu", released_arithmetic=arithmetic == RELEASED)
    import keras

    if arithmetic == FLOAT64:
        keras.config.set_floatx("float64")
    reference = Reference(folder, variant)
    # What trains comes after what needs the moving statistics as they were loaded.
    yield from outputs(reference)
    if arithmetic != FLOAT64:
        yield from pictures(reference)
    for check in _TRAINING_CHECKS:
        yield from _with_statistics_kept(reference, check)


_TRAINING_CHECKS: Sequence[Callable[[Reference], Iterator[Result]]] = (
    generator_losses,
    lambda reference: gradients(reference, "discriminator", "D1", 1),
    lambda reference: gradients(reference, "colorization", "G", 0),
    lambda reference: gradients(reference, "classifier", "D2", 1) if reference.system.D2 else iter(()),
    first_updates,
    second_batch,
    info_term,
)


def _with_statistics_kept(reference: Reference, check: Callable[[Reference], Iterator[Result]]) -> Iterator[Result]:
    """Runs a check and gives the networks back the moving statistics that its passes changed."""
    networks = reference.system.networks.values()
    before = [[variable.numpy() for variable in network.non_trainable_variables] for network in networks]
    yield from check(reference)
    for network, values in zip(networks, before, strict=True):
        for variable, value in zip(network.non_trainable_variables, values, strict=True):
            variable.assign(value)


def reference_folder() -> Path:
    """The folder of the reference files where the environment, or the place beside the project, has one."""
    return Path(os.environ.get("HISTORYNET_REFERENCE", ROOT.parent / "shared")) / "golden"


def _print_table(columns: Mapping[str, Mapping[str, float]]) -> None:
    checks = list(dict.fromkeys(check for column in columns.values() for check in column))
    print("| check | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for check in checks:
        cells = [f"{column[check]:.2g}" if check in column else "" for column in columns.values()]
        print(f"| {check} | " + " | ".join(cells) + " |")


def main() -> None:
    """Prints one table for each arithmetic."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--one"]:
        _, arithmetic, folder, variant = arguments
        for result in _measure(arithmetic, Path(folder), variant):
            print(f"{result.check}\t{result.value!r}", flush=True)
        return
    variants = [name for name in arguments if name in FOLDERS] or list(FOLDERS)
    folders = [Path(name) for name in arguments if name not in FOLDERS] or [reference_folder()]
    if len(folders) > 1 or not folders[0].is_dir():
        sys.exit(
            f"{' '.join(map(str, folders))}: no such folder of reference files; " + (__doc__ or "").split("\n\n")[1]
        )
    for arithmetic in ARITHMETICS:
        print(f"\n{arithmetic}\n", flush=True)
        _print_table({variant: measure(folders[0], variant, arithmetic) for variant in variants})


if __name__ == "__main__":
    main()
