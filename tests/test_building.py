"""A data set is written in the trainers' layout, whole or not at all, with where each picture is from."""

import dataclasses
import errno
import hashlib
import os
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT, open_folder
from kept_pictures import answer, make_work
from PIL import Image

from historynet import settings
from historynet.collecting import assembling, film_list, labels, manifest, provenance
from historynet.collecting.assembling import assemble
from historynet.collecting.building import Builder
from historynet.collecting.settings import BUILD, MHMDSettings
from historynet.errors import InputError

CONFIG = ROOT / "SOURCE_MHMD/config.py"


def resolve(folder, *options):
    parser = settings.make_parser("", BUILD, CONFIG, MHMDSettings)
    arguments = parser.parse_args(["--out", str(folder), *map(str, options)])
    return settings.resolve(arguments, CONFIG, MHMDSettings)[0]


def add_masks(work, names=None):
    """Parsings of two parts, indexed, in grays."""
    for one in manifest.read(work):
        if names is None or one.picture in names:
            path = manifest.mask_of(work, one)
            path.parent.mkdir(exist_ok=True)
            mask = Image.fromarray(np.repeat(np.uint8([[0], [1]]), 32, 0).repeat(96, 1), "P")
            mask.putpalette([0, 0, 0, 180, 180, 180])
            mask.save(path)


@pytest.fixture
def ready(tmp_path):
    """DATASET with a folder WORK in which each of 24 pictures of three titles has a label and a parsing."""
    out = tmp_path / "DATASET"
    truth = make_work(out / "mhmd")
    # So that a title leaves half of each of its labels' pictures to others.
    truth |= {name: "during-usa-military" for name, label in truth.items() if label == "after-usa-formal"}
    answer(out / "mhmd", truth)
    add_masks(out / "mhmd")
    return out, truth


def build(out, *options, replace=False, private=True, parsed_by=None):
    resolved = resolve(out, *options)
    assembled = assemble(resolved, parsed_by or {}, private)
    builder = Builder(out, assembled, resolved.num_classes, resolved.seg_format, private)
    return builder(replace), assembled, builder


