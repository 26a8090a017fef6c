"""Each command line from end to end, on data of a few small pictures."""

import argparse
import csv
import dataclasses
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import GENERATOR_ALONE, ROOT, label_line, run_process, train_arguments, write_picture
from PIL import Image
from test_films import make_film

import historynet
from historynet import errors
from historynet.colorizing.options import Options
from historynet.colorizing.reporting import Report, is_report
from historynet.commands import colorize
from historynet.films.options import FilmOptions
from historynet.pictures import color, images
from historynet.systems import keras_files, loading, vgg16

TRAIN = "SOURCE_HistoryNet/HistoryNet.py"
COLORIZE = "SOURCE_HistoryNet/colorization.py"


def colorize_arguments(mhmd, *more):
    results = mhmd.parent
    return ["--model-dir", results / "MODEL", "--result-dir", results / "COLORIZED", *more]


@pytest.mark.slow
@pytest.mark.rewritten
def test_train_then_colorize_as_users_do(mhmd, tmp_path):
    trained = run_process(TRAIN, *train_arguments(mhmd, "--num-epochs", 2), cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr == ""
    for part in ("CPU", "Epoch1 (2/2)  step 3/3", "images/s", "left", "best", "psnr", "ssim"):
        assert part in trained.stdout
    for name in ("L_r", "L_cls", "L_par", "L_g", "L_info", "critic", "penalty"):
        assert f"  {name} " in trained.stdout
    models = {path.name for path in (tmp_path / "MODEL").iterdir()}
    assert models == {"settings.json", "run.json", "checkpoints"} | {
        f"my_model_{name}Epoch{epoch}.keras"
        for name in ("colorization", "discriminator", "classifier")
        for epoch in (0, 1)
    }
    assert json.loads((tmp_path / "MODEL/settings.json").read_text())["batch_size"] == 2
    assert {path.name for path in (tmp_path / "OUT/Epoch1").iterdir()} == {f"t{i}_reconstructed.jpg" for i in range(3)}
    # Gray, predicted, original and predicted parsing; there is no parsing of the test pictures.
    assert images.read_rgb(tmp_path / "OUT/Epoch1.png").shape[0] == 28 + 3 * 228
    logs = {path.name.split(".tfevents")[0] for path in (tmp_path / "LOG").iterdir()}
    assert logs == {"events.out", "losses.csv", "losses.png", "epochs.csv"}
    assert len((tmp_path / "LOG/losses.csv").read_text().splitlines()) == 1 + 6

    arguments = colorize_arguments(
        mhmd, "--test-dir", mhmd / "dataset_second", "--pretrained", "my_model_colorizationEpoch1"
    )
    colorized = run_process(COLORIZE, *arguments, cwd=tmp_path)
    assert colorized.returncode == 0, colorized.stderr
    assert "3 colorized" in colorized.stdout
    assert images.read_rgb(tmp_path / "COLORIZED/t0_reconstructed.jpg").shape == (47, 33, 3)


@pytest.mark.parametrize("shuffle", [True, False])
def test_order_and_last_batch_as_released(mhmd, run, tmp_path, shuffle):
    """Networks that stand still lose the same on the same pictures: in the folder's order both epochs are alike."""
    still = ("--learning-rate", 1e-12, "--num-epochs", 2, "--drop-last", "--shuffle" if shuffle else "--no-shuffle")
    code, _, err = run(TRAIN, *train_arguments(mhmd, *still, *GENERATOR_ALONE))
    assert code == 0, err
    with (tmp_path / "LOG/losses.csv").open() as table:
        losses = [float(row["L_r"]) for row in csv.DictReader(table)]
    assert len(losses) == 4  # of 5 pictures in batches of 2
    assert (losses[:2] == pytest.approx(losses[2:], rel=1e-5)) is not shuffle


def test_drop_last_with_less_than_a_batch(mhmd, run):
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--drop-last", "--batch-size", 6))
    assert code == 2
    assert "5 pictures do not fill a batch of 6" in err


VARIANTS = [
    ("SOURCE_Parsing/HistoryNet_Parsing.py", "L_r L_cls L_par L_g critic penalty"),
    ("SOURCE_Classifier/HistoryNet_Classifier.py", "L_r L_cls L_g L_info critic penalty classifier"),
    ("Baseline/Baseline.py", "L_r L_cls L_g critic penalty"),
]


@pytest.mark.parametrize(("script", "losses"), VARIANTS, ids=[script.split("/")[0] for script, _ in VARIANTS])
def test_the_other_variants_train_and_colorize(mhmd, run, tmp_path, script, losses):
    if "Parsing" not in script:
        (mhmd / "dataset_train_seg").rename(tmp_path / "nobody needs these")
    if "Baseline" in script:
        (mhmd / "dataset_train/sign.txt").unlink()
    code, out, err = run(script, *train_arguments(mhmd, "--steps-per-epoch", 2))
    assert code == 0, err
    assert ("the teacher is random" in out) == ("Baseline" in script)
    assert (tmp_path / "LOG/losses.csv").read_text().splitlines()[0] == ",".join(["epoch", "step", *losses.split()])
    assert (tmp_path / "MODEL/my_model_classifierEpoch0.keras").exists() == ("classifier" in losses)
    folder = script.split("/")[0]
    arguments = colorize_arguments(mhmd, "--pretrained", "my_model_colorizationEpoch0", mhmd / "dataset_second")
    code, out, err = run(f"{folder}/colorization.py", *arguments)
    assert code == 0, err
    assert "3 colorized" in out


@pytest.fixture
def model(trained):
    return trained / "MODEL/my_model_colorizationEpoch0.keras"


def test_colorizing_plain_arguments_and_a_broken_file(mhmd, model, run, tmp_path):
    write_picture(tmp_path / "one.BMP", 1, (9, 7))
    (tmp_path / "broken.png").write_bytes(b"broken")
    code, out, err = run(
        COLORIZE,
        *colorize_arguments(mhmd, "--pretrained", model),
        *(tmp_path / "one.BMP", tmp_path / "broken.png", mhmd / "dataset_second"),
    )
    assert code == 3
    assert "4 colorized" in out
    assert "1 skipped" in out
    assert re.search(r"skipped: .*broken.png: not a picture", err)
    assert len(list((tmp_path / "COLORIZED").glob("*_reconstructed.jpg"))) == 4


def test_trained_models_are_not_replaced_unasked(mhmd, model, run, tmp_path):
    before = model.read_bytes()
    shutil.rmtree(tmp_path / "MODEL/checkpoints")
    code, _, err = run(TRAIN, *train_arguments(mhmd))
    assert code == 2
    assert "--fresh" in err
    assert model.read_bytes() == before
    other = ("--fresh", "--steps-per-epoch", 1, "--seed", 5, *GENERATOR_ALONE)
    code, _, _ = run(TRAIN, *train_arguments(mhmd, *other))
    assert code == 0
    assert model.read_bytes() != before


def test_training_goes_on_from_files(mhmd, model, run, tmp_path):
    names = {"generator": "colorization", "discriminator": "discriminator", "classifier": "classifier"}
    files = [
        argument
        for kind, name in names.items()
        for argument in (f"--init-{kind}", tmp_path / f"MODEL/my_model_{name}Epoch0.keras")
    ]
    # VGG16 is not needed then, and nothing is learnt at this rate.
    more = (
        "--vgg16-weights",
        "imagenet",
        "--learning-rate",
        "1e-30",
        "--steps-per-epoch",
        1,
        "--model-dir",
        tmp_path / "M2",
    )
    code, _, err = run(TRAIN, *train_arguments(mhmd, *files, *more))
    assert code == 0, err
    for name in ("discriminator", "classifier"):
        before, after = (
            loading.load(tmp_path / f"{f}/my_model_{name}Epoch0.keras", "HistoryNet", name)[0] for f in ("MODEL", "M2")
        )
        for a, b in zip(before.trainable_variables, after.trainable_variables, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-12)
    wrong = ("--init-generator", tmp_path / "MODEL/my_model_discriminatorEpoch0.keras", "--fresh")
    code, _, err = run(TRAIN, *train_arguments(mhmd, *wrong))
    assert code == 2
    assert re.search("^error: .*discriminatorEpoch0.keras: this is a discriminator; a generator is needed", err)
    script = "SOURCE_Classifier/HistoryNet_Classifier.py"
    code, _, err = run(script, *train_arguments(mhmd, *files[:2], "--model-dir", tmp_path / "M3"))
    assert code == 2
    assert "this is a HistoryNet model; SOURCE_Classifier needs a HistoryNet_Classifier model" in err


def test_a_saved_run_gives_the_same_numbers(mhmd, model, run, tmp_path):
    first = (tmp_path / "LOG/losses.csv").read_text()
    again = ("--config", tmp_path / "MODEL/settings.json", "--model-dir", tmp_path / "M2", "--log-dir", tmp_path / "L2")
    code, _, _ = run(TRAIN, *again)
    assert code == 0
    assert (tmp_path / "L2/losses.csv").read_text() == first


def test_dry_run_shows_and_writes_nothing(mhmd, run, tmp_path):
    code, out, _ = run(TRAIN, *train_arguments(mhmd, "--dry-run"))
    assert code == 0
    for part in ("BATCH_SIZE", "5, 3 steps", "5 pictures have one", "parameters", "GB", "colorization"):
        assert part in out
    assert out.endswith("start\n  a new run\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["DATASET"]


def test_dry_run_downloads_nothing_and_says_what_would_be(mhmd, run, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(vgg16.keras.utils, "get_file", lambda *_, **__: pytest.fail("a download"))
    code, out, err = run(TRAIN, *train_arguments(mhmd, "--vgg16-weights", "imagenet", "--width", 1, "--dry-run"))
    assert code == 0, err
    notop = re.search(r"VGG16's weights would be downloaded: 59 MB from https://\S+_notop.h5 into (\S+)", out)
    assert notop[1] == str(tmp_path / "keras/models")
    assert "disk space" in out
    # Nor does the check of the width wait.
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--vgg16-weights", "imagenet", "--width", 0.5, "--dry-run"))
    assert code == 2
    assert "--width 1, only" in err
    # What is there already is taken.
    (tmp_path / "keras/models").mkdir(parents=True)
    with keras_files.without_download():
        assert vgg16.weights_file("imagenet", whole=True) is None
        assert "553 MB" in capsys.readouterr().out
        (tmp_path / "keras/models/vgg16_weights_tf_dim_ordering_tf_kernels.h5").touch()
        assert vgg16.weights_file("imagenet", whole=True).is_file()


@pytest.mark.parametrize("script", [TRAIN, COLORIZE, "Util/tables.py", "historynet/weights/__main__.py"])
def test_every_command_says_its_version(run, script):
    assert run(script, "--version")[:2] == (0, f"HistoryNet {historynet.__version__}\n")


def test_own_photographs_without_labels_and_parsing(mhmd, run):
    (mhmd / "dataset_train/sign.txt").unlink()
    (mhmd / "dataset_train_seg").rename(mhmd / "elsewhere")
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--steps-per-epoch", 1))
    assert code == 2
    assert "--allow-missing-labels" in err
    flags = ("--allow-missing-labels", "--allow-missing-parsing", "--steps-per-epoch", 1, "--lambda-info", 0)
    code, out, err = run(TRAIN, *train_arguments(mhmd, *flags))
    assert code == 0, err
    assert "L_cls 0  L_par 0  L_g" in out


def test_skip_broken_leaves_out_and_says_so(mhmd, run):
    (mhmd / "dataset_train/0002.jpg").write_bytes(b"")
    code, _, err = run(TRAIN, *train_arguments(mhmd, *GENERATOR_ALONE))
    assert code == 2
    assert re.search(r"0002.jpg: the file is empty; .*--skip-broken", err)
    code, out, err = run(TRAIN, *train_arguments(mhmd, "--skip-broken", "--fresh", *GENERATOR_ALONE))
    assert code == 3
    assert "left out" in err
    assert "1 training pictures" in out


@pytest.mark.rewritten
def test_not_finite_stops_with_the_pictures_names(mhmd, run, tmp_path):
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--learning-rate", 1e8, "--num-epochs", 20, *GENERATOR_ALONE))
    assert code == 4
    assert re.search(r"error: \S+ is not finite at step \d+; its pictures: 000\d.jpg", err)
    assert "Traceback" not in err


def wrong_labels(folder):
    (folder / "sign.txt").write_text("".join(label_line(f"{i:04}.jpg", classes=41) for i in range(5)))


# All pictures in one batch: what is wrong with one is seen before the first update, which takes long to compile.
IN_ONE = ["--batch-size", "5"]


@pytest.mark.parametrize(
    ("prepare", "arguments", "words"),
    [
        (None, ["--train-data", "nowhere"], "nowhere.*no such folder.*--train-data"),
        (lambda f: (f / "empty").mkdir(), ["--train-data", "empty"], "empty: no pictures"),
        (lambda f: (f / "sign.txt").unlink(), [], "sign.txt: no label file"),
        (wrong_labels, [], "sign.txt, line 1: 42 integers"),
        (lambda f: (f / "../dataset_train_seg/0001_seg.jpg").unlink(), [], "0001_seg.*no parsing picture"),
        (lambda f: (f / "../dataset_train_seg/0001_seg.jpg").write_text("x"), IN_ONE, "0001_seg.jpg: not a picture"),
        (lambda f: (f / "0001.jpg").write_text("x"), IN_ONE, "0001.jpg: not a picture"),
        (None, ["--vgg16-weights", "no.h5", "--width", "1"], "no.h5: cannot be read"),
        (None, ["--vgg16-weights", "imagenet"], "--width 1"),
        (None, ["--batch-size", "0"], "--batch-size: '0'.*integer from 1"),
        (None, ["--test-data", "nowhere"], "nowhere.*no such folder.*--test-data"),
        (None, ["--model-dir", "DATASET/dataset_train/0000.jpg"], "0000.jpg.*cannot be written"),
        (None, ["--log-dir", "DATASET/dataset_train/0000.jpg"], "0000.jpg: cannot be written"),
        (None, ["--out-dir", "DATASET/dataset_train/0000.jpg"], "0000.jpg: cannot be written"),
        (None, ["--train-parsing", "nowhere", "--allow-missing-parsing"], "nowhere: no such folder"),
        (None, ["--train-data", "x" * 300], "File name too long"),
        (None, ["--accumulate", "3"], "--accumulate 3: more parts than the 2 pictures of a batch"),
        (None, ["--strategy", "all"], "--strategy: 'all' will not do; it takes 'none' or 'mirrored' or 'multiworker'"),
        (None, ["--strategy", "mirrored", "--jit"], "--jit: with --strategy none"),
        (None, ["--accumulate", "2", "--released-statistics"], "--released-statistics: with .*--accumulate 1"),
        (None, ["--strategy", "mirrored", "--ema-momentum", "0.9"], "--ema-momentum: with --strategy none"),
        (None, ["--strategy", "multiworker", "--skip-broken"], "--skip-broken: not with --strategy multiworker"),
        (None, ["--strategy", "multiworker"], "TF_CONFIG: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(mhmd, run, monkeypatch, prepare, arguments, words):
    if prepare:
        prepare(mhmd / "dataset_train")
    monkeypatch.chdir(mhmd / "dataset_train" if "empty" in arguments else mhmd.parent)
    code, _, err = run(TRAIN, *train_arguments(mhmd, *arguments))
    assert code == 2
    assert len(err.splitlines()) == 1
    assert re.search(f"^error: .*{words}", err)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pretrained", "none"], "error: none: no such model"),
        # The path that was given, not one below MODEL_DIR.
        (["--pretrained", "models/none.keras"], "error: models/none.keras: no such model, neither here nor in .*MODEL"),
        (["--pretrained", "text.keras"], "text.keras: not a model file"),
        (["--test-dir", "nowhere"], "nowhere: no such folder"),
        (["--batch-size", "x"], "--batch-size"),
        (["none.jpg"], "none.jpg: no such file"),
    ],
)
def test_what_is_wrong_with_colorizing_is_said_in_one_line(mhmd, run, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.keras").write_text("text")
    code, _, err = run(COLORIZE, *colorize_arguments(mhmd, "--test-dir", mhmd / "dataset_second", *arguments))
    assert code == 2
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
    assert re.search(f"^.*{words}", err)


def test_debug_shows_the_traceback(mhmd, run):
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--train-data", "nowhere", "--debug"))
    assert code == 2
    assert "Traceback" in err


def test_help_is_quick_and_needs_no_tensorflow(tmp_path, monkeypatch):
    """Modules that end the program stand in for those whose import takes long."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    for names, scripts in (
        (("tensorflow", "keras", "av"), (TRAIN, *(script for script, _ in VARIANTS))),
        (("numpy", "cv2", "PIL"), (COLORIZE, *(f"{script.split('/')[0]}/colorization.py" for script, _ in VARIANTS))),
    ):
        for name in names:
            (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
        for script in scripts:
            result = run_process(script, "--help", cwd=tmp_path)
            assert result.returncode == 0, result.stderr
            assert "--test-name" in result.stdout
    others = ("Util/run_ablation.py", "benchmarks/training.py", "benchmarks/pipeline.py")
    for name in ("numpy", "cv2", "PIL"):
        (tmp_path / f"{name}.py").unlink()
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    for script in others:
        result = run_process(script, "--help", cwd=tmp_path)
        assert result.returncode == 0, result.stderr


def test_the_defaults_of_colorizing_are_those_of_the_library():
    parser = argparse.ArgumentParser()
    for add in (colorize._add_file_options, colorize._add_color_options, colorize._add_film_options):
        add(parser)
    arguments = vars(parser.parse_args([]))
    # What becomes of earlier results is asked on the command line alone; the seed is a setting.
    for options, others in ((Options(), {"provenance", "existing", "seed"}), (FilmOptions(), {"provenance"})):
        for name in {field.name for field in dataclasses.fields(options)} - others:
            assert arguments[name] == getattr(options, name), name


def test_out_of_memory_says_what_to_lower(mhmd, run, monkeypatch):
    import tensorflow as tf

    from historynet.training.tensorflow_step import Step

    def no_memory(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[16,64,224,224]")

    monkeypatch.setattr(Step, "_call", no_memory)
    code, _, err = run(TRAIN, *train_arguments(mhmd))
    assert code == 2
    assert err.splitlines()[-1].startswith("error: out of memory; lower --batch-size")


def test_broken_test_pictures_do_not_stop_a_training(mhmd, run, tmp_path):
    (mhmd / "dataset_second/t1.png").write_bytes(b"broken")
    (mhmd / "dataset_second_seg").mkdir()
    (mhmd / "dataset_second_seg/t0_seg.png").write_bytes(b"broken")
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--steps-per-epoch", 1, *GENERATOR_ALONE))
    assert code == 3
    assert "t1.png: not a picture" in err
    assert "t0_seg.png: not a picture" in err
    assert {path.name for path in (tmp_path / "OUT/Epoch0").iterdir()} == {
        "t0_reconstructed.jpg",
        "t2_reconstructed.jpg",
    }


def test_colorizing_into_the_folder_of_the_pictures_does_not_colorize_results(mhmd, model, run):
    folder = mhmd / "dataset_second"
    arguments = [folder, "--pretrained", model, "--result-dir", folder]
    for again in ((), ("--overwrite",)):
        code, out, err = run(COLORIZE, *arguments, "--batch-size", 2, folder / "t0.png", *again)
        assert code == 0, err
        assert "3 colorized" in out
    assert len(list(folder.glob("[!.]*"))) == 6


def test_colorizing_again_asks_what_to_do_with_earlier_results(mhmd, model, run, tmp_path):
    arguments = colorize_arguments(mhmd, "--pretrained", model, mhmd / "dataset_second")
    assert run(COLORIZE, *arguments)[0] == 0
    code, _, err = run(COLORIZE, *arguments)
    assert code == 2
    assert re.search("^error: .*there already.*--skip-existing.*--overwrite", err)
    (tmp_path / "COLORIZED/t1_reconstructed.jpg").unlink()
    code, out, _ = run(COLORIZE, *arguments, "--skip-existing")
    assert code == 0
    assert "1 colorized" in out
    assert "2 there already" in out


@pytest.mark.slow
def test_a_report_says_what_became_of_each_picture(mhmd, model, run, tmp_path):
    folder = tmp_path / "in"
    for name, seed in (("b.png", 1), ("c.png", 2)):
        write_picture(folder / name, seed)
    images.write_rgb(folder / "gray.png", color.to_gray(images.read_rgb(folder / "b.png")))
    (folder / "a.png").write_bytes(b"broken")
    (folder / "x.xcf").touch()
    pages = [Image.new("L", (9, 8)) for _ in range(2)]
    pages[0].save(folder / "d.tif", save_all=True, append_images=pages[1:])
    report, out = tmp_path / "new/report.csv", tmp_path / "COLORIZED"

    def rows(*more):
        arguments = colorize_arguments(mhmd, "--pretrained", model, folder, "--report", report, *more)
        code, printed, err = run(COLORIZE, *arguments)
        assert code == 3, err
        assert printed.splitlines()[-1] == f"what became of each picture: {report}"
        with report.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    colored = rows("--keep-colored")
    assert list(colored[0]) == ["picture", "result", "outcome", "why", "tint", "value"]
    assert [(Path(row["picture"]).name, row["outcome"]) for row in colored] == [
        ("in", "passed over"),
        ("a.png", "skipped"),
        ("b.png", "has colour, left alone"),
        ("c.png", "has colour, left alone"),
        ("d.tif", "colorized"),
        ("d.tif", "colorized"),
        ("gray.png", "colorized"),
    ]
    assert (colored[0]["why"], colored[0]["tint"]) == ("1 file of other kinds passed over: 1 .xcf", "")
    assert colored[1]["why"] == "not a picture that can be read, or a damaged one"
    assert float(colored[2]["tint"]) > 2.1 > float(colored[6]["tint"])
    assert colored[2]["why"] == "kept: coloured already"
    assert colored[5]["result"] == str(out / "d_p002_reconstructed.jpg")
    again = rows("--skip-existing")
    assert [row["outcome"] for row in again[2:]] == ["colorized"] * 2 + ["there already"] * 3
    for wrong in ("report.txt", folder):
        code, _, err = run(COLORIZE, *colorize_arguments(mhmd, "--pretrained", model, folder, "--report", wrong))
        assert code == 2
        assert "it takes a file whose name ends with .csv" in err
    # Nor is somebody's own table replaced.
    (tmp_path / "catalogue.csv").write_text("picture,year\n")
    arguments = colorize_arguments(mhmd, "--pretrained", model, folder, "--report", tmp_path / "catalogue.csv")
    assert run(COLORIZE, *arguments)[0] == 2
    assert (tmp_path / "catalogue.csv").read_text() == "picture,year\n"


def test_a_report_of_a_stopped_run_names_what_was_not_reached(mhmd, model, run, tmp_path, monkeypatch):
    for i in range(3):
        write_picture(tmp_path / f"in/{i}.png", i)

    def stop(*_, **__):
        raise errors.StoppedError("stopped", 15)

    monkeypatch.setattr("historynet.commands.colorize_run.colorize_files", stop)
    report = tmp_path / "report.csv"
    arguments = colorize_arguments(mhmd, "--pretrained", model, tmp_path / "in", "--report", report)
    assert run(COLORIZE, *arguments)[0] == 143
    assert report.read_text(encoding="utf-8-sig").count(",not reached,") == 3

    def fail(report, path):
        raise errors.InputError(f"{path}: cannot be written (No space left on device)")

    # What ended the run counts, and a table that cannot be written is named, too.
    monkeypatch.setattr(Report, "write", fail)
    code, _, messages = run(COLORIZE, *arguments)
    assert code == 143
    assert messages.splitlines()[-2:] == [f"error: {report}: cannot be written (No space left on device)", "stopped"]
    monkeypatch.undo()
    monkeypatch.setattr(Report, "write", fail)
    code, _, messages = run(COLORIZE, *arguments)
    assert code == 2
    assert messages.splitlines()[-1] == f"error: {report}: cannot be written (No space left on device)"


def test_a_dry_run_of_colorizing_shows_each_file_and_writes_nothing(mhmd, model, run, tmp_path):
    write_picture(tmp_path / "in/a.png", size=(40, 30))
    (tmp_path / "in/broken.png").write_bytes(b"broken")
    write_picture(tmp_path / "in/sub/b.png")
    pages = [Image.new("L", (9, 8)) for _ in range(2)]
    pages[0].save(tmp_path / "in/d.tif", save_all=True, append_images=pages[1:])
    make_film(tmp_path / "in/film.mp4", tone=False)
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "COLORIZED"
    code, printed, err = run(COLORIZE, *colorize_arguments(mhmd, "--pretrained", model, "--dry-run", tmp_path / "in"))
    assert code == 3
    lines = printed.splitlines()
    assert f"{tmp_path}/in/a.png (40x30) -> {out}/a_reconstructed.jpg" in lines
    assert f"{tmp_path}/in/d.tif (9x8, 2 pages) -> {out}/d_p001_reconstructed.jpg and so on" in lines
    assert re.search(rf"^{tmp_path}/in/film.mp4 \(about \d+ frames\) -> {out}/film_reconstructed.mp4$", printed, re.M)
    assert lines[-1] == f"4 would be colorized into {out}, 1 skipped"
    assert f"note: {tmp_path}/in: 1 subfolder not entered (--recursive)" in err
    assert "broken.png: not a picture" in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("times", [("--start", "1:00"), ("--start", 1, "--end", 0.5), ("--end", 0)])
def test_a_dry_run_says_what_excerpts_a_film_does_not_have(mhmd, model, run, tmp_path, times):
    make_film(tmp_path / "film.mp4", tone=False)
    arguments = ("--pretrained", model, "--dry-run", tmp_path / "film.mp4", *times)
    code, printed, err = run(COLORIZE, *colorize_arguments(mhmd, *arguments))
    assert code == 3
    assert printed.splitlines()[-1] == f"0 would be colorized into {tmp_path}/COLORIZED, 1 skipped"
    assert f"skipped: {tmp_path}/film.mp4: no frame is between --start and --end" in err


def test_a_dry_run_counts_the_pages_that_are_there_already(mhmd, model, run, tmp_path):
    pages = [Image.new("L", (9, 8), i) for i in range(3)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in/d.tif", save_all=True, append_images=pages[1:])
    out = tmp_path / "COLORIZED"
    arguments = colorize_arguments(mhmd, "--pretrained", model, "--skip-existing", tmp_path / "in")
    assert run(COLORIZE, *arguments)[0] == 0
    assert run(COLORIZE, *arguments, "--dry-run")[1].splitlines()[-1] == (
        f"0 would be colorized into {out}, 0 skipped, 3 there already"
    )
    (out / "d_p002_reconstructed.jpg").unlink()
    *_, line, last = run(COLORIZE, *arguments, "--dry-run")[1].splitlines()
    assert line == f"{tmp_path}/in/d.tif (9x8, 3 pages) -> {out}/d_p002_reconstructed.jpg"
    assert last == f"1 would be colorized into {out}, 0 skipped, 2 there already"


def test_a_report_holds_no_formulas(tmp_path):
    report, names = Report(), ["=1+1.png", "@a.png", "-a.png", "a=1.png"]
    for name in names:
        report.skip(Path(name), f"{name}: no")
    report.write(tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        written = [row["picture"] for row in csv.DictReader(file)]
    assert written == ["./=1+1.png", "./@a.png", "./-a.png", "a=1.png"]
    # The same files.
    assert [str(Path(name)) for name in written] == names


def test_a_pipe_in_a_reports_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "report.csv")
    with pytest.raises(errors.InputError, match=r"report\.csv: not a regular file"):
        is_report(tmp_path / "report.csv")


def test_one_picture_of_few_colours_among_others_is_no_alarm(mhmd, model, run, tmp_path, monkeypatch):
    """A snow field is as gray as what an untrained network makes of everything."""
    for i in range(3):
        write_picture(tmp_path / f"in/{i}.png", i)
    arguments = colorize_arguments(mhmd, "--pretrained", model, "--overwrite", tmp_path / "in")
    assert "in/0.png and 2 more: the predicted colours are nearly gray" in run(COLORIZE, *arguments)[2]
    chroma = iter([1.0, 9.0, 9.0])
    monkeypatch.setattr(color, "chroma", lambda ab: next(chroma))
    assert "nearly gray" not in run(COLORIZE, *arguments)[2]


def test_the_released_arithmetic_does_without_onednn(mhmd, model, monkeypatch, run):
    # oneDNN itself then lists what it computes.
    monkeypatch.setenv("ONEDNN_VERBOSE", "1")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    arguments = colorize_arguments(mhmd, "--pretrained", model, mhmd / "dataset_second")
    for more, computes in ((["--released-arithmetic"], False), (["--overwrite"], True)):
        done = run_process(COLORIZE, *arguments, *more)
        assert done.returncode == 0, done.stderr
        assert "3 colorized" in done.stdout
        assert ("convolution" in done.stdout) == computes
    code, _, err = run(COLORIZE, *arguments, "--released-arithmetic", "--precision", "bfloat16")
    assert code == 2
    assert "--released-arithmetic: with --precision float32 only" in err


def test_options_of_colorizing(mhmd, model, run, tmp_path):
    out = tmp_path / "COLORIZED"
    arguments = colorize_arguments(mhmd, "--pretrained", model, mhmd / "dataset_second")
    code, _, err = run(COLORIZE, *arguments, "--format", "same", "--compare", "--upsampling", "guided")
    assert code == 0, err
    names = {f"t{i}_{kind}" for i in range(3) for kind in ("reconstructed.png", "comparison.jpg")}
    assert {path.name for path in out.iterdir()} == names | {".historynet.jsonl"}
    assert "nearly gray" in err
    with Image.open(out / "t0_reconstructed.png") as image:
        line = image.getexif()[305]
    assert re.fullmatch(r"colourised by HistoryNet \S+ with my_model_colorizationEpoch0.keras \(SHA-256 \w{16}\)", line)
    code, _, err = run(COLORIZE, *arguments, "--strength", 0, "--no-provenance", "--precision", "bfloat16")
    assert code == 0, err
    assert np.ptp(images.read_rgb(out / "t0_reconstructed.jpg").astype(int), axis=2).max() <= 3
    with Image.open(out / "t0_reconstructed.jpg") as image:
        assert not image.getexif()
    code, stdout, err = run(COLORIZE, *arguments, "--keep-colored", "--format", "webp")
    assert code == 0, err
    assert "0 colorized" in stdout
    assert "3 left alone" in stdout
    for name in ("tiff", "TIF", "jpeg"):
        code, _, err = run(COLORIZE, *arguments, "--overwrite", "--format", name)
        assert code == 0, err
        assert (out / f"t0_reconstructed.{'jpg' if name == 'jpeg' else 'tif'}").is_file()
    for wrong in (("--strength", "3"), ("--quality", "0"), ("--format", "gif"), ("--overwrite", "--skip-existing")):
        code, _, err = run(COLORIZE, *arguments, *wrong)
        assert code == 2
        assert len(err.splitlines()) == 1


def test_the_installed_command_takes_any_variant_and_the_current_folder(model, run, tmp_path, monkeypatch):
    write_picture(tmp_path / "photos/a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["historynet-colorize", "--pretrained", str(model), "photos"])
    with pytest.raises(SystemExit) as end:
        colorize.anywhere()
    assert end.value.code == 0
    assert (tmp_path / "RESULT/HistoryNet/colorized/a_reconstructed.jpg").exists()


def test_fresh_removes_the_epochs_of_the_earlier_run_when_there_is_a_new_one(mhmd, run, tmp_path):
    alone = GENERATOR_ALONE
    assert run(TRAIN, *train_arguments(mhmd, "--steps-per-epoch", 1, "--num-epochs", 2, *alone))[0] == 0
    (tmp_path / "MODEL/my_model_colorizationEpoch7.h5").write_bytes(b"somebody else's")
    (mhmd / "dataset_train/0002.jpg").write_bytes(b"broken")
    assert run(TRAIN, *train_arguments(mhmd, "--fresh", *alone))[0] == 2
    assert (tmp_path / "MODEL/my_model_colorizationEpoch1.keras").exists()
    assert run(TRAIN, *train_arguments(mhmd, "--fresh", "--skip-broken", *alone))[0] == 3
    assert not (tmp_path / "MODEL/my_model_colorizationEpoch1.keras").exists()
    assert (tmp_path / "MODEL/my_model_colorizationEpoch7.h5").exists()


@pytest.fixture
def part_of_vgg16(tmp_path):
    """Options that name a file of two layers."""
    shapes = {"block1_conv1": (3, 3, 3, 64), "block1_conv2": (3, 3, 64, 64)}
    arrays = {f"{name}_kernel": np.full(shape, 0.01, "f4") for name, shape in shapes.items()}
    np.savez(tmp_path / "part.npz", **arrays | {f"{name}_bias": np.zeros(64, "f4") for name in shapes})
    return "--vgg16-weights", tmp_path / "part.npz", "--features-width", 1


def test_a_part_of_vgg16_is_said_to_be_one(mhmd, run, part_of_vgg16):
    arguments = (*part_of_vgg16, "--dry-run")
    code, out, err = run(TRAIN, *train_arguments(mhmd, *arguments))
    assert code == 0, err
    (line,) = [line for line in out.splitlines() if "VGG16:" in line]
    assert line == (
        "G0 starts from a part of VGG16: block1_conv1, block1_conv2 are pretrained, block2_conv1, block2_conv2, "
        "block3_conv1, block3_conv2, block3_conv3, block4_conv1, block4_conv2, block4_conv3 are random"
    )


def test_what_vgg16_fills_can_be_kept_as_it_is(mhmd, run, part_of_vgg16, tmp_path):
    more = ("--frozen-features", "--ema-momentum", 0.5, "--learning-rate", 0.01, "--lambda-g", 0, "--lambda-info", 0)
    code, _, err = run(TRAIN, *train_arguments(mhmd, *part_of_vgg16, *more))
    assert code == 0, err
    trained = loading.load(tmp_path / "MODEL/my_model_colorizationEpoch0.keras", "HistoryNet", "generator")[0]
    assert {path.name for path in (tmp_path / "MODEL").glob("*.keras")} == {"my_model_colorizationEpoch0.keras"}
    for name in ("block1_conv1", "block1_conv2"):
        np.testing.assert_array_equal(trained.get_layer(name).kernel, np.float32(0.01))
        np.testing.assert_array_equal(trained.get_layer(name).bias, 0)
    assert trained.get_layer("block2_conv1").bias.numpy().any()
    # Trained on from there, with larger pictures.
    begin = ("--init-generator", tmp_path / "MODEL/my_model_colorizationEpoch0.keras", "--features-width", 1)
    places = [word for name in ("model", "log", "out") for word in (f"--{name}-dir", tmp_path / "on" / name)]
    code, _, err = run(TRAIN, *train_arguments(mhmd, *begin, *more, *places, "--image-size", 64))
    assert code == 0, err
    further = loading.load(tmp_path / "on/model/my_model_colorizationEpoch0.keras", "HistoryNet", "generator")[0]
    for name in vgg16.layer_names():
        before, after = (network.get_layer(name).kernel.numpy() for network in (trained, further))
        assert (before == after).all() == (not name.startswith("block4")), name


OPTIONS = (
    *("--features-width", 0.0625, "--dense-width", 0.015625, "--crop-from", 40),
    *("--warmup-steps", 2, "--decay-steps", 5),
    *("--ema-momentum", 0.5, "--huber-delta", 0.02, "--chroma-weight", 5, "--log-error", "--learning-rate", 1e-3),
)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_stopped_training_with_all_options_continues_to_the_same_numbers(mhmd, run, tmp_path, precision):
    def train(folder, epochs):
        places = [word for name in ("model", "log", "out") for word in (f"--{name}-dir", tmp_path / folder / name)]
        more = (*OPTIONS, *places, "--precision", precision, "--num-epochs", epochs)
        code, _, err = run(TRAIN, *train_arguments(mhmd, *more))
        assert code == 0, err

    train("whole", 2)
    for epochs in (1, 2):
        train("continued", epochs)
    for name in ("losses", "epochs"):
        whole, continued = ((tmp_path / f"{run}/log/{name}.csv").read_text() for run in ("whole", "continued"))
        assert whole == continued
    whole, continued = (
        loading.load(tmp_path / f"{run}/model/my_model_colorizationEpoch1.keras", "HistoryNet", "generator")[0]
        for run in ("whole", "continued")
    )
    for a, b in zip(whole.variables, continued.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    # What is saved is the average, what training goes on with is not.
    with np.load(tmp_path / "whole/model/checkpoints/step000000006.npz") as arrays:
        assert (arrays["colorization/color_fusion/kernel"] != whole.get_layer("color_fusion").kernel.numpy()).any()


def test_a_training_on_gray_pictures_says_so(mhmd, run):
    for path in (mhmd / "dataset_train").glob("*.jpg"):
        images.write_rgb(path, color.to_gray(images.read_rgb(path)))
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--dry-run"))
    assert code == 0
    assert re.fullmatch(r"note: 5 of 5 training pictures .* are gray or of one tone, .*0000.jpg for example: .*\n", err)
    # Some among others are nobody's fault.
    for i in range(3):
        write_picture(mhmd / f"dataset_train/{i:04}.jpg", i)
    assert run(TRAIN, *train_arguments(mhmd, "--dry-run"))[2] == ""
