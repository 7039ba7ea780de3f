"""Opens the database: one writer connection on SQLite, readers beside it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from core.errors import StoreUnavailable
from core.store.tables import workers

T = TypeVar("T")

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
            async with _opened(self._writer) as connection:
                transaction = await _whole(connection.begin().start())
                try:
                    yield cast(AsyncConnection, _Uncut(connection))
                except BaseException:
                    await _whole(transaction.rollback())
                    raise
                await _whole(transaction.commit())
        except _UNAVAILABLE as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view; nothing written in it is kept.

        Raises:
            StoreUnavailable: The database cannot be reached.
        """
        try:
            async with _opened(self._reader) as connection:
                try:
                    yield cast(AsyncConnection, _Uncut(connection))
                finally:
                    # An autobegun read keeps the snapshot, and on SQLite the log, alive.
                    await _whole(connection.rollback())
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


class _Uncut:
    """What is used of a connection, each call whole.

    A task that is cancelled in the middle of a call to SQLite leaves a connection behind that still holds
    the write lock, and everybody waits for it for ever. So a cancellation counts only between two calls.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> sa.Dialect:
        return self._connection.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        return await _whole(self._connection.execute(statement, parameters))

    async def scalar(self, statement: Any) -> Any:
        return await _whole(self._connection.scalar(statement))

    async def scalars(self, statement: Any) -> Any:
        return await _whole(self._connection.scalars(statement))

    async def run_sync(self, work: Callable[..., T], *arguments: Any) -> T:
        return await _whole(self._connection.run_sync(work, *arguments))


@asynccontextmanager
async def _opened(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    connection = engine.connect()
    try:
        yield await _whole(connection.start())
    finally:
        if connection.sync_connection is not None:  # It was opened, even if nobody waited for that.
            await _whole(connection.close())


async def _whole(work: Awaitable[T]) -> T:
    """The result of `work`, which runs to its end whoever is cancelled; the cancellation comes after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # Nobody else will look.
        raise cancelled
    return task.result()


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
