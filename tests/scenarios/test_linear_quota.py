"""Linear allows less and less: what people see grows shorter, and what they wait for still comes."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from playground.linear_endpoint import Limits
from playground.linear_faults import Fault
from playground.scripts import Reply, call
from playground.stage import Stage
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import question, script
from tests.scenarios.thread import Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

AN_HOUR = 50
POINTS = 2_000_000
STEPS = 20
MODEST = Limits()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path_factory.mktemp("quota")) as stage:
        await stage.serve()
        yield stage


@pytest.fixture(autouse=True)
def generous(stage: Stage) -> Iterator[None]:
    """Afterwards Linear allows as much as ever."""
    yield
    stage.linear.endpoint.limit(MODEST)


def step(number: int) -> Reply:
    return {
        "text": f"Remark {number}.",
        "tools": [call("Write", file_path=f"notes/{number}.md", content=f"# {number}\n")],
    }


def sent(stage: Stage, before: int) -> list[dict[str, Any]]:
    """The activities that Linear was sent."""
    asked = stage.linear.endpoint.requests[before:]
    return [dict(given["input"]["content"]) for name, given in asked if name == "CreateActivity"]


def told_of(activities: list[dict[str, Any]]) -> set[int]:
    """The steps of which people can read the remark and the file, alone or in a summary."""
    told = "\n".join(str(value) for one in activities for value in one.values())
    return {
        number for number in range(STEPS + 1) if f"Remark {number}." in told and f"notes/{number}.md" in told
    }


async def test_thoughts_stop_first_then_actions_are_summarised_and_the_rest_always_comes(
    thread: Thread, stage: Stage
) -> None:
    asks: Reply = {"tools": [question("Shall I go on?", "Yes", "No")]}
    brief: Reply = {"text": "All written.", "if_told": {"brief": ({"text": "All written, briefly."},)}}
    stage.model.play([script(*map(step, range(STEPS)), asks, {**step(STEPS), "hold": "told"}, brief)])
    stage.linear.endpoint.limit(Limits(app=(AN_HOUR, POINTS)))
    before = len(stage.linear.endpoint.requests)
    thread.mention("write the notes")
    await thread.until_shown("Shall I go on?")
    await thread.until(lambda: "Shall I go on?" in str(thread.told("elicitation")), "Linear asks it too")
    await thread.press("Yes")
    await thread.until_held("told")
    thread.say("and be brief", by="U0BOB")
    await thread.until(lambda: "Bob in Slack: and be brief" in thread.told("thought"), "Linear shows it")
    stage.model.release("told")

    await thread.ended()
    activities = sent(stage, before)
    thoughts = [one["body"] for one in activities if one["type"] == "thought"]
    actions = [one for one in activities if one["type"] == "action"]
    assert len(stage.linear.endpoint.requests) - before < AN_HOUR
    assert [one for one in thoughts if not one.startswith("On it")][:1] == ["Ann in Slack: write the notes"]
    assert not any(one["action"] == "Writing" and f"/{STEPS}." in one["parameter"] for one in actions)
    assert any(one["action"] == "Did" and one["parameter"].endswith(" steps") for one in actions)
    assert told_of(activities) == set(range(STEPS + 1))
    assert {"Answered by Bob in Slack: Yes", "Bob in Slack: and be brief"} <= set(thoughts)
    assert thread.told("response")[0].startswith("All written, briefly.")
    assert not thread.told("error")


async def test_complexity_points_count_like_requests(thread: Thread, stage: Stage) -> None:
    stage.model.play([script(*map(step, range(4)), {"text": "All written."})])
    # Full again in an hour, and empty for all that we allow ourselves.
    stage.linear.endpoint.limit(Limits(app=(5_000, 1_500)))
    before = len(stage.linear.endpoint.requests)
    thread.mention("write the notes")

    await thread.ended()
    actions = [one for one in sent(stage, before) if one["type"] == "action"]
    assert not any(one["action"].startswith("Writing") for one in actions)
    assert thread.told("response")[0].startswith("All written.")
    thread.same_story()


@pytest.mark.parametrize("status", [200, 400, 429, 503])
async def test_a_throttle_is_waited_for_under_any_status_and_is_never_an_error(
    thread: Thread, stage: Stage, status: int
) -> None:
    stage.model.play([script(step(0), {"text": "All written."})])
    for operation in ("CreateIssue", "StartSessionOnIssue", "CreateActivity"):
        stage.linear.faults.add(
            Fault(operation, "answer", status=status, code="RATELIMITED", retry_after_s=1)
        )
    thread.mention("write the notes")
    await thread.until_shown("Linear is throttling us; updates there are slower.")

    await thread.ended()
    assert not stage.linear.faults.planned
    assert not thread.told("error")
    assert not thread.shows("throttling")
    assert len(thread.issues()) == 1
    thread.same_story()


async def test_one_activity_that_linear_refuses_is_left_out_and_recorded(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({**step(0), "hold": "write"}, {"text": "All written."})])
    thread.mention("write the notes")
    await thread.until_held("write")
    await thread.until(lambda: thread.told("thought"), "Linear shows what was asked")
    refusal = Fault("CreateActivity", "answer", status=200, code="INPUT_ERROR", message="not like this")
    stage.linear.faults.add(refusal)
    log_before = stage.log
    stage.model.release("write")

    await thread.ended()
    assert "delivery refused" in stage.log.removeprefix(log_before)
    assert thread.told("response")[0].startswith("All written.")
    assert not thread.told("error")
