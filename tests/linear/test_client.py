"""The client against scripted answers: what it sends, what it reads, what it does when refused."""

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from linear.client import LinearClient, StaticToken
from linear.errors import (
    AlreadyExists,
    LinearError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
)
from linear.model import CandidateRepository, ExternalLink, Groundwork, Reference, Team, Workspace
from linear.sansio import Allowance, Quota
from tests.linear.fakes import API_URL, Answer, RenewableToken, ScriptedLinear, client_of, data, refusal

ISSUE_ID = "c4d5e6f7-8091-4a2b-b3c4-d5e6f7a8b907"
SESSION_ID = "e5f60718-92a3-4b4c-9d5e-6f7081920a08"
ACTIVITY_ID = "18a2b3c4-d5e6-4f70-a182-93a4b5c6d70b"
STATES = [
    {"id": "s1", "name": "Todo", "type": "unstarted", "position": 1},
    {"id": "s3", "name": "In Review", "type": "started", "position": 3},
    {"id": "s2", "name": "In Progress", "type": "started", "position": 2},
]
ISSUE: dict[str, Any] = {
    "id": ISSUE_ID,
    "identifier": "ENG-42",
    "title": "Title",
    "description": None,
    "url": "https://linear.app/acme/issue/ENG-42",
    "branchName": "ada/eng-42-title",
    "priority": 2,
    "state": STATES[0],
    "team": {"id": "t1", "key": "ENG", "name": "Engineering"},
    "assignee": None,
    "delegate": {"id": "app"},
    "creator": None,
    "aFieldOfNextYear": 1,
}
SESSION: dict[str, Any] = {
    "id": SESSION_ID,
    "status": "aStatusOfNextYear",
    "createdAt": "2026-11-21T10:00:00.000Z",
    "slugId": "e5f6",
    "url": None,
    "externalLinks": [{"label": "Thread", "url": "https://example.com/t"}],
    "issue": {"id": ISSUE_ID, "identifier": "ENG-42"},
    "appUser": {"id": "app"},
}
LINK = ExternalLink(label="Thread", url="https://example.com/t")
VIEWER = {
    "id": "app",
    "name": "Threadline",
    "displayName": "threadline",
    "organization": {"id": "o1", "name": "Acme", "urlKey": "acme"},
}
WORKSPACE = {
    "viewer": VIEWER,
    "teams": {"nodes": [{"id": "t1", "key": "ENG", "name": "Engineering", "states": {"nodes": STATES}}]},
}


async def test_the_workspace_knows_where_started_work_goes() -> None:
    workspace = await client_of(ScriptedLinear(data(**WORKSPACE))).workspace()
    assert workspace.viewer.organization.url_key == "acme"
    started = workspace.teams[0].first_started_state()
    assert started is not None
    assert started.name == "In Progress"


def test_a_team_without_started_states_has_no_first_one() -> None:
    assert Team(id="t1", key="ENG", name="Engineering").first_started_state() is None


@pytest.mark.parametrize("wanted", ["t1", "ENG", "eng", "engineering"])
def test_a_team_is_found_by_id_key_or_name(wanted: str) -> None:
    workspace = Workspace.model_validate(WORKSPACE)
    assert workspace.team(wanted) == workspace.teams[0]


def test_an_unknown_team_is_not_found() -> None:
    assert Workspace.model_validate(WORKSPACE).team("OPS") is None


ADA = {"id": "u1", "name": "Ada", "email": "ada@example.com", "active": True}
RETIRED = {**ADA, "id": "u2", "active": False}


@pytest.mark.parametrize(
    ("users", "requester"),
    [
        ([ADA], "u1"),
        ([RETIRED, ADA], "u1"),
        ([RETIRED], None),
        ([ADA, {**ADA, "id": "u3"}], None),
        ([], None),
    ],
    ids=["one", "one-active", "retired", "two", "none"],
)
def test_the_requester_is_the_only_active_account(users: list[dict[str, Any]], requester: str | None) -> None:
    groundwork = Groundwork.model_validate({"users": {"nodes": users}, "attachments": {"nodes": []}})
    assert (groundwork.requester.id if groundwork.requester else None) == requester


async def test_issues_that_link_the_thread_are_listed_once() -> None:
    attachments = [{"id": id, "url": "https://example.com/t", "issue": ISSUE} for id in ("a1", "a2")]
    linear = ScriptedLinear(data(users={"nodes": []}, attachments={"nodes": attachments}))
    groundwork = await client_of(linear).prepare_issue(email=None, url="https://example.com/t")
    assert [issue.identifier for issue in groundwork.linked_issues] == ["ENG-42"]
    assert linear.variables == {"email": "", "url": "https://example.com/t"}


