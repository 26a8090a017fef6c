"""The shipped model: data, file, look-up, figures; with a tiny network in its place."""

import importlib.util
import math
import re
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import scipy.special
import skimage.data
from conftest import ROOT, open_folder, reader_of, write_picture
from skimage.metrics import peak_signal_noise_ratio
from test_settings import resolve

from historynet import Colorizer
from historynet.colorizing import choosing
from historynet.errors import InputError
from historynet.experiments import default_model
from historynet.pictures import color, figures, images
from historynet.systems import loading
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import Architecture

SCRIPT = "Util/default_model.py"
COLORIZE = "SOURCE_HistoryNet/colorization.py"
TINY = Architecture(image_size=32, width=1 / 32)


@pytest.fixture
def generator():
    network = build_generator(TINY)
    rng = np.random.default_rng(0)
    for variable in network.variables:
        values = 0.1 * rng.standard_normal(variable.shape)
        variable.assign(np.abs(values) if variable.path.endswith("moving_variance") else values)
    # More than float16 holds, as a variance of VGG16's features can be.
    network.get_layer("color_input1_bn").moving_variance.assign([1e6] * 16)
    return network


@pytest.fixture
def half(generator, tmp_path):
    path = tmp_path / "half.keras"
    loading.save(generator, "HistoryNet", TINY, path, half=True)
    return path


@pytest.fixture
def shipped(half, monkeypatch):
    monkeypatch.setattr(choosing, "SHIPPED", half)
    return half


def test_half_the_space_and_nearly_the_same_arrays(generator, half, tmp_path):
    loading.save(generator, "HistoryNet", TINY, tmp_path / "whole.keras")
    with zipfile.ZipFile(half) as archive, h5py.File(archive.open("model.weights.h5")) as file:
        types = set()
        file.visititems(lambda _, item: types.add(getattr(item, "dtype", None)))
    assert types == {None, np.dtype("float16"), np.dtype("float32")}
    loaded, architecture = loading.load(half, "HistoryNet", "generator", "HistoryNet")
    assert architecture == TINY
    for ours, original in zip(loaded.variables, generator.variables, strict=True):
        # A unit in the last place of float16, and its smallest number.
        np.testing.assert_allclose(ours.numpy(), original.numpy(), rtol=2**-11, atol=6e-8, err_msg=ours.path)
        if len(ours.shape) == 1:
            np.testing.assert_array_equal(ours.numpy(), original.numpy(), err_msg=ours.path)


def test_what_float16_does_not_hold_is_named(generator, tmp_path):
    kernel = generator.get_layer("color_conv3").kernel
    kernel.assign(np.full(kernel.shape, 70_000))
    with pytest.raises(InputError, match=r"x.keras: color_conv3 has values beyond float16"):
        loading.save(generator, "HistoryNet", TINY, tmp_path / "x.keras", half=True)
    assert not (tmp_path / "x.keras").exists()


def test_the_shipped_model_is_used_only_where_nothing_else_is(shipped, tmp_path, generator):
    assert choosing.find_model("default", tmp_path / "none", "HistoryNet") == shipped
    with pytest.raises(InputError, match="none: holds no model that is taken by default; train one"):
        choosing.find_model("default", tmp_path / "none", "Baseline")
    with pytest.raises(InputError, match="mine: no such model"):
        choosing.find_model("mine", tmp_path / "none", "HistoryNet")
    with pytest.raises(InputError, match="is a folder; name a model file in it"):
        choosing.find_model(str(tmp_path), tmp_path / "none", "HistoryNet")
    loading.save(generator, "HistoryNet", TINY, tmp_path / "my_model_colorizationEpoch3.keras")
    assert choosing.find_model("default", tmp_path, "HistoryNet").name == "my_model_colorizationEpoch3.keras"
    last = tmp_path / "my_model_colorizationEpoch7.keras"
    loading.save(generator, "HistoryNet", TINY, last)
    assert choosing.find_model("default", tmp_path, "HistoryNet") == last


def test_without_a_shipped_file_a_model_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(choosing, "SHIPPED", tmp_path / "gone.keras")
    with pytest.raises(InputError, match="is taken by default; train one, or name a file with --pretrained"):
        choosing.find_model("default", tmp_path, "HistoryNet")
    with pytest.raises(InputError, match="name a file with the argument model|the argument model can be"):
        Colorizer()


