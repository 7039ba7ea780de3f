"""The install pages, passed through as a browser would, against the playground's Linear."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from core.web_pages import page
from linear.authorization import (
    CALLBACK_PATH,
    INSTALL_PATH,
    SCOPES,
    authorize_url,
    callback_url,
    challenge_of,
)
from linear.install import COOKIE, LinearInstall, OAuthApp, setup_link
from playground.linear_faults import Fault
from tests.linear.install_world import REDIRECT, World, install_world

PUBLIC_URL = "https://bot.acme.test"


@dataclass
class Browser:
    """Follows links by hand: keeps the cookie, shows redirects and pages."""

    base: str
    http: httpx.AsyncClient
    cookie: str = ""
    shown: list[httpx.Response] = field(default_factory=list)

    async def open(self, link: str) -> httpx.Response:
        """`link` is under the public address; the proxy in between is this line."""
        parts = urlsplit(link)
        answer = await self.http.get(
            f"{self.base}{parts.path}?{parts.query}", headers={"Cookie": f"{COOKIE}={self.cookie}"}
        )
        if set_cookie := re.match(rf"{COOKIE}=\"?([^;\"]*)", answer.headers.get("Set-Cookie", "")):
            self.cookie = set_cookie[1]
        self.shown.append(answer)
        return answer

    async def approve(self, redirect: httpx.Response) -> str:
        """Go where `redirect` leads, to the consent page; where that leads back to."""
        consent = await self.http.get(redirect.headers["Location"])
        assert consent.status_code == 302, consent.text
        return consent.headers["Location"]

    async def walk(self, link: str) -> httpx.Response:
        """From the setup link to the last page."""
        return await self.open(await self.approve(await self.open(link)))


@dataclass
class Site:
    world: World
    base: str

    def browser(self) -> Browser:
        return Browser(self.base, self.world.http)

    async def link(self) -> str:
        return await setup_link(self.world.tickets, PUBLIC_URL)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with install_world(tmp_path) as world:
        app = OAuthApp(
            client_id=world.linear.settings.client_id,
            public_url=PUBLIC_URL,
            api_url=world.linear.graphql_url,
            authorize_url=world.linear.authorize_url,
        )
        install = LinearInstall(
            world.http, app, world.endpoint(), world.installs, world.tickets, now=world.linear.clock.now
        )
        server = web.Application()
        server.add_routes(install.routes())
        runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Site(world, f"http://127.0.0.1:{runner.addresses[0][1]}")
        await runner.cleanup()


async def test_an_install_ends_with_tokens_that_work_and_says_what_to_do_next(site: Site) -> None:
    answer = await site.browser().walk(await site.link())
    assert answer.status_code == 200
    assert "Threadline is connected to Acme" in answer.text
    assert "delegate an issue to it" in answer.text
    assert "did not grant" not in answer.text
    stored = await site.world.stored()
    organization = site.world.linear.workspace.organization
    assert (stored.external_id, stored.organization) == (organization.id, "Acme")
    assert stored.app_user_id == site.world.linear.workspace.app_user.id
    assert stored.scopes == SCOPES
    client = site.world.client(site.world.source())
    assert (await client.workspace()).viewer.id == stored.app_user_id


async def test_linear_is_asked_for_an_app_with_proof(site: Site) -> None:
    redirect = await site.browser().open(await site.link())
    asked = {
        name: values[0] for name, values in parse_qs(urlsplit(redirect.headers["Location"]).query).items()
    }
    state, challenge = asked.pop("state"), asked.pop("code_challenge")
    assert len(state) >= 43
    assert re.fullmatch(r"[\w-]{43}", challenge)
    assert asked == {
        "response_type": "code",
        "client_id": site.world.linear.settings.client_id,
        "redirect_uri": REDIRECT,
        "scope": "read,write,issues:create,comments:create,app:assignable,app:mentionable",
        "actor": "app",
        "prompt": "consent",
        "code_challenge_method": "S256",
    }


async def test_the_cookie_is_bound_to_this_host_and_hidden_from_scripts(site: Site) -> None:
    redirect = await site.browser().open(await site.link())
    name, *attributes = redirect.headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=600"} <= set(attributes)
    assert not [each for each in attributes if each.startswith("Domain")]


@pytest.mark.parametrize("query", ["", "setup=", "setup=guess", "setup=%00%ff"])
async def test_without_a_setup_link_nothing_begins(site: Site, query: str) -> None:
    answer = await site.browser().open(f"{PUBLIC_URL}{INSTALL_PATH}?{query}")
    assert answer.status_code == 403
    assert "Location" not in answer.headers
    assert "threadline install linear" in answer.text


async def test_a_setup_link_counts_for_an_hour(site: Site) -> None:
    link = await site.link()
    await site.world.linear.advance(timedelta(minutes=59))
    assert (await site.browser().open(link)).status_code == 302
    await site.world.linear.advance(timedelta(minutes=1))
    assert (await site.browser().open(link)).status_code == 403


async def test_a_preview_of_the_link_does_not_use_it_up(site: Site) -> None:
    link = await site.link()
    assert (await site.browser().open(link)).status_code == 302
    parts = urlsplit(link)
    head = await site.world.http.head(f"{site.base}{parts.path}?{parts.query}")
    assert head.status_code == 405
    assert (await site.browser().walk(link)).status_code == 200


async def test_an_install_that_worked_ends_every_link_and_every_other_attempt(site: Site) -> None:
    link, other_link = await site.link(), await site.link()
    slow = site.browser()
    back = await slow.approve(await slow.open(link))
    assert (await site.browser().walk(link)).status_code == 200
    assert (await site.browser().open(link)).status_code == 403
    assert (await site.browser().open(other_link)).status_code == 403
    assert (await slow.open(back)).status_code == 400


async def test_a_state_counts_once(site: Site) -> None:
    browser = site.browser()
    back = await browser.approve(await browser.open(await site.link()))
    cookie = browser.cookie
    assert (await browser.open(back)).status_code == 200
    browser.cookie = cookie
    answer = await browser.open(back)
    assert answer.status_code == 400
    assert "This install is over" in answer.text
    assert site.world.grants == {"authorization_code": 1}


async def test_a_state_counts_for_ten_minutes(site: Site) -> None:
    browser = site.browser()
    back = await browser.approve(await browser.open(await site.link()))
    await site.world.linear.advance(timedelta(minutes=10))
    assert (await browser.open(back)).status_code == 400
    assert site.world.grants == {}


@pytest.mark.parametrize("state", ["", "guess"])
async def test_a_state_that_we_never_gave_does_not_count(site: Site, state: str) -> None:
    answer = await site.browser().open(f"{PUBLIC_URL}{CALLBACK_PATH}?code=c&state={state}")
    assert answer.status_code == 400
    assert site.world.grants == {}


@pytest.mark.parametrize("cookie", ["", "of-somebody-else"])
async def test_a_code_that_comes_through_another_browser_is_not_traded(site: Site, cookie: str) -> None:
    victim, attacker = site.browser(), site.browser()
    back = await attacker.approve(await attacker.open(await site.link()))
    victim.cookie = cookie
    answer = await victim.open(back)
    assert answer.status_code == 400
    assert "another browser" in answer.text
    assert site.world.grants == {}
    assert await site.world.installs.newest("linear") is None


async def test_a_setup_ticket_is_no_state_and_a_state_no_setup_ticket(site: Site) -> None:
    link = await site.link()
    setup = parse_qs(urlsplit(link).query)["setup"][0]
    redirect = await site.browser().open(link)
    state = parse_qs(urlsplit(redirect.headers["Location"]).query)["state"][0]
    assert (await site.browser().open(f"{INSTALL_PATH}?setup={state}")).status_code == 403
    assert (await site.browser().open(f"{CALLBACK_PATH}?code=c&state={setup}")).status_code == 400


async def test_a_code_of_another_attempt_does_not_fit(site: Site) -> None:
    browser = site.browser()
    stolen = site.world.approved_code()
    redirect = await browser.open(await site.link())
    state = parse_qs(urlsplit(redirect.headers["Location"]).query)["state"][0]
    answer = await browser.open(f"{PUBLIC_URL}{CALLBACK_PATH}?code={stolen}&state={state}")
    assert answer.status_code == 400
    assert await site.world.installs.newest("linear") is None


async def test_an_administrator_who_says_no_can_try_again_with_the_same_link(site: Site) -> None:
    link = await site.link()
    site.world.linear.tokens.admin_declines = True
    answer = await site.browser().walk(link)
    assert answer.status_code == 403
    assert "not approved" in answer.text
    site.world.linear.tokens.admin_declines = False
    assert (await site.browser().walk(link)).status_code == 200


async def test_what_linear_says_is_shown_without_its_markup(site: Site) -> None:
    browser = site.browser()
    redirect = await browser.open(await site.link())
    state = parse_qs(urlsplit(redirect.headers["Location"]).query)["state"][0]
    answer = await browser.open(f"{CALLBACK_PATH}?error=<script>alert(1)</script>&state={state}")
    assert answer.status_code == 400
    assert "<script" not in answer.text


async def test_a_callback_without_a_code_is_refused(site: Site) -> None:
    browser = site.browser()
    redirect = await browser.open(await site.link())
    state = parse_qs(urlsplit(redirect.headers["Location"]).query)["state"][0]
    assert (await browser.open(f"{CALLBACK_PATH}?state={state}")).status_code == 400


@pytest.mark.parametrize(
    ("fault", "status", "title"),
    [
        (Fault("oauth/token", "drop_before"), 502, "Linear did not answer"),
        (Fault("oauth/token", "answer", status=500, code="oops"), 502, "Linear did not answer"),
        (Fault("oauth/token", "answer", status=401, code="invalid_client"), 500, "not set up rightly"),
        (Fault("oauth/token", "answer", status=400, code="invalid_request"), 500, "not set up rightly"),
        (Fault("oauth/token", "answer", status=400, code="invalid_grant"), 400, "Nothing was connected"),
        (Fault("Workspace", "answer", status=200, code="INTERNAL_SERVER_ERROR"), 502, "did not answer"),
        (Fault("Workspace", "answer", status=403, code="FORBIDDEN"), 502, "Linear refused"),
    ],
    ids=["dropped", "500", "client", "request", "grant", "viewer", "forbidden"],
)
async def test_trouble_with_linear_connects_nothing_and_can_be_repeated(
    site: Site, fault: Fault, status: int, title: str
) -> None:
    link = await site.link()
    site.world.linear.faults.add(replace(fault))
    answer = await site.browser().walk(link)
    assert answer.status_code == status
    assert title in answer.text
    assert await site.world.installs.newest("linear") is None
    assert (await site.browser().walk(link)).status_code == 200


async def test_a_full_disk_is_told_before_and_after_the_consent(site: Site) -> None:
    link, browser = await site.link(), site.browser()
    back = await browser.approve(await browser.open(link))
    site.world.database.is_full = True
    assert (await browser.open(back)).status_code == 503
    assert (await site.browser().open(link)).status_code == 503
    assert await site.world.installs.newest("linear") is None


async def test_another_workspace_is_refused_and_its_token_given_back(site: Site) -> None:
    install = await site.world.install()
    await site.world.installs.revoke("linear", install.external_id, at=site.world.linear.clock.now())
    other = replace(install, external_id="org-other", organization="Other <b>Inc</b>")
    await site.world.installs.connect(other)
    answer = await site.browser().walk(await site.link())
    assert answer.status_code == 409
    assert "Other &lt;b&gt;Inc&lt;/b&gt;" in answer.text
    assert await site.world.stored() == other
    (token,) = site.world.given_back
    assert token not in {install.tokens.access_token, other.tokens.access_token}
    assert site.world.linear.tokens.actor_of(f"Bearer {token}") is None


async def test_the_same_workspace_can_install_again(site: Site) -> None:
    before = await site.world.install()
    assert (await site.browser().walk(await site.link())).status_code == 200
    after = await site.world.stored()
    assert after.external_id == before.external_id
    assert after.tokens != before.tokens


async def test_scopes_that_were_not_granted_are_named(site: Site) -> None:
    browser = site.browser()
    redirect = await browser.open(await site.link())
    narrower = redirect.headers["Location"].replace("%2Capp%3Amentionable", "")
    consent = await site.world.http.get(narrower)
    answer = await browser.open(consent.headers["Location"])
    assert "Linear did not grant: app:mentionable" in answer.text


async def test_pages_are_plain_and_leak_no_address(site: Site) -> None:
    browser = site.browser()
    await browser.walk(await site.link())
    await browser.open(INSTALL_PATH)
    for answer in browser.shown:
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_neither_log_nor_pages_hold_a_secret(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    link, browser = await site.link(), site.browser()
    with caplog.at_level(logging.DEBUG):
        redirect = await browser.open(link)
        cookie = browser.cookie
        back = await browser.approve(redirect)
        await browser.open(back)
        await browser.open(back)
    tokens = (await site.world.stored()).tokens
    query = parse_qs(urlsplit(back).query)
    secrets = [cookie, tokens.access_token, str(tokens.refresh_token), query["code"][0], query["state"][0]]
    secrets += [site.world.linear.settings.client_secret, link.split("=")[1]]
    ours = [record for record in caplog.records if record.name.startswith(("linear", "core"))]
    said = "".join(f"{record.getMessage()} {vars(record)}" for record in ours)
    said += "".join(answer.text for answer in browser.shown)
    assert "linear connected" in said
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [
        ("https://bot.acme.test", "https://bot.acme.test/oauth/linear/callback"),
        ("https://bot.acme.test/", "https://bot.acme.test/oauth/linear/callback"),
        ("https://bot.acme.test:8443", "https://bot.acme.test:8443/oauth/linear/callback"),
        ("http://localhost:8080", "http://localhost:8080/oauth/linear/callback"),
        ("http://[::1]:8080", "http://[::1]:8080/oauth/linear/callback"),
    ],
)
def test_the_callback_is_under_the_public_address(public_url: str, expected: str) -> None:
    assert callback_url(public_url) == expected


@pytest.mark.parametrize(
    "public_url",
    [
        "http://bot.acme.test",
        "http://localhost.evil.test",
        "https://",
        "bot.acme.test",
        "https://bot.acme.test/sub",
        "https://bot.acme.test?x=1",
        "https://bot.acme.test#x",
    ],
)
def test_an_address_over_which_a_code_would_be_unsafe_is_refused(public_url: str) -> None:
    with pytest.raises(ValueError, match="https address"):
        callback_url(public_url)


async def test_no_link_is_made_for_an_address_that_cannot_be_used(site: Site) -> None:
    with pytest.raises(ValueError, match="https address"):
        await setup_link(site.world.tickets, "http://bot.acme.test")


def test_the_challenge_is_that_of_the_standard() -> None:
    # The example of RFC 7636, appendix B.
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@given(st.text(), st.text())
def test_what_is_asked_of_linear_survives_any_text(client_id: str, state: str) -> None:
    address = authorize_url(
        "https://linear.test/oauth", client_id=client_id, redirect_uri=REDIRECT, state=state, verifier="v"
    )
    asked = parse_qs(urlsplit(address).query, keep_blank_values=True)
    assert (asked["client_id"], asked["state"], asked["actor"]) == ([client_id], [state], ["app"])


@given(st.text())
def test_a_page_holds_no_markup_of_others(text: str) -> None:
    written = page(text, [text])
    plain = page("", [""])
    assert written.count("<") == plain.count("<")
