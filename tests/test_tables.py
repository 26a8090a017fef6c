"""The papers' tables and figures from folders of results, by the command lines that users have."""

import csv
import json
import re
import shutil
import sys

import numpy as np
import pytest
from conftest import write_picture

from historynet.comparing import methods, metrics
from historynet.comparing.comparison import compare
from historynet.comparing.metrics import CONVENTIONS
from historynet.comparing.pairing import pair_folders
from historynet.pictures import figures, images

SCRIPT = "Util/tables.py"
FOLDERS = {
    "Iizuka et al.": "Iizuka et al.[3]",
    "Larsson et al.": "larsson_results",
    "Deoldify": "DeOldify",
    "ChromaGAN": "chromagan",
    "Su et al.": "Su_et_al",
    "HistoryNet": "HistoryNet",
}


@pytest.fixture
def release(tmp_path):
    """Four originals, and the results of six methods: the originals, brighter by 5, 10, ..."""
    folder = tmp_path / "Quantitative_comparison"
    for i in range(4):
        write_picture(folder / f"original/{i}.png", i)
        rgb = images.read_rgb(folder / f"original/{i}.png")
        for step, name in enumerate(FOLDERS.values(), start=1):
            brighter = np.clip(rgb.astype(int) + 5 * step, 0, 255).astype(np.uint8)
            images.write_rgb(folder / name / f"{i}_reconstructed.png", brighter)
    (folder / "notes").mkdir()
    return folder


@pytest.fixture
def no_lpips(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)


@pytest.mark.usefixtures("no_lpips")
def test_quantitative(release, run, tmp_path):
    code, out, err = run(SCRIPT, "quantitative", release, "--out", tmp_path / "out", "--colorfulness")
    assert code == 0
    assert "without LPIPS: LPIPS needs the lpips library" in err
    assert "left out: notes is no known method" in out
    folder = tmp_path / "out"
    assert {path.name for path in folder.iterdir()} == {f"quantitative.{e}" for e in ("txt", "md", "csv", "tex", "png")}
    with (folder / "quantitative.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(FOLDERS)
    for name, row in rows.items():
        expected = compare(pair_folders(release / "original", release / FOLDERS[name]), CONVENTIONS["exact"])
        assert float(row["PSNR"]) == pytest.approx(expected.mean("PSNR"), abs=1e-6)
        assert float(row["SSIM deviation"]) == pytest.approx(expected.deviation("SSIM"), abs=1e-6)
        assert row["pairs"] == row["originals"] == "4"
        difference = float(row["PSNR"]) - float(row["PSNR MM '22"])
        assert float(row["PSNR MM '22 difference"]) == pytest.approx(difference, abs=2e-6)
    assert (rows["Larsson et al."]["PSNR MM '21"], rows["Larsson et al."]["PSNR MM '22"]) == ("24.527", "24.506")
    best = f"{float(rows['Iizuka et al.']['PSNR']):.4f}"
    text, markdown, latex = ((folder / f"quantitative.{e}").read_text() for e in ("txt", "md", "tex"))
    # Brighter by 5 is closest; nothing else is marked but its two scores.
    assert re.findall(r"([\d.]+)\*", text)[0] == best
    assert text.count("*") == 2 + 1
    assert re.findall(r"\*\*([\d.]+)\*\*", markdown)[0] == best
    assert re.findall(r"\\textbf{([\d.]+)}", latex)[0] == best
    assert "0.150" in text
    mean = np.mean([metrics.colorfulness(images.read_rgb(path)) for path in (release / "original").iterdir()])
    assert re.search(rf"Original +{mean:.2f}\n", text)
    # A LaTeX table has as many cells in each line as columns.
    columns = re.findall(r"begin{tabular}{(\w+)}", latex)
    for table, spec in zip(re.findall(r"\\toprule(.*?)\\bottomrule", latex, re.S), columns, strict=True):
        lines = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {line.count("&") + 1 for line in lines} == {len(spec)}


@pytest.mark.usefixtures("no_lpips")
def test_ablation_of_mapped_folders(release, run, tmp_path):
    """Names are mapped to the published methods; others get a row without published values."""
    code, out, _ = run(
        *(SCRIPT, "ablation", tmp_path, "--out", tmp_path / "out", "--originals", release / "original"),
        *("--method", f"baseline+parsing={release / 'chromagan'}", "--method", f"Mine={release / 'HistoryNet'}"),
    )
    assert code == 0
    with (tmp_path / "out/ablation.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["Baseline+Parsing", "Mine"]
    assert rows["Baseline+Parsing"]["LPIPS MM '22"] == "0.0662"
    assert rows["Mine"]["PSNR MM '21"] == ""
    assert "LPIPS was not measured" in out


def test_published_values_are_the_papers():
    """Spot checks against the printed tables; the best of each source is HistoryNet in all three metrics."""
    quantitative, ablation = methods.EXPERIMENTS.values()
    published = {method.name: method.published for method in quantitative.methods}
    assert published["Su et al."] == {"MM '21": ["0.132", "25.951", "0.941"], "MM '22": ["0.150", "24.660", "0.936"]}
    for experiment in (quantitative, ablation):
        for source in experiment.sources:
            values = {method.name: [float(v) for v in method.published[source]] for method in experiment.methods}
            for column, best in enumerate((min, max, max)):
                assert best(values, key=lambda name, values=values, column=column: values[name][column]) == "HistoryNet"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("ChromaGAN", "Baseline"),
        ("HistoryNet_Parsing", "Baseline+Parsing"),
        ("SOURCE_Classifier", "Baseline+Classifier"),
        ("Baseline+Classifier_result", "Baseline+Classifier"),
        ("Ours", "HistoryNet"),
        ("Somebody", "Somebody"),
    ],
)
def test_names_of_the_ablation(folder, name):
    assert methods.method_name(folder, methods.EXPERIMENTS["ablation"]) == name