def contents(folder):
    """The bytes of all files of a data set by name, without what came before it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "mhmd" not in path.relative_to(folder).parts
    }


def test_the_layout_that_the_trainers_read(ready):
    out, truth = ready
    made, assembled, builder = build(out, "--test-share", 0.4, parsed_by={next(iter(truth)): "hand:Ann"})
    assert made
    assert builder.copied == 0
    tests = {one.picture.key for one in assembled.entries if one.test}
    assert len(tests) == 1  # one of three titles, whole
    assert [path.name for path in sorted(out.iterdir())] == [
        *("build.json", "dataset_second", "dataset_second_seg", "dataset_train", "dataset_train_seg", "labels.csv"),
        *("mhmd", "provenance.csv"),
    ]
    samples = open_folder(out / "dataset_train")
    table = labels.table()
    label = next(reader for reader in samples.readers if "label" in reader.fields)
    for i, name in enumerate(samples.names):
        (place,) = np.flatnonzero(label.read(i, None)["label"])
        assert table[place].name == truth[name]
    assert len(samples.names) == 16
    for name in ("dataset_train/midway-00000500.jpg", "dataset_second/midway-00000500.jpg"):
        if (out / name).exists():
            assert (out / name).samefile(out / "mhmd/frames/midway/midway-00000500.jpg")
    line = (out / "dataset_train/sign.txt").read_text().splitlines(keepends=True)[0]
    assert line.endswith("0 \n")
    assert Counter(line.split()[1:]) == {"0": 41, "1": 1}


def test_where_each_picture_is_from(ready):
    out, truth = ready
    first = next(iter(truth))
    build(out, parsed_by={first: "hand:Ann"})
    origins, private = provenance.read(out / "provenance.csv")
    assert private
    assert [origin.picture for origin in origins] == sorted(truth)
    row = origins[sorted(truth).index(first)]
    path = out / "mhmd/frames/long-march" / first
    assert row == provenance.Origin(
        *(first, "train" if (out / "dataset_train" / first).exists() else "test", "long-march", "", "0.000"),
        *("Long March", "", "", "", hashlib.sha256(path.read_bytes()).hexdigest(), truth[first], "hand:Ann", ""),
        "hand:Ann",
    )


def test_films_without_a_licence(ready):
    out, _ = ready
    with pytest.raises(InputError, match="--private"):
        build(out, private=False)
    listed = film_list.read(out / "mhmd/films.csv")
    film_list.write(
        out / "mhmd/films.csv", [dataclasses.replace(film, licence="CC0", source="a shelf") for film in listed]
    )
    build(out, private=False)
    origins, private = provenance.read(out / "provenance.csv")
    assert not private
    assert {(origin.licence, origin.source) for origin in origins} == {("CC0", "a shelf")}


def test_another_data_set_is_not_touched(ready):
    out, _ = ready
    build(out)
    before = contents(out)
    assert build(out)[0] is False
    with pytest.raises(InputError, match="--replace"):
        build(out, "--split", "random")
    assert contents(out) == before
    build(out, "--split", "random", replace=True)
    assert contents(out) != before
    build(out, replace=True)
    assert contents(out) == before


def test_somebodys_own_folder_is_not_touched(ready):
    out, _ = ready
    (out / "dataset_train").mkdir()
    (out / "dataset_train/mine.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="another data set is there"):
        build(out)
    assert [path.name for path in (out / "dataset_train").iterdir()] == ["mine.jpg"]


@pytest.mark.parametrize("moment", (0, 5, 23, 47, 48, 49, 50, 51, 52, 53, 54))
def test_stopped_anywhere_and_started_again(ready, monkeypatch, moment):
    """Stopped at each kind of moment, replacing another data set: the same bytes in the end, never half a set."""
    out, truth = ready
    build(out, "--split", "random")
    before, calls = contents(out / "dataset_train"), Counter()

    def stop(real):
        def counted(*arguments, **more):
            calls["all"] += 1
            if calls["all"] > moment:
                raise KeyboardInterrupt
            return real(*arguments, **more)

        return counted

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", stop(os.link))
        patch.setattr(Path, "rename", stop(Path.rename))
        patch.setattr(labels, "write_sign", stop(labels.write_sign))
        try:
            build(out, replace=True)
        except KeyboardInterrupt:
            if (out / "dataset_train/sign.txt").exists():
                # The one before, whole.
                assert len(provenance.read(out / "provenance.csv")[0]) == len(truth)
                assert contents(out / "dataset_train") == before
    build(out, replace=True)
    clean = contents(out)
    assert not [name for name in clean if "unfinished" in name]
    build(out, "--split", "random", replace=True)
    build(out, replace=True)
    assert contents(out) == clean


def test_a_full_disk(ready, monkeypatch):
    """What was there is as it was, and nothing else is left."""
    out, _ = ready
    build(out, "--split", "random")
    before, calls, link = contents(out), Counter(), os.link

    def fill(source, target):
        calls["all"] += 1
        if calls["all"] > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        link(source, target)

    monkeypatch.setattr(os, "link", fill)
    with pytest.raises(InputError, match="No space left"):
        build(out, replace=True)
    assert contents(out) == before


def test_copies_where_nothing_can_be_linked(ready, monkeypatch):
    out, truth = ready

    def refuse(source, target):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    _, _, builder = build(out)
    assert builder.copied == 2 * len(truth)
    copy = next((out / "dataset_train").glob("*.jpg"))
    assert copy.stat().st_nlink == 1


def test_parsing_for_the_released_program(ready):
    out, _ = ready
    build(out, "--seg-format", "jpg")
    files = sorted((out / "dataset_train_seg").iterdir())
    assert {path.suffix for path in files} == {".jpg"}
    drawn = cv2.imread(str(files[0]))
    assert drawn[:31].max() < 6
    assert abs(drawn[33:].astype(int) - 180).max() < 6


def test_pictures_without_a_label(ready):
    out, _ = ready
    hand = out / "mhmd/labels/hand.csv"
    hand.write_text("".join(hand.read_text().splitlines(keepends=True)[:-3]))
    with pytest.raises(InputError, match="3 of 24 pictures have no label, paris-"):
        build(out)


def test_pictures_outside_of_the_table(ready):
    out, truth = ready
    name = next(iter(truth))
    answer(out / "mhmd", {name: "outside"})
    _, assembled, _ = build(out)
    assert name not in {one.picture.picture for one in assembled.entries}
    assert any("1 pictures are outside" in note for note in assembled.notes)
    assert name not in (out / "dataset_train/sign.txt").read_text()


def test_pictures_of_a_film_that_is_listed_no_more(ready):
    out, _ = ready
    films = out / "mhmd" / film_list.NAME
    lines = films.read_text().splitlines(keepends=True)
    films.write_text("".join(line for line in lines if not line.startswith("paris")))
    with pytest.raises(InputError, match="films.csv: there is no film paris.*choose.py"):
        build(out)


def test_what_is_said_before_the_first_step(tmp_path):
    with pytest.raises(InputError, match="manifest.csv: is not there; choose.py writes it"):
        build(tmp_path)


def test_half_a_parsing(ready):
    out, _ = ready
    work = out / "mhmd"
    for one in manifest.read(work)[:5]:
        manifest.mask_of(work, one).unlink()
    with pytest.raises(InputError, match="5 of 24 pictures have no parsing, long-march-00000000"):
        build(out)
    _, assembled, _ = build(out, "--parse-count", 19)
    assert any("--allow-missing-parsing" in note for note in assembled.notes)


def test_notes_of_a_split(ready):
    out, truth = ready
    pictures = manifest.read(out / "mhmd")
    resolved, table = resolve(out, "--test-share", 0.4), labels.table()
    # Of the third title's pictures a half gets a label that no other title has.
    truth |= {one.picture: ("during-usa-military", "after-usa-formal")[i % 2] for i, one in enumerate(pictures[16:])}
    tests, notes = assembling.split(resolved, pictures, truth, table)
    assert {one.key for one in pictures if one.picture in tests} == {"midway"}
    assert notes == [
        "labels that are not in the test part: after-usa-formal",
        "39 of 42 labels have no picture",
    ]
    alone = [one for one in pictures if one.key == "paris"]
    tests, notes = assembling.split(resolved, alone, truth, table)
    assert not tests
    assert "there is one title only" in notes[0]
    tests, notes = assembling.split(
        resolve(out, "--split", "random", "--test-share", 0.25), pictures, truth, labels.table()
    )
    assert len(tests) == 6
    assert "frames of one film are in both parts" in notes[0]


def test_another_order_of_the_labels(ready):
    out, truth = ready
    order = out.parent / "order.csv"
    reverse = [dataclasses.replace(label, index=i) for i, label in enumerate(reversed(labels.table()))]
    labels.write_table(order, reverse)
    build(out, "--label-order", order)
    assert [label.name for label in labels.table(out / "labels.csv")] == [label.name for label in reverse]
    line = (out / "dataset_train/sign.txt").read_text().splitlines()[0]
    name, *values = line.split()
    assert reverse[values.index("1")].name == truth[name]
