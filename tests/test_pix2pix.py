"""Pix2Pix with self-attention: its networks, losses and updates, by hand and against the reference numbers."""

import csv
import zlib
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import ROOT
from keras import ops

from historynet.systems.pix2pix import attention, losses
from historynet.systems.pix2pix import spectral_normalization as spectral
from historynet.systems.pix2pix.architecture import Architecture
from historynet.systems.pix2pix.patch_discriminator import build_discriminator
from historynet.systems.pix2pix.system import Pix2Pix
from historynet.systems.pix2pix.unet import build_generator
from historynet.training.engine import Step

EXPERIMENTS = {
    "expt1": (None, "log"),
    "expt2": (None, "least_squares"),
    "expt3": (32, "log"),
    "expt4": (32, "least_squares"),
    "expt5": (64, "log"),
    "expt6": (64, "least_squares"),
    "expt7": (128, "log"),
    "expt8": (128, "least_squares"),
    "sagan": (64, "hinge"),
}
"""Attention and loss, Table 4.1."""


@pytest.fixture
def golden(reference):
    """Reads an archive of the reference numbers; the test is skipped where it is not."""

    def read(name):
        path = reference / "golden/pix2pix" / name
        if not path.exists():
            pytest.skip(f"no {path}")
        return np.load(path) if path.suffix == ".npz" else path

    return read


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array))


def gradients(function, *points):
    """The gradients of a scalar function of tensors."""
    if keras.backend.backend() == "jax":
        import jax

        return [numbers(g) for g in jax.grad(function, argnums=tuple(range(len(points))))(*map(tensor, points))]
    import tensorflow as tf

    points = [tensor(point) for point in points]
    with tf.GradientTape() as tape:
        tape.watch(points)
        value = function(*points)
    return [numbers(g) for g in tape.gradient(value, points)]


def close(ours, expected, tolerance):
    """The distance of whole arrays, relative to the expected one."""
    ours, expected = np.asarray(ours, np.float64), np.asarray(expected, np.float64)
    assert ours.shape == expected.shape
    assert np.linalg.norm(ours - expected) <= tolerance * np.linalg.norm(expected) + 1e-12


def made_up(network):
    """Fills a network with weights that follow from the variables' names."""
    for layer in network.layers:
        for variable in layer.weights:
            array, shape = variable.path.split("/")[-1], variable.shape
            name = f"{network.name}/{layer.name}/{array}"
            n = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
            if array == "kernel":
                is_transposed = layer.name.startswith("up")
                n = n * np.sqrt(2 / (4 * shape[3] if is_transposed else np.prod(shape[:3])))
            elif array == "u":
                n = n / np.linalg.norm(n)
            elif array == "attention_gamma":
                n = 0.5
            else:
                n = {
                    "bias": 0.02 * np.asarray(n),
                    "beta": 0.1 * np.asarray(n),
                    "moving_mean": 0.1 * np.asarray(n),
                    "gamma": 1 + 0.1 * np.asarray(n),
                    "moving_variance": 1 + 0.2 * np.abs(n),
                }[array]
            variable.assign(np.asarray(n, np.float32))
    return network


def made_up_batch(height, width):
    def rand(name, *shape):
        return np.random.RandomState(zlib.crc32(name.encode())).rand(*shape)

    luminance = rand("input/L", 2, height, width, 1)
    ab = 0.3 + 0.4 * rand("input/ab", 2, height, width, 2)
    return luminance.astype(np.float32), ab.astype(np.float32)


# Attention


def block(x, query, key, value, output, gamma, chunk=None):
    """Eq. 3.9 to 3.11 of maps, with 1x1 kernels."""
    flat = ops.reshape(x, (x.shape[0], -1, x.shape[-1]))
    projected = [ops.matmul(flat, kernel[0, 0]) for kernel in (query, key, value)]
    attended = ops.matmul(attention.attend(*projected, chunk=chunk), output[0, 0])
    return x + gamma * ops.reshape(attended, x.shape)


