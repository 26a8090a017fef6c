"""Networks in onnxruntime and OpenVINO: the same numbers as with Keras, from files that may be anybody's."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, resident_bytes, write_picture

from historynet import Colorizer
from historynet.errors import InputError
from historynet.runtimes import exported, opening
from historynet.systems import loading, system
from historynet.systems.film_cnn.architecture import Architecture as FilmCNN
from historynet.systems.historynet.variants import Architecture as HistoryNet
from historynet.systems.pix2pix.architecture import Architecture as Pix2Pix

for package in ("onnx", "onnxruntime", "openvino", "tf2onnx", "tensorflow"):
    pytest.importorskip(package, reason=f"{package} is not installed (pip install -e '.[export]')")

NETWORKS = {
    "HistoryNet": ("HistoryNet", "generator", HistoryNet(image_size=32, width=1 / 32)),
    "Baseline": ("HistoryNet", "generator", HistoryNet("Baseline", image_size=32, width=1 / 32)),
    "FilmCNN": ("FilmCNN", "film_cnn", FilmCNN(width=1 / 32, colorizing_size=32)),
    # With a map of more places than are attended to in one piece.
    "Pix2Pix": ("Pix2Pix", "generator", Pix2Pix(64, 128, 1 / 32, 6, attention=64, spectral_norm=True)),
}
SUFFIXES = (".onnx", ".xml")


def made_up(network, seed=0):
    """The network with numbers in it that move its outputs."""
    rng = np.random.default_rng(seed)
    for variable in network.weights:
        if variable.dtype == "float32":
            values = np.asarray(variable)
            more = rng.random(values.shape) if "variance" in variable.path else rng.standard_normal(values.shape)
            variable.assign((values + 0.1 * more).astype(np.float32))
    return network


def make(name, folder):
    system_name, network, architecture = NETWORKS[name]
    built = made_up(system.find(system_name, folder).networks[network](architecture))
    loading.save(built, system_name, architecture, folder / f"{name}.keras")


@pytest.fixture(scope="module", params=list(NETWORKS))
def files(request, tmp_path_factory):
    """A network as our file, and exported."""
    from historynet.commands.export import export

    folder = tmp_path_factory.mktemp(request.param)
    make(request.param, folder)
    for suffix in SUFFIXES:
        export(str(folder / f"{request.param}.keras"), folder / f"{request.param}{suffix}", "default")
    return folder / f"{request.param}.keras"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """HistoryNet's alone."""
    from historynet.commands.export import export

    folder = tmp_path_factory.mktemp("tiny")
    make("HistoryNet", folder)
    for suffix in SUFFIXES:
        export(str(folder / "HistoryNet.keras"), folder / f"a{suffix}", "default")
    return folder


