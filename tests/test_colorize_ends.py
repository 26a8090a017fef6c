"""However a run of the colorizer ends, it says what is done and what was skipped, and one file's trouble is its own."""

import csv
import errno
import os
import re
import signal
from pathlib import Path

import pytest
from conftest import write_picture
from test_films import make_film

from historynet import locks
from historynet.colorizing.colorizer import Colorizer

COLORIZE = "SOURCE_HistoryNet/colorization.py"
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def arguments(model, tmp_path):
    """A command line for tmp_path/in, where a broken picture, a good one and two films lie."""
    folder = tmp_path / "in"
    write_picture(folder / "good.png")
    (folder / "broken.png").write_bytes(b"broken")
    for name in ("a.mp4", "b.mp4"):
        make_film(folder / name, tone=False)
    return COLORIZE, "--pretrained", model, "--result-dir", tmp_path / "out", "--no-provenance", folder


def results(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith("."))


def skipped(messages):
    """The files that standard error names as skipped."""
    return sorted(re.findall(r"^skipped: .*?(\w+\.\w+)\b", messages, re.MULTILINE))


def stopping(monkeypatch, number, call):
    """Sends this process a signal while the network computes for the nth time."""
    predict, calls = Colorizer.predict_ab, []

    def predict_ab(colorizer, luminance):
        calls.append(luminance)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return predict(colorizer, luminance)

    monkeypatch.setattr(Colorizer, "predict_ab", predict_ab)


def full_disk(monkeypatch, ends):
    """Fails what is to get a name that ends so, as a full disk would."""
    replace = Path.replace

    def refuse(path, target):
        if str(target).endswith(ends):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)


def test_a_report_has_a_line_for_each_film(arguments, run, tmp_path):
    (tmp_path / "in/c.mkv").write_bytes(b"no film")
    report = tmp_path / "report.csv"

    def outcomes(*more):
        ended, _, _ = run(*arguments, "--report", report, *more)
        assert ended == 3
        with report.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert all(bool(row["result"]) == (row["outcome"] != "skipped") for row in rows)
        return {Path(row["picture"]).name: row["outcome"] for row in rows}

    made = {"broken.png": "skipped", "good.png": "colorized", "a.mp4": "colorized", "b.mp4": "colorized"}
    assert outcomes() == made | {"c.mkv": "skipped"}
    (tmp_path / "out/b_reconstructed.mp4").unlink()
    there = {"good.png": "there already", "a.mp4": "there already"}
    assert outcomes("--skip-existing") == made | there | {"c.mkv": "skipped"}


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_stop_within_a_film_names_what_was_skipped(arguments, run, tmp_path, monkeypatch, number, code):
    stopping(monkeypatch, number, 2)  # The first is the picture's.
    ended, printed, messages = run(*arguments)
    assert ended == code
    assert "1 colorized" in printed
    assert "1 skipped" in printed
    assert skipped(messages) == ["broken.png"]
    assert messages.splitlines()[-1].startswith(f"stopped by {signal.Signals(number).name}; ")
    assert results(tmp_path) == ["good_reconstructed.jpg"]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_stop_among_pictures_counts_what_is_written(arguments, run, tmp_path, monkeypatch, number, code):
    for i in range(6):
        write_picture(tmp_path / f"in/more{i}.png", i)
    stopping(monkeypatch, number, 4)
    ended, printed, messages = run(*arguments, "--batch-size", 1)
    assert ended == code
    made = results(tmp_path)
    assert 1 <= len(made) <= 4
    assert f"{len(made)} colorized" in printed
    assert skipped(messages) == ["broken.png"]
    assert messages.splitlines()[-1].startswith(f"stopped by {signal.Signals(number).name}; ")
    assert [path.name for path in (tmp_path / "out").glob(".*")] == [".historynet.jsonl"]
    monkeypatch.undo()
    ended, printed, _ = run(*arguments, "--skip-existing")
    assert ended == 3
    assert f"{len(made)} there already" in printed
    assert len(results(tmp_path)) == 7 + 2


def test_a_film_that_another_process_is_making_is_skipped_by_name(arguments, run, tmp_path):
    with locks.lock(tmp_path / "out/.a_reconstructed.mp4.unfinished", "this test is"):
        ended, printed, messages = run(*arguments)
    assert ended == 3
    assert "2 colorized" in printed
    assert len(re.findall("skipped: .*a_reconstructed.mp4.*another process is making", messages)) == 1
    assert "broken.png" in messages
    assert results(tmp_path) == ["b_reconstructed.mp4", "good_reconstructed.jpg"]


def test_a_result_that_cannot_have_its_name_is_skipped_and_the_others_are_done(arguments, run, tmp_path):
    for name in ("a_reconstructed.mp4", "good_reconstructed.jpg"):
        (tmp_path / "out" / name).mkdir(parents=True)
    write_picture(tmp_path / "in/later.png")
    ended, printed, messages = run(*arguments, "--overwrite")
    assert ended == 3
    assert "2 colorized" in printed
    for name in ("a_reconstructed.mp4", "good_reconstructed.jpg"):
        assert re.search(f"skipped: .*{name}: cannot be written", messages)
    assert (tmp_path / "out/b_reconstructed.mp4").is_file()
    assert (tmp_path / "out/later_reconstructed.jpg").is_file()


def test_memory_that_is_not_enough_is_the_films_fault(arguments, run, tmp_path, monkeypatch):
    from historynet import films

    def no_memory(colorizer, source, *more):
        if source.name == "a.mp4":
            raise MemoryError
        return colorize_film(colorizer, source, *more)

    colorize_film = films.colorize_film
    monkeypatch.setattr(films, "colorize_film", no_memory, raising=False)
    ended, printed, messages = run(*arguments)
    assert ended == 3
    assert "2 colorized" in printed
    assert re.search("skipped: .*a.mp4: there is not enough memory for it", messages)


@pytest.mark.parametrize(("ends", "made"), [(".nut", 1), ("_reconstructed.jpg", 0)])
def test_a_full_disk_ends_the_run_after_the_report(arguments, run, monkeypatch, ends, made):
    full_disk(monkeypatch, ends)
    ended, printed, messages = run(*arguments)
    assert ended == 2
    assert f"{made} colorized" in printed
    assert skipped(messages) == ["broken.png"]
    assert re.match(r"error: .*cannot be written \(No space left on device\)", messages.splitlines()[-1])
    # The other film would have met the same.
    assert messages.count("No space left") == 1
