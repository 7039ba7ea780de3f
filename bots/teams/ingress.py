"""`POST /api/messages`: size, JSON, token, listeners; the answer comes after the inbox has it."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from botbuilder.core.cloud_adapter_base import CloudAdapterBase

from bots.teams.adapter import ReceivedActivity
from bots.teams.auth import NotFromTeams
from bots.teams.keys import KeysUnavailable
from bots.teams.listeners import TeamsListeners
from bots.teams.wire import MalformedActivity
from core.errors import StoreUnavailable

log = logging.getLogger(__name__)

BODY_BYTES: Final = 1024 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Refusal(Exception):
    """The request ends here, with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def teams_activities(adapter: CloudAdapterBase, listeners: TeamsListeners) -> Handler:
    """The web handler for activities.

    Args:
        adapter: See `build_adapter`.
        listeners: Their turn ends after the event is stored.

    Answers: 200 stored, duplicate or not for us, and for invokes with what people see at once; 400 malformed;
    401 not sent by Teams; 413 too large; 501 an invoke of somebody else's; 503 it cannot be judged or stored
    now: Teams sends it again.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            activity = ReceivedActivity(parse_body(await _read(request)))
            if not activity.type:
                raise _Refusal(400, "the activity has no type")
            return await _dispatch(adapter, listeners, request.headers.get("Authorization", ""), activity)
        except _Refusal as refusal:
            log.warning("teams request refused", extra={"status": refusal.status, "reason": str(refusal)})
            return web.Response(status=refusal.status)

    return handle


def parse_body(raw: bytes) -> dict[str, Any]:
    """A JSON object; `_Refusal` with 400 for anything else."""
    try:
        body = json.loads(_whole(raw.decode()))
    except (ValueError, RecursionError) as error:
        raise _Refusal(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise _Refusal(400, "the body is not a JSON object")
    return body


def _whole(text: str) -> str:
    """The same JSON without halves of characters, which clients leave when they cut, and nobody can store."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace").decode()


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


async def _dispatch(
    adapter: CloudAdapterBase, listeners: TeamsListeners, authorization: str, activity: ReceivedActivity
) -> web.Response:
    try:
        answer = await adapter.process_activity(authorization, activity, listeners.on_turn)
    except NotFromTeams as error:
        raise _Refusal(401, str(error)) from error
    except MalformedActivity as error:
        raise _Refusal(400, str(error)) from error
    except (KeysUnavailable, StoreUnavailable) as error:
        raise _Refusal(503, str(error)) from error
    if answer is None:
        return web.Response()
    if answer.body is None:
        return web.Response(status=answer.status)
    return web.json_response(answer.body, status=answer.status)
