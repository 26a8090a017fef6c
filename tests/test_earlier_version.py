"""What version 0.1.0 made still works, and gives its numbers: earlier_version/README.md says how it was made."""

import runpy
import shutil
import sys

import cv2
import numpy as np
import pytest
from conftest import ROOT

from historynet import Colorizer

EARLIER = ROOT / "tests/earlier_version"
MODEL = EARLIER / "MODEL"
DISCRIMINATOR, CLASSIFIER = (MODEL / f"my_model_{name}Epoch0.keras" for name in ("discriminator", "classifier"))
TRAIN = "SOURCE_HistoryNet/HistoryNet.py"
SETTINGS = ("--config", MODEL / "settings.json")

RELATIVE = 1e-6
# The critic's loss is a difference of means a hundred times as large.
ABSOLUTE = 1e-8


def train(run, folder, *more):
    """Trains on the pictures of the earlier version, into a folder: (exit code, standard output, standard error)."""
    data = EARLIER / "DATASET"
    places = ("--train-data", data / "dataset_train", "--test-data", data / "dataset_second")
    places += ("--model-dir", folder / "MODEL", "--out-dir", folder / "OUT", "--log-dir", folder / "LOG")
    return run(TRAIN, *SETTINGS, *places, *more)


def check_table(path, expected):
    """Sees that a table is the one that the earlier version wrote."""
    header, *lines = path.read_text().splitlines()
    expected_header, *expected_lines = (EARLIER / "expected" / expected).read_text().splitlines()
    # A later version may have further columns.
    columns = [header.split(",").index(name) for name in expected_header.split(",")]
    numbers = np.array([line.split(",") for line in lines], float)[:, columns]
    expected_numbers = np.array([line.split(",") for line in expected_lines], float)
    np.testing.assert_allclose(numbers, expected_numbers, rtol=RELATIVE, atol=ABSOLUTE)


@pytest.mark.parametrize("name", ["generator", "exported"])
def test_a_model_gives_the_colours_that_it_gave(name):
    with np.load(EARLIER / "expected/ab.npz", allow_pickle=False) as arrays:
        L, ab = arrays["L"], arrays[name]
    colorizer = Colorizer(EARLIER / f"{name}.keras")
    assert ab.std() > 1000 * 1e-6, "the comparison would not say much"
    np.testing.assert_allclose(colorizer.predict_ab(L), ab, rtol=0, atol=1e-6)


def test_the_command_colorizes_with_a_model_as_it_did(run, tmp_path):
    picture = EARLIER / "DATASET/dataset_second/t0.png"
    options = (
        "--pretrained",
        EARLIER / "exported.keras",
        "--result-dir",
        tmp_path,
        "--format",
        "png",
        "--gpu-id",
        "cpu",
    )
    code, _, err = run("SOURCE_HistoryNet/colorization.py", picture, *options)
    assert code == 0, err
    result, expected = (
        cv2.imread(str(folder / "t0_reconstructed.png")).astype(int) for folder in (tmp_path, EARLIER / "expected")
    )
    # Rounding may move a value over the edge of an 8-bit level.
    assert np.abs(result - expected).max() <= 1
    assert (result != expected).mean() < 0.01
    assert np.ptp(expected, axis=2).max() > 3, "the comparison would not say much"


@pytest.mark.parametrize(
    ("file", "network", "parameters"),
    [
        (EARLIER / "generator.keras", "generator", "7,971"),
        (EARLIER / "exported.keras", "generator", "7,971"),
        (DISCRIMINATOR, "discriminator", "864"),
        (CLASSIFIER, "classifier", "1,929"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_model_is_inspected(monkeypatch, capsys, file, network, parameters):
    monkeypatch.setattr(sys, "argv", ["historynet.weights", "inspect", str(file)])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("historynet.weights", run_name="__main__")
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    lines = out.replace("dense width", "dense_width").splitlines()
    said = dict(line.split(maxsplit=1) for line in lines if " " in line)
    assert said["network"] == network
    assert (said["width"], said["dense_width"]) == ("0.015625", "0.0078125")
    assert said["parameters"] == parameters


def test_a_training_starts_from_its_networks_with_the_losses_that_it_had(run, tmp_path):
    code, _, err = train(
        run,
        tmp_path,
        *("--num-epochs", 1, "--steps-per-epoch", 1),
        *("--init-generator", EARLIER / "generator.keras"),
        *("--init-discriminator", DISCRIMINATOR),
        *("--init-classifier", CLASSIFIER),
    )
    assert code == 0, err
    check_table(tmp_path / "LOG/losses.csv", "losses_further.csv")


def test_a_saved_run_is_run_again_with_the_losses_that_it_had(run, tmp_path):
    code, _, err = train(run, tmp_path)
    assert code == 0, err
    check_table(tmp_path / "LOG/losses.csv", "losses_continued.csv")
    check_table(tmp_path / "LOG/epochs.csv", "epochs_continued.csv")


@pytest.mark.rewritten
def test_a_training_continues_from_its_checkpoint_with_the_losses_that_it_had(run, tmp_path):
    for folder in ("MODEL", "LOG"):
        shutil.copytree(EARLIER / folder, tmp_path / folder)
    code, out, err = train(run, tmp_path)
    assert code == 0, err
    assert "step000000006.npz: epoch 1, step 6" in out
    # The pictures lie elsewhere now; nothing else is another.
    assert "the training pictures" not in out
    check_table(tmp_path / "LOG/losses.csv", "losses_continued.csv")
    check_table(tmp_path / "LOG/epochs.csv", "epochs_continued.csv")
    before, after = ((folder / "LOG/losses.csv").read_text() for folder in (EARLIER, tmp_path))
    assert after.startswith(before)
