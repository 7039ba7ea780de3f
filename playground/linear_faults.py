"""What the stand-in does wrong on request: refusals, lost answers, slowness, being down. Pure."""

from dataclasses import dataclass, field
from typing import Literal

from playground.moments import Callback, Moment, Moments, When

FaultKind = Literal["answer", "drop_before", "drop_after"]


@dataclass(slots=True)
class Fault:
    """One kind of failure for the next `times` calls.

    Attributes:
        operation: Operation name as in the document, a root field such as `issueCreate`, or `*` for any.
        kind: `answer` refuses with status, code and message; `drop_before` closes the connection without
            executing; `drop_after` executes and then loses the answer.
        retry_after_s: Sent as a header with a refusal.
    """

    operation: str
    kind: FaultKind
    times: int = 1
    status: int = 200
    code: str = "INTERNAL_SERVER_ERROR"
    message: str = "fault injected by the playground"
    retry_after_s: int | None = None

    def hits(self, names: set[str]) -> bool:
        return self.operation == "*" or self.operation in names


@dataclass(slots=True)
class Faults:
    planned: list[Fault] = field(default_factory=list)
    moments: Moments = field(default_factory=Moments)
    latency_s: float = 0.0
    down: bool = False

    def add(self, fault: Fault) -> None:
        self.planned.append(fault)

    def at(self, operation: str, moment: Moment, callback: Callback, *, when: When = lambda _: True) -> None:
        """Await `callback` once, at that moment of the next `operation` whose variables fulfil `when`."""
        self.moments.at(operation, moment, callback, when=when)

    def next_for(self, names: set[str]) -> Fault | None:
        """Use up one call of the first planned fault that hits one of the operation's names."""
        fault = next((each for each in self.planned if each.hits(names)), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.times <= 0:
            self.planned.remove(fault)
        return fault

    def clear(self) -> None:
        self.planned.clear()
        self.moments.clear()
        self.latency_s = 0.0
        self.down = False
