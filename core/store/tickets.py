"""Tickets: random texts that we hand out and that count once, for a while, for one purpose."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa

from core.store.database import Database
from core.store.tables import tickets

_TICKET_BYTES: Final = 32


def digest_of(ticket: str) -> str:
    """How a ticket is stored; with this much randomness a plain hash cannot be turned back."""
    return sha256(ticket.encode("utf-8", "replace")).hexdigest()


class TicketStore:
    """Issues and redeems tickets; they survive a restart and are shared by all processes on one database.

    Args:
        now: Current time, aware.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def issue(self, purpose: str, lifetime: timedelta, body: Mapping[str, Any] | None = None) -> str:
        """A new ticket, URL-safe; `body` (JSON-able, stored as it is) comes back when it is redeemed."""
        ticket = secrets.token_urlsafe(_TICKET_BYTES)
        now = self._now()
        async with self._database.write() as connection:
            await connection.execute(sa.delete(tickets).where(tickets.c.expires_at <= now.timestamp()))
            await connection.execute(
                sa.insert(tickets).values(
                    digest=digest_of(ticket),
                    purpose=purpose,
                    body=dict(body or {}),
                    expires_at=(now + lifetime).timestamp(),
                )
            )
        return ticket

    async def is_good(self, purpose: str, ticket: str) -> bool:
        """Whether it would be redeemed now; it stays good."""
        async with self._database.read() as connection:
            query = sa.select(tickets.c.digest).where(self._matches(purpose, digest_of(ticket)))
            found = await connection.scalar(query)
        return found is not None

    async def look(self, purpose: str, digest: str) -> dict[str, Any] | None:
        """The body of the ticket with this digest, if it would be redeemed now; it stays good."""
        query = sa.select(tickets.c.body).where(self._matches(purpose, digest))
        async with self._database.read() as connection:
            body: dict[str, Any] | None = await connection.scalar(query)
        return body

    async def redeem(self, purpose: str, ticket: str) -> dict[str, Any] | None:
        """Its body, and the end of it; None if it is unknown, used up, too old, or for something else."""
        return await self.end(purpose, digest_of(ticket))

    async def end(self, purpose: str, digest: str) -> dict[str, Any] | None:
        """The same by its digest, for whoever was shown the ticket before."""
        query = sa.delete(tickets).where(self._matches(purpose, digest)).returning(tickets.c.body)
        async with self._database.write() as connection:
            body: dict[str, Any] | None = await connection.scalar(query)
        return body

    async def void(self, *purposes: str) -> None:
        """End every ticket for these purposes."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(tickets).where(tickets.c.purpose.in_(purposes)))

    def _matches(self, purpose: str, digest: str) -> sa.ColumnElement[bool]:
        return sa.and_(
            tickets.c.digest == digest,
            tickets.c.purpose == purpose,
            tickets.c.expires_at > self._now().timestamp(),
        )
