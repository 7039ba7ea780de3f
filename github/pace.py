"""How often we may ask: writes of a credential one by one and a second apart, none while a limit is spent."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from github.errors import RateLimited
from github.sansio import Quota

WRITE_GAP_S = 1.0
LONGEST_CLOSED_S = 3600.0
"""GitHub's limits are hourly; a longer wait is a wrong clock."""

ANY = "*"
"""In place of a resource: a secondary limit closes them all."""


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    free_at: float = 0.0


class Pace:
    """Shared by everybody who calls GitHub in this process; credentials are told apart by their `key`.

    Args:
        clock: Seconds that never go back.
        now: Current time, aware; GitHub tells the end of a limit as a moment.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.now = now
        self.sleep = sleep
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        self._closed: dict[tuple[str, str], float] = {}

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[None]:
        """Hold the only place for a write with this credential, a second after the one before."""
        lane = self._lane(key)
        lane.users += 1
        try:
            async with lane.lock:
                wait_s = lane.free_at - self._clock()
                if wait_s > 0:
                    await self.sleep(wait_s)
                try:
                    yield
                finally:
                    lane.free_at = self._clock() + WRITE_GAP_S
        finally:
            lane.users -= 1

    def check(self, key: str, resource: str) -> None:
        """Spare GitHub a question whose answer is known.

        Raises:
            RateLimited: The limit of this credential is spent; it says for how long.
        """
        now = self._clock()
        for where in ((key, resource), (key, ANY)):
            left_s = self._closed.get(where, 0.0) - now
            if left_s > 0:
                raise RateLimited(left_s)
            self._closed.pop(where, None)

    def note(self, key: str, quota: Quota | None) -> None:
        """Learn from an answer what is left."""
        if quota is not None and quota.remaining == 0:
            self.close(key, (quota.reset_at - self.now()).total_seconds(), quota.resource)

    def close(self, key: str, for_s: float, resource: str = ANY) -> None:
        """Ask nothing with this credential for so many seconds."""
        if for_s > 0:
            self._closed[key, resource] = self._clock() + min(for_s, LONGEST_CLOSED_S)

    def _lane(self, key: str) -> _Lane:
        now = self._clock()
        for other in [key for key, lane in self._lanes.items() if not lane.users and lane.free_at < now]:
            del self._lanes[other]
        return self._lanes.setdefault(key, _Lane())
