import errno
import io
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import run_process
from failing_disk import FailingDisk, fail_where_read
from released_files import make_up_weights, released_names, write_released_file

from historynet.colorizing import choosing
from historynet.commands import models
from historynet.errors import InputError
from historynet.systems import loading, vgg16
from historynet.systems.historynet import start
from historynet.systems.historynet.classifier import build_classifier
from historynet.systems.historynet.discriminator import build_discriminator
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import VARIANTS, Architecture
from historynet.weights import reading as weight_files
from historynet.weights.assigning import assign

TINY = Architecture(image_size=32, width=1 / 32)


@pytest.fixture
def saved(tmp_path):
    generator = build_generator(TINY)
    path = tmp_path / "my_model_colorizationEpoch0.keras"
    loading.save(generator, "HistoryNet", TINY, path)
    return generator, path


@pytest.mark.parametrize("build", [build_generator, build_discriminator, build_classifier])
def test_a_network_comes_back_equal(tmp_path, build):
    network = build(TINY)
    for variable in network.variables:
        variable.assign(np.random.default_rng(1).random(variable.shape))
    loading.save(network, "HistoryNet", TINY, tmp_path / "n.keras")
    loaded, architecture = loading.load(tmp_path / "n.keras", "HistoryNet", network.name)
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
        loading.load(saved[1], "HistoryNet", "generator")


def test_a_missing_and_an_extra_layer_are_named(saved):
    def rename(file):
        layer_group(file, "color_conv3").attrs["name"] = "something_else"

    change_arrays(saved[1], rename)
    with pytest.raises(InputError, match="something_else"):
        loading.load(saved[1], "HistoryNet", "generator")

    def remove(file):
        group = layer_group(file, "something_else")
        del group["0"], group["1"]

    change_arrays(saved[1], remove)
    with pytest.raises(InputError, match=r"color_conv3.*not in the file"):
        loading.load(saved[1], "HistoryNet", "generator")


def test_an_extra_array_is_refused(saved):
    change_arrays(saved[1], lambda file: layer_group(file, "color_conv3").create_dataset("2", data=np.zeros(3)))
    with pytest.raises(InputError, match="color_conv3"):
        loading.load(saved[1], "HistoryNet", "generator")


def test_another_kind_or_variant_is_refused(saved):
    with pytest.raises(InputError, match=r"this is a generator; a discriminator is needed"):
        loading.load(saved[1], "HistoryNet", "discriminator")
    with pytest.raises(InputError, match=r"this is a HistoryNet model; Baseline needs a Baseline model"):
        loading.load(saved[1], "HistoryNet", "generator", "Baseline")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_no_model_file_is_named(tmp_path, content):
    (tmp_path / "x.keras").write_bytes(content)
    with pytest.raises(InputError, match="x.keras"):
        loading.load(tmp_path / "x.keras", "HistoryNet", "generator")


def test_a_truncated_file_is_named(saved):
    data = saved[1].read_bytes()
    for part in (0.3, 0.9, 0.999):
        saved[1].write_bytes(data[: int(len(data) * part)])
        with pytest.raises(InputError, match="Epoch0.keras"):
            loading.load(saved[1], "HistoryNet", "generator")


@pytest.mark.parametrize("description", ["[]", "{", "{}", '{"network": "generator", "speed": 3}'])
def test_a_damaged_description_is_named(saved, description):
    rewrite(saved[1], lambda name, data: description if name == "historynet.json" else data)
    with pytest.raises(InputError, match="Epoch0.keras"):
        loading.load(saved[1], "HistoryNet", "generator")


def test_another_keras_file_is_no_model_of_ours(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "x.keras")
    with pytest.raises(InputError, match="not a model file of HistoryNet"):
        loading.load(tmp_path / "x.keras", "HistoryNet", "generator")


def test_code_in_a_file_is_never_run(saved, tmp_path):
    """Keras' own description of the graph, which could hold a lambda, is not even read."""
    rewrite(saved[1], lambda name, data: b"{ not even JSON" if name == "config.json" else data)
    loading.load(saved[1], "HistoryNet", "generator")


def test_names_with_and_without_extension(saved):
    folder = saved[1].parent
    for name in ("my_model_colorizationEpoch0", "my_model_colorizationEpoch0.keras", str(saved[1])):
        assert choosing.find_model(name, folder) == saved[1]
    with pytest.raises(InputError, match=r"Epoch7: no such model.*my_model_colorizationEpoch0.keras"):
        choosing.find_model("my_model_colorizationEpoch7", folder)


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
                kernel = rng.random(shape or FULL[name]).astype("f4")
                arrays[name] = kernel, rng.random(kernel.shape[-1]).astype("f4")
                group[names[0].decode()], group[names[1].decode()] = arrays[name]
    return arrays


