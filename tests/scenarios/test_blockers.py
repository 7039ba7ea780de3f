"""What ends or delays a turn, where no other scenario brings it about: named on both sides."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing

import pytest

from core.activities import Blocker
from playground.linear_faults import Fault
from playground.scripts import Reply, run
from playground.stage import Stage
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import script
from tests.scenarios.thread import ENDED, Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

HANGS: Reply = {"tools": [run("python3 -c 'import time; time.sleep(600)'")]}
WORKS: Reply = {"tools": [run("true")]}

LIMITS: Mapping[Blocker, tuple[str, str, Reply, str]] = {
    Blocker.AGENT_SILENT: (
        "THREADLINE_RUN__SILENCE_TIMEOUT_S",
        "2",
        HANGS,
        "The agent gave no sign of life 3 times in a row.",
    ),
    Blocker.RUN_TIMEOUT: (
        "THREADLINE_RUN__TURN_TIMEOUT_S",
        "5",
        HANGS,
        "Stopped after 0 min as configured; the branch keeps the work. Say continue to go on.",
    ),
    Blocker.MODEL_LIMIT: (
        "THREADLINE_CLAUDE__MAX_BUDGET_USD",
        "0.000001",
        WORKS,
        "The budget of this session is used. For admins: THREADLINE_CLAUDE__MAX_BUDGET_USD sets it.",
    ),
    Blocker.AGENT_FAILED: (
        "THREADLINE_CLAUDE__MAX_TURNS",
        "1",
        WORKS,
        "The agent used all the steps that one turn may take.",
    ),
}


def codes(stage: Stage) -> set[str]:
    """Of everything that was in the way, by the log of the service."""
    with closing(sqlite3.connect(stage.folder / "var" / "threadline.db")) as connection:
        bodies = [json.loads(body) for (body,) in connection.execute("SELECT body FROM events")]
    return {body["code"] for body in bodies if body["kind"] in ("error", "blocked")}


@pytest.mark.parametrize("code", LIMITS)
async def test_a_limit_that_ends_a_turn_is_named_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, code: Blocker
) -> None:
    setting, value, reply, sentence = LIMITS[code]
    async with on_stage(tmp_path_factory.mktemp("limit"), environment={setting: value}) as stage:
        stage.model.play([script(reply, {"text": "Done."})])
        await stage.serve()
        thread = Thread(stage, new_channel(stage))
        thread.mention("fix the search")

        await thread.ended()
        assert thread.told("error") == [sentence]
        assert thread.answers() == [f"<@U0ANN>\n{sentence}"]
        assert thread.session()["status"] == "error"
        assert code in codes(stage)


async def test_a_session_that_is_removed_in_linear_goes_on_in_the_thread(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({**WORKS, "hold": "gone"}, {"text": "Done all the same."})])
    thread.mention("fix the search")
    await thread.until_held("gone")
    await thread.until(lambda: thread.told("thought"), "Linear shows what was asked")
    removed = Fault("CreateActivity", "answer", code="INPUT_ERROR", message="Entity not found: AgentSession")
    stage.linear.faults.add(removed)
    thread.say("and be quick", by="U0BOB")
    await thread.until_shown("The session was removed in Linear; I go on here.")
    stage.model.release("gone")

    await thread.until_shown("Done all the same.")
    await thread.until(lambda: ENDED.search(thread.cards()[0]), "the turn is over")
    assert Blocker.LINEAR_GONE in codes(stage)
    assert not thread.told("response")


async def test_a_restart_is_told_in_the_progress_line_alone(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({**WORKS, "hold": "restart"}, {"text": "Done."})])
    thread.mention("fix the search")
    await thread.until_held("restart")
    await stage.kill()
    await stage.serve()
    await thread.until_shown("I was restarted and continue.")
    stage.model.release("restart")

    await thread.ended()
    assert not thread.shows("restarted")
    assert Blocker.RESTART in codes(stage)
    thread.same_story()
