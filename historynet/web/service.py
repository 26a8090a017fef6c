"""What stands behind the addresses: sessions, orders and small copies, and the time that passes between requests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from historynet.errors import InputError
from historynet.web import sessions, telling
from historynet.web.limits import Limits
from historynet.web.memory import Memory
from historynet.web.models import Models
from historynet.web.orders import Orders
from historynet.web.previews import Previews
from historynet.web.refusals import Refused, for_people
from historynet.web.sessions import Input, Result, Session
from historynet.web.store import Store
from historynet.web.wanted import Wanted
from historynet.web.work import Workshop

_LOOKERS = 4
"""Threads that look at uploads and make small copies; the memory is shared out among them."""

_LOOKS = 200
"""Requests for these that may wait."""

_SWEEP = 1.0
"""Seconds between two looks at what is to be removed."""


class Service:
    """All of it.

    Args:
        folder: for uploads and results, which nobody else can read.
        models: at hand.
        limits: of what anybody does.
    """

    def __init__(self, folder: Path, models: Models, limits: Limits):
        self.models, self.limits = models, limits
        room = Memory(limits.memory * 1e9)
        self._workshop, self.previews = Workshop(models, limits, room), Previews(models, limits, room)
        self.orders = Orders(self._workshop, limits)
        self.store = Store(folder, limits, room, self.orders.cancel)
        self._lookers = ThreadPoolExecutor(_LOOKERS, "looking")
        self._looks = 0
        self._ended = False

    async def listen(self, session: Session) -> AsyncIterator[list[dict[str, Any]]]:
        """What is to be told to a page, from all there is to whatever happens; an empty list where nothing did."""
        with self.store.listening(session) as listener:
            for one in session.inputs.values():
                listener.tell(sessions.event_of(one))
                for result in one.results.values():
                    listener.tell(sessions.event_of(one, result))
            while not self._ended and not session.ended:
                yield await listener.next(self.limits.heartbeat_seconds)

    async def look(self, one: Input) -> None:
        """Finds out what an upload is.

        Raises:
            Refused: if it is nothing that is colorized here.
        """
        await self._in_thread(one, self._workshop.look, one)

    async def copy(self, session: Session, one: Input, make: Callable[..., bytes], *arguments: object) -> bytes:
        """A small copy of a file or a result, as one of `Previews`' functions makes it.

        Raises:
            Refused: if it cannot be made, or too many wait.
        """
        data = await self._in_thread(one, make, *arguments)
        self.store.measure(session, one)
        return data

    async def _in_thread(self, one: Input, work: Callable, *arguments: object) -> Any:
        if self._looks >= _LOOKS:
            raise Refused(503, "There is too much to do at the moment.", 5)
        self._looks += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._lookers, work, *arguments)
        except Refused as error:
            raise Refused(error.status_code, for_people(error.why, one.path, one.name), error.retry_after) from error
        except InputError as error:
            raise Refused(422, for_people(str(error), one.path, one.name)) from error
        except MemoryError as error:
            raise Refused(503, "There is not enough memory at the moment.", 10) from error
        finally:
            self._looks -= 1

    def order(self, session: Session, one: Input, wanted: Wanted) -> Result:
        """As of `Orders.order`."""
        return self.orders.order(self.store, session, one, wanted)

    def cancel(self, session: Session, result: Result) -> None:
        """Stops a result that waits or is being made."""
        self.orders.cancel(result)
        session.tell(sessions.event_of(result.input, result))

    async def sweep(self) -> None:
        """Removes, for ever, what nobody is there for any more, and what has been there for long."""
        while True:
            await asyncio.sleep(_SWEEP)
            try:
                self.store.sweep()
            except Exception as error:
                # Whatever it is, the rest is to be removed later. An OSError's own text would name a file.
                reason = getattr(error, "strerror", None) or type(error).__name__
                telling.once(f"what nobody needs any more could not be removed ({reason}); it is tried again")

    def hang_up(self) -> None:
        """Ends the streams of events, and all work."""
        self._ended = True
        for session in self.store.sessions.values():
            for listener in session.listeners:
                listener.wake()
            for result in session.results():
                self.orders.cancel(result)

    async def end(self) -> None:
        """Waits for all work to end, and removes all files."""
        self.hang_up()
        await self.orders.end()
        self._lookers.shutdown(cancel_futures=True)
        for token in list(self.store.sessions):
            self.store.close(token)
