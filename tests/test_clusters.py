"""What is decided before Ray is asked: addresses, what a process takes of its machine, what machines must have."""

import hashlib
import importlib.util
import socket
import sys
from pathlib import Path

import keras
import pytest
from conftest import write_picture

from historynet import clusters
from historynet.clusters import HERE, Cluster, spread_with_ray
from historynet.commands import colorize_cluster
from historynet.errors import InputError


class FakeRay:
    """As much of Ray as says which machines there are."""

    def __init__(self, *machines):
        self._machines = machines

    def nodes(self):
        return [{"Alive": alive, "Resources": resources} for alive, resources in self._machines]


@pytest.mark.parametrize("address", [HERE, "auto", "127.0.0.1:6379", "head.cluster.local:6379"])
def test_addresses(address):
    assert Cluster(address, 1).address == address


@pytest.mark.parametrize("address", ["", "photos", "photos/", "a.jpg", "host:", ":6379", "host:port"])
def test_what_is_no_address_is_said(address):
    with pytest.raises(InputError, match="takes HOST:PORT or auto; files and folders stand before it"):
        Cluster(address, 1)


@pytest.mark.parametrize(
    ("machines", "gpu", "needs"),
    [
        # Four cores, or the smallest machine's; lost machines and those without cores do not count.
        ([(True, {"CPU": 64.0}), (True, {"CPU": 16.0})], True, {"num_cpus": 4}),
        ([(True, {"CPU": 64.0}), (True, {"CPU": 2.0})], True, {"num_cpus": 2}),
        ([(True, {"CPU": 8.0}), (False, {"CPU": 2.0}), (True, {"memory": 1.0})], True, {"num_cpus": 4}),
        ([(True, {"memory": 1.0})], True, {"num_cpus": 1}),
        # A GPU each, with its share of the cores of the machine that has fewest for each.
        ([(True, {"CPU": 64.0, "GPU": 8.0}), (True, {"CPU": 12.0, "GPU": 2.0})], True, {"num_gpus": 1, "num_cpus": 6}),
        ([(True, {"CPU": 64.0}), (True, {"CPU": 2.0, "GPU": 4.0})], True, {"num_gpus": 1, "num_cpus": 1}),
        ([(True, {"CPU": 64.0, "GPU": 8.0})], False, {"num_cpus": 4}),
    ],
)
def test_what_a_process_takes(machines, gpu, needs):
    assert clusters._needs(FakeRay(*machines), Cluster("auto", 1, engine=True, gpu=gpu)) == needs
    assert clusters._needs(FakeRay(*machines), Cluster("auto", 1)) == {"num_cpus": 1}


def test_a_machine_must_see_the_same(tmp_path):
    current = str(Path.cwd())
    (tmp_path / "probe").write_text("probe")

    def look(folder=tmp_path, here=None):
        return clusters._Look(current, folder, "probe", lambda: {"keras": "3.15.1"}, here or {"keras": "3.15.1"})

    for seen in (look(), look(folder=None)):
        seen.refuse(seen())
    for folder in (tmp_path / "elsewhere", Path("relative")):
        with pytest.raises(InputError, match=f"^{folder}: the machine .* sees no such folder, or another"):
            look(folder).refuse(look(folder)())
    # A folder of the same name with something else in it.
    (tmp_path / "probe").write_text("another's")
    with pytest.raises(InputError, match="sees no such folder, or another"):
        look().refuse(look()())
    (tmp_path / "probe").write_text("probe")
    with pytest.raises(InputError, match=r"keras is 3\.15\.1, here 3\.16"):
        look(here={"keras": "3.16"}).refuse(look()())


def test_what_files_hold(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    found = clusters.digests(tmp_path / "a", tmp_path / "b")
    expected = f"SHA-256 {hashlib.sha256(b'abc').hexdigest()[:16]}"
    assert found == {str(tmp_path / "a"): expected, str(tmp_path / "b"): "missing"}
    assert {"historynet", "Python", "numpy", "keras"} <= clusters.library_versions().keys()


def test_without_ray_it_is_said(tmp_path):
    if importlib.util.find_spec("ray"):
        pytest.skip("Ray is installed")
    with pytest.raises(InputError, match=r"Ray is not installed: pip install '\.\[cluster\]'"):
        list(spread_with_ray(lambda: abs, [1], Cluster(HERE, 1), tmp_path, dict))
    # Nothing to be done needs none.
    assert list(spread_with_ray(lambda: abs, [], Cluster(HERE, 1), tmp_path, dict)) == []


def test_where_nobody_listens_is_said_before_anything_else(tmp_path, run, monkeypatch):
    """On a machine without Ray, too: it is not imported for that."""
    monkeypatch.setattr(clusters.extras, "is_installed", lambda module: True)
    monkeypatch.setitem(sys.modules, "ray", None)
    write_picture(tmp_path / "a.png")
    with socket.socket() as taken:
        # Bound, and nobody listens there.
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        script = "SOURCE_HistoryNet/colorization.py"
        code, out, err = run(script, "--cluster", address, "--result-dir", tmp_path / "o", tmp_path / "a.png")
    assert (code, out) == (2, "")
    assert err == f"error: --cluster {address}: no Ray cluster there (Connection refused)\n"
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(("gpu", "there"), [("cpu", "cpu"), ("0", "0"), ("3", "0")])
def test_processes_take_the_engine_that_is_taken_here(model, tmp_path, run, monkeypatch, gpu, there):
    """Not the one that their machines take by default; and the one GPU that each is shown, whichever that is."""
    told = []
    monkeypatch.setattr(Cluster, "check", lambda cluster: None)
    monkeypatch.setattr(colorize_cluster, "colorize", lambda cluster, setup, *rest: told.append(setup))
    monkeypatch.setattr(Cluster, "check", lambda cluster: None)
    write_picture(tmp_path / "in/a.jpg")
    options = ("--pretrained", model, "--result-dir", tmp_path / "out", "--gpu-id", gpu, "--cluster", "auto")
    code, _, _ = run("SOURCE_HistoryNet/colorization.py", tmp_path / "in", *options)
    assert code == 0
    assert [setup.engine for setup in told] == [(there, True, keras.backend.backend())]


def test_what_computes_is_compared():
    assert {"tensorflow", "jax", "jaxlib", "onnxruntime", "openvino"} <= clusters.library_versions().keys()
