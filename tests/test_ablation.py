"""The ablation's plan for the real trainers; its course with trainers that only pretend."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, write_picture

from historynet.comparing.metrics import CONVENTIONS
from historynet.errors import InputError
from historynet.experiments import ablation, trainings
from historynet.pictures import images

OPTIONS = ["--seed", "3", "--width", "0.25", "--num-epochs", "2", "--lambda-par", "0.5", "--vgg16-weights", "none"]

TRAINER = """
import json, sys, time, pathlib
settings = json.loads(pathlib.Path(sys.argv[2]).read_text())
calls = pathlib.Path(settings["model_dir"]).parent / "calls.txt"
with calls.open("a") as file:
    file.write("train\\n")
{body}
logs = pathlib.Path(settings["log_dir"])
logs.mkdir(parents=True, exist_ok=True)
(logs / "losses.csv").write_text("epoch,step,L_r\\n0,0,2.5\\n0,1,1.5\\n")
(logs / "epochs.csv").write_text("epoch,psnr,ssim,psnr_gray,ssim_gray,colorfulness\\n0,20,0.9,19,0.8,5\\n")
"""

COLORIZER = """
import json, shutil, sys, pathlib
settings = json.loads(pathlib.Path(sys.argv[2]).read_text())
results = pathlib.Path(settings["result_dir"])
with (results.parent / "calls.txt").open("a") as file:
    file.write("colorize\\n")
results.mkdir(exist_ok=True)
for path in pathlib.Path(settings["test_dir"]).glob("*.png"):
    shutil.copy(path, results / f"{path.stem}_reconstructed.png")
