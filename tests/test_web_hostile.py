"""What people who mean no good send to the page's server, and what they get."""

import contextlib
import socket
import struct
import threading
import time
import zlib

import av
import cv2
import numpy as np
import pytest
from conftest import resident_bytes, write_picture
from served import serve, wait_until

pytest.importorskip("fastapi", reason="the extra 'web' is not installed")

from historynet.web import models, serving

WIDE, HIGH = 20_000, 10_000
"""200 megapixels."""


@pytest.fixture(scope="module")
def at_hand(model, tmp_path_factory):
    return models.Models(models.find([str(model)], tmp_path_factory.mktemp("MODEL"))[0])


@pytest.fixture(scope="module")
def served(at_hand, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("web"), at_hand, megabytes=5, pages=4, film_seconds=5, inputs=5) as browser:
        yield browser


@pytest.fixture
def browser(served):
    return served.another()


@pytest.fixture
def small(tmp_path):
    write_picture(tmp_path / "small.png")
    return (tmp_path / "small.png").read_bytes()


def is_well(browser, small):
    """Whether the server goes on as if nothing were: a picture is made, and nothing is left of what was refused."""
    other = browser.another()
    other.made(small)
    other.client.delete(f"/api/inputs/{next(iter(other.session.inputs))}")
    wait_until(lambda: not browser.session.uploading)
    wait_until(lambda: {path.name for path in browser.session.folder.iterdir()} == set(browser.session.inputs))
    return True


# Paths and addresses


@pytest.mark.parametrize(
    "path",
    [
        "/../../../etc/passwd",
        "/page/../../app.py",
        "/page/..%2f..%2fapp.py",
        "/page/%2e%2e/%2e%2e/app.py",
        "/page/....//app.py",
        "/page//etc/passwd",
        "/page/\\..\\app.py",
        "/page/%00",
        "/api/inputs/..%2f..%2fetc%2fpasswd/before",
        "/api/results/../../../etc/passwd/download",
        "/api/results/%2e%2e%2fx/download",
        "/api/zip?results=../../etc/passwd",
        "/docs",
        "/redoc",
        "/openapi.json",
        "//evil.example/page",
    ],
)
def test_no_path_leads_out(browser, path):
    answer = browser.raw(browser.head("GET", path))
    assert answer.split()[1] in (b"404", b"405") and b"root:" not in answer and b"FastAPI" not in answer


