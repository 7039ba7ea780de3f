"""One call of one binding, from being written down to what its outcome means."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import uuid4

from core.activities import Blocker
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from core.ids import SessionId
from core.mirror.budget import Budgets
from core.mirror.clock import Clock
from core.mirror.lane import Begun, Lane, Planned, Trouble
from core.mirror.refusals import line_for, told_elsewhere
from core.mirror.sink import Delivered
from core.store import mirroring
from core.store.database import Database
from core.store.mirroring import StoredOp

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 60.0

OnGone = Callable[[SessionId, str, Blocker], Awaitable[None]]
"""Called with session, sink and code before a binding is suppressed; once more after a crash in between."""

OnRefused = Callable[[SessionId, str, str, Sequence[str]], Awaitable[None]]
"""Called with session, key, words and the sinks that are to say them, before a call is given up.

Once more after a crash in between, with the same key.
"""

OnTrouble = Callable[[str, SessionId, Blocker | None], Awaitable[None]]
"""Called with sink, session and code when calls have failed for a while, with None once they work again.

After a restart None may come without a code before it, and either may be repeated. Neither callback may wait
for the mirror: it waits for them.
"""


class Delivery:
    """Makes calls so that a crash at any point leaves one that is found again, and never a second beside it.

    `random` returns a number in [0, 1), for jitter.
    """

    def __init__(
        self,
        database: Database,
        budgets: Budgets,
        clock: Clock,
        *,
        on_gone: OnGone,
        on_trouble: OnTrouble,
        on_refused: OnRefused,
        random: Callable[[], float],
    ) -> None:
        self._database = database
        self._budgets = budgets
        self._clock = clock
        self._on_gone = on_gone
        self._on_trouble = on_trouble
        self._on_refused = on_refused
        self._random = random

    async def attempt(self, lane: Lane, planned: Planned) -> None:
        """Make the call once, and move the lane as its outcome says."""
        begun = lane.begun = lane.begun or await self._begin(lane, planned)
        # Whatever interrupts us from here on leaves a call that may have been executed.
        again, begun.again = begun.again, True
        try:
            delivered = await lane.sink.deliver(lane.key.target, begun.planned.op, again=again)
        except Refused as error:
            self._log("delivery refused", lane, error)
            await self._recovered(lane)
            await self._make_up_for(lane, begun)
        except TargetGone as error:
            self._log("delivery target gone", lane, error)
            await self._recovered(lane)
            await self._suppress(lane, error.code)
        except Throttled as error:
            self._freeze(lane, begun.planned, error.retry_after_s)
            executed = again or error.maybe_done
            await self._postpone(lane, begun, error, executed=executed, pause_s=error.retry_after_s)
        except TryLater as error:
            await self._postpone(lane, begun, error, executed=again or error.maybe_done)
        else:
            await self._recovered(lane)
            await self._finish(lane, begun, delivered)

    async def tell_trouble(self, lane: Lane) -> None:
        """Tell the other sides what the lane waits for, in place of what they were told before."""
        trouble, key = lane.trouble, lane.key
        if trouble.told is not None:
            await self._on_trouble(key.sink, key.session, None)
        async with self._database.write() as connection:
            # Kept, so that the process after us will tell that it is over.
            lane.fails = max(lane.fails, 1)
            await mirroring.postpone(connection, key, next_at=lane.next_at, fails=lane.fails)
        await self._on_trouble(key.sink, key.session, trouble.code)
        trouble.told = trouble.code

    def pause_s(self, fails: int) -> float:
        """How long to wait after this many failures: from 1 s on, twice as long each time, up to a minute."""
        longest = min(LONGEST_PAUSE_S, 2.0 ** min(fails, 10))
        return max(1.0, longest * (0.75 + 0.25 * self._random()))

    async def _make_up_for(self, lane: Lane, begun: Begun) -> None:
        """Say something plain in the place of what was refused; if that was refused too, tell the others."""
        op, key = begun.planned.op, lane.key
        if op.loss is None:
            await self._finish(lane, begun, None)
            return
        elsewhere = await self._elsewhere(lane)
        if op.loss.in_place:
            line = lane.sink.instead(op, line_for(op.loss, key.sink, elsewhere))
            line = replace(line, loss=replace(op.loss, in_place=False))
            lane.begun = await self._begin(lane, begun.planned.instead(line), refused=begun.stored)
            return
        words = told_elsewhere(op.loss, key.sink)
        await self._on_refused(key.session, f"refused/{key.sink}/{op.loss.key}", words, elsewhere)
        await self._finish(lane, begun, None)

    async def _elsewhere(self, lane: Lane) -> list[str]:
        """The other places that show the session, by the names of their sinks."""
        async with self._database.read() as connection:
            bound = await mirroring.bindings_of(connection, [lane.key.session])
        living = {one.key.sink for one in bound if one.suppressed is None}
        return sorted(living - {lane.key.sink})

    async def _begin(self, lane: Lane, planned: Planned, *, refused: StoredOp | None = None) -> Begun:
        """Write the call down, in the place of a `refused` one."""
        stored = StoredOp(str(uuid4()), planned.body(), planned.to)
        async with self._database.write() as connection:
            if refused is not None:
                await mirroring.give_up(connection, refused, at=self._clock.now())
            if await mirroring.begin(connection, lane.key, stored, at=self._clock.now()):
                return Begun(stored, planned, again=False)
            earlier = await mirroring.sending(connection, lane.key)
        if earlier is None:
            raise RuntimeError("a call was neither begun nor found")
        # The commit of an earlier `begin` failed to be reported, but happened.
        return Begun(earlier, Planned.stored(earlier), again=True)

    async def _finish(self, lane: Lane, begun: Begun, delivered: Delivered | None) -> None:
        op, now = begun.planned.op, self._clock.now()
        memory = lane.sink.remember(lane.memory, op, delivered)
        result = None if delivered is None else delivered.id
        async with self._database.write() as connection:
            await mirroring.finish(connection, lane.key, begun.stored, result=result, memory=memory, at=now)
        lane.moved(begun.stored.to, memory)
        if delivered is None:
            return
        lane.delivered_at = now
        if begun.planned.slot is not None:
            lane.last_sent[begun.planned.slot] = now
        if delivered.quota is not None:
            key = budget_key(lane, begun.planned)
            bucket = self._budgets.bucket(key, lane.sink.limit(op.cost), now)
            self._budgets.put(key, bucket.learn(delivered.quota, now))

    async def _postpone(
        self, lane: Lane, begun: Begun, error: DeliveryError, *, executed: bool, pause_s: float | None = None
    ) -> None:
        now = self._clock.now()
        lane.trouble.begin(lane.sink.trouble(error), now)
        lane.next_at = now + (self.pause_s(lane.fails) if pause_s is None else pause_s)
        lane.fails += 1
        self._log("delivery postponed", lane, error)
        async with self._database.write() as connection:
            await mirroring.fail(
                connection,
                lane.key,
                begun.stored,
                executed=executed,
                next_at=lane.next_at,
                fails=lane.fails,
            )
        if not executed:
            lane.replan()

    async def _suppress(self, lane: Lane, code: Blocker) -> None:
        await self._on_gone(lane.key.session, lane.key.sink, code)
        async with self._database.write() as connection:
            await mirroring.suppress(connection, lane.key, code)
        lane.close()

    async def _recovered(self, lane: Lane) -> None:
        if lane.trouble.told is not None or lane.trouble.maybe_told:
            await self._on_trouble(lane.key.sink, lane.key.session, None)
        lane.trouble = Trouble()

    def _freeze(self, lane: Lane, planned: Planned, pause_s: float) -> None:
        key, now = budget_key(lane, planned), self._clock.now()
        bucket = self._budgets.bucket(key, lane.sink.limit(planned.op.cost), now)
        # Everybody who waits wakes at the same moment otherwise.
        self._budgets.put(key, bucket.freeze(now + pause_s + self._random()))

    def _log(self, event: str, lane: Lane, error: DeliveryError) -> None:
        code = error.code if isinstance(error, TargetGone) else lane.sink.trouble(error)
        where = {"session": lane.key.session, "sink": lane.key.sink, "code": code.value}
        log.warning(event, extra={**where, "fails": lane.fails, "error": str(error)})


def budget_key(lane: Lane, planned: Planned) -> tuple[str, str, str]:
    """Whose budget pays for the call: sink, install and call class."""
    return lane.key.sink, lane.install, planned.op.cost
