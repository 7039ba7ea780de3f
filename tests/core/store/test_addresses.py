"""Addresses: the newest one counts, for its own surface and install only."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import StoreUnavailable
from core.store.addresses import AddressStore
from core.store.tables import addresses
from tests.core.store.fakes import UnluckyDatabase, opened

AMER = {"service_url": "https://amer.test/"}
EMEA = {"service_url": "https://emea.test/"}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[UnluckyDatabase]:
    async with opened(tmp_path) as database:
        yield database


@pytest.fixture
def store(database: UnluckyDatabase) -> AddressStore:
    return AddressStore(database, "teams", now=lambda: 7.0)


async def test_the_newest_address_counts(store: AddressStore) -> None:
    await store.put("t1", {"c1": AMER})
    await store.put("t1", {"c1": EMEA})
    assert await store.find("t1", "c1") == EMEA


async def test_several_are_stored_at_once(store: AddressStore) -> None:
    await store.put("t1", {"c1": AMER})
    await store.put("t1", {"c1": EMEA, "29:ann": EMEA})
    assert [await store.find("t1", each) for each in ("c1", "29:ann")] == [EMEA, EMEA]


async def test_nothing_is_known_of_others(store: AddressStore, database: UnluckyDatabase) -> None:
    await store.put("t1", {"c1": AMER})
    elsewhere = AddressStore(database, "slack")
    found = [await store.find("t2", "c1"), await store.find("t1", "c2"), await elsewhere.find("t1", "c1")]
    assert found == [None, None, None]


async def test_it_is_noted_when_an_address_was_told(store: AddressStore, database: UnluckyDatabase) -> None:
    await store.put("t1", {"c1": AMER})
    async with database.read() as connection:
        assert await connection.scalar(sa.select(addresses.c.updated_at)) == 7.0


async def test_a_full_disk_is_said(store: AddressStore, database: UnluckyDatabase) -> None:
    database.is_full = True
    with pytest.raises(StoreUnavailable):
        await store.put("t1", {"c1": AMER})
    database.is_full = False
    assert await store.find("t1", "c1") is None
