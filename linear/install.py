"""The install of the OAuth app: two pages that an administrator's browser passes through.

Who may begin: whoever has a setup link, nobody else, from wherever they come. A link is made on the server
(printed by `threadline serve` while nothing is installed, and on demand by the command line), counts for an
hour, and ends with the first install that works. So a stranger can neither connect his own workspace nor
get tokens of ours, and there is no rule about hosts or proxies to get wrong. A server works for one
workspace: another one is refused, and its tokens given back, until the first has revoked.

In between, the `state` counts once, for ten minutes, and only in the browser that began (a `__Host-` cookie
of which we keep the digest); the code counts only with our PKCE verifier and our secret. Addresses come from
the settings, never from the request.
"""

import hmac
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from aiohttp import web

from core import web_pages
from core.errors import StoreUnavailable
from core.store.installs import Install, InstallStore, OtherInstall
from core.store.tickets import TicketStore, digest_of
from linear import install_pages
from linear.authorization import (
    AUTHORIZE_URL,
    CALLBACK_PATH,
    INSTALL_PATH,
    SCOPES,
    authorize_url,
    callback_url,
    install_url,
)
from linear.client import LinearClient, StaticToken
from linear.errors import LinearError, Rejected, Transient, Unauthorized
from linear.grants import Grant, GrantDead, TokenEndpoint
from linear.model import Viewer
from linear.oauth import KIND

log = logging.getLogger(__name__)

SETUP: Final = "linear.setup"
STATE: Final = "linear.state"
SETUP_LIFETIME: Final = timedelta(hours=1)
STATE_LIFETIME: Final = timedelta(minutes=10)
COOKIE: Final = "__Host-threadline-linear"

_AGAIN: Final = "Open the install link again, or make a new one on the server: threadline install linear"


async def setup_link(tickets: TicketStore, public_url: str) -> str:
    """A link that begins an install; for the terminal of whoever runs the server, and nothing else.

    Raises:
        ValueError: `public_url` cannot be used; see `callback_url`.
        StoreUnavailable: The database cannot be written.
    """
    callback_url(public_url)
    return install_url(public_url, await tickets.issue(SETUP, SETUP_LIFETIME))


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """What the install needs to know of the OAuth app and of this server.

    `public_url` is this server's address as browsers reach it; the others are Linear's, or a stand-in's.
    """

    client_id: str
    public_url: str
    api_url: str = "https://api.linear.app/graphql"
    authorize_url: str = AUTHORIZE_URL


