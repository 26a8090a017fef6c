"""The compact parser: its network, its samples, a training, and its files as parsers."""

import csv
import json
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
from conftest import run_here

from historynet.collecting import parsed, parser_files, parsers, part_scores, parts
from historynet.data import varying
from historynet.errors import InputError
from historynet.systems import loading
from historynet.systems.parser import start
from historynet.systems.parser.architecture import CLASSES, Architecture
from historynet.systems.parser.network import HEAD, build_network
from historynet.systems.parser.registration import NAME
from historynet.systems.parser.system import Parser, class_weights

TRAIN = "SOURCE_MHMD/MHMD_Parser.py"
EPOCHS = 12
SHOWN = ("background", "hair", "face", "upper-clothes", "pants", "left-shoe")


def person(seed):
    """A picture of something like a person, and the indices of its parts."""
    rng = np.random.default_rng(seed)
    indices = np.zeros((96, 64), np.uint8)
    left = int(rng.integers(8, 30))
    for name, begin, end in zip(SHOWN[1:], (8, 16, 28, 52, 84), (16, 28, 52, 84, 92), strict=True):
        indices[begin:end, left : left + 24] = parts.NAMES.index(name)
    colours = np.array([(200, 200, 200), *rng.integers(0, 160, (20, 3))], np.uint8)
    return cv2.blur(colours[indices], (3, 3)), indices


def make_set(folder, count=8, palette="levels"):
    """A folder in the house's layout with parsing."""
    for i in range(count):
        rgb, indices = person(i)
        for place, drawn in (("", rgb), ("_seg", parts.draw(indices, palette))):
            path = folder.with_name(folder.name + place) / (f"{i:04}" + (".jpg" if not place else "_seg.png"))
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), drawn[..., ::-1])
    return folder


