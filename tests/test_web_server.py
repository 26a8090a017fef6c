"""The page's server: results as the command's, the network asked once, sessions, the line, limits."""

import asyncio
import importlib.util
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT, write_picture
from PIL import ExifTags, Image
from served import Browser, serve, wait_until
from test_films import make_film

pytest.importorskip("fastapi", reason="the extra 'web' is not installed")

from historynet.colorizing.colorizer import Colorizer
from historynet.commands import web
from historynet.errors import InputError
from historynet.web import models, names
from historynet.web.limits import Limits
from historynet.web.line import Line, Ticket

COLORIZE = "SOURCE_FilmCNN/colorization.py"


@pytest.fixture(scope="module")
def at_hand(model, film_model, tmp_path_factory):
    found, _ = models.find([str(model), str(film_model)], tmp_path_factory.mktemp("MODEL"))
    return models.Models(found)


@pytest.fixture(scope="module")
def film_id(at_hand):
    return next(one["id"] for one in at_hand.says() if one["system"] == "FilmCNN")


@pytest.fixture(scope="module")
def served(at_hand, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("web"), at_hand, megapixels=2) as browser:
        yield browser


@pytest.fixture
def browser(served):
    """A session of a test's own."""
    return served.another()


def picture(tmp_path, name="picture.png", seed=0, size=(40, 30)):
    write_picture(tmp_path / name, seed, size)
    return tmp_path / name


