"""What the processes of a cluster are told."""

import keras
import mhmd_films
import pytest
from conftest import write_picture

from historynet import clusters
from historynet.commands import collect, colorize_cluster


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


def test_a_film_that_ends_each_process_is_left_out(tmp_path, run, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[mhmd]'")

    def lose_the_first(begin, jobs, cluster, folder, versions, lost):
        yield lost(jobs[0])
        yield begin()(jobs[1])

    monkeypatch.setattr(collect, "spread_with_ray", lose_the_first)
    person = mhmd_films.person()
    for name, frames in (("large", 40), ("small", 20)):
        mhmd_films.make_film(tmp_path / f"{name}.mp4", [("kept", person, frames)])
    rows = [{"key": name, "path": f"{name}.mp4"} for name in ("large", "small")]
    films = mhmd_films.write_list(tmp_path / "films.csv", *rows)
    arguments = (films, "--work", tmp_path / "work", "--private", "--cluster", "auto")
    code, out, err = run("SOURCE_MHMD/collect.py", *arguments)
    assert code == 3
    assert "films: 1" in out
    assert "left out: large: ended each process that read it" in err
    assert 'large.mp4,"ended each process' in (tmp_path / "work/left_out.csv").read_text()