def test_colorizing_without_options(shipped, run, tmp_path):
    write_picture(tmp_path / "photo.png")
    places = ("--model-dir", tmp_path / "MODEL", "--result-dir", tmp_path / "out")
    code, out, err = run(COLORIZE, tmp_path / "photo.png", *places)
    assert code == 0, err
    assert out.splitlines()[0].endswith(f"colorizing with the shipped model, {shipped}")
    images.write_rgb(tmp_path / "again.jpg", Colorizer()(images.read_rgb(tmp_path / "photo.png")))
    ours, theirs = (images.read_rgb(tmp_path / name) for name in ("again.jpg", "out/photo_reconstructed.jpg"))
    np.testing.assert_array_equal(ours, theirs)
    code, out, err = run(
        COLORIZE, tmp_path / "photo.png", *places, "--overwrite", "--pretrained", shutil.copy(shipped, tmp_path / "m")
    )
    assert code == 0, err
    assert "shipped" not in out


@pytest.fixture
def sources(mhmd, tmp_path):
    """CCP in MHMD's layout, three more of it, 21 photographs of FSA, and two of a public set."""
    folders = {
        **{path: seed for seed, path in enumerate(sorted((mhmd / "dataset_train").glob("*.jpg")))},
        **{tmp_path / f"more/m{i}.jpg": 30 + i for i in range(3)},
        **{tmp_path / f"fsa/f{i:02}.jpg": 40 + i for i in range(21)},
        **{tmp_path / f"pool/interfaces_cc0/{i:03}.png": 70 + i for i in range(2)},
    }
    for path, seed in folders.items():
        write_picture(path, seed, (96, 72))
    write_picture(mhmd / "dataset_second_seg/t1_seg.png")
    given = ["--ccp", mhmd, "--ccp-more", tmp_path / "more", "--fsa", tmp_path / "fsa", "--pool", tmp_path / "pool"]
    return [*given, "--out", tmp_path / "data"]


@pytest.mark.parametrize("copy", [False, True])
def test_prepare_holds_out_what_is_never_trained_on(sources, run, tmp_path, copy):
    code, _, err = run(SCRIPT, "prepare", *sources, *(["--copy"] if copy else []))
    assert code == 0, err
    data = tmp_path / "data"
    names = {folder.name: {path.stem for path in folder.iterdir()} for folder in data.iterdir() if folder.is_dir()}
    assert names["test_ccp"] == {"t0", "t1", "t2"}
    assert names["test_fsa"] == {"f09", "f19"}
    # A twentieth of each set is set aside, here one picture.
    (aside,) = names["validation"]
    expected = {f"fsa_f{i:02}" for i in range(21) if i not in (9, 19)} - {aside}
    expected |= {f"ccp_{i:04}" for i in range(5)} | {f"ccpmore_m{i}" for i in range(3)}
    expected |= {f"interfaces_cc0_{i:03}" for i in range(2)}
    assert names["dataset_train"] == expected | {"sign"}
    assert {path.is_symlink() for path in (data / "test_fsa").iterdir()} == {not copy}
    fields = ("label", "parsing")
    samples = open_folder(data / "dataset_train", fields, "--allow-missing-labels", "--allow-missing-parsing")
    assert [reader_of(samples, field).present.sum() for field in fields] == [5, 5]
    assert images.read_rgb(data / "dataset_train/ccp_0000.jpg").shape == (72, 96, 3)
    # Labels and parsing are still those of the same picture.
    for name in samples.names:
        if name.startswith("ccp_"):
            index = samples.names.index(name)
            assert reader_of(samples, "label").read(index, None)["label"].argmax() == int(name[4:8])
            (old, new) = (data.parent / f"DATASET/dataset_train_seg/{name[4:8]}_seg.jpg", f"{name[:8]}_seg.jpg")
            assert (data / "dataset_train_seg" / new).read_bytes() == old.read_bytes()
    code, _, err = run(SCRIPT, "prepare", *sources)
    assert code == 2
    assert "data: is there already" in err


def test_prepare_refuses_photographs_without_labels_before_it_writes(sources, mhmd, run, tmp_path):
    labels = (mhmd / "dataset_train/sign.txt").rename(tmp_path / "sign.txt")
    code, _, err = run(SCRIPT, "prepare", *sources)
    assert (code, "sign.txt: " in err) == (2, True)
    assert not (tmp_path / "data").exists()
    labels.rename(mhmd / "dataset_train/sign.txt")
    assert run(SCRIPT, "prepare", *sources)[0] == 0


def test_prepare_refuses_a_held_out_picture_among_those_for_training(sources, run, tmp_path):
    write_picture(tmp_path / "more/t1.png")
    code, _, err = run(SCRIPT, "prepare", *sources)
    assert code == 2
    assert re.search(r"t1.png: has the same name as .*more/t1.png", err)
    assert not (tmp_path / "data").exists()


