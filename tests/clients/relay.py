"""What stands for Microsoft's cloud between its client and the bot: tokens are added, and asked for."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

from playground.teams import TeamsPlayground
from playground.teams_wire import Refused, error_wire
from tests.playground.slack_peer import served

MESSAGES: Final = "/api/messages"
CONNECTOR: Final = "/_connector"


@dataclass(frozen=True, slots=True)
class Passed:
    """One request, and the status that came back; `body` is JSON, None if there is none."""

    method: str
    path: str
    body: Any
    status: int


class Relay:
    """Passes activities on to the bot, each with a token, and the bot's calls to the client behind them.

    `signed_by` is the key that really signs; see `Keys.mint`.

    Args:
        teams: Whose keys sign, and whose tokens the bot has to show.
        bot: Its address, without a slash at the end.
        client: That of Microsoft's client.
    """

    def __init__(self, teams: TeamsPlayground, *, bot: str, client: str) -> None:
        self.activities: list[Passed] = []
        self.calls: list[Passed] = []
        self.signed_by: str | None = None
        self.url = ""
        self._teams = teams
        self._bot = bot
        self._client = client

    @property
    def messaging_url(self) -> str:
        """What the client takes for the bot."""
        return f"{self.url}{MESSAGES}"

    @property
    def service_url(self) -> str:
        """What the bot takes for the connector of the client."""
        return f"{self.url}{CONNECTOR}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        site = web.Application(client_max_size=1024 * 1024)
        site.router.add_get(MESSAGES, self._greeted)
        site.router.add_post(MESSAGES, self._activity)
        site.router.add_route("*", CONNECTOR + "/{rest:.*}", self._call)
        async with aiohttp.ClientSession() as self._http, served(site) as self.url:
            yield

    async def _greeted(self, request: web.Request) -> web.Response:
        """The client waits until somebody is there."""
        return web.Response()

    async def _activity(self, request: web.Request) -> web.Response:
        service_url = (await request.json())["serviceUrl"]
        token = self._teams.keys.mint(service_url, signed_by=self.signed_by)
        return await self._passed(request, self._bot, self.activities, token=token)

    async def _call(self, request: web.Request) -> web.Response:
        try:
            self._teams.tokens.check(request.headers.get("Authorization", ""))
        except Refused as refused:
            self.calls.append(Passed(request.method, request.path, None, refused.status))
            return web.json_response(error_wire(refused.code, refused.message), status=refused.status)
        return await self._passed(request, self._client, self.calls)

    async def _passed(
        self, request: web.Request, to: str, log: list[Passed], *, token: str = ""
    ) -> web.Response:
        body = await request.read()
        headers = {"Content-Type": request.content_type} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        # As it is written: ids in the path are percent-encoded.
        url = URL(f"{to}{request.raw_path}", encoded=True)
        async with self._http.request(request.method, url, data=body or None, headers=headers) as answer:
            answered = await answer.read()
            log.append(
                Passed(request.method, request.path, json.loads(body) if body else None, answer.status)
            )
            return web.Response(status=answer.status, body=answered, content_type=answer.content_type)