async def test_creating_an_issue_sends_only_what_is_given() -> None:
    linear = ScriptedLinear(data(issueCreate={"success": True, "issue": ISSUE}))
    issue = await client_of(linear).create_issue(
        id=ISSUE_ID, team_id="t1", title="Title", description="Text", create_as_user="Ada"
    )
    assert (issue.identifier, issue.delegate) == ("ENG-42", Reference(id="app"))
    assert linear.variables == {
        "input": {
            "id": ISSUE_ID,
            "teamId": "t1",
            "title": "Title",
            "description": "Text",
            "createAsUser": "Ada",
        }
    }


async def test_a_session_of_next_year_is_still_read() -> None:
    linear = ScriptedLinear(data(agentSessionCreateOnIssue={"success": True, "agentSession": SESSION}))
    session = await client_of(linear).start_session("ENG-42", [LINK])
    assert (session.status, session.external_links) == ("aStatusOfNextYear", (LINK,))
    assert session.created_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert linear.variables == {
        "input": {"issueId": "ENG-42", "externalUrls": [{"label": "Thread", "url": "https://example.com/t"}]}
    }


async def test_the_feed_of_a_session_is_read_by_kind() -> None:
    contents: list[dict[str, Any]] = [
        {"__typename": "AgentActivityPromptContent", "body": "Fix it"},
        {"__typename": "AgentActivityActionContent", "action": "Ran", "parameter": "make", "result": None},
        {"__typename": "AgentActivityHologramContent"},
    ]
    nodes = [
        {
            "id": f"a{n}",
            "createdAt": "2026-11-21T10:00:00Z",
            "signal": "wave",
            "content": content,
            "user": None,
        }
        for n, content in enumerate(contents)
    ]
    linear = ScriptedLinear(data(agentSession={**SESSION, "activities": {"nodes": nodes}}))
    session = await client_of(linear).find_session(SESSION_ID, last=3)
    assert session is not None
    read = [(each.content.kind, each.content.body, each.content.action) for each in session.activities]
    assert read == [("prompt", "Fix it", ""), ("action", "", "Ran"), ("hologram", "", "")]
    assert linear.variables == {"id": SESSION_ID, "last": 3}


async def test_the_sessions_of_an_issue_are_listed() -> None:
    linear = ScriptedLinear(data(issue={"id": ISSUE_ID, "agentSessions": {"nodes": [SESSION]}}))
    sessions = await client_of(linear).sessions_of_issue(ISSUE_ID)
    assert [session.id for session in sessions] == [SESSION_ID]


async def test_an_activity_carries_our_id_and_its_signal() -> None:
    linear = ScriptedLinear(data(agentActivityCreate={"success": True, "agentActivity": {"id": ACTIVITY_ID}}))
    await client_of(linear).create_activity(
        id=ACTIVITY_ID,
        session_id=SESSION_ID,
        content={"type": "elicitation", "body": "Which?"},
        signal="select",
        signal_metadata={"options": [{"value": "a"}]},
    )
    assert linear.variables == {
        "input": {
            "id": ACTIVITY_ID,
            "agentSessionId": SESSION_ID,
            "content": {"type": "elicitation", "body": "Which?"},
            "signal": "select",
            "signalMetadata": {"options": [{"value": "a"}]},
        }
    }


@pytest.mark.parametrize(("ephemeral", "sent"), [(True, {"ephemeral": True}), (False, {})])
async def test_only_a_passing_activity_is_called_ephemeral(ephemeral: bool, sent: dict[str, Any]) -> None:
    linear = ScriptedLinear(data(agentActivityCreate={"success": True, "agentActivity": {"id": ACTIVITY_ID}}))
    content = {"type": "thought", "body": "Looking."}
    await client_of(linear).create_activity(
        id=ACTIVITY_ID, session_id=SESSION_ID, content=content, ephemeral=ephemeral
    )
    expected = {"id": ACTIVITY_ID, "agentSessionId": SESSION_ID, "content": content, **sent}
    assert linear.variables == {"input": expected}


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        (
            {"plan": [{"content": "a", "status": "pending"}]},
            {"plan": [{"content": "a", "status": "pending"}]},
        ),
        ({"plan": []}, {"plan": []}),
        ({"external_urls": []}, {"externalUrls": []}),
        ({"added_external_urls": [LINK]}, {"addedExternalUrls": [LINK.model_dump()]}),
        ({"summary": "Short"}, {"summary": "Short"}),
    ],
    ids=["plan", "empty-plan", "no-links", "one-more-link", "summary"],
)
async def test_updating_a_session_leaves_the_rest_alone(
    changes: dict[str, Any], sent: dict[str, Any]
) -> None:
    answer = {"success": True, "agentSession": {"id": SESSION_ID, "status": "active"}}
    linear = ScriptedLinear(data(agentSessionUpdate=answer))
    await client_of(linear).update_session(SESSION_ID, **changes)
    assert linear.variables == {"id": SESSION_ID, "input": sent}


