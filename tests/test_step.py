"""The generic step: with a toy system it has never heard of, and with HistoryNet."""

import dataclasses
from itertools import pairwise

import keras
import numpy as np
import pytest
from keras import ops
from test_settings import resolve
from toy import Toy

from historynet.errors import NotFiniteError
from historynet.systems.historynet import losses
from historynet.systems.historynet.classifier import build_classifier
from historynet.systems.historynet.discriminator import build_discriminator
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.start import build_teacher
from historynet.systems.historynet.system import HistoryNet, Options
from historynet.systems.historynet.variants import VARIANTS, Architecture
from historynet.systems.optimizers import Adams
from historynet.systems.system import Phase
from historynet.training.averaging import averaged
from historynet.training.engine import Step


@pytest.mark.rewritten
def test_a_system_the_step_has_never_heard_of():
    toy = Toy()
    step = Step(toy, seed=0)
    x = np.array([[1.0], [3.0]], np.float32)
    (w1, b1), (w2, b2) = (network.get_weights() for network in toy.networks.values())
    values = step({"L": x}, 0)

    # By hand: gradient descent on the mean over the batch; the second phase sees the first network after its update.
    error = x @ w1 + b1 - 2 * x
    assert values["double"] == pytest.approx((error**2).mean(), rel=1e-5)
    w1, b1 = w1 - 0.1 * (2 * error * x).mean(), b1 - 0.1 * (2 * error).mean()
    np.testing.assert_allclose(toy.networks["first"].get_weights()[0], w1, rtol=1e-5)
    apart = x @ w1 + b1 - (x @ w2 + b2)
    assert values["follow"] == pytest.approx((apart**2).mean(), rel=1e-4)
    w2 = w2 + 0.1 * 0.5 * (2 * apart * x).mean()
    np.testing.assert_allclose(toy.networks["second"].get_weights()[0], w2, rtol=1e-4)

    for i in range(300):
        values = step({"L": x[: 1 + i % 2]}, i)
    assert max(values.values()) < 1e-3


@pytest.mark.rewritten
def test_what_is_not_finite_stops_before_it_is_applied():
    toy = Toy()
    step = Step(toy, seed=0)
    x = np.array([[1.0]], np.float32)
    step({"L": x}, 0)
    before = [network.get_weights() for network in toy.networks.values()]
    for bad in (np.nan, np.inf):
        with pytest.raises(NotFiniteError, match="double is not finite at step 7"):
            step({"L": np.array([[bad]], np.float32)}, 7)
    after = [network.get_weights() for network in toy.networks.values()]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_equal(a, b)


@pytest.mark.rewritten
def test_a_gradient_that_is_not_finite_stops_too():
    toy = Toy()
    # The value of the root is finite at zero, its derivative is not.
    toy.phases = (
        Phase({"first": {"root": 1.0}}, lambda b, o, t: {"root": ops.sqrt(0 * toy.networks["first"](b["L"]))[:, 0]}),
    )
    with pytest.raises(NotFiniteError, match="gradient-of-first"):
        Step(toy, seed=0)({"L": np.ones((1, 1), np.float32)}, 0)


def test_a_phase_moves_its_networks_from_its_first_step_on_alone():
    toy = Toy()
    toy.phases = (dataclasses.replace(toy.phases[0], first_step=2), toy.phases[1])
    step = Step(toy, seed=0)
    weights = [[network.get_weights() for network in toy.networks.values()]]
    for i in range(4):
        values = step({"L": np.array([[1.0], [3.0]], np.float32)}, i)
        weights.append([network.get_weights() for network in toy.networks.values()])
        # The losses are computed all the same.
        (w1, b1), _ = weights[-2]
        assert values["double"] == pytest.approx(
            np.mean([(x * w1[0, 0] + b1[0] - 2 * x) ** 2 for x in (1, 3)]), rel=1e-4
        )
    moved = [
        [any((a != b).any() for a, b in zip(before[i], after[i], strict=True)) for i in range(2)]
        for before, after in pairwise(weights)
    ]
    assert moved == [[False, True], [False, True], [True, True], [True, True]]
    assert int(toy.optimizers["first"].iterations) == 2


