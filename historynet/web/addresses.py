"""The addresses under /api: what the page asks for, and what it gets."""

import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from historynet import __version__
from historynet.colorizing.results import SUFFIX
from historynet.pictures.options import STRENGTHS
from historynet.web import archives, names
from historynet.web.guarding import UPLOAD
from historynet.web.previews import LONGEST
from historynet.web.refusals import Refused
from historynet.web.service import Service
from historynet.web.sessions import DONE, Input, Result, Session
from historynet.web.wanted import FORMATS, TEMPERATURES, Wanted

_PIECE = 1 << 20
"""Bytes of an upload that are written at a time."""

addresses = APIRouter()


# All of them coroutines: other functions would run in threads.


async def _service(request: Request) -> Service:
    return request.app.state.service


Here = Annotated[Service, Depends(_service)]


async def _session(request: Request, service: Here) -> Session:
    session = service.store.sessions.get(request.cookies.get(request.app.state.cookie, ""))
    if session is None:
        raise Refused(403, "This page has ended. Please load it again.")
    return session


Own = Annotated[Session, Depends(_session)]


async def _input(number: str, session: Own) -> Input:
    one = session.inputs.get(number)
    if one is None:
        raise Refused(404, "This file is not here any more.")
    return one


async def _result(number: str, session: Own) -> Result:
    result = session.find(number)
    if result is None:
        raise Refused(404, "This result is not here any more.")
    return result


Given = Annotated[Input, Depends(_input)]
Asked = Annotated[Result, Depends(_result)]


async def _finished(result: Asked) -> Result:
    if result.state != DONE:
        raise Refused(409, "This result is not finished.")
    return result


Finished = Annotated[Result, Depends(_finished)]
Side = Annotated[int, Query(ge=16, le=LONGEST)]
Number = Annotated[int, Query(ge=0, le=10**6)]


@addresses.get("/api/health")
async def health() -> dict[str, bool]:
    """Whether the server answers."""
    return {"ok": True}


@addresses.get("/api/options")
async def options(service: Here, _: Own) -> dict:
    """What can be chosen, and what the limits are."""
    limits = service.limits
    return {
        "version": __version__,
        "models": service.models.says(),
        "model": service.models.default,
        "formats": [{"id": number, "title": title} for number, title in FORMATS.items()],
        "format": Wanted().format,
        "strength": {"min": STRENGTHS[0], "max": STRENGTHS[1], "default": 1},
        "limits": {
            "bytes": round(limits.megabytes * 1e6),
            "pixels": round(limits.megapixels * 1e6),
            "pages": limits.pages,
            "film_seconds": limits.film_seconds,
            "inputs": limits.inputs,
            "keep_minutes": limits.keep_seconds / 60,
        },
    }


