"""Who has which files: sessions and what they hold on the disk, and what is removed when.

All of it runs in the thread of the server's event loop.
"""

import contextlib
import errno
import math
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from historynet.web import names, sessions, telling
from historynet.web.limits import Limits
from historynet.web.memory import Memory
from historynet.web.refusals import Refused
from historynet.web.sessions import REMOVED, Input, Listener, Result, Session

_FREE = 1e9
"""Bytes that stay free on the disk."""

_TOGETHER = 5.0
"""Seconds within which a page that says that it goes is not heard of any more."""


class Store:
    """The sessions and their files.

    Args:
        folder: for uploads and results, which nobody else can read.
        limits: of what anybody does.
        room: the memory.
        cancel: called with each result of a file that is removed.

    Attributes:
        sessions: by their token.
    """

    def __init__(self, folder: Path, limits: Limits, room: Memory, cancel: Callable[[Result], None]):
        self.sessions: dict[str, Session] = {}
        self._folder, self._limits, self._room, self._cancel = folder, limits, room, cancel
        self._uploading = 0
        self._disk = 0

    def open(self, token: str | None) -> str:
        """The token of a browser's session: of its own, if that is still there, else of a new one.

        Raises:
            Refused: if there are too many.
        """
        if token in self.sessions:
            self.sessions[token].left, self.sessions[token].ending = time.monotonic(), -math.inf
            return token
        if len(self.sessions) >= self._limits.sessions:
            self._make_way()
        token = sessions.new_id()
        folder = self._folder / sessions.new_id()
        # With all above it: what lies in a temporary folder for days, a system may have removed.
        folder.mkdir(mode=0o700, parents=True)
        self.sessions[token] = Session(folder)
        return token

    def _make_way(self) -> None:
        """Ends the session that has been left for longest of those that nobody listens to and that have nothing.

        Raises:
            Refused: if there is none.
        """
        empty = [token for token, session in self.sessions.items() if session.is_empty]
        if not empty:
            raise Refused(503, "Too many people are here at the moment. Please try again in a minute.", 60)
        self.close(min(empty, key=lambda token: self.sessions[token].left))

    def close(self, token: str) -> None:
        """Removes a session with all that it has."""
        session = self.sessions.pop(token)
        session.ended = True
        for one in list(session.inputs.values()):
            self.remove(session, one)
        sessions.remove(session.folder)

    @contextlib.contextmanager
    def listening(self, session: Session) -> Iterator[Listener]:
        """Within it a page listens."""
        listener = Listener()
        session.listeners.add(listener)
        session.ending = -math.inf
        try:
            yield listener
        finally:
            session.listeners.discard(listener)
            session.left = time.monotonic()

    @contextlib.contextmanager
    def sending(self, session: Session) -> Iterator[None]:
        """Within it several files of a session are sent, one after the other: they stay, though its page may go."""
        session.sending += 1
        try:
            yield
        finally:
            session.sending -= 1
            session.left = time.monotonic()

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
        self._check_arrival(session, size or 0)
        name, number = names.shown(name), sessions.new_id()
        folder = session.folder / number
        one = Input(number, name, folder, folder / names.stored(name), 0)

        def count(more: int) -> None:
            one.size += more
            self._count(one, more)
            self._check_size(one.size)
            self._check_disk()

        session.uploading, self._uploading = session.uploading + 1, self._uploading + 1
        try:
            folder.mkdir(mode=0o700)
            yield one, count
            if session.ended:
                raise Refused(403, "This page has ended. Please load it again.")
        except BaseException as error:
            self.forget(one)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _full(f"{self._folder.parent} has no room left") from error
            raise
        finally:
            session.uploading, self._uploading = session.uploading - 1, self._uploading - 1
            session.left = time.monotonic()
        session.inputs[one.id] = one
        session.tell(sessions.event_of(one))

    def _check_arrival(self, session: Session, size: int) -> None:
        self._check_size(size)
        if len(session.inputs) + session.uploading >= self._limits.inputs:
            raise Refused(429, f"There can be {self._limits.inputs} files at a time. Please remove some first.")
        if self._uploading >= self._limits.uploads:
            raise Refused(503, "Too many files are coming at the moment.", 5)
        self.check_room(size)

    def _check_size(self, size: int) -> None:
        if size > self._limits.megabytes * 1e6:
            raise Refused(413, f"The file is too large: {self._limits.megabytes:g} MB are the most.")

    def check_room(self, size: int = 0) -> None:
        """Sees that there is room for so many bytes on the disk, and that the memory is as was reckoned.

        Raises:
            Refused: if not; it may be asked again.
        """
        if self._room.is_exceeded():
            raise Refused(503, "There is too much to do at the moment.", 10)
        self._check_disk(size)

    def _check_disk(self, size: int = 0) -> None:
        if self._disk + size > self._limits.disk * 1e9:
            raise _full(f"uploads and results have the {self._limits.disk:g} GB that --disk leaves them")
        # What others have on the disk counts, too.
        if shutil.disk_usage(self._folder).free < size + _FREE:
            raise _full(f"{self._folder.parent} has less than {_FREE / 1e9:g} GB free beside what is sent")

    def remove(self, session: Session, one: Input) -> None:
        """Removes a file with all that is made of it, and stops what is being made."""
        session.inputs.pop(one.id, None)
        for result in one.results.values():
            self._cancel(result)
        self.forget(one)
        session.tell({**sessions.event_of(one), "state": REMOVED})

    def forget(self, one: Input) -> None:
        """Removes what is on the disk; again, if a thread has written more there meanwhile."""
        self._count(one, -one.bytes)
        sessions.remove(one.folder)

    def _count(self, one: Input, more: int) -> None:
        one.bytes += more
        self._disk += more

    def measure(self, session: Session, one: Input) -> None:
        """Counts what of a file is on the disk by now; what was removed meanwhile is removed wholly."""
        if one.id not in session.inputs:
            self.forget(one)
            if session.ended:
                sessions.remove(session.folder)
            return
        found = 0
        for path in one.folder.rglob("*"):
            with contextlib.suppress(OSError):
                found += path.stat().st_size
        self._count(one, found - one.bytes)

    def sweep(self) -> None:
        """Removes what nobody is there for any more, and what has been there for long."""
        now = time.monotonic()
        for token, session in list(self.sessions.items()):
            # Not if one page went and another was lost later.
            goes = session.left - session.ending < _TOGETHER
            patience = self._limits.end_seconds if goes else self._limits.left_seconds
            if session.sending:
                continue
            if not session.listeners and not session.uploading and now - session.left > patience:
                self.close(token)
                continue
            for one in list(session.inputs.values()):
                works = any(result.unfinished for result in one.results.values())
                if not works and now - one.used > self._limits.keep_seconds:
                    self.remove(session, one)


def _full(why: str) -> Refused:
    """Says on the terminal that nothing more is taken, and why; what the page is told.

    Nobody is asked to wait: what is there may stay for an hour, and others' files for ever.
    """
    telling.once(f"the disk is full, so that files are refused: {why}")
    return Refused(507, "The server's disk is full. Please try again later, or tell who runs this page.")
