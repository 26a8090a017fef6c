"""The optimisers, against formulas and Keras' own."""

import keras
import numpy as np
import pytest

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


def trained(options, steps=5):
    """(weights before, weights after some steps) by the variables' paths."""
    model = network()
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    optimizer = Adams(learning_rate=RATE, **options).make({"network": model})["network"]
    optimizer.build(model.trainable_variables)
    for step in range(steps):
        optimizer.apply(
            [keras.ops.convert_to_tensor(value) for value in gradients(model, step)], model.trainable_variables
        )
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


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"weight_decay": 0.5}, {"decay": 0.5}),
        ({"clip_norm": 1.0}, {"clip": 1.0}),
        ({"rates": {"early": 0.25}}, {"early": 0.25}),
        ({"weight_decay": 0.5, "clip_norm": 2.0, "rates": {"early": 0.25}}, {"decay": 0.5, "clip": 2.0, "early": 0.25}),
        ({"beta_1": 0.5, "beta_2": 0.9}, {"beta_1": 0.5, "beta_2": 0.9}),
    ],
)
def test_steps_are_those_of_the_formula(options, expected):
    before, after = trained(options)
    for index, (path, value) in enumerate(after.items()):
        formula = dict(expected)
        share = formula.pop("early", 1.0) if "early" in path else formula.pop("early", 1.0) ** 0
        if not path.endswith("kernel"):
            formula.pop("decay", None)
        np.testing.assert_allclose(
            value, adam(before[path], 5, rate=RATE * share, index=index, **formula), rtol=2e-4, atol=2e-6, err_msg=path
        )


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
    optimizer.apply(
        [keras.ops.convert_to_tensor(value * 2.0**15) for value in gradients(model, 0)], model.trainable_variables
    )
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
