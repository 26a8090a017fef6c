import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from historynet import weights
from historynet.errors import InputError
from historynet.networks import Architecture, vgg16
from historynet.networks.classifier import build_classifier
from historynet.networks.discriminator import build_discriminator
from historynet.networks.generator import build_generator

TINY = Architecture(image_size=32, width=1 / 32)


@pytest.fixture
def saved(tmp_path):
    generator = build_generator(TINY)
    path = tmp_path / "my_model_colorizationEpoch0.keras"
    weights.save(generator, TINY, path)
    return generator, path


@pytest.mark.parametrize("build", [build_generator, build_discriminator, build_classifier])
def test_a_network_comes_back_equal(tmp_path, build):
    network = build(TINY)
    for variable in network.variables:
        variable.assign(np.random.default_rng(1).random(variable.shape))
    weights.save(network, TINY, tmp_path / "n.keras")
    loaded, architecture = weights.load(tmp_path / "n.keras", network.name)
    assert architecture == TINY
    for a, b in zip(network.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_keras_itself_can_open_the_file(saved):
    generator, path = saved
    x = np.random.default_rng(0).random((1, 32, 32, 1))
    theirs = keras.models.load_model(path)(x)["ab"]
    np.testing.assert_allclose(np.asarray(theirs), np.asarray(generator(x)["ab"]), atol=1e-6)


def rewrite(path, change):
    """Changes a member of the .keras file: change(name, data) -> data, or None to leave it out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            data = change(name, data)
            if data is not None:
                archive.writestr(name, data)


def change_arrays(path, edit):
    def change(name, data):
        if name != "model.weights.h5":
            return data
        copy = path.with_suffix(".h5")
        copy.write_bytes(data)
        with h5py.File(copy, "r+") as file:
            edit(file)
        return copy.read_bytes()

    rewrite(path, change)


def layer_group(file, layer):
    found = []
    file.visititems(lambda name, item: found.append(name) if item.attrs.get("name") == layer else None)
    return file[found[0]]


def replace(group, name, value):
    del group[name]
    group[name] = value


def test_a_shape_that_does_not_fit_is_named(saved):
    change_arrays(saved[1], lambda file: replace(layer_group(file, "color_conv3"), "0", np.zeros((3, 3, 1, 1))))
    with pytest.raises(InputError, match=r"Epoch0.keras.*color_conv3.*\(3, 3, 1, 1\).*needs \(3, 3, 4, 2\)"):
        weights.load(saved[1], "generator")


def test_a_missing_and_an_extra_layer_are_named(saved):
    def rename(file):
        layer_group(file, "color_conv3").attrs["name"] = "something_else"

    change_arrays(saved[1], rename)
    with pytest.raises(InputError, match="something_else"):
        weights.load(saved[1], "generator")

    def remove(file):
        group = layer_group(file, "something_else")
        del group["0"], group["1"]

    change_arrays(saved[1], remove)
    with pytest.raises(InputError, match=r"color_conv3.*not in the file"):
        weights.load(saved[1], "generator")


def test_an_extra_array_is_refused(saved):
    change_arrays(saved[1], lambda file: layer_group(file, "color_conv3").create_dataset("2", data=np.zeros(3)))
    with pytest.raises(InputError, match="color_conv3"):
        weights.load(saved[1], "generator")


def test_another_kind_or_variant_is_refused(saved):
    with pytest.raises(InputError, match=r"this is a generator; a discriminator is needed"):
        weights.load(saved[1], "discriminator")
    with pytest.raises(InputError, match=r"this is a HistoryNet model; a Baseline model is needed"):
        weights.load(saved[1], "generator", "Baseline")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_no_model_file_is_named(tmp_path, content):
    (tmp_path / "x.keras").write_bytes(content)
    with pytest.raises(InputError, match="x.keras"):
        weights.load(tmp_path / "x.keras", "generator")


def test_a_truncated_file_is_named(saved):
    data = saved[1].read_bytes()
    for part in (0.3, 0.9, 0.999):
        saved[1].write_bytes(data[: int(len(data) * part)])
        with pytest.raises(InputError, match="Epoch0.keras"):
            weights.load(saved[1], "generator")


@pytest.mark.parametrize("description", ["[]", "{", "{}", '{"network": "generator", "speed": 3}'])
def test_a_damaged_description_is_named(saved, description):
    rewrite(saved[1], lambda name, data: description if name == "historynet.json" else data)
    with pytest.raises(InputError, match="Epoch0.keras"):
        weights.load(saved[1], "generator")


def test_another_keras_file_is_no_model_of_ours(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "x.keras")
    with pytest.raises(InputError, match="not a model file of HistoryNet"):
        weights.load(tmp_path / "x.keras", "generator")


def test_code_in_a_file_is_never_run(saved, tmp_path):
    """Keras' own description of the graph, which could hold a lambda, is not even read."""
    rewrite(saved[1], lambda name, data: b"{ not even JSON" if name == "config.json" else data)
    weights.load(saved[1], "generator")


def test_names_with_and_without_extension(saved):
    folder = saved[1].parent
    for name in ("my_model_colorizationEpoch0", "my_model_colorizationEpoch0.keras", str(saved[1])):
        assert weights.find_model(name, folder) == saved[1]
    with pytest.raises(InputError, match=r"Epoch7: no such model.*my_model_colorizationEpoch0.keras"):
        weights.find_model("my_model_colorizationEpoch7", folder)


def vgg16_file(path, layers, shape=None):
    """A file as keras.applications writes it: groups by layer, named arrays, attributes with the order."""
    rng = np.random.default_rng(0)
    arrays = {}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name in layers:
            group = file.create_group(name)
            names = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()] if "conv" in name else []
            group.attrs["weight_names"] = np.array(names, "S32")
            if names:
                kernel = rng.random(shape or FULL[name].shape).astype("f4")
                arrays[name] = kernel, rng.random(kernel.shape[-1]).astype("f4")
                group[names[0].decode()], group[names[1].decode()] = arrays[name]
    return arrays


