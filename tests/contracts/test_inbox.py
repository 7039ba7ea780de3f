"""What every inbox promises the edges: `core.ports.Inbox`."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import StoreUnavailable
from core.events import Incoming, Said
from core.ids import MessageRef, ThreadRef
from core.ports import Inbox, Receipt
from core.routing import Repository
from tests.bots.slack.fakes import FakeInbox
from tests.core.turn.fakes import ANN, scene_in

THREAD = ThreadRef("slack", "T1", "C1", "100.1")


@dataclass
class Desk:
    """An inbox, and a way to take its store away for a while."""

    inbox: Inbox
    stored: Callable[[], int]
    away: Callable[[], AbstractContextManager[None]]


async def service(folder: Path) -> AsyncIterator[Desk]:
    file = folder / "app.db"
    nowhere = Repository(name="acme/shop", url=f"file://{folder}/none")
    async with scene_in(folder, [nowhere], patience_s=0.1) as scene:

        @contextmanager
        def away() -> Iterator[None]:
            with closing(sqlite3.connect(file, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                yield

        def stored() -> int:
            with closing(sqlite3.connect(file)) as reader:
                return int(reader.execute("SELECT count(*) FROM inbox").fetchone()[0])

        yield Desk(scene.service, stored, away)


async def fake(folder: Path) -> AsyncIterator[Desk]:
    inbox = FakeInbox()

    @contextmanager
    def away() -> Iterator[None]:
        inbox.is_down = True
        yield
        inbox.is_down = False

    yield Desk(inbox, lambda: len(inbox.accepted), away)


@pytest.fixture(params=[service, fake], ids=["service", "fake"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    async for one in request.param(tmp_path):
        yield one


def mention(key: str = "m1") -> Incoming:
    return Incoming(
        key=key,
        place=THREAD,
        event=Said("fix it"),
        author=ANN,
        opens=True,
        message=MessageRef(THREAD, key),
    )


async def test_an_event_is_accepted_once(desk: Desk) -> None:
    receipts = [await desk.inbox.accept(mention()) for _ in range(3)]
    assert receipts == [Receipt.ACCEPTED, Receipt.DUPLICATE, Receipt.DUPLICATE]
    assert desk.stored() == 1


async def test_of_many_copies_at_once_one_is_accepted(desk: Desk) -> None:
    receipts = await asyncio.gather(*(desk.inbox.accept(mention()) for _ in range(20)))
    assert sorted(receipts) == [Receipt.ACCEPTED, *[Receipt.DUPLICATE] * 19]


async def test_different_events_are_all_accepted(desk: Desk) -> None:
    receipts = [await desk.inbox.accept(mention(f"m{n}")) for n in range(3)]
    assert receipts == [Receipt.ACCEPTED] * 3
    assert desk.stored() == 3


async def test_what_could_not_be_stored_is_accepted_when_it_comes_again(desk: Desk) -> None:
    with desk.away(), pytest.raises(StoreUnavailable):
        await desk.inbox.accept(mention())
    assert desk.stored() == 0
    assert await desk.inbox.accept(mention()) is Receipt.ACCEPTED
