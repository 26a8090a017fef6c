"""The films CNN's training in three stages: its pictures, its start, its weights of colours, gray VGG16."""

import csv
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import ROOT, write_picture
from keras import ops

from historynet.data import classes, colours, mhmd
from historynet.errors import InputError
from historynet.systems import classification, loading, vgg16
from historynet.systems.film_cnn import bins, losses, rebalancing, scaled_start
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.network import build_network
from historynet.systems.gray_vgg16.architecture import Architecture as GrayArchitecture
from historynet.systems.gray_vgg16.network import build_network as build_gray


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.fixture
def tree(tmp_path):
    """Four classes of 3 to 6 pictures, in ImageNet's layout."""
    for i, wnid in enumerate(("n01", "n02", "n03", "n04")):
        for j in range(3 + i):
            write_picture(tmp_path / f"train/{wnid}/{wnid}_{j}.jpg", 10 * i + j)
            (tmp_path / f"train/{wnid}/{wnid}_{j}.jpg").rename(tmp_path / f"train/{wnid}/{wnid}_{j}.JPEG")
    (tmp_path / "train/n02/notes.txt").write_text("no picture")
    (tmp_path / "train/n01.tar").write_text("no class")
    return tmp_path / "train"


# Data B


def test_classes_are_folders_and_pictures_are_told_by_their_names(tree):
    found = classes.find_classes(tree)
    assert {name: len(pictures) for name, pictures in found.items()} == {"n01": 3, "n02": 4, "n03": 5, "n04": 6}
    assert found["n02"] == [f"n02/n02_{i}.JPEG" for i in range(4)]


def test_a_draw_has_so_many_of_so_many_and_repeats(tree):
    drawn = classes.draw(tree, 2, 4, seed=1)
    assert drawn == classes.draw(tree, 2, 4, seed=1) == sorted(drawn)
    names, of_class = zip(*drawn, strict=True)
    assert len(set(names)) == 8 and len(set(of_class)) == 2
    # n01 has too few; the numbers are places among all four classes.
    assert all((tree / name).is_file() and name.split("/")[0] == f"n0{number + 1}" for name, number in drawn)
    assert {number for seed in range(20) for _, number in classes.draw(tree, 1, 4, seed)} == {1, 2, 3}
    assert len({tuple(classes.draw(tree, 2, 4, seed)) for seed in range(8)}) > 4


def test_every_class_and_every_picture_is_as_likely(tree):
    counts = dict.fromkeys((f"n04/n04_{i}.JPEG" for i in range(6)), 0)
    for seed in range(300):
        for name, _ in classes.draw(tree, 4, 3, seed):
            if name in counts:
                counts[name] += 1
    # 150 each; the standard deviation of a count is 8.7.
    assert all(abs(count - 150) < 40 for count in counts.values())


def test_the_command_writes_the_list(tree, run, tmp_path):
    out = tmp_path / "lists/data_b.csv"
    code, text, _ = run("SOURCE_FilmCNN/draw_pictures.py", tree, "--classes", 3, "--pictures", 4, "--out", out)
    assert code == 0 and "12 pictures of 3 classes" in text
    with out.open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "class_number"] and len(rows) == 13
    assert dict(classes.draw(tree, 3, 4, 0)) == classes.read_list(out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--classes", 5, "--pictures", 3), "4 of 4 classes have 3 pictures or more, and 5 are asked for"),
        (("--classes", 4, "--pictures", 4), "3 of 4 classes have 4 pictures or more, and 4 are asked for"),
        (("--classes", 0), "--classes"),
    ],
)
def test_too_few_classes_or_pictures_are_an_error(tree, run, tmp_path, arguments, words):
    code, _, err = run("SOURCE_FilmCNN/draw_pictures.py", tree, *arguments, "--out", tmp_path / "a.csv")
    assert code == 2 and words in err and "Traceback" not in err
    assert not (tmp_path / "a.csv").exists()