@pytest.mark.parametrize("gamma", [0, 0.75])
@pytest.mark.parametrize("case", "abc")
@pytest.mark.parametrize("chunk", [None, 300])
def test_attention_and_its_gradients_are_the_reference(golden, case, gamma, chunk):
    data = golden("attention.npz")
    names = ("x", "query", "key", "value", "output")
    arrays = [data[f"{case}_{name}"] for name in names] + [np.float32(gamma)]
    close(numbers(block(*map(tensor, arrays), chunk=chunk)), data[f"{case}_gamma{gamma}_y"], 1e-5)
    found = gradients(lambda *a: ops.sum(block(*a, chunk=chunk) * data[f"{case}_dy"]), *arrays)
    for name, gradient in zip((*names, "gamma"), found, strict=True):
        close(gradient, data[f"{case}_gamma{gamma}_d{name}"], 1e-5)


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("chunk", [1, 60, 7 * 60, 60 * 60])
def test_chunked_attention_is_the_plain_one(chunk, channels):
    """Also where the rows do not divide the places. The gradients of one channel are computed in a way of their own."""
    query, key, value, weight = np.random.default_rng(0).standard_normal((4, 3, 60, channels))

    def weighted(chunk):
        return lambda *a: ops.sum(attention.attend(*a, chunk=chunk) * weight)

    points = (query, key, value)
    expected = numbers(attention.attend(*map(tensor, points)))
    # JAX has no float64 here.
    atol = 1e-12 if expected.dtype == np.float64 else 1e-5
    np.testing.assert_allclose(numbers(attention.attend(*map(tensor, points), chunk=chunk)), expected, atol=atol)
    for ours, plain in zip(gradients(weighted(chunk), *points), gradients(weighted(None), *points), strict=True):
        np.testing.assert_allclose(ours, plain, atol=10 * atol)


def test_large_maps_are_attended_to_in_chunks(monkeypatch):
    seen = []
    chunked = attention._chunked
    monkeypatch.setattr(attention, "_chunked", lambda rows, *a: seen.append(rows) or chunked(rows, *a))
    for places in (1024, 1025, 4096):
        x = tensor(np.zeros((1, places, 1), np.float32))
        attention.attend(x, x, x)
    assert seen == [1023, 256]


def test_a_place_of_constant_features_gets_its_own_value():
    """All logits are alike, so that every weight is 1/N, and the mean of equal values is the value."""
    x = tensor(np.full((2, 9, 3), 0.5, np.float32))
    value = np.random.default_rng(0).standard_normal((2, 9, 3)).astype(np.float32)
    for chunk in (None, 20):
        attended = numbers(attention.attend(x, x, tensor(value), chunk=chunk))
        np.testing.assert_allclose(attended, np.repeat(value.mean(1, keepdims=True), 9, 1), atol=1e-6)


def test_attention_by_hand():
    """Two places, one channel: logits 2 * 1 and 2 * 3, or 0."""
    query, key, value = (tensor(np.float32(v).reshape(1, 2, 1)) for v in ([2, 0], [1, 3], [10, 20]))
    w = 1 / (1 + np.exp(-4))
    for chunk in (None, 2):
        attended = numbers(attention.attend(query, key, value, chunk=chunk))
        np.testing.assert_allclose(attended.ravel(), [10 + 10 * w, 15], rtol=1e-6)


def test_the_block_is_the_identity_at_first():
    inputs = keras.Input((4, 6, 16))
    network = keras.Model(inputs, attention.self_attention(inputs, keras.layers.Conv2D))
    x = np.random.default_rng(0).standard_normal((1, 4, 6, 16)).astype(np.float32)
    np.testing.assert_array_equal(numbers(network(x)), x)
    assert network.count_params() == 4 * 16 * 2 + 1


# Spectral normalisation


@pytest.mark.parametrize("name", ["conv", "transposed", "one"])
def test_spectral_normalisation_is_the_reference(golden, name):
    data = golden("spectral_norm.npz")
    kernel, u, transposed = tensor(data[f"{name}_kernel"]), tensor(data[f"{name}_u0"]), name == "transposed"

    def normalised(kernel, u):
        return kernel / spectral.iterate(spectral.matrix(kernel, transposed), u)[1]

    for i in range(1, 6):
        before = u
        u, sigma = spectral.iterate(spectral.matrix(kernel, transposed), u)
        if i in (1, 5):
            close(numbers(u), data[f"{name}_{i}_u"], 1e-5)
            close(numbers(sigma), data[f"{name}_{i}_sigma"], 1e-5)
            close(numbers(normalised(kernel, before)), data[f"{name}_{i}_normalised"], 1e-5)
            weight = data[f"{name}_dnormalised"]
            (gradient,) = gradients(lambda k, u=before, w=weight: ops.sum(normalised(k, u) * w), numbers(kernel))
            close(gradient, data[f"{name}_{i}_dkernel"], 1e-5)
            inference = spectral.norm_by(spectral.matrix(kernel, transposed), u)
            close(numbers(inference), data[f"{name}_{i}_inference_sigma"], 1e-5)


