"""Pictures made of films: white balance and exposure by hand and against reference numbers; films made by code."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from conftest import ROOT, write_picture

from historynet.collecting import frames, records, sampling
from historynet.collecting.adjusting import Adjustment, exposure, gray_world
from historynet.collecting.options import FrameOptions
from historynet.collecting.records import Named
from historynet.collecting.sampling import BorderFinder, Crop, Samples, fit, places
from historynet.errors import InputError
from historynet.pictures import color

SCRIPT = "SOURCE_FilmCNN/frames.py"
RATE = 10
SIZE = 192, 128

# White balance and exposure


def flat(*rgb, size=(10, 10)):
    return np.full((*size, 3), rgb, np.uint8)


def test_gray_world_by_hand():
    """Of two nearly neutral colours the mean becomes gray; one that is far from it does not count."""
    pictures = [flat(100, 120, 110), flat(140, 120, 130), flat(200, 20, 20), flat(255, 255, 255), flat(9, 9, 9)]
    red, green, blue = 120, 120, 120
    np.testing.assert_allclose(gray_world(pictures[:2]), 1)
    cast = [flat(100, 120, 150), flat(110, 120, 130), *pictures[2:]]
    red, green, blue = 105, 120, 140
    gray = 0.299 * red + 0.587 * green + 0.114 * blue
    np.testing.assert_allclose(gray_world(cast), [gray / red, gray / green, gray / blue], rtol=1e-12)


def test_gains_end_at_one_and_a_half_and_need_one_percent():
    # 150 - 90 is just 0.4 of 150.
    assert gray_world([flat(90, 150, 150)])[0] == pytest.approx(150 * 0.701 / 90 + 0.299)
    assert gray_world([flat(89, 150, 150)]) == (1, 1, 1)
    few = np.tile(np.uint8([200, 20, 20]), (1, 1000, 1))
    few[0, :9] = 100, 120, 110
    assert gray_world([few]) == (1, 1, 1)
    few[0, :10] = 100, 120, 110
    assert gray_world([few]) != (1, 1, 1)
    assert gray_world([]) == (1, 1, 1)
    # No nearly neutral colour lies so far off, but the limit is there.
    assert max(gray_world([flat(150, 90, 150)])) <= 1.5


def test_exposure_is_by_numpys_percentiles():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(60, 150, (30, 40, 3), np.uint8) for _ in range(3)]
    gains = (1.1, 0.95, 1.2)
    luma = np.concatenate([p.reshape(-1, 3) * gains @ [0.299, 0.587, 0.114] for p in pictures])
    lo, hi = np.percentile(luma, [1, 99])
    assert lo > 32
    found = exposure((picture, gains) for picture in pictures)
    np.testing.assert_allclose(found, [32, min(2, 240 / (hi - 32))], atol=1e-4)
    darker = [picture // 4 for picture in pictures]
    luma = np.concatenate([p.reshape(-1, 3) * gains @ [0.299, 0.587, 0.114] for p in darker])
    np.testing.assert_allclose(exposure((picture, gains) for picture in darker), [np.percentile(luma, 1), 2], atol=1e-4)
    light = [np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, axis=2)]
    # Percentiles 2.55 and 252.45 lie 249.9 apart: nothing is darkened.
    np.testing.assert_allclose(exposure((picture, (1, 1, 1)) for picture in light), [2.55, 1], atol=1e-4)
    assert exposure([]) == (0, 1)


def test_both_are_done_at_once():
    picture = np.uint8([[[0, 100, 200], [50, 50, 50]]])
    expected = [[[0, 104, 247], [48, 29, 37]]]
    # (100 * 0.9 - 20) * 1.5 = 105 and so on, in numbers that are not ties.
    done = Adjustment((1.05, 0.9, 0.95), 20.5, 1.5)(picture)
    expected = np.clip(np.rint((picture * np.array([1.05, 0.9, 0.95]) - 20.5) * 1.5), 0, 255)
    np.testing.assert_array_equal(done, expected)
    np.testing.assert_array_equal(Adjustment()(picture), picture)


def test_preparation_is_the_reference(reference):
    data = np.load(reference / "golden/film_cnn/preparation.npz")
    gains = gray_world(data["frames"])
    np.testing.assert_allclose(gains, data["gains"], atol=1e-4)
    lo, scale = exposure((frame, gains) for frame in data["frames"])
    np.testing.assert_allclose([lo, scale], [data["lo"], data["scale"]], atol=1e-4)
    adjusted = [Adjustment(gains, lo, scale)(frame) for frame in data["frames"]]
    assert np.abs(np.subtract(adjusted, data["adjusted"], dtype=int)).max() <= 1
    for pictures, means in ((data["frames"], "mean_L_before"), (adjusted, "mean_L_after")):
        ours = [color.rgb_to_lab(picture)[..., 0].mean() / 255 for picture in pictures]
        np.testing.assert_allclose(ours, data[means], atol=1e-4)
    for count, rate, *positions in data["shot_frames"].tolist():
        assert places(count, rate) == [place for place in positions if place >= 0]


# Shots, borders, pictures


def test_three_to_five_frames_stand_for_a_shot():
    assert [len(places(n, 10)) for n in (9, 10, 39, 40, 79, 80, 5000)] == [0, 3, 3, 4, 4, 5, 5]
    # The middles of three equal parts of 12 frames, from 0: those of 0 to 3, 4 to 7, 8 to 11.
    assert places(12, 10) == [2, 6, 10]


def bars(top, bottom, left, right, level=200, size=(60, 80)):
    picture = np.full((*size, 3), level, np.uint8)
    for black in (picture[:top], picture[size[0] - bottom :], picture[:, :left], picture[:, size[1] - right :]):
        black[:] = 16
    return picture


@pytest.mark.parametrize("sides", [(0, 0, 0, 0), (7, 5, 0, 0), (0, 0, 10, 12), (3, 0, 0, 9)])
def test_black_bars_are_found(sides):
    finder = BorderFinder()
    finder.add(np.zeros((60, 80, 3), np.uint8))
    for _ in range(3):
        finder.add(bars(*sides))
    assert finder.borders() == Crop(*sides)
    assert Crop(*sides)(bars(*sides)).min() == 200


def test_what_is_dark_now_and_then_is_no_bar():
    finder = BorderFinder()
    for i in range(10):
        finder.add(bars(*((0, 0, 0, 0) if i == 0 else (10, 10, 0, 0))))
    # In a tenth of the frames there is something.
    assert finder.borders() == Crop()
    dark = BorderFinder()
    dark.add(np.zeros((60, 80, 3), np.uint8))
    assert dark.borders() == Crop()
    lamp = np.zeros((60, 80, 3), np.uint8)
    lamp[28:38, 30:45] = 250
    dark.add(lamp)
    assert dark.borders() == Crop()


def test_small_frames_wait_without_their_bars(tmp_path):
    with Samples(tmp_path) as samples:
        for number in (3, 30):
            samples.add(number, bars(15, 10, 0, 0, level=100 + number, size=(120, 320)))
        assert not list(tmp_path.iterdir())
        found = list(samples.read(Crop(15, 10, 0, 0)))
        assert [(number, small.shape) for number, small in found] == [(3, (47, 160, 3)), (30, (47, 160, 3))]
        assert [small.min() for _, small in found] == [103, 130]
        assert len(list(samples.read(Crop()))) == 2


def test_pixels_become_square():
    assert fit(np.zeros((576, 720, 3), np.uint8), 256, Fraction(64, 45)).shape == (256, 455, 3)
    assert fit(np.zeros((1280, 720, 3), np.uint8), 256).shape == (455, 256, 3)
    assert fit(np.zeros((100, 120, 3), np.uint8), 256).shape == (256, 307, 3)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("matrix", "red", "blue"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114)])
def test_colours_are_by_the_films_matrix_and_range(tmp_path, full, matrix, red, blue):
    """ITU-R BT.709 and BT.601 in floating point; the left half of the film is another colour than the right."""
    yuv = np.array([[110, 90, 160], [180, 140, 100]])
    path = tmp_path / "flat.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", RATE, {"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 2 if full else 1, matrix
        stream.set_display_rotation(90)
        planes = [np.repeat(yuv[:, i], size).reshape(1, -1).repeat(rows, 0) for i, size, rows in [(0, 32, 32)]]
        halves = [np.repeat(yuv[:, i], 16).reshape(1, -1).repeat(16, 0).reshape(-1, 64) for i in (1, 2)]
        frame = av.VideoFrame.from_ndarray(np.concatenate([*planes, *halves]).astype(np.uint8), "yuv420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    y, u, v = (yuv - (0 if full else 16, 128, 128)).T / (255 if full else np.array([219, 224, 224])[:, None])
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    rgb = 255 * np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], axis=-1)
    film = sampling.open_film(path)
    ((_, *decoded),) = film.decoded()
    picture = film.planes.rgb(*decoded)
    luma = film.planes.to_gray(film.planes.luma(*decoded))
    assert picture.shape == (64, 32, 3) and luma.shape == (64, 32)
    # Turned upright: which half is above, the luma says.
    for half, gray in ((picture[:24], luma[5, 5]), (picture[-24:], luma[-5, 5])):
        expected = rgb[int(np.abs(y * 255 - gray).argmin())]
        np.testing.assert_allclose(half, np.broadcast_to(expected, half.shape), atol=2.5)


def test_fields_are_no_pictures(tmp_path):
    """Of an interlaced film whole frames are taken."""
    path = tmp_path / "fields.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, {"crf": "5", "x264-params": "tff=1"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        columns = np.arange(96)[None]
        for number in range(30):
            # A dark bar that moves by eight pixels from field to field.
            moved = 16 * number + 8 * (np.arange(64)[:, None] % 2)
            gray = np.where((columns - moved) % 96 < 24, 60, 200).astype(np.uint8)
            yuv = np.concatenate([gray, np.full((32, 96), 128, np.uint8)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(yuv, "yuv420p")))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        combed = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    film = sampling.open_film(path)
    whole = [film.planes.rgb(*decoded)[..., 0] for _, *decoded in film.decoded()]
    assert len(whole) == len(combed) and film.notes == []
    changes = [np.abs(np.diff(np.array(frames, int), axis=1)).mean() for frames in (combed, whole)]
    assert changes[0] > 15 > 5 > changes[1]


# Films


def painting(seed):
    """A coloured picture of soft spots."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC)


