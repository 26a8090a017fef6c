"""What a distribution over colours can give beside the usual ones: alternatives, and how sure the network is."""

import csv
import json

import cv2
import keras
import numpy as np
import pytest
from conftest import write_picture
from PIL import Image
from test_films import make_film
from test_print_area import gray_photograph
from toy import PainterArchitecture, build_painter, mean_color

from benchmarks.made_scans import make_scan
from historynet import Colorizer
from historynet.colorizing.folder import colorize_files
from historynet.colorizing.options import Options
from historynet.errors import InputError
from historynet.pictures import color, images
from historynet.systems import loading
from historynet.systems.film_cnn import alternatives as drawing
from historynet.systems.film_cnn import bins, decoding, losses
from historynet.systems.film_cnn.alternatives import alternatives
from historynet.systems.film_cnn.architecture import Architecture
from historynet.systems.film_cnn.network import build_network
from historynet.systems.system import APART, Alternative, Colorizing, Registration, register

COLORIZE = "SOURCE_FilmCNN/colorization.py"


def bin_of(a, b):
    return int(np.nonzero((bins.centres() == (a, b)).all(axis=1))[0][0])


RED, BLUE, GRAY = bin_of(50, 30), bin_of(10, -50), bin_of(0, 0)


def distributed(shares, rows=64, columns=64):
    """Logits of a distribution that is the same at each place: {bin: probability}."""
    logits = np.full((rows, columns, 313), -1000.0, np.float32)
    for index, share in shares.items():
        logits[..., index] = np.log(share)
    return logits


def flat(rows=256, columns=256, level=0.5):
    return np.full((rows, columns, 1), level, np.float32)


def halves(one, other):
    """Two regions, the left one darker: their logits, and L."""
    logits = np.concatenate([distributed(one, columns=32), distributed(other, columns=32)], axis=1)
    return logits, np.concatenate([flat(columns=128, level=0.4), flat(columns=128, level=0.65)], axis=1)


def lab(alternative):
    """ab in Lab units."""
    return alternative.ab * 255 - 128


def draw(logits, luminance, count=2, seed=0, **settings):
    return alternatives({"logits": logits}, luminance, settings, count, seed)


def distance(ab, other):
    return np.hypot(*np.moveaxis(ab - other, -1, 0)).mean()


# The draws


def test_two_colours_that_are_equally_probable_are_both_found():
    found = draw(distributed({RED: 0.5, BLUE: 0.5}), flat())
    centres = bins.centres()
    means = sorted((lab(one).mean(axis=(0, 1)) for one in found), key=lambda ab: ab[1])
    for mean, expected in zip(means, (centres[BLUE], centres[RED]), strict=True):
        np.testing.assert_allclose(mean, expected, atol=1)
    for one in found:
        # The same all over, and not the mean of both, which the usual colours are.
        assert lab(one).std(axis=(0, 1)).max() < 1
        assert one.log_probability == pytest.approx(np.log(0.5), abs=1e-4)
        assert one.distance >= APART


def test_a_third_of_two_colours_is_said_to_be_near():
    found = draw(distributed({RED: 0.5, BLUE: 0.5}), flat(), 3)
    assert [one.distance >= APART for one in found] == [True, True, False]


def test_a_network_that_is_sure_has_no_others():
    """As far as it goes: no draw is another colour."""
    for one in draw(distributed({RED: 1.0}), flat()):
        np.testing.assert_allclose(lab(one), np.broadcast_to(bins.centres()[RED], one.ab.shape), atol=0.1)
        assert one.distance < 0.1
        assert one.log_probability == pytest.approx(0, abs=1e-4)


def test_regions_have_their_own_colours_that_end_at_the_edge():
    logits, luminance = halves({RED: 0.7, BLUE: 0.3}, {BLUE: 0.5, GRAY: 0.5})
    for one in draw(logits, luminance, 3):
        ab = lab(one)
        left, right = ab[:, :128].mean(axis=(0, 1)), ab[:, 128:].mean(axis=(0, 1))
        choices = bins.centres()[[RED, BLUE, GRAY]]
        assert np.linalg.norm(choices[:2] - left, axis=1).min() < 4
        assert np.linalg.norm(choices[1:] - right, axis=1).min() < 4
        # Four pixels, one place of the network's, from the edge each side has its colour.
        assert np.linalg.norm(ab[:, 122] - left, axis=-1).max() < 0.15 * np.linalg.norm(left - right) + 3
        assert np.linalg.norm(ab[:, 133] - right, axis=-1).max() < 0.15 * np.linalg.norm(left - right) + 3


