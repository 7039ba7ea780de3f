"""The whole mirror on a real database, with real sinks and stand-ins for the platforms."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.activities import (
    Action,
    Answered,
    Blocker,
    Elicitation,
    Entry,
    Fate,
    FateChanged,
    Heartbeat,
    Notice,
    Outcome,
    Plan,
    PlanStep,
    Prompt,
    Response,
    StepStatus,
    Thought,
    TurnEnded,
    TurnStarted,
)
from core.errors import DeliveryError, Refused, StoreUnavailable, TargetGone, Throttled, TryLater
from core.ids import ElicitationId, MessageRef, SessionId, ThreadRef, TurnId
from core.mirror.budget import Limit
from core.mirror.chat_sink import ChatSink
from core.mirror.clock import SystemClock
from core.mirror.mirror import BATCH, Mirror
from core.mirror.sink import Sink
from core.ports import Payload
from core.store import mirroring
from core.store.database import Database
from core.store.tables import bindings, ops
from linear.errors import NotFound, RateLimited, Transient, Unauthorized
from linear.sink import LinearSink
from tests.core.mirror.fakes import (
    ANN,
    EVE,
    SESSION,
    THREAD,
    FakeLinear,
    FakeSurface,
    Heard,
    JumpingClock,
    add_session,
    append,
    create,
    log_of,
    logged,
    render,
)

TURN = TurnId("t0")
STARTED = TurnStarted(turn=TURN, author=ANN)
ENDED = TurnEnded(turn=TURN, outcome=Outcome.DONE, elapsed_s=5)


class FailingSurface(FakeSurface):
    """Raises the planned errors, in order, for calls of one kind; executes what may have been done."""

    def __init__(self, call: str, *errors: DeliveryError) -> None:
        super().__init__()
        self.call = call
        self.errors = [*errors]

    async def post(self, thread: ThreadRef, payload: Payload, *, key: str, again: bool) -> str:
        if self.call == "post" and self.errors:
            await self._fail(super().post(thread, payload, key=key, again=again))
        return await super().post(thread, payload, key=key, again=again)

    async def edit(self, message: MessageRef, payload: Payload) -> None:
        if self.call == "edit" and self.errors:
            await self._fail(super().edit(message, payload))
        await super().edit(message, payload)

    async def _fail(self, executing: object) -> None:
        error = self.errors.pop(0)
        if isinstance(error, TryLater) and error.maybe_done and asyncio.iscoroutine(executing):
            await executing
        elif asyncio.iscoroutine(executing):
            executing.close()
            self.calls.append(self.call)
        raise error


class FailingLinear(FakeLinear):
    """Raises the planned errors, in order, and executes nothing then."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = [*errors]
        self.reached = asyncio.Event()

    def _leave(self) -> None:
        super()._leave()
        self.reached.set()
        if self.errors:
            raise self.errors.pop(0)


