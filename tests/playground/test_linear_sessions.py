from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from playground.linear_model import AgentSession
from tests.playground.linear_world import (
    CREATE_ACTIVITY,
    FIND_SESSION,
    MEMBER,
    START_SESSION,
    UPDATE_SESSION,
    World,
    linear_world,
)

THOUGHT = {"type": "thought", "body": "Reading"}
ACTION = {"type": "action", "action": "Searching", "parameter": "login"}
ELICITATION = {"type": "elicitation", "body": "Which branch?"}
RESPONSE = {"type": "response", "body": "Done in #12."}
ERROR = {"type": "error", "body": "No access."}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with linear_world() as world:
        yield world


async def shown(world: World, session: AgentSession) -> Any:
    return (await world.data(FIND_SESSION, {"id": session.id, "last": 10}))["agentSession"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (THOUGHT, "active"),
        (ACTION, "active"),
        ({**ACTION, "result": "2 files"}, "active"),
        (ELICITATION, "awaitingInput"),
        (RESPONSE, "complete"),
        (ERROR, "error"),
    ],
)
async def test_the_last_activity_decides_the_status(
    world: World, content: dict[str, str], status: str
) -> None:
    session = world.session()
    await world.act(session, content)
    seen = await shown(world, session)
    assert seen["status"] == status
    assert (seen["endedAt"] is not None) == (status == "complete")


async def test_a_prompt_reopens_a_finished_session_in_place(world: World) -> None:
    session = world.session()
    await world.act(session, RESPONSE)
    world.linear.people.prompt(session.id, "One more thing")
    seen = await shown(world, session)
    assert (seen["status"], seen["endedAt"]) == ("active", None)
    assert [each["content"].get("body") for each in seen["activities"]["nodes"]] == [
        "Done in #12.",
        "One more thing",
    ]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ({"type": "prompt", "body": "Do it"}, {}),
        ({"type": "remark", "body": "Hm"}, {}),
        ({"body": "Hm"}, {}),
        ({"type": "thought", "body": " "}, {}),
        ({"type": "thought"}, {}),
        ({"type": "action", "body": "Searching"}, {}),
        ({"type": "action", "action": "Searching", "parameter": ""}, {}),
        ({**ACTION, "result": 3}, {}),
        ("thought", {}),
        (RESPONSE, {"ephemeral": True}),
        (ELICITATION, {"ephemeral": True}),
        (THOUGHT, {"signal": "select", "signalMetadata": {"options": [{"value": "main"}]}}),
        (ELICITATION, {"signal": "select"}),
        (ELICITATION, {"signal": "select", "signalMetadata": {"options": []}}),
        (ELICITATION, {"signal": "select", "signalMetadata": {"options": [{"label": "Main"}]}}),
        (ELICITATION, {"signal": "select", "signalMetadata": {"options": [{"value": 1}]}}),
        (ELICITATION, {"signal": "auth", "signalMetadata": {}}),
        (ELICITATION, {"signal": "stop"}),
        (THOUGHT, {"id": "f00"}),
    ],
)
async def test_a_malformed_activity_is_refused_and_leaves_no_trace(
    world: World, content: object, fields: dict[str, object]
) -> None:
    session = world.session()
    wanted = {"agentSessionId": session.id, "content": content, **fields}
    error = await world.error(CREATE_ACTIVITY, {"input": wanted})
    assert error["extensions"]["code"] == "INPUT_ERROR"
    assert session.history == []


@pytest.mark.parametrize(
    ("signal", "metadata"),
    [
        ("select", {"options": [{"value": "main", "label": "Main"}, {"value": "next"}]}),
        ("auth", {"url": "https://link.test", "providerName": "GitHub"}),
    ],
)
async def test_an_elicitation_may_carry_a_signal(
    world: World, signal: str, metadata: dict[str, object]
) -> None:
    session = world.session()
    await world.act(session, ELICITATION, signal=signal, signalMetadata=metadata)
    activity = (await world.state())["issues"][0]["sessions"][0]["feed"][0]
    assert (activity["signal"], activity["signalMetadata"]) == (signal, metadata)


