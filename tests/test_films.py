"""Films made by code: two shots of moving shapes, frames of uneven length, a tone, subtitles, and damage to them."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from fractions import Fraction
from functools import partial

import av
import cv2
import numpy as np
import pytest
from conftest import ROOT, write_picture
from failing_disk import fail_where_read

from historynet.errors import BusyError, InputError, PictureError
from historynet.films import FilmOptions, colorize_film, joining, same_container, segments
from historynet.films.steadying import LOOK_BACK, Steadier, find_cuts
from historynet.parallel import in_background
from historynet.pictures import color

BASE = Fraction(1, 12_800)
CUT = 17
FRAMES = 40


class Painter:
    """A colorizer of vivid colours that follow from the luminance and, for every frame another, from their count."""

    size = (64, 64)

    def __init__(self, flicker=0.0, stop_after=None):
        self.seen = 0
        self.flicker = flicker
        self.stop_after = stop_after

    def digest(self):
        return "painter"

    def predict_ab(self, luminance):
        ab = []
        for picture in luminance[..., 0]:
            # What flickers does not follow from how often it was asked, or a continued run would differ.
            noise = self.flicker * np.sin(1e4 * picture.mean())
            ab.append(np.stack([0.7 - 0.2 * picture, 0.35 + 0.1 * picture + noise], axis=-1))
        self.seen += len(ab)
        if self.stop_after is not None and self.seen > self.stop_after:
            raise KeyboardInterrupt
        return np.array(ab, np.float32)


class RectanglePainter(Painter):
    """Sees (48, 80): a grows from left to right, b from top to bottom; remembers the first picture it saw."""

    size = (48, 80)
    first = None

    def predict_ab(self, luminance):
        assert luminance.shape[1:] == (48, 80, 1)
        super().predict_ab(luminance)
        self.first = luminance[0, ..., 0] if self.first is None else self.first
        rows, columns = np.mgrid[0.42:0.58:48j, 0.42:0.58:80j]
        return np.array([np.stack([columns, rows], axis=-1)] * len(luminance), np.float32)


def luma(number, width, height):
    """Y of a frame: texture that moves to the right by a pixel a frame, dark in the first shot, light in the second."""
    rng = np.random.default_rng(number >= CUT)
    texture = cv2.resize(rng.integers(0, 90, (height // 6, width // 6), np.uint8), (width, height))
    return np.roll(texture, number, axis=1) + np.uint8(130 if number >= CUT else 20)


def times():
    """Of the frames, in ticks: uneven, and not from 0 on."""
    return 512 + np.cumsum([0, *np.random.default_rng(0).integers(300, 900, FRAMES - 1)])


def make_film(path, size=(96, 64), tone=True, subtitles=None, tags=(1, 1), rotation=0, codec="libx264", options=None):
    """Writes a film; returns its frames' times in seconds."""
    with av.open(str(path), "w", container_options=options or {}) as container:
        stream = container.add_stream(codec, 25, {"crf": "10", "g": "8", "bf": "2"} if codec == "libx264" else {})
        stream.width, stream.height = size[0] + size[0] % 2, size[1] + size[1] % 2
        context = stream.codec_context
        variable = path.suffix in (".mp4", ".mkv", ".mov")
        context.time_base = stream.time_base = BASE if variable else Fraction(1, 25)
        context.color_range, context.colorspace = tags
        context.sample_aspect_ratio = Fraction(4, 3)
        stream.metadata["language"] = "deu"
        container.metadata["title"] = "Moving shapes"
        container.metadata["comment"] = "made by code"
        if rotation:
            stream.set_display_rotation(rotation)
        if tone:
            sound = container.add_stream("aac", 48_000)
        if subtitles:
            written = av.open(str(subtitles))
            texts = container.add_stream_from_template(written.streams[0])
        for number, time in enumerate(times()):
            y = luma(number, stream.width, stream.height)
            yuv = np.concatenate([y, np.full((stream.height // 2, stream.width), 128, np.uint8)])
            frame = av.VideoFrame.from_ndarray(yuv, "yuv420p")
            frame.pts, frame.time_base = (int(time) if variable else number), context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for start in range(0, 96_000 if tone else 0, 1024):
            wave = np.sin(np.arange(start, start + 1024) * 0.05, dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
            frame.rate, frame.pts = 48_000, start
            container.mux(sound.encode(frame))
        if tone:
            container.mux(sound.encode())
        for packet in written.demux() if subtitles else ():
            if packet.size:
                packet.stream = texts
                container.mux(packet)
    return times() * float(BASE)


def read(path):
    """(frames as 4:2:0, times in seconds) of a film."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray() for frame in frames], np.array([frame.time for frame in frames])


def packets(path, kind):
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(**{kind: 0}) if packet.size]
        return [(bytes(packet), float(packet.pts * packet.time_base)) for packet in found]


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr(segments, "SHORTEST", 6)
    monkeypatch.setattr(segments, "LONGEST", 12)


@pytest.mark.parametrize(
    ("range_", "matrix", "weights"), [(1, 1, (0.2126, 0.0722)), (1, 6, (0.299, 0.114)), (2, 1, (0.2126, 0.0722))]
)
def test_luma_is_kept_and_chrominance_is_that_of_a_picture(tmp_path, range_, matrix, weights):
    make_film(tmp_path / "film.mp4", tags=(range_, matrix))
    report = colorize_film(
        Painter(), tmp_path / "film.mp4", tmp_path / "result.mp4", FilmOptions(steadiness=0, crf=4, provenance="by us")
    )
    assert (report.frames, report.notes, report.damage) == (FRAMES, [], [])
    before, after = read(tmp_path / "film.mp4")[0], read(tmp_path / "result.mp4")[0]
    for number in (0, CUT - 1, CUT, FRAMES - 1):
        y, result = before[number][:64], after[number]
        assert psnr(y, result[:64]) > 44
        gray = y if range_ == 2 else np.rint((y - 16.0) * 255 / 219).clip(0, 255).astype(np.uint8)
        rgb = np.dstack([gray] * 3)
        lab = color.network_lab(rgb, (64, 64))
        coloured = color.with_chrominance(rgb, Painter().predict_ab(lab[None, ..., :1])[0]) / 255
        # ITU-R BT.601 and BT.709, in floating point.
        red, blue = weights
        luminance = coloured @ [red, 1 - red - blue, blue]
        scale = 255 if range_ == 2 else 224
        u = 128 + scale * (coloured[..., 2] - luminance) / (2 * (1 - blue))
        v = 128 + scale * (coloured[..., 0] - luminance) / (2 * (1 - red))
        for plane, expected in zip(result[64:].reshape(2, 32, 48), (u, v), strict=True):
            assert np.abs(plane - cv2.resize(expected, (48, 32), interpolation=cv2.INTER_AREA)).mean() < 1.2
            assert np.abs(expected - 128).max() > 8
    with av.open(str(tmp_path / "result.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_range, context.colorspace) == (range_, matrix)
        assert context.name == "h264"
        assert container.metadata["comment"] == "made by code; by us"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_all_else_is_kept(tmp_path, suffix):
    subtitles = None
    if suffix == ".mkv":
        subtitles = tmp_path / "texts.srt"
        subtitles.write_text("1\n00:00:00,200 --> 00:00:00,900\nHello\n\n2\n00:00:01,000 --> 00:00:01,500\nGood bye\n")
    film, result = tmp_path / f"film{suffix}", tmp_path / f"result{suffix}"
    shown = make_film(film, subtitles=subtitles)
    report = colorize_film(Painter(), film, result)
    assert (report.notes, report.damage) == ([], [])
    # Matroska counts in milliseconds.
    np.testing.assert_allclose(read(result)[1], shown, atol=6e-4 if suffix == ".mkv" else 1e-9)
    assert packets(result, "audio") == packets(film, "audio")
    if subtitles:
        assert [text for text, _ in packets(result, "subtitles")] == [b"Hello", b"Good bye"]
        assert packets(result, "subtitles") == packets(film, "subtitles")
    with av.open(str(film)) as before, av.open(str(result)) as after:
        assert after.metadata.get("title", after.metadata.get("TITLE")) == "Moving shapes"
        old, new = before.streams.video[0], after.streams.video[0]
        assert new.sample_aspect_ratio == old.sample_aspect_ratio == Fraction(4, 3)
        assert new.metadata.get("language") == old.metadata.get("language")
        assert (new.width, new.height) == (96, 64)
    assert sorted(path.name for path in tmp_path.iterdir() if path != subtitles) == [film.name, result.name]


@pytest.mark.parametrize(("width", "height"), [(96, 64), (64, 96)])
def test_a_network_may_see_rectangles(tmp_path, width, height):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film, size=(width, height))
    # More would carry the colours along with what moves.
    options = FilmOptions(steadiness=0.5)
    painter = RectanglePainter(stop_after=33)
    with pytest.raises(KeyboardInterrupt):
        colorize_film(painter, film, result, options)
    # L is nearly a straight line of Y.
    seen = cv2.resize(read(film)[0][0][:height], (80, 48))
    assert np.corrcoef(seen.ravel(), painter.first.ravel())[0, 1] > 0.99
    # The state of the colours, too, is a rectangle.
    assert colorize_film(RectanglePainter(), film, result, options).continued > 0
    with av.open(str(result)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == FRAMES
    for picture in pictures:
        assert picture.shape == (height, width, 3)
        lab = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab).astype(float)
        a, b = lab[..., 1], lab[..., 2]
        expected = 255 * np.linspace(0.42, 0.58, width), 255 * np.linspace(0.42, 0.58, height)
        assert np.abs(a.mean(axis=0) - expected[0]).mean() < 2
        assert np.abs(b.mean(axis=1) - expected[1]).mean() < 2


@pytest.mark.parametrize("stop_after", [9, 20, 33])
def test_a_run_that_was_stopped_goes_on_and_makes_the_same(tmp_path, stop_after):
    film = tmp_path / "film.mp4"
    make_film(film)
    colorize_film(Painter(0.05), film, tmp_path / "whole.mp4")
    result = tmp_path / "result.mp4"
    with pytest.raises(KeyboardInterrupt):
        colorize_film(Painter(0.05, stop_after), film, result)
    assert not result.exists()
    painter, counted = Painter(0.05), []
    report = colorize_film(painter, film, result, progress=counted.append)
    assert report.continued == counted[0]
    assert report.continued == {9: 0, 20: 12, 33: 24}[stop_after]
    assert painter.seen == FRAMES - report.continued
    assert sum(counted) == report.frames == FRAMES
    for a, b in zip(read(result), read(tmp_path / "whole.mp4"), strict=True):
        np.testing.assert_array_equal(a, b)
    assert result.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "result.mp4", "whole.mp4"]


def test_a_killed_run_goes_on(tmp_path):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    colorize_film(Painter(), film, tmp_path / "whole.mp4")
    script = (
        "import sys, time; sys.path.insert(0, 'tests'); from pathlib import Path\n"
        "from test_films import Painter, colorize_film, segments\n"
        "segments.SHORTEST, segments.LONGEST = 6, 12\n"
        "class Slow(Painter):\n"
        "    def predict_ab(self, luminance):\n"
        "        time.sleep(0.3)\n"
        "        return super().predict_ab(luminance)\n"
        f"colorize_film(Slow(), Path({str(film)!r}), Path({str(result)!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        while not list(tmp_path.glob(".*/000001.nut")):
            assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not result.exists()
    assert colorize_film(Painter(), film, result).continued >= 17
    assert result.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_segments_of_other_settings_are_not_used(tmp_path):
    make_film(tmp_path / "film.mp4")
    with pytest.raises(KeyboardInterrupt):
        colorize_film(Painter(0, 33), tmp_path / "film.mp4", tmp_path / "result.mp4")
    report = colorize_film(Painter(), tmp_path / "film.mp4", tmp_path / "result.mp4", FilmOptions(strength=0.5))
    assert report.continued == 0


def test_two_processes_do_not_make_one_result(tmp_path):
    make_film(tmp_path / "film.mp4")

    def again(count):
        with pytest.raises(BusyError, match="another process is making"):
            colorize_film(Painter(), tmp_path / "film.mp4", tmp_path / "result.mp4")

    assert colorize_film(Painter(), tmp_path / "film.mp4", tmp_path / "result.mp4", progress=again).frames == FRAMES


def test_a_film_that_another_process_makes_is_an_error_of_that_film_alone(tmp_path):
    for name in ("a", "b"):
        make_film(tmp_path / f"{name}.mp4")
    folder = tmp_path / ".a_result.mp4.unfinished"
    script = (
        "import sys; from pathlib import Path; from historynet import locks\n"
        f"with locks.lock(Path({str(folder)!r}), 'busy'):\n"
        f"    (Path({str(folder)!r}) / '000000.nut').write_text('of the other')\n"
        "    print('locked', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "locked\n"
        painter = Painter()
        with pytest.raises(BusyError, match=r"a_result\.mp4.*wait until it has ended") as raised:
            colorize_film(painter, tmp_path / "a.mp4", tmp_path / "a_result.mp4")
        # A picture that is refused takes its folder along; this one is another's.
        assert not isinstance(raised.value, PictureError)
        assert (folder / "000000.nut").read_text() == "of the other"
        assert painter.seen == 0
        assert colorize_film(Painter(), tmp_path / "b.mp4", tmp_path / "b_result.mp4").frames == FRAMES
    finally:
        other.communicate("", timeout=60)
    assert colorize_film(Painter(), tmp_path / "a.mp4", tmp_path / "a_result.mp4").frames == FRAMES
    assert read(tmp_path / "a_result.mp4")[0][0].shape == (96, 96)


def test_start_and_end(tmp_path):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    shown = make_film(film)
    colorize_film(Painter(), film, result, FilmOptions(start=0.6, end=1.2))
    wanted = (shown >= 0.6) & (shown < 1.2)
    frames, kept = read(result)
    np.testing.assert_allclose(kept, shown[wanted] - 0.6, atol=1e-9)
    for before, after in zip(np.array(read(film)[0])[wanted], frames, strict=True):
        assert psnr(before[:64], after[:64]) > 40
    sound = {content: time for content, time in packets(film, "audio") if 0.6 <= time < 1.2}
    assert [content for content, _ in packets(result, "audio")] == list(sound)
    np.testing.assert_allclose(
        [t for _, t in packets(result, "audio")], np.array(list(sound.values())) - 0.6, atol=8e-5
    )
    with pytest.raises(PictureError, match="no frame is between --start and --end"):
        colorize_film(Painter(), film, tmp_path / "none.mp4", FilmOptions(start=60))


def test_odd_sizes_are_made_even(tmp_path):
    # libx264 takes none; FFV1 does.
    with av.open(str(tmp_path / "film.mkv"), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 35, 21, "gray"
        pictures = np.random.default_rng(0).integers(0, 256, (3, 21, 35), np.uint8)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "gray")))
        container.mux(stream.encode())
    report = colorize_film(Painter(), tmp_path / "film.mkv", tmp_path / "result.mkv", FilmOptions(crf=1))
    assert "35x21" in report.notes[0]
    for before, after in zip(pictures, read(tmp_path / "result.mkv")[0], strict=True):
        assert after.shape == (33, 36)
        assert psnr(before, after[:21, :35]) > 43


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_frames_are_turned_upright(tmp_path, rotation):
    make_film(tmp_path / "film.mp4", rotation=rotation)
    with av.open(str(tmp_path / "film.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == rotation or abs(frame.rotation) == rotation == 180
    report = colorize_film(Painter(), tmp_path / "film.mp4", tmp_path / "result.mp4")
    assert "turned upright" in report.notes[0]
    with av.open(str(tmp_path / "result.mp4")) as container:
        result = next(container.decode(video=0))
        assert result.rotation == 0
        assert container.streams.video[0].sample_aspect_ratio == (Fraction(4, 3) if rotation == 180 else Fraction(3, 4))
        # The display matrix turns counterclockwise, as np.rot90 does.
        expected = np.rot90(frame.to_ndarray()[:64], rotation // 90)
        assert psnr(expected, result.to_ndarray()[: len(expected)]) > 40


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "mpeg4"), ("a.ts", "mpeg2video"), ("a.mpg", "mpeg1video"), ("a.mkv", "ffv1")]
)
def test_other_containers_and_codecs(tmp_path, name, codec):
    make_film(tmp_path / name, codec=codec, tone=False)
    result = tmp_path / f"result{same_container(tmp_path / name)}"
    assert result.suffix == ".mkv"
    report = colorize_film(Painter(), tmp_path / name, result)
    assert (report.frames, report.damage) == (FRAMES, [])
    before, after = read(tmp_path / name), read(result)
    assert psnr(before[0][5][:64], after[0][5][:64]) > 40
    np.testing.assert_allclose(np.diff(after[1]), np.diff(before[1]), atol=1.1e-3)


def test_another_encoder(tmp_path):
    shown = make_film(tmp_path / "film.mp4")
    colorize_film(Painter(), tmp_path / "film.mp4", tmp_path / "result.mp4", FilmOptions(codec="libvpx-vp9"))
    frames, kept = read(tmp_path / "result.mp4")
    np.testing.assert_allclose(kept, shown, atol=1e-9)
    assert psnr(read(tmp_path / "film.mp4")[0][30][:64], frames[30][:64]) > 38


def damaged(path):
    """Bad films by name, and what is said of each."""
    make_film(path / "good.mp4")
    whole = (path / "good.mp4").read_bytes()
    (path / "empty.mp4").write_bytes(b"")
    (path / "text.mp4").write_text("Dear Sir or Madam,\n" * 50)
    (path / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{path / 'good.mp4'}'\n")
    (path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (path / "folder.mp4").mkdir()
    os.mkfifo(path / "pipe.mp4")
    with av.open(str(path / "sound.mkv"), "w") as container:
        sound = container.add_stream("aac", 48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.rate = 48_000
        container.mux([*sound.encode(frame), *sound.encode()])
    write_picture(path / "picture.png")
    (path / "picture.png").rename(path / "picture.mkv")
    return {
        "empty.mp4": "the file is empty",
        "text.mp4": "not a film that can be read",
        "list.mp4": "not a film that can be read",
        "cut.mp4": "not a film that can be read",
        "folder.mp4": "not a regular file",
        "pipe.mp4": "not a regular file",
        "sound.mkv": "there is no video in it",
        "picture.mkv": "not a film that can be read",
        "missing.mp4": "cannot be read",
    }


def test_what_is_no_film_is_refused(tmp_path):
    for name, message in damaged(tmp_path).items():
        with pytest.raises(PictureError, match=rf"{name}: .*{message}"):
            colorize_film(Painter(), tmp_path / name, tmp_path / "out/result.mp4")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_film_that_ends_early_is_done_as_far_as_it_goes(tmp_path, suffix, tenth):
    film = tmp_path / f"film{suffix}"
    make_film(film, tone=suffix != ".ts", options={"movflags": "faststart"} if suffix == ".mp4" else {})
    whole = film.read_bytes()
    film.write_bytes(whole[: len(whole) * tenth // 10])
    result = tmp_path / "result.mkv"
    try:
        report = colorize_film(Painter(), film, result)
    except PictureError as error:
        # Nothing but headers is left.
        assert re.search("no frame can be decoded|not a film that can be read|no video", str(error))
        assert tenth < 4
        assert not result.exists()
        return
    assert len(read(result)[0]) == report.frames
    if report.frames < FRAMES - 13 and suffix != ".ts":
        assert report.damage


def test_a_damaged_film_is_done_around_the_damage(tmp_path):
    film = tmp_path / "film.mp4"
    make_film(film, tone=False, options={"movflags": "faststart"})
    data = bytearray(film.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = np.random.default_rng(0).bytes(300)
    film.write_bytes(data)
    report = colorize_film(Painter(), film, tmp_path / "result.mp4")
    assert FRAMES // 2 < report.frames <= FRAMES
    assert report.damage
    frames, shown = read(tmp_path / "result.mp4")
    assert len(frames) == report.frames
    assert (np.diff(shown) > 0).all()


def test_what_cannot_be_encoded_is_refused_before_the_work(tmp_path):
    make_film(tmp_path / "film.mp4")
    painter = Painter()
    with pytest.raises(
        PictureError, match=r"a .mov file holds no video of 96x64 pixels by libvpx-vp9 .*try --film-format"
    ):
        colorize_film(painter, tmp_path / "film.mp4", tmp_path / "result.mov", FilmOptions(codec="libvpx-vp9"))
    with pytest.raises(PictureError, match=r"96x64 pixels are more than 0.001 megapixels"):
        colorize_film(painter, tmp_path / "film.mp4", tmp_path / "result.mp4", FilmOptions(max_megapixels=0.001))
    assert painter.seen == 0
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize(("limit", "finished"), [(3_000, 0), (42_000, 4)])
def test_a_full_disk_is_no_fault_of_the_film(tmp_path, limit, finished):
    """The first limit stops a segment, the second the joined result."""
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(InputError, match=r"cannot be written \(File too large\)") as raised:
            colorize_film(Painter(), film, result)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not isinstance(raised.value, PictureError)
    assert not result.exists()
    assert len(list(tmp_path.glob(".*/*.nut"))) == finished
    if finished:
        # --debug shows it.
        assert raised.value.__cause__.errno == errno.EFBIG
    assert colorize_film(Painter(), film, result).continued == (FRAMES if finished else 0)


def begin_at(patch, stage, begin):
    """Calls a function when a film is opened, when its first segment is to be made, or when the result is joined."""
    if stage == "opening":
        begin()
        return
    name = {"colorizing": "check_container", "joining": "join"}[stage]
    real = getattr(joining, name)

    def begun(*arguments):
        begin()
        return real(*arguments)

    patch.setattr(joining, name, begun)


@pytest.mark.parametrize(("stage", "tenth"), [("opening", 5), ("colorizing", 0), ("colorizing", 4), ("colorizing", 8)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_film_that_the_disk_does_not_give_is_not_damaged(tmp_path, monkeypatch, suffix, stage, tenth):
    """What is finished of it stays, and when the disk is back the result is what it would have been."""
    film, result = tmp_path / f"film{suffix}", tmp_path / "result.mp4"
    make_film(film, tone=suffix != ".ts", options={"movflags": "faststart"} if suffix == ".mp4" else {})
    # Of so short a film nothing would be left that was not tried.
    monkeypatch.setattr(joining, "_TRIED", 10)
    colorize_film(Painter(), film, tmp_path / "whole.mp4")
    start = film.stat().st_size * tenth // 10
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    with monkeypatch.context() as patch:
        begin_at(patch, stage, lambda: fail_where_read(patch, film, range(start, start + 512), error))
        with pytest.raises(PictureError, match=rf"^{film}: cannot be read \(Input/output error\)$") as raised:
            colorize_film(Painter(), film, result)
    assert raised.value.__cause__.errno == errno.EIO
    assert not result.exists()
    finished = len(list(tmp_path.glob(".*/*.nut")))
    # A transport stream's end is read when it is opened: there stands how long it is.
    assert finished or stage == "opening" or tenth < 8 or suffix == ".ts"
    report = colorize_film(Painter(), film, result)
    assert bool(report.continued) == bool(finished)
    assert not report.damage
    assert result.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_sound_that_the_disk_does_not_give_is_not_left_out(tmp_path, monkeypatch):
    """Nobody would miss it before the film is heard. The video is finished, and stays."""
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    size = film.stat().st_size
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    with monkeypatch.context() as patch:
        begin_at(patch, "joining", lambda: fail_where_read(patch, film, range(size // 2, size // 2 + 512), error))
        with pytest.raises(PictureError, match=rf"^{film}: cannot be read \(Input/output error\)$"):
            colorize_film(Painter(), film, result)
    assert not result.exists()
    assert colorize_film(Painter(), film, result).continued == FRAMES
    assert packets(result, "audio")


class Strained:
    """One of libav's objects, of which one method finds too little memory.

    Args:
        real: the object.
        method: name of the method.
        after: calls that go well before.
    """

    def __init__(self, real, method, after=0):
        self._real, self._method, self._after = real, method, after

    def __enter__(self):
        self._real.__enter__()
        return self

    def __exit__(self, *error):
        return self._real.__exit__(*error)

    def __getattr__(self, name):
        value = getattr(self._real, name)
        return partial(self._call, value) if name == self._method else value

    def _call(self, method, *arguments, **options):
        self._after -= 1
        if self._after < 0:
            raise av.error.MemoryError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return method(*arguments, **options)


class Undecodable(Strained):
    """A container of whose packets one can't be decoded for lack of memory."""

    def _call(self, method, *arguments, **options):
        number = 0
        for packet in method(*arguments, **options):
            number += packet.stream.type == "video"
            yield Strained(packet, "decode") if number == self._after else packet
            number += number == self._after


@pytest.mark.parametrize(
    ("stage", "mode", "strain"),
    [
        ("colorizing", "r", lambda container: Strained(container, "demux")),
        ("colorizing", "r", lambda container: Strained(container, "seek")),
        ("colorizing", "r", lambda container: Undecodable(container, "demux", 20)),
        ("colorizing", "w", lambda container: Strained(container, "mux")),
        ("colorizing", "w", lambda container: Strained(container, "mux", 20)),
        ("joining", "r", lambda container: Strained(container, "demux")),
        ("joining", "r", lambda container: Strained(container, "seek")),
        ("joining", "w", lambda container: Strained(container, "mux", 3)),
        ("joining", "w", lambda container: Strained(container, "add_stream_from_template", 1)),
    ],
    ids=["demux", "seek", "decode", "mux first", "mux", "demux sound", "seek sound", "mux result", "add sound"],
)
def test_too_little_memory_is_not_damage(tmp_path, monkeypatch, stage, mode, strain):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    # What is cut at its start is sought.
    options = FilmOptions(start=0.2)
    colorize_film(Painter(), film, tmp_path / "whole.mp4", options)
    real = av.open

    def opened(file, how="r", **others):
        container = real(file, how, **others)
        # Segments are read as well.
        is_strained = how == mode and (how == "w" or str(film) in str(getattr(file, "name", file)))
        return strain(container) if is_strained else container

    with monkeypatch.context() as patch:
        begin_at(patch, stage, lambda: patch.setattr(av, "open", opened))
        with pytest.raises(InputError, match=rf"^{film}: there is not enough memory for it$"):
            colorize_film(Painter(), film, result, options)
    assert not result.exists()
    assert colorize_film(Painter(), film, result, options).damage == []
    assert result.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.parametrize("limit", [900, 1_100])
def test_a_disk_that_is_full_at_once_is_no_fault_of_the_container(tmp_path, limit):
    """A film of one frame is tried first."""
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(InputError, match=r"cannot be written \(File too large\)"):
            colorize_film(Painter(), film, result)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert colorize_film(Painter(), film, result).frames == FRAMES


def no_zip(path):
    path.unlink()
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.with_suffix(".npy").rename(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"frames.npy", b"fra_es.npy")),
        lambda path: path.write_bytes(path.read_bytes().replace(b"'descr'", b"'desc':")),
        lambda path: path.unlink(),
        no_zip,
    ],
    ids=["empty", "zeros", "cut", "another name", "header", "gone", "no zip"],
)
def test_a_film_whose_work_folder_is_damaged_is_begun_anew_and_says_so(tmp_path, damage):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    colorize_film(Painter(0.05), film, tmp_path / "whole.mp4")
    with pytest.raises(KeyboardInterrupt):
        colorize_film(Painter(0.05, 33), film, result)
    (place,) = tmp_path.glob(".*/*.npz")
    damage(place)
    report = colorize_film(Painter(0.05), film, result)
    assert (report.continued, report.frames) == (0, FRAMES)
    assert any(re.search("where an earlier run had stopped .*begun anew", note) for note in report.notes)
    assert report.damage == []
    assert result.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_work_folder_that_the_disk_does_not_give_is_not_damaged(tmp_path, monkeypatch):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    with pytest.raises(KeyboardInterrupt):
        colorize_film(Painter(0, 33), film, result)
    (place,) = tmp_path.glob(".*/*.npz")
    size = place.stat().st_size
    with monkeypatch.context() as patch:
        fail_where_read(patch, place, range(size - 30, size), OSError(errno.EIO, os.strerror(errno.EIO)))
        with pytest.raises(InputError, match=rf"^{place}: cannot be read \(Input/output error\)$"):
            colorize_film(Painter(), film, result)
    assert colorize_film(Painter(), film, result).continued == 24


def test_segments_whose_record_is_damaged_are_not_used(tmp_path):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    with pytest.raises(KeyboardInterrupt):
        colorize_film(Painter(0, 33), film, result)
    (record,) = tmp_path.glob(".*/record.json")
    record.write_bytes(b"\xff" * 100)
    assert colorize_film(Painter(), film, result).continued == 0


def test_cuts():
    frames = [luma(number, 64, 64) for number in range(FRAMES)]
    cuts = [cut for _, cut in find_cuts(frames, lambda frame: frame)]
    assert [number for number, cut in enumerate(cuts) if cut] == [CUT]
    # A continued run judges as one that has seen all.
    for start in range(CUT + 1):
        later = [cut for _, cut in find_cuts(frames[start:], lambda frame: frame)]
        assert later[LOOK_BACK:] == cuts[start + LOOK_BACK :]


def test_steadying_a_still_picture_is_a_recursive_average():
    still = luma(0, 64, 64)
    predicted = np.random.default_rng(0).random((6, 64, 64, 2), np.float32)
    steadier = Steadier(0.75)
    steadied = [steadier(still, ab, cut=number == 4) for number, ab in enumerate(predicted)]
    expected = predicted[0]
    for number in (1, 2, 3):
        expected = 0.75 * expected + 0.25 * predicted[number]
        np.testing.assert_allclose(steadied[number], expected, atol=1e-5)
    np.testing.assert_array_equal(steadied[4], predicted[4])
    np.testing.assert_allclose(steadied[5], 0.75 * predicted[4] + 0.25 * predicted[5], atol=1e-5)


def test_without_steadiness_every_frame_is_as_predicted():
    ab = np.random.default_rng(0).random((2, 64, 64, 2), np.float32)
    steadier = Steadier(0)
    for number in (0, 1):
        np.testing.assert_array_equal(steadier(luma(number, 64, 64), ab[number], cut=False), ab[number])


def test_colours_move_with_what_they_belong_to():
    colours = cv2.resize(np.random.default_rng(1).random((8, 8, 2), np.float32), (64, 64))
    steadier = Steadier(1.0)
    steadier(luma(0, 64, 64), colours, cut=True)
    gray = np.full((64, 64, 2), 0.5, np.float32)
    moved = steadier(luma(3, 64, 64), gray, cut=False)
    inner = np.s_[8:-8, 8:-8]
    expected = np.roll(colours, 3, axis=1)[inner]
    assert np.abs(moved[inner] - expected).mean() < 0.25 * np.abs(colours[inner] - expected).mean()
    # What the motion does not explain is as predicted.
    np.testing.assert_allclose(steadier(255 - luma(3, 64, 64), colours, cut=False)[inner], colours[inner], atol=0.05)


def test_reading_and_steadying_need_no_network():
    script = (
        "import sys, historynet.films.reading, historynet.films.steadying\n"
        "print([name for name in sys.modules if name in ('keras', 'tensorflow') or 'colorizing' in name])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True) == "[]\n"


def test_in_background():
    assert list(in_background(range(20), 3)) == list(range(20))

    def failing():
        yield 1
        raise PictureError("broken")

    items = in_background(failing(), 4)
    assert next(items) == 1
    with pytest.raises(PictureError, match="broken"):
        next(items)


COLORIZE = "SOURCE_HistoryNet/colorization.py"


def test_a_folder_of_pictures_and_films(run, model, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    damaged(folder)
    (folder / "missing").mkdir()
    write_picture(folder / "photo.jpg")
    arguments = (COLORIZE, "--pretrained", model, "--result-dir", out, "--no-provenance", folder)
    code, printed, messages = run(*arguments)
    assert code == 3
    assert "2 colorized" in printed
    names = [".historynet.jsonl", "good_reconstructed.mp4", "photo_reconstructed.jpg"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert messages.count("skipped: ") == 8
    with av.open(str(out / "good_reconstructed.mp4")) as container:
        assert container.metadata["comment"] == "made by code"
    before = (out / "good_reconstructed.mp4").stat().st_mtime_ns
    code, _, messages = run(*arguments)
    assert code == 2
    assert "--skip-existing" in messages
    code, printed, _ = run(*arguments, "--skip-existing")
    assert code == 3
    assert "2 there already" in printed
    assert (out / "good_reconstructed.mp4").stat().st_mtime_ns == before


def test_options_of_films(run, model, tmp_path):
    make_film(tmp_path / "film.mp4")
    arguments = (COLORIZE, "--pretrained", model, "--result-dir", tmp_path / "out", tmp_path / "film.mp4")
    for _ in range(2):
        code, _, _ = run(*arguments, "--preview", "0.5", "--start", "0:00:00.4", "--film-format", "mkv")
        assert code == 0
    _, shown = read(tmp_path / "out/film_preview.mkv")
    assert 0 <= shown[0] < 0.1
    assert 0.4 < shown[-1] < 0.5
    with av.open(str(tmp_path / "out/film_preview.mkv")) as container:
        assert re.search(r"made by code; colourised by HistoryNet .*tiny.keras", container.metadata["COMMENT"])
    for wrong in (("--start", "x"), ("--steadiness", "2"), ("--crf", "-1"), ("--end", "1:2:3:4"), ("--codec", "h264")):
        code, _, messages = run(*arguments, *wrong)
        assert code == 2
        assert wrong[0] in messages
    for wrong in ("9:99", "1:60:00", "0:00:60.5"):
        code, _, messages = run(*arguments, "--start", wrong)
        assert code == 2 and f"--start: '{wrong}': behind a colon there are fewer than 60" in messages


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(run, model, tmp_path, monkeypatch, number, code):
    make_film(tmp_path / "film.mp4")
    finish = segments.WorkFolder.add

    def add(work, write):
        finish(work, write)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(segments.WorkFolder, "add", add)
    arguments = (COLORIZE, "--pretrained", model, "--result-dir", tmp_path / "out", tmp_path / "film.mp4")
    ended, _, messages = run(*arguments)
    assert ended == code
    assert f"stopped by {signal.Signals(number).name}" in messages
    assert not list((tmp_path / "out").glob("*.mp4"))
    monkeypatch.setattr(segments.WorkFolder, "add", finish)
    ended, printed, _ = run(*arguments)
    assert ended == 0
    assert "frames were there already" in printed
