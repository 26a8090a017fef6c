"""What the commands make of what a cluster says."""

import mhmd_films
import pytest
from conftest import write_picture

from historynet.commands import collect


def test_a_film_that_ends_each_process_is_left_out(tmp_path, run, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[mhmd]'")

    def lose_the_first(begin, jobs, cluster, folder, versions, lost):
        yield 0, lost(jobs[0])
        yield 1, begin()(jobs[1])

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


@pytest.mark.parametrize("script", ["SOURCE_HistoryNet/colorization.py", "SOURCE_MHMD/collect.py"])
def test_an_empty_address_is_none(tmp_path, run, model, script):
    """As of a variable that is not set: nobody wants the work to be done here then."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[mhmd]'")
    write_picture(tmp_path / "in/a.jpg")
    mhmd_films.make_film(tmp_path / "in/a.mp4", [("gray", mhmd_films.gray(mhmd_films.person()), 5)])
    options = {"SOURCE_HistoryNet/colorization.py": ("--pretrained", model, "--result-dir", tmp_path / "out")}
    given = options.get(script, ("--work", tmp_path / "work", "--private"))
    code, _, err = run(script, tmp_path / "in", *given, "--cluster", "")
    assert code == 2
    assert "takes HOST:PORT or auto" in err
