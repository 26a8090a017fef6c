"""Small data sets made by code, the reference files where there are some, and the scripts run as users run them."""

import contextlib
import gc
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

# Several command lines run in this process; TensorFlow's devices can be chosen only once. Before it is imported.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def reference():
    """The folder of reference files: HISTORYNET_REFERENCE, or ../shared; the test is skipped where there is none."""
    folder = Path(os.environ.get("HISTORYNET_REFERENCE", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("no reference files: HISTORYNET_REFERENCE names no folder and there is no ../shared")
    return folder


@pytest.fixture(autouse=True, scope="module")
def _networks_are_let_go():
    """What Keras and TensorFlow keep of one module's networks would be several gigabytes in the end."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
    _forget_custom_gradients()
    gc.collect()


@pytest.fixture(autouse=True)
def _large_networks_are_let_go_at_once():
    """Python counts objects, not bytes, and would collect networks of full size too late."""
    before = resident_bytes()
    yield
    if resident_bytes() > before + 100e6:
        _forget_custom_gradients()
        gc.collect()


def _forget_custom_gradients():
    """TensorFlow registers a gradient of its own in each graph of an update and never lets go of it, nor of the graph.

    A training has one such graph. The tests have hundreds, of 40 to 300 MB each.
    """
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework import ops

        registered = ops.gradient_registry._registry
        for name in [name for name in registered if name.startswith("CustomGradient")]:
            del registered[name]


def resident_bytes():
    """Memory that this process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True)
def _graphs_are_compiled_as_they_are(request):
    """TensorFlow's own rewriting of graphs is a quarter of the time that compiling an update takes.

    It is left out but in tests marked "rewritten", in golden tests, and in the processes that tests start.
    """
    rewritten = any(request.node.get_closest_marker(name) for name in ("rewritten", "golden"))
    if "tensorflow" in sys.modules:
        options = {"disable_meta_optimizer": not rewritten}
        sys.modules["tensorflow"].config.optimizer.set_experimental_options(options)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file of a tiny untrained generator."""
    from historynet.systems import loading
    from historynet.systems.historynet.generator import build_generator
    from historynet.systems.historynet.variants import Architecture

    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    architecture = Architecture(image_size=32, width=1 / 32)
    loading.save(build_generator(architecture), "HistoryNet", architecture, path)
    return path


@pytest.fixture(scope="module")
def film_model(tmp_path_factory):
    """A file of a tiny untrained films CNN, whose logits say something."""
    import keras

    from historynet.systems import loading
    from historynet.systems.film_cnn.architecture import Architecture
    from historynet.systems.film_cnn.network import build_network

    path = tmp_path_factory.mktemp("film") / "film.keras"
    architecture = Architecture(width=1 / 32, vgg_features=False, colorizing_size=64)
    keras.utils.set_random_seed(1)
    network = build_network(architecture)
    kernel = network.get_layer("bins").kernel
    kernel.assign(np.random.default_rng(0).normal(0, 6, kernel.shape))
    loading.save(network, "FilmCNN", architecture, path)
    return path


def write_picture(path, seed=0, size=(40, 30)):
    """A smooth coloured picture, width x height, in the format of the name."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 4, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.resize(small, size, interpolation=cv2.INTER_CUBIC))


def label_line(name, position=0, classes=42, end=" \n"):
    return " ".join([name, *("1" if i == position else "0" for i in range(classes))]) + end


def make_mhmd(folder):
    """Five training pictures with labels and parsing, three test pictures, in MHMD's layout, into a new folder."""
    names = [f"{i:04}.jpg" for i in range(5)]
    for i, name in enumerate(names):
        write_picture(folder / "dataset_train" / name, i)
        write_picture(folder / "dataset_train_seg" / f"{i:04}_seg.jpg", 100 + i)
    # The released program's kind of line has a space at the end; others do not.
    lines = [label_line(name, i, end=" \n" if i % 2 else "\n") for i, name in enumerate(names)]
    (folder / "dataset_train" / "sign.txt").write_text("".join(lines))
    for i in range(3):
        write_picture(folder / "dataset_second" / f"t{i}.png", 200 + i, (33, 47))
    return folder


@pytest.fixture
def mhmd(tmp_path):
    """A test's own data, to be changed as it likes."""
    return make_mhmd(tmp_path / "DATASET")


def open_folder(folder, fields=("L", "ab", "label", "parsing"), *options):
    """The samples of a folder as HistoryNet's trainer opens them with these options."""
    from historynet import settings
    from historynet.data import mhmd, samples
    from historynet.systems.historynet.settings import HistoryNetSettings

    config = ROOT / "SOURCE_HistoryNet/config.py"
    parser = settings.make_parser("", settings.TRAIN, config, HistoryNetSettings)
    arguments = parser.parse_args(["--train-data", str(folder), *map(str, options)])
    readers = {"L": mhmd.Pictures, "ab": mhmd.Pictures, "label": mhmd.Labels, "parsing": mhmd.Parsing}
    resolved = settings.resolve(arguments, config, HistoryNetSettings)[0]
    return samples.open_samples(resolved, {name: readers[name] for name in fields})


def reader_of(samples, field):
    return next(reader for reader in samples.readers if field in reader.fields)


TINY = ("--width", "0.03125", "--image-size", "32", "--vgg16-weights", "none", "--batch-size", "2", "--num-epochs", "1")


def train_arguments(mhmd, *more):
    """Command line of a training of a few seconds; results go beside the data."""
    results = mhmd.parent
    return [
        *("--train-data", mhmd / "dataset_train", "--test-data", mhmd / "dataset_second"),
        *("--model-dir", results / "MODEL", "--out-dir", results / "OUT", "--log-dir", results / "LOG"),
        *TINY,
        *more,
    ]


GENERATOR_ALONE = ("--lambda-g", "0", "--lambda-info", "0")
"""What makes a training take less than half the time, where only pictures, files and tables matter: one network."""


def run_here(script, *arguments):
    """Runs a script of a variant in this process; its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        runpy.run_path(str(ROOT / script), run_name="__main__")
    return end.value.code


@pytest.fixture
def run(capsys):
    """Runs a script of a variant in this process: (exit code, standard output, standard error)."""

    def run_script(script, *arguments):
        code = run_here(script, *arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run_script


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    """MODEL, LOG and OUT of a training of HistoryNet by one step, made once for all tests of a module."""
    folder = tmp_path_factory.mktemp("trained")
    arguments = train_arguments(make_mhmd(folder / "DATASET"), "--steps-per-epoch", 1)
    assert run_here("SOURCE_HistoryNet/HistoryNet.py", *arguments) == 0
    return folder


@pytest.fixture
def trained(trained_once, tmp_path):
    """A test's own copy of it."""
    for name in ("MODEL", "LOG", "OUT"):
        shutil.copytree(trained_once / name, tmp_path / name)
    return tmp_path


@contextlib.contextmanager
def chromium(downloads):
    """Chromium without a window; what it downloads goes into a folder. The test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install selenium)")
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("no browser: chromium and chromedriver (Debian: chromium, chromium-driver) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,800"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def run_process(script, *arguments, cwd=None):
    """Runs a script, or with "-m" a module, in a process of its own, from another folder if wanted."""
    command = [sys.executable, script if script == "-m" else str(ROOT / script), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
