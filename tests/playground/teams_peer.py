"""The other end for tests of the Teams stand-in: a bot that records what it is sent, and calls back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from playground.slack_clock import VirtualClock
from playground.teams import APP_ID, APP_SECRET, TeamsConfig, TeamsPlayground
from playground.teams_tokens import SCOPE
from tests.playground.slack_peer import served

ENG = "19:eng@thread.tacv2"
GROUP = "19:group@thread.v2"
CARD: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [{"type": "TextBlock", "text": "ENG-1 · Search"}],
    "actions": [
        {
            "type": "Action.Execute",
            "title": "Stop",
            "verb": "stop",
            "data": {"nonce": "n-1"},
            "fallback": {"type": "Action.Submit", "title": "Stop", "data": {"nonce": "n-1"}},
        },
        {"type": "Action.OpenUrl", "title": "Open in Linear", "url": "https://linear.test/ENG-1"},
    ],
}


@dataclass(frozen=True, slots=True)
class Received:
    token: str
    activity: dict[str, Any]


@dataclass(slots=True)
class RecordingBot:
    """Answers each request with the next of `statuses` (then 200) and `answers` by the invoke's name."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        activity = await request.json()
        self.received.append(Received(request.headers["Authorization"].removeprefix("Bearer "), activity))
        self.called.set()
        status = self.statuses.pop(0) if self.statuses else 200
        answer = self.answers.get(activity.get("name", ""))
        return web.json_response(answer, status=status) if answer is not None else web.Response(status=status)

    def activities(self) -> list[dict[str, Any]]:
        return [received.activity for received in self.received]

    def types(self) -> list[str]:
        return [activity["type"] for activity in self.activities()]

    def last(self) -> dict[str, Any]:
        return self.received[-1].activity


@asynccontextmanager
async def recording_bot() -> AsyncIterator[RecordingBot]:
    bot = RecordingBot()
    site = web.Application()
    site.router.add_post("/api/messages", bot.handle)
    async with served(site) as url:
        bot.url = f"{url}/api/messages"
        yield bot


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str | None:
        """The error code; None if it worked."""
        return self.body["error"]["code"] if isinstance(self.body, dict) and "error" in self.body else None


class Client:
    """The REST calls of a bot, without any retry."""

    def __init__(self, teams: TeamsPlayground, http: aiohttp.ClientSession) -> None:
        self._teams = teams
        self._http = http
        self.token = ""

    async def sign_in(self, **fields: str) -> Answer:
        form = {
            "grant_type": "client_credentials",
            "client_id": APP_ID,
            "client_secret": APP_SECRET,
            "scope": SCOPE,
        } | fields
        async with self._http.post(self._teams.token_url, data=form) as response:
            answer = await _answer(response)
        self.token = answer.body.get("access_token", self.token)
        return answer

    async def call(self, verb: str, path: str, body: object = None, *, base: str = "") -> Answer:
        url = f"{base or self._teams.service_url}v3/{path}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = body if isinstance(body, str) else None if body is None else json.dumps(body)
        async with self._http.request(verb, url, data=data, headers=headers) as response:
            return await _answer(response)

    async def send(self, conversation: str, text: str = "hi", *, query: str = "", **more: Any) -> Answer:
        body = {"type": "message", "text": text, **more}
        return await self.call("POST", f"conversations/{conversation}/activities{query}", body)

    async def post(self, conversation: str, text: str = "hi", **more: Any) -> str:
        """Send what must work; the id."""
        answer = await self.send(conversation, text, **more)
        assert answer.status == 201, answer
        message: str = answer.body["id"]
        return message

    async def post_card(self, conversation: str, card: object = CARD) -> str:
        return await self.post(conversation, "", attachments=attached(card))

    async def edit(self, conversation: str, message: str, text: str, **more: Any) -> Answer:
        body = {"type": "message", "text": text, **more}
        return await self.call("PUT", f"conversations/{conversation}/activities/{message}", body)

    async def get(self, url: str, **headers: str) -> Answer:
        async with self._http.get(url, headers=headers) as response:
            return await _answer(response)


@dataclass(slots=True)
class Peers:
    """A Teams with a virtual clock, a bot that records, and the same bot as a client."""

    teams: TeamsPlayground
    clock: VirtualClock
    bot: RecordingBot
    client: Client

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.teams.settled()

    async def said(self, text: str = "hello", conversation: str = ENG, root: str | None = None) -> str:
        """Ann says it, and the bot has heard it."""
        message = self.teams.people.say("29:ann", conversation, text, root)
        await self.teams.settled()
        return message


@asynccontextmanager
async def peers(**config: Any) -> AsyncIterator[Peers]:
    clock = VirtualClock()
    settings: dict[str, Any] = {"rate_factor": None} | config
    async with (
        recording_bot() as bot,
        aiohttp.ClientSession() as http,
        TeamsPlayground(TeamsConfig(messaging_url=bot.url, **settings), clock) as teams,
    ):
        client = Client(teams, http)
        await client.sign_in()
        yield Peers(teams, clock, bot, client)


def attached(card: object) -> list[dict[str, Any]]:
    return [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}]


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    raw = await response.read()
    body: Any = raw
    if response.content_type == "application/json":
        body = json.loads(raw)
    return Answer(response.status, body, {name.lower(): value for name, value in response.headers.items()})
