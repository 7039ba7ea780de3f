"""How the tracker begins to work on an issue, and how it presents a session."""

import json
from dataclasses import replace
from typing import Any

import pytest

from core.errors import Refused, TryLater
from tests.linear.fakes import Answer, data, refusal
from tests.linear.test_tracker import ISSUE, STATES, THREAD_URL, TRACKED, operations, tracker_of, workspace

BEGUN = data(issueUpdate={"success": True, "issue": ISSUE})
APP = {"delegate": {"id": "app"}}


def state(type: str) -> dict[str, Any]:
    return {"state": {"id": "s9", "name": "Any", "type": type, "position": 9}}


@pytest.mark.parametrize(
    ("issue", "as_app", "changes"),
    [
        ({}, True, {"stateId": "s2", "delegateId": "app"}),
        (APP, True, {"stateId": "s2"}),
        ({"delegate": {"id": "other"}}, True, {"stateId": "s2"}),
        (state("triage"), True, {"stateId": "s2", "delegateId": "app"}),
        (state("started"), True, {"delegateId": "app"}),
        ({}, False, {"stateId": "s2"}),
        ({"team": {"id": "t2", "key": "DOC", "name": "Docs"}}, True, {"delegateId": "app"}),
        ({"team": {"id": "t9", "key": "NEW", "name": "New"}}, True, {"delegateId": "app"}),
    ],
    ids=[
        "not begun",
        "delegated to us",
        "delegated to another",
        "in triage",
        "begun",
        "with a person's key",
        "in a team without a started state",
        "in a team we have not heard of",
    ],
)
async def test_an_issue_is_moved_and_made_ours_as_far_as_that_is_due(
    issue: dict[str, Any], as_app: bool, changes: dict[str, str]
) -> None:
    tracker, linear = tracker_of(data(issue=ISSUE | issue), workspace(), BEGUN, as_app=as_app)
    await tracker.take_on("i1")
    assert operations(linear) == ["FindIssue", "Workspace", "UpdateIssue"]
    assert linear.variables == {"id": "i1", "input": changes}


@pytest.mark.parametrize("type", ["started", "completed", "canceled"])
async def test_an_issue_that_is_ours_and_begun_or_over_stays_as_it_is(type: str) -> None:
    tracker, linear = tracker_of(data(issue=ISSUE | APP | state(type)), workspace())
    assert await tracker.take_on("i1") == TRACKED
    assert operations(linear) == ["FindIssue", "Workspace"]


async def test_of_several_started_states_the_lowest_is_taken() -> None:
    states = [
        {"id": "s4", "name": "In Review", "type": "started", "position": 4},
        *STATES,
        {"id": "s0", "name": "Done", "type": "completed", "position": 0},
    ]
    team = {"id": "t1", "key": "ENG", "name": "Engineering", "states": {"nodes": states}}
    tracker, linear = tracker_of(data(issue=ISSUE | APP), workspace([team]), BEGUN)
    await tracker.take_on("i1")
    assert linear.variables["input"] == {"stateId": "s2"}


@pytest.mark.parametrize(
    "no", [refusal("no", code="FORBIDDEN"), refusal("no", code="INPUT_ERROR")], ids=["forbidden", "invalid"]
)
async def test_work_does_not_hang_on_a_state_that_linear_refuses(no: Answer) -> None:
    tracker, _ = tracker_of(data(issue=ISSUE), workspace(), no)
    assert await tracker.take_on("i1") == TRACKED


async def test_trouble_on_the_way_is_for_the_caller() -> None:
    tracker, _ = tracker_of(data(issue=ISSUE), workspace(), refusal("down", code="INTERNAL_SERVER_ERROR"))
    with pytest.raises(TryLater):
        await tracker.take_on("i1")


async def test_an_issue_that_is_gone_cannot_be_taken_on() -> None:
    tracker, _ = tracker_of(refusal("Entity not found: Issue", code="INPUT_ERROR"))
    with pytest.raises(Refused, match="no issue i1"):
        await tracker.take_on("i1")


async def test_who_we_are_is_known_once_it_was_asked_and_until_it_is_forgotten() -> None:
    tracker, linear = tracker_of(workspace(), workspace([]))
    assert tracker.app_user is None
    await tracker.workspace()
    assert tracker.app_user == "app"
    tracker.forget()
    assert tracker.app_user is None
    assert (await tracker.workspace()).teams == ()
    assert operations(linear) == ["Workspace", "Workspace"]


# What becomes of an issue when its work is merged.

DONE_STATE = {"id": "s5", "name": "Done", "type": "completed", "position": 5}
QA = {"id": "s6", "name": "In QA", "type": "started", "position": 6}
WITH_DONE = [{"id": "t1", "key": "ENG", "name": "Engineering", "states": {"nodes": [*STATES, DONE_STATE]}}]
STARTED = state("started")


def ruled(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"team": {"id": "t1", "key": "ENG", "name": "E", "gitAutomationStates": {"nodes": list(rules)}}}


