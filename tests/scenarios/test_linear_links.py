"""What a session from chat shows of itself in Linear, and what that costs from the first call on."""

import pytest

from playground.linear_faults import Fault
from playground.scripts import call, run, todo
from playground.stage import Stage
from tests.scenarios.scripts import script
from tests.scenarios.thread import Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS_AT_MOST = 12
THREE_TOOLS = script(
    {"tools": [todo(0), call("Write", file_path="notes.md", content="# Notes\n")]},
    {"tools": [run("true")]},
    {"tools": [call("Edit", file_path="notes.md", old_string="Notes", new_string="News")]},
    {"text": "Written."},
)


async def test_a_new_issue_and_a_session_with_three_tools_take_few_calls(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([THREE_TOOLS])
    thread.mention("write the notes")
    await thread.ended()

    asked = [name for name, _ in stage.linear.endpoint.requests]
    assert len(asked) <= CALLS_AT_MOST, asked
    assert {"CreateIssue", "StartSessionOnIssue", "PresentSession"} <= set(asked)


async def test_the_session_has_a_title_and_the_issue_a_link_to_the_thread(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("search is slow\nsince Tuesday")
    await thread.ended()

    issue, session = thread.issue(), thread.session()
    (link,), (attachment,) = session["externalLinks"], issue["attachments"]
    assert session["summary"] == issue["title"] == "Search is slow"
    assert attachment["url"] == link["url"]
    assert (attachment["sourceType"], attachment["isSyncedThread"]) == ("slack", False)


async def test_a_thread_that_linear_will_not_link_as_slack_is_linked_all_the_same(
    thread: Thread, stage: Stage
) -> None:
    stage.linear.faults.add(
        Fault("PresentSession", "answer", code="INPUT_ERROR", message="the thread is already synced")
    )
    stage.model.play([script({"text": "Done."})])
    thread.mention("search is slow")
    await thread.ended()

    (attachment,) = thread.issue()["attachments"]
    assert (attachment["sourceType"], attachment["title"]) == ("api", "Slack thread")


async def test_a_session_that_exists_is_told_before_anything_else_is_asked(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script({"text": "Done."})])
    thread.mention("search is slow")
    await thread.ended()
    before = len(stage.linear.endpoint.requests)
    thread.say("now document it")
    await thread.ended(2)

    asked = [name for name, _ in stage.linear.endpoint.requests[before:]]
    assert set(asked) == {"CreateActivity"}
