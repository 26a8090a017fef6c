"""Mutated model files, thousands of them: `python tests/fuzz_models.py --count 2000`.

A model, in each of its forms, is changed at random: bytes anywhere and in the headers, an early end, HDF5 attributes,
links and arrays, values of the JSON description, members of the archive. It must be refused by an error of ours, in one
line, or be sound: then the network that is made of it has the arrays of the file. A case follows from its number alone.
"""

import functools
import io
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import fuzzing
import h5py
import numpy as np

from historynet.errors import InputError
from historynet.weights import reading

MEMORY = 120e6
"""Bytes that a case may take. The files have less than half a megabyte; what an archive may always unpack to is 64."""

LAYERS = {"conv": [(3, 3, 1, 4), (4,)], "norm": [(4,), (4,), (4,), (4,)], "dense": [(64, 5), (5,)]}
VARIABLES = {4: ("gamma", "beta", "moving_mean", "moving_variance"), 2: ("kernel", "bias")}
DESCRIPTION = {
    "system": "HistoryNet",
    "network": "generator",
    "architecture": {"variant": "HistoryNet", "image_size": 32, "width": 0.03125, "num_classes": None},
}


def arrays_of_the_originals():
    rng = np.random.default_rng(0)
    return {layer: [rng.random(shape, np.float32) for shape in shapes] for layer, shapes in LAYERS.items()}


def keras3():
    file = io.BytesIO()
    with h5py.File(file, "w") as hdf5:
        for layer, values in arrays_of_the_originals().items():
            group = hdf5.create_group(f"layers/{layer}_1/vars")
            group.attrs["name"] = layer
            for i, value in enumerate(values):
                group[str(i)] = value
        hdf5.create_group("layers/pool/vars")
        hdf5["optimizer/vars/0"] = 7
    return file.getvalue()


def keras2():
    file = io.BytesIO()
    with h5py.File(file, "w") as hdf5:
        root = hdf5.create_group("model_weights")
        root.attrs["layer_names"] = [layer.encode() for layer in LAYERS]
        for layer, values in arrays_of_the_originals().items():
            names = [f"{layer}/{name}:0" for name in VARIABLES[len(values)]]
            for name, value in zip(names, values, strict=True):
                root[f"{layer}/{name}"] = value
            root[layer].attrs["weight_names"] = np.array(names, "S")
    return file.getvalue()