def spectral_layer(kernel, transposed=False):
    height, _, *channels = kernel.shape
    inputs, filters = channels[::-1] if transposed else channels
    layer = spectral.SpectralConv2D(filters, height, use_bias=False, transposed=transposed)
    layer.build((None, 8, 8, inputs))
    layer.kernel.assign(kernel)
    return layer


@pytest.mark.parametrize("transposed", [False, True])
def test_the_norm_becomes_the_largest_singular_value(transposed):
    kernel = np.random.default_rng(0).standard_normal((2, 2, 4, 6)).astype(np.float32)
    layer = spectral_layer(kernel, transposed)
    x = np.ones((1, 4, 4, 6 if transposed else 4), np.float32)
    for _ in range(200):
        layer(x, training=True)
    np.testing.assert_array_equal(numbers(layer.kernel), kernel)
    outputs_last = kernel.transpose(0, 1, 3, 2) if transposed else kernel
    norm = np.linalg.svd(outputs_last.reshape(-1, outputs_last.shape[-1]), compute_uv=False)[0]
    found = spectral.norm_by(spectral.matrix(layer.kernel.value, transposed), layer.u.value)
    assert float(found) == pytest.approx(norm, rel=1e-5)
    np.testing.assert_allclose(np.linalg.norm(numbers(layer.u)), 1, rtol=1e-6)
    plain = (keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D)(
        4 if transposed else 6, 2, use_bias=False
    )
    plain.build(x.shape)
    plain.kernel.assign(kernel / norm)
    np.testing.assert_allclose(numbers(layer(x)), numbers(plain(x)), atol=1e-5)


def test_a_diagonal_kernel_has_its_largest_entry_as_norm():
    kernel = np.diag([0.5, -3.0, 2.0]).astype(np.float32)
    u = tensor(np.float32([1, 1, 1]) / np.sqrt(np.float32(3)))
    for _ in range(60):
        u, sigma = spectral.iterate(tensor(kernel), u)
    assert float(sigma) == pytest.approx(3, rel=1e-6)
    assert float(sigma) == pytest.approx(np.linalg.svd(kernel, compute_uv=False)[0], rel=1e-6)


def test_colorizing_makes_no_step():
    layer = spectral_layer(np.random.default_rng(0).standard_normal((1, 1, 3, 4)).astype(np.float32))
    before = numbers(layer.u)
    layer(np.ones((1, 2, 2, 3), np.float32), training=False)
    np.testing.assert_array_equal(numbers(layer.u), before)


def test_keras_spectral_normalization_is_another_thing():
    """It overwrites the kernel, and a transposed convolution's norm is another's: why there is one of our own."""
    kernel = np.random.default_rng(0).standard_normal((4, 4, 8, 16)).astype(np.float32)
    inner = keras.layers.Conv2DTranspose(8, 4, use_bias=False)
    theirs = keras.layers.SpectralNormalization(inner)
    x = np.ones((1, 2, 2, 16), np.float32)
    theirs.build(x.shape)
    inner.kernel.assign(kernel)
    for _ in range(100):
        theirs(x, training=True)
    assert np.abs(numbers(inner.kernel) - kernel).max() > 0.1
    by_input = np.linalg.svd(numbers(inner.kernel).reshape(-1, 16), compute_uv=False)[0]
    by_output = np.linalg.svd(numbers(inner.kernel).transpose(0, 1, 3, 2).reshape(-1, 8), compute_uv=False)[0]
    assert by_input == pytest.approx(1, rel=1e-3)
    assert by_output > 1.1


# Losses


@pytest.mark.parametrize("name", losses.GAN_LOSSES)
def test_gan_losses_are_the_reference(golden, name):
    data = golden("losses.npz")
    loss = losses.GAN_LOSSES[name]
    for what, function, logits, key in (
        ("L_real", loss.real, data["real"], "d_real"),
        ("L_fake", loss.fake, data["fake"], "d_fake"),
        ("L_GAN", loss.generator, data["fake"], "d_generator"),
    ):

        def mean(s, function=function):
            return ops.mean(losses.mean_of_patches(function(s)))

        close(numbers(mean(tensor(logits))), data[f"{name}_{what}"], 1e-5)
        (gradient,) = gradients(mean, logits)
        close(gradient, data[f"{name}_{key}"], 1e-5)
    samples = losses.mean_of_patches(loss.real(tensor(data["real"])))
    close(numbers(samples), data[f"{name}_L_real_samples"], 1e-5)


