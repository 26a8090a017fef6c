"""The wheel holds the library and nothing else, and colorizes in a fresh environment, away from the project."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from conftest import ROOT

pytestmark = pytest.mark.install


def run(*command, cwd):
    """Runs a program that cannot find the project by itself; it must end with 0."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the project's files: setuptools leaves a folder build/ where it works, and takes in what is there."""
    copy = tmp_path_factory.mktemp("source") / "project"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "DATASET", "MODEL", "RESULT")
    shutil.copytree(ROOT, copy, ignore=left_out)
    for name in ("DATASET/dataset_train/0000.jpg", "MODEL/HistoryNet/settings.json", "RESULT/HistoryNet/a.jpg"):
        (copy / name).parent.mkdir(parents=True)
        (copy / name).write_bytes(b"somebody's")
    return copy


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, source, cwd=folder)
    (path,) = folder.glob("historynet-*.whl")
    return path


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def environment(wheel, tmp_path_factory, request):
    """The programs' folder of a fresh environment in which the wheel is installed, with one engine alone."""
    folder = tmp_path_factory.mktemp("environment")
    tested = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("-e")]
    (folder / "tested.txt").write_text("\n".join(tested))
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv/bin"
    run(
        programs / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "-c",
        folder / "tested.txt",
        f"{wheel}[{request.param}]",
        cwd=folder,
    )
    installed = run(programs / "python", "-m", "pip", "list", cwd=folder).split()
    assert {"tensorflow", "jax"} & set(installed) == {request.param}
    yield programs
    # Two gigabytes.
    shutil.rmtree(folder)


def files_below(folder):
    return {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_library_and_the_defaults_and_nothing_else(source, wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert archive.testzip() is None
        for name in names:
            assert archive.read(name) == (ROOT / name).read_bytes(), name
    library = files_below(source / "historynet")
    # Every package, every module, the shipped model, and what else lies in the library's folder.
    assert {name for name in names if name.startswith("historynet/")} == library
    assert "historynet/models/historynet_compact.keras" in library
    defaults = names - library
    assert "SOURCE_HistoryNet/config.py" in defaults
    # The whole of the folder's programs, of which historynet-colorize needs the constants.
    assert defaults == {f"SOURCE_HistoryNet/{path.name}" for path in (ROOT / "SOURCE_HistoryNet").glob("*.py")}


def test_the_installed_command_colorizes_in_another_folder(environment, tmp_path):
    gray = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
    assert cv2.imwrite(str(tmp_path / "photo.png"), gray)
    out = run(environment / "historynet-colorize", "photo.png", "--gpu-id", "cpu", cwd=tmp_path)
    assert "1 colorized" in out
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "RESULT"}
    (result,) = (path for path in (tmp_path / "RESULT").rglob("*") if path.is_file() and path.name[0] != ".")
    assert result.relative_to(tmp_path) == Path("RESULT/HistoryNet/colorized/photo_reconstructed.jpg")
    colored = cv2.imread(str(result))
    assert colored.shape == (*gray.shape, 3)
    # Of a gray picture the three channels are equal.
    assert np.ptp(colored.astype(int), axis=2).mean() > 5
    # The luminance is the picture's.
    assert np.abs(cv2.cvtColor(colored, cv2.COLOR_BGR2GRAY).astype(int) - gray).mean() < 3


def test_the_installed_library_is_imported_and_not_the_projects(environment, tmp_path):
    code = (
        "import historynet, numpy; from historynet import Colorizer; print(historynet.__file__); "
        "print(Colorizer()(numpy.full((40, 30), 128, 'uint8')).shape)"
    )
    path, shape = run(environment / "python", "-c", code, cwd=tmp_path).splitlines()[-2:]
    assert Path(path).is_relative_to(environment.parent)
    assert shape == "(40, 30, 3)"
