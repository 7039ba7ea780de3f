"""Puts together everything about pull requests, where a code host is set up."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import httpx
from aiohttp import web

from bots.github_access import REDELIVER_EVERY_S, GitHubAccess
from bots.linear_access import Misconfigured
from bots.settings import Settings
from core.activities import AuthAsked, Author
from core.errors import Refused, StoreUnavailable
from core.events import Incoming
from core.ids import EntryKey, SessionId
from core.mirror.clock import SystemClock
from core.people import Identity
from core.ports import Linker, Tracker
from core.pulls import CodeAccount
from core.review.accounts import AccountBook, ask_to_confirm
from core.review.acting import Acting
from core.review.credits import Crediting
from core.review.guard import Guard
from core.review.hints import Hints
from core.review.reviews import Reviews
from core.review.ship import Shipper
from core.review.watch import PullWatch
from core.routing import Repository
from core.store.accounts import AccountStore, Ended
from core.store.acts import ActStore
from core.store.asked import asked_in
from core.store.audit import AuditStore
from core.store.database import Database
from core.store.pulls import PullStore
from core.store.sessions import SessionStore
from core.store.tickets import TicketStore
from core.store.vault import Vault, load_keys
from core.workspace.clone import Workspaces
from core.workspace.message import GitIdentity
from github.host import GitHubHost
from github.link import PROVIDER, GitHubLink
from github.tokens import LinkedTokens

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What pull requests need of the rest of the service.

    Attributes:
        named: A person with name and e-mail as their platform tells them.
        identity: Who they are in Linear.
        code_id: The account at GitHub that a user of Linear has connected there.
        accept: Takes an event into a session.
        let_in: Lets go on what was held for somebody; see `core.service.SessionService.let_in`.
        reads_only: Whether somebody may look on and nothing else.
    """

    sessions: SessionStore
    workspaces: Workspaces
    tracker: Tracker
    redact: Callable[[str], str]
    wake_mirror: Callable[[SessionId], None]
    named: Callable[[Author], Awaitable[Author]]
    identity: Callable[[Author], Awaitable[Identity | None]]
    code_id: Callable[[str], Awaitable[int | None]]
    accept: Callable[[SessionId, Incoming], Awaitable[object]]
    let_in: Callable[[Author], Awaitable[None]]
    reads_only: Callable[[Author], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """The parts that the composition root goes on with; `linker` None: nobody can link an account."""

    reviews: Reviews
    host: GitHubHost
    book: AccountBook
    linker: GitHubLink | None
    access: GitHubAccess
    hints: Hints
    tokens: LinkedTokens | None
    accounts: AccountStore = field(repr=False)
    tidying: list[asyncio.Task[None]] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        """What browsers and GitHub reach."""
        pages = self.linker.routes() if self.linker else []
        return [*pages, *self.access.routes(self.hints, revoked=self._revoked)]

    async def _revoked(self, account: int) -> None:
        if self.tokens is not None:
            await self.tokens.revoked(account)

    async def _tidy(self) -> None:
        """Ask again for webhooks that went astray, and forget links that nobody confirmed."""
        while True:
            try:
                await self.access.redeliver()
                if self.linker is not None:
                    await self.linker.tidy()
            except StoreUnavailable as error:
                log.warning("github not tidied", extra={"error": str(error)})
            await asyncio.sleep(REDELIVER_EVERY_S)

    def linkers(self) -> dict[str, Linker]:
        """By provider."""
        return {PROVIDER: self.linker} if self.linker else {}

    async def start(self) -> None:
        """Seal stored tokens with the newest key, then go on where an earlier process stopped."""
        await self.accounts.reencrypt()
        self.reviews.start()
        self.tidying.append(asyncio.create_task(self._tidy(), name="github"))

    async def stop(self) -> None:
        """Begin nothing more."""
        for task in self.tidying:
            task.cancel()
        await asyncio.gather(*self.tidying, return_exceptions=True)
        await self.reviews.stop()
        if self.tokens is not None:
            await self.tokens.close()


def reviewing(
    settings: Settings,
    database: Database,
    http: httpx.AsyncClient,
    repositories: list[Repository],
    around: Around,
) -> Reviewing:
    """Everything about pull requests of the repositories that live at GitHub.

    Raises:
        Misconfigured: The private key, or the public address, cannot be used.
        UnusableKey: The key for stored tokens cannot be used.
    """
    access, clock = GitHubAccess(settings, database, http), SystemClock()
    configured = settings.secret_keys
    keys = load_keys(configured.get_secret_value() if configured else None, settings.data_dir)
    accounts = AccountStore(database, Vault(keys), now=_now)
    oauth = access.oauth()
    tokens = LinkedTokens(accounts, oauth) if oauth else None
    host = access.host(tokens)
    hosted = {one.name: one for one in repositories if one.hosted}

    async def login(account: int) -> str:
        if not hosted:
            raise Refused("no repository lives there")
        return await host.login_of(account, seen_from=next(iter(hosted)))

    async def bot() -> GitIdentity:
        return await access.bot(lambda login: host.number_of(login, seen_from=next(iter(hosted))))

    async def end(ended: Ended) -> bool:
        return await tokens.end(ended) if tokens else False

    book = AccountBook(
        accounts, named=around.named, identity=around.identity, code_id=around.code_id, login=login, end=end
    )
    pulls = PullStore(database, around.sessions, now=time.time)
    acts = ActStore(database, around.sessions, now=time.time)
    audit = AuditStore(database, now=time.time)
    reviewer = access.reviewer(tokens) if tokens else None
    shipper = Shipper(
        host,
        book,
        pulls,
        around.sessions,
        around.workspaces,
        acts,
        reviewer,
        around.tracker,
        repositories=hosted,
        audit=audit,
        redact=around.redact,
    )
    watch = PullWatch(
        host,
        book,
        shipper,
        pulls,
        around.sessions,
        around.tracker,
        clock,
        repositories=hosted,
        audit=audit,
        wake_mirror=around.wake_mirror,
        accept=around.accept,
    )
    acting = Acting(
        host,
        reviewer,
        book,
        watch,
        shipper,
        pulls,
        acts,
        around.sessions,
        clock,
        repositories=hosted,
        accept=around.accept,
        wake_mirror=around.wake_mirror,
        reads_only=around.reads_only,
    )
    guarded = set(hosted) if tokens and settings.people.start == "write" else set()
    guard = Guard(host, book, repositories=guarded, now=time.time)
    reviews = Reviews(
        shipper=shipper,
        watch=watch,
        acting=acting,
        pulls=pulls,
        sessions=around.sessions,
        repositories=hosted,
        guard=guard,
        crediting=Crediting(book, bot=bot, address=access.address_of),
    )

    async def on_linked(account: CodeAccount, person: Author) -> None:
        """Ask in private, where they asked, whether the account is theirs."""
        found = await asked_in(database, person, PROVIDER)
        if found is None:
            raise Refused("nobody asked for this link in a session")
        session, asked = found
        entry = AuthAsked(
            person=person,
            provider=PROVIDER,
            body=ask_to_confirm(account),
            thread=asked.thread,
            is_known=True,
        )
        await around.sessions.say(session, EntryKey(f"confirm/{account.id}/{uuid4()}"), entry)
        around.wake_mirror(session)

    async def on_active(person: Author) -> None:
        await acting.linked(person)
        await around.let_in(person)

    linker = None
    if oauth is not None and tokens is not None:
        try:
            linker = GitHubLink(
                oauth,
                accounts,
                TicketStore(database, now=_now),
                tokens,
                public_url=settings.public_url or "",
                profile=book.profile,
                on_linked=on_linked,
                on_active=on_active,
            )
        except ValueError as error:
            raise Misconfigured(f"THREADLINE_PUBLIC_URL: {error}") from error
    hints = Hints(host, watch, pulls, accept=around.accept, reply=access.comment)
    return Reviewing(
        reviews=reviews,
        host=host,
        book=book,
        linker=linker,
        access=access,
        hints=hints,
        tokens=tokens,
        accounts=accounts,
    )


def _now() -> datetime:
    return datetime.now(UTC)
