"""Linear's deliveries, verified and handed to the inbox before they are answered."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from aiohttp import web

from core.activities import Author
from core.errors import StoreUnavailable
from core.events import Incoming, Said, SessionOpened, StopAsked
from core.ports import Inbox
from linear.errors import MalformedWebhook, WebhookError
from linear.webhooks import Person, SessionCreated, SessionPrompted, Webhook, parse_signed_webhook

log = logging.getLogger(__name__)

PATH = "/api/webhooks/linear"
BODY_BYTES = 1 << 20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def linear_webhooks(
    inbox: Inbox, secrets: Sequence[str], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Handler:
    """The web handler for Linear's webhooks.

    Answers: 200 stored, duplicate or not for us; 400 malformed; 401 not signed by Linear, or too old; 413 too
    large; 503 the store cannot be written: Linear sends it again.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        if (request.content_length or 0) > BODY_BYTES:
            return _refused(413, "the body is too large")
        body = await request.content.read(BODY_BYTES + 1)
        if len(body) > BODY_BYTES:
            return _refused(413, "the body is too large")
        signature = request.headers.get("Linear-Signature", "")
        try:
            webhook = parse_signed_webhook(body, signature=signature, secrets=secrets, now=now())
        except MalformedWebhook as error:
            return _refused(400, str(error))
        except WebhookError as error:
            return _refused(401, str(error))
        if (incoming := incoming_of(webhook)) is not None:
            try:
                await inbox.accept(incoming)
            except StoreUnavailable as error:
                return _refused(503, str(error))
        return web.Response()

    return handle


def incoming_of(webhook: Webhook) -> Incoming | None:
    """What a delivery means to the session service; None if nothing here waits for it."""
    match webhook:
        case SessionCreated(key=key, session=session, prompt_context=context):
            opened = SessionOpened(
                session=session.id, issue=session.issue.id if session.issue else None, prompt_context=context
            )
            author = _author(session.creator)
            return Incoming(key=key, place=session.id, event=opened, author=author, opens=True)
        case SessionPrompted(key=key, session_id=session_id, body=body, user=user):
            event = StopAsked() if webhook.is_stop else Said(body)
            return Incoming(key=key, place=session_id, event=event, author=_author(user))
        case _:
            return None


def _author(person: Person | None) -> Author:
    if person is None:
        return Author("linear", "automation", "An automation")
    return Author("linear", person.id, person.name or "Somebody", person.email)


def _refused(status: int, reason: str) -> web.Response:
    log.warning("linear delivery refused", extra={"status": status, "reason": reason})
    return web.Response(status=status)
