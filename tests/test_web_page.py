"""The page in a browser: what people press, what they see, and what they get."""

import base64
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import av
import cv2
import numpy as np
import pytest
from conftest import ROOT, chromium, run_process, write_picture

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CAMERA = "camera.png"
LEFT, RIGHT, HOME, END, DELETE, TAB = "\ue012", "\ue014", "\ue011", "\ue010", "\ue017", "\ue004"
STRANGE = 'a <b>bold</b> & "old" <img src=x onerror=alert(1)>.png'.replace("/", "")


class Server:
    """`historynet-web`, as a process of its own."""

    def __init__(self, film_model, port=0):
        pytest.importorskip("fastapi", reason="FastAPI is not installed (pip install '.[jax,web]')")
        pytest.importorskip("uvicorn", reason="uvicorn is not installed (pip install '.[jax,web]')")
        from historynet.systems.historynet.shipped import SHIPPED

        code = "from historynet.commands.web import main; main()"
        options = ["--port", port, "--model", SHIPPED, "--model", film_model, "--megabytes", 2, "--gpu-id", "cpu"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        lines = []
        while not (found := re.search(r"http://\S+", lines[-1] if lines else "")):
            lines.append(self.process.stdout.readline())
            assert lines[-1], lines
        self.address = found[0]
        self.port = urlsplit(self.address).port

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures and a film to be sent."""
    import skimage.data

    folder = tmp_path_factory.mktemp("sent")
    shutil.copy(Path(skimage.data.__file__).parent / CAMERA, folder / CAMERA)
    gray = cv2.imread(str(folder / CAMERA), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(folder / "tall.jpg"), gray[:, 150:360])
    shutil.copy(folder / CAMERA, folder / STRANGE)
    write_picture(folder / "coloured.png", 3, (200, 150))
    (folder / "letter.txt").write_text("Dear reader,\n")
    (folder / "large.tif").write_bytes(bytes(2_100_000))
    with av.open(str(folder / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", 12)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for i in range(12):
            rgb = np.repeat(cv2.resize(gray, (172, 120))[:, i : i + 160, None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(stream.encode())
    return folder


@pytest.fixture(scope="module")
def film_model(tmp_path_factory):
    """A tiny untrained network of the films CNN, whose distributions have colour."""
    from historynet.systems import loading
    from historynet.systems.film_cnn.architecture import Architecture
    from historynet.systems.film_cnn.network import build_network

    path = tmp_path_factory.mktemp("model") / "film.keras"
    architecture = Architecture(width=1 / 32, vgg_features=False, colorizing_size=64)
    network = build_network(architecture)
    kernel = network.get_layer("bins").kernel
    kernel.assign(np.random.default_rng(0).normal(0, 6, kernel.shape))
    loading.save(network, "FilmCNN", architecture, path)
    return path


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads):
    with chromium(downloads) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(browser, film_model):
    server = Server(film_model)
    yield server
    server.end()


@pytest.fixture
def person(browser, server, downloads):
    for path in downloads.iterdir():
        path.unlink()
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 1300, "height": 850, "deviceScaleFactor": 1, "mobile": False}
    )
    yield Person(browser, server.address, downloads)
    browser.get("about:blank")
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})


class Person:
    """Somebody at the page."""

    def __init__(self, browser, address, downloads):
        self.browser, self.downloads = browser, downloads
        browser.get(address)
        self.wait(lambda: self.find("choose").is_enabled())

    def find(self, name):
        return self.browser.find_element("id", name)

    def all(self, selector):
        return self.browser.find_elements("css selector", selector)

    def do(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def wait(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, self.do("return document.body.innerText")
            time.sleep(0.03)
        return found

    def send(self, *paths):
        self.find("files").send_keys("\n".join(str(path) for path in paths))

    def states(self):
        return [line.text for line in self.all("#list .state")]

    def wait_done(self):
        self.wait(lambda: self.states() and all(state in ("Done", "Film, done") for state in self.states()), 120)
        self.wait(lambda: self.find("download").get_attribute("href"))

    def wait_another(self, act):
        """Something is done that gives another result, and that is waited for."""
        before = self.find("download").get_attribute("href")
        act()
        self.wait(lambda: self.find("download").get_attribute("href") not in (None, before))

    def wait_both(self):
        self.wait(lambda: self.find("stage").get_attribute("data-state") == "both")

    def wait_glided(self):
        """The divider has come to the middle by itself."""
        self.wait_both()
        self.wait(lambda: self.value() == 50)

    def value(self):
        return int(self.find("divider").get_attribute("aria-valuenow"))

    def chroma(self):
        """How coloured the left and right quarter of the picture's place are on the screen."""
        png = np.frombuffer(self.find("stage").screenshot_as_png, np.uint8)
        shown = cv2.imdecode(png, cv2.IMREAD_COLOR).astype(float)
        spread = (shown.max(axis=2) - shown.min(axis=2))[150:-150]
        half = shown.shape[1] // 2
        return spread[:, half - 150 : half - 60].mean(), spread[:, half + 60 : half + 150].mean()

    def source(self):
        return self.do("return document.querySelector('#after img')?.getAttribute('src') ?? ''")

    def choose(self, name, value):
        self.do(
            "let e = document.getElementById(arguments[0]); e.value = arguments[1] ?? e.options[1].value;"
            "e.dispatchEvent(new Event('change'))",
            *(name, value),
        )

    def download(self, button="download"):
        before = set(self.downloads.iterdir())
        self.find(button).click()

        def there():
            new = [
                path for path in set(self.downloads.iterdir()) - before if path.suffix not in (".crdownload", ".tmp")
            ]
            return [path for path in new if not path.name.startswith(".")]

        return self.wait(there, 30)[0]


def test_a_picture_by_mouse_and_keys(person, folder):
    person.send(folder / CAMERA)
    person.wait_done()
    person.wait_glided()
    left, right = person.chroma()
    assert left < 1 and right > 4
    divider, stage = person.find("divider"), person.find("stage")
    divider.send_keys(LEFT)
    assert person.value() == 48
    divider.send_keys(END)
    assert divider.get_attribute("aria-valuetext") == "all original" and max(person.chroma()) < 1
    divider.send_keys(HOME)
    assert divider.get_attribute("aria-valuetext") == "all coloured" and min(person.chroma()) > 2
    # By the pointer: the divider is drawn to three quarters of the picture.
    from selenium.webdriver import ActionChains

    width = person.do("return document.querySelector('#after img').getBoundingClientRect().width")
    actions = ActionChains(person.browser)
    actions.move_to_element(stage).click_and_hold().move_by_offset(int(width / 4), 0).release().perform()
    assert person.value() == pytest.approx(75, abs=1)
    # Zoom and pan, by keys and buttons.
    stage.send_keys("+")
    assert person.find("scale").text == "1.5\u00d7"
    person.find("larger").click()
    place = "return document.querySelector('#after img').getBoundingClientRect().x"
    before = person.do(place)
    stage.send_keys(LEFT)
    assert person.do(place) == before + 60
    same = "return ['before', 'after'].map(x => document.querySelector(`#${x} img`).getBoundingClientRect().x)"
    assert len(set(person.do(same))) == 1
    person.find("fit").click()
    assert person.find("scale").text == "1\u00d7"
    alt = [one.get_attribute("alt") for one in person.all("#stage img")]
    assert alt == [f"{CAMERA}, coloured", f"{CAMERA}, the original"]


def test_what_is_downloaded_is_what_the_command_makes(person, folder, tmp_path):
    person.send(folder / CAMERA)
    person.wait_done()
    person.wait_another(lambda: person.choose("format", "png"))
    path = person.download()
    assert path.name == "camera_reconstructed.png"
    options = ["--pretrained", "shipped", "--format", "png", "--result-dir", tmp_path, "--gpu-id", "cpu"]
    done = run_process("SOURCE_HistoryNet/colorization.py", *options, folder / CAMERA, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_strength_answers_at_once_and_is_what_is_saved(person, folder):
    person.send(folder / CAMERA)
    person.wait_done()
    person.wait_glided()

    def move():
        person.find("strength").send_keys(HOME)
        person.wait(lambda: "preview" in person.source() and "strength=0" in person.source(), 5)
        assert max(person.chroma()) < 1 and person.find("strength-value").text == "0.00"

    person.wait_another(move)
    person.wait(lambda: "preview" not in person.source())
    saved = cv2.imread(str(person.download())).astype(int)
    assert np.ptp(saved, axis=2).mean() < 1
    # Defaults bring it back, without the network.
    person.find("defaults").click()
    person.wait(lambda: person.chroma()[1] > 4)


def test_a_model_with_a_temperature_and_other_colours(person, folder):
    person.send(folder / CAMERA)
    person.wait_done()
    assert not person.find("temperature").is_displayed() and not person.find("more").is_displayed()
    person.wait_another(lambda: person.choose("model", None))

    def move():
        person.find("temperature").send_keys(HOME)
        person.wait(lambda: "preview" in person.source() and "temperature=0" in person.source(), 5)

    person.wait_another(move)
    person.wait(lambda: "preview" not in person.source())
    person.find("more").click()
    person.wait(lambda: len(person.all("#alternatives input")) == 5)
    person.wait_done()
    first = person.download()
    person.all("#alternatives input")[2].send_keys(" ")
    person.wait(lambda: person.source().endswith("alternative=2"))
    other = person.download()
    assert person.find("choices").is_displayed() and first.read_bytes() != other.read_bytes()
    shown = person.do("return document.querySelector('#after img').alt")
    assert shown == f"{CAMERA}, coloured, other colours 2"


def test_many_files_at_once(person, folder):
    person.send(folder / CAMERA, folder / "tall.jpg", folder / STRANGE)
    person.wait_done()
    titles = [line.text for line in person.all("#list .title")]
    assert titles == [CAMERA, "tall.jpg", STRANGE]
    # A name is only ever text.
    assert not person.all("#list b, #list img[src=x]")
    assert person.find("count").text == "3 of 3 done"
    with zipfile.ZipFile(person.download("download-all")) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 3
        names = [name for name in archive.namelist() if name.startswith("tall")]
        tall = cv2.imdecode(np.frombuffer(archive.read(names[0]), np.uint8), cv2.IMREAD_COLOR)
    assert tall.shape == (512, 210, 3) and np.ptp(tall.astype(int), axis=2).mean() > 3
    # The list is one stop of the Tab key; arrows choose, Delete removes.
    rows = person.all("#list li")
    rows[0].click()
    rows[0].send_keys(RIGHT)
    assert person.find("name").text == "tall.jpg"
    assert [row.get_attribute("tabindex") for row in rows] == ["-1", "0", "-1"]
    rows[1].send_keys(DELETE)
    assert [line.text for line in person.all("#list .title")] == [CAMERA, STRANGE]
    assert person.do("return document.activeElement.innerText").startswith("a <b>")
    person.browser.refresh()
    # The server's own name for it is one that a file can have.
    plain = [CAMERA, re.sub('[<>"]', "_", STRANGE)]
    person.wait(lambda: [re.sub('[<>"]', "_", line.text) for line in person.all("#list .title")] == plain)
    person.wait_done()
    person.find("clear").click()
    person.wait(lambda: person.all("#confirm .primary")[0].is_displayed())
    person.all("#confirm .primary")[0].click()
    person.wait(lambda: person.find("empty").is_displayed())
    person.browser.refresh()
    person.wait(lambda: person.find("choose").is_enabled())
    time.sleep(0.5)
    assert not person.all("#list li")


def test_the_buttons_are_seen_in_a_low_window(person, folder):
    size = {"width": 1280, "height": 707, "deviceScaleFactor": 1, "mobile": False}
    person.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    person.send(folder / CAMERA, folder / "tall.jpg")
    person.wait_done()
    for name in ("download", "download-all"):
        box = person.do(
            "let r = document.getElementById(arguments[0]).getBoundingClientRect(); return [r.top, r.bottom]", name
        )
        assert box[0] >= 0 and box[1] <= 707, name
        # Nothing lies over it.
        script = "return document.elementFromPoint(arguments[0], arguments[1]).id"
        rect = person.find(name).rect
        assert person.do(script, rect["x"] + rect["width"] / 2, sum(box) / 2) == name


def test_a_server_whose_disk_is_full_is_not_waited_for(person, folder):
    person.do(BUSY.replace("503", "507").replace("Too much to do.", "The disk is full.").replace('=> "2"', "=> null"))
    person.send(folder / CAMERA)
    person.wait(lambda: person.states() == ["The disk is full."])
    assert person.find("trouble-text").text == "The disk is full."
    person.find("again").click()
    person.wait_done()


def test_a_turned_picture_is_not_squashed(person, folder, tmp_path):
    from PIL import ExifTags, Image

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    with Image.open(folder / "tall.jpg") as image:
        image.save(tmp_path / "turned.jpg", exif=exif)
    person.send(tmp_path / "turned.jpg")
    person.wait_done()
    person.wait_both()
    assert person.find("facts").text == "512 \u00d7 210"
    box = person.do("let r = document.querySelector('#after img').getBoundingClientRect(); return [r.width, r.height]")
    assert box[0] / box[1] == pytest.approx(512 / 210, rel=0.01)


def test_pages_of_a_document_and_settings_for_all(person, folder, tmp_path):
    pages = [cv2.imread(str(folder / "coloured.png"), cv2.IMREAD_GRAYSCALE)[i * 20 :] for i in range(3)]
    assert cv2.imwritemulti(str(tmp_path / "album.tif"), pages)
    person.send(tmp_path / "album.tif", folder / "tall.jpg")
    person.wait_done()
    person.wait_both()
    assert person.find("page").text == "Page 1 of 3" and not person.find("page-before").is_enabled()
    person.find("page-after").click()
    person.wait_both()
    assert person.find("page").text == "Page 2 of 3" and "page=1" in person.source()
    size = person.do("let i = document.querySelector('#after img'); return [i.naturalWidth, i.naturalHeight]")
    assert size == [200, 130]
    with zipfile.ZipFile(person.download()) as archive:
        assert len(archive.namelist()) == 3
    # One file's settings for the other.
    person.wait_another(lambda: person.find("strength").send_keys(HOME))
    person.find("everywhere").click()
    person.all("#list li")[1].click()
    assert not person.find("pages").is_displayed() and person.find("strength-value").text == "0.00"
    person.wait_both()
    person.wait(lambda: max(person.chroma()) < 1)


def test_a_film(person, folder):
    person.send(folder / "film.mp4")
    person.wait(lambda: person.find("facts").text == "160 \u00d7 120 \u00b7 0:01")
    person.wait_done()
    person.wait_both()
    assert not person.find("keep-colored").is_enabled() and person.find("redo").is_displayed()
    person.find("play").click()
    person.wait(lambda: person.do("return document.getElementById('film').currentTime > 0"), 20)
    person.find("play").click()
    path = person.download()
    assert path.name == "film_reconstructed.mp4"
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert len(frames) == 12 and np.ptp(frames[5], axis=2).mean() > 3


def test_files_that_are_none_are_refused_by_name(person, folder, tmp_path):
    (tmp_path / "empty.jpg").touch()
    person.send(folder / "letter.txt", folder / "large.tif", tmp_path / "empty.jpg", folder / CAMERA)
    person.wait(lambda: person.states()[-1] == "Done")
    said = dict(zip([line.text for line in person.all("#list .title")], person.states(), strict=True))
    assert "picture" in said["letter.txt"] and said["large.tif"] == "Larger than 2 MB."
    assert said["empty.jpg"] == "This file is empty." and person.find("count").text == "1 done, 3 could not be done"
    person.all("#list li")[0].click()
    assert person.find("trouble").is_displayed() and not person.find("download").get_attribute("href")
    assert person.find("trouble-text").text == said["letter.txt"] and not person.find("again").is_displayed()


GIVE = """
const [name, content, way] = arguments;
const file = new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: "image/png" });
const data = new DataTransfer();
data.items.add(file);
const event = way === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
  : new DragEvent(way, { dataTransfer: data, bubbles: true, cancelable: true });
document.body.dispatchEvent(event);
"""


def test_files_that_are_dropped_and_pasted(person, folder):
    content = base64.b64encode((folder / "coloured.png").read_bytes()).decode()
    person.do(GIVE, "dropped.png", content, "dragenter")
    assert person.find("over").is_displayed()
    person.do(GIVE, "dropped.png", content, "drop")
    assert not person.find("over").is_displayed()
    person.do(GIVE, "pasted.png", content, "paste")
    person.wait_done()
    assert [line.text for line in person.all("#list .title")] == ["dropped.png", "pasted.png"]
    # What has colours already is left alone if that is wanted, and said.
    person.do("document.getElementById('keep-colored').click()")
    person.wait(lambda: person.states()[0] == "Left as it is")
    assert person.find("tag-after").text == "Left as it is"
    assert "coloured" in person.find("notes").text.lower() or "colour" in person.find("notes").text.lower()


BUSY = """
const { send } = XMLHttpRequest.prototype;
XMLHttpRequest.prototype.send = function (content) {
  XMLHttpRequest.prototype.send = send;
  Object.defineProperties(this, { status: { value: 503 }, responseText: { value: '{"error": "Too much to do."}' } });
  this.getResponseHeader = () => "2";
  setTimeout(() => this.onload(), 0);
};
"""


def test_a_busy_server_is_asked_again(person, folder):
    person.do(BUSY)
    person.send(folder / CAMERA)
    person.wait(lambda: person.states() == ["The server is busy, waiting"])
    assert person.find("waiting-text").text == "The server is busy, waiting"
    person.wait_done()


def test_by_keys_alone(person, folder):
    def stop():
        return person.do("return document.activeElement.id || document.activeElement.textContent.trim()")

    def press(key):
        from selenium.webdriver import ActionChains

        ActionChains(person.browser).send_keys(key).perform()

    press(TAB)
    assert stop() == "choose"
    person.send(folder / CAMERA)
    person.wait_done()
    person.wait_glided()
    person.do("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    person.do("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    stops = []
    while len(stops) < 40 and (not stops or stops[-1] != "download"):
        press(TAB)
        stops.append(stop())
        # Each can be seen.
        seen = person.do(
            "let a = document.activeElement, s = getComputedStyle(a), t = getComputedStyle(a, '::after');"
            "let r = a.getBoundingClientRect();"
            "let large = r.width >= 20 && r.height >= 20 && r.top > -1;"
            "return [s.outlineStyle !== 'none' || t.boxShadow !== 'none', large]"
        )
        assert seen[0] and seen[1], stops
    expected = ["Skip to the picture", "Skip to the settings", "add", "clear", "file-0", "stage", "divider", "larger"]
    expected += ["remove", "model", "strength", "keep-colored", "borders", "format", "defaults", "download"]
    assert [one for one in stops if one not in ("middle", "settings")] == expected


def test_a_telephone(person, folder):
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    person.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wide = "return document.documentElement.scrollWidth"
    assert person.do(wide) == 360 and person.find("choose").rect["x"] > 0
    person.send(folder / CAMERA, folder / "tall.jpg", folder / STRANGE)
    person.wait_done()
    person.wait_both()
    assert person.do(wide) == 360
    # Picture and download are seen without a movement, and what is pressed is large enough for a finger.
    assert person.find("stage").rect["width"] == 360 and person.find("stage").rect["y"] < 350
    for button in person.all("#work button, #work select, #work a.button, header button"):
        if button.is_displayed():
            rect = button.rect
            assert rect["height"] >= 36 and rect["width"] >= 36, button.text
            assert rect["x"] >= 0 and rect["x"] + rect["width"] <= 360, button.text
    bottom = person.do("return document.getElementById('download').getBoundingClientRect().bottom")
    assert bottom <= 740


def test_a_server_that_goes_and_comes_again(browser, film_model, folder, downloads):
    server = Server(film_model)
    person = Person(browser, server.address, downloads)
    person.send(folder / CAMERA)
    person.wait_done()
    server.end()
    person.wait(lambda: "connection to the server is lost" in person.find("banner").text)
    again = Server(film_model, server.port)
    try:
        person.wait(lambda: "session has ended" in person.find("banner").text, 40)
        assert "session has ended" in person.find("trouble-text").text
        assert not person.find("download").get_attribute("href") and not person.find("add").is_enabled()
        person.find("banner-button").click()
        person.wait(lambda: person.find("choose").is_enabled())
    finally:
        browser.get("about:blank")
        again.end()


def test_nobody_else_was_asked_for_anything(browser, server):
    """Of all the tests above: the log is the browser's since it started."""
    log = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in log if one["method"] == "Network.requestWillBeSent"]
    assert len(asked) > 100
    hosts = {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in ("http", "https", "ws", "wss")}
    assert hosts == {"127.0.0.1"}
    others = {urlsplit(url).scheme for url in asked} - {"http"}
    assert others <= {"about", "data", "blob"}
    # Nothing went wrong in the page but what was to be refused, or was asked of a server that had ended.
    wrong = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert [line for line in wrong if not re.search(r"status of 4|ERR_CONNECTION_REFUSED|ERR_\w+CHUNKED", line)] == []


def said(person):
    return person.find("announcer").get_attribute("textContent")


def test_who_does_not_see_hears_what_is_refused(person, folder, tmp_path):
    (tmp_path / "empty.jpg").touch()
    person.send(tmp_path / "empty.jpg")
    person.wait(lambda: said(person) == "empty.jpg: This file is empty.")
    time.sleep(0.6)
    person.send(folder / "large.tif", folder / CAMERA)
    assert said(person) == "1 file added. large.tif: Larger than 2 MB."
    person.wait(lambda: "camera.png is done." in said(person))
    person.send(folder / "letter.txt")
    person.wait(lambda: "letter.txt: " in said(person) and "picture" in said(person))


ANSWERED = """
const { fetch } = window;
window.dropped = [];
let orders = 0;
window.fetch = async (address, more) => {
  if (address.endsWith("/colorize")) return new Response(JSON.stringify({ result: `r${++orders}` }));
  if (more.method === "DELETE" && address.includes("results/")) {
    window.dropped.push(address);
    return new Response(null, { status: 204 });
  }
  return fetch(address, more);
};
"""


def test_what_was_wanted_before_is_not_made_any_more(person, folder):
    person.do(ANSWERED)
    person.send(folder / CAMERA)
    person.wait(lambda: person.states() == ["In the queue"])
    person.choose("format", "png")
    person.wait(lambda: person.do("return window.dropped") == ["api/results/r1"])


MISSED = """
const { decode } = Image.prototype;
window.failures = 0;
Image.prototype.decode = function () {
  if (window.failures++ < 2) return Promise.reject(new Error());
  return decode.call(this);
};
"""


def test_a_copy_that_does_not_come_is_asked_for_again(person, folder):
    person.do(MISSED)
    person.send(folder / CAMERA)
    person.wait_done()
    person.wait_both()
    assert person.do("return window.failures") > 2
