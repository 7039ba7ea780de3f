"""Where Linear's tokens come from, as the settings ask: given, minted, or from an install in the browser."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urljoin

import httpx
from aiohttp import web

from bots.settings import Settings
from core.errors import ThreadlineError
from core.people import Identity
from core.store.database import Database
from core.store.installs import InstallStore
from core.store.tickets import TicketStore
from core.store.vault import Vault, load_keys
from linear.client import StaticToken, TokenSource
from linear.grants import TokenEndpoint
from linear.install import LinearInstall, OAuthApp, setup_link
from linear.link import LinearLink, LinkApp
from linear.oauth import KIND, ClientCredentials, InstalledApp, personal_key_warning


class Misconfigured(ThreadlineError):
    """A setting that only its user can judge is wrong; says which and why."""


class LinearAccess:
    """The token source, and for an install in the browser the pages and the store behind it.

    Raises:
        UnusableKey: The key for stored tokens cannot be used.
        Misconfigured: The public address cannot be used for an install.
    """

    def __init__(self, settings: Settings, database: Database, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._installs: InstallStore | None = None
        self._pages: LinearInstall | None = None
        self._tickets = TicketStore(database, now=_now)
        self.token = self._source(database, http)

    def _source(self, database: Database, http: httpx.AsyncClient) -> TokenSource:
        linear = self._settings.linear
        if linear.token:
            return StaticToken(linear.token.get_secret_value())
        client_id = linear.client_id or ""
        secret = linear.client_secret.get_secret_value() if linear.client_secret else ""
        token_url = urljoin(linear.api_url, "/oauth/token")
        if linear.grant == "client_credentials":
            return ClientCredentials(http, token_url, client_id=client_id, client_secret=secret)
        configured = self._settings.secret_keys
        keys = load_keys(configured.get_secret_value() if configured else None, self._settings.data_dir)
        self._installs = InstallStore(database, Vault(keys), now=_now)
        endpoint = TokenEndpoint(http, token_url, client_id=client_id, client_secret=secret)
        app = OAuthApp(client_id, self._settings.public_url or "", linear.api_url, linear.authorize_url)
        try:
            self._pages = LinearInstall(http, app, endpoint, self._installs, self._tickets)
        except ValueError as error:
            raise Misconfigured(f"THREADLINE_PUBLIC_URL: {error}") from error
        return InstalledApp(self._installs, endpoint)

    @property
    def is_personal(self) -> bool:
        """Whether a person's API key is all there is."""
        return self.warning is not None

    @property
    def warning(self) -> str | None:
        """What will not work with the token that was given."""
        token = self._settings.linear.token
        return personal_key_warning(token.get_secret_value()) if token else None

    def linking(
        self,
        *,
        organization: Callable[[], Awaitable[str]],
        on_link: Callable[[Identity], Awaitable[None]],
    ) -> LinearLink | None:
        """How people link their accounts, if there is an OAuth app and an address for browsers; see there.

        Raises:
            Misconfigured: The public address cannot be used for it.
        """
        linear, public_url = self._settings.linear, self._settings.public_url
        if not (linear.client_id and linear.client_secret and public_url):
            return None
        secret = linear.client_secret.get_secret_value()
        token_url = urljoin(linear.api_url, "/oauth/token")
        endpoint = TokenEndpoint(self._http, token_url, client_id=linear.client_id, client_secret=secret)
        app = LinkApp(linear.client_id, public_url, linear.api_url, linear.authorize_url)
        try:
            return LinearLink(
                self._http, app, endpoint, self._tickets, organization=organization, on_link=on_link
            )
        except ValueError as error:
            if self._settings.people.unlinked == "link":
                raise Misconfigured(f"THREADLINE_PUBLIC_URL: {error}") from error
            return None

    def routes(self) -> Sequence[web.RouteDef]:
        """The pages of the install, where there is one."""
        return list(self._pages.routes()) if self._pages else []

    async def start(self) -> str | None:
        """Seal stored tokens with the newest key; a setup link if nothing is installed yet."""
        if self._installs is None:
            return None
        await self._installs.reencrypt()
        install = await self._installs.newest(KIND)
        return None if install and install.is_active else await self.setup_link()

    async def setup_link(self) -> str:
        """A link that begins an install, for the terminal of whoever runs the server."""
        return await setup_link(self._tickets, self._settings.public_url or "")

    async def revoked(self, organization: str, at: datetime) -> None:
        """Linear says that the organization threw the app out at that moment."""
        if self._installs is not None:
            await self._installs.revoke(KIND, organization, at=at)


def _now() -> datetime:
    return datetime.now(UTC)
