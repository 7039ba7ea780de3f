"""Linking a chat account to a Linear account: three pages that the person's own browser passes through.

Who may begin: whoever has the link, which is shown to one person in chat, counts for an hour and until it has
led to a link. The first page names the chat account and asks: a link that somebody else sends should not be
used. Only its own button leads on to Linear (a cookie and the digest of it in the form), and from there the
rules are those of an install: the `state` counts once, for ten minutes, in the same browser; the code counts
only with our PKCE verifier and our secret.

What comes back is a token of the person that may read. It is used for one question, who they are, then given
back; it is never stored. Whoever signs in must be a member of the workspace that this server works for.
"""

import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx
from aiohttp import web

from core import web_pages
from core.activities import Author
from core.composer import place_name
from core.errors import DeliveryError, Refused, StoreUnavailable, TryLater
from core.people import Evidence, Identity
from core.store.people import OtherLink
from core.store.tickets import TicketStore, digest_of
from linear.authorization import LINK_CALLBACK_PATH, LINK_PATH, authorize_url, callback_url
from linear.client import LinearClient, StaticToken
from linear.errors import LinearError, Rejected, Transient, Unauthorized
from linear.grants import GrantDead, TokenEndpoint
from linear.model import Viewer

log = logging.getLogger(__name__)

PROVIDER: Final = "Linear"
LINK: Final = "linear.link"
STATE: Final = "linear.link.state"
LINK_LIFETIME: Final = timedelta(hours=1)
STATE_LIFETIME: Final = timedelta(minutes=10)
FORM_BYTES: Final = 4096

_AGAIN: Final = "Write “link” to Threadline in chat to get a new link."
_RETRY: Final = "Open the link again."


@dataclass(frozen=True, slots=True)
class LinkApp:
    """What linking needs to know of the OAuth app and of this server; addresses as in `OAuthApp`."""

    client_id: str
    public_url: str
    api_url: str
    authorize_url: str