async def test_a_repeated_activity_id_is_a_conflict_and_shows_once(world: World) -> None:
    session, chosen = world.session(), str(uuid4())
    await world.act(session, THOUGHT, id=chosen)
    wanted = {"agentSessionId": session.id, "content": THOUGHT, "id": chosen}
    error = await world.error(CREATE_ACTIVITY, {"input": wanted})
    assert error["message"] == "conflict on insert of AgentActivity"
    assert error["extensions"]["userPresentableMessage"] == (
        f"Entity AgentActivity with id {chosen} already exists."
    )
    assert [each.id for each in session.history] == [chosen]


async def test_an_ephemeral_activity_is_gone_once_another_follows(world: World) -> None:
    session = world.session()
    first = await world.act(session, THOUGHT, ephemeral=True)
    assert [each["id"] for each in (await shown(world, session))["activities"]["nodes"]] == [first]
    second = await world.act(session, RESPONSE)
    assert [each["id"] for each in (await shown(world, session))["activities"]["nodes"]] == [second]
    view = (await world.state())["issues"][0]["sessions"][0]
    assert [each["id"] for each in view["feed"]] == [second]
    assert [each["id"] for each in view["history"]] == [first, second]


@pytest.mark.parametrize("content", [RESPONSE, ELICITATION, ERROR])
async def test_a_last_word_is_written_as_a_comment_in_the_session_s_thread(
    world: World, content: dict[str, str]
) -> None:
    session = world.session()
    await world.act(session, THOUGHT)
    await world.act(session, content)
    comments = (await world.state())["issues"][0]["comments"]
    assert [each["isArtificialAgentSessionRoot"] for each in comments] == [True, False]
    assert comments[1]["body"] == content["body"]
    assert comments[1]["user"] == "Threadline"
    assert comments[1]["parentId"] == comments[0]["id"]


async def test_thirty_silent_minutes_make_a_session_stale_and_an_activity_recovers_it(world: World) -> None:
    session = world.session()
    await world.act(session, THOUGHT)
    await world.linear.advance(timedelta(minutes=29, seconds=59))
    assert (await shown(world, session))["status"] == "active"
    await world.linear.advance(timedelta(seconds=1))
    assert (await shown(world, session))["status"] == "stale"
    await world.act(session, THOUGHT)
    assert (await shown(world, session))["status"] == "active"


async def test_waiting_for_a_person_does_not_go_stale(world: World) -> None:
    session = world.session()
    await world.act(session, ELICITATION)
    await world.linear.advance(timedelta(hours=2))
    assert (await shown(world, session))["status"] == "awaitingInput"


@pytest.mark.parametrize(("seconds", "late"), [(10, False), (11, True)])
async def test_an_app_that_is_silent_for_ten_seconds_did_not_respond(
    world: World, seconds: int, late: bool
) -> None:
    session = world.session()
    await world.linear.advance(timedelta(seconds=seconds))
    await world.act(session, THOUGHT)
    assert (await world.state())["issues"][0]["sessions"][0]["didNotRespond"] is late


async def test_an_external_url_counts_as_a_response_and_a_summary_does_not(world: World) -> None:
    first, second = world.session(), world.session()
    urls = [{"label": "Thread", "url": "https://chat.test/1"}]
    await world.data(UPDATE_SESSION, {"id": first.id, "input": {"externalUrls": urls}})
    await world.data(UPDATE_SESSION, {"id": second.id, "input": {"summary": "Login"}})
    await world.linear.advance(timedelta(minutes=1))
    sessions = [issue["sessions"][0] for issue in (await world.state())["issues"]]
    assert [each["didNotRespond"] for each in sessions] == [False, True]


async def test_a_plan_is_a_list_that_is_replaced_as_a_whole(world: World) -> None:
    session = world.session()
    steps = [{"content": "Read", "status": "completed"}, {"content": "Fix", "status": "inProgress"}]
    for plan in (steps, steps[1:]):
        data = await world.data(UPDATE_SESSION, {"id": session.id, "input": {"plan": plan}})
        assert data["agentSessionUpdate"]["agentSession"]["plan"] == plan


