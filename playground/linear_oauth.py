"""The OAuth endpoints of the Linear stand-in: a consent page that says yes by itself, tokens, revocation."""

import asyncio

from aiohttp import web

from playground.linear_errors import Refusal
from playground.linear_faults import Faults
from playground.linear_tokens import Tokens

TOKEN_PATH = "/oauth/token"


class OAuthEndpoint:
    """Answers `/oauth/authorize`, `/oauth/token` and `/oauth/revoke`.

    Faults and moments of a token call go by `oauth/token` or by the kind of grant (`refresh_token`, ...).
    """

    def __init__(self, tokens: Tokens, faults: Faults) -> None:
        self._tokens = tokens
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/oauth/authorize", self._authorize),
            web.post(TOKEN_PATH, self._token),
            web.post("/oauth/revoke", self._revoke),
        ]

    async def _authorize(self, request: web.Request) -> web.Response:
        try:
            where = self._tokens.authorize(request.query)
        except Refusal as refusal:
            return web.Response(status=400, text=refusal.message)
        return web.Response(status=302, headers={"Location": where})

    async def _token(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self._faults.latency_s)
        if self._faults.down:
            return web.Response(status=503, text="down")
        form = await request.post()
        names = {"oauth/token", str(form.get("grant_type"))}
        fault = self._faults.next_for(names)
        if fault and fault.kind == "answer":
            return web.json_response({"error": fault.code}, status=fault.status)
        if fault and fault.kind == "drop_before":
            return _dropped(request)
        status, payload = self._tokens.grant(form)
        await self._faults.moments.reach(names, "executed", form)
        if fault:
            return _dropped(request)
        return web.json_response(payload, status=status)

    async def _revoke(self, request: web.Request) -> web.Response:
        return web.Response(status=self._tokens.give_back(await request.post()))


def _dropped(request: web.Request) -> web.Response:
    """Close the connection; what is returned finds nobody to read it."""
    if request.transport:
        request.transport.close()
    return web.Response(status=503)
