"""LPIPS: really run where the extra and AlexNet's weights are there."""

import errno
import os
import sys
from pathlib import Path
from unittest.mock import MagicMock

import cv2
import numpy as np
import pytest

from historynet.comparing import perceptual
from historynet.comparing.perceptual import Lpips
from historynet.errors import InputError

SCRIPT = "Util/lpips_2dirs.py"


@pytest.fixture
def weights(reference, monkeypatch):
    """TORCH_HOME with AlexNet's weights: the user's own, or that of the reference files."""
    pytest.importorskip("lpips", reason="the extra lpips is not installed")
    if "TORCH_HOME" not in os.environ:
        monkeypatch.setenv("TORCH_HOME", str(reference / "weights/torch"))
    import torch

    if not Path(torch.hub.get_dir(), "checkpoints/alexnet-owt-7be5be79.pth").exists():
        pytest.skip("no weights of AlexNet in TORCH_HOME")


@pytest.mark.parametrize(("name", "distance"), [("ex_p0", 0.7219), ("ex_p1", 0.1376)])
def test_the_published_example(weights, reference, run, tmp_path, monkeypatch, name, distance):
    monkeypatch.chdir(tmp_path)
    for folder, source in (("a", "ex_ref"), ("b", name)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ex.png").write_bytes((reference / f"golden/lpips/{source}.png").read_bytes())
    code, out, err = run(SCRIPT, "-d0", "a", "-d1", "b", "-v", "0.1", "--net", "alex")
    assert code == 0, err
    assert (tmp_path / "lpips.txt").read_text() == out
    lines = dict(line.split(": ", 1) for line in out.splitlines()[1:])
    assert float(lines["ex.png"]) == pytest.approx(distance, abs=5e-5)
    assert float(lines["average"]) == pytest.approx(distance, abs=5e-5)


def test_batches_of_mixed_sizes_give_what_single_pairs_give(weights, monkeypatch):
    monkeypatch.setitem(perceptual._BATCH_PIXELS, "cpu", 3 * 64 * 48)
    monkeypatch.setattr(perceptual, "_WAITING_PIXELS", 4 * 64 * 48)
    rng = np.random.default_rng(0)
    sizes = [(64, 48), (40, 80), (64, 48), (64, 48), (64, 48), (33, 33), (20, 90), (40, 80)]
    pairs = [(i, *rng.integers(0, 256, (2, *size, 3), np.uint8)) for i, size in enumerate(sizes)]
    lpips = Lpips()
    together = dict(lpips.distances(pairs))
    assert sorted(together) == list(range(len(sizes)))
    assert np.isnan(together.pop(6))
    for i, distance in together.items():
        ((_, alone),) = lpips.distances([pairs[i]])
        assert distance == pytest.approx(alone, rel=1e-4)
    picture = pairs[0][1]
    blurred = cv2.GaussianBlur(picture, (0, 0), 1)
    others = dict(lpips.distances([("equal", picture, picture), ("blurred", picture, blurred)]))
    assert others["equal"] == 0
    assert others["blurred"] > 0.01


def test_missing_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(InputError, match=r"pip install '\.\[lpips\]'"):
        Lpips()


class OutOfMemoryError(RuntimeError):
    """As PyTorch's, of a GPU."""


TOO_LITTLE = [
    # PyTorch 2.7 says so of the processor's memory.
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 14495514624 bytes. Error code 12 (Cannot allocate memory)"
    ),
    OutOfMemoryError("CUDA out of memory. Tried to allocate 13.50 GiB."),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    MemoryError(),
]


@pytest.mark.parametrize("error", TOO_LITTLE, ids=["processor", "GPU", "system", "Python"])
@pytest.mark.parametrize("loading", [True, False], ids=["loading", "measuring"])
def test_too_little_memory_is_no_fault_of_the_weights(monkeypatch, error, loading):
    torch, lpips, torchvision = MagicMock(), MagicMock(), MagicMock()
    torch.cuda.OutOfMemoryError = OutOfMemoryError
    torch.hub.get_dir.return_value = "hub"
    for name, module in (("torch", torch), ("lpips", lpips), ("torchvision", torchvision)):
        monkeypatch.setitem(sys.modules, name, module)
    picture = np.zeros((32, 32, 3), np.uint8)
    network = lpips.LPIPS.return_value.to.return_value.eval.return_value
    (lpips.LPIPS if loading else network).side_effect = error
    with pytest.raises(InputError, match=r"^LPIPS 0.1, alex: there is not enough memory$"):
        list(Lpips().distances([("key", picture, picture)]))


def test_weights_that_cannot_be_loaded(weights, monkeypatch, tmp_path):
    file = tmp_path / "hub/checkpoints/alexnet-owt-7be5be79.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no weights")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=f"fetch https://.*alexnet-owt-7be5be79.pth and put it into {file.parent}"):
        Lpips()
