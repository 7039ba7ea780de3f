"""Recorded deliveries -> facts, and everything else that may arrive."""

import hmac
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linear.deliveries import (
    AppRevoked,
    DeliveredComment,
    DeliveredIssue,
    DeliveredSession,
    DeliveredTeam,
    GuidanceRule,
    IssueChanged,
    PermissionChanged,
    Person,
    SessionCreated,
    SessionPrompted,
    Unknown,
)
from linear.errors import BadSignature, MalformedWebhook, StaleDelivery
from linear.webhooks import parse_signed_webhook, parse_webhook
from tests.linear.fakes import PAYLOADS, SENT_AT, payload

ORGANIZATION = "0c1f7a52-6d1f-4c0e-9f5a-6b1c7a2d9e01"
APP_USER = "9d3b1a40-2f67-4c58-8a11-5e2c7b9f0a02"
SESSION = "e5f60718-92a3-4b4c-9d5e-6f7081920a08"
TEAM = DeliveredTeam("a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c06", "ENG", "Engineering")
ADA = Person(
    "3f6b8d21-7c94-4e05-b1a2-9d8c7e6f5a05",
    "Ada Berg",
    "ada@example.com",
    "https://linear.app/acme/profiles/ada",
)
ISSUE = DeliveredIssue(
    "c4d5e6f7-8091-4a2b-b3c4-d5e6f7a8b907",
    "ENG-42",
    "Login page loses the return address",
    "https://linear.app/acme/issue/ENG-42/login-page-loses-the-return-address",
    "After signing in, people land on the start page.",
    TEAM,
)
ALL = sorted(path.stem for path in PAYLOADS.glob("*.json"))


def edited(name: str, **changes: Any) -> bytes:
    return json.dumps(json.loads(payload(name)) | changes).encode()


def test_a_mention_is_read_whole() -> None:
    created = parse_webhook(payload("session_created"))
    assert isinstance(created, SessionCreated)
    assert created.prompt_context.startswith('<issue identifier="ENG-42">')
    assert created == SessionCreated(
        key=f"linear/session/{SESSION}",
        organization_id=ORGANIZATION,
        sent_at=SENT_AT,
        session=DeliveredSession(
            id=SESSION,
            status="pending",
            app_user_id=APP_USER,
            url="https://linear.app/acme/issue/ENG-42#agent-session-e5f60718",
            creator_id=ADA.id,
            creator=ADA,
            issue_id=ISSUE.id,
            issue=ISSUE,
            comment=DeliveredComment(
                "f60718a2-b3c4-4d5e-8f60-718293a4b509", "@threadline please fix this", ADA.id
            ),
        ),
        prompt_context=created.prompt_context,
        guidance=(
            GuidanceRule("Run the tests before you answer.", "Team", TEAM.id),
            GuidanceRule("Write in plain English.", "Organization"),
        ),
        previous_comments=(
            DeliveredComment("0718a2b3-c4d5-4e6f-9071-8293a4b5c60a", "It worked last week.", ADA.id),
        ),
    )


def test_an_automation_has_no_creator() -> None:
    created = parse_webhook(payload("session_created_by_automation"))
    assert isinstance(created, SessionCreated)
    assert (created.session.creator, created.session.creator_id, created.session.comment) == (
        None,
        None,
        None,
    )
    assert (created.guidance, created.previous_comments) == ((), ())


def test_a_session_may_have_no_issue_and_a_status_of_next_year() -> None:
    created = parse_webhook(payload("session_created_without_issue"))
    assert isinstance(created, SessionCreated)
    assert (created.session.issue, created.session.status, created.prompt_context) == (None, "stopping", "")


def test_a_follow_up_is_keyed_by_its_activity() -> None:
    assert parse_webhook(payload("session_prompted")) == SessionPrompted(
        key="linear/activity/18a2b3c4-d5e6-4f70-a182-93a4b5c6d70b",
        organization_id=ORGANIZATION,
        sent_at=SENT_AT,
        session_id=SESSION,
        activity_id="18a2b3c4-d5e6-4f70-a182-93a4b5c6d70b",
        body="Keep the query string too.",
        user=ADA,
        signal=None,
        said_at=1795255200.0,
    )


@pytest.mark.parametrize(("name", "is_stop"), [("session_prompted", False), ("session_stopped", True)])
def test_a_stop_is_a_signal_on_a_prompt(name: str, is_stop: bool) -> None:
    prompted = parse_webhook(payload(name))
    assert isinstance(prompted, SessionPrompted)
    assert prompted.is_stop is is_stop


@pytest.mark.parametrize("content", [{}, {"body": None}, {"body": ["text"]}, {"text": "elsewhere"}])
def test_a_prompt_without_text_is_empty(content: dict[str, Any]) -> None:
    activity = json.loads(payload("session_prompted"))["agentActivity"] | {"content": content}
    prompted = parse_webhook(edited("session_prompted", agentActivity=activity))
    assert isinstance(prompted, SessionPrompted)
    assert prompted.body == ""


def test_losing_the_delegation_is_seen() -> None:
    changed = parse_webhook(payload("issue_undelegated"))
    assert changed == IssueChanged(
        key=f"linear/issue/{ISSUE.id}/update/2026-11-21T10:00:00.000Z",
        organization_id=ORGANIZATION,
        sent_at=SENT_AT,
        action="update",
        issue_id=ISSUE.id,
        identifier="ENG-42",
        title=ISSUE.title,
        url=ISSUE.url,
        state_type="started",
        assignee_id=ADA.id,
        delegate_id=None,
        changed=frozenset({"delegateId", "updatedAt"}),
        previous_delegate_id=APP_USER,
        state="In Progress",
        actor=Person(ADA.id, ADA.name),
    )
    assert changed.was_taken_from(APP_USER)
    assert not changed.was_taken_from("another app")


