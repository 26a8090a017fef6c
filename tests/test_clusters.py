"""What the processes of a cluster are told."""

import keras
import pytest
from conftest import write_picture

from historynet import clusters
from historynet.clusters import Cluster
from historynet.commands import colorize_cluster
from historynet.errors import InputError


@pytest.mark.parametrize(("gpu", "there"), [("cpu", "cpu"), ("0", "0"), ("3", "0")])
def test_processes_take_the_engine_that_is_taken_here(model, tmp_path, run, monkeypatch, gpu, there):
    """Not the one that their machines take by default; and the one GPU that each is shown, whichever that is."""
    told = []
    monkeypatch.setattr(colorize_cluster, "colorize", lambda cluster, setup, *rest: told.append(setup))
    write_picture(tmp_path / "in/a.jpg")
    options = ("--pretrained", model, "--result-dir", tmp_path / "out", "--gpu-id", gpu, "--cluster", "auto")
    code, _, _ = run("SOURCE_HistoryNet/colorization.py", tmp_path / "in", *options)
    assert code == 0
    assert [setup.engine for setup in told] == [(there, True, keras.backend.backend())]


def test_what_computes_is_compared():
    assert {"tensorflow", "jax", "jaxlib", "onnxruntime", "openvino"} <= clusters.library_versions().keys()


@pytest.mark.parametrize("address", ["photos", "host:", ":6379", "host:port"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InputError, match="takes HOST:PORT or auto"):
        Cluster(address, 1)
