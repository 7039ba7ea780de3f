"""Stop, however it is said: the agent and all it started are gone, and both sides say once what is left."""

import logging
import time
from collections.abc import Awaitable, Callable

import pytest

from playground.scripts import call, run
from playground.stage import Stage
from tests.scenarios.processes import agents, runs
from tests.scenarios.scripts import script
from tests.scenarios.thread import Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

log = logging.getLogger(__name__)

SLOW = "python3 -c 'import time; print(\"measuring\", flush=True); time.sleep(600)'"
WRITES_THEN_HANGS = script(
    {"tools": [call("Write", file_path="notes.md", content="# Notes\n")]}, {"tools": [run(SLOW)]}
)

Stop = Callable[[Thread], Awaitable[None]]


async def word(thread: Thread) -> None:
    thread.say("stop", by="U0BOB")


async def polite_mention(thread: Thread) -> None:
    thread.mention("please stop this now.", by="U0BOB")


async def button(thread: Thread) -> None:
    await thread.press("Stop", by="U0BOB")


async def reaction(thread: Thread) -> None:
    thread.stage.slack.people.react("U0BOB", thread.channel, thread.ours()[0].ts, "x")


async def native(thread: Thread) -> None:
    thread.stage.slack.people.stop_session("U0BOB", thread.channel, thread.root)


async def in_linear(thread: Thread) -> None:
    thread.stage.linear.people.stop(thread.session()["id"], by="bob")


async def at_work(thread: Thread) -> None:
    """A turn whose agent runs a command that would last for minutes."""
    thread.stage.model.play([WRITES_THEN_HANGS])
    thread.mention("measure the export")
    await thread.until(lambda: runs(thread.stage, "measuring"), "the command runs")


async def gone(thread: Thread) -> None:
    await thread.until(lambda: not agents(thread.stage), "no process of the agent is left")


@pytest.mark.parametrize("stop", [word, polite_mention, button, reaction, native, in_linear])
async def test_a_stop_ends_the_agent_and_both_sides_say_once_what_is_left(
    thread: Thread, stage: Stage, stop: Stop
) -> None:
    await at_work(thread)
    assert len(agents(stage)) >= 3
    began = time.monotonic()
    await stop(thread)
    await gone(thread)
    log.info("stopped by %s in %.2f s", stop.__name__, time.monotonic() - began)

    await thread.ended()
    (response,) = thread.told("response")
    branch = thread.issue()["branchName"]
    assert response == f"Stopped by Bob. The work so far is on branch `{branch}` · 1 file +1 −0."
    assert thread.answers() == [f"<@U0ANN>\n{response}"]
    assert " · stopped after " in thread.cards()[0]
    assert not thread.told("error")
    assert thread.session()["status"] == "complete"
