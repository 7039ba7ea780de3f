"""Slack's rate limits as token buckets: per method, and one message a second per channel. Pure."""

import math
from dataclasses import dataclass
from typing import Final

PER_MINUTE: Final = {
    "agents.sessions.setStatus": 50,
    "apps.connections.open": 20,
    "assistant.threads.setStatus": 600,
    "auth.test": 600,
    "chat.delete": 50,
    "chat.getPermalink": 600,
    "chat.postEphemeral": 100,
    "chat.postMessage": 300,
    "chat.update": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.open": 50,
    "conversations.replies": 50,
    "reactions.add": 50,
    "reactions.get": 50,
    "reactions.remove": 20,
    "users.info": 100,
    "users.lookupByEmail": 50,
    "views.open": 100,
    "views.publish": 100,
    "views.update": 100,
}
"""Calls a minute per workspace. Slack does not publish the cap of `chat.postMessage`; this one is a guess."""

CHANNEL_PER_MINUTE: Final = 60
CHANNEL_BURST: Final = 5


@dataclass(slots=True)
class Bucket:
    """Holds up to `burst` calls and refills by `per_minute`."""

    per_minute: float
    burst: float
    tokens: float
    filled_at: float

    def wait_s(self, now: float) -> float:
        """Refill, then say how long until one call fits (0: now)."""
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.per_minute / 60)
        self.filled_at = now
        # A hair of slack: the exact refill of a whole token may come out as 0.9999999.
        return 0.0 if self.tokens > 1 - 1e-6 else (1 - self.tokens) * 60 / self.per_minute

    def take(self) -> None:
        self.tokens -= 1


class RateLimits:
    """All buckets of one workspace; `factor` scales the tiers, None switches them off."""

    def __init__(self, factor: float | None = 1.0) -> None:
        self.factor = factor
        self._buckets: dict[str, Bucket] = {}

    def retry_after_s(self, method: str, channel: str, now: float) -> int | None:
        """Take one call of `method`; if it does not fit, the whole seconds that `Retry-After` tells."""
        if self.factor is None or method not in PER_MINUTE:
            return None
        buckets = [self._bucket(method, PER_MINUTE[method], PER_MINUTE[method], now)]
        if method == "chat.postMessage":
            buckets.append(self._bucket(f"{method}/{channel}", CHANNEL_PER_MINUTE, CHANNEL_BURST, now))
        wait_s = max(bucket.wait_s(now) for bucket in buckets)
        if wait_s:
            return max(1, math.ceil(wait_s))
        for bucket in buckets:
            bucket.take()
        return None

    def reset(self, factor: float | None) -> None:
        """Start again with full buckets under a new factor."""
        self.factor = factor
        self._buckets.clear()

    def _bucket(self, key: str, per_minute: float, burst: float, now: float) -> Bucket:
        if key not in self._buckets:
            factor = self.factor or 1.0
            full = max(1.0, burst * factor)
            self._buckets[key] = Bucket(per_minute * factor, full, full, now)
        return self._buckets[key]
