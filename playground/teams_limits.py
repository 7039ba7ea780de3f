"""Microsoft's rate limits: so many calls in each of several windows, per conversation and over all. Pure."""

import math
from collections import deque
from collections.abc import Mapping
from typing import Final

Windows = tuple[tuple[float, int], ...]
"""Length in seconds, and how many calls fit in."""

SENDING: Final[Windows] = ((1, 7), (2, 8), (30, 60), (3600, 1800))
READING: Final[Windows] = ((1, 14), (2, 16), (30, 120), (3600, 3600))
REACTING: Final[Windows] = ((1, 2),)
GLOBAL: Final[Windows] = ((1, 30),)
"""Per app and tenant. Newer pages are said to allow 50."""

LIMITS: Final[Mapping[str, tuple[str, Windows]]] = {
    "send": ("send", SENDING),
    "update": ("send", SENDING),
    "delete": ("send", SENDING),
    "create": ("create", SENDING),
    "members": ("members", READING),
    "member": ("members", READING),
    "paged_members": ("members", READING),
}
"""Kind of call -> whose windows it counts in, for each thread; Microsoft counts edits like messages."""

_SLACK_S: Final = 1e-6  # Sums of floats may come out a hair too early.


class RateLimits:
    """All windows of one app; `factor` scales how many calls fit in, None switches them off."""

    def __init__(self, factor: float | None = 1.0) -> None:
        self.factor = factor
        self._calls: dict[str, deque[float]] = {}

    def retry_after_s(self, kind: str, thread: str, now: float) -> int | None:
        """Take one call; if it does not fit (then it costs nothing), the seconds of `Retry-After`."""
        if self.factor is None:
            return None
        counted = {"": GLOBAL}
        if kind in ("react", "unreact"):
            counted["react"] = REACTING
        elif kind in LIMITS:
            name, windows = LIMITS[kind]
            counted[f"{name}/{thread}"] = windows
        wait_s = max(self._wait_s(key, windows, now) for key, windows in counted.items())
        if wait_s > 0:
            return max(1, math.ceil(wait_s))
        for key, windows in counted.items():
            calls = self._calls.setdefault(key, deque())
            calls.append(now)
            while calls[0] < now - windows[-1][0]:
                calls.popleft()
        return None

    def reset(self, factor: float | None) -> None:
        """Start again with empty windows under a new factor."""
        self.factor = factor
        self._calls.clear()

    def _wait_s(self, key: str, windows: Windows, now: float) -> float:
        calls = self._calls.get(key, deque())
        wait_s = 0.0
        for length_s, calls_in in windows:
            most = max(1, int(calls_in * (self.factor or 1.0)))
            if len(calls) >= most:
                wait_s = max(wait_s, calls[-most] + length_s - now - _SLACK_S)
        return wait_s
