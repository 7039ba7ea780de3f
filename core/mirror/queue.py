"""What a projection shows next: order, coalescing and priorities. Pure; time is passed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

DEBOUNCE_S = 1.5
"""How long passing thoughts are gathered before the newest of them is shown."""

MERGE_LIMIT = 20
"""Most entries that one call may list when the budget is almost used up."""


class Priority(IntEnum):
    """Who goes first when calls are scarce; smaller is more urgent."""

    TERMINAL = 0
    ELICITATION = 1
    PROMPT = 2
    PLAN = 3
    ACTION = 4
    THOUGHT = 5


# How a sink wants to show an entry.


@dataclass(frozen=True, slots=True)
class Skip:
    """Not at all."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """Only while nothing later is shown; waits `debounce_s` for something newer.

    `keep`: shown even when the budget is low, because silence would be taken for a failure.
    """

    priority: Priority = Priority.THOUGHT
    debounce_s: float = DEBOUNCE_S
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest state of `slot`: replaces an older one that waits, at most once in `interval_s`.

    `passing`: another state will follow, so that this one is left out rather than waited for.
    """

    slot: str
    interval_s: float
    priority: Priority = Priority.PLAN
    urgent: bool = False
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Solid:
    """By itself and in its place, exactly once.

    `urgent`: nothing before it waits any longer. `mergeable`: may share a call with its neighbours when the
    budget is almost used up.
    """

    priority: Priority
    urgent: bool = False
    mergeable: bool = False


Form = Skip | Rolling | Snapshot | Solid


@dataclass(frozen=True, slots=True)
class Queued:
    """An entry after the cursor: its place in the log, when it was written (seconds), and its form."""

    n: int
    at: float
    form: Form


# What to do now.


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is pending."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Nothing up to entry `to` is worth a call."""

    to: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Something is pending, but not before `until` (seconds)."""

    until: float


@dataclass(frozen=True, slots=True)
class Deliver:
    """Show `entries` in one call and move the cursor to `through`.

    `priority` is that of the most urgent entry that waits, since this call stands in its way.
    """

    entries: tuple[int, ...]
    through: int
    priority: Priority


Decision = Idle | Advance | Wait | Deliver


def decide(
    pending: Sequence[Queued], last_sent: Mapping[str, float], now: float, squeeze: int = 0
) -> Decision:
    """Choose the next call of one binding.

    Args:
        pending: Everything after the cursor, in order.
        last_sent: When each snapshot slot was last shown (seconds).
        now: Seconds, on the clock of `Queued.at`.
        squeeze: 0 normal; 1 the budget shrinks: passing thoughts stay out; 2 it is almost used up: what
            is spare stays out as well, and neighbouring mergeable entries share a call.
    """
    if not pending:
        return Idle()
    shown = _surviving(pending, squeeze)
    if not shown:
        return Advance(pending[-1].n)
    due = _due(pending, pending[shown[0]].form, last_sent)
    if due > now and not any(_is_urgent(pending[i].form) for i in shown):
        return Wait(due)
    count = _merged(pending, shown) if squeeze >= 2 else 1
    after = shown[count] if count < len(shown) else len(pending)
    return Deliver(
        entries=tuple(pending[i].n for i in shown[:count]),
        through=pending[after - 1].n,
        priority=min(_priority(pending[i].form) for i in shown),
    )


def _surviving(pending: Sequence[Queued], squeeze: int) -> list[int]:
    """Indexes of the entries that are still worth showing, in order."""
    kept: list[int] = []
    slots: set[str] = set()
    for i in reversed(range(len(pending))):
        match pending[i].form:
            case Solid():
                kept.append(i)
            case Snapshot(slot=slot) if slot not in slots:
                slots.add(slot)
                kept.append(i)
            case Rolling(keep=keep) if not kept and (keep or squeeze < 1):
                kept.append(i)
            case Skip() | Rolling() | Snapshot():
                pass
    return kept[::-1]


def _due(pending: Sequence[Queued], head: Form, last_sent: Mapping[str, float]) -> float:
    match head:
        case Rolling():
            # From the oldest on: an agent that thinks aloud must not keep itself from being seen.
            return min(item.at + item.form.debounce_s for item in pending if isinstance(item.form, Rolling))
        case Snapshot(slot=slot, interval_s=interval_s) if slot in last_sent:
            return last_sent[slot] + interval_s
        case Skip() | Snapshot() | Solid():
            return float("-inf")


def _merged(pending: Sequence[Queued], shown: Sequence[int]) -> int:
    """How many of the first entries to show may share one call."""
    count = 0
    for i in shown[:MERGE_LIMIT]:
        form = pending[i].form
        if not (isinstance(form, Solid) and form.mergeable):
            break
        count += 1
    return max(count, 1)


def _is_urgent(form: Form) -> bool:
    return isinstance(form, Solid | Snapshot) and form.urgent


def _priority(form: Form) -> Priority:
    return Priority.THOUGHT if isinstance(form, Skip) else form.priority