def test_l1_is_the_reference(golden):
    data = golden("losses.npz")

    def mean(ab):
        return ops.mean(losses.l1(tensor(data["ab_true"]), ab))

    close(numbers(mean(tensor(data["ab"]))), data["L_L1"], 1e-5)
    close(gradients(mean, data["ab"])[0], data["d_ab"], 1e-5)


def test_the_losses_by_hand():
    s = tensor(np.float32([0, 2]).reshape(1, 1, 2, 1))
    expected = {
        "log": (np.log(2) + np.log1p(np.exp(-2)), np.log(2) + np.log1p(np.exp(2)), np.log(2) + np.log1p(np.exp(-2))),
        "least_squares": (1 + 1, 0 + 4, 1 + 1),
        "hinge": (1 + 0, 1 + 3, -2),
    }
    for name, values in expected.items():
        loss = losses.GAN_LOSSES[name]
        found = [losses.mean_of_patches(f(s)) for f in (loss.real, loss.fake, loss.generator)]
        np.testing.assert_allclose([float(value[0]) for value in found], np.array(values) / 2, rtol=1e-6)
    ab = np.full((1, 2, 2, 2), 0.5, np.float32)
    # 11 Lab units are a tenth of the networks' scale.
    np.testing.assert_allclose(numbers(losses.l1(tensor(ab), tensor(ab + np.float32(11 / 255)))), [0.1], rtol=1e-5)


# Networks


@pytest.mark.parametrize("name", [*EXPERIMENTS, "movies"])
def test_the_layers_are_those_of_the_table(golden, name):
    wide, tall = (512, 256) if name == "movies" else (128, 128)
    attended = EXPERIMENTS.get(name, (64,))[0]
    architecture = Architecture(tall, wide, attention=attended, spectral_norm=name == "sagan")
    with golden(f"layers/{name}.csv").open() as file:
        rows = {(row["network"], row["layer"]): row for row in csv.DictReader(file)}
    ours = {}
    with keras.StatelessScope(initialize_variables=False):
        for network in (build_generator(architecture), build_discriminator(architecture)):
            ours |= {(network.name, layer.name): layer for layer in network.layers}
    # Between the convolutions of the block, without arrays of its own.
    assert {name for name in ours if name[1] != "attention_attend"} == rows.keys()
    for key, row in rows.items():
        layer = ours[key]
        trainable, others = (
            sum(int(np.prod(v.shape)) for v in listed)
            for listed in (layer.trainable_weights, layer.non_trainable_weights)
        )
        assert (trainable, others) == (int(row["trainable"]), int(row["non_trainable"])), key
        assert "x".join(map(str, layer.output.shape[1:])) == row["output"], key


FORMS = {
    "128": {},
    "256x512": {"image_height": 256, "image_width": 512},
    "64_depth6": {"image_height": 64, "image_width": 64, "depth": 6},
    "128_attention32": {"attention": 32},
    "128_attention64": {"attention": 64},
    "128_attention128": {"attention": 128},
    "128_sagan": {"attention": 64, "spectral_norm": True},
    "256x512_attention64": {"image_height": 256, "image_width": 512, "attention": 64},
}


@pytest.mark.parametrize(
    ("form", "every"),
    [
        *(("inference_128", 1), ("training_128", 2), ("inference_256x512", 8), ("inference_64_depth6", 2)),
        *(("training_64_depth6", 2), ("inference_128_attention32", 4), ("inference_128_attention64", 4)),
        *(("training_128_attention64", 4), ("inference_128_sagan", 4), ("inference_128_attention128", 4)),
        ("inference_256x512_attention64", 16),
    ],
)
def test_outputs_are_the_reference(golden, form, every):
    data = golden("forward.npz")
    mode, name = form.split("_", 1)
    architecture = Architecture(width=1 / 8, **FORMS[name])
    luminance, ab = (field[: len(data[f"{form}/ab"])] for field in made_up_batch(*architecture.size))
    generator = made_up(build_generator(architecture, dropout=0.0))
    discriminator = made_up(build_discriminator(architecture))
    found, squares = {}, {}
    for network, inputs in ((generator, luminance), (discriminator, [luminance, ab])):
        every_output = {layer.name: layer.output for layer in network.layers}
        outputs = keras.Model(network.input, every_output)(inputs, training=mode == "training")
        found |= {key: numbers(outputs[key]) for key in ("ab_scaled", "ab", "patches") if key in outputs}
        if network is generator:
            made = found.copy()
        squares |= {key: float(np.square(numbers(value)).mean()) for key, value in _stages(network, outputs)}
    for key, tolerance in (("ab", 1e-5), ("ab_scaled", 2e-5)):
        np.testing.assert_allclose(made[key][:, ::every, ::every], data[f"{form}/{key}"], atol=tolerance)
    np.testing.assert_allclose(found["patches"], data[f"{form}/patches"], atol=5e-5)
    expected = {key.split("/")[-1]: float(data[key]) for key in data.files if key.startswith(f"{form}/mean_square/")}
    assert squares.keys() == expected.keys()
    for key, value in expected.items():
        assert squares[key] == pytest.approx(value, rel=1e-4), key