# VGG16's layers of full size; what makes up most of HistoryNet, the dense layers, small.
WIDE = Architecture(image_size=32, dense_width=1 / 32)


@pytest.fixture(scope="module")
def full_generator():
    generator = build_generator(WIDE)
    FULL.update({name: generator.get_layer(name).kernel.shape for name in vgg16.layer_names()})
    FULL["block5_conv1"] = FULL["block4_conv3"]
    return generator


FULL = {}
NOTOP = ["input_1", *vgg16.layer_names(), "block4_pool", "block5_conv1"]


def test_vgg16_fills_g0_and_nothing_else(tmp_path, full_generator):
    arrays = vgg16_file(tmp_path / "vgg.h5", NOTOP)
    before = {v.path: v.numpy() for v in full_generator.variables if not v.path.startswith("block")}
    start.load_vgg16(full_generator, WIDE, str(tmp_path / "vgg.h5"))
    for name in vgg16.layer_names():
        for variable, value in zip(full_generator.get_layer(name).weights, arrays[name], strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)
    for variable in full_generator.variables:
        if variable.path in before:
            np.testing.assert_array_equal(variable.numpy(), before[variable.path])


def test_vgg16_layers_are_those_of_keras(full_generator):
    """The names and shapes of Keras' own VGG16."""
    theirs = keras.applications.VGG16(weights=None, include_top=False)
    for name in vgg16.layer_names():
        assert theirs.get_layer(name).kernel.shape == full_generator.get_layer(name).kernel.shape
        assert theirs.get_layer(name).activation == full_generator.get_layer(name).activation


def test_a_vgg16_file_that_does_not_fit_is_named(tmp_path, full_generator):
    path = tmp_path / "vgg.h5"
    vgg16_file(path, NOTOP, shape=(3, 3, 3, 5))
    with pytest.raises(InputError, match=r"vgg.h5.*block1_conv1.*needs \(3, 3, 3, 64\)"):
        start.load_vgg16(full_generator, WIDE, str(path))
    vgg16_file(path, NOTOP[:5])
    with pytest.raises(InputError, match=r"vgg.h5.*block3_conv1"):
        start.load_vgg16(full_generator, WIDE, str(path))
    path.write_text("no HDF5")
    with pytest.raises(InputError, match=r"vgg.h5.*not a model file"):
        start.load_vgg16(full_generator, WIDE, str(path))
    with pytest.raises(InputError, match=r"none.h5.*No such file"):
        start.load_vgg16(full_generator, WIDE, str(tmp_path / "none.h5"))


def test_vgg16_that_cannot_be_fetched_stops_with_advice(monkeypatch, full_generator):
    def no_network(*arguments, **options):
        raise OSError("URL fetch failure on https://...: None -- [Errno -3] Temporary failure in name resolution")

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    with pytest.raises(InputError) as stop:
        start.load_vgg16(full_generator, WIDE, "imagenet")
    message = str(stop.value)
    assert "\n" not in message
    for part in ("notop.h5", "https://storage.googleapis.com/", "models", "--vgg16-weights none", "name resolution"):
        assert part in message


