import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from graphql import ObjectTypeDefinitionNode, parse, print_ast

from playground.linear import LinearPlayground, LinearSettings
from playground.linear_clock import Clock, epoch_ms
from tests.playground.linear_world import (
    CREATE_ACTIVITY,
    CREATE_ISSUE,
    SECRET,
    START,
    START_SESSION,
    World,
    linear_world,
)
from tests.playground.test_linear_schema import CONTRACT


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with linear_world(LinearSettings(subscribed=("AgentSessionEvent",))) as world:
        yield world


@pytest.fixture
async def subscriber() -> AsyncIterator[World]:
    async with linear_world() as world:
        yield world


async def start_session(world: World, **fields: object) -> str:
    issue = world.issue()
    data = await world.data(START_SESSION, {"input": {"issueId": issue.id, **fields}})
    return str(data["agentSessionCreateOnIssue"]["agentSession"]["id"])


async def test_a_webhook_is_signed_over_its_raw_body(world: World) -> None:
    world.session()
    await world.linear.settled()
    (received,) = world.app.received
    digest = hmac.new(SECRET.encode(), received.body, sha256).hexdigest()
    assert received.headers["Linear-Signature"] == digest
    assert received.headers["Linear-Event"] == "AgentSessionEvent"
    assert received.headers["Linear-Timestamp"] == str(epoch_ms(START))
    assert received.headers["User-Agent"] == "Linear-Webhook"
    assert str(UUID(received.headers["Linear-Delivery"])) == received.headers["Linear-Delivery"]


async def test_a_created_event_tells_who_delegated_what(world: World) -> None:
    world.linear.workspace.guidance.append("Write tests.")
    issue = world.issue("Fix <b> & co")
    session = world.linear.people.delegate("ENG-142", by="bob")
    await world.linear.settled()
    payload = world.app.received[0].payload
    bob = world.linear.workspace.person("bob")
    assert payload["type"] == "AgentSessionEvent"
    assert payload["action"] == "created"
    assert payload["webhookTimestamp"] == epoch_ms(START)
    assert payload["appUserId"] == world.linear.workspace.app_user.id
    assert payload["agentSession"]["id"] == session.id
    assert payload["agentSession"]["status"] == "pending"
    assert payload["agentSession"]["creator"]["email"] == "bob@acme.test"
    assert payload["agentSession"]["creatorId"] == bob.id
    assert payload["agentSession"]["issue"]["identifier"] == issue.identifier
    assert payload["guidance"] == [{"body": "Write tests.", "origin": {"type": "Organization"}}]
    assert "<title>Fix &lt;b&gt; &amp; co</title>" in payload["promptContext"]
    assert "primary-directive-thread" not in payload["promptContext"]
    assert "agentActivity" not in payload
    assert issue.assignee is bob
    assert issue.delegate is world.linear.workspace.app_user


async def test_an_automation_delegates_without_a_creator_or_an_assignee(world: World) -> None:
    issue = world.issue()
    world.linear.people.delegate(issue.identifier, by=None)
    await world.linear.settled()
    session = world.app.session_events[0]["agentSession"]
    assert (session["creator"], session["creatorId"]) == (None, None)
    assert issue.assignee is None


async def test_a_mention_opens_a_session_around_its_comment(world: World) -> None:
    world.linear.people.mention(world.issue().identifier, "look at this", by="bob")
    await world.linear.settled()
    payload = world.app.session_events[0]
    assert payload["agentSession"]["comment"]["body"] == "@Threadline look at this"
    assert "<primary-directive-thread" in payload["promptContext"]
    assert payload["previousComments"] is None


async def test_a_mention_in_a_reply_brings_the_comments_before_it(world: World) -> None:
    issue = world.issue()
    root = world.linear.people.comment(issue.identifier, "It breaks on submit")
    session = world.linear.people.mention(issue.identifier, "fix it", by="bob", reply_to=root.id)
    await world.linear.settled()
    payload = world.app.session_events[0]
    assert [each["body"] for each in payload["previousComments"]] == ["It breaks on submit"]
    assert session.comment is root


async def test_a_second_mention_is_a_follow_up_in_the_same_session(world: World) -> None:
    issue = world.issue()
    first = world.linear.people.mention(issue.identifier, "look at this")
    second = world.linear.people.mention(issue.identifier, "and at that", by="bob")
    await world.linear.settled()
    assert second is first
    assert [each["action"] for each in world.app.session_events] == ["created", "prompted"]
    activity = world.app.session_events[1]["agentActivity"]
    assert activity["content"] == {"type": "prompt", "body": "and at that"}
    assert activity["user"]["name"] == "Bob"


async def test_a_mention_beside_a_failed_session_opens_a_new_one(world: World) -> None:
    issue = world.issue().identifier
    session = world.linear.people.delegate(issue)
    await world.act(session, {"type": "error", "body": "No access."})
    assert world.linear.people.mention(issue, "again") is not session