def test_names_lead_nowhere(browser, small, tmp_path):
    for name in ("../../../tmp/x.png", "/etc/passwd", "..\\..\\x.png", "http://127.0.0.1/x.png", "file:///etc/passwd"):
        one = browser.session.inputs[browser.give(small, name)]
        assert one.path.parent == browser.session.folder / one.id and one.path.stem == "input"
        assert "/" not in one.name and "\\" not in one.name
        browser.client.delete(f"/api/inputs/{one.id}")


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a.m3u8", "a.svg"])
def test_no_address_is_opened(browser, small, name):
    """Whatever an upload says, nobody is asked for anything."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    asked.append(listening.accept())

        threading.Thread(target=accept, daemon=True).start()
        address = f"http://127.0.0.1:{port}/x.jpg"
        for text in (
            address,
            f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n",
            f"ffconcat version 1.0\nfile '{address}'\n",
            f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{address}">]>'
            f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}"/>&e;</svg>',
            f"push graphic-context\nviewbox 0 0 640 480\nfill 'url({address})'\npop graphic-context",
            f"file:///etc/passwd\n{address}",
        ):
            answer = browser.upload(text.encode(), name)
            assert answer.status_code == 415 and answer.json()["error"], text
        assert asked == []
    assert is_well(browser, small)


# Bombs


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png():
    rows = zlib.compress(bytes(1 << 20))
    head = struct.pack(">IIBBBBB", WIDE, HIGH, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg():
    data = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", HIGH, WIDE) + data[place + 4 :]


def gif():
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", WIDE, HIGH, 0xF0, 0, 0)
        + bytes(6)
        + b","
        + struct.pack("<HHHHB", 0, 0, WIDE, HIGH, 0)
        + b"\x02\x02L\x01\x00;"
    )


def tiff(pages=1, width=WIDE, height=HIGH):
    data = b"II*\0" + struct.pack("<I", 8)
    for page in range(pages):
        entries = [
            *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)),
            *((273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, width * height)),
        ]
        following = len(data) + 2 + 12 * len(entries) + 4 if page < pages - 1 else 0
        data += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        data += struct.pack("<I", following)
    return data + bytes(64)


def webp():
    data = cv2.imencode(".webp", np.zeros((16, 16, 3), np.uint8), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    # Two sides of 14 bits behind the signature.
    place = data.index(b"VP8L") + 9
    flags = struct.unpack("<I", data[place : place + 4])[0] >> 28 << 28
    return data[:place] + struct.pack("<I", flags | (16_000 - 1) | (12_500 - 1) << 14) + data[place + 4 :]


def bmp():
    return (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, WIDE, HIGH, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def pnm():
    return f"P6 {WIDE} {HIGH} 255\n".encode() + bytes(100)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.png", png),
        ("a.jpg", jpeg),
        ("a.gif", gif),
        ("a.tif", tiff),
        ("a.webp", webp),
        ("a.bmp", bmp),
        ("a.ppm", pnm),
    ],
)
def test_200_megapixels_are_refused_by_their_header(browser, small, name, make):
    before = resident_bytes()
    for given in (name, "a.mp4", "a"):
        answer = browser.upload(make(), given)
        said = answer.json()["error"]
        assert answer.status_code == 413 and said.endswith(
            "more than 60 megapixels; make it smaller, or ask who runs the page"
        )
    assert resident_bytes() - before < 50e6
    assert is_well(browser, small)


def test_what_is_long_is_refused(browser, small, tmp_path):
    answer = browser.upload(tiff(5, 8, 8), "a.tif")
    assert (answer.status_code, answer.json()["error"]) == (
        413,
        "Has 5 pages; 4 are the most; split it, or ask who runs the page",
    )
    # Two frames, an hour apart.
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width = stream.height = 64
        for seconds in (0, 3600):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            frame.pts = 25 * seconds
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    answer = browser.upload(path, "a.mp4")
    assert answer.status_code == 413 and answer.json()["error"].endswith(
        "5 are the most; split it, or ask who runs the page"
    )
    for _ in range(5):
        browser.give(small)
    answer = browser.upload(small)
    assert answer.status_code == 429 and answer.json()["error"].startswith("There can be 5 files")
    # Before any of it has come.
    said = browser.another()
    answer = said.raw(said.head("POST", "/api/inputs", Content_Length="99000000000"))
    assert answer.split()[1] == b"413" and b"5 MB are the most" in answer
    assert is_well(browser, small)


def test_what_does_not_say_how_long_it_is_is_cut_off(browser, small):
    part = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    answer = browser.raw(browser.head("POST", "/api/inputs", Transfer_Encoding="chunked"), 6 * part)
    assert answer == b"" or answer.split()[1] == b"413"
    assert is_well(browser, small)


# Who asks


def test_others_files_are_not_there(browser, small):
    one = browser.give(small)
    result = browser.order(one)
    browser.wait(result)
    places = [
        ("GET", f"/api/inputs/{one}/before"),
        ("GET", f"/api/results/{result}/after"),
        ("GET", f"/api/results/{result}/preview"),
        ("GET", f"/api/results/{result}/download"),
        ("GET", f"/api/zip?results={result}"),
        ("POST", f"/api/inputs/{one}/colorize"),
        ("DELETE", f"/api/results/{result}"),
        ("DELETE", f"/api/inputs/{one}"),
    ]
    other = browser.another()
    for method, path in places:
        more = {"json": {}} if method == "POST" else {}
        answer = other.client.request(method, path, **more)
        assert answer.status_code == 404 and answer.json()["error"], path
        answer = other.client.request(method, path, headers={"Cookie": f"historynet_{browser.port}=guessed"}, **more)
        assert answer.status_code == 403 and answer.json()["error"], path
        assert browser.get(f"/api/results/{result}/download").status_code == 200
    for method, path in (
        ("GET", "/api/options"),
        ("GET", "/api/events"),
        ("POST", "/api/inputs"),
        ("POST", "/api/end"),
    ):
        assert other.client.request(method, path, headers={"Cookie": "none=1"}).status_code == 403
    assert other.client.get("/api/health", headers={"Cookie": "none=1"}).json() == {"ok": True}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "169.254.1.1", "", "[::1", "a b"]
)
def test_another_sites_name_is_refused(browser, host):
    """A site can have its name point here, and would then be this page's own to a browser."""
    answer = browser.raw(browser.head("GET", "/api/options", Host=host))
    assert answer.split()[1] in (b"403", b"400")
    assert b"version" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(browser, small, headers):
    one = browser.give(small)
    for method, path in (
        ("POST", "/api/inputs"),
        ("POST", f"/api/inputs/{one}/colorize"),
        ("DELETE", f"/api/inputs/{one}"),
    ):
        answer = browser.client.request(method, path, headers=headers)
        assert answer.status_code == 403 and answer.json() == {"error": "This was sent by another page."}
    assert list(browser.session.inputs) == [one] and not browser.session.inputs[one].results
    own = {"Origin": f"http://127.0.0.1:{browser.port}", "Sec-Fetch-Site": "same-origin"}
    assert browser.client.request("DELETE", f"/api/inputs/{one}", headers=own).status_code == 204


def test_every_answer_says_what_a_browser_may_do(browser, small):
    one = browser.give(small)
    for path in (
        "/",
        "/api/options",
        "/api/nothing",
        "/page/nothing",
        f"/api/inputs/{one}/before",
        "/api/inputs/x/before",
    ):
        answer = browser.client.get(path, headers={"Origin": "http://evil.example"})
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in answer.headers if name.startswith("access-control")]
    cookie = browser.another().client.get("/", headers={"Cookie": "none=1"}).headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie
    assert browser.client.put("/api/inputs").status_code == 405
    assert browser.client.options("/api/inputs", headers={"Access-Control-Request-Method": "POST"}).status_code == 405


