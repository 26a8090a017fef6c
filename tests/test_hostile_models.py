"""Model files made to harm: what reads other files, takes memory or time beyond the file's size, or is nothing sound.

Each refusal is one line that names the file, within two seconds.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import fuzz_models
import fuzzing
import h5py
import numpy as np
import pytest
from conftest import ROOT, resident_bytes

from historynet.errors import InputError
from historynet.settings.accepting import number
from historynet.systems import loading
from historynet.systems.historynet import start
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.settings import HistoryNetSettings
from historynet.systems.historynet.variants import Architecture
from historynet.training.checkpoints import Checkpoints
from historynet.weights import reading

TINY = Architecture(image_size=32, width=1 / 32)
KERNEL = "layers/conv2d/vars/0"


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The same network as a .keras file, as Keras 3's weights, and as Keras 2's."""
    from released_files import write_released_file

    folder, network = tmp_path_factory.mktemp("originals"), build_generator(TINY)
    loading.save(network, "HistoryNet", TINY, folder / "a.keras")
    network.save_weights(folder / "a.weights.h5")
    write_released_file(folder / "a.h5", network)
    return folder


@pytest.fixture(params=["a.keras", "a.weights.h5", "a.h5"])
def model(request, originals, tmp_path):
    """A test's own copy of each."""
    return shutil.copy(originals / request.param, tmp_path / request.param)


@pytest.fixture
def keras3(originals, tmp_path):
    return shutil.copy(originals / "a.keras", tmp_path / "a.keras")


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path, contents, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def edit(path, change):
    """Changes the HDF5 file that a model is, or holds: change(file, path of the first kernel)."""
    if path.suffix == ".keras":
        contents = members(path)
        inner = path.with_suffix(".inner.h5")
        inner.write_bytes(contents["model.weights.h5"])
        edit(inner, change)
        write_members(path, contents | {"model.weights.h5": inner.read_bytes()})
        return
    with h5py.File(path, "r+") as file:
        kernels = []
        file.visititems(lambda name, item: kernels.append(name) if getattr(item, "ndim", 0) == 4 else None)
        change(file, kernels[0])


def refused(path, words=None, act=reading.read):
    """Refused in one line that names the file, within two seconds of a processor and without taking memory."""
    # What is imported and made once.
    with pytest.raises(InputError):
        act(path)
    before, began = resident_bytes(), time.process_time()
    with pytest.raises(InputError, match=words) as error:
        act(path)
    assert time.process_time() - began < 2
    assert resident_bytes() - before < 100e6
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1500
    return error.value


def identify(path):
    return loading.identify(path)


def colorizing(path):
    return loading.load_colorizing(path)


# What reads other files.


def in_another_file(target):
    def change(file, kernel):
        shape = file[kernel].shape
        del file[kernel]
        size = int(np.prod(shape)) * 4
        file.create_dataset(kernel, shape, "f4", external=[(str(target), 0, size)])

    return change


def of_another_file(target):
    def change(file, kernel):
        shape = file[kernel].shape
        del file[kernel]
        layout = h5py.VirtualLayout(shape, "f4")
        layout[...] = h5py.VirtualSource(str(target), "x", shape)
        file.create_virtual_dataset(kernel, layout)

    return change


def linked(link):
    def change(file, kernel):
        del file[kernel]
        file[kernel] = link

    return change


@pytest.mark.parametrize("target", ["pipe", "/etc/hostname"])
@pytest.mark.parametrize("way", ["storage", "virtual", "external link", "group link"])
def test_nothing_is_read_of_another_file(model, tmp_path, way, target):
    """The file behind it could be a pipe, at which a reader waits for ever."""
    if target == "pipe":
        target = tmp_path / "pipe"
        os.mkfifo(target)
    ways = {
        "storage": in_another_file(target),
        "virtual": of_another_file(target),
        "external link": linked(h5py.ExternalLink(str(target), "x")),
        "group link": lambda file, _: file.__setitem__("somewhere", h5py.ExternalLink(str(target), "/")),
    }
    edit(model, ways[way])
    refused(model, "another file" if way in ("storage", "virtual") else "link to somewhere else")


def test_soft_links_are_refused(model):
    edit(model, linked(h5py.SoftLink("/anything")))
    refused(model, "link to somewhere else")


