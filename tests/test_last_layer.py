"""The last layer's fitting to LPIPS: run in a process of its own, since PyTorch comes before TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from conftest import ROOT

from historynet import extras
from historynet.errors import InputError
from historynet.experiments import last_layer
from historynet.pictures import images

SCRIPT = """
import sys
import torch
from historynet.comparing.perceptual import Lpips
lpips = Lpips()
from pathlib import Path
import numpy as np
import keras
from historynet.colorizing.colorizer import Colorizer
from historynet.comparing import metrics
from historynet.experiments import last_layer
from historynet.pictures import color, images
from historynet.systems import loading
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import Architecture
from historynet.systems.historynet.registration import GENERATOR, NAME

folder = Path(sys.argv[1])
keras.utils.set_random_seed(1)
architecture = Architecture(image_size=32, width=1 / 32)
generator = build_generator(architecture)
last = generator.get_layer("ab_half")
kernel, bias = last.get_weights()
last.set_weights([8 * kernel, np.float32([0.3, -0.2])])
loading.save(generator, NAME, architecture, folder / "before.keras", half=True)

share = last_layer.open_share(str(folder / "pictures"), "2", "0.1")
how = last_layer.Fit(steps=20, rate=0.02, colorfulness=0.05)
last_layer.fit(folder / "before.keras", [share], folder / "after.keras", lpips, how)

distances = []
before, after = (loading.load(folder / f"{name}.keras", NAME, GENERATOR)[0] for name in ("before", "after"))
for name, network in (("before", before), ("after", after)):
    layer = network.get_layer("ab_half")
    looking = keras.Model(network.inputs, layer.input)
    weights = [torch.tensor(values) for values in layer.get_weights()]
    colorizer = Colorizer(folder / f"{name}.keras")
    results = []
    for path in share.paths:
        rgb = images.read_rgb(path)
        gray = color.to_gray(rgb)
        features = np.asarray(looking.predict_on_batch(color.network_lab(gray, (32, 32))[None, ..., :1]))[0]
        rendered = last_layer.render(features, color.rgb_to_lab(gray)[..., 0], *weights).numpy() * 255
        result = colorizer(gray, borders=False)
        far = np.abs(rendered.transpose(1, 2, 0) - result)
        print(name, "levels", far.mean(), far.max())
        assert far.mean() < 1 and far.max() < 12, (far.mean(), far.max())
        results.append((path, rgb, result))
    distances.append(np.mean([distance for _, distance in lpips.distances(results)]))
print("LPIPS", *distances)
assert distances[1] < 0.97 * distances[0]
for one, other in zip(before.layers, after.layers, strict=True):
    same = all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
    assert same == (one.name != "ab_half"), one.name

rgb = images.read_rgb(share.paths[0])
theirs = last_layer._colorfulness(torch.tensor(rgb.transpose(2, 0, 1) / 255))
assert abs(float(theirs) - metrics.colorfulness(rgb)) < 1e-3
"""


@pytest.fixture
def pictures(tmp_path):
    """A folder of two photographs in colour."""
    (tmp_path / "pictures").mkdir()
    for name, rgb in (("a", skimage.data.astronaut()), ("b", skimage.data.coffee())):
        images.write_rgb(tmp_path / f"pictures/{name}.png", np.ascontiguousarray(rgb[::3, ::4]))
    return tmp_path / "pictures"


def test_what_is_fitted_is_what_colorizing_makes_and_looks_more_like_it(tmp_path, pictures, reference):
    # Not imported here, after TensorFlow.
    if not extras.is_installed("lpips"):
        pytest.skip("the extra lpips is not installed")
    home = os.environ.get("TORCH_HOME", str(reference / "weights/torch"))
    if not Path(home, "hub/checkpoints/alexnet-owt-7be5be79.pth").exists():
        pytest.skip("no weights of AlexNet in TORCH_HOME")
    environment = {"TORCH_HOME": home, "PATH": "", "PYTHONPATH": ":".join([str(ROOT), *sys.path])}
    start = {"env": environment, "text": True, "capture_output": True, "check": False, "timeout": 600}
    ran = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path], **start)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    fitting = [ROOT / "Util/default_model.py", "fit", tmp_path / "before.keras", "--pictures", pictures, 1, 0.2]
    fitting += ["--steps", 2, "--out", tmp_path / "again.keras"]
    ran = subprocess.run([sys.executable, *map(str, fitting)], **start)
    assert ran.returncode == 0, ran.stderr
    assert "its last layer is fitted to 2 pictures" in ran.stdout
    assert (tmp_path / "again.keras").is_file()


def test_pictures_to_fit_to(pictures):
    share = last_layer.open_share(str(pictures), "2", "0.1")
    assert [path.name for path in share.paths] == ["a.png", "b.png"]
    assert (share.drawn, share.error) == (2, 0.1)
    # Gray ones do not count.
    images.write_rgb(pictures / "gray.png", np.dstack([skimage.data.camera()] * 3))
    with pytest.raises(InputError, match="2 pictures in colour, fewer than the 3 that a step draws"):
        last_layer.open_share(str(pictures), "3", "0.1")
    for wrong in (("0", "0.1"), ("x", "0.1"), ("1", "2"), ("1", "nan")):
        with pytest.raises(InputError, match="wanted is DIR N PSNR"):
            last_layer.open_share(str(pictures), *wrong)
    images.write_rgb(pictures / "tiny.png", np.ascontiguousarray(skimage.data.coffee()[:31, :40]))
    with pytest.raises(InputError, match=r"tiny.png: 40x31, too small for LPIPS; remove it"):
        last_layer.open_share(str(pictures), "1", "0.1")