@pytest.fixture(params=SUFFIXES)
def model(request, tiny, tmp_path):
    """A test's own copy of both."""
    for path in tiny.glob("a.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / f"a{request.param}"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_outputs_and_pictures_are_those_of_keras(files, suffix):
    ours, theirs = Colorizer(files), Colorizer(files.with_suffix(suffix))
    rng = np.random.default_rng(1)
    luminance = rng.random((11, *ours.size, 1), np.float32)
    for name, output in ours.predict(luminance).items():
        assert np.ptp(output) > 0.01
        np.testing.assert_allclose(theirs.predict(luminance)[name], output, atol=2e-6 * max(1, np.abs(output).max()))
    pictures = [rng.integers(0, 256, (rows, 60, 3), np.uint8) for rows in (40, 61, 90)]
    for one, other in zip(ours.many(pictures), theirs.many(pictures), strict=True):
        # A level of ab, where rounding decides, is up to three of a colour.
        difference = np.abs(one.astype(int) - other.astype(int))
        assert difference.max() <= 3 and (difference > 0).mean() < 0.005
    assert theirs.size == ours.size and theirs.precision == "float32"
    assert len({ours.digest(), theirs.digest()}) == 2


@pytest.mark.slow
def test_the_films_cnn_keeps_its_temperature_alternatives_and_confidence(tmp_path):
    from historynet.commands.export import export

    make("FilmCNN", tmp_path)
    export(str(tmp_path / "FilmCNN.keras"), tmp_path / "a.onnx", "default")
    ours, theirs = (Colorizer(tmp_path / name, decoding={"temperature": 0.3}) for name in ("FilmCNN.keras", "a.onnx"))
    gray = np.random.default_rng(2).integers(0, 256, (40, 50), np.uint8)
    assert np.abs(ours(gray).astype(int) - theirs(gray)).max() <= 3
    np.testing.assert_allclose(theirs.confidence(gray), ours.confidence(gray), atol=1e-5)
    assert len(theirs.alternatives(gray, 2)) == 2
    with pytest.raises(InputError, match="there is no 'heat'"):
        Colorizer(tmp_path / "a.onnx", decoding={"heat": 1})
    # A table of other colours would give other pictures without a word.
    edit(tmp_path / "a.onnx", lambda told: told["decoding"]["colours"][0].reverse())
    refused(tmp_path / "a.onnx", "its outputs mean other colours than in this version")


@pytest.mark.slow
def test_the_command_exports_and_colorizes_the_same_pictures(tmp_path, run, model):
    for i in range(3):
        write_picture(tmp_path / f"in/{i}.png", i)
    script = "SOURCE_HistoryNet/colorization.py"
    code, out, err = run(script, "--pretrained", model, "--result-dir", tmp_path / "out", tmp_path / "in")
    assert code == 0, err
    assert re.search(r"^running on the CPU with (onnxruntime|OpenVINO) \d", out)
    network = Colorizer(model)
    for i in range(3):
        assert (tmp_path / f"out/{i}_reconstructed.jpg").is_file()
    record = json.loads((tmp_path / "out/.historynet.jsonl").read_text().splitlines()[0])
    assert "float32" in json.dumps(record) and model.name in json.dumps(record)
    assert network.precision == "float32"
    # A model of another program, and options of engines.
    code, _, err = run(
        "Baseline/colorization.py", "--pretrained", model, "--result-dir", tmp_path / "o", tmp_path / "in"
    )
    assert code == 2 and "this is a HistoryNet model; Baseline needs a Baseline model" in err
    code, _, err = run(script, "--pretrained", model, "--backend", "tensorflow", tmp_path / "in")
    assert code == 2 and "no engine of Keras computes" in err
    code, _, err = run(script, "--pretrained", model, "--precision", "float16", tmp_path / "in")
    assert code == 2 and "float16 is not for it" in err


def test_they_are_inspected(model, capsys, monkeypatch):
    from historynet.commands import models

    monkeypatch.setattr(sys, "argv", ["weights", "inspect", str(model)])
    with pytest.raises(SystemExit) as end:
        models.main()
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert re.search(r"^system +HistoryNet$", out, re.M) and re.search(r"^precision +float32$", out, re.M)


WITHOUT_ENGINES = """
import sys
for name in ("tensorflow", "jax", "keras", "torch", "onnx", "tf2onnx"):
    sys.modules[name] = None
import numpy as np
from historynet import Colorizer
rgb = Colorizer(sys.argv[1])(np.full((30, 40), 90, np.uint8))
print(rgb.shape)
sys.argv = ["historynet-colorize", "--pretrained", sys.argv[1], "--result-dir", sys.argv[2], sys.argv[3]]
from historynet.commands import colorize
colorize.anywhere()
"""


def test_nothing_but_the_run_time_is_needed(model, tmp_path):
    write_picture(tmp_path / "in.png")
    command = [sys.executable, "-c", WITHOUT_ENGINES, str(model), str(tmp_path / "out"), str(tmp_path / "in.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(30, 40, 3)\n")
    assert (tmp_path / "out/in_reconstructed.jpg").is_file()


@pytest.mark.parametrize(("suffix", "package"), [(".onnx", "onnxruntime"), (".xml", "openvino")])
def test_a_missing_run_time_is_named_in_a_line(tiny, suffix, package, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else True)
    extra = "onnx" if suffix == ".onnx" else package
    with pytest.raises(InputError, match=rf"needs .* which is not installed: pip install '\.\[{extra}\]'"):
        Colorizer(tiny / f"a{suffix}")


# What is not exported.


def test_what_cannot_be_exported_is_refused(tiny, tmp_path, monkeypatch):
    from historynet.commands.export import export

    keras = str(tiny / "HistoryNet.keras")
    with pytest.raises(InputError, match="name must end with .onnx or .xml"):
        export(keras, tmp_path / "a.pb", "default")
    with pytest.raises(InputError, match="exporting takes TensorFlow's graph"):
        export(keras, tmp_path / "a.onnx", "jax")
    with pytest.raises(InputError, match="exporting starts from a file of Keras"):
        export(str(tiny / "a.onnx"), tmp_path / "a.xml", "default")
    # An export that is wrong somewhere leaves no file.
    monkeypatch.setattr(exported, "LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(InputError, match="not written: its outputs differ from Keras' by"):
        export(keras, tmp_path / "new/a.xml", "default")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_int8_is_written_only_if_it_is_as_good(tiny, tmp_path, suffix, monkeypatch, capsys):
    from historynet.commands import export as command

    for i in range(24):
        write_picture(tmp_path / f"in/{i:02}.png", i)
    keras, target = str(tiny / "HistoryNet.keras"), tmp_path / f"new/a{suffix}"
    monkeypatch.setattr(command, "LARGEST_FALL", -99.0)
    with pytest.raises(InputError, match=r"not written: int8 against float32 on 12 pictures: PSNR \d+\.\d\d dB \("):
        command.export(keras, target, "default", tmp_path / "in")
    assert list((tmp_path / "new").iterdir()) == []
    monkeypatch.setattr(command, "LARGEST_FALL", 9.0)
    monkeypatch.setattr(command, "LARGEST_CHANGE", 9.0)
    command.export(keras, target, "default", tmp_path / "in")
    assert "int8 against float32 on 12 pictures" in capsys.readouterr().out
    ours, theirs = Colorizer(keras), Colorizer(target)
    assert theirs.precision == "int8"
    luminance = np.random.default_rng(0).random((3, *ours.size, 1), np.float32)
    one, other = ours.predict_ab(luminance), theirs.predict_ab(luminance)
    # Other numbers, and near.
    assert 1e-6 < np.abs(one - other).max() < np.ptp(one) / 2
    mark = b"QuantizeLinear" if suffix == ".onnx" else b'element_type="i8"'
    assert target.read_bytes().count(mark) > 10
    with pytest.raises(InputError, match="bfloat16"):
        Colorizer(target, precision="bfloat16")


def test_int8_needs_pictures(tiny, tmp_path):
    from historynet.commands.export import export

    write_picture(tmp_path / "in/0.png")
    with pytest.raises(InputError, match="1 of its 1 pictures are in colour; --int8 needs 20"):
        export(str(tiny / "HistoryNet.keras"), tmp_path / "a.onnx", "default", tmp_path / "in")


# Files from anybody.


def refused(path, words=None):
    """Refused in one line that names the file, within two seconds of a processor and without taking memory."""
    with pytest.raises(InputError):
        opening.identify(path)
    before, began = resident_bytes(), time.process_time()
    with pytest.raises(InputError, match=words) as error:
        Colorizer(path)
    assert time.process_time() - began < 2
    assert resident_bytes() - before < 100e6
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def edit(path, change):
    """Changes what an exported file says of itself."""
    import onnx

    if path.suffix == ".onnx":
        model = onnx.load(path)
        (told,) = [entry for entry in model.metadata_props if entry.key == exported.KEY]
        content = json.loads(told.value)
        told.value = json.dumps(change(content) or content)
        onnx.save(model, path)
        return
    from xml.sax.saxutils import quoteattr

    text = path.read_text()
    told = re.search(r'<historynet value="([^"]*)"', text)
    content = json.loads(told[1].replace("&quot;", '"'))
    new = json.dumps(change(content) or content)
    path.write_text(text.replace(told[0], f"<historynet value={quoteattr(new, {chr(34): '&quot;'})}"))


def edit_onnx(path, change):
    import onnx

    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told.clear(), "not an exported network"),
        (lambda told: [1], "not an exported network"),
        (lambda told: told.update(system="Nobody's"), "which this version does not know"),
        (lambda told: told.update(system="Parser", network="compact_parser", architecture={}), "does not colorize"),
        (lambda told: told.update(network="critic"), "damaged"),
        (lambda told: told["architecture"].update(width=1e9), "damaged"),
        (lambda told: told["architecture"].update(more=1), "there is no 'more' in it"),
        (lambda told: told.update(size=[32, 10**9]), "its size is none"),
        (lambda told: told.update(size=[True, 32]), "its size is none"),
        (lambda told: told.update(size=[64, 64]), "no luminance of 64x64"),
        (lambda told: told.update(precision="float8"), "not an exported network"),
        (lambda told: told.update(decoding={"a": 1}), "mean other colours"),
        (lambda told: told.update(system="FilmCNN", network="film_cnn", architecture={}), "mean other colours"),
        (lambda told: told.update(padding="x" * 2_000_000), "not an exported network"),
    ],
)
def test_a_description_of_any_kind_is_refused(model, change, words):
    edit(model, change)
    refused(model, words)


