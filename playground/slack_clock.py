"""Time for the Slack stand-in: real by hand, moved by the test otherwise."""

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol


class Clock(Protocol):
    """Seconds since the Unix epoch, and callbacks that are due later."""

    def now(self) -> float: ...

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None: ...

    def close(self) -> None:
        """Forget every pending callback."""


class RealClock:
    """Wall time; callbacks run on the event loop's own timers."""

    def __init__(self) -> None:
        self._timers: list[asyncio.TimerHandle] = []

    def now(self) -> float:
        return time.time()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._timers = [
            timer for timer in self._timers if not timer.cancelled() and timer.when() > loop.time()
        ]
        self._timers.append(loop.call_later(delay_s, callback))

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()


class VirtualClock:
    """Stands still until `advance`, which runs what became due, in order."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._has_due = asyncio.Event()

    def now(self) -> float:
        return self._now

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + delay_s, next(self._order), callback))
        self._has_due.set()

    async def until_waited_for(self) -> None:
        """Return once something waits for this clock."""
        await self._has_due.wait()

    def advance(self, seconds: float) -> None:
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            self._now, _, callback = heapq.heappop(self._due)
            callback()
        self._now = end
        if not self._due:
            self._has_due.clear()

    def close(self) -> None:
        self._due.clear()


async def pause(clock: Clock, seconds: float) -> None:
    """Wait on `clock`; with a virtual one, until somebody advances it far enough."""
    if seconds <= 0:
        return
    done = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    clock.call_later(seconds, wake)
    await done
