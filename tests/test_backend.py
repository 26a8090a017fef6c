"""Which engine computes: --backend, KERAS_BACKEND, what is installed; JAX gives TensorFlow's colours."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, write_picture

from historynet import backend
from historynet.errors import InputError
from historynet.pictures import images


@pytest.fixture
def before_keras(monkeypatch):
    """As in a process that has not imported Keras; the environment is put back at the end."""
    for name in ("keras", "tensorflow", "jax"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "")
    monkeypatch.setattr(backend.extras, "is_installed", lambda name: name in ("tensorflow", "jax"))
    return monkeypatch


def test_tensorflow_is_the_default_and_is_set_whatever_keras_own_file_says(before_keras):
    assert backend.choose() == "tensorflow"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_the_environment_counts_and_the_option_goes_over_it(before_keras):
    before_keras.setenv("KERAS_BACKEND", "jax")
    assert backend.choose() == "jax"
    assert backend.choose("tensorflow") == "tensorflow"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_jax_is_taken_where_tensorflow_is_not_installed(before_keras):
    before_keras.setattr(backend.extras, "is_installed", lambda name: name == "jax")
    assert backend.choose() == "jax"
    with pytest.raises(InputError, match=r"--backend tensorflow: TensorFlow is not installed: .*\[tensorflow\]"):
        backend.choose("tensorflow")


def test_jax_takes_memory_as_it_needs_it_unless_the_user_has_said_otherwise(before_keras):
    before_keras.delenv("XLA_PYTHON_CLIENT_PREALLOCATE")
    backend.choose("jax")
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    before_keras.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    backend.choose("jax")
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"


@pytest.mark.parametrize("installed", [True, False])
def test_an_engine_that_the_programs_do_not_run_on_is_refused_by_name(before_keras, installed):
    before_keras.setenv("KERAS_BACKEND", "torch")
    before_keras.setattr(backend.extras, "is_installed", lambda name: installed)
    with pytest.raises(InputError, match="KERAS_BACKEND=torch: the programs run on tensorflow or jax"):
        backend.start("cpu")


@pytest.mark.parametrize("name", ["JAX", "torch", "os", "no.such", ".x"])
def test_what_is_no_engine_or_not_there_is_refused_before_keras_is_imported(before_keras, name):
    """`choose` alone, as the library's `Colorizer` calls it: Keras would end with a traceback."""
    before_keras.setenv("KERAS_BACKEND", name)
    if name == "torch":
        before_keras.setattr(backend.extras, "is_installed", lambda name: False)
    with pytest.raises(InputError, match=f"KERAS_BACKEND={re.escape(name)}: the programs run on tensorflow or jax"):
        backend.choose()


def test_a_process_keeps_the_engine_that_keras_runs_on():
    import keras

    current = keras.backend.backend()
    other = {"tensorflow": "jax", "jax": "tensorflow"}[current]
    assert backend.choose() == current
    with pytest.raises(InputError, match=f"--backend {other}: Keras runs on {current}"):
        backend.choose(other)


def run_python(code, *arguments, **environment):
    """Python code in a process of its own."""
    variables = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    variables |= {"PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


WITHOUT = "import runpy, sys; sys.modules |= dict.fromkeys(%r); runpy.run_path(sys.argv[1], run_name='__main__')"
"""Runs a script as where some modules are not installed."""


@pytest.mark.parametrize("script", ["SOURCE_HistoryNet/colorization.py", "Util/demo.py"])
def test_without_any_engine_one_line_names_what_brings_one(tmp_path, script):
    if script.endswith("colorization.py"):
        # The script's own words, sys.argv, begin after "-c".
        write_picture(tmp_path / "a.png")
    code = "import sys; del sys.argv[0];" + WITHOUT.replace("argv[1]", "argv[0]") % (["tensorflow", "jax"],)
    done = run_python(code, ROOT / script, *([tmp_path] if "colorization" in script else []))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "[tensorflow]" in done.stderr
    assert "[jax]" in done.stderr


def test_jax_colours_as_tensorflow_does_and_nobody_imports_tensorflow(model, tmp_path):
    pytest.importorskip("jax")
    from historynet.colorizing.colorizer import Colorizer

    luminance = np.random.default_rng(0).random((11, 32, 32, 1), np.float32)
    np.save(tmp_path / "luminance.npy", luminance)
    code = """
import sys, numpy
from historynet import backend
print(backend.start("cpu", seed=0, engine="jax"))
from historynet import Colorizer
folder, model = sys.argv[1:]
colorizer = Colorizer(model)
numpy.save(folder + "/ab.npy", colorizer.predict_ab(numpy.load(folder + "/luminance.npy")))
print(colorizer.digest(), "tensorflow" in sys.modules)
"""
    done = run_python(code, tmp_path, model)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "running on the CPU with JAX"
    here = Colorizer(model)
    assert done.stdout.splitlines()[1] == f"{here.digest()} False"
    np.testing.assert_allclose(np.load(tmp_path / "ab.npy"), here.predict_ab(luminance), rtol=0, atol=1e-5)


def test_the_released_arithmetic_is_refused_with_jax(tmp_path):
    pytest.importorskip("jax")
    images.write_rgb(tmp_path / "a.png", np.zeros((20, 20, 3), np.uint8))
    code = "import sys, runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    options = ["--released-arithmetic", "--backend", "jax", "--result-dir", tmp_path / "out"]
    done = run_python(code, ROOT / "SOURCE_HistoryNet/colorization.py", tmp_path / "a.png", *options)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --released-arithmetic: with --backend tensorflow only")


OVERLAPPING = """
import os, sys, threading
from historynet import backend
begun, entered, ended = threading.Event(), threading.Event(), threading.Event()
def first():
    with backend.quiet():
        begun.set()
        entered.wait()
    ended.set()
def second():
    begun.wait()
    with backend.quiet():
        entered.set()
        # Without one filter for both the first thread would wait for the second's, and this for nobody.
        ended.wait(10)
        os.write(2, b"libpng warning: unheard\\n")
        print("ours", file=sys.stderr)
threads = [threading.Thread(target=target, daemon=True) for target in (first, second)]
[thread.start() for thread in threads]
[thread.join(30) for thread in threads]
os.write(2, b"libpng warning: heard\\n")
print(any(thread.is_alive() for thread in threads))
"""


def test_threads_that_leave_noise_out_at_the_same_time_all_come_to_an_end():
    done = subprocess.run(
        [sys.executable, "-c", OVERLAPPING], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.returncode, done.stdout) == (0, "False\n")
    assert done.stderr == "ours\nlibpng warning: heard\n"


LOGGING = """
import logging, os, sys
from historynet import backend
for _ in range(2):
    with backend.quiet():
        logging.getLogger("a library").addHandler(logging.StreamHandler(sys.stderr))
others = [open(os.path.join(sys.argv[1], str(i)), "w") for i in range(3)]
logging.getLogger("a library").warning("seen")
print(len(os.listdir("/proc/self/fd")))
for _ in range(5):
    with backend.quiet():
        pass
print(len(os.listdir("/proc/self/fd")))
"""


def test_what_libraries_log_later_is_seen_and_goes_into_no_other_file(tmp_path):
    """A logger keeps the stream that it was made with."""
    command = [sys.executable, "-c", LOGGING, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == "seen\nseen\n"
    assert [(tmp_path / str(i)).read_text() for i in range(3)] == ["", "", ""]
    before, after = done.stdout.split()
    assert before == after