async def test_repositories_are_suggested_in_linears_order() -> None:
    suggestions = [{"repositoryFullName": "acme/web", "hostname": None, "confidence": 0.9}]
    linear = ScriptedLinear(data(issueRepositorySuggestions={"suggestions": suggestions}))
    candidate = CandidateRepository(hostname="github.com", repository_full_name="acme/web")
    (suggestion,) = await client_of(linear).suggest_repositories(ISSUE_ID, [candidate])
    assert (suggestion.repository_full_name, suggestion.confidence) == ("acme/web", 0.9)
    assert linear.variables == {
        "issueId": ISSUE_ID,
        "candidates": [{"hostname": "github.com", "repositoryFullName": "acme/web"}],
    }


@pytest.mark.parametrize("method", ["find_issue", "find_user", "find_session", "find_activity"])
async def test_what_is_gone_is_not_found(method: str) -> None:
    client = client_of(ScriptedLinear(refusal("Entity not found: Something", code="INPUT_ERROR")))
    assert await getattr(client, method)("gone") is None


async def post_thought(client: LinearClient) -> None:
    await client.create_activity(
        id=ACTIVITY_ID, session_id=SESSION_ID, content={"type": "thought", "body": "secret text"}
    )


async def test_an_activity_for_a_session_that_is_gone_is_an_error() -> None:
    client = client_of(ScriptedLinear(refusal("Entity not found: AgentSession", code="INPUT_ERROR")))
    with pytest.raises(NotFound, match="AgentSession"):
        await post_thought(client)


@pytest.mark.parametrize(
    "shown",
    [None, f"Entity AgentActivity with id {ACTIVITY_ID.upper()} already exists."],
    ids=["bare", "named"],
)
async def test_a_repeated_activity_already_exists_under_our_id(shown: str | None) -> None:
    answer = refusal("conflict on insert of AgentActivity", code="INPUT_ERROR", userPresentableMessage=shown)
    with pytest.raises(AlreadyExists) as caught:
        await post_thought(client_of(ScriptedLinear(answer)))
    assert caught.value.id == ACTIVITY_ID


async def test_a_conflict_with_another_id_is_a_refusal() -> None:
    shown = "Entity AgentActivity with id other already exists."
    answer = refusal("conflict on insert of AgentActivity", code="INPUT_ERROR", userPresentableMessage=shown)
    with pytest.raises(Rejected):
        await post_thought(client_of(ScriptedLinear(answer)))


async def test_a_success_of_false_is_a_refusal_even_without_errors() -> None:
    linear = ScriptedLinear(data(agentActivityCreate={"success": False, "agentActivity": None}))
    with pytest.raises(Rejected):
        await post_thought(client_of(linear))


async def test_an_answer_of_unknown_shape_may_have_done_its_work() -> None:
    linear = ScriptedLinear(data(agentSessionCreateOnIssue={"success": True, "agentSession": {"id": 7}}))
    with pytest.raises(Transient) as caught:
        await client_of(linear).start_session("ENG-42")
    assert caught.value.maybe_done


def unauthorized() -> httpx.Response:
    return refusal("Authentication required", status=401, code="AUTHENTICATION_ERROR")


async def test_a_dead_token_is_renewed_once_and_the_call_repeated() -> None:
    linear, token = ScriptedLinear(unauthorized(), data(issue=ISSUE)), RenewableToken("first", "second")
    client = client_of(linear, token)
    assert await client.find_issue("ENG-42") is not None
    assert linear.tokens == ["Bearer first", "Bearer second"]
    assert linear.requests[0].content == linear.requests[1].content
    assert (token.dead, client.calls["FindIssue"]) == (["first"], 2)


async def test_a_renewed_token_that_is_dead_too_is_not_tried_again() -> None:
    linear = ScriptedLinear(unauthorized(), unauthorized())
    with pytest.raises(Unauthorized):
        await client_of(linear, RenewableToken("first", "second")).find_issue("ENG-42")
    assert len(linear.requests) == 2


