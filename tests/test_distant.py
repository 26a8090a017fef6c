"""What the machines of a cluster do with their pieces of a run, here in one process: the same as without them."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_picture
from PIL import Image

from historynet.colorizing import distant, objects
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.distant import Piece, Setup
from historynet.colorizing.folder import colorize_files
from historynet.colorizing.objects import Object
from historynet.colorizing.options import Options
from historynet.colorizing.records import NAME, Records
from historynet.colorizing.reporting import EXISTING, Report

COLORIZE = "SOURCE_HistoryNet/colorization.py"
COMMON = {"model": "tiny.keras", "sha256": "0123", "precision": "float32"}


@pytest.fixture
def pictures(tmp_path):
    """Nineteen, one of them broken, one of two pages, and one that is called as its second page would be."""
    folder = tmp_path / "in"
    for number in range(16):
        write_picture(folder / f"{number:02}.jpg", seed=number)
    (folder / "05.jpg").write_bytes(b"broken")
    pages = [Image.fromarray(np.full((20, 30), 60 + 60 * page, np.uint8)) for page in (0, 1)]
    pages[0].save(folder / "doc.tif", save_all=True, append_images=pages[1:])
    write_picture(folder / "doc_p002.jpg")
    write_picture(folder / "last.jpg")
    return folder


def setup(model, **options):
    return Setup(model, None, "float32", {}, COMMON, Options(**options), 16, ("cpu", True, "default"))


def pairs(folder, out):
    return [(str(path), str(out / f"{path.stem}_reconstructed.jpg")) for path in sorted(folder.iterdir())]


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and NAME.removesuffix(".jsonl") not in str(path)
    }


def work_on(model, pieces, **options):
    """The pieces of a run, one after the other, as one process does them."""
    report, work = Report(), setup(model, **options).begin()
    for piece in pieces:
        report.add(work(piece))
    report.note_nearly_gray()
    return report


def without(model, folder, out, **options):
    """The same run, without a cluster."""
    paths, results = zip(*((Path(path), Path(result)) for path, result in pairs(folder, out)), strict=True)
    return colorize_files(
        Colorizer(model), paths, results, 16, options=Options(**options), report=Report(), records=Records(COMMON)
    )


def as_text(report, out):
    told = [(str(one.picture), str(one.result), one.outcome, one.why, one.tint) for one in report.outcomes]
    lines = [tuple(str(word).replace(str(out), "") for word in line) for line in told]
    return lines, report.done, report.skipped, report.notes


def test_pieces_give_the_same_bytes_and_report(model, pictures, tmp_path):
    alone = without(model, pictures, tmp_path / "alone")
    pieces = distant.split(pairs(pictures, tmp_path / "pieces"))
    assert [len(piece.files) for piece in pieces] == [8, 8, 3]
    report = work_on(model, pieces)
    assert contents(tmp_path / "pieces") == contents(tmp_path / "alone")
    assert len(contents(tmp_path / "alone")) == 19
    assert as_text(report, tmp_path / "pieces") == as_text(alone, tmp_path / "alone")
    assert report.done == 19
    assert len(report.skipped) == 1
    # And each file by itself: who is beside a picture is not seen in its colours.
    singly = [one for piece in distant.split(pairs(pictures, tmp_path / "singly")) for one in piece.singly()]
    assert len(singly) == 19
    work_on(model, singly, existing="overwrite")
    assert contents(tmp_path / "singly") == contents(tmp_path / "alone")


def test_of_a_lost_process_the_rest_is_made(model, pictures, tmp_path):
    out = tmp_path / "out"
    pieces = distant.split(pairs(pictures, out))
    work = setup(model, existing="refuse").begin()
    expected = work(pieces[0])
    first, *others = sorted(contents(out))
    before = (out / others[0]).stat().st_mtime_ns
    (out / first).unlink()
    # What is there is refused, but to whom begins it again.
    assert len(work(pieces[0]).skipped) == len(pieces[0].files) - 1
    (out / first).unlink()
    report = work(pieces[0].again())
    assert (report.done, report.existing, report.skipped) == (1, 6, expected.skipped)
    assert [one.outcome for one in report.outcomes].count(EXISTING) == 6
    assert not report.notes
    assert (out / others[0]).stat().st_mtime_ns == before


def test_names_that_pages_could_have_are_told_to_the_piece(pictures, tmp_path):
    out = tmp_path / "out"
    *_, last = distant.split(pairs(pictures, out))
    assert [Path(path).name for path, _ in last.files] == ["doc.tif", "doc_p002.jpg", "last.jpg"]
    assert last.others == {str(out / "doc_p002_reconstructed.jpg").casefold()}
    assert not distant.split(pairs(pictures, out))[0].others


def test_what_ends_each_process_is_skipped():
    report = Piece((("a/b.jpg", "out/b.jpg"),), frozenset()).lost()
    assert [(str(one.picture), one.outcome) for one in report.outcomes] == [("a/b.jpg", "skipped")]
    assert report.skipped[0].startswith("a/b.jpg: ended each process")


def test_a_piece_needs_no_engine_to_be_made():
    code = "import sys, historynet.colorizing.distant as d; d.split([('a', 'b')]); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# Object storage; a folder of this machine stands for one


def put(pictures, tmp_path):
    """URLs of the pictures' folder and of one of results."""
    return f"file://{pictures}", f"file://{tmp_path / 'results'}"