def test_two_links_to_one_array_or_group_are_refused(model):
    def twice(file, kernel):
        file["again"] = file[kernel]

    def circle(file, kernel):
        file[kernel].parent["circle"] = file["/"]

    for change in (twice, circle):
        # HDF5 would not open for writing what an error's traceback still holds open.
        path = shutil.copy(model, model.with_name(f"{change.__name__}_{model.name}"))
        edit(path, change)
        refused(path, "two links lead to")


def test_a_name_that_leads_through_a_link_is_refused(tmp_path, originals):
    """A name with a slash, which the library would follow."""
    path = tmp_path / "a.weights.h5"
    path.write_bytes((originals / "a.weights.h5").read_bytes())
    edit(path, lambda file, _: file.create_group("zzslashzz"))
    path.write_bytes(path.read_bytes().replace(b"zzslashzz", b"layers/zz"))
    refused(path, "no proper name")


def test_a_committed_type_is_refused(model):
    edit(model, lambda file, _: file.__setitem__("type", np.dtype("f4")))
    refused(model, "neither a group nor an array")


def test_a_library_is_never_loaded_to_unpack_an_array(model, tmp_path):
    """Filters that HDF5 does not know are loaded from HDF5_PLUGIN_PATH."""

    def unknown(file, kernel):
        shape = file[kernel].shape
        del file[kernel]
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk(shape)
        creation.set_filter(333, h5py.h5z.FLAG_OPTIONAL, (1, 2))
        name = kernel.encode()
        h5py.h5d.create(file.id, name, h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(shape), creation)

    edit(model, unknown)
    refused(model, "packed or in pieces")


@pytest.mark.parametrize("how", [{"compression": "gzip"}, {"compression": "lzf"}, {"chunks": True}, {"shuffle": True}])
def test_arrays_in_pieces_are_refused_with_what_to_do(model, how):
    def change(file, kernel):
        values = file[kernel][()]
        del file[kernel]
        file.create_dataset(kernel, data=values, **how)

    edit(model, change)
    refused(model, "packed or in pieces; `h5repack -f NONE -l CONTI IN OUT` stores it as it is")


def test_a_pipe_as_a_model_or_a_checkpoint_is_not_waited_for(tmp_path):
    for name in ("a.keras", "step000000001.npz"):
        os.mkfifo(tmp_path / name)
    refused(tmp_path / "a.keras", "not a regular file")
    with pytest.raises(InputError, match="not a regular file"):
        Checkpoints(tmp_path, 1).newest(pytest.fail)


# What takes memory or time.


@pytest.mark.parametrize("how", [{"chunks": (64, 64)}, {}], ids=["in pieces", "whole"])
def test_arrays_that_were_never_written_are_refused(model, how):
    """4 TB that cost nothing in the file."""

    def change(file, kernel):
        del file[kernel]
        file.create_dataset(kernel, (10**6, 10**6), "f4", fillvalue=1, **how)

    edit(model, change)
    refused(model, "packed or in pieces|is not in the file as a whole")


