"""What every request passes first: who may ask, how slowly, and what the browser may do with the answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from historynet.web.limits import Limits
from historynet.web.refusals import Refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

UPLOAD = "/api/inputs"
"""Where files come in, which may be large; all else that is sent is short."""

_LONGEST = 64 << 10
"""Bytes of the body of any other request."""

_CHANGES = ("POST", "PUT", "PATCH", "DELETE")

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer, unless it has its own. Nothing lets another site in (CORS)."""


def answer_of(error: HTTPException) -> Response:
    """What a request gets that is refused: JSON, for people."""
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


class Guard:
    """Stands before the application (ASGI).

    Args:
        application: the rest of the server.
        hosts: names by which the server may be asked for, without a port, since another site's name may be made to
            point here; empty: any, where other machines are to reach it.
        limits: how slowly somebody may send.
    """

    def __init__(self, application: Callable, hosts: Collection[str], limits: Limits):
        self._application, self._hosts, self._limits = application, hosts, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._application(scope, receive, send)
            return
        guarded = _with_headers(send)
        try:
            self._check(scope)
        except Refused as error:
            await answer_of(error)(scope, receive, guarded)
            return
        if scope["method"] in _CHANGES:
            longest = None if scope["path"] == UPLOAD else _LONGEST
            receive = _Body(receive, self._limits, longest).receive
        await self._application(scope, receive, guarded)

    def _check(self, scope: Scope) -> None:
        """Sees that a request is meant for this server, and comes from its own page.

        Raises:
            Refused: if not.
        """
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self._hosts and _name_of(host) not in self._hosts:
            raise Refused(403, "This page is asked for by a name that is not its own.")
        site = headers.get("sec-fetch-site", "same-origin")
        if scope["method"] in _CHANGES:
            origin = headers.get("origin")
            if site != "same-origin" or (origin is not None and urlsplit(origin).netloc != host):
                raise Refused(403, "This was sent by another page.")
        # Another page may lead here, but not take anything in, of which each would begin a session.
        elif site in ("cross-site", "same-site") and headers.get("sec-fetch-dest") != "document":
            raise Refused(403, "This was asked for by another page.")


def _name_of(host: str) -> str | None:
    """A host without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            named = {name.lower() for name, _ in own}
            own += [(n.encode(), v.encode()) for n, v in _HEADERS.items() if n.encode() not in named]
            message = {**message, "headers": own}
        await send(message)

    return guarded


class _Body:
    """A request's body, which may neither be too long nor come too slowly.

    Args:
        receive: of the server.
        limits: how slowly.
        longest: bytes; None: whoever reads it sees to that.
    """

    def __init__(self, receive: Receive, limits: Limits, longest: int | None):
        self._receive, self._limits, self._longest = receive, limits, longest
        self._size, self._whole = 0, False
        self._until = time.monotonic() + limits.upload_seconds

    async def receive(self) -> Message:
        """The next message.

        Raises:
            Refused: if the body is too long, or too slow.
        """
        if self._whole:
            return await self._receive()
        try:
            left = self._until - time.monotonic()
            message = await asyncio.wait_for(self._receive(), max(0.0, min(self._limits.idle_seconds, left)))
        except TimeoutError:
            raise Refused(408, "The file came too slowly, or not at all any more.") from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._longest is not None and self._size > self._longest:
            raise Refused(413, "That is too long.")
        return message
