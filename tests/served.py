"""The page's server in a thread of the tests, with small models; and a browser's part of the talk with it."""

import contextlib
import json
import socket
import threading
import time

import pytest

# Before all else, so that whoever uses this is skipped.
pytest.importorskip("fastapi", reason="the extra 'web' is not installed")

import httpx
from PIL import Image

from historynet.web import app, serving
from historynet.web.limits import Limits
from historynet.web.memory import resident
from historynet.web.service import Service


def wait_until(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@contextlib.contextmanager
def serve(folder, models, hosts=("127.0.0.1",), **limits):
    """A server with these models and limits; its address, and what stands behind it."""
    folder.mkdir(exist_ok=True)
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    # What the tests before have taken of the process is not the server's.
    limits.setdefault("memory", Limits.memory + resident() / 1e9)
    service = Service(folder, models, Limits(**limits))
    server = serving.make(app.make(service, f"historynet_{port}", hosts), service, 1000, False)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield Browser(f"http://127.0.0.1:{port}", service)
    finally:
        server.should_exit = True
        thread.join(60)
        Image.MAX_IMAGE_PIXELS = before
        assert not thread.is_alive()


class Browser:
    """A browser's session; `again` is another one."""

    def __init__(self, address, service):
        self.address, self.service = address, service
        self.port = int(address.rsplit(":", 1)[1])
        self.client = httpx.Client(base_url=address, timeout=120, trust_env=False)
        self.client.get("/").raise_for_status()

    def another(self):
        return Browser(self.address, self.service)

    @property
    def session(self):
        return self.service.store.sessions[self.client.cookies[f"historynet_{self.port}"]]

    def get(self, path, **query):
        return self.client.get(path, params=query)

    def upload(self, data, name="picture.png"):
        """The answer to a file that is given."""
        data = data if isinstance(data, bytes) else data.read_bytes()
        return self.client.post("/api/inputs", params={"name": name}, content=data)

    def give(self, data, name="picture.png"):
        """The id of a file that is taken."""
        answer = self.upload(data, name)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def order(self, one, **wanted):
        answer = self.client.post(f"/api/inputs/{one}/colorize", json=wanted)
        assert answer.status_code == 202, answer.text
        return answer.json()["result"]

    def wait(self, result, state="done", seconds=120):
        """Waits until a result is finished; what its pages are told of it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.session.find(result)
            if found is None or not found.unfinished:
                assert found is not None and found.state == state, found and (found.state, found.error)
                return found
            time.sleep(0.02)
        raise AssertionError("not finished")

    def made(self, data, name="picture.png", page=None, alternative=0, **wanted):
        """The bytes of a result."""
        result = self.order(self.give(data, name), **wanted)
        self.wait(result)
        return self.download(result, alternative=alternative).content

    def download(self, result, **query):
        answer = self.get(f"/api/results/{result}/download", **query)
        assert answer.status_code == 200, answer.text
        return answer

    @contextlib.contextmanager
    def events(self):
        """The events that come, one by one."""
        with self.client.stream("GET", "/api/events") as stream:
            yield (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))

    def raw(self, head, body=b"", seconds=60):
        """What a server answers to bytes that are sent as they are."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(head.encode() + body)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    answer += part
        return answer

    @property
    def cookie(self):
        return "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())

    def head(self, method, path, **headers):
        """A request's header with the session's cookie, for `raw`."""
        lines = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie, "Connection": "close"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        return "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{n}: {v}\r\n" for n, v in lines.items()), "\r\n"])
