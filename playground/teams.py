"""A stand-in for Microsoft on loopback: Bot Connector, keys and tokens, and the people of one Teams tenant.

By hand: `python -m playground.teams --messaging-url http://127.0.0.1:8080/api/messages`.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from playground.slack_clock import Clock, RealClock
from playground.teams_connector import Connector
from playground.teams_control import Parts, add_routes, full_state
from playground.teams_delivery import ANSWER_WITHIN_S, INVOKE_WITHIN_S, Dispatcher, HttpReceiver
from playground.teams_dialogs import Dialogs
from playground.teams_edge import Edge
from playground.teams_files import Files
from playground.teams_keys import Keys
from playground.teams_limits import RateLimits
from playground.teams_page import transcript
from playground.teams_people import People
from playground.teams_presses import Presses
from playground.teams_seed import acme
from playground.teams_state import APP_ID, BOT, OTHER_TENANT, TENANT
from playground.teams_tokens import TokenRefused, Tokens, token_error
from playground.teams_wire import Wire

__all__ = ["APP_ID", "APP_SECRET", "BOT", "OTHER_TENANT", "TENANT", "TeamsConfig", "TeamsPlayground"]

APP_SECRET = "teams-app-secret"


@dataclass(frozen=True, slots=True)
class TeamsConfig:
    """How the bot is set up at this Microsoft.

    Attributes:
        messaging_url: The bot's messaging endpoint; may be set later with `TeamsPlayground.point_at`.
        app_secret: The client secret of `APP_ID` in `TENANT`.
        reads_all: Whether owners consented that the bot gets all messages, or only those that mention it.
        rate_factor: Scales the rate limits; None switches them off.
        answer_within_s: Patience with the bot, in real seconds.
        invoke_within_s: The same for invokes, while a person waits.
        port: 0 takes any free port.
        wall: Unix time for tokens, which the bot compares with its own.
    """

    messaging_url: str | None = None
    app_secret: str = APP_SECRET
    reads_all: bool = True
    rate_factor: float | None = 1.0
    answer_within_s: float = ANSWER_WITHIN_S
    invoke_within_s: float = INVOKE_WITHIN_S
    host: str = "127.0.0.1"
    port: int = 0
    wall: Callable[[], float] = time.time


class TeamsPlayground:
    """Runs while its context is open.

    `people` acts as persons, `dialogs` fills in their forms; `api` knows calls, faults and refusals, `limits`
    the rate limits; `keys` and `tokens` are Microsoft's; `dispatcher` knows the deliveries. Seed: `TENANT`
    with 29:ann, 29:bob, 29:eve, 29:nia (no mail), the guest 29:gus, the bot 28:alerts and ours, `BOT`;
    29:xenia of `OTHER_TENANT`; channels 19:eng@thread.tacv2 and 19:ops@thread.tacv2; the group chat
    19:group@thread.v2; a chat with the bot for each person (a:ann for 29:ann).
    """

    def __init__(self, config: TeamsConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config = config or TeamsConfig()
        self.clock: Clock = clock or RealClock()
        self.workspace = acme(reads_all=config.reads_all)
        self.api = Edge(self.clock)
        self.limits = RateLimits(config.rate_factor)
        self.keys = Keys(APP_ID, config.wall)
        self.tokens = Tokens(self.clock, app_id=APP_ID, secret=config.app_secret, tenant=TENANT)
        self._http = HttpReceiver(
            config.messaging_url,
            self.keys,
            answer_within_s=config.answer_within_s,
            invoke_within_s=config.invoke_within_s,
        )
        self.dispatcher = Dispatcher(self.workspace, self.clock, self._http)
        self.files = Files(self.workspace, self.clock, self.api)
        presses = Presses(self.workspace, self.clock, self.dispatcher)
        self.dialogs = Dialogs(self.workspace, self.clock, self.dispatcher, presses)
        self.people = People(self.workspace, self.clock, self.dispatcher, self.files, presses)
        self._connector = Connector(self.workspace, self.clock, self.api, self.tokens, self.limits)
        self._parts = Parts(
            self.workspace,
            self.clock,
            self.people,
            self.api,
            self.limits,
            self.keys,
            self.tokens,
            self.dispatcher,
        )
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        self._http.open()
        await self._runner.setup()
        await web.TCPSite(self._runner, self.config.host, self.config.port).start()
        self.workspace.base_url = self.url
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clock.close()
        await self.dispatcher.close()
        await self._runner.cleanup()
        await self._http.close()

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://{self.config.host}:{self._runner.addresses[0][1]}"

    @property
    def metadata_url(self) -> str:
        """The OpenID document of the Bot Connector."""
        return f"{self.url}/v1/.well-known/openidconfiguration"

    @property
    def token_url(self) -> str:
        """Where the bot gets its own tokens."""
        return f"{self.url}/{TENANT}/oauth2/v2.0/token"

    @property
    def service_url(self) -> str:
        """`serviceUrl` of activities now."""
        return self.workspace.service_url()

    def point_at(self, messaging_url: str | None) -> None:
        """Set the messaging endpoint, when the bot came up later than this server."""
        self._http.url = messaging_url

    async def settled(self) -> None:
        """Wait until every delivery that is due was answered or gave up for now."""
        await self.dispatcher.settled()

    def transcript(
        self, conversation: str, root: str | None = None, *, seen_by: str | None = None
    ) -> list[Wire]:
        """What people read there now; see `teams_page.transcript`."""
        return transcript(self.workspace, conversation, root, seen_by=seen_by)

    def reactions(self, conversation: str, message: str) -> dict[str, list[str]]:
        """Reactions to a message now: id -> people."""
        return self.workspace.message(conversation, message).reactions

    def reaction_history(self, message: str) -> list[str]:
        """Every reaction the bot ever set on a message, in order."""
        set_ones = (one for one in self.api.log if one.kind == "react" and one.worked)
        return [one.fields["reaction_id"] for one in set_ones if one.fields["activity_id"] == message]

    def state(self) -> Wire:
        """What `GET /_state` answers."""
        return full_state(self._parts)

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_get("/v1/.well-known/openidconfiguration", self._metadata)
        app.router.add_get("/v1/.well-known/keys", self._jwks)
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        app.router.add_get("/files/{id}/{name}", self.files.serve)
        add_routes(app, self._parts)
        self._connector.add_routes(app)
        return app

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        def answer() -> web.Response:
            return web.json_response(self.keys.metadata(self.url))

        return await self.api.serve(request, "metadata", {}, answer)

    async def _jwks(self, request: web.Request) -> web.StreamResponse:
        def answer() -> web.Response:
            return web.json_response(self.keys.jwks())

        return await self.api.serve(request, "keys", {}, answer)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = dict(await request.post())

        def answer() -> web.Response:
            try:
                return web.json_response(self.tokens.issue(request.match_info["tenant"], form))
            except TokenRefused as refused:
                self.api.refusals[f"token {refused}"] += 1
                return web.json_response(refused.answer, status=refused.status)

        told = {name: value for name, value in form.items() if name != "client_secret"}
        return await self.api.serve(request, "token", told, answer, shape=_token_trouble)


def _token_trouble(code: str, message: str) -> Wire:
    return token_error(code, 90033, message)


async def _serve(config: TeamsConfig) -> None:
    async with TeamsPlayground(config) as teams:
        sys.stdout.write(
            f"Teams stand-in on {teams.url} (app {APP_ID}, secret {config.app_secret}, tenant {TENANT},"
            f" keys {teams.metadata_url}, tokens {teams.token_url})\n"
        )
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m playground.teams", description="A stand-in for Teams.")
    parser.add_argument("--port", type=int, default=4012)
    parser.add_argument("--messaging-url", default=None, help="where signed activities go")
    parser.add_argument("--app-secret", default=APP_SECRET)
    chosen = parser.parse_args()
    config = TeamsConfig(messaging_url=chosen.messaging_url, app_secret=chosen.app_secret, port=chosen.port)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(config))


if __name__ == "__main__":
    main()
