from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from core.activities import Response
from core.mirror.story import LASTING_KINDS, fold
from core.store import mirroring
from core.store.database import Database
from core.store.mirroring import BindingKey, Progress, Step, StoredOp
from tests.core.mirror.fakes import SESSION, add_session, append, create, logged
from tests.core.mirror.logs import random_log

KEY = BindingKey(SESSION, "slack", "slack:T1/C1/1")
OP = StoredOp("op1", {"call": {"do": "post"}}, Step(1))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'app.db'}")
    await create(database)
    await add_session(database)
    async with database.write() as connection:
        await mirroring.bind(connection, SESSION, sink=KEY.sink, target=KEY.target, install="T1")
    yield database
    await database.close()


async def test_binding_twice_keeps_the_cursor(database: Database) -> None:
    async with database.write() as connection:
        await mirroring.advance(connection, KEY, 7)
        await mirroring.bind(connection, SESSION, sink=KEY.sink, target=KEY.target, install="T1")

        assert [binding.cursor for binding in await mirroring.bindings_of(connection, [SESSION])] == [7]


async def test_a_second_call_is_not_begun_beside_one_in_the_air(database: Database) -> None:
    async with database.write() as connection:
        assert await mirroring.begin(connection, KEY, OP, at=1.0)
        assert not await mirroring.begin(connection, KEY, StoredOp("op2", {}, Step(2)), at=2.0)
        assert await mirroring.sending(connection, KEY) == OP


@pytest.mark.parametrize(("executed", "left"), [(True, OP), (False, None)])
async def test_only_a_call_that_may_have_been_executed_is_found_again(
    database: Database, executed: bool, left: StoredOp | None
) -> None:
    async with database.write() as connection:
        await mirroring.begin(connection, KEY, OP, at=1.0)
        await mirroring.fail(connection, KEY, OP, executed=executed, next_at=9.0, fails=3)

        assert await mirroring.sending(connection, KEY) == left
        binding = (await mirroring.bindings_of(connection, [SESSION]))[0]
        assert (binding.next_at, binding.fails, binding.cursor) == (9.0, 3, 0)


async def test_a_finished_call_moves_cursor_part_and_memory_together(database: Database) -> None:
    async with database.write() as connection:
        await mirroring.begin(connection, KEY, StoredOp("op1", {}, Step(4, 2)), at=1.0)
        moved = StoredOp("op1", {}, Step(4, 2))
        await mirroring.finish(connection, KEY, moved, result="m1", memory={"a": 1}, at=5.0)

        binding = (await mirroring.bindings_of(connection, [SESSION]))[0]
        assert (binding.cursor, binding.part, binding.memory, binding.fails) == (4, 2, {"a": 1}, 0)
        assert await mirroring.delivered_at(connection, KEY) == 5.0
        assert await mirroring.sending(connection, KEY) is None


async def test_a_call_that_was_given_up_was_not_delivered(database: Database) -> None:
    async with database.write() as connection:
        await mirroring.begin(connection, KEY, OP, at=1.0)
        await mirroring.finish(connection, KEY, OP, result=None, memory={}, at=5.0)

        assert await mirroring.delivered_at(connection, KEY) is None
        assert (await mirroring.bindings_of(connection, [SESSION]))[0].cursor == 1


async def test_a_suppressed_binding_is_never_behind(database: Database) -> None:
    await append(database, [logged(1, Response(body="a"))])
    async with database.write() as connection:
        assert await mirroring.behind(connection) == {SESSION}
        await mirroring.begin(connection, KEY, OP, at=1.0)
        await mirroring.suppress(connection, KEY, "chat.gone")

        assert await mirroring.behind(connection) == set()
        assert await mirroring.sending(connection, KEY) is None
        assert await mirroring.progress(connection, SESSION) == [
            Progress("slack", KEY.target, 0, 1, "chat.gone")
        ]


async def test_a_binding_that_has_shown_everything_is_not_behind(database: Database) -> None:
    await append(database, [logged(1, Response(body="a"))])
    async with database.write() as connection:
        await mirroring.advance(connection, KEY, 1)

        assert await mirroring.behind(connection) == set()


@pytest.mark.parametrize("seed", range(5))
async def test_the_story_is_the_same_without_what_passed_in_earlier_turns(
    database: Database, seed: int
) -> None:
    log = random_log(Random(seed), turns=4)
    await append(database, log)
    async with database.read() as connection:
        for through in (0, 1, len(log) // 2, len(log)):
            before = await mirroring.prefix(connection, SESSION, through=through, lasting=LASTING_KINDS)
            assert fold(before).card == fold(log[:through]).card
            assert len(before) <= through


async def test_entries_come_back_as_they_were_written(database: Database) -> None:
    log = random_log(Random(3), turns=1)
    await append(database, log)
    async with database.read() as connection:
        assert await mirroring.entries(connection, SESSION, after=0, limit=1000) == log
        assert await mirroring.entries(connection, SESSION, after=2, limit=2) == log[2:4]
