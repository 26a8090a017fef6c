"""So many frames a second of films made by code: which ones, what of them is written, and how a run goes on."""

import csv
import itertools
import math
import signal
import subprocess
import sys
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image, JpegImagePlugin
from test_film_frames import contents, make_film, painting

from historynet.collecting import movies
from historynet.collecting.movies import sample
from historynet.errors import InputError

SCRIPT = "SOURCE_Pix2Pix/prepare_films.py"
GRAY = np.repeat(painting(7)[..., :1], 3, axis=2)

# Which frames


def numbers(times, rate=2, first=0):
    return list(sample(((Fraction(t), number) for number, t in enumerate(times)), Fraction(rate), first))


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (Fraction(25), [0, 13, 25, 38, 50, 63, 75, 88, 100, 113]),
        (Fraction(24000, 1001), [0, 12, 24, 36, 48, 60, 72, 84, 96, 108]),
        (Fraction(30000, 1001), [0, 15, 30, 45, 60, 75, 90, 105, 120, 135]),
    ],
)
def test_the_first_ten_frames(rate, expected):
    found = numbers(number / rate for number in range(140))
    assert found[:10] == list(enumerate(expected))
    # The smallest whole number of frames that lasts k / 2 seconds.
    assert found == [(k, math.ceil(k * rate / 2)) for k in range(len(found))]


def test_minute_150_comes_after_18000_frames():
    """In the middle of a long film, behind the last frame that an earlier run has taken."""
    rate = Fraction(24000, 1001)
    timed = ((number / rate, number) for number in range(215_600, 215_800))
    expected = [(k, math.ceil(k * rate / 2)) for k in range(17_990, 18_001)]
    assert list(sample(timed, Fraction(2), 17_990))[:11] == expected
    assert expected[-1] == (18_000, 215_785)


def test_times_that_vary():
    # 0.999 is not yet 1; 2.7 is the first at or after 1.5, 2 and 2.5; the frame just before 3 is none.
    times = ["0", "0.4", "0.6", "0.999", "1.2", "2.7", "2.9999", "3", "3.01"]
    assert numbers(times) == [(0, 0), (1, 2), (2, 4), (3, 5), (6, 7)]
    assert numbers(times, first=3) == [(3, 5), (6, 7)]


def test_more_than_there_are_gives_each_once():
    assert [number for _, number in numbers([Fraction(n, 10) for n in range(5)], 1000)] == [0, 1, 2, 3, 4]
    assert numbers([Fraction(n, 3) for n in range(7)], Fraction(1, 2)) == [(0, 0), (1, 6)]


# Films


