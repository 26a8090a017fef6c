"""The optimisers, against formulas and Keras' own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from historynet.systems import vgg16
from historynet.systems.optimizers import Adams

RATE = 0.01


def network(seed=1):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, name="early"), keras.layers.Dense(2, name="late")], name="network"
    )


def gradients(model, step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=variable.shape).astype(np.float32) for variable in model.trainable_variables]


def compiled_update(optimizer, model):
    """An update as the step in JAX makes it: variables go in and come out; they are assigned here."""
    import jax

    apply = jax.jit(optimizer.stateless_apply)

    def update(values):
        new = apply([v.value for v in optimizer.variables], values, [v.value for v in model.trainable_variables])
        for variable, value in zip([*model.trainable_variables, *optimizer.variables], [*new[0], *new[1]], strict=True):
            variable.assign(value)

    return update


def trained(options, steps=5, compiled=False):
    """(weights before, weights after some steps) by the variables' paths."""
    model = network()
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    optimizer = Adams(learning_rate=RATE, **options).make({"network": model})["network"]
    optimizer.build(model.trainable_variables)
    update = compiled_update(optimizer, model) if compiled else optimizer.apply
    for step in range(steps):
        update([keras.ops.convert_to_tensor(value) for value in gradients(model, step)])
    return before, {variable.path: variable.numpy() for variable in model.trainable_variables}


def adam(weights, steps, rate=RATE, decay=0.0, clip=None, index=None, beta_1=0.9, beta_2=0.999):
    """Kingma and Ba's Algorithm 1 with Loshchilov and Hutter's decay, in float64."""
    model, m, v, value = network(), 0.0, 0.0, weights.astype(np.float64)
    for step in range(steps):
        all_gradients = gradients(model, step)
        norm = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in all_gradients))
        g = all_gradients[index].astype(np.float64) * (min(1.0, clip / norm) if clip else 1.0)
        m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g**2
        value = value * (1 - rate * decay)
        corrected = np.sqrt(1 - beta_2 ** (step + 1)) / (1 - beta_1 ** (step + 1))
        value = value - rate * corrected * m / (np.sqrt(v) + 1e-7)
    return value


FORMULAS = [
    ({}, {}),
    ({"weight_decay": 0.5}, {"decay": 0.5}),
    ({"clip_norm": 1.0}, {"clip": 1.0}),
    ({"rates": {"early": 0.25}}, {"early": 0.25}),
    ({"weight_decay": 0.5, "clip_norm": 2.0, "rates": {"early": 0.25}}, {"decay": 0.5, "clip": 2.0, "early": 0.25}),
    ({"beta_1": 0.5, "beta_2": 0.9}, {"beta_1": 0.5, "beta_2": 0.9}),
]


@pytest.mark.parametrize(("options", "expected"), FORMULAS)
def test_steps_are_those_of_the_formula(options, expected, compiled=False):
    before, after = trained(options, compiled=compiled)
    for index, (path, value) in enumerate(after.items()):
        formula = dict(expected)
        share = formula.pop("early", 1.0) if "early" in path else formula.pop("early", 1.0) ** 0
        if not path.endswith("kernel"):
            formula.pop("decay", None)
        np.testing.assert_allclose(
            value, adam(before[path], 5, rate=RATE * share, index=index, **formula), rtol=2e-4, atol=2e-6, err_msg=path
        )


def under_jax():
    """All formulas, by the compiled update; how many. In a process of its own: Keras has one engine."""
    assert keras.backend.backend() == "jax"
    for options, expected in FORMULAS:
        test_steps_are_those_of_the_formula(options, expected, compiled=True)
    print(json.dumps(len(FORMULAS)))


