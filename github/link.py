"""Linking a chat account to a GitHub account: pages that the person's own browser passes through.

The danger is a link that somebody sends to somebody else: who follows it would let the sender act as them.
So the first page names the chat account, asks, and only its own button leads on (a cookie and the digest of
it in the form). From there the `state` counts once, for ten minutes, in the same browser; the code counts
only with our PKCE verifier and our secret. The account must be the person's by other evidence: Linear knows
it as theirs, or one of its verified addresses is theirs in chat or Linear. And it counts for nothing until
the person has confirmed it: by a second link that they get in chat, in the browser that signed in.
"""

import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from core import web_pages
from core.activities import Author
from core.composer import place_name
from core.errors import DeliveryError, Refused, StoreUnavailable, TryLater
from core.people import refusal
from core.pulls import CodeAccount
from core.review.accounts import Profile, evidence_of
from core.store.accounts import AccountStore, LinkedAccount, OtherAccount
from core.store.tickets import TicketStore, digest_of
from github import link_pages
from github.errors import Forbidden, GitHubError, Invalid, NotFound, RateLimited, Transient, Unauthorized
from github.link_pages import AGAIN, RETRY
from github.model import Account
from github.oauth import LINK_CALLBACK_PATH, GitHubOAuth, Grant, GrantDead
from github.tokens import LinkedTokens, pair_of

log = logging.getLogger(__name__)

PROVIDER: Final = "GitHub"
LINK_PATH: Final = "/oauth/github/link"
CONFIRM_PATH: Final = "/oauth/github/link/confirm"
LINK: Final = "github.link"
STATE: Final = "github.link.state"
CONFIRM: Final = "github.link.confirm"
LINK_LIFETIME: Final = timedelta(hours=1)
STATE_LIFETIME: Final = timedelta(minutes=10)
CONFIRM_WITHIN: Final = LINK_LIFETIME
"""As long as the cookie lives: without it nothing can be confirmed."""

FORM_BYTES: Final = 4096


