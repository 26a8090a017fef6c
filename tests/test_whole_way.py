"""build.py: all steps from films to a data set and its report; where it stops, and for what."""

import csv
import importlib.util
from pathlib import Path

import pytest
from conftest import ROOT, open_folder, run_here
from painted import describe
from test_building import contents

from historynet.collecting import film_list, manifest, provenance
from historynet.commands import build
from historynet.errors import InputError

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[mhmd]'")

BUILD = "SOURCE_MHMD/build.py"


@pytest.fixture(scope="module")
def demo():
    """What make mhmd-demo runs, with shorter films."""
    spec = importlib.util.spec_from_file_location("mhmd_demo", ROOT / "Util/mhmd_demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SHOTS = 4
    return module


@pytest.fixture(scope="module")
def films(demo, tmp_path_factory):
    """A folder of two films, without a list."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(2):
        demo.write_film(folder / f"{demo.TITLES[number]}.mp4", number)
    return folder


@pytest.fixture(scope="module")
def steps():
    """The steps' programs run in this process; which of them, in their order."""
    ran = []

    def here(script, *arguments):
        ran.append(Path(script).name)
        return run_here(script, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "run_script", here)
        yield ran


@pytest.fixture(scope="module")
def begun(films, steps, tmp_path_factory):
    """A data set as it is when a person is needed; the command that goes on."""
    folder = tmp_path_factory.mktemp("begun")
    command = [BUILD, films, "--out", folder / "DATASET", "--private", "--workers", 1, "--parser", describe(folder)]
    return folder, command


@pytest.fixture(scope="module")
def labelled(begun, demo):
    """A file of labels of all kept pictures, by their colours."""
    folder, command = begun
    assert run_here(*command) == 2
    path = folder / "labels.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["picture", "label"])
        for i, one in enumerate(manifest.read(folder / "DATASET/mhmd")):
            table.writerow([one.picture, (demo.WARM, demo.COOL)[i % 2]])
    return path


def test_a_folder_without_a_list(films, steps, tmp_path, run):
    """A list is written, and somebody has to say what the films' licences are."""
    (films / film_list.NAME).unlink(missing_ok=True)
    code, _, err = run(BUILD, films, "--out", tmp_path / "DATASET", "--workers", 1)
    assert code == 2
    assert "films.csv" in err
    assert "--private" in err
    assert [film.key for film in film_list.read(films / film_list.NAME)] == ["launch", "orbit"]


def test_stops_where_a_person_is_needed(begun, steps, run):
    folder, command = begun
    steps.clear()
    code, _, err = run(*command)
    assert code == 2
    assert steps == ["collect.py", "choose.py", "label.py"]
    assert "a person is needed: 1 drawn pictures are to be labelled" in err
    assert f"label.py by-hand --by NAME --config {folder / 'DATASET/mhmd/settings.json'}" in err
    assert not (folder / "DATASET/dataset_train").exists()


def test_unknown_names_in_a_file_of_labels(begun, labelled, run, steps):
    folder, command = begun
    wrong = folder / "wrong.csv"
    lines = labelled.read_text().splitlines()
    lines[2] = f"x{lines[2]}"
    wrong.write_text("\n".join(lines) + "\n")
    code, _, err = run(*command, "--labels", wrong)
    assert code == 2
    assert f"{wrong}: line 3: no picture 'x" in err
    # What needs no pictures is said before the first step, which may take days.
    steps.clear()
    lines[1] = lines[1].replace(",", ",nobody-")
    wrong.write_text("\n".join(lines) + "\n")
    code, _, err = run(*command, "--labels", wrong)
    assert (code, steps) == (2, [])
    assert f"{wrong}: line 2: no label 'nobody-" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--labels", "LABELS.csv"], "LABELS.csv: line 2: no label 'nobody'"),
        (["--detector", "nowhere.onnx"], "nowhere.onnx: cannot be read"),
        (["--parser", "nowhere.json"], "nowhere.json: no such parser"),
        (["--parser", "PARSER.json"], "PARSER.json: 'model' is missing"),
        (["--label-order", "LABELS.csv"], "LABELS.csv: its first line has to name the columns"),
        (["--out", "OWN"], "OWN/dataset_train: another data set is there"),
    ],
)
def test_what_fails_at_once_leaves_nothing(films, steps, tmp_path, run, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    Path("LABELS.csv").write_text("picture,label\nlaunch-00000000.jpg,nobody\n")
    Path("PARSER.json").write_text("{}")
    Path("OWN/dataset_train").mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    steps.clear()
    code, _, err = run(BUILD, films, "--out", tmp_path / "DATASET", "--private", "--workers", 1, *options)
    assert (code, steps) == (2, [])
    assert said in err
    assert set(tmp_path.rglob("*")) == before


def test_all_the_way_with_labels(begun, labelled, run, steps):
    folder, command = begun
    steps.clear()
    code, out, _ = run(*command, "--labels", labelled)
    assert code == 0
    assert steps == ["collect.py", "choose.py", "parse.py"]
    assert "HistoryNet.py --train-data" in out
    assert f"\n# {labelled}: " in out
    dataset = folder / "DATASET"
    test = dataset / "dataset_second"
    assert f"--test-data {test if test.exists() else 'FOLDER'}\n" in out
    assert ("there is no test part" in out) == (not test.exists())
    samples = open_folder(dataset / "dataset_train")
    kept = manifest.read(dataset / "mhmd")
    assert len(samples.names) + len(list((dataset / "dataset_second").glob("*.jpg"))) == len(kept) > 4
    origins, private = provenance.read(dataset / "provenance.csv")
    assert private
    assert {origin.label_by for origin in origins} == {"hand:labels.csv"}
    assert (dataset / "report/report.md").exists()
    before = contents(dataset)
    code, out, _ = run(*command, "--labels", labelled)
    assert code == 0
    assert "(as they were)" in out
    assert contents(dataset) == before


def test_a_table_of_labels_is_no_file_of_labels(tmp_path):
    """--labels has two meanings, told apart by the columns."""
    from historynet.collecting import given_labels

    table = tmp_path / "table.csv"
    table.write_text("index,era,nationality,garment\n0,during,japan,informal\n")
    assert not given_labels.is_of_pictures(table)
    answers = tmp_path / "answers.csv"
    answers.write_text("picture,label,by,when\n")
    assert given_labels.is_of_pictures(answers)


def test_labels_of_pictures_need_the_whole_way(labelled, begun, run):
    folder, _ = begun
    code, _, err = run(BUILD, "--out", folder / "DATASET", "--labels", labelled)
    assert code == 2
    assert "FILMS" in err


def test_the_demonstration_removes_no_film_of_anybody(demo, tmp_path, monkeypatch):
    for name in ("DATA", "MODEL", "RESULT"):
        monkeypatch.setattr(demo, name, tmp_path / name)
    film = tmp_path / "DATA/films/mine.mp4"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"film")
    (tmp_path / "link").symlink_to(tmp_path / "DATA")
    for path, words in (
        (film, "lies in a folder that is removed"),
        (tmp_path / "link/films/mine.mp4", "lies in a folder that is removed"),
        (tmp_path / "nowhere.mp4", "no such film"),
    ):
        with pytest.raises(InputError, match=words):
            demo.main([str(path)])
    assert film.read_bytes() == b"film"