def test_networks_that_have_not_moved_yet_have_no_average():
    """It would be zeros: an epoch that ends within a phase's delay is evaluated and saved as the networks are."""
    toy = Toy()
    adams = Adams(learning_rate=0.1, ema_momentum=0.9, averaged=("first",))
    toy.optimizers = adams.make(toy.networks)
    toy.phases = (dataclasses.replace(toy.phases[0], first_step=1), toy.phases[1])
    step = Step(toy, seed=0)
    (before,) = toy.networks["first"].trainable_variables[:1]
    before = np.array(before)
    for i in range(3):
        step({"L": np.array([[1.0], [3.0]], np.float32)}, i)
        own = np.array(toy.networks["first"].trainable_variables[0])
        with averaged(toy):
            average = np.array(toy.networks["first"].trainable_variables[0])
        assert (average == own).all() == (i < 2)
        assert (own == before).all() == (i < 1)


def scale_losses(toy):
    for name, optimizer in toy.optimizers.items():
        toy.optimizers[name] = keras.optimizers.LossScaleOptimizer(optimizer)


def test_scaled_losses_give_the_same_updates():
    plain, scaled = Toy(), Toy()
    scale_losses(scaled)
    for name, network in plain.networks.items():
        scaled.networks[name].set_weights(network.get_weights())
    x = np.array([[1.0], [3.0]], np.float32)
    steps = [Step(toy, seed=0) for toy in (plain, scaled)]
    for i in range(5):
        first, second = (step({"L": x}, i) for step in steps)
        assert first == second
    for name, network in plain.networks.items():
        # A power of two multiplies without rounding.
        for a, b in zip(network.get_weights(), scaled.networks[name].get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_overflow_that_the_loss_scale_answers_stops_nothing():
    toy = Toy()
    scale_losses(toy)
    # The gradient is 1e35: times 2^15 to 2^12 it is beyond float32, times 2^11 it is not.
    toy.phases = (Phase({"first": {"large": 1e35}}, lambda b, o, t: {"large": toy.networks["first"](b["L"])[:, 0]}),)
    toy.optimizers["first"].learning_rate = 1e-35
    step = Step(toy, seed=0)
    weights = [toy.networks["first"].get_weights()[1]]
    for i in range(6):
        step({"L": np.ones((1, 1), np.float32)}, i)
        weights.append(toy.networks["first"].get_weights()[1])
    np.testing.assert_allclose(np.diff(np.ravel(weights)), [0, 0, 0, 0, -1, -1], rtol=1e-5)
    assert float(toy.optimizers["first"].dynamic_scale) == 2**11


def test_an_overflow_at_the_smallest_loss_scale_stops():
    toy = Toy()
    scale_losses(toy)
    toy.phases = (
        Phase({"first": {"root": 1.0}}, lambda b, o, t: {"root": ops.sqrt(0 * toy.networks["first"](b["L"]))[:, 0]}),
    )
    step = Step(toy, seed=0)
    for i in range(15):
        step({"L": np.ones((1, 1), np.float32)}, i)
    with pytest.raises(NotFiniteError, match="gradient-of-first is not finite at step 15"):
        step({"L": np.ones((1, 1), np.float32)}, 15)


def test_a_variable_that_no_loss_reaches_stays():
    toy = Toy()
    toy.networks["first"].add(keras.layers.Dense(1, name="unreached"))
    first = toy.networks["first"]
    toy.phases = (Phase({"first": {"early": 1.0}}, lambda b, o, t: {"early": first.layers[0](b["L"])[:, 0]}),)
    before = [value.copy() for value in first.get_weights()]
    Step(toy, seed=0)({"L": np.ones((1, 1), np.float32)}, 0)
    moved = [bool((a != b).any()) for a, b in zip(before, first.get_weights(), strict=True)]
    assert moved == [True, True, False, False]


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX tells how often it compiles")
@pytest.mark.parametrize("scaled", [False, True])
def test_toy_is_compiled_once(scaled):
    import jax

    toy = Toy()
    toy.optimizers = {name: keras.optimizers.Adam() for name in toy.networks}
    if scaled:
        scale_losses(toy)
    step = Step(toy, seed=0)
    step({"L": np.ones((2, 1), np.float32)}, 0)
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    for number in (1, 2):
        step({"L": np.ones((2, 1), np.float32)}, number)
    assert not compiled
    # It is heard at all.
    step({"L": np.ones((3, 1), np.float32)}, 3)
    assert compiled


WEIGHTS = {"L_r": 1.0, "L_cls": 0.003, "L_par": 0.003, "L_g": 0.1, "L_info": 0.003}


def make_system(
    learning_rate=1e-3,
    variant="HistoryNet",
    shared_adam_steps=False,
    released_statistics=False,
    options=None,
    chosen=None,
    **weights,
):
    keras.utils.set_random_seed(3)
    architecture = Architecture(variant, image_size=32, width=1 / 32)
    outputs = VARIANTS[variant].outputs
    lacking = {"parsing": "L_par", "info": "L_info"}.items()
    return HistoryNet(
        build_generator(architecture),
        build_discriminator(architecture),
        build_classifier(architecture) if "info" in outputs else None,
        build_teacher(architecture) if variant == "Baseline" else None,
        generator_loss={
            name: weight
            for name, weight in (WEIGHTS | weights).items()
            if name not in [loss for output, loss in lacking if output not in outputs]
        },
        penalty_weight=10.0,
        options=chosen
        or Options(
            adams=Adams(
                learning_rate=learning_rate,
                beta_1=0.5,
                averaged=("colorization",),
                shared_steps=shared_adam_steps,
                **(options or {}),
            ),
            released_statistics=released_statistics,
        ),
        architecture=architecture,
        fields={},
    )


def test_the_critics_have_a_rate_and_a_beginning_of_their_own():
    """What moves when is the step's business (`test_a_phase_moves_its_networks_from_its_first_step_on_alone`)."""
    words = "--learning-rate 4e-4 --weight-decay 0.02 --clip-norm 1 --critic-rate 1e-4 --critic-warmup 5"
    system = make_system(chosen=Options.of(resolve(*words.split())))
    assert [(list(phase.objectives), phase.first_step) for phase in system.phases] == [
        (["colorization"], 5),
        (["discriminator", "classifier"], 0),
    ]
    made = {
        name: (float(optimizer.learning_rate), optimizer.beta_1, optimizer.beta_2, optimizer.global_clipnorm)
        for name, optimizer in system.optimizers.items()
    }
    own = (pytest.approx(1e-4), 0.5, 0.9, None)
    assert made == {
        "colorization": (pytest.approx(4e-4), 0.5, 0.999, 1.0),
        "discriminator": own,
        "classifier": own,
    }
    # Without the options they are as G's, from the first batch on.
    system = make_system(chosen=Options.of(resolve("--learning-rate", "4e-4")))
    assert [phase.first_step for phase in system.phases] == [0, 0]
    rates = [float(optimizer.learning_rate) for optimizer in system.optimizers.values()]
    assert rates == pytest.approx([4e-4] * 3)


def make_batch(samples):
    rng = np.random.default_rng(0)
    fields = {
        "L": rng.random((samples, 32, 32, 1)),
        "ab": rng.random((samples, 32, 32, 2)),
        "label": np.eye(42)[:samples],
        "label_weight": np.ones(samples),
        "parsing": rng.random((samples, 32, 32, 1)),
        "parsing_weight": np.ones(samples),
    }
    return {name: value.astype(np.float32) for name, value in fields.items()}


@pytest.fixture
def batch():
    return make_batch(4)


class Update:
    """HistoryNet and its update, which takes many seconds to compile: compiled once, it starts anew for each test."""

    def __init__(self, phases=slice(None)):
        self.system = make_system()
        self.system.phases = self.system.phases[phases]
        self.step = Step(self.system, seed=0)
        parts = (*self.system.networks.values(), *self.system.optimizers.values())
        self._first = [(variable, variable.numpy()) for part in parts for variable in part.variables]

    def anew(self, learning_rate=1e-3):
        for variable, value in self._first:
            variable.assign(value)
        for optimizer in self.system.optimizers.values():
            optimizer.learning_rate = learning_rate
        return self


@pytest.fixture(scope="module")
def update():
    return Update()


@pytest.fixture(scope="module")
def critic_update():
    """The second phase alone."""
    return Update(slice(1, None))


def snapshot(system):
    return {
        f"{name}/{variable.path}": variable.numpy().copy()
        for name, network in system.networks.items()
        for variable in network.variables
    }


def changed(before, after):
    return {name for name in before if (before[name] != after[name]).any()}


def test_named_losses(batch, update):
    values = update.anew().step(batch, 0)
    assert list(values) == ["L_r", "L_cls", "L_par", "L_g", "L_info", "critic", "penalty", "classifier"]
    assert all(np.isfinite(list(values.values())))


@pytest.mark.parametrize(
    ("variant", "names", "networks"),
    [
        ("HistoryNet_Parsing", ["L_r", "L_cls", "L_par", "L_g", "critic", "penalty"], 2),
        ("HistoryNet_Classifier", ["L_r", "L_cls", "L_g", "L_info", "critic", "penalty", "classifier"], 3),
        ("Baseline", ["L_r", "L_cls", "L_g", "critic", "penalty"], 2),
    ],
)
def test_a_variant_has_the_losses_of_its_networks(batch, variant, names, networks):
    system = make_system(variant=variant)
    read = {"HistoryNet_Classifier": {"parsing"}, "Baseline": {"parsing", "label"}}.get(variant, set())
    fields = {name: value for name, value in batch.items() if name.removesuffix("_weight") not in read}
    before = snapshot(system)
    values = Step(system, seed=0)(fields, 0)
    assert list(values) == names
    assert all(np.isfinite(list(values.values())))
    assert len(system.networks) == networks
    moved = changed(before, snapshot(system))
    assert {path.split("/")[0] for path in moved} == set(system.networks)


@pytest.mark.parametrize(
    ("zero", "names", "networks"),
    [
        (["L_g"], ["L_r", "L_cls", "L_par", "L_info", "classifier"], ["colorization", "classifier"]),
        (["L_info"], ["L_r", "L_cls", "L_par", "L_g", "critic", "penalty"], ["colorization", "discriminator"]),
        (["L_g", "L_info"], ["L_r", "L_cls", "L_par"], ["colorization"]),
    ],
)
def test_a_network_whose_loss_weighs_nothing_is_not_trained(batch, update, zero, names, networks):
    system = make_system(**dict.fromkeys(zero, 0.0))
    assert list(system.networks) == networks
    values = Step(system, seed=0)(batch, 0)
    assert list(values) == names
    # The losses that are left are those of the whole system before its first update.
    whole = update.anew().step(batch, 0)
    for name in ("L_r", "L_cls", "L_par"):
        assert values[name] == pytest.approx(whole[name], rel=1e-5)


def test_the_baseline_learns_what_its_frozen_teacher_says(batch):
    system = make_system(variant="Baseline", learning_rate=1e-12)
    fields = {name: batch[name] for name in ("L", "ab")}
    before = system.teacher.get_weights()
    target = np.asarray(system.teacher(batch["L"]))
    made = np.asarray(system.G(batch["L"], training=True)["label"])
    values = Step(system, seed=0)(fields, 0)
    assert target.shape == made.shape == (4, 1000)
    assert values["L_cls"] == pytest.approx(np.mean(np.sum(target * np.log(target / made), axis=-1)), rel=1e-3)
    for a, b in zip(before, system.teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_losses_are_those_of_the_networks_before_the_update(batch, update):
    """Computed again with NumPy from what the networks give."""
    system = update.anew(learning_rate=1e-12).system
    made = {name: np.asarray(value) for name, value in system.G(batch["L"], training=True).items()}
    patches = np.asarray(system.D1([batch["L"], made["ab"]]))
    values = update.step(batch, 0)
    assert values["L_r"] == pytest.approx(np.mean((made["ab"] - batch["ab"]) ** 2), rel=1e-4)
    assert values["L_par"] == pytest.approx(np.mean((made["parsing"] - batch["parsing"]) ** 2), rel=1e-4)
    assert values["L_cls"] == pytest.approx(-np.log(made["label"][np.arange(4), np.arange(4)]).mean(), rel=1e-3)
    assert values["L_g"] == pytest.approx(-patches.mean(), rel=1e-3)
    real = np.asarray(system.D1([batch["L"], batch["ab"]]))
    assert values["critic"] == pytest.approx(patches.mean() - real.mean(), rel=1e-2)


def run_phase(system, batch, index):
    """One of the system's phases alone: the paths of the variables that it moved."""
    system.phases = system.phases[index : index + 1]
    before = snapshot(system)
    Step(system, seed=0)(batch, 0)
    return changed(before, snapshot(system))


def trainable(system, *names):
    return {f"{name}/{v.path}" for name in names for v in system.networks[name].trainable_variables}


def test_generator_phase_moves_the_generator_alone(batch):
    system = make_system()
    moved = run_phase(system, batch, 0)
    all_trainable = trainable(system, *system.networks)
    assert moved & all_trainable == trainable(system, "colorization")
    # What else changes are moving statistics of batch normalisation.
    assert all("moving_" in path for path in moved - all_trainable)


def test_critic_phase_moves_critic_and_classifier_alone(batch, critic_update):
    system = critic_update.anew().system
    before = snapshot(system)
    critic_update.step(batch, 0)
    moved = changed(before, snapshot(system))
    all_trainable = trainable(system, *system.networks)
    expected = trainable(system, "discriminator", "classifier")
    # The last bias of a critic adds the same to real and generated patches: its gradient is zero.
    assert expected - moved <= {"discriminator/patches/bias"}
    assert moved & all_trainable <= expected
    assert any("colorization" in path and "moving_mean" in path for path in moved)


def test_first_adam_step_has_the_size_of_the_learning_rate(batch, critic_update):
    """After one step Adam's averages are the gradient itself: it moves by lr * g / (|g| + 1e-7)."""
    system = critic_update.anew(learning_rate=1e-3).system
    before = system.D1.get_layer("critic_conv1").kernel.numpy()
    critic_update.step(batch, 0)
    moved = np.abs(system.D1.get_layer("critic_conv1").kernel.numpy() - before)
    assert np.median(moved) == pytest.approx(1e-3, rel=1e-2)
    assert moved.max() <= 1e-3 * (1 + 1e-3)


def test_optimisers_are_the_papers():
    for optimizer in make_system(learning_rate=2e-5).optimizers.values():
        config = optimizer.get_config()
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert (config["beta_1"], config["beta_2"], config["epsilon"]) == (0.5, 0.999, 1e-7)
        assert config["learning_rate"] == pytest.approx(2e-5)


def test_shared_adam_steps_are_those_of_one_count():
    """Three updates of each network in turn, against Adam written out with a count that starts at 2."""
    optimizers = make_system(learning_rate=1e-3, shared_adam_steps=True).optimizers
    gradients = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    for place, optimizer in enumerate(optimizers.values()):
        variable = keras.Variable(np.ones(5, np.float32))
        optimizer.build([variable])
        expected, mean, square = np.ones(5), 0.0, 0.0
        for update, gradient in enumerate(gradients):
            optimizer.apply([gradient], [variable])
            count = 2 + place + len(optimizers) * update
            mean = 0.5 * mean + 0.5 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            rate = 1e-3 * np.sqrt(1 - 0.999**count) / (1 - 0.5**count)
            expected = expected - rate * mean / (np.sqrt(square) + 1e-7)
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)


def test_released_statistics_count_the_released_programs_passes(batch):
    """Three passes a batch over generators that stand still: the zero-debiased average of A, A, A, B, B, B."""
    other = {name: value[::-1] * 0.5 if name == "L" else value for name, value in batch.items()}
    system = make_system(learning_rate=1e-12, released_statistics=True)
    layer = system.G.get_layer("global_conv4_bn")
    inputs = keras.Model(system.G.input, layer.input)
    a, b = (
        np.asarray(inputs(fields["L"], training=True)).reshape(-1, layer.input.shape[-1]) for fields in (batch, other)
    )
    layer.moving_mean.assign(np.full(layer.moving_mean.shape, 7.0))
    step = Step(system, seed=0)
    step(batch, 0)
    np.testing.assert_allclose(layer.moving_mean, a.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, a.var(0, ddof=1), rtol=5e-3)
    step(other, 1)
    weights = 0.01 * 0.99 ** np.arange(5, -1, -1) / (1 - 0.99**6)
    expected = weights[:3].sum() * a.mean(0) + weights[3:].sum() * b.mean(0)
    np.testing.assert_allclose(layer.moving_mean, expected, rtol=1e-4, atol=1e-6)


def test_released_statistics_count_passes_whose_update_overflowed(batch):
    """With scaled losses the first updates are left out until the scale fits; their passes were made all the same."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        system = make_system(learning_rate=1e-12, released_statistics=True)
    finally:
        keras.config.set_dtype_policy("float32")
    layer = system.G.get_layer("global_conv4_bn")
    inputs = keras.Model(system.G.input, layer.input)
    a = np.float32(inputs(batch["L"], training=True)).reshape(-1, layer.input.shape[-1])
    optimizer = system.optimizers["colorization"]
    step = Step(system, seed=0)
    optimizer.dynamic_scale.assign(2.0**120)
    step(batch, 0)
    assert int(optimizer.inner_optimizer.iterations) == 0
    # The same batch three times more or less, so its own statistics, whatever they were before.
    np.testing.assert_allclose(layer.moving_mean, a.mean(0), rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(layer.moving_variance, a.var(0, ddof=1), rtol=2e-2)


def test_heads_without_weight_get_no_gradient(batch):
    system = make_system(L_cls=0.0, L_par=0.0, L_info=0.0)
    moved = run_phase(system, batch, 0)
    still = {path for path in trainable(system, "colorization") if path not in moved}
    assert {path.split("/")[1] for path in still} == {
        "label",
        "label_dense1",
        "label_dense2",
        "parsing_conv8",
        "parsing_half",
    }


def test_masked_samples_do_not_count(batch, update):
    """A batch in which two samples have a label gives the L_cls and L_par of these two."""
    masked = batch | {
        "label_weight": np.array([0, 2, 0, 2], np.float32),
        "parsing_weight": np.array([2, 0, 2, 0], np.float32),
    }
    other = masked | {"label": batch["label"].copy(), "parsing": batch["parsing"].copy()}
    other["label"][[0, 2]], other["parsing"][[1, 3]] = 0, 0
    system = update.anew().system
    made = {name: np.asarray(value) for name, value in system.G(batch["L"], training=True).items()}
    for fields in (masked, other):
        values = update.anew().step(fields, 0)
        assert values["L_cls"] == pytest.approx(-np.log(made["label"][[1, 3], [1, 3]]).mean(), rel=1e-3)
        error = ((made["parsing"] - batch["parsing"]) ** 2)[[0, 2]].mean()
        assert values["L_par"] == pytest.approx(error, rel=1e-4)


@pytest.mark.rewritten
def test_same_seed_same_numbers(batch, critic_update):
    def run_losses(seed):
        system = make_system()
        system.phases = system.phases[1:]
        return Step(system, seed)(batch, 0)

    first, second, other = critic_update.anew().step(batch, 0), run_losses(0), run_losses(6)
    assert first == second
    # Only alpha depends on this seed, and with it the penalty.
    assert {name for name in first if first[name] != other[name]} == {"penalty"}


def test_penalty_is_the_released_programs_sum(batch):
    """The gradient of the summed patch map, at the mixture that alpha gives, once more with a plain tape."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the tape is TensorFlow's")
    import tensorflow as tf

    system = make_system(learning_rate=1e-12)
    fake = system.G(batch["L"], training=True)["ab"]
    alpha = np.array([0.1, 0.4, 0.7, 1.0], np.float32).reshape(4, 1, 1, 1)

    class Fixed:
        def uniform(self, shape):
            return tf.constant(alpha)

        def input_gradient(self, function, point):
            with tf.GradientTape() as tape:
                tape.watch(point)
                total = tf.reduce_sum(function(point))
            return tape.gradient(total, point)

    tensors = {name: tf.constant(value) for name, value in batch.items()}
    named = system.phases[1].losses(tensors, system.once(tensors), Fixed())
    point = tf.constant(alpha * batch["ab"] + (1 - alpha) * np.asarray(fake))
    with tf.GradientTape() as tape:
        tape.watch(point)
        total = tf.reduce_sum(system.D1([tensors["L"], point]))
    lengths = np.sqrt((tape.gradient(total, point).numpy() ** 2).sum((1, 2, 3)))
    np.testing.assert_allclose(named["penalty"], (lengths - 1) ** 2, rtol=1e-3)
    assert losses.mix(batch["ab"], np.asarray(fake), alpha)[3] == pytest.approx(batch["ab"][3])


