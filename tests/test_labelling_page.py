"""The labelling page: its server by requests, and in a browser by its keys."""

import csv
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
from conftest import ROOT, chromium, write_picture
from kept_pictures import make_work

from historynet.collecting import answers, labels
from historynet.collecting.answers import Notebook
from historynet.collecting.labelling import Item, Labelling, check_person
from historynet.collecting.labelling_page import Server
from historynet.errors import InputError

TABLE = labels.table()
NAMES = [label.name for label in TABLE]


def make_items(folder, count=4):
    """Pictures of two titles; the second one's row leaves one era and nationality."""
    chinese = labels.allowed(TABLE, ("during",), ("china",), ())
    items = []
    for i in range(count):
        title = "long-march" if i < count // 2 else "shanghai"
        path = folder / f"{title}-{i:08}.jpg"
        write_picture(path, i, (96, 64))
        left = TABLE if title == "long-march" else chinese
        items.append(Item(path.name, path, title, title.title(), 61.5 + i, [(10.0, 5.0, 50.0, 60.0)], left))
    return items


@pytest.fixture
def serving(tmp_path):
    """A server of four pictures, and the file of its answers."""
    path = tmp_path / "hand.csv"
    server = Server(Labelling(make_items(tmp_path), {}, Notebook(path, "Ann")), TABLE)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server, path
    server.shutdown()
    thread.join()
    server.server_close()


