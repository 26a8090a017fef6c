"""The eight experiments of the Pix2Pix report: their plan, Table 4.2, and one that is really trained."""

import csv
import json
import shutil
import statistics
import time
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT, write_picture

from historynet.comparing import metrics
from historynet.comparing.metrics import CONVENTIONS
from historynet.errors import InputError
from historynet.experiments import pix2pix
from historynet.pictures import color, images
from historynet.training.tensorboard_log import TensorBoardLog, read_times

PUBLISHED_MEANS = {"psnr": (20.668, 20.903, 16.675, 20.419, 20.307, 20.830, 19.447, 22.169)}
PUBLISHED_MEANS["ssim"] = (0.8520, 0.8557, 0.6794, 0.8476, 0.8613, 0.8385, 0.7381, 0.8629)
"""Of the report's Table 4.2, experiments 1 to 8."""


@pytest.fixture
def pictures(tmp_path):
    for part, count in (("train", 4), ("test", 3)):
        for i in range(count):
            write_picture(tmp_path / part / f"{i}.png", i)
    return ["--train-data", str(tmp_path / "train"), "--test-data", str(tmp_path / "test"), "--width", "0.03125"]


def test_the_published_ranks_are_those_of_the_published_means():
    for name, means in PUBLISHED_MEANS.items():
        for number, mean in enumerate(means, start=1):
            row = pix2pix.PUBLISHED[number]
            assert float(getattr(row, name).split(" ± ")[0]) == mean
            assert getattr(row, f"{name}_rank") == sorted(means, reverse=True).index(mean) + 1


def test_the_eight_differ_by_attention_and_loss_alone(tmp_path, pictures):
    runs = pix2pix.plan(ROOT, tmp_path / "out", list(pix2pix.PUBLISHED), [*pictures, "--num-epochs", "3"])
    written = {number: json.loads(run.settings_file.read_text()) for number, run in runs.items()}
    told = [(written[n]["attention"], written[n]["gan_loss"]) for n in range(1, 9)]
    assert told == [(size, loss) for size in (None, 32, 64, 128) for loss in ("log", "least_squares")]
    own = {"test_name", "model_dir", "out_dir", "log_dir", "pretrained", "result_dir", "attention", "gan_loss"}
    shared = [{name: value for name, value in each.items() if name not in own} for each in written.values()]
    assert all(each == shared[0] for each in shared)
    assert len({each["model_dir"] for each in written.values()}) == 8
    assert written[8]["pretrained"].endswith("expt8/models/my_model_colorizationEpoch2.keras")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--attention", "64"], "--attention: the experiments differ by it"),
        (["--gan-loss", "hinge"], "--gan-loss: the experiments differ by it"),
        (["--config", "x.json"], "--config: can't be the same for the experiments"),
        (["--model-dir", "x"], "--model-dir: can't be the same"),
        (["--image-size", "100"], "100"),
        (["--widht", "1"], "unrecognized arguments: --widht"),
    ],
)
def test_wrong_options_leave_nothing(tmp_path, pictures, options, words):
    with pytest.raises(InputError, match=words):
        pix2pix.plan(ROOT, tmp_path / "out", [1, 7], [*pictures, *options])
    assert not (tmp_path / "out").exists()


def test_the_plan_says_how_long_it_takes(tmp_path, pictures, monkeypatch, capsys):
    out = tmp_path / "out"
    runs = pix2pix.plan(ROOT, out, [1, 4, 7, 8], [*pictures, "--batch-size", "2", "--num-epochs", "900"])
    asked = []

    def measured(run):
        asked.append(run.name)
        return {"expt1": 0.5, "expt7": 4.0}[run.name]

    monkeypatch.setattr(pix2pix, "_seconds_an_update", measured)
    # 4 pictures are 2 updates an epoch. 1 at 0.5 s; the others are taken as slow as 7.
    hours = 1800 * (0.5 + 3 * 4.0) / 3600
    assert f"4 to train, 1800 updates each: {hours:.1f} hours at most" in pix2pix.measure_plan(runs, out)
    assert pix2pix.measure_plan(runs, out).startswith("experiment 1: 0.50 seconds an update\nexperiment 7: 4.00")
    assert asked == ["expt1", "expt7"]
    for run in runs.values():
        run.record_file.write_text('{"training": 0}')
    assert "to train" not in pix2pix.measure_plan(runs, out)


