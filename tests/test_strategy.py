"""Two devices, and a batch in parts, against one device and the whole batch."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from test_step import make_batch, make_system
from toy import Toy

from historynet.systems.optimizers import Adams
from historynet.systems.system import Phase
from historynet.training.checkpoints import Checkpoint, Checkpoints, Position, restore
from historynet.training.engine import Step, StepTools
from historynet.training.sharing import split

ENGINE = keras.backend.backend()


class Normalized(Toy):
    """All that a system can ask of the step: batch normalisation, masked samples, random numbers, an inner gradient."""

    fields = ("L", "weight")

    def __init__(self, normalize=True, rate=0.05):
        keras.utils.set_random_seed(3)
        super().__init__(rate)
        layers = [keras.layers.Dense(4, activation="tanh", name="hidden"), keras.layers.Dense(1, name="out")]
        if normalize:
            layers.insert(1, keras.layers.BatchNormalization(momentum=0.5, name="normalize"))
        self.networks["first"] = keras.Sequential([keras.Input((1,)), *layers], name="first")
        self.phases = (Phase({"first": {"double": 1.0}, "second": {"penalty": 0.1}}, self.losses), *self.phases[1:])

    def losses(self, batch, once, tools):
        error = ops.sum(ops.square(self.networks["first"](batch["L"], training=True) - once["target"]), axis=-1)
        somewhere = batch["L"] + tools.uniform((ops.shape(batch["L"])[0], 1))
        gradient = tools.input_gradient(lambda point: ops.square(self.networks["second"](point)), somewhere)
        return {"double": batch["weight"] * error, "penalty": ops.sum(ops.square(gradient), axis=-1)}


def toy_batches(*sizes):
    rng = np.random.default_rng(0)
    for size in sizes:
        weight = np.arange(size) % 3 < 2
        yield {
            "L": rng.normal(size=(size, 1)).astype(np.float32),
            "weight": (weight * (size / max(1, weight.sum()))).astype(np.float32),
        }


def train(make, batches, **options):
    """(losses of each step, the weights afterwards)."""
    system = make()
    step = Step(system, seed=0, **options)
    losses = [list(step(batch, i).values()) for i, batch in enumerate(batches)]
    return losses, np.concatenate([w.ravel() for n in system.networks.values() for w in n.get_weights()])


def apart(one, other):
    """The largest relative difference of a loss, the largest difference of a weight."""
    losses, others = np.array(one[0]), np.array(other[0])
    return float((abs(losses - others) / np.maximum(abs(losses), 1e-3)).max()), float(abs(one[1] - other[1]).max())


def small_optimizers():
    """With all that is done to gradients, whose norm is that of all devices' together."""
    system = Normalized()
    adams = Adams(learning_rate=0.01, clip_norm=0.05, weight_decay=0.5, rates={"hidden": 0.25}, epsilon=0.1)
    system.optimizers = adams.make(system.networks)
    return system


def small_historynet():
    system = make_system()
    # Adam makes a step of a gradient that is nothing but rounding.
    for name in system.optimizers:
        system.optimizers[name] = keras.optimizers.SGD(1e-3)
    return system


def mirrored(case, devices):
    """Prints how far some logical CPUs are from one. In a process of its own: an engine's devices are chosen once."""
    from historynet import backend

    # JAX is told by XLA_FLAGS.
    if ENGINE == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    else:
        backend.start("cpu")
    if case == "toy":
        make, batches, options = Normalized, list(toy_batches(6, 5, 1)), [{"parts": 2}]
    elif case == "optimizers":
        make, batches, options = small_optimizers, list(toy_batches(6, 5, 6)), [{}]
    else:
        # In float32 a rounding error of L moves the gradient of L_info by percents.
        keras.config.set_floatx(case)
        make, options = small_historynet, [{}]
        batches = [{k: v.astype(case) for k, v in make_batch(samples).items()} for samples in (4, 3, 1)]
    alone = [train(make, batches, **chosen) for chosen in options]
    words = backend.start("cpu", strategy="mirrored")
    assert Step(make(), seed=0).workers.replicas == devices
    layers = [layer for n in make().networks.values() for layer in n.layers if hasattr(layer, "synchronized")]
    results = [apart(one, train(make, batches, **chosen)) for one, chosen in zip(alone, options, strict=True)]
    assert not any(layer.synchronized for layer in layers)
    print(json.dumps([words, results]))


