"""The labeller: its network, what it is trained by, its samples, its measures."""

import csv
import hashlib
import math
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
from conftest import run_here
from kept_pictures import COLORS, TINY, answer, make_labeller, make_work
from scipy import optimize, special, stats

from historynet.collecting import judging, labelled, labels, measuring
from historynet.collecting.looking import look
from historynet.data import varying
from historynet.data.samples import whole_picture
from historynet.errors import InputError
from historynet.systems import loading
from historynet.systems.labeller import start
from historynet.systems.labeller.architecture import Architecture
from historynet.systems.labeller.network import HEAD, features_of
from historynet.systems.labeller.registration import NAME
from historynet.systems.labeller.system import Labeller, class_weights

TABLE = labels.table()
NAMES = tuple(label.name for label in TABLE)


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


def settings(folder, **changes):
    usual = {"train_data": folder, "labels": None, "num_classes": 42, "seed": 0, "holdout": 0.1, "frozen": False}
    usual |= {"size": (32, 32), "batch_size": 4, "precision": "float32", "labeller_weights": "none", **TINY}
    return SimpleNamespace(**(usual | changes))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A tiny network of random weights, and its file."""
    path = tmp_path_factory.mktemp("labeller") / "tiny.keras"
    return make_labeller(path), path


# The network


@pytest.mark.slow
def test_it_is_the_resnet50_of_keras_with_its_weights_and_preprocessing(tmp_path):
    from keras.applications import resnet

    theirs = resnet.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3))
    rng = np.random.default_rng(0)
    for layer in theirs.layers:
        if layer.name.endswith("_bn"):
            layer.set_weights([array * rng.uniform(0.5, 1.5, array.shape) + 0.1 for array in layer.get_weights()])
    theirs.save(tmp_path / "resnet50.h5", include_optimizer=False)
    given = settings(tmp_path, image_size=64, width=1.0, labeller_weights=str(tmp_path / "resnet50.h5"))
    ours, architecture = start.initial_network(given, NAMES)
    assert architecture == Architecture(64, 1.0, NAMES)
    assert ours.count_params() == 23_587_712 + 2049 * 42
    rgb = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    expected = numbers(theirs(resnet.preprocess_input(rgb.copy()), training=False))
    np.testing.assert_allclose(numbers(features_of(ours)(rgb, training=False)), expected, rtol=1e-4, atol=1e-4)
    # What is no ResNet50 is refused, and so is one of another width.
    for path, words in ((tmp_path / "no.h5", "cannot be read"), (tmp_path / "resnet50.h5", "has arrays of shape")):
        with pytest.raises(InputError, match=words):
            start.initial_network(settings(tmp_path, labeller_weights=str(path)), NAMES)


def test_an_earlier_labeller_gives_all_but_its_head(tiny, tmp_path, model):
    network, path = tiny
    again, _ = start.initial_network(settings(tmp_path, labeller_weights=str(path), frozen=True), NAMES[:3])
    for layer in network.layers:
        if layer.weights and layer.name != HEAD:
            for ours, theirs in zip(again.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
                np.testing.assert_array_equal(ours, theirs)
    assert again.output_shape == (None, 3)
    assert {weight.path.split("/")[0] for weight in again.trainable_weights} == {HEAD}
    with pytest.raises(InputError, match=r"tiny\.keras: not a network of Labeller"):
        start.initial_network(settings(tmp_path, labeller_weights=str(model)), NAMES)
    with pytest.raises(InputError, match="fit --width 1 only"):
        start.initial_network(settings(tmp_path, labeller_weights="imagenet"), NAMES)


def test_its_file_says_what_it_is(tiny):
    _, path = tiny
    contents = loading.identify(path)
    assert (contents.registration.name, contents.architecture.labels) == (NAME, NAMES)
    with pytest.raises(ValueError, match="each once"):
        Architecture(labels=("a", "a"))


# What it is trained by


def test_rare_labels_count_more():
    weights = class_weights(np.array([100, 25, 1, 0, 274]))
    # The mean of those that there are is 100.
    np.testing.assert_allclose(weights, [1, 2, 10, 10, math.sqrt(100 / 274)], rtol=1e-6)


def test_the_loss_is_the_weighted_cross_entropy(tiny):
    # Its own copy: in training the statistics of batch normalisation move.
    network, _ = loading.load(tiny[1], NAME, "resnet50")
    weights = np.linspace(0.5, 2, 42).astype(np.float32)
    given = settings(None, learning_rate=1e-3)
    system = Labeller(network, None, given, {}, weights, 10, None)
    rgb = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    batch = {"rgb": rgb, "label": np.float32([[0], [41], [7]])}
    logits = numbers(network(rgb, training=True)).astype(float)
    expected = weights[[0, 41, 7]] * (special.logsumexp(logits, axis=1) - logits[range(3), [0, 41, 7]])
    found = system.phases[0].losses({**batch}, {}, None)
    np.testing.assert_allclose(numbers(found["L_label"]), expected, rtol=1e-4)
    rate = system.optimizers["classification"]._learning_rate
    assert [float(rate(step)) for step in (0, 5, 10)] == pytest.approx([1e-3, 5e-4, 0])


def test_with_a_frozen_network_the_head_alone_is_trained(tiny):
    network, _ = tiny
    system = Labeller(network, None, settings(None, frozen=True, learning_rate=1e-3), {}, np.ones(42), 10, None)
    rgb = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    features = features_of(network)(rgb, training=False)
    np.testing.assert_allclose(numbers(system.logits(features)), numbers(network(rgb, training=False)), rtol=1e-5)


# Samples


def test_what_is_held_out_follows_from_names(tmp_path):
    truth = make_work(tmp_path, 40, (8, 8))
    answer(tmp_path, {**truth, "paris-00000000.jpg": "outside", "paris-00000500.jpg": "unsure"})
    data = labelled.read(settings(tmp_path, seed=5))

    def below(text):
        return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32 < 0.1

    expected = {"titles": [], "pictures": [], "training": []}
    for name in truth:
        if name not in ("paris-00000000.jpg", "paris-00000500.jpg"):
            title = below(f"5/holdout/{name.rsplit('-', 1)[0]}")
            expected["titles" if title else "pictures" if below(f"5/holdout/{name}") else "training"].append(name)
    assert data.held_titles == expected["titles"] and data.held_pictures == expected["pictures"]
    assert data.training == expected["training"] and len(data.held_pictures) > 3
    assert [data.numbers[name] for name in data.training] == [NAMES.index(truth[name]) for name in data.training]
    assert data.counts.sum() == len(data.training)
    # With this seed a title is held out as a whole.
    seed = next(seed for seed in range(100) if len(labelled.read(settings(tmp_path, seed=seed)).held_titles) > 30)
    held = labelled.read(settings(tmp_path, seed=seed)).held_titles
    assert len({name.rsplit("-", 1)[0] for name in held}) * 38 <= len(held)


def test_too_few_labels_are_said(tmp_path):
    truth = make_work(tmp_path, 1, (8, 8))
    with pytest.raises(InputError, match=r"hand\.csv: no picture has a label; `label.py draw`"):
        labelled.read(settings(tmp_path))
    answer(tmp_path, truth)
    with pytest.raises(InputError, match=r"hand\.csv: all 3 labelled pictures are held out"):
        labelled.read(settings(tmp_path, holdout=0.999999))
    answer(tmp_path, {"gone.jpg": NAMES[0]})
    with pytest.raises(InputError, match=r"hand\.csv: line 5: no picture 'gone.jpg'"):
        labelled.read(settings(tmp_path))


def test_pictures_are_squashed_mirrored_and_blurred(tmp_path):
    rng = np.random.default_rng(0)
    rgb = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (80, 60), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "a.png"), rgb[..., ::-1])
    plain = look(tmp_path / "a.png", (32, 32))
    np.testing.assert_array_equal(plain, cv2.resize(rgb, (32, 32)))
    assert plain.dtype == np.float32
    sharp = {False: plain, True: plain[:, ::-1]}
    kinds = {}
    for sample in range(200):
        seen = look(tmp_path / "a.png", (32, 32), (0, 1, sample))
        np.testing.assert_array_equal(seen, look(tmp_path / "a.png", (32, 32), (0, 1, sample)))
        # The nearer of the two is what it was made of.
        distances = {mirrored: np.abs(seen - one).mean() for mirrored, one in sharp.items()}
        mirrored = min(distances, key=distances.get)
        kind = mirrored, distances[mirrored] > 0
        kinds[kind] = kinds.get(kind, 0) + 1
        if distances[mirrored]:
            softest, hardest = (cv2.GaussianBlur(sharp[mirrored], (0, 0), sigma) for sigma in (0.5, 1.5))
            least, most = (np.abs(one - sharp[mirrored]).mean() for one in (softest, hardest))
            assert 0.8 * least < distances[mirrored] < 1.05 * most
    assert len(kinds) == 4 and all(30 < count < 70 for count in kinds.values()), kinds


def test_each_epoch_sees_its_own_variations(tmp_path):
    truth = make_work(tmp_path, 2)
    answer(tmp_path, truth)
    given = settings(tmp_path, crop_size=None, age_luminance=0.0, sample_weights=None, varies=True)
    assert varying.views(SimpleNamespace(**{**vars(given), "varies": False}), range(5), 0) is None
    reader = labelled.Pictures(given, tmp_path, sorted(truth), True)
    one, other = (varying.views(given, [3, 1], epoch)(1) for epoch in (0, 1))
    assert (one.key, other.key) == ((0, 0, 1), (0, 1, 1))
    np.testing.assert_array_equal(reader.read(1, one)["rgb"], look(reader.picture(1), (32, 32), (0, 0, 1)))
    assert reader.read(1, whole_picture((32, 32)))["rgb"].shape == reader.shape("rgb", (32, 32))


# Measures


def test_the_temperature_is_that_of_the_least_cross_entropy():
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(500, 7))
    truth = np.array([rng.choice(7, p=row) for row in special.softmax(logits / 1.7, axis=1)])

    def entropy(log_t):
        return -np.mean(special.log_softmax(logits / math.exp(log_t), axis=1)[range(500), truth])

    found = measuring.find_temperature(logits, truth)
    assert found == pytest.approx(math.exp(optimize.minimize_scalar(entropy, (-1, 1)).x), rel=1e-3)
    assert 1.4 < found < 2.1
    assert measuring.cross_entropy(logits, truth, found) == pytest.approx(entropy(math.log(found)))
    # Always right: as cold as can be.
    assert measuring.find_temperature(logits, logits.argmax(axis=1)) == pytest.approx(math.exp(-2), rel=1e-3)
    np.testing.assert_allclose(measuring.softmax(logits * 1000, 2), special.softmax(logits * 500, axis=1), atol=1e-12)


def test_golden_section_finds_the_valley():
    assert measuring.golden_section(lambda x: (x - 0.3) ** 2, -2, 2) == pytest.approx(0.3, abs=1e-4)
    assert measuring.golden_section(lambda x: x, -2, 2) == pytest.approx(-2, abs=1e-4)


def test_recall_counts_each_label_alike():
    truth, found = np.array([0, 0, 0, 0, 2, 2]), np.array([0, 0, 0, 1, 2, 0])
    matrix = measuring.confusion(truth, found, 4)
    expected = np.zeros((4, 4), int)
    for pair in zip(truth, found, strict=True):
        expected[pair] += 1
    np.testing.assert_array_equal(matrix, expected)
    assert measuring.macro_recall(matrix) == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert math.isnan(measuring.macro_recall(np.zeros((4, 4), int)))


def test_confidence_is_compared_with_accuracy():
    confidence = np.array([0.55, 0.58, 0.95, 1.0])
    bins = measuring.reliability(confidence, np.array([True, False, True, True]))
    assert [one.pictures for one in bins] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]
    assert (bins[5].low, bins[5].confidence, bins[5].accuracy) == pytest.approx((0.5, 0.565, 0.5))
    assert measuring.calibration_error(bins) == pytest.approx((2 * 0.065 + 2 * 0.025) / 4)
    assert math.isnan(measuring.calibration_error(measuring.reliability(np.zeros(0), np.zeros(0))))


@pytest.mark.parametrize(("right", "total"), [(392, 400), (0, 5), (5, 5), (1, 1)])
def test_the_interval_is_wilsons(right, total):
    expected = stats.binomtest(right, total).proportion_ci(method="wilson")
    assert measuring.wilson(right, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_accuracy_of_the_parts_of_labels():
    few = [TABLE[12], TABLE[14], TABLE[15]]  # during: China KMT, China informal, USA military
    matrix = np.array([[5, 3, 2], [0, 4, 0], [1, 0, 9]])
    lines = {line[0]: line[1:] for line in judging.accuracies(few, {"pictures": matrix})[1:]}
    assert lines["label, all"] == ("pictures", 24, 18, "0.7500")
    assert lines["era, all"] == ("pictures", 24, 24, "1.0000")
    assert lines["china"] == ("pictures", 14, 12, "0.8571")
    assert lines["garment, all"] == ("pictures", 24, 18, "0.7500")
    assert lines["during-china-military-kmt"] == ("pictures", 10, 5, "0.5000")


# The whole training


def train(folder, truth, *more):
    """A training of the colours of `kept_pictures`; its table of epochs."""
    answer(folder, truth)
    arguments = ["--train-data", folder, "--image-size", 32, "--width", 1 / 32, "--gpu-id", "cpu", "--batch-size", 16]
    arguments += ["--model-dir", folder / "MODEL", "--out-dir", folder / "OUT", "--log-dir", folder / "LOG", *more]
    assert run_here("SOURCE_MHMD/MHMD_Labeller.py", *arguments) == 0
    with (folder / "LOG/epochs.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_training_as_users_do(tmp_path, capsys):
    truth = make_work(tmp_path, 10)
    epochs = train(tmp_path, truth, "--labeller-weights", "none", "--num-epochs", 1)
    assert [row["epoch"] for row in epochs] == [0] and 0 <= epochs[0]["recall"] <= 1
    assert math.exp(-2) <= epochs[0]["temperature"] <= math.exp(2)
    contents = loading.identify(tmp_path / "MODEL/my_model_classificationEpoch0.keras")
    assert contents.architecture == Architecture(32, 1 / 32, NAMES)
    out = tmp_path / "OUT/Epoch0"
    assert {"accuracy.csv", "reliability.csv", "confusion_pictures.csv", "confusion_pictures.png"} <= {
        path.name for path in out.iterdir()
    }
    data = labelled.read(settings(tmp_path))
    with (out / "confusion_pictures.csv").open() as file:
        matrix = np.array([line[1:] for line in csv.reader(file)][1:], int)
    assert matrix.sum() == len(data.held_pictures) > 0
    assert np.trace(matrix) / matrix.sum() == pytest.approx(epochs[0]["accuracy"])
    assert "note" not in capsys.readouterr().err


@pytest.mark.slow
def test_a_head_learns_from_features_that_are_made_once(tiny, tmp_path, monkeypatch, capsys):
    truth = make_work(tmp_path, 20)
    few = [labels.Label(i, *name.split("-")) for i, name in enumerate(COLORS)]
    labels.write_table(tmp_path / "few.csv", few)
    options = ["--frozen", "--labeller-weights", tiny[1], "--labels", tmp_path / "few.csv", "--learning-rate", 0.02]
    options += ["--batch-size", 4]
    epochs = train(tmp_path, truth, *options, "--num-epochs", 4)
    assert epochs[-1]["recall"] > 0.8 and epochs[-1]["cross_entropy"] < 0.5
    assert "features: 60 of 60 pictures" in capsys.readouterr().err
    # Going on needs the kept ones only; the network is whole, and its body as it was.
    monkeypatch.setattr("historynet.collecting.features.look", lambda *_: pytest.fail("made again"))
    assert len(train(tmp_path, truth, *options, "--num-epochs", 5)) == 5
    network, _ = loading.load(tmp_path / "MODEL/my_model_classificationEpoch4.keras", NAME, "resnet50")
    for layer in tiny[0].layers:
        if layer.weights and layer.name != HEAD:
            for ours, theirs in zip(network.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
                np.testing.assert_array_equal(ours, theirs)
    name = next(name for name in truth if truth[name] == list(COLORS)[2])
    seen = look(tmp_path / "frames/paris" / name, (32, 32))
    assert few[numbers(network(seen[None])).argmax()].name == truth[name]


def test_contradictions_are_named(tmp_path, run):
    truth = make_work(tmp_path, 1)
    answer(tmp_path, truth)
    code, _, err = run(
        "SOURCE_MHMD/MHMD_Labeller.py", "--train-data", tmp_path, "--frozen", "--labeller-weights", "none"
    )
    assert code == 2 and "there is nothing to keep" in err