def test_many_arrays_in_one_place_are_refused(tmp_path, originals):
    """Each as large as the file; together a thousand times that."""
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        for i in range(50):
            group = file.create_group(f"layers/l{i}/vars")
            group.attrs["name"] = f"l{i}"
            group["0"] = np.full(10_000, i, "f4")
        places = [file[f"layers/l{i}/vars/0"].id.get_offset() for i in range(50)]
    data = path.read_bytes()
    for place in places[1:]:
        header = struct.pack("<QQ", place, 40_000)
        assert data.count(header) == 1
        data = data.replace(header, struct.pack("<QQ", places[0], 40_000))
    path.write_bytes(data[: len(data) // 20])
    refused(path, "more bytes than the file has|cannot be read")
    path.write_bytes(data[: places[0] + 40_000 + 30_000] + bytes(10))
    refused(path, "more bytes than the file has|cannot be read")


def test_twenty_thousand_layers_are_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        for i in range(20_000):
            file.create_group(f"layers/l{i}")
    refused(path, "more than 8000 groups and arrays")


def test_as_many_groups_and_arrays_as_may_be_are_read_in_two_seconds(tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        for i in range(1_900):
            group = file.create_group(f"layers/l{i}/vars")
            group.attrs["name"] = f"l{i}"
            group["0"], group["1"] = np.zeros(1, "f4"), np.zeros(1, "f4")
    refused(path, "no network", identify)
    assert len(reading.read(path).arrays) == 1_900


def test_groups_twenty_thousand_deep_are_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers").id
        for _ in range(20_000):
            group = h5py.h5g.create(group, b"g")
    refused(path, "more than 32 deep")


@pytest.mark.parametrize("name", ["model.weights.h5", "historynet.json", "config.json", "more"])
def test_a_member_that_inflates_to_gigabytes_is_refused(keras3, name):
    bomb = keras3.with_suffix(".bomb")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other, data in members(keras3).items():
            if other != name:
                archive.writestr(other, data)
        with archive.open(name, "w", force_zip64=True) as member:
            for _ in range(128):
                member.write(bytes(1 << 20))
    refused(bomb, "more than 4 times the file when they are unpacked")


def test_a_member_that_says_that_it_is_small_is_not_inflated_further(keras3):
    path = keras3.with_suffix(".bomb")
    contents = members(keras3)
    contents["model.weights.h5"] += bytes(1 << 26)
    write_members(path, contents, zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", len(contents["model.weights.h5"])), struct.pack("<I", 300_000)))
    refused(path, "damaged")


def test_a_table_of_contents_of_a_million_members_is_not_read(tmp_path):
    path, count = tmp_path / "a.keras", 1_000_000
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entry) * count, 4, 0)
    path.write_bytes(b"PK\3\4" + entry * count + end)
    refused(path, "not a model file of HistoryNet, or a damaged one")


@pytest.mark.parametrize("name", ["historynet.json", "model.weights.h5"])
def test_two_members_of_a_name_are_refused(keras3, name):
    data = members(keras3)[name]
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(keras3, "a") as archive:
        archive.writestr(name, data)
    refused(keras3, f"holds two members '{name}'")


def test_links_and_encrypted_members_are_refused(keras3):
    kept = members(keras3)
    with zipfile.ZipFile(keras3, "w") as archive:
        for name, data in kept.items():
            member = zipfile.ZipInfo(name)
            if name == "model.weights.h5":
                member.create_system, member.external_attr, data = 3, 0o120777 << 16, b"/etc/passwd"
            archive.writestr(member, data)
    refused(keras3, "is a link")
    write_members(keras3, kept)
    data = bytearray(keras3.read_bytes())
    for start_of, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := data.find(start_of, at + 1)) >= 0:
            data[at + place] |= 1
    keras3.write_bytes(data)
    refused(keras3, "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, 99])
@pytest.mark.parametrize("damaged", [False, True])
def test_ways_of_packing_other_than_deflate_are_refused(keras3, method, damaged):
    write_members(keras3, members(keras3), zipfile.ZIP_LZMA if method == 99 else method)
    data = bytearray(keras3.read_bytes())
    if method == 99:
        data = data.replace(b"PK\1\2\x3f\x03\x3f\0\2\0\x0e\0", b"PK\1\2\x3f\x03\x3f\0\2\0\x63\0")
        assert data != keras3.read_bytes()
    if damaged:
        data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    keras3.write_bytes(data)
    refused(keras3, "zip it again, by deflate or not at all")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"network": "generator", "image_size": ' + "9" * 1_000_000 + "}",
        '{"network": "generator", "image_size": 1e999}',
        '{"network": "generator", "width": NaN}',
        '{"network": "generator", "width": Infinity}',
        '{"network": "generator", "width": 1e300}',
        '{"network": "generator", "width": ' + "9" * 4_000 + "}",
        '{"network": "generator", "width": "wide"}',
        '{"network": "generator", "width": true}',
        '{"network": "generator", "width": [' + "1," * 100_000 + "1]}",
        '{"network": "generator", "variant": "' + "x" * 100_000 + '"}',
        '{"network": "generator", "' + "x" * 100_000 + '": 1}',
        '{"network": "generator", "\\n\\u001b[2J": 1}',
        '{"network": "' + "x" * 100_000 + '"}',
        '{"network": ["generator"]}',
        '{"system": "' + "x" * 100_000 + '", "network": "generator", "architecture": {}}',
        '{"system": "HistoryNet", "network": "generator", "architecture": []}',
        '{"system": "HistoryNet", "network": "generator", "architecture": {"num_classes": 1e9}}',
        '{"system": "HistoryNet", "network": "generator", "architecture": {"num_classes": 99999999999}}',
        '{"network": "generator"} ' + " " * (2 << 20),
        "null",
        "\udcff",
    ],
    ids=range(23),
)
def test_a_description_of_any_kind_is_refused(keras3, text):
    write_members(keras3, members(keras3) | {"historynet.json": text.encode("utf-8", "surrogateescape")})
    message = str(refused(keras3, act=colorizing))
    assert "\x1b" not in message


