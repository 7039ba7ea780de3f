"""Who may work now: a fair queue in front of the machine's capacity."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Ahead = Callable[[int], Awaitable[None]]
"""Told how many are ahead, whenever that changes."""


@dataclass(slots=True)
class _Ticket:
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Admission:
    """Lets at most `limit` holders in, first come, first served."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._queue: list[_Ticket] = []

    @asynccontextmanager
    async def place(self, ahead: Ahead) -> AsyncIterator[None]:
        """Hold a place for the length of the block; `ahead` is awaited while there is none."""
        ticket = _Ticket()
        self._queue.append(ticket)
        try:
            await self._wait(ticket, ahead)
        finally:
            self._queue.remove(ticket)
            self._tell()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._tell()

    async def _wait(self, ticket: _Ticket, ahead: Ahead) -> None:
        told = 0
        while (before := self._queue.index(ticket) + self._inside - self._limit + 1) > 0:
            ticket.moved.clear()
            if before != told:
                told = before
                await ahead(before)
                continue  # Places may have come free while we told.
            await ticket.moved.wait()

    def _tell(self) -> None:
        for ticket in self._queue:
            ticket.moved.set()