@pytest.fixture(scope="module")
def full_generator():
    generator = build_generator(Architecture())
    FULL.update({name: generator.get_layer(name).kernel for name in vgg16.layer_names()})
    FULL["block5_conv1"] = FULL["block4_conv3"]
    return generator


FULL = {}
NOTOP = ["input_1", *vgg16.layer_names(), "block4_pool", "block5_conv1"]


def test_vgg16_fills_g0_and_nothing_else(tmp_path, full_generator):
    arrays = vgg16_file(tmp_path / "vgg.h5", NOTOP)
    before = {v.path: v.numpy() for v in full_generator.variables if not v.path.startswith("block")}
    weights.load_vgg16(full_generator, Architecture(), str(tmp_path / "vgg.h5"))
    for name in vgg16.layer_names():
        for variable, value in zip(full_generator.get_layer(name).weights, arrays[name], strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)
    for variable in full_generator.variables:
        if variable.path in before:
            np.testing.assert_array_equal(variable.numpy(), before[variable.path])


def test_vgg16_layers_are_those_of_keras():
    """The names and shapes of Keras' own VGG16."""
    theirs = keras.applications.VGG16(weights=None, include_top=False)
    generator = build_generator(Architecture())
    for name in vgg16.layer_names():
        assert theirs.get_layer(name).kernel.shape == generator.get_layer(name).kernel.shape
        assert theirs.get_layer(name).activation == generator.get_layer(name).activation


def test_a_vgg16_file_that_does_not_fit_is_named(tmp_path, full_generator):
    path = tmp_path / "vgg.h5"
    vgg16_file(path, NOTOP, shape=(3, 3, 3, 5))
    with pytest.raises(InputError, match=r"vgg.h5.*block1_conv1.*needs \(3, 3, 3, 64\)"):
        weights.load_vgg16(full_generator, Architecture(), str(path))
    vgg16_file(path, NOTOP[:5])
    with pytest.raises(InputError, match=r"vgg.h5.*block3_conv1"):
        weights.load_vgg16(full_generator, Architecture(), str(path))
    path.write_text("no HDF5")
    with pytest.raises(InputError, match=r"vgg.h5.*not an HDF5 file"):
        weights.load_vgg16(full_generator, Architecture(), str(path))
    with pytest.raises(InputError, match=r"none.h5.*No such file"):
        weights.load_vgg16(full_generator, Architecture(), str(tmp_path / "none.h5"))


def test_vgg16_that_cannot_be_fetched_stops_with_advice(monkeypatch, full_generator):
    def no_network(*arguments, **options):
        raise OSError("URL fetch failure on https://...: None -- [Errno -3] Temporary failure in name resolution")

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    with pytest.raises(InputError) as stop:
        weights.load_vgg16(full_generator, Architecture(), "imagenet")
    message = str(stop.value)
    assert "\n" not in message
    for part in ("notop.h5", "https://storage.googleapis.com/", "models", "--vgg16-weights none", "name resolution"):
        assert part in message


def test_vgg16_wants_full_width():
    with pytest.raises(InputError, match="--width 1"):
        weights.load_vgg16(build_generator(TINY), TINY, "imagenet")


def test_the_description_is_plain_json(saved):
    with zipfile.ZipFile(saved[1]) as archive:
        description = json.loads(archive.read("historynet.json"))
    assert description == {
        "network": "generator",
        "variant": "HistoryNet",
        "image_size": 32,
        "width": 1 / 32,
        "num_classes": 42,
    }