@pytest.mark.parametrize("error", [Exception(), OSError(), ValueError("\n")])
def test_a_failed_download_without_a_reason_is_a_users_error_too(full_generator, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(InputError, match=rf"could not be downloaded \({type(error).__name__}\): put .*notop.h5"):
        start.load_vgg16(full_generator, Architecture(), "imagenet")


def test_a_defect_while_downloading_is_not_taken_for_a_failed_download(full_generator, monkeypatch):
    monkeypatch.setattr(keras.utils, "get_file", lambda *_, **__: None.name)
    with pytest.raises(AttributeError):
        start.load_vgg16(full_generator, Architecture(), "imagenet")


def test_vgg16_wants_full_width():
    with pytest.raises(InputError, match="--width 1"):
        start.load_vgg16(build_generator(TINY), TINY, "imagenet")


def test_the_description_is_plain_json(saved):
    with zipfile.ZipFile(saved[1]) as archive:
        description = json.loads(archive.read("historynet.json"))
    assert description == {
        "system": "HistoryNet",
        "network": "generator",
        "architecture": {
            "variant": "HistoryNet",
            "image_size": 32,
            "width": 1 / 32,
            "num_classes": 42,
            "features_width": 1 / 32,
            "dense_width": 1 / 32,
        },
    }


NETWORKS = [
    (build, variant)
    for variant in VARIANTS
    for build in (build_generator, build_discriminator, build_classifier)
    if build is build_generator or variant == "HistoryNet"
]


def small(variant):
    return Architecture(variant, image_size=32, width=1 / 32)


@pytest.mark.parametrize(("build", "variant"), NETWORKS)
@pytest.mark.parametrize("form", ["whole model", "weights only", "Keras 3 weights"])
def test_every_form_of_every_network_comes_back_equal(tmp_path, build, variant, form):
    network = build(small(variant))
    make_up_weights(network)
    # The content counts, not the name.
    path = tmp_path / "model.keras"
    if form == "Keras 3 weights":
        network.save_weights(tmp_path / "m.weights.h5")
        (tmp_path / "m.weights.h5").rename(path)
    else:
        write_released_file(
            path, network, variant, whole=form == "whole model", suffix="" if "Base" in variant else "_1"
        )
    loaded, architecture = loading.load(path, "HistoryNet", network.name)
    if build is build_generator:
        assert architecture == small(variant)
    for a, b in zip(network.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


@pytest.mark.parametrize(("build", "variant"), NETWORKS)
def test_an_existing_network_is_filled(tmp_path, build, variant):
    network, other = build(small(variant)), build(small(variant))
    make_up_weights(network)
    write_released_file(tmp_path / "n.h5", network, variant)
    start.fill(other, small(variant), tmp_path / "n.h5")
    for a, b in zip(network.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_a_network_of_another_width_is_not_filled(tmp_path):
    write_released_file(tmp_path / "n.h5", build_generator(TINY))
    wanted = Architecture(image_size=32, width=1 / 16)
    with pytest.raises(InputError, match=r"n.h5: layer 'block1_conv1'.*made with --width 0.03125, --features-width"):
        start.fill(build_generator(wanted), wanted, tmp_path / "n.h5")


@pytest.mark.parametrize("build", [build_generator, build_classifier])
@pytest.mark.parametrize("size", [32, 128, 224])
def test_a_network_for_pictures_of_another_size_is_filled(tmp_path, build, size):
    """Kernels behind Flatten give the same for the same features in all places; all else is as it was."""
    before, after = (Architecture(image_size=side, width=1 / 32) for side in (160, size))
    network, other = build(before), build(after)
    make_up_weights(network)
    loading.save(network, "HistoryNet", before, tmp_path / "n.keras")
    fitted = start.fill(other, after, tmp_path / "n.keras")
    assert fitted == (["info_dense1", "label_dense1"] if build is build_generator else ["classifier_dense"])
    features = np.random.default_rng(0).normal(size=16)
    for layer in network.layers:
        values, filled = layer.get_weights(), other.get_layer(layer.name).get_weights()
        if layer.name in fitted:
            (kernel, bias), (new_kernel, new_bias) = values, filled
            same = np.tile(features, 5 * 5) @ kernel
            np.testing.assert_allclose(np.tile(features, (size // 32) ** 2) @ new_kernel, same, rtol=1e-4, atol=1e-5)
            values, filled = [bias], [new_bias]
        for a, b in zip(values, filled, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=layer.name)


def test_fitting_to_larger_pictures_keeps_the_places(tmp_path):
    """Of a kernel that sees the left half only, one that sees the left half only; between, what a line gives."""
    before, after = (Architecture(image_size=side, width=1 / 32) for side in (64, 128))
    network, other = build_generator(before), build_generator(after)
    kernel, bias = network.get_layer("info_dense1").get_weights()
    places = np.zeros((2, 2, 16, kernel.shape[1]), np.float32)
    places[:, 0] = 1
    network.get_layer("info_dense1").set_weights([places.reshape(kernel.shape), bias])
    loading.save(network, "HistoryNet", before, tmp_path / "n.keras")
    start.fill(other, after, tmp_path / "n.keras")
    places = other.get_layer("info_dense1").get_weights()[0].reshape(4, 4, 16, -1)
    # Halving a side of four by triangles of twice the width: weights 1/8, 3/8, 3/8, 1/8, less what is outside.
    expected = np.array([3, 3, 1, 0]) / 7
    np.testing.assert_allclose(places.sum(0)[:, 0, 0] / 2, expected, atol=1e-6)


def test_a_file_whose_size_is_not_that_of_its_arrays_is_refused(tmp_path):
    network = build_generator(TINY)
    loading.save(network, "HistoryNet", Architecture(image_size=96, width=1 / 32), tmp_path / "n.keras")
    wanted = Architecture(image_size=64, width=1 / 32)
    with pytest.raises(InputError, match=r"n.keras: layer 'info_dense1' has arrays of shape"):
        start.fill(build_generator(wanted), wanted, tmp_path / "n.keras")


def write_npz(path):
    rng = np.random.default_rng(0)
    np.savez(path, **{f"layer{i}_kernel": rng.random((40, 50)).astype(np.float32) for i in range(3)})


def read_all(path):
    file = weight_files.read(path)
    return {layer: weight_files.values(arrays, path) for layer, arrays in file.arrays.items()}


@pytest.mark.parametrize("kind", ["stored", "packed", "npz"])
@pytest.mark.parametrize("end", [False, True], ids=["in the middle", "at the end"])
@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(errno.EIO, os.strerror(errno.EIO)), "Input/output error"), (MemoryError(), "there is not enough memory")],
    ids=["disk", "memory"],
)
def test_what_the_machine_cannot_read_is_not_damaged(saved, tmp_path, monkeypatch, kind, end, error, words):
    _, path = saved
    if kind == "packed":
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as again:
            for name in archive.namelist():
                again.writestr(name, archive.read(name))
        path = tmp_path / "a"
    elif kind == "npz":
        path = tmp_path / "a.npz"
        write_npz(path)
    size = path.stat().st_size
    with monkeypatch.context() as patch:
        fail_where_read(patch, path, range(size - 30, size) if end else range(size // 2, size // 2 + 512), error)
        with pytest.raises(InputError, match=rf"^{path}: cannot be read \({words}\)$"):
            read_all(path)
    read_all(path)


def test_an_array_that_the_disk_does_not_give_when_it_is_taken_is_not_damaged(saved, monkeypatch):
    """It was whole when the file was opened."""
    _, path = saved
    with monkeypatch.context() as patch:
        real, bad = io.FileIO.readinto, []

        def readinto(self, buffer):
            if bad:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(self, buffer)

        patch.setattr(FailingDisk, "readinto", readinto)
        fail_where_read(patch, path, range(0), None)
        file = weight_files.read(path)
        bad.append(True)
        with pytest.raises(InputError, match=rf"^{path}: cannot be read \(Input/output error\)$"):
            [weight_files.values(arrays, path) for arrays in file.arrays.values()]
    del file


class FailingDataset:
    """An array in an HDF5 file on a bad disk. The text is that of h5py 3.14 and HDF5 1.14 on such a disk."""

    def __init__(self, kind, number=None):
        text = "Can't synchronously read data (file read failed: time = Thu Nov 26 08:31:57 2026\n, filename = 'a.h5', "
        text += "file descriptor = 3, errno = 5, error message = 'Input/output error', buf = 0x7f67, offset = 2048)"
        self.error = kind(number, text) if number else kind(text)

    def __getitem__(self, key):
        raise self.error


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (FailingDataset(OSError, errno.EIO), "Input/output error"),
        (FailingDataset(RuntimeError), "Input/output error"),
        (FailingDataset(MemoryError), "there is not enough memory"),
    ],
)
def test_what_hdf5_could_not_read_is_not_damaged(tmp_path, array, words):
    path = tmp_path / "a.h5"
    with pytest.raises(InputError, match=rf"^{path}: cannot be read \({words}\)$"):
        weight_files.values([array], path)


def test_hdf5_groups_that_the_disk_does_not_give_are_not_damaged(released_file, monkeypatch):
    """Of a group that cannot be read h5py says that there is no such key."""
    path, _ = released_file
    error = FailingDataset(KeyError).error

    def fail(*arguments):
        raise error

    monkeypatch.setattr(h5py.h5o, "open", fail)
    with pytest.raises(InputError, match=rf"^{path}: cannot be read \(Input/output error\)$"):
        weight_files.read(path)


@pytest.mark.parametrize("part", [0.001, 0.5, 0.999])
def test_a_truncated_archive_of_arrays_is_called_damaged(tmp_path, part):
    path = tmp_path / "a.npz"
    write_npz(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(InputError, match=r"a\.npz: .*(damaged|not a model file)"):
        read_all(path)


@pytest.fixture
def released_file(tmp_path):
    network = build_generator(TINY)
    make_up_weights(network)
    write_released_file(tmp_path / "my_model_colorizationEpoch7.h5", network)
    return tmp_path / "my_model_colorizationEpoch7.h5", released_names(network, "HistoryNet")


def test_a_released_file_of_another_variant_is_refused_by_name(tmp_path):
    write_released_file(tmp_path / "x.h5", build_generator(small("HistoryNet_Parsing")), "HistoryNet_Parsing")
    words = "x.h5: this is a HistoryNet_Parsing model; SOURCE_HistoryNet needs a HistoryNet model .SOURCE_Parsing"
    with pytest.raises(InputError, match=words):
        loading.load(tmp_path / "x.h5", "HistoryNet", "generator", "HistoryNet")


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file["model_weights"])


def listed(group, names):
    group.attrs["weight_names"] = [name.encode() for name in names]


def relist(root, change):
    """Changes the list of layers: change(name) -> names in its place."""
    names = [name.decode() for name in np.array(root.attrs["layer_names"], "S")]
    root.attrs["layer_names"] = [new.encode() for name in names for new in change(name)]


def move_kernel(root):
    """The kernel of conv2d_24 stands under conv2d_25, in the place of that one's own."""
    del root["conv2d_25/conv2d_25/kernel:0"]
    root["conv2d_25/conv2d_24/kernel:0"] = root["conv2d_24/conv2d_24/kernel:0"][()]
    listed(root["conv2d_25"], ["conv2d_24/kernel:0", "conv2d_25/bias:0"])


def unlisted_array(root):
    root["conv2d_25/conv2d_25/mask:0"] = np.zeros(3, np.float32)


def listed_array(root):
    unlisted_array(root)
    listed(root["conv2d_25"], ["conv2d_25/kernel:0", "conv2d_25/bias:0", "conv2d_25/mask:0"])


def double_array(root):
    root["conv2d_25/conv2d_25_1/kernel:0"] = root["conv2d_25/conv2d_25/kernel:0"][()]
    listed(root["conv2d_25"], ["conv2d_25/kernel:0", "conv2d_25/bias:0", "conv2d_25_1/kernel:0"])


def extra_layer(root):
    root["conv2d_32/conv2d_32/kernel:0"] = np.zeros((3, 3, 1, 1), np.float32)
    listed(root["conv2d_32"], ["conv2d_32/kernel:0"])
    relist(root, lambda name: [name, "conv2d_32"] if name == "conv2d_31" else [name])


def missing_layer(root):
    relist(root, lambda name: [] if name == "conv2d_25" else [name])
    del root["conv2d_25"]


def missing_array(root):
    del root["conv2d_25/conv2d_25/bias:0"]


def unlisted_bias(root):
    missing_array(root)
    listed(root["conv2d_25"], ["conv2d_25/kernel:0"])


def renumbered(root):
    root.move("conv2d_25", "conv2d_99")
    root["conv2d_99"].move("conv2d_25", "conv2d_99")
    listed(root["conv2d_99"], ["conv2d_99/kernel:0", "conv2d_99/bias:0"])
    relist(root, lambda name: ["conv2d_99"] if name == "conv2d_25" else [name])


def other_shape(root):
    del root["dense_4/dense_4/kernel:0"]
    root["dense_4/dense_4/kernel:0"] = np.zeros((3, 3), np.float32)


def scalar(root):
    del root["dense_4/dense_4/kernel:0"]
    root["dense_4/dense_4/kernel:0"] = np.float32(3)


def text_array(root):
    del root["dense_4/dense_4/kernel:0"]
    root["dense_4/dense_4/kernel:0"] = "import os"


def combined(root):
    """The generator and the discriminator as nested models, as in my_model_combinedEpoch7.h5."""
    for name in [*root]:
        if name.startswith("conv2d"):
            root.move(f"{name}/{name}", f"model_4/{name}")
            del root[name]
    listed(root["model_4"], [f"{name}/{v}:0" for name in root["model_4"] for v in ("kernel", "bias")])
    root.attrs["layer_names"] = [b"model_3", b"model_4"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (move_kernel, "under the layer 'conv2d_25' stands an array of another layer, 'conv2d_24/kernel:0'"),
        (unlisted_array, "array '/model_weights/conv2d_25/conv2d_25/mask:0' that belongs to none of its layers"),
        (listed_array, "the layer 'conv2d_25' holds an array 'conv2d_25/mask:0', which no layer of ours has"),
        (double_array, "holds the array 'conv2d_25_1/kernel:0' of the layer 'conv2d_25' twice"),
        (extra_layer, "holds a layer 'conv2d_32' that the HistoryNet generator does not have"),
        (missing_layer, "the HistoryNet generator's layer 'parsing_conv6' is not in the file"),
        (missing_array, "the array 'conv2d_25/bias:0' that the layer 'conv2d_25' lists is not there"),
        (unlisted_bias, "layer 'parsing_conv6' has arrays of shape .*; the generator needs"),
        (renumbered, "holds a layer 'conv2d_99' that"),
        (other_shape, r"layer 'label_dense1' has arrays of shape \(3, 3\), .*; the generator needs"),
        (scalar, "arrays without a shape"),
        (text_array, "is no array of real numbers"),
        (combined, "this is a combined model, .*my_model_colorization"),
    ],
)
def test_a_released_file_that_does_not_fit_is_refused(released_file, change, words):
    path, _ = released_file
    edit(path, change)
    with pytest.raises(InputError, match=f"Epoch7.h5: .*{words}|Epoch7.h5: {words}"):
        loading.load(path, "HistoryNet", "generator", "HistoryNet")


def test_a_truncated_released_file_is_refused(released_file):
    path, _ = released_file
    data = path.read_bytes()
    for part in (0.001, 0.3, 0.999):
        path.write_bytes(data[: int(len(data) * part)])
        with pytest.raises(InputError, match=r"Epoch7.h5: (cannot be read|not a model)"):
            loading.load(path, "HistoryNet", "generator")


def test_other_hdf5_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = np.zeros(3)
    with pytest.raises(InputError, match=r"other.h5: an HDF5 file, but not"):
        loading.load(tmp_path / "other.h5", "HistoryNet", "generator")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save_weights(tmp_path / "o.weights.h5")
    with pytest.raises(InputError, match=r"o.weights.h5: holds weights, but of no network that this program has"):
        loading.load(tmp_path / "o.weights.h5", "HistoryNet", "generator")


def test_the_other_networks_of_a_release_are_told_apart(tmp_path):
    for build in (build_discriminator, build_classifier):
        network = build(TINY)
        write_released_file(tmp_path / "x.h5", network)
        with pytest.raises(InputError, match=f"x.h5: this is a {network.name}; a generator is needed"):
            loading.load(tmp_path / "x.h5", "HistoryNet", "generator", "HistoryNet")


def test_the_teacher_is_vgg16_as_a_whole(tmp_path):
    baseline = small("Baseline")
    teacher = start.build_teacher(baseline)
    theirs = keras.applications.VGG16(weights=None)
    layers = [layer for layer in teacher.layers if layer.weights]
    assert [layer.name for layer in layers] == [layer.name for layer in theirs.layers if layer.weights]
    for layer in layers:
        assert layer.activation == theirs.get_layer(layer.name).activation
        assert not layer.trainable_weights
    with h5py.File(tmp_path / "vgg.h5", "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            names = [f"{layer.name}_W_1:0", f"{layer.name}_b_1:0"]
            for name, value in zip(names, layer.get_weights(), strict=True):
                file[f"{layer.name}/{name}"] = value + 1
            listed(file[layer.name], names)
    path = tmp_path / "vgg.h5"
    arrays = vgg16.whole_arrays(weight_files.read(path).arrays, [layer.name for layer in layers], path)
    before = teacher.get_weights()
    assign(teacher, arrays, tmp_path / "vgg.h5")
    for a, b in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a + 1, b)


def test_the_teacher_needs_the_whole_file(tmp_path, full_generator):
    vgg16_file(tmp_path / "notop.h5", [*NOTOP, "block5_conv2", "block5_conv3"], shape=(3, 3, 1, 1))
    teacher = start.build_teacher(small("Baseline"))
    with pytest.raises(InputError, match=r"notop.h5: .*no layer 'fc1'.*vgg16_weights_tf_dim_ordering_tf_kernels.h5"):
        start.load_vgg16(teacher, Architecture("Baseline"), str(tmp_path / "notop.h5"), whole=True)
    with pytest.raises(InputError, match="--image-size 224"):
        start.load_vgg16(teacher, Architecture("Baseline", 32), "imagenet", whole=True)


def test_convert_and_inspect_on_the_command_line(released_file, tmp_path, monkeypatch):
    from conftest import ROOT

    path, _ = released_file
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*arguments):
        return run_process("-m", "historynet.weights", *arguments)

    result = run("convert", path, tmp_path / "ours.keras")
    assert (result.returncode, result.stderr) == (0, "")
    ours, _ = loading.load(tmp_path / "ours.keras", "HistoryNet", "generator", "HistoryNet")
    theirs, _ = loading.load(path, "HistoryNet", "generator", "HistoryNet")
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    result = run("inspect", tmp_path / "ours.keras")
    assert result.returncode == 0
    for words in ("HistoryNet .keras", "generator", "SOURCE_HistoryNet", "0.03125", "color_conv3"):
        assert words in result.stdout
    (tmp_path / "empty.h5").write_bytes(b"")
    for arguments, words in (
        (("inspect", tmp_path / "empty.h5"), "empty.h5: the file is empty"),
        (("convert", path, tmp_path / "ours.h5"), "must end with .keras"),
        (("inspect",), "--help"),
    ):
        result = run(*arguments)
        assert result.returncode == 2
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_convert_with_half_the_bytes(saved, tmp_path, run):
    """Kernels as NumPy rounds them to float16, vectors as they were."""
    generator, path = saved
    for variable in generator.variables:
        variable.assign(np.random.default_rng(1).random(variable.shape))
    loading.save(generator, "HistoryNet", TINY, path)
    code, _, _ = run("historynet/weights/__main__.py", "convert", path, tmp_path / "half.keras", "--half")
    assert code == 0
    assert (tmp_path / "half.keras").stat().st_size < path.stat().st_size
    halved, architecture = loading.load(tmp_path / "half.keras", "HistoryNet", "generator", "HistoryNet")
    assert architecture == TINY
    for ours, whole in zip(halved.variables, generator.variables, strict=True):
        values = whole.numpy()
        expected = values.astype(np.float16).astype(np.float32) if values.ndim > 1 else values
        assert (expected != values).any() == (values.ndim > 1), ours.path
        np.testing.assert_array_equal(ours.numpy(), expected, err_msg=ours.path)


MIXED = Architecture(image_size=32, width=3 / 64, features_width=1 / 16, dense_width=1 / 64)


@pytest.mark.parametrize("architecture", [MIXED, Architecture(image_size=32, width=0.033)])
@pytest.mark.parametrize("build", [build_generator, build_discriminator, build_classifier])
@pytest.mark.parametrize("described", [True, False])
def test_networks_of_several_widths_come_back(tmp_path, build, architecture, described):
    network = build(architecture)
    path = tmp_path / ("n.keras" if described else "n.weights.h5")
    if described:
        loading.save(network, "HistoryNet", architecture, path)
        assert loading.load(path, "HistoryNet", network.name)[1] == architecture
    else:
        network.save_weights(path)
    for a, b in zip(network.variables, loading.load(path, "HistoryNet", network.name)[0].variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_a_file_from_before_the_widths_loads(saved):
    def forget(name, data):
        if name != "historynet.json":
            return data
        return json.dumps({key: value for key, value in json.loads(data).items() if key[-6:] != "_width"})

    rewrite(saved[1], forget)
    assert loading.load(saved[1], "HistoryNet", "generator")[1] == TINY


def test_what_widths_a_file_was_made_with_is_said(tmp_path, capsys):
    loading.save(build_generator(MIXED), "HistoryNet", MIXED, tmp_path / "n.keras")
    words = r"made with --width 0.046875, --features-width 0.0625, --dense-width 0.015625$"
    with pytest.raises(InputError, match=words):
        start.fill(build_generator(TINY), TINY, tmp_path / "n.keras")
    models.inspect(tmp_path / "n.keras")
    shown = capsys.readouterr().out
    for words in ("width          0.046875\n", "features width 0.0625\n", "dense width    0.015625\n"):
        assert words in shown


@pytest.mark.parametrize("widths", ['"width": "wide"', '"features_width": -1', '"dense_width": []'])
def test_a_description_with_a_wrong_width_is_named(saved, widths):
    description = f'{{"network": "generator", "image_size": 32, "width": 0.03125, {widths}}}'
    rewrite(saved[1], lambda name, data: description if name == "historynet.json" else data)
    with pytest.raises(InputError, match="Epoch0.keras: not a model file of HistoryNet"):
        loading.load(saved[1], "HistoryNet", "generator")


COMPACT = Architecture(image_size=32, width=1 / 32, features_width=1.0)
SEVEN = vgg16.layer_names()[:7]


@pytest.fixture
def vgg16_part(tmp_path):
    """The path, the arrays, and a function to write them changed."""
    network, rng = build_generator(COMPACT), np.random.default_rng(0)
    arrays = {
        f"{name}_{kind}": rng.standard_normal(value.shape).astype("f4")
        for name in SEVEN
        for kind, value in zip(("kernel", "bias"), network.get_layer(name).get_weights(), strict=True)
    }
    path = tmp_path / "vgg.npz"
    np.savez(path, **arrays)
    return network, path, arrays


def test_a_part_of_vgg16_fills_its_layers_and_says_which(vgg16_part):
    network, path, arrays = vgg16_part
    before = {variable.path: variable.numpy() for variable in network.variables}
    assert start.load_vgg16(network, COMPACT, str(path)) == SEVEN
    for variable in network.variables:
        expected = arrays.get(variable.path.replace("/", "_"), before[variable.path])
        np.testing.assert_array_equal(variable.numpy(), expected, err_msg=variable.path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"block1_conv1_kernel": np.zeros((3, 3, 3, 5), "f4")}, "'block1_conv1' has arrays of shape"),
        ({"color_conv1_kernel": np.zeros(1, "f4")}, "'color_conv1' is not a layer of G0"),
        ({"block4_conv1_kernel": np.zeros(1, "f4")}, "'block4_conv1' is not a layer of G0 with kernel and bias"),
        ({"block1_conv1": np.zeros(1, "f4")}, "an array 'block1_conv1'; LAYER_kernel or LAYER_bias"),
        ({"block1_conv1_bias": np.zeros(64, int)}, "block1_conv1_bias is no array of real numbers"),
        ({"block1_conv1_bias": np.array([None])}, "not a model file"),
    ],
)
def test_a_part_of_vgg16_that_does_not_fit_is_named(vgg16_part, change, words):
    network, path, arrays = vgg16_part
    np.savez(path, **arrays | change)
    with pytest.raises(InputError, match=rf"vgg.npz.*{words}"):
        start.load_vgg16(network, COMPACT, str(path))


