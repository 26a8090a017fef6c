"""The films CNN: its bins, losses and network, by hand and against the reference numbers."""

import csv
import zlib

import keras
import numpy as np
import pytest
from keras import ops

from historynet.settings import Settings
from historynet.systems.film_cnn import bins, decoding, losses
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.network import build_network
from historynet.training.engine import Step


@pytest.fixture
def golden(reference):
    """Reads an archive of the reference numbers."""

    def read(name):
        path = reference / "golden/film_cnn" / name
        return np.load(path) if path.suffix in (".npz", ".npy") else path

    return read


def made_up(network):
    """Fills a network with weights that follow from the variables' names."""
    for layer in network.layers:
        for variable in layer.variables:
            name = variable.path.split("/")[-1]
            r = np.random.RandomState(zlib.crc32(f"{layer.name}/{name}".encode("ascii"))).randn(*variable.shape)
            if name == "kernel":
                height, width, channels = variable.shape[:3]
                fan = 4 * variable.shape[3] if layer.name == "conv8_1" else height * width * channels
                r = r * np.sqrt(2 / fan)
            elif name in ("bias", "beta"):
                r = 0.1 * r
            elif name == "gamma":
                r = 1 + 0.1 * r
            elif name == "moving_mean":
                r = 0.4 + 0.1 * r
            else:
                assert name == "moving_variance"
                r = 0.5 * np.exp(0.2 * r)
            variable.assign(r.astype(np.float32))
    return network


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


# The bins and the soft encoding


def test_the_bins_are_a_grid_of_step_10():
    centres = bins.centres()
    assert centres.shape == (313, 2) and centres.dtype == np.float32
    assert (centres % 10 == 0).all()
    np.testing.assert_array_equal(centres[120], [0, 0])
    # a ascending, b ascending within a.
    order = np.lexsort((centres[:, 1], centres[:, 0]))
    np.testing.assert_array_equal(order, np.arange(313))


def test_the_bins_are_the_reference(golden):
    np.testing.assert_array_equal(bins.centres(), golden("ab_bins.npy"))


def test_soft_encoding_by_hand():
    """The colour (3, 4): squared distances 25, 85, 45, 65 and, of ties, what the grid has."""
    indices, weights = (numbers(value) for value in bins.soft_encoding(ops.convert_to_tensor([[3.0, 4.0]]), 5, 5.0))
    centres = bins.centres()
    squared = ((np.float64([3, 4]) - centres) ** 2).sum(-1)
    nearest = sorted(range(313), key=lambda i: (squared[i], i))[:5]
    np.testing.assert_array_equal(indices[0], nearest)
    likely = np.exp(-squared[nearest] / 50)
    np.testing.assert_allclose(weights[0], likely / likely.sum(), rtol=1e-5)


def test_a_tie_goes_to_the_smaller_index_and_far_colours_have_weights():
    indices, _ = bins.soft_encoding(ops.convert_to_tensor([[5.0, 5.0]]), 4)
    assert list(numbers(indices)[0]) == sorted(numbers(indices)[0])
    _, weights = bins.soft_encoding(ops.convert_to_tensor([[900.0, -900.0]]), 5)
    assert np.isfinite(numbers(weights)).all() and numbers(weights).sum() == pytest.approx(1)


@pytest.mark.parametrize("neighbours", [5, 10])
def test_soft_encoding_is_the_reference(golden, neighbours):
    data = golden("soft_encoding.npz")
    indices, weights = bins.soft_encoding(ops.convert_to_tensor(data["ab"]), neighbours)
    np.testing.assert_array_equal(numbers(indices), data[f"bins_{neighbours}"])
    np.testing.assert_allclose(numbers(weights), data[f"weights_{neighbours}"], atol=1e-6)


def test_the_distribution_is_the_reference(golden):
    data = golden("soft_encoding.npz")
    encoded = bins.soft_encoding(ops.convert_to_tensor(data["picture_ab"]))
    np.testing.assert_allclose(numbers(bins.distribution(*encoded)), data["picture_Z"], atol=1e-6)


# The loss and the colours