async def test_a_mention_in_a_document_opens_a_session_without_an_issue(world: World) -> None:
    session = world.linear.people.mention_in_document(by="bob")
    await world.act(session, {"type": "response", "body": "I work on issues."})
    await world.app.wait_for(1)
    (event,) = world.app.session_events
    told = event["agentSession"]
    assert (told["id"], told["issue"], told["issueId"], told["comment"], told["url"]) == (
        session.id,
        None,
        None,
        None,
        None,
    )
    assert told["creator"]["name"] == "Bob"
    assert "<issue" not in event["promptContext"]


async def test_a_prompt_carries_its_text_and_no_prompt_context(world: World) -> None:
    session = world.session()
    activity = world.linear.people.prompt(session.id, "Use Python", by="eve")
    await world.linear.settled()
    payload = world.app.session_events[1]
    assert payload["action"] == "prompted"
    assert payload["agentActivity"]["id"] == activity.id
    assert payload["agentActivity"]["agentSessionId"] == session.id
    assert payload["agentActivity"]["content"]["body"] == "Use Python"
    assert payload["agentActivity"]["signal"] is None
    assert "promptContext" not in payload


async def test_a_stop_is_a_prompt_with_a_signal(world: World) -> None:
    session = world.session()
    world.linear.people.stop(session.id)
    await world.linear.settled()
    payload = world.app.session_events[1]
    assert (payload["action"], payload["agentActivity"]["signal"]) == ("prompted", "stop")


async def test_delegation_and_its_end_reach_subscribers_of_issues(subscriber: World) -> None:
    issue = subscriber.issue()
    app = subscriber.linear.workspace.app_user.id
    subscriber.linear.people.delegate(issue.identifier)
    subscriber.linear.people.undelegate(issue.identifier, by="bob")
    await subscriber.linear.settled()
    payloads = [each.payload for each in subscriber.app.received]
    issues = [each for each in payloads if each["type"] == "Issue"]
    assert [each["action"] for each in issues] == ["create", "update", "update"]
    assert issues[1]["data"]["delegateId"] == app
    assert issues[1]["updatedFrom"]["delegateId"] is None
    assert (issues[2]["data"]["delegateId"], issues[2]["updatedFrom"]) == (None, {"delegateId": app})
    assert issues[2]["actor"]["name"] == "Bob"
    assert [each["action"] for each in payloads if each["type"] == "AppUserNotification"] == [
        "issueUnassignedFromYou"
    ]


async def test_a_moved_issue_tells_its_old_state(subscriber: World) -> None:
    issue = subscriber.issue()
    old = issue.state.id
    subscriber.linear.people.move(issue.identifier, "In Progress")
    await subscriber.linear.settled()
    payload = subscriber.app.received[-1].payload
    assert payload["data"]["state"]["type"] == "started"
    assert payload["updatedFrom"] == {"stateId": old}


async def test_the_echo_of_an_own_session_arrives_once(world: World) -> None:
    session_id = await start_session(world, externalUrls=[{"label": "Thread", "url": "https://chat.test/1"}])
    await world.linear.settled()
    (event,) = world.app.session_events
    assert event["agentSession"]["id"] == session_id
    assert event["agentSession"]["creator"] is None


async def test_the_echo_can_come_before_the_answer(world: World) -> None:
    await world.control("echo", order="before")
    await start_session(world)
    assert len(world.app.session_events) == 1  # Nobody waited for deliveries to settle.


async def test_the_echo_can_come_several_times_with_the_same_bytes(world: World) -> None:
    await world.control("echo", order="before", copies=3)
    await start_session(world)
    assert len(world.app.received) == 3
    assert len({(each.body, each.headers["Linear-Delivery"]) for each in world.app.received}) == 1


async def test_an_issue_born_with_the_app_as_delegate_opens_a_session(world: World) -> None:
    wanted = {
        "teamId": world.team_id(),
        "title": "Fix",
        "delegateId": world.linear.workspace.app_user.id,
    }
    await world.data(CREATE_ISSUE % "id", {"input": wanted})
    await world.linear.settled()
    assert [each["action"] for each in world.app.session_events] == ["created"]


@pytest.mark.parametrize(("token", "sessions"), [("Bearer lin_oauth_playground", 0), ("lin_api_ann", 1)])
async def test_only_a_member_s_delegation_by_update_opens_a_session(
    world: World, token: str, sessions: int
) -> None:
    issue = world.issue()
    update = (
        "mutation U($id: String!, $input: IssueUpdateInput!) "
        "{ issueUpdate(id: $id, input: $input) { success } }"
    )
    variables = {"id": issue.id, "input": {"delegateId": world.linear.workspace.app_user.id}}
    await world.data(update, variables, token=token)
    assert len(issue.agent_sessions) == sessions


async def test_what_the_app_does_in_a_session_is_not_echoed(world: World) -> None:
    session = world.session()
    await world.data(
        CREATE_ACTIVITY,
        {"input": {"agentSessionId": session.id, "content": {"type": "thought", "body": "Reading"}}},
    )
    await world.linear.settled()
    assert [each["action"] for each in world.app.session_events] == ["created"]


