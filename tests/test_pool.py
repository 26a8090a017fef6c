"""The shipped model's data: filters on pictures with known verdicts, copies, repositories, what is written beside."""

import csv
import filecmp
import shutil
import subprocess
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from conftest import make_mhmd, write_picture

from historynet.data import varying
from historynet.experiments.pool import fetching, filters, sources
from historynet.pictures import images

SCRIPT = "Util/default_model.py"
PHOTOGRAPHS = Path(skimage.data.__file__).parent


def paint(path, a, b, size=(90, 120)):
    """A picture whose L runs from side to side, with the given 8-bit a and b, numbers or arrays."""
    lab = np.empty((*size, 3), np.uint8)
    lab[..., 0] = np.linspace(60, 200, size[1])
    lab[..., 1], lab[..., 2] = a, b
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write_rgb(path, cv2.cvtColor(lab, cv2.COLOR_Lab2RGB))


def counts(data):
    """(set, what became of its pictures) -> how many, as the table beside the data set says."""
    with (data / "counts.csv").open(newline="") as lines:
        return {(row["set"], row["what became of it"]): int(row["pictures"]) for row in csv.DictReader(lines)}


def tree(folder):
    """What a data set holds: each file's content, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def given(tmp_path):
    """The folders that a user gives: five pictures of CCP, one more, ten of FSA of which the last is held out."""
    make_mhmd(tmp_path / "ccp")
    for i in range(5):
        write_picture(tmp_path / f"ccp/dataset_train/{i:04}.jpg", i, (96, 72))
    write_picture(tmp_path / "more/m0.jpg", 20, (96, 72))
    for i in range(9):
        write_picture(tmp_path / f"fsa/f{i}.jpg", 30 + i, (96, 72))
    shutil.copy(PHOTOGRAPHS / "coffee.png", tmp_path / "fsa/f9.png")
    return ["--ccp", tmp_path / "ccp", "--ccp-more", tmp_path / "more", "--fsa", tmp_path / "fsa"]


@pytest.fixture
def pool(tmp_path):
    """A folder of the public sets with a picture for each verdict."""
    folder = tmp_path / "pool"
    coffee = images.read_rgb(PHOTOGRAPHS / "coffee.png")
    rocket = images.read_rgb(PHOTOGRAPHS / "rocket.jpg")
    clothing, faces = folder / "clothing_dataset_anyuse", folder / "interfaces_cc0"
    ab = np.where(np.arange(120) // 15 % 2, 158, 98)
    paint(clothing / "blue_and_orange.png", ab, ab)
    paint(clothing / "gray.png", 128, 128)
    # Mean chroma 4.2 and 7.1, of two hues each.
    paint(clothing / "pale.png", 128 + np.where(ab > 128, 3, -3), 131)
    paint(clothing / "paler_than_most.png", 128 + np.where(ab[::-1] > 128, 5, -5), 133)
    paint(clothing / "sepia.png", 138, 148)
    paint(clothing / "wide.png", ab.repeat(3)[:310], ab.repeat(3)[:310], (100, 310))
    paint(clothing / "thumbnail.png", ab[:80], ab[:80], (50, 80))
    images.write_rgb(clothing / "first.jpg", rocket)
    images.write_rgb(faces / "smaller_and_brighter.jpg", cv2.convertScaleAbs(cv2.resize(rocket, (300, 200)), beta=9))
    images.write_rgb(faces / "held_out.jpg", cv2.resize(coffee, (240, 160)))
    images.write_rgb(faces / "held_out_without_its_border.jpg", coffee[20:380, 30:570])
    (faces / "damaged.jpg").write_bytes((clothing / "first.jpg").read_bytes()[:3000])
    write_picture(folder / "research_likelyfree_uk_mps/x.jpg", 50, (96, 72))
    write_picture(folder / "holiday/x.jpg", 51, (96, 72))
    return folder


def test_each_picture_is_judged_and_counted_by_reason(given, pool, run, tmp_path):
    code, out, err = run(SCRIPT, "prepare", *given, "--pool", pool, "--out", tmp_path / "data")
    # Something was skipped, by name.
    assert code == 3, err
    assert "skipped: " in err
    assert "damaged.jpg" in err
    expected = {
        ("ccp", "training"): 5,
        ("ccpmore", "training"): 1,
        ("fsa", "training"): 9,
        ("clothing_dataset_anyuse", "little colour"): 2,
        ("clothing_dataset_anyuse", "one hue"): 1,
        ("clothing_dataset_anyuse", "too long"): 1,
        ("clothing_dataset_anyuse", "too small"): 1,
        # blue_and_orange, first and paler_than_most, of which thinning takes the first.
        ("clothing_dataset_anyuse", "one of several is taken"): 2,
        ("clothing_dataset_anyuse", "training"): 1,
        ("interfaces_cc0", "cannot be read"): 1,
        ("interfaces_cc0", "like a held-out picture"): 2,
        ("interfaces_cc0", "twice"): 1,
    }
    assert counts(tmp_path / "data") == expected
    for (name, what), number in expected.items():
        assert f"{name}: {what} {number}\n" in out
    stored = images.read_rgb(tmp_path / "data/dataset_train/clothing_dataset_anyuse_blue_and_orange.webp")
    assert stored.shape == (256, 256, 3)


def test_sets_of_unclear_licence_are_taken_only_if_asked_for(given, pool, run, tmp_path):
    for option, number in (((), 0), (("--with-unclear-licences",), 1)):
        data = tmp_path / f"data{number}"
        assert run(SCRIPT, "prepare", *given, "--pool", pool, "--out", data, *option)[0] == 3
        assert counts(data).get(("uk_mps", "training"), 0) == number
        assert ("not stated where they were found" in (data / "LICENCES.md").read_text()) == bool(number)
        # Half as often as others, if they are there: a line that fits nothing would be refused in training.
        names = sorted(path.name for path in (data / "dataset_train").iterdir() if path.suffix != ".txt")
        weights = dict(zip(names, varying.read_weights(data / "weights.csv", names), strict=True))
        assert weights.get("uk_mps_x.webp", 0) == number / 2
        assert (weights["ccp_0003.jpg"], weights["ccpmore_m0.jpg"], weights["fsa_f4.jpg"]) == (1.5, 1, 2)


def test_every_picture_has_its_source(given, pool, run, tmp_path):
    coco = next(iter(sources.attribution()))
    write_picture(pool / f"coco_ccby_bysa/{coco}.jpg", 60, (96, 72))
    write_picture(pool / "coco_ccby_bysa/train2017_999999999999.jpg", 61, (96, 72))
    data = tmp_path / "data"
    assert run(SCRIPT, "prepare", *given, "--pool", pool, "--out", data)[0] == 3
    with (data / "sources.csv").open(newline="") as lines:
        rows = {row["file"]: row for row in csv.DictReader(lines)}
    pictures = [path for folder in ("dataset_train", "validation") for path in (data / folder).iterdir()]
    assert rows.keys() == {path.name for path in pictures if path.suffix != ".txt"}
    # Of COCO those whose licence is known, with the author's page, which the licence asks for.
    row = rows[f"coco_ccby_bysa_{coco}.webp"]
    assert row["licence"].startswith("CC BY")
    assert row["address"].startswith("http")
    assert "coco_ccby_bysa_train2017_999999999999.webp" not in rows
    row = rows["clothing_dataset_anyuse_blue_and_orange.webp"]
    assert (row["repository"], len(row["commit"])) == ("alexeygrigorev/clothing-dataset", 40)


def test_a_second_run_makes_the_same_from_an_archive_as_well(given, pool, run, tmp_path):
    assert run(SCRIPT, "prepare", *given, "--pool", pool, "--out", tmp_path / "one")[0] == 3
    assert run(SCRIPT, "prepare", *given, "--pool", pool, "--out", tmp_path / "two")[0] == 3
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    # What a run that was killed left is no hindrance, and no part of the result.
    (tmp_path / ".unfinished-three/dataset_train").mkdir(parents=True)
    (tmp_path / ".unfinished-three/dataset_train/x.webp").write_bytes(b"half")
    with zipfile.ZipFile(tmp_path / "pool.zip", "w") as archive:
        for path in (tmp_path / "one/dataset_train").glob("clothing*.webp"):
            archive.write(path, f"clothing_dataset_anyuse/{path.stem.removeprefix('clothing_dataset_anyuse_')}")
    assert run(SCRIPT, "prepare", *given, "--pool", tmp_path / "pool.zip", "--out", tmp_path / "three")[0] == 0
    assert not (tmp_path / ".unfinished-three").exists()
    ours, theirs = tree(tmp_path / "one"), tree(tmp_path / "three")
    assert {name: ours[name] for name in ours if "dataset_train" in name} == {
        name: theirs[name] for name in theirs if "dataset_train" in name
    }


def test_a_copy_that_is_none_is_named(given, run, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no archive")
    (tmp_path / "empty").mkdir()
    for copy, words in (("x.zip", "not a whole zip archive"), ("empty", "holds none of the sets"), ("gone", "gone")):
        code, _, err = run(SCRIPT, "prepare", *given, "--pool", tmp_path / copy, "--out", tmp_path / "data")
        assert (code, words in err) == (2, True), err
        assert not (tmp_path / "data").exists()


def git(folder, *command):
    names = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *names, *command], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository "somebody/photos" in GitHub's place whose first commit is wanted, and that commit."""
    folder = tmp_path / "github/somebody/photos"
    for i, name in enumerate(("images/a.jpg", "images/b.jpg", "images/deeper/c.jpg", "other/d.jpg", "e.jpg")):
        write_picture(folder / name, 80 + i, (96, 72))
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    commit = git(folder, "rev-parse", "HEAD")
    git(folder, "rm", "--quiet", "images/b.jpg")
    git(folder, "commit", "--quiet", "-m", "second")
    for number, (key, value) in enumerate(
        {f"url.file://{tmp_path}/github/.insteadOf": "https://github.com/", "safe.directory": "*"}.items()
    ):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    return folder, commit