@pytest.mark.usefixtures("no_lpips")
def test_what_is_wrong_with_one_method_leaves_the_others(release, run, tmp_path):
    shutil.rmtree(release / "chromagan")
    (release / "chromagan").mkdir()
    (release / "DeOldify/2_reconstructed.png").write_bytes(b"broken")
    (release / "HistoryNet/3_reconstructed.png").unlink()
    code, out, err = run(SCRIPT, "quantitative", release, "--out", tmp_path / "out")
    assert code == 3
    assert re.search("left out: ChromaGAN: .*chromagan: no pictures", err)
    assert re.search("left out: Deoldify: .*2_reconstructed.png: not a picture", err)
    assert re.search(r"HistoryNet +3 of 4", out)
    assert "different numbers of pairs" in out
    write_picture(release / "Su_et_al/0_reconstructed.png", 1, (41, 30))
    code, out, err = run(SCRIPT, "quantitative", release, "--out", tmp_path / "out")
    assert code == 2
    assert "left out: Su et al.: 0.png: 40x30, its result 0_reconstructed.png: 41x30" in err
    assert (tmp_path / "out/quantitative.md").exists()


@pytest.mark.usefixtures("no_lpips")
def test_an_original_without_a_part_in_the_mean_is_named(release, run, tmp_path):
    """It has no result either, so nobody else names it."""
    (release / "original/spoilt.png").write_bytes(b"broken")
    mean = np.mean([metrics.colorfulness(images.read_rgb(release / f"original/{i}.png")) for i in range(4)])
    arguments = "quantitative", release, "--out", tmp_path / "out", "--colorfulness"
    code, out, err = run(SCRIPT, *arguments)
    assert code == 3
    assert re.search("left out: colourfulness of the originals: .*spoilt.png: not a picture", err)
    assert re.search(rf"Original .*{mean:.2f}", out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["quantitative", "nowhere"], "nowhere: the folder cannot be read"),
        (["quantitative", "empty"], "empty: no folder is called originals; .*--originals"),
        (["ablation", "empty", "--originals", "empty"], "no folder of a known method; .*--method"),
        (["ablation", "empty", "--method", "x"], "x: --method takes NAME=DIR"),
        (
            ["ablation", "empty", "--method", "Baseline=a", "--method", "chromagan=b"],
            "chromagan=b: Baseline is the label of a, too; each folder has its own",
        ),
        (["ablation", "two"], "Baseline and chromagan both look like Baseline; .*--method 'Baseline=DIR'"),
        (["tables", "empty"], "invalid choice"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "two/Baseline", "two/chromagan"):
        (tmp_path / folder).mkdir(parents=True)
    code, _, err = run(SCRIPT, *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert re.search(f"^error: .*{words}", err)


@pytest.mark.usefixtures("no_lpips")
def test_two_folders_of_one_method_and_equal_pictures(release, run, tmp_path):
    """Naming one of them settles it; a mean that does not exist is not the best."""
    shutil.copytree(release / "original", release / "Ours")
    assert run(SCRIPT, "quantitative", release, "--out", tmp_path / "out")[0] == 2
    arguments = ("--method", f"HistoryNet={release / 'Ours'}", "--out", tmp_path / "out")
    code, out, _ = run(SCRIPT, "quantitative", release, *arguments)
    assert code == 0
    assert re.search(r"HistoryNet +4 of 4 +nan +1.0000\*", out)
    assert re.search(r"Iizuka et al. +4 of 4 +[\d.]+\*", out)
    assert "HistoryNet: 4 results equal their originals" in out


@pytest.mark.usefixtures("no_lpips")
def test_where_all_methods_are_alike_none_is_marked(release, run, tmp_path):
    for name in ("DeOldify", "chromagan"):
        shutil.rmtree(release / name)
        shutil.copytree(release / FOLDERS["HistoryNet"], release / name)
    chosen = {name: release / FOLDERS[name] for name in ("Deoldify", "ChromaGAN", "HistoryNet")}
    arguments = [part for name, folder in chosen.items() for part in ("--method", f"{name}={folder}")]
    arguments += ["--originals", release / "original", "--out", tmp_path / "out"]
    (tmp_path / "nothing").mkdir()
    code, out, err = run(SCRIPT, "quantitative", tmp_path / "nothing", *arguments)
    assert code == 0, err
    assert out.count("*") == 1  # what it means
    # Of two that share the best place, both are.
    other = f"Iizuka={release / FOLDERS['Larsson et al.']}"
    code, out, err = run(SCRIPT, "quantitative", tmp_path / "nothing", *arguments[2:], "--method", other)
    assert code == 0, err
    assert re.search(r"Iizuka et al. +4 of 4 +[\d.]+\*", out)
    assert not re.search(r"(ChromaGAN|HistoryNet) .*\*", out)


@pytest.mark.usefixtures("no_lpips")
@pytest.mark.parametrize("script", ["Util/comparison_figure.py", SCRIPT])
def test_what_run_ablation_has_written_is_taken(release, run, tmp_path, script):
    variants = {"Baseline": "Iizuka et al.[3]", "HistoryNet_Classifier": "DeOldify", "HistoryNet_Parsing": "chromagan"}
    for trainer, results in {**variants, "HistoryNet": "HistoryNet"}.items():
        shutil.copytree(release / results, tmp_path / "ablation" / trainer / "colorized")
        settings = {"test_dir": str(release / "original")}
        (tmp_path / "ablation" / trainer / "settings.json").write_text(json.dumps(settings))
        # What else lies there are no results.
        (tmp_path / "ablation" / trainer / "models").mkdir()
    (tmp_path / "ablation/report").mkdir()
    code, out, err = run(script, "ablation", tmp_path / "ablation", "--out", tmp_path / "out")
    assert code == 0, err
    if script == SCRIPT:
        for name in ("Baseline", "Baseline+Classifier", "Baseline+Parsing", "HistoryNet"):
            assert re.search(rf"^{re.escape(name)} +4 of 4", out, re.MULTILINE), out
    else:
        # The original, its gray version, and four variants.
        width = images.read_rgb(tmp_path / "out.png").shape[1]
        assert width == pytest.approx(200 * (6 * 1.33 - 0.03), abs=1)
    # The test pictures can have moved.
    (release / "original").rename(release / "ground_truth")
    code, _, err = run(script, "ablation", tmp_path / "ablation", "--out", tmp_path / "out")
    assert code == 2
    assert "no folder is called originals; call it so (or original, ground truth, gt," in err
    arguments = ("--originals", release / "ground_truth", "--out", tmp_path / "out")
    assert run(script, "ablation", tmp_path / "ablation", *arguments)[0] == 0


@pytest.mark.parametrize("script", ["tables", "comparison_figure", "run_ablation"])
def test_help_names_the_tables_of_both_papers(run, script):
    code, out, _ = run(f"Util/{script}.py", "--help")
    text = " ".join(out.split())
    assert code == 0
    if script == "run_ablation":
        assert "the paper's Table 3, the companion's Table 2" in text
    else:
        assert "quantitative: the paper's Table 2 and the companion's Table 1" in text
        assert "ablation: the paper's Table 3 and the companion's Table 2" in text
        assert "originals, original, ground truth" in text


def test_comparison_figure(release, run, tmp_path):
    code, _, err = run("Util/comparison_figure.py", "quantitative", release, "--out", tmp_path / "fig", "--rows", 3)
    assert code == 0, err
    assert (tmp_path / "fig.pdf").read_bytes().startswith(b"%PDF")
    picture = images.read_rgb(tmp_path / "fig.png")
    # Eight columns of 1.3 inches and gaps of 0.03 at 200 dots an inch.
    assert picture.shape[1] == pytest.approx(200 * (8 * 1.33 - 0.03), abs=1)
    code, _, err = run("Util/comparison_figure.py", "quantitative", release, "--pictures", "9.png")
    assert code == 2
    assert "9.png: cannot be read" in err


def test_pictures_stand_in_their_places(tmp_path):
    colors = {(0, 0): (255, 0, 0), (0, 1): (0, 200, 0), (1, 0): (0, 0, 255)}
    rows = [
        [np.full((20, 20, 3), colors[r, c], np.uint8) if (r, c) in colors else None for c in (0, 1)] for r in (0, 1)
    ]
    figures.print_pictures(rows, ["left", "right"], [tmp_path / "x.png"], width=1)
    drawn = images.read_rgb(tmp_path / "x.png")
    assert drawn.shape[:2] == (round(200 * (0.22 + 2 + 0.03)), round(200 * 2.03))
    for (r, c), color in colors.items():
        top, left = round(200 * (0.22 + 1.03 * r)), round(200 * 1.03 * c)
        assert (drawn[top + 3 : top + 197, left + 3 : left + 197] == color).all()
    assert (drawn[-190:, -190:] == 255).all()


@pytest.mark.parametrize(("curves", "columns", "lines"), [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 3, 2)])
def test_fewer_than_three_curves_leave_no_empty_place(tmp_path, curves, columns, lines):
    figures.plot_curves({f"L_{i}": [3.0, 2.0, 1.0] for i in range(curves)}, tmp_path / "losses.png", 1)
    assert images.read_rgb(tmp_path / "losses.png").shape == (260 * lines, 400 * columns, 3)
