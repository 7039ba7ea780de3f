"""Threads that we begin: once, whatever the chat, Linear, the store or the process does meanwhile."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.activities import Author, Blocked, Blocker, Entry, Notice, Outcome, Response, Unblocked
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from core.events import Incoming, Said, SessionOpened, ThreadMessage
from core.ids import MessageRef, SessionId, ThreadRef, TurnId
from core.mirror.opening import Door, ThreadOpenings, began, gone
from core.ports import Payload, TrackedIssue
from core.session import Given, HandedOver, TurnClosed, TurnOpened
from core.store import mirroring
from core.store.openings import OpeningStore
from core.store.sessions import SessionStore
from tests.core.mirror.fakes import JumpingClock, render
from tests.core.store.fakes import UnluckyDatabase, opened

EVE = Author("linear", "eve", "Eve")
ISSUE = TrackedIssue("i1", "ENG-1", "Search\nis broken", "https://linear.test/ENG-1", None, "ENG")
PLACE = "slack:T1/C1"
DOWN, MAYBE = TryLater("down"), TryLater("lost", maybe_done=True)
THROTTLED = Throttled("slow down", retry_after_s=5)
ARCHIVED = TargetGone("archived", code=Blocker.CHAT_GONE)


@dataclass
class Chat:
    """A chat in which what we begin stands under its key; `fails` are the outcomes of the next calls."""

    fails: list[DeliveryError] = field(default_factory=list)
    linkless: list[DeliveryError] = field(default_factory=list)
    begun: dict[str, Payload] = field(default_factory=dict)
    looked: list[bool] = field(default_factory=list)

    async def open_thread(
        self, place: str, payload: Payload, *, key: str, tried_at: float | None
    ) -> ThreadRef:
        self.looked.append(tried_at is not None)
        error = self.fails.pop(0) if self.fails else None
        if error is None or getattr(error, "maybe_done", False):
            assert tried_at is not None or key not in self.begun, "begun twice"
            self.begun[key] = payload
        if error is not None:
            raise error
        return ThreadRef("slack", "T1", "C1", "1.1")

    async def permalink(self, message: MessageRef) -> str:
        if self.linkless:
            raise self.linkless.pop(0)
        return f"https://chat.test/{message.id}"

    async def history(self, thread: ThreadRef) -> Sequence[ThreadMessage]:
        return ()

    async def person(self, author: Author) -> Author:
        return author


@dataclass
class World:
    database: UnluckyDatabase
    session: SessionId
    chat: Chat = field(default_factory=Chat)
    links: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[DeliveryError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sessions = SessionStore(self.database, now=lambda: 0.0, redact=str)
        self.store = OpeningStore(self.database)
        self.is_on = True

    async def link(self, session: str, url: str) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.links.append((session, url))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ThreadOpenings]:
        openings = ThreadOpenings(
            self.store,
            self.sessions,
            JumpingClock(),
            channels={"ENG": PLACE},
            doors={"slack": Door(self.chat, self.chat, render)} if self.is_on else {},
            link=self.link,
            wake_mirror=lambda _: None,
        )
        openings.start()
        yield openings
        await openings.stop()

    async def told(self) -> list[Entry]:
        log = await self.sessions.log(self.session)
        return [one.entry for one in log if isinstance(one.entry, Blocked | Unblocked)]

    async def targets(self) -> list[tuple[str, int]]:
        async with self.database.read() as connection:
            found = await mirroring.bindings_of(connection, [self.session])
        return [(one.key.target, one.cursor) for one in found if one.key.sink == "slack"]

    async def settled(self) -> None:
        while await self.store.due():
            await self.sessions.load(self.session)  # A step of the database, and so of the loop.


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A session from Linear in its first turn."""
    async with opened(tmp_path) as database:
        store = SessionStore(database, now=lambda: 0.0, redact=str)
        event = SessionOpened("as1", "i1", by_person=True)
        incoming = Incoming(key="k1", place="as1", event=event, author=EVE, opens=True)
        session = (await store.accept(incoming, lambda *_: None)).session_id
        assert session is not None
        turn = TurnOpened(turn=TurnId("t1"), given=(Given("k1", EVE, "Search"),), at=0.0)
        await store.apply(session, turn, epoch=None)
        yield World(database, session)


async def test_a_thread_is_begun_bound_and_linked(world: World) -> None:
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()

    assert list(world.chat.begun) == [f"{world.session}/opening"]
    assert world.chat.looked == [False]
    assert world.links == [("as1", "https://chat.test/1.1")]
    assert await world.targets() == [("slack:T1/C1/1.1", 0)]
    record = await world.sessions.load(world.session)
    assert (record.thread, record.thread_url) == (
        ThreadRef("slack", "T1", "C1", "1.1"),
        "https://chat.test/1.1",
    )


async def test_a_session_of_another_team_or_with_a_thread_gets_none(world: World) -> None:
    other = TrackedIssue("i2", "OPS-1", "Disk", "https://linear.test/OPS-1", None, "OPS")
    async with world.running() as openings:
        await openings.want(world.session, other, EVE)
        assert not await world.store.due()
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()
        await openings.want(world.session, ISSUE, EVE)
        assert not await world.store.due()

    assert world.chat.looked == [False]


