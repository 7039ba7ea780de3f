"""A stand-in for Slack on loopback: Web API, Events API, Socket Mode and the people of one workspace.

By hand: `python -m playground.slack --events-url http://127.0.0.1:8080/slack/events --signing-secret s`.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from playground.slack_api import APP_TOKEN, BOT_TOKEN, Grant, WebApi, default_grants
from playground.slack_clock import Clock, RealClock
from playground.slack_control import Parts, add_routes, full_state
from playground.slack_delivery import ANSWER_WITHIN_S, Dispatcher, HttpReceiver
from playground.slack_forms import Forms
from playground.slack_limits import RateLimits
from playground.slack_page import transcript
from playground.slack_people import People
from playground.slack_responses import ResponseUrls
from playground.slack_socket import SocketHub
from playground.slack_state import DEFAULT_SUBSCRIPTIONS, acme
from playground.slack_wire import Refused, Wire

__all__ = ["APP_TOKEN", "BOT_TOKEN", "Grant", "SlackConfig", "SlackPlayground"]


@dataclass(frozen=True, slots=True)
class SlackConfig:
    """How the app is set up at this Slack.

    Attributes:
        events_url: Request URL for events; may be set later with `SlackPlayground.point_at`.
        interactivity_url: Request URL for clicks; `events_url` if None.
        grants: Tokens and their scopes; by default `xoxb-acme` may do everything, `xapp-acme` open sockets.
        subscriptions: Event subscriptions in manifest form, such as `message.channels`.
        is_agent: Whether the app is declared as an agent; otherwise statuses answer `not_authorized`.
        rate_factor: Scales the rate limits; None switches them off.
        answer_within_s: Slack's patience with the app, in real seconds.
        port: 0 takes any free port.
        wall: Unix time for signatures, which the receiver compares with its own.
    """

    events_url: str | None = None
    interactivity_url: str | None = None
    signing_secret: str = "s"
    grants: dict[str, Grant] = field(default_factory=default_grants)
    subscriptions: Collection[str] = DEFAULT_SUBSCRIPTIONS
    is_agent: bool = True
    rate_factor: float | None = 1.0
    answer_within_s: float = ANSWER_WITHIN_S
    host: str = "127.0.0.1"
    port: int = 0
    wall: Callable[[], float] = time.time


class SlackPlayground:
    """Runs while its context is open.

    `people` acts as members of the workspace, `forms` fills in what is opened for them; `api` knows calls,
    faults and limits; `dispatcher` knows the deliveries. Seed: team T0001 with U0ANN, U0BOB, U0EVE, the guest
    U0GST, the outsider U0EXT, the alert bot U0ALERT and ours, U0BOT; channels C0001 #eng and C0002 #ops; a
    direct message with the bot for each person (D0ANN for U0ANN).
    """

    def __init__(self, config: SlackConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config = config or SlackConfig()
        self.clock: Clock = clock or RealClock()
        self.workspace = acme(config.subscriptions, is_agent=config.is_agent)
        self.sockets = SocketHub(answer_within_s=config.answer_within_s)
        self._http = HttpReceiver(
            config.events_url,
            config.interactivity_url or config.events_url,
            secret=config.signing_secret,
            answer_within_s=config.answer_within_s,
            wall=config.wall,
        )
        self.dispatcher = Dispatcher(
            self.workspace, self.clock, self._http, self.sockets, lambda: self.sockets.is_connected
        )
        self.api = WebApi(
            self.workspace,
            self.clock,
            config.grants,
            RateLimits(config.rate_factor),
            publish=self.dispatcher.publish,
            open_socket=self._open_socket,
        )
        self._responses = ResponseUrls(self.workspace, self.clock, self.dispatcher.publish)
        self.people = People(
            self.workspace,
            self.clock,
            self.dispatcher,
            self._responses,
            base_url=lambda: self.url,
            kill_tokens=self.api.kill_tokens,
        )
        self.forms = Forms(self.workspace, self.clock, self.dispatcher)
        self._parts = Parts(
            self.workspace, self.clock, self.people, self.forms, self.api, self.dispatcher, self.sockets
        )
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        self._http.open()
        await self._runner.setup()
        await web.TCPSite(self._runner, self.config.host, self.config.port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clock.close()
        await self.dispatcher.close()
        await self.sockets.cut()
        await self._runner.cleanup()
        await self._http.close()

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://{self.config.host}:{self._runner.addresses[0][1]}"

    @property
    def api_url(self) -> str:
        """What `AsyncWebClient(base_url=...)` wants."""
        return f"{self.url}/api/"

    def point_at(self, events_url: str | None, interactivity_url: str | None = None) -> None:
        """Set the request URLs, when the app came up later than this server."""
        self._http.events_url = events_url
        self._http.interactivity_url = interactivity_url or events_url

    async def settled(self) -> None:
        """Wait until every delivery that is due was answered or gave up for now."""
        await self.dispatcher.settled()

    def transcript(self, channel: str, thread_ts: str | None = None) -> list[Wire]:
        """What people read there now; see `slack_page.transcript`."""
        return transcript(self.workspace, channel, thread_ts)

    def state(self) -> Wire:
        """What `GET /_state` answers."""
        return full_state(self._parts)

    def _open_socket(self) -> str:
        return f"{self.url.replace('http', 'ws', 1)}/link?ticket={self.sockets.issue_ticket()}"

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self.api.handle)
        app.router.add_get("/link", self.sockets.connect)
        app.router.add_post("/actions/{key}", self._respond)
        app.router.add_get("/files/{id}/{name}", self._download)
        add_routes(app, self._parts)
        return app

    async def _respond(self, request: web.Request) -> web.Response:
        try:
            body: Any = await request.json()
            self._responses.answer(request.match_info["key"], body)
        except Refused as refused:
            return web.json_response({"ok": False, "error": refused.error}, status=404)
        return web.json_response({"ok": True})

    async def _download(self, request: web.Request) -> web.Response:
        content = self.workspace.files.get(request.match_info["id"])
        if content is None:
            return web.Response(status=404)
        with suppress(Refused):
            if "files:read" in self.api.granted(request).scopes:
                return web.Response(text=content)
        # Slack answers a login page with status 200 instead of refusing.
        return web.Response(text="<!doctype html><title>Sign in</title>", content_type="text/html")


async def _serve(config: SlackConfig) -> None:
    async with SlackPlayground(config) as slack:
        sys.stdout.write(
            f"Slack stand-in on {slack.url} (API {slack.api_url}, tokens {BOT_TOKEN} {APP_TOKEN})\n"
        )
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m playground.slack", description="A stand-in for Slack.")
    parser.add_argument("--port", type=int, default=4011)
    parser.add_argument(
        "--events-url", default=None, help="where signed events go; leave out for Socket Mode"
    )
    parser.add_argument("--interactivity-url", default=None, help="where clicks go; default: the events URL")
    parser.add_argument("--signing-secret", default="s")
    chosen = parser.parse_args()
    config = SlackConfig(
        events_url=chosen.events_url,
        interactivity_url=chosen.interactivity_url,
        signing_secret=chosen.signing_secret,
        port=chosen.port,
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(config))


if __name__ == "__main__":
    main()