def _stages(network, outputs):
    """(name of a stage, what it gives behind normalisation and attention)."""
    last = {}
    for layer in network.layers:
        name, _, part = layer.name.partition("_")
        if network.name == "generator" and name.startswith(("down", "up")) and part in ("", "bn", "dropout"):
            stage = name
        elif layer.name.startswith("patch_conv") and layer.name.endswith("_relu"):
            stage = layer.name.split("_")[1]
        elif layer.name != "attention":
            continue
        last[stage] = outputs[layer.name]
    return last.items()


# Updates


def run_settings(**changes):
    usual = {
        "learning_rate": 2e-4,
        "discriminator_learning_rate": None,
        "beta_1": 0.5,
        "beta_2": 0.999,
        "gan_loss": "log",
        "lambda_l1": 100.0,
    }
    return SimpleNamespace(**(usual | changes))


def system(architecture, dropout=0.0, **changes):
    return Pix2Pix(
        made_up(build_generator(architecture, dropout)),
        made_up(build_discriminator(architecture)),
        settings=run_settings(**changes),
        architecture=architecture,
        fields={"L": None, "ab": None},
    )


def experiment(name):
    attended, loss = EXPERIMENTS[name]
    changes = {"gan_loss": loss}
    if name == "sagan":
        changes |= {"learning_rate": 1e-4, "discriminator_learning_rate": 4e-4, "beta_1": 0.0, "beta_2": 0.9}
    return system(Architecture(width=1 / 8, attention=attended, spectral_norm=name == "sagan"), **changes)


def arrays_of(trained):
    """All arrays of both networks by the reference's names."""
    return {
        f"{network.name}/{layer.name}/{variable.path.split('/')[-1]}": numbers(variable).copy()
        for network in trained.networks.values()
        for layer in network.layers
        for variable in layer.weights
    }


RUNS = ["expt1", "expt4", "expt5", "sagan"]


@pytest.fixture
def precision(request):
    """Everything is made and computed in float32 or float64."""
    if request.param == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX computes in float32 here")
    keras.config.set_floatx(request.param)
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.golden
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "precision"),
    [
        *((name, "float32") for name in RUNS),
        *((name, "float64") for name in RUNS),
    ],
    indirect=["precision"],
)
def test_three_updates_are_the_reference(golden, name, precision):
    """In float64 every array. In float32 a unit near zero can fall on its other side, and where beta1 is 0 a step
    follows the sign of gradients that rounding has made: after two updates the mean is what can be compared."""
    data, is_sagan, is_exact = golden(f"step_{name}.npz"), name == "sagan", precision == "float64"
    trained = experiment(name)
    luminance, ab = (field.astype(precision) for field in made_up_batch(128, 128))
    step, start = Step(trained, seed=0), arrays_of(trained)
    # What rounding leaves grows with each update, the more in JAX, which sums in another order.
    is_jax = keras.backend.backend() == "jax"
    for i, inexact in enumerate((1e-4, 1e-3, 1e-2) if is_sagan else (1e-4, 1e-4, 3e-4 if is_jax else 1e-4)):
        found = step({"L": luminance, "ab": ab}, i)
        losses_found = [found[key] for key in ("L_real", "L_fake", "L_GAN", "L_L1")]
        np.testing.assert_allclose(losses_found, data["losses"][i], rtol=2e-6 if is_exact else inexact)
        if i == 2:
            break
        now, part = arrays_of(trained), f"after{i + 1}/"
        # In steps of the network's learning rate.
        rates = {"generator": 1e-4, "discriminator": 4e-4} if is_sagan else {}
        errors = {
            key: np.abs(now[array] - data[key]) / rates.get(array.split("/")[0], 2e-4)
            for key in data.files
            if (array := key.removeprefix(part)) != key
        }
        assert len(errors) > 10
        if is_exact:
            assert {key: error.max() for key, error in errors.items() if error.max() > 2e-3} == {}
        elif i == 0:
            limit = 0.05 if is_sagan else 0.02
            assert {key: error.max() for key, error in errors.items() if error.max() > limit} == {}
        else:
            assert np.concatenate([error.ravel() for error in errors.values()]).mean() < 0.02
        if i == 0:
            for key in data.files:
                if key.startswith("statistics1/") and not key.endswith("_unbiased"):
                    close(now[key.partition("/")[2]], data[key], 1e-5)
        for array, norm in zip(data[f"moved{i + 1}_name"], data[f"moved{i + 1}_norm"], strict=True):
            moved, relative = np.linalg.norm(now[array] - start[array]), 3e-2 if is_sagan else 1e-3
            assert moved == pytest.approx(norm, rel=1e-4 if is_exact else relative, abs=1e-9), array


