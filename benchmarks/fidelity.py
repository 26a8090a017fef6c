"""How closely this program follows the released one: the tables of docs/fidelity.md.

    python -m benchmarks.fidelity [FOLDER] [VARIANT ...]

FOLDER holds the reference files of runs of the released program (HistoryNet/, Parsing/, Classifier/, Baseline/ and
photos/); by default `golden` in HISTORYNET_REFERENCE, or in ../shared. Each variant is measured in four processes of
its own: with --released-arithmetic, by default, in float64, which says how far the released program itself was from
exact arithmetic, and on JAX. About a minute each on two cores.
"""

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import ROOT
from benchmarks.reference import (
    FOLDERS,
    PENALTY_WEIGHT,
    Reference,
    Result,
    after_one_step,
    reference_folder,
    with_statistics_restored,
)
from historynet import errors, settings
from historynet.commands import running
from historynet.errors import InputError

RELEASED, DEFAULT, FLOAT64, JAX = ARITHMETICS = ("with --released-arithmetic", "by default", "in float64", "on JAX")
"""Without oneDNN, with it as TensorFlow's default is, what float32 is a rounding of, and the other engine."""

# Reference gradients below this length are zero or noise: the last bias of a critic, the class head where the
# divergence is cut.
NOISE = 1e-6


def second_batch(reference: Reference) -> Iterator[Result]:
    """The colours in inference mode after one batch of training, as by default and as in the released program."""
    batch = reference.batch(reference.steps, "_0")
    luminance = reference.batch(reference.steps, "_1")["L"]
    theirs = reference.steps["predict_1_0"]
    for name, released in (("by default", False), ("as released", True)):
        difference = np.abs(after_one_step(reference, batch, luminance, released) - theirs).mean()
        yield Result(f"second batch: ab, mean, {name}", float(difference))
        # The optimisers of one system take two gigabytes.
        gc.collect()


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
        difference = np.abs(np.asarray(made[name]) - reference.steps[f"predict_0_{j}"]).max()
        yield Result(f"output {name}, absolute", float(difference))


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
    named, _ = reference.losses_and_gradients(batch)[0]
    weights = reference.system.phases[0].objectives["colorization"]
    total, *terms = reference.steps["g_loss_0"]
    yield Result("generator loss total", relative(reference.total(0, "colorization", named), total))
    theirs = dict(zip(("L_r", "L_cls", "L_g"), terms[:3], strict=True)) | dict(
        zip([name for name in ("L_par", "L_info") if name in weights], terms[3:5], strict=False)
    )
    # The reference logs the mean of D1, of which L_g is the negative.
    theirs["L_g"] *= -1
    for name, value in theirs.items():
        yield Result(f"generator loss {name}", relative(named[name], value))


def before_any_update(reference: Reference) -> Iterator[Result]:
    """Losses and gradients of all networks, and the first update of the critics."""
    phases = reference.losses_and_gradients(reference.batch(reference.gradients))
    for network, key, phase in (("discriminator", "D1", 1), ("colorization", "G", 0), ("classifier", "D2", 1)):
        if network in reference.system.networks:
            losses, gradients = phases[phase]
            yield from _gradients(reference, key, reference.total(phase, network, losses), gradients[network])
    losses, gradients = phases[1]
    yield from _first_updates(reference, losses, gradients["discriminator"])


def _gradients(reference: Reference, key: str, total: float, ours: Sequence[np.ndarray]) -> Iterator[Result]:
    """A network's loss and gradient: norms of all arrays, small arrays in full."""
    norms = reference.gradients[f"{key}_grad_norm"]
    yield Result(f"{key} loss", relative(total, reference.gradients[f"{key}_loss"]))
    real = norms > NOISE * norms.max()
    difference = np.abs(np.array([norm(value) for value in ours]) - norms)
    yield Result(f"{key} gradient norms", float((difference[real] / norms[real]).max()))
    yield Result(f"{key} gradient norms, median", float(np.median(difference[real] / norms[real])))
    yield Result(f"{key} gradient norms that are noise, absolute", float(difference[~real].max(initial=0)))
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
    if reference.system.D2 is None:
        return
    batch = reference.batch(reference.gradients)
    noise = np.random.default_rng(0).choice([-1, 1], batch["L"].shape) * 2.0**-24
    moved = batch | {"L": (batch["L"] * (1 + noise)).astype(batch["L"].dtype)}
    for name, without in (("with L_info", None), ("without L_info", "L_info")):
        one, other = (
            reference.losses_and_gradients(fields, without)[0][1]["colorization"] for fields in (batch, moved)
        )
        difference = np.array([relative(b, a) for a, b in zip(one, other, strict=True) if norm(a)])
        yield Result(f"G gradients when L moves by 2^-24, {name}, median", float(np.median(difference)))


