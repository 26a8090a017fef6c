"""The server itself: uvicorn, with what it lacks."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from historynet.web.service import Service

_HEADER_SECONDS = 20
"""In which a request's header has come, or the connection is closed."""

_ENDING_SECONDS = 5
"""That answers still have when the server ends."""


class Server(uvicorn.Server):
    """Ends the streams of events before it waits for all answers to end.

    Args:
        config: of uvicorn.
        service: what answers.
    """

    def __init__(self, config: uvicorn.Config, service: Service):
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: Any = None) -> None:
        """Ends it."""
        self._service.hang_up()
        await super().shutdown(sockets)


class _Impatient(H11Protocol):
    """Closes a connection on which a request's header does not come in time; uvicorn would wait for ever."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Somebody is there."""
        super().connection_made(transport)
        self._await_header()

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._timer is None:
            # The beginning of another request's header.
            self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_header(self) -> None:
        self._timer = self.loop.call_later(_HEADER_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def make(application: Callable, service: Service, connections: int, debug: bool) -> Server:
    """The server, which `run` starts.

    Args:
        application: what answers requests.
        service: what stands behind it.
        connections: at a time.
        debug: whether each request is logged.
    """
    config = uvicorn.Config(
        application,
        http=_Impatient,
        ws="none",
        lifespan="on",
        log_level=logging.INFO if debug else logging.ERROR,
        access_log=debug,
        server_header=False,
        limit_concurrency=connections,
        timeout_graceful_shutdown=_ENDING_SECONDS,
    )
    return Server(config, service)
