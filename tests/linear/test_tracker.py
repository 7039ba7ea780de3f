"""The tracker on scripted answers: what is found, what is created once, and what errors become."""

import json
from typing import Any

import httpx
import pytest

from core.activities import Author, Blocker
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from core.ports import TrackedIssue, Tracker
from linear.tracker import PAUSE_S, LinearTracker
from tests.linear.fakes import Answer, ScriptedLinear, client_of, data, refusal

ANN = Author("slack", "T1/UANN", "Ann", "ann@acme.test")
THREAD_URL = "https://acme.slack.com/archives/C1/p1"
STATES = [
    {"id": "s1", "name": "Todo", "type": "unstarted", "position": 1},
    {"id": "s2", "name": "In Progress", "type": "started", "position": 2},
]
TEAMS = [
    {"id": "t1", "key": "ENG", "name": "Engineering", "states": {"nodes": STATES}},
    {"id": "t2", "key": "DOC", "name": "Docs", "states": {"nodes": []}},
]
VIEWER = {
    "id": "app",
    "name": "Threadline",
    "displayName": "threadline",
    "organization": {"id": "o1", "name": "Acme", "urlKey": "acme"},
}
ISSUE = {
    "id": "i1",
    "identifier": "ENG-42",
    "title": "Search",
    "url": "https://linear.app/acme/issue/ENG-42",
    "branchName": "ann/eng-42-search",
    "state": STATES[0],
    "team": {"id": "t1", "key": "ENG", "name": "Engineering"},
}
TRACKED = TrackedIssue(
    "i1", "ENG-42", "Search", "https://linear.app/acme/issue/ENG-42", "ann/eng-42-search", "ENG"
)
ANN_IN_LINEAR = {"id": "u1", "name": "Ann", "email": "ann@acme.test", "active": True}


def workspace(teams: list[dict[str, Any]] = TEAMS) -> httpx.Response:
    return data(viewer=VIEWER, teams={"nodes": teams})


def groundwork(*issues: dict[str, Any], users: tuple[dict[str, Any], ...] = ()) -> httpx.Response:
    attachments = [{"id": f"a{n}", "url": THREAD_URL, "issue": issue} for n, issue in enumerate(issues)]
    return data(users={"nodes": list(users)}, attachments={"nodes": attachments})


def created() -> httpx.Response:
    return data(issueCreate={"success": True, "issue": ISSUE})


def session(id: str, *, app: str = "app", link: str | None = THREAD_URL) -> dict[str, Any]:
    return {
        "id": id,
        "status": "pending",
        "createdAt": "2026-11-21T10:00:00.000Z",
        "slugId": id,
        "url": None,
        "externalLinks": [{"label": "Slack thread", "url": link}] if link else [],
        "issue": {"id": "i1", "identifier": "ENG-42"},
        "appUser": {"id": app},
    }


def started(id: str = "as1") -> httpx.Response:
    return data(agentSessionCreateOnIssue={"success": True, "agentSession": session(id)})


def sessions(*found: dict[str, Any]) -> httpx.Response:
    return data(issue={"id": "i1", "agentSessions": {"nodes": list(found)}})


def tracker_of(
    *answers: Answer, team: str | None = None, as_app: bool = True
) -> tuple[LinearTracker, ScriptedLinear]:
    linear = ScriptedLinear(*answers)
    return LinearTracker(client_of(linear), default_team=team, as_app=as_app), linear


def operations(linear: ScriptedLinear) -> list[str]:
    return [json.loads(request.content)["operationName"] for request in linear.requests]


async def create(tracker: Tracker, team: str | None = None) -> TrackedIssue:
    return await tracker.create_issue(id="i1", title="Search", description="Text", team=team, requester=ANN)


async def find_meant(tracker: Tracker, text: str, thread_url: str | None = THREAD_URL) -> TrackedIssue | None:
    return await tracker.find_meant(text=text, thread_url=thread_url, requester=ANN)


# The issue that is meant.