def pixels(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


# The same as the command


@pytest.mark.parametrize(
    ("name", "wanted", "options"),
    [
        ("a.jpg", {}, ()),
        ("a.jpg", {"format": "same", "strength": 0.5}, ("--format", "same", "--strength", 0.5)),
        ("a.png", {"format": "tif", "borders": False}, ("--format", "tif", "--no-borders")),
        ("a.png", {"format": "webp"}, ("--format", "webp")),
    ],
)
def test_a_result_has_the_bytes_of_the_commands(browser, run, film_model, film_id, tmp_path, name, wanted, options):
    path = picture(tmp_path, name)
    made = browser.made(path, name, model=film_id, **wanted)
    code, _, err = run(COLORIZE, path, "--pretrained", film_model, "--result-dir", tmp_path / "out", *options)
    assert code == 0, err
    (result,) = (tmp_path / "out").glob("a_*")
    assert made == result.read_bytes()
    # The line of provenance is in it.
    assert result.suffix == ".tif" or b"colourised by HistoryNet" in made


def test_so_have_the_pages_of_a_document(browser, run, film_model, film_id, tmp_path):
    path = tmp_path / "scan.tif"
    pages = [cv2.imread(str(picture(tmp_path, f"{seed}.png", seed))) for seed in range(3)]
    assert cv2.imwritemulti(str(path), pages)
    result = browser.order(browser.give(path, "scan.tif"), model=film_id, format="png")
    browser.wait(result)
    code, _, err = run(COLORIZE, path, "--pretrained", film_model, "--result-dir", tmp_path / "out", "--format", "png")
    assert code == 0, err
    archive = zipfile.ZipFile(io.BytesIO(browser.download(result).content))
    expected = {one.name: one.read_bytes() for one in (tmp_path / "out").glob("*.png")}
    assert {name: archive.read(name) for name in archive.namelist()} == expected
    assert sorted(expected) == [f"scan_p00{i}_reconstructed.png" for i in (1, 2, 3)]
    assert browser.download(result, page=1).content == expected["scan_p002_reconstructed.png"]
    assert browser.get(f"/api/results/{result}/after", page=2).status_code == 200
    assert browser.get(f"/api/results/{result}/after", page=3).status_code == 404


def test_so_has_a_film(browser, run, film_model, film_id, tmp_path):
    make_film(tmp_path / "film.mp4")
    one = browser.give(tmp_path / "film.mp4", "My film.mp4")
    result = browser.order(one, model=film_id, strength=0.7)
    found = browser.wait(result)
    code, _, err = run(
        *(COLORIZE, tmp_path / "film.mp4", "--pretrained", film_model, "--result-dir", tmp_path / "out"),
        *("--strength", 0.7),
    )
    assert code == 0, err
    answer = browser.download(result)
    assert answer.content == (tmp_path / "out/film_reconstructed.mp4").read_bytes()
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''My%20film_reconstructed.mp4"
    assert answer.headers["content-type"] == "video/mp4"
    assert found.done == 40 and found.input.seconds == pytest.approx(1.92, abs=0.1)
    # Players ask for parts.
    part = browser.client.get(f"/api/results/{result}/download", headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == answer.content[10:20]
    # The same moment of both.
    before, after = (
        pixels(browser.get(path, side=64).content)
        for path in (f"/api/inputs/{one}/before", f"/api/results/{result}/after")
    )
    assert before.shape == after.shape and max(before.shape) == 64
    gray = [cv2.cvtColor(one, cv2.COLOR_BGR2GRAY).astype(float) for one in (before, after)]
    assert np.abs(gray[0] - gray[1]).mean() < 8


def test_the_network_sees_a_picture_once(browser, film_id, monkeypatch, tmp_path):
    seen = []
    predict = Colorizer.predict

    def counted(self, luminance):
        seen.append(len(luminance))
        return predict(self, luminance)

    monkeypatch.setattr(Colorizer, "predict", counted)
    one, model = browser.give(picture(tmp_path, seed=5)), {"model": film_id}
    first = browser.order(one, **model)
    browser.wait(first)
    assert seen == [1]
    others = ({"strength": 0.3}, {"format": "png"}, {"borders": False}, {"temperature": 0.1}, {"alternatives": 1})
    again = [browser.order(one, **model, **wanted) for wanted in others]
    for result in again:
        browser.wait(result)
    assert seen == [1] and len({first, *again}) == 6
    # The same again is the same.
    assert browser.order(one, **model) == first and browser.order(one, seed=3, **model) == first
    assert len({browser.download(result).content for result in (first, *again[:2])}) == 3


def test_a_slider_shows_what_the_result_will_be(browser, film_id, film_model, tmp_path):
    path = picture(tmp_path, size=(60, 44))
    one = browser.give(path)
    result = browser.order(one, model=film_id)
    browser.wait(result)
    for temperature, strength in ((0.2, 1.0), (1.0, 0.5)):
        answer = browser.get(f"/api/results/{result}/preview", temperature=temperature, strength=strength, side=64)
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
        rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        expected = Colorizer(film_model, decoding={"temperature": temperature})(rgb, strength)
        shown = cv2.cvtColor(pixels(answer.content), cv2.COLOR_BGR2RGB)
        # But for what JPEG loses.
        assert np.abs(shown.astype(float) - expected).mean() < 6
        made = browser.order(one, model=film_id, temperature=temperature, strength=strength, format="png")
        browser.wait(made)
        np.testing.assert_array_equal(pixels(browser.download(made).content)[..., ::-1], expected)


def test_alternatives_are_the_commands(browser, run, film_model, film_id, tmp_path):
    path = picture(tmp_path, "a.png", 3, (90, 70))
    result = browser.order(browser.give(path, "a.png"), model=film_id, alternatives=2, seed=4, format="png")
    browser.wait(result)
    code, _, err = run(
        *(COLORIZE, path, "--pretrained", film_model, "--result-dir", tmp_path / "out"),
        *("--alternatives", 2, "--seed", 4, "--format", "png"),
    )
    assert code == 0, err
    ends = ("", "_alternative1", "_alternative2")
    expected = [(tmp_path / f"out/a{end}_reconstructed.png").read_bytes() for end in ends]
    found = [browser.download(result, alternative=number) for number in range(3)]
    same = [pixels(one.content).tolist() == pixels(other).tolist() for one, other in zip(found, expected, strict=True)]
    assert all(same)
    assert [one.headers["content-disposition"].split('"')[1] for one in found] == [
        f"a{end}_reconstructed.png" for end in ends
    ]
    archive = zipfile.ZipFile(io.BytesIO(browser.get("/api/zip", results=f"{result},{result}").content))
    assert archive.testzip() is None and len(archive.namelist()) == 6 and "a_reconstructed~2.png" in archive.namelist()
    assert browser.get(f"/api/results/{result}/download", alternative=3).status_code == 404


def test_what_a_model_does_not_have_is_refused(browser, film_id, at_hand, tmp_path):
    one = browser.give(picture(tmp_path))
    for wanted in (
        {"temperature": 0.5},
        {"alternatives": 2},
        {"model": "../../etc/passwd"},
        {"model": film_id, "temperature": 3},
        {"strength": 2.1},
        {"strength": "1"},
        {"seed": -1},
        {"format": "exe"},
        {"result_dir": "/tmp"},
    ):
        answer = browser.client.post(f"/api/inputs/{one}/colorize", json=wanted)
        assert answer.status_code == 422 and answer.json()["error"], wanted
    for body in ('{"strength": NaN}', '{"strength": 1e999}', "{", "[]", "null", '"x"'):
        answer = browser.client.post(
            f"/api/inputs/{one}/colorize", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422) and answer.json()["error"], body
    options = browser.get("/api/options").json()
    assert [one["temperature"] for one in options["models"]] == [None, {"min": 0.0, "max": 2.0, "default": 0.5}]
    assert [one["alternatives"] for one in options["models"]] == [0, 20]
    assert not any("/" in one["id"] for one in options["models"])


def test_of_many_results_the_newest_are_kept(browser, monkeypatch, tmp_path):
    monkeypatch.setattr(browser.service.orders, "_limits", Limits(results=3))
    one = browser.give(picture(tmp_path))
    ordered = []
    for number in range(5):
        ordered.append(browser.order(one, strength=number / 10))
        browser.wait(ordered[-1])
    assert list(browser.session.inputs[one].results) == ordered[2:]
    answers = [browser.get(f"/api/results/{result}/download").status_code for result in ordered]
    assert answers == [404] * 2 + [200] * 3


def test_a_coloured_picture_can_stay_as_it_is(browser, tmp_path):
    data = picture(tmp_path, size=(80, 60)).read_bytes()
    one = browser.give(data, "red.png")
    result = browser.order(one, keep_colored=True)
    assert browser.wait(result).kept
    answer = browser.download(result)
    assert answer.content == data and "red.png" in answer.headers["content-disposition"]
    assert browser.get(f"/api/results/{result}/after").content == browser.get(f"/api/inputs/{one}/before").content
    archive = zipfile.ZipFile(io.BytesIO(browser.get("/api/zip", results=result).content))
    assert archive.read("red.png") == data


# Events


def test_a_film_that_was_not_copied_to_its_end_is_told_as_such(browser, tmp_path):
    make_film(tmp_path / "film.mp4")
    whole = (tmp_path / "film.mp4").read_bytes()
    answer = browser.upload(whole[: len(whole) // 2], "film.mp4")
    assert answer.status_code == 415 and answer.json()["error"].endswith("; perhaps it was not copied to its end")


def test_a_turned_picture_has_the_size_that_is_seen(browser, tmp_path):
    """As telephones write it: lying, with a word in its EXIF data that it stands."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    with Image.open(picture(tmp_path, "lying.jpg")) as lying:
        lying.save(tmp_path / "turned.jpg", exif=exif)
    said = browser.upload(tmp_path / "turned.jpg", "turned.jpg").json()
    shown = pixels(browser.get(f"/api/inputs/{said['id']}/before").content)
    assert (said["height"], said["width"]) == shown.shape[:2]
    assert said["height"] != said["width"] and lying.size == (said["height"], said["width"])


def test_a_page_is_told_what_happens(browser, tmp_path):
    path = picture(tmp_path)
    with browser.events() as events:
        one = browser.give(path, "<b>.png")
        said = next(events)
        assert (said["input"], said["state"], said["name"], said["width"]) == (one, "uploaded", "<b>.png", 40)
        result = browser.order(one)
        states = []
        while not states or states[-1] != "done":
            said = next(events)
            assert (said["input"], said["result"]) == (one, result)
            states.append(said["state"])
        assert list(dict.fromkeys(states))[-2:] == ["working", "done"]
        assert said["download"] == "_b__reconstructed.jpg" and said["done"] == said["total"] == 1
    # Whoever comes back is told of all there is.
    with browser.events() as events:
        assert [next(events)["state"], next(events)["state"]] == ["uploaded", "done"]
        browser.client.delete(f"/api/inputs/{one}")
        assert next(events)["state"] == "removed"
    assert browser.get(f"/api/results/{result}/download").status_code == 404


def test_a_bad_file_fails_without_a_word_of_paths(browser, tmp_path):
    data = picture(tmp_path, size=(400, 300)).read_bytes()
    one = browser.give(data[: len(data) // 2], "half.png")
    found = browser.wait(browser.order(one), "failed")
    assert found.error[0].isupper() and not [part for part in ("/", "--", "input") if part in found.error]
    assert browser.get(f"/api/inputs/{one}/before").status_code == 422


# Who waits, and for how long


class FakeWork:
    """Work that ends when it is told to."""

    def __init__(self, line, owner, name, is_long=False):
        self.name, self.places = name, []
        self.ticket = Ticket(owner, is_long, self.run, self.places.append)
        self.line = line

    async def run(self):
        self.end = asyncio.Event()
        self.line.running.append(self.name)
        await self.end.wait()
        self.line.running.remove(self.name)


def in_line(at_once, scenario):
    async def go():
        line = Line(at_once)
        line.running = []
        await scenario(line, lambda: asyncio.sleep(0.01))

    asyncio.run(go())


def test_sessions_take_turns():
    async def scenario(line, settle):
        works = [FakeWork(line, owner, f"{owner}{i}") for owner, i in (("a", 1), ("a", 2), ("a", 3), ("b", 1))]
        for work in works:
            line.add(work.ticket)
        await settle()
        assert line.running == ["a1", "a2"]
        # b came last, and is the next.
        assert [work.places[-1:] for work in works] == [[], [], [2], [1]]
        works[0].end.set()
        await settle()
        assert line.running == ["a2", "b1"] and works[2].places[-1] == 1
        line.remove(works[2].ticket)
        works[1].end.set()
        await settle()
        assert line.running == ["b1"] and len(line) == 0
        works[3].end.set()
        await line.end()

    in_line(2, scenario)


def test_films_leave_a_place_to_pictures():
    async def scenario(line, settle):
        works = [FakeWork(line, "a", f"film{i}", True) for i in (1, 2)] + [FakeWork(line, "b", "picture")]
        for work in works:
            line.add(work.ticket)
        await settle()
        assert line.running == ["film1", "picture"]
        works[2].end.set()
        await settle()
        assert line.running == ["film1"]
        works[0].end.set()
        await settle()
        assert line.running == ["film2"]
        works[1].end.set()

    in_line(2, scenario)


def test_a_film_is_stopped(browser, tmp_path):
    make_film(tmp_path / "film.mp4")
    one = browser.give(tmp_path / "film.mp4", "film.mp4")
    result = browser.order(one)
    folder = browser.session.inputs[one].folder
    found = browser.session.find(result)
    while found.state == "queued":
        time.sleep(0.005)
    assert browser.client.delete(f"/api/results/{result}").status_code == 204
    assert browser.wait(result, "cancelled").cancelled
    wait_until(lambda: [path.name for path in folder.iterdir()] == ["input.mp4"])
    # It can be wanted again.
    again = browser.order(one)
    assert again != result
    assert browser.client.delete(f"/api/inputs/{one}").status_code == 204
    wait_until(lambda: not folder.exists())


# Sessions end


def test_what_was_given_is_removed(at_hand, tmp_path):
    limits = {"left_seconds": 3.0, "end_seconds": 0.5, "keep_seconds": 1.5}
    with serve(tmp_path / "web", at_hand, **limits) as browser:
        folder = browser.session.folder
        assert folder.stat().st_mode & 0o777 == 0o700
        browser.wait(browser.order(browser.give(picture(tmp_path))))
        with browser.events() as events:
            for said in events:
                # After its time, though somebody is there.
                if said["state"] == "removed":
                    break
            assert folder.is_dir() and not list(folder.iterdir())
            # The page is closed, but another one of the same browser listens.
            assert browser.client.post("/api/end").status_code == 204
            time.sleep(1.8)
            assert folder.is_dir()
        wait_until(lambda: not folder.exists())
        assert browser.get("/api/options").status_code == 403
        gone = browser.another()
        folder = gone.session.folder
        begin = time.monotonic()
        wait_until(lambda: not folder.exists())
        assert time.monotonic() - begin > 2
    assert not list((tmp_path / "web").iterdir())


def test_a_page_that_is_loaded_again_keeps_its_pictures(at_hand, tmp_path):
    with serve(tmp_path / "web", at_hand, end_seconds=2.0) as browser:
        one = browser.give(picture(tmp_path))
        browser.client.post("/api/end")
        browser.client.get("/")
        with browser.events() as events:
            assert next(events)["input"] == one
            time.sleep(2.5)
        assert browser.get(f"/api/inputs/{one}/before").status_code == 200


# Names and models


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Oma & Opa 1912.jpg", "Oma & Opa 1912.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.png", "a.png"),
        ("<script>alert(1)</script>.png", "script>.png"),
        ("<img src=x onerror=alert(1)>.jpg", "<img src=x onerror=alert(1)>.jpg"),
        ("a\r\nSet-Cookie: x=1.jpg", "a__Set-Cookie: x=1.jpg"),
        ("\u202egpj.exe", "_gpj.exe"),
        ("..", "picture"),
        ("", "picture"),
        ("日本.jpg", "日本.jpg"),
        ("x" * 500 + ".jpeg", "x" * 195 + ".jpeg"),
    ],
)
def test_names_are_text(given, shown):
    assert names.shown(given) == shown


def test_names_of_downloads_are_told_apart():
    assert list(names.unique(["a.jpg", "A.jpg", "a.jpg", "b"])) == ["a.jpg", "A~2.jpg", "a~3.jpg", "b"]
    assert names.of_download("Oma.tiff", Path("x/input_p002_reconstructed.png")) == "Oma_p002_reconstructed.png"
    assert names.of_download('<b "a:b">.jpg', Path("input_reconstructed.jpg")) == "_b _a_b___reconstructed.jpg"
    long = names.of_download("日" * 200 + ".jpg", Path("input_reconstructed.jpg"))
    assert len(long.encode()) <= 255 and long.endswith("_reconstructed.jpg")
    assert (
        names.stored("a.JPG") == "input.jpg" and names.stored("a.php") == "input" and names.stored("x/../a") == "input"
    )


def test_models_at_hand(model, film_model, tmp_path):
    for folder, source in (("HistoryNet", model), ("FilmCNN", film_model)):
        (tmp_path / folder).mkdir()
        for epoch in (0, 1):
            target = tmp_path / folder / f"my_model_colorizationEpoch{epoch}.keras"
            target.write_bytes(source.read_bytes())
    (tmp_path / "FilmCNN/colorization_broken.keras").write_bytes(b"x")
    found, left_out = models.find([], tmp_path)
    assert [one.title for one in found] == [
        "HistoryNet, HistoryNet/my_model_colorizationEpoch1.keras",
        "HistoryNet (shipped)",
        "FilmCNN, FilmCNN/my_model_colorizationEpoch1.keras",
    ]
    assert len(left_out) == 1 and "colorization_broken.keras" in left_out[0]


# The command


def start(tmp_path, *options):
    """The command in a process, and what it has printed when it is ready or has ended."""
    command = [sys.executable, "-c", "from historynet.commands.web import main; main()", *map(str, options)]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(("open ", "listening ")):
            break
    return process, lines


@pytest.mark.slow
def test_the_command_serves_and_ends_cleanly(model, tmp_path):
    (tmp_path / "historynet-web-left").mkdir()
    (tmp_path / "historynet-web-left/picture.jpg").write_bytes(b"x")
    options = ("--port", 0, "--model", model, "--gpu-id", "cpu", "--name", "Photos.example")
    process, lines = start(tmp_path, *options)
    address = lines[-1].split()[1]
    assert address.startswith("http://127.0.0.1:") and "on this machine" in lines[-1]
    # What a killed server has left is gone; its own folder is for nobody else.
    (folder,) = tmp_path.glob("historynet-web-*")
    assert folder.name != "historynet-web-left" and folder.stat().st_mode & 0o777 == 0o700
    browser = Browser(address.rstrip("/"), None)
    one = browser.give(picture(tmp_path))
    found = [browser.client.get("/", headers={"Host": host}).status_code for host in ("photos.example", "evil.example")]
    assert found == [200, 403]
    with browser.events() as events:
        next(events)
        port = address.rstrip("/").rsplit(":", 1)[1]
        # Another at the same port says so, before it loads anything.
        other, said = start(tmp_path, "--port", port)
        assert (other.wait(60), len(said)) == (2, 1)
        assert said[0].startswith(f"error: --host 127.0.0.1 --port {port}: cannot be listened at")
        browser.order(one)
        # While somebody listens and something is made.
        process.send_signal(signal.SIGTERM)
        list(events)
    assert process.wait(60) == 143
    assert process.stdout.read() == "stopped by SIGTERM; what was uploaded is removed\n"
    assert not list(tmp_path.glob("historynet-web-*"))


@pytest.mark.slow
def test_the_command_says_who_can_come(model, tmp_path):
    process, lines = start(tmp_path, "--host", "0.0.0.0", "--port", 0, "--model", model, "--gpu-id", "cpu")
    assert any("without a password" in line for line in lines)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    for options, words in (
        (("--host", "nowhere.invalid"), "--host nowhere.invalid: "),
        (("--model", "nowhere.keras"), "nowhere.keras: "),
        (("--memory", "x"), "--memory"),
    ):
        process, lines = start(tmp_path, "--port", 0, *options)
        assert process.wait(60) == 2 and words in lines[-1] and "Traceback" not in "".join(lines)


def test_what_is_not_installed_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "uvicorn" else find(name, *more)
    )
    with pytest.raises(InputError, match=r"uvicorn: not installed; pip install '\.\[tensorflow,web\]'"):
        web._check_installed()
