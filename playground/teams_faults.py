"""Trouble on order: what the next calls of a kind should suffer instead of working."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from playground.moments import Callback, Moment, Moments, When
from playground.teams_wire import STATUS_OF

CODE_OF: Final = {status: code for code, status in STATUS_OF.items() if status in (401, 412, 429)} | {
    500: "ServiceError",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One spoiled call.

    `error` answers that code under its usual status, `status` that status with its usual code; with
    `executes` the call has its effect all the same. `drop` closes the connection without an answer: `before`
    the call is executed, or `after` (the effect stays). 429 comes with `retry_after_s`; 0 leaves that out.
    """

    error: str | None = None
    status: int | None = None
    executes: bool = False
    drop: Literal["before", "after"] | None = None
    retry_after_s: int = 1


@dataclass(slots=True)
class Faults:
    """`latency_s` delays every call, `delays_s` those of a kind; `is_down` answers 503 to all of them."""

    latency_s: float = 0.0
    delays_s: dict[str, float] = field(default_factory=dict)
    is_down: bool = False
    moments: Moments = field(default_factory=Moments)
    _next: dict[str, deque[Fault]] = field(default_factory=dict)

    def fail_next(self, kind: str, fault: Fault, times: int = 1, *, after: int = 0) -> None:
        """Spoil the next `times` calls of a kind, once `after` of them worked."""
        self._next.setdefault(kind, deque()).extend([Fault()] * after + [fault] * times)

    def at(self, kind: str, moment: Moment, callback: Callback, *, when: When = lambda _: True) -> None:
        """Await `callback` once, at that moment of the next call of a kind whose fields fulfil `when`."""
        self.moments.at(kind, moment, callback, when=when)

    def take(self, kind: str) -> Fault:
        """The fault for this call; an empty one if it should work."""
        waiting = self._next.get(kind)
        return waiting.popleft() if waiting else Fault()

    def delay_s(self, kind: str) -> float:
        return self.latency_s + self.delays_s.get(kind, 0.0)

    def clear(self) -> None:
        self.latency_s, self.is_down = 0.0, False
        self.delays_s.clear()
        self._next.clear()
        self.moments.clear()
