"""Trouble on order: what the next calls of a method should suffer instead of working."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from playground.moments import Callback, Moment, Moments, When


@dataclass(frozen=True, slots=True)
class Fault:
    """One spoiled call.

    `error` answers `{"ok": false}` under HTTP 200, `status` answers that HTTP status, `drop` closes the
    connection without an answer: `before` the call is executed, or `after` (the effect stays). The error
    `ratelimited` comes as HTTP 429 with `retry_after_s`.
    """

    error: str | None = None
    status: int | None = None
    drop: Literal["before", "after"] | None = None
    retry_after_s: int = 1


@dataclass(slots=True)
class Faults:
    """`latency_s` delays every call; `is_down` answers 503 to all of them."""

    latency_s: float = 0.0
    is_down: bool = False
    moments: Moments = field(default_factory=Moments)
    _next: dict[str, deque[Fault]] = field(default_factory=dict)

    def fail_next(self, method: str, fault: Fault, times: int = 1) -> None:
        self._next.setdefault(method, deque()).extend([fault] * times)

    def at(self, method: str, moment: Moment, callback: Callback, *, when: When = lambda _: True) -> None:
        """Await `callback` once, at that moment of the next call of `method` whose fields fulfil `when`."""
        self.moments.at(method, moment, callback, when=when)

    def take(self, method: str) -> Fault:
        """The fault for this call; an empty one if it should work."""
        waiting = self._next.get(method)
        return waiting.popleft() if waiting else Fault()

    def clear(self) -> None:
        self.latency_s, self.is_down = 0.0, False
        self._next.clear()
        self.moments.clear()
