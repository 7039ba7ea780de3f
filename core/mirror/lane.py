"""One binding as the mirror works on it: what is pending there, and what to do next."""

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from core.activities import Blocker, Logged
from core.mirror.queue import Advance, Decision, Deliver, Idle, Priority, Queued, Snapshot, Wait, decide
from core.mirror.refusals import Loss
from core.mirror.sink import Memory, Op, Sink, View
from core.mirror.story import Story, fold
from core.store.mirroring import Binding, BindingKey, Step, StoredOp

TROUBLE_AFTER_S = 20.0
"""Trouble that lasts longer is told to the people on the other sides."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that could be made now.

    Attributes:
        slot: Of the snapshot that it shows.
        passing: That is left out rather than waited for.
    """

    op: Op
    to: Step
    priority: Priority
    slot: str | None = None
    passing: bool = False

    def body(self) -> dict[str, object]:
        """As JSON-able data, for the store."""
        priority, slot = int(self.priority), self.slot
        loss = None if self.op.loss is None else asdict(self.op.loss)
        op = {"cost": self.op.cost, "call": dict(self.op.call), "more": self.op.more, "loss": loss}
        return {**op, "priority": priority, "slot": slot}

    def instead(self, op: Op) -> "Planned":
        """`op` in the place of this call and of all further parts of its entry."""
        to = Step(self.to.cursor + 1) if self.op.more else self.to
        return Planned(op, to, self.priority, self.slot)

    @classmethod
    def stored(cls, stored: StoredOp) -> "Planned":
        """The opposite of `body`."""
        body = stored.body
        loss = Loss(**body["loss"]) if body.get("loss") else None  # Earlier versions stored none.
        op = Op(body["cost"], body["call"], body["more"], loss)
        return cls(op, stored.to, Priority(body["priority"]), body["slot"])


@dataclass(slots=True)
class Begun:
    """A call that is written down. `again`: an earlier attempt may have got through."""

    stored: StoredOp
    planned: Planned
    again: bool


@dataclass(slots=True)
class Trouble:
    """Since when calls fail, why, and which code the other sides were told.

    `maybe_told`: an earlier process may have told them, so that the end must be told in any case.
    """

    since: float | None = None
    code: Blocker | None = None
    told: Blocker | None = None
    maybe_told: bool = False

    def begin(self, code: Blocker, now: float) -> None:
        self.since = now if self.since is None else self.since
        self.code = code

    def put_off(self, now: float) -> None:
        """Whatever could not be told is tried again later."""
        self.since = now

    @property
    def tell_at(self) -> float | None:
        """When the other sides should be told something new."""
        return None if self.since is None or self.told is self.code else self.since + TROUBLE_AFTER_S


@dataclass(slots=True)
class Lane:
    """A binding at work. `pending` holds entries after the cursor, each with the story that includes it."""

    key: BindingKey
    install: str
    sink: Sink
    cursor: int
    part: int
    memory: Memory
    next_at: float
    fails: int
    story: Story
    loaded: int
    delivered_at: float | None = None
    begun: Begun | None = None
    pending: deque[tuple[Logged, Story]] = field(default_factory=deque)
    last_sent: dict[str, float] = field(default_factory=dict)
    trouble: Trouble = field(default_factory=Trouble)
    has_more: bool = False
    is_busy: bool = False
    served: float = 0.0
    _choice: tuple[int, Planned] | None = None

    @classmethod
    def of(cls, binding: Binding, sink: Sink, story: Story) -> "Lane":
        """The lane of a stored binding, nothing loaded yet; `story` is the one at its cursor."""
        return cls(
            key=binding.key,
            install=binding.install,
            sink=sink,
            cursor=binding.cursor,
            part=binding.part,
            memory=binding.memory,
            next_at=binding.next_at,
            fails=binding.fails,
            story=story,
            loaded=binding.cursor,
            trouble=Trouble(maybe_told=binding.fails > 0),
        )

    @property
    def is_settled(self) -> bool:
        """Nothing is pending, nothing is in the air."""
        return not (self.pending or self.begun or self.is_busy or self.has_more)

    def load(self, entries: Iterable[Logged]) -> None:
        """Take in the entries that follow `loaded`."""
        for logged in entries:
            self.story = fold([logged], self.story)
            self.pending.append((logged, self.story))
            self.loaded = logged.n
            self._choice = None

    def next_move(self, now: float, squeeze: int) -> Planned | Advance | Wait | Idle:
        """What to do now, budget aside."""
        if not (self.begun or self.pending):
            return Idle()
        if self.next_at > now:
            return Wait(self.next_at)
        if self.begun:
            return self.begun.planned
        if self._choice and self._choice[0] == squeeze:
            return self._choice[1]
        return self._planned(self._decide(now, squeeze), squeeze)

    def replan(self) -> None:
        """What was chosen was certainly not done: choose again, from what is newest then."""
        self.begun = self._choice = None

    def close(self) -> None:
        """Nothing will be shown here any more."""
        self.replan()
        self.pending.clear()
        self.has_more = False

    def moved(self, to: Step, memory: Memory) -> None:
        """The call that leads to `to` is done or given up."""
        self.memory = memory
        self.begun = None
        self.fails, self.next_at = 0, 0.0
        self.advanced(to)

    def advanced(self, to: Step) -> None:
        """The cursor stands at `to` now."""
        self.cursor, self.part = to.cursor, to.part
        self._choice = None
        while self.pending and self.pending[0][0].n <= self.cursor:
            self.pending.popleft()

    def _decide(self, now: float, squeeze: int) -> Decision:
        view = self._view()
        queued = [
            Queued(logged.n, logged.at.timestamp(), self.sink.form(logged, story, view))
            for logged, story in self.pending
        ]
        return decide(queued, self.last_sent, now, squeeze)

    def _planned(self, decision: Decision, squeeze: int) -> Planned | Advance | Wait | Idle:
        if not isinstance(decision, Deliver):
            return decision
        chosen = [(logged, story) for logged, story in self.pending if logged.n in decision.entries]
        newest, story = chosen[-1]
        view = self._view()
        op = self.sink.op([logged for logged, _ in chosen], story, view)
        if op is None:
            return Advance(decision.through)
        form = self.sink.form(newest, story, view)
        to = Step(newest.n - 1, self.part + 1) if op.more else Step(decision.through)
        slot = form.slot if isinstance(form, Snapshot) and form.interval_s else None
        passing = isinstance(form, Snapshot) and form.passing
        planned = Planned(op, to, decision.priority, slot, passing)
        self._choice = (squeeze, planned)
        return planned

    def _view(self) -> View:
        return View(self.key.session, self.key.target, self.memory, self.part, self.delivered_at)
