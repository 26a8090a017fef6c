"""The labelling page on this machine alone: one HTML file, which asks for pictures by number and sends answers.

Nobody else gets in: the server listens on 127.0.0.1, each address begins with a random token, and a page of another
site that has its name point here is found by the `Host` that its browser sends.
"""

import hmac
import json
import secrets
import sys
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from historynet.collecting.labelling import Labelling
from historynet.collecting.labels import Label
from historynet.errors import InputError, PictureError
from historynet.pictures import images

_PAGE = Path(__file__).with_name("labelling_page.html")
_LONGEST = 10_000
"""Bytes of a request; an answer has a hundred."""


class Server(ThreadingHTTPServer):
    """Serves the page to a browser on this machine, until `serve_forever` is ended by the page or a signal.

    Args:
        labelling: what is labelled.
        labels: all labels.

    Attributes:
        address: of the page, with the token.
    """

    daemon_threads = True

    def __init__(self, labelling: Labelling, labels: Sequence[Label]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.labelling, self.token = labelling, secrets.token_urlsafe(24)
        self.host = f"127.0.0.1:{self.server_port}"
        self.address = f"http://{self.host}/{self.token}/"
        self.table = [
            {"name": label.name, "era": label.era, "nationality": label.nationality, "garment": label.garment}
            for label in labels
        ]

    def end(self) -> None:
        """Ends `serve_forever`, from any thread."""
        threading.Thread(target=self.shutdown).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes before it has its answer is none of our defects."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        match self._asked():
            case [""]:
                self._send(_PAGE.read_bytes(), "text/html; charset=utf-8")
            case ["table"]:
                self._send_json(self.server.table)
            case ["item", "next"]:
                self._send_json(self.server.labelling.view(self.server.labelling.next()))
            case ["item", number] if (place := self._place(number)) is not None:
                self._send_json(self.server.labelling.view(place))
            case ["picture", number] if (place := self._place(number)) is not None:
                self._send_picture(place)
            case list():
                self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")

    def do_POST(self) -> None:
        match self._asked():
            case ["answer"]:
                self._take_answer()
            case ["end"]:
                self._send_json({})
                self.server.end()
            case list():
                self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")

    def _asked(self) -> list[str] | None:
        """The parts of the address behind the token; None, and refused, if the token or the host is wrong."""
        _, token, *parts = [*self.path.split("/"), ""][: self.path.count("/") + 1]
        right = hmac.compare_digest(token.encode(), self.server.token.encode())
        if not right or self.headers.get("Host") != self.server.host:
            self._refuse(HTTPStatus.FORBIDDEN, "the address is the one that label.py has printed")
            return None
        return parts

    def _place(self, number: str) -> int | None:
        is_one = number.isascii() and number.isdigit() and len(number) < 10
        return int(number) if is_one and int(number) < len(self.server.labelling) else None

    def _take_answer(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 <= length <= _LONGEST:
                raise ValueError("too long")
            asked = json.loads(self.rfile.read(length))
            place, label = self._place(str(asked["place"])), asked["label"]
            if place is None or not isinstance(label, str):
                raise ValueError("no such picture")
            shown = self.server.labelling.answer(place, label)
        except InputError as error:
            # On a full disk for example: whoever labels sees it, makes room and answers again.
            print(f"error: {error}", file=sys.stderr, flush=True)
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, str(error))
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"no answer: {error}")
        else:
            self._send_json(shown)

    def _send_picture(self, place: int) -> None:
        path = self.server.labelling.path(place)
        try:
            self._send(images.read_bytes(path), "image/jpeg")
        except PictureError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            self._refuse(HTTPStatus.NOT_FOUND, str(error))

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(json.dumps({"error": why}).encode(), "application/json", status)

    def _send_json(self, content: Any) -> None:
        self._send(json.dumps(content).encode(), "application/json")

    def _send(self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nobody wants a line for each picture."""
