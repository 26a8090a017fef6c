"""Work over two Ray nodes on this machine: the same files as without, also where a node is lost."""

import csv
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from functools import partial
from pathlib import Path

import kept_pictures
import painted
import pytest
from conftest import ROOT, run_here, run_process

from historynet.clusters import HERE, Cluster, spread_with_ray
from historynet.errors import InputError

pytestmark = pytest.mark.ray
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[mhmd,cluster]'")
pytest.importorskip("ray.data", reason="Ray is installed without its data: pip install -e '.[mhmd,cluster]'")

from conftest import write_picture
from test_distant import contents
from test_whole_way import demo, films

from historynet.collecting import parsing, predicting
from historynet.colorizing.reporting import EXISTING

__all__ = ["demo", "films"]

TIMES = "timing.json"
COLORIZE = "SOURCE_HistoryNet/colorization.py"


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes of one core each."""
    from ray.cluster_utils import Cluster

    # The workers' Python finds what this one does.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def frames_of(work):
    return {
        str(path.relative_to(work)): path.read_bytes()
        for path in sorted((work / "frames").rglob("*"))
        if path.is_file() and path.name != TIMES
    }


def versions(of):
    return {"of": of}


def versions_of_process():
    return {"process": os.getpid()}


def wait_and_mark(folder, number):
    """Says on which node it was begun, waits, and returns the square."""
    (folder / f"{number}-{ray.get_runtime_context().get_node_id()}").write_text("")
    time.sleep(2)
    return number**2


def test_films_over_two_nodes_give_the_same_files(cluster, films, tmp_path):
    options = ("--private", "--no-crop-bars")
    assert run_here("SOURCE_MHMD/collect.py", films, "--work", tmp_path / "alone", "--workers", 1, *options) == 0
    work = tmp_path / "ray"
    assert run_here("SOURCE_MHMD/collect.py", films, "--work", work, "--cluster", cluster.address, *options) == 0
    alone = frames_of(tmp_path / "alone")
    assert len(alone) > 10
    assert frames_of(work) == alone


def test_a_lost_node_costs_nothing_but_time(cluster, tmp_path):
    lost = next(iter(cluster.worker_nodes))

    def lose():
        while not list(tmp_path.glob(f"*-{lost.node_id}")):
            time.sleep(0.2)
        cluster.remove_node(lost, allow_graceful=False)

    thread = threading.Thread(target=lose, daemon=True)
    thread.start()
    work = partial(wait_and_mark, tmp_path)
    over = Cluster(cluster.address, 2)
    found = list(spread_with_ray(lambda: work, list(range(30)), over, tmp_path, partial(versions, "all")))
    assert sorted(found) == [(number, number**2) for number in range(30)]
    # What was under way there was done again on the other one.
    assert not thread.is_alive()
    begun = [path.name.split("-")[0] for path in tmp_path.glob("*-*")]
    assert len(begun) > len(set(begun)) == 30


def test_machines_with_other_versions(tmp_path, cluster):
    with pytest.raises(InputError, match="process is .*, here"):
        list(spread_with_ray(lambda: abs, [1, 2], Cluster(cluster.address, 1), tmp_path, versions_of_process))
    assert list(tmp_path.iterdir()) == []


def test_no_cluster_there(tmp_path):
    with pytest.raises(InputError, match="no Ray cluster there"):
        list(spread_with_ray(lambda: abs, [1], Cluster("127.0.0.1:1", 1), tmp_path, partial(versions, "all")))


def refuse(number):
    raise InputError(f"{number}: will not do")


def test_an_error_of_ours_is_the_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    with pytest.raises(InputError, match="^7: will not do"):
        list(spread_with_ray(lambda: refuse, [7], Cluster(HERE, 1), Path(tmp_path), partial(versions, "all")))


def end_at_seven(folder, number):
    (folder / f"{number}-{uuid.uuid4()}").write_text("")
    if number == 7:
        os._exit(9)
    return "done"


def test_what_ends_each_process_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    work, over = partial(end_at_seven, tmp_path), Cluster(HERE, 2)
    done = spread_with_ray(lambda: work, range(9), over, tmp_path, partial(versions, "all"), lambda number: "lost")
    assert sorted(done) == [(number, "lost" if number == 7 else "done") for number in range(9)]
    assert len(list(tmp_path.glob("7-*"))) == 3
    with pytest.raises(InputError, match="3 processes were ended"):
        list(spread_with_ray(lambda: work, [7], over, tmp_path, partial(versions, "all")))


# Pictures


def lose_when(cluster, seen):
    """Loses the second node as soon as a function says so; the thread that waits for it."""
    lost = next(iter(cluster.worker_nodes))

    def lose():
        while not seen():
            time.sleep(0.1)
        cluster.remove_node(lost, allow_graceful=False)

    thread = threading.Thread(target=lose, daemon=True)
    thread.start()
    return thread


def read_table(name):
    """The rows of NAME.csv, of which the results lie in the folder of this name."""
    with Path(f"{name}.csv").open(encoding="utf-8-sig") as file:
        return [row | {"result": row["result"].partition(f"/{name}/")[2]} for row in csv.DictReader(file)]


def test_pictures_over_two_nodes_one_of_which_is_lost(cluster, model, tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(160):
        write_picture(tmp_path / f"in/{number % 3}/{number:03}.jpg", seed=number)
    Path("in/1/040.jpg").write_bytes(b"broken")
    options = ("in", "--recursive", "--pretrained", model, "--no-provenance", "--result-dir")
    assert run(COLORIZE, *options, "alone", "--report", "alone.csv")[0] == 3
    half = lose_when(cluster, lambda: len(list(Path("out").rglob("*_reconstructed.jpg"))) > 50)
    more = ("--report", "out.csv", "--cluster", cluster.address)
    code, out, err = run(COLORIZE, *options, "out", *more)
    assert code == 3, err
    assert not half.is_alive()
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert len(contents(tmp_path / "out")) == 159
    alone_rows, rows = read_table("alone"), read_table("out")
    # Of what the lost machine had made nobody looks at the picture again.
    kept = {row["picture"] for row in rows if row["outcome"] == EXISTING}
    assert len(kept) < 40
    assert [row for row in rows if row["picture"] not in kept] == [
        row for row in alone_rows if row["picture"] not in kept
    ]
    assert [(row["picture"], row["result"]) for row in rows] == [(row["picture"], row["result"]) for row in alone_rows]
    assert "1 skipped" in out
    # What was done is left out; what is missing is made, with the same bytes.
    Path("out/2/005_reconstructed.jpg").unlink()
    code, out, _ = run(COLORIZE, *options, "out", "--skip-existing", "--cluster", cluster.address)
    assert (code, "1 colorized" in out, "158 there already" in out) == (3, True, True)
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def test_objects_of_a_store_over_two_nodes(cluster, model, tmp_path, run):
    for number in range(20):
        write_picture(tmp_path / f"in/{number % 2}/{number:03}.jpg", seed=number)
    options = ("--recursive", "--pretrained", model, "--no-provenance", "--result-dir")
    assert run(COLORIZE, tmp_path / "in", *options, tmp_path / "alone")[0] == 0
    urls = (f"file://{tmp_path}/in", *options, f"file://{tmp_path}/out", "--cluster", cluster.address)
    code, out, err = run(COLORIZE, *urls)
    assert (code, "20 colorized into file://" in out) == (0, True), err
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    code, _, err = run(COLORIZE, *urls)
    assert (code, "is there already; --skip-existing" in err) == (2, True)
    write_picture(tmp_path / "in/0/000.jpg", seed=99)
    (tmp_path / "out/1/001_reconstructed.jpg").unlink()
    code, out, err = run(COLORIZE, *urls, "--skip-existing", "--report", tmp_path / "report.csv")
    assert (code, "1 colorized" in out, "18 there already" in out) == (3, True, True)
    assert "0/000.jpg: has changed since" in err
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 21


def test_the_measurement_of_a_cluster_runs(tmp_path):
    done = run_process("-m", "benchmarks.cluster", "--quick", "--json", tmp_path / "figures.json", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["two nodes, one killed"]["seconds"] > figures["plain"]["seconds"] > 0


# Labels and parsing


@pytest.mark.parametrize("step", ["labels", "masks"])
def test_labels_and_masks_over_two_nodes_are_the_same(cluster, tmp_path, run, monkeypatch, step):
    if step == "labels":
        kept_pictures.make_work(tmp_path / "alone", 6)
        kept_pictures.make_labeller(tmp_path / "tiny.keras")
        command = ("SOURCE_MHMD/label.py", "rest", "--labeller", tmp_path / "tiny.keras")
    else:
        painted.make_work(tmp_path / "alone")
        (tmp_path / "parser").mkdir()
        parser = painted.describe(tmp_path / "parser", unit="person", scale=0.01)
        command = ("SOURCE_MHMD/parse.py", "make", "--parser", parser)
    shutil.copytree(tmp_path / "alone", tmp_path / "ray")
    for module in (parsing, predicting):
        monkeypatch.setattr(module, "SHARD", 5)
    for work, options in (("alone", ()), ("ray", ("--cluster", cluster.address))):
        code, _, err = run(*command, "--work", tmp_path / work, *options)
        assert code == 0, err
    alone, over = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "alone", tmp_path / "ray")
    )
    assert over == alone
    assert Path("labels/predicted.csv" if step == "labels" else "parsing/masks.csv") in alone


# A machine that sees something else


def test_a_machine_that_sees_another_folder_is_refused(cluster, tmp_path):
    """The folder of one machine is hidden by an empty one, as where a mount is missing."""
    folder = tmp_path / "WORK"
    folder.mkdir()
    start = f"{sys.executable} -m ray.scripts.scripts start --address {cluster.address} --num-cpus 1 --block"
    hidden = f"mount -t tmpfs none {folder} && exec {start}"
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("nobody may hide a folder here")
    machine = subprocess.Popen(["unshare", "-m", "sh", "-c", hidden], stdout=subprocess.DEVNULL)
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        until = time.monotonic() + 120
        while sum(node["Alive"] for node in ray.nodes()) < 3 and time.monotonic() < until:
            time.sleep(0.5)
        ray.shutdown()
        with pytest.raises(InputError, match=f"{folder}: the machine .* sees no such folder, or another"):
            over = Cluster(cluster.address, 1)
            list(spread_with_ray(lambda: abs, [1], over, folder, partial(versions, "all")))
        assert list(folder.iterdir()) == []
    finally:
        machine.terminate()
        machine.wait(60)