@addresses.post(UPLOAD, status_code=201)
async def receive(
    request: Request, service: Here, session: Own, name: Annotated[str, Query(max_length=2000)] = ""
) -> dict:
    """Takes a file, which goes to the disk as it comes."""
    said = request.headers.get("content-length", "")
    with service.store.receiving(session, name, int(said) if said.isdecimal() else None) as (one, count):
        with one.path.open("xb") as file:
            waiting = bytearray()
            async for part in request.stream():
                count(len(part))
                waiting += part
                if len(waiting) >= _PIECE:
                    await run_in_threadpool(file.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(file.write, bytes(waiting))
        await service.look(one)
    return {"id": one.id, **one.says()}


@addresses.delete(UPLOAD + "/{number}", status_code=204)
async def remove(service: Here, session: Own, one: Given) -> Response:
    """Removes a file with all that is made of it."""
    service.store.remove(session, one)
    return Response(status_code=204)


@addresses.post(UPLOAD + "/{number}/colorize", status_code=202)
async def colorize(service: Here, session: Own, one: Given, wanted: Wanted) -> dict:
    """Orders a result; the same again gives the same."""
    return {"result": service.order(session, one, wanted).id}


@addresses.delete("/api/results/{number}", status_code=204)
async def cancel(service: Here, session: Own, result: Asked) -> Response:
    """Stops a result that waits or is being made."""
    service.cancel(session, result)
    return Response(status_code=204)


@addresses.get("/api/events")
async def events(service: Here, session: Own) -> StreamingResponse:
    """What happens, as server-sent events."""

    async def told() -> AsyncIterator[str]:
        # A first sign of life, by which proxies see that it is a stream.
        yield ":\n\n"
        async with contextlib.aclosing(service.listen(session)) as happens:
            async for found in happens:
                yield "".join(f"data: {json.dumps(_with_download(event, session))}\n\n" for event in found) or ":\n\n"

    return StreamingResponse(told(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@addresses.get(UPLOAD + "/{number}/before")
async def before(service: Here, session: Own, one: Given, side: Side = 1024, page: Number = 0) -> Response:
    """A small copy of a file."""
    _check_page(page, one.pages)
    return _jpeg(await service.copy(session, one, service.previews.before, one, side, page))


@addresses.get("/api/results/{number}/after")
async def after(
    service: Here, session: Own, result: Finished, side: Side = 1024, page: Number = 0, alternative: Number = 0
) -> Response:
    """A small copy of a result."""
    file = _file(result, page, alternative)
    if file is None:
        one = result.input
        return _jpeg(await service.copy(session, one, service.previews.before, one, side, page))
    return _jpeg(await service.copy(session, result.input, service.previews.after, result, file, side))


@addresses.get("/api/results/{number}/preview")
async def preview(
    service: Here,
    session: Own,
    result: Finished,
    side: Side = 1024,
    page: Number = 0,
    strength: Annotated[float, Query(ge=STRENGTHS[0], le=STRENGTHS[1], allow_inf_nan=False)] = 1.0,
    temperature: Annotated[float | None, Query(ge=TEMPERATURES[0], le=TEMPERATURES[1])] = None,
) -> Response:
    """A small result made again with other settings, at once."""
    _check_page(page, result.input.pages)
    if temperature is not None and service.models.find(result.wanted.model).temperature is None:
        raise Refused(422, "This model has no temperature.")
    again = service.previews.again
    return _jpeg(await service.copy(session, result.input, again, result, page, side, strength, temperature))


@addresses.get("/api/results/{number}/download")
async def download(
    service: Here, session: Own, result: Finished, page: Number | None = None, alternative: Number = 0
) -> Response:
    """A result itself; of several pages a zip file."""
    one = result.input
    if page is None and len(result.pages) > 1 and not result.kept:
        found = [(names.of_download(one.name, path), path) for path in _files(result, alternative)]
        return _zip(service, session, found, names.of_download(one.name, _ZIP))
    file = _file(result, page or 0, alternative)
    if file is None:
        return _attachment(one.path, names.downloaded(one.name))
    return _attachment(file, names.of_download(one.name, file))


@addresses.get("/api/zip")
async def together(service: Here, session: Own, results: Annotated[str, Query(max_length=100_000)]) -> Response:
    """Several results as a zip file."""
    found = []
    for number in results.split(","):
        result = session.find(number)
        if result is None or result.state != DONE:
            raise Refused(404, "One of these results is not here any more, or not finished.")
        name = result.input.name
        found += [(names.of_download(name, path), path) for path in _files(result)] or [
            (names.downloaded(name), result.input.path)
        ]
    return _zip(service, session, found, "colorized.zip")


@addresses.post("/api/end", status_code=204)
async def end(session: Own) -> Response:
    """The page goes; what was given is removed, unless it comes back at once."""
    session.ending = time.monotonic()
    return Response(status_code=204)


def _check_page(page: int, pages: int) -> None:
    if page >= pages:
        raise Refused(404, "There is no such page in this file.")


def _file(result: Result, page: int, alternative: int) -> Path | None:
    """A file of a result; None if the page is left as it is."""
    _check_page(page, len(result.pages))
    file = result.pages[page].file(alternative)
    if file is None and (alternative or result.pages[page].result is not None):
        raise Refused(404, "There is no such alternative.")
    return file


def _files(result: Result, alternative: int | None = None) -> list[Path]:
    """All files of a result, or one of each page."""
    if alternative is not None:
        return [path for page in result.pages if (path := page.file(alternative)) is not None]
    return [path for page in result.pages for path in (page.result, *page.alternatives) if path is not None]


def _jpeg(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg")


def _attachment(path: Path, name: str) -> FileResponse:
    # What somebody gave is never taken for a page of ours.
    kind = _KINDS.get(path.suffix, "application/octet-stream")
    return FileResponse(path, media_type=kind, filename=name)


def _zip(service: Service, session: Session, members: list[tuple[str, Path]], name: str) -> StreamingResponse:
    async def sent() -> AsyncIterator[bytes]:
        with service.store.sending(session):
            async for piece in iterate_in_threadpool(archives.stream(members)):
                yield piece

    # RFC 5987, as of FileResponse.
    headers = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}"}
    return StreamingResponse(sent(), media_type="application/zip", headers=headers)


_ZIP = Path(f"{names.STEM}{SUFFIX}.zip")
"""Of a document's pages."""

_KINDS = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
}
"""Of results, by extension."""


def _with_download(event: dict, session: Session) -> dict:
    result = session.find(event.get("result", ""))
    if result is None or result.state != DONE:
        return event
    name = result.input.name
    files = _files(result, 0)
    if len(files) > 1:
        return {**event, "download": names.of_download(name, _ZIP)}
    return {**event, "download": names.of_download(name, files[0]) if files else names.downloaded(name)}