@pytest.mark.golden
@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_gradients_of_an_update_are_the_reference(golden, name):
    data = golden(f"step_{name}.npz")
    luminance, ab = made_up_batch(128, 128)
    fields = {"L": luminance, "ab": ab}
    phases = experiment(name).phases
    assert [list(phase.objectives) for phase in phases] == [["discriminator"], ["colorization"]]

    trained = experiment(name)
    trained.phases = trained.phases[:1]
    ((_, by_network),) = Step(trained, seed=0).gradients(fields)
    check_gradients(trained, "discriminator", by_network["discriminator"], data, "D")

    trained = experiment(name)
    both = trained.phases
    trained.phases = both[:1]
    moving = trained.generator.non_trainable_variables
    before = [numbers(variable) for variable in moving]
    Step(trained, seed=0)(fields, 0)
    # Within an update both phases have one state of G; the second step here would begin with the next one.
    for variable, value in zip(moving, before, strict=True):
        variable.assign(value)
    trained.phases = both[1:]
    ((_, by_network),) = Step(trained, seed=0).gradients(fields)
    check_gradients(trained, "colorization", by_network["colorization"], data, "G")


def check_gradients(trained, network, found, data, letter):
    network = trained.networks[network]
    names = [
        f"{network.name}/{layer.name}/{variable.path.split('/')[-1]}"
        for layer in network.layers
        for variable in layer.trainable_weights
    ]
    ids = [id(variable) for layer in network.layers for variable in layer.trainable_weights]
    by_id = dict(zip(map(id, network.trainable_variables), found, strict=True))
    ours = {name: numbers(by_id[key]) for name, key in zip(names, ids, strict=True)}
    assert ours.keys() == set(data[f"{letter}_grad_name"])
    for name, norm in zip(data[f"{letter}_grad_name"], data[f"{letter}_grad_norm"], strict=True):
        assert np.linalg.norm(ours[name]) == pytest.approx(norm, rel=1e-3, abs=1e-7), name
        if (key := f"{letter}_grad/{name}") in data:
            assert np.linalg.norm(ours[name] - data[key]) <= 1e-3 * norm + 1e-7, name


def tiny(**changes):
    return Architecture(64, 64, width=1 / 32, depth=6, discriminator_layers=3, **changes)


def test_both_phases_see_the_same_picture_with_the_same_dropout():
    """And what a pass of the generator moves, statistics, u and the dropout's seed, moves once an update."""
    trained = system(tiny(attention=16, spectral_norm=True), dropout=0.5)
    luminance, ab = made_up_batch(64, 64)
    seen = []
    judge = trained._judge
    trained._judge = lambda luminance, ab: seen.append(numbers(ab)) or judge(luminance, ab)
    batch = {"L": tensor(luminance), "ab": tensor(ab)}
    G = trained.generator
    (seed,) = (v for v in G.variables if "seed" in v.path)
    u, mean = G.get_layer("down3").u, G.get_layer("down3_bn").moving_mean
    before = [numbers(v).copy() for v in (seed, u, mean)]
    once = trained.once(batch)
    assert all((numbers(v) != old).any() for v, old in zip((seed, u, mean), before, strict=True))
    moved = [numbers(v).copy() for v in (seed, u, mean)]
    for phase in trained.phases:
        phase.losses(batch, once, None)
    assert all((numbers(v) == old).all() for v, old in zip((seed, u, mean), moved, strict=True))
    fake, real, again = seen
    np.testing.assert_array_equal(fake, again)
    np.testing.assert_array_equal(real, ab)
    assert np.abs(numbers(trained.once(batch)["ab"]) - fake).max() > 1e-3


