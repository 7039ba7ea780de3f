"""Somebody's browser, chat and Linear around a real store and the playground's GitHub."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from aiohttp import web

from core.activities import Author
from core.errors import DeliveryError, Refused, StoreUnavailable, TryLater
from core.people import Evidence, Identity
from core.pulls import CodeAccount
from core.review.accounts import AccountBook
from core.store.accounts import AccountStore
from core.store.tickets import TicketStore
from github.link import GitHubLink
from github.oauth import GitHubOAuth
from github.pace import Pace
from github.tokens import LinkedTokens
from github.wire import Wire
from playground.github import GitHubPlayground
from tests.core.store.fakes import Clock, UnluckyDatabase, opened, vault_of

PUBLIC_URL = "https://bot.acme.test"
ANA = Author("slack", "T1/UANA", "UANA")
ANA_IN_TEAMS = Author("teams", "tenant/ana", "ana")
ANA_IN_LINEAR = Author("linear", "u-ana", "Ana")
BEN = Author("slack", "T1/UBEN", "UBEN")
GUS = Author("slack", "T1/UGUS", "UGUS")
STRANGER = Author("slack", "T2/USTR", "USTR")
MALLORY = Author("slack", "T1/UMAL", "UMAL")


@dataclass
class Town:
    """What chat and Linear know of people. Ana is known in both; Ben and Mallory in chat alone."""

    people: dict[str, Author] = field(
        default_factory=lambda: {
            one.id: one
            for one in (
                replace(ANA, name="Ana <b>", email="Ana@acme.test"),
                replace(ANA_IN_TEAMS, name="Ana", email="ana@teams.test"),
                replace(BEN, name="Ben", email="ben@acme.test"),
                replace(GUS, name="Gus", email="gus@acme.test", is_guest=True),
                replace(STRANGER, name="Str", email="str@else.test", is_external=True),
                replace(MALLORY, name="Mallory", email="mallory@acme.test"),
            )
        }
    )
    linear: dict[str, str] = field(
        default_factory=lambda: {"Ana@acme.test": "u-ana", "ana@teams.test": "u-ana"}
    )
    code_ids: dict[str, int] = field(default_factory=dict)
    error: DeliveryError | None = None

    async def named(self, author: Author) -> Author:
        if self.error is not None:
            raise self.error
        return self.people.get(author.id, author)

    async def identity(self, author: Author) -> Identity | None:
        if self.error is not None:
            raise self.error
        user = self.linear.get(author.email or "")
        if user is None:
            return None
        return Identity(
            surface=author.surface,
            account=author.id,
            linear_user=user,
            name=author.name,
            email=f"{user[2:]}@linear.test",
            evidence=Evidence.EMAIL,
        )

    async def code_id(self, user: str) -> int | None:
        if self.error is not None:
            raise self.error
        return self.code_ids.get(user)


@dataclass
class World:
    """`linked` and `active`: what the callbacks were told; `is_deaf`: the next one cannot store it.

    `renewed` is set when GitHub has given a new pair, which reaches us when `heard` is set.
    """

    there: GitHubPlayground
    database: UnluckyDatabase
    http: httpx.AsyncClient
    clock: Clock = field(default_factory=Clock)
    town: Town = field(default_factory=Town)
    linked: list[tuple[CodeAccount, Author]] = field(default_factory=list)
    active: list[Author] = field(default_factory=list)
    base: str = ""
    is_deaf: bool = False
    without_match: bool = False
    renewed: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.heard.set()
        self.http.event_hooks["response"].append(self._hear)
        wire = Wire(self.http, self.there.url, pace=Pace(sleep=_at_once))
        app = self.there.app
        self.oauth = GitHubOAuth(
            self.http,
            wire,
            web_url=self.there.url,
            client_id=app.client_id,
            client_secret=app.client_secret,
        )
        self.store = AccountStore(self.database, vault_of("k"), now=self.clock.now)
        self.tickets = TicketStore(self.database, now=self.clock.now)
        self.restart()
        self.link = self.made()

    def restart(self) -> None:
        """A new process: it knows only what is stored."""
        self.tokens = LinkedTokens(self.store, self.oauth, now=self.clock.now)
        self.book = AccountBook(
            self.store,
            named=self.town.named,
            identity=self.town.identity,
            code_id=self.town.code_id,
            login=self._login,
            end=self.tokens.end,
        )

    def made(self, public_url: str = PUBLIC_URL) -> GitHubLink:
        return GitHubLink(
            self.oauth,
            self.store,
            self.tickets,
            self.tokens,
            public_url=public_url,
            profile=self.book.profile,
            on_linked=self._on_linked,
            on_active=self._on_active,
            without_match=self.without_match,
            now=self.clock.now,
        )

    async def _hear(self, answer: httpx.Response) -> None:
        if b"grant_type=refresh_token" in answer.request.content:
            self.renewed.set()
            await self.heard.wait()

    async def _login(self, id: int) -> str:
        if id not in self.there.world.accounts:
            raise Refused("Not Found")
        return self.there.world.accounts[id].login

    async def _on_linked(self, account: CodeAccount, person: Author) -> None:
        if self.is_deaf:
            self.is_deaf = False
            raise Refused("nobody asked for this")
        self.linked.append((account, person))

    async def _on_active(self, person: Author) -> None:
        if self.is_deaf:
            self.is_deaf = False
            raise StoreUnavailable("disk full")
        self.active.append(person)

    def later(self, step: timedelta) -> None:
        """Time goes on, here and at GitHub."""
        self.clock.advance(step)
        self.there.tokens.ahead_s += step.total_seconds()

    def counts(self, kind: str) -> int:
        """How often GitHub was asked for it."""
        return sum(one.kind == kind for one in self.there.calls)

    def lives(self, login: str) -> bool:
        """Whether GitHub still takes a token that this person gave us."""
        return any(
            one.kind == "user" and one.account.login == login for one in self.there.tokens._given.values()
        )

    async def address(self, person: Author = ANA) -> str:
        return await self.link.link_for("GitHub", person)

    def browser(self) -> "Browser":
        return Browser(self)

    async def linked_up(self, person: Author = ANA, login: str = "ana-codes") -> CodeAccount:
        """Everything that `person` does until the link counts."""
        browser = self.browser()
        answer = await browser.walk(await self.address(person), login)
        assert answer.status_code == 200, answer.text
        if "One step" in answer.text:
            answer = await browser.press(await self.address(person))
        assert "is linked" in answer.text, answer.text
        account = await self.book.account_of(person)
        assert account is not None
        return account


@dataclass
class Browser:
    """Follows links by hand: keeps the cookie, shows redirects and pages."""

    world: World
    cookie: str = ""
    shown: list[httpx.Response] = field(default_factory=list)

    async def open(self, address: str, *, form: dict[str, str] | None = None) -> httpx.Response:
        parts, world = urlsplit(address), self.world
        url = f"{world.base}{parts.path}?{parts.query}"
        headers = {"Cookie": f"{world.link.cookie}={self.cookie}"}
        if form is None:
            answer = await world.http.get(url, headers=headers)
        else:
            answer = await world.http.post(url, data=form, headers=headers)
        if found := re.match(rf"{world.link.cookie}=\"?([^;\"]*)", answer.headers.get("Set-Cookie", "")):
            self.cookie = found[1]
        self.shown.append(answer)
        return answer

    async def press(self, link: str) -> httpx.Response:
        """Open the link and press the button of the page."""
        page = await self.open(link)
        if page.status_code != 200:
            return page
        [action] = re.findall(r'action="([^"]+)"', page.text)
        fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', page.text))
        return await self.open(action, form={name: unescape(value) for name, value in fields.items()})

    async def agree(self, redirect: httpx.Response, login: str) -> str:
        """Sign in at GitHub, and say yes; the address that GitHub leads back to."""
        assert redirect.status_code == 303, redirect.text
        return await self.world.there.signs_in(redirect.headers["Location"], login)

    async def walk(self, link: str, login: str) -> httpx.Response:
        return await self.open(await self.agree(await self.press(link), login))


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def link_world(folder: Path, *, without_match: bool = False) -> AsyncIterator[World]:
    """Accounts at GitHub: ana-codes with Ana's address, victor and mallory with their own."""
    async with (
        opened(folder) as database,
        GitHubPlayground(folder) as there,
        httpx.AsyncClient() as http,
    ):
        there.person("ana-codes", emails=["ana@ACME.test"])
        there.person("ben-codes", emails=["ben@acme.test"])
        there.person("victor", emails=["victor@acme.test"], unverified=["mallory@acme.test"])
        there.person("mallory", emails=["mallory@acme.test"])
        world = World(there, database, http, without_match=without_match)
        server = web.Application()
        server.add_routes(world.link.routes())
        runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        world.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield world
        await world.tokens.close()
        await runner.cleanup()


def away() -> DeliveryError:
    return TryLater("nobody answers")