@pytest.mark.parametrize(
    "text", ["please fix ENG-42", "see https://linear.app/acme/issue/ENG-42/search", "UTF-8 in ENG-42"]
)
async def test_an_issue_that_the_text_names_is_meant(text: str) -> None:
    tracker, linear = tracker_of(workspace(), data(issue=ISSUE))
    assert await find_meant(tracker, text) == TRACKED
    assert linear.variables == {"id": "ENG-42"}


@pytest.mark.parametrize("text", ["use UTF-8", "eng-42", "ENGINE-42", "fix it"])
async def test_words_that_only_look_like_an_issue_are_not_looked_up(text: str) -> None:
    tracker, linear = tracker_of(workspace(), groundwork())
    assert await find_meant(tracker, text) is None
    assert operations(linear) == ["Workspace", "PrepareIssue"]


async def test_an_issue_that_is_gone_is_not_meant() -> None:
    tracker, _ = tracker_of(workspace(), refusal("Entity not found: Issue", code="INPUT_ERROR"), groundwork())
    assert await find_meant(tracker, "fix ENG-42") is None


async def test_the_issue_that_the_thread_is_linked_to_is_meant() -> None:
    tracker, linear = tracker_of(workspace(), groundwork(ISSUE, ISSUE))
    assert await find_meant(tracker, "fix it") == TRACKED
    assert linear.variables == {"email": "ann@acme.test", "url": THREAD_URL}


async def test_a_thread_linked_to_two_issues_means_neither() -> None:
    tracker, _ = tracker_of(workspace(), groundwork(ISSUE, ISSUE | {"id": "i2"}))
    assert await find_meant(tracker, "fix it") is None


async def test_without_a_thread_no_link_counts() -> None:
    tracker, _ = tracker_of(workspace(), groundwork(ISSUE))
    assert await find_meant(tracker, "fix it", None) is None


async def test_the_workspace_is_asked_for_once() -> None:
    tracker, linear = tracker_of(workspace(), groundwork(), groundwork())
    for _ in range(2):
        await find_meant(tracker, "fix it")
    assert operations(linear) == ["Workspace", "PrepareIssue", "PrepareIssue"]


# A new issue.


async def test_an_issue_is_created_for_its_requester_where_work_has_started() -> None:
    tracker, linear = tracker_of(workspace(), groundwork(users=(ANN_IN_LINEAR,)), created())
    await find_meant(tracker, "fix it")
    assert await create(tracker) == TRACKED
    assert linear.variables["input"] == {
        "id": "i1",
        "teamId": "t1",
        "title": "Search",
        "description": "Text",
        "stateId": "s2",
        "assigneeId": "u1",
    }


@pytest.mark.parametrize(("as_app", "named"), [(True, {"createAsUser": "Ann"}), (False, {})])
async def test_an_app_creates_in_the_name_of_people_without_an_account(
    as_app: bool, named: dict[str, str]
) -> None:
    tracker, linear = tracker_of(workspace(), groundwork(), created(), as_app=as_app)
    await find_meant(tracker, "fix it")
    await create(tracker)
    sent = linear.variables["input"]
    assert ({key: sent[key] for key in ("createAsUser", "assigneeId") if key in sent}) == named


@pytest.mark.parametrize(
    ("wanted", "default", "expected"),
    [("DOC", "ENG", "t2"), (None, "docs", "t2"), (None, None, "t1"), ("doc", None, "t2")],
)
async def test_the_team_is_the_wanted_the_default_or_the_first(
    wanted: str | None, default: str | None, expected: str
) -> None:
    tracker, linear = tracker_of(workspace(), created(), team=default)
    await create(tracker, wanted)
    sent = linear.variables["input"]
    assert sent["teamId"] == expected
    assert ("stateId" in sent) == (expected == "t1")


@pytest.mark.parametrize(
    ("teams", "wanted", "reason"),
    [(TEAMS, "OPS", "there is no team OPS"), ([], None, "the app can see no team")],
)
async def test_a_team_that_is_not_there_is_refused(
    teams: list[dict[str, Any]], wanted: str | None, reason: str
) -> None:
    tracker, _ = tracker_of(workspace(teams))
    with pytest.raises(Refused, match=reason):
        await create(tracker, wanted)