def test_a_text_that_json_cannot_end_is_refused(model):
    edit(model, lambda told: {"system": "HistoryNet", "size": "MARK"})
    content = model.read_bytes()
    # Of the same length, which both forms count.
    for nested in (b"[" * 4, b"nul!"):
        model.write_bytes(content.replace(b"MARK", nested).replace(b'"' + nested + b'"', b" " + nested + b" "))
        refused(model, "not an exported network|damaged")


def test_truncated_and_foreign_files_are_refused(model, tmp_path):
    data = model.read_bytes()
    for part in (0, 1, 10, len(data) // 2, len(data) - 3):
        model.write_bytes(data[:part])
        refused(model)
    for other in (b"PK\3\4" + data, b"\x89HDF\r\n\x1a\n", b"GIF89a", b"\xff" * 1000, b"<net/>", bytes(100)):
        model.write_bytes(other)
        refused(model)
    model.unlink()
    os.mkfifo(model)
    with pytest.raises(InputError, match="not a regular file"):
        opening.identify(model)


def test_flipped_bits_are_refused_or_harmless(model):
    """In the network's text, or anywhere: a line, or a picture."""
    data, rng = model.read_bytes(), np.random.default_rng(0)
    ends = {"read": 0, "refused": 0}
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] ^= 1 << rng.integers(8)
        model.write_bytes(damaged)
        try:
            Colorizer(model)(np.full((20, 20), 99, np.uint8))
            ends["read"] += 1
        except InputError as error:
            assert "\n" not in str(error) and str(model) in str(error)
            ends["refused"] += 1
    assert ends["refused"] > 5


