"""What make demo-train runs: its errors and exit codes, in a project of its own."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.fixture
def project(tmp_path):
    """A project that holds the demonstrations only, with a picture for each photograph."""
    (tmp_path / "Util").mkdir()
    for name in ("demo.py", "demo_train.py"):
        text = (ROOT / f"Util/{name}").read_text()
        (tmp_path / f"Util/{name}").write_text(text.replace("CROPS = 64", "CROPS = 1"))
    return tmp_path


def run_demonstration(project, script, *arguments):
    return subprocess.run(
        [sys.executable, str(project / "Util" / script), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", ["demo.py", "demo_train.py"])
def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(project, script):
    (project / "DATASET").write_text("a file where a folder belongs")
    done = run_demonstration(project, script)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {project / 'DATASET'}")
    assert "cannot be written" in line
    debugged = run_demonstration(project, script, "--debug")
    assert (debugged.returncode, debugged.stderr.startswith("Traceback")) == (2, True)


@pytest.mark.parametrize("script", ["demo.py", "demo_train.py"])
def test_an_option_that_there_is_not_is_an_error_of_one_line(project, script):
    done = run_demonstration(project, script, "--debgu")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "unrecognized arguments: --debgu" in done.stderr
    assert not (project / "DATASET").exists()


def test_the_exit_code_of_a_command_that_failed_is_that_of_the_demonstration(project):
    (project / "SOURCE_HistoryNet").mkdir()
    (project / "SOURCE_HistoryNet/HistoryNet.py").write_text("raise SystemExit(4)")
    done = run_demonstration(project, "demo_train.py")
    assert done.returncode == 4, done.stderr
    assert "$ python SOURCE_HistoryNet/HistoryNet.py" in done.stdout
    assert "colorization.py" not in done.stdout
    assert len(list((project / "DATASET/demo_train/dataset_train_seg").iterdir())) == 5


SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("Util", "Baseline", "SOURCE_HistoryNet", "SOURCE_Parsing", "SOURCE_Classifier")
    for path in (ROOT / folder).glob("*.py")
    if path.name not in ("config.py", "dataclass.py")
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_the_virtual_environment_a_script_says_what_to_do(script, tmp_path):
    """Python alone, as the system has it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys._base_executable, "-S", ROOT / script, "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"error: No module named '\w+': `make setup`, then .*README.md.*\n", done.stderr), done.stderr