def test_the_parts_of_a_batch_see_the_same_picture_in_both_phases():
    """Of the hinge loss as long as no logit is below -1, and a discriminator that stands still: -s is 1 - (1 + s)."""
    trained = system(tiny(), dropout=0.5, gan_loss="hinge", discriminator_learning_rate=1e-12)
    D = trained.discriminator
    D.get_layer("patches").kernel.assign(0.02 * numbers(D.get_layer("patches").kernel))
    luminance, ab = made_up_batch(64, 64)
    (seed,) = (v for v in trained.generator.variables if "seed" in v.path)
    for parts in (1, 2):
        before = numbers(seed).copy()
        found = Step(trained, seed=0, parts=parts)({"L": luminance, "ab": ab}, 0)
        assert found["L_fake"] + found["L_GAN"] == pytest.approx(1, abs=1e-6)
        assert abs(found["L_GAN"]) > 1e-3
        # Each part drew its own masks.
        assert np.abs(numbers(seed).astype(int) - before).sum() == parts


def test_each_phase_moves_its_network_with_its_rate():
    trained = system(tiny(), learning_rate=1e-3, discriminator_learning_rate=5e-3, beta_1=0.0)
    luminance, ab = made_up_batch(64, 64)
    before = {name: [numbers(v).copy() for v in n.trainable_variables] for name, n in trained.networks.items()}
    found = Step(trained, seed=0)({"L": luminance, "ab": ab}, 0)
    assert list(found) == ["L_fake", "L_real", "L_GAN", "L_L1"]
    for name, rate in (("colorization", 1e-3), ("discriminator", 5e-3)):
        moved = [
            np.abs(numbers(v) - old).max()
            for v, old in zip(trained.networks[name].trainable_variables, before[name], strict=True)
        ]
        # Adam's first step is the rate, in each element that has a gradient.
        assert max(moved) == pytest.approx(rate, rel=1e-3)


def test_the_generator_sees_the_discriminator_after_its_update():
    luminance, ab = made_up_batch(64, 64)
    fields = {"L": luminance, "ab": ab}
    usual, still = system(tiny(), discriminator_learning_rate=0.1), system(tiny(), discriminator_learning_rate=1e-12)
    found, unmoved = (Step(trained, seed=0)(fields, 0) for trained in (usual, still))
    assert found["L_real"] == pytest.approx(unmoved["L_real"], rel=1e-6)
    assert abs(found["L_GAN"] - unmoved["L_GAN"]) > 0.01


def test_colorizing_repeats_itself():
    trained = system(tiny(attention=32), dropout=0.5)
    luminance, _ = made_up_batch(64, 64)
    first, second = (numbers(trained.predict(luminance)["ab"]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    alone = numbers(trained.predict(luminance[:1])["ab"])
    np.testing.assert_allclose(alone, first[:1], atol=1e-6)
    assert first.min() >= 18 / 255 and first.max() <= 238 / 255


def test_bfloat16_keeps_outputs_and_norms_in_float32():
    from historynet.systems import loading

    with loading.dtype_policy_of("mixed_bfloat16"):
        trained = system(tiny(attention=16, spectral_norm=True), dropout=0.5, gan_loss="hinge")
    luminance, ab = made_up_batch(64, 64)
    found = Step(trained, seed=0)({"L": luminance, "ab": ab}, 0)
    exact = Step(system(tiny(attention=16, spectral_norm=True), gan_loss="hinge"), seed=0)(
        {"L": luminance, "ab": ab}, 0
    )
    assert found["L_real"] == pytest.approx(exact["L_real"], rel=0.05)
    G, D = trained.generator, trained.discriminator
    assert {G.output["ab"].dtype, G.get_layer("attention_attend").compute_dtype, D.output.dtype} == {"float32"}
    assert G.get_layer("down2").compute_dtype == "bfloat16" and G.get_layer("down2").u.dtype == "float32"


# Architectures, files and scripts


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_height": 96}, "multiple of 128"),
        ({"attention": 48}, "there are 128, 64, 32, 16, 8, 4, 2"),
        ({"width": 0}, "width"),
        ({"discriminator_layers": 8}, "no patch"),
    ],
)
def test_what_cannot_be_built_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Architecture(**changes)


def test_the_named_size_is_the_shorter_side_and_the_discriminator_takes_the_nearest():
    stages = {size: Architecture(attention=size) for size in (32, 64, 128)}
    assert {size: a.generator_attention for size, a in stages.items()} == {32: 3, 64: 2, 128: 1}
    assert {size: a.discriminator_attention for size, a in stages.items()} == {32: 2, 64: 1, 128: 1}
    movies = Architecture(256, 512, attention=64)
    assert (movies.generator_attention, movies.discriminator_attention) == (3, 2)


