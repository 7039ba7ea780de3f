"""The pages that link accounts, passed through as a browser would, against the playground's Linear."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from aiohttp import web

from core.activities import Author
from core.errors import Refused, TryLater
from core.people import Evidence, Identity
from core.store.people import OtherLink
from linear.link import LinearLink, LinkApp
from playground.linear_faults import Fault
from tests.linear.install_world import World, install_world

PUBLIC_URL = "https://bot.acme.test"
CALLBACK = f"{PUBLIC_URL}/oauth/linear/link/callback"
UNA = Author("slack", "T1/UUNA", "Una <b>")


@dataclass
class Browser:
    """Follows links by hand: keeps the cookie, shows redirects and pages."""

    site: "Site"
    cookie: str = ""
    shown: list[httpx.Response] = field(default_factory=list)

    async def open(self, address: str, *, form: dict[str, str] | None = None) -> httpx.Response:
        parts = urlsplit(address)
        url = f"{self.site.base}{parts.path}?{parts.query}"
        headers = {"Cookie": f"{self.site.link.cookie}={self.cookie}"}
        if form is None:
            answer = await self.site.world.http.get(url, headers=headers)
        else:
            answer = await self.site.world.http.post(url, data=form, headers=headers)
        if found := re.match(rf"{self.site.link.cookie}=\"?([^;\"]*)", answer.headers.get("Set-Cookie", "")):
            self.cookie = found[1]
        self.shown.append(answer)
        return answer

    async def confirm(self, link: str) -> httpx.Response:
        """Open the link and press the button."""
        page = await self.open(link)
        assert page.status_code == 200, page.text
        fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', page.text))
        return await self.open("/oauth/linear/link", form=fields)

    async def consent(self, redirect: httpx.Response) -> str:
        answer = await self.site.world.http.get(redirect.headers["Location"])
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    async def walk(self, link: str) -> httpx.Response:
        return await self.open(await self.consent(await self.confirm(link)))


@dataclass
class Site:
    world: World
    base: str = ""
    organization: str = ""
    linked: list[Identity] = field(default_factory=list)
    other: str | None = None

    def __post_init__(self) -> None:
        self.organization = self.world.linear.workspace.organization.id
        self.world.linear.tokens.redirect_uris.add(CALLBACK)
        self.link = self.made()

    def made(self, public_url: str = PUBLIC_URL) -> LinearLink:
        linear = self.world.linear
        app = LinkApp(linear.settings.client_id, public_url, linear.graphql_url, linear.authorize_url)
        endpoint, tickets = self.world.endpoint(), self.world.tickets
        return LinearLink(
            self.world.http, app, endpoint, tickets, organization=self._organization, on_link=self._on_link
        )

    async def _organization(self) -> str:
        if not self.organization:
            raise TryLater("Linear is away")
        return self.organization

    async def _on_link(self, identity: Identity) -> None:
        if self.other is not None:
            raise OtherLink(self.other)
        self.linked.append(identity)

    def browser(self) -> Browser:
        return Browser(self)

    async def address(self) -> str:
        return await self.link.link_for("Linear", UNA)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with install_world(tmp_path) as world:
        site = Site(world)
        server = web.Application()
        server.add_routes(site.link.routes())
        runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield site
        await runner.cleanup()


async def test_a_link_ends_with_who_signed_in_and_their_token_is_given_back(site: Site) -> None:
    site.world.linear.tokens.visitor = "eve"
    answer = await site.browser().walk(await site.address())
    assert answer.status_code == 200
    eve = site.world.linear.workspace.person("eve")
    assert site.linked == [
        Identity(
            surface="slack",
            account="T1/UUNA",
            linear_user=eve.id,
            name=eve.display_name,
            email="eve@acme.test",
            evidence=Evidence.OAUTH,
        )
    ]
    assert site.world.linear.tokens.personal == {}
    assert len(site.world.given_back) == 1
    assert await site.world.installs.newest("linear") is None


async def test_linear_is_asked_to_read_as_the_person_with_proof(site: Site) -> None:
    redirect = await site.browser().confirm(await site.address())
    assert redirect.status_code == 303
    query = parse_qs(urlsplit(redirect.headers["Location"]).query)
    asked = {name: values[0] for name, values in query.items()}
    assert (asked["actor"], asked["scope"], asked["redirect_uri"]) == ("user", "read", CALLBACK)
    assert asked["code_challenge_method"] == "S256"


async def test_the_page_names_the_chat_account_and_nothing_in_it_is_markup(site: Site) -> None:
    page = await site.browser().open(await site.address())
    assert "Una &lt;b&gt; in Slack (account T1/UUNA)" in page.text
    name, *attributes = page.headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes)


async def test_plain_http_is_for_loopback_and_has_a_plain_cookie(site: Site) -> None:
    assert not site.made("http://127.0.0.1:8080").cookie.startswith("__Host-")
    with pytest.raises(ValueError, match="https"):
        site.made("http://bot.acme.test")


@pytest.mark.parametrize("query", ["", "ticket=", "ticket=guess", "ticket=%00%ff"])
async def test_without_a_link_nothing_begins(site: Site, query: str) -> None:
    answer = await site.browser().open(f"/oauth/linear/link?{query}")
    assert answer.status_code == 403
    assert "<form" not in answer.text


async def test_a_link_counts_for_an_hour_and_once(site: Site) -> None:
    old = await site.address()
    await site.world.linear.advance(timedelta(minutes=59))
    assert (await site.browser().open(old)).status_code == 200
    await site.world.linear.advance(timedelta(minutes=1))
    assert (await site.browser().open(old)).status_code == 403
    link = await site.address()
    assert (await site.browser().walk(link)).status_code == 200
    assert (await site.browser().open(link)).status_code == 403


async def test_of_two_attempts_with_one_link_the_first_wins(site: Site) -> None:
    link, slow = await site.address(), site.browser()
    back = await slow.consent(await slow.confirm(link))
    assert (await site.browser().walk(link)).status_code == 200
    assert (await slow.open(back)).status_code == 403
    assert len(site.linked) == 1
    assert site.world.linear.tokens.personal == {}


async def test_a_state_counts_once_for_ten_minutes_and_in_its_browser(site: Site) -> None:
    link, browser, victim = await site.address(), site.browser(), site.browser()
    back = await browser.consent(await browser.confirm(link))
    assert (await victim.open(back)).status_code == 400
    assert (await browser.open(back)).status_code == 400
    late = await browser.consent(await browser.confirm(link))
    await site.world.linear.advance(timedelta(minutes=10))
    assert (await browser.open(late)).status_code == 400
    assert (site.linked, site.world.grants) == ([], {})


@pytest.mark.parametrize("page", [None, "", "0" * 64])
async def test_a_form_of_somebody_else_leads_nowhere(site: Site, page: str | None) -> None:
    ticket = parse_qs(urlsplit(await site.address()).query)["ticket"][0]
    form = {"ticket": ticket} if page is None else {"ticket": ticket, "page": page}
    browser = site.browser()
    browser.cookie = "mine"
    assert (await browser.open("/oauth/linear/link", form=form)).status_code == 400
    huge = {"ticket": "x" * 5000}
    assert (await browser.open("/oauth/linear/link", form=huge)).status_code == 400


async def test_a_member_of_another_workspace_is_refused(site: Site) -> None:
    site.organization = "another"
    answer = await site.browser().walk(await site.address())
    assert (answer.status_code, site.linked) == (403, [])
    assert site.world.linear.tokens.personal == {}


async def test_accounts_with_another_link_are_refused(site: Site) -> None:
    site.other = "Bob"
    link = await site.address()
    answer = await site.browser().walk(link)
    assert answer.status_code == 409
    assert "linked to Bob already" in answer.text
    site.other = None
    assert (await site.browser().walk(link)).status_code == 200


async def test_who_says_no_can_try_again(site: Site) -> None:
    link = await site.address()
    site.world.linear.tokens.admin_declines = True
    assert (await site.browser().walk(link)).status_code == 403
    site.world.linear.tokens.admin_declines = False
    assert (await site.browser().walk(link)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("oauth/token", "drop_before"), 502),
        (Fault("oauth/token", "answer", status=401, code="invalid_client"), 500),
        (Fault("oauth/token", "answer", status=400, code="invalid_grant"), 400),
        (Fault("Viewer", "answer", status=200, code="INTERNAL_SERVER_ERROR"), 502),
    ],
    ids=["dropped", "client", "grant", "viewer"],
)
async def test_trouble_with_linear_links_nothing_and_can_be_repeated(
    site: Site, fault: Fault, status: int
) -> None:
    link = await site.address()
    site.world.linear.faults.add(fault)
    assert (await site.browser().walk(link)).status_code == status
    assert site.linked == []
    assert (await site.browser().walk(link)).status_code == 200
    assert site.world.linear.tokens.personal == {}


async def test_a_workspace_that_is_not_known_now_links_nothing(site: Site) -> None:
    site.organization = ""
    assert (await site.browser().walk(await site.address())).status_code == 502
    assert site.linked == []


async def test_a_full_disk_makes_no_links(site: Site) -> None:
    link = await site.address()
    site.world.database.is_full = True
    with pytest.raises(TryLater):
        await site.address()
    page = await site.browser().open(link)
    assert page.status_code == 200  # Reading works; going on does not.
    fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', page.text))
    browser = site.browser()
    browser.cookie = re.match(r"[^=]+=\"?([^;\"]*)", page.headers["Set-Cookie"])[1]  # type: ignore[index]  # It is there.
    assert (await browser.open("/oauth/linear/link", form=fields)).status_code == 503


async def test_other_providers_are_linked_elsewhere(site: Site) -> None:
    with pytest.raises(Refused):
        await site.link.link_for("GitHub", UNA)


async def test_neither_log_nor_pages_hold_a_secret(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    link, browser = await site.address(), site.browser()
    with caplog.at_level(logging.DEBUG):
        redirect = await browser.confirm(link)
        cookie = browser.cookie
        back = await browser.consent(redirect)
        await browser.open(back)
        await browser.open(back)
    query = parse_qs(urlsplit(back).query)
    secrets = [cookie, query["code"][0], query["state"][0], *site.world.given_back]
    ours = [record for record in caplog.records if record.name.startswith(("linear", "core"))]
    said = "".join(f"{record.getMessage()} {vars(record)}" for record in ours)
    pages = "".join(answer.text for answer in browser.shown)
    assert "account linked" in said
    assert not [secret for secret in secrets if secret in said + pages]
    assert parse_qs(urlsplit(link).query)["ticket"][0] not in said
