"""Pictures in object storage: names that no file system takes, results of earlier runs."""

import argparse
import json

import pytest
from conftest import write_picture

from historynet.colorizing import distant, objects
from historynet.colorizing.distant import Setup
from historynet.colorizing.options import Options
from historynet.colorizing.reporting import Report
from historynet.commands import colorize_objects

pytest.importorskip("fsspec", reason="fsspec is not installed: pip install -e '.[cluster]'")


def setup_of(**options):
    return Setup(None, None, "float32", {}, {"model": "a.keras"}, Options(**options), 16, ("cpu", True, "default"))


@pytest.fixture
def store():
    """An empty store in memory, whose names can be anything."""
    import fsspec

    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def put(store, name, data=b"data"):
    from fsspec.implementations.memory import MemoryFile

    store.store[name] = MemoryFile(store, name, data)


@pytest.fixture
def bucket(tmp_path):
    """URLs of a folder with two pictures, and of one of results."""
    for seed, name in enumerate("ab"):
        write_picture(tmp_path / f"in/{name}.jpg", seed=seed)
    return f"file://{tmp_path / 'in'}", f"file://{tmp_path / 'out'}"


def plan_of(source, results, format="jpg", list=None):
    given = argparse.Namespace(inputs=[source], recursive=True, list=list, results_url=results, format=format)
    return colorize_objects.make_plan(given)


def record(tmp_path, name, plan, results, recorded, **settings):
    """Results of a plan as a run leaves them, with their records in a file of this name."""
    folder = tmp_path / "out" / objects.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for one, result in zip(plan.pictures, plan.names, strict=True):
        (tmp_path / "out" / result).write_bytes(b"result")
        entry = {"result": f"{results}/{result}", "source": one.url, "bytes": one.size, "version": one.version}
        lines.append(json.dumps({**entry, "settings": {"model": "a.keras", **settings}, "recorded": recorded}) + "\n")
    (folder / name).write_text("".join(lines))


def test_names_that_no_file_system_takes(store, tmp_path):
    long = "n" * 300
    names = ("a.jpg", f"{long}.jpg", f"{long}/c.{long}", "d/../../../../../../etc/e.jpg")
    for name in names:
        put(store, f"/in/{name}", name.encode())
    found = objects.find("memory://in")
    assert len(found) == len(names)
    files = [(one, f"{number}.jpg") for number, one in enumerate(found)]
    with objects.on_disk(files, "memory://out", False) as (out, pairs, finish):
        for one, (path, _) in zip(found, pairs, strict=True):
            assert path.read_bytes() == one.url.removeprefix("memory:///in/").encode()
            assert path.resolve().is_relative_to(out.parent)
        assert len({path for path, _ in pairs}) == len(names)
        assert finish(Report()).skipped == []


def test_a_name_that_leads_out_of_a_folder_is_skipped(store, tmp_path):
    put(store, "/in/a.jpg")
    (tmp_path / "list.txt").write_text("memory://in/../../b.jpg\n")
    plan = plan_of("memory://in", "memory://out", list=tmp_path / "list.txt")
    assert [one.url for one in plan.pictures] == ["memory:///in/a.jpg"]
    assert plan.names == ["a_reconstructed.jpg"]
    report = Report()
    colorize_objects.leave_out_done(plan, "memory:///out", setup_of(existing="skip"), report)
    assert [message.split(": ")[0] for message in report.skipped] == ["memory:///in/../../b.jpg"]
    assert {one.picture for one in report.outcomes} < set(plan.urls)


def test_a_folder_without_pictures_is_refused(store):
    from historynet.errors import InputError

    put(store, "/in/a.txt")
    with pytest.raises(InputError, match="memory:///in: no pictures"):
        plan_of("memory://in", "memory://out")


@pytest.mark.parametrize("names", [("1.jsonl", "2.jsonl"), ("2.jsonl", "1.jsonl")])
def test_the_last_record_of_a_result_counts(bucket, tmp_path, names):
    """Another run had other pieces, whose records are in files of other names."""
    source, results = bucket
    plan, setup = plan_of(source, results), setup_of(existing="skip", strength=0.5)
    record(tmp_path, names[0], plan, results, 1.0, strength=1)
    record(tmp_path, names[1], plan, results, 2.0, strength=0.5)
    report = Report()
    assert not colorize_objects.leave_out_done(plan, results, setup, report).pictures
    assert (report.existing, report.notes) == (2, {})