def make_film(path, shots, bar=0):
    """Writes a film: of each (picture, frames) the picture moves a little to the right from frame to frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", RATE, {"crf": "8", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = SIZE[0], SIZE[1] + 2 * bar, "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 1, 6
        for picture, count in shots:
            for number in range(count):
                rgb = np.pad(np.roll(picture, number, axis=1), [(bar, bar), (0, 0), (0, 0)])
                frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p", dst_colorspace=6)
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


GRAY = np.repeat(painting(7)[..., :1], 3, axis=2)
SHOTS = [(painting(1), 15), (GRAY, 12), (painting(2), 42), (painting(3) // 6, 12), (painting(4), 6), (painting(5), 10)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A film of six shots: coloured, gray, longer, dark, too short, and just long enough."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    make_film(path, SHOTS, bar=16)
    return path


def rows(folder):
    with (folder / "frames.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    """Everything in a folder but where the films lie."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in found if "unfinished" in name]
    return found


def pictures(folder, part="t*"):
    return sorted(path.name for path in folder.glob(f"{part}/*.jpg"))


def test_a_film_becomes_pictures(made, tmp_path, run):
    plain = ("--white-balance", "none", "--exposure", "none")
    code, out, _ = run(SCRIPT, made, "--frames-dir", tmp_path, *plain)
    assert code == 0
    assert "film: 6 shots, 10 frames kept, 3 dark, 3 no colour" in out
    table = rows(tmp_path)
    # The last but one is shorter than a second.
    counts = {1: 3, 2: 3, 3: 4, 4: 3, 6: 3}
    assert [(int(row["shot"]), int(row["frame"])) for row in table] == [
        (shot, i) for shot, n in counts.items() for i in range(1, n + 1)
    ]
    outcome = {1: "kept", 2: "no colour", 3: "kept", 4: "dark", 6: "kept"}
    assert all(row["outcome"] == outcome[int(row["shot"])] for row in table)
    assert pictures(tmp_path) == [
        f"film_s0000{shot}_f{i}.jpg" for shot in (1, 3, 6) for i in range(1, counts[shot] + 1)
    ]
    for row in table:
        shot, i = int(row["shot"]), int(row["frame"])
        picture, length = SHOTS[shot - 1]
        place = int((i - 0.5) * length / counts[shot])
        begin = sum(count for _, count in SHOTS[: shot - 1])
        assert float(row["time"]) == pytest.approx((begin + place) / RATE)
        assert [float(row[name]) for name in ("gain_red", "gain_green", "gain_blue", "lo", "scale")] == [1, 1, 1, 0, 1]
        original = fit(np.roll(picture, place, axis=1), 256)
        mean = cv2.cvtColor(original, cv2.COLOR_RGB2Lab)[..., 0].mean() / 255
        assert float(row["mean_L"]) == pytest.approx(mean, abs=0.02)
        if row["picture"]:
            ours = cv2.imread(str(tmp_path / row["picture"]))[..., ::-1]
            assert ours.shape == original.shape
            assert np.abs(ours.astype(int) - original).mean() < 4


