"""Linear's deliveries, verified and handed to the inbox before they are answered."""

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from core.activities import Author
from core.errors import StoreUnavailable
from core.events import Incoming, Said, SessionOpened, StopAsked
from core.ids import IssueRef
from core.ports import Inbox
from linear.deliveries import (
    AppRevoked,
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
from linear.errors import MalformedWebhook, WebhookError
from linear.webhooks import parse_signed_webhook

log = logging.getLogger(__name__)

PATH = "/api/webhooks/linear"
BODY_BYTES = 1 << 20
TAKEN_AWAY = "took the delegation away"

# A mention is a name or the address of a profile, bare or as a Markdown link.
_ADDRESSED = re.compile(
    r"\A\s*(?:@[^\s,:]+|https?://\S+/profiles/[^\s,]+|\[[^\]]+\]\([^)\s]*/profiles/[^)\s]*\))[\s,:]*"
)
_BY_AUTOMATION = Author("linear", "automation", "An automation")

Told = SessionCreated | SessionPrompted | IssueChanged | IssueUnassigned
"""Deliveries that may mean something to a session."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _nobody_asks(_: AppRevoked | PermissionChanged) -> None:
    """Nothing hangs on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What else hangs on Linear's deliveries; both callbacks are awaited before Linear is answered.

    Attributes:
        app_user: Our own user in Linear; None until anybody asked Linear who we are.
        on_revoked: The organization has removed the app: its token is dead.
        on_permissions: The app gained or lost teams.
    """

    app_user: Callable[[], str | None] = lambda: None
    on_revoked: Callable[[AppRevoked], Awaitable[None]] = _nobody_asks
    on_permissions: Callable[[PermissionChanged], Awaitable[None]] = _nobody_asks


_NO_HOOKS = Hooks()


def linear_webhooks(
    inbox: Inbox,
    secrets: Sequence[str],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    hooks: Hooks = _NO_HOOKS,
) -> Handler:
    """The web handler for Linear's webhooks.

    Answers: 200 stored, duplicate or not for us; 400 malformed; 401 not signed by Linear, or too old; 413 too
    large; 503 the store cannot be written: Linear sends it again.
    """
    ingress = _Ingress(inbox, hooks)

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await _read(request)
        if body is None:
            return _refused(413, "the body is too large")
        signature = request.headers.get("Linear-Signature", "")
        try:
            webhook = parse_signed_webhook(body, signature=signature, secrets=secrets, now=now())
        except MalformedWebhook as error:
            return _refused(400, str(error))
        except WebhookError as error:
            return _refused(401, str(error))
        try:
            await ingress.take(webhook)
        except StoreUnavailable as error:
            return _refused(503, str(error))
        return web.Response()

    return handle


class _Ingress:
    """Sorts verified deliveries; learns from them who we are."""

    def __init__(self, inbox: Inbox, hooks: Hooks) -> None:
        self._inbox = inbox
        self._hooks = hooks
        self._told_user: str | None = None

    async def take(self, webhook: Webhook) -> None:
        match webhook:
            case AppRevoked():
                log.error("linear access revoked", extra={"organization": webhook.organization_id})
                await self._hooks.on_revoked(webhook)
            case PermissionChanged(added_team_ids=added, removed_team_ids=removed):
                log.info("linear teams changed", extra={"added": len(added), "removed": len(removed)})
                await self._hooks.on_permissions(webhook)
            case Unknown(type="AgentSessionEvent", action=action):
                # People may wait for an answer to it: Linear has learnt something that we have not.
                log.warning("linear session event not known", extra={"action": action})
            case Unknown(type=type_, action=action):
                log.info("linear delivery ignored", extra={"type": type_, "action": action})
            case SessionCreated() | SessionPrompted() | IssueChanged() | IssueUnassigned():
                await self._accept(webhook)

    async def _accept(self, webhook: Told) -> None:
        if isinstance(webhook, SessionCreated):
            self._told_user = webhook.session.app_user_id or self._told_user
        incoming = incoming_of(webhook, app_user=self._hooks.app_user() or self._told_user)
        if incoming is not None:
            await self._inbox.accept(incoming)


async def _read(request: web.Request) -> bytes | None:
    """The whole body; None as soon as it is too large."""
    if (request.content_length or 0) > BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES:
            return None
    return bytes(body)


def incoming_of(webhook: Told, *, app_user: str | None) -> Incoming | None:
    """What a delivery means to the session service; None if nothing here waits for it.

    Args:
        app_user: Our own user; while nobody knows it, a delegation that ended is taken for ours.
    """
    match webhook:
        case SessionCreated(key=key, session=session):
            author = _author(session.creator) if webhook.is_by_person else _BY_AUTOMATION
            return Incoming(key=key, place=session.id, event=_opened(webhook), author=author, opens=True)
        case SessionPrompted(key=key, session_id=session_id, body=body, user=user, said_at=at):
            event = StopAsked() if webhook.is_stop else Said(body, at=at)
            return Incoming(key=key, place=session_id, event=event, author=_author(user))
        case IssueChanged(actor=actor):
            return _stop_of(webhook, _why_stop(webhook, _author(actor).name, app_user), app_user)
        case IssueUnassigned(actor=actor):
            return _stop_of(webhook, f"{_author(actor).name} {TAKEN_AWAY}", app_user)


def _stop_of(webhook: IssueChanged | IssueUnassigned, reason: str, app_user: str | None) -> Incoming | None:
    """The end of all work on the issue, if there is a `reason` for it that is not our own doing."""
    author = _author(webhook.actor)
    if not reason or author.id == app_user:
        return None
    stop = StopAsked(reason, at=webhook.sent_at.timestamp())
    return Incoming(key=webhook.key, place=IssueRef(webhook.issue_id), event=stop, author=author)


def _opened(created: SessionCreated) -> SessionOpened:
    session = created.session
    issue, title = session.issue, session.issue.title if session.issue else ""
    return SessionOpened(
        session=session.id,
        issue=issue.id if issue else session.issue_id,
        prompt_context=created.prompt_context,
        text=_ADDRESSED.sub("", created.mention).strip() or title,
        description=(issue.description or "") if issue else "",
        previous_comments=tuple(one.body for one in created.previous_comments),
        guidance=_nearest_first(created.guidance, issue.team.id if issue and issue.team else None),
        by_person=created.is_by_person,
        delegated=not created.is_mention,
    )


def _nearest_first(rules: Sequence[GuidanceRule], team_id: str | None) -> tuple[str, ...]:
    def distance(rule: GuidanceRule) -> int:
        if rule.origin.casefold() != "team":
            return 2
        return 0 if rule.team_id == team_id else 1

    return tuple(rule.body for rule in sorted(rules, key=distance))


def _why_stop(changed: IssueChanged, who: str, app_user: str | None) -> str:
    """What people are told of a change that ends the work on an issue; empty for any other."""
    taken = changed.previous_delegate_id
    if changed.action == "remove":
        return f"{who} removed {changed.identifier}"
    if changed.action != "update":
        return ""
    if changed.was_closed:
        return f"{who} moved {changed.identifier} to {changed.state or changed.state_type}"
    if taken and changed.was_taken_from(app_user or taken):
        return f"{who} {TAKEN_AWAY}"
    return ""


def _author(person: Person | None) -> Author:
    if person is None:
        return _BY_AUTOMATION
    return Author("linear", person.id, person.name or "Somebody", person.email)


def _refused(status: int, reason: str) -> web.Response:
    log.warning("linear delivery refused", extra={"status": status, "reason": reason})
    return web.Response(status=status)