def settings(folder, **changes):
    usual = {"train_data": folder, "train_parsing": None, "drawing": "levels", "holdout": 0.25, "seed": 0}
    usual |= {"size": (64, 32), "batch_size": 4, "precision": "float32", "parser_weights": "none", "num_epochs": 1}
    usual |= {"learning_rate": 1e-3, "weight_decay": 0.0, "weight_power": 0.25, "drop_last": False}
    return SimpleNamespace(**(usual | {"steps_per_epoch": None, "sample_weights": None} | changes))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training of 24 updates, once for the module."""
    folder = tmp_path_factory.mktemp("parser")
    make_set(folder / "train")
    assert run_here(TRAIN, *arguments(folder), "--num-epochs", EPOCHS, "--learning-rate", 0.01) == 0
    return folder


def arguments(folder):
    places = ("--model-dir", folder / "MODEL", "--out-dir", folder / "OUT", "--log-dir", folder / "LOG")
    network = ("--image-size", "64x32", "--batch-size", 4, "--holdout", 0.25, "--gpu-id", "cpu")
    return ["--train-data", folder / "train", *places, *network]


# The network


def test_it_has_the_parameters_of_the_specification():
    network = build_network(Architecture())
    assert network.count_params() == 282_573
    assert network.input_shape == (None, 192, 128, 3)
    assert network.output_shape == (None, 192, 128, 13)
    assert [layer.name for layer in network.layers if isinstance(layer, keras.layers.Conv2D)] == ["first_conv", HEAD]


@pytest.mark.parametrize("sides", [(192, 100), (16, 32), (0, 32), (8192, 32)])
def test_sides_that_will_not_do(sides):
    with pytest.raises(ValueError, match="sides|pixels"):
        Architecture(*sides)


def test_weights_make_rare_classes_count_more_and_the_mean_one():
    shares = np.array([0.81, 0.16, 0.03, 0])
    weights = class_weights(shares, 0.5)
    np.testing.assert_allclose(weights[:3] / weights[0], [1, 0.9 / 0.4, 0.9 / 0.03**0.5], rtol=1e-6)
    assert weights[3] == 0
    assert (weights * shares).sum() == pytest.approx(1)
    np.testing.assert_allclose(class_weights(shares, 0)[:3], 1)


def test_the_loss_is_the_weighted_cross_entropy():
    network = build_network(Architecture(32, 32))
    weights = np.linspace(0.5, 2, 13).astype(np.float32)
    system = Parser(network, Architecture(32, 32), settings(None), {}, weights, 10, None)
    rng = np.random.default_rng(0)
    batch = {"rgb": rng.uniform(0, 255, (2, 32, 32, 3)).astype("f"), "classes": rng.integers(0, 13, (2, 32, 32))}
    logits = np.asarray(network(batch["rgb"], training=True), np.float64)
    likely = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    true = np.take_along_axis(likely, batch["classes"][..., None], axis=-1)[..., 0]
    expected = (weights[batch["classes"]] * -np.log(true)).mean(axis=(1, 2))
    batch["classes"] = batch["classes"].astype(np.float32)
    losses = system.phases[0].losses(batch, {}, None)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(losses["L_par"]), expected, rtol=1e-4)


# Its samples


def test_samples_vary_with_the_epoch_and_alike_again(tmp_path):
    given = settings(make_set(tmp_path / "train"), varies=True, crop_size=None, age_luminance=0)
    reader = parsed.Varied(given, given.train_data, parsed.split(given)[0], True)

    def looks(epoch):
        view = varying.views(given, range(4), epoch)
        return [reader.read(i, view(i)) for i in range(4)]

    first, again, other = looks(0), looks(0), looks(1)
    for one, same, next_one in zip(first, again, other, strict=True):
        assert one["rgb"].shape == (64, 32, 3) and one["classes"].shape == (64, 32)
        assert one["rgb"].min() >= 0 and one["rgb"].max() <= 255
        assert all(np.array_equal(one[name], same[name]) for name in one)
        assert not np.array_equal(one["rgb"], next_one["rgb"])
        assert set(np.unique(one["classes"])) <= {CLASSES.index(parts.TO_COMPACT[name]) for name in SHOWN}
        # Picture and parsing are cut and mirrored alike: background is lighter than any person here.
        gray = one["rgb"].mean(axis=2)
        assert gray[one["classes"] == 0].mean() > gray[one["classes"] > 0].mean() + 10


def test_half_of_the_samples_are_parts(tmp_path):
    rgb, indices = person(0)
    classes = parsed.decoder("levels")(parts.draw(indices, "levels"))
    seen = [parsed.vary(rgb, classes, (64, 32), np.random.default_rng(i))[1] for i in range(400)]
    hair, shoes = CLASSES.index("hair"), CLASSES.index("shoes")
    whole = np.mean([(one == hair).any() and (one == shoes).any() for one in seen])
    assert 0.42 < whole < 0.58


def test_held_out_pictures_are_those_of_the_specification(tmp_path):
    import hashlib

    given = settings(make_set(tmp_path / "train", 20), holdout=0.3, seed=5)
    training, held = parsed.split(given)
    expected = [
        f"{i:04}.jpg"
        for i in range(20)
        if int(hashlib.sha256(f"5/holdout/{i:04}.jpg".encode()).hexdigest()[:8], 16) / 2**32 < 0.3
    ]
    assert held == expected and held
    assert sorted([*training, *held]) == [f"{i:04}.jpg" for i in range(20)]


def test_all_drawings_mean_the_same(tmp_path):
    _, indices = person(0)
    levels, cihp = (parsed.decoder(name)(parts.draw(indices, name)) for name in ("levels", "cihp"))
    assert np.array_equal(levels, cihp)
    names = {CLASSES[number] for number in np.unique(levels)}
    assert names == {"background", "hair", "face", "upper-clothes", "pants", "shoes"}


def test_half_a_parsing_is_named(tmp_path, run):
    folder = make_set(tmp_path / "train")
    (tmp_path / "train_seg/0003_seg.png").unlink()
    (tmp_path / "train_seg/0005_seg.png").unlink()
    code, _, err = run(TRAIN, *arguments(tmp_path))
    assert code == 2
    assert "no parsing picture for 0003.jpg (2 of" in err
    make_set(folder)
    rgb, _ = person(3)
    assert cv2.imwrite(str(tmp_path / "train_seg/0003_seg.png"), rgb[:50])
    code, _, err = run(TRAIN, *arguments(tmp_path), "--num-epochs", 1, "--holdout", 0.2)
    assert code == 2
    assert "0003_seg.png: 64x50 pixels, but its picture has 64x96" in err


# Its scores


def test_intersections_over_unions():
    confusion = np.array([[50, 10, 0], [5, 35, 0], [0, 0, 0]])
    assert part_scores.scores(confusion) == {
        "mean_iou": pytest.approx((50 / 65 + 35 / 50) / 2),
        "pixel_accuracy": pytest.approx(0.85),
    }
    lines = part_scores.table(confusion, "abc")
    assert lines[1:] == [
        ("a", "0.6000", "0.8333", "0.7692"),
        ("b", "0.4000", "0.8750", "0.7000"),
        ("c", "0.0000", "", ""),
    ]


# A training, and its files


def test_a_training_and_its_files(trained):
    with (trained / "LOG/epochs.csv").open() as file:
        epochs = list(csv.DictReader(file))
    assert len(epochs) == EPOCHS
    assert all(0 <= float(row["mean_iou"]) <= float(row["pixel_accuracy"]) <= 1 for row in epochs)
    with (trained / "LOG/losses.csv").open() as file:
        losses = [float(row["L_par"]) for row in csv.DictReader(file)]
    assert len(losses) == 2 * EPOCHS
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:2])
    with next((trained / "OUT").glob("**/iou.csv")).open() as file:
        table = list(csv.DictReader(file))
    assert [row["class"] for row in table] == list(CLASSES)
    assert sum(float(row["share"]) for row in table) == pytest.approx(1, abs=1e-3)
    network, architecture = loading.load(trained / "MODEL/my_model_parsingEpoch11.keras", NAME, "compact_parser")
    assert architecture == Architecture(64, 32)
    assert network.output_shape == (None, 64, 32, 13)


def test_a_training_begins_with_another_size_of_an_earlier_one(trained, tmp_path, model):
    path = trained / "MODEL/my_model_parsingEpoch11.keras"
    before, _ = loading.load(path, NAME, "compact_parser")
    network, architecture = start.initial_network(settings(tmp_path, size=(96, 64), parser_weights=str(path)))
    assert architecture == Architecture(96, 64)
    for ours, theirs in zip(network.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match="not a parser of the classes"):
        start.initial_network(settings(tmp_path, parser_weights=str(model)))


def test_a_trainings_folder_is_a_parser(trained, tmp_path):
    path, remark = parser_files.choose(str(trained / "MODEL"))
    assert path.parent == trained / "MODEL" and "best of 12" in remark
    parser = parsers.Parser(parser_files.compact(path))
    rgb, _ = person(0)
    # The same as a description says it, however many pictures there are at a time.
    said = {"model": "own.keras", "input": [64, 32], "layout": "NHWC", "order": "RGB", "unit": "person"}
    names = [parts.NAMES[index] for index in parser.description.indices]
    said |= {"activation": "logits", "classes": names, "licence": "none"}
    (tmp_path / "own.json").write_text(json.dumps(said))
    (tmp_path / "own.keras").write_bytes(path.read_bytes())
    other = parsers.Parser(parser_files.read(tmp_path / "own.json"))
    boxes = [(8.0, 4.0, 56.0, 92.0)]
    alone, many = parser([rgb], [boxes])[0], other([rgb] * 20, [boxes] * 20)
    assert all(np.array_equal(alone.indices, one.indices) for one in many)
    with pytest.raises(InputError, match="'input' is"):
        said["input"] = [64, 64]
        (tmp_path / "own.json").write_text(json.dumps(said))
        parsers.Parser(parser_files.read(tmp_path / "own.json"))


def test_networks_of_others_are_no_parsers(model, tmp_path):
    with pytest.raises(InputError, match="one of Parser is needed"):
        parser_files.compact(model)
    with pytest.raises(InputError, match=r"MHMD_Parser\.py trains one"):
        parser_files.choose(str(tmp_path))
    with pytest.raises(InputError, match="no such parser"):
        parser_files.choose(str(tmp_path / "none.json"))


def test_a_parser_is_measured(trained, run):
    code, out, _ = run(
        "SOURCE_MHMD/parse.py", "measure", trained / "train", "--parser", trained / "MODEL", "--gpu-id", "cpu"
    )
    assert code == 0
    lines = dict(line.split(": ") for line in out.splitlines() if ": " in line)
    assert 0 <= float(lines["mean_iou"]) <= float(lines["pixel_accuracy"]) <= 1
    rows = [line.split() for line in out.splitlines() if line.split()[0] in CLASSES]
    assert [row[0] for row in rows] == list(CLASSES)
    truth = np.mean([(person(i)[1] == 0).mean() for i in range(8)])
    assert float(rows[0][1]) == pytest.approx(truth, abs=1e-3)


# The parser that is shipped


def test_the_shipped_parser_is_the_one_of_the_specification():
    path, _ = parser_files.choose(parser_files.DEFAULT)
    said = parser_files.read(path)
    assert said.model.stat().st_size < 1_000_000
    assert "Apache-2.0" in said.licence
    network, architecture = loading.load(said.model, NAME, "compact_parser")
    assert architecture == Architecture()
    assert network.count_params() == 282_573
    # It says of itself what its description says of it.
    compact = parser_files.compact(said.model)
    assert (said.size, said.indices, said.by_person) == (compact.size, compact.indices, compact.by_person)


def test_the_shipped_parser_finds_persons(reference, tmp_path):
    """On photographs that it was not trained on."""
    for part in ("dataset_second", "dataset_second_seg"):
        (tmp_path / part).mkdir()
        for path in sorted((reference / "data/ccp_mhmd" / part).glob("*.jpg"))[:12]:
            (tmp_path / part / path.name).symlink_to(path)
    parser = parsers.Parser(parser_files.read(parser_files.choose(parser_files.DEFAULT)[0]))
    confusion, left_out = part_scores.measure(parser, tmp_path / "dataset_second", "ccp")
    assert not left_out
    # Background alone would be 0.78.
    assert part_scores.scores(confusion)["pixel_accuracy"] > 0.8
    assert part_scores.ious(confusion)[CLASSES.index("background")] > 0.85