def test_a_network_larger_than_its_file_is_not_built(keras3):
    """The description may say of a few kilobytes that they are a network of terabytes."""
    description = json.loads(members(keras3)["historynet.json"])
    description["architecture"] |= {"width": 16.0, "features_width": 16.0, "dense_width": 16.0, "image_size": 4096}
    write_members(keras3, members(keras3) | {"historynet.json": json.dumps(description)})
    for act in (colorizing, lambda path: loading.load(path, "HistoryNet", "generator")):
        refused(keras3, "has arrays of shape .*; the generator needs ", act)


@pytest.mark.parametrize("name", ["image_size", "width"])
@pytest.mark.parametrize("value", ["1e400", "NaN", "9" * 400, "-1"], ids=["infinite", "nan", "large", "negative"])
def test_a_training_that_goes_on_from_such_a_file_names_it(keras3, name, value):
    """--init-generator takes the sizes from the file."""
    write_members(keras3, members(keras3) | {"historynet.json": f'{{"architecture": {{"{name}": {value}}}}}'})
    refused(
        keras3, f"its {name} is no size", lambda path: HistoryNetSettings.implied({"init_generator": str(path)}, ())
    )


def test_numbers_too_large_for_a_setting_are_refused():
    with pytest.raises(ValueError, match="a number above 0"):
        number(above=True)(10**400)


def test_a_network_for_other_pictures_is_not_fitted_where_it_will_not_fit(keras3):
    """For pictures 128 times the side its kernel would be 16,384 times as large, whatever that is in the file."""
    network = build_generator(TINY)
    edit_layer = {}

    def change(file, _):
        file.visititems(lambda name, item: edit_layer.update({item.attrs.get("name"): name}))
        group = file[edit_layer["info_dense1"]]
        del group["0"]
        group["0"] = np.zeros((16, 100_000), "f4")

    edit(keras3, change)
    description = json.loads(members(keras3)["historynet.json"])
    description["architecture"]["image_size"] = 4096
    write_members(keras3, members(keras3) | {"historynet.json": json.dumps(description)})
    refused(keras3, "info_dense1", lambda path: start.fill(network, TINY, path))


# What is nothing sound.


@pytest.mark.parametrize("name", [np.bytes_(b"conv"), 3, np.zeros(3), np.array(["a", "b"], "S"), h5py.Empty("f4"), ""])
def test_names_that_are_no_texts_are_refused(originals, tmp_path, name):
    path = shutil.copy(originals / "a.weights.h5", tmp_path / "a.weights.h5")
    edit(path, lambda file, kernel: file[kernel].parent.attrs.__setitem__("name", name))
    refused(path, None if isinstance(name, str) else "no name that is a text", identify)


@pytest.mark.parametrize("names", [3, np.zeros(3), [[b"a"]], h5py.Empty("f4"), np.void(b"abc"), b"abc", [b"\xff"]])
@pytest.mark.parametrize("attribute", ["layer_names", "weight_names"])
def test_lists_of_names_that_are_none_are_refused(originals, tmp_path, names, attribute):
    path = shutil.copy(originals / "a.h5", tmp_path / "a.h5")

    def change(file, kernel):
        holder = file["model_weights"] if attribute == "layer_names" else file["model_weights/conv2d_25"]
        holder.attrs[attribute] = names

    edit(path, change)
    refused(path, act=identify)


def test_a_list_that_names_one_large_text_thousands_of_times_is_not_read(originals, tmp_path):
    path = shutil.copy(originals / "a.h5", tmp_path / "a.h5")

    def change(file, _):
        file["model_weights"].attrs.create(
            "layer_names", ["x" * 1_000_000] + ["y" * 100] * 3_000, dtype=h5py.string_dtype()
        )

    edit(path, change)
    refused(path, "layer_names that are no list of names")


