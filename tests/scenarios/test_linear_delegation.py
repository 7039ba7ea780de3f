"""What begins in Linear and what ends it there: delegations, mentions, issues that are taken away."""

from collections.abc import Mapping
from typing import Any

import pytest

from playground.scripts import call, run
from playground.stage import Stage
from tests.scenarios.processes import agents
from tests.scenarios.scripts import script
from tests.scenarios.thread import WITHIN_S, Thread

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_ISSUE = "I work on issues: mention or delegate me on one."
DONE = script({"text": "Done as asked."})
WRITES_THEN_HANGS = script(
    {"tools": [call("Write", file_path="notes.md", content="# Notes\n")]},
    {"tools": [run("python3 -c 'import time; time.sleep(600)'")]},
)


def issue_of(stage: Stage, identifier: str) -> dict[str, Any]:
    (issue,) = [one for one in stage.issues() if one["identifier"] == identifier]
    return issue


def history(stage: Stage, identifier: str) -> list[dict[str, Any]]:
    (session,) = issue_of(stage, identifier)["sessions"]
    return list(session["history"])


def last_words(stage: Stage, identifier: str) -> list[str]:
    return [one["body"] for one in history(stage, identifier) if one["type"] in ("response", "error")]


async def ended(stage: Stage, identifier: str) -> str:
    """The one closing activity of the issue's session, once it is there."""
    await stage.until(lambda: last_words(stage, identifier), WITHIN_S, f"the work on {identifier} is over")
    (words,) = last_words(stage, identifier)
    return words


async def at_work(stage: Stage, identifier: str) -> None:
    stage.model.play([WRITES_THEN_HANGS])
    stage.linear.people.delegate(identifier, by="eve")
    await stage.until(lambda: "Wrote" in str(history(stage, identifier)), WITHIN_S, "a file was written")


def new_issue(stage: Stage, title: str = "Search is slow", **options: str) -> str:
    """In triage, as an integration would create it."""
    issue = stage.linear.people.create_issue(title, **options)
    stage.linear.people.move(issue.identifier, "Triage")
    return issue.identifier


def heard(stage: Stage) -> str:
    """Everything that the model was told last."""
    return str(stage.model.bodies[-1]["messages"])


async def test_nothing_is_asked_of_linear_before_a_delegated_session_shows_its_first_thought(
    stage: Stage,
) -> None:
    stage.model.play([DONE])
    identifier = new_issue(stage)
    before = len(stage.linear.endpoint.requests)
    stage.linear.people.delegate(identifier, by="eve")
    await ended(stage, identifier)

    (first, given), *later = stage.linear.endpoint.requests[before:]
    assert (first, given["input"]["content"]["type"], given["input"]["ephemeral"]) == (
        "CreateActivity",
        "thought",
        True,
    )
    assert "FindIssue" in [name for name, _ in later]


async def test_an_issue_that_a_person_delegates_is_moved_to_the_first_started_state(stage: Stage) -> None:
    stage.model.play([DONE])
    identifier = new_issue(stage, description="It takes a minute.")
    stage.linear.workspace.guidance[:] = ["Run the tests."]
    stage.linear.people.delegate(identifier, by="eve")

    assert (await ended(stage, identifier)).startswith("Done as asked.")
    issue = issue_of(stage, identifier)
    assert (issue["state"], issue["assignee"], issue["delegate"]) == ("In Progress", "Eve", "Threadline")
    told = heard(stage)
    assert "<issue>\\nSearch is slow\\n\\nIt takes a minute.\\n</issue>" in told
    assert "<linear-context>" in told
    assert "<guidance>\\nRun the tests.\\n</guidance>" in told
    assert "Eve in Linear:\\n<message>\\nSearch is slow\\n</message>" in told


async def test_an_issue_that_an_automation_delegates_stays_in_triage(stage: Stage) -> None:
    stage.model.play([DONE])
    identifier = new_issue(stage)
    stage.linear.people.delegate(identifier, by=None)

    await ended(stage, identifier)
    issue = issue_of(stage, identifier)
    assert (issue["state"], issue["assignee"]) == ("Triage", None)