def test_a_cast_is_taken_off(tmp_path, run):
    """Gray cards under a blue light: their gains are the light's inverse."""
    cards = cv2.resize(np.uint8([[60, 90, 130], [150, 110, 70]]), SIZE, interpolation=cv2.INTER_NEAREST)
    light = np.array([0.8, 1.0, 1.2])
    blue = np.rint(np.dstack([cards] * 3) * light).astype(np.uint8)
    blue[:20, :20] = 200, 10, 10
    make_film(tmp_path / "cards.mp4", [(blue, 12)])
    arguments = ("--frames-dir", tmp_path / "out", "--no-drop-colourless")
    assert run(SCRIPT, tmp_path / "cards.mp4", *arguments)[0] == 0
    row = rows(tmp_path / "out")[0]
    gains = np.array([float(row[name]) for name in ("gain_red", "gain_green", "gain_blue")])
    np.testing.assert_allclose(gains * light / (gains * light)[1], 1, atol=0.03)
    result = cv2.imread(str(tmp_path / "out" / row["picture"])).astype(float)
    assert np.ptp(result[60:, 60:], axis=-1).mean() < 6
    assert np.ptp(blue[60:, 60:].astype(float), axis=-1).mean() > 30


def test_each_shot_has_its_own_on_demand(tmp_path):
    warm, cool = (np.rint(np.dstack([GRAY[..., 0] * 0.7 + 20] * 3) * light) for light in ([1.1, 1, 0.8], [0.8, 1, 1.1]))
    shots = [sampling.Shot(0, 10), sampling.Shot(10, 10), sampling.Shot(20, 10)]
    with Samples(tmp_path) as samples:
        samples.add(0, warm.astype(np.uint8))
        samples.add(15, cool.astype(np.uint8))

        def found(**options):
            return frames._adjustments(samples, Crop(), shots, FrameOptions(**options))

        whole = found()
        assert whole[0] == whole[1] == whole[2]
        own = found(white_balance="shot", exposure="shot")
        assert own[0].gains[0] < 1 < own[0].gains[2] and own[1].gains[2] < 1 < own[1].gains[0]
        # No second of the third shot was seen.
        assert own[2].gains == whole[2].gains
        (small,) = (rgb for number, rgb in samples.read(Crop()) if number == 15)
        assert own[1].gains == gray_world([small])
        assert (own[1].lo, own[1].scale) == exposure([(small, own[1].gains)])
        assert found(white_balance="none", exposure="none") == [Adjustment()] * 3