def test_eight_bit_colours_are_whole_numbers_in_the_target():
    levels = np.arange(256, dtype=np.float32).reshape(1, 16, 16, 1) / np.float32(255)
    ab = np.concatenate([levels, levels[:, ::-1]], axis=-1)
    lab = numbers(losses.target(ops.convert_to_tensor(ab)))
    np.testing.assert_array_equal(lab, np.round(ab * 255)[:, ::4, ::4] - 128)
    mean = numbers(losses.target(ops.convert_to_tensor(ab), averaged=True))
    by_hand = (np.round(ab * 255) - 128).reshape(1, 4, 4, 4, 4, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(mean, by_hand, atol=1e-4)


def test_a_uniform_prediction_costs_the_logarithm_of_the_number_of_bins():
    lab = ops.convert_to_tensor(np.random.default_rng(0).integers(-80, 80, (2, 4, 4, 2)).astype(np.float32))
    np.testing.assert_allclose(numbers(losses.cross_entropy(lab, ops.zeros((2, 4, 4, 313)))), np.log(313), rtol=1e-6)


def test_the_loss_is_the_reference(golden):
    data = golden("loss.npz")
    ours = numbers(losses.cross_entropy(ops.convert_to_tensor(data["ab"]), ops.convert_to_tensor(data["logits"])))
    np.testing.assert_allclose(ours * 16, data["sum_per_sample"], rtol=1e-5)
    np.testing.assert_allclose(ours, data["mean_per_pixel"], rtol=1e-5)


def test_gray_pictures_do_not_count():
    lab = np.zeros((3, 4, 4, 2), np.float32)
    lab[0, 2, 1] = [0, 5]
    lab[1, 2, 1] = [0, -6]
    np.testing.assert_array_equal(numbers(losses.is_colourful(ops.convert_to_tensor(lab))), [0, 1, 0])


def test_the_annealed_mean_by_hand():
    logits = np.zeros((1, 313), np.float32)
    logits[0, [7, 200]] = 30, 30 + np.log(3)
    first, second = bins.centres()[[7, 200]]
    np.testing.assert_allclose(decoding.annealed_mean(logits, 1.0)[0], (first + 3 * second) / 4, atol=1e-4)
    np.testing.assert_allclose(decoding.annealed_mean(logits, 0.5)[0], (first + 9 * second) / 10, atol=1e-4)
    np.testing.assert_array_equal(decoding.annealed_mean(logits, 0)[0], second)
    np.testing.assert_allclose(decoding.annealed_mean(logits, 1e-6)[0], second, atol=1e-4)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="temperature"):
            decoding.annealed_mean(logits, wrong)


def test_the_annealed_mean_is_the_reference(golden):
    data = golden("annealed_mean.npz")
    for i, temperature in enumerate(data["T"]):
        ours = decoding.annealed_mean(data["logits"], float(temperature))
        np.testing.assert_allclose(ours, data["ab"][i], atol=1e-3, err_msg=str(temperature))


# The network


@pytest.mark.parametrize(("name", "switches"), [("film", {}), ("zhang", {"multi_scale": False, "vgg_features": False})])
def test_the_layers_are_those_of_the_table(golden, name, switches):
    with golden(f"parameters_{name}.csv").open() as file:
        rows = {row["layer"]: row for row in csv.DictReader(file)}
    del rows["total"]
    network = build_network(Architecture(**switches))
    ours = {layer.name: layer for layer in network.layers if layer.weights}
    assert ours.keys() == {layer for layer, row in rows.items() if int(row["parameters"])}
    for layer in ours.values():
        row = rows[layer.name]
        statistics = sum(np.prod(v.shape) for v in layer.non_trainable_variables)
        assert layer.count_params() - statistics == int(row["parameters"]), layer.name
        assert statistics == int(row["moving_statistics"]), layer.name
        assert layer.output.shape[1:3] == (int(row["side_256"]),) * 2, layer.name


@pytest.mark.parametrize(("name", "switches"), [("film", {}), ("zhang", {"multi_scale": False, "vgg_features": False})])
@pytest.mark.parametrize(("size", "width"), [("eighth", 1 / 8), pytest.param("full", 1.0, marks=pytest.mark.golden)])
def test_logits_and_colours_are_the_reference(golden, name, switches, size, width):
    data = golden(f"{name}_forward.npz")
    network = made_up(build_network(Architecture(width=width, **switches), (64, 64)))
    logits = numbers(network(data["L"], training=False)["logits"])
    np.testing.assert_allclose(logits.reshape(data[f"{size}_logits"].shape), data[f"{size}_logits"], atol=2e-4)
    for text, temperature in (("T05", 0.5), ("T1", 1.0)):
        if f"{size}_ab_{text}" in data:
            expected = data[f"{size}_ab_{text}"]
            ab = decoding.decode({"logits": logits}, {"temperature": temperature}) * 255 - 128
            np.testing.assert_allclose(ab.reshape(expected.shape), expected, atol=5e-3)