def test_cosine_decay_goes_with_shared_steps():
    """Three updates of each network, against Adam written out with a count from 2 and a rate that ends at zero."""
    optimizers = make_system(learning_rate=1e-3, shared_adam_steps=True, options={"decay_steps": 2}).optimizers
    gradients = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    for place, optimizer in enumerate(optimizers.values()):
        variable = keras.Variable(np.ones(5, np.float32))
        optimizer.build([variable])
        expected, mean, square = np.ones(5), 0.0, 0.0
        for update, gradient in enumerate(gradients):
            optimizer.apply([gradient], [variable])
            count = 2 + place + len(optimizers) * update
            mean = 0.5 * mean + 0.5 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            rate = (1e-3, 0.5e-3, 0.0)[update] * np.sqrt(1 - 0.999**count) / (1 - 0.5**count)
            expected = expected - rate * mean / (np.sqrt(square) + 1e-7)
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)


def test_the_learning_rate_rises_before_it_falls():
    options = {"decay_steps": 4, "warmup_steps": 2}
    optimizer = make_system(learning_rate=1e-3, options=options).optimizers["colorization"]
    rates = []
    for update in range(7):
        optimizer.iterations.assign(update)
        rates.append(float(optimizer.learning_rate))
    cosine = [(1 + np.cos(np.pi * i / 4)) / 2 for i in range(5)]
    np.testing.assert_allclose(rates, 1e-3 * np.array([0, 0.5, *cosine]), atol=1e-9)


