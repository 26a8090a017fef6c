"""The report on a finished data set: its tables and figures, of a set made by hand."""

import csv

import pytest
from conftest import run_process, write_picture

from historynet.collecting import hue, labels, manifest, provenance
from historynet.collecting.provenance import Origin
from historynet.pictures import images

LABELS = ("during-china-informal", "during-china-informal", "after-usa-military", "before-russia-formal")


def make_set(folder, private=False):
    origins, kept = [], []
    for i, label in enumerate(LABELS):
        name, split = f"film-{i:08}.jpg", ("test" if i == 3 else "train")
        write_picture(folder / {"train": "dataset_train", "test": "dataset_second"}[split] / name, i)
        by = "hand:ann" if i else "predicted"
        origins.append(Origin(name, split, "film", "", "1.5", "A film", "2001", "CC BY", "me", "0", label, by, "", ""))
        kept.append(manifest.Picture(name, "film", "film", "", 1.5, ((0, 0, 9, 9),) * (1 + i % 2), 0.05 + i / 100, 6.0))
    provenance.write(folder / provenance.NAME, origins[::-1], private)
    manifest.write(folder / "mhmd", kept)
    (folder / "mhmd/funnel.csv").write_text("film,frames\nfilm,100\n")
    return origins


def test_provenance_comes_back(tmp_path):
    origins = make_set(tmp_path, private=True)
    assert provenance.read(tmp_path / provenance.NAME) == (origins, True)
    make_set(tmp_path)
    assert provenance.read(tmp_path / provenance.NAME) == (origins, False)


def test_the_report(tmp_path, run):
    make_set(tmp_path, private=True)
    for i in range(3):
        write_picture(tmp_path / f"others/{i}.png", 50 + i)
    code, out, err = run("SOURCE_MHMD/report.py", "--out", tmp_path, "--compare", tmp_path / "others")
    assert code == 0, err
    assert "Parts: test 1, train 3" in out and "Labelled by: hand:ann 3, predicted 1" in out
    assert "may not be passed on" in out
    folder = tmp_path / "report"
    tables = {f"table1.{extension}" for extension in ("txt", "md", "csv", "tex")}
    others = {"labels.csv", "labels.png", "hue.csv", "hue.png", "histograms.png", "funnel.csv", "report.md"}
    assert {path.name for path in folder.iterdir()} == tables | others
    with (folder / "table1.csv").open() as file:
        rows = {row[1]: row[2:] for row in csv.reader(file)}
    assert rows["during the war"] == ["2", "50.0%", "547318", "40.4%"]
    assert rows["China"][0] == "2" and rows["military uniform"][0] == "1" and rows["Japan"][0] == "0"
    assert "934,415" in (folder / "table1.tex").read_text() and r"\toprule" in (folder / "table1.tex").read_text()
    with (folder / "labels.csv").open() as file:
        counts = {row["label"]: int(row["pictures"]) for row in csv.DictReader(file)}
    assert len(counts) == 42 and sum(counts.values()) == 4 and counts["after-usa-military"] == 1
    with (folder / "hue.csv").open() as file:
        _, *hues = csv.reader(file)
    expected = hue.hues_of(sorted((tmp_path / "others").iterdir())).histogram
    assert [float(row[4]) for row in hues] == pytest.approx(list(expected), abs=1e-6)
    assert sum(int(row[1]) for row in hues) == 4
    for name in ("labels.png", "hue.png", "histograms.png"):
        assert images.read_rgb(folder / name).std() > 5


def test_a_set_that_is_not_there_or_of_another_table(tmp_path):
    done = run_process("SOURCE_MHMD/report.py", "--out", tmp_path)
    assert (done.returncode, "provenance.csv: is not there; build.py writes it" in done.stderr) == (2, True)
    make_set(tmp_path)
    labels.write_table(tmp_path / "own.csv", [label for label in labels.table() if label.index < 3])
    done = run_process("SOURCE_MHMD/report.py", "--out", tmp_path, "--labels", tmp_path / "own.csv")
    assert (done.returncode, "there is no label 'after-usa-military' in the table" in done.stderr) == (2, True)