def test_steps_are_those_of_the_formula_without_a_state_in_jax():
    pytest.importorskip("jax")
    result = subprocess.run(
        [sys.executable, "-c", "import test_optimizers; test_optimizers.under_jax()"],
        cwd=Path(__file__).parent,
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == len(FORMULAS)


def test_decay_is_that_of_keras_adamw():
    _, ours = trained({"weight_decay": 0.1})
    model = network()
    theirs = keras.optimizers.AdamW(RATE, weight_decay=0.1, epsilon=1e-7)
    theirs.exclude_from_weight_decay(var_names=["bias"])
    theirs.build(model.trainable_variables)
    for step in range(5):
        theirs.apply(
            [keras.ops.convert_to_tensor(value) for value in gradients(model, step)], model.trainable_variables
        )
    for variable in model.trainable_variables:
        np.testing.assert_allclose(ours[variable.path], variable.numpy(), rtol=1e-5, atol=1e-7)


def test_without_options_the_steps_are_keras_adams_to_the_bit():
    _, ours = trained({})
    model = network()
    theirs = keras.optimizers.Adam(RATE)
    theirs.build(model.trainable_variables)
    for step in range(5):
        theirs.apply(
            [keras.ops.convert_to_tensor(value) for value in gradients(model, step)], model.trainable_variables
        )
    for variable in model.trainable_variables:
        np.testing.assert_array_equal(ours[variable.path], variable.numpy())


def test_rates_hold_for_scaled_losses_too():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network()
    finally:
        keras.config.set_dtype_policy("float32")
    before = [variable.numpy() for variable in model.trainable_variables]
    optimizer = Adams(learning_rate=RATE, rates={"early": 0.25}).make({"network": model})["network"]
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    optimizer.build(model.trainable_variables)
    # Keras' scaled losses have no update with a state in JAX.
    update = compiled_update(optimizer, model) if keras.backend.backend() == "jax" else optimizer.apply
    update([keras.ops.convert_to_tensor(value * 2.0**15) for value in gradients(model, 0)])
    # Adam's first step has the size of the learning rate.
    moved = [np.abs(a - v.numpy()).max() for a, v in zip(before, model.trainable_variables, strict=True)]
    np.testing.assert_allclose(moved, [RATE / 4, RATE / 4, RATE, RATE], rtol=1e-2)


def test_the_rate_falls_to_its_final_share():
    adams = Adams(learning_rate=0.4, decay_steps=100, warmup_steps=10, final_rate=0.1)
    optimizer = adams.make({"network": network()})["network"]
    rates = []
    for step in (0, 5, 10, 60, 110, 500):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(rates, [0, 0.2, 0.4, 0.22, 0.04, 0.04], rtol=1e-5)


def test_networks_can_have_optimisers_of_their_own():
    models = {"network": network(), "judge": network()}
    made = Adams(learning_rate=RATE).make(models, {"judge": Adams(learning_rate=0.5, beta_1=0.5)})
    assert [float(made[name].learning_rate) for name in models] == pytest.approx([RATE, 0.5])
    assert made["judge"].beta_1 == 0.5


def test_a_rate_of_a_layer_that_no_network_has_is_no_rate():
    with pytest.raises(ValueError, match="early2"):
        Adams(learning_rate=RATE, rates={"early2": 0.5}).make({"network": network()})


def test_a_rate_holds_for_a_layer_within_a_layer_and_for_the_same_layers_of_a_copy():
    inner = network()
    outer = keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(1, name="last")], name="outer")
    copy = keras.models.clone_model(network())
    for model in (outer, copy):
        before = {variable.path: variable.numpy() for variable in model.trainable_variables}
        optimizer = Adams(learning_rate=RATE, rates={"early": 0.25}).make({"network": model})["network"]
        optimizer.apply(
            [keras.ops.ones(variable.shape) for variable in model.trainable_variables], model.trainable_variables
        )
        for variable in model.trainable_variables:
            # Adam's first step has the size of the learning rate.
            moved = np.abs(variable.numpy() - before[variable.path]).max()
            assert moved == pytest.approx(RATE / 4 if "early" in variable.path else RATE, rel=1e-2), variable.path


def test_all_that_is_called_a_kernel_decays():
    picture = keras.Input((8, 8, 2))
    x = keras.layers.SeparableConv2D(3, 3, name="apart")(picture)
    x = keras.layers.BatchNormalization(name="normalize")(x)
    x = keras.layers.GRU(4, name="sequence")(keras.layers.Reshape((36, 3))(x))
    model = keras.Model(picture, x)
    for variable in model.trainable_variables:
        variable.assign(keras.ops.ones(variable.shape))
    optimizer = Adams(learning_rate=RATE, weight_decay=0.5).make({"network": model})["network"]
    # Without a gradient nothing but the decay moves a variable.
    optimizer.apply(
        [keras.ops.zeros(variable.shape) for variable in model.trainable_variables], model.trainable_variables
    )
    decayed = {variable.name for variable in model.trainable_variables if (variable.numpy() < 1).all()}
    assert decayed == {"depthwise_kernel", "pointwise_kernel", "kernel", "recurrent_kernel"}
    assert {v.name for v in model.trainable_variables} - decayed == {"bias", "gamma", "beta"}


def test_the_features_of_a_rate_of_their_own_are_vgg16s_first_three_blocks():
    """As help and recipe say: block 4 takes part in the width of the paths, and is not VGG16's in a narrow network."""
    from test_settings import resolve

    from historynet.systems.historynet.system import Options

    settings = resolve("--features-rate", "0.25")
    rates = Options.of(settings).adams.rates
    assert rates == dict.fromkeys(vgg16.layer_names(blocks=3), 0.25)
