"""Where the client's tokens come from: an install that is renewed, or the app's own credentials."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from core.errors import StoreUnavailable
from core.store.installs import Install, InstallStore
from core.store.vault import VaultError
from linear.errors import LinearError, Transient, Unauthorized
from linear.grants import GrantDead, TokenEndpoint

log = logging.getLogger(__name__)

KIND = "linear"
"""Of our rows among the installs."""

RENEW_EARLY = timedelta(hours=1)
"""A token lives for 24 hours; what is left must outlast a bad hour of Linear's."""

RENEW_PAUSE = timedelta(minutes=1)
"""Between attempts to renew early, while the old token still serves."""


def personal_key_warning(token: str) -> str | None:
    """What will not work with this token, in one line for the start; None unless it is a personal API key."""
    if not token.startswith("lin_api_"):
        return None
    return (
        "a personal API key is for a first look only: Linear lets it neither open agent sessions nor post to"
        " them, nobody can mention or delegate to Threadline, and issues and comments are written in the"
        " name of the key's owner; install the OAuth app instead (threadline manifest linear)"
    )


class ClientCredentials:
    """Mints a token when one is needed, and again when it is refused; stores nothing.

    Only one process may use it for an app: the next token minted may be the end of this one.

    Args:
        token_url: `https://api.linear.app/oauth/token`, or that of a stand-in.

    Source: Linear's OAuth 2.0 documentation; a token lives for 30 days and has no refresh token.
    """

    def __init__(
        self, http: httpx.AsyncClient, token_url: str, *, client_id: str, client_secret: str
    ) -> None:
        self._endpoint = TokenEndpoint(http, token_url, client_id=client_id, client_secret=client_secret)
        self._token: str | None = None
        self._minting = asyncio.Lock()

    async def current(self) -> str:
        """The token in use, minted at first."""
        async with self._minting:
            if self._token is None:
                self._token = await self._mint()
            return self._token

    async def renew(self, dead: str) -> str:
        """Another token than `dead`. Callers that fail together share the new one."""
        async with self._minting:
            if self._token is None or self._token == dead:
                self._token = await self._mint()
            return self._token

    async def _mint(self) -> str:
        return (await self._endpoint.mint()).access_token


class InstalledApp:
    """Tokens of the install in the store, renewed an hour before they end and whenever one is refused.

    Each renewal is made once however many ask, and a new pair is used only after it is stored: if the answer
    or the write is lost, with the process or without, the stored refresh token is sent again, to which Linear
    repeats its answer for 30 minutes. Once Linear says that the grant is dead the install counts as revoked;
    from then on, and before anybody installed the app, callers get `Unauthorized`.

    Args:
        now: Current time, aware.
    """

    def __init__(
        self,
        store: InstallStore,
        endpoint: TokenEndpoint,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._endpoint = endpoint
        self._now = now
        self._renewing = asyncio.Lock()
        self._pause_until: datetime | None = None

    async def current(self) -> str:
        """The stored token, or its successor if it is about to end."""
        install = await self._install()
        if self._is_due(install):
            async with self._renewing:
                install = await self._install()  # Perhaps renewed while we waited.
                if self._is_due(install):
                    install = await self._renewed_early(install)
        return install.tokens.access_token

    async def renew(self, dead: str) -> str:
        """Another token than `dead`. Callers that fail together share the new one."""
        async with self._renewing:
            install = await self._install()
            if install.tokens.access_token == dead:
                install = await self._renewed(install)
            return install.tokens.access_token

    def _is_due(self, install: Install) -> bool:
        now = self._now()
        if install.tokens.expires_at <= now:
            return True
        is_paused = self._pause_until is not None and now < self._pause_until
        return install.tokens.expires_at - RENEW_EARLY <= now and not is_paused

    async def _renewed_early(self, install: Install) -> Install:
        try:
            return await self._renewed(install)
        except GrantDead:
            raise
        except LinearError as error:
            if install.tokens.expires_at <= self._now():
                raise
            log.warning("linear token not renewed yet", extra={"reason": str(error)})
        self._pause_until = self._now() + RENEW_PAUSE
        return install

    async def _renewed(self, install: Install) -> Install:
        if install.tokens.refresh_token is None:
            raise Unauthorized("the token ended and nothing was given to renew it")
        asked_at = self._now()
        try:
            grant = await self._endpoint.refresh(install.tokens.refresh_token)
        except GrantDead:
            if await self._ended(install):
                raise
            return await self._install()
        with _store_trouble():
            stored = await self._store.rotate(install, grant.tokens(asked_at, earlier=install.tokens))
        log.info("linear token renewed", extra={"organization": stored.organization})
        return _usable(stored)

    async def _ended(self, install: Install) -> bool:
        """Note the end of an install; false if its tokens were replaced meanwhile, by a process beside us."""
        with _store_trouble():
            is_end = await self._store.revoke_tokens(install)
        if is_end:
            log.error("linear access revoked", extra={"organization": install.organization})
        return is_end

    async def _install(self) -> Install:
        with _store_trouble():
            install = await self._store.newest(KIND)
        if install is None:
            raise Unauthorized("Linear is not connected: install the app")
        return _usable(install)


def _usable(install: Install) -> Install:
    if not install.is_active:
        raise Unauthorized("Linear access was revoked: install the app again")
    return install


@contextmanager
def _store_trouble() -> Iterator[None]:
    """Say in the client's words what went wrong with the store; nothing was asked of Linear yet."""
    try:
        yield
    except StoreUnavailable as error:
        raise Transient(f"no token: {error}", maybe_done=False) from error
    except VaultError as error:
        raise Unauthorized(f"the stored token cannot be opened: {error}") from error