def test_the_average_is_in_place_for_a_while_and_then_the_weights_again(batch):
    system = make_system(options={"ema_momentum": 0.75})
    # The generator's phase: no other network has an average.
    system.phases = system.phases[:1]
    step = Step(system, seed=0)
    expected = None
    for i in range(3):
        step(batch, i)
        own = snapshot(system)
        weights = {variable.path: variable.numpy() for variable in system.G.trainable_variables}
        # Keras' average starts with the weights after the first update.
        expected = {
            name: value if expected is None else 0.75 * expected[name] + 0.25 * value for name, value in weights.items()
        }
        with averaged(system):
            for variable in system.G.trainable_variables:
                np.testing.assert_allclose(variable.numpy(), expected[variable.path], rtol=1e-5, atol=1e-7)
            others = {name for name, value in snapshot(system).items() if (value != own[name]).any()}
            assert all(name.startswith("colorization/") for name in others)
            assert bool(others) == (i > 0)
        for name, value in snapshot(system).items():
            np.testing.assert_array_equal(value, own[name], err_msg=name)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_16_bits_give_about_the_same_losses_and_train_float32_variables(batch, precision):
    exact = make_system()
    made = exact.G(batch["L"], training=True)
    expected = {
        name: np.mean((np.float32(made[field]) - batch[field]) ** 2)
        for name, field in (("L_r", "ab"), ("L_par", "parsing"))
    }
    expected["L_g"] = -np.mean(np.float32(exact.D1([ops.convert_to_tensor(batch["L"]), made["ab"]])))
    keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        system = make_system()
    finally:
        keras.config.set_dtype_policy("float32")
    before = snapshot(system)
    values = Step(system, seed=0)(batch, 0)
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=0.05, abs=2e-3), name
        assert values[name] != value
    after = snapshot(system)
    assert {value.dtype for value in after.values()} == {np.dtype("float32")}
    moved = [name for name, value in after.items() if (value != before[name]).any()]
    assert len(moved) > 0.9 * len(after)