@pytest.mark.parametrize(
    "wanted",
    [
        {"plan": {"steps": []}},
        {"plan": [{"content": "Fix", "status": "doing"}]},
        {"plan": [{"content": "Fix"}]},
        {"plan": ["Fix"]},
        {"summary": ""},
        {"summary": "two\nlines"},
        {"summary": "x" * 256},
        {"externalUrls": [{"label": "Bad", "url": "javascript:alert(1)"}]},
    ],
)
async def test_a_bad_session_update_is_refused_and_changes_nothing(
    world: World, wanted: dict[str, object]
) -> None:
    session = world.session()
    error = await world.error(UPDATE_SESSION, {"id": session.id, "input": wanted})
    assert error["extensions"]["code"] == "INPUT_ERROR"
    assert (session.plan, session.summary, session.external_links) == (None, None, [])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"externalUrls": [{"label": "C", "url": "https://c.test"}]}, ["https://c.test"]),
        (
            {"addedExternalUrls": [{"label": "C", "url": "https://c.test"}]},
            ["https://a.test", "https://b.test", "https://c.test"],
        ),
        ({"removedExternalUrls": ["https://a.test"]}, ["https://b.test"]),
        (
            {"externalUrls": [], "addedExternalUrls": [{"label": "C", "url": "https://c.test"}]},
            [],
        ),
        ({"summary": None}, ["https://a.test", "https://b.test"]),
    ],
    ids=["replace", "add", "remove", "replacement wins", "untouched"],
)
async def test_external_urls_are_replaced_added_or_removed(
    world: World, wanted: dict[str, object], expected: list[str]
) -> None:
    session = world.session()
    links = [{"label": "A", "url": "https://a.test"}, {"label": "B", "url": "https://b.test"}]
    await world.data(UPDATE_SESSION, {"id": session.id, "input": {"externalUrls": links}})
    data = await world.data(UPDATE_SESSION, {"id": session.id, "input": wanted})
    found = data["agentSessionUpdate"]["agentSession"]["externalLinks"]
    assert [each["url"] for each in found] == expected


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (CREATE_ACTIVITY, {"input": {"agentSessionId": "gone", "content": THOUGHT}}),
        (UPDATE_SESSION, {"id": "gone", "input": {"summary": "Login"}}),
        (FIND_SESSION, {"id": "gone", "last": 1}),
    ],
)
async def test_an_unknown_session_is_not_found(world: World, query: str, variables: dict[str, Any]) -> None:
    error = await world.error(query, variables)
    assert error["message"] == "Entity not found: AgentSession"


async def test_a_member_s_key_may_read_sessions_but_not_work_in_them(world: World) -> None:
    issue = world.issue()
    session = world.linear.people.delegate(issue.identifier)
    attempts: list[tuple[str, dict[str, Any]]] = [
        (START_SESSION, {"input": {"issueId": issue.id}}),
        (CREATE_ACTIVITY, {"input": {"agentSessionId": session.id, "content": THOUGHT}}),
        (UPDATE_SESSION, {"id": session.id, "input": {"summary": "Login"}}),
    ]
    for query, variables in attempts:
        error = await world.error(query, variables, token=MEMBER)
        assert error["message"] == "Only OAuth applications can create agent sessions."
        assert error["extensions"]["code"] == "FORBIDDEN"
    assert await world.data(FIND_SESSION, {"id": session.id}, token=MEMBER)


async def test_sessions_of_an_issue_are_listed(world: World) -> None:
    issue = world.issue().identifier
    session = world.linear.people.delegate(issue)
    query = "query S($id: String!) { issue(id: $id) { agentSessions(first: 20) { nodes { id url } } } }"
    data = await world.data(query, {"id": issue})
    assert data["issue"]["agentSessions"]["nodes"] == [{"id": session.id, "url": session.url}]