def first_kernel(model):
    return next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)


def test_arrays_in_other_files_are_never_read(tiny, tmp_path):
    import onnx

    path = shutil.copy(tiny / "a.onnx", tmp_path / "a.onnx")

    def move(model):
        tensor = first_kernel(model)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"

    edit_onnx(path, move)
    refused(path, "keeps arrays in another file, which is never read")
    # Beside it would be no better.
    shutil.copy(tiny / "a.onnx", path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="a.data", size_threshold=0)
    refused(path, "keeps arrays in another file, which is never read")


def with_loop(model):
    import onnx

    node = model.graph.node[0]
    node.attribute.append(onnx.helper.make_attribute("body", onnx.GraphProto(name="inner")))


def with_domain(model):
    model.graph.node[0].domain = "somebody.s"


def with_operator(model):
    model.graph.node[0].op_type = "Loop"


def with_function(model):
    model.functions.add().name = "f"


def with_import(model):
    model.opset_import.add().domain = "com.microsoft"


def with_sparse(model):
    model.graph.sparse_initializer.add()


def with_strings(model):
    import onnx

    model.graph.initializer.append(onnx.helper.make_tensor("t", onnx.TensorProto.STRING, [1], [b"a"]))


def with_nan(model):
    tensor = first_kernel(model)
    tensor.raw_data = np.full(int(np.prod(tensor.dims)), np.nan, np.float32).tobytes()


def with_listed_infinity(model):
    tensor = first_kernel(model)
    tensor.ClearField("raw_data")
    tensor.float_data.extend([float("inf")] * int(np.prod(tensor.dims)))


def with_a_terabyte(model):
    tensor = first_kernel(model)
    del tensor.dims[:]
    tensor.dims.extend([1000, 1000, 1000, 1000])


def with_two_descriptions(model):
    model.metadata_props.append(model.metadata_props[0])