def request(server, method, path, content=None, host=None, token=None):
    """Status and content of an answer of the server."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    headers = {"Host": host or server.host}
    connection.request(method, f"/{token or server.token}/{path}", content, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_answers_are_kept_and_the_next_picture_is_shown(serving):
    server, path = serving
    shown = json.loads(request(server, "GET", "item/next")[1])
    assert (shown["place"], shown["count"], shown["done"], shown["title"]) == (0, 4, 0, "Long-March")
    assert shown["enter"] is None and shown["labels"] == NAMES and shown["boxes"] == [[10, 5, 50, 60]]
    for place, label in enumerate([NAMES[4], NAMES[3], NAMES[13]]):
        code, content = request(server, "POST", "answer", json.dumps({"place": place, "label": label}))
        shown = json.loads(content)
        assert code == 200 and shown["place"] == place + 1
        # It is on the disk before the page knows.
        assert [answer.label for answer in answers.read(path, set(names(server)), NAMES)][-1] == label
    assert shown["enter"] == NAMES[13] and shown["rate"] > 0
    # Back to one that has an answer: it is given anew, and the first without one comes then.
    shown = json.loads(request(server, "GET", "item/1")[1])
    assert (shown["answer"], shown["enter"]) == (NAMES[3], NAMES[3])
    shown = json.loads(request(server, "POST", "answer", json.dumps({"place": 1, "label": "outside"}))[1])
    assert (shown["place"], shown["done"]) == (3, 3)
    shown = json.loads(request(server, "POST", "answer", json.dumps({"place": 3, "label": "unsure"}))[1])
    assert (shown["place"], shown["done"]) == (None, 4)


def names(server):
    return [server.labelling.path(i).name for i in range(len(server.labelling))]


def test_pictures_go_by_number(serving):
    server, _ = serving
    assert request(server, "GET", "picture/2")[1] == server.labelling.path(2).read_bytes()
    for path in ("picture/4", "picture/-1", "picture/x", "picture/../hand.csv", "hand.csv", "item/4"):
        assert request(server, "GET", path)[0] == 404, path
    server.labelling.path(1).unlink()
    assert request(server, "GET", "picture/1")[0] == 404


def test_nobody_else_gets_in(serving):
    server, path = serving
    before = path.read_bytes()
    answer = json.dumps({"place": 0, "label": NAMES[0]})
    for token, host in (
        (server.token[:-1], None),
        ("", None),
        (None, "example.org"),
        (None, f"localhost:{server.server_port}"),
    ):
        for method, address in (("GET", ""), ("GET", "item/next"), ("GET", "picture/0"), ("POST", "answer")):
            code, content = request(server, method, address, answer, host, token or ("x" if token == "" else None))
            assert code == 403 and b"long-march" not in content.lower(), (token, host, address)
    # No address at all.
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", "/", headers={"Host": server.host})
    assert connection.getresponse().status == 403
    assert path.read_bytes() == before and server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"x", b"[]", b"{}", b'{"place": 0}', b'{"place": 9, "label": "outside"}', b'{"place": 0, "label": 1}'),
        *(
            b'{"place": 0, "label": "before-japan-formal"}',
            b'{"place": 2, "label": "before-usa-formal"}',
            b" " * 20_000,
        ),
    ],
)
def test_what_is_no_answer_is_refused(serving, content):
    server, path = serving
    assert request(server, "POST", "answer", content)[0] == 400
    assert path.read_text() == "picture,label,by,when\n"


def test_a_full_disk_is_said_and_the_next_try_counts(serving, capsys):
    server, path = serving
    add = server.labelling._notebook.add

    def fail(picture, label):
        raise InputError("hand.csv: cannot be written (No space left on device)")

    server.labelling._notebook.add = fail
    code, content = request(server, "POST", "answer", json.dumps({"place": 0, "label": NAMES[0]}))
    assert code == 507 and "No space left" in json.loads(content)["error"]
    assert "No space left" in capsys.readouterr().err
    server.labelling._notebook.add = add
    assert request(server, "POST", "answer", json.dumps({"place": 0, "label": NAMES[0]}))[0] == 200
    assert len(path.read_text().splitlines()) == 2


def test_the_page_has_no_outside_address(serving):
    server, _ = serving
    code, content = request(server, "GET", "")
    text = content.decode()
    assert code == 200 and "connect-src 'self'" in text
    # But the name of SVG's elements, which nobody asks for.
    assert text.count("//") == text.count("// ") + text.count("http://www.w3.org/2000/svg")
    assert "url(" not in text and "src=" not in text and "@import" not in text


def test_a_guess_is_what_enter_stands_for(tmp_path):
    items = make_items(tmp_path)
    guessed = [Item(**{**vars(item), "guess": NAMES[13]}) for item in items]
    labelling = Labelling(guessed, {items[0].picture: NAMES[2]}, Notebook(tmp_path / "second.csv", "Ann"))
    assert labelling.next() == 1 and labelling.view(1)["enter"] == NAMES[13]
    # A guess that the title's row rules out is none.
    ruled_out = Item(**{**vars(items[3]), "guess": NAMES[0]})
    assert Labelling([ruled_out], {}, None).view(0)["enter"] is None


@pytest.mark.parametrize("name", ["", " Ann", "a,b", "a\nb", "x" * 41])
def test_a_person_has_a_name(name):
    with pytest.raises(InputError, match="--by"):
        check_person(name)


# In a browser


class Program:
    """`label.py by-hand` as a person starts it."""

    def __init__(self, work):
        command = [ROOT / "SOURCE_MHMD/label.py", "by-hand", "--by", "Ann", "--work", work]
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.address = re.search(r"http://\S+", self.process.stdout.readline())[0]

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(20), *self.process.communicate()


KEYS = {"enter": "\ue007", "backspace": "\ue003", "escape": "\ue00c"}


class Person:
    """Somebody who labels, by keys alone."""

    def __init__(self, browser, address):
        self.browser = browser
        browser.get(address)
        self.wait(lambda: self.text("status"))

    def find(self, name):
        return self.browser.find_element("id", name)

    def text(self, name):
        return self.find(name).text

    def wait(self, what, seconds=10):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, self.find("message").text
            time.sleep(0.02)

    def press(self, *keys):
        """Each key when the picture is there."""
        for key in keys:
            self.wait(lambda: self.browser.execute_script("return ready"))
            self.browser.find_element("tag name", "body").send_keys(KEYS.get(key, key))

    def answer(self, *keys):
        """The same, until the answer is taken."""
        before = self.place()
        self.press(*keys)
        self.wait(lambda: self.place() != before)

    def place(self):
        return self.browser.execute_script("return item && [item.place, item.done]")

    def gray(self):
        return {line.text[:1] for line in self.browser.find_elements("css selector", "li.impossible")}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.mark.slow
def test_twenty_labels_by_keys_a_reload_and_a_kill(browser, tmp_path, run):
    """Bar 5 of the data-set builder: none is lost, and nothing but the program is asked for anything."""
    make_work(tmp_path, 8)
    assert run("SOURCE_MHMD/label.py", "draw", "--work", tmp_path, "--label-share", 1)[0] == 0
    program = Program(tmp_path)
    person = Person(browser, program.address)
    assert "0 of 24" in person.text("status")
    assert person.text("title") == "Long March" and person.text("time") == "0:00:00"
    # During the war, in China: what the row rules out is gray, and one key is enough.
    assert person.gray() == {*"13", *"ugrbj"}
    picture = person.find("picture")
    person.wait(picture.is_displayed)
    assert picture.size["width"] == 3 * 96
    box = browser.find_element("css selector", "#boxes rect")
    assert box.rect["x"] - picture.rect["x"] == pytest.approx(3 * 8, abs=2)
    assert box.rect["height"] == pytest.approx(3 * 56, abs=3)
    person.press("enter")
    assert "No picture of this title has a label yet" in person.text("message")
    person.answer("i")
    person.answer("k")
    person.answer("m")
    person.answer("enter")
    person.press("z")
    assert picture.size["width"] == 6 * 96
    person.press("z")
    # What cannot be is refused, and nothing is sent.
    before = person.place()
    person.press("1")
    assert "There is no such label here: before the war, China" in person.text("message")
    assert person.place() == before
    person.answer("f")
    browser.refresh()
    person.wait(lambda: "5 of 24" in person.text("status"))
    person.answer("o")
    person.answer("?")
    # Back, and another answer in its place.
    person.press("backspace")
    person.wait(lambda: "answered: unsure" in person.text("message"))
    person.answer("f")
    person.answer("enter")
    # The next title: one era, two nationalities.
    assert person.text("title") == "Midway" and person.gray() == {*"13", *"cgrb", "k"}
    person.press("j")
    assert person.gray() == {*"13", *"cgrb", *"kfi"}
    person.press("escape")
    person.answer("u", "i")
    program.end(signal.SIGKILL)
    person.press("j", "m")
    person.wait(lambda: "does not answer" in person.text("message"))
    (tmp_path / "labels/hand.csv").open("a").write("midway-0000")  # as if it had died in the middle of a line
    program = Program(tmp_path)
    person = Person(browser, program.address)
    assert "9 of 24" in person.text("status")
    person.answer("j", "m")
    for _ in range(6):
        person.answer("enter")
    # No row: any label, in any order of the keys.
    assert person.text("title") == "Paris" and person.gray() == set()
    person.answer("f", "3", "u")
    person.answer("b", "i", "1")
    person.answer("1", "g", "m")
    person.answer("enter")
    assert "20 of 24" in person.text("status") and "an hour" in person.text("status")
    for path, host in (("/wrong/item/next", None), (urlsplit(program.address).path, "example.org")):
        connection = http.client.HTTPConnection(urlsplit(program.address).netloc, timeout=10)
        connection.request("GET", path, headers={"Host": host} if host else {})
        assert connection.getresponse().status == 403
    person.press("q")
    person.wait(lambda: "The program has ended" in person.find("stage").text)
    assert program.process.wait(20) == 0
    out, err = program.process.communicate()
    assert "20 of 24 pictures have an answer of Ann" in out
    assert "a torn last line is cut: midway-0000" in err
    with (tmp_path / "labels/hand.csv").open() as file:
        given = [(row["picture"], row["label"]) for row in csv.DictReader(file)]
    china, midway, paris = (lambda i, key=key: f"{key}-{i * 500:08}.jpg" for key in ("long-march", "midway", "paris"))
    assert given == [
        (china(0), "during-china-informal"),
        (china(1), "during-china-military-kmt"),
        (china(2), "during-china-military-cpc"),
        (china(3), "during-china-military-cpc"),
        (china(4), "during-china-formal"),
        (china(5), "outside"),
        (china(6), "unsure"),
        (china(6), "during-china-formal"),
        (china(7), "during-china-formal"),
        (midway(0), "during-usa-informal"),
        *((midway(i), "during-japan-military") for i in range(1, 8)),
        (paris(0), "after-usa-formal"),
        (paris(1), "before-britain-france-informal"),
        (paris(2), "before-germany-military"),
        (paris(3), "before-germany-military"),
    ]
    log = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in log if one["method"] == "Network.requestWillBeSent"]
    assert len(asked) > 40
    assert {urlsplit(url).hostname for url in asked if not url.startswith("data:")} == {"127.0.0.1"}


@pytest.mark.slow
def test_the_end_of_all_pictures_and_a_signal(browser, tmp_path, run):
    make_work(tmp_path, 1)
    run("SOURCE_MHMD/label.py", "draw", "--work", tmp_path, "--label-share", 1)
    program = Program(tmp_path)
    person = Person(browser, program.address)
    for keys in ("m", ("u", "m"), "?"):
        person.answer(*keys)
    assert person.find("end").is_displayed() and "3 of 3" in person.text("status")
    person.press("backspace")
    person.wait(lambda: "answered: unsure" in person.text("message"))
    person.answer("o")
    code, _, err = program.end(signal.SIGTERM)
    assert code == 143 and err.endswith("all answers are kept in " + str(tmp_path / "labels/hand.csv") + "\n")
    # Nothing went wrong in the page; the log is that of all tests.
    assert [entry for entry in browser.get_log("browser") if program.address in entry["message"]] == []