@pytest.mark.parametrize("partial", [False, True])
def test_of_a_repository_one_commit_and_the_wanted_folder_are_fetched(repository, tmp_path, partial):
    folder, commit = repository
    git(folder, "config", "uploadpack.allowFilter", str(partial).lower())
    part = sources.Part("somebody/photos", commit, ("/images/*.jpg", "!/images/deeper/"))
    # What a fetching that was killed left is taken away.
    fetched = fetching.fetch(part, tmp_path / "fetched")
    shutil.copytree(fetched, fetched.with_name(f".unfinished-{fetched.name}"))
    shutil.rmtree(fetched)
    fetched = fetching.fetch(part, tmp_path / "fetched")
    assert tree(fetched) == {
        f"images/{name}.jpg": git_bytes(folder, commit, f"images/{name}.jpg") for name in ("a", "b")
    }
    assert [path.name for path in (tmp_path / "fetched").iterdir()] == [fetched.name]
    # It is not fetched again.
    shutil.rmtree(folder)
    assert fetching.fetch(part, tmp_path / "fetched") == fetched


def git_bytes(folder, commit, path):
    return subprocess.run(["git", "show", f"{commit}:{path}"], cwd=folder, check=True, capture_output=True).stdout


def test_the_data_set_from_a_repository(given, repository, run, tmp_path, monkeypatch):
    folder, commit = repository
    photos = sources.Part("somebody/photos", commit, ("/images/",), parents=1)
    rows = [replace(sources.POOL[2], parts=(photos,)), next(one for one in sources.POOL if not one.parts)]
    monkeypatch.setattr(sources, "POOL", tuple(rows))
    arguments = ("prepare", *given, "--fetched", tmp_path / "fetched", "--out", tmp_path / "data")
    code, out, err = run(SCRIPT, *arguments)
    assert code == 0, err
    assert f"somebody/photos at {commit}" in out
    assert "debian_wallpapers_photos: in no repository, left out" in out
    names = {path.name for path in (tmp_path / "data/dataset_train").glob("interfaces*")}
    assert names == {f"interfaces_cc0_{name}.webp" for name in ("images_a", "images_b", "deeper_c")}
    assert (
        f"interfaces_cc0_images_b.webp,training,interfaces_cc0,somebody/photos,{commit},CC0,"
        in (tmp_path / "data/sources.csv").read_text()
    )
    # Again from what was fetched, without the repository.
    shutil.rmtree(folder)
    assert run(SCRIPT, *arguments[:-1], tmp_path / "again")[0] == 0
    assert tree(tmp_path / "again") == tree(tmp_path / "data")


