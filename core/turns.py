"""The durable engine: one workflow per accepted message, one at a time per session. Only here is DBOS known.

A workflow that was cut short by a crash runs again from its beginning; whatever it does is therefore safe to
repeat. On a restart the new process recovers what the old one in the same slot left behind: the slot's file
lock proves that the old one is dead.
"""

import asyncio
import fcntl
import io
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from core.errors import ThreadlineError
from core.ids import SessionId, TurnId
from core.store.database import Database
from core.store.tables import workers

log = logging.getLogger(__name__)

RunTurn = Callable[[SessionId, TurnId], Awaitable[str]]

QUEUE = "turns"
APPLICATION = "threadline"
# For ever: workflows of another version would never be recovered. Changes go through DBOS.patch().
APPLICATION_VERSION = "1"
POLL_S = 0.1
SLOT = "worker-0"
# A waiting turn holds a place too; who may work is decided by admission, not here.
TURNS_AT_ONCE = 500
# Who gives up, and says so, is core.turn.live: a workflow that DBOS puts aside would end in silence.
RECOVERY_ATTEMPTS = 1_000
# Not used for deciding yet: another machine's worker would call this one dead after it.
LEASE_S = 30.0
# How long a turn that is over may take to be written down before we stop without it.
GRACE_S = 10.0
SETTLED_POLL_S = 0.01


class SlotTaken(ThreadlineError):
    """A living process works in this data folder already."""


_run_turn: RunTurn | None = None
_running: set[asyncio.Task[object]] = set()
"""Those that play a turn now; what else DBOS does for it comes before or after."""


@DBOS.step(name="run_turn")
async def _step(session_id: str, turn: str) -> str:
    assert _run_turn is not None, "the queue runs workflows only between start and stop"
    task = asyncio.current_task()
    assert task is not None
    _running.add(task)
    try:
        return await _run_turn(SessionId(session_id), TurnId(turn))
    finally:
        _running.discard(task)


async def _leave_it(_: SessionId, _turn: TurnId) -> str:
    """Play nothing: the turn stays as it is, for the next start."""
    raise asyncio.CancelledError


def _left_after(patience_s: float, dbos: DBOS) -> int:
    """How many workflows are still not written down; waits for them."""
    deadline = time.monotonic() + patience_s
    while (left := dbos._active_workflows_set.activeList()) and time.monotonic() < deadline:
        time.sleep(SETTLED_POLL_S)
    return len(left)


@DBOS.workflow(name="turn", max_recovery_attempts=RECOVERY_ATTEMPTS)
async def _workflow(session_id: str, turn: str) -> str:
    return await _step(session_id, turn)


class TurnQueue:
    """Enqueues turns inside the caller's transaction and runs them, surviving `kill -9`."""

    def __init__(self, database: Database, *, data_dir: Path) -> None:
        self._database = database
        self._data_dir = data_dir
        self._client = DBOSClient(
            system_database_url=database.url,
            application_name=APPLICATION,
            lazy=True,
            serializer=DBOSPortableJSONSerializer(),
        )
        self._lock: io.TextIOWrapper | None = None
        self._dbos: DBOS | None = None
        self._executor = ""

    def enqueue(self, connection: sa.Connection, session_id: SessionId, seq: int) -> None:
        """Queue the turn for message `seq`; it exists if and only if the transaction commits."""
        turn = f"turn:{session_id}:{seq:08d}"
        self._client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": "turn",
                "queue_name": QUEUE,
                "workflow_id": turn,
                "queue_partition_key": session_id,
                "app_version": APPLICATION_VERSION,
            },
            session_id,
            turn,
        )

    def claim(self) -> None:
        """Make sure that no other process works in this data folder, now and until `stop`.

        Two would end each other's agents and spend each other's budgets of calls. Safe to repeat.

        Raises:
            SlotTaken: One does.
        """
        if self._lock is not None:
            return
        lock = (self._data_dir / f"{SLOT}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise SlotTaken(f"another Threadline works in {self._data_dir}") from error
        self._lock = lock

    async def start(self, run: RunTurn) -> None:
        """Run what is queued, and recover what a dead process of this data folder had begun.

        Raises:
            SlotTaken: As for `claim`.
        """
        global _run_turn
        self.claim()
        _run_turn = run
        self._executor = f"{SLOT}-{uuid4().hex[:12]}"
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._database.url,
            "application_version": APPLICATION_VERSION,
            "executor_id": self._executor,
            "log_level": "ERROR",
            "max_executor_threads": 32,
            "sys_db_pool_size": 5,
            "notification_listener_polling_interval_sec": 1.0,
            "serializer": DBOSPortableJSONSerializer(),
        }
        self._dbos = DBOS(config=config)
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE,
            partition_concurrency=1,
            worker_concurrency=TURNS_AT_ONCE,
            polling_interval_sec=POLL_S,
        )
        dead = await self._register()
        if dead:
            await asyncio.to_thread(DBOS._recover_pending_workflows, dead)
            await self._mark(dead, "reaped")

    async def stop(self) -> None:
        """Stop taking turns. Unfinished ones stay as they are and are recovered at the next start.

        Call it last: what else waits for a thread at that moment is cancelled.
        """
        global _run_turn
        if self._dbos is not None:
            _run_turn = _leave_it
            await self._settle(self._dbos)
            self._dbos = None
        await self._mark([self._executor], "dead")
        await asyncio.to_thread(DBOS.destroy)
        # DBOS had put its own thread pool in the place of the loop's, and took it along.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        self._client.destroy()
        _run_turn = None
        if self._lock:
            self._lock.close()
            self._lock = None

    async def _settle(self, dbos: DBOS) -> None:
        """Begin no turn any more, cut short what is played, and let DBOS write down what is over.

        It would ask its thread pool for that after it has closed it: the turn would be played again.
        """
        for event in dbos.background_thread_stop_events:
            event.set()
        workers = [one for one in threading.enumerate() if one.name == f"queue-worker-{QUEUE}"]
        await asyncio.gather(*(asyncio.to_thread(one.join, GRACE_S) for one in workers))
        for task in list(_running):
            task.cancel()
        if left := await asyncio.to_thread(_left_after, GRACE_S, dbos):
            log.warning("turns did not settle", extra={"turns": left})

    async def _register(self) -> list[str]:
        async with self._database.write() as connection:
            dead = sa.select(workers.c.id).where(workers.c.slot == SLOT, workers.c.state != "reaped")
            left = list((await connection.execute(dead)).scalars())
            me = {"id": self._executor, "slot": SLOT, "lease": time.time() + LEASE_S, "state": "up"}
            await connection.execute(sa.insert(workers).values(me))
        return left

    async def _mark(self, executors: list[str], state: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(workers).where(workers.c.id.in_(executors)).values(state=state)
            )


def migrate(url: str) -> None:
    """Create or migrate the engine's own tables; messages can be enqueued from then on."""
    DBOS.migrate(url)