def test_export_and_evaluate(sources, run, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no weights of LPIPS"))
    keras.utils.set_random_seed(0)
    generator = build_generator(TINY)
    last = generator.get_layer("ab_half")
    last.set_weights([5e4 * last.kernel.numpy(), np.array([0.5, -0.3])])
    loading.save(generator, "HistoryNet", TINY, tmp_path / "trained.keras")
    exporting = ("export", tmp_path / "trained.keras", "--out", tmp_path / "small.keras", "--strength", 1.5, 2)
    code, out, err = run(SCRIPT, *exporting)
    assert code == 0, err
    assert f"{generator.count_params():,} parameters" in out
    # Before the sigmoid, half again and twice as far from gray.
    luminance = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    logits = [
        scipy.special.logit(network(luminance)["ab"].numpy().astype(float)) - scipy.special.logit(128 / 255)
        for network in (generator, loading.load(tmp_path / "small.keras", "HistoryNet", "generator")[0])
    ]
    np.testing.assert_allclose(logits[1], np.array([1.5, 2]) * logits[0], rtol=0.01, atol=0.02)
    assert (logits[0].std((0, 1, 2)) > 0.05).all(), logits[0].std((0, 1, 2))
    for wrong in ("2.1", "nan", "-1", "x"):
        code, _, err = run(SCRIPT, *exporting[:-2], 1.5, wrong)
        assert code == 2
        assert "--strength" in err
    monkeypatch.setattr(choosing, "SHIPPED", tmp_path / "small.keras")
    assert run(SCRIPT, "prepare", *sources)[0] == 0
    arguments = ("--data", tmp_path / "data", "--out", tmp_path / "figures")
    code, out, err = run(SCRIPT, "evaluate", *arguments)
    assert code == 0, err
    for words in ("CCP, held out, measured", "FSA, held out, measured", "3 of 3", "2 of 2", "dB over gray"):
        assert words in out
    # By hand: the mean PSNR of the two photographs' gray versions.
    pictures = [images.read_rgb(tmp_path / f"fsa/{name}.jpg") for name in ("f09", "f19")]
    expected = np.mean([peak_signal_noise_ratio(rgb, color.to_gray(rgb)) for rgb in pictures])
    table = (tmp_path / "figures/test_fsa.txt").read_text()
    (gray,) = [line for line in table.splitlines() if line.startswith("gray")]
    assert f"{expected:.4f}" in gray
    assert "published" not in table
    assert (tmp_path / "figures/test_fsa_pictures.png").exists()


def test_an_export_that_is_too_large_is_refused(run, tmp_path):
    wide = Architecture(image_size=16, width=1 / 32, features_width=3.2)
    loading.save(build_generator(wide), "HistoryNet", wide, tmp_path / "wide.keras")
    code, _, err = run(SCRIPT, "export", tmp_path / "wide.keras", "--out", tmp_path / "out.keras")
    assert code == 2
    assert "parameters are more than 32,000,000 bytes hold" in err


def test_the_demonstration(shipped, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("demo", ROOT / "Util/demo.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    demo.DATA, demo.RESULT = tmp_path / "data", tmp_path / "result"
    assert demo.main([]) == 0
    out = capsys.readouterr().out
    for words in ("PSNR", "SSIM", "Colorfulness", "HistoryNet", "5 of 5"):
        assert words in out
    assert len(list((tmp_path / "result/colorized").iterdir())) == 6
    # Six rows of pictures under the titles.
    assert images.read_rgb(tmp_path / "result/comparison.png").shape[0] == 28 + 6 * 228


def test_the_model_that_is_shipped_colours_photographs():
    """The file in the repository: what it is, and that it does more than gray for photographs it has not seen."""
    assert choosing.SHIPPED.stat().st_size < 32_000_000
    contents = loading.identify(choosing.SHIPPED)
    assert (contents.network, contents.architecture) == (
        "generator",
        Architecture("HistoryNet", 224, 0.5625, 42, 1, 0.0625),
    )
    colorize = Colorizer(choosing.SHIPPED)
    gains = []
    for name in ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"):
        rgb = images.read_rgb(Path(skimage.data.__file__).parent / name)
        gray = color.to_gray(rgb)
        gains.append(peak_signal_noise_ratio(rgb, colorize(gray)) - peak_signal_noise_ratio(rgb, gray))
    assert min(gains) > 0, gains
    assert np.mean(gains) > 1.5, gains


def test_the_demonstration_without_a_shipped_model_says_so(run, monkeypatch, tmp_path):
    monkeypatch.setattr(choosing, "SHIPPED", tmp_path / "gone.keras")
    code, _, err = run("Util/demo.py")
    assert code == 2
    assert "gone.keras: the shipped model is not there; make demo-train" in err


@pytest.mark.parametrize(
    ("name", "rate", "adversarial"), [("compact", 4e-4, (0, None, 0)), ("compact_critic", 1.5e-4, (0.06, 1e-4, 200))]
)
def test_the_settings_of_the_shipped_model_are_settings_of_historynet(name, rate, adversarial):
    chosen = resolve("--config", str(ROOT / f"SOURCE_HistoryNet/{name}.json"))
    architecture = Architecture(
        "HistoryNet",
        chosen.image_size,
        chosen.width,
        chosen.num_classes,
        chosen.features_width,
        chosen.dense_width,
    )
    assert architecture == Architecture("HistoryNet", 224, 0.5625, 42, 1, 0.0625)
    assert 2 * build_generator(architecture).count_params() < 31_000_000
    assert chosen.learning_rate == rate
    assert (chosen.lambda_g, chosen.critic_rate, chosen.critic_warmup) == adversarial
    # The rate is at its end where the run is.
    alone = chosen.critic_warmup
    assert alone + chosen.warmup_steps + chosen.decay_steps == chosen.num_epochs * chosen.steps_per_epoch
    # What is evaluated, and chosen by, is no held-out picture.
    assert chosen.test_data.name == "validation"
    assert chosen.sample_weights.name == "weights.csv"


def test_training_it_takes_two_runs_of_which_the_second_begins_with_the_first(run, monkeypatch, tmp_path):
    commands = []

    def trainer(*command):
        commands.append([str(word) for word in command])
        return 5 if len(commands) == 3 else 0

    monkeypatch.setattr(default_model, "run_script", trainer)
    arguments = ("train", "--data", tmp_path / "data", "--models", tmp_path)
    assert run(SCRIPT, *arguments)[0] == 0
    first, second = (resolve(*command[1:]) for command in commands)
    assert first.init_generator == choosing.SHIPPED
    assert second.init_generator == first.model_dir / f"my_model_colorizationEpoch{first.num_epochs - 1}.keras"
    for chosen in (first, second):
        assert chosen.train_data == tmp_path / "data/dataset_train"
        assert chosen.test_data == tmp_path / "data/validation"
        assert chosen.sample_weights == tmp_path / "data/weights.csv"
    assert [chosen.model_dir for chosen in (first, second)] == [tmp_path / "compact", tmp_path / "compact_critic"]
    # A run that fails is the last one.
    assert run(SCRIPT, *arguments, "--start", "older.keras")[0] == 5
    assert len(commands) == 3
    assert resolve(*commands[2][1:]).init_generator.name == "older.keras"


def test_the_curves_of_a_run_begin_where_those_of_the_run_before_end(run, monkeypatch, tmp_path):
    drawn, draw = {}, figures.plot_runs

    def plot_runs(curves, path, step, smoothing=1):
        drawn[path.name] = curves
        draw(curves, path, step, smoothing)

    monkeypatch.setattr(figures, "plot_runs", plot_runs)
    code, _, err = run(SCRIPT, "curves", "--results", tmp_path, "--out", tmp_path)
    assert code == 2
    assert "losses.csv: not there, or empty" in err
    runs = {"compact": "", "compact_critic": ",L_g"}
    for number, (name, more) in enumerate(runs.items()):
        logs = tmp_path / name / "logs"
        logs.mkdir(parents=True)
        value = f",{number}.5" if more else ""
        lines = "".join(f"0,{step},{number}{value}\n" for step in range(2 + number))
        (logs / "losses.csv").write_text(f"epoch,step,L_r{more}\n{lines}")
        scores = "epoch,psnr,psnr_gray,colorfulness,colorfulness_true"
        (logs / "epochs.csv").write_text(f"{scores}\n0,{20 + number},19,{number},30\n")
    assert run(SCRIPT, "curves", "--results", tmp_path, "--out", tmp_path)[0] == 0
    nan = math.nan
    losses, scores = drawn["losses.png"], drawn["scores.png"]
    assert all(images.read_rgb(tmp_path / name).std() > 10 for name in drawn)
    assert list(losses) == [*(f"L_r of {name}" for name in runs), "L_g"]
    for name, values in zip(runs, [[0, 0], [nan] * 2 + [1] * 3], strict=True):
        np.testing.assert_array_equal(losses[f"L_r of {name}"][name], values)
    np.testing.assert_array_equal(losses["L_g"]["compact_critic"], [nan] * 2 + [1.5] * 3)
    np.testing.assert_array_equal(scores["psnr"]["compact_critic"], [nan, 21])
    assert scores["psnr"]["gray"] == [19] * 2
    assert scores["colorfulness"]["originals"] == [30] * 2
