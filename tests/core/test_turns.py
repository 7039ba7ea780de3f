"""The durable queue on real SQLite: enqueued with the transaction, ordered, and run again after a crash."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.ids import SessionId, TurnId
from core.store import migrate
from core.store.database import Database
from core.turns import SlotTaken, TurnQueue
from core.turns import migrate as migrate_engine

A, B = SessionId("a"), SessionId("b")
PATIENCE_S = 20
CHILD = """
import asyncio, sys
from pathlib import Path
from core.store.database import Database
from core.turns import TurnQueue

async def run(session, turn):
    print(turn, flush=True)
    await asyncio.Event().wait()

async def main():
    queue = TurnQueue(Database(sys.argv[1]), data_dir=Path(sys.argv[2]))
    await queue.start(run)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def turn(session: SessionId, seq: int) -> TurnId:
    return TurnId(f"turn:{session}:{seq:08d}")


class Turns:
    """Plays turns as a test allows; remembers which began and which ended."""

    def __init__(self) -> None:
        self.began: list[TurnId] = []
        self.ended: list[TurnId] = []
        self.held: dict[TurnId, asyncio.Event] = {}
        self._changed = asyncio.Condition()

    def hold(self, turn: TurnId) -> None:
        """It does not end before `let_go`."""
        self.held[turn] = asyncio.Event()

    def let_go(self, turn: TurnId) -> None:
        self.held[turn].set()

    async def run(self, session: SessionId, turn: TurnId) -> str:
        assert turn.startswith(f"turn:{session}:")
        await self._add(self.began, turn)
        if held := self.held.get(turn):
            await held.wait()
        await self._add(self.ended, turn)
        return "done"

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(holds)

    async def _add(self, to: list[TurnId], turn: TurnId) -> None:
        async with self._changed:
            to.append(turn)
            self._changed.notify_all()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, made once."""
    path = tmp_path_factory.mktemp("template") / "app.db"
    migrate.upgrade(f"sqlite:///{path}")
    migrate_engine(f"sqlite:///{path}")
    return path


@pytest.fixture
def url(template: Path, tmp_path: Path) -> str:
    (tmp_path / "app.db").write_bytes(template.read_bytes())
    return f"sqlite:///{tmp_path / 'app.db'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
async def queue(database: Database, tmp_path: Path) -> AsyncIterator[TurnQueue]:
    queue = TurnQueue(database, data_dir=tmp_path)
    yield queue
    await queue.stop()


@pytest.fixture
def turns() -> Turns:
    return Turns()


async def enqueue(database: Database, queue: TurnQueue, *messages: tuple[SessionId, int]) -> None:
    async with database.write() as connection:
        for session, seq in messages:
            await connection.run_sync(queue.enqueue, session, seq)


async def test_a_turn_exists_if_and_only_if_the_transaction_is_kept(
    database: Database, queue: TurnQueue, turns: Turns
) -> None:
    async def fail() -> None:
        async with database.write() as connection:
            await connection.run_sync(queue.enqueue, A, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await enqueue(database, queue, (A, 2))
    await queue.start(turns.run)
    await turns.until(lambda: turns.ended == [turn(A, 2)])
    assert turns.began == [turn(A, 2)]
    await queue.stop()
    # The engine takes its threads along, but not the loop's.
    assert await asyncio.to_thread(lambda: "works") == "works"


async def test_turns_of_a_session_are_played_one_after_the_other_and_sessions_beside_each_other(
    database: Database, queue: TurnQueue, turns: Turns
) -> None:
    turns.hold(turn(A, 1))
    turns.hold(turn(B, 1))
    await queue.start(turns.run)
    await enqueue(database, queue, (A, 1), (A, 2), (A, 3))
    await enqueue(database, queue, (B, 1), (B, 2))
    await turns.until(lambda: set(turns.began) == {turn(A, 1), turn(B, 1)})
    turns.let_go(turn(B, 1))
    await turns.until(lambda: turn(B, 2) in turns.ended)
    assert [one for one in turns.began if one.startswith("turn:a:")] == [turn(A, 1)]
    turns.let_go(turn(A, 1))
    await turns.until(lambda: turn(A, 3) in turns.ended)
    assert [one for one in turns.ended if one.startswith("turn:a:")] == [turn(A, n) for n in (1, 2, 3)]


async def test_turns_that_a_stop_cut_short_are_played_again_after_the_next_start(
    database: Database, tmp_path: Path, turns: Turns
) -> None:
    """A goes on waiting when the queue stops; B's player is cancelled before it."""
    playing: dict[TurnId, asyncio.Task[str]] = {}

    async def cancellable(session: SessionId, id: TurnId) -> str:
        playing[id] = asyncio.create_task(turns.run(session, id))
        return await playing[id]

    turns.hold(turn(A, 1))
    turns.hold(turn(B, 2))
    first = TurnQueue(database, data_dir=tmp_path)
    await first.start(cancellable)
    await enqueue(database, first, (A, 1), (A, 2), (B, 1), (B, 2), (B, 3))
    await turns.until(lambda: {turn(A, 1), turn(B, 2)} <= set(turns.began))
    playing[turn(B, 2)].cancel()
    await asyncio.gather(playing[turn(B, 2)], return_exceptions=True)
    await first.stop()

    again = Turns()
    second = TurnQueue(database, data_dir=tmp_path)
    await second.start(again.run)
    await again.until(lambda: {turn(A, 2), turn(B, 3)} <= set(again.ended))
    await second.stop()
    assert turns.ended == [turn(B, 1)]
    assert sorted(again.began) == [turn(A, 1), turn(A, 2), turn(B, 2), turn(B, 3)]
    assert again.began.index(turn(A, 1)) < again.began.index(turn(A, 2))
    assert again.began.index(turn(B, 2)) < again.began.index(turn(B, 3))
    for task in playing.values():
        task.cancel()
    await asyncio.gather(*playing.values(), return_exceptions=True)