def test_results_of_another_format_are_no_results(bucket, tmp_path):
    source, results = bucket
    plan = plan_of(source, results)
    record(tmp_path, "1.jsonl", plan, results, 1.0)
    for existing in ("skip", "refuse", "overwrite"):
        report = Report()
        left = colorize_objects.leave_out_done(
            plan_of(source, results, "png"), results, setup_of(existing=existing), report
        )
        assert left.names == ["a_reconstructed.png", "b_reconstructed.png"]
        assert not report.existing


def test_what_is_missing_beside_a_result_is_made(bucket, tmp_path):
    """By the same settings; with others it would replace the result, unasked."""
    source, results = bucket
    plan = plan_of(source, results)
    record(tmp_path, "1.jsonl", plan, results, 1.0, strength=1)
    report = Report()
    wanted = setup_of(existing="skip", alternatives=2)
    assert colorize_objects.leave_out_done(plan, results, wanted, report).names == plan.names
    wanted = setup_of(existing="skip", alternatives=2, strength=0.5)
    assert not colorize_objects.leave_out_done(plan, results, wanted, report).names
    assert len(report.skipped) == 2
    assert "a_alternative1_reconstructed.jpg is missing" in report.skipped[0]
    assert "made with strength 1, not 0.5" in report.skipped[0]
    for name in plan.names:
        for number in (1, 2):
            (tmp_path / "out" / name.replace("_", f"_alternative{number}_", 1)).write_bytes(b"other")
    assert not colorize_objects.leave_out_done(plan, results, setup_of(existing="skip", alternatives=2), report).names


def test_pages_of_a_document_are_its_results(bucket, tmp_path):
    source, results = bucket
    plan = plan_of(source, results)
    pages = [f"a_p00{number}_reconstructed.jpg" for number in (1, 2)]
    whole = plan.pictures, plan.names
    plan.pictures, plan.names = [whole[0][0]] * 2, pages
    record(tmp_path, "1.jsonl", plan, results, 1.0)
    plan.pictures, plan.names = whole
    skipping = setup_of(existing="skip")
    assert colorize_objects.leave_out_done(plan, results, skipping, Report()).names == ["b_reconstructed.jpg"]
    # What a machine that was lost has not brought there.
    (tmp_path / "out" / pages[1]).unlink()
    assert colorize_objects.leave_out_done(plan, results, skipping, Report()).names == plan.names


def test_an_earlier_result_never_passes_for_the_new_one(bucket, tmp_path, monkeypatch):
    """The store fails when the record is there and the result is not yet."""
    from fsspec.implementations.local import LocalFileSystem

    from historynet.errors import InputError

    def full(*_):
        raise OSError("no space")

    source, results = bucket
    plan = plan_of(source, results)
    record(tmp_path, "1.jsonl", plan, results, 1.0)
    files = list(zip(plan.pictures, plan.names, strict=True))[:1]
    with objects.on_disk(files, results, True) as (_, pairs, finish):
        pairs[0][1].parent.mkdir()
        pairs[0][1].write_bytes(b"new")
        monkeypatch.setattr(LocalFileSystem, "put_file", full)
        with pytest.raises(InputError, match="no space"):
            finish(Report())
    assert not (tmp_path / "out/a_reconstructed.jpg").exists()
    assert (tmp_path / "out/b_reconstructed.jpg").read_bytes() == b"result"


def test_one_picture_is_a_run_of_its_own():
    """Alone it goes through the network alone, as without a cluster; of a store there may be others that are done."""
    (alone,) = distant.split([("a.jpg", "out/a.jpg")])
    assert alone.others is None
    assert [piece.others for piece in alone.singly()] == [None]
    (of_store,) = distant.split([("s3://b/a.jpg", "a.jpg")], [objects.Object("s3://b/a.jpg")], "s3://b/out")
    assert of_store.others == frozenset()
