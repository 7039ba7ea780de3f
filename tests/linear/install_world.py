"""The playground's Linear beside a real store: everything an install and its renewal need."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx

from core.store.installs import Install, InstallStore
from core.store.tickets import TicketStore
from linear.authorization import authorize_url
from linear.client import LinearClient
from linear.grants import TokenEndpoint
from linear.oauth import KIND, InstalledApp
from playground.linear import LinearPlayground
from playground.linear_clock import Clock
from tests.core.store.fakes import START, UnluckyDatabase, opened, vault_of

REDIRECT = "https://bot.acme.test/oauth/linear/callback"
VERIFIER = "v" * 64


@dataclass
class World:
    """`grants` counts what was asked of the token endpoint, by kind; `given_back` are revoked tokens."""

    linear: LinearPlayground
    database: UnluckyDatabase
    http: httpx.AsyncClient
    grants: Counter[str] = field(default_factory=Counter)
    given_back: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.installs = InstallStore(self.database, vault_of("k"), now=self.linear.clock.now)
        self.tickets = TicketStore(self.database, now=self.linear.clock.now)
        self.linear.tokens.redirect_uris.add(REDIRECT)
        self.http.event_hooks["request"].append(self._count)

    async def _count(self, request: httpx.Request) -> None:
        if request.url.path == "/oauth/token":
            self.grants[parse_qs(request.content.decode())["grant_type"][0]] += 1
        if request.url.path == "/oauth/revoke":
            self.given_back += parse_qs(request.content.decode())["token"]

    def endpoint(self, *, client_secret: str | None = None) -> TokenEndpoint:
        settings = self.linear.settings
        return TokenEndpoint(
            self.http,
            self.linear.token_url,
            client_id=settings.client_id,
            client_secret=client_secret or settings.client_secret,
        )

    def source(self, *, client_secret: str | None = None) -> InstalledApp:
        """A new process: it knows only what is stored."""
        endpoint = self.endpoint(client_secret=client_secret)
        return InstalledApp(self.installs, endpoint, now=self.linear.clock.now)

    def client(self, source: InstalledApp) -> LinearClient:
        return LinearClient(self.http, self.linear.graphql_url, source)

    def approved_code(self) -> str:
        asked = authorize_url(
            "", client_id=self.linear.settings.client_id, redirect_uri=REDIRECT, state="s", verifier=VERIFIER
        )
        back = self.linear.tokens.authorize(dict(parse_qsl(urlsplit(asked).query)))
        return parse_qs(urlsplit(back).query)["code"][0]

    async def install(self) -> Install:
        """Install the app, without the web pages."""
        grant = await self.endpoint().exchange(self.approved_code(), verifier=VERIFIER, redirect_uri=REDIRECT)
        workspace = self.linear.workspace
        tokens = grant.tokens(self.linear.clock.now())
        organization = workspace.organization
        install = Install(
            KIND, organization.id, organization.name, workspace.app_user.id, grant.scopes, tokens
        )
        await self.installs.connect(install)
        self.grants.clear()
        return install

    async def stored(self) -> Install:
        install = await self.installs.newest(KIND)
        assert install is not None
        return install


@asynccontextmanager
async def install_world(folder: Path) -> AsyncIterator[World]:
    """Time stands still at `START` until the playground's clock is moved."""
    async with (
        opened(folder) as database,
        LinearPlayground(clock=Clock(START)) as linear,
        httpx.AsyncClient() as http,
    ):
        yield World(linear, database, http)