def run_mirrored(case, devices=2):
    code = f"import test_strategy; test_strategy.mirrored({case!r}, {devices})"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        env=os.environ
        | {
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
            "JAX_ENABLE_X64": str(int(case == "float64")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    words, results = json.loads(result.stdout.splitlines()[-1])
    engine = {"tensorflow": "", "jax": " with JAX"}[ENGINE]
    assert words == f"running on the CPU{engine}, {devices} devices together"
    return results


@pytest.mark.parametrize("devices", [2] if ENGINE == "tensorflow" else [2, 4])
def test_several_devices_train_like_one(devices):
    """Uneven shares, a batch of less samples than devices, and parts."""
    for losses, weights in run_mirrored("toy", devices):
        assert losses < 1e-5
        assert weights < 1e-6


def test_two_devices_clip_their_gradients_sum_as_one_clips_its_own():
    for losses, weights in run_mirrored("optimizers"):
        assert losses < 1e-5
        assert weights < 1e-6


@pytest.mark.slow
def test_two_devices_train_historynet_like_one():
    for losses, weights in run_mirrored("float64"):
        assert losses < 1e-9
        assert weights < 1e-9


def test_parts_of_a_batch_give_the_same_without_batch_normalisation():
    batches = list(toy_batches(7, 7, 2, 7))
    whole = train(lambda: Normalized(normalize=False), batches)
    for parts in (2, 3, 7):
        losses, weights = apart(whole, train(lambda: Normalized(normalize=False), batches, parts=parts))
        assert losses < 1e-5
        assert weights < 1e-6


def test_batch_normalisation_sees_a_part_at_a_time():
    batch = next(toy_batches(6))
    system = Normalized(rate=1e-9)
    hidden = system.networks["first"].get_layer("hidden")(batch["L"])
    system.phases = (
        Phase({"first": {"out": 1.0}}, lambda b, o, t: {"out": system.networks["first"](b["L"], training=True)[:, 0]}),
    )
    Step(system, seed=0, parts=2)(batch, 0)
    hidden = np.asarray(hidden)
    mean = np.asarray(system.networks["first"].get_layer("normalize").moving_mean)
    np.testing.assert_allclose(mean, 0.25 * hidden[:3].mean(0) + 0.5 * hidden[3:].mean(0), rtol=1e-4)


def test_xla_gives_the_same_but_for_its_random_numbers(monkeypatch):
    monkeypatch.setattr(StepTools, "uniform", lambda self, shape: ops.full(shape, 0.5))
    batches = list(toy_batches(6, 4))
    losses, weights = apart(train(Normalized, batches), train(Normalized, batches, jit=True))
    assert losses < 1e-5
    assert weights < 1e-6


def test_what_is_not_finite_stops_under_xla_and_in_parts():
    """XLA leaves checks out of what it compiles."""
    from historynet.errors import NotFiniteError

    for options in ({"jit": True}, {"parts": 2}):
        system = Normalized()
        step = Step(system, seed=0, **options)
        before = np.array(system.networks["first"].trainable_variables[0])
        (batch,) = toy_batches(4)
        batch["L"][3] = np.nan
        with pytest.raises(NotFiniteError, match="double is not finite at step 7"):
            step(batch, 7)
        np.testing.assert_array_equal(np.asarray(system.networks["first"].trainable_variables[0]), before)


def test_parts_continue_with_the_same_bits(tmp_path):
    batches = list(toy_batches(6, 5, 6, 5))
    system = Normalized()
    step = Step(system, seed=0, parts=2)
    checkpoints, values = Checkpoints(tmp_path, keep=9), []
    for i, batch in enumerate(batches):
        values.append(step(batch, i))
        checkpoints.save(system, Position(steps=i + 1), {})
    other = Normalized()
    restore(Checkpoint(checkpoints.path(Position(steps=1)), Position(), {}), other)
    continued = Step(other, seed=0, parts=2)
    assert [continued(batch, i) for i, batch in enumerate(batches)][1:] != values[1:]
    restore(Checkpoint(checkpoints.path(Position(steps=1)), Position(), {}), other)
    assert [continued(batch, i) for i, batch in enumerate(batches) if i] == values[1:]
    for network, others in zip(system.networks.values(), other.networks.values(), strict=True):
        for a, b in zip(network.get_weights(), others.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_parts_take_less_memory():
    """Peak memory of a process that does one update, beyond that of one which does it on a single picture."""
    needed = {}
    for samples, parts in ((1, 1), (16, 1), (16, 4)):
        code = f"import test_strategy; test_strategy.print_peak({samples}, {parts})"
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
        needed[samples, parts] = float(result.stdout.splitlines()[-1])
    print(needed)
    assert needed[16, 4] - needed[1, 1] < 0.6 * (needed[16, 1] - needed[1, 1])


def print_peak(samples, parts):
    rng = np.random.default_rng(0)
    system = Toy()
    # Wide enough that what the backward pass keeps outweighs all else.
    layers = [keras.layers.Conv2D(16, 3, padding="same", activation="relu", name=f"conv{i}") for i in range(6)]
    system.networks["first"] = keras.Sequential([keras.Input((128, 128, 1)), *layers], name="first")
    first = system.networks["first"]
    system.phases = (Phase({"first": {"made": 1.0}}, lambda b, o, t: {"made": ops.mean(first(b["L"]), (1, 2, 3))}),)
    step = Step(system, seed=0, parts=parts)
    for i in range(3):
        step({"L": rng.random((samples, 128, 128, 1), np.float32)}, i)
    # Not getrusage's figure, which a process inherits from the one that started it.
    print(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


@pytest.mark.parametrize(("samples", "count", "sizes"), [(6, 2, [3, 3]), (7, 3, [3, 2, 2]), (1, 3, [1, 0, 0])])
def test_split(samples, count, sizes):
    ranges = split(range(10, 10 + samples), count)
    assert [len(r) for r in ranges] == sizes
    assert [i for r in ranges for i in r] == list(range(10, 10 + samples))
