"""`POST /slack/events`: size, signature, JSON, listeners; the answer comes after the inbox has it."""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bots.slack.signature import BadSignature, verify
from bots.slack.wire import Wire

log = logging.getLogger(__name__)

BODY_BYTES: Final = 1024 * 1024
PATH: Final = "/slack/events"

_LISTENED_TO: Final = ("event_callback", "block_actions", "message_action", "view_submission")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Refusal(Exception):
    """The request ends here, with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def slack_events(app: AsyncApp, secrets: Sequence[str], *, now: Callable[[], float] = time.time) -> Handler:
    """The web handler for events and interactions.

    Args:
        app: See `build_app`; its dispatch ends after the event is stored.
        secrets: Signing secrets that count.
        now: Seconds since the Unix epoch.

    Answers: 200 stored, duplicate or not for us; 400 malformed; 401 not signed by Slack; 413 too large;
    503 the store cannot be written: Slack sends it again.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            raw = await _read(request)
            _check_signature(request, raw, secrets, now())
            body = parse_body(raw, request.content_type)
            if body.get("type") == "url_verification":
                return web.json_response({"challenge": str(body.get("challenge", ""))})
            return await _dispatch(app, body)
        except _Refusal as refusal:
            log.warning("slack request refused", extra={"status": refusal.status, "reason": str(refusal)})
            return web.Response(status=refusal.status)

    return handle


def parse_body(raw: bytes, content_type: str) -> Wire:
    """Events come as JSON, interactions as JSON in a form field; `_Refusal` with 400 for anything else."""
    try:
        text = raw.decode()
        if content_type == "application/x-www-form-urlencoded":
            form = parse_qs(text, keep_blank_values=True)
            # Slash commands and Slack's certificate check are plain forms; nobody listens to them.
            return _object(json.loads(form["payload"][0])) if "payload" in form else {}
        return _object(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise _Refusal(400, "the body is not JSON") from error


def _object(value: object) -> Wire:
    if not isinstance(value, dict):
        raise _Refusal(400, "the body is not a JSON object")
    return value


async def _read(request: web.Request) -> bytes:
    """The body, given up as soon as it is too large."""
    if (request.content_length or 0) > BODY_BYTES:
        raise _Refusal(413, "the body is too large")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES:
            raise _Refusal(413, "the body is too large")
    return bytes(body)


def _check_signature(request: web.Request, raw: bytes, secrets: Sequence[str], now: float) -> None:
    headers = request.headers
    try:
        verify(
            raw,
            timestamp=headers.get("X-Slack-Request-Timestamp", ""),
            signature=headers.get("X-Slack-Signature", ""),
            secrets=secrets,
            now=now,
        )
    except BadSignature as error:
        raise _Refusal(401, str(error)) from error


async def _dispatch(app: AsyncApp, body: Wire) -> web.Response:
    if body.get("type") not in _LISTENED_TO:
        # Not an error of Slack's: it would repeat the request, and switch a failing subscription off.
        return web.Response()
    try:
        # Bolt's name for "verified already, and parsed".
        request = AsyncBoltRequest(mode="socket_mode", body=body)
        answer = await app.async_dispatch(request)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Bolt walks through the body and trusts its shape. What listeners raise does not get here.
        raise _Refusal(400, "the body has not the shape of Slack's") from error
    return web.Response(status=answer.status, text=answer.body)
