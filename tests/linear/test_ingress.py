"""Linear's deliveries at the HTTP edge: from the stand-in, on its clock, to the inbox."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web

from core.activities import Author
from core.errors import StoreUnavailable
from core.events import Incoming, Said, SessionOpened, StopAsked
from core.ids import IssueRef
from core.ports import Receipt
from linear.deliveries import AppRevoked, IssueChanged, PermissionChanged, SessionCreated
from linear.ingress import BODY_BYTES, Hooks, incoming_of, linear_webhooks
from linear.webhooks import parse_webhook
from playground.linear import LinearPlayground, LinearSettings
from playground.linear_clock import Clock, epoch_ms
from playground.linear_webhooks import RETRY_LADDER, sign
from tests.linear.fakes import SENT_AT, payload

SECRET = "hook-secret"
START = datetime(2026, 11, 21, 10, tzinfo=UTC)
EVERYTHING = ("AgentSessionEvent", "Issue", "AppUserNotification", "PermissionChange", "Hologram")


@dataclass
class FakeInbox:
    """Keeps what it accepts, each key once; while `is_away` it accepts nothing."""

    accepted: list[Incoming] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    is_away: bool = False

    async def accept(self, incoming: Incoming) -> Receipt:
        if self.is_away:
            raise StoreUnavailable("the disk is full")
        is_known = incoming.key in [one.key for one in self.accepted]
        receipt = Receipt.DUPLICATE if is_known else Receipt.ACCEPTED
        if not is_known:
            self.accepted.append(incoming)
        self.receipts.append(receipt)
        return receipt


@dataclass
class Edge:
    """The stand-in and the web server that it delivers to."""

    linear: LinearPlayground
    http: httpx.AsyncClient
    url: str
    inbox: FakeInbox
    told: list[AppRevoked | PermissionChanged]

    async def post(self, body: bytes, *, secret: str = SECRET, **headers: str) -> int:
        headers = {"Linear-Signature": sign(body, secret), **headers}
        return (await self.http.post(self.url, content=body, headers=headers)).status_code

    async def post_new(self, name: str) -> int:
        """A recorded delivery, sent just now."""
        return await self.post(sent_at(payload(name), self.linear.clock.now()))

    def statuses(self) -> list[int | None]:
        """What the newest delivery was answered so far."""
        return [attempt.status for attempt in self.linear.courier.deliveries[-1].attempts]


def sent_at(body: bytes, moment: datetime) -> bytes:
    return json.dumps(json.loads(body) | {"webhookTimestamp": epoch_ms(moment)}).encode()


@asynccontextmanager
async def edge_with(secrets: list[str]) -> AsyncIterator[Edge]:
    inbox, told, app = FakeInbox(), list[AppRevoked | PermissionChanged](), web.Application()
    settings = LinearSettings(webhook_secret=SECRET, subscribed=EVERYTHING)

    async def tell(webhook: AppRevoked | PermissionChanged) -> None:
        told.append(webhook)

    async with LinearPlayground(settings, Clock(START)) as linear, httpx.AsyncClient() as http:
        hooks = Hooks(on_revoked=tell, on_permissions=tell)
        app.router.add_post("/", linear_webhooks(inbox, secrets, now=linear.clock.now, hooks=hooks))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            linear.courier.connect(url, SECRET)
            yield Edge(linear, http, url, inbox, told)
        finally:
            await runner.cleanup()


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with edge_with([SECRET]) as edge:
        yield edge


# The ladder.


@pytest.mark.parametrize("failures", [1, 2, 3], ids=["1 min", "1 h 1 min", "7 h 1 min"])
async def test_a_delivery_that_failed_is_taken_on_any_step_of_the_ladder(edge: Edge, failures: int) -> None:
    edge.inbox.is_away = True
    edge.linear.people.delegate(edge.linear.people.create_issue("Search").identifier)
    await edge.linear.settled()
    for pause in RETRY_LADDER[: failures - 1]:
        await edge.linear.advance(pause)
    edge.inbox.is_away = False
    await edge.linear.advance(RETRY_LADDER[failures - 1])
    assert edge.statuses() == [*([503] * failures), 200]
    assert [type(one.event) for one in edge.inbox.accepted] == [SessionOpened]


async def test_an_answer_that_is_lost_leads_to_a_harmless_repetition(edge: Edge) -> None:
    edge.linear.people.delegate(edge.linear.people.create_issue("Search").identifier)
    await edge.linear.settled()
    delivery = edge.linear.courier.deliveries[-1]
    for pause in RETRY_LADDER:
        await edge.linear.advance(pause)
        await edge.linear.courier.redeliver(delivery.id)
    assert edge.statuses() == [200] * 4
    assert edge.inbox.receipts == [Receipt.ACCEPTED, *([Receipt.DUPLICATE] * 3)]


async def test_a_replay_under_another_delivery_id_is_harmless(edge: Edge) -> None:
    issue = edge.linear.people.create_issue("Search").identifier
    session = edge.linear.people.delegate(issue)
    edge.linear.people.prompt(session.id, "with tests")
    edge.linear.people.stop(session.id)
    edge.linear.people.move(issue, "Done")
    await edge.linear.settled()
    first = list(edge.inbox.accepted)
    for delivery in edge.linear.courier.deliveries:
        assert (
            await edge.post(delivery.body, **{"Linear-Delivery": "another", "Linear-Timestamp": "0"}) == 200
        )
    assert len(first) == 4
    assert edge.inbox.accepted == first


async def test_what_is_older_than_the_ladder_is_refused(edge: Edge) -> None:
    now = edge.linear.clock.now()
    assert await edge.post(sent_at(payload("session_created"), now - timedelta(hours=7, minutes=14))) == 200
    assert await edge.post(sent_at(payload("session_prompted"), now - timedelta(hours=7, minutes=16))) == 401
    assert await edge.post(sent_at(payload("session_prompted"), now + timedelta(minutes=2))) == 401
    assert len(edge.inbox.accepted) == 1


# The edge itself.


async def test_the_secret_before_a_rotation_counts_beside_the_new_one() -> None:
    async with edge_with(["new", "old"]) as edge:
        body = sent_at(payload("session_created"), START)
        assert [await edge.post(body, secret=each) for each in ("old", "new", "other")] == [200, 200, 401]


async def test_what_cannot_be_read_is_refused_without_a_trace(edge: Edge) -> None:
    large = b" " * (BODY_BYTES + 1)
    assert [await edge.post(body) for body in (b"{}", b"<html>", large)] == [400, 400, 413]
    assert await edge.post(b"x" * 10, secret="wrong") == 401
    assert edge.inbox.accepted == []


IGNORED = ("INFO", "linear delivery ignored")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"type": "Hologram", "action": "projected"}, IGNORED),
        (
            {"type": "AgentSessionEvent", "action": "archived"},
            ("WARNING", "linear session event not known"),
        ),
        ({"type": "OAuthApp", "action": "upgraded"}, IGNORED),
        ({"action": "created", "agentSession": {"id": "s1", "status": "stopping", "type": "hologram"}}, None),
    ],
    ids=["type", "action", "action of a known type", "status"],
)
async def test_kinds_of_next_year_are_answered_and_change_nothing_else(
    edge: Edge, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], line: tuple[str, str] | None
) -> None:
    caplog.set_level(logging.INFO, logger="linear.ingress")
    body = json.loads(payload("session_created")) | changes
    assert await edge.post(sent_at(json.dumps(body).encode(), START)) == 200
    assert len(edge.inbox.accepted) == (line is None)
    assert [(one.levelname, one.message) for one in caplog.records] == ([line] if line else [])


async def test_a_signal_of_next_year_is_an_ordinary_prompt(edge: Edge) -> None:
    body = json.loads(payload("session_prompted"))
    body["agentActivity"]["signal"] = "hologram"
    assert await edge.post(sent_at(json.dumps(body).encode(), START)) == 200
    assert [type(one.event) for one in edge.inbox.accepted] == [Said]


async def test_who_waits_for_the_end_of_access_or_for_teams_is_told(edge: Edge) -> None:
    assert await edge.post_new("app_revoked") == 200
    assert await edge.post_new("team_access_changed") == 200
    assert [type(one) for one in edge.told] == [AppRevoked, PermissionChanged]
    assert edge.inbox.accepted == []


# Issues that are taken away.


async def test_people_who_end_the_work_on_an_issue_are_named(edge: Edge) -> None:
    people = edge.linear.people
    issue = people.create_issue("Search")
    people.delegate(issue.identifier)
    people.undelegate(issue.identifier, by="eve")
    for state in ("Done", "Todo", "Canceled"):
        await edge.linear.advance(timedelta(seconds=1))
        people.move(issue.identifier, state, by="bob")
    await edge.linear.settled()
    stops = sorted(one.event.reason for one in edge.inbox.accepted if isinstance(one.event, StopAsked))
    assert stops == [
        "Bob moved ENG-142 to Canceled",
        "Bob moved ENG-142 to Done",
        # As a change of the issue, and as a notification to us.
        "Eve took the delegation away",
        "Eve took the delegation away",
    ]
    assert {one.place for one in edge.inbox.accepted} >= {IssueRef(issue.id)}


async def test_a_notification_that_we_sent_ourselves_or_that_names_no_issue_ends_nothing(edge: Edge) -> None:
    body = json.loads(payload("app_user_notification")) | {"action": "issueUnassignedFromYou"}
    us = {"id": body["appUserId"], "name": "Threadline"}
    await edge.post_new("session_created")
    for changes in ({"actor": us}, {"issueId": None}):
        told = body | {"notification": body["notification"] | changes}
        assert await edge.post(sent_at(json.dumps(told).encode(), START)) == 200
    assert [type(one.event) for one in edge.inbox.accepted] == [SessionOpened]


CHANGED = parse_webhook(payload("issue_undelegated"))
assert isinstance(CHANGED, IssueChanged)
US = "9d3b1a40-2f67-4c58-8a11-5e2c7b9f0a02"
CLOSED = replace(
    CHANGED, changed=frozenset({"stateId"}), previous_delegate_id=None, state="Done", state_type="completed"
)


@pytest.mark.parametrize(
    ("changed", "app_user", "reason"),
    [
        (CHANGED, US, "Ada Berg took the delegation away"),
        (CHANGED, None, "Ada Berg took the delegation away"),
        (CHANGED, "another app", None),
        (replace(CHANGED, delegate_id=US), US, None),
        (replace(CHANGED, actor=None), US, "An automation took the delegation away"),
        (CLOSED, US, "Ada Berg moved ENG-42 to Done"),
        (replace(CLOSED, state_type="canceled", state=""), US, "Ada Berg moved ENG-42 to canceled"),
        (replace(CLOSED, changed=frozenset({"title"})), US, None),
        (replace(CLOSED, state_type="hologram"), US, None),
        (replace(CLOSED, action="remove", changed=frozenset()), US, "Ada Berg removed ENG-42"),
        (replace(CLOSED, action="projected"), US, None),
        (CLOSED, CHANGED.actor.id if CHANGED.actor else "", None),
    ],
)
def test_a_change_of_an_issue_ends_work_only_if_it_takes_the_issue_away(
    changed: IssueChanged, app_user: str | None, reason: str | None
) -> None:
    incoming = incoming_of(changed, app_user=app_user)
    stop = incoming.event if incoming else None
    assert stop == (None if reason is None else StopAsked(reason, SENT_AT.timestamp()))


def test_an_actor_of_any_shape_is_no_reason_to_refuse_a_delivery() -> None:
    for actor in (None, "ada", 7, {}, {"id": 7, "name": "x"}, {"type": "OauthClient", "name": "Bot"}):
        body = json.dumps(json.loads(payload("issue_undelegated")) | {"actor": actor}).encode()
        changed = parse_webhook(body)
        assert isinstance(changed, IssueChanged)
        assert changed.actor is None


# What a session begins with.


def opened(**changes: Any) -> Incoming:
    """The recorded mention, with other fields in its session and around it."""
    body = json.loads(payload("session_created"))
    session = body["agentSession"] | changes.pop("session", {})
    created = parse_webhook(json.dumps(body | changes | {"agentSession": session}).encode())
    assert isinstance(created, SessionCreated)
    incoming = incoming_of(created, app_user=US)
    assert incoming is not None
    return incoming


def event(**changes: Any) -> SessionOpened:
    told = opened(**changes).event
    assert isinstance(told, SessionOpened)
    return told


def test_a_mention_asks_what_its_comment_says() -> None:
    told = event()
    assert (told.text, told.by_person, told.delegated) == ("please fix this", True, False)
    assert told.description == "After signing in, people land on the start page."
    assert told.previous_comments == ("It worked last week.",)
    assert told.guidance == ("Run the tests before you answer.", "Write in plain English.")
    assert told.prompt_context.startswith("<issue")


def test_a_delegation_asks_for_what_the_issue_is_called() -> None:
    told = event(promptContext="<issue/>")
    assert (told.text, told.delegated) == ("Login page loses the return address", True)


@pytest.mark.parametrize(("flag", "delegated"), [(True, True), (False, False)])
def test_linears_own_mark_on_the_placeholder_comment_decides(flag: bool, delegated: bool) -> None:
    comment = {"id": "c1", "body": "hello", "isArtificialAgentSessionRoot": flag}
    assert event(session={"comment": comment}).delegated is delegated


def test_a_mention_in_a_reply_asks_what_the_reply_says() -> None:
    context = (
        '<primary-directive-thread comment-id="c1"><comment author="Bob">It is slow</comment>'
        '<comment author="Ada">@threadline a &lt; b, why?</comment></primary-directive-thread>'
        "<other-thread><comment>no</comment></other-thread>"
    )
    assert event(session={"sourceCommentId": "c2"}, promptContext=context).text == "a < b, why?"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("@threadline fix it", "fix it"),
        ("@threadline, fix it", "fix it"),
        ("https://linear.app/acme/profiles/threadline fix it", "fix it"),
        ("[Threadline](https://linear.app/acme/profiles/threadline): fix it", "fix it"),
        ("fix it, @threadline", "fix it, @threadline"),
        ("@threadline", "Login page loses the return address"),
    ],
)
def test_our_own_name_is_no_part_of_what_was_asked(body: str, text: str) -> None:
    assert event(session={"comment": {"id": "c1", "body": body}}).text == text


def test_what_an_automation_or_we_ourselves_opened_is_by_no_person() -> None:
    for session in ({"creatorId": None, "creator": None}, {"creatorId": US}):
        incoming = opened(session=session)
        assert isinstance(incoming.event, SessionOpened)
        assert (incoming.event.by_person, incoming.author) == (
            False,
            Author("linear", "automation", "An automation"),
        )


def test_the_guidance_of_the_nearest_team_comes_first() -> None:
    def rule(body: str, origin: dict[str, object]) -> dict[str, object]:
        return {"body": body, "origin": origin}

    own: dict[str, object] = {"type": "Team", "team": {"id": "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c06"}}
    rules = [
        rule("company", {"type": "Organization"}),
        rule("parent", {"type": "Team", "team": {"id": "t0"}}),
        rule("own", own),
    ]
    assert event(guidance=rules).guidance == ("own", "parent", "company")