def test_alternatives_of_a_picture_are_apart_and_as_probable_as_they_say():
    """The distances between all, and the log probabilities by the bins' own distances."""
    logits, luminance = random_scene()
    found = draw(logits, luminance, 4, temperature=0.4)
    usual = decoding.decode({"logits": logits[None]}, {"temperature": 0.4})[0]
    shown = [seen(ab, luminance) for ab in (usual, *(one.ab for one in found))]
    apart = [[distance(a, b) for b in shown] for a in shown]
    for i, one in enumerate(found, start=1):
        assert one.distance == pytest.approx(min(apart[i][:i]), rel=0.02)
        assert min(apart[i][:i]) >= APART
        # The same by other arithmetic: colours at a quarter of the side, the nearest bin, its log probability.
        small = one.ab.reshape(64, 4, 64, 4, 2).mean(axis=(1, 3)) * 255 - 128
        nearest = ((small[..., None, :] - bins.centres()) ** 2).sum(axis=-1).argmin(axis=-1)
        log = np.asarray(keras.ops.log_softmax(logits.astype(np.float64)))
        expected = np.take_along_axis(log, nearest[..., None], axis=-1).mean()
        assert one.log_probability == pytest.approx(expected, abs=0.1)


def random_scene(seed=0):
    """Logits of several smooth modes a region, and a luminance with edges between regions."""
    rng = np.random.default_rng(seed)
    corners = rng.random((12, 2))
    rows, columns = np.mgrid[:256, :256] / 256
    region = np.hypot(rows[..., None] - corners[:, 0], columns[..., None] - corners[:, 1]).argmin(axis=-1)
    luminance = rng.uniform(0.25, 0.75, 12)[region] + rng.normal(0, 0.01, (256, 256))
    logits = np.full((12, 313), -12.0)
    for i in range(12):
        for mode in rng.uniform(-45, 45, (3, 2)):
            squared = ((bins.centres() - mode) ** 2).sum(axis=-1)
            logits[i] = np.logaddexp(logits[i], rng.uniform(-1, 0) - squared / 200)
    return logits[region[::4, ::4]].astype(np.float32), luminance[..., None].astype(np.float32)


def seen(ab, luminance):
    """ab in Lab units of what is shown, by Pillow's 8-bit levels."""
    picture = np.concatenate([luminance, ab], axis=-1)
    rgb = color.lab_to_rgb(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    return color.rgb_to_lab(rgb)[..., 1:].astype(float) - 128


def test_the_same_seed_draws_the_same_and_few_are_the_first_of_many():
    logits, luminance = random_scene()
    first, again, few, other = (draw(logits, luminance, n, seed) for n, seed in ((3, 5), (3, 5), (1, 5), (3, 6)))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.ab, b.ab)
    np.testing.assert_array_equal(few[0].ab, first[0].ab)
    assert any((a.ab != b.ab).any() for a, b in zip(first, other, strict=True))


def test_each_region_is_drawn_from_its_own_distribution(monkeypatch):
    """However much regions share of their noise: the counts are those of the smoothed distribution."""
    monkeypatch.setattr(drawing, "_DRAWS", 8000)
    probable = np.zeros((3, 313))
    probable[0, [RED, BLUE]] = 0.8, 0.2
    probable[1, [RED, BLUE]] = 0.8, 0.2
    probable[2, [GRAY, BLUE]] = 0.6, 0.4
    near = np.where(np.eye(3, dtype=bool), 0, 0.05)
    drawn = drawing._draw(probable, near, np.random.default_rng(0))
    centres = bins.centres()
    is_red = np.linalg.norm(centres[drawn] - centres[RED], axis=-1) < np.linalg.norm(
        centres[drawn] - centres[BLUE], axis=-1
    )
    np.testing.assert_allclose(is_red[:, :2].mean(axis=0), 0.8, atol=0.02)
    is_blue = np.linalg.norm(centres[drawn[:, 2]] - centres[BLUE], axis=-1) < 25
    assert is_blue.mean() == pytest.approx(0.4, abs=0.02)
    # Alike and near: together more often than by chance, 0.68.
    assert (is_red[:, 0] == is_red[:, 1]).mean() > 0.8