async def test_turns_that_end_as_the_queue_stops_are_over_and_it_stops_without_a_word(
    database: Database, tmp_path: Path, turns: Turns, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = [SessionId(name) for name in "cdefghij"]
    all_over = asyncio.Event()

    async def run(session: SessionId, id: TurnId) -> str:
        outcome = await turns.run(session, id)
        if len(turns.ended) == len(sessions):
            all_over.set()  # Some are written down by now, some are about to be.
        return outcome

    first = TurnQueue(database, data_dir=tmp_path)
    await first.start(run)
    for session in sessions:
        turns.hold(turn(session, 1))
    await enqueue(database, first, *((session, 1) for session in sessions))
    await turns.until(lambda: len(turns.began) == len(sessions))
    engine = logging.getLogger("dbos")  # It tells nobody above it.
    engine.addHandler(caplog.handler)
    for session in sessions:
        turns.let_go(turn(session, 1))
    async with asyncio.timeout(PATIENCE_S):
        await all_over.wait()
        await first.stop()
    engine.removeHandler(caplog.handler)
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []

    again = Turns()
    second = TurnQueue(database, data_dir=tmp_path)
    await second.start(again.run)
    await enqueue(database, second, (A, 1))
    await again.until(lambda: turn(A, 1) in again.ended)
    await second.stop()
    assert again.began == [turn(A, 1)]


async def test_a_queue_that_never_started_stops(database: Database, tmp_path: Path) -> None:
    await TurnQueue(database, data_dir=tmp_path).stop()


@pytest.mark.fault
async def test_turns_of_a_killed_process_are_played_by_the_next_one_in_order(
    database: Database, queue: TurnQueue, url: str, tmp_path: Path, turns: Turns
) -> None:
    await enqueue(database, queue, (A, 1), (A, 2))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, url, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        assert (await child.stdout.readline()).decode().strip() == turn(A, 1)
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()

    await queue.start(turns.run)
    await turns.until(lambda: turn(A, 2) in turns.ended)
    assert turns.began == [turn(A, 1), turn(A, 2)]


async def test_a_living_process_has_the_data_folder_to_itself(
    database: Database, queue: TurnQueue, url: str, tmp_path: Path, turns: Turns
) -> None:
    await enqueue(database, queue, (A, 1))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, url, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            await child.stdout.readline()
        with pytest.raises(SlotTaken, match="another Threadline works in"):
            await queue.start(turns.run)
    finally:
        child.kill()
        await child.wait()
