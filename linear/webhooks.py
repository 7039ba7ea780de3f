"""Linear's webhook bodies -> typed facts. Pure: the caller passes the time in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Any, ClassVar, TypeVar

from pydantic import ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from linear.errors import MalformedWebhook
from linear.model import Model
from linear.sansio import moment_of_ms, verify_age, verify_signature

_WIRE = ConfigDict(alias_generator=to_camel, extra="ignore")

_DIRECTIVE = "<primary-directive-thread"
_DIRECTIVE_THREAD = re.compile(rf"{_DIRECTIVE}\b[^>]*>(.*?)</primary-directive-thread>", re.DOTALL)
_COMMENT = re.compile(r"<comment\b[^>]*>(.*?)</comment>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Person:
    """A Linear user as deliveries show one."""

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    name: str = ""
    email: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveredTeam:
    """The team of an issue."""

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    key: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class DeliveredIssue:
    """The issue of a session; labels, state, assignee and delegate are not delivered."""

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    identifier: str
    title: str = ""
    url: str = ""
    description: str | None = None
    team: DeliveredTeam | None = None


@dataclass(frozen=True, slots=True)
class DeliveredComment:
    """A comment; `user_id` is None when an app or an integration wrote it.

    `is_artificial_agent_session_root` marks the placeholder that Linear writes for a session without a
    mention; None where Linear leaves it out.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    body: str = ""
    user_id: str | None = None
    is_artificial_agent_session_root: bool | None = None


@dataclass(frozen=True, slots=True)
class GuidanceRule:
    """Standing advice to agents; `origin` is "Team" or "Organization", and the nearest team wins."""

    body: str
    origin: str
    team_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveredSession:
    """`creator` is None when an automation or an agent opened it; `issue` when it is about something else.

    `comment` is the root of the session's thread, `source_comment_id` the mention if that stands elsewhere.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _WIRE

    id: str
    status: str = "pending"
    app_user_id: str | None = None
    url: str | None = None
    summary: str | None = None
    creator_id: str | None = None
    creator: Person | None = None
    issue_id: str | None = None
    issue: DeliveredIssue | None = None
    comment: DeliveredComment | None = None
    source_comment_id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """Someone mentioned or delegated to the app, or our own call to open a session came back.

    `prompt_context` is Linear's own summary in XML-like tags; everything in it is untrusted.
    `previous_comments` is filled only when the mention stands in a reply.
    """

    key: str
    organization_id: str
    sent_at: datetime
    session: DeliveredSession
    prompt_context: str = ""
    guidance: tuple[GuidanceRule, ...] = ()
    previous_comments: tuple[DeliveredComment, ...] = ()

    @property
    def is_by_person(self) -> bool:
        """A person opened it, not an automation, another agent, or we ourselves."""
        session = self.session
        return session.creator_id is not None and session.creator_id != session.app_user_id

    @property
    def is_mention(self) -> bool:
        """Somebody named us in a comment; otherwise the issue was delegated to us."""
        comment = self.session.comment
        if comment is None:
            return False
        if comment.is_artificial_agent_session_root is not None:
            return not comment.is_artificial_agent_session_root
        return _DIRECTIVE in self.prompt_context

    @property
    def mention(self) -> str:
        """What the comment that mentions us says; empty for a delegation."""
        comment, session = self.session.comment, self.session
        if comment is None or not self.is_mention:
            return ""
        if session.source_comment_id in (None, comment.id):
            return comment.body
        return _last_directive(self.prompt_context) or comment.body


@dataclass(frozen=True, slots=True)
class SessionPrompted:
    """Someone wrote to a session; `signal` is None, stop, continue or newer; a stop may lack a `body`."""

    key: str
    organization_id: str
    sent_at: datetime
    session_id: str
    activity_id: str
    body: str
    user: Person | None = None
    signal: str | None = None

    @property
    def is_stop(self) -> bool:
        """The person pressed Stop: end the run now, ahead of everything queued."""
        return self.signal == "stop"


@dataclass(frozen=True, slots=True)
class IssueChanged:
    """An issue was created, updated or removed (`action`: create, update, remove, or newer).

    `changed` names the fields whose old values were delivered, in Linear's camelCase. `state` is the name of
    its state, `actor` who did it.
    """

    key: str
    organization_id: str
    sent_at: datetime
    action: str
    issue_id: str
    identifier: str
    title: str
    url: str
    state_type: str | None = None
    assignee_id: str | None = None
    delegate_id: str | None = None
    changed: frozenset[str] = frozenset()
    previous_delegate_id: str | None = None
    state: str = ""
    actor: Person | None = None

    def was_taken_from(self, app_user_id: str) -> bool:
        """This change ended the delegation to `app_user_id`."""
        return self.previous_delegate_id == app_user_id != self.delegate_id

    @property
    def was_closed(self) -> bool:
        """This change moved it to a state in which nobody works on an issue."""
        return "stateId" in self.changed and self.state_type in {"completed", "canceled", "duplicate"}


@dataclass(frozen=True, slots=True)
class PermissionChanged:
    """The app gained or lost teams."""

    key: str
    organization_id: str
    sent_at: datetime
    can_access_all_public_teams: bool
    added_team_ids: tuple[str, ...]
    removed_team_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppRevoked:
    """The organization removed the app: its token is dead."""

    key: str
    organization_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Unknown:
    """A signed delivery of a kind we do not read: answer 200 and leave it."""

    type: str
    action: str
    organization_id: str | None
    sent_at: datetime


Webhook = SessionCreated | SessionPrompted | IssueChanged | PermissionChanged | AppRevoked | Unknown


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
        case "PermissionChange", "teamAccessChanged":
            return _permission_changed(_read(_PermissionChanged, body), sent_at)
        case "OAuthApp", "revoked":
            return _app_revoked(_read(_AppRevoked, body), sent_at)
        case type_, action:
            return Unknown(type_, action, envelope.organization_id, sent_at)


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


def _last_directive(context: str) -> str:
    """The newest comment of the thread in which we were mentioned, which is the mention."""
    thread = _DIRECTIVE_THREAD.search(context)
    comments = _COMMENT.findall(thread[1]) if thread else []
    return unescape(comments[-1]) if comments else ""


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
