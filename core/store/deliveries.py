"""Webhooks of a code host that came in: each counts once, however often it is sent."""

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from core.store.database import Database
from core.store.tables import deliveries

KEPT_S: Final = 30 * 24 * 3600.0


class DeliveryStore:
    """Ids of deliveries, for 30 days.

    Args:
        now: Seconds since the epoch.
    """

    def __init__(self, database: Database, *, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    async def digest(self, id: str) -> str | None:
        """SHA-256 of the body with which this delivery was dealt with before; None if it was not."""
        mine = sa.select(deliveries.c.digest).where(deliveries.c.id == id)
        async with self._database.read() as connection:
            digest: str | None = await connection.scalar(mine)
        return digest

    async def done(self, id: str, digest: str) -> None:
        """It is dealt with; safe to repeat. `digest`: SHA-256 of its body."""
        async with self._database.write() as connection:
            old = sa.delete(deliveries).where(deliveries.c.at < self._now() - KEPT_S)
            await connection.execute(old)
            if await connection.scalar(sa.select(deliveries.c.id).where(deliveries.c.id == id)) is None:
                row = {"id": id, "digest": digest, "at": self._now()}
                await connection.execute(sa.insert(deliveries).values(row))
