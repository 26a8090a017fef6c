"""Work over two Ray nodes on this machine: the same files as without, also where a node is lost."""

import os
import threading
import time
import uuid
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT, run_here

from historynet.clusters import HERE, Cluster, spread_with_ray
from historynet.errors import InputError

pytestmark = pytest.mark.ray
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[mhmd,cluster]'")
pytest.importorskip("ray.data", reason="Ray is installed without its data: pip install -e '.[mhmd,cluster]'")

from test_whole_way import demo, films

__all__ = ["demo", "films"]

TIMES = "timing.json"


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
    assert found == [number**2 for number in range(30)]
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
    return number, None


def test_what_ends_each_process_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    work, over = partial(end_at_seven, tmp_path), Cluster(HERE, 2)
    done = spread_with_ray(lambda: work, range(9), over, tmp_path, partial(versions, "all"), lambda number: "lost")
    assert list(done) == [*((number, None) for number in range(7)), "lost", (8, None)]
    assert len(list(tmp_path.glob("7-*"))) == 3
    with pytest.raises(InputError, match="3 processes were ended"):
        list(spread_with_ray(lambda: work, [7], over, tmp_path, partial(versions, "all")))
