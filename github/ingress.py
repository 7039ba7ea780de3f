"""GitHub's deliveries, verified and handed over before they are answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web

from core.errors import StoreUnavailable
from github.errors import MalformedWebhook, WebhookError
from github.hints import Hint
from github.webhooks import DELIVERY_HEADER, EVENT_HEADER, SIGNATURE_HEADER, parse_signed_webhook

log = logging.getLogger(__name__)

PATH: Final = "/api/webhooks/github"
BODY_BYTES: Final = 5 << 20
"""GitHub sends up to 25 MB, of events that we do not ask for."""

ANSWER_WITHIN_S: Final = 8.0
"""GitHub hangs up after 10 s."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def github_webhooks(
    on_hint: Callable[[Hint], Awaitable[None]],
    secrets: Sequence[str],
    *,
    within_s: float = ANSWER_WITHIN_S,
) -> Handler:
    """The web handler for GitHub's webhooks.

    Answers: 200 taken, or nothing that we know; 400 malformed; 401 not signed by GitHub; 413 too large; 503
    the store cannot be written, or not in time. GitHub repeats nothing by itself: what was not answered with
    200 stands in its list of deliveries, see `GitHubApp.deliveries`.

    Args:
        on_hint: Stores the hint; it has to know a delivery that comes again. Raises `StoreUnavailable`.
        secrets: Of the webhook: the current one and, while it is rotated, the old one.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await _read(request)
        if body is None:
            return _refused(413, "the body is too large")
        try:
            hint = parse_signed_webhook(
                body,
                signature=_only(request, SIGNATURE_HEADER),
                event=_only(request, EVENT_HEADER),
                delivery=_only(request, DELIVERY_HEADER),
                secrets=secrets,
            )
        except MalformedWebhook as error:
            return _refused(400, str(error))
        except WebhookError as error:
            return _refused(401, str(error))
        return await _taken(on_hint, hint, within_s)

    return handle


async def _taken(
    on_hint: Callable[[Hint], Awaitable[None]], hint: Hint, within_s: float
) -> web.StreamResponse:
    if hint.is_ignorable:
        log.info("github delivery ignored", extra={"event": hint.event, "action": hint.action})
        return web.Response()
    try:
        async with asyncio.timeout(within_s):
            await on_hint(hint)
    except StoreUnavailable as error:
        return _refused(503, str(error))
    except TimeoutError:
        return _refused(503, "not taken in time")
    return web.Response()


def _only(request: web.Request, header: str) -> str:
    """The header, unless it came twice: then nobody knows which one counts."""
    values = request.headers.getall(header, [])
    return values[0] if len(values) == 1 else ""


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


def _refused(status: int, reason: str) -> web.Response:
    log.warning("github delivery refused", extra={"status": status, "reason": reason})
    return web.Response(status=status)
