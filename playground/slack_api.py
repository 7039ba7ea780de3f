"""HTTP edge of the Web API: token, scope, rate, faults, then the method."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from playground.slack_args import Args
from playground.slack_calls import Call, Method
from playground.slack_clock import Clock, pause
from playground.slack_events import Event
from playground.slack_faults import Fault, Faults
from playground.slack_limits import RateLimits
from playground.slack_methods import METHODS
from playground.slack_state import Workspace
from playground.slack_wire import Refused, Wire

BOT_TOKEN: Final = "xoxb-acme"
APP_TOKEN: Final = "xapp-acme"
BOT_SCOPES: Final = frozenset(
    {
        "app_mentions:read",
        "assistant:write",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:read",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "mpim:history",
        "mpim:read",
        "reactions:read",
        "reactions:write",
        "users:read",
        "users:read.email",
    }
)


@dataclass(slots=True)
class Grant:
    """What a token may do; `died_of` is the error it answers with once it is dead."""

    scopes: frozenset[str]
    died_of: str | None = None


def default_grants() -> dict[str, Grant]:
    return {BOT_TOKEN: Grant(BOT_SCOPES), APP_TOKEN: Grant(frozenset({"connections:write"}))}


class WebApi:
    """Serves `/api/<method>`; counts what it is asked."""

    def __init__(
        self,
        workspace: Workspace,
        clock: Clock,
        grants: dict[str, Grant],
        limits: RateLimits,
        *,
        publish: Callable[[Sequence[Event]], None],
        open_socket: Callable[[], str],
        team_url: str = "https://acme.slack.test/",
    ) -> None:
        self.grants = grants
        self.limits = limits
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self._workspace = workspace
        self._clock = clock
        self._publish = publish
        self._open_socket = open_socket
        self._team_url = team_url

    def kill_tokens(self, error: str) -> None:
        """Let every bot token die with `error`."""
        for token, grant in self.grants.items():
            if token.startswith("xoxb-"):
                grant.died_of = error

    def granted(self, request: web.Request, token: str | None = None) -> Grant:
        """The grant behind the request's bearer token, or the refusal that a bad one meets."""
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ").strip() or token
        if not bearer:
            raise Refused("not_authed")
        grant = self.grants.get(bearer)
        if grant is None:
            raise Refused("invalid_auth")
        if grant.died_of is not None:
            raise Refused(grant.died_of)
        return grant

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call, spoiled on its way if a fault was ordered."""
        name = request.match_info["method"]
        self.calls[name] += 1
        fields = await _fields(request)
        await pause(self._clock, self.faults.latency_s)
        await self.faults.moments.reach({name}, "before", fields)
        fault = self.faults.take(name)
        if fault.drop == "before":
            return _hang_up(request)
        if self.faults.is_down or fault.status is not None:
            return web.Response(status=fault.status or 503, text="<html>upstream trouble</html>")
        response = self._answer(request, name, fields, fault)
        await self.faults.moments.reach({name}, "executed", fields)
        if fault.drop == "after":
            return _hang_up(request)
        with suppress(ConnectionResetError):  # Whoever asked is gone; what was done stays done.
            await response.prepare(request)
            await response.write_eof()
        await self.faults.moments.reach({name}, "answered", fields)
        return response

    def _answer(self, request: web.Request, name: str, fields: Wire, fault: Fault) -> web.Response:
        scopes = ""
        try:
            grant = self.granted(request, fields.get("token"))
            scopes = ",".join(sorted(grant.scopes))
            method = METHODS.get(name)
            if method is None:
                raise Refused("unknown_method", req_method=name)
            wait_s = self._wait_s(name, fields, fault)
            if wait_s is not None:
                return self._rate_limited(name, wait_s, scopes)
            if fault.error is not None:
                raise Refused(fault.error)
            return self._run(method, grant, Args(fields), scopes)
        except Refused as refused:
            return self._refusal(name, refused, scopes)

    def _wait_s(self, name: str, fields: Wire, fault: Fault) -> int | None:
        if fault.error == "ratelimited":
            return fault.retry_after_s
        return self.limits.retry_after_s(name, str(fields.get("channel", "")), self._clock.now())

    def _run(self, method: Method, grant: Grant, args: Args, scopes: str) -> web.Response:
        needed = method.needed_scope(self._workspace, args)
        if method.is_app_level != ("connections:write" in grant.scopes):
            raise Refused("not_allowed_token_type")
        if needed is not None and needed not in grant.scopes:
            raise Refused("missing_scope", needed=needed, provided=scopes)
        call = Call(self._workspace, args, self._clock.now(), grant.scopes, self._team_url, self._open_socket)
        done = method.run(call)
        self._publish(done.events)
        return _json({"ok": True} | done.answer, scopes)

    def _refusal(self, name: str, refused: Refused, scopes: str) -> web.Response:
        self.refusals[f"{name} {refused.error}"] += 1
        return _json({"ok": False, "error": refused.error} | refused.detail, scopes)

    def _rate_limited(self, name: str, wait_s: int, scopes: str) -> web.Response:
        self.refusals[f"{name} ratelimited"] += 1
        response = _json({"ok": False, "error": "ratelimited"}, scopes, status=429)
        response.headers["Retry-After"] = str(wait_s)
        return response


async def _fields(request: web.Request) -> Wire:
    """Query, form and JSON arguments as one mapping; a body that cannot be read counts as empty."""
    fields: Wire = dict(request.query)
    body = (await request.read()).decode("utf-8", "replace")
    if request.content_type == "application/json":
        try:
            parsed = json.loads(body or "{}")
        except ValueError:
            parsed = {}
        return fields | parsed if isinstance(parsed, dict) else fields
    return fields | dict(parse_qsl(body, keep_blank_values=True))


def _json(answer: Wire, scopes: str, *, status: int = 200) -> web.Response:
    return web.json_response(answer, status=status, headers={"X-OAuth-Scopes": scopes})


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection; the response is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