"""


@pytest.fixture
def project(tmp_path):
    """A project whose trainers and colorizers only pretend; their config.py are the real ones."""
    for i in range(3):
        write_picture(tmp_path / f"test/{i}.png", i)
    for trainer in ablation.TRAINERS.values():
        folder = (tmp_path / trainer).parent
        folder.mkdir()
        shutil.copy(ROOT / trainer.split("/")[0] / "config.py", folder)
        (tmp_path / trainer).write_text(TRAINER.format(body=""))
        (folder / "colorization.py").write_text(COLORIZER)
    return tmp_path


def plan(project, *more):
    return ablation.plan(project, project / "out", [*OPTIONS, "--test-data", str(project / "test"), *more])


def test_the_variants_are_trained_alike(project):
    runs = plan(project)
    assert [run.name for run in runs] == ["Baseline", "Baseline+Classifier", "Baseline+Parsing", "HistoryNet"]
    for run in runs:
        written = json.loads(run.settings_file.read_text())
        assert (written["seed"], written["width"], written["num_epochs"]) == (3, 0.25, 2)
        assert written["test_dir"] == written["test_data"] == str(project / "test")
        assert written["pretrained"].endswith(f"{run.folder.name}/models/my_model_colorizationEpoch1.keras")
        assert written.get("lambda_par") == (0.5 if "Parsing" in run.name or run.name == "HistoryNet" else None)
    folders = {run.settings.model_dir for run in runs}
    assert len(folders) == 4


def test_the_real_trainers_take_the_settings(project, run):
    ablation.plan(ROOT, project / "real", [*OPTIONS, "--test-data", str(project / "test")])
    for trainer in ablation.TRAINERS.values():
        name = trainer.split("/")[1].removesuffix(".py")
        code, _, err = run(trainer, "--config", project / f"real/{name}/settings.json", "--train-data", "nowhere")
        assert (code, "nowhere: no such folder" in err) == (2, True)
        folder = trainer.split("/")[0]
        code, _, err = run(f"{folder}/colorization.py", "--config", project / f"real/{name}/settings.json")
        assert (code, "no such model" in err) == (2, True)
    # What all of them refused is corrected.
    ablation.plan(ROOT, project / "real", [*OPTIONS, "--test-data", str(project / "test"), "--seed", "9"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model-dir", "x"], "--model-dir: can't be the same for four variants"),
        (["--init-generator", "x.keras"], "--init-generator: can't be the same"),
        (["--widht", "1"], "unrecognized arguments: --widht"),
        (["--width", "x"], "--width: 'x' will not do"),
    ],
)
def test_wrong_options(project, options, words):
    with pytest.raises(InputError, match=words):
        plan(project, *options)


def test_other_settings_do_not_continue_a_run(project):
    runs = plan(project)
    plan(project)
    assert trainings.execute(runs[1]) == 0
    before = {path: path.read_bytes() for path in (project / "out").rglob("*.json")}
    with pytest.raises(InputError, match="HistoryNet_Classifier/settings.json: an ablation with other settings"):
        plan(project, "--seed", "4")
    assert before == {path: path.read_bytes() for path in (project / "out").rglob("*.json")}
    plan(project)


def test_an_ablation_of_an_earlier_version_goes_on(project):
    """Its settings file has none of those that came later."""
    first = plan(project)[0]
    (first.folder / "models/checkpoints").mkdir(parents=True)
    (first.folder / "models/checkpoints/step000000002.npz").touch()
    written = json.loads(first.settings_file.read_text())
    later = ("backend", "sample_weights", "crop_share", "age_luminance", "beta_1", "weight_decay", "clip_norm")
    assert set(later) <= written.keys()
    first.settings_file.write_text(json.dumps({name: value for name, value in written.items() if name not in later}))
    plan(project)
    assert json.loads(first.settings_file.read_text()) == written
    first.settings_file.write_text(json.dumps({**written, "beta_1": 0.7}))
    with pytest.raises(InputError, match="an ablation with other settings"):
        plan(project)


@pytest.mark.parametrize("left", ["checkpoints/step000000002.npz", "my_model_colorizationEpoch0.keras"])
def test_other_settings_do_not_continue_a_run_that_was_stopped(project, left):
    path = plan(project)[0].folder / "models" / left
    path.parent.mkdir(parents=True)
    path.touch()
    plan(project)
    with pytest.raises(InputError, match="Baseline/settings.json: an ablation with other settings"):
        plan(project, "--seed", "4")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--batch-size", "2", "--accumulate", "3"], "--accumulate 3: more parts than the 2 pictures"),
        (["--strategy", "mirrored", "--jit"], "--jit: with --strategy none only"),
        (["--released-arithmetic", "--precision", "bfloat16"], "--released-arithmetic: with --precision float32"),
        (["--warmup-steps", "3"], "--warmup-steps 3: with --decay-steps only"),
        (["--frozen-features"], "--frozen-features: with --vgg16-weights none"),
        (["--crop-from", "16"], "--crop-from 16: smaller than --image-size"),
    ],
)
def test_settings_that_the_trainers_would_refuse_together_leave_nothing(project, options, words):
    with pytest.raises(InputError, match=words):
        plan(project, *options)
    assert not (project / "out").exists()
    plan(project)


def test_a_mistyped_command_does_not_block_the_corrected_one(project, run):
    command = ("Util/run_ablation.py", "--out", project / "real", "--test-data", project / "test")
    for wrong, words in (
        ("--accumulate=999", "--accumulate 999: more parts"),
        ("--train-data=nowhere", "training ended with exit code 2"),
    ):
        code, _, err = run(*command, *OPTIONS, wrong)
        assert (code, words in err) == (2, True), err
    code, _, err = run(*command, *OPTIONS, "--train-data", "elsewhere")
    assert (code, "an ablation with other settings" in err) == (2, False), err


def test_what_is_wrong_with_one_variant_leaves_nothing_of_the_others(project):
    config = project / "Baseline/config.py"
    right = config.read_text()
    config.write_text(right + "\nGPU_ID = 'none'\n")
    with pytest.raises(InputError, match="Baseline/config.py, GPU_ID: 'none' will not do"):
        plan(project)
    assert not (project / "out").exists()
    config.write_text(right)
    plan(project)


def test_a_start_that_a_trainer_refused_does_not_block_the_corrected_one(project):
    trainer = plan(project)[0].trainer
    trainer.write_text(TRAINER.format(body="sys.exit(2 if settings['train_data'].endswith('mistyped') else 0)"))
    wrong = plan(project, "--train-data", "mistyped")
    assert trainings.execute(wrong[0]) == 2
    right = plan(project, "--train-data", str(project / "test"))
    assert json.loads(right[0].settings_file.read_text())["train_data"] == str(project / "test")
    assert trainings.execute(right[0]) == 0


def test_a_run_that_failed_goes_on_where_it_was(project):
    *others, last = plan(project)
    last.trainer.write_text(TRAINER.format(body="sys.exit(4)"))
    assert [trainings.execute(run) for run in (*others, last)] == [0, 0, 0, 4]
    last.trainer.write_text(TRAINER.format(body=""))
    runs = plan(project)
    assert [trainings.execute(run) for run in runs] == [0, 0, 0, 0]
    assert [trainings.execute(run) for run in runs] == [0, 0, 0, 0]
    calls = [(run.folder / "calls.txt").read_text().split() for run in runs]
    assert calls == [["train", "colorize"]] * 3 + [["train", "train", "colorize"]]


def test_the_report(project):
    runs = plan(project)
    for run in runs:
        trainings.execute(run)
    table = ablation.report(runs, project / "report", CONVENTIONS["exact"], None, rows=2)
    assert list(table.rows) == list(ablation.TRAINERS)
    assert all(len(row.scores) == 3 for row in table.rows.values())
    files = {path.name for path in (project / "report").iterdir()}
    tables = {f"table.{extension}" for extension in ("txt", "md", "csv", "tex", "png")}
    assert files == tables | {"losses.png", "scores.png", "pictures.png", "pictures.pdf", "report.md"}
    assert images.read_rgb(project / "report/pictures.png").shape[1] == pytest.approx(200 * (6 * 1.33 - 0.03), abs=1)
    text = (project / "report/report.md").read_text()
    assert "| SEED | 3 | 3 | 3 | 3 |" in text
    assert "| LAMBDA_PAR |  |  | 0.5 | 0.5 |" in text
    assert "infinite PSNR is not in the mean" in text


def test_sigterm_reaches_the_trainer_and_its_exit_code_comes_back(project):
    body = """
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
calls.with_name("started").touch()
time.sleep(900)
"""
    run = plan(project)[0]
    run.trainer.write_text(TRAINER.format(body=body))
    code = (
        "import sys, pathlib; from historynet.experiments import ablation, trainings; "
        f"runs = ablation.plan(pathlib.Path({str(project)!r}), pathlib.Path({str(project / 'out')!r}), sys.argv[1:]); "
        "sys.exit(trainings.execute(runs[0]))"
    )
    options = [*OPTIONS, "--test-data", str(project / "test")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code, *options], env=environment)
    deadline = time.monotonic() + 300
    while not (run.folder / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (run.folder / "started").exists()
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 143
    assert "training" not in json.loads(run.record_file.read_text())
