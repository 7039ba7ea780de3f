"""Both projections of one log, through crashes and lost answers at every point, on a disk in memory."""

import asyncio
from dataclasses import replace
from itertools import count
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.activities import Logged
from core.errors import TryLater
from core.mirror.chat_sink import ChatSink
from core.mirror.lane import Begun, Lane, Planned
from core.mirror.queue import Advance, Idle, Wait
from core.mirror.sink import Sink
from core.mirror.story import fold
from core.store.mirroring import Binding, BindingKey, Step, StoredOp
from linear.sink import LinearSink
from tests.core.mirror.fakes import SESSION, THREAD, Crash, FakeLinear, FakeSurface, Luck, render
from tests.core.mirror.logs import chat_story, linear_story, random_log


class Disk:
    """What survives a crash."""

    def __init__(self, sink: Sink, target: str) -> None:
        key = BindingKey(SESSION, sink.name, target)
        self.binding = Binding(key, "i1", 0, 0, {}, None, 0.0, 0)
        self.op: StoredOp | None = None
        self.ids = count()

    def begin(self, planned: Planned) -> StoredOp:
        assert self.op is None, "a second call beside one in the air"
        self.op = StoredOp(str(next(self.ids)), planned.body(), planned.to)
        return self.op

    def move(self, to: Step, lane: Lane) -> None:
        assert to.cursor >= self.binding.cursor
        self.op = None
        self.binding = replace(self.binding, cursor=to.cursor, part=to.part, memory=lane.memory)


async def live(disk: Disk, sink: Sink, log: list[Logged], luck: Luck) -> None:
    """One life of a worker, until nothing is pending or it dies."""
    cursor = disk.binding.cursor
    lane = Lane.of(disk.binding, sink, fold(log[:cursor]))
    if disk.op is not None:
        lane.begun = Begun(disk.op, Planned.stored(disk.op), again=True)
    lane.load(log[cursor:])
    now = log[-1].at.timestamp()
    while True:
        match lane.next_move(now, luck.random.choice((0, 0, 1, 2))):
            case Idle():
                return
            case Wait(until=until):
                now = until
            case Advance(to=to):
                lane.advanced(Step(to))
                disk.move(Step(to), lane)
            case Planned() as planned:
                await call(disk, lane, planned, luck)


async def call(disk: Disk, lane: Lane, planned: Planned, luck: Luck) -> None:
    begun = lane.begun = lane.begun or Begun(disk.begin(planned), planned, again=False)
    luck.strike()
    try:
        delivered = await lane.sink.deliver(lane.key.target, begun.planned.op, again=begun.again)
    except TryLater as error:
        begun.again = begun.again or error.maybe_done
        if not begun.again:
            disk.op = None
            lane.replan()
        return
    luck.strike()
    lane.moved(begun.stored.to, lane.sink.remember(lane.memory, begun.planned.op, delivered))
    disk.move(begun.stored.to, lane)
    luck.strike()


def project(sink: Sink, target: str, log: list[Logged], luck: Luck) -> None:
    """Let workers live and die while the log grows, until all of it is shown."""

    async def lives() -> None:
        disk, grown = Disk(sink, target), 0
        while disk.binding.cursor < len(log):
            grown = min(len(log), grown + luck.random.randrange(1, 6))
            try:
                await live(disk, sink, log[:grown], luck)
            except Crash:
                continue

    asyncio.run(lives())


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((0.0, 0.05, 0.2)), st.sampled_from((0.0, 0.05, 0.2)))
def test_both_sides_tell_the_whole_story_once_and_in_order(seed: int, crash: float, fail: float) -> None:
    luck = Luck(Random(seed), crash=crash, fail=fail)
    log = random_log(luck.random, turns=3)
    surface, linear = FakeSurface(luck), FakeLinear(luck)

    project(ChatSink(surface, render), str(THREAD), log, luck)
    project(LinearSink(linear), "ls1", log, luck)

    assert surface.solids() == chat_story(log)
    assert linear.solids() == linear_story(log)
    told_in_both = [line for line in surface.solids() if line in linear.solids()]
    assert told_in_both == [line for line in linear.solids() if line in surface.solids()]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_every_finished_action_is_named_once_in_linear(seed: int) -> None:
    luck = Luck(Random(seed), crash=0.1, fail=0.1)
    log = random_log(luck.random, turns=2, length=20)
    linear = FakeLinear(luck)

    project(LinearSink(linear), "ls1", log, luck)

    named = "\n".join(f"{action['parameter']}\n{action.get('result', '')}\n" for action in linear.actions())
    ran = [one.entry.parameter for one in log if one.entry.kind == "action" and not one.entry.ephemeral]
    assert [named.count(f"{parameter}\n") for parameter in ran] == [1] * len(ran)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_each_turn_has_one_card_that_ends_with_its_outcome(seed: int) -> None:
    luck = Luck(Random(seed), crash=0.15, fail=0.15)
    log = random_log(luck.random, turns=3)
    surface = FakeSurface(luck)

    project(ChatSink(surface, render), str(THREAD), log, luck)

    cards = [text for text in surface.texts() if text.startswith("card")]
    assert cards == ["card t0: done", "card t1: done", "card t2: done"]


def test_a_surface_that_cannot_read_back_loses_nothing_either() -> None:
    repeated = 0
    for seed in range(30):
        luck = Luck(Random(seed), crash=0.1, fail=0.1)
        log = random_log(luck.random, turns=2)
        surface = FakeSurface(luck, reads_back=False)

        project(ChatSink(surface, render), str(THREAD), log, luck)

        assert list(dict.fromkeys(surface.solids())) == chat_story(log)
        repeated += len(surface.solids()) - len(chat_story(log))
    assert repeated > 0, "the tests above prove little if bad luck never shows"
