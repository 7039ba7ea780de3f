"""Processes that die at any await: before and after each transaction, and around each call."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from core.activities import Logged
from core.ids import SessionId, ThreadRef
from core.mirror.chat_sink import ChatSink
from core.mirror.mirror import Mirror
from core.store import mirroring
from core.store.database import Database
from linear.sink import LinearSink
from tests.core.mirror.fakes import (
    Crash,
    FakeLinear,
    FakeSurface,
    FragileDatabase,
    Heard,
    JumpingClock,
    Luck,
    add_session,
    append,
    create,
    render,
)
from tests.core.mirror.logs import chat_story, linear_story, random_log

SESSIONS = 12


@pytest.fixture
async def fragile(tmp_path: Path) -> AsyncIterator[FragileDatabase]:
    database = FragileDatabase(f"sqlite:///{tmp_path / 'app.db'}")
    await create(database)
    yield database
    await database.close()


def thread(session: SessionId) -> ThreadRef:
    return ThreadRef("slack", "T1", "C" + session, "1")


async def write_logs(database: Database, random: Random) -> dict[SessionId, list[Logged]]:
    logs = {}
    for i in range(SESSIONS):
        session = SessionId(f"s{i}")
        await add_session(database, session)
        logs[session] = random_log(random, turns=2, length=4, thread=thread(session))
        await append(database, logs[session], session)
        async with database.write() as connection:
            target = str(thread(session))
            await mirroring.bind(connection, session, sink="slack", target=target, install="T1")
            await mirroring.bind(connection, session, sink="linear", target=f"l{session}", install="acme")
    return logs


async def live(database: Database, surface: FakeSurface, linear: FakeLinear, luck: Luck) -> bool:
    """One life of the process; whether it got everything shown before it died."""
    heard = Heard()
    mirror = Mirror(
        database,
        {"slack": ChatSink(surface, render), "linear": LinearSink(linear)},
        JumpingClock(),
        on_gone=heard.on_gone,
        on_trouble=heard.on_trouble,
        on_refused=heard.on_refused,
        random=luck.random.random,
        sweep_s=None,
    )
    mirror.start()
    try:
        async with asyncio.timeout(30):
            await mirror.drained()
    except Crash:
        return False
    finally:
        await mirror.stop()
    return True


@pytest.mark.parametrize("seed", range(9))
async def test_nothing_is_lost_repeated_or_out_of_order(seed: int, fragile: FragileDatabase) -> None:
    luck = Luck(Random(seed), crash=0.02, fail=0.05)
    logs = await write_logs(fragile, luck.random)
    fragile.luck = luck
    surface, linear = FakeSurface(luck), FakeLinear(luck)

    while not await live(fragile, surface, linear, luck):
        pass

    for session, log in logs.items():
        assert surface.solids(thread(session)) == chat_story(log)
        assert linear.solids(f"l{session}") == linear_story(log)
        cards = [text for text in surface.texts(thread(session)) if text.startswith("card")]
        assert cards == ["card t0: done", "card t1: done"]
    assert luck.crashes > 3  # How often exactly depends on what the tasks of a life get done before it ends.