class _Refusal(Exception):
    """It ends here, with this status, heading and reason."""

    def __init__(self, status: int, title: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.title = title


class LinearLink:
    """Makes links, and is the web handlers behind them; implements `core.ports.Linker`.

    Every failure is a plain page: 400 unknown, used or foreign `state`; 403 no good link, declined, or a
    member of another workspace; 409 one of the accounts has another link; 500 the app's credentials are
    wrong; 502 Linear did not answer; 503 the store cannot be written.

    Args:
        organization: The id of the workspace that this server works for; raises `DeliveryError`.
        on_link: Stores a link and lets go on what waited for it; raises `OtherLink`.

    Raises:
        ValueError: `app.public_url` cannot be used; see `callback_url`.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        app: LinkApp,
        endpoint: TokenEndpoint,
        tickets: TicketStore,
        *,
        organization: Callable[[], Awaitable[str]],
        on_link: Callable[[Identity], Awaitable[None]],
    ) -> None:
        self._http = http
        self._app = app
        self._endpoint = endpoint
        self._tickets = tickets
        self._organization = organization
        self._on_link = on_link
        self._redirect_uri = callback_url(app.public_url, LINK_CALLBACK_PATH)
        # Browsers keep `__Host-` cookies over https only; plain http is for loopback.
        self._is_https = app.public_url.startswith("https:")
        self.cookie = "__Host-threadline-link" if self._is_https else "threadline-link"

    async def link_for(self, provider: str, person: Author) -> str:
        """See `Linker.link_for`."""
        if provider != PROVIDER:
            raise Refused(f"accounts at {provider} cannot be linked here")
        body = {"surface": person.surface, "account": person.id, "name": person.name}
        try:
            ticket = await self._tickets.issue(LINK, LINK_LIFETIME, body)
        except StoreUnavailable as error:
            raise TryLater(f"no link: {error}") from error
        return f"{self._app.public_url.rstrip('/')}{LINK_PATH}?ticket={ticket}"

    def routes(self) -> list[web.RouteDef]:
        """`GET` and `POST /oauth/linear/link`, and `GET /oauth/linear/link/callback`."""
        return [
            web.get(LINK_PATH, self._guarded(self._confirm), allow_head=False),
            web.post(LINK_PATH, self._guarded(self._begin)),
            web.get(LINK_CALLBACK_PATH, self._guarded(self._end), allow_head=False),
        ]

    def _guarded(
        self, handle: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def guarded(request: web.Request) -> web.Response:
            try:
                return await handle(request)
            except _Refusal as refusal:
                log.warning("link refused", extra={"status": refusal.status, "reason": refusal.title})
                return self._page(refusal.status, web_pages.page(refusal.title, [str(refusal)]), browser="")
            except StoreUnavailable:
                reason = f"Nothing was linked. {_RETRY}"
                text = web_pages.page("The server cannot store anything now", [reason])
                return self._page(503, text)

        return guarded

    async def _confirm(self, request: web.Request) -> web.Response:
        """Name the chat account, and ask."""
        ticket = request.query.get("ticket", "")
        person = await self._person(digest_of(ticket))
        browser = secrets.token_urlsafe(32)
        place = place_name(person["surface"])
        lines = [
            f"{person['name']} in {place} (account {person['account']}) asks to be linked to the account"
            " that you sign in to in Linear. What they ask for there then counts as yours.",
            f"Go on only if you are {person['name']}, and asked for this yourself.",
        ]
        text = web_pages.confirm(
            f"Link your {place} account to Linear",
            lines,
            "Go on to Linear",
            LINK_PATH,
            {"ticket": ticket, "page": digest_of(browser)},
        )
        return self._page(200, text, browser=browser)

    async def _begin(self, request: web.Request) -> web.Response:
        """Lead on to Linear, from our own page in the browser that it was shown to."""
        if (request.content_length or FORM_BYTES + 1) > FORM_BYTES:
            raise _Refusal(400, "This page is over", _RETRY)
        form = await request.post()
        ticket, shown = str(form.get("ticket", "")), str(form.get("page", ""))
        browser = request.cookies.get(self.cookie, "")
        if not browser or not _same(digest_of(browser), shown):
            raise _Refusal(400, "This page was shown in another browser", _RETRY)
        await self._person(digest_of(ticket))
        verifier = secrets.token_urlsafe(48)
        begun = {"browser": digest_of(browser), "verifier": verifier, "link": digest_of(ticket)}
        where = authorize_url(
            self._app.authorize_url,
            client_id=self._app.client_id,
            redirect_uri=self._redirect_uri,
            state=await self._tickets.issue(STATE, STATE_LIFETIME, begun),
            verifier=verifier,
            actor="user",
        )
        return web.Response(status=303, headers={**web_pages.HEADERS, "Location": where})

    async def _end(self, request: web.Request) -> web.Response:
        begun = await self._tickets.redeem(STATE, request.query.get("state", ""))
        if begun is None:
            raise _Refusal(400, "This attempt is over", f"It was used already, or took too long. {_RETRY}")
        if not _same(digest_of(request.cookies.get(self.cookie, "")), str(begun["browser"])):
            raise _Refusal(400, "This attempt began in another browser", _RETRY)
        viewer = await self._viewer(_code_of(request), str(begun["verifier"]))
        person = await self._person(str(begun["link"]))
        identity = Identity(
            surface=person["surface"],
            account=person["account"],
            linear_user=viewer.id,
            name=viewer.display_name or viewer.name,
            email=viewer.email,
            evidence=Evidence.OAUTH,
        )
        await self._store(identity)
        await self._tickets.end(LINK, str(begun["link"]))
        log.info("account linked", extra={"account": identity.account, "user": identity.linear_user})
        lines = [
            f"{person['name']} in {place_name(person['surface'])} is {identity.name} in Linear.",
            "What you asked for goes on by itself. You can close this page.",
        ]
        return self._page(200, web_pages.page("Your account is linked", lines), browser="")

    async def _person(self, link: str) -> dict[str, str]:
        """Whose link it is; `link` is the digest of its ticket."""
        person = await self._tickets.look(LINK, link)
        if person is None:
            raise _Refusal(403, "This link does not count", f"It was used already, or is too old. {_AGAIN}")
        return person

    async def _store(self, identity: Identity) -> None:
        try:
            await self._on_link(identity)
        except OtherLink as other:
            reason = f"One of the two is linked to {other.with_name} already. Write “unlink” there first."
            raise _Refusal(409, "These accounts have another link", f"{reason} {_AGAIN}") from other

    async def _viewer(self, code: str, verifier: str) -> Viewer:
        """Who signed in; their token ends here."""
        try:
            home = await self._organization()
            grant = await self._endpoint.exchange(code, verifier=verifier, redirect_uri=self._redirect_uri)
            try:
                client = LinearClient(self._http, self._app.api_url, StaticToken(grant.access_token))
                viewer = await client.viewer()
            finally:
                await self._give_back(grant.access_token)
        except LinearError as error:
            raise _refusal_of(error) from error
        except DeliveryError as error:
            log.warning("workspace unknown", extra={"reason": str(error)})
            raise _Refusal(502, "Linear did not answer", _RETRY) from error
        if viewer.organization.id != home or not viewer.active:
            reason = "Sign in to the workspace that Threadline works in, then open the link again."
            raise _Refusal(403, "This is an account of another workspace", reason)
        return viewer

    async def _give_back(self, token: str) -> None:
        try:
            await self._endpoint.revoke(token)
        except LinearError as error:
            log.warning("token of a person not given back", extra={"reason": str(error)})

    def _page(self, status: int, text: str, *, browser: str | None = None) -> web.Response:
        """`browser`: what its cookie shall hold; empty ends it, None leaves it alone."""
        headers = web_pages.HEADERS
        response = web.Response(status=status, text=text, content_type="text/html", headers=headers)
        if browser is not None:
            # Lax, not Strict: people come back from Linear's site. It stays away from foreign forms.
            response.set_cookie(
                self.cookie,
                browser,
                max_age=int(LINK_LIFETIME.total_seconds()) if browser else 0,
                path="/",
                secure=self._is_https,
                httponly=True,
                samesite="Lax",
            )
        return response


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _code_of(request: web.Request) -> str:
    if (error := request.query.get("error")) is not None:
        if error == "access_denied":
            raise _Refusal(403, "Nothing was linked", f"You said no in Linear. {_RETRY}")
        said = re.sub(r"[^a-z_]", "", error)[:40]
        raise _Refusal(400, "Nothing was linked", f"Linear said: {said}. {_RETRY}")
    if not (code := request.query.get("code", "")):
        raise _Refusal(400, "Nothing was linked", f"Linear sent no code. {_RETRY}")
    return code


def _refusal_of(error: LinearError) -> _Refusal:
    """Linear's refusal in words for the page; what it says itself is for the log."""
    log.warning("link failed", extra={"reason": str(error)})
    match error:
        case GrantDead():
            return _Refusal(400, "Nothing was linked", f"Linear does not take its code any more. {_RETRY}")
        case Unauthorized() | Rejected():
            reason = "Linear refuses the client id, its secret, or the callback address of this server."
            return _Refusal(500, "The server is not set up rightly", reason)
        case Transient():
            return _Refusal(502, "Linear did not answer", _RETRY)
        case _:
            return _Refusal(502, "Linear refused", _RETRY)
