"""Addresses: what a platform told last about how to reach a conversation, or the person behind an id."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core.store.database import Database
from core.store.tables import addresses


class AddressStore:
    """The addresses of one surface; an address is JSON-able, and only its adapter looks inside.

    Args:
        surface: "teams".
        now: Seconds since the epoch.
    """

    def __init__(self, database: Database, surface: str, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._surface = surface
        self._now = now

    async def find(self, install: str, target: str) -> dict[str, Any] | None:
        """The newest address of `target`, an id of the platform's; None if it never told one."""
        query = sa.select(addresses.c.address).where(
            addresses.c.surface == self._surface,
            addresses.c.install == install,
            addresses.c.target == target,
        )
        async with self._database.read() as connection:
            found: dict[str, Any] | None = await connection.scalar(query)
        return found

    async def put(self, install: str, known: Mapping[str, Mapping[str, Any]]) -> None:
        """Store these addresses, by target, in place of what was known before.

        Raises:
            StoreUnavailable: Nothing was stored.
        """
        now = self._now()
        rows = [
            {
                "surface": self._surface,
                "install": install,
                "target": target,
                "address": dict(address),
                "updated_at": now,
            }
            for target, address in known.items()
        ]
        async with self._database.write() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            insert = dialect.insert(addresses)
            newer = {"address": insert.excluded.address, "updated_at": insert.excluded.updated_at}
            primary_key = ["surface", "install", "target"]
            await connection.execute(
                insert.on_conflict_do_update(index_elements=primary_key, set_=newer), rows
            )
