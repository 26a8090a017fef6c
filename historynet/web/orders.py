"""Which results are wanted, and their way through the line to the work and back.

All of it runs in the thread of the server's event loop but for the work itself.
"""

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from historynet.errors import InputError
from historynet.web import sessions, telling
from historynet.web.limits import Limits
from historynet.web.line import Line, Ticket
from historynet.web.refusals import CancelledError, Refused, for_people
from historynet.web.sessions import CANCELLED, DONE, FAILED, FILM, QUEUED, WORKING, Input, Result, Session
from historynet.web.store import Store
from historynet.web.wanted import Wanted
from historynet.web.work import Workshop

_TOLD = 0.5
"""Seconds between two reports of how far a result is."""


class Orders:
    """The results that are wanted.

    Args:
        workshop: makes them.
        limits: of what anybody does.
    """

    def __init__(self, workshop: Workshop, limits: Limits):
        self._workshop, self._limits = workshop, limits
        self._line = Line(limits.at_once, workshop.room.room)
        self._tickets: dict[Result, Ticket] = {}
        self._workers = ThreadPoolExecutor(limits.at_once, "colorizing")
        self._pace: float | None = None

    def order(self, store: Store, session: Session, one: Input, wanted: Wanted) -> Result:
        """What is wanted of a file: it is made when its turn comes, or made already.

        Raises:
            Refused: if it cannot be made, or too many wait.
        """
        wanted = self._settled(wanted, one)
        wanted_still = (r for r in one.results.values() if r.state != FAILED and not r.cancelled)
        if (found := next((r for r in wanted_still if r.wanted == wanted), None)) is not None:
            return found
        if sum(r.state == QUEUED for r in session.results()) >= self._limits.inputs:
            raise Refused(429, f"There can be {self._limits.inputs} results that wait at a time.")
        if len(self._line) >= self._limits.waiting:
            raise Refused(503, "Too many are waiting at the moment.", 30)
        store.check_room()
        self._drop_oldest(one)
        result = Result(sessions.new_id(), one, wanted, one.folder / sessions.new_id())
        result.total = one.frames if one.kind == FILM else one.pages
        one.results[result.id] = result

        def moved(place: int) -> None:
            result.place = place
            _tell(session, result)

        ticket = Ticket(session, one.is_long, lambda: self._make(store, session, result), moved)
        ticket.need = self._workshop.need(one, wanted.format == "webp")
        self._tickets[result] = ticket
        self._line.add(ticket)
        return result

    def _drop_oldest(self, one: Input) -> None:
        """Makes room for another result of a file."""
        finished = [result for result in one.results.values() if not result.unfinished]
        for result in finished[: max(0, len(one.results) + 1 - self._limits.results)]:
            del one.results[result.id]
            sessions.remove(result.folder)

    def _settled(self, wanted: Wanted, one: Input) -> Wanted:
        """What is wanted, with what does not count for this kind of file left out."""
        model = self._workshop.models.find(wanted.model)
        changes: dict[str, Any] = {"model": model.id}
        if one.kind == FILM:
            changes |= {"format": "same", "alternatives": 0, "keep_colored": False, "borders": True}
        elif wanted.alternatives > model.alternatives:
            raise Refused(422, "This model has no alternatives.")
        if wanted.temperature is not None and model.temperature is None:
            raise Refused(422, "This model has no temperature.")
        if one.kind == FILM or not wanted.alternatives:
            changes["seed"] = 0
        return wanted.model_copy(update=changes)

    def cancel(self, result: Result) -> None:
        """Stops a result that waits or is being made."""
        if result.unfinished:
            result.cancelled = True
            if result.state != WORKING:
                self._line.remove(self._tickets.pop(result))
                result.state = CANCELLED

    async def _make(self, store: Store, session: Session, result: Result) -> None:
        one = result.input
        result.state, result.place, result.began = WORKING, 0, time.monotonic()
        result.expected = None if self._pace is None else self._pace * max(one.megapixels, 1)
        _tell(session, result)
        try:
            made = await self._work(session, result)
        except CancelledError:
            result.state = CANCELLED
        except (InputError, MemoryError, OSError) as error:
            text = "there is not enough memory for it" if isinstance(error, MemoryError) else str(error)
            result.state, result.error = FAILED, for_people(text, one.path, one.name)
        except Exception as error:
            # A defect of ours, or what an engine raises where there is too little memory.
            result.state, result.error = FAILED, telling.of_defect(error)
        else:
            result.state, result.pages, result.keys = DONE, made.pages, made.keys
            result.notes = [for_people(note, one.path, one.name) for note in made.notes]
            self._learn(result)
        self._tickets.pop(result, None)
        one.used = time.monotonic()
        if result.state != DONE:
            sessions.remove(result.folder)
        store.measure(session, one)
        _tell(session, result)

    def _work(self, session: Session, result: Result) -> asyncio.Future:
        """Starts the work in a thread, which says how far it is."""
        loop, told = asyncio.get_running_loop(), 0.0

        def progressed(count: int) -> None:
            nonlocal told
            result.count(count)
            if time.monotonic() - told >= _TOLD:
                told = time.monotonic()
                _tell(session, result)

        def progress(count: int) -> None:
            # The loop may have ended.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(progressed, count)

        return loop.run_in_executor(self._workers, self._workshop.make, result, progress)

    def _learn(self, result: Result) -> None:
        """Seconds that a megapixel takes, on average of the last pictures."""
        if result.input.kind != FILM and result.input.pages == 1:
            pace = (time.monotonic() - result.began) / max(result.input.megapixels, 1)
            self._pace = pace if self._pace is None else 0.8 * self._pace + 0.2 * pace

    async def end(self) -> None:
        """Waits for the work to end, of which none is begun any more."""
        await self._line.end()
        self._workers.shutdown(cancel_futures=True)


def _tell(session: Session, result: Result) -> None:
    if result.input.id in session.inputs:
        session.tell(sessions.event_of(result.input, result))