def test_what_git_cannot_fetch_is_named(given, repository, run, tmp_path, monkeypatch):
    _, commit = repository
    for wanted, words in (
        (sources.Part("somebody/photos", "0" * 40, ("/images/",)), f"commit {'0' * 40} cannot be fetched (git fetch"),
        (sources.Part("nobody/nothing", commit, ("/images/",)), "https://github.com/nobody/nothing: commit"),
        (sources.Part("somebody/photos", commit, ("/pictures/",)), "has no /pictures/"),
    ):
        monkeypatch.setattr(sources, "POOL", (replace(sources.POOL[0], parts=(wanted,)),))
        arguments = ("prepare", *given, "--fetched", tmp_path / "fetched", "--out", tmp_path / "data")
        code, _, err = run(SCRIPT, *arguments)
        assert (code, words in err) == (2, True), err
        assert not (tmp_path / "data").exists()
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = run(SCRIPT, *arguments)
    assert (code, "git: not installed" in err) == (2, True), err


def test_the_table_of_sets_is_whole():
    names = [source.name for source in (*sources.GIVEN, *sources.POOL)]
    assert len(set(names)) == len(names)
    for source in sources.POOL:
        assert source.licence
        assert source.basis
        for part in source.parts:
            assert len(part.commit) == 40
            assert int(part.commit, 16)
    # No set's pictures are taken for another's by the beginning of their name, where the weights differ.
    for source in (*sources.GIVEN, *sources.POOL):
        others = [one for one in (*sources.GIVEN, *sources.POOL) if one.name.startswith(source.name + "_")]
        assert all(one.weight == source.weight for one in others)


