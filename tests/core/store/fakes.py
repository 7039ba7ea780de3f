"""A real database in a file, a clock that stands still, and bad luck with both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import StoreUnavailable
from core.store.database import Database
from core.store.tables import metadata
from core.store.vault import KEY_BYTES, Vault

START = datetime(2026, 11, 21, 10, tzinfo=UTC)


class Clock:
    """Stands still between calls of `advance`."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def advance(self, step: timedelta) -> None:
        self.time += step


class Died(Exception):
    """The process ended here."""


class UnluckyDatabase(Database):
    """Fails the next write: `is_full` before it, `dies_before` and `dies_after` with the process."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.is_full = self.dies_before = self.dies_after = False

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        if self.is_full:
            raise StoreUnavailable("disk full")
        if self.dies_before:
            self.dies_before = False
            raise Died
        async with super().write() as connection:
            yield connection
        if self.dies_after:
            self.dies_after = False
            raise Died


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[UnluckyDatabase]:
    """A database with every table."""
    database = UnluckyDatabase(f"sqlite:///{folder / 'app.db'}")
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.close()


def vault_of(*letters: str) -> Vault:
    """A vault whose keys are these letters, newest first."""
    return Vault([letter.encode() * KEY_BYTES for letter in letters])