def test_films_are_never_split(made, tmp_path, run):
    other = tmp_path / "films/other.mkv"
    make_film(other, SHOTS[:1])
    out = tmp_path / "out"
    arguments = (made, other.parent, "--frames-dir", out)
    assert run(SCRIPT, *arguments, "--test-films", "other")[0] == 0
    assert [name[:5] for name in pictures(out, "test")] == ["other"] * 3
    assert len(pictures(out, "train")) == 10
    assert {(row["film"], row["part"]) for row in rows(out)} == {("film", "train"), ("other", "test")}
    # With another division pictures move, and are not made again.
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("t*/*.jpg")}
    code, text, _ = run(SCRIPT, *arguments, "--test-films", made)
    assert code == 0 and "other: its pictures move from test to train" in text
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("t*/*.jpg")} == times
    assert len(pictures(out, "test")) == 10 and len(pictures(out, "train")) == 3
    assert all((out / row["picture"]).is_file() for row in rows(out) if row["outcome"] == "kept")
    code, _, text = run(SCRIPT, *arguments, "--test-films", "another")
    assert code == 2 and "--test-films another" in text


def test_a_move_that_was_stopped_goes_back(made, tmp_path, run):
    out = tmp_path / "out"
    assert run(SCRIPT, made, "--frames-dir", out)[0] == 0
    before = contents(out)
    # As a process leaves it that was killed on its way to the other part: the record is written last.
    for name in sorted(pictures(out, "train"))[:4]:
        (out / "train" / name).rename(out / "test" / name)
    assert run(SCRIPT, made, "--frames-dir", out)[0] == 0
    assert contents(out) == before


