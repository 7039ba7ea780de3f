"""Whatever people, agent, platforms and operator do, in any order: one story, told on both sides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from playground.slack_clock import VirtualClock
from tests.scenarios.conftest import on_stage
from tests.scenarios.interleaving import STEPS, Talk, World, world_on

pytestmark = pytest.mark.timeout(400)  # All of the sessions are one test.

Step = Callable[[Talk], Awaitable[None]]
Steps = Sequence[tuple[Step, bool]]
"""What is done; after True, everything that follows from what was done before is over first."""

Play = Callable[[Steps], None]


@asynccontextmanager
async def world_in(folder: Path) -> AsyncIterator[World]:
    clock = VirtualClock()
    async with on_stage(folder, slack_clock=clock) as stage, world_on(stage, clock) as world:
        yield world


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Plays steps in a session of their own."""
    with asyncio.Runner() as runner:
        world_now = world_in(tmp_path_factory.mktemp("interleaving"))
        world = runner.run(world_now.__aenter__())
        yield lambda steps: runner.run(played(world, steps))
        runner.run(world_now.__aexit__(None, None, None))


async def played(world: World, steps: Steps) -> None:
    talk = Talk(world)
    talk.thread.mention(talk.word())
    for step, is_patient in [(Talk.agent_thinks, True), *steps]:
        if is_patient:
            await world.settled()
        await step(talk)
    await talk.end()
    talk.check()
    await talk.check_log()


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    # A session that failed would disturb the shorter ones that are tried next.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.booleans()), min_size=3, max_size=10))
def test_both_sides_tell_the_same_story(play: Play, steps: Steps) -> None:
    play(steps)