def test_a_file_gives_the_network_again(tmp_path):
    from historynet.systems import loading

    architecture = tiny(attention=16, spectral_norm=True)
    network = made_up(build_generator(architecture))
    loading.save(network, "Pix2Pix", architecture, tmp_path / "generator.keras")
    again, found = loading.load_colorizing(tmp_path / "generator.keras", "Pix2Pix")
    luminance, _ = made_up_batch(64, 64)
    assert found.registration.name == "Pix2Pix"
    np.testing.assert_array_equal(numbers(again(luminance)["ab"]), numbers(network(luminance)["ab"]))


def test_the_presets_are_table_4_1():
    for name, (attended, loss) in EXPERIMENTS.items():
        resolved = resolve("--config", ROOT / f"SOURCE_Pix2Pix/{name}.json")
        is_sagan = name == "sagan"
        assert (resolved.attention, resolved.gan_loss, resolved.spectral_norm) == (attended, loss, is_sagan)
        assert (resolved.learning_rate, resolved.num_epochs) == (1e-4 if is_sagan else 2e-4, 500)
        assert resolved.test_name == f"pix2pix_{name}"


def resolve(*options):
    from historynet import settings
    from historynet.systems.pix2pix.settings import Pix2PixSettings

    config = ROOT / "SOURCE_Pix2Pix/config.py"
    parser = settings.make_parser("", settings.TRAIN, config, Pix2PixSettings)
    return settings.resolve(parser.parse_args(list(map(str, options))), config, Pix2PixSettings)[0]


def options(mhmd, folder, *more):
    results = mhmd.parent / folder
    return [
        *("--train-data", mhmd / "dataset_train", "--test-data", mhmd / "dataset_second", "--gpu-id", "cpu"),
        *("--model-dir", results / "MODEL", "--out-dir", results / "OUT", "--log-dir", results / "LOG"),
        *("--width", "0.03125", "--image-size", "64x128", "--crop-from", "64x128", "--u-net-depth", "6"),
        *("--batch-size", "2", "--attention", "32", "--spectral-norm", "--save-networks-every", "1", *more),
    ]


@pytest.mark.slow
def test_a_training_in_two_starts_is_one_training_and_its_network_colorizes(mhmd, run, tmp_path):
    train = "SOURCE_Pix2Pix/Pix2Pix.py"
    assert run(train, *options(mhmd, "whole", "--num-epochs", 2))[0] == 0
    assert run(train, *options(mhmd, "parts", "--num-epochs", 1))[0] == 0
    assert run(train, *options(mhmd, "parts", "--num-epochs", 2))[0] == 0
    from historynet.weights import reading

    for name in ("colorization", "discriminator"):
        whole, parts = (
            reading.read(tmp_path / folder / f"MODEL/my_model_{name}Epoch1.keras").arrays
            for folder in ("whole", "parts")
        )
        assert whole.keys() == parts.keys()
        for layer in whole:
            for one, other in zip(whole[layer], parts[layer], strict=True):
                np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=layer)
    model = tmp_path / "whole/MODEL/my_model_colorizationEpoch1.keras"
    given = ("--pretrained", model, "--result-dir", tmp_path / "results", "--gpu-id", "cpu")
    code, out, err = run("SOURCE_Pix2Pix/colorization.py", mhmd / "dataset_second", *given)
    assert code == 0, out + err
    assert len(list((tmp_path / "results").glob("*_reconstructed.jpg"))) == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--image-size", "32x128"), "32 is no side of its pictures: 64 to 4096, a multiple of 64"),
        (("--attention", "48"), "no stage has a map whose shorter side is 48; there are 64, 32, 16, 8, 4, 2"),
        (("--discriminator-layers", "8"), "no patch"),
        (("--gan-loss", "wasserstein"), "'log' or 'least_squares' or 'hinge'"),
    ],
)
def test_settings_that_make_no_networks_are_refused(mhmd, run, wrong, words):
    code, _, err = run("SOURCE_Pix2Pix/Pix2Pix.py", *options(mhmd, "wrong", *wrong))
    assert code == 2 and words in err and "Traceback" not in err


def test_a_network_of_another_system_is_refused(mhmd, run, model):
    code, _, err = run("SOURCE_Pix2Pix/colorization.py", mhmd / "dataset_second", "--pretrained", model)
    assert code == 2 and str(model) in err and "HistoryNet" in err and "Traceback" not in err
