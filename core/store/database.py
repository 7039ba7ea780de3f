"""Opens the database: one writer connection on SQLite, readers beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from core.errors import StoreUnavailable
from core.store.tables import workers

# The database said no, or the line for its one writer did not move.
_UNAVAILABLE = (sa.exc.OperationalError, sa.exc.TimeoutError)


def async_url(url: str) -> str:
    """The address for SQLAlchemy's async drivers, from the plain one of the settings."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1).replace(
        "sqlite://", "sqlite+aiosqlite://", 1
    )


class Database:
    """Transactions for writing, snapshots for reading.

    SQLite lets one writer in at a time, and waiting for the lock is unfair: with five writers the slowest
    transaction took 1.5 s, with one connection 50 ms. Hence one writer connection there; readers never wait.
    """

    def __init__(self, url: str, *, patience_s: float = 30) -> None:
        """Connects to nothing yet.

        Args:
            url: "sqlite:////absolute/path.db" or "postgresql://...".
            patience_s: How long a writer waits for others before the database counts as unavailable.
        """
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            patient = partial(create_async_engine, async_url(url), pool_timeout=patience_s)
            self._writer = patient(pool_size=1, max_overflow=0)
            self._reader = patient(pool_size=4, max_overflow=4)
            _set_up_sqlite(self._writer, begin="BEGIN IMMEDIATE", patience_s=patience_s)
            _set_up_sqlite(self._reader, begin="BEGIN", patience_s=patience_s)
        else:
            self._writer = self._reader = create_async_engine(
                async_url(url), pool_size=3, pool_timeout=patience_s
            )

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed at the end.

        Raises:
            StoreUnavailable: The database cannot be reached or written.
        """
        try:
            async with self._writer.begin() as connection:
                yield connection
        except _UNAVAILABLE as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view; nothing written in it is kept.

        Raises:
            StoreUnavailable: The database cannot be reached.
        """
        try:
            async with self._reader.connect() as connection:
                try:
                    yield connection
                finally:
                    # An autobegun read keeps the snapshot, and on SQLite the log, alive.
                    await connection.rollback()
        except _UNAVAILABLE as error:
            raise _unavailable(error) from error

    async def is_writable(self) -> bool:
        """Whether a transaction can be written now."""
        try:
            async with self.write() as connection:
                # Changes nothing, but needs everything that a change needs.
                await connection.execute(sa.delete(workers).where(sa.false()))
                if self.is_sqlite:  # A full disk shows only when something is really written.
                    await connection.execute(sa.text("PRAGMA user_version = 0"))
        except StoreUnavailable:
            return False
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


def _unavailable(error: sa.exc.SQLAlchemyError) -> StoreUnavailable:
    return StoreUnavailable(str(error.orig) if isinstance(error, sa.exc.DBAPIError) else str(error))


def _set_up_sqlite(engine: AsyncEngine, *, begin: str, patience_s: float) -> None:
    @sa.event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # We say BEGIN ourselves, below.
        cursor = connection.cursor()
        # First of all the patience: switching to WAL has to wait for others, too.
        cursor.execute(f"PRAGMA busy_timeout={round(patience_s * 1000)}")
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)
