"""A result belongs to its source: what another was made from, or a part of it, never passes for it."""

import json
import multiprocessing
import os
import shutil
import time

import numpy as np
import pytest
from conftest import write_picture
from PIL import Image
from test_films import Painter, make_film

from historynet.colorizing import records as recording
from historynet.colorizing.folder import colorize_files
from historynet.colorizing.inputs import list_inputs
from historynet.colorizing.options import Options
from historynet.colorizing.records import Records, identify
from historynet.colorizing.results import name_excerpt
from historynet.errors import InputError, PictureError
from historynet.films import FilmOptions, colorize_film, segments
from historynet.pictures import images

COLORIZE = "SOURCE_HistoryNet/colorization.py"


@pytest.fixture
def boxes(tmp_path):
    """Two boxes of different photographs, of which each has a scan0001.jpg."""
    for i in (1, 2):
        write_picture(tmp_path / f"box{i}/scan0001.jpg", i)
    return tmp_path / "box1", tmp_path / "box2"


@pytest.fixture
def colorize(run, model, tmp_path):
    def colorize(*arguments):
        return run(COLORIZE, "--pretrained", model, "--result-dir", tmp_path / "out", *arguments)

    return colorize


def made(folder):
    """Names and contents of the results in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def lines(folder):
    return [json.loads(line) for line in (folder / ".historynet.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("more", [(), ("--skip-existing",), ("--overwrite",)])
def test_another_box_with_the_same_names_is_an_error_that_names_the_first(colorize, boxes, tmp_path, more):
    assert colorize(boxes[0])[0] == 0
    before = made(tmp_path / "out")
    code, _, err = colorize(boxes[1], *more)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert f"scan0001_reconstructed.jpg: is the result of {boxes[0]}/scan0001.jpg, not of {boxes[1]}/" in err
    assert "1 of 1 results" in err
    assert "--result-dir" in err
    assert made(tmp_path / "out") == before


def test_its_own_box_goes_on_and_is_made_again(colorize, boxes, tmp_path):
    assert colorize(boxes[0])[0] == 0
    for more, count in (("--skip-existing", "1 there already"), ("--overwrite", "1 colorized")):
        code, out, err = colorize(boxes[0], more)
        assert (code, count in out) == (0, True), err
        assert "made with" not in err
        assert "recorded" not in err


def test_a_box_that_was_moved_is_the_same(colorize, boxes, tmp_path):
    """By what it holds, whatever the copying did to the times."""
    assert colorize(boxes[0])[0] == 0
    boxes[0].rename(tmp_path / "moved")
    os.utime(tmp_path / "moved/scan0001.jpg", (1e9, 1e9))
    code, out, err = colorize(tmp_path / "moved", "--skip-existing")
    assert code == 0, err
    assert "1 there already" in out


def test_results_that_were_moved_keep_their_records(colorize, boxes, tmp_path, run, model):
    assert colorize(boxes[0])[0] == 0
    (tmp_path / "out").rename(tmp_path / "archive")
    arguments = ("--pretrained", model, "--result-dir", tmp_path / "archive", "--skip-existing")
    assert "1 there already" in run(COLORIZE, *arguments, boxes[0])[1]
    assert run(COLORIZE, *arguments, boxes[1])[0] == 2


def test_a_result_that_was_renamed_is_made_anew(colorize, boxes, tmp_path):
    assert colorize(boxes[0])[0] == 0
    (tmp_path / "out/scan0001_reconstructed.jpg").rename(tmp_path / "out/grandmother.jpg")
    code, out, _ = colorize(boxes[1], "--skip-existing")
    assert code == 0
    assert "1 colorized" in out
    assert set(made(tmp_path / "out")) == {"grandmother.jpg", "scan0001_reconstructed.jpg"}
    # Now it is the second's.
    assert colorize(boxes[0], "--skip-existing")[0] == 2


def test_a_source_that_has_changed_is_said_and_not_passed_over(colorize, boxes, tmp_path):
    """As the next card that is mounted in the same place."""
    assert colorize(boxes[0])[0] == 0
    before = made(tmp_path / "out")
    write_picture(boxes[0] / "scan0001.jpg", 7)
    code, out, err = colorize(boxes[0], "--skip-existing")
    assert code == 3
    assert "0 colorized" in out
    assert "there already" not in out
    assert "scan0001.jpg: has changed since" in err
    assert "--overwrite" in err
    assert made(tmp_path / "out") == before
    assert colorize(boxes[0], "--overwrite")[0] == 0
    assert made(tmp_path / "out") != before


def test_results_of_earlier_versions_count_by_their_names_and_that_is_said(colorize, boxes, tmp_path):
    assert colorize(boxes[0])[0] == 0
    (tmp_path / "out/.historynet.jsonl").unlink()
    code, out, err = colorize(boxes[1], "--skip-existing")
    assert code == 0
    assert "1 there already" in out
    assert "note: " in err
    assert "scan0001.jpg: what its result, which is there already, was made from is not recorded" in err
    assert colorize(boxes[1], "--overwrite")[0] == 0
    assert [line["source"] for line in lines(tmp_path / "out")] == [str(boxes[1] / "scan0001.jpg")]


def test_other_settings_and_models_are_said(colorize, boxes, tmp_path, model, run):
    assert colorize(boxes[0], "--strength", "0.5")[0] == 0
    code, _, err = colorize(boxes[0], "--skip-existing", "--quality", 80)
    assert code == 0
    assert "was made with strength 0.5, not 1 and quality 95, not 80 (--overwrite makes it again)" in err
    other = shutil.copy(model, tmp_path / "other.keras")
    arguments = ("--result-dir", tmp_path / "out", "--skip-existing", "--strength", 0.5, boxes[0])
    # The same model under another name.
    assert "made with" not in run(COLORIZE, "--pretrained", other, *arguments)[2]
    (line,) = lines(tmp_path / "out")
    line["settings"]["sha256"] = "0123456789abcdef"
    (tmp_path / "out/.historynet.jsonl").write_text(json.dumps(line) + "\n")
    _, _, err = run(COLORIZE, "--pretrained", model, *arguments)
    assert "was made with another model (tiny.keras, SHA-256 0123456789abcdef)" in err


def test_what_is_recorded(colorize, boxes, tmp_path):
    assert colorize(boxes[0], "--no-provenance")[0] == 0
    (line,) = lines(tmp_path / "out")
    status = (boxes[0] / "scan0001.jpg").stat()
    assert line["result"] == "scan0001_reconstructed.jpg"
    assert line["source"] == str(boxes[0] / "scan0001.jpg")
    assert (line["bytes"], line["modified"]) == (status.st_size, status.st_mtime_ns)
    assert line["settings"]["model"] == "tiny.keras"
    assert {"strength": 1.0, "upsampling": "bilinear", "quality": 95}.items() <= line["settings"].items()


def test_pages_of_a_document_are_not_those_of_another(colorize, boxes, tmp_path):
    for i, box in enumerate(boxes):
        pages = [Image.fromarray(np.full((20, 30), 40 * i + 60 * page, np.uint8)) for page in (0, 1)]
        pages[0].save(box / "doc.tif", save_all=True, append_images=pages[1:])
    assert colorize(boxes[0] / "doc.tif")[0] == 0
    before = made(tmp_path / "out")
    assert set(before) == {"doc_p001_reconstructed.jpg", "doc_p002_reconstructed.jpg"}
    for more in ("--skip-existing", "--overwrite"):
        code, out, err = colorize(boxes[1] / "doc.tif", more)
        assert code == 3
        assert "0 colorized" in out
        assert err.count("is the result of") == 2
        assert made(tmp_path / "out") == before
    code, out, _ = colorize(boxes[0] / "doc.tif", "--skip-existing")
    assert (code, "2 there already" in out) == (0, True)


def test_a_tree_has_its_records_in_its_folders(colorize, boxes, tmp_path):
    (tmp_path / "boxes").mkdir()
    for box in boxes:
        box.rename(tmp_path / "boxes" / box.name)
    assert colorize("--recursive", tmp_path / "boxes")[0] == 0
    assert {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob(".historynet.jsonl")} == {
        "box1/.historynet.jsonl",
        "box2/.historynet.jsonl",
    }
    assert "2 there already" in colorize("--recursive", tmp_path / "boxes", "--skip-existing")[1]


def test_the_records_are_no_pictures(colorize, boxes, tmp_path):
    assert colorize(boxes[0])[0] == 0
    assert [path.name for path in list_inputs([tmp_path / "out"])] == ["scan0001_reconstructed.jpg"]


def test_a_comparison_that_is_not_made_is_said(colorize, boxes, tmp_path):
    assert colorize(boxes[0])[0] == 0
    code, _, err = colorize(boxes[0], "--skip-existing", "--compare")
    assert code == 0
    assert "scan0001.jpg: no --compare of a result that is there already (--overwrite makes both)" in err
    assert colorize(boxes[0], "--overwrite", "--compare")[0] == 0
    assert "no --compare" not in colorize(boxes[0], "--skip-existing", "--compare")[2]


def test_options_that_do_not_count_are_said(colorize, tmp_path):
    write_picture(tmp_path / "in/photo.jpg")
    make_film(tmp_path / "in/film.mp4")
    code, _, err = colorize(tmp_path / "in", "--keep-colored", "--preview", 0.3, "--end", 3)
    assert code == 0, err
    assert "film.mp4: --keep-colored: for pictures alone" in err
    assert "photo.jpg: --preview, --end: for films alone" in err
    assert "film.mp4: --end does not count with --preview" in err
    assert "--skip-existing" not in err
    _, _, err = colorize(tmp_path / "in", "--preview", 0.3, "--skip-existing")
    assert "film.mp4: --skip-existing: previews are made again each time" in err


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (0, None, "_reconstructed"),
        (0, 6, "_0s-6s_reconstructed"),
        (90, None, "_90s-end_reconstructed"),
        (5400.25, 12345.678, "_5400.25s-12345.678s_reconstructed"),
        (100, 200, "_100s-200s_reconstructed"),
    ],
)
def test_an_excerpt_is_named_as_such(start, end, name):
    assert name_excerpt(start, end) == name


def test_an_excerpt_does_not_stand_for_the_whole_film(colorize, tmp_path):
    make_film(tmp_path / "film.mp4", tone=False)
    assert colorize(tmp_path / "film.mp4", "--end", "0.5")[0] == 0
    assert set(made(tmp_path / "out")) == {"film_0s-0.5s_reconstructed.mp4"}
    code, out, err = colorize(tmp_path / "film.mp4", "--skip-existing")
    assert code == 0, err
    assert "1 colorized" in out
    assert set(made(tmp_path / "out")) == {"film_0s-0.5s_reconstructed.mp4", "film_reconstructed.mp4"}
    code, out, err = colorize(tmp_path / "film.mp4", "--skip-existing", "--crf", 20)
    assert "1 there already" in out
    assert "made with crf 18, not 20" in err


def test_a_film_of_another_box_is_told_apart(colorize, boxes, tmp_path):
    make_film(boxes[0] / "film.mp4", tone=False)
    make_film(boxes[1] / "film.mp4", tone=True)
    assert colorize(boxes[0] / "film.mp4")[0] == 0
    for more in (("--skip-existing",), ("--overwrite",), ()):
        code, _, err = colorize(boxes[1] / "film.mp4", *more)
        assert code == 2
        assert f"is the result of {boxes[0]}/film.mp4" in err


def test_what_a_stopped_run_has_made_of_a_film_is_not_lost_to_another_of_its_name(boxes, tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SHORTEST", 6)
    monkeypatch.setattr(segments, "LONGEST", 10)
    for box, tone in zip(boxes, (False, True), strict=True):
        make_film(box / "film.mp4", tone=tone)
    result = tmp_path / "out/film_reconstructed.mp4"
    with pytest.raises(KeyboardInterrupt):
        colorize_film(Painter(stop_after=25), boxes[0] / "film.mp4", result, FilmOptions(), records=Records())
    for use in (
        lambda: Records().check([(boxes[1] / "film.mp4", result)]),
        lambda: colorize_film(Painter(), boxes[1] / "film.mp4", result, FilmOptions(), records=Records()),
    ):
        with pytest.raises(InputError, match=f"is the result of {boxes[0]}/film.mp4"):
            use()
    assert colorize_film(Painter(), boxes[0] / "film.mp4", result, records=Records()).continued > 0
    assert result.exists()


def test_the_library_records_what_it_is_told_to(boxes, tmp_path):
    """A program that names each result itself is not kept from it."""
    result = tmp_path / "out/a.jpg"
    for box, records, count in ((0, Records(), 1), (1, Records(), 0), (1, None, 1)):
        report = colorize_files(Painter(), [boxes[box] / "scan0001.jpg"], [result], 1, records=records)
        assert report.done == count


def test_a_source_is_known_by_all_that_it_holds(tmp_path):
    """A retouched spot does not change the size of an uncompressed scan."""
    for name, place in (("a.bmp", None), ("b.bmp", 700_000), ("c.bmp", 1_500_000)):
        data = bytearray(2_000_000)
        if place:
            data[place] = 1
        (tmp_path / name).write_bytes(data)
    assert len({identify(tmp_path / name).content for name in ("a.bmp", "b.bmp", "c.bmp")}) == 3
    shutil.copy(tmp_path / "a.bmp", tmp_path / "d.bmp")
    assert identify(tmp_path / "d.bmp").content == identify(tmp_path / "a.bmp").content
    (tmp_path / "empty").write_bytes(b"")
    assert identify(tmp_path / "empty").size == 0


def test_of_a_large_source_parts_are_read_to_its_very_end(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "_PART", 10)
    monkeypatch.setattr(recording, "_PARTS", 4)
    seen = set()
    for place in (0, 99, None):
        data = bytearray(100)
        if place is not None:
            data[place] = 1
        path = tmp_path / f"{place}"
        path.write_bytes(data)
        seen.add(identify(path).content)
    assert len(seen) == 3


def record(folder, source, result="a_reconstructed.jpg"):
    """Names a result as a run does."""
    (folder / "new").mkdir(parents=True, exist_ok=True)
    temporary = folder / "new" / source.name
    temporary.write_text(source.read_text())
    with Records().naming(source, identify(source), folder / result, {}):
        temporary.replace(folder / result)


@pytest.fixture
def sources(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    return tmp_path / "one", tmp_path / "two"


def test_lines_that_are_none_of_ours_are_passed_over_and_torn_ones_ended(sources, tmp_path):
    folder = tmp_path / "out"
    record(folder, sources[0])
    path = folder / ".historynet.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b'\xff\x00\n[1]\n{"result": 3}\n' + whole + b'{"result": "a_recon')
    assert Records().find_owner(sources[1], folder / "a_reconstructed.jpg") == str(sources[0])
    record(folder, sources[1], "b.jpg")
    records = Records()
    assert records.find_owner(sources[1], folder / "a_reconstructed.jpg") == str(sources[0])
    assert records.find_owner(sources[0], folder / "b.jpg") == str(sources[1])


def test_names_that_differ_in_case_alone_may_be_one(sources, tmp_path):
    folder = tmp_path / "out"
    record(folder, sources[0], "Scan.jpg")
    (folder / "Scan.jpg").rename(folder / "scan.jpg")
    assert Records().find_owner(sources[1], folder / "scan.jpg") == str(sources[0])
    # Where they are two, each has its own.
    record(folder, sources[0], "Scan.jpg")
    (folder / "scan.jpg").unlink()
    assert Records().find_owner(sources[0], folder / "Scan.jpg") is None


def test_names_that_are_no_text_are_recorded(tmp_path):
    source = tmp_path / os.fsdecode(b"caf\xe9")
    source.write_text("x")
    record(tmp_path / "out", source, os.fsdecode(b"caf\xe9.jpg"))
    (tmp_path / "other").write_text("y")
    owner = Records().find_owner(tmp_path / "other", tmp_path / "out" / os.fsdecode(b"caf\xe9.jpg"))
    assert owner == str(source)


def test_a_record_that_cannot_be_read_is_an_error(sources, tmp_path):
    (tmp_path / "out/.historynet.jsonl").mkdir(parents=True)
    with pytest.raises(InputError, match=r"\.historynet\.jsonl: cannot be read \(Is a directory\)"):
        Records().check([(sources[0], tmp_path / "out/a.jpg")])


def test_a_result_that_another_run_made_meanwhile_is_not_replaced(sources, tmp_path):
    folder = tmp_path / "out"
    mine, other = Records(), Records()
    mine.check([(sources[1], folder / "a_reconstructed.jpg")])
    record(folder, sources[0])
    naming = mine.naming(sources[1], identify(sources[1]), folder / "a_reconstructed.jpg", {})
    with pytest.raises(PictureError, match=f"is the result of {sources[0]}"), naming:
        pytest.fail("it has the name")
    assert (folder / "a_reconstructed.jpg").read_text() == "one"
    assert other.find_owner(sources[0], folder / "a_reconstructed.jpg") is None


def _many(folder, source, results):
    for number in range(results):
        try:
            record(folder, source, f"{number}.jpg")
        except PictureError:
            continue


def test_two_processes_in_one_folder_never_take_each_others_names(sources, tmp_path):
    folder, results = tmp_path / "out", 200
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_many, args=(folder, source, results)) for source in sources]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(lines(folder)) == results
    for line in lines(folder):
        assert str(tmp_path / (folder / line["result"]).read_text()) == line["source"]


def test_thousands_of_results_are_compared_in_no_time(sources, tmp_path):
    folder = tmp_path / "out"
    record(folder, sources[0], "0.jpg")
    (line,) = lines(folder)
    text = "".join(json.dumps(line | {"result": f"{i}.jpg"}) + "\n" for i in range(20_000))
    (folder / ".historynet.jsonl").write_text(text)
    start = time.process_time()
    Records().check([(sources[0], folder / f"{i}.jpg") for i in range(20_000)])
    assert time.process_time() - start < 5


@pytest.mark.parametrize("mode", [0o755, 0o775])
def test_who_may_write_results_may_record_them(sources, tmp_path, mode):
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(mode)
    record(tmp_path / "out", sources[0])
    assert (tmp_path / "out/.historynet.jsonl").stat().st_mode & 0o777 == mode & 0o666


def test_a_result_is_the_same_with_and_without_records(boxes, tmp_path):
    for name, records in (("a", Records()), ("b", None)):
        colorize_files(
            Painter(), [boxes[0] / "scan0001.jpg"], [tmp_path / name / "x.jpg"], 1, options=Options(), records=records
        )
    a, b = (images.read_rgb(tmp_path / name / "x.jpg") for name in "ab")
    np.testing.assert_array_equal(a, b)
