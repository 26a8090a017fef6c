"""Figures 4 to 7 of the films CNN's paper, with networks and results made by code."""

import numpy as np
import pytest
from conftest import write_picture

from historynet.colorizing.colorizer import Colorizer
from historynet.comparing import sheets
from historynet.pictures import color, figures, images
from historynet.systems import loading
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.network import build_network

SCRIPT = "Util/film_cnn_figures.py"
NAMES = ["a.png", "b.png", "c.png"]


@pytest.fixture(scope="module")
def film_cnn(tmp_path_factory):
    """A file of a tiny untrained network, whose distributions have colour."""
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    architecture = Architecture(width=1 / 64, vgg_features=False, colorizing_size=32)
    network = build_network(architecture)
    bias = network.get_layer("bins").bias
    bias.assign(np.random.default_rng(0).normal(0, 2, bias.shape))
    loading.save(network, "FilmCNN", architecture, path)
    return path


@pytest.fixture
def originals(tmp_path):
    for i, name in enumerate(NAMES):
        write_picture(tmp_path / "originals" / name, i)
    return tmp_path / "originals"


@pytest.fixture
def drawn(monkeypatch):
    """What a command has drawn: (rows, titles)."""
    found = []
    draw = figures.print_pictures

    def note(rows, titles, paths):
        found[:] = [rows, titles]
        draw(rows, titles, paths)

    monkeypatch.setattr(figures, "print_pictures", note)
    return found


def test_figure_4_takes_one_pass_a_picture(film_cnn, originals, tmp_path, drawn, monkeypatch, run):
    passes, predict = [], Colorizer.predict

    def count(self, luminance):
        passes.append(len(luminance))
        return predict(self, luminance)

    monkeypatch.setattr(Colorizer, "predict", count)
    code, _, err = run(SCRIPT, "figure4", film_cnn, originals, "--rows", 2, "--out", tmp_path / "fig")
    assert code == 0, err
    assert passes == [1, 1]
    rows, titles = drawn
    temperatures = [1, 0.77, 0.58, 0.5, 0.38, 0.29, 0.14, 0]
    assert titles == ["Gray", "T = 1 (mean)", *(f"T = {t:g}" for t in temperatures[1:-1]), "T = 0 (mode)"]
    alone = {temperature: Colorizer(film_cnn, decoding={"temperature": temperature}) for temperature in (1, 0.38, 0)}
    # The first and the last picture.
    for name, (gray, *coloured) in zip(("a.png", "c.png"), rows, strict=True):
        original = images.read_rgb(originals / name)
        np.testing.assert_array_equal(gray, color.to_gray(original))
        for temperature, colorize in alone.items():
            np.testing.assert_array_equal(coloured[temperatures.index(temperature)], colorize(original))
        assert np.abs(coloured[0].astype(int) - coloured[-1]).mean() > 2
    assert (tmp_path / "fig.pdf").read_bytes().startswith(b"%PDF")
    # Nine columns of 1.3 inches and gaps of 0.03 at 200 dots an inch.
    assert images.read_rgb(tmp_path / "fig.png").shape[1] == pytest.approx(200 * (9 * 1.33 - 0.03), abs=1)


def test_figure_4_with_other_temperatures(film_cnn, originals, tmp_path, drawn, run):
    arguments = ("--temperatures", "0.2", "0", "--out", tmp_path / "fig")
    assert run(SCRIPT, "figure4", film_cnn, originals / "b.png", *arguments)[0] == 0
    assert drawn[1] == ["Gray", "T = 0.2", "T = 0 (mode)"]
    for wrong in ("-0.1", "nan", "much"):
        code, _, err = run(SCRIPT, "figure4", film_cnn, originals, "--temperatures", wrong)
        assert code == 2 and "--temperatures" in err


def test_figure_4_takes_no_other_systems_network(model, originals, tmp_path, run):
    code, _, err = run(SCRIPT, "figure4", model, originals, "--out", tmp_path / "fig")
    assert code == 2 and str(model) in err
    assert not (tmp_path / "fig.png").exists()


@pytest.mark.parametrize(("figure", "truth"), [("figure5", True), ("figure6", True), ("figure7", False)])
def test_methods_side_by_side(originals, tmp_path, drawn, run, figure, truth):
    methods = ["Zhang et al.", "Zhang et al., rebalanced", "Ours"]
    for i, method in enumerate(methods):
        for name in NAMES:
            write_picture(tmp_path / method / name, 10 * (i + 1) + ord(name[0]))
    given = [word for method in methods for word in ("--method", f"{method}={tmp_path / method}")]
    code, _, err = run(SCRIPT, figure, originals, *given, "--rows", 2, "--out", tmp_path / "fig")
    assert code == 0, err
    rows, titles = drawn
    assert titles == ["Gray", *methods] + ["Original"] * truth
    for name, row in zip(("a.png", "c.png"), rows, strict=True):
        original = images.read_rgb(originals / name)
        expected = [color.to_gray(original), *(images.read_rgb(tmp_path / method / name) for method in methods)]
        for picture, wanted in zip(row, expected + [original] * truth, strict=True):
            np.testing.assert_array_equal(picture, wanted)
    assert (tmp_path / "fig.png").is_file() and (tmp_path / "fig.pdf").is_file()
    code, _, err = run(SCRIPT, figure, originals, "--method", "Ours")
    assert code == 2 and "NAME=DIR" in err
    code, _, err = run(SCRIPT, figure, originals, *given, *given[-2:])
    assert code == 2 and "Ours is the label of" in err


def test_a_sheet_of_alternatives_has_a_row_for_each_picture_of_a_folder(film_cnn, originals, tmp_path, run):
    sheet = tmp_path / "sheet.png"
    arguments = ("--pretrained", film_cnn, originals, "--alternatives", 1, "--height", 32, "--out", sheet)
    code, printed, _ = run("Util/alternatives.py", *arguments)
    assert code == 0
    assert [line.split(",")[0] for line in printed.splitlines() if "alternative 1: " in line] == NAMES
    assert images.read_rgb(sheet).shape[0] >= len(NAMES) * 32
    assert run("Util/alternatives.py", "--pretrained", film_cnn, tmp_path / "none")[0] == 2


def test_a_sheet_holds_what_the_colorizer_makes_of_a_picture(film_cnn, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    images.write_rgb(tmp_path / "a.png", picture)
    colorizer = Colorizer(film_cnn)
    sheet, lines = sheets.with_alternatives(colorizer, [tmp_path / "a.png"], 1, 3, 32)
    (other,) = colorizer.alternatives(picture, 1, seed=3, borders=False)
    expected = [color.to_gray(picture), colorizer(picture, borders=False), other.rgb]
    # Columns are 40 wide, with gaps of 4, under titles of 28.
    for i, wanted in enumerate(expected):
        cell = sheet[28:60, 44 * i : 44 * i + 40].astype(int)
        assert np.abs(cell - figures.scale(wanted, 32)).mean() < 2
    assert sheet.shape == (64, 4 * 44 - 4, 3)
    sure = sheet[28:60, 132:172]
    assert np.ptp(sure, axis=2).max() == 0
    assert sure.mean() == pytest.approx(255 * colorizer.confidence(picture).mean(), abs=3)
    said = f"log probability {other.log_probability:.3f}, distance {other.distance:.2f}"
    assert lines == [f"a.png, alternative 1: {said}"]