async def test_a_static_token_cannot_be_renewed() -> None:
    linear = ScriptedLinear(unauthorized())
    with pytest.raises(Unauthorized, match="cannot be renewed"):
        await client_of(linear, StaticToken("lin_api_key")).workspace()
    assert linear.tokens == ["lin_api_key"]


def test_a_static_token_does_not_print_itself() -> None:
    assert "lin_api_key" not in repr(StaticToken("lin_api_key"))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("no"),
        refusal("busy", code="RATELIMITED"),
        refusal("busy", code="LOCK_TIMEOUT"),
        httpx.Response(502, text="<html>"),
    ],
    ids=["timeout", "unconnected", "limit", "lock", "gateway"],
)
async def test_nothing_else_is_repeated(answer: Answer) -> None:
    linear = ScriptedLinear(answer)
    with pytest.raises(LinearError):
        await post_thought(client_of(linear))
    assert len(linear.requests) == 1


@pytest.mark.parametrize(
    ("error", "maybe_done"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("slow"), False),
        (httpx.PoolTimeout("busy"), False),
        (httpx.ReadTimeout("slow"), True),
        (httpx.WriteError("broken"), True),
        (httpx.ReadError("reset"), True),
        (httpx.RemoteProtocolError("cut"), True),
        (httpx.DecodingError("not gzip"), True),
        (TimeoutError(), True),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_broken_connection_says_whether_the_work_may_be_done(
    error: Exception, maybe_done: bool
) -> None:
    with pytest.raises(Transient) as caught:
        await client_of(ScriptedLinear(error)).workspace()
    assert caught.value.maybe_done is maybe_done


async def test_a_token_that_is_no_header_is_refused_without_being_shown() -> None:
    error = httpx.LocalProtocolError("Illegal header value b'Bearer tok\\nen'")
    with pytest.raises(Rejected) as caught:
        await client_of(ScriptedLinear(error)).workspace()
    assert "tok" not in str(caught.value)


async def test_an_invalid_document_does_not_leak_its_variables() -> None:
    answer = refusal('Variable "$input" got invalid value "secret text"', status=400, code="BAD_USER_INPUT")
    with pytest.raises(Rejected) as caught:
        await post_thought(client_of(ScriptedLinear(answer)))
    assert "secret" not in str(caught.value)


async def test_a_refusal_without_a_code_names_the_status() -> None:
    with pytest.raises(Rejected, match="HTTP 400"):
        await client_of(ScriptedLinear(refusal("odd", status=400))).workspace()


async def test_a_limit_tells_when_to_come_back() -> None:
    answer = refusal("limit", status=400, code="RATELIMITED")
    answer.headers["Retry-After"] = "12"
    with pytest.raises(RateLimited) as caught:
        await client_of(ScriptedLinear(answer)).workspace()
    assert caught.value.retry_after_s == 12.0


def with_quota(answer: httpx.Response, remaining: int) -> httpx.Response:
    answer.headers["X-RateLimit-Requests-Remaining"] = str(remaining)
    return answer


async def test_the_quota_follows_every_answer_even_a_refusal() -> None:
    seen: list[Quota] = []
    linear = ScriptedLinear(
        with_quota(data(issue=ISSUE), 9), with_quota(refusal("no"), 8), httpx.Response(502)
    )
    client = client_of(linear, on_quota=seen.append)
    await client.find_issue("ENG-42")
    with pytest.raises(Rejected):
        await client.workspace()
    with pytest.raises(Transient):
        await client.workspace()
    assert seen == [Quota(Allowance(remaining=9), Allowance()), Quota(Allowance(remaining=8), Allowance())]
    assert client.quota == seen[-1]
    assert client.calls == {"FindIssue": 1, "Workspace": 2}


async def test_timeouts_are_explicit() -> None:
    linear = ScriptedLinear(data(**WORKSPACE))
    await client_of(linear).workspace()
    assert linear.requests[0].extensions["timeout"] == {
        "connect": 3.0,
        "read": 10.0,
        "write": 10.0,
        "pool": 10.0,
    }
    assert str(linear.requests[0].url) == API_URL


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")

    async with httpx.AsyncClient(transport=httpx.MockTransport(silent)) as http:
        client = LinearClient(http, API_URL, StaticToken("lin_api_key"), timeout_s=0)
        with pytest.raises(Transient) as caught:
            await client.workspace()
    assert caught.value.maybe_done


async def test_tls_trouble_is_a_connection_that_never_was() -> None:
    error = httpx.ConnectError("bad certificate")
    error.__cause__ = ssl.SSLCertVerificationError("bad certificate")
    with pytest.raises(Transient) as caught:
        await client_of(ScriptedLinear(error)).workspace()
    assert not caught.value.maybe_done
