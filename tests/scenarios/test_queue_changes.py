"""What waits for a place can still be changed and taken back."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from playground.stage import Stage
from tests.scenarios.test_queue import occupied, one_place
from tests.scenarios.thread import QUEUED, Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with one_place(tmp_path_factory.mktemp("changes")) as stage:
        yield stage


async def test_a_message_deleted_in_the_queue_is_withdrawn(thread: Thread, stage: Stage) -> None:
    first = await occupied(stage, "delete in line")
    thread.mention("rename it")
    await thread.until_shown("Queued: 1 ahead.")
    extra = thread.say("and paint it green", by="U0BOB")
    await thread.until(lambda: thread.reactions(extra) == {QUEUED}, "it is queued")
    stage.slack.people.delete("U0BOB", thread.channel, extra)
    await stage.slack.settled()

    stage.model.release("delete in line")
    await first.ended()
    await thread.ended()
    assert "paint it green" not in str(stage.model.bodies[-1]["messages"])


async def test_an_edit_in_the_queue_is_what_the_agent_reads(thread: Thread, stage: Stage) -> None:
    first = await occupied(stage, "edit in line")
    asked = thread.mention("rename it to cart")
    await thread.until_shown("Queued: 1 ahead.")
    stage.slack.people.edit("U0ANN", thread.channel, asked, "<@U0BOT> rename it to basket")
    await thread.until(lambda: "rename it to basket" in thread.transcript(), "Linear shows the edit")

    stage.model.release("edit in line")
    await first.ended()
    await thread.ended()
    assert "rename it to basket" in str(stage.model.bodies[-1]["messages"])


async def test_a_mention_deleted_in_the_queue_is_not_worked_on(thread: Thread, stage: Stage) -> None:
    first = await occupied(stage, "withdraw in line")
    asked = thread.mention("rename everything")
    await thread.until_shown("Queued: 1 ahead.")
    stage.slack.people.delete("U0ANN", thread.channel, asked)
    await stage.slack.settled()

    stage.model.release("withdraw in line")
    await first.ended()
    await thread.ended()
    assert not any("rename everything" in entry["prompt"] for entry in stage.model.log)