class _Refusal(Exception):
    """The install ends here, with this status, heading and reason."""

    def __init__(self, status: int, title: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.title = title


class LinearInstall:
    """The web handlers of an install; see the module for its rules.

    Every failure is a plain page: 400 unknown, used or foreign `state`, or a code Linear does not take; 403
    no setup link, or not approved; 409 another workspace is connected; 500 the app's credentials are wrong;
    502 Linear did not answer; 503 the store cannot be written.

    Args:
        now: Current time, aware.

    Raises:
        ValueError: `app.public_url` cannot be used; see `callback_url`.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        app: OAuthApp,
        endpoint: TokenEndpoint,
        installs: InstallStore,
        tickets: TicketStore,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._app = app
        self._endpoint = endpoint
        self._installs = installs
        self._tickets = tickets
        self._now = now
        self._redirect_uri = callback_url(app.public_url)

    def routes(self) -> list[web.RouteDef]:
        """`GET /oauth/linear/install` and `GET /oauth/linear/callback`."""
        return [
            web.get(INSTALL_PATH, self._begin, allow_head=False),
            web.get(CALLBACK_PATH, self._end, allow_head=False),
        ]

    async def _begin(self, request: web.Request) -> web.Response:
        try:
            if not await self._tickets.is_good(SETUP, request.query.get("setup", "")):
                return _failed(_Refusal(403, "This link does not count", _AGAIN))
            browser, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
            begun = {"browser": digest_of(browser), "verifier": verifier}
            state = await self._tickets.issue(STATE, STATE_LIFETIME, begun)
        except StoreUnavailable:
            return _failed(_store_down())
        where = authorize_url(
            self._app.authorize_url,
            client_id=self._app.client_id,
            redirect_uri=self._redirect_uri,
            state=state,
            verifier=verifier,
        )
        response = web.Response(status=302, headers={**web_pages.HEADERS, "Location": where})
        _set_cookie(response, browser, STATE_LIFETIME)
        return response

    async def _end(self, request: web.Request) -> web.Response:
        try:
            verifier = await self._verifier(request)
            install, viewer = await self._installed(_code_of(request), verifier)
        except _Refusal as refusal:
            return _failed(refusal)
        except StoreUnavailable:
            return _failed(_store_down())
        log.info("linear connected", extra={"organization": install.organization})
        missing = [scope for scope in SCOPES if scope not in install.scopes]
        text = install_pages.connected(install.organization, viewer.display_name or viewer.name, missing)
        return _page(200, text)

    async def _verifier(self, request: web.Request) -> str:
        """Check that this browser began, a short while ago, what it now wants to end."""
        begun = await self._tickets.redeem(STATE, request.query.get("state", ""))
        if begun is None:
            raise _Refusal(400, "This install is over", f"It was used already, or took too long. {_AGAIN}")
        browser = digest_of(request.cookies.get(COOKIE, ""))
        if not hmac.compare_digest(browser, str(begun["browser"])):
            raise _Refusal(400, "This install began in another browser", _AGAIN)
        return str(begun["verifier"])

    async def _installed(self, code: str, verifier: str) -> tuple[Install, Viewer]:
        asked_at = self._now()
        try:
            grant = await self._endpoint.exchange(code, verifier=verifier, redirect_uri=self._redirect_uri)
            viewer = await self._viewer(grant)
        except LinearError as error:
            raise _refusal_of(error) from error
        organization = viewer.organization
        tokens = grant.tokens(asked_at)
        install = Install(KIND, organization.id, organization.name, viewer.id, grant.scopes, tokens)
        await self._tickets.void(SETUP, STATE)
        try:
            await self._installs.connect(install)
        except OtherInstall as other:
            await self._give_back(grant)
            reason = (
                f"This server works for {other.organization}. Revoke the app there first, then try again."
            )
            raise _Refusal(409, "Another workspace is connected", reason) from other
        return install, viewer

    async def _viewer(self, grant: Grant) -> Viewer:
        client = LinearClient(self._http, self._app.api_url, StaticToken(grant.access_token))
        return (await client.workspace()).viewer

    async def _give_back(self, grant: Grant) -> None:
        try:
            await self._endpoint.revoke(grant.access_token)
        except LinearError as error:
            log.warning("linear token not given back", extra={"reason": str(error)})


def _code_of(request: web.Request) -> str:
    if (error := request.query.get("error")) is not None:
        if error == "access_denied":
            raise _Refusal(403, "Nothing was connected", f"The app was not approved in Linear. {_AGAIN}")
        said = re.sub(r"[^a-z_]", "", error)[:40]
        raise _Refusal(400, "Nothing was connected", f"Linear said: {said}. {_AGAIN}")
    if not (code := request.query.get("code", "")):
        raise _Refusal(400, "Nothing was connected", f"Linear sent no code. {_AGAIN}")
    return code


def _refusal_of(error: LinearError) -> _Refusal:
    """Linear's refusal in words for the page; what it says itself is for the log."""
    log.warning("linear install failed", extra={"reason": str(error)})
    match error:
        case GrantDead():
            return _Refusal(400, "Nothing was connected", f"Linear does not take its code any more. {_AGAIN}")
        case Unauthorized() | Rejected():
            reason = "Linear refuses the client id, its secret, or the callback address of this server."
            return _Refusal(500, "The server is not set up rightly", f"{reason} {_AGAIN}")
        case Transient():
            return _Refusal(502, "Linear did not answer", _AGAIN)
        case _:
            return _Refusal(502, "Linear refused", _AGAIN)


def _store_down() -> _Refusal:
    return _Refusal(503, "The server cannot store anything now", f"Nothing was connected. {_AGAIN}")


def _failed(refusal: _Refusal) -> web.Response:
    log.warning("linear install refused", extra={"status": refusal.status, "reason": refusal.title})
    return _page(refusal.status, web_pages.page(refusal.title, [str(refusal)]))


def _page(status: int, text: str) -> web.Response:
    response = web.Response(status=status, text=text, content_type="text/html", headers=web_pages.HEADERS)
    _set_cookie(response, "", timedelta())  # Whatever began is over.
    return response


def _set_cookie(response: web.Response, value: str, lifetime: timedelta) -> None:
    # Lax, not Strict: people come back from Linear's site. `__Host-` demands the path and Secure.
    response.set_cookie(
        COOKIE,
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="Lax",
    )