def archive(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as written:
        for name, data in members.items():
            written.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        return {name: read.read(name) for name in read.namelist()}


def npz():
    file = io.BytesIO()
    named = {
        f"{k}_{n}": v for k, a in arrays_of_the_originals().items() for n, v in zip(VARIABLES[len(a)], a, strict=True)
    }
    np.savez(file, **named)
    return file.getvalue()


def originals():
    """The forms of a model file, by name."""
    parts = {"metadata.json": b"{}", "config.json": b"{}", reading.ARRAYS: keras3()}
    parts |= {reading.DESCRIPTION: json.dumps(DESCRIPTION).encode()}
    return {
        "a.keras": archive(parts),
        "packed.keras": archive(parts, zipfile.ZIP_DEFLATED),
        "a.weights.h5": parts[reading.ARRAYS],
        "a.h5": keras2(),
        "a.npz": npz(),
    }


ORIGINALS = originals()

VALUES = (
    *(None, True, 0, -1, 1e300, float("nan"), float("inf"), 10**30, "", "x" * 1000, "\n", [], {}, [[1]], {"a": 1}),
    *(b"\xff\0", np.zeros(3), np.zeros((2, 2), "S3"), np.float16(1), np.bytes_(b"conv"), h5py.Empty("f4")),
)


def mutate_json(data, rng):
    """Another value, or another key, somewhere in a JSON object."""
    content = json.loads(data)
    holder = content if rng.random() < 0.4 else content["architecture"]
    key = list(holder)[rng.integers(len(holder))]
    value = VALUES[rng.integers(15)]
    if rng.random() < 0.3:
        holder[str(value)] = holder.pop(key)
    else:
        holder[key] = value
    return json.dumps(content).encode()


def mutate_hdf5(data, rng):
    """Another attribute, array or link somewhere in an HDF5 file."""
    file = io.BytesIO(data)
    with h5py.File(file, "r+") as hdf5:
        names = []
        hdf5.visit(names.append)
        name = names[rng.integers(len(names))]
        item, kind = hdf5[name], rng.integers(6)
        if kind < 2:
            attributes = ("name", "layer_names", "weight_names", "layer_names0")
            held = list(item.attrs) or attributes
            key = held[rng.integers(len(held))] if rng.random() < 0.7 else attributes[rng.integers(4)]
            value = VALUES[rng.integers(1, len(VALUES))]
            if not isinstance(value, list | dict) and (type(value) is not int or value < 10):
                item.attrs[key] = value
        elif kind == 2:
            del hdf5[name]
        elif kind == 3:
            links = (h5py.SoftLink("/layers"), h5py.ExternalLink("/etc/passwd", "/"), hdf5["/"], item)
            del hdf5[name]
            hdf5[name] = links[rng.integers(4)]
        elif kind == 4:
            shapes = ((), (0,), (3,), (1000, 1000), (3, 3, 1, 4))
            types, how = ("f2", "f4", "f8", ">f4", "i4", "S5"), ({}, {"chunks": True}, {"compression": "gzip"})
            del hdf5[name]
            shape = shapes[rng.integers(5)]
            options = how[rng.integers(3)] if shape and 0 not in shape else {}
            hdf5.create_dataset(name, shape, types[rng.integers(6)], **options)
        else:
            target = names[rng.integers(len(names))]
            hdf5.move(name, f"{target}/moved" if isinstance(hdf5[target], h5py.Group) else f"moved{rng.integers(3)}")
    return file.getvalue()


def mutate(name, data, rng):
    """A changed form of a model file; and whether a checksum or a table of contents tells what is changed in it."""
    kind = rng.random()
    if kind < 0.45 or (kind < 0.7 and name.endswith("npz")):
        return fuzzing.mutated(data, rng, 2000), not name.endswith("h5")
    if name.endswith("h5"):
        changed = fuzzing.mutated(data, rng, len(data)) if kind < 0.5 else repeatedly(mutate_hdf5, data, rng)
        return changed, False
    parts, is_told = members(data), True
    if kind < 0.6 and reading.ARRAYS in parts:
        parts[reading.ARRAYS], is_told = repeatedly(mutate_hdf5, parts[reading.ARRAYS], rng), False
    elif kind < 0.8 and reading.DESCRIPTION in parts:
        parts[reading.DESCRIPTION] = repeatedly(mutate_json, parts[reading.DESCRIPTION], rng)
    else:
        key = list(parts)[rng.integers(len(parts))]
        changed = fuzzing.mutated(parts.pop(key), rng)
        parts[key if rng.random() < 0.8 else f"{key}{rng.integers(9)}"], is_told = changed, False
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return archive(parts, methods[rng.integers(4) if rng.random() < 0.2 else rng.integers(2)]), is_told


def repeatedly(change, data, rng):
    """Several changes; those that the library itself refuses to make are left out."""
    for _ in range(rng.integers(1, 4)):
        try:
            data = change(data, rng)
        except (ValueError, OSError, RuntimeError, KeyError, TypeError, AttributeError):
            continue
    return data


def attempt(number: int, folder: Path, build: bool = False) -> str:
    """Makes the case of a number and reads it; with `build`, what can be read is made a network, too."""
    rng = np.random.default_rng((14, number))
    name = list(ORIGINALS)[number % len(ORIGINALS)]
    path = folder / name
    data, is_told = mutate(name, ORIGINALS[name], rng)
    path.write_bytes(data)
    try:
        file = reading.read(path)
        shapes = {layer: [tuple(array.shape) for array in arrays] for layer, arrays in file.arrays.items()}
        values = {layer: reading.values(arrays, path) for layer, arrays in file.arrays.items()}
        network = load(path) if build else None
    except InputError as error:
        message = str(error)
        assert message.startswith(str(path)), message
        assert "\n" not in message, message
        assert len(message) < 2000, message
        return "refused"
    assert shapes == {layer: [value.shape for value in arrays] for layer, arrays in values.items()}
    if is_told and not build:
        right = {array.tobytes() for arrays in arrays_of_the_originals().values() for array in arrays}
        assert {array.tobytes() for arrays in values.values() for array in arrays} <= right
    if is_told and network is not None:
        assert network == NETWORK
    return "read"


def load(path: Path) -> dict[str, list[bytes]]:
    """The arrays of the network that colorizing makes of a file, by layer, seen to be those that were read."""
    from historynet.systems import loading
    from historynet.weights.assigning import layers_of

    network, _ = loading.load_colorizing(path)
    found = {name: [np.asarray(value) for value in layer.weights] for name, layer in layers_of(network).items()}
    arrays = loading.identify(path).arrays
    for name, values in found.items():
        for ours, read in zip(values, reading.values(arrays[name], path), strict=True):
            np.testing.assert_array_equal(ours, read)
    return {name: [value.tobytes() for value in values] for name, values in found.items()}


NETWORK = {}
"""What `load` gives of the originals of a whole network."""


def prepare() -> None:
    """Makes the originals of a whole network, and loads one: what the first case would be charged with."""
    from historynet import backend

    backend.start("cpu")
    from released_files import make_up_weights, write_released_file

    from historynet.systems import loading
    from historynet.systems.historynet.generator import build_generator
    from historynet.systems.historynet.variants import Architecture

    architecture = Architecture(image_size=32, width=1 / 32)
    network = build_generator(architecture)
    make_up_weights(network)
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / name for name in ("a.keras", "a.weights.h5", "a.h5")]
        loading.save(network, "HistoryNet", architecture, names[0])
        network.save_weights(names[1])
        write_released_file(names[2], network)
        ORIGINALS.update({path.name: path.read_bytes() for path in names})
        ORIGINALS["packed.keras"] = archive(members(ORIGINALS["a.keras"]), zipfile.ZIP_DEFLATED)
        NETWORK.update(load(names[0]))


if __name__ == "__main__":
    attempt_all = functools.partial(attempt, build=True)
    sys.exit(fuzzing.main(attempt_all, __doc__, prepare, count=2000, memory=MEMORY))
