"""A system of a few lines (`toy.Painter`) moves in: no line of the house knows it."""

import dataclasses
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import ROOT, write_picture
from test_films import make_film
from toy import PALETTE, PainterArchitecture, build_painter, mean_color

from historynet import Colorizer
from historynet.commands import colorize
from historynet.errors import InputError
from historynet.films import FilmOptions, colorize_film
from historynet.pictures import color, images
from historynet.settings import Settings
from historynet.systems import description, loading
from historynet.systems.system import Colorizing, Registration, register
from historynet.weights import run_files

TRAINER = """
from historynet.commands import train
from toy import Painter, PainterSettings
if __name__ == "__main__":
    train.main(__file__, PainterSettings, Painter)
"""
COLORIZER = """
from historynet.commands import colorize
from toy import PainterSettings
if __name__ == "__main__":
    colorize.main(__file__, PainterSettings, "Painter")
"""
FIELDS = """
from historynet.data import mhmd
FIELDS = {"L": mhmd.Pictures, "ab": mhmd.Pictures}
"""


@pytest.fixture
def house(tmp_path):
    """A folder of the system's scripts as SOURCE_HistoryNet is one, with small pictures beside it."""
    names = {field.name.upper() for field in dataclasses.fields(Settings)}
    lines = (ROOT / "SOURCE_HistoryNet/config.py").read_text().splitlines()
    constants = [line for line in lines if re.match(r"[A-Z0-9_]+ = ", line) and line.split(" = ")[0] in names]
    source = tmp_path / "SOURCE_Painter"
    source.mkdir()
    changed = 'TEMPERATURE = 2.0\nTEST_NAME = "Painter"\nIMAGE_SIZE = (24, 40)\nCROP_FROM = "30x48"\nGPU_ID = "cpu"'
    (source / "config.py").write_text("\n".join([*constants, changed]) + "\n")
    (source / "dataclass.py").write_text(FIELDS)
    (source / "Painter.py").write_text(TRAINER)
    (source / "colorization.py").write_text(COLORIZER)
    for i in range(5):
        write_picture(tmp_path / f"DATASET/dataset_train/{i}.jpg", i)
    for i in range(2):
        write_picture(tmp_path / f"DATASET/dataset_second/{i}.png", 10 + i, (33, 47))
    return tmp_path


@pytest.mark.slow
def test_networks_are_saved_every_few_epochs_and_those_of_an_earlier_run_go_when_there_are_new_ones(house, run):
    trainer, models = house / "SOURCE_Painter/Painter.py", house / "MODEL/Painter"

    def train(*arguments):
        code, _, err = run(trainer, "--batch-size", 5, "--save-networks-every", 3, *arguments)
        assert code == 0, err
        return sorted(run_files.epoch_of(path) for path in models.glob("*.keras"))

    assert train("--num-epochs", 2) == [1]
    # Continued: what it has saved stays, though its last epoch is another now.
    assert train("--num-epochs", 4) == [1, 2, 3]
    assert train("--num-epochs", 7) == [1, 2, 3, 5, 6]
    # Another run in its place: stopped before it saves networks, it leaves the earlier ones.
    (house / "DATASET/dataset_second").rename(house / "gone")
    assert run(trainer, "--batch-size", 5, "--fresh")[0] == 2
    (house / "gone").rename(house / "DATASET/dataset_second")
    assert len(list(models.glob("*.keras"))) == 5
    assert train("--num-epochs", 1, "--fresh") == [0]


@pytest.mark.slow
def test_it_is_trained_checkpointed_saved_inspected_loaded_and_colorizes(house, run):
    trainer, models = house / "SOURCE_Painter/Painter.py", house / "MODEL/Painter"
    arguments = ("--batch-size", 2, "--num-epochs", 3, "--save-networks-every", 2)
    code, out, err = run(trainer, *arguments)
    assert code == 0, err
    # Of epoch 1, the second, and of the last; no others.
    assert sorted(path.name for path in models.glob("*.keras")) == [
        "my_model_colorizationEpoch1.keras",
        "my_model_colorizationEpoch2.keras",
    ]
    assert len(list((models / "checkpoints").iterdir())) == 2
    assert "Epoch2: psnr" in out
    assert {path.name for path in (house / "RESULT/Painter/training/Epoch2").iterdir()} == {
        "0_reconstructed.jpg",
        "1_reconstructed.jpg",
    }
    code, out, err = run(trainer, "--batch-size", 2, "--num-epochs", 4)
    assert code == 0, err
    assert "continuing from" in out

    model = models / "my_model_colorizationEpoch3.keras"
    code, out, err = run("historynet/weights/__main__.py", "inspect", model)
    assert code == 0, err
    assert re.search(r"^system +Painter$", out, re.MULTILINE)
    assert "logits               (1, 1, 3, 4) (4,)" in out

    colorize = Colorizer(model, decoding={"temperature": 2.0})
    assert colorize.size == (24, 40)
    picture = images.read_rgb(house / "DATASET/dataset_second/0.png")
    luminance = color.network_lab(picture, (24, 40))[None, ..., :1]
    logits = keras.models.load_model(model)(luminance)["logits"]
    expected = color.with_chrominance(picture, mean_color({"logits": np.asarray(logits)}, {"temperature": 2.0})[0])
    assert np.abs(colorize(picture).astype(int) - expected).max() <= 1

    code, out, err = run(
        house / "SOURCE_Painter/colorization.py", house / "DATASET/dataset_second", "--pretrained", model
    )
    assert code == 0, err
    assert "2 colorized" in out
    result = images.read_rgb(house / "RESULT/Painter/colorized/0_reconstructed.jpg")
    assert np.abs(result.astype(int) - expected).mean() < 2


