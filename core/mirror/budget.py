"""How many calls a platform still allows, and whose turn it is. Pure; time is passed in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from core.mirror.queue import Priority

SHARE = 0.8
"""Part of a platform's quota that we allow ourselves; the rest is for lookups and other programs."""

MAY_USE_RESERVE = Priority.PROMPT
"""The least urgent priority that may use the last tokens."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `capacity` calls at once, `per_s` in the long run; the last `reserve` are for urgent ones.

    `longer` counts the same calls over a longer time, where a platform has several windows.
    """

    capacity: float
    per_s: float
    reserve: float = 0.0
    longer: "Limit | None" = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a platform's answer said about its own quota: calls in `window_s` seconds, and what is left."""

    limit: int
    remaining: int
    window_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """Token bucket of one install and call class. `tokens` is the level at the time `at` (seconds).

    `longer` is that of the limit's longer window: a call needs a token of both.
    """

    limit: Limit
    tokens: float
    at: float
    frozen_until: float = 0.0
    longer: "Bucket | None" = None

    @classmethod
    def full(cls, limit: Limit, now: float) -> "Bucket":
        longer = cls.full(limit.longer, now) if limit.longer else None
        return cls(limit, limit.capacity, now, longer=longer)

    def level(self, now: float) -> float:
        """Tokens at `now`, as the shortest window counts them."""
        return min(self.limit.capacity, self.tokens + max(0.0, now - self.at) * self.limit.per_s)

    def wait_s(self, now: float, priority: Priority) -> float:
        """Seconds until a call of this priority may go out; 0 for now."""
        reserve = 0.0 if priority <= MAY_USE_RESERVE else self.limit.reserve
        missing = 1.0 + reserve - self.level(now)
        # Below a millionth it is the rounding of the clock, and waiting that long would never end.
        refill_s = missing / self.limit.per_s if missing > 1e-6 else 0.0
        longer_s = self.longer.wait_s(now, priority) if self.longer else 0.0
        return max(refill_s, longer_s, self.frozen_until - now, 0.0)

    def take(self, now: float) -> "Bucket":
        """One call goes out."""
        longer = self.longer.take(now) if self.longer else None
        return replace(self, tokens=self.level(now) - 1.0, at=now, longer=longer)

    def freeze(self, until: float) -> "Bucket":
        """The platform asked for a pause until `until` (seconds); a shorter pause never ends a longer one."""
        return replace(self, frozen_until=max(self.frozen_until, until))

    def learn(self, measured: Measured, now: float) -> "Bucket":
        """Believe the platform where it allows less than we thought, and take over its pace."""
        ours = measured.remaining - (1.0 - SHARE) * measured.limit
        pace = replace(self.limit, per_s=max(SHARE * measured.limit / measured.window_s, 1e-3))
        return replace(self, limit=pace, tokens=min(self.level(now), max(0.0, ours)), at=now)

    def squeeze(self, now: float) -> int:
        """How much `core.mirror.queue.decide` should leave out: 0, 1 or 2."""
        if self.frozen_until > now:
            return 2
        fullness = self.level(now) / self.limit.capacity
        ours = 0 if fullness >= 0.5 else 1 if fullness >= 0.25 else 2
        return max(ours, self.longer.squeeze(now)) if self.longer else ours


K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Candidate(Generic[K]):
    """A binding that could make a call now; `served` is when it last did (seconds)."""

    key: K
    priority: Priority
    served: float


def in_turn(candidates: Iterable[Candidate[K]]) -> list[Candidate[K]]:
    """The most urgent first; among equals the one that has waited longest."""
    return sorted(candidates, key=lambda candidate: (candidate.priority, candidate.served))


class Budgets:
    """The buckets of every sink, install and call class that was used so far."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, str], Bucket] = {}

    def bucket(self, key: tuple[str, str, str], limit: Limit, now: float) -> Bucket:
        """The bucket under `key` (sink, install, call class), full if it is new."""
        return self._buckets.setdefault(key, Bucket.full(limit, now))

    def put(self, key: tuple[str, str, str], bucket: Bucket) -> None:
        self._buckets[key] = bucket

    def squeeze(self, sink: str, install: str, now: float) -> int:
        """That of the emptiest bucket of this install."""
        of_install = (b for key, b in self._buckets.items() if key[:2] == (sink, install))
        return max((bucket.squeeze(now) for bucket in of_install), default=0)