def test_objects_give_the_same_bytes(model, pictures, tmp_path):
    pytest.importorskip("fsspec")
    without(model, pictures, tmp_path / "alone")
    source, results = put(pictures, tmp_path)
    found = objects.find(source)
    names = [f"{Path(one.url).stem}_reconstructed.jpg" for one in found]
    files = [(one.url, name) for one, name in zip(found, names, strict=True)]
    report = work_on(model, distant.split(files, found, results))
    assert contents(tmp_path / "results") == contents(tmp_path / "alone")
    assert report.skipped == [f"{source}/05.jpg: not a picture that can be read, or a damaged one"]
    # What each was made from, by its URL.
    entries = objects.read_records(results)
    assert set(entries) == {f"{results}/{name}" for name in contents(tmp_path / "results")}
    by_name = {one.url: one for one in found}
    for entry in entries.values():
        assert (entry.size, entry.version) == (by_name[entry.source].size, by_name[entry.source].version)
        assert entry.settings["model"] == "tiny.keras"
    pages = [url for url, entry in entries.items() if entry.source.endswith("doc.tif")]
    assert len(pages) == 2
    assert {str(one.result) for one in report.outcomes if one.result} == set(entries)


def test_an_object_that_is_gone_is_skipped(model, pictures, tmp_path):
    pytest.importorskip("fsspec")
    source, results = put(pictures, tmp_path)
    gone = [Object(f"{source}/{name}.jpg") for name in ("00", "gone", "01")]
    report = work_on(model, distant.split([(one.url, f"{one.url[-6:-4]}.jpg") for one in gone], gone, results))
    assert report.done == 2
    assert len(report.skipped) == 1
    assert report.skipped[0].startswith(f"{source}/gone.jpg: ")
    assert str(tmp_path / "in") in report.skipped[0]
    assert "/tmp/historynet-" not in report.skipped[0]


def test_torn_records_of_a_store_are_passed_over(tmp_path):
    pytest.importorskip("fsspec")
    folder = tmp_path / "results" / objects.FOLDER
    folder.mkdir(parents=True)
    whole = {"result": "file:///r/a.jpg", "source": "file:///s/a.jpg", "bytes": 3, "version": "1", "settings": {}}
    (folder / "one.jsonl").write_text(json.dumps(whole) + "\n" + json.dumps({**whole, "result": "b"})[:40])
    (folder / "two.jsonl").write_bytes(b"\xff\xfe nothing of ours\n[]\n")
    assert set(objects.read_records(f"file://{tmp_path / 'results'}")) == {"file:///r/a.jpg"}
    assert objects.read_records(f"file://{tmp_path / 'nowhere'}") == {}


# What the command takes


def test_a_list_of_files(model, pictures, tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "elsewhere/00.jpg", seed=30)
    names = ["in/00.jpg", "in/gone.jpg", str(tmp_path / "elsewhere/00.jpg"), "in/00.jpg"]
    Path("list.txt").write_text("\r\n".join(names) + "\n\n")
    options = ("--pretrained", model, "--no-provenance", "--result-dir")
    code, out, err = run(COLORIZE, "--list", "list.txt", *options, "flat")
    assert (code, "2 colorized" in out) == (3, True)
    assert "skipped: in/gone.jpg: cannot be read" in err
    assert sorted(contents(tmp_path / "flat")) == ["00.jpg_reconstructed.jpg", "elsewhere_00.jpg_reconstructed.jpg"]
    assert run(COLORIZE, "--list", "list.txt", "--recursive", *options, "tree")[0] == 3
    assert sorted(contents(tmp_path / "tree")) == ["elsewhere/00_reconstructed.jpg", "in/00_reconstructed.jpg"]
    # What is done is left out, as of a folder.
    code, out, _ = run(COLORIZE, "--list", "list.txt", "--recursive", "--skip-existing", *options, "tree")
    assert (code, "0 colorized" in out, "2 there already" in out) == (3, True, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--list", "empty.txt"), "empty.txt: no list of files"),
        (("--list", "nowhere.txt"), "nowhere.txt: cannot be read"),
        (("in", "--cluster", "photos"), "--cluster photos: takes HOST:PORT or auto"),
        (("s3://bucket/in",), "s3://bucket/in: of objects the results are objects"),
        (("in", "--result-dir", "s3://bucket/out"), "s3://bucket/out: of files the results are files"),
        (("s3://bucket/in", "--result-dir", "s3://bucket/out"), "object storage is with --cluster alone"),
        (("nosuch://a", "--result-dir", "nosuch://b", "--cluster", "auto"), "nosuch"),
    ],
)
def test_what_will_not_do_is_said(pictures, tmp_path, run, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    # Ray need not be installed for that.
    monkeypatch.setattr("historynet.clusters.extras.is_installed", lambda module: True)
    Path("empty.txt").write_text("\n\n")
    given = () if "--result-dir" in arguments else ("--result-dir", "out")
    code, _, err = run(COLORIZE, *arguments, *given)
    assert (code, err.startswith("error: ")) == (2, True), err
    assert words in err


def test_records_of_many_folders_are_let_go_and_read_again(tmp_path, monkeypatch):
    from historynet.colorizing import records

    monkeypatch.setattr(records, "_KEPT", 3)
    kept, results = Records(COMMON), []
    for number in range(4):
        for seed, name in enumerate("ab"):
            source = tmp_path / f"in/{number}{name}.jpg"
            result = tmp_path / f"out{number}/{name}_reconstructed.jpg"
            write_picture(source, seed=2 * number + seed)
            with kept.naming(source, records.identify(source), result, {}):
                cv2.imwrite(str(result), np.zeros((4, 4), np.uint8))
            results.append((source, result))
    other = tmp_path / "in/0a.jpg"
    for source, result in [*results, *reversed(results)]:
        assert kept.find_owner(source, result) is None
        assert kept.find_owner(other, result) == (None if source == other else str(source))
    assert sum(len(folder.entries) for folder in kept._folders.values()) <= 4
