"""Films -> candidates -> pictures: small made films by hand, and the reference film."""

import csv
import json
import signal
import time
from fractions import Fraction
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable

import av
import cv2
import numpy as np
import pytest
from conftest import ROOT
from mhmd_films import RATE, SHOTS, gray, make_film, person, things, write_list

from historynet.collecting import bars, candidates, film_folders, manifest, sampling, scores
from historynet.collecting.candidates import Candidate, Seen, find, reduce
from historynet.films.options import FilmOptions
from historynet.films.skimming import skim

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[mhmd]'")

COLLECT, CHOOSE = "SOURCE_MHMD/collect.py", "SOURCE_MHMD/choose.py"


# Pictures


def test_reducing_is_the_mean_of_whole_squares():
    levels = np.random.default_rng(0).integers(0, 256, (11, 17), np.uint8)
    small = reduce(levels, 4)
    means = levels[:10, :16].reshape(5, 2, 8, 2).mean(axis=(1, 3))
    assert small.shape == (5, 8) and np.abs(small - means).max() <= 0.5
    assert reduce(levels, 6) is levels


def test_bars_are_dark_in_every_frame_that_is_light_enough():
    finder = bars.BarFinder()
    for level in (30, 200, 60):
        frame = np.full((100, 200), level, np.uint8)
        frame[:9], frame[:, 190:] = 12, 3
        frame[50:, :60] = 0
        finder.add(frame)
    # Odd widths are made even; the frame that is dark throughout says nothing.
    assert finder.bars() == sampling.Crop(10, 0, 0, 10) and finder.count == 2
    # In one frame there is something in the bar below: it is none.
    frame = np.full((100, 200), 10, np.uint8)
    frame[:20, :190] = 200
    finder.add(frame)
    assert finder.bars() == sampling.Crop(0, 0, 0, 10)


@pytest.mark.parametrize(("width", "bar"), [(1, 0), (2, 2), (3, 4), (30, 30), (31, 0), (60, 0)])
def test_bars_have_two_to_thirty_percent_of_a_side(width, bar):
    finder = bars.BarFinder()
    frame = np.full((100, 100), 200, np.uint8)
    frame[:width] = 0
    finder.add(frame)
    assert finder.bars() == sampling.Crop(bar, 0, 0, 0)
    assert bars.BarFinder().bars() == sampling.Crop()


def test_frames_are_kept_evenly_over_a_film_of_any_length():
    finder = bars.BarFinder(4)
    taken = []
    for number in range(100):
        if finder.is_next():
            taken.append(number)
            finder.add(np.full((10, 10), 255, np.uint8))
    assert [number for number, *_ in finder._kept] == [0, 16, 32, 48, 64, 80, 96]
    assert len(taken) < 30


# Slots


def seen(number, sharp, cut=False, rate=10):
    """A frame of a flat picture with some sharpness of its own; after a cut on a white ground."""
    luma = np.full((224, 224), 220 if cut else 30, np.uint8)
    luma[::2, ::2] += np.uint8(sharp)
    return Seen(Fraction(number, rate), number, None, luma)


def numbers(frames, rate=2.0, trim=2):
    return [(found.shot, found.slot, found.seen.frame) for found in find(frames, rate, trim)]


def test_of_each_slot_of_a_shot_the_sharpest_frame_is_taken(monkeypatch):
    """Cuts and sharpnesses are given: what is taken follows by hand."""
    # Five frames a slot. The ends of shots are the sharpest, and none is taken there.
    sharp = [99, 99, 1, 2, 1, 5, 5, 3, 99, 99, 99, 99, 7, 1, 1, 8, 8, 99, 99, 99, 99, 99, 99, 99, 4, 99, 99]
    cuts = {10, 19, 23}
    monkeypatch.setattr(scores, "sharpness", lambda luma: int(luma[0, 0]) - 30)
    monkeypatch.setattr(candidates, "find_cuts", lambda items, luma: ((one, one.frame in cuts) for one in items))
    frames = [seen(number, value) for number, value in enumerate(sharp)]
    # Shot 2 (19 to 22) has four frames, one fewer than two at each end leave; shot 3 (23 to 26) the same.
    assert numbers(frames) == [(0, 0, 3), (0, 1, 5), (1, 2, 12), (1, 3, 15)]
    assert numbers(frames, trim=1) == [(0, 0, 1), (0, 1, 8), (1, 2, 11), (1, 3, 17), (2, 4, 20), (3, 4, 24), (3, 5, 25)]
    assert numbers(frames, rate=0.1, trim=0) == [(0, 0, 0), (1, 0, 10), (2, 0, 19), (3, 0, 23)]


