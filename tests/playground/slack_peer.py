"""The other end for tests of the Slack stand-in: an app that records what it is sent, and Slack's client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from playground.slack import BOT_TOKEN, SlackConfig, SlackPlayground
from playground.slack_clock import VirtualClock

SECRET = "s3cret"
BUTTONS = [
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": "stop",
                "value": "s-1",
                "text": {"type": "plain_text", "text": "Stop"},
            },
            {
                "type": "button",
                "action_id": "approve",
                "value": "p-1",
                "text": {"type": "plain_text", "text": "Approve"},
                "visible_to_user_ids": ["U0EVE"],
            },
            {
                "type": "static_select",
                "action_id": "repo",
                "options": [{"text": {"type": "plain_text", "text": "acme/shop"}, "value": "acme/shop"}],
            },
        ],
    }
]


@dataclass(frozen=True, slots=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    @property
    def event(self) -> dict[str, Any]:
        inner: dict[str, Any] = self.envelope["event"]
        return inner

    @property
    def interaction(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(parse_qs(self.body.decode())["payload"][0])
        return parsed


@dataclass(slots=True)
class RecordingApp:
    """Answers each request with the next of `statuses` (then 200) and `answers` (then none); remembers it."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    answer_headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.received.append(Received(headers, body))
        self.called.set()
        status = self.statuses.pop(0) if self.statuses else 200
        challenge = json.loads(body).get("challenge") if body.startswith(b"{") else None
        answer = self.answers.pop(0) if self.answers else ""
        return web.Response(status=status, text=challenge or answer, headers=self.answer_headers)

    def types(self) -> list[str]:
        return [received.event["type"] for received in self.received]


@asynccontextmanager
async def recording_app() -> AsyncIterator[RecordingApp]:
    app = RecordingApp()
    site = web.Application()
    site.router.add_post("/slack/events", app.handle)
    async with served(site) as url:
        app.url = f"{url}/slack/events"
        yield app


@asynccontextmanager
async def served(site: web.Application) -> AsyncIterator[str]:
    """`site` on a free loopback port."""
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Peers:
    """A Slack with a virtual clock, and an app that records."""

    slack: SlackPlayground
    clock: VirtualClock
    app: RecordingApp

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.slack.settled()


@asynccontextmanager
async def peers(**config: Any) -> AsyncIterator[Peers]:
    clock = VirtualClock()
    async with recording_app() as app:
        settings = SlackConfig(events_url=app.url, signing_secret=SECRET, rate_factor=None, **config)
        async with SlackPlayground(settings, clock) as slack:
            yield Peers(slack, clock, app)


def client_of(slack: SlackPlayground, token: str = BOT_TOKEN) -> AsyncWebClient:
    """Slack's own client, without its habit of repeating calls whose connection broke."""
    return AsyncWebClient(token=token, base_url=slack.api_url, retry_handlers=[])


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def posted(client: AsyncWebClient, text: str = "hello", **more: Any) -> str:
    ts: str = (await client.chat_postMessage(channel="C0001", text=text, **more))["ts"]
    return ts
