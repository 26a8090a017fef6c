"""The server's application: its page, its addresses, and what it says where something goes wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from historynet.web import telling
from historynet.web.addresses import addresses
from historynet.web.guarding import Guard, answer_of
from historynet.web.refusals import Refused
from historynet.web.service import Service

PAGE = Path(__file__).with_name("page")
"""The files of the page."""


def make(service: Service, cookie: str, hosts: Collection[str]) -> Guard:
    """The server's application.

    Args:
        service: what answers.
        cookie: the name of the session's cookie.
        hosts: as of `guarding.Guard`.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(service.sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            await service.end()

    # Its own pages of documentation would fetch scripts from outside.
    app = FastAPI(title="HistoryNet", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.service, app.state.cookie = service, cookie

    @app.get("/")
    async def page(request: Request) -> Response:
        answer = FileResponse(PAGE / "index.html", media_type="text/html; charset=utf-8")
        # Not strict: by a link on another page nothing would come, and the session would be lost to a new one.
        answer.set_cookie(cookie, service.store.open(request.cookies.get(cookie)), httponly=True, samesite="lax")
        return answer

    app.include_router(addresses)
    app.mount("/page", StaticFiles(directory=PAGE))
    _answer_errors(app)
    return Guard(app, hosts, service.limits)


def _answer_errors(app: FastAPI) -> None:
    """Whatever goes wrong is told as JSON."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        if isinstance(error, Refused):
            return answer_of(error)
        return answer_of(HTTPException(error.status_code, _SAID.get(error.status_code, "That cannot be done here.")))

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return answer_of(Refused(422, f"{first['loc'][-1]}: {first['msg']}"))

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)

    @app.exception_handler(Exception)
    async def defect(_: Request, error: Exception) -> Response:
        # It is raised again, and uvicorn shows its traceback.
        return answer_of(Refused(500, telling.of_defect(error, is_shown=True)))


_SAID = {404: "There is no such page.", 405: "That cannot be done here.", 416: "There is no such part of the file."}
"""For people, where a library has said something shorter."""
