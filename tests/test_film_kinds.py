"""Films of particular kinds: fields, telecine, sizes that change, timecodes, chapters, sound that cannot be kept."""

from fractions import Fraction

import av
import fuzz_films
import fuzzing
import numpy as np
import pytest
from test_film_matrix import CASES, make, seen
from test_films import FRAMES, Painter, make_film, read

from historynet.errors import PictureError
from historynet.films import FilmOptions, colorize_film, joining, segments, sound, streams


def case(name):
    return next(one for one in CASES if one.name == name)


def frames_through(filters, frames):
    """What libav's filters make of frames of 4:2:0."""
    graph = av.filter.Graph()
    form = {"video_size": "96x64", "pix_fmt": "yuv420p", "time_base": "1001/24000", "frame_rate": "24000/1001"}
    nodes = [graph.add("buffer", **form), *(graph.add(*link) for link in filters), graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    for number, picture in enumerate([*frames, None]):
        if picture is not None:
            gray = np.full((32, 96), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([picture, gray]), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1001, 24_000)
            picture = frame
        graph.vpush(picture)
        try:
            while True:
                yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            pass


def write_fields(path, frames, rate):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate, {"crf": "4", "flags": "+ildct+ilme"})
        stream.width, stream.height, stream.codec_context.field_order = 96, 64, 4
        stream.codec_context.time_base = 1 / rate
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def moving(number):
    """Y of a frame: blocks with sharp edges, of which those that move show fields as combs."""
    blocks = np.random.default_rng(0).integers(16, 236, (8, 12), np.uint8)
    return np.roll(np.kron(blocks, np.ones((8, 8), np.uint8)), 3 * number, axis=1)


def test_telecine_is_told_apart_and_undone(tmp_path):
    film, result = tmp_path / "film.mkv", tmp_path / "result.mkv"
    originals = [moving(number) for number in range(64)]
    write_fields(
        film, frames_through([("telecine", "pattern=23"), ("setfield", "tff")], originals), Fraction(30_000, 1001)
    )
    report = colorize_film(Painter(), film, result)
    assert [note.split(";")[0] for note in report.notes] == [
        "it is telecined: 24 frames a second are spread over the fields of 30"
    ]
    assert (report.frames, seen(result)[2]) == (80, "upper")
    report = colorize_film(Painter(), film, result, FilmOptions(deinterlace=True, crf=4))
    assert any("its own 24 frames" in note for note in report.notes)
    times, made, order = seen(result)
    assert order is None
    assert abs(report.frames - 64) <= 1
    assert np.median(np.diff(times)) == pytest.approx(1001 / 24_000, abs=1.1e-3)
    # Each is one of the film's own frames, without a row of another.
    for picture in made[5:-5]:
        best = min(np.square(picture / 256 - original).mean() for original in originals)
        assert 10 * np.log10(255**2 / best) > 34


def test_fields_become_whole_frames_where_that_is_wanted(tmp_path):
    film, result = tmp_path / "film.mkv", tmp_path / "result.mkv"
    frames = [np.where(np.arange(64)[:, None] % 2, moving(2 * n + 1), moving(2 * n)) for n in range(30)]
    write_fields(film, frames_through([("setfield", "tff")], frames), Fraction(25))
    report = colorize_film(Painter(), film, result)
    assert [note.split(";")[0] for note in report.notes] == ["it is interlaced, upper field first"]
    assert seen(result)[2] == "upper"
    report = colorize_film(Painter(), film, result, FilmOptions(deinterlace=True, crf=4))
    assert (report.frames, report.notes, report.damage) == (30, [], [])
    times, made, order = seen(result)
    assert order is None
    np.testing.assert_allclose(times, np.arange(30) / 25, atol=1.1e-3)

    def comb(pictures):
        """How much neighbouring rows differ against those that are two apart."""
        rows = np.array(pictures[5:25], float)
        return np.abs(np.diff(rows, axis=1)).mean() / np.abs(rows[:, 2:] - rows[:, :-2]).mean()

    assert comb(made) < 0.7 < 1 < comb(frames)