async def test_an_issue_that_an_earlier_attempt_created_is_returned() -> None:
    exists = refusal(
        "conflict on insert of Issue",
        code="INPUT_ERROR",
        userPresentableMessage="Entity Issue with id i1 already exists.",
    )
    tracker, linear = tracker_of(workspace(), exists, data(issue=ISSUE))
    assert await create(tracker) == TRACKED
    assert operations(linear) == ["Workspace", "CreateIssue", "FindIssue"]


async def test_an_issue_that_is_gone_is_refused() -> None:
    tracker, _ = tracker_of(refusal("Entity not found: Issue", code="INPUT_ERROR"))
    with pytest.raises(Refused, match="no issue i1"):
        await tracker.find_issue("i1")


# A session, once.


@pytest.mark.parametrize(
    ("thread_url", "links"),
    [
        (THREAD_URL, [{"label": "Slack thread", "url": THREAD_URL}]),
        (
            "https://teams.microsoft.com/l/1",
            [{"label": "Teams thread", "url": "https://teams.microsoft.com/l/1"}],
        ),
        (None, []),
    ],
)
async def test_a_session_links_its_thread(thread_url: str | None, links: list[dict[str, str]]) -> None:
    tracker, linear = tracker_of(started())
    assert await tracker.open_session(TRACKED, thread_url=thread_url, again=False) == "as1"
    assert linear.variables["input"].get("externalUrls", []) == links


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([session("ours")], "ours"),
        ([session("theirs", app="other"), session("ours")], "ours"),
        ([session("theirs", app="other")], "as1"),
        ([session("elsewhere", link="https://acme.slack.com/p2")], "as1"),
        ([session("delegated", link=None)], "as1"),
        ([], "as1"),
    ],
)
async def test_a_session_that_may_be_there_is_looked_for_first(
    found: list[dict[str, Any]], expected: str
) -> None:
    tracker, _ = tracker_of(workspace(), sessions(*found), started())
    assert await tracker.open_session(TRACKED, thread_url=THREAD_URL, again=True) == expected


# Errors, split by what comes next.


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.ConnectError("no route"), TryLater),
        (httpx.ReadTimeout("slow"), TryLater),
        (httpx.Response(502), TryLater),
        (refusal("slow down", status=400, code="RATELIMITED"), Throttled),
        (refusal("Authentication required", status=401, code="AUTHENTICATION_ERROR"), TargetGone),
        (refusal("not allowed", code="FORBIDDEN"), Refused),
        (refusal("bad input", code="INPUT_ERROR"), Refused),
    ],
)
async def test_errors_say_what_to_do_next(answer: Answer, expected: type[DeliveryError]) -> None:
    tracker, _ = tracker_of(answer)
    with pytest.raises(expected):
        await tracker.open_session(TRACKED, thread_url=None, again=False)


@pytest.mark.parametrize(
    ("answer", "maybe_done"), [(httpx.ConnectError("no route"), False), (httpx.ReadTimeout("slow"), True)]
)
async def test_whether_a_session_may_have_been_opened_is_told(answer: Answer, maybe_done: bool) -> None:
    tracker, _ = tracker_of(answer)
    with pytest.raises(TryLater) as caught:
        await tracker.open_session(TRACKED, thread_url=None, again=False)
    assert caught.value.maybe_done is maybe_done


async def test_a_throttle_without_a_hint_is_waited_out() -> None:
    tracker, _ = tracker_of(refusal("slow down", status=400, code="RATELIMITED"))
    with pytest.raises(Throttled) as caught:
        await tracker.find_issue("i1")
    assert caught.value.retry_after_s == PAUSE_S


async def test_a_dead_token_is_named() -> None:
    tracker, _ = tracker_of(refusal("Authentication required", status=401, code="AUTHENTICATION_ERROR"))
    with pytest.raises(TargetGone) as caught:
        await tracker.workspace()
    assert caught.value.code is Blocker.LINEAR_REVOKED


async def test_after_trouble_the_workspace_is_asked_for_again() -> None:
    tracker, linear = tracker_of(httpx.Response(502), workspace())
    with pytest.raises(TryLater):
        await tracker.workspace()
    assert (await tracker.workspace()).viewer.id == "app"
    assert operations(linear) == ["Workspace", "Workspace"]