def test_a_size_that_training_did_not_have_needs_no_other_weights():
    small, large = (build_network(Architecture(width=1 / 32), size) for size in ((32, 48), (64, 64)))
    assert [w.shape for w in small.weights] == [w.shape for w in large.weights]
    assert small.output["logits"].shape == (None, 8, 12, 313)


def run_settings(**changes):
    from types import SimpleNamespace

    usual = {
        "learning_rate": 3e-5,
        "size": (64, 64),
        "weight_decay": 1e-3,
        "neighbours": 5,
        "sigma": 5.0,
        "averaged_target": False,
    }
    return SimpleNamespace(**(usual | changes))


def system(network, architecture, **changes):
    from historynet.systems.film_cnn.system import FilmCNN

    return FilmCNN(network, architecture, run_settings(**changes), {"L": None, "ab": None})


def test_three_updates_are_the_reference(golden):
    data = golden("film_train.npz")
    architecture = Architecture(width=1 / 8)
    network = made_up(build_network(architecture, (64, 64)))
    for layer in network.layers:
        if layer.name.startswith("block"):
            layer.trainable = False
    step = Step(system(network, architecture), seed=0)
    fields = {"L": data["L"], "ab": (data["ab"] + np.float32(128)) / np.float32(255)}
    found = [step(fields, i) for i in range(4)]
    np.testing.assert_allclose([values["L_ce"] for values in found], data["steps_mean_per_pixel"], rtol=5e-4)
    np.testing.assert_allclose(found[0]["L_2"] * 1e-3, data["l2_penalty"], rtol=1e-5)


def gradients_of_eq_1(data, floatx):
    """Of the mean over the batch, by variable: what a step of gradient descent at a rate of 1 takes off."""
    architecture = Architecture(width=1 / 8)
    network = made_up(build_network(architecture, (64, 64)))
    for layer in network.layers:
        if layer.name.startswith("block"):
            layer.trainable = False
    trained = system(network, architecture, weight_decay=0.0)
    trained.optimizers = {"colorization": keras.optimizers.SGD(1.0)}
    before = {variable.path: numbers(variable) for variable in network.trainable_variables}
    ab = (data["ab"].astype(floatx) + 128) / np.array(255, floatx)
    Step(trained, seed=0)({"L": data["L"].astype(floatx), "ab": ab}, 0)
    return {
        variable.path.removeprefix("film_cnn/"): before[variable.path] - numbers(variable)
        for variable in network.trainable_variables
    }


@pytest.mark.parametrize(("floatx", "norms", "arrays"), [("float32", 1e-2, 2e-2), ("float64", 1e-6, 1e-6)])
def test_gradients_are_the_reference(golden, floatx, norms, arrays):
    data = golden("film_train.npz")
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    try:
        found = gradients_of_eq_1(data, floatx)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    assert len(found) == 68
    for name, gradient in found.items():
        norm = float(data[f"grad_norm/{name}"])
        assert np.linalg.norm(gradient) == pytest.approx(norm, rel=norms), name
        if f"grad/{name}" in data:
            assert np.linalg.norm(gradient - data[f"grad/{name}"]) <= arrays * norm, name


def test_the_optimiser_is_the_reference(golden):
    data = golden("adam.npz")
    from historynet.systems.optimizers import Adams

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([data["w"].reshape(8, 1)])
    adams = Adams(
        learning_rate=float(data["learning_rate"]),
        beta_1=float(data["beta_1"]),
        beta_2=float(data["beta_2"]),
        epsilon=float(data["epsilon"]),
    )
    optimizer = adams.make({"network": model})["network"]
    optimizer.build(model.trainable_variables)
    for gradient, expected in zip(data["gradients"], data["w_after"], strict=True):
        decayed = gradient + np.float32(data["weight_decay"]) * model.get_weights()[0].ravel()
        optimizer.apply([ops.convert_to_tensor(decayed.reshape(8, 1))], model.trainable_variables)
        np.testing.assert_allclose(model.get_weights()[0].ravel(), expected, rtol=1e-6, atol=1e-7)


def test_the_settings_are_a_systems_own():
    from historynet.systems.film_cnn.settings import FilmCNNSettings

    assert issubclass(FilmCNNSettings, Settings)
    assert keras.backend.backend() in ("tensorflow", "jax")
