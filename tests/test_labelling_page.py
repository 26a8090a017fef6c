"""The labelling page: its server by requests, and in a browser by its keys."""

import http.client
import json
import threading

import pytest
from conftest import write_picture

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
