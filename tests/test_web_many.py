"""Many people before the page: nobody keeps the others from their work, and nobody loses what is theirs."""

import asyncio
import contextlib
import errno
import io
import re
import resource
import shutil
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'web' is not installed")

import httpx
from conftest import write_picture
from served import serve, wait_until

from historynet.commands import web
from historynet.web import archives, memory, models, previews, store, telling
from historynet.web.line import Line, Ticket
from historynet.web.refusals import for_people


def waits(work):
    """Whether work in a thread of its own waits; and what is called to see it end."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(0.3)

    def end():
        thread.join(20)
        assert not thread.is_alive()

    return thread.is_alive(), end


def test_who_waits_for_much_memory_keeps_nobody_from_looking(monkeypatch):
    room = memory.Memory(memory.resident() + memory._NETWORK + 1e9)

    def take(bytes_, taking):
        def work():
            with taking(bytes_):
                pass

        return waits(work)

    with room.taking(0.6e9):
        large, end = take(0.7e9, room.taking)
        assert large
        # It would not fit anyway before the first has ended.
        short, _ = take(0.2e9, room.taking_shortly)
        assert not short
        monkeypatch.setattr(memory, "_PATIENCE", 0.05)
        with pytest.raises(MemoryError), room.taking_shortly(0.5e9):
            pass
        monkeypatch.undo()
    end()
    # What waits for a look alone is not overtaken by other looks.
    with room.taking_shortly(0.4e9):
        large, end = take(0.7e9, room.taking)
        short, end_short = take(0.2e9, room.taking_shortly)
        assert large and short
    end()
    end_short()
    with room.taking(0.99e9):
        pass


def test_work_without_memory_takes_no_place_beside_a_film():
    async def go():
        line, begun, ends = Line(2, room=10), [], {}

        def add(name, need, is_long=False):
            async def run():
                begun.append(name)
                ends[name] = asyncio.Event()
                await ends[name].wait()

            ticket = Ticket(name, is_long, run, lambda place: None, need=need)
            line.add(ticket)

        add("film", 6, is_long=True)
        add("large", 5)
        add("small", 4)
        await asyncio.sleep(0.01)
        assert begun == ["film", "small"]
        ends["film"].set()
        await asyncio.sleep(0.01)
        assert begun == ["film", "small", "large"]
        ends["small"].set()
        ends["large"].set()
        await line.end()

    asyncio.run(go())


@pytest.fixture(scope="module")
def at_hand(model, tmp_path_factory):
    return models.Models(models.find([str(model)], tmp_path_factory.mktemp("MODEL"))[0])


@pytest.fixture(scope="module")
def served(at_hand, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("web"), at_hand, sessions=5) as browser:
        yield browser


@pytest.fixture
def picture(tmp_path):
    write_picture(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def visit(browser, **headers):
    return httpx.get(browser.address, headers={n.replace("_", "-"): v for n, v in headers.items()}, trust_env=False)


def test_visitors_who_do_nothing_make_way(served, picture):
    mine = served.another()
    one = mine.give(picture)
    with served.another().events() as events:
        for _ in range(12):
            assert visit(served).status_code == 200
        assert mine.get(f"/api/inputs/{one}/before").status_code == 200
        assert len(served.service.store.sessions) == 5
        with contextlib.ExitStack() as stack:
            listening = [served.another() for _ in range(3)]
            for browser in listening:
                stack.enter_context(browser.events())
                # Once it is open.
                browser.get("/api/options")
            wait_until(lambda: all(browser.session.listeners for browser in listening))
            answer = visit(served)
            assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        del events
    mine.client.delete(f"/api/inputs/{one}")


def test_another_page_may_lead_here_but_take_nothing_in(served):
    for site in ("cross-site", "same-site"):
        before = len(served.service.store.sessions)
        for place in ("image", "iframe", "empty", "script"):
            answer = visit(served, Sec_Fetch_Site=site, Sec_Fetch_Dest=place)
            assert answer.status_code == 403 and "set-cookie" not in answer.headers
        assert len(served.service.store.sessions) == before
        assert visit(served, Sec_Fetch_Site=site, Sec_Fetch_Dest="document").status_code == 200
    # By a link the cookie comes along, so that the session goes on.
    assert "samesite=lax" in visit(served).headers["set-cookie"].lower()


def test_a_zip_file_is_whole_though_its_page_goes(at_hand, tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), data)
    with serve(tmp_path / "web", at_hand, end_seconds=0.1) as browser:
        results = [browser.order(browser.give(tmp_path / "noise.png", f"{i}.png"), format="png") for i in range(3)]
        for result in results:
            browser.wait(result)
        session = browser.session
        with browser.client.stream("GET", "/api/zip", params={"results": ",".join(results)}) as answer:
            parts = answer.iter_raw(1 << 16)
            got = next(parts)
            assert browser.another().client.post("/api/end", headers={"Cookie": browser.cookie}).status_code == 204
            time.sleep(2.5)
            assert not session.ended
            got += b"".join(parts)
        archive = zipfile.ZipFile(io.BytesIO(got))
        assert archive.testzip() is None and len(archive.namelist()) == 3
        wait_until(lambda: session.ended)


def test_a_page_that_is_lost_is_waited_for_though_another_has_gone(at_hand, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_TOGETHER", 0.5)
    with serve(tmp_path / "web", at_hand, end_seconds=0.1, heartbeat_seconds=0.2) as browser:
        session = browser.session
        with browser.events():
            wait_until(lambda: session.listeners)
            assert browser.client.post("/api/end").status_code == 204
            time.sleep(1)
        wait_until(lambda: not session.listeners)
        time.sleep(2.5)
        assert not session.ended
        # It says so itself.
        browser.client.post("/api/end")
        wait_until(lambda: session.ended)


def test_what_goes_wrong_once_ends_no_removing(at_hand, tmp_path, monkeypatch, capsys):
    with serve(tmp_path / "web", at_hand, left_seconds=0.1) as browser:
        session, sweep, seen = browser.session, browser.service.store.sweep, []

        def fails_once():
            seen.append(1)
            if len(seen) == 1:
                raise PermissionError(errno.EACCES, "Permission denied", "somebody.jpg")
            sweep()

        monkeypatch.setattr(browser.service.store, "sweep", fails_once)
        wait_until(lambda: session.ended)
    said = capsys.readouterr().err
    assert "what nobody needs any more could not be removed (Permission denied); it is tried again" in said
    assert "somebody" not in said


def test_a_zip_file_breaks_off_where_a_file_is_missing(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    pieces = archives.stream([("a", tmp_path / "a"), ("b", tmp_path / "b")])
    with pytest.raises(FileNotFoundError):
        list(pieces)


def test_a_file_is_read_once_for_all_its_copies(served, picture, monkeypatch):
    browser, seen = served.another(), []
    one = browser.give(picture)
    read = previews.formats.read

    def slow(*arguments, **more):
        seen.append(arguments[0])
        time.sleep(0.3)
        return read(*arguments, **more)

    monkeypatch.setattr(previews.formats, "read", slow)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda side: browser.get(f"/api/inputs/{one}/before", side=side), (16, 20, 24, 28)))
    assert [answer.status_code for answer in answers] == [200] * 4 and len(seen) == 1
    assert [max(cv2.imdecode(np.frombuffer(a.content, np.uint8), 1).shape) for a in answers] == [16, 20, 24, 28]


def test_a_copy_that_takes_for_ever_is_given_up(at_hand, tmp_path, picture, monkeypatch):
    with serve(tmp_path / "web", at_hand, read_seconds=0.5) as browser:
        one = browser.give(picture)
        monkeypatch.setattr(previews.formats, "read", lambda *arguments: time.sleep(3))
        begin = time.monotonic()
        answer = browser.get(f"/api/inputs/{one}/before")
        assert answer.status_code == 422 and "too long" in answer.json()["error"] and time.monotonic() - begin < 2.5
        time.sleep(2.6)


def test_a_temporary_folder_that_was_cleaned_is_made_again(at_hand, tmp_path, picture):
    with serve(tmp_path / "web", at_hand) as browser:
        shutil.rmtree(tmp_path / "web")
        browser.another().made(picture)


def test_no_folder_of_the_server_is_named():
    path = Path("/tmp/historynet-web-x/1/2/input.png")
    for text, said in (
        ("/srv/MODEL/HistoryNet/a.keras: is not there", "A.keras: is not there"),
        ("[Errno 2] No such file: '/srv/MODEL/a.keras'", "[Errno 2] No such file: 'a.keras'"),
        (f"{path}: 16/24 bits and/or more", "16/24 bits and/or more"),
        (
            f"{path}: 99x99 pixels are more than 0.001 megapixels (--max-megapixels)",
            "99x99 pixels are more than 0.001 megapixels; make it smaller, or ask who runs the page",
        ),
    ):
        assert for_people(text, path, "x.png") == said


def test_uploads_leave_room_on_the_disk(served, picture, monkeypatch, capfd):
    """Though each was promised room when it began."""
    browser, usage = served.another(), shutil.disk_usage(picture.parent)
    free = iter([2e9, 0.5e9, 0.5e9])
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage._replace(free=next(free)))
    monkeypatch.setattr(telling, "_said", {})
    for _ in range(2):
        answer = browser.upload(picture)
        assert answer.status_code == 507 and "disk is full" in answer.json()["error"]
        # The page would ask again by itself.
        assert "Retry-After" not in answer.headers
    # Who can do something about it hears of it, once.
    assert capfd.readouterr().err.count("note: the disk is full") == 1
    assert not browser.session.inputs and not list(browser.session.folder.iterdir())


@pytest.mark.parametrize("where", ["look", "make"])
def test_a_defect_is_on_the_terminal_by_the_number_that_the_page_shows(
    served, picture, monkeypatch, capfd, caplog, where
):
    def fail(*_):
        raise KeyError("a defect")

    browser = served.another()
    monkeypatch.setattr(browser.service._workshop, where, fail)
    if where == "look":
        answer = browser.upload(picture, "grandmother.png")
        said = answer.json()["error"]
        assert answer.status_code == 500
        wait_until(lambda: caplog.text)
        shown = caplog.text
    else:
        said = browser.wait(browser.order(browser.give(picture, "grandmother.png")), "failed").error
        shown = capfd.readouterr().err
    number = re.search(r"number ([0-9a-f]{4})\.$", said)[1]
    assert shown.count("Traceback (most") == shown.count("KeyError: 'a defect'\n") == 1
    assert f"number {number}." in shown and "grandmother" not in shown


def test_a_disk_that_is_full_before_its_time_is_no_defect(served, picture, monkeypatch, capfd):
    browser = served.another()

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(telling, "_said", {})
    monkeypatch.setattr(browser.service._workshop, "look", fail)
    assert browser.upload(picture).status_code == 507
    assert "note: the disk is full" in capfd.readouterr().err and not list(browser.session.folder.iterdir())


def test_each_connection_may_have_a_file_open():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip("the system lets nobody have so many files open")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        web._allow_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 2 * web._CONNECTIONS
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_names_by_which_the_server_may_be_asked_for():
    own = {"127.0.0.1", "localhost", "::1"}
    assert set(web._names("127.0.0.5", [])) == own | {"127.0.0.5"}
    # A browser's name is in small letters; and whoever watches a container asks from within.
    assert set(web._names("0.0.0.0", ["Photos.Example"])) == own | {"photos.example"}
    assert web._names("0.0.0.0", []) == ()