def test_a_tree_without_classes_is_an_error(tree, run, tmp_path):
    for folder, words in ((tree / "n01", "no classes"), (tmp_path / "gone", "no such folder")):
        for command in (
            ("SOURCE_FilmCNN/draw_pictures.py", folder, "--out", tmp_path / "a.csv"),
            ("SOURCE_GrayVGG16/GrayVGG16.py", "--train-data", folder, "--test-data", tree, "--gpu-id", "cpu"),
        ):
            code, _, err = run(*command)
            assert code == 2 and err.startswith(f"error: {folder}: {words}"), err
            assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "its first line has to be name,class_number"),
        ("name,weight\na,1\n", "its first line has to be name,class_number"),
        ("name,class_number\n", "lists no pictures"),
        ("name,class_number\nn01/a.JPEG\n", "line 2: the name of a picture and the number of its class"),
        ("name,class_number\nn01/a.JPEG,-1\n", "line 2: the name of a picture and the number of its class"),
        ("name,class_number\nn01/a.txt,1\n", "line 2: n01/a.txt is not the name of a picture"),
        ("name,class_number\n../a.JPEG,1\n", "line 2: ../a.JPEG is not the name of a picture"),
        ("name,class_number\na.JPEG,1\n", "line 2: a.JPEG is not the name of a picture"),
        ("name,class_number\nn01/a.JPEG,1\nn01/a.JPEG,1\n", "line 3: n01/a.JPEG is there twice"),
    ],
)
def test_a_list_that_is_none_is_named(tmp_path, content, words):
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(InputError, match=r"list\.csv: .*" + words.replace(".", r"\.")):
        classes.read_list(tmp_path / "list.csv")


def tree_settings(tree, **changes):
    usual = {"train_data": tree, "test_data": tree, "picture_list": None, "num_classes": 1000, "seed": 0}
    usual |= {"size": (32, 32), "crop_size": (48, 48), "batch_size": 3, "num_test_images": "all", "skip_broken": False}
    return SimpleNamespace(**(usual | changes))


def test_classes_keep_their_numbers_in_a_list(tree, tmp_path):
    listed = [("n02/n02_1.JPEG", 1), ("n04/n04_0.JPEG", 3)]
    classes.write_list(tmp_path / "list.csv", listed)
    settings = tree_settings(tree, picture_list=tmp_path / "list.csv")
    samples = classes.open_tree(settings, {"label": classes.ClassNumbers})
    assert samples.names == ["n02/n02_1.JPEG", "n04/n04_0.JPEG"]
    assert [samples.read(i, None)["label"].tolist() for i in (0, 1)] == [[1.0], [3.0]]
    everything = classes.open_tree(tree_settings(tree), {"label": classes.ClassNumbers})
    assert len(everything) == 18 and everything.read(3, None)["label"].tolist() == [1.0]
    with pytest.raises(InputError, match="n04 is number 3, from 0, and the network has 3"):
        classes.class_numbers(tree_settings(tree, num_classes=3))
    classes.write_list(tmp_path / "list.csv", [*listed, ("n04/n04_1.JPEG", 2)])
    with pytest.raises(InputError, match="n04 has the numbers 3 and 2"):
        classes.class_numbers(settings)


# Gray VGG16


def test_test_pictures_are_the_middle_of_known_classes_pictures(tree, capsys):
    (tree / "n02/broken.JPEG").write_bytes(b"\xff\xd8 no picture")
    tests = classes.TestPictures(tree_settings(tree), {"n02": 1, "n03": 7})
    assert "2 of 4 classes are not trained on" in capsys.readouterr().out
    batches = list(tests)
    assert [len(luminance) for luminance, _ in batches] == [3, 3, 3]
    assert np.concatenate([label for _, label in batches]).ravel().tolist() == [1] * 4 + [7] * 5
    assert len(tests.left_out) == 1 and "broken.JPEG" in next(iter(tests.left_out))
    from historynet.pictures import color, images

    whole = color.network_lab(images.read_rgb(tree / "n02/n02_0.JPEG"), (48, 48))
    np.testing.assert_array_equal(batches[0][0][0], whole[8:40, 8:40, :1])
    with pytest.raises(InputError, match="none of the classes that are trained on"):
        classes.TestPictures(tree_settings(tree), {"n09": 1})


