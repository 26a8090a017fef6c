"""The line in which results wait for their turn: some at a time, and the sessions one after the other."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass


@dataclass(eq=False)
class Ticket:
    """Work that waits.

    Attributes:
        owner: whose it is.
        is_long: whether it may take hours, so that others are not to wait for it.
        run: does the work, without raising.
        moved: called with its place, from 1, when that has changed.
        place: from 1; 0 before it has one.
        need: bytes of memory that it takes.
    """

    owner: Hashable
    is_long: bool
    run: Callable[[], Awaitable[None]]
    moved: Callable[[int], None]
    place: int = 0
    need: float = 0


class Line:
    """Who comes next. All in one thread, that of an event loop.

    Each owner has a turn before any has a second one. Of long work there is one less at a time than there are places,
    if there are several, so that short work never waits for long work alone. Work for which there is no memory beside
    long work that runs takes no place meanwhile.

    Args:
        at_once: number of places.
        room: bytes of memory that there are.
    """

    def __init__(self, at_once: int, room: float = math.inf):
        self._room = room
        self._at_once, self._long_at_once = at_once, max(1, at_once - 1)
        self._waiting: dict[Hashable, list[Ticket]] = {}
        self._running: dict[Ticket, asyncio.Task] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, ticket: Ticket) -> None:
        """Sends somebody to the end of the owner's line."""
        self._waiting.setdefault(ticket.owner, []).append(ticket)
        self._go_on()

    def remove(self, ticket: Ticket) -> None:
        """Takes somebody out who waits; work that runs runs on."""
        waiting = self._waiting.get(ticket.owner, [])
        if ticket in waiting:
            waiting.remove(ticket)
            if not waiting:
                del self._waiting[ticket.owner]
            self._go_on()

    async def end(self) -> None:
        """Lets nobody go any more, and waits for what runs."""
        self._waiting.clear()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _order(self) -> list[Ticket]:
        """Who waits, in the order in which they would go: what an owner has running counts as turns, too."""
        running = Counter(ticket.owner for ticket in self._running)
        turns = [
            (running[owner] + number, ticket)
            for owner, tickets in self._waiting.items()
            for number, ticket in enumerate(tickets)
        ]
        return [ticket for _, ticket in sorted(turns, key=lambda turn: turn[0])]

    def _go_on(self) -> None:
        while len(self._running) < self._at_once and (ticket := self._next()):
            self._start(ticket)
        for place, ticket in enumerate(self._order(), 1):
            if ticket.place != place:
                ticket.place = place
                ticket.moved(place)

    def _next(self) -> Ticket | None:
        """Who goes next; None if nobody can."""
        long = [ticket for ticket in self._running if ticket.is_long]
        left = self._room - sum(ticket.need for ticket in long) if long else math.inf

        def can_go(ticket: Ticket) -> bool:
            return ticket.need <= left and (len(long) < self._long_at_once or not ticket.is_long)

        return next(filter(can_go, self._order()), None)

    def _start(self, ticket: Ticket) -> None:
        # The owner's next turn comes behind those of all others.
        rest = self._waiting.pop(ticket.owner)
        rest.remove(ticket)
        if rest:
            self._waiting[ticket.owner] = rest
        task = asyncio.get_running_loop().create_task(ticket.run())
        self._running[ticket] = task
        task.add_done_callback(lambda _: self._ended(ticket))

    def _ended(self, ticket: Ticket) -> None:
        del self._running[ticket]
        self._go_on()