def test_it_colorizes_films_and_decodes_again_without_another_pass(tmp_path, monkeypatch):
    keras.utils.set_random_seed(0)
    network, architecture = build_painter(PainterArchitecture((24, 40))), PainterArchitecture((24, 40))
    loading.save(network, "Painter", architecture, tmp_path / "painter.keras")
    colorizer = Colorizer(tmp_path / "painter.keras")
    make_film(tmp_path / "film.mp4")
    report = colorize_film(colorizer, tmp_path / "film.mp4", tmp_path / "result.mp4", FilmOptions())
    assert report.frames > 0

    outputs = colorizer.predict(np.random.default_rng(0).random((3, 24, 40, 1), np.float32))
    monkeypatch.setattr(colorizer, "predict", lambda luminance: pytest.fail("another pass"))
    mode = colorizer.decode(outputs, temperature=1e-7)
    logits = np.sort(outputs["logits"], axis=-1)
    single = logits[..., -1] - logits[..., -2] > 1e-5  # no tie
    assert single.mean() > 0.9
    np.testing.assert_allclose(mode[single], PALETTE[outputs["logits"].argmax(-1)][single], atol=1e-3)
    assert np.abs(colorizer.decode(outputs) - mode).max() > 0.01


def test_the_installed_command_takes_a_systems_own_options(tmp_path, monkeypatch, capsys):
    network, architecture = build_painter(PainterArchitecture((24, 40))), PainterArchitecture((24, 40))
    loading.save(network, "Painter", architecture, tmp_path / "painter.keras")
    write_picture(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)

    def colorize_anywhere(*arguments):
        monkeypatch.setattr("sys.argv", ["historynet-colorize", "a.png", "--overwrite", *arguments])
        with pytest.raises(SystemExit) as end:
            colorize.anywhere()
        return end.value.code, capsys.readouterr().err

    options = ("--pretrained", "painter.keras", "--format", "png", "--decoding")
    code, err = colorize_anywhere(*options, "temperature=0.01")
    assert code == 0, err
    result = images.read_rgb(tmp_path / "RESULT/HistoryNet/colorized/a_reconstructed.png")
    expected = Colorizer("painter.keras", decoding={"temperature": 0.01})(tmp_path / "a.png")
    np.testing.assert_array_equal(result, expected)
    assert np.abs(expected.astype(int) - Colorizer("painter.keras")(tmp_path / "a.png")).max() > 2
    for given, words in (
        ("temperature=0", "temperature '0' will not do; it takes a number above 0"),
        ("warmth=1", "there is no 'warmth'; for this model it takes 'temperature'"),
        ("temperature", "invalid NAME=VALUE value"),
    ):
        code, err = colorize_anywhere(*options, given)
        assert (code, len(err.splitlines())) == (2, 1), err
        assert words in err
    with pytest.raises(InputError, match="decoding: there is no 'temperature'; for this model it takes nothing"):
        Colorizer("shipped", decoding={"temperature": 1.0})


@dataclasses.dataclass(frozen=True)
class SorterArchitecture:
    classes: int


def build_sorter(architecture):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(architecture.classes, name="d")], name="sorter")


def test_a_system_that_does_not_colorize_is_refused_by_name(tmp_path):
    register(Registration("Sorter", SorterArchitecture, {"sorter": build_sorter}))
    loading.save(build_sorter(SorterArchitecture(2)), "Sorter", SorterArchitecture(2), tmp_path / "s.keras")
    loaded, architecture = loading.load(tmp_path / "s.keras", "Sorter", "sorter")
    assert architecture == SorterArchitecture(2)
    assert loaded.count_params() == 8
    with pytest.raises(InputError, match=r"s.keras: a network of Sorter, which does not colorize pictures"):
        Colorizer(tmp_path / "s.keras")