def test_the_loss_of_classes_and_the_hits_by_hand():
    logits = np.log(np.float32([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2]]))
    label = np.float32([[1], [0], [0]])
    tensors = ops.convert_to_tensor(label), ops.convert_to_tensor(logits)
    np.testing.assert_allclose(numbers(classification.cross_entropy(*tensors)), -np.log([0.5, 0.1, 0.4]), rtol=1e-6)
    np.testing.assert_array_equal(numbers(classification.is_found(*tensors)), [1, 0, 1])


def test_the_gray_network_is_vgg16s():
    """138,357,544 parameters (Simonyan and Zisserman, table 2: 138 million)."""
    with keras.StatelessScope(initialize_variables=False):
        assert build_gray(GrayArchitecture()).count_params() == 138_357_544


def test_one_update_of_the_gray_network_is_gradient_descent_with_decay(tree):
    """Against NumPy: the last layer's bias, whose gradient is the mean of softmax less one-hot, plus the decay."""
    from historynet.systems.gray_vgg16.system import GrayVGG16
    from historynet.training.engine import Step

    architecture = GrayArchitecture(32, 1 / 64, 4)
    network = build_gray(architecture)
    bias = network.get_layer("predictions").bias
    bias.assign(np.float32([0.1, -0.2, 0.3, 0.4]))
    settings = SimpleNamespace(learning_rate=0.5, momentum=0.9, weight_decay=0.01)
    system = GrayVGG16(network, architecture, settings, {"L": None, "label": None}, None)
    fields = {"L": np.random.default_rng(0).random((2, 32, 32, 1), np.float32), "label": np.float32([[1], [3]])}
    step, expected, velocity = Step(system, seed=0), numbers(bias).astype(np.float64), 0
    for i in range(2):
        logits = numbers(network(fields["L"])).astype(np.float64)
        likely = np.exp(logits - logits.max(-1, keepdims=True))
        likely /= likely.sum(-1, keepdims=True)
        gradient = (likely - np.eye(4)[[1, 3]]).mean(axis=0) + 0.01 * expected
        velocity = 0.9 * velocity - 0.5 * gradient
        expected = expected + velocity
        step(fields, i)
        np.testing.assert_allclose(numbers(bias), expected, rtol=1e-4, atol=1e-6)


# Stage 0's weights in stage 1


def film_settings(path, **changes):
    usual = {"multi_scale": True, "vgg_features": True, "width": 1 / 16, "features_width": 1 / 32}
    usual |= {"colorizing_size": 32, "size": (32, 32), "precision": "float32", "init_network": None}
    usual |= {"vgg16_weights": str(path), "vgg16_preprocessing": True, "frozen_features": True}
    return SimpleNamespace(**(usual | changes))


@pytest.fixture(scope="module")
def stage_0(tmp_path_factory):
    path = tmp_path_factory.mktemp("stage_0") / "my_model_classificationEpoch0.keras"
    architecture = GrayArchitecture(32, 1 / 32, 5)
    network = build_gray(architecture)
    loading.save(network, "GrayVGG16", architecture, path)
    return network, path