def test_shots_are_the_films_rooms(tmp_path):
    """A film of two shots of eleven frames: cut, slots and times."""
    path = make_film(tmp_path / "film.mp4", [("", person(), 11), ("", things(), 11)], rate=10)
    film = sampling.open_film(path)
    found = list(find(candidates.watch(film, sampling.Crop()), 2.0, 2))
    assert [(one.shot, one.slot) for one in found] == [(0, 0), (0, 1), (1, 2), (1, 3)]
    assert [int(one.seen.seconds * 2) for one in found] == [0, 1, 2, 3]
    assert found[0].seen.luma.shape == (224, 299)


def test_start_and_end_are_left_out_and_times_stay_the_films(tmp_path):
    path = make_film(tmp_path / "film.mp4", [("", person(), 50)], rate=10)
    film = sampling.open_film(path, FilmOptions(start=1.25, end=3.0))
    times = [float(one.seconds) for one in candidates.watch(film, sampling.Crop())]
    assert times == pytest.approx(np.arange(1.3, 2.95, 0.1))


def test_skimming_gives_keyframes_at_even_distances(tmp_path):
    path = make_film(tmp_path / "film.mp4", [("", person(), 100)], options={"g": "10", "sc_threshold": "0"})
    film = sampling.open_film(path)
    times = [float(frame.pts * film.time_base) for frame, _ in skim(film, 10)]
    assert times == pytest.approx(np.arange(0, 4, 0.4))
    assert len(list(skim(film, 60))) == 10
    part = sampling.open_film(path, FilmOptions(start=2.0, end=3.0))
    assert [float(frame.pts * film.time_base) for frame, _ in skim(part, 3)] == pytest.approx([2.0, 2.4, 2.8])