def test_a_network_of_another_or_an_unknown_system_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "p.keras"
    loading.save(build_painter(PainterArchitecture()), "Painter", PainterArchitecture(), path)
    with pytest.raises(InputError, match=r"this is a Painter model; SOURCE_HistoryNet needs a HistoryNet model$"):
        Colorizer(path, "HistoryNet")
    with pytest.raises(InputError, match=r"p.keras: a network of Painter; one of HistoryNet is needed"):
        loading.load(path, "HistoryNet", "generator")
    monkeypatch.setattr("historynet.systems.system._REGISTERED", {})
    with pytest.raises(
        InputError, match=r"p.keras: a network of the system 'Painter', which this version does not know"
    ):
        Colorizer(path)


@pytest.mark.parametrize(
    "values",
    [
        {"size": [24], "hidden": 3},
        {"size": [24, "40"], "hidden": 3},
        {"size": 24, "hidden": 3},
        {"size": [24, 40], "hidden": 3.5},
        {"size": [24, 40], "hidden": True},
        {"size": [24, 40], "width": 3},
    ],
)
def test_an_architecture_of_wrong_values_is_damage(values):
    with pytest.raises((TypeError, ValueError)):
        description._from_json(PainterArchitecture, values)


@keras.saving.register_keras_serializable("tests")
class Gain(keras.layers.Layer):
    """A layer with a variable of its own and a layer within."""

    def __init__(self, **more):
        super().__init__(**more)
        self.inner = keras.layers.Dense(3, name="inner")

    def build(self, shape):
        self.gain = self.add_weight(shape=(), name="gain")
        self.inner.build(shape)

    def call(self, x):
        return self.gain * self.inner(x)


def build_composite(architecture):
    """Layers within layers, two of one kind: attention, spectral normalisation, a network in the network."""
    x = luminance = keras.Input((8, 3), name="L")
    for i in (1, 2):
        x = keras.layers.MultiHeadAttention(1, 2, name=f"attention{i}")(x, x)
    x = keras.layers.SpectralNormalization(keras.layers.Conv1D(3, 1, name="conv"), name="spectral")(x)
    part = keras.Sequential([keras.Input((8, 3)), keras.layers.Dense(3, name="first"), Gain(name="gain")], name="part")
    x = keras.layers.Dropout(0.5, name="dropout")(Gain(name="outer")(part(x)))
    return keras.Model(luminance, {"ab": x}, name="composite")


@pytest.mark.parametrize("half", [False, True])
def test_layers_within_layers_come_back(tmp_path, half):
    register(
        Registration(
            "Composite", SorterArchitecture, {"composite": build_composite}, Colorizing("composite", build_composite)
        )
    )
    network = build_composite(None)
    for i, variable in enumerate(network.weights):
        variable.assign(np.random.default_rng(i).normal(size=variable.shape).astype(np.float16))
    loading.save(network, "Composite", SorterArchitecture(1), tmp_path / "c.keras", half)
    for loaded in (
        loading.load(tmp_path / "c.keras", "Composite", "composite")[0],
        loading.load_colorizing(tmp_path / "c.keras")[0],
    ):
        assert len(loaded.weights) == len(network.weights) > 20
        for a, b in zip(network.weights, loaded.weights, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    x = np.random.default_rng(0).random((2, 8, 3), np.float32)
    np.testing.assert_array_equal(np.asarray(loaded(x)["ab"]), np.asarray(network(x)["ab"]))


def test_a_system_whose_files_could_not_be_found_again_is_refused_before_training():
    trained = SimpleNamespace(
        name="Painter",
        architecture=PainterArchitecture(),
        networks={"colorization": build_painter(PainterArchitecture())},
    )
    loading.check_system(trained)
    trained.networks["critic"] = build_sorter(SorterArchitecture(1))
    with pytest.raises(TypeError, match="Painter's network 'critic' is called 'sorter'; its registration has painter"):
        loading.check_system(trained)
    trained.name = "Printer"
    with pytest.raises(TypeError, match="Printer is not registered"):
        loading.check_system(trained)


@dataclasses.dataclass(frozen=True)
class ListArchitecture:
    sizes: list[SorterArchitecture]


def test_an_architecture_that_does_not_come_back_is_refused_before_training():
    description.check_architecture(PainterArchitecture((8, 9), 2))
    for wrong in (
        ListArchitecture([SorterArchitecture(2)]),
        SorterArchitecture("two"),
        SorterArchitecture(np.int64(2)),
    ):
        with pytest.raises(TypeError):
            description.check_architecture(wrong)


def test_an_architecture_comes_back_from_json():
    assert description._from_json(PainterArchitecture, {"size": [24, 40], "hidden": None}) == PainterArchitecture(
        (24, 40)
    )
    assert description._from_json(PainterArchitecture, {"size": [8, 9], "hidden": 2}) == PainterArchitecture((8, 9), 2)