def test_stage_1_takes_stage_0s_first_blocks_as_they_are(stage_0):
    from historynet.systems.film_cnn.start import initial_network

    gray, path = stage_0
    network, _ = initial_network(film_settings(path))
    luminance = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    for name in vgg16.layer_names(blocks=3):
        for ours, theirs in zip(network.get_layer(name).get_weights(), gray.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert not network.get_layer(name).trainable
    last = vgg16.layer_names(blocks=3)[-1]
    seen = [numbers(keras.Model(model.input, model.get_layer(last).output)(luminance)) for model in (network, gray)]
    np.testing.assert_array_equal(*seen)


def test_what_is_no_vgg16_is_refused_by_name(stage_0, model, tmp_path):
    from historynet.systems.film_cnn.start import initial_network

    with pytest.raises(InputError, match=r"tiny\.keras: a generator of HistoryNet; a VGG16 of stage 0 is needed"):
        initial_network(film_settings(model))
    with pytest.raises(InputError, match=r"Epoch0\.keras: of width 0\.03125, not 0\.0625 \(--features-width\)"):
        initial_network(film_settings(stage_0[1], features_width=None))
    # And as the network to go on from.
    for path, words in ((model, "a network of HistoryNet; one of FilmCNN"), (stage_0[1], "a network of GrayVGG16")):
        with pytest.raises(InputError, match=words):
            initial_network(film_settings("none", init_network=path))


# The scaled start


def test_a_scaled_start_gives_each_convolution_mean_0_and_variance_1():
    network = build_network(Architecture(vgg_features=False, width=1 / 16, colorizing_size=32), (32, 32))
    kept = ["conv2_1"]
    before = {layer.name: layer.get_weights() for layer in network.layers if layer.weights}
    batches = [np.random.default_rng(i).random((3, 32, 32, 1), np.float32) for i in range(2)]
    scaled_start.scale(network, batches, kept)
    for layer in network.layers:
        if layer.name in kept or isinstance(layer, keras.layers.BatchNormalization):
            for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
                np.testing.assert_array_equal(old, new)
        elif layer.name in ("conv1_1_3x3", "conv1_1_5x5", "conv3_3", "conv5_2", "conv8_1", "bins"):
            # The activation is put back; what it is given is looked at by hand.
            assert layer.activation == (keras.activations.linear if layer.name == "bins" else keras.activations.relu)
            inputs = keras.Model(network.input, layer.input)
            seen = []
            for batch in batches:
                x = inputs(batch, training=True)
                if isinstance(layer, keras.layers.Conv2DTranspose):
                    x = ops.conv_transpose(x, layer.kernel, 2, "same")
                else:
                    x = ops.conv(x, layer.kernel, layer.strides, layer.padding, dilation_rate=layer.dilation_rate)
                seen.append(numbers(x + layer.bias).reshape(-1, layer.bias.shape[0]))
            seen = np.concatenate(seen)
            # A kernel that sees zeros only, behind a ReLU, cannot be scaled.
            alive = seen.std(axis=0) > 1e-3
            assert alive.mean() > 0.8, layer.name
            np.testing.assert_allclose(seen[:, alive].mean(axis=0), 0, atol=2e-3, err_msg=layer.name)
            np.testing.assert_allclose(seen[:, alive].std(axis=0), 1, atol=5e-3, err_msg=layer.name)
            # Only scaled: the direction of each kernel stays.
            old = before[layer.name][0]
            axes = (0, 1, 3) if isinstance(layer, keras.layers.Conv2DTranspose) else (0, 1, 2)
            ratio = numbers(layer.kernel) / old
            assert np.ptp(ratio, axis=axes).max() <= 1e-3 * np.abs(ratio).max()


# Rebalancing


def test_the_nearest_bin_is_the_first_of_the_nearest():
    table = bins.nearest_of_all()
    assert table.shape == (256, 256)
    rng = np.random.default_rng(0)
    for a, b in [*rng.integers(-128, 128, (50, 2)), (5, 5), (0, 5), (-128, 127)]:
        squared = ((bins.centres().astype(int) - [a, b]) ** 2).sum(axis=1)
        assert table[a + 128, b + 128] == squared.argmin()
    # Soft encoding's first neighbour is the same.
    lab = rng.integers(-90, 90, (40, 2))
    first = numbers(bins.soft_encoding(ops.convert_to_tensor(lab.astype(np.float32)), 1)[0])[:, 0]
    np.testing.assert_array_equal(table[lab[:, 0] + 128, lab[:, 1] + 128], first)


def test_weights_by_hand_have_the_mean_1():
    counts = np.zeros(313, int)
    counts[[10, 20]] = 75, 25
    w = rebalancing.weights(counts).astype(np.float64)
    plain = 1 / (0.5 * np.array([0.75, 0.25, 0]) + 0.5 / 313)
    np.testing.assert_allclose(w[[10, 20, 30]] / w[10], plain / plain[0], rtol=1e-6)
    assert 0.75 * w[10] + 0.25 * w[20] == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(rebalancing.weights(np.ones(313, int)), 1, rtol=1e-6)


def test_a_pixels_loss_and_gradient_have_its_nearest_bins_weight():
    import functools

    rng = np.random.default_rng(0)
    lab = rng.integers(-80, 80, (2, 3, 4, 2)).astype(np.float32)
    logits = rng.standard_normal((2, 3, 4, 313)).astype(np.float32)
    w = rng.uniform(0.5, 2, 313).astype(np.float32)
    pixels = lab.reshape(-1, 1, 1, 2), logits.reshape(-1, 1, 1, 313)
    alone = numbers(losses.cross_entropy(*map(ops.convert_to_tensor, pixels))).reshape(2, 12)
    nearest = ((bins.centres() - lab[..., None, :]) ** 2).sum(-1).argmin(-1).reshape(2, 12)
    tensors = ops.convert_to_tensor(lab), ops.convert_to_tensor(logits)
    weighed = functools.partial(losses.cross_entropy, bin_weights=w)
    np.testing.assert_allclose(numbers(weighed(*tensors)), (w[nearest] * alone).mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        numbers(losses.cross_entropy(*tensors, bin_weights=np.ones(313, np.float32))),
        numbers(losses.cross_entropy(*tensors)),
        rtol=1e-6,
    )


def test_counting_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(rebalancing, "SAVE_EVERY", 2)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(-60, 60, (3, 5, 2)).astype(np.int32) for _ in range(7)]
    pictures[4] = None
    path, seen = tmp_path / "colours.json", []

    def read(index, last=6):
        if index > last:
            raise KeyboardInterrupt
        seen.append(index)
        return pictures[index]

    with pytest.raises(KeyboardInterrupt):
        rebalancing.count(lambda index: read(index, 3), 7, "these", path)
    seen.clear()
    counts = rebalancing.count(read, 7, "these", path)
    assert min(seen) >= 2
    whole = np.concatenate([picture.reshape(-1, 2) for picture in pictures if picture is not None])
    nearest = ((bins.centres().astype(int) - whole[:, None]) ** 2).sum(-1).argmin(-1)
    np.testing.assert_array_equal(counts, np.bincount(nearest, minlength=313))
    seen.clear()
    np.testing.assert_array_equal(rebalancing.count(read, 7, "these", path), counts)
    assert not seen
    # Of other pictures it begins anew.
    rebalancing.count(read, 7, "others", path)
    assert sorted(seen) == list(range(7))
    path.write_text('{"pictures": "others", "done": 7, "counts": [1, 2]}')
    with pytest.raises(InputError, match=r"colours\.json: not a count of colours; remove it"):
        rebalancing.count(read, 7, "others", path)