# A film as a whole


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A list of one film with bars of 40 pixels, whose shots have each an outcome of their own."""
    folder = tmp_path_factory.mktemp("films")
    make_film(folder / "film.mp4", bars=40)
    return write_list(folder / "films.csv", {"key": "film", "path": "film.mp4"})


@pytest.fixture(scope="module")
def collected(made, tmp_path_factory):
    """WORK of it."""
    from conftest import run_here

    work = tmp_path_factory.mktemp("work")
    assert run_here(COLLECT, made, "--work", work) == 0
    return work


def contents(folder):
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in found if "unfinished" in name]
    return {name: data for name, data in found.items() if Path(name).name != "timing.json"}


def outcomes(work):
    with (work / "outcomes.csv").open(newline="") as file:
        return {row["picture"]: row for row in csv.DictReader(file)}


def test_a_film_becomes_candidates(collected):
    folder = collected / "frames/film"
    record = json.loads((folder / "record.json").read_text())
    assert record["crop"] == {"top": 0, "bottom": 0, "left": 40, "right": 40} and record["size"] == [320, 240]
    frames = sum(count for *_, count in SHOTS)
    assert (record["frames"], record["shots"], record["seconds"]) == (frames, 6, (frames - 1) / RATE)
    assert (record["notes"], record["damage"]) == ([], [])
    table = candidates.read_table(folder)
    firsts = np.cumsum([0, *(count for *_, count in SHOTS)])
    for one in table:
        number = one.ms * RATE / 1000
        # In its shot, two frames from both ends, in its slot.
        assert number == int(number) and firsts[one.shot] + 2 <= number < firsts[one.shot + 1] - 2
        assert one.slot == one.ms // 500
    slots = {(shot, slot) for shot, slot in ((one.shot, one.slot) for one in table)}
    expected = {
        (shot, int(number * 2 / RATE)) for shot in range(6) for number in range(firsts[shot] + 2, firsts[shot + 1] - 2)
    }
    assert slots == expected and len(table) == len(expected) == record["candidates"]
    assert {path.name for path in folder.glob("*.jpg")} == {one.picture for one in table if one.stored}
    assert {SHOTS[one.shot][0] for one in table if one.stored} == {"kept"}


def test_a_picture_is_the_frame_without_its_bars(collected, made):
    """Decoded another way, by PyAV alone."""
    folder = collected / "frames/film"
    one = next(one for one in candidates.read_table(folder) if one.stored)
    with av.open(str(made.with_name("film.mp4"))) as container:
        frames = [frame for frame in container.decode(video=0) if abs(frame.time * 1000 - one.ms) < 1]
    rgb = frames[0].to_ndarray(format="rgb24")[:, 40:-40]
    picture = cv2.imread(str(folder / one.picture))[..., ::-1]
    assert picture.shape == (256, 341, 3)
    expected = cv2.resize(rgb, (341, 256), interpolation=cv2.INTER_LINEAR)
    assert np.abs(picture.astype(int) - expected).mean() < 2
    # What is measured, once more from the stored picture.
    again = scores.measure(sampling.fit(picture, 224))
    assert again.tone == pytest.approx(one.tone, abs=0.3) and again.range == pytest.approx(one.range, abs=3)
    (box,) = one.boxes
    assert box[3] <= 256 and box[3] - box[1] > 200
    assert one.person_sharpness[0] > 0.02 and one.person_blur[0] < 0.55


def test_candidates_become_pictures(collected, tmp_path, run):
    code, out, err = run(CHOOSE, "--work", collected, "--sheet")
    assert code == 0 and err == ""
    rows = outcomes(collected)
    by_shot = {}
    for one in candidates.read_table(collected / "frames/film"):
        by_shot.setdefault(one.shot, []).append(rows[one.picture]["outcome"])
    for (wanted, *_), found in zip(SHOTS, by_shot.values(), strict=True):
        assert set(found) <= {wanted, "duplicate"} and wanted in found
    kept = manifest.read(collected)
    assert [one.picture for one in kept] == sorted(name for name, row in rows.items() if row["outcome"] == "kept")
    assert all(manifest.path_of(collected, one).is_file() and len(one.boxes) == 1 for one in kept)
    for row in rows.values():
        assert (row["outcome"] == "duplicate") == (row["like"] != "")
        assert row["outcome"] != "duplicate" or (rows[row["like"]]["outcome"] == "kept" and int(row["distance"]) <= 8)
    with (collected / "funnel.csv").open(newline="") as file:
        (funnel,) = csv.DictReader(file)
    assert int(funnel["kept"]) == len(kept) and int(funnel["candidates"]) == len(rows)
    assert sum(int(value) for name, value in funnel.items() if name not in ("film", "frames", "candidates")) == len(
        rows
    )
    assert out.splitlines()[0].split()[:3] == ["film", "frames", "candidates"]
    assert cv2.imread(str(collected / "sheets/kept.jpg")) is not None
    # Other limits, without the film.
    before = (collected / "manifest.csv").read_bytes()
    assert run(CHOOSE, "--work", collected, "--max-per-title", 2)[0] == 0
    names = [one.picture for one in kept]
    # The middles of halves.
    assert [one.picture for one in manifest.read(collected)] == [names[len(names) // 4], names[3 * len(names) // 4]]
    code, _, err = run(CHOOSE, "--work", collected, "--person-score", "0.99")
    assert code == 2 and "no picture is kept" in err and "0 of" in err
    assert run(CHOOSE, "--work", collected)[0] == 0
    assert (collected / "manifest.csv").read_bytes() == before


def test_what_is_done_is_not_done_again(collected, made, run, monkeypatch):
    times = {path: path.stat().st_mtime_ns for path in (collected / "frames").rglob("*.*")}
    monkeypatch.setattr(film_folders, "_make", None)
    code, out, _ = run(COLLECT, made, "--work", collected)
    assert code == 0 and "(as they were)" in out
    assert {path: path.stat().st_mtime_ns for path in (collected / "frames").rglob("*.*")} == times


def test_other_settings_make_it_again_and_masks_stay(made, tmp_path, run):
    short = make_film(tmp_path / "short.mp4", [("", person(), 30)])
    listed = write_list(tmp_path / "films.csv", {"key": "a", "path": short.name})
    work = tmp_path / "work"
    assert run(COLLECT, listed, "--work", work)[0] == 0
    folder = work / "frames/a"
    first = {path.name for path in folder.glob("*.jpg")}
    (folder / "masks").mkdir()
    (folder / "masks/a.png").write_bytes(b"by hand")
    assert run(COLLECT, listed, "--work", work, "--rate", 4, "--squash", 224)[0] == 0
    second = {path.name for path in folder.glob("*.jpg")}
    assert len(second) > len(first) and (folder / "masks/a.png").read_bytes() == b"by hand"
    assert {cv2.imread(str(path)).shape for path in folder.glob("*.jpg")} == {(224, 224, 3)}
    # A film that was cut anew.
    make_film(short, [("", person(), 20)])
    _, out, _ = run(COLLECT, listed, "--work", work, "--rate", 4, "--squash", 224)
    assert "a: 20 frames" in out and "as they were" not in out
    # What somebody has removed is there again.
    before = contents(folder)
    for lost in (min(path.name for path in folder.glob("*.jpg")), candidates.TABLE):
        (folder / lost).unlink()
        code, out, err = run(COLLECT, listed, "--work", work, "--rate", 4, "--squash", 224)
        assert code == 0 and f"a: {lost} is not there any more" in err and "as they were" not in out
        assert contents(folder) == before
    assert max(path.name for path in folder.glob("*.jpg")) < "a-00000800.jpg" < max(second)


def test_other_versions_are_named_or_kept(made, collected, run, monkeypatch):
    before = contents(collected / "frames")
    monkeypatch.setattr(film_folders, "versions", lambda detector: {"libav": "another"})
    code, out, _ = run(COLLECT, made, "--work", collected, "--keep-versions")
    assert code == 0 and "as they were" in out and contents(collected / "frames") == before
    code, out, err = run(COLLECT, made, "--work", collected)
    assert code == 0 and "as they were" not in out and "film: made by other versions" in err
    monkeypatch.undo()
    assert run(COLLECT, made, "--work", collected)[0] == 0
    assert contents(collected / "frames") == before


@pytest.mark.slow
def test_a_film_twice_under_two_keys(made, tmp_path, run):
    """Also in two processes: the second keeps nothing, and what one makes is what the other makes."""
    row = {"path": made.with_name("film.mp4")}
    listed = write_list(tmp_path / "films.csv", {"key": "b", **row}, {"key": "a", **row})
    work = tmp_path / "work"
    assert run(COLLECT, listed, "--work", work, "--workers", 2)[0] == 0
    pictures = [
        {path.name[2:]: path.read_bytes() for path in (work / "frames" / key).glob("*.jpg")} for key in ("a", "b")
    ]
    assert pictures[0] == pictures[1] != {}
    code, _, err = run(CHOOSE, "--work", work)
    assert code == 0 and "note: b: 0 of " in err
    assert {one.key for one in manifest.read(work)} == {"a"}
    rows = outcomes(work)
    for name, row in rows.items():
        if name.startswith("b-") and rows[f"a{name[1:]}"]["outcome"] == "kept":
            assert (row["outcome"], row["like"], row["distance"]) == ("duplicate", f"a{name[1:]}", "0")


# What can go wrong


def test_films_that_cannot_be_used_are_named_and_the_others_done(tmp_path, run):
    films = tmp_path / "films"
    make_film(films / "good.mp4", [("", person(), 30)])
    (films / "text.mp4").write_text("no film")
    (films / "empty.mp4").write_bytes(b"")
    make_film(films / "hdr.mp4", [("", person(), 6)], colours={"color_trc": 16})
    data = make_film(tmp_path / "whole.mkv", [("", person(), 30), ("", things(), 40)]).read_bytes()
    (films / "cut.mkv").write_bytes(data[: len(data) // 2])
    noise = bytearray(data)
    noise[len(data) // 2 :] = np.random.default_rng(0).bytes(len(data) - len(data) // 2)
    (films / "noise.mkv").write_bytes(noise)
    with av.open(str(films / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", 44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(films / "small.mp4"), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 100, 100, "yuv420p"
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(things()[:100, :100].copy(), "rgb24")))
        container.mux(stream.encode())
    work = tmp_path / "work"
    code, out, err = run(COLLECT, films, "--work", work, "--private", "--workers", 1)
    assert code == 3
    said = {
        "text": "not a film that can be read",
        "empty": "the file is empty",
        "hdr": "it is HDR (PQ)",
        "sound": "there is no video in it",
        "small": "100x100 pixels are too few",
    }
    with (work / "left_out.csv").open(newline="") as file:
        left_out = {row["file_key"]: row["reason"] for row in csv.DictReader(file)}
    assert set(left_out) == set(said)
    for key, reason in said.items():
        assert (
            reason in left_out[key] and f"left out: {key}: {films / key}.mp4: {left_out[key].split(': ', 1)[1]}" in err
        )
    for name in ("cut", "noise"):
        assert f"damaged: {films / name}.mkv: " in err
        assert json.loads((work / f"frames/{name}/record.json").read_text())["damage"] != []
        assert list((work / f"frames/{name}").glob("*.jpg"))
    assert "good: 30 frames" in out and list((work / "frames/good").glob("*.jpg"))
    # Again: nothing is done, and the same is said.
    before = contents(work)
    again = run(COLLECT, films, "--work", work, "--private", "--workers", 1)
    assert again[0] == 3 and contents(work) == before
    assert [line for line in again[2].splitlines() if line.startswith(("left out", "damaged"))] == [
        line for line in err.splitlines() if line.startswith(("left out", "damaged"))
    ]
    # What was left out has no candidates; the rest is chosen from.
    code, _, err = run(CHOOSE, "--work", work)
    assert code == 3 and "left out: hdr: it has no candidates" in err


def test_a_black_and_white_film_is_named(tmp_path, run):
    make_film(tmp_path / "film.mp4", [("", gray(person()), 40)])
    listed = write_list(tmp_path / "films.csv", {"key": "film", "path": "film.mp4", "year": "1927"})
    code, _, err = run(COLLECT, listed, "--work", tmp_path / "work")
    assert code == 0 and "note: film: of 1927" in err
    code, _, err = run(CHOOSE, "--work", tmp_path / "work")
    assert code == 2 and "film: 3 of 3 candidates are gray; a black-and-white film?" in err
    assert f"{tmp_path / 'work/manifest.csv'}: no picture is kept" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv"], "none.csv: cannot be read"),
        (["films.csv", "--detector", "films.csv"], "films.csv: not a detector"),
        (["films.csv", "--rate", "0"], "--rate"),
        (["films.csv", "--range-min", "10"], "--range-min"),
        ([], "FILMS"),
    ],
)
def test_what_cannot_be_is_said_before_the_first_film(tmp_path, run, monkeypatch, arguments, said):
    write_list(tmp_path / "films.csv", {"key": "a", "path": "a.mp4"})
    monkeypatch.chdir(tmp_path)
    code, _, err = run(COLLECT, *arguments, "--work", tmp_path / "work")
    assert code == 2 and err.startswith("error: ") and said in err
    assert not (tmp_path / "work").exists()


def test_limits_below_what_is_stored_are_refused(tmp_path, run):
    for option, value in (("--range-min", 19), ("--tone-min", 1.4), ("--frame-sharpness", 0), ("--person-score", 0.2)):
        code, _, err = run(CHOOSE, "--work", tmp_path, option, value)
        assert code == 2 and option in err
    code, _, err = run(CHOOSE, "--work", tmp_path / "none")
    assert code == 2 and "there are no candidates of any film; collect.py makes them" in err


def test_a_full_disk_ends_the_run_and_the_next_goes_on(made, collected, tmp_path, monkeypatch, run):
    written, write = [], candidates.write_picture

    def fail(path, rgb):
        written.append(path)
        if len(written) == 4:
            with film_folders.files.writing(path):
                raise OSError(28, "No space left on device")
        write(path, rgb)

    monkeypatch.setattr(candidates, "write_picture", fail)
    code, _, err = run(COLLECT, made, "--work", tmp_path)
    assert code == 2 and "cannot be written (No space left on device)" in err
    assert len(list((tmp_path / "frames/film").glob("*.jpg"))) == 3
    monkeypatch.undo()
    assert run(COLLECT, made, "--work", tmp_path)[0] == 0
    assert contents(tmp_path / "frames") == contents(collected / "frames")


def test_a_folder_that_another_process_uses(made, tmp_path, run):
    with film_folders.locks.lock(tmp_path / "frames/film", ""):
        code, _, err = run(COLLECT, made, "--work", tmp_path)
    assert code == 3 and "left out: film: " in err and "another process reads this film" in err
    with film_folders.locks.lock(tmp_path / "frames", ""):
        code, _, err = run(COLLECT, made, "--work", tmp_path)
    assert code == 2 and "another process is collecting there" in err


def test_a_table_that_is_none_is_named(collected, tmp_path, run):
    folder = tmp_path / "frames/film"
    folder.mkdir(parents=True)
    for name in ("record.json", "films.csv"):
        source = collected / name if name == "films.csv" else collected / "frames/film" / name
        (tmp_path / name if name == "films.csv" else folder / name).write_bytes(source.read_bytes())
    (folder / "candidates.csv").write_text("ms\n12\n")
    code, _, err = run(CHOOSE, "--work", tmp_path)
    assert code == 2 and "candidates.csv: not a table of candidates; remove" in err


@pytest.mark.slow
def test_killed_at_any_moment_and_continued_it_is_the_same(made, collected, tmp_path):
    arguments = [executable, str(ROOT / COLLECT), str(made), "--work", str(tmp_path)]
    codes = []
    for wanted, number in (("*", signal.SIGTERM), ("*.jpg", signal.SIGKILL), ("*-00007*.jpg", signal.SIGKILL)):
        process = Popen(arguments, stdout=PIPE, stderr=PIPE)
        while process.poll() is None and not list((tmp_path / "frames/film").glob(wanted)):
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=120)
        codes.append(process.returncode)
        assert not (tmp_path / "frames/film/record.json").exists()
    assert codes == [143, -signal.SIGKILL, -signal.SIGKILL]
    process = Popen(arguments, stdout=PIPE, stderr=PIPE)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert contents(tmp_path / "frames") == contents(collected / "frames")


# The reference


@pytest.mark.slow
def test_the_film_is_the_reference(reference, tmp_path, run):
    golden = json.loads((reference / "golden/mhmd/film.json").read_text())
    listed = write_list(tmp_path / "films.csv", {"key": "film", "path": reference / "golden/mhmd/film.mp4"})
    assert run(COLLECT, listed, "--work", tmp_path)[0] == 0
    record = json.loads((tmp_path / "frames/film/record.json").read_text())
    found = [record["crop"][side] for side in ("top", "bottom", "left", "right")]
    np.testing.assert_allclose(found, golden["bars_top_bottom_left_right"], atol=2)
    table = candidates.read_table(tmp_path / "frames/film")
    assert run(CHOOSE, "--work", tmp_path)[0] == 0
    rows = outcomes(tmp_path)
    assert len(table) == len(golden["rows"]) == 60 and record["shots"] == len(golden["shots"])
    for one, row in zip(table, golden["rows"], strict=True):
        assert (one.shot, one.slot, rows[one.picture]["outcome"]) == (row["shot"], row["slot"], row["outcome"]), row
        assert one.ms / 1000 == pytest.approx(row["time"], abs=0.12), row
        assert one.sharpness == pytest.approx(row["sharpness"], rel=0.05, abs=0.002), row
        assert one.tone == pytest.approx(row["tone"], abs=0.1) and one.range == pytest.approx(row["range"], abs=1), row
        if row.get("persons"):
            main = _main(one)
            assert len(main) == row["persons"], row
            measured = one.person_sharpness[main[0]], one.person_blur[main[0]]
            wanted = row["person_sharpness"], row["person_blur"]
            assert measured == pytest.approx(wanted, rel=0.05, abs=0.002), row
    assert len(manifest.read(tmp_path)) == golden["kept"] == 11


def _main(one: Candidate):
    from historynet.collecting.persons import main_persons

    return main_persons(np.array(one.boxes), np.array(one.scores), one.height, 0.4, 0.2, 0.4)
