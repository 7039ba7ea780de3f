"""Linear's webhook bodies -> typed facts. Pure: the caller passes the time in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from linear.deliveries import (
    AppRevoked,
    DeliveredComment,
    DeliveredSession,
    DeliveredTeam,
    GuidanceRule,
    IssueChanged,
    IssueUnassigned,
    PermissionChanged,
    Person,
    SessionCreated,
    SessionPrompted,
    Unknown,
    Webhook,
)
from linear.errors import MalformedWebhook
from linear.model import Model
from linear.sansio import moment_of_ms, verify_age, verify_signature


def parse_signed_webhook(body: bytes, *, signature: str, secrets: Sequence[str], now: datetime) -> Webhook:
    """Verify, then read: nothing in `body` is looked at before its signature is known to be good.

    Args:
        body: The request body exactly as received.
        signature: `Linear-Signature` header.
        secrets: Signing secrets, the current one and, while it is rotated, the old one.
        now: Current time, aware.

    Raises:
        BadSignature, StaleDelivery: Answer 401.
        MalformedWebhook: Answer 400.
    """
    verify_signature(body, signature=signature, secrets=secrets)
    webhook = parse_webhook(body)
    verify_age(webhook.sent_at, now=now)
    return webhook


def parse_webhook(body: bytes) -> Webhook:
    """Read a delivery whose signature is good.

    `key` names what happened and comes from signed content, so that every redelivery has the same one: not
    from `webhookId`, which names the subscription, nor from the unsigned `Linear-Delivery` header.

    Raises:
        MalformedWebhook: Not JSON, or a field is absent without which the delivery means nothing. Unknown
            types, actions, statuses and signals are no error.
    """
    envelope = _read(_Envelope, body)
    sent_at = moment_of_ms(envelope.webhook_timestamp)
    if sent_at is None:
        raise MalformedWebhook("webhookTimestamp is no time")
    match envelope.type, envelope.action:
        case "AgentSessionEvent", "created":
            return _session_created(_read(_SessionCreated, body), sent_at)
        case "AgentSessionEvent", "prompted":
            return _session_prompted(_read(_SessionPrompted, body), sent_at)
        case "Issue", _:
            return _issue_changed(_read(_IssueChanged, body), sent_at)
        case "AppUserNotification", "issueUnassignedFromYou":
            told = _read(_Notified, body)
            return _issue_unassigned(told, sent_at) or _unknown(envelope, sent_at)
        case "PermissionChange", "teamAccessChanged":
            return _permission_changed(_read(_PermissionChanged, body), sent_at)
        case "OAuthApp", "revoked":
            return _app_revoked(_read(_AppRevoked, body), sent_at)
        case _:
            return _unknown(envelope, sent_at)


def _unknown(envelope: "_Envelope", sent_at: datetime) -> Unknown:
    return Unknown(envelope.type, envelope.action, envelope.organization_id, sent_at)


class _Envelope(Model):
    type: str
    webhook_timestamp: float
    action: str = ""
    organization_id: str | None = None


class _Origin(Model):
    type: str = ""
    team: DeliveredTeam | None = None


class _Guidance(Model):
    body: str
    origin: _Origin = _Origin()


class _SessionCreated(Model):
    organization_id: str
    agent_session: DeliveredSession
    prompt_context: str | None = None
    guidance: tuple[_Guidance, ...] | None = None
    previous_comments: tuple[DeliveredComment, ...] | None = None


class _Activity(Model):
    id: str
    content: dict[str, Any]
    signal: str | None = None
    user: Person | None = None
    created_at: datetime | None = None


class _SessionId(Model):
    id: str


class _SessionPrompted(Model):
    organization_id: str
    agent_session: _SessionId
    agent_activity: _Activity


class _State(Model):
    type: str | None = None
    name: str = ""


class _Issue(Model):
    id: str
    identifier: str
    updated_at: str
    title: str = ""
    url: str = ""
    state: _State | None = None
    assignee_id: str | None = None
    delegate_id: str | None = None


class _IssueChanged(Model):
    action: str
    organization_id: str
    data: _Issue
    updated_from: dict[str, Any] | None = None
    actor: Any = None


class _Notification(Model):
    id: str
    issue_id: str | None = None
    actor: Any = None


class _Notified(Model):
    organization_id: str
    notification: _Notification


class _PermissionChanged(Model):
    organization_id: str
    created_at: str
    can_access_all_public_teams: bool = False
    added_team_ids: tuple[str, ...] = ()
    removed_team_ids: tuple[str, ...] = ()


class _AppRevoked(Model):
    organization_id: str
    created_at: str


P = TypeVar("P", bound=Model)


def _read(shape: type[P], body: bytes) -> P:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        # Where it is wrong, never what stands there.
        places = {".".join(str(part) for part in flaw["loc"]) or "body" for flaw in error.errors()}
    raise MalformedWebhook(f"cannot read {', '.join(sorted(places))[:200]}")


def _session_created(payload: _SessionCreated, sent_at: datetime) -> SessionCreated:
    return SessionCreated(
        key=f"linear/session/{payload.agent_session.id}",
        organization_id=payload.organization_id,
        sent_at=sent_at,
        session=payload.agent_session,
        prompt_context=payload.prompt_context or "",
        guidance=tuple(_guidance_rule(rule) for rule in payload.guidance or ()),
        previous_comments=payload.previous_comments or (),
    )


def _guidance_rule(rule: _Guidance) -> GuidanceRule:
    team = rule.origin.team
    return GuidanceRule(body=rule.body, origin=rule.origin.type, team_id=team.id if team else None)


def _session_prompted(payload: _SessionPrompted, sent_at: datetime) -> SessionPrompted:
    activity = payload.agent_activity
    text = activity.content.get("body")
    return SessionPrompted(
        key=f"linear/activity/{activity.id}",
        organization_id=payload.organization_id,
        sent_at=sent_at,
        session_id=payload.agent_session.id,
        activity_id=activity.id,
        body=text if isinstance(text, str) else "",
        user=activity.user,
        signal=activity.signal,
        said_at=activity.created_at.timestamp() if activity.created_at else None,
    )


def _issue_changed(payload: _IssueChanged, sent_at: datetime) -> IssueChanged:
    issue, before = payload.data, payload.updated_from or {}
    previous_delegate = before.get("delegateId")
    return IssueChanged(
        key=f"linear/issue/{issue.id}/{payload.action}/{issue.updated_at}",
        organization_id=payload.organization_id,
        sent_at=sent_at,
        action=payload.action,
        issue_id=issue.id,
        identifier=issue.identifier,
        title=issue.title,
        url=issue.url,
        state_type=issue.state.type if issue.state else None,
        assignee_id=issue.assignee_id,
        delegate_id=issue.delegate_id,
        changed=frozenset(before),
        previous_delegate_id=previous_delegate if isinstance(previous_delegate, str) else None,
        state=issue.state.name if issue.state else "",
        actor=_actor(payload.actor),
    )


def _issue_unassigned(payload: _Notified, sent_at: datetime) -> IssueUnassigned | None:
    notification = payload.notification
    if notification.issue_id is None:
        return None
    return IssueUnassigned(
        key=f"linear/notification/{notification.id}",
        organization_id=payload.organization_id,
        sent_at=sent_at,
        issue_id=notification.issue_id,
        actor=_actor(notification.actor),
    )


def _actor(told: object) -> Person | None:
    """Whoever did it, people and integrations alike: their shapes differ, so nothing is asked of them."""
    match told:
        case {"id": str(id), "name": str(name)}:
            return Person(id, name)
        case _:
            return None


def _permission_changed(payload: _PermissionChanged, sent_at: datetime) -> PermissionChanged:
    return PermissionChanged(
        key=f"linear/permission/{payload.organization_id}/{payload.created_at}",
        organization_id=payload.organization_id,
        sent_at=sent_at,
        can_access_all_public_teams=payload.can_access_all_public_teams,
        added_team_ids=payload.added_team_ids,
        removed_team_ids=payload.removed_team_ids,
    )


def _app_revoked(payload: _AppRevoked, sent_at: datetime) -> AppRevoked:
    return AppRevoked(
        key=f"linear/revoked/{payload.organization_id}/{payload.created_at}",
        organization_id=payload.organization_id,
        sent_at=sent_at,
    )