class World:
    """One mirror over a database with sessions in it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.heard = Heard()
        self.clock = JumpingClock()
        self.mirrors: list[Mirror] = []

    def mirror(self, *sinks: Sink) -> Mirror:
        mirror = Mirror(
            self.database,
            {sink.name: sink for sink in sinks},
            self.clock,
            on_gone=self.heard.on_gone,
            on_trouble=self.heard.on_trouble,
            on_refused=self.heard.on_refused,
            random=lambda: 0.5,
            sweep_s=None,
        )
        mirror.start()
        self.mirrors.append(mirror)
        return mirror

    async def session(self, *places: tuple[str, str], session: SessionId = SESSION) -> None:
        await add_session(self.database, session)
        async with self.database.write() as connection:
            for sink, target in places:
                await mirroring.bind(connection, session, sink=sink, target=target, install="i1")

    async def show(self, mirror: Mirror, *entries: Entry, every_s: float = 1.0) -> None:
        await append(self.database, log_of(*entries, every_s=every_s))
        mirror.wake(SESSION)
        async with asyncio.timeout(10):
            await mirror.drained(SESSION)

    async def states(self) -> list[str]:
        async with self.database.read() as connection:
            return [*await connection.scalars(sa.select(ops.c.state).order_by(ops.c.at))]


SLACK = ("slack", str(THREAD))
LINEAR = ("linear", "ls1")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = Database(f"sqlite:///{tmp_path / 'app.db'}")
    await create(database)
    world = World(database)
    yield world
    for mirror in world.mirrors:
        await mirror.stop()
    await database.close()


async def test_a_session_is_told_in_both_places_in_the_same_order(world: World) -> None:
    surface, linear = FakeSurface(), FakeLinear()
    await world.session(SLACK, LINEAR)
    question = Elicitation(id=ElicitationId("q"), body="Which wins?")
    mirror = world.mirror(ChatSink(surface, render), LinearSink(linear))

    await world.show(
        mirror,
        STARTED,
        Prompt(author=ANN, body="fix it"),
        Prompt(author=EVE, body="carefully"),
        question,
        Answered(elicitation=question.id, by=EVE, answer="Archived"),
        Response(body="Fixed."),
        ENDED,
    )

    assert surface.solids() == [
        "Eve in Linear: carefully",
        "Question: Which wins?",
        "Answered by Eve in Linear: Archived",
        "Response: Fixed.",
    ]
    assert linear.solids() == ["Ann in Slack: fix it", "Question: Which wins?", "Response: Fixed."]
    assert surface.texts() == [
        "card t0: done",
        "Eve in Linear: carefully",
        "Answered by Eve in Linear: Archived",
        "Response: Fixed.",
    ]


async def test_a_hundred_thoughts_in_a_second_are_one_call(world: World) -> None:
    linear = FakeLinear()
    await world.session(LINEAR)
    mirror = world.mirror(LinearSink(linear))

    await world.show(mirror, *[Thought(body=f"t{i}", ephemeral=True) for i in range(100)], every_s=0.01)

    assert [content["body"] for _, content, _ in linear.activities.values()] == ["t99"]
    assert linear.calls == 1


async def test_many_plan_changes_cost_one_update_in_two_seconds(world: World) -> None:
    linear = FakeLinear()
    await world.session(LINEAR)
    mirror = world.mirror(LinearSink(linear))
    plans = [Plan(steps=(PlanStep(f"step {i}", StepStatus.PENDING),)) for i in range(3)]

    for n, plan in enumerate(plans, 1):
        await append(world.database, [logged(n, plan)])
        mirror.wake(SESSION)
        await mirror.drained(SESSION)

    assert len(linear.plans) == 3
    assert world.clock.now() == pytest.approx(JumpingClock().now() + 4.0)


async def test_a_long_answer_goes_out_in_parts_and_stays_whole_after_a_lost_answer(world: World) -> None:
    surface = FailingSurface("post", TryLater("lost", maybe_done=True))
    await world.session(SLACK)
    mirror = world.mirror(ChatSink(surface, render))

    await world.show(mirror, Response(body="one\ftwo\fthree"))

    assert surface.texts() == ["Response: one", "Response: two", "Response: three"]
    assert await world.states() == ["sent", "sent", "sent"]


async def test_a_gone_target_is_called_once_and_the_other_side_hears_of_it(world: World) -> None:
    linear, surface = FailingLinear(NotFound("AgentSession")), FakeSurface()
    await world.session(SLACK, LINEAR)
    mirror = world.mirror(ChatSink(surface, render), LinearSink(linear))

    await world.show(mirror, Prompt(author=EVE, body="hi"), Response(body="a"), Response(body="b"))
    await append(world.database, [logged(4, Response(body="c"))])
    mirror.wake(SESSION)
    await mirror.drained()

    assert linear.calls == 1
    assert world.heard.gone == [(SESSION, "linear", Blocker.LINEAR_GONE)]
    assert surface.solids() == ["Eve in Linear: hi", "Response: a", "Response: b", "Response: c"]
    states = {one.sink: (one.shown, one.head, one.suppressed) for one in await mirror.progress(SESSION)}
    assert states == {"slack": (4, 4, None), "linear": (0, 4, "linear.gone")}


async def test_what_a_platform_refuses_does_not_hold_up_what_follows(world: World) -> None:
    surface = FailingSurface("post", Refused("too long"))
    await world.session(SLACK)
    mirror = world.mirror(ChatSink(surface, render))

    await world.show(mirror, Notice(body="bad"), Response(body="good"))

    assert surface.texts() == ["Response: good"]
    assert await world.states() == ["gave_up", "sent"]


async def test_a_card_that_somebody_deleted_is_posted_afresh_once(world: World) -> None:
    surface = FailingSurface("edit", Refused("message_not_found"), Refused("message_not_found"))
    await world.session(SLACK)
    mirror = world.mirror(ChatSink(surface, render))

    thoughts = [Thought(body=body) for body in ("one", "two", "three")]
    entries: list[Entry] = [STARTED, *thoughts, ENDED]
    for n, entry in enumerate(entries, 1):
        await append(world.database, [logged(n, entry)])
        mirror.wake(SESSION)
        await mirror.drained(SESSION)

    # The first card is gone, the second took its place, and was deleted too: no third. Its end is tried.
    assert surface.texts() == ["card t0: Starting", "card t0: done"]
    assert surface.calls == ["post", "edit", "post", "edit", "edit"]


async def test_short_trouble_is_nobody_elses_business(world: World) -> None:
    linear = FailingLinear(*[Transient("away", maybe_done=False)] * 3)
    await world.session(LINEAR)

    await world.show(world.mirror(LinearSink(linear)), Response(body="a"))

    assert world.heard.trouble == []
    assert linear.solids() == ["Response: a"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lambda: Transient("away", maybe_done=True), Blocker.LINEAR_DOWN),
        (lambda: Unauthorized("revoked"), Blocker.LINEAR_REVOKED),
        (lambda: RateLimited(retry_after_s=30.0), Blocker.LINEAR_QUOTA),
    ],
    ids=["down", "revoked", "throttled"],
)
async def test_lasting_trouble_is_told_once_and_so_is_its_end(
    world: World, error: Callable[[], Exception], code: Blocker
) -> None:
    linear = FailingLinear(*[error() for _ in range(8)])
    await world.session(LINEAR)

    await world.show(world.mirror(LinearSink(linear)), Response(body="a"))

    assert world.heard.trouble == [("linear", SESSION, code), ("linear", SESSION, None)]
    assert linear.solids() == ["Response: a"]


async def test_trouble_that_could_not_be_told_is_told_later(world: World) -> None:
    class Deaf(Heard):
        async def on_trouble(self, sink: str, session: SessionId, code: Blocker | None) -> None:
            await super().on_trouble(sink, session, code)
            if len(self.trouble) == 1:
                raise StoreUnavailable("locked")

    world.heard = Deaf()
    linear = FailingLinear(*[Transient("away", maybe_done=False)] * 9)
    await world.session(LINEAR)

    await world.show(world.mirror(LinearSink(linear)), Response(body="a"))

    assert [code for _, _, code in world.heard.trouble] == [Blocker.LINEAR_DOWN, Blocker.LINEAR_DOWN, None]
    assert linear.solids() == ["Response: a"]


async def test_after_a_restart_the_end_of_trouble_is_still_told(world: World) -> None:
    linear = FailingLinear(*[Transient("away", maybe_done=False)] * 50)
    await world.session(LINEAR)
    mirror = world.mirror(LinearSink(linear))
    await append(world.database, [logged(1, Response(body="a"))])
    mirror.wake(SESSION)
    await world.heard.of_trouble.wait()
    await mirror.stop()
    linear.errors.clear()

    await world.mirror(LinearSink(linear)).drained()

    assert world.heard.trouble == [("linear", SESSION, Blocker.LINEAR_DOWN), ("linear", SESSION, None)]


async def test_a_throttle_holds_all_sessions_of_the_install_and_no_other(world: World) -> None:
    linear, surface = FailingLinear(RateLimited(retry_after_s=30.0)), FakeSurface()
    started = world.clock.now()
    for name in ("s1", "s2"):
        session = SessionId(name)
        await world.session(("linear", f"l-{name}"), session=session)
        await append(world.database, [logged(1, Response(body=name))], session)
    await world.session(SLACK, session=SessionId("s3"))
    await append(world.database, [logged(1, Response(body="s3"))], SessionId("s3"))

    mirror = world.mirror(LinearSink(linear), ChatSink(surface, render))
    await mirror.drained(SessionId("s3"))
    before_the_pause_ends = world.clock.now()
    await mirror.drained()

    assert surface.solids() == ["Response: s3"]
    assert before_the_pause_ends - started < 30.0 <= world.clock.now() - started
    assert linear.solids("l-s1") == ["Response: s1"]
    assert linear.solids("l-s2") == ["Response: s2"]


async def test_an_outage_ends_in_the_newest_state_and_not_in_a_replay(world: World) -> None:
    linear = FailingLinear(*[Transient("away", maybe_done=False)] * 5)
    await world.session(LINEAR)
    mirror = world.mirror(LinearSink(linear))
    thoughts = [Thought(body=f"t{i}", ephemeral=True) for i in range(40)]

    await world.show(mirror, *thoughts, every_s=3.0)

    assert [content["body"] for _, content, _ in linear.activities.values()] == ["t39"]


async def test_three_busy_sessions_share_a_small_budget_evenly(world: World) -> None:
    linear = FakeLinear()
    sessions = [SessionId(f"s{i}") for i in range(3)]
    for session in sessions:
        await world.session(("linear", f"l-{session}"), session=session)
        prompts = [Prompt(author=ANN, body=f"{i}") for i in range(60)]
        await append(world.database, log_of(*prompts, every_s=0.0), session)

    await world.mirror(LinearSink(linear)).drained()

    owners = [owner for owner, _, _ in linear.activities.values()]
    assert len(owners) == 180
    for count in (30, 60, 90, 150):
        shares = [owners[:count].count(f"l-{session}") for session in sessions]
        assert max(shares) - min(shares) <= 3


async def test_actions_share_calls_when_the_budget_is_almost_used_up(world: World) -> None:
    linear = FakeLinear()
    await world.session(LINEAR)
    actions = [Action(action="Ran", parameter=f"`c{i}`", result="ok") for i in range(150)]

    await world.show(world.mirror(LinearSink(linear)), *actions, every_s=0.0)

    shown = linear.actions()
    assert len(shown) < 75
    named = "\n".join(f"{one['parameter']} {one.get('result', '')}" for one in shown)
    assert all(f"`c{i}`" in named for i in range(150))


async def test_a_reaction_moves_with_the_fate_of_a_message(world: World) -> None:
    surface = FakeSurface()
    await world.session(SLACK)
    mirror = world.mirror(ChatSink(surface, render))
    message, elsewhere = MessageRef(THREAD, "m1"), MessageRef(ThreadRef("slack", "T", "C", "1"), "m2")

    for n, fate in enumerate((Fate.SEEN, Fate.DELIVERED, Fate.DONE), 1):
        await append(world.database, [logged(n, FateChanged(message=message, fate=fate))])
        mirror.wake(SESSION)
        await mirror.drained(SESSION)
    await append(world.database, [logged(4, FateChanged(message=elsewhere, fate=Fate.SEEN))])
    mirror.wake(SESSION)
    await mirror.drained(SESSION)

    assert surface.reactions == {"m1": [Fate.DONE]}


async def test_a_reaction_on_the_way_is_left_out_rather_than_waited_for(world: World) -> None:
    surface = FakeSurface()
    await world.session(SLACK)
    limits = dict.fromkeys(("post", "edit", "react"), Limit(10, 10.0)) | {"move": Limit(1, 0.001)}
    messages = [MessageRef(THREAD, "m1"), MessageRef(THREAD, "m2")]
    seen, given, done = (
        [FateChanged(message=one, fate=fate) for one in messages]
        for fate in (Fate.SEEN, Fate.DELIVERED, Fate.DONE)
    )
    mirror = world.mirror(ChatSink(surface, render, limits=limits))
    began, story = world.clock.time, list[Entry]([*seen, *given, Response(body="Fixed."), done[0]])

    for n, entry in enumerate(story, 1):
        await append(world.database, [logged(n, entry)])
        mirror.wake(SESSION)
        await mirror.drained(SESSION)
        if isinstance(entry, Response):
            assert world.clock.time - began < 60

    assert surface.reactions == {"m1": [Fate.DONE], "m2": [Fate.SEEN]}
    assert surface.solids() == ["Response: Fixed."]


async def test_heartbeats_reach_linear_only_before_it_would_call_the_session_stale(world: World) -> None:
    linear = FakeLinear()
    await world.session(LINEAR)
    mirror = world.mirror(LinearSink(linear))

    for n in range(1, 42):
        world.clock.time = max(world.clock.time, logged(n, ENDED, n * 60.0).at.timestamp())
        await append(world.database, [logged(n, Heartbeat(elapsed_s=n * 60), n * 60.0)])
        mirror.wake(SESSION)
        await mirror.drained(SESSION)

    assert linear.calls == 3


async def test_a_backlog_longer_than_a_batch_is_shown_whole(world: World) -> None:
    surface = FakeSurface()
    await world.session(SLACK)
    prompts = [Prompt(author=EVE, body=f"{i}") for i in range(BATCH + 50)]

    await world.show(world.mirror(ChatSink(surface, render)), *prompts, every_s=0.0)

    assert surface.solids() == [f"Eve in Linear: {i}" for i in range(BATCH + 50)]


async def test_a_defect_in_one_binding_does_not_stop_the_others(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    linear = FailingLinear(*[ZeroDivisionError()] * 1000)
    healthy = SessionId("s2")
    await world.session(LINEAR)
    await world.session(("linear", "l2"), session=healthy)
    mirror = world.mirror(LinearSink(linear))
    await append(world.database, [logged(1, Response(body="a"))])
    mirror.wake(SESSION)
    await linear.reached.wait()

    linear.errors.clear()
    await append(world.database, [logged(1, Response(body="b"))], healthy)
    mirror.wake(healthy)
    await mirror.drained()

    assert linear.solids("ls1") == ["Response: a"]
    assert linear.solids("l2") == ["Response: b"]
    assert "delivery failed in an unknown way" in caplog.messages


async def test_a_binding_made_late_is_told_everything_from_the_start(world: World) -> None:
    surface, linear = FakeSurface(), FakeLinear()
    await world.session(SLACK)
    mirror = world.mirror(ChatSink(surface, render), LinearSink(linear))
    await world.show(mirror, Prompt(author=ANN, body="fix it"), Response(body="a"))

    async with world.database.write() as connection:
        for _ in range(2):
            await mirroring.bind(connection, SESSION, sink="linear", target="ls1", install="i1")
    mirror.wake(SESSION)
    await mirror.drained(SESSION)

    assert linear.solids() == ["Ann in Slack: fix it", "Response: a"]
    async with world.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(bindings)) == 2


async def test_a_stopped_mirror_leaves_nobody_waiting(world: World) -> None:
    linear = FailingLinear(*[Transient("away", maybe_done=False)] * 10_000)
    await world.session(LINEAR)
    await append(world.database, [logged(1, Response(body="a"))])
    mirror = world.mirror(LinearSink(linear))
    waiting = asyncio.create_task(mirror.drained())
    await linear.reached.wait()

    await mirror.stop()

    with pytest.raises(RuntimeError, match="stopped"):
        await waiting
    with pytest.raises(RuntimeError, match="does not run"):
        await mirror.drained()


async def test_the_system_clock_wakes_for_an_event_and_for_the_time() -> None:
    clock, event = SystemClock(), asyncio.Event()
    await clock.wait(event, clock.now() - 1.0)
    assert not event.is_set()

    event.set()
    async with asyncio.timeout(30):
        await clock.wait(event, clock.now() + 3600.0)


async def test_a_chat_throttle_is_named_for_the_other_side(world: World) -> None:
    surface = FailingSurface("post", *[Throttled("slow down", retry_after_s=15.0)] * 3)
    await world.session(SLACK)

    await world.show(world.mirror(ChatSink(surface, render)), Response(body="a"))

    assert world.heard.trouble == [("slack", SESSION, Blocker.CHAT_THROTTLED), ("slack", SESSION, None)]
    assert surface.texts() == ["Response: a"]


async def test_a_thread_that_is_gone_is_left_alone(world: World) -> None:
    surface = FailingSurface("post", TargetGone("archived", code=Blocker.CHAT_GONE))
    await world.session(SLACK)

    await world.show(world.mirror(ChatSink(surface, render)), STARTED, Response(body="a"), ENDED)

    assert surface.calls == ["post"]
    assert world.heard.gone == [(SESSION, "slack", Blocker.CHAT_GONE)]