def test_an_issue_that_changed_otherwise_was_taken_from_nobody() -> None:
    changed = parse_webhook(edited("issue_undelegated", updatedFrom={"title": "Old"}))
    assert isinstance(changed, IssueChanged)
    assert not changed.was_taken_from(APP_USER)


def test_a_delegation_that_stays_was_taken_from_nobody() -> None:
    issue = json.loads(payload("issue_undelegated"))["data"] | {"delegateId": APP_USER}
    changed = parse_webhook(edited("issue_undelegated", data=issue))
    assert isinstance(changed, IssueChanged)
    assert not changed.was_taken_from(APP_USER)


def test_changed_team_access_is_read() -> None:
    assert parse_webhook(payload("team_access_changed")) == PermissionChanged(
        key=f"linear/permission/{ORGANIZATION}/2026-11-21T10:00:00.000Z",
        organization_id=ORGANIZATION,
        sent_at=SENT_AT,
        can_access_all_public_teams=False,
        added_team_ids=(TEAM.id,),
        removed_team_ids=("4bd5e6f7-0819-42a3-b4b5-c6d7e8f9010e",),
    )


def test_a_revoked_app_is_read() -> None:
    assert parse_webhook(payload("app_revoked")) == AppRevoked(
        key=f"linear/revoked/{ORGANIZATION}/2026-11-21T10:00:00.000Z",
        organization_id=ORGANIZATION,
        sent_at=SENT_AT,
    )


@pytest.mark.parametrize(
    ("name", "type", "action"),
    [
        ("session_archived", "AgentSessionEvent", "archived"),
        ("app_user_notification", "AppUserNotification", "issueStatusChanged"),
    ],
)
def test_what_we_do_not_read_is_named(name: str, type: str, action: str) -> None:
    assert parse_webhook(payload(name)) == Unknown(type, action, ORGANIZATION, SENT_AT)


def test_a_type_of_next_year_needs_no_more_than_a_time() -> None:
    body = b'{"type":"Hologram","webhookTimestamp":1795255200000}'
    assert parse_webhook(body) == Unknown("Hologram", "", None, SENT_AT)


def test_the_webhooks_own_id_is_in_no_key() -> None:
    hook = json.loads(payload("session_created"))["webhookId"]
    parsed = [parse_webhook(payload(name)) for name in ALL]
    keys = [webhook.key for webhook in parsed if not isinstance(webhook, Unknown)]
    assert len(keys) == 8
    assert not any(hook in key for key in keys)


@pytest.mark.parametrize("name", ALL)
def test_fields_of_next_year_are_ignored(name: str) -> None:
    assert parse_webhook(edited(name, fieldOfNextYear={"a": [1]})) == parse_webhook(payload(name))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>",
        b"\xff",
        b"[" * 100_000,
        b'{"type":"Issue"}',
        edited("session_created", webhookTimestamp=None),
        edited("session_created", webhookTimestamp=1e300),
        edited("session_created", webhookTimestamp=float("nan")),
        edited("session_created", agentSession={}),
        edited("session_prompted", agentActivity=None),
        edited("session_prompted", agentActivity={"id": 7}),
        edited("issue_undelegated", data=None),
        edited("app_revoked", organizationId=None),
    ],
    ids=range(16),
)
def test_a_body_without_meaning_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedWebhook):
        parse_webhook(body)


def test_a_malformed_body_is_not_quoted() -> None:
    with pytest.raises(MalformedWebhook) as caught:
        parse_webhook(edited("session_created", agentSession="secret"))
    assert str(caught.value) == "cannot read agentSession"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"type":"\\ud800","webhookTimestamp":0}')
def test_arbitrary_bytes_are_read_or_malformed(body: bytes) -> None:
    message = ""
    try:
        parse_webhook(body)
    except MalformedWebhook as error:
        message = str(error)
    assert len(message) < 300


@given(name=st.sampled_from(ALL), changes=st.data())
def test_a_delivery_with_anything_anywhere_is_read_or_malformed(name: str, changes: st.DataObject) -> None:
    whole = json.loads(payload(name))
    place = whole
    while isinstance(inner := place[key := changes.draw(st.sampled_from(sorted(place)))], dict) and inner:
        if changes.draw(st.booleans()):
            break
        place = inner
    place[key] = changes.draw(JSON)
    try:
        webhook = parse_webhook(json.dumps(whole).encode())
    except MalformedWebhook:
        return
    assert webhook.sent_at.tzinfo is not None


def signature_of(body: bytes) -> str:
    return hmac.new(b"secret", body, sha256).hexdigest()


def test_a_signed_delivery_is_verified_and_read() -> None:
    body = payload("session_created")
    webhook = parse_signed_webhook(
        body, signature=signature_of(body), secrets=["next", "secret"], now=SENT_AT + timedelta(hours=6)
    )
    assert webhook == parse_webhook(body)


def test_an_unsigned_body_is_not_even_read() -> None:
    with pytest.raises(BadSignature):
        parse_signed_webhook(b"not json", signature="0" * 64, secrets=["secret"], now=SENT_AT)


def test_the_age_comes_from_the_signed_body() -> None:
    body = payload("session_created")
    with pytest.raises(StaleDelivery):
        parse_signed_webhook(
            body, signature=signature_of(body), secrets=["secret"], now=SENT_AT + timedelta(hours=8)
        )