@pytest.mark.parametrize(
    ("error", "looked"),
    [(DOWN, False), (MAYBE, True), (THROTTLED, False)],
    ids=["down", "lost", "throttled"],
)
async def test_it_is_tried_until_it_is_there_and_looked_for_where_it_may_be_there(
    world: World, error: DeliveryError, looked: bool
) -> None:
    world.chat.fails = [error, error]
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()

    assert world.chat.looked == [False, looked, looked]
    assert len(world.chat.begun) == 1
    assert await world.told() == []


async def test_what_may_be_there_is_looked_for_whatever_comes_after(world: World) -> None:
    world.chat.fails = [MAYBE, DOWN, THROTTLED]
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()

    assert world.chat.looked == [False, True, True, True]


async def test_trouble_that_lasts_is_told_once_and_so_is_its_end(world: World) -> None:
    world.chat.fails = [DOWN] * 8
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()

    first, second = await world.told()
    assert isinstance(first, Blocked)
    assert (first.code, second) == (Blocker.CHAT_THROTTLED, Unblocked(code=Blocker.CHAT_THROTTLED))


@pytest.mark.parametrize("error", [ARCHIVED, Refused("no")], ids=["gone", "refused"])
async def test_a_place_that_is_gone_is_told_and_wanted_again_by_the_next_turn(
    world: World, error: DeliveryError
) -> None:
    world.chat.fails = [error]
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()
        assert await world.told() == [gone(PLACE)]
        assert await world.targets() == []
        await openings.want(world.session, ISSUE, None)
        await world.settled()

    # Of the first attempt nobody knows for ever whether nothing came of it.
    assert world.chat.looked == [False, True]
    assert len(await world.targets()) == 1


async def test_a_place_that_is_gone_is_told_after_the_turn_too(world: World) -> None:
    await world.sessions.apply(
        world.session,
        HandedOver(("k1",)),
        TurnClosed(terminal=Response(body="Done."), outcome=Outcome.DONE, at=1.0),
        epoch=None,
    )
    world.chat.fails = [ARCHIVED]
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()
    log = [one.entry for one in await world.sessions.log(world.session)]
    assert Notice(body=gone(PLACE).body, surface="linear") in log
    assert await world.told() == []


async def test_a_chat_that_is_switched_off_is_told_too(world: World) -> None:
    world.is_on = False
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()
    assert await world.told() == [gone(PLACE)]


def chat_fails(world: World, error: DeliveryError) -> None:
    world.chat.linkless = [error]


def linear_fails(world: World, error: DeliveryError) -> None:
    world.refusals = [error]


@pytest.mark.parametrize("side", [chat_fails, linear_fails])
@pytest.mark.parametrize(("error", "links"), [(MAYBE, 1), (THROTTLED, 1), (Refused("no"), 0), (ARCHIVED, 0)])
async def test_a_link_that_fails_costs_no_second_thread(
    world: World, side: Callable[[World, DeliveryError], None], error: DeliveryError, links: int
) -> None:
    side(world, error)
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()

    assert world.chat.looked == [False]
    assert len(world.links) == links
    assert len(await world.targets()) == 1
    assert await world.told() == []


async def test_what_an_earlier_process_wanted_is_done_by_the_next(world: World) -> None:
    await world.store.want(world.session, PLACE, "Hello")
    await world.store.trying(world.session, at=5.0)
    async with world.running():
        await world.settled()
    assert world.chat.looked == [True]


async def test_a_store_that_is_away_delays_and_loses_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.store.want(world.session, PLACE, "Hello")
    world.database.is_full = True
    async with world.running():
        while "cannot use the store" not in caplog.text:
            await world.sessions.load(world.session)
        world.database.is_full = False
        await world.settled()
    assert len(await world.targets()) == 1


async def test_it_shows_the_session_from_the_turn_on_that_wants_it(world: World) -> None:
    first = TurnClosed(terminal=Response(body="Done."), outcome=Outcome.DONE, at=1.0)
    again = TurnOpened(turn=TurnId("t2"), given=(Given("k2", EVE, "more"),), at=2.0)
    await world.sessions.apply(world.session, HandedOver(("k1",)), first, epoch=None)
    ended = (await world.sessions.log(world.session))[-1].n
    await world.sessions.apply(world.session, again, epoch=None)
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()
    assert ended > 0
    assert await world.targets() == [("slack:T1/C1/1.1", ended)]


@pytest.mark.parametrize(
    ("by", "end"), [(EVE, "started in Linear by Eve"), (None, "started in Linear")], ids=["person", "nobody"]
)
def test_the_first_message_is_one_line(by: Author | None, end: str) -> None:
    assert began(ISSUE, by) == f"[ENG-1](https://linear.test/ENG-1) · Search is broken · {end}"


async def test_who_mentions_us_under_it_first_keeps_the_thread_and_the_story_is_shown_all_the_same(
    world: World,
) -> None:
    there = ThreadRef("slack", "T1", "C1", "1.1")
    asked = Incoming(key="m1", place=there, event=Said("fix it"), author=EVE, opens=True)
    other = (await world.sessions.accept(asked, lambda *_: None)).session_id
    async with world.running() as openings:
        await openings.want(world.session, ISSUE, EVE)
        await world.settled()

    assert await world.targets() == [("slack:T1/C1/1.1", 0)]
    said = Incoming(key="m2", place=there, event=Said("and test it"), author=EVE)
    assert (await world.sessions.accept(said, lambda *_: None)).session_id == other
