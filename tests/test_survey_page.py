"""The survey's page in a browser, by its keys and buttons, and its answers read back."""

import base64
import time

import pytest
from conftest import chromium, write_picture
from test_survey import embedded

from historynet.comparing import answers, survey

pytestmark = pytest.mark.slow

TYPES = ("first", "second", "truth")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of three types of five pictures."""
    folder = tmp_path_factory.mktemp("survey")
    for i, kind in enumerate(TYPES):
        for j in range(5):
            write_picture(folder / kind / f"{'film' if kind == 'truth' else 'old'}{j}.jpg", 10 * i + j, (400, 300))
    chosen = survey.choose({kind: folder / kind for kind in TYPES}, "truth", 5, 0)
    survey.write_page(folder / "page.html", chosen, TYPES, "truth", 960)
    return folder / "page.html"


@pytest.fixture(scope="module")
def browser(page):
    """Its downloads go beside the page."""
    with chromium(page.parent) as browser:
        yield browser


class Viewer:
    """A participant before the page."""

    def __init__(self, browser, page):
        self.browser = browser
        browser.get(page.as_uri())
        self.wait(lambda: self.find("begin").is_enabled())

    def find(self, name):
        return self.browser.find_element("id", name)

    def sees(self, name):
        return self.find(name).is_displayed()

    def press(self, key):
        """To whatever has the focus, as a keyboard does."""
        self.browser.switch_to.active_element.send_keys(
            {"enter": "\ue007", "escape": "\ue00c", "left": "\ue012"}.get(key, key)
        )

    def begin(self, code):
        field = self.find("participant")
        field.clear()
        field.send_keys(code)
        self.press("enter")

    def picture(self):
        """Waits for a picture; its source."""
        self.wait(lambda: self.browser.find_elements("css selector", "#stage img"))
        return self.browser.find_element("css selector", "#stage img").get_attribute("src")

    def wait(self, what, seconds=10):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"still not: {self.browser.find_element('tag name', 'main').text}"
            time.sleep(0.02)

    def answers(self, asked, page, participant):
        """The file that was downloaded, read as `results` reads it: answer by what was shown."""
        path = page.with_name(f"answers_{participant}.csv")
        self.wait(path.is_file)
        given, left_out = answers.read_answers(asked, [path])
        assert not left_out
        return dict(zip(asked.pictures, given[0].tolist(), strict=True)), path


def test_all_pictures_by_the_keyboard(browser, page):
    asked = survey.read_page(page)
    viewer = Viewer(browser, page)
    viewer.begin("P 1")
    assert "A code has letters" in viewer.find("participant-note").text
    viewer.begin("P1")
    order = asked.order("p1")
    pictures = dict(zip(asked.pictures, embedded(page), strict=True))
    values = {}
    for i, shown in enumerate(order):
        source = viewer.picture()
        assert source == "data:image/jpeg;base64," + base64.b64encode(pictures[shown]).decode()
        assert viewer.find("status").text == f"Picture {i + 1} of 15"
        text = browser.find_element("tag name", "body").text
        assert not any(word in text for word in (*TYPES, shown.name, "jpg"))
        assert browser.find_element("css selector", "#stage img").accessible_name == f"Picture {i + 1} of 15"
        if i == 1:
            # It vanishes, and the answer may come later.
            began = time.monotonic()
            viewer.wait(lambda: not browser.find_elements("css selector", "#stage img"))
            assert 2 < time.monotonic() - began < 3.5
            assert "The picture is gone" in viewer.find("stage").text
            time.sleep(0.5)
        if i == 2:
            viewer.press("escape")
            assert not browser.find_elements("css selector", "#stage img")
            assert "2 of 15 pictures are done" in viewer.find("pause-view").text
            viewer.press("p")
            assert viewer.sees("question")
        key, values[shown] = [("y", 1), ("n", 0), ("left", 1), ("s", None)][i % 4]
        viewer.press(key)
        # Between two pictures no key counts.
        viewer.press("y")
    viewer.wait(lambda: viewer.sees("end-view"))
    assert "12 of 15 pictures have your answer" in viewer.find("end-view").text
    found, path = viewer.answers(asked, page, "p1")
    assert {shown: None if value != value else value for shown, value in found.items()} == values
    seconds = [line.split(",")[-1] for line in path.read_text().splitlines()[1:]]
    assert 3.4 < float(seconds[1]) < 6
    assert float(seconds[0]) < 3
    assert [value == "" for value in seconds] == [i % 4 == 3 for i in range(15)]
    # Nothing was asked of anybody, and nothing went wrong.
    assert browser.get_log("browser") == []
    requested = [
        entry["message"] for entry in browser.get_log("performance") if "requestWillBeSent" in entry["message"]
    ]
    assert requested
    assert all('"url":"data:' in message or '"url":"file://' in message for message in requested)


def test_a_page_that_was_closed_goes_on(browser, page):
    asked = survey.read_page(page)
    viewer = Viewer(browser, page)
    viewer.begin("p2")
    for _ in range(3):
        viewer.picture()
        viewer.press("y")
    viewer.picture()
    viewer = Viewer(browser, page)
    assert viewer.find("participant").get_attribute("value") == "p2"
    assert "p2 has done 3 of 15 pictures" in viewer.find("participant-note").text
    viewer.press("enter")
    # What was there is not shown again, but may be answered.
    assert "before the page was closed" in viewer.find("stage").text
    viewer.find("no").click()
    viewer.picture()
    viewer.find("pause").click()
    viewer.find("stop").click()
    assert "4 of 15 pictures have your answer" in viewer.find("end-view").text
    found, path = viewer.answers(asked, page, "p2")
    order = asked.order("p2")
    assert [found[shown] for shown in order[:4]] == [1, 1, 1, 0]
    assert all(found[shown] != found[shown] for shown in order[4:])
    assert path.read_text().splitlines()[4].endswith(",no,")
    # And on from there.
    viewer.find("return").click()
    viewer.find("yes").click()
    viewer.picture()
    assert viewer.find("status").text == "Picture 6 of 15"


def test_a_picture_that_cannot_be_shown_is_missing(browser, page):
    text = page.read_text()
    place = text.index('"pictures": ["') + len('"pictures": ["')
    damaged = page.with_name("damaged.html")
    damaged.write_text(text[:place] + "AAAA" + text[place + 4 :])
    asked = survey.read_page(damaged)
    viewer = Viewer(browser, damaged)
    assert "1 of the pictures cannot be shown" in viewer.find("broken-note").text
    viewer.begin("p3")
    for shown in asked.order("p3"):
        if shown == asked.pictures[0]:
            viewer.wait(lambda: viewer.sees("go-on"))
            # Nor is it taken for one that was seen, if the page is closed now.
            again = Viewer(browser, damaged)
            again.begin("p3")
            again.wait(again.find("go-on").is_displayed)
            viewer.press("y")  # is no answer to what was not seen
            assert "cannot be shown here" in viewer.find("stage").text
            viewer.press("enter")
        else:
            viewer.picture()
            viewer.press("n")
    viewer.wait(lambda: viewer.sees("end-view"))
    found, _ = viewer.answers(asked, damaged, "p3")
    assert [shown for shown, value in found.items() if value != 0] == [asked.pictures[0]]


def test_the_page_draws_the_order_that_python_checks(browser, page):
    asked = survey.read_page(page)
    Viewer(browser, page)
    codes = [f"p{i}" for i in range(200)]
    orders = browser.execute_script(
        "return arguments[0].map((code) => orderOf(code).map((i) => key.pictures[i]))", codes
    )
    assert orders == [[list(shown) for shown in asked.order(code)] for code in codes]


@pytest.mark.parametrize("size", [(360, 640), (640, 360), (320, 480), (1920, 1080)])
def test_all_is_within_the_screen(browser, page, size):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        viewer = Viewer(browser, page)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        viewer.begin(f"size{size[0]}")
        viewer.picture()
        boxes = {name: viewer.find(name).rect for name in ("status", "pause", "question", "yes", "no", "skip")}
        for name, box in boxes.items():
            assert box["x"] >= 0, name
            assert box["y"] >= 0, name
            assert box["x"] + box["width"] <= size[0], name
            assert box["y"] + box["height"] <= size[1], name
        assert boxes["yes"]["x"] < boxes["no"]["x"]
        # A finger's width.
        assert min(box["height"] for name, box in boxes.items() if name in ("pause", "yes", "no", "skip")) >= 44
        picture = browser.find_element("css selector", "#stage img").rect
        assert picture["height"] >= 0.3 * size[1]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