def test_a_part_of_vgg16_is_not_the_whole(vgg16_part, tmp_path):
    network, path, _ = vgg16_part
    with pytest.raises(InputError, match="--features-width 1"):
        start.load_vgg16(build_generator(TINY), TINY, str(path))
    with pytest.raises(InputError, match="--width 1 only.*npz"):
        start.load_vgg16(network, COMPACT, "imagenet")
    full = Architecture("Baseline", image_size=224)
    with pytest.raises(InputError, match=r"vgg.npz: not VGG16's weights.*block4_conv1"):
        start.load_vgg16(start.build_teacher(small("Baseline")), full, str(path), whole=True)
    with pytest.raises(InputError, match="no network that this program has"):
        loading.load(path, "HistoryNet", "generator")


def test_vgg16s_preprocessing_in_the_first_layer(vgg16_part):
    """Away from the border, as the first layer alone with Keras' own preprocessing before it."""
    network, path, arrays = vgg16_part
    start.load_vgg16(network, COMPACT, str(path), preprocessing=True)
    luminance = np.random.default_rng(1).random((1, 32, 32, 1)).astype("f4")
    first = keras.Model(network.input, network.get_layer("block1_conv1").output)
    theirs = keras.layers.Conv2D(64, 3, padding="same", activation="relu")
    theirs.build((None, 32, 32, 3))
    theirs.set_weights([arrays["block1_conv1_kernel"], arrays["block1_conv1_bias"]])
    expected = theirs(keras.applications.vgg16.preprocess_input(np.repeat(luminance * 255, 3, axis=-1)))
    ours, expected = (np.asarray(x)[:, 1:-1, 1:-1] for x in (first(luminance), expected))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_that_was_packed_again_comes_back_equal(saved, tmp_path, compression):
    generator, path = saved
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "again.keras", "w", compression) as again:
        for name in reversed(archive.namelist()):
            member = zipfile.ZipInfo(name)
            # As other programs that pack write it, for times of access and so on.
            member.compress_type, member.extra = compression, b"\x01\x99\x03\x00abc"
            again.writestr(member, archive.read(name))
    loaded, _ = loading.load(tmp_path / "again.keras", "HistoryNet", "generator")
    for a, b in zip(generator.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_one_changed_bit_is_noticed(saved):
    generator, path = saved
    data = bytearray(path.read_bytes())
    data[data.index(generator.get_layer("info_dense1").kernel.numpy().tobytes()) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="a damaged or unfinished file"):
        loading.load_colorizing(path)
