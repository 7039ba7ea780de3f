"""Transactions on a real SQLite file, and what happens when it cannot be written."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import StoreUnavailable
from core.store.database import Database, async_url
from core.store.tables import metadata, workers

INSERT = sa.text("INSERT INTO numbers VALUES (:n)")
ALL = sa.text("SELECT n FROM numbers ORDER BY n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{file}", patience_s=0.05)
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(sa.text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    yield database
    await database.close()


async def numbers(database: Database) -> list[int]:
    async with database.read() as connection:
        return list((await connection.execute(ALL)).scalars())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////var/app.db", "sqlite+aiosqlite:////var/app.db"),
        ("postgresql://bot@db/app", "postgresql+psycopg://bot@db/app"),
    ],
)
def test_the_plain_address_gets_the_async_driver(url: str, expected: str) -> None:
    assert async_url(url) == expected


async def test_a_transaction_is_kept(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(INSERT, {"n": 1})
    assert await numbers(database) == [1]


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as connection:
            await connection.execute(INSERT, {"n": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await numbers(database) == []


async def test_a_transaction_that_is_cancelled_leaves_nothing_and_the_next_one_works(
    database: Database,
) -> None:
    written = asyncio.Event()

    async def write_for_ever() -> None:
        async with database.write() as connection:
            await connection.execute(INSERT, {"n": 1})
            written.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write_for_ever())
    await written.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with database.write() as connection:
        await connection.execute(INSERT, {"n": 2})
    assert await numbers(database) == [2]


async def test_writers_take_turns(database: Database, file: Path) -> None:
    patient = Database(f"sqlite:///{file}")

    async def increment() -> None:
        async with patient.write() as connection:
            highest = await connection.scalar(sa.text("SELECT coalesce(max(n), 0) FROM numbers"))
            await asyncio.sleep(0)
            await connection.execute(INSERT, {"n": (highest or 0) + 1})

    await asyncio.gather(*(increment() for _ in range(20)))
    await patient.close()
    assert await numbers(database) == list(range(1, 21))


async def test_readers_neither_wait_for_the_writer_nor_see_what_is_not_kept(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(INSERT, {"n": 1})
        assert await numbers(database) == []


async def test_what_a_reader_writes_is_not_kept(database: Database) -> None:
    async with database.read() as connection:
        await connection.execute(INSERT, {"n": 1})
    assert await numbers(database) == []


async def test_a_database_that_somebody_else_has_locked_is_unavailable(
    database: Database, file: Path
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            async with database.write():
                pass
        assert not await database.is_writable()
        other.execute("ROLLBACK")
    assert await database.is_writable()


async def test_a_line_for_the_writer_that_does_not_move_is_unavailable(database: Database) -> None:
    async with database.write():
        with pytest.raises(StoreUnavailable):
            async with database.write():
                pass


async def test_a_database_without_its_tables_is_unavailable(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="no such table"):
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT n FROM letters"))


async def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    others = threading.enumerate()
    database = Database(f"sqlite:///{tmp_path / 'no folder' / 'app.db'}")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        async with database.read():
            pass
    assert not await database.is_writable()
    await database.close()
    # A connection that failed ends its thread later, which tells the loop; so the loop has to be there still.
    workers = [one for one in threading.enumerate() if "_connection_worker_thread" in one.name]
    for worker in workers:
        if worker not in others:
            await asyncio.to_thread(worker.join, 10)


async def test_a_database_that_cannot_be_written_is_not_ready(database: Database, file: Path) -> None:
    readonly = Database(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert await numbers(readonly) == []
    assert not await readonly.is_writable()
    await readonly.close()


async def test_a_cancelled_writer_leaves_no_lock_behind(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'app.db'}", patience_s=5)
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)

    async def register(number: int) -> None:
        async with database.write() as connection:
            row = {"id": f"w{number}", "slot": "s", "lease": 0, "state": "up"}
            await connection.execute(sa.insert(workers).values(row))
            await connection.execute(sa.select(workers).limit(1))

    for number in range(300):
        doomed, other = (asyncio.create_task(register(one)) for one in (number, number + 1000))
        # Somewhere in the middle: a whole transaction takes about two milliseconds.
        await asyncio.wait({doomed}, timeout=number % 30 / 10_000)
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)
        await other
    async with database.read() as connection:
        count = sa.select(sa.func.count()).select_from(workers).where(workers.c.id.in_(["w1000", "w1299"]))
        assert await connection.scalar(count) == 2
    await database.close()