class _Refusal(Exception):
    """It ends here, with this status, heading and reason."""

    def __init__(self, status: int, title: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.title = title


@dataclass(frozen=True, slots=True)
class _SignedIn:
    """What GitHub said after somebody signed in; `emails` are those that it has verified."""

    account: Account
    emails: tuple[str, ...]
    grant: Grant


class GitHubLink:
    """Makes links, and is the web handlers behind them; implements `core.ports.Linker`.

    Every failure is a plain page: 400 unknown, used or foreign `state` or form; 403 no good link, declined, a
    guest, or an account that nothing shows to be the person's; 409 one of the accounts has another link; 500
    the app's credentials are wrong; 502 GitHub or chat did not answer; 503 the store cannot be written.

    Args:
        public_url: Address of this server as browsers reach it.
        profile: What is known of a person; raises `DeliveryError`.
        on_linked: Told of a link that is to be confirmed, so that the person is asked in chat.
        on_active: Told of a link that counts from now on, so that what waited goes on; may be told twice.
            Both may raise `DeliveryError` or `StoreUnavailable`.
        without_match: Signing in is evidence enough; an administrator has said so.
        now: Current time, aware.

    Raises:
        ValueError: `public_url` cannot be used; see `core.web_pages.address_of`.
    """

    def __init__(
        self,
        oauth: GitHubOAuth,
        store: AccountStore,
        tickets: TicketStore,
        tokens: LinkedTokens,
        *,
        public_url: str,
        profile: Callable[[Author], Awaitable[Profile]],
        on_linked: Callable[[CodeAccount, Author], Awaitable[None]],
        on_active: Callable[[Author], Awaitable[None]],
        without_match: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._oauth = oauth
        self._store = store
        self._tickets = tickets
        self._tokens = tokens
        self._profile = profile
        self._on_linked = on_linked
        self._on_active = on_active
        self._without_match = without_match
        self._now = now
        self._public_url = public_url
        self._redirect_uri = web_pages.address_of(public_url, LINK_CALLBACK_PATH)
        # Browsers keep `__Host-` cookies over https only; plain http is for loopback.
        self._is_https = public_url.startswith("https:")
        self.cookie = "__Host-threadline-github" if self._is_https else "threadline-github"

    async def link_for(self, provider: str, person: Author) -> str:
        """See `Linker.link_for`; to the page that confirms, if they have signed in already."""
        if provider != PROVIDER:
            raise Refused(f"accounts at {provider} cannot be linked here")
        if person.surface == "github":
            raise Refused("who is at GitHub already has nothing to link there")
        profile = await self._profile(person)
        if profile.author.is_guest or profile.author.is_external:
            raise Refused(refusal(profile.author))
        try:
            waiting = await self._store.of(person)
            body: dict[str, object] = {"surface": person.surface, "account": person.id}
            body["name"] = profile.author.name
            if waiting is not None and self._can_be_confirmed(waiting):
                ticket = await self._tickets.issue(CONFIRM, CONFIRM_WITHIN, body | {"id": waiting.id})
                return f"{web_pages.address_of(self._public_url, CONFIRM_PATH)}?ticket={ticket}"
            ticket = await self._tickets.issue(LINK, LINK_LIFETIME, body)
        except StoreUnavailable as error:
            raise TryLater(f"no link: {error}") from error
        return f"{web_pages.address_of(self._public_url, LINK_PATH)}?ticket={ticket}"

    def routes(self) -> list[web.RouteDef]:
        """`GET` and `POST` of `/oauth/github/link` and `…/confirm`, and `GET` of `…/callback`."""
        return [
            web.get(LINK_PATH, self._guarded(self._ask), allow_head=False),
            web.post(LINK_PATH, self._guarded(self._begin)),
            web.get(LINK_CALLBACK_PATH, self._guarded(self._end), allow_head=False),
            web.get(CONFIRM_PATH, self._guarded(self._ask_to_confirm), allow_head=False),
            web.post(CONFIRM_PATH, self._guarded(self._confirm)),
        ]

    async def tidy(self) -> None:
        """Give back what nobody confirmed in time."""
        for ended in await self._store.forget_unconfirmed(self._now() - CONFIRM_WITHIN):
            log.info("link never confirmed", extra={"account": ended.account.id})
            await self._tokens.end(ended)

    def _guarded(
        self, handle: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def guarded(request: web.Request) -> web.Response:
            try:
                return await handle(request)
            except _Refusal as refused:
                log.warning("link refused", extra={"status": refused.status, "reason": refused.title})
                return self._page(refused.status, web_pages.page(refused.title, [str(refused)]))
            except StoreUnavailable as error:
                log.warning("link not stored", extra={"reason": str(error)})
                text = web_pages.page("The server cannot store anything now", [RETRY])
                return self._page(503, text)
            except DeliveryError as error:
                log.warning("link not told", extra={"reason": str(error)})
                return self._page(502, web_pages.page("Something did not answer", [RETRY]))

        return guarded

    async def _ask(self, request: web.Request) -> web.Response:
        """Name the chat account, and ask."""
        ticket = request.query.get("ticket", "")
        person = _author(await self._asked(LINK, digest_of(ticket)))
        browser = secrets.token_urlsafe(32)
        text = link_pages.ask(person, ticket, digest_of(browser), LINK_PATH)
        return self._page(200, text, browser=browser)

    async def _begin(self, request: web.Request) -> web.Response:
        """Lead on to GitHub, from our own page in the browser that it was shown to."""
        ticket, browser = await self._pressed(request)
        await self._asked(LINK, digest_of(ticket))
        verifier = secrets.token_urlsafe(48)
        begun = {"browser": digest_of(browser), "verifier": verifier, "link": digest_of(ticket)}
        state = await self._tickets.issue(STATE, STATE_LIFETIME, begun)
        where = self._oauth.authorize_url(redirect_uri=self._redirect_uri, state=state, verifier=verifier)
        return web.Response(status=303, headers={**web_pages.HEADERS, "Location": where})

    async def _end(self, request: web.Request) -> web.Response:
        """Back from GitHub: find out who signed in, and whether they are the person."""
        begun = await self._tickets.redeem(STATE, request.query.get("state", ""))
        if begun is None:
            raise _Refusal(400, "This attempt is over", f"It was used already, or took too long. {RETRY}")
        browser = request.cookies.get(self.cookie, "")
        if not _same(digest_of(browser), str(begun["browser"])):
            raise _Refusal(400, "This attempt began in another browser", RETRY)
        code = _code_of(request)
        profile = await self._known(_author(await self._asked(LINK, str(begun["link"]))))
        signed_in = await self._signed_in(code, str(begun["verifier"]))
        try:
            linked = await self._link(profile, signed_in, digest_of(browser))
        except (_Refusal, StoreUnavailable):
            await self._tokens.discard(signed_in.account.id, signed_in.grant)
            raise
        await (self._on_active(linked.by) if linked.is_active else self._ask_in_chat(linked))
        await self._tickets.end(LINK, str(begun["link"]))
        if linked.is_active:
            return self._done(linked)
        return self._page(200, link_pages.one_step_left(linked.by, linked.login), browser=browser)

    async def _ask_in_chat(self, linked: LinkedAccount) -> None:
        try:
            await self._on_linked(linked.account, linked.by)
        except (DeliveryError, StoreUnavailable) as error:
            # The page says what to write where nothing comes.
            log.warning("nobody asked to confirm", extra={"account": linked.id, "reason": str(error)})

    async def _ask_to_confirm(self, request: web.Request) -> web.Response:
        """Name both accounts, and ask."""
        ticket = request.query.get("ticket", "")
        linked = await self._waiting(request, ticket)
        browser = request.cookies.get(self.cookie, "")
        shown = digest_of(browser)
        text = link_pages.ask_to_confirm(linked.by, linked.login, ticket, shown, CONFIRM_PATH)
        return self._page(200, text, browser=browser)

    async def _confirm(self, request: web.Request) -> web.Response:
        """The link counts; the ticket ends only when everybody who has to know does."""
        ticket, _ = await self._pressed(request)
        waiting = await self._waiting(request, ticket)
        linked = await self._store.confirm(waiting.id, waiting.by)
        if linked is None:
            raise _Refusal(403, "There is nothing to confirm any more", AGAIN)
        await self._on_active(linked.by)
        await self._tickets.end(CONFIRM, digest_of(ticket))
        return self._done(linked)

    def _done(self, linked: LinkedAccount) -> web.Response:
        about = {"person": linked.person, "account": linked.id, "evidence": linked.evidence}
        log.info("code account linked", extra=about)
        return self._page(200, link_pages.done(linked.by, linked.login), browser="")

    async def _asked(self, purpose: str, link: str) -> dict[str, Any]:
        """Whom a link was made for; `link` is the digest of its ticket."""
        body = await self._tickets.look(purpose, link)
        if body is None:
            raise _Refusal(403, "This link does not count", f"It was used already, or is too old. {AGAIN}")
        return body

    async def _waiting(self, request: web.Request, ticket: str) -> LinkedAccount:
        """The link that this ticket confirms, in the browser that signed in."""
        body = await self._asked(CONFIRM, digest_of(ticket))
        by, linked = _author(body), await self._store.by_id(int(body["id"]))
        if linked is None or (linked.by.surface, linked.by.id) != (by.surface, by.id):
            raise _Refusal(403, "There is nothing to confirm any more", AGAIN)
        if linked.is_active:
            return linked  # Confirmed before, perhaps by the same button.
        if not self._can_be_confirmed(linked):
            raise _Refusal(403, "This link does not count", f"It is too old. {AGAIN}")
        if not _same(digest_of(request.cookies.get(self.cookie, "")), linked.browser):
            reason = "Open it there. If you cannot, write “unlink github” and then “link github” in chat."
            raise _Refusal(400, f"You signed in as @{linked.login} in another browser", reason)
        return linked

    def _can_be_confirmed(self, linked: LinkedAccount) -> bool:
        return not linked.is_active and linked.linked_at > self._now() - CONFIRM_WITHIN

    async def _pressed(self, request: web.Request) -> tuple[str, str]:
        """Ticket and cookie of a form that our page sent from the browser that it was shown to."""
        if (request.content_length or FORM_BYTES + 1) > FORM_BYTES:
            raise _Refusal(400, "This page is over", RETRY)
        form = await request.post()
        browser = request.cookies.get(self.cookie, "")
        if not browser or not _same(digest_of(browser), str(form.get("page", ""))):
            raise _Refusal(400, "This page was shown in another browser", RETRY)
        return str(form.get("ticket", "")), browser

    async def _known(self, person: Author) -> Profile:
        try:
            profile = await self._profile(person)
        except DeliveryError as error:
            log.warning("person unknown", extra={"author": person.id, "reason": str(error)})
            title = f"{place_name(person.surface)} or Linear did not answer"
            raise _Refusal(502, title, f"Nothing was linked. {RETRY}") from error
        if profile.author.is_guest or profile.author.is_external:
            raise _Refusal(403, "This account cannot be linked", refusal(profile.author))
        return profile

    async def _signed_in(self, code: str, verifier: str) -> _SignedIn:
        try:
            grant = await self._oauth.exchange(code, verifier=verifier, redirect_uri=self._redirect_uri)
            account = await self._oauth.whoami(grant.unproven)
            return _SignedIn(account, await self._verified(grant), grant)
        except GitHubError as error:
            raise _refusal_of(error) from error

    async def _verified(self, grant: Grant) -> tuple[str, ...]:
        try:
            emails = await self._oauth.emails(grant.unproven)
        except (Forbidden, NotFound) as error:  # The app was registered without this right.
            log.warning("addresses are not told", extra={"reason": str(error)})
            return ()
        return tuple(one.email for one in emails if one.verified)

    async def _link(self, profile: Profile, signed_in: _SignedIn, browser: str) -> LinkedAccount:
        account, by = signed_in.account, profile.author
        if account.id == 0 or account.type != "User":
            raise _Refusal(403, "This is no person's account", AGAIN)
        evidence = evidence_of(profile, account.id, signed_in.emails, without_match=self._without_match)
        if evidence is None:
            log.warning("account without evidence", extra={"author": by.id, "account": account.id})
            reason = link_pages.no_evidence(by, account.login)
            raise _Refusal(403, "Nothing was linked", reason)
        wanted = LinkedAccount(
            person=profile.persons[0],
            id=account.id,
            login=account.login,
            by=by,
            evidence=evidence,
            browser=browser,
            linked_at=self._now(),
        )
        try:
            linked, replaced = await self._store.link(wanted, pair_of(signed_in.grant, self._now()))
        except OtherAccount as other:
            reason = (
                f"One of the two is linked to {other.with_name} already. Write “unlink github” there first."
            )
            raise _Refusal(409, "These accounts have another link", f"{reason} {AGAIN}") from other
        for ended in replaced:
            await self._tokens.end(ended)
        return linked

    def _page(self, status: int, text: str, *, browser: str | None = None) -> web.Response:
        """`browser`: what its cookie shall hold; empty ends it, None leaves it alone."""
        response = web.Response(status=status, text=text, content_type="text/html", headers=web_pages.HEADERS)
        if browser is not None:
            # Lax, not Strict: people come back from GitHub's site. It stays away from foreign forms.
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


def _author(body: dict[str, Any]) -> Author:
    return Author(body["surface"], body["account"], body["name"])


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _code_of(request: web.Request) -> str:
    if (error := request.query.get("error")) is not None:
        if error == "access_denied":
            raise _Refusal(403, "Nothing was linked", f"You said no at GitHub. {RETRY}")
        said = re.sub(r"[^a-z_]", "", error)[:40]
        raise _Refusal(400, "Nothing was linked", f"GitHub said: {said}. {RETRY}")
    if not (code := request.query.get("code", "")):
        raise _Refusal(400, "Nothing was linked", f"GitHub sent no code. {RETRY}")
    return code


def _refusal_of(error: GitHubError) -> _Refusal:
    """GitHub's refusal in words for the page; what it says itself is for the log."""
    log.warning("link failed", extra={"reason": str(error)})
    match error:
        case GrantDead():
            return _Refusal(400, "Nothing was linked", f"GitHub does not take its code any more. {RETRY}")
        case Unauthorized() | Invalid():
            reason = "GitHub refuses the client id, its secret, or the callback address of this server."
            return _Refusal(500, "The server is not set up rightly", reason)
        case Transient() | RateLimited():
            return _Refusal(502, "GitHub did not answer", RETRY)
        case _:
            return _Refusal(502, "GitHub refused", RETRY)