def with_other_outputs(model):
    model.graph.output[0].name = "colours"


def with_many_fields(model):
    for _ in range(300_000):
        model.graph.node.add()


def with_a_repeated_constant(model):
    """What is computed when a file is opened: 4 TB of one number."""
    import onnx

    one = onnx.helper.make_tensor("one", onnx.TensorProto.FLOAT, [1, 1], [1.0])
    often = onnx.helper.make_tensor("often", onnx.TensorProto.INT64, [2], [10**6, 10**6])
    model.graph.initializer.extend([one, often])
    model.graph.node.append(onnx.helper.make_node("Tile", ["one", "often"], ["huge"]))
    model.graph.node.append(onnx.helper.make_node("Identity", ["huge"], ["huger"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("huger", onnx.TensorProto.FLOAT, [10**6, 10**6]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_loop, "a node with more than numbers"),
        (with_domain, "an operator of the domain 'somebody.s'"),
        (with_operator, "an operator 'Loop'"),
        (with_function, "field 25 of the model"),
        (with_import, "operators of the domain 'com.microsoft'"),
        (with_sparse, "field 15 of the graph"),
        (with_strings, "of an array|an array of a kind"),
        (with_nan, "numbers that are not finite"),
        (with_listed_infinity, "numbers that are not finite"),
        (with_a_terabyte, "not a network that onnxruntime computes"),
        (with_two_descriptions, "says twice what it is"),
        (with_other_outputs, "not a network that onnxruntime computes|gives no 'ab'"),
        (with_many_fields, "not an ONNX file, or a damaged one"),
        (with_a_repeated_constant, "more outputs than its system decodes"),
    ],
)
def test_onnx_files_with_more_than_a_network_are_refused(tiny, tmp_path, change, words):
    path = shutil.copy(tiny / "a.onnx", tmp_path / "a.onnx")
    edit_onnx(Path(path), change)
    refused(Path(path), words)


def test_onnx_files_of_others_are_refused(tmp_path):
    shutil.copy(ROOT / "historynet/models/yolox_nano.onnx", tmp_path / "a.onnx")
    refused(tmp_path / "a.onnx", "which no exported network has|does not say what it is")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('type="Convolution"', 'type="Loop"', "a layer of type 'Loop'"),
        ('version="opset1"', 'version="extension"', "a layer of type"),
        ('offset="0"', 'offset="999999999"', "not within the weights"),
        ('offset="0"', 'offset="-9"', "not within the weights"),
        ('offset="0"', 'offset="a"', "without a place in the weights"),
        ('element_type="f32" shape="', 'element_type="string" shape="', "an array of a kind"),
        ("<layers>", '<layers><layer id="9" name="x" type="Const" version="opset1" />', "without a place"),
        ("<edges>", "<edges>" + "<edge />" * 120_000, "more than 100000 elements"),
        (
            '<?xml version="1.0"?>',
            '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaa">]>',
            "not an OpenVINO network",
        ),
        ('<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-7"?>', "not an OpenVINO network"),
        ("</net>", "</nets>", "a damaged OpenVINO network"),
        ("<rt_info>", "<rt_infos>", "a damaged OpenVINO network"),
        ("<historynet ", "<historynets ", "does not say what it is"),
    ],
)
def test_openvino_files_with_more_than_a_network_are_refused(tiny, tmp_path, old, new, words):
    for name in ("a.xml", "a.bin"):
        shutil.copy(tiny / name, tmp_path)
    path = tmp_path / "a.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    refused(path, words)


def test_openvinos_weights_are_those_of_the_network(tiny, tmp_path):
    for name in ("a.xml", "a.bin"):
        shutil.copy(tiny / name, tmp_path)
    path, weights = tmp_path / "a.xml", tmp_path / "a.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    refused(path, "damaged, or of another network|not finite")
    weights.write_bytes(data[:-4])
    refused(path, "not within the weights|damaged, or of another network")
    weights.unlink()
    refused(path, "its weights, a.bin, are not beside it")
    weights.symlink_to(tiny / "a.bin")
    refused(path, "a link to another folder, which is not followed")
    weights.unlink()
    os.mkfifo(weights)
    with pytest.raises(InputError, match=r"a\.bin: not a regular file"):
        Colorizer(path)