def test_table_42(tmp_path, pictures):
    """Of made-up results: against scores and ranks computed one by one."""
    runs = pix2pix.plan(ROOT, tmp_path / "out", [2, 5, 8], pictures)
    originals = [tmp_path / f"test/{i}.png" for i in range(3)]
    expected = {}
    for number, strength in ((2, 0.5), (5, 0.9), (8, 0.2)):
        scores = []
        for original in originals:
            true = images.read_rgb(original)
            made = np.round(true * strength + color.to_gray(true) * (1 - strength)).astype(np.uint8)
            images.write_rgb(runs[number].colorized / f"{original.stem}_reconstructed.png", made)
            scores.append((metrics.psnr(true, made), metrics.ssim(true, made)))
        expected[number] = list(zip(*scores, strict=True))
        for table, row in (("losses", "epoch,step,L_L1\n0,0,2.5\n0,1,1.5\n"), ("epochs", EPOCHS)):
            (runs[number].folder / "logs").mkdir(exist_ok=True)
            (runs[number].folder / f"logs/{table}.csv").write_text(row)
        runs[number].record_file.write_text(json.dumps({"training_seconds": 1, "colorizing_seconds": 2}))
    text = pix2pix.report(runs, tmp_path / "report", CONVENTIONS["exact"], rows=2)
    assert "experiment 5 the one with the best SSIM" in text
    with (tmp_path / "report/table.csv").open() as file:
        header, *lines = csv.reader(file)
    for line, rank in zip(lines, (2, 1, 3), strict=False):
        psnr, ssim = expected[int(line[0])]
        assert line[3] == f"{statistics.mean(psnr):.3f} ± {statistics.stdev(psnr):.3f}"
        assert line[5] == f"{statistics.mean(ssim):.4f} ± {statistics.stdev(ssim):.4f}"
        assert line[4] == line[6] == str(rank)
    assert lines[1][:3] == ["5", "64x64", "log"]
    assert lines[2][7:] == ["22.169 ± 3.96", "1", "0.8629 ± 0.1186", "1"]
    gray = [metrics.psnr(images.read_rgb(path), color.to_gray(images.read_rgb(path))) for path in originals]
    assert lines[3][:4] == ["gray", "", "", f"{statistics.mean(gray):.3f} ± {statistics.stdev(gray):.3f}"]
    # Titles and two rows of gray, original and three results.
    assert images.read_rgb(tmp_path / "report/pictures.png").shape[1] > 5 * 180
    assert len(header) == len(lines[0])
    shutil.rmtree(runs[5].colorized)
    with pytest.raises(InputError, match="expt5: nothing to compare"):
        pix2pix.report(runs, tmp_path / "report", CONVENTIONS["exact"], rows=2)


EPOCHS = "epoch,psnr,ssim,psnr_gray,ssim_gray,colorfulness\n0,20,0.9,19,0.8,5\n"


def test_equal_means_share_a_rank():
    runs = {
        n: SimpleNamespace(name=f"expt{n}", settings=SimpleNamespace(attention=None, gan_loss="log")) for n in (1, 2)
    }

    def row(value):
        return SimpleNamespace(mean=lambda metric: value, deviation=lambda metric: 0.0)

    lines = pix2pix.table_lines(runs, {"expt1": row(3.0), "expt2": row(3.0), pix2pix.GRAY: row(4.0)})
    assert [line[4] for line in lines[1:]] == ["1", "1", ""]


def test_formulae_of_the_report(reference):
    """Reading R34, and what Eq. 4.1 and 4.2 give as they are printed."""
    path = reference / "golden/pix2pix/evaluation.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    golden = np.load(path)
    true, made = golden["true"], golden["made"]
    error = true.astype(np.float64) - made
    assert metrics.psnr(true, made) == pytest.approx(float(golden["psnr"]), rel=1e-9)
    assert 255**2 / 10 ** (metrics.psnr(true, made) / 10) == pytest.approx(float(golden["mse"]), rel=1e-9)
    peak = metrics.psnr(true, made) - 20 * np.log10(255 / true.max())
    assert peak == pytest.approx(float(golden["psnr_peak_of_picture"]), rel=1e-9)
    # A mean of absolute values in the place of the squares; a natural logarithm.
    printed = 20 * np.log10(true.max() / np.sqrt(np.abs(error).mean()))
    assert printed == pytest.approx(float(golden["psnr_as_printed_mean_absolute"]), rel=1e-9)
    assert printed * np.log(10) == pytest.approx(float(golden["psnr_as_printed_natural_log"]), rel=1e-9)


@pytest.mark.slow
def test_an_experiment_for_real_and_a_second_start(tmp_path, pictures, run):
    """Through the command line: trained, colorized, reported; a second start does nothing again."""
    command = ["Util/run_pix2pix.py", "--out", tmp_path / "out", "--experiments", "4", *pictures]
    command += ["--num-epochs", "1", "--batch-size", "2", "--gpu-id", "cpu"]
    code, out, err = run(*command)
    assert code == 0, err
    assert "expt4: training" in out and "expt4: colorizing" in out
    written = {path.name for path in (tmp_path / "out/report").iterdir()}
    assert written == {"table.csv", "losses.png", "scores.png", "pictures.png", "report.md", "gray"}
    models = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.keras")}
    code, out, _ = run(*command)
    assert (code, "expt4: training is done" in out) == (0, True)
    assert models == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.keras")}
    code, _, err = run(*command, "--seed", "5")
    assert (code, "an experiment with other settings" in err) == (2, True)
    assert run("Util/run_pix2pix.py", "--experiments", "9")[0] == 2


def test_times_of_a_log(tmp_path):
    """As TensorBoard's own reader, which starts TensorFlow, would give them."""
    with TensorBoardLog(tmp_path, 0) as log:
        begin = time.time()
        for step in (0, 10, 20):
            log.add_scalars({"losses/L_L1": step + 0.5}, step)
    times = read_times(tmp_path)
    assert list(times) == [0, 10, 20]
    assert begin <= times[0] <= times[10] <= times[20] <= time.time()
