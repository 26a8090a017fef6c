"""The benchmarks' command lines: a user's error is one line, not a traceback."""

import pytest
from conftest import ROOT, run_process, write_picture


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("metrics", ["nowhere", "nowhere"], "nowhere: "),
        ("fidelity", ["nowhere"], "nowhere: no such folder of reference files"),
        ("profile", ["--nothing"], "unrecognized arguments: --nothing"),
        ("engines", ["--nothing"], "unrecognized arguments: --nothing"),
        ("training", ["--nothing"], "unrecognized arguments: --nothing"),
        ("pipeline", ["--nothing"], "unrecognized arguments: --nothing"),
        ("colorizing", ["--nothing"], "unrecognized arguments: --nothing"),
        ("borders", ["--gray", "nowhere"], "nowhere: "),
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