def test_lists_in_many_parts_that_name_one_large_text_are_not_read(originals, tmp_path):
    """Each part is small enough; together they would be a gigabyte."""
    path = shutil.copy(originals / "a.h5", tmp_path / "a.h5")

    def change(file, _):
        root = file["model_weights"]
        del root.attrs["layer_names"]
        for i in range(30):
            texts = ["x" * (200_001 if i == 0 else 200_000)] + ["yyy"] * 200
            root.attrs.create(f"layer_names{i}", texts, dtype=h5py.string_dtype())

    edit(path, change)
    data = bytearray(path.read_bytes())
    # All names become references to the text of the first part.
    first = data.find(struct.pack("<I", 200_001))
    reference = data[first : first + 16]
    changed, place = 0, first
    while (place := data.find(struct.pack("<I", 200_000), place + 1)) > 0:
        for at in range(place + 16, place + 16 * 201, 16):
            if data[at : at + 4] == struct.pack("<I", 3):
                data[at : at + 16] = reference
                changed += 1
    assert changed >= 29 * 200
    path.write_bytes(data)
    refused(path, "layer_names0 that are no list of names")


def test_a_decoy_does_not_hide_a_large_text(originals, tmp_path):
    """The bytes before the place of a text look like the beginning of a smaller place."""
    path = shutil.copy(originals / "a.h5", tmp_path / "a.h5")

    def change(file, _):
        root = file["model_weights"]
        # 5 bytes, then the place's own beginning, of whose size the last three bytes are 0.
        size = (1 << 24) - 32
        root.attrs.create("layer_names", ["x" * size] + ["yyy"] * 200, dtype=h5py.string_dtype())

    edit(path, change)
    data = bytearray(path.read_bytes())
    (place,) = (match.start() for match in re.finditer(rb"GCOL\x01...(\0\0\0\x01\0{4})", data, re.DOTALL))
    data[place - 5 : place] = b"GCOL\x01"
    path.write_bytes(data)
    refused(path, "layer_names that are no list of names")


@pytest.mark.parametrize("name", ["x" * 2000, ""])
def test_listed_names_of_no_sensible_length_are_refused(originals, tmp_path, name):
    path = shutil.copy(originals / "a.h5", tmp_path / "a.h5")

    def change(file, _):
        file["model_weights"].attrs.create("layer_names", [name, "a"], dtype=h5py.string_dtype())

    edit(path, change)
    refused(path)


@pytest.mark.parametrize(
    "values",
    [
        h5py.Empty("f4"),
        np.zeros((0, 3), "f4"),
        np.float32(1),
        np.zeros(3, "i4"),
        np.zeros(3, [("a", "f4")]),
        np.zeros(3, np.longdouble),
        np.zeros(3, complex),
        np.array(["a"], object),
        np.zeros(3, bool),
    ],
    ids=range(9),
)
def test_arrays_that_are_none_are_refused(model, values):
    def change(file, kernel):
        del file[kernel]
        file[kernel] = values

    edit(model, change)
    refused(model, act=colorizing)


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e39])
def test_numbers_that_are_not_finite_are_refused(model, value):
    def change(file, kernel):
        values = file[kernel][()].astype("f8")
        values[0, 0, 0, 0] = value
        del file[kernel]
        file[kernel] = values

    edit(model, change)
    refused(model, "numbers that are not finite", colorizing)


def test_references_to_elsewhere_are_refused(model):
    def change(file, kernel):
        reference = file[kernel].ref
        del file[kernel]
        file.create_dataset(kernel, data=[reference], dtype=h5py.ref_dtype)

    edit(model, change)
    refused(model, "no array of real numbers")


def test_the_cases_of_the_reference_files(reference):
    for name in ("external_storage.keras", "empty_array.weights.h5", "name_of_bytes.weights.h5"):
        refused(reference / "cases/models" / name, act=identify)


# Archives of arrays, and checkpoints.


def npy(header, data=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


HEADERS = {
    "a terabyte": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }", bytes(4)),
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nsystem\n(S'false'\ntR."),
    "negative": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", bytes(4)),
    "an expression": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 5000 + "1,), }", bytes(4)),
    "brackets": npy("(" * 9000, bytes(4)),
    "a large number": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 9000 + ",), }", bytes(4)),
    "digits": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1" * 60_000 + "x,), }", bytes(4)),
    "a record": npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", bytes(4)),
    "nothing": b"",
    "version 2": b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\x7f" + bytes(100),
}