def test_a_film_in_the_place_of_one_that_was_renamed_has_a_name_of_its_own(tmp_path, run):
    folder, out = tmp_path / "films", tmp_path / "out"
    make_film(folder / "film.mp4", [(painting(21), 12)])
    assert run(SCRIPT, folder, "--frames-dir", out)[0] == 0
    before = contents(out)
    (folder / "film.mp4").rename(folder / "earlier.mp4")
    make_film(folder / "film.mp4", [(painting(22), 12)])
    assert run(SCRIPT, folder, "--frames-dir", out)[0] == 0
    after = contents(out)
    assert all(after[name] == data for name, data in before.items() if name.endswith(".jpg"))
    assert len(pictures(out)) == 6 and {row["film"] for row in rows(out)} > {"film"}


def test_a_hidden_film_that_is_named_is_in_the_table(tmp_path, run):
    out = tmp_path / "out"
    make_film(tmp_path / "film.mp4", [(painting(21), 12)])
    (tmp_path / "film.mp4").rename(tmp_path / ".film.mp4")
    code, text, _ = run(SCRIPT, tmp_path / ".film.mp4", "--frames-dir", out)
    assert code == 0 and "pictures: 3, films: 1" in text
    assert [row["picture"] for row in rows(out)] == [f"train/{name}" for name in pictures(out)]
    assert pictures(out)[0] == "film_s00001_f1.jpg"


def test_two_films_of_one_name_and_one_film_of_two(made, tmp_path, run):
    for folder, seed in (("a", 21), ("b", 22)):
        make_film(tmp_path / folder / "film.mp4", [(painting(seed), 12)])
    (tmp_path / "copy.mp4").write_bytes((tmp_path / "a/film.mp4").read_bytes())
    out = tmp_path / "out"
    code, _, text = run(SCRIPT, tmp_path / "a", tmp_path / "b", tmp_path / "copy.mp4", "--frames-dir", out)
    assert code == 0 and f"{tmp_path / 'copy.mp4'}: the same film as {tmp_path / 'a/film.mp4'}" in text
    names = {name.partition("_s")[0] for name in pictures(out)}
    assert len(names) == 2 and len(pictures(out)) == 6 and all(name.startswith("film-") for name in names)
    # A third one later takes nothing from them, and a film that has moved keeps its name.
    before = contents(out)
    (tmp_path / "b/film.mp4").rename(tmp_path / "moved.mp4")
    assert run(SCRIPT, made, tmp_path / "moved.mp4", "--frames-dir", out)[0] == 0
    after = contents(out)
    assert all(after[name] == data for name, data in before.items() if name.endswith(".jpg"))
    assert len({name.partition("_s")[0] for name in pictures(out)}) == 3


def test_other_options_make_them_again(made, tmp_path, run):
    out = tmp_path / "out"
    assert run(SCRIPT, made, "--frames-dir", out, "--no-drop-colourless")[0] == 0
    assert len(pictures(out)) == 13
    assert run(SCRIPT, made, "--frames-dir", out)[0] == 0
    assert len(pictures(out)) == 10


# What can go wrong