def test_colours_are_every_fourth_pixels(tree):
    settings = tree_settings(tree)
    samples = classes.open_tree(settings, {"L": mhmd.Pictures})
    from historynet.pictures import color, images

    lab = color.network_lab(images.read_rgb(tree / samples.names[5]), (48, 48))[..., 1:]
    found = colours.reader(settings, samples)(5)
    np.testing.assert_array_equal(found, np.round(lab * 255)[::4, ::4] - 128)
    assert found.shape == (12, 12, 2)
    other = tree_settings(tree, crop_size=None)
    assert colours.fingerprint_of(settings, samples) != colours.fingerprint_of(other, samples)


# Errors of the programs


def test_a_temperature_below_0_and_a_damaged_table_of_bins_are_said(tmp_path, run, monkeypatch):
    code, _, err = run("SOURCE_FilmCNN/colorization.py", tmp_path, "--temperature", "-0.1")
    assert code == 2 and "--temperature: '-0.1' will not do; it takes a number of at least 0" in err
    whole = bins._FILE.read_text()
    assert "\n120,0,0\n" in whole
    for content, words in (
        ("bin,a,b\n0,0,x\n", "damaged"),
        ("bin,a,b\n0,0,0\n", "does not hold the 313 colours"),
        (whole.replace("\n120,0,0\n", "\n120,0,1\n"), "does not hold the 313 colours"),
        (whole.replace("\n120,0,0\n", "\n120,65536,0\n"), "damaged"),
        ("\xff\x00", "damaged"),
        (None, "No such file"),
    ):
        path = tmp_path / "bins.csv"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content, encoding="latin-1")
        monkeypatch.setattr(bins, "_FILE", path)
        bins.centres.cache_clear()
        try:
            with pytest.raises(InputError, match=words) as error:
                bins.centres()
            assert str(error.value).startswith(str(path))
        finally:
            monkeypatch.undo()
            bins.centres.cache_clear()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--scaled-start", 2, "--init-network", "a.keras"), "--scaled-start: not with --init-network"),
        (("--scaled-start", 2, "--strategy", "mirrored"), "--scaled-start: with --strategy none only"),
        (("--scaled-start", 0), "--scaled-start: '0' will not do; it takes"),
    ],
)
def test_settings_that_exclude_each_other_are_said(run, options, words):
    code, _, err = run("SOURCE_FilmCNN/FilmCNN.py", *options)
    assert code == 2 and words in err


