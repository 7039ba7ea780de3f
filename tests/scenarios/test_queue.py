"""A machine with one place for agents: who waits sees it, can change their mind, and is served in order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from playground.stage import Stage
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import Script, script
from tests.scenarios.thread import DONE, QUEUED, SEEN, Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def one_place(folder: Path) -> AsyncIterator[Stage]:
    """A running service that lets one agent work at a time."""
    async with on_stage(folder, environment={"THREADLINE_RUN__MAX_ACTIVE": "1"}) as stage:
        await stage.serve()
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with one_place(tmp_path_factory.mktemp("queue")) as stage:
        yield stage


def holding(name: str) -> list[Script]:
    """The first session holds its place until `name` is released; the others are quick."""
    return [script({"text": "First is done.", "hold": name}, match="be first"), script({"text": "Done."})]


async def occupied(stage: Stage, name: str) -> Thread:
    """A thread whose session has the only place."""
    stage.model.play(holding(name))
    first = Thread(stage, new_channel(stage))
    first.mention("be first")
    await first.until_held(name)
    return first


async def test_sessions_wait_in_line_and_see_how_many_are_ahead(thread: Thread, stage: Stage) -> None:
    first = await occupied(stage, "line")
    asked = thread.mention("be second")
    await thread.until_shown("Queued: 1 ahead.")
    third = Thread(stage, new_channel(stage))
    third.mention("be third")
    await third.until_shown("Queued: 2 ahead.")
    await thread.until_marked(asked, QUEUED)
    await thread.until(lambda: "Queued: 1 ahead." in passing(thread), "Linear shows the queue")

    stage.model.release("line")
    for one in (first, thread, third):
        await one.ended()
    ends = [one.ours()[-1].ts for one in (first, thread, third)]
    assert ends == sorted(ends)
    await thread.until_marked(asked, DONE)
    assert thread.reaction_history(asked)[:2] == [SEEN, QUEUED]


async def test_a_stop_in_the_queue_gives_the_place_up(thread: Thread, stage: Stage) -> None:
    first = await occupied(stage, "stop in line")
    prompts_before = len(stage.model.log)
    thread.mention("be second")
    await thread.until_shown("Queued: 1 ahead.")
    thread.say("stop", by="U0BOB")
    await thread.ended()
    assert thread.told("response") == ["Stopped by Bob. Nothing was changed."]

    stage.model.release("stop in line")
    await first.ended()
    assert len(stage.model.log) == prompts_before


def passing(thread: Thread) -> list[str]:
    """Bodies of the ephemeral activities."""
    return [one["body"] for one in thread.session()["history"] if one["ephemeral"] and "body" in one]