def test_films_that_give_nothing_are_named(made, tmp_path, run):
    folder = tmp_path / "films"
    make_film(folder / "gray.mp4", [(GRAY, 12)])
    make_film(folder / "short.mp4", [(painting(1), 5), (painting(2), 6)])
    (folder / "text.mp4").write_text("no film")
    (folder / "empty.avi").write_bytes(b"")
    (folder / "good.mp4").write_bytes(made.read_bytes())
    make_film(tmp_path / "whole.mkv", SHOTS)
    data = (tmp_path / "whole.mkv").read_bytes()
    (folder / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    out = tmp_path / "out"
    code, _, err = run(SCRIPT, folder, "--frames-dir", out, "--workers", 1)
    assert code == 3
    assert f"skipped: {folder / 'gray.mp4'}: none of its frames is kept (3 no colour; a black-and-white film?)" in err
    assert f"skipped: {folder / 'short.mp4'}: no shot of it lasts a second (2 shots)" in err
    assert f"skipped: {folder / 'text.mp4'}: not a film that can be read" in err
    assert f"skipped: {folder / 'empty.avi'}: the file is empty" in err
    assert f"damaged: {folder / 'cut.mkv'}: its video ends at " in err
    assert "cut_s00001_f1.jpg" in pictures(out)
    assert len([name for name in pictures(out) if name.startswith("good")]) == 10
    # Again: nothing is done, and the same is said.
    before = contents(out)
    again = run(SCRIPT, folder, "--frames-dir", out, "--workers", 1)
    assert again[0] == 3 and contents(out) == before
    assert [line for line in again[2].splitlines() if line.startswith(("skipped", "damaged"))] == [
        line for line in err.splitlines() if line.startswith(("skipped", "damaged"))
    ]


def test_no_film_is_an_error(tmp_path, run):
    write_picture(tmp_path / "films/a.png")
    for arguments in ([tmp_path / "films"], [tmp_path / "none"], []):
        code, _, err = run(SCRIPT, *arguments, "--frames-dir", tmp_path / "out")
        assert code == 2 and err.startswith("error: ")
    assert "no films in this folder" in run(SCRIPT, tmp_path / "films", "--frames-dir", tmp_path / "out")[2]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", [("--white-balance", "scene"), ("--darkest", "2"), ("--frame-side", "8")])
def test_settings_that_cannot_be_are_named(made, tmp_path, run, option):
    code, _, err = run(SCRIPT, made, "--frames-dir", tmp_path, *option)
    assert code == 2 and option[0] in err


def test_hdr_is_refused(made, tmp_path, monkeypatch, run):
    monkeypatch.setattr("historynet.collecting.sampling.HIGH_DYNAMIC_RANGE", {1: "PQ", 2: "PQ"})
    code, _, err = run(SCRIPT, made, "--frames-dir", tmp_path)
    assert code == 3 and f"{made}: it is HDR (PQ)" in err


def test_a_full_disk_ends_the_run_and_the_next_goes_on(made, tmp_path, monkeypatch, run):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run(SCRIPT, made, "--frames-dir", whole)[0] == 0
    written, write = [], frames.write_picture

    def fail(path, rgb):
        written.append(path)
        if len(written) == 4:
            with records.files.writing(path):
                raise OSError(28, "No space left on device")
        write(path, rgb)

    monkeypatch.setattr(frames, "write_picture", fail)
    code, _, err = run(SCRIPT, made, "--frames-dir", out)
    assert code == 2 and "cannot be written (No space left on device)" in err
    assert len(pictures(out)) == 3
    monkeypatch.setattr(frames, "write_picture", write)
    # Of the film that was stopped only the second reading is done again.
    monkeypatch.setattr(frames, "_analyse", None)
    assert run(SCRIPT, made, "--frames-dir", out)[0] == 0
    assert contents(out) == contents(whole)


def test_a_record_that_is_none_is_named(made, tmp_path, run):
    (tmp_path / "films").mkdir()
    (tmp_path / "films/film.json").write_text(json.dumps({"frames": []}))
    code, _, err = run(SCRIPT, made, "--frames-dir", tmp_path)
    assert code == 2 and "film.json: no record" in err


def test_names_that_are_no_text_have_one(tmp_path):
    path = tmp_path / os.fsdecode(b"f\xffilm.mp4")
    path.write_bytes(b"something")
    ((named,), same) = records.name_films([path], {})
    assert same == [] and named == Named(path, "f\\udcffilm", named.content)
    with pytest.raises(InputError):
        records.name_films([tmp_path / "none.mp4"], {})


# Stopped at any moment


def start(arguments):
    command = [sys.executable, str(ROOT / SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_at_any_moment_and_continued_it_is_the_same(made, tmp_path, run):
    """With two processes at work; also what they were doing ends with the first one."""
    films = tmp_path / "films"
    for i in range(2):
        make_film(films / f"film{i}.mp4", [(painting(10 * i + j), 14 + j) for j in range(6)])
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run(SCRIPT, films, "--frames-dir", whole, "--workers", 1)[0] == 0
    arguments = (films, "--frames-dir", out, "--workers", 2)
    reached, codes = [], []
    for wanted, number in [
        ("films/*.json", signal.SIGKILL),
        ("train/*", signal.SIGTERM),
        ("train/*6*", signal.SIGKILL),
    ]:
        before = len(list(out.glob(wanted)))
        process = start(arguments)
        # A new one: those of the process before say nothing of how far this one is.
        while process.poll() is None and len(list(out.glob(wanted))) <= before:
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=60)
        codes.append(process.returncode)
        reached.append(len(pictures(out)))
    assert codes[0] == -signal.SIGKILL and codes[1] == 143 and codes[2] in (-signal.SIGKILL, 0)
    assert reached[0] < len(pictures(whole))
    process = start(arguments)
    assert process.wait(timeout=120) == 0, process.stderr.read()
    assert contents(out) == contents(whole)
