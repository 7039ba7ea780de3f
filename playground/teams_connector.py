"""HTTP edge of the connector: address, token, rate, then the operation."""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from playground.slack_clock import Clock
from playground.teams_edge import Edge, throttled
from playground.teams_limits import RateLimits
from playground.teams_operations import OPERATIONS, Call, Operation
from playground.teams_state import Workspace
from playground.teams_tokens import Tokens
from playground.teams_wire import Refused

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ROOT = "/{region}/{tenant}/v3"


class Connector:
    """Serves the REST calls of a bot."""

    def __init__(
        self, workspace: Workspace, clock: Clock, edge: Edge, tokens: Tokens, limits: RateLimits
    ) -> None:
        self._workspace = workspace
        self._clock = clock
        self._edge = edge
        self._tokens = tokens
        self._limits = limits

    def add_routes(self, app: web.Application) -> None:
        for operation in OPERATIONS:
            app.router.add_route(operation.verb, _ROOT + operation.path, self._serving(operation))
        app.router.add_get(_ROOT + "/attachments/{id}/views/{view}", self._image)
        app.router.add_route("*", _ROOT + "/{tail:.*}", self._unknown)

    def _serving(self, operation: Operation) -> _Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            text = await request.text()
            path = dict(request.match_info)

            def answer() -> web.Response:
                return self._answer(request, operation, path, text)

            return await self._edge.serve(request, operation.kind, _fields(path, text), answer)

        return serve

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        def answer() -> web.Response:
            raise Refused("NotFound", f"{request.method} {request.path}")

        return await self._edge.serve(request, "unknown", dict(request.match_info), answer)

    async def _image(self, request: web.Request) -> web.StreamResponse:
        """The picture in a message; unlike a file it needs the bot's own token."""

        def answer() -> web.Response:
            self._admit(request, dict(request.match_info))
            file = self._workspace.files.get(request.match_info["id"])
            if file is None or file.key is not None:
                raise Refused("NotFound", request.match_info["id"])
            return web.Response(body=file.content, content_type=file.media_type)

        return await self._edge.serve(request, "image", dict(request.match_info), answer)

    def _answer(
        self, request: web.Request, operation: Operation, path: Mapping[str, str], text: str
    ) -> web.Response:
        self._admit(request, path)
        now = self._clock.now()
        thread = path.get("conversation", path["tenant"])
        wait_s = self._limits.retry_after_s(operation.kind, thread, now)
        if wait_s is not None:
            self._edge.refusals[f"{operation.kind} TooManyRequests"] += 1
            return throttled(wait_s)
        done = operation.run(Call(self._workspace, path, request.query, _parsed(text), now))
        if done.answer is None:
            return web.Response(status=done.status)
        return web.json_response(done.answer, status=done.status)

    def _admit(self, request: web.Request, path: Mapping[str, str]) -> None:
        self._tokens.check(request.headers.get("Authorization", ""))
        if self._workspace.is_blocked:
            raise Refused("BotDisabledByAdmin", "an admin disabled the app")
        if path["region"] not in self._workspace.regions:
            raise Refused("NotFound", f"region {path['region']}")
        base = path.get("conversation", "").partition(";")[0]
        home = self._workspace.conversations.get(base)
        if home is not None and home.tenant != path["tenant"]:
            raise Refused("ConversationNotFound", "the conversation is not in this tenant")


def _parsed(text: str) -> Any:
    """The JSON body, None without one."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise Refused("BadSyntax", "the body is not JSON") from None


def _fields(path: Mapping[str, str], text: str) -> dict[str, Any]:
    """What a moment's condition and the log see: the body, and the address as `*_id`."""
    named = {f"{name}_id": value for name, value in path.items() if name not in ("region", "tenant")}
    with suppress(Refused):
        body = _parsed(text)
        return (body if isinstance(body, dict) else {}) | named
    return named