async def test_a_mention_is_answered_and_leaves_the_issue_as_it_is(stage: Stage) -> None:
    stage.model.play([DONE])
    identifier = new_issue(stage)
    root = stage.linear.people.comment(identifier, "It was fast last week.", by="bob")
    stage.linear.people.mention(identifier, "why is it slow now?", by="eve", reply_to=root.id)

    await ended(stage, identifier)
    issue = issue_of(stage, identifier)
    assert (issue["state"], issue["delegate"]) == ("Triage", None)
    told = heard(stage)
    assert "<message>\\nwhy is it slow now?\\n</message>" in told
    assert "<earlier-comments>\\nIt was fast last week.\\n</earlier-comments>" in told


async def test_a_session_without_an_issue_is_answered_and_nothing_runs(stage: Stage) -> None:
    asked = len(stage.model.log)
    session = stage.linear.people.mention_in_document(by="eve")
    await stage.until(lambda: session.inferred_status == "complete", WITHIN_S, "the session is answered")
    stage.linear.people.prompt(session.id, "please", by="eve")
    await stage.until(lambda: session.inferred_status == "complete", WITHIN_S, "and again")

    said = [one.content["body"] for one in session.history if one.type != "thought"]
    assert said == [NO_ISSUE, "please", NO_ISSUE]
    assert session.history[0].ephemeral
    assert len(stage.model.log) == asked


async def test_taking_the_delegation_away_stops_the_work_and_says_so(stage: Stage) -> None:
    identifier = new_issue(stage)
    await at_work(stage, identifier)
    stage.linear.people.undelegate(identifier, by="eve")

    branch = issue_of(stage, identifier)["branchName"]
    assert await ended(stage, identifier) == (
        f"Stopped: Eve took the delegation away. The work so far is on branch `{branch}` · 1 file +1 −0."
    )
    await stage.until(lambda: not agents(stage), WITHIN_S, "no process of the agent is left")


@pytest.mark.parametrize("state", ["Done", "Canceled"])
async def test_closing_the_issue_stops_the_work_of_a_thread_and_both_sides_say_so(
    thread: Thread, stage: Stage, state: str
) -> None:
    stage.model.play([WRITES_THEN_HANGS])
    thread.mention("measure the export")
    await thread.until_shown("time.sleep(600)")
    await thread.until(lambda: "Wrote notes.md" in thread.transcript(), "a file was written")
    identifier = thread.issue()["identifier"]
    stage.linear.people.move(identifier, state, by="bob")

    await thread.ended()
    (response,) = thread.told("response")
    assert response.startswith(f"Stopped: Bob moved {identifier} to {state}. The work so far is on branch")
    assert thread.answers() == [f"<@U0ANN>\n{response}"]


async def test_closing_an_issue_on_which_nothing_runs_is_no_news(thread: Thread, stage: Stage) -> None:
    stage.model.play([DONE])
    thread.mention("fix the search")
    await thread.ended()
    shown = (thread.texts(), thread.session()["history"])
    stage.linear.people.move(thread.issue()["identifier"], "Done", by="bob")
    await stage.linear.settled()
    # Whatever it had led to would be there before the answer to this.
    thread.say("stop")
    await thread.until_shown("Nothing is running")

    texts, activities = shown
    assert thread.texts() == [*texts, "Nothing is running here."]
    assert thread.session()["history"] == activities


async def test_no_issue_gets_a_session_twice_over_by_a_delegate_and_by_a_call(stage: Stage) -> None:
    def issues(name: str, field: str) -> set[str]:
        asked = [given for each, given in stage.linear.endpoint.requests if each == name]
        return {_issue_of(given) for given in asked if field in given["input"]}

    started = issues("StartSessionOnIssue", "issueId")
    assert started
    assert not started & issues("UpdateIssue", "delegateId")
    assert not issues("CreateIssue", "delegateId")


def _issue_of(given: Mapping[str, Any]) -> str:
    return str(given.get("id") or given["input"]["issueId"])


async def test_revoked_access_is_a_named_blocker_in_the_thread(thread: Thread, stage: Stage) -> None:
    # The last one: the app is not installed again.
    stage.linear.courier.emit(stage.linear.tokens.revoke())
    thread.mention("fix the search")

    await thread.until_shown("Linear access was revoked")
    await stage.linear.settled()
    (delivery,) = [one for one in stage.linear.courier.deliveries if one.type == "OAuthApp"]
    assert delivery.is_delivered