def rule(state: dict[str, Any] | None, branch: str | None = None, *, regex: bool = False) -> dict[str, Any]:
    target = {"branchPattern": branch, "isRegex": regex} if branch else None
    return {"event": "merge", "state": state, "targetBranch": target}


@pytest.mark.parametrize(
    ("issue", "moved_to", "ends_in"),
    [
        (STARTED, "s5", "Done"),
        (state("backlog"), "s5", "Done"),
        (state("completed"), None, "Any"),
        (state("canceled"), None, "Any"),
        (STARTED | ruled(rule(QA)), "s6", "In QA"),
        (STARTED | ruled(rule(None)), None, "Any"),
        (STARTED | ruled(rule(QA), rule(DONE_STATE, "main")), "s5", "Done"),
        (STARTED | ruled(rule(QA), rule(DONE_STATE, "release")), "s6", "In QA"),
        (STARTED | ruled(rule(DONE_STATE, "release")), "s5", "Done"),
        (STARTED | ruled(rule(QA, "rel.*", regex=True)), None, "Any"),
        (STARTED | ruled({"event": "start", "state": QA}), "s5", "Done"),
    ],
    ids=[
        "begun",
        "not begun",
        "over",
        "canceled",
        "the team's own rule",
        "the team's rule is to do nothing",
        "the rule for this branch",
        "a rule for another branch, and one for all",
        "a rule for another branch alone",
        "a rule that Linear has to read",
        "a rule for something else",
    ],
)
async def test_a_merge_moves_the_issue_as_its_team_wants(
    issue: dict[str, Any], moved_to: str | None, ends_in: str
) -> None:
    tracker, linear = tracker_of(data(issue=ISSUE | issue), workspace(WITH_DONE), BEGUN)
    assert await tracker.merged("i1", base="main") == ends_in
    changed = linear.variables["input"] if operations(linear)[-1] == "UpdateIssue" else None
    assert changed == ({"stateId": moved_to} if moved_to else None)


async def test_where_linear_refuses_to_move_it_the_truth_is_told() -> None:
    no = refusal("no", code="FORBIDDEN")
    tracker, _ = tracker_of(data(issue=ISSUE | STARTED), workspace(WITH_DONE), no)
    assert await tracker.merged("i1", base="main") == "Any"


async def test_what_an_issue_wants_checked_is_read_from_its_checklists() -> None:
    lines = [
        "- [ ] Archived ones are found",
        "  * [x] so are  `hidden` ones",
        "- plain",
        "1. [ ] ",
        "2. [X] Fast",
    ]
    tracker, linear = tracker_of(data(issue=ISSUE | {"description": "\n".join(["Broken.", "", *lines])}))
    assert await tracker.criteria("i1") == ["Archived ones are found", "so are `hidden` ones", "Fast"]
    assert operations(linear) == ["FindIssue"]


# How a session shows itself.

LINKED = {"success": True, "attachment": {"id": "a1", "url": THREAD_URL}}
TITLED = {"success": True, "agentSession": {"id": "as1", "status": "pending"}}
TEAMS_URL = "https://teams.microsoft.com/l/message/1"
SYNCED = refusal("this Slack thread is already synced with another issue", code="INPUT_ERROR")


async def test_title_and_thread_take_one_request() -> None:
    tracker, linear = tracker_of(data(agentSessionUpdate=TITLED, attachmentLinkSlack=LINKED))
    await tracker.present("as1", replace(TRACKED, title="Search\nis slow"), thread_url=THREAD_URL)
    assert operations(linear) == ["PresentSession"]
    assert linear.variables == {
        "id": "as1",
        "input": {"summary": "Search is slow"},
        "issueId": "i1",
        "url": THREAD_URL,
    }
    assert "syncToCommentThread: false" in json.loads(linear.requests[0].content)["query"]


@pytest.mark.parametrize(
    "no", [SYNCED, refusal("no Slack here", code="FORBIDDEN")], ids=["synced", "no Slack"]
)
async def test_a_thread_that_linear_does_not_link_as_slack_is_linked_plainly(no: Answer) -> None:
    tracker, linear = tracker_of(no, data(attachmentCreate=LINKED))
    await tracker.present("as1", TRACKED, thread_url=THREAD_URL)
    assert operations(linear) == ["PresentSession", "AttachUrl"]
    assert linear.variables == {"input": {"issueId": "i1", "url": THREAD_URL, "title": "Slack thread"}}


async def test_a_thread_in_teams_is_linked_plainly() -> None:
    tracker, linear = tracker_of(data(agentSessionUpdate=TITLED), data(attachmentCreate=LINKED))
    await tracker.present("as1", TRACKED, thread_url=TEAMS_URL)
    assert operations(linear) == ["UpdateSession", "AttachUrl"]
    assert linear.variables["input"]["title"] == "Teams thread"


async def test_trouble_with_a_link_is_for_the_caller() -> None:
    tracker, linear = tracker_of(refusal("down", code="INTERNAL_SERVER_ERROR"))
    with pytest.raises(TryLater):
        await tracker.present("as1", TRACKED, thread_url=THREAD_URL)
    assert operations(linear) == ["PresentSession"]
