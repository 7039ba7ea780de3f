"""Keeps every projection up with its log: what there is to do, and who is served next."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import StoreUnavailable, Throttled
from core.ids import SessionId
from core.mirror.budget import Budgets, Candidate, in_turn
from core.mirror.clock import Clock
from core.mirror.delivery import Delivery, OnGone, OnRefused, OnTrouble, budget_key
from core.mirror.lane import Begun, Lane, Planned
from core.mirror.queue import Advance, Idle, Wait
from core.mirror.sink import Sink
from core.mirror.story import LASTING_KINDS, fold
from core.store import mirroring
from core.store.database import Database
from core.store.mirroring import Binding, BindingKey, Progress, Step

log = logging.getLogger(__name__)

CONCURRENCY = 8

BATCH = 200
"""Entries of one binding that are looked at together."""

LANES_KEPT = 500

SWEEP_S = 5.0
"""How often to look for entries that nobody woke us for: those of other processes."""

STORE_PAUSE_S = 1.0

PASSING_WAITS_S = 3.0
"""How long something waits for its budget that something newer will follow, before it is left out."""

GRACE_S = 10.0
"""How long calls in the air may take to end when we stop; the platforms' clients give up by then."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    session: SessionId | None
    settled: asyncio.Future[None]


class Mirror:
    """Delivers the log of every session to every place that is bound to it.

    At most one call per binding is in the air, and it is written down before it is made. Only one process at
    a time may run a mirror on a database: the budgets live in its memory.
    """

    def __init__(
        self,
        database: Database,
        sinks: Mapping[str, Sink],
        clock: Clock,
        *,
        on_gone: OnGone,
        on_trouble: OnTrouble,
        on_refused: OnRefused,
        random: Callable[[], float],
        sweep_s: float | None = SWEEP_S,
    ) -> None:
        """`sinks` by name; `random` returns a number in [0, 1), for jitter; no `sweep_s`: only wakes."""
        self._database = database
        self._sinks = sinks
        self._clock = clock
        self._budgets = Budgets()
        self._delivery = Delivery(
            database,
            self._budgets,
            clock,
            on_gone=on_gone,
            on_trouble=on_trouble,
            on_refused=on_refused,
            random=random,
        )
        self._lanes: dict[BindingKey, Lane] = {}
        self._woken: set[SessionId] = set()
        self._sweep_s = sweep_s
        self._sweep_at = 0.0
        self._waiters: list[_Waiter] = []
        self._changed = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver, first of all what an earlier process left."""
        self._sweep_at = 0.0
        self._loop = asyncio.create_task(self._run(), name="mirror")
        self._loop.add_done_callback(self._release)

    async def stop(self) -> None:
        """Start no more calls, let those in the air end. Safe to repeat."""
        if self._loop is None:
            return
        self._loop.cancel()
        await asyncio.wait([self._loop])
        if self._calls:
            await asyncio.wait(self._calls, timeout=GRACE_S)
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        self._calls.clear()
        self._lanes.clear()

    def wake(self, session_id: SessionId) -> None:
        """The session's log has grown, or it is bound to a new place."""
        self._woken.add(session_id)
        self._changed.set()

    async def drained(self, session_id: SessionId | None = None) -> None:
        """Wait until all that is logged by now is shown, for one session or for all of them.

        Lasts as long as trouble with a platform does. Raises RuntimeError if the mirror does not run.
        """
        if self._loop is None or self._loop.done():
            raise RuntimeError("the mirror does not run")
        waiter = _Waiter(session_id, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._sweep_at = 0.0
        self._changed.set()
        await waiter.settled

    async def progress(self, session_id: SessionId) -> list[Progress]:
        """How far every projection of the session has come."""
        async with self._database.read() as connection:
            return await mirroring.progress(connection, session_id)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                until = await self._round()
            except StoreUnavailable as error:
                log.warning("mirror cannot use the store", extra={"error": str(error)})
                self._sweep_at = 0.0
                # Not `_changed`: no wake makes the store better.
                await self._clock.wait(asyncio.Event(), self._clock.now() + STORE_PAUSE_S)
            else:
                await self._clock.wait(self._changed, until)

    async def _round(self) -> float | None:
        """Start what can be started; returns when the next thing is due, None if only a wake brings it."""
        waiters = list(self._waiters)
        self._reap()
        await self._refresh()
        now = self._clock.now()
        due = [] if self._sweep_s is None else [self._sweep_at]
        passed: list[tuple[Lane, int]] = []
        for candidate in in_turn(await self._candidates(now, due)):
            if len(self._calls) >= CONCURRENCY:
                break  # The end of any of them wakes us.
            lane, planned = candidate.key
            if (
                (wait_s := self._claim(lane, planned, now)) > PASSING_WAITS_S
                and planned.passing
                and not lane.begun
            ):
                passed.append((lane, planned.to.cursor))
            elif wait_s > 0:
                due.append(now + wait_s)
        await self._advance(passed)
        await self._tell_troubles(now, due)
        self._settle(waiters)
        self._forget()
        return min(due, default=None)

    def _reap(self) -> None:
        for call in [call for call in self._calls if call.done()]:
            self._calls.discard(call)
            call.result()  # What `_contained` lets through must not end in silence.

    async def _refresh(self) -> None:
        """Take in what was logged since the last look."""
        # Taken before the database is looked at: who wakes us during the look may have come too late for it.
        sessions, self._woken = self._woken, set()
        sessions |= {lane.key.session for lane in self._lanes.values() if lane.has_more and not lane.pending}
        async with self._database.read() as connection:
            if self._clock.now() >= self._sweep_at:
                sessions |= await mirroring.behind(connection)
                self._sweep_at = float("inf") if self._sweep_s is None else self._clock.now() + self._sweep_s
            for binding in await mirroring.bindings_of(connection, sessions) if sessions else ():
                await self._load(connection, binding)

    async def _load(self, connection: AsyncConnection, binding: Binding) -> None:
        sink, lane = self._sinks.get(binding.key.sink), self._lanes.get(binding.key)
        if sink is None:
            return
        if binding.suppressed is not None:
            if lane is not None and not lane.is_busy:
                del self._lanes[binding.key]
            return
        if lane is None:
            lane = self._lanes[binding.key] = await _open(connection, binding, sink)
        if len(lane.pending) < BATCH:
            logged = await mirroring.entries(
                connection, lane.key.session, after=lane.loaded, limit=BATCH - len(lane.pending)
            )
            lane.load(logged)
            lane.has_more = len(lane.pending) >= BATCH

    async def _candidates(self, now: float, due: list[float]) -> list[Candidate[tuple[Lane, Planned]]]:
        """Who could make a call now; the times of those that could later are added to `due`."""
        ready: list[Candidate[tuple[Lane, Planned]]] = []
        passed: list[tuple[Lane, int]] = []
        for lane in [lane for lane in self._lanes.values() if not lane.is_busy]:
            squeeze = self._budgets.squeeze(lane.key.sink, lane.install, now)
            with self._contained(lane):
                match lane.next_move(now, squeeze):
                    case Planned() as planned:
                        ready.append(Candidate((lane, planned), planned.priority, lane.served))
                    case Advance(to=to):
                        passed.append((lane, to))
                    case Wait(until=until):
                        due.append(until)
                    case Idle():
                        pass
        await self._advance(passed)
        return ready

    async def _advance(self, passed: Collection[tuple[Lane, int]]) -> None:
        if not passed:
            return
        async with self._database.write() as connection:
            for lane, to in passed:
                await mirroring.advance(connection, lane.key, to)
        for lane, to in passed:
            lane.advanced(Step(to))
        self._changed.set()  # There may be more behind them.

    def _claim(self, lane: Lane, planned: Planned, now: float) -> float:
        """Start the call if the budget allows it; returns how long it has to wait."""
        key = budget_key(lane, planned)
        bucket = self._budgets.bucket(key, lane.sink.limit(planned.op.cost), now)
        wait_s = bucket.wait_s(now, planned.priority)
        if bucket.frozen_until > now:
            throttled = Throttled("another call was throttled", retry_after_s=wait_s)
            lane.trouble.begin(lane.sink.trouble(throttled), now)
        if wait_s == 0:
            self._budgets.put(key, bucket.take(now))
            lane.is_busy = True
            call = asyncio.create_task(self._serve(lane, planned), name=f"deliver to {lane.key.sink}")
            self._calls.add(call)
        return wait_s

    async def _serve(self, lane: Lane, planned: Planned) -> None:
        try:
            with self._contained(lane):
                await self._delivery.attempt(lane, planned)
        finally:
            lane.is_busy = False
            lane.served = self._clock.now()
            self._changed.set()

    @contextmanager
    def _contained(self, lane: Lane) -> Iterator[None]:
        """Let a defect, or a store that is away, delay this lane and no other."""
        try:
            yield
        except Exception:  # A poisonous entry must not stop every other session.
            where = {"session": lane.key.session, "sink": lane.key.sink}
            log.exception("delivery failed in an unknown way", extra=where)
            lane.fails += 1
            lane.next_at = self._clock.now() + self._delivery.pause_s(lane.fails)
            self._changed.set()

    async def _tell_troubles(self, now: float, due: list[float]) -> None:
        for lane in [lane for lane in self._lanes.values() if not lane.is_busy]:
            tell_at = lane.trouble.tell_at
            if tell_at is None or lane.is_settled:
                continue
            if tell_at <= now:
                with self._contained(lane):
                    await self._delivery.tell_trouble(lane)
                lane.trouble.put_off(now)
            if (tell_at := lane.trouble.tell_at) is not None:
                due.append(tell_at)

    def _settle(self, waiters: Collection[_Waiter]) -> None:
        for waiter in waiters:
            lanes = [lane for lane in self._lanes.values() if waiter.session in (None, lane.key.session)]
            if all(lane.is_settled for lane in lanes) and not waiter.settled.done():
                waiter.settled.set_result(None)
            if waiter.settled.done():
                self._waiters.remove(waiter)

    def _forget(self) -> None:
        idle = [lane for lane in self._lanes.values() if lane.is_settled and lane.trouble.told is None]
        excess = max(0, len(self._lanes) - LANES_KEPT)
        for lane in sorted(idle, key=lambda lane: lane.served)[:excess]:
            del self._lanes[lane.key]

    def _release(self, loop: asyncio.Task[None]) -> None:
        """The loop is over: nobody may wait for it any longer."""
        error = None if loop.cancelled() else loop.exception()
        if error is not None:
            log.critical("mirror ended", exc_info=error)
        for waiter in self._waiters:
            if not waiter.settled.done():
                waiter.settled.set_exception(error or RuntimeError("the mirror was stopped"))
        self._waiters.clear()


async def _open(connection: AsyncConnection, binding: Binding, sink: Sink) -> Lane:
    """Take up a binding where its cursor stands, with the call that a crash left open."""
    before = await mirroring.prefix(
        connection, binding.key.session, through=binding.cursor, lasting=LASTING_KINDS
    )
    lane = Lane.of(binding, sink, fold(before))
    lane.delivered_at = await mirroring.delivered_at(connection, binding.key)
    if (stored := await mirroring.sending(connection, binding.key)) is not None:
        lane.begun = Begun(stored, Planned.stored(stored), again=True)
    return lane
