import csv
import gc
from collections import Counter

import keras
import numpy as np
import pytest
import tensorflow as tf

from historynet.systems.historynet.classifier import build_classifier
from historynet.systems.historynet.discriminator import build_discriminator, piecewise_linear
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import VARIANTS, Architecture

TINY = Architecture(image_size=32, width=1 / 32)


@pytest.fixture(autouse=True)
def _one_network_at_a_time():
    """Several of full size would take gigabytes, which TensorFlow keeps for further networks when they are gone."""
    yield
    gc.collect()


PARAMETERS = {
    "HistoryNet": 158_941_017,
    "HistoryNet_Parsing": 158_857_913,
    "HistoryNet_Classifier": 152_188_664,
    "Baseline": 171_171_722,
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_of_the_papers_generators(variant):
    assert build_generator(Architecture(variant)).count_params() == PARAMETERS[variant]


def test_parameters_of_the_papers_discriminators():
    assert build_discriminator(Architecture()).count_params() == 2_764_737
    assert build_classifier(Architecture()).count_params() == 32_909_504


def signature(kind, units, kernel, strides, activation, inputs):
    return (kind, units, kernel, strides, activation, tuple(inputs))


def table_signatures(path):
    """What each layer of a table computes, from the inputs on: two graphs with equal ones are the same graph."""
    signatures, found = {}, []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            inputs = [signatures[name] for name in row["inputs"].split(" + ") if name]
            name, kind = row["layer"], row["type"]
            if kind == "Model (nested)":
                continue
            if kind == "InputLayer":
                # The nested model's input is the outer one's; its name in the table is the nested model's output.
                signatures[name] = "input"
                continue
            strides = row["strides"]
            units = row["units"].strip("[]").replace(" ", "")
            if kind == "UpSampling2D":
                units, strides = "", row["kernel"]
            value = signature(kind, units, row["kernel"] if "Conv" in kind else "", strides, row["activation"], inputs)
            signatures[name] = value
            if name.startswith("model_"):
                signatures[name.split("/")[0]] = value
            found.append(value)
    return found


def model_signatures(model):
    signatures, found = {}, []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "InputLayer" or layer.name == "L_three_times":
            # The released program repeats L outside of its graph.
            signatures[layer.name] = "input"
            continue
        parents = [node.operation.name for node in layer._inbound_nodes[0].parent_nodes]
        inputs = [signatures[name] for name in parents]
        units = kernel = strides = activation = ""
        if kind == "Conv2D":
            assert layer.padding == "same"
            units, kernel = str(layer.filters), "x".join(map(str, layer.kernel_size))
            strides, activation = "x".join(map(str, layer.strides)), layer.activation.__name__
        elif kind == "Dense":
            units, activation = str(layer.units), layer.activation.__name__
        elif kind == "BatchNormalization":
            activation = f"momentum={layer.momentum} eps={layer.epsilon}"
        elif kind == "LeakyReLU":
            activation = f"alpha={layer.negative_slope}"
        elif kind == "MaxPooling2D":
            strides = "x".join(map(str, layer.strides))
        elif kind == "UpSampling2D":
            assert layer.interpolation == "nearest"
            strides = "x".join(map(str, layer.size))
        elif kind == "RepeatVector":
            units = str(layer.n)
        elif kind == "Reshape":
            units = ",".join(map(str, layer.target_shape))
        signatures[layer.name] = signature(kind, units, kernel, strides, activation, inputs)
        found.append(signatures[layer.name])
    return found


TABLES = [
    (f"{variant.removeprefix('HistoryNet_')}_{build.__name__.removeprefix('build_')}.csv", variant, build)
    for variant in VARIANTS
    for build in (build_generator, build_discriminator, build_classifier)
    # D2 looks for the info vector.
    if build is not build_classifier or "info" in VARIANTS[variant].outputs
]


@pytest.mark.parametrize(("table", "variant", "build"), TABLES, ids=[table for table, _, _ in TABLES])
def test_layers_are_the_released_programs(reference, table, variant, build):
    ours, theirs = model_signatures(build(Architecture(variant))), table_signatures(reference / "spec" / table)
    # The released program flattens the same tensor twice; everything else stands there as often as here.
    assert set(ours) == set(theirs)
    counts = Counter(theirs)
    counts.subtract(ours)
    assert {value[0] for value, count in counts.items() if count} <= {"Flatten"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs(variant):
    generator = build_generator(Architecture(variant, image_size=32, width=1 / 32))
    shapes = {name: tensor.shape[1:] for name, tensor in generator.output.items()}
    classes = 1000 if variant == "Baseline" else 42
    expected = {"ab": (32, 32, 2), "label": (classes,), "parsing": (32, 32, 1), "info": (8,)}
    assert shapes == {name: expected[name] for name in VARIANTS[variant].outputs}


def test_outputs_at_full_size():
    shapes = {name: tensor.shape[1:] for name, tensor in build_generator(Architecture()).output.items()}
    assert shapes == {"ab": (224, 224, 2), "label": (42,), "parsing": (224, 224, 1), "info": (256,)}
    assert build_discriminator(Architecture()).output.shape[1:] == (28, 28, 1)
    assert build_classifier(Architecture()).output.shape[1:] == (256,)


def test_ranges_of_the_outputs():
    outputs = build_generator(TINY)(np.random.default_rng(0).random((3, 32, 32, 1)))
    outputs = {name: np.asarray(value) for name, value in outputs.items()}
    np.testing.assert_allclose(outputs["label"].sum(-1), 1, rtol=1e-5)
    for name in ("ab", "parsing"):
        assert outputs[name].min() > 0
        assert outputs[name].max() < 1


def test_width_scales_every_channel_count_but_the_outputs():
    half, full = (build_generator(Architecture(image_size=32, width=width)) for width in (0.5, 1.0))
    for a, b in zip(half.layers, full.layers, strict=True):
        if isinstance(a, keras.layers.Conv2D | keras.layers.Dense) and a.name not in (
            "ab_half",
            "parsing_half",
            "label",
        ):
            assert 2 * a.kernel.shape[-1] == b.kernel.shape[-1], a.name


def test_every_layer_has_a_name_of_its_own():
    for build in (build_generator, build_discriminator, build_classifier):
        first, second = ([layer.name for layer in build(TINY).layers] for _ in range(2))
        assert first == second


def test_features_and_dense_layers_have_widths_of_their_own():
    mixed = Architecture(image_size=32, width=1 / 32, features_width=1 / 16, dense_width=1 / 64)
    for build in (build_generator, build_discriminator, build_classifier):
        for ours, full in zip(build(mixed).layers, build(Architecture(image_size=32)).layers, strict=True):
            if not isinstance(ours, keras.layers.Conv2D | keras.layers.Dense) or ours.name.endswith("_half"):
                continue
            if isinstance(ours, keras.layers.Dense):
                factor = 1 / 64
            else:
                factor = 1 / 16 if ours.name[:6] in ("block1", "block2", "block3") else 1 / 32
            expected = {"label": 42, "patches": 1}.get(ours.name, max(1, round(full.kernel.shape[-1] * factor)))
            assert ours.kernel.shape[-1] == expected, ours.name


def test_outputs_stay_exact_under_mixed_precision():
    """In bfloat16 the numbers about 128 / 255 are half a level of the pictures apart."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        networks = [build(TINY) for build in (build_generator, build_discriminator, build_classifier)]
    finally:
        keras.config.set_dtype_policy("float32")
    for network in networks:
        assert {tensor.dtype for tensor in keras.tree.flatten(network.output)} == {"float32"}
        assert {variable.dtype for variable in network.variables} == {"float32"}
    networks[0].get_layer("ab_half").bias.assign([0.1, -0.2])  # away from 0.5, which every type has
    ab = np.asarray(networks[0](np.random.default_rng(0).random((1, 32, 32, 1)))["ab"])
    assert (ab != np.asarray(keras.ops.cast(keras.ops.cast(ab, "bfloat16"), "float32"))).mean() > 0.9


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_gradients_of_gradients_are_those_of_leaky_relu(policy):
    keras.config.set_dtype_policy(policy)
    try:
        critic = build_discriminator(TINY)
        same = piecewise_linear(critic)
    finally:
        keras.config.set_dtype_policy("float32")
    rng = np.random.default_rng(0)
    luminance, ab = (tf.constant(rng.random((2, 32, 32, channels)), tf.float32) for channels in (1, 2))

    def gradients(network):
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(ab)
                patches = network([luminance, ab])
            slope = inner.gradient(patches, ab)
            length = tf.reduce_sum(slope**2)
        kernels = [variable for variable in critic.trainable_variables if variable.path.endswith("kernel")]
        return [patches, slope, *tape.gradient(length, kernels)]

    for ours, theirs in zip(gradients(same), gradients(critic), strict=True):
        assert np.abs(theirs).max() > 0
        np.testing.assert_array_equal(ours, theirs)
