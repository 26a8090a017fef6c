"""The print within a scan, and whether it has colours."""

import json
import re

import cv2
import keras
import numpy as np
import pytest
import skimage.data

from benchmarks.made_scans import KINDS, SHAPES, make_scan, make_toned
from historynet import Colorizer
from historynet.colorizing.folder import colorize_files
from historynet.colorizing.options import Options
from historynet.colorizing.records import Records
from historynet.errors import InputError
from historynet.pictures import color, images, print_area, toning

WITHOUT_BORDER = ("astronaut", "brick", "camera", "cat", "coffee", "coins", "grass", "gravel", "rocket", "moon")


def gray_photograph(name="astronaut"):
    picture = getattr(skimage.data, name)()
    gray = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.dstack([gray[:360]] * 3)


def painted(rgb, borders=True):
    """A picture coloured blue all over, but for its border."""
    ab = np.full((4, 4, 2), (128 / 255, 88 / 255), np.float32)
    return color.with_chrominance(rgb, ab, inside=print_area.find_print(rgb) if borders else None)


def chroma(rgb):
    return np.linalg.norm(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[..., 1:], axis=-1)


def measure(scan, share, coloured):
    """Mean distance of the border's ab from that of the scan, and the share of the print that is as it was."""
    before, after = (cv2.cvtColor(one.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for one in (scan, coloured))
    moved = np.linalg.norm((after - before)[..., 1:], axis=-1)
    same = (scan == coloured).all(axis=-1)
    # Black and white have no colour in any case.
    return moved[share == 0].mean(), same[(share == 1) & (scan.min(axis=-1) > 20) & (scan.max(axis=-1) < 240)].mean()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_border_stays_as_it_is_and_the_print_is_coloured(kind, shape):
    for seed, name in enumerate(("astronaut", "coffee")):
        scan, share = make_scan(gray_photograph(name), seed, kind, shape)
        moved, cut = measure(scan, share, painted(scan))
        assert moved <= 2
        assert cut <= 0.01
    # It would be seen.
    assert measure(scan, share, painted(scan, borders=False))[0] > 2


@pytest.mark.parametrize("name", WITHOUT_BORDER)
def test_a_picture_without_a_border_has_none(name):
    picture = getattr(skimage.data, name)()
    rgb = picture if picture.ndim == 3 else np.dstack([picture] * 3)
    for picture in (rgb, rgb[:200], cv2.resize(rgb, (120, 90)), color.to_gray(rgb)):
        assert print_area.find_print(picture) is None


def test_a_sky_a_wall_and_a_thing_on_white_are_no_borders():
    gray = gray_photograph()
    sky = np.concatenate([np.full((200, 512, 3), 230, np.uint8), gray])
    letter = np.full((400, 600, 3), 240, np.uint8)
    cv2.ellipse(letter, (300, 200), (180, 120), 0, 0, 360, (90, 90, 90), -1)
    backdrop = np.full((480, 400, 3), 200, np.uint8)
    backdrop[150:, 120:300] = gray[:330, 100:280]
    for picture in (sky, letter, backdrop, np.full((300, 300, 3), 255, np.uint8), np.zeros((1, 900, 3), np.uint8)):
        assert print_area.find_print(picture) is None


def test_a_negative_on_white_paper_has_two_borders():
    gray = cv2.resize(gray_photograph(), (460, 320))
    negative = cv2.copyMakeBorder(gray, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=(8, 8, 8))
    scan = cv2.copyMakeBorder(negative, 30, 50, 30, 30, cv2.BORDER_CONSTANT, value=(250, 250, 250))
    inside = cv2.resize(print_area.find_print(scan), scan.shape[1::-1])
    true = np.zeros(scan.shape[:2], np.uint8)
    true[50 : 50 + 320, 50 : 50 + 460] = 255
    assert np.mean((inside > 127) != (true > 127)) < 0.01


@pytest.mark.parametrize("upsampling", ["bilinear", "guided"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_outside_of_the_print_pixels_are_the_same_and_the_edge_is_a_pixel_wide(depth, upsampling):
    rgb = np.random.default_rng(0).integers(60, 200, (1300, 900, 3)).astype(depth) * (257 if depth == np.uint16 else 1)
    inside = np.zeros((130, 90), np.uint8)
    inside[20:110, 15:80] = 255
    ab = np.full((8, 8, 2), 100 / 255, np.float32)
    whole = color.with_chrominance(rgb, ab, upsampling=upsampling)
    part = color.with_chrominance(rgb, ab, upsampling=upsampling, inside=inside)
    true = np.zeros(rgb.shape[:2], bool)
    true[200:1100, 150:800] = True
    for expected, where in ((whole, cv2.erode), (rgb, lambda m, k: 1 - cv2.dilate(m, k))):
        chosen = where(true.astype(np.uint8), np.ones((5, 5), np.uint8)) == 1
        np.testing.assert_array_equal(part[chosen], expected[chosen])
    in_place = rgb.copy()
    color.with_chrominance(in_place, ab, upsampling=upsampling, out=in_place, inside=inside)
    np.testing.assert_array_equal(in_place, part)


@pytest.fixture(scope="module")
def network():
    """Everything is of one blue."""
    picture = keras.Input((16, 16, 1))
    ab = keras.layers.Conv2D(2, 1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(0.3))
    return Colorizer(keras.Model(picture, {"ab": ab(picture)}))


def test_the_colorizer_and_the_run_leave_borders_alone_unless_they_are_to_be_coloured(network, tmp_path):
    scan, share = make_scan(gray_photograph(), 4, "white", "plain")
    kept, coloured = network(scan), network(scan, borders=False)
    border = cv2.erode((share == 0).astype(np.uint8), np.ones((9, 9))) == 1
    np.testing.assert_array_equal(kept[border], scan[border])
    assert chroma(coloured)[border].mean() > 2
    with pytest.raises(InputError, match="borders: 1 will not do; it takes True or False"):
        network(scan, borders=1)
    paths, results = [tmp_path / "scan.png"], [tmp_path / "out.png"]
    images.write_rgb(paths[0], scan)
    records = Records({"model": "blue"})
    report = colorize_files(network, paths, results, 1, options=Options(existing="skip"), records=records)
    np.testing.assert_array_equal(images.read_rgb(results[0]), kept)
    assert report.outcomes[0].why == f"a border of {100 * np.mean(share < 0.5):.0f}% stays as it is"
    assert [paths] == [named for note, named in report.notes.items() if "a border stays as it is" in note]
    line = json.loads((tmp_path / ".historynet.jsonl").read_text())
    assert line["settings"]["borders"] == "kept"
    other = Options(existing="skip", borders=False)
    report = colorize_files(network, paths, results, 1, options=other, records=records)
    assert "made with borders kept, not coloured" in report.outcomes[0].why
    report = colorize_files(network, paths, results, 1, options=Options(borders=False), records=records)
    np.testing.assert_array_equal(images.read_rgb(results[0]), coloured)
    assert not report.outcomes[0].why


def seen(rgb):
    copy = print_area.reduce(rgb)
    return toning.look(copy, print_area.find_print(copy))[1]


@pytest.mark.parametrize("seed", range(8))
def test_a_toned_print_is_one_on_any_paper_and_with_ink_on_it(seed):
    toned = make_toned(gray_photograph()[..., 0], seed)
    assert seen(toned) == toning.TONED
    written = toned.copy()
    cv2.putText(written, "Grandfather", (20, 60), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.2, (30, 40, 150), 2, cv2.LINE_AA)
    for kind in KINDS:
        assert seen(make_scan(written, seed, kind)[0]) == toning.TONED


def test_gray_prints_are_gray_and_photographs_in_colours_and_coloured_by_hand_are_coloured():
    gray = gray_photograph()
    assert seen(gray) == toning.GRAY
    assert seen(make_scan(gray, 1, "cream")[0]) == toning.GRAY
    for name in ("astronaut", "coffee", "cat", "rocket"):
        assert seen(getattr(skimage.data, name)()) == toning.COLORED
    # A dress that somebody has painted on a sepia print.
    by_hand = make_toned(gray[..., 0], 3)
    by_hand[150:330, 60:240] = painted(by_hand, borders=False)[150:330, 60:240]
    assert seen(by_hand) == toning.COLORED
    assert seen(make_scan(by_hand, 2, "white")[0]) == toning.COLORED


def test_what_was_decided_is_said(network, tmp_path):
    toned = make_scan(make_toned(gray_photograph()[..., 0], 1), 5, "cream")[0]
    pictures = {"toned": toned, "colour": skimage.data.coffee(), "gray": gray_photograph()}
    paths = [tmp_path / f"{name}.png" for name in pictures]
    for path, picture in zip(paths, pictures.values(), strict=True):
        images.write_rgb(path, picture)
    results = [path.with_name(f"{path.stem}_out.png") for path in paths]

    def run(**options):
        report = colorize_files(network, paths, results, 2, options=Options(**options))
        return report, {one.picture.stem: (one.outcome, one.why) for one in report.outcomes}

    report, said = run(keep_colored=True)
    assert said["colour"] == ("has colour, left alone", "kept: coloured already")
    assert said["gray"] == ("colorized", "")
    assert said["toned"][0] == "colorized"
    assert re.fullmatch(r"a border of \d+% stays as it is; toned print: coloured anew", said["toned"][1])
    assert report.notes["kept: coloured already"] == [paths[1]]
    assert report.notes["toned print: coloured anew"] == [paths[0]]
    report, said = run()
    assert said["colour"] == ("colorized", "coloured already: coloured anew")
    assert list(report.notes.values()) == [[paths[0]]]


def test_the_case_of_a_sepia_print_on_cream_paper(reference):
    scan = images.read_rgb(reference / "cases/pictures_and_films/sepia_on_cream_paper.jpg")
    inside = cv2.resize(print_area.find_print(scan), scan.shape[1::-1])
    true = np.zeros(scan.shape[:2], bool)
    true[30:126, 30:158] = True
    assert np.mean((inside > 127) != true) < 0.01
    assert seen(scan) == toning.TONED


def test_photographs_of_the_reference_without_borders_have_none(reference):
    for path in [*sorted(reference.glob("data/ccp_more/*.jpg"))[::10], *reference.glob("golden/photos/*.jpg")]:
        assert print_area.find_print(images.read_rgb(path)) is None, path


def test_thirty_scans_of_real_black_and_white_photographs_coloured_by_the_shipped_model(reference):
    colorizer, moved, cut = Colorizer("shipped"), [], []
    for seed, path in enumerate(sorted(reference.glob("data/fsaowi_bw/*.jpg"))[1:60:2]):
        rgb = images.read_rgb(path)
        height, width = rgb.shape[:2]
        # Without the negatives' own edges.
        middle = rgb[height // 7 : -height // 7, width // 7 : -width // 7]
        scan, share = make_scan(np.ascontiguousarray(middle), seed)
        coloured = colorizer(scan)
        moved.append(measure(scan, share, coloured)[0])
        inside = print_area.find_print(scan)
        cut.append(0 if inside is None else 1 - cv2.resize(inside, scan.shape[1::-1])[share == 1].mean() / 255)
    assert len(moved) == 30
    assert np.mean(moved) <= 2
    assert np.mean(cut) <= 0.01
