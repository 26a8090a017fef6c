"""The benchmarks' command lines: a user's error is one line, not a traceback."""

import cv2
import numpy as np
import pytest
from conftest import ROOT, run_process, write_picture

from benchmarks import bleeding
from historynet.pictures import images


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("metrics", ["nowhere", "nowhere"], "nowhere: "),
        ("fidelity", ["nowhere"], "nowhere: no such folder of reference files"),
        ("profile", ["--nothing"], "unrecognized arguments: --nothing"),
        ("engines", ["--nothing"], "unrecognized arguments: --nothing"),
        ("closeness", ["--nothing"], "unrecognized arguments: --nothing"),
        ("closeness", ["--runs", "0"], "--runs takes 1 or more"),
        ("closeness", ["--json", "."], "argument --json: . is a folder; name a file in it"),
        ("closeness", ["--json", "README.md/figures.json"], "README.md is no folder"),
        ("training", ["--nothing"], "unrecognized arguments: --nothing"),
        ("pipeline", ["--nothing"], "unrecognized arguments: --nothing"),
        ("runtimes", ["nowhere.keras", "nowhere"], "nowhere: "),
        ("colorizing", ["--nothing"], "unrecognized arguments: --nothing"),
        ("cluster", ["--nothing"], "unrecognized arguments: --nothing"),
        ("collecting", ["--nothing"], "unrecognized arguments: --nothing"),
        ("web_load", ["--nothing"], "unrecognized arguments: --nothing"),
        ("borders", ["--gray", "nowhere"], "nowhere: "),
        ("bleeding", ["nowhere", "nowhere", "a=nowhere"], "nowhere: "),
        ("films", ["--film", "nowhere.mp4", "--model", "nowhere.keras"], "nowhere.keras: "),
    ],
)
def test_a_users_error_is_one_line(module, arguments, words):
    done = run_process("-m", f"benchmarks.{module}", *arguments, cwd=ROOT)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_in_a_measuring_process_is_named_by_both(tmp_path):
    write_picture(tmp_path / "elsewhere/0.jpg")
    done = run_process("-m", "benchmarks.pipeline", tmp_path, "--quick", "--json", tmp_path / "figures.json", cwd=ROOT)
    assert done.returncode == 2, done.stderr
    assert f"error: {tmp_path}/dataset_train: " in done.stderr
    assert "ended with exit code 2" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_bleeding_is_an_error_near_the_edges(tmp_path):
    """Two halves of one colour each; the colours of the results run into one another within 3 pixels."""
    rgb = np.zeros((128, 128, 3), np.uint8)
    rgb[:, :64], rgb[:, 64:] = (200, 60, 60), (60, 60, 200)
    images.write_rgb(tmp_path / "true/0.png", rgb)
    images.write_rgb(tmp_path / "seg/0_seg.png", np.repeat(np.uint8(100 * (rgb[..., :1] > 100)), 3, axis=-1))
    bled = rgb.copy()
    bled[:, 61:67] = (130, 60, 130)
    images.write_rgb(tmp_path / "bled/0_reconstructed.png", bled)
    near, elsewhere, count = bleeding.measure(tmp_path / "true", tmp_path / "seg", tmp_path / "bled")
    assert (elsewhere, count) == (0, 1)
    # The edge is columns 63 and 64; near is 60 to 67: six of eight columns, half of them of each colour.
    lab = [
        cv2.cvtColor(np.uint8([[one]]), cv2.COLOR_RGB2LAB)[0, 0, 1:].astype(float) for one in (rgb[0, 0], rgb[0, -1])
    ]
    middle = cv2.cvtColor(np.uint8([[bled[0, 64]]]), cv2.COLOR_RGB2LAB)[0, 0, 1:].astype(float)
    expected = 6 / 8 * np.mean([np.linalg.norm(one - middle) for one in lab])
    assert near == pytest.approx(expected, rel=1e-6)
