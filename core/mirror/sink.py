"""The border between the mirror and the places it shows things in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.activities import Blocker, Logged
from core.errors import DeliveryError
from core.ids import SessionId
from core.mirror.budget import Limit, Measured
from core.mirror.queue import Form
from core.mirror.refusals import Loss
from core.mirror.story import Story

Memory = Mapping[str, Any]
"""What a sink remembers about one binding, JSON-able: ids of messages it edits, reactions it set."""


@dataclass(frozen=True, slots=True)
class View:
    """A binding as its sink sees it.

    Attributes:
        target: Linear's agent session, or the thread as text.
        part: Parts of the next entry that are shown already.
        delivered_at: When something was last shown there (seconds); None for never.
    """

    session: SessionId
    target: str
    memory: Memory
    part: int = 0
    delivered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Op:
    """One call, ready to be stored and made.

    Attributes:
        cost: The call class whose budget pays.
        call: What to do, JSON-able; only the sink that made it looks inside.
        more: Further parts of the same entry follow.
        loss: What people miss if it is refused for good; None if they need not be told.
    """

    cost: str
    call: Mapping[str, Any]
    more: bool = False
    loss: Loss | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a call came to: the id of what is shown now, and what the platform said about its quota."""

    id: str = ""
    quota: Measured | None = None


class Sink(Protocol):
    """Shows log entries in one kind of place. All but `deliver` are pure."""

    @property
    def name(self) -> str:
        """Which bindings are its own: "linear", "slack" or "teams"."""
        ...

    def form(self, logged: Logged, story: Story, view: View) -> Form:
        """How to show the entry; `story` includes it. Must not depend on `view.memory`, which lags behind."""
        ...

    def op(self, entries: Sequence[Logged], story: Story, view: View) -> Op | None:
        """The call that shows `entries` (several only if all are mergeable), or None if none is needed."""
        ...

    async def deliver(self, target: str, op: Op, *, again: bool) -> Delivered:
        """Make the call once. `again`: an earlier attempt at this very `op` may have got through.

        Raises:
            DeliveryError: By kind, what to do next. Only `TryLater` says whether it may have been executed.
        """
        ...

    def remember(self, memory: Memory, op: Op, delivered: Delivered | None) -> Memory:
        """The memory after `op` was done, or (None) was refused for good."""
        ...

    def instead(self, op: Op, words: str) -> Op:
        """The call that says `words` in the place of `op`, whose loss allows it and which was refused."""
        ...

    def limit(self, cost: str) -> Limit:
        """What the platform allows for this call class, before it told us."""
        ...

    def trouble(self, error: DeliveryError) -> Blocker:
        """How to name trouble that lasts, to the people on the other sides, and a refusal in the log."""
        ...