SMALL = ("--image-size", 32, "--batch-size", 3, "--gpu-id", "cpu", "--num-epochs", 1, "--num-test-images", 2)


def stage(tmp_path, name, tree):
    results = tmp_path / name
    return (
        *("--train-data", tree, "--test-data", tree, "--model-dir", results / "MODEL"),
        *("--out-dir", results / "OUT", "--log-dir", results / "LOG", *SMALL),
    )


@pytest.mark.slow
def test_three_stages_one_after_the_other(tree, tmp_path, run):
    gray = ("SOURCE_GrayVGG16/GrayVGG16.py", *stage(tmp_path, "0", tree), "--crop-from", 40, "--width", 1 / 32)
    code, out, err = run(*gray, "--vgg16-weights", "none")
    assert code == 0 and "top_1" in out, err
    stage_0 = tmp_path / "0/MODEL/my_model_classificationEpoch0.keras"
    assert stage_0.is_file()
    listed = tmp_path / "data_b.csv"
    classes.write_list(listed, classes.draw(tree, 3, 3, 0))
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in sorted(tree.glob("*/*.JPEG"))[:4]:
        shutil.copy(path, flat)
    film = ("SOURCE_FilmCNN/FilmCNN.py", *stage(tmp_path, "1", tree), "--test-data", flat, "--crop-from", 40)
    width = ("--width", 1 / 32, "--colorizing-size", 32)
    more = ("--picture-list", listed, "--vgg16-weights", stage_0, "--rebalancing", "--scaled-start", 2)
    code, out, err = run(*film, *width, *more)
    assert code == 0 and "9 pictures; 3 steps an epoch" in out, err
    assert (tmp_path / "1/MODEL/colours.json").is_file()
    stage_1 = tmp_path / "1/MODEL/my_model_colorizationEpoch0.keras"
    film = ("SOURCE_FilmCNN/FilmCNN.py", *stage(tmp_path, "2", flat), "--crop-from", 40)
    code, out, err = run(*film, *width, "--init-network", stage_1, "--steps-per-epoch", 1)
    assert code == 0 and f"the network starts from {stage_1}" in out, err
    contents = loading.identify(tmp_path / "2/MODEL/my_model_colorizationEpoch0.keras")
    assert contents.registration.name == "FilmCNN"
    # Frozen since stage 0.
    first = [loading.identify(path).arrays["block3_conv3"][0][()] for path in (stage_0, stage_1)]
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], contents.arrays["block3_conv3"][0][()])


def test_the_small_trials_settings_are_settings(run, tmp_path):
    write_picture(tmp_path / "train/a.png")
    (tmp_path / "weights.csv").write_text("name,weight\n")
    code, out, err = run(
        *("SOURCE_FilmCNN/FilmCNN.py", "--config", ROOT / "SOURCE_FilmCNN/small.json", "--dry-run", "--gpu-id", "cpu"),
        *("--train-data", tmp_path / "train", "--test-data", tmp_path / "train", "--model-dir", tmp_path / "MODEL"),
        *("--sample-weights", tmp_path / "weights.csv", "--width", 1 / 32),
    )
    assert code == 0 and "colorization" in out, err
