"""parse.py as users call it: masks by a parser whose answers are known, kills, and masks that a hand made."""

import csv
import json
import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from painted import INDICES, describe, make_work
from PIL import Image

from historynet import files
from historynet.collecting import drawing, manifest, masks, parser_files, parsing, parts
from historynet.collecting.masks import Made

pytest.importorskip("onnxruntime")

PARSE = "SOURCE_MHMD/parse.py"


@pytest.fixture
def work(tmp_path):
    make_work(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def parser(tmp_path):
    (tmp_path / "parser").mkdir()
    return describe(tmp_path / "parser", unit="person", scale=0.01)


def masks_of(work):
    return {path.name: path.read_bytes() for path in work.glob("frames/*/masks/*")}


def table(work):
    with (work / "parsing/masks.csv").open() as file:
        return {row["picture"]: row for row in csv.DictReader(file)}


def test_masks_of_all_pictures(work, parser, run):
    code, out, _ = run(PARSE, "make", "--work", work, "--parser", parser, "--workers", 1)
    assert code == 0
    assert "18 pictures have a mask, 0 of them by hand" in out
    pictures = manifest.read(work)
    assert set(masks_of(work)) == {f"{Path(picture.picture).stem}.png" for picture in pictures}
    assert {row["made_by"] for row in table(work).values()} == {"tiny"}
    assert all(0.25 < float(row["confidence"]) <= 1 for row in table(work).values())
    for picture in pictures[::5]:
        found = masks.read(masks.of(work, picture))
        rgb = cv2.imread(str(manifest.path_of(work, picture)))
        assert found.shape == rgb.shape[:2]
        assert set(np.unique(found)) <= set(INDICES)
        assert found.any()
    assert masks.made_by(work) == dict.fromkeys(table(work), "tiny")
    # All of it is there: nothing is done again, until one is missing.
    before = masks_of(work)
    assert "all of it is there already" in run(PARSE, "make", "--work", work, "--parser", parser)[1]
    masks.of(work, pictures[3]).unlink()
    assert "all of it" not in run(PARSE, "make", "--work", work, "--parser", parser)[1]
    assert masks_of(work) == before


def test_several_processes_make_the_same(work, parser, monkeypatch):
    other = work.parent / "other"
    shutil.copytree(work, other)
    monkeypatch.setattr(parsing, "SHARD", 5)
    for folder, workers in ((work, 1), (other, 2)):
        parsing.Masks(folder, parser_files.read(parser), "levels", manifest.read(folder)).make(workers)
    assert masks_of(work) == masks_of(other)
    assert (work / "parsing/masks.csv").read_bytes() == (other / "parsing/masks.csv").read_bytes()


def test_some_are_drawn(work, parser, run):
    code, _, _ = run(PARSE, "make", "--work", work, "--parser", parser, "--parse-count", 7, "--seed", 4)
    by_title = {}
    for picture in manifest.read(work):
        by_title.setdefault(picture.key, []).append(picture.picture)
    assert code == 0
    assert set(table(work)) == set(drawing.draw(by_title, Fraction(7, 18), 5))
    assert len(table(work)) == 7
    # Fewer the next time: what is not among them goes.
    run(PARSE, "make", "--work", work, "--parser", parser, "--parse-count", 3, "--seed", 4)
    assert len(masks_of(work)) == len(table(work)) == 3


class Killed(BaseException):
    """What nothing catches, as nothing catches a kill."""


def test_twenty_kills_change_no_byte(tmp_path, parser, monkeypatch):
    work = tmp_path / "work"
    make_work(work, count=10)
    monkeypatch.setattr(parsing, "SHARD", 4)
    said = parser_files.read(parser)
    whole = work.parent / "whole"
    shutil.copytree(work, whole)
    parsing.Masks(whole, said, "levels", manifest.read(whole)).make()
    left, kills, written = 0, 0, files.write_atomically

    def write(path, content, naming=None):
        nonlocal left
        left -= 1
        if left == 0 and kills % 2:
            path.with_name(f"{files._UNFINISHED}dead{path.suffix}").write_bytes(b"half")
            raise Killed
        written(path, content, naming)
        if left == 0:
            raise Killed

    monkeypatch.setattr(files, "write_atomically", write)
    while True:
        # A shard is five files: some starts end before one is whole, some behind it.
        left = 1 + kills % 6
        try:
            parsing.Masks(work, said, "levels", manifest.read(work)).make()
            break
        except Killed:
            kills += 1
            assert kills < 60
    assert kills >= 20
    assert masks_of(work) == masks_of(whole)
    assert {path.name for path in work.glob("frames/*/masks/.*")} == set()
    for name in ("parsing/masks.csv", "parsing/shards.json"):
        assert (work / name).read_bytes() == (whole / name).read_bytes()
    assert {path.name for path in (work / "parsing").iterdir()} == {"masks.csv", "shards.json"}


def test_out_to_an_editor_and_back(work, parser, run, tmp_path):
    make = (PARSE, "make", "--work", work, "--parser", parser)
    run(*make)
    before = table(work)
    least = sorted(before, key=lambda name: (float(before[name]["confidence"]), name))[:3]
    edit = tmp_path / "edit"
    code, out, _ = run(PARSE, "export", 3, edit, "--work", work)
    assert code == 0 and "3 masks" in out
    stems = [Path(name).stem for name in least]
    assert {path.name for path in edit.iterdir()} == {
        *(f"{stem}.{kind}" for stem in stems for kind in ("png", "jpg")),
        *("parts.gpl", "parts.png"),
    }
    colours = [line.split("\t") for line in (edit / "parts.gpl").read_text().splitlines()[4:]]
    assert [name for _, name in colours] == list(parts.NAMES)
    assert [tuple(map(int, numbers.split())) for numbers, _ in colours] == [tuple(c) for c in parts.PALETTES["levels"]]
    # Somebody paints a rectangle, and saves as RGB; another mask is saved as a JPEG, the third is left alone.
    drawn = np.array(Image.open(edit / f"{stems[0]}.png").convert("RGB"))
    drawn[10:20, 5:15] = parts.PALETTES["levels"][parts.NAMES.index("hat")]
    Image.fromarray(drawn).save(edit / f"{stems[0]}.png")
    Image.open(edit / f"{stems[1]}.png").convert("RGB").save(edit / f"{stems[1]}.png", "JPEG", quality=75)
    kept = masks_of(work)
    code, out, err = run(PARSE, "import", edit, "--work", work, "--by", "Ada")
    assert code == 3
    assert "2 masks are taken, 1 of them changed, 100 pixels" in out
    assert f"refused: {edit / stems[1]}.png: " in err and "the first at column" in err
    after = masks_of(work)
    assert {name for name in kept if kept[name] != after[name]} == {f"{stems[0]}.png"}
    rows = table(work)
    assert (rows[least[0]]["made_by"], rows[least[0]]["changed"]) == ("hand:Ada", "100") and rows[least[0]]["when"]
    assert (rows[least[2]]["made_by"], rows[least[2]]["changed"]) == ("hand:Ada", "0")
    assert rows[least[1]] == before[least[1]]
    # A parser never overwrites what a hand made, not even another parser; the drawing is that of the others.
    code, out, _ = run(*make, "--palette", "cihp")
    assert code == 0 and "18 pictures have a mask, 2 of them by hand" in out
    path = next(work.glob(f"frames/*/masks/{stems[0]}.png"))
    hat = parts.NAMES.index("hat")
    assert (masks.read(path)[10:20, 5:15] == hat).all()
    assert (cv2.imread(str(path))[10:20, 5:15, ::-1] == parts.PALETTES["cihp"][hat]).all()
    assert table(work)[least[0]] == rows[least[0]]
    # One that somebody removed is the parser's again.
    path.unlink()
    code, out, _ = run(*make, "--palette", "cihp")
    assert code == 0 and "18 pictures have a mask, 1 of them by hand" in out
    assert path.exists() and table(work)[least[0]]["made_by"] == "tiny"
    # What somebody works on is not overwritten.
    code, _, err = run(PARSE, "export", 3, edit, "--work", work)
    assert code == 2 and "is not empty" in err


@pytest.mark.parametrize("kind", ["gone", "no picture"])
def test_an_export_that_fails_leaves_nothing(work, parser, run, tmp_path, kind):
    run(PARSE, "make", "--work", work, "--parser", parser)
    # The second of the two that are exported, so that the first is there already.
    _, name = sorted(table(work), key=lambda name: (float(table(work)[name]["confidence"]), name))[:2]
    (path,) = work.glob(f"frames/*/{name}" if kind == "gone" else f"frames/*/masks/{Path(name).stem}.png")
    whole = path.read_bytes()
    path.write_bytes(b"no picture")
    if kind == "gone":
        path.unlink()
    code, _, err = run(PARSE, "export", 2, tmp_path / "edit", "--work", work)
    assert code == 2 and str(path) in err
    assert not list((tmp_path / "edit").iterdir())
    path.write_bytes(whole)
    assert run(PARSE, "export", 2, tmp_path / "edit", "--work", work)[0] == 0


def test_masks_of_another_size_or_of_no_picture_are_refused(work, parser, run, tmp_path):
    run(PARSE, "make", "--work", work, "--parser", parser)
    run(PARSE, "export", 2, tmp_path / "edit", "--work", work)
    first, second = sorted(path for path in (tmp_path / "edit").glob("*.png") if path.name != "parts.png")
    Image.open(first).resize((40, 40), Image.Resampling.NEAREST).save(first)
    second.rename(second.with_name("nobody.png"))
    before, rows = masks_of(work), table(work)
    code, out, err = run(PARSE, "import", tmp_path / "edit", "--work", work, "--by", "Ada")
    assert code == 2 and "0 masks are taken" in out
    assert f"{first}: 40x40 pixels, but the picture has 72x64" in err
    assert "nobody.png: no kept picture is called so" in err
    assert masks_of(work) == before and table(work) == rows


def test_as_many_of_each_label():
    made = {f"{i}": Made("tiny", confidence=i / 10) for i in range(8)} | {"x": Made("hand:Ada"), "none": Made("tiny")}
    labels = {f"{i}": "a" if i < 5 else "b" for i in range(8)} | {"x": "b"}
    assert parsing.least_sure(made, None, 3) == ["none", "0", "1"]
    assert parsing.least_sure(made, labels, 5) == ["0", "5", "1", "6", "2"]
    assert len(parsing.least_sure(made, labels, 50)) == 8


def test_broken_pictures_are_left_out_and_named(work, parser, run):
    path = work / "frames/paris/paris-00000500.jpg"
    whole = path.read_bytes()
    path.write_bytes(b"no picture")
    code, out, err = run(PARSE, "make", "--work", work, "--parser", parser)
    assert code == 3 and "17 pictures have a mask" in out
    assert "paris-00000500.jpg: not a picture" in err
    # It is not forgotten, and its mask is made when it is there.
    assert run(PARSE, "make", "--work", work, "--parser", parser)[0] == 3
    others = {path.name: path.stat().st_mtime_ns for path in work.glob("frames/*/masks/*")}
    path.write_bytes(whole)
    code, out, _ = run(PARSE, "make", "--work", work, "--parser", parser)
    assert code == 0 and "18 pictures have a mask" in out
    # The others are not made again.
    after = {path.name: path.stat().st_mtime_ns for path in work.glob("frames/*/masks/*")}
    assert others.items() < after.items() and len(after) == 18


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"classes": ["background", "face", "coat", "wing"]}, (), "'wing'"),
        ({"classes": ["background", "face", "coat"]}, (), "names 3 classes"),
        ({"model": "other.onnx"}, (), "is not there"),
        ({"classes": ["background", "person", "coat", "face"]}, (), "--palette deeplab"),
        ({}, ("--parser", "nowhere.json"), "no such parser"),
        ({}, ("--work", "nowhere"), "choose.py writes it"),
    ],
)
def test_what_will_not_do_ends_before_the_first_picture(work, parser, run, changes, options, message):
    said = json.loads(parser.read_text())
    parser.write_text(json.dumps(said | changes))
    code, _, err = run(PARSE, "make", "--work", work, "--parser", parser, *options)
    assert code == 2 and message in err and err.count("\n") == 1
    assert not masks_of(work)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("make", "more"), "takes no more"),
        (("export", 3), "takes N FOLDER"),
        (("export", "many", "edit"), "a number of masks"),
        (("export", 3, "edit"), "parse.py make makes them"),
        (("import", "edit"), "--by NAME"),
        (("import", "edit", "--by", "Ada"), "edit"),
        (("export", 3, "edit", "--palette", "deeplab"), "draws all parts alike"),
    ],
)
def test_wrong_commands(work, run, arguments, message):
    code, _, err = run(PARSE, *arguments, "--work", work)
    assert code == 2 and message in err


def test_persons_alone(work, parser, run):
    said = json.loads(parser.read_text()) | {"classes": ["background", "person", "background", "background"]}
    parser.write_text(json.dumps(said))
    code, _, _ = run(PARSE, "make", "--work", work, "--parser", parser, "--palette", "deeplab")
    assert code == 0
    seen = {tuple(c) for data in masks_of(work).values() for c in np.unique(_decode(data).reshape(-1, 3), axis=0)}
    assert seen == {(0, 0, 0), (195, 195, 195)}


def _decode(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
