"""Tickets count once, for a while, for one purpose."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.store.database import Database
from core.store.tables import tickets
from core.store.tickets import TicketStore
from tests.core.store.fakes import Clock, opened

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Database, clock: Clock) -> TicketStore:
    return TicketStore(database, now=clock.now)


async def test_a_ticket_counts_once(store: TicketStore) -> None:
    ticket = await store.issue("door", MINUTE, {"to": "room 3"})
    assert await store.redeem("door", ticket) == {"to": "room 3"}
    assert await store.redeem("door", ticket) is None


async def test_of_many_at_once_one_gets_in(store: TicketStore) -> None:
    ticket = await store.issue("door", MINUTE)
    answers = await asyncio.gather(*(store.redeem("door", ticket) for _ in range(20)))
    assert answers.count({}) == 1
    assert answers.count(None) == 19


async def test_a_ticket_for_something_else_does_not_count_and_is_kept(store: TicketStore) -> None:
    ticket = await store.issue("door", MINUTE)
    assert await store.redeem("window", ticket) is None
    assert not await store.is_good("window", ticket)
    assert await store.redeem("door", ticket) == {}


@pytest.mark.parametrize(
    "ticket", ["", "nonsense", "\udcff", "x" * 10_000], ids=["", "text", "bytes", "long"]
)
async def test_what_was_never_issued_does_not_count(store: TicketStore, ticket: str) -> None:
    await store.issue("door", MINUTE)
    assert not await store.is_good("door", ticket)
    assert await store.redeem("door", ticket) is None


async def test_looking_does_not_use_it_up(store: TicketStore) -> None:
    ticket = await store.issue("door", MINUTE)
    assert [await store.is_good("door", ticket) for _ in range(2)] == [True, True]


async def test_a_ticket_ends_with_its_time(store: TicketStore, clock: Clock) -> None:
    ticket = await store.issue("door", MINUTE)
    clock.advance(MINUTE)
    assert not await store.is_good("door", ticket)
    assert await store.redeem("door", ticket) is None


async def test_old_tickets_are_cleared_away(store: TicketStore, clock: Clock, database: Database) -> None:
    await store.issue("door", MINUTE)
    clock.advance(MINUTE)
    await store.issue("door", MINUTE)
    async with database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(tickets)) == 1


async def test_voiding_ends_every_ticket_for_a_purpose(store: TicketStore) -> None:
    doors = [await store.issue("door", MINUTE) for _ in range(2)]
    window = await store.issue("window", MINUTE)
    await store.void("door")
    assert [await store.is_good("door", ticket) for ticket in doors] == [False, False]
    assert await store.is_good("window", window)


async def test_the_database_holds_nothing_that_can_be_redeemed(
    store: TicketStore, database: Database
) -> None:
    ticket = await store.issue("door", MINUTE)
    async with database.read() as connection:
        digest = await connection.scalar(sa.select(tickets.c.digest))
    assert ticket != digest
    assert not await store.is_good("door", str(digest))