def test_a_set_takes_the_pictures_that_its_row_names():
    taken = {source.name: source.takes for source in sources.POOL}
    assert [taken["prokudin_gorskii_pd"](name) for name in ("lady", "emir", "self_portrait")] == [True, False, False]
    names = ("bio_guide_015051", "bio_guide_015052", "bio_guide_091980")
    assert [taken["voteview_bioguide"](name) for name in names] == [False, True, True]
    names = ("wiki_000008", "wiki_014817", "raw_manual_000019", "raw_manual_021140")
    assert [taken["voteview_wiki"](name) for name in names] == [False, True, False, True]


def test_two_pictures_are_one_whatever_their_size_and_light():
    """Independent of the hashes: transformations that keep a picture, and other pictures."""
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "motorcycle_left.png")
    photographs = [images.read_rgb(PHOTOGRAPHS / name) for name in names if (PHOTOGRAPHS / name).exists()]
    for number, rgb in enumerate(photographs):
        seen = filters.Seen([filters.fingerprint(rgb)])
        small = cv2.resize(rgb, (150, 110), interpolation=cv2.INTER_AREA)
        jpeg = cv2.imdecode(cv2.imencode(".jpg", rgb, (cv2.IMWRITE_JPEG_QUALITY, 40))[1], cv2.IMREAD_COLOR)
        for same in (small, jpeg, cv2.convertScaleAbs(rgb, alpha=0.9, beta=6)):
            assert seen.has(filters.fingerprint(same)), names[number]
        for other in (*photographs[:number], *photographs[number + 1 :]):
            assert not seen.has(filters.fingerprint(other))


@pytest.mark.formats
@pytest.mark.slow
def test_from_the_archives_and_the_folders_of_the_reference_files(reference, run, tmp_path):
    data = reference / "data"
    given = ("--ccp", data / "ccp_mhmd", "--ccp-more", data / "ccp_more", "--fsa", data / "fsac_color")
    archives = [data / f"photo_pool/{name}.zip" for name in ("photo_pool", "clothing")]
    for out, copies in (("one", archives), ("two", archives[::-1])):
        options = ("--pool", *copies, "--with-unclear-licences", "--out", tmp_path / out)
        assert run(SCRIPT, "prepare", *given, *options)[0] == 0
    one, two = tmp_path / "one", tmp_path / "two"
    files = [str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(str(path.relative_to(two)) for path in two.rglob("*") if path.is_file())
    assert filecmp.cmpfiles(one, two, files, shallow=False)[1:] == ([], [])

    # All pictures have become something: what the folders and the archives hold, less what is held out.
    found, totals = counts(one), Counter()
    for (name, _), number in found.items():
        totals[name] += number
    with zipfile.ZipFile(archives[0]) as pool, zipfile.ZipFile(archives[1]) as clothing:
        expected = Counter(sources.known_as(name.split("/")[0]) for name in (*pool.namelist(), *clothing.namelist()))
    expected.update({"ccp": 840, "ccpmore": 1094, "fsa": 1453 - 145})
    assert totals == expected
    by_reason = Counter()
    for (name, what), number in found.items():
        by_reason["given" if name in ("ccp", "ccpmore", "fsa") else "pool", what] += number
    assert by_reason == {
        ("given", "little colour"): 372,
        ("given", "like a held-out picture"): 5,
        ("given", "like a validation picture"): 3,
        ("given", "validation"): 143,
        ("given", "training"): 2719,
        # The archives were filtered once before.
        ("pool", "one hue"): 2,
        ("pool", "twice"): 18,
        ("pool", "validation"): 337,
        ("pool", "training"): 6426,
    }