def test_a_change_of_size_in_the_middle_is_named_and_fitted(tmp_path):
    first, second, film = (tmp_path / name for name in ("first.ts", "second.ts", "film.ts"))
    make_film(first, codec="mpeg2video", tone=False)
    make_film(second, codec="mpeg2video", tone=False, size=(64, 64))
    film.write_bytes(first.read_bytes() + second.read_bytes())
    report = colorize_film(Painter(), film, tmp_path / "result.mkv")
    assert any("changes at" in note and "to 64x64" in note for note in report.notes)
    frames, _ = read(tmp_path / "result.mkv")
    assert len(frames) == report.frames > FRAMES + 20
    last = frames[-1][:64].astype(float)
    # Square among black borders: 64 of 96 columns, of the same pixel aspect.
    assert np.abs(last[:, :14] - 16).max() < 12
    assert np.abs(last[:, -14:] - 16).max() < 12
    assert last[:, 20:76].mean() > 100


def test_timecodes_of_later_frames():
    """Against counting them one by one, with the numbers left out that drop-frame timecodes leave out."""
    for fps, rate, mark in (
        (25, Fraction(25), ":"),
        (30, Fraction(30_000, 1001), ";"),
        (60, Fraction(60_000, 1001), ";"),
    ):
        texts = []
        for second in range(3_700):
            for frame in range(fps):
                is_left_out = mark == ";" and frame < fps // 15 and second % 60 == 0 and second // 60 % 10
                if not is_left_out:
                    texts.append(f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}{mark}{frame:02}")
        for count in (0, 1, 59, 1_798, 1_800, 17_981, 17_982, 50_000, 90_000):
            assert streams.shift_timecode(texts[0], count, rate) == texts[count]
            assert streams.shift_timecode(texts[1_700], count, rate) == texts[1_700 + count]
    assert streams.shift_timecode("tape 4", 3, Fraction(25)) is None


def test_an_excerpt_has_its_own_timecode(tmp_path):
    film, result = tmp_path / "e.mov", tmp_path / "result.mov"
    make(case("e.mov"), film)
    report = colorize_film(Painter(), film, result, FilmOptions(start=0.5))
    assert (report.notes, report.damage) == ([], [])
    with av.open(str(result)) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:00:00:12"


def test_chapters_are_kept_and_are_no_stream_that_is_left_out(tmp_path):
    plain, film, result = (tmp_path / name for name in ("plain.mp4", "film.mp4", "result.mp4"))
    make_film(plain)
    chapters = [
        {"id": i, "start": 500 * i, "end": 500 * (i + 1), "time_base": Fraction(1, 1000), "metadata": {"title": f"{i}"}}
        for i in range(3)
    ]
    with av.open(str(plain)) as source, av.open(str(film), "w") as container:
        copies = {s.index: container.add_stream_from_template(s, opaque=True) for s in source.streams}
        container.set_chapters(chapters)
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                container.mux(packet)
    with av.open(str(film)) as container:
        assert len(container.streams) == 3
        assert container.streams[2].type == "data"
    report = colorize_film(Painter(), film, result)
    assert (report.notes, report.damage) == ([], [])
    with av.open(str(result)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["0", "1", "2"]


def test_a_film_that_loses_its_sound_is_not_wholly_done(tmp_path, monkeypatch):
    film, result = tmp_path / "a.wmv", tmp_path / "result.mp4"
    make(case("a.wmv"), film)
    # No encoder will do.
    monkeypatch.setattr(sound, "encoders", lambda stream: ())
    report = colorize_film(Painter(), film, result)
    assert report.damage == ["its sound (stream 1, wmav2) is left out: a .mp4 file cannot hold it"]
    assert len(read(result)[0]) == report.frames


def test_sound_whose_rate_a_damaged_file_does_not_say_has_no_encoder(tmp_path):
    film = tmp_path / "a.wmv"
    make(case("a.wmv"), film)
    with av.open(str(film)) as container:
        assert sound.encoders(container.streams.audio[0])[0] == "aac"

    class Context:
        name, format, sample_rate, channels, bit_rate = "wmav2", None, 0, 2, 0

    class Stream:
        codec_context = Context()

    assert sound.encoders(Stream()) == ()


@pytest.fixture
def short_segments(monkeypatch):
    monkeypatch.setattr(segments, "SHORTEST", 6)
    monkeypatch.setattr(segments, "LONGEST", 12)


def test_a_joining_that_fails_costs_no_segment(tmp_path, monkeypatch, short_segments):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)

    def fail(*_):
        raise av.error.InvalidDataError(1, "Invalid data")

    with monkeypatch.context() as patch:
        patch.setattr(joining, "join", fail)
        with pytest.raises(PictureError):
            colorize_film(Painter(), film, result)
    assert len(list(tmp_path.glob(".*/*.nut"))) == 4
    painter = Painter()
    assert colorize_film(painter, film, result).continued == FRAMES
    assert painter.seen == 0