def _first_updates(
    reference: Reference, losses: Mapping[str, float], gradient: Sequence[np.ndarray]
) -> Iterator[Result]:
    """The first update of D1 and D2 on their own; D1 afterwards, with Adam's step count at 1 and, as there, at 2."""
    import keras

    system, theirs = reference.system, reference.gradients
    batch = {name: keras.ops.convert_to_tensor(value) for name, value in reference.batch(theirs).items()}
    patches = np.asarray(system.D1([batch["L"], batch["ab"]]))
    fake = np.asarray(system.D1([batch["L"], system.G(batch["L"], training=True)["ab"]]))
    total = reference.total(1, "discriminator", losses)
    ours = (total, patches.mean(), fake.mean(), PENALTY_WEIGHT * losses["penalty"])
    for name, value, first in zip(("total", "real", "fake", "penalty"), ours, theirs["D1_first"], strict=True):
        yield Result(f"D1_first {name}", relative(value, first))
    if system.D2:
        yield Result("D2_first", relative(losses["classifier"], theirs["D2_first"]))
    before = system.D1.get_weights()
    for step in (1, 2):
        optimizer = type(system.optimizers["discriminator"]).from_config(
            system.optimizers["discriminator"].get_config()
        )
        optimizer.build(system.D1.trainable_variables)
        optimizer.iterations.assign(step - 1)
        optimizer.apply([keras.ops.convert_to_tensor(value) for value in gradient], system.D1.trainable_variables)
        after = np.asarray(system.D1([batch["L"], batch["ab"]]))
        system.D1.set_weights(before)
        yield Result(
            f"D1_map_after, change of the map, Adam at step {step}",
            relative(after - patches, theirs["D1_map_after"] - patches),
        )


def measure(folder: Path, variant: str, arithmetic: str) -> dict[str, float]:
    """All checks of a variant, in a process of its own: value by name of the check.

    Args:
        folder: folder of the reference files.
        variant: a name in FOLDERS.
        arithmetic: one of ARITHMETICS.

    Raises:
        InputError: if a reference file cannot be read; the process has said which.
    """
    command = [sys.executable, "-m", "benchmarks.fidelity", "--one", arithmetic, str(folder.resolve()), variant]
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment["KERAS_BACKEND"] = "jax" if arithmetic == JAX else "tensorflow"
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == errors.BAD_INPUT:
        raise InputError(f"{folder}: {variant} cannot be measured {arithmetic}")
    done.check_returncode()
    return {check: float(value) for check, value in (line.split("\t") for line in done.stdout.splitlines())}


def _measure(arithmetic: str, folder: Path, variant: str) -> Iterator[Result]:
    from historynet import backend

    backend.start("cpu", onednn=arithmetic != RELEASED)
    import keras

    if arithmetic == FLOAT64:
        keras.config.set_floatx("float64")
    reference = Reference(folder, variant)
    # What trains comes after what needs the moving statistics as they were loaded.
    yield from outputs(reference)
    if arithmetic != FLOAT64:
        yield from pictures(reference)
    yield from with_statistics_restored(reference, generator_losses)
    yield from with_statistics_restored(reference, before_any_update)
    if arithmetic != JAX:
        # Of what comes after an update, and of a loss that is nearly singular, TensorFlow's figures say enough.
        yield from with_statistics_restored(reference, second_batch)
        yield from with_statistics_restored(reference, info_term)


def _print_table(columns: Mapping[str, Mapping[str, float]]) -> None:
    checks = list(dict.fromkeys(check for column in columns.values() for check in column))
    print("| check | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for check in checks:
        cells = [f"{column[check]:.2g}" if check in column else "" for column in columns.values()]
        print(f"| {check} | " + " | ".join(cells) + " |")


def main(argv: Sequence[str]) -> int:
    """Prints one table for each arithmetic; the exit code."""
    # A process of `measure`.
    if argv[:1] == ["--one"]:
        _, arithmetic, folder, variant = argv
        for result in _measure(arithmetic, Path(folder), variant):
            print(f"{result.check}\t{result.value!r}", flush=True)
        return errors.DONE

    parser = settings.Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="FOLDER|VARIANT", help=f"variants: {', '.join(FOLDERS)}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    names = parser.parse_args(argv).names
    variants = [name for name in names if name in FOLDERS] or list(FOLDERS)
    folders = [Path(name) for name in names if name not in FOLDERS] or [reference_folder()]
    if len(folders) > 1 or not folders[0].is_dir():
        raise InputError(f"{' '.join(map(str, folders))}: no such folder of reference files; name one, and variants")
    for arithmetic in ARITHMETICS:
        print(f"\n{arithmetic}\n", flush=True)
        _print_table({variant: measure(folders[0], variant, arithmetic) for variant in variants})
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