def test_names_hold_no_html_and_no_headers(browser, small):
    name = '"><script>alert(1)</script>\r\nX-Evil: 1.png'
    answer = browser.upload(small, name)
    assert answer.headers["content-type"] == "application/json" and "\r" not in answer.json()["name"]
    result = browser.order(answer.json()["id"])
    browser.wait(result)
    found = browser.download(result)
    assert "x-evil" not in found.headers and found.headers["content-disposition"].startswith("attachment; filename")
    assert "<" not in found.headers["content-disposition"]


def test_other_requests_are_short(browser, small):
    one = browser.give(small)
    body = b'{"model": "' + b"a" * 1_000_000 + b'"}'
    answer = browser.client.post(
        f"/api/inputs/{one}/colorize", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 413) and answer.json()["error"]
    assert is_well(browser, small)


# Time


@pytest.fixture
def hasty(at_hand, tmp_path, monkeypatch):
    """A server that waits for nobody for long."""
    monkeypatch.setattr(serving, "_HEADER_SECONDS", 0.8)
    limits = {"idle_seconds": 0.6, "upload_seconds": 2.0, "heartbeat_seconds": 0.2, "uploads": 3}
    with serve(tmp_path / "web", at_hand, **limits) as browser:
        yield browser


def test_an_upload_that_stops_is_given_up(hasty, small):
    begin = time.monotonic()
    answer = hasty.raw(hasty.head("POST", "/api/inputs", Content_Length=str(len(small))), small[:100])
    assert answer.split()[1] == b"408" and 0.5 < time.monotonic() - begin < 5
    assert is_well(hasty, small)


def test_so_is_one_that_comes_drop_by_drop(hasty, small):
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=30) as connection:
        connection.sendall(hasty.head("POST", "/api/inputs", Content_Length=str(len(small))).encode())
        with contextlib.suppress(OSError):
            for byte in small:
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
                # Others are served meanwhile.
                if time.monotonic() - begin < 1:
                    assert hasty.get("/api/health").status_code == 200
    assert 1.5 < time.monotonic() - begin < 10
    assert is_well(hasty, small)


def test_held_uploads_leave_room_to_nobody_but_for_a_time(hasty, small):
    head = hasty.head("POST", "/api/inputs", Content_Length="1000")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.port), timeout=30))
            held.sendall(head.encode() + b"x")
        wait_until(lambda: hasty.session.uploading == 3)
        answer = hasty.another().upload(small)
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0 and answer.json()["error"]
        wait_until(lambda: not hasty.session.uploading)
        assert hasty.another().upload(small).status_code == 201
    assert is_well(hasty, small)


def test_a_header_that_does_not_come_is_given_up(hasty, small):
    for beginning in ("", "GET / HT", f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{hasty.port}\r\nX-A: "):
        begin = time.monotonic()
        hasty.raw(beginning)
        assert time.monotonic() - begin < 5
    assert is_well(hasty, small)


def test_streams_of_events_may_be_held_open(hasty, small):
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.port), timeout=30))
            # Nobody reads what comes.
            held.sendall(hasty.head("GET", "/api/events").encode())
        wait_until(lambda: len(hasty.session.listeners) == 20)
        for _ in range(3):
            hasty.wait(hasty.order(hasty.give(small)))
        assert hasty.another().get("/api/options").status_code == 200
    wait_until(lambda: not hasty.session.listeners)


# Uploads that break off, and requests that are none


def test_an_upload_that_breaks_off_leaves_nothing(browser, small):
    for end in (0, 10, len(small) - 1):
        with socket.create_connection(("127.0.0.1", browser.port), timeout=30) as connection:
            head = browser.head("POST", "/api/inputs?name=a.png", Content_Length=str(len(small)))
            connection.sendall(head.encode() + small[:end])
            wait_until(lambda: browser.session.uploading == 1)
        wait_until(lambda: not browser.session.uploading)
    assert not browser.session.inputs and is_well(browser, small)


def test_wrong_lengths(browser, small):
    # Less is said than comes: the rest is no request.
    answer = browser.raw(browser.head("POST", "/api/inputs?name=a.png", Content_Length=str(len(small) - 20)), small)
    assert answer.split()[1] in (b"201", b"415")
    for length in ("-5", "abc", "1e3", "5, 6"):
        answer = browser.raw(browser.head("POST", "/api/inputs", Content_Length=length), small)
        assert answer.split()[1] == b"400", length
    both = browser.head("POST", "/api/inputs", Content_Length="5", Transfer_Encoding="chunked")
    assert browser.raw(both, b"0\r\n\r\n").split()[1] in (b"400", b"415")
    assert browser.raw("NONSENSE\r\n\r\n").split()[1] == b"400"
    assert browser.upload(b"").status_code == 415
    assert is_well(browser, small)