@pytest.mark.parametrize("number", [0, 1])
def test_a_segment_that_was_damaged_since_is_not_joined(tmp_path, short_segments, number):
    film, result = tmp_path / "film.mp4", tmp_path / "result.mp4"
    make_film(film)
    colorize_film(Painter(), film, tmp_path / "whole.mp4")
    with pytest.raises(KeyboardInterrupt):
        colorize_film(Painter(0, 33), film, result)
    path = sorted(tmp_path.glob(".*/*.nut"))[number]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    report = colorize_film(Painter(), film, result)
    assert report.continued == 0
    assert any("a finished segment is damaged or gone; it is begun anew" in note for note in report.notes)
    assert result.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_sound_that_leaps_far_behind_the_last_picture_is_damage_and_no_silence_up_to_there(tmp_path, monkeypatch):
    film, result = tmp_path / "film.vob", tmp_path / "result.mkv"
    make(case("a.vob"), film)
    data = film.read_bytes()
    plain = colorize_film(Painter(), film, tmp_path / "plain.mkv", FilmOptions())
    assert plain.damage == []
    # The PES header of the last packet of private stream 1, sound: 33 bits of time, of which the upper ones are raised.
    at = data.rindex(b"\x00\x00\x01\xbd")
    while not data[at + 7] & 0x80:
        at = data.rindex(b"\x00\x00\x01\xbd", 0, at)
    film.write_bytes(data[: at + 9] + bytes([data[at + 9] | 0x02]) + data[at + 10 :])
    report = colorize_film(Painter(), film, result, FilmOptions())
    assert [line for line in report.damage if "behind its last picture" in line]
    assert result.stat().st_size < 2 * (tmp_path / "plain.mkv").stat().st_size


def test_the_zero_of_a_clock_is_no_time_of_making():
    tags = {"title": "Moving shapes", "creation_time": "1970-01-01T00:00:00.000000Z"}
    assert streams.of_the_film(tags) == {"title": "Moving shapes"}
    tags["creation_time"] = "1998-05-06T07:08:09.000000Z"
    assert streams.of_the_film(tags) == tags


@pytest.mark.formats
@pytest.mark.slow
def test_mutated_films_of_all_kinds_hold_no_surprises():
    # 260 and 649 were faults once: sound without a rate, and a time far behind the last picture.
    numbers = (*range(60), 260, 649)
    report = fuzzing.run(fuzz_films.attempt, numbers, seconds=10, memory=fuzz_films.MEMORY, prepare=fuzz_films.prepare)
    assert not report.faults, report
    assert report.ends.total() == len(numbers)
    assert min(report.ends["refused"], report.ends["damaged"], report.ends["sound"]) > 0
