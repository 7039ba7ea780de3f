"""A stand-in for Linear on loopback: GraphQL, OAuth, signed webhooks, a control API and a page.

By hand: `python -m playground.linear --port 4010 --webhook-url http://127.0.0.1:8080/api/webhooks/linear`.
"""

import argparse
import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Self

from aiohttp import web

from playground.linear_clock import Clock
from playground.linear_control import Controls, add_control_routes
from playground.linear_endpoint import GraphqlEndpoint, Limits
from playground.linear_faults import Faults
from playground.linear_oauth import TOKEN_PATH, OAuthEndpoint
from playground.linear_page import delivery_view, render_page, snapshot
from playground.linear_people import People
from playground.linear_tokens import Tokens
from playground.linear_uploads import PATH as UPLOADS_PATH
from playground.linear_uploads import Uploads
from playground.linear_webhooks import ANSWER_LIMIT_S, Courier
from playground.linear_workspace import Workspace

HOST = "127.0.0.1"
SHUTDOWN_LIMIT_S = 0.1  # Zero would mean for ever.
SUBSCRIBED = ("AgentSessionEvent", "Issue", "AppUserNotification")


@dataclass(frozen=True, slots=True)
class LinearSettings:
    """How one stand-in is set up; every default works as it is.

    Attributes:
        port: 0 picks a free one.
        webhook_url: Where the app listens; empty means that no webhook is sent until `courier.connect`.
        app_token: The first access token, for `Authorization: Bearer <token>`; dies with the first grant.
        redirect_uris: Callback addresses that the OAuth app lists.
        member_keys: API key -> e-mail address of its owner, for `Authorization: <key>`.
        answer_limit_s: How long a webhook may take to be answered.
    """

    port: int = 0
    webhook_url: str = ""
    webhook_secret: str = "linear-webhook-secret"
    subscribed: tuple[str, ...] = SUBSCRIBED
    app_name: str = "Threadline"
    app_token: str = "lin_oauth_playground"
    member_keys: Mapping[str, str] = field(
        default_factory=lambda: {"lin_api_ann": "ann@acme.test", "lin_api_bob": "bob@acme.test"}
    )
    client_id: str = "threadline-client"
    client_secret: str = "threadline-client-secret"
    redirect_uris: tuple[str, ...] = ("http://127.0.0.1:8080/oauth/linear/callback",)
    first_issue_number: int = 142
    limits: Limits = field(default_factory=Limits)
    answer_limit_s: float = ANSWER_LIMIT_S


class LinearPlayground:
    """One Linear workspace behind HTTP on loopback; `async with` starts and stops it.

    `workspace` is the state, `people` acts for members, `faults` and `endpoint.echo` make it misbehave,
    `courier.deliveries`, `endpoint.calls` and `uploads.asked` tell what happened.

    Args:
        clock: `Clock(start)` stands still between calls of `advance`; the default follows the machine.
    """

    def __init__(self, settings: LinearSettings | None = None, clock: Clock | None = None) -> None:
        self.settings = settings or LinearSettings()
        self.clock = clock or Clock()
        self.workspace = Workspace(
            self.clock, app_name=self.settings.app_name, first_number=self.settings.first_issue_number
        )
        self.courier = Courier(
            self.clock,
            url=self.settings.webhook_url,
            secret=self.settings.webhook_secret,
            subscribed=self.settings.subscribed,
            answer_limit_s=self.settings.answer_limit_s,
        )
        self.people = People(self.workspace, self.courier.emit)
        self.faults = Faults()
        self.tokens = Tokens(
            self.workspace,
            app_token=self.settings.app_token,
            member_keys=self.settings.member_keys,
            client=(self.settings.client_id, self.settings.client_secret),
            redirect_uris=self.settings.redirect_uris,
        )
        self.uploads = Uploads(self.tokens)
        self.endpoint = GraphqlEndpoint(
            self.workspace, self.tokens, self.courier, self.faults, self.settings.limits
        )
        self.controls = Controls(
            self.clock, self.people, self.courier, self.faults, self.endpoint, self.tokens
        )
        self.url = ""
        self._runner: web.AppRunner | None = None

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"

    @property
    def token_url(self) -> str:
        return f"{self.url}{TOKEN_PATH}"

    @property
    def authorize_url(self) -> str:
        return f"{self.url}/oauth/authorize"

    async def start(self) -> None:
        """Listen; `url` is known afterwards."""
        await self.courier.start()
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=SHUTDOWN_LIMIT_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.settings.port)
        await site.start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self.courier.stop()
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def upload(self, name: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        """Keep a file, as if somebody had dropped it into a text; its address."""
        return self.url + self.uploads.add(name, body, content_type)

    async def settled(self) -> None:
        """Wait until every webhook on its way has been answered, refused or timed out."""
        await self.courier.settled()

    async def advance(self, step: timedelta) -> None:
        """Let time pass, with the webhook retries that fall into it."""
        await self.courier.advance(step)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/graphql", self.endpoint.handle)
        app.add_routes(OAuthEndpoint(self.tokens, self.faults).routes())
        app.router.add_get(UPLOADS_PATH + "/{id}/{name}", self.uploads.handle)
        app.router.add_get("/_state", self._state)
        app.router.add_get("/", self._page)
        add_control_routes(app, self.controls)
        return app

    async def _state(self, _request: web.Request) -> web.Response:
        state = snapshot(self.workspace)
        state["calls"] = dict(self.endpoint.calls)
        state["deliveries"] = [delivery_view(each) for each in self.courier.deliveries]
        return web.json_response(state)

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=render_page(self.workspace), content_type="text/html")


async def serve(settings: LinearSettings) -> None:
    """Run until interrupted or terminated."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with LinearPlayground(settings) as linear:
        print(f"Linear playground on {linear.url} (GraphQL: {linear.graphql_url})", flush=True)
        await stopped.wait()


def main() -> None:
    defaults = LinearSettings()
    parser = argparse.ArgumentParser(prog="python -m playground.linear", description="Linear on loopback")
    parser.add_argument("--port", type=int, default=4010)
    parser.add_argument("--webhook-url", default="")
    parser.add_argument("--webhook-secret", default=defaults.webhook_secret)
    parser.add_argument("--app-token", default=defaults.app_token)
    parser.add_argument("--first-issue-number", type=int, default=defaults.first_issue_number)
    settings = LinearSettings(**vars(parser.parse_args()))
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