@pytest.mark.parametrize("header", HEADERS)
def test_archives_of_arrays_with_such_headers_are_refused(tmp_path, header):
    path = tmp_path / "a.npz"
    write_members(path, {"block1_conv1_kernel.npy": HEADERS[header]})
    refused(path)


@pytest.mark.parametrize("header", HEADERS)
def test_checkpoints_with_such_headers_are_refused(tmp_path, header):
    write_members(tmp_path / "step000000001.npz", {"a.npy": HEADERS[header], "state.json": "{}"})
    began, told = time.process_time(), []
    with pytest.raises(InputError, match="all checkpoints are damaged|pickled objects, which are never read"):
        Checkpoints(tmp_path, 1).newest(told.append)
    assert time.process_time() - began < 2
    assert all("\n" not in message for message in told)


@pytest.mark.parametrize(
    "state", ["[" * 100_000, '{"position": {"epoch": ' + "9" * 1_000_000 + '}, "run": {}}', " " * (17 << 20), "[]", ""]
)
def test_checkpoints_with_such_a_state_are_passed_by(tmp_path, state):
    write_members(tmp_path / "step000000001.npz", {"state.json": state})
    began, told = time.process_time(), []
    with pytest.raises(InputError, match="all checkpoints are damaged"):
        Checkpoints(tmp_path, 1).newest(told.append)
    assert time.process_time() - began < 2
    assert len(told) == 1
    assert "\n" not in told[0]


def test_an_archive_that_is_packed_a_thousandfold_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, block1_conv1_kernel=np.zeros(30_000_000, "f4"))
    refused(path, "more than 4 times the file")


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """A thousand members, each of which is the same million bytes."""
    path, data = tmp_path / "step000000001.npz", bytes(1_000_000)
    crc = zlib.crc32(data)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, crc, len(data), len(data), 1, 0) + b"a"
    entries = [
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, crc, len(data), len(data), 4, 0, 0, 0, 0, 0, 0)
        + f"{i:04}".encode()
        for i in range(1000)
    ]
    table = b"".join(entries)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1000, 1000, len(table), len(local) + len(data), 0)
    path.write_bytes(local + data + table + end)
    refused(path, "more bytes than the file has")
    told = []
    with pytest.raises(InputError, match="all checkpoints are damaged"):
        Checkpoints(tmp_path, 1).newest(told.append)
    assert "more bytes than the file has" in told[0]


MEASURED = """
import resource, sys
from pathlib import Path
from historynet.weights import reading
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
file = reading.read(path)
for arrays in file.arrays.values():
    reading.values(arrays, path)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("form", ["stored.keras", "packed.keras", "a.weights.h5", "a.npz"])
def test_a_model_costs_at_most_its_own_size(tmp_path, form):
    """And a little for the libraries: 60 MB of arrays, three quarters of them in one layer."""
    rng, path = np.random.default_rng(0), tmp_path / form
    arrays = [rng.random(size, np.float32) for size in (11_000_000, 2_000_000, 2_000_000)]
    if form.endswith("npz"):
        np.savez(path, **{f"l{i}_kernel": array for i, array in enumerate(arrays)})
    else:
        inner = path if form.endswith("h5") else tmp_path / "inner"
        with h5py.File(inner, "w") as file:
            for i, array in enumerate(arrays):
                file[f"layers/l{i}/vars/0"] = array
                file[f"layers/l{i}/vars"].attrs["name"] = f"l{i}"
        if inner != path:
            with zipfile.ZipFile(path, "w", compresslevel=1) as archive:
                method = zipfile.ZIP_DEFLATED if "packed" in form else zipfile.ZIP_STORED
                archive.writestr("historynet.json", "{}")
                archive.write(inner, "model.weights.h5", method)
    done = subprocess.run([sys.executable, "-c", MEASURED, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    size = sum(array.nbytes for array in arrays)
    assert int(done.stdout) < {"packed.keras": 2.0, "a.npz": 1.8}.get(form, 1.0) * size + 20e6


def test_mutated_models_are_refused_in_a_line_or_sound():
    """The long form, with networks: python tests/fuzz_models.py."""
    report = fuzzing.run(fuzz_models.attempt, range(400), seconds=10, memory=fuzz_models.MEMORY)
    assert not report.faults, report
    assert report.ends["read"] > 20
    assert report.ends["refused"] > 100
