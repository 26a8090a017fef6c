"""What happens between the requests: who has which files, which results wait and are made, and what is removed when.

All of it runs in the thread of the server's event loop; what takes long is handed to other threads.
"""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from historynet.errors import InputError
from historynet.web import memory, names, sessions
from historynet.web.limits import Limits
from historynet.web.line import Line, Ticket
from historynet.web.models import Models
from historynet.web.previews import Previews
from historynet.web.refusals import CancelledError, Refused, for_people
from historynet.web.sessions import CANCELLED, DONE, FAILED, FILM, REMOVED, WORKING, Input, Listener, Result, Session
from historynet.web.wanted import Wanted
from historynet.web.work import Made, Workshop

_LOOKERS = 4
"""Threads that look at uploads and make small copies; the memory is shared out among them."""

_LOOKS = 200
"""Requests for these that may wait."""

_FREE = 1e9
"""Bytes that stay free on the disk."""

_TOLD = 0.5
"""Seconds between two reports of how far a result is."""

_SWEEP = 1.0
"""Seconds between two looks at what is to be removed."""

_log = logging.getLogger(__name__)


class Service:
    """The sessions and the work.

    Args:
        folder: for uploads and results, which nobody else can read.
        models: at hand.
        limits: of what anybody does.
    """

    def __init__(self, folder: Path, models: Models, limits: Limits):
        self.models, self.limits = models, limits
        self.sessions: dict[str, Session] = {}
        self.uploading = 0
        self._folder = folder
        self._room = memory.Memory(limits.memory * 1e9)
        self._workshop, self.previews = Workshop(models, limits, self._room), Previews(models, limits, self._room)
        self._line = Line(limits.at_once)
        self._tickets: dict[Result, Ticket] = {}
        self._workers = ThreadPoolExecutor(limits.at_once, "colorizing")
        self._lookers = ThreadPoolExecutor(_LOOKERS, "looking")
        self._looks = 0
        self._disk = 0
        self._pace: float | None = None
        self._ended = False

    # Sessions.

    def open(self, token: str | None) -> str:
        """The session of a browser: its own, if that is still there, else a new one; its token."""
        if token in self.sessions:
            self.sessions[token].left, self.sessions[token].ending = time.monotonic(), False
            return token
        if len(self.sessions) >= self.limits.sessions:
            raise Refused(503, "Too many people are here at the moment. Please try again in a minute.", 60)
        token = sessions.new_id()
        folder = self._folder / sessions.new_id()
        folder.mkdir(mode=0o700)
        self.sessions[token] = Session(folder)
        return token

    def close(self, token: str) -> None:
        """Removes a session with all that it has."""
        session = self.sessions.pop(token, None)
        if session is not None:
            for one in list(session.inputs.values()):
                self.remove(session, one)
            sessions.remove(session.folder)

    async def listen(self, session: Session) -> AsyncIterator[list[dict[str, Any]]]:
        """What is to be told to a page, from all there is to whatever happens; an empty list where nothing did."""
        listener = Listener()
        session.listeners.add(listener)
        session.ending = False
        try:
            for one in session.inputs.values():
                listener.tell(sessions.event_of(one))
                for result in one.results.values():
                    listener.tell(sessions.event_of(one, result))
            while not self._ended and session in self.sessions.values():
                yield await listener.next(self.limits.heartbeat_seconds)
        finally:
            session.listeners.discard(listener)
            session.left = time.monotonic()

    # Files.

    @contextlib.contextmanager
    def receiving(self, session: Session, name: str, size: int | None) -> Iterator[tuple[Input, Callable[[int], None]]]:
        """Within it a file may come; afterwards it is there, or removed if anything is raised.

        Args:
            session: whose it is.
            name: by which it was given.
            size: bytes that it is said to have; None if nobody says.

        Yields:
            What it is going to be, and a function that is called with the number of bytes that have come more.

        Raises:
            Refused: if there is no room for it, or too much comes.
        """
        self._check_room(session, size or 0)
        name, number = names.shown(name), sessions.new_id()
        folder = session.folder / number
        folder.mkdir(mode=0o700)
        one = Input(number, name, folder, folder / names.stored(name), 0)

        def count(more: int) -> None:
            one.size += more
            self._count(one, more)
            self._check_size(one.size)

        session.uploading, self.uploading = session.uploading + 1, self.uploading + 1
        try:
            yield one, count
        except BaseException:
            self._forget(one)
            raise
        finally:
            session.uploading, self.uploading = session.uploading - 1, self.uploading - 1
            session.left = time.monotonic()
        if session not in self.sessions.values():
            self._forget(one)
            raise Refused(403, "This page has ended. Please load it again.")
        session.inputs[one.id] = one
        session.tell(sessions.event_of(one))

    def _check_room(self, session: Session, size: int) -> None:
        self._check_size(size)
        if len(session.inputs) + session.uploading >= self.limits.inputs:
            raise Refused(429, f"There can be {self.limits.inputs} files at a time. Please remove some first.")
        if self.uploading >= self.limits.uploads:
            raise Refused(503, "Too many files are coming at the moment.", 5)
        self.check_memory()
        if self._disk + size > self.limits.disk * 1e9 or shutil.disk_usage(self._folder).free < size + _FREE:
            raise Refused(503, "The disk is full at the moment. Please try again in some minutes.", 60)

    def _check_size(self, size: int) -> None:
        if size > self.limits.megabytes * 1e6:
            raise Refused(413, f"The file is too large: {self.limits.megabytes:g} MB are the most.")

    def check_memory(self) -> None:
        """Sees that the process has not taken more memory than it is to, whatever was reckoned.

        Raises:
            Refused: if it has; it may be asked again.
        """
        if memory.resident() > self._room.most:
            raise Refused(503, "There is too much to do at the moment.", 10)

    async def look(self, one: Input) -> None:
        """Finds out what an upload is.

        Raises:
            Refused: if it is nothing that is colorized here.
        """
        await self.in_thread(one, self._workshop.look, one)
        one.notes = [for_people(note, one.path, one.name) for note in one.notes]

    async def in_thread(self, one: Input, work: Callable, *arguments: object) -> Any:
        """What `work` gives, in another thread; what of it a file is the reason of is told by the file's name.

        Raises:
            Refused: if it cannot be done, or too much waits.
        """
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
            if one.folder.exists():
                self._measure(one)

    def remove(self, session: Session, one: Input) -> None:
        """Removes a file with all that is made of it, and stops what is being made."""
        session.inputs.pop(one.id, None)
        for result in one.results.values():
            self._cancel(result)
        self._forget(one)
        session.tell({**sessions.event_of(one), "state": REMOVED})

    def _forget(self, one: Input) -> None:
        """Removes what is on the disk; what a thread still writes there is removed when it has ended."""
        self._disk -= one.bytes
        one.bytes = 0
        sessions.remove(one.folder)

    def _count(self, one: Input, more: int) -> None:
        one.bytes += more
        self._disk += more

    def _measure(self, one: Input) -> None:
        """Counts what of a file is on the disk by now."""
        found = 0
        for path in one.folder.rglob("*"):
            with contextlib.suppress(OSError):
                found += path.stat().st_size
        self._count(one, found - one.bytes)

    # Results.

    def order(self, session: Session, one: Input, wanted: Wanted) -> Result:
        """What is wanted of a file: it is made when its turn comes, or made already.

        Raises:
            Refused: if it cannot be made, or too many wait.
        """
        wanted = self._settled(wanted, one)
        same = (r for r in one.results.values() if r.wanted == wanted and r.state not in (FAILED, CANCELLED))
        if (found := next(same, None)) is not None:
            return found
        if len(self._line) >= self.limits.waiting:
            raise Refused(503, "Too many are waiting at the moment.", 30)
        if self._disk > self.limits.disk * 1e9 or shutil.disk_usage(self._folder).free < _FREE:
            raise Refused(503, "The disk is full at the moment. Please try again in some minutes.", 60)
        self.check_memory()
        result = Result(sessions.new_id(), one, wanted, one.folder / sessions.new_id())
        result.total = one.frames if one.kind == FILM else one.pages
        one.results[result.id] = result

        def moved(place: int) -> None:
            result.place = place
            self._tell(session, result)

        ticket = Ticket(session, one.kind == FILM, lambda: self._make(session, result), moved)
        self._tickets[result] = ticket
        self._line.add(ticket)
        return result

    def _settled(self, wanted: Wanted, one: Input) -> Wanted:
        """What is wanted, with what the model or the kind of file does not have left out."""
        model = self.models.models.get(wanted.model or self.models.default)
        if model is None:
            raise Refused(422, "There is no such model.")
        if wanted.alternatives > model.alternatives:
            raise Refused(422, "This model has no alternatives.")
        if wanted.temperature is not None and model.temperature is None:
            raise Refused(422, "This model has no temperature.")
        changes: dict[str, Any] = {"model": model.id}
        if one.kind == FILM:
            changes |= {"format": "same", "alternatives": 0, "keep_colored": False, "borders": True}
        if one.kind == FILM or not wanted.alternatives:
            changes["seed"] = 0
        return wanted.model_copy(update=changes)

    def cancel(self, session: Session, result: Result) -> None:
        """Stops a result that waits or is being made."""
        self._cancel(result)
        self._tell(session, result)

    def _cancel(self, result: Result) -> None:
        if result.unfinished:
            result.cancelled = True
            if result.state != WORKING:
                self._line.remove(self._tickets.pop(result))
                result.state = CANCELLED

    async def _make(self, session: Session, result: Result) -> None:
        one = result.input
        loop, told = asyncio.get_running_loop(), 0.0
        result.state, result.place, result.began = WORKING, 0, time.monotonic()
        result.expected = None if self._pace is None else self._pace * max(one.megapixels, 1)
        self._tell(session, result)

        def progressed(count: int) -> None:
            nonlocal told
            result.done += count
            if time.monotonic() - told >= _TOLD:
                told = time.monotonic()
                self._tell(session, result)

        def progress(count: int) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(progressed, count)

        try:
            made: Made = await loop.run_in_executor(self._workers, self._workshop.make, result, progress)
        except CancelledError:
            result.state = CANCELLED
        except (InputError, MemoryError, OSError) as error:
            text = "there is not enough memory for it" if isinstance(error, MemoryError) else str(error)
            result.state, result.error = FAILED, for_people(text, one.path, one.name)
        except Exception:
            # A defect of ours, or what an engine raises where there is too little memory.
            _log.exception("colorizing %s", one.kind)
            result.state, result.error = FAILED, "Something went wrong here. Please tell who runs this page."
        else:
            result.state, result.pages, result.keys = DONE, made.pages, made.keys
            result.notes = [for_people(note, one.path, one.name) for note in made.notes]
            self._learn(result)
        self._tickets.pop(result, None)
        one.used = time.monotonic()
        if result.state != DONE:
            sessions.remove(result.folder)
        if one.id not in session.inputs:
            # Removed meanwhile; what was written since goes, too.
            sessions.remove(one.folder)
            return
        self._measure(one)
        self._tell(session, result)

    def _learn(self, result: Result) -> None:
        """Seconds that a megapixel takes, on average of the last pictures."""
        if result.input.kind != FILM and result.input.pages == 1:
            pace = (time.monotonic() - result.began) / max(result.input.megapixels, 1)
            self._pace = pace if self._pace is None else 0.8 * self._pace + 0.2 * pace

    def _tell(self, session: Session, result: Result) -> None:
        session.tell(self.event_of(result))

    def event_of(self, result: Result) -> dict[str, Any]:
        """What a page is told of a result."""
        return sessions.event_of(result.input, result)

    # The end.

    async def sweep(self) -> None:
        """Removes, for ever, what nobody is there for any more, and what has been there for long."""
        while True:
            await asyncio.sleep(_SWEEP)
            now = time.monotonic()
            for token, session in list(self.sessions.items()):
                patience = self.limits.end_seconds if session.ending else self.limits.left_seconds
                if not session.listeners and not session.uploading and now - session.left > patience:
                    self.close(token)
                    continue
                for one in list(session.inputs.values()):
                    works = any(result.unfinished for result in one.results.values())
                    if not works and now - one.used > self.limits.keep_seconds:
                        self.remove(session, one)

    def hang_up(self) -> None:
        """Ends the streams of events, and all work that it can."""
        self._ended = True
        for session in self.sessions.values():
            for listener in session.listeners:
                listener.wake()
            for result in session.results():
                self._cancel(result)

    async def end(self) -> None:
        """Stops all work and removes all files."""
        self.hang_up()
        await self._line.end()
        for token in list(self.sessions):
            self.close(token)
        self._workers.shutdown(cancel_futures=True)
        self._lookers.shutdown(cancel_futures=True)