async def test_a_failed_webhook_is_retried_after_a_minute_an_hour_and_six_hours(world: World) -> None:
    world.app.statuses = [500, 202, 500, 500]
    world.session()
    await world.linear.settled()
    seen = [len(world.app.received)]
    for step in (timedelta(seconds=59), timedelta(seconds=1), timedelta(hours=1), timedelta(hours=6)):
        await world.linear.advance(step)
        seen.append(len(world.app.received))
    await world.linear.advance(timedelta(days=2))
    assert seen == [1, 1, 2, 3, 4]
    assert len(world.app.received) == 4
    assert len({each.body for each in world.app.received}) == 1
    (delivery,) = world.linear.courier.deliveries
    assert [each.status for each in delivery.attempts] == [500, 202, 500, 500]
    assert not delivery.is_delivered


async def test_one_long_step_makes_each_retry_at_its_own_time(world: World) -> None:
    world.app.statuses = [500, 500]
    world.session()
    await world.linear.settled()
    await world.linear.advance(timedelta(days=1))
    (delivery,) = world.linear.courier.deliveries
    assert [each.at - START for each in delivery.attempts] == [
        timedelta(),
        timedelta(minutes=1),
        timedelta(hours=1, minutes=1),
    ]
    assert delivery.is_delivered


async def test_an_answer_that_comes_too_late_counts_as_none() -> None:
    asked = asyncio.Event()
    never = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        asked.set()
        await never.wait()
        return web.Response()

    server = web.Application()
    server.router.add_post("/hook", hang)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    settings = LinearSettings(webhook_url=url, subscribed=("AgentSessionEvent",), answer_limit_s=0.05)
    async with LinearPlayground(settings, Clock(START)) as linear:
        linear.people.create_issue("Fix")
        linear.people.delegate("ENG-142")
        await linear.settled()
        (delivery,) = linear.courier.deliveries
    await runner.cleanup()
    assert asked.is_set()
    assert [each.status for each in delivery.attempts] == [None]
    assert delivery.next_attempt_at == START + timedelta(minutes=1)


async def test_an_app_that_is_away_gets_the_webhook_later() -> None:
    settings = LinearSettings(webhook_url="http://127.0.0.1:9/hook", subscribed=("AgentSessionEvent",))
    async with LinearPlayground(settings, Clock(START)) as linear:
        linear.people.create_issue("Fix")
        linear.people.delegate("ENG-142")
        await linear.settled()
        assert [each.status for each in linear.courier.deliveries[0].attempts] == [None]
        assert linear.courier.deliveries[0].next_attempt_at == START + timedelta(minutes=1)


async def test_retries_happen_by_themselves_when_the_clock_follows_the_machine(world: World) -> None:
    settings = LinearSettings(
        webhook_url=world.linear.settings.webhook_url, subscribed=("AgentSessionEvent",)
    )
    world.app.statuses = [500]
    async with LinearPlayground(settings) as linear:
        linear.people.create_issue("Fix")
        linear.people.delegate("ENG-142")
        await linear.settled()
        await linear.advance(timedelta(seconds=59.9))
        await asyncio.wait_for(world.app.wait_for(2), timeout=10)
        await linear.settled()
        assert [each.status for each in linear.courier.deliveries[0].attempts] == [500, 200]


async def test_a_webhook_can_be_sent_once_more_on_request(world: World) -> None:
    world.session()
    await world.linear.settled()
    await world.control("redeliver", delivery=world.linear.courier.deliveries[0].id)
    first, second = world.app.received
    assert (first.body, first.headers) == (second.body, second.headers)


async def test_events_nobody_subscribed_to_are_not_sent(world: World) -> None:
    world.issue()
    await world.linear.settled()
    assert world.app.received == []


async def test_a_session_event_has_the_fields_of_linears_schema_and_no_others(world: World) -> None:
    if not CONTRACT.exists():
        pytest.skip("Linear's full schema does not lie beside the repository")
    session = world.linear.people.mention(world.issue().identifier, "look")
    world.linear.people.prompt(session.id, "Use Python")
    await world.linear.settled()
    created, prompted = world.app.session_events
    types = object_types(CONTRACT.read_text("utf-8"))
    for payload in (created, prompted):
        assert misfits(payload, "AgentSessionEventWebhookPayload", types) == []


Fields = dict[str, str]  # Field name -> type as written, such as "String!".


def object_types(sdl: str) -> dict[str, Fields]:
    return {
        each.name.value: {field.name.value: print_ast(field.type) for field in each.fields}
        for each in parse(sdl, no_location=True).definitions
        if isinstance(each, ObjectTypeDefinitionNode)
    }


def misfits(payload: Mapping[str, Any], name: str, types: Mapping[str, Fields]) -> list[str]:
    """Fields that a payload has too many or too few, measured by the named type and those below it."""
    fields = types[name]
    wrong = [f"{name}.{key} is unknown" for key in payload if key not in fields]
    wrong += [
        f"{name}.{key} is required"
        for key, kind in fields.items()
        if kind.endswith("!") and payload.get(key) is None
    ]
    for key, value in payload.items():
        below = fields.get(key, "").strip("[]!")
        for row in value if isinstance(value, list) else [value]:
            if isinstance(row, dict) and below in types:
                wrong += misfits(row, below, types)
    return wrong