def start(*arguments):
    command = [sys.executable, str(ROOT / SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows(folder):
    with (folder / "frames.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names(folder, part):
    return sorted(path.name for path in (folder / part).iterdir())


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Five seconds at 10 frames a second that move to the right by a pixel a frame."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    make_film(path, [(painting(1), 50)])
    return path


def test_a_film_becomes_pictures(film, tmp_path, run):
    code, out, err = run(SCRIPT, film, "--out", tmp_path, "--height", 64, "--width", 128, "--train-minutes", "0.05")
    assert code == 0
    assert "film: 10 frames, 6 for training and 4 for tests, 0 without colour" in out
    assert f"{tmp_path / 'movies_train'}: pictures: 6, films: 1" in out and "note" not in err
    # Minute 0.05 is second 3: what is wanted there is for tests.
    expected = [f"film_{500 * k:010}.jpg" for k in range(10)]
    assert names(tmp_path, "movies_train") == expected[:6] and names(tmp_path, "movies_test") == expected[6:]
    table = rows(tmp_path)
    assert list(table[0]) == ["file", "film", "time", "frame", "part"]
    for k, row in enumerate(table):
        part = "movies_train" if k < 6 else "movies_test"
        assert row == {
            "file": f"{part}/{expected[k]}",
            "film": "film",
            "time": f"{k / 2:.6f}",
            "frame": str(5 * k),
            "part": part,
        }
        original = np.roll(painting(1), 5 * k, axis=1)
        picture = cv2.imread(str(tmp_path / row["file"]))[..., ::-1].astype(int)
        # The whole frame, its aspect not kept.
        assert np.abs(picture - cv2.resize(original, (128, 64), interpolation=cv2.INTER_LINEAR)).mean() < 3


def test_files_are_of_the_size_and_quality_that_is_asked_for(film, tmp_path, run):
    assert run(SCRIPT, film, "--out", tmp_path, "--rate", "1/2")[0] == 0
    assert names(tmp_path, "movies_train") == ["film_0000000000.jpg", "film_0000002000.jpg", "film_0000004000.jpg"]
    with Image.open(tmp_path / "movies_train/film_0000002000.jpg") as picture:
        assert picture.size == (512, 256)
        assert JpegImagePlugin.get_sampling(picture) == 0
        tables = picture.quantization
    Image.new("RGB", (8, 8)).save(tmp_path / "other.jpg", quality=95, subsampling=0)
    with Image.open(tmp_path / "other.jpg") as other:
        assert other.quantization == tables


def make_flat(path, matrix, full=False, rotation=0):
    """A film of one frame, whose left half and right half are of two colours; its values, and its RGB by ITU-R."""
    yuv = np.array([[110, 90, 160], [180, 140, 100]])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10, {"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 2 if full else 1, matrix
        stream.set_display_rotation(rotation)
        luma = np.repeat(yuv[:, 0], 32)[None].repeat(32, 0)
        halves = [np.repeat(yuv[:, i], 16)[None].repeat(16, 0).reshape(-1, 64) for i in (1, 2)]
        frame = av.VideoFrame.from_ndarray(np.concatenate([luma, *halves]).astype(np.uint8), "yuv420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    red, blue = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}[matrix]
    y, u, v = (yuv - (0 if full else 16, 128, 128)).T / (255 if full else np.array([219, 224, 224])[:, None])
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return 255 * np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], axis=-1)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_are_by_the_films_matrix_and_range(tmp_path, run, matrix, full):
    expected = make_flat(tmp_path / "flat.mp4", matrix, full)
    size = ("--height", 32, "--width", 64)
    assert run(SCRIPT, tmp_path / "flat.mp4", "--out", tmp_path / "out", *size)[0] == 0
    picture = cv2.imread(str(tmp_path / "out/movies_train/flat_0000000000.jpg"))[..., ::-1]
    for half, rgb in zip((picture[:, :28], picture[:, -28:]), expected, strict=True):
        np.testing.assert_allclose(half, np.broadcast_to(rgb, half.shape), atol=3)


def test_a_turned_film_is_upright(tmp_path, run):
    expected = make_flat(tmp_path / "flat.mp4", 6, rotation=90)
    size = ("--height", 64, "--width", 32)
    assert run(SCRIPT, tmp_path / "flat.mp4", "--out", tmp_path / "out", *size)[0] == 0
    picture = cv2.imread(str(tmp_path / "out/movies_train/flat_0000000000.jpg"))[..., ::-1]
    # Turned by 90 degrees against the clock, the right half is above.
    for half, rgb in zip((picture[:28], picture[-28:]), expected[::-1], strict=True):
        np.testing.assert_allclose(half, np.broadcast_to(rgb, half.shape), atol=3)


def make_varying(path, milliseconds):
    """A film whose frames have these times; each is lighter than the one before."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 1000, {"crf": "5", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, at in enumerate(milliseconds):
            frame = av.VideoFrame.from_ndarray(np.full((32, 64, 3), 20 * number, np.uint8), "rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())


@pytest.mark.parametrize("begin", [0, 700])
def test_varying_times_are_the_films_own_and_begin_with_its_first_frame(tmp_path, run, begin):
    make_varying(tmp_path / "film.mkv", [begin + t for t in (0, 400, 600, 999, 1200, 2700, 3000)])
    code, _, err = run(SCRIPT, tmp_path / "film.mkv", "--out", tmp_path / "out", "--height", 32, "--width", 64)
    assert code == 0 and "5 of its 5 frames have no colour" in err
    table = rows(tmp_path / "out")
    assert [(row["time"], int(row["frame"])) for row in table] == [
        *(("0.000000", 0), ("0.600000", 2), ("1.200000", 4), ("2.700000", 5), ("3.000000", 6))
    ]
    assert names(tmp_path / "out", "movies_train") == [f"film_{t:010}.jpg" for t in (0, 500, 1000, 1500, 3000)]
    for row in table:
        gray = cv2.imread(str(tmp_path / "out" / row["file"])).mean()
        assert gray == pytest.approx(20 * int(row["frame"]), abs=3)


def test_bars_stay_unless_they_are_to_be_cropped(tmp_path, run):
    make_film(tmp_path / "film.mp4", [(painting(2), 10)], bar=16)
    size = ("--height", 64, "--width", 128)
    for options, factor in (((), 160 / 128), (("--crop-bars",), 1)):
        code, out, _ = run(SCRIPT, tmp_path / "film.mp4", "--out", tmp_path / "out", *size, *options)
        assert code == 0 and "2 frames" in out
        picture = cv2.imread(str(tmp_path / "out/movies_train/film_0000000000.jpg"))[..., ::-1].astype(int)
        bar = round(64 * (1 - 1 / factor) / 2)
        assert picture[: max(bar - 1, 0)].max(initial=0) < 30
        inside = picture[bar + 1 : 63 - bar]
        scaled = cv2.resize(painting(2), (128, 64 - 2 * bar), interpolation=cv2.INTER_LINEAR)[1:-1]
        assert inside.shape == scaled.shape and np.abs(inside - scaled).mean() < 4


def test_whole_films_for_tests(film, tmp_path, run):
    make_film(tmp_path / "films/other.mkv", [(painting(3), 10)])
    out = tmp_path / "out"
    arguments = (film, tmp_path / "films", "--out", out, "--workers", 1)
    code, _, err = run(SCRIPT, *arguments, "--test-films", "film")
    assert code == 0
    assert (len(names(out, "movies_train")), len(names(out, "movies_test"))) == (2, 10)
    # Of the film that is held out nobody misses test frames.
    ends = "all of its frames are for training: it ends before minute 150 (--train-minutes; --test-films"
    assert [line for line in err.splitlines() if ends in line] == [
        line for line in err.splitlines() if line.startswith(f"note: {tmp_path / 'films/other.mkv'}: ")
    ]
    # With another division pictures move, and none is made again.
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("movies_*/*")}
    code, text, _ = run(SCRIPT, *arguments, "--train-minutes", "1/30", "--test-films", "other")
    assert code == 0
    assert "film: 4 of its 10 pictures move from movies_test to movies_train" in text
    assert "other: its pictures move from movies_train to movies_test" in text
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("movies_*/*")} == before
    assert all((out / row["file"]).is_file() for row in rows(out))
    assert len(names(out, "movies_train")) == 4
    code, _, err = run(SCRIPT, *arguments, "--test-films", "none")
    assert code == 2 and "--test-films none: this is the name of none of the films" in err


def test_two_films_of_one_name_are_refused_and_one_film_twice_is_noted(film, tmp_path, run):
    make_film(tmp_path / "a/film.mkv", [(painting(4), 6)])
    out = tmp_path / "out"
    code, _, err = run(SCRIPT, film, tmp_path / "a", "--out", out)
    assert code == 2
    assert f"{film}: pictures are named after their film, and {tmp_path / 'a/film.mkv'} has the same name" in err
    (tmp_path / "copy.mp4").write_bytes(film.read_bytes())
    code, _, err = run(SCRIPT, film, tmp_path / "copy.mp4", "--out", out)
    assert code == 0 and f"note: {tmp_path / 'copy.mp4'}: the same film as {film}" in err
    assert len(names(out, "movies_train")) == 10
    # Also one of an earlier run.
    before = contents(out)
    code, _, err = run(SCRIPT, tmp_path / "a", "--out", out)
    assert code == 2 and f"and {film} has the same name" in err
    assert contents(out) == before


def test_a_black_and_white_film_is_noted(tmp_path, run):
    make_film(tmp_path / "gray.mp4", [(GRAY, 20), (painting(1), 5)])
    code, out, err = run(SCRIPT, tmp_path / "gray.mp4", "--out", tmp_path / "out")
    assert code == 0 and "gray: 5 frames, 5 for training and 0 for tests, 4 without colour" in out
    assert "gray.mp4: 4 of its 5 frames have no colour; a black-and-white film?" in err


# What can go wrong


def test_bad_films_are_named_and_the_others_go_on(film, tmp_path, run):
    folder, out = tmp_path / "films", tmp_path / "out"
    folder.mkdir()
    (folder / "text.mp4").write_text("no film")
    (folder / "empty.avi").write_bytes(b"")
    (folder / "good.mp4").write_bytes(film.read_bytes())
    make_film(tmp_path / "whole.mkv", [(painting(i), 20) for i in range(3)])
    data = (tmp_path / "whole.mkv").read_bytes()
    (folder / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    arguments = (folder, "--out", out, "--workers", 1)
    code, _, err = run(SCRIPT, *arguments)
    assert code == 3
    assert f"skipped: {folder / 'text.mp4'}: not a film that can be read" in err
    assert f"skipped: {folder / 'empty.avi'}: the file is empty" in err
    assert f"damaged: {folder / 'cut.mkv'}: its video ends at " in err
    found = names(out, "movies_train")
    assert sum(name.startswith("good_") for name in found) == 10
    assert 2 < sum(name.startswith("cut_") for name in found) < 12
    before = contents(out)
    again = run(SCRIPT, *arguments)
    assert again[0] == 3 and contents(out) == before
    said = [
        [line for line in text.splitlines() if line.startswith(("skipped", "damaged", "note"))]
        for text in (err, again[2])
    ]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *itertools.product(["--rate"], ["0", "1/0", "-1", "1e9", "1001", "nan"]),
        *[("--height", "15"), ("--width", "x"), ("--train-minutes", "-1"), ("--rate", "1e999999999")],
    ],
)
def test_options_that_cannot_be_are_named(film, tmp_path, run, option, value):
    code, _, err = run(SCRIPT, film, "--out", tmp_path / "out", f"{option}={value}")
    assert code == 2 and option in err and not (tmp_path / "out").exists()


def test_no_film_is_an_error(tmp_path, run):
    code, _, err = run(SCRIPT, tmp_path, "--out", tmp_path / "out")
    assert code == 2 and "no films in this folder" in err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("film.json", "{}"),
        ("film.json", '{"film": "film"}'),
        ("film.frames", "0,0,0\n"),
        ("film.frames", "0,0,x,1\n"),
        ("film.frames", None),
    ],
)
def test_a_record_that_is_none_is_named(film, tmp_path, run, name, text):
    assert run(SCRIPT, film, "--out", tmp_path)[0] == 0
    (tmp_path / "films" / name).unlink()
    if text is not None:
        (tmp_path / "films" / name).write_text(text)
    code, _, err = run(SCRIPT, film, "--out", tmp_path)
    assert code == 2 and f"{tmp_path / 'films/film'}" in err


# Stopped at any moment


@pytest.mark.parametrize("options", [(), ("--crop-bars",)])
def test_a_full_disk_ends_the_run_and_the_next_goes_on_behind_the_last_frame(tmp_path, monkeypatch, run, options):
    make_film(tmp_path / "film.mp4", [(painting(1), 50)], bar=16)
    arguments = (tmp_path / "film.mp4", *options)
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run(SCRIPT, *arguments, "--out", whole)[0] == 0
    written, write = [], movies.write_picture

    def fail(path, rgb):
        written.append(path.name)
        if len(written) == 5:
            raise InputError(f"{path}: cannot be written (No space left on device)")
        write(path, rgb)

    monkeypatch.setattr(movies, "write_picture", fail)
    code, _, err = run(SCRIPT, *arguments, "--out", out)
    assert code == 2 and "No space left on device" in err
    assert len(rows(out)) == 4
    # As a process leaves it that was killed: a picture without its line, a line that is cut off, a part of a file.
    (out / "movies_train/film_0000002000.jpg").write_bytes(b"another division's")
    (out / "movies_test/film_0000002000.jpg").write_bytes(b"another division's")
    (out / "movies_train/.unfinished-film.jpg").write_bytes(b"half")
    with (out / "films/film.frames").open("a") as file:
        file.write("4,20,20")
    assert run(SCRIPT, *arguments, "--out", out)[0] == 0
    assert written[5:] == [f"film_{500 * k:010}.jpg" for k in range(4, 10)]
    assert contents(out) == contents(whole)


def make_in(path, codec, options, damaged=False):
    """A film of 60 frames, at 25 a second, in one of many ways to store it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(60):
            rgb = cv2.resize(np.roll(painting(number // 20), number, axis=1), (96, 64))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode())
    if damaged:
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 600] = bytes(range(200)) * 3
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "codec", "options", "damaged"),
    [
        ("film.ts", "mpeg2video", {"g": "12", "bf": "2"}, False),
        ("film.avi", "mpeg4", {"g": "20", "bf": "2"}, False),
        ("film.mkv", "libx264", {"g": "24", "x264-params": "open-gop=1:bframes=3"}, False),
        ("film.mkv", "libx264", {"g": "24", "x264-params": "open-gop=1:bframes=3"}, True),
    ],
)
def test_films_of_many_kinds_are_gone_on_with(tmp_path, monkeypatch, run, name, codec, options, damaged):
    make_in(tmp_path / name, codec, options, damaged)
    arguments = (tmp_path / name, "--rate", 5, "--height", 32, "--width", 64, "--out")
    code = run(SCRIPT, *arguments, tmp_path / "whole")[0]
    whole, write = contents(tmp_path / "whole"), movies.write_picture
    pictures = len(names(tmp_path / "whole", "movies_train"))
    assert code == (3 if damaged else 0) and (pictures == 12 or damaged)
    for stop in (1, 4, pictures - 1):
        out, left = tmp_path / f"out{stop}", iter(range(stop))

        def fail(path, rgb, left=left):
            if next(left, None) is None:
                raise InputError("stopped")
            write(path, rgb)

        monkeypatch.setattr(movies, "write_picture", fail)
        assert run(SCRIPT, *arguments, out)[0] == 2
        monkeypatch.setattr(movies, "write_picture", write)
        assert run(SCRIPT, *arguments, out)[0] == code
        assert contents(out) == whole


def test_other_options_make_them_again(film, tmp_path, run):
    assert run(SCRIPT, film, "--out", tmp_path, "--rate", "5")[0] == 0
    assert len(names(tmp_path, "movies_train")) == 25
    assert run(SCRIPT, film, "--out", tmp_path)[0] == 0
    assert len(names(tmp_path, "movies_train")) == len(rows(tmp_path)) == 10


@pytest.mark.slow
def test_killed_at_any_moment_and_continued_it_is_the_same(tmp_path, run):
    films, whole, out = tmp_path / "films", tmp_path / "whole", tmp_path / "out"
    for i in range(2):
        make_film(films / f"film{i}.mp4", [(painting(10 * i + j), 40) for j in range(4)])
    options = ("--rate", 5, "--train-minutes", "1/6")
    assert run(SCRIPT, films, "--out", whole, "--workers", 1, *options)[0] == 0
    for number, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 143)):
        before = len(list(out.glob("movies_*/*.jpg")))
        process = start(films, "--out", out, "--workers", 2, *options)
        while process.poll() is None and len(list(out.glob("movies_*/*.jpg"))) < before + 20:
            time.sleep(0.005)
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == code
    assert len(list(out.glob("movies_*/*.jpg"))) < len(list(whole.glob("movies_*/*.jpg"))) == 160
    process = start(films, "--out", out, *options)
    assert process.wait(timeout=120) == 0, process.stderr.read()
    assert contents(out) == contents(whole)