def test_the_nearest_bin_is_the_nearest():
    ab = np.random.default_rng(0).integers(-110, 110, (200, 2)).astype(np.float32)
    expected = np.square(ab[:, None] - bins.centres()).sum(axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(bins.nearest(ab + 0.4), expected)
    assert bins.nearest(np.float32([[1000, -1000]])) == bins.nearest(np.float32([[127, -128]]))


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
def test_log_probability_is_the_loss_of_one_neighbour():
    logits, _ = random_scene(1)
    usual = decoding.annealed_mean(logits, 0.5)
    likely = np.asarray(keras.ops.log_softmax(logits))
    loss = losses.cross_entropy(keras.ops.convert_to_tensor(np.rint(usual)[None]), logits[None], 1)
    assert drawing._log_probability(likely, usual) == pytest.approx(-float(loss[0]), rel=1e-5)


# How sure it is


def test_confidence_by_hand():
    logits = np.zeros((1, 4, 313), np.float32)
    logits[0, 1] = distributed({RED: 1.0}, 1, 1)
    logits[0, 2] = distributed({RED: 0.5, BLUE: 0.5}, 1, 1)
    logits[0, 3] = 1000 * np.eye(313)[7]
    expected = [0, 1, 1 - np.log(2) / np.log(313), 1]
    np.testing.assert_allclose(decoding.confidence({"logits": logits})[0], expected, atol=1e-6)


def test_confidence_is_that_of_the_logarithms():
    from scipy.stats import entropy

    logits = 3 * np.random.default_rng(0).normal(size=(5, 6, 313)).astype(np.float32)
    expected = 1 - entropy(np.exp(logits.astype(float)), axis=-1) / np.log(313)
    np.testing.assert_allclose(decoding.confidence({"logits": logits}), expected, atol=1e-6)


# The files


SIZE = 64


@pytest.fixture
def colorize(run, film_model, tmp_path):
    def colorize(*arguments):
        code, out, err = run(COLORIZE, "--pretrained", film_model, "--result-dir", tmp_path / "out", *arguments)
        return code, out, err

    return colorize


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def table(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_files_and_table(colorize, film_model, tmp_path):
    write_picture(tmp_path / "in/a.png", 1, (90, 70))
    code, out, err = colorize(
        *(tmp_path / "in", "--alternatives", 3, "--confidence", "--report", tmp_path / "r.csv", "--format", "png")
    )
    assert code == 0, err
    assert "1 colorized into" in out
    assert "4 beside them" in out
    files = [f"a_alternative{i}_reconstructed.png" for i in (1, 2, 3)]
    assert names(tmp_path / "out") == [*files, "a_confidence.png", "a_reconstructed.png"]

    rgb, colorizer = images.read_rgb(tmp_path / "in/a.png"), Colorizer(film_model)
    np.testing.assert_array_equal(images.read_rgb(tmp_path / "out/a_reconstructed.png"), colorizer(rgb))
    found = colorizer.alternatives(rgb, 3)
    rows = table(tmp_path / "r.csv")
    assert [row["outcome"] for row in rows] == ["colorized", *["alternative"] * 3, "confidence"]
    assert [row["result"] for row in rows[1:]] == [
        str(tmp_path / "out" / name) for name in (*files, "a_confidence.png")
    ]
    for name, one, row in zip(files, found, rows[1:4], strict=True):
        np.testing.assert_array_equal(images.read_rgb(tmp_path / "out" / name), one.rgb)
        assert float(row["value"]) == pytest.approx(one.log_probability, abs=1e-4)
        assert f"{one.distance:.2f} from the nearest" in row["why"]
        assert ("the network is sure" in row["why"]) == (one.distance < APART)
    with Image.open(tmp_path / "out/a_confidence.png") as picture:
        assert (picture.mode, picture.size) == ("L", (90, 70))
        levels = np.asarray(picture)
    sure = colorizer.confidence(rgb)
    assert sure.shape == (70, 90)
    # Half a level for each rounding, before and after it is enlarged, and a little for OpenCV's whole weights.
    assert np.abs(levels - 255 * sure).max() <= 1.2
    assert float(rows[4]["value"]) == pytest.approx(sure.mean(), abs=0.01)


def test_a_network_that_is_sure_is_said_so(colorize, run, tmp_path):
    architecture = Architecture(width=1 / 32, vgg_features=False, colorizing_size=SIZE)
    network = build_network(architecture)
    network.get_layer("bins").kernel.assign(np.zeros((1, 1, 8, 313)))
    network.get_layer("bins").bias.assign(100 * np.eye(313)[RED])
    loading.save(network, "FilmCNN", architecture, tmp_path / "sure.keras")
    for i in range(2):
        write_picture(tmp_path / f"in/{i}.png", i)
    model = ("--pretrained", tmp_path / "sure.keras")
    code, _, err = colorize(tmp_path / "in", *model, "--alternatives", 1, "--report", tmp_path / "r.csv")
    assert code == 0, err
    assert "0.png and 1 more: the network is sure: of its alternatives some are less than 5 apart" in err
    whys = [row["why"] for row in table(tmp_path / "r.csv") if row["outcome"] == "alternative"]
    assert whys == ["the network is sure: less than 5 apart; 0.00 from the nearest of the result and those before"] * 2


def test_what_is_missing_is_made_and_the_rest_stays(colorize, tmp_path):
    write_picture(tmp_path / "in/a.png")
    assert colorize(tmp_path / "in")[0] == 0
    before = (tmp_path / "out/a_reconstructed.jpg").stat().st_mtime_ns
    more = (tmp_path / "in", "--alternatives", 2)
    # Neither way is said: whatever is there stops it.
    code, _, err = colorize(*more)
    assert code == 2
    assert "a_reconstructed.jpg: is there already" in err
    code, out, err = colorize(*more, "--skip-existing", "--report", tmp_path / "r.csv")
    assert code == 0, err
    assert "0 colorized" in out
    assert "2 beside them" in out
    assert "1 there already" in out
    assert (tmp_path / "out/a_reconstructed.jpg").stat().st_mtime_ns == before
    assert [row["outcome"] for row in table(tmp_path / "r.csv")] == ["there already", "alternative", "alternative"]
    (tmp_path / "out/a_alternative1_reconstructed.jpg").unlink()
    (tmp_path / "out/a_reconstructed.jpg").unlink()
    code, out, _ = colorize(*more, "--skip-existing", "--report", tmp_path / "r.csv")
    assert [row["outcome"] for row in table(tmp_path / "r.csv")] == ["colorized", "alternative", "there already"]
    # Another seed is another setting, of the alternatives alone.
    _, _, err = colorize(*more, "--skip-existing", "--seed", 7)
    assert "made with seed 0, not 7 (--overwrite makes it again)" in err
    assert err.count("made with") == 1
    assert colorize(*more, "--overwrite", "--seed", 7)[0] == 0
    lines = [json.loads(line) for line in (tmp_path / "out/.historynet.jsonl").read_text().splitlines()]
    last = {line["result"]: line for line in lines}
    assert last["a_alternative2_reconstructed.jpg"]["settings"]["seed"] == 7
    assert "seed" not in last["a_reconstructed.jpg"]["settings"]
    assert {line["source"] for line in lines} == {str(tmp_path / "in/a.png")}


def test_names_that_others_have_are_told_apart(colorize, tmp_path):
    for name in ("a.png", "a_alternative1.png"):
        write_picture(tmp_path / "in" / name, len(name))
    more = (tmp_path / "in", "--alternatives", 1)
    code, _, err = colorize(*more)
    assert code == 0, err
    assert names(tmp_path / "out") == [
        "a_alternative1_alternative1_reconstructed.jpg",
        "a_alternative1_reconstructed.jpg",
        "a_reconstructed.jpg",
        "a~2_alternative1_reconstructed.jpg",
    ]
    # Of one alone the name is the other's result, which a record says.
    code, _, err = colorize(tmp_path / "in/a.png", "--alternatives", 1, "--overwrite")
    assert code == 2
    assert f"a_alternative1_reconstructed.jpg: is the result of {tmp_path}/in/a_alternative1.png, not of" in err


def test_pages_transparency_and_depth(colorize, tmp_path):
    (tmp_path / "in").mkdir()
    pages = [Image.new("L", (40, 30 + i), 100 + i) for i in range(2)]
    pages[0].save(tmp_path / "in/scan.tif", save_all=True, append_images=pages[1:])
    rgba = np.random.default_rng(0).integers(0, 65535, (20, 25, 4), np.uint16)
    rgba[..., 3] = 30000
    assert cv2.imwrite(str(tmp_path / "in/deep.png"), rgba)
    more = (tmp_path / "in", "--alternatives", 1, "--confidence", "--format", "png")
    code, _, err = colorize(*more)
    assert code == 0, err
    assert names(tmp_path / "out") == [
        f"{stem}_{end}.png"
        for stem in ("deep", "scan_p001", "scan_p002")
        for end in ("alternative1_reconstructed", "confidence", "reconstructed")
    ]
    for end in ("reconstructed", "alternative1_reconstructed"):
        result = cv2.imread(str(tmp_path / f"out/deep_{end}.png"), cv2.IMREAD_UNCHANGED)
        assert (result.dtype, result.shape) == (np.uint16, (20, 25, 4))
        assert set(np.unique(result[..., 3] // 257)) == {30000 >> 8}
    assert images.read_rgb(tmp_path / "out/scan_p002_confidence.png").shape == (31, 40, 3)
    # Pages that are there, and one map that is not.
    (tmp_path / "out/scan_p001_confidence.png").unlink()
    code, out, err = colorize(
        *(tmp_path / "in", "--alternatives", 1, "--confidence", "--format", "png"), "--skip-existing"
    )
    assert code == 0, err
    assert "1 beside them" in out


def test_dry_run_counts_and_writes_nothing(colorize, tmp_path):
    write_picture(tmp_path / "in/a.png")
    code, out, err = colorize(tmp_path / "in", "--alternatives", 2, "--confidence", "--dry-run")
    assert code == 0, err
    assert "a_reconstructed.jpg and so on" in out
    assert "1 would be colorized" in out
    assert "3 beside them" in out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_system_without_them_refuses_by_name(run, model, tmp_path, dry):
    write_picture(tmp_path / "a.png")
    for options, words in (
        (("--alternatives", 2), "HistoryNet has no alternatives (--alternatives)"),
        (("--confidence",), "HistoryNet has no confidence (--confidence)"),
    ):
        where = ("--pretrained", model, "--result-dir", tmp_path / "out", tmp_path / "a.png")
        code, _, err = run("SOURCE_HistoryNet/colorization.py", *where, *options, *dry)
        assert (code, err.splitlines()) == (2, [f"error: {words}"])
    for call in (
        lambda: Colorizer(model).alternatives(tmp_path / "a.png", 1),
        lambda: Colorizer(model).confidence("a"),
    ):
        with pytest.raises(InputError, match="HistoryNet has no"):
            call()


@pytest.mark.parametrize("options", [("--alternatives", -1), ("--alternatives", 21), ("--alternatives", "two")])
def test_counts_that_cannot_be(colorize, tmp_path, options):
    write_picture(tmp_path / "a.png")
    code, _, err = colorize(tmp_path / "a.png", *options)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "--alternatives" in err
    with pytest.raises(InputError, match="alternatives"):
        Options(alternatives=21)


@pytest.mark.parametrize("temperature", ["-1", "nan", "hot"])
def test_temperatures_that_cannot_be(colorize, film_model, tmp_path, temperature):
    write_picture(tmp_path / "a.png")
    code, _, err = colorize(tmp_path / "a.png", "--temperature", temperature)
    assert (code, err.splitlines()) == (
        2,
        [f"error: --temperature: {temperature!r} will not do; it takes a number of at least 0"],
    )
    colorizer = Colorizer(film_model)
    outputs = colorizer.predict(np.zeros((1, SIZE, SIZE, 1), np.float32))
    with pytest.raises(InputError, match="temperature .* will not do; it takes a number of at least 0"):
        colorizer.decode(outputs, temperature=temperature)


def test_a_border_stays_as_it_is_in_alternatives_from_python_too(film_model):
    scan, share = make_scan(gray_photograph(), 4, "cream", "plain")
    border = cv2.erode((share == 0).astype(np.uint8), np.ones((9, 9))) == 1
    colorizer = Colorizer(film_model)
    (kept,), (coloured,) = colorizer.alternatives(scan, 1), colorizer.alternatives(scan, 1, borders=False)
    np.testing.assert_array_equal(kept.rgb[border], scan[border])
    assert (coloured.rgb != scan)[border].mean() > 0.5 < (kept.rgb != scan)[share == 1].mean()


def test_one_pass_serves_all(film_model, monkeypatch):
    colorizer = Colorizer(film_model)
    luminance = np.random.default_rng(0).random((1, SIZE, SIZE, 1), np.float32)
    outputs = colorizer.predict(luminance)
    monkeypatch.setattr(colorizer._network, "predict", lambda luminance: pytest.fail("another pass"))
    of_one = {name: output[0] for name, output in outputs.items()}
    assert colorizer.alternatives_of(of_one, luminance[0], 2)[1].ab.shape == (SIZE, SIZE, 2)
    assert colorizer.confidence_of(of_one).shape == (SIZE // 4, SIZE // 4)
    assert colorizer.decode(outputs, temperature=0).shape == (1, SIZE, SIZE, 2)


def test_a_sheet_shows_pictures_of_all_formats(run, film_model, tmp_path):
    script, out = "Util/alternatives.py", tmp_path / "sheet.png"
    write_picture(tmp_path / "in/a.png", 1, (90, 70))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)).save(tmp_path / "in/b.gif")
    arguments = ("--pretrained", film_model, "--out", out, "--alternatives", 1, "--height", 50)
    code, text, err = run(script, tmp_path / "in", *arguments)
    assert code == 0, err
    said = [line.partition(":")[0] for line in text.splitlines()[1:3]]
    assert said == ["a.png, alternative 1", "b.gif, alternative 1"]
    height, width = images.read_rgb(out).shape[:2]
    assert height >= 100 and width >= 4 * 50 * 90 / 70
    for wrong in (("--seed", -1), ("--height", 0)):
        code, _, err = run(script, tmp_path / "in", *arguments, *wrong)
        assert code == 2 and wrong[0] in err and "Traceback" not in err


def test_films_have_none_and_that_is_said(colorize, tmp_path):
    make_film(tmp_path / "film.mp4")
    code, _, err = colorize(tmp_path / "film.mp4", "--alternatives", 1, "--confidence", "--dry-run")
    assert code == 0, err
    assert "film.mp4: --alternatives, --confidence: for pictures alone" in err


def test_any_system_can_have_them(tmp_path):
    """What a system of a few lines says is what the files and arrays hold."""

    def two_tones(outputs, luminance, settings, count, seed):
        tones = [np.full((*luminance.shape[:2], 2), 0.5 + 0.05 * (seed + i), np.float32) for i in range(count)]
        return [Alternative(ab, -float(i), 7.0) for i, ab in enumerate(tones)]

    colorizing = Colorizing(
        "painter",
        build_painter,
        mean_color,
        alternatives=two_tones,
        confidence=lambda outputs: np.float32([[0, 1]]),
    )
    register(Registration("Chooser", PainterArchitecture, {"painter": build_painter}, colorizing))
    loading.save(build_painter(PainterArchitecture()), "Chooser", PainterArchitecture(), tmp_path / "c.keras")
    colorizer = Colorizer(tmp_path / "c.keras")
    rgb = np.full((6, 8, 3), 120, np.uint8)
    found = colorizer.alternatives(rgb, 2, seed=1)
    assert [(one.log_probability, one.distance) for one in found] == [(0.0, 7.0), (-1.0, 7.0)]
    np.testing.assert_array_equal(found[1].rgb, color.with_chrominance(rgb, np.full((24, 40, 2), 0.6, np.float32)))
    np.testing.assert_allclose(colorizer.confidence(rgb)[0], [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1], atol=1e-6)
    images.write_rgb(tmp_path / "a.png", rgb)
    options = Options(alternatives=2, confidence=True, seed=1)
    report = colorize_files(colorizer, [tmp_path / "a.png"], [tmp_path / "a_reconstructed.png"], 40, options=options)
    assert (report.done, report.beside) == (1, 3)
    np.testing.assert_array_equal(images.read_rgb(tmp_path / "a_alternative2_reconstructed.png"), found[1].rgb)
