"""The pages that link accounts at GitHub, passed through as browsers would, by the honest and by others."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from core.activities import Author
from core.errors import Refused, TryLater
from core.pulls import CodeAccount
from core.review.accounts import Linkers
from core.store.tickets import digest_of
from github.link import CONFIRM_PATH, LINK_PATH
from github.oauth import LINK_CALLBACK_PATH
from playground.github import Fault
from tests.github.link_world import (
    ANA,
    ANA_IN_LINEAR,
    ANA_IN_TEAMS,
    BEN,
    GUS,
    MALLORY,
    STRANGER,
    World,
    away,
    link_world,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with link_world(tmp_path) as world:
        yield world


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


def ticket_in(address: str) -> str:
    return parse_qs(urlsplit(address).query)["ticket"][0]


async def test_a_link_counts_when_the_person_has_confirmed_it_in_chat(world: World) -> None:
    browser = world.browser()
    answer = await browser.walk(await world.address(), "ana-codes")
    assert answer.status_code == 200
    assert "One step is left" in answer.text
    account = world.there.world.account("ana-codes")
    [(linked, person)] = world.linked
    assert linked == CodeAccount(
        person="linear:u-ana", id=account.id, login="ana-codes", can_act=False, evidence="oauth+email"
    )
    assert (person.id, await world.book.account_of(ANA), world.active) == (ANA.id, None, [])

    answer = await browser.press(await world.address())
    assert answer.status_code == 200
    assert "Your account is linked" in answer.text
    found = await world.book.account_of(ANA)
    assert found is not None
    assert found.can_act
    assert [one.id for one in world.active] == [ANA.id]
    token = await world.tokens.token(found)
    assert (await world.oauth.whoami(token)).login == "ana-codes"


async def test_every_page_names_both_sides_and_nothing_in_them_is_markup(world: World) -> None:
    browser = world.browser()
    first = await browser.open(await world.address())
    assert "Ana &lt;b&gt; in Slack (account T1/UANA)" in first.text
    assert "close this page" in first.text
    left = await browser.walk(await world.address(), "ana-codes")
    second = await browser.open(await world.address())
    done = await browser.press(await world.address())
    for page in (left, second, done):
        assert "@ana-codes" in page.text
        assert "Ana &lt;b&gt; in Slack (account T1/UANA)" in page.text
    for page in browser.shown:
        assert "<b>" not in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


async def test_the_cookie_stays_with_this_host(world: World) -> None:
    page = await world.browser().open(await world.address())
    name, *attributes = page.headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes)
    assert not world.made("http://127.0.0.1:8080").cookie.startswith("__Host-")
    with pytest.raises(ValueError, match="https"):
        world.made("http://bot.acme.test")


async def test_github_is_asked_with_proof_and_which_account(world: World) -> None:
    redirect = await world.browser().press(await world.address())
    assert redirect.status_code == 303
    query = {name: one[0] for name, one in parse_qs(urlsplit(redirect.headers["Location"]).query).items()}
    assert query["redirect_uri"] == f"https://bot.acme.test{LINK_CALLBACK_PATH}"
    assert (query["code_challenge_method"], query["prompt"]) == ("S256", "select_account")
    assert len(query["state"]) >= 43


async def test_what_linear_knows_is_evidence_enough(world: World) -> None:
    world.town.code_ids["u-ana"] = world.there.world.account("victor").id
    await world.browser().walk(await world.address(), "victor")
    [(linked, _)] = world.linked
    assert linked.evidence == "oauth+linear"


async def test_people_in_linear_link_by_what_linear_knows(world: World) -> None:
    world.town.code_ids["u-ana"] = world.there.world.account("ana-codes").id
    account = await world.linked_up(ANA_IN_LINEAR)
    assert (account.person, account.evidence, account.can_act) == ("linear:u-ana", "oauth+linear", True)
    assert await world.book.account_of(ANA_IN_TEAMS) == account


@pytest.mark.parametrize("login", ["victor", "mallory"])
async def test_an_account_that_nothing_shows_to_be_theirs_is_refused(world: World, login: str) -> None:
    answer = await world.browser().walk(await world.address(BEN), login)
    assert (answer.status_code, world.linked) == (403, [])
    assert "Either connect it in Linear (Settings, Connected accounts)" in answer.text
    assert "or add and verify at GitHub the address that Slack knows" in answer.text
    assert not world.lives(login), "what was not linked is given back"


async def test_a_sent_link_that_somebody_else_follows_does_nothing(world: World) -> None:
    """Mallory sends Victor her own link; he signs in as himself, and has her address besides: unverified."""
    answer = await world.browser().walk(await world.address(MALLORY), "victor")
    assert answer.status_code == 403
    assert await world.book.account_of(MALLORY) is None
    assert world.linked == []


async def test_a_sent_link_does_not_end_what_the_victim_has_linked(world: World) -> None:
    account = await world.linked_up()
    answer = await world.browser().walk(await world.address(MALLORY), "ana-codes")
    assert answer.status_code == 403
    token = await world.tokens.token(account)
    assert (await world.oauth.whoami(token)).login == "ana-codes"


async def test_an_administrator_may_let_people_link_without_evidence(tmp_path: Path) -> None:
    async with link_world(tmp_path, without_match=True) as world:
        account = await world.linked_up(BEN, "victor")
        assert (account.evidence, account.can_act) == ("oauth+admin", True)


async def test_without_evidence_a_sent_link_alone_still_gives_nothing_away(tmp_path: Path) -> None:
    """It is confirmed by who sits where somebody signed in: Mallory's browser is another one."""
    async with link_world(tmp_path, without_match=True) as world:
        left = await world.browser().walk(await world.address(MALLORY), "victor")
        assert "One step is left" in left.text
        confirm = await world.address(MALLORY)
        answer = await world.browser().open(confirm)
        assert answer.status_code == 400
        assert "You signed in as @victor in another browser" in answer.text
        mallory = world.browser()
        await mallory.open(await world.link.link_for("GitHub", BEN))
        form = {"ticket": ticket_in(confirm), "page": digest_of(mallory.cookie)}
        assert (await mallory.open(CONFIRM_PATH, form=form)).status_code == 400
        assert await world.book.account_of(MALLORY) is None
        assert world.active == []


async def test_what_somebody_else_linked_meanwhile_is_not_theirs_to_confirm(tmp_path: Path) -> None:
    async with link_world(tmp_path, without_match=True) as world:
        await world.browser().walk(await world.address(MALLORY), "victor")
        mallorys = await world.address(MALLORY)
        victim = world.browser()
        await victim.walk(await world.address(BEN), "victor")
        assert (await victim.press(mallorys)).status_code == 403
        assert (await victim.press(await world.address(BEN))).status_code == 200
        assert [one.id for one in world.active] == [BEN.id]


@pytest.mark.parametrize("query", ["", "ticket=", "ticket=guess", "ticket=%00%ff"])
@pytest.mark.parametrize("path", [LINK_PATH, CONFIRM_PATH])
async def test_without_a_link_nothing_begins(world: World, path: str, query: str) -> None:
    answer = await world.browser().open(f"{path}?{query}")
    assert answer.status_code == 403
    assert "<form" not in answer.text


async def test_a_link_counts_for_an_hour_and_once(world: World) -> None:
    old = await world.address()
    world.later(timedelta(minutes=59))
    assert (await world.browser().open(old)).status_code == 200
    world.later(timedelta(minutes=1))
    assert (await world.browser().open(old)).status_code == 403
    link = await world.address()
    assert (await world.browser().walk(link, "ana-codes")).status_code == 200
    assert (await world.browser().open(link)).status_code == 403


async def test_of_two_attempts_with_one_link_the_first_wins(world: World) -> None:
    link, slow = await world.address(), world.browser()
    back = await slow.agree(await slow.press(link), "ana-codes")
    assert (await world.browser().walk(link, "ana-codes")).status_code == 200
    assert (await slow.open(back)).status_code == 403
    assert len(world.linked) == 1


async def test_a_state_counts_once_for_ten_minutes_and_in_its_browser(world: World) -> None:
    link, browser, victim = await world.address(), world.browser(), world.browser()
    back = await browser.agree(await browser.press(link), "ana-codes")
    assert (await victim.open(back)).status_code == 400
    assert (await browser.open(back)).status_code == 400
    late = await browser.agree(await browser.press(link), "ana-codes")
    world.clock.advance(timedelta(minutes=10))
    assert (await browser.open(late)).status_code == 400
    assert (world.linked, world.counts("token")) == ([], 0)


async def test_a_state_of_another_attempt_does_not_fit(world: World) -> None:
    """Mallory puts her own code into the address that Ana's browser is sent to: PKCE tells them apart."""
    ana, mallory = world.browser(), world.browser()
    anas = await ana.agree(await ana.press(await world.address()), "ana-codes")
    theirs = await mallory.agree(await mallory.press(await world.address(MALLORY)), "mallory")
    mixed = {
        "code": parse_qs(urlsplit(theirs).query)["code"][0],
        "state": parse_qs(urlsplit(anas).query)["state"][0],
    }
    answer = await ana.open(f"{LINK_CALLBACK_PATH}?{urlencode(mixed)}")
    assert (answer.status_code, world.linked) == (400, [])


async def test_a_code_counts_once(world: World) -> None:
    browser, link = world.browser(), await world.address()
    back = await browser.agree(await browser.press(link), "ana-codes")
    code = parse_qs(urlsplit(back).query)["code"][0]
    world.there.tokens.exchange(code, "guess", f"https://bot.acme.test{LINK_CALLBACK_PATH}")
    assert (await browser.open(back)).status_code == 400
    assert world.linked == []


@pytest.mark.parametrize("path", [LINK_PATH, CONFIRM_PATH])
@pytest.mark.parametrize("page", [None, "", "0" * 64])
async def test_a_form_of_somebody_else_leads_nowhere(world: World, path: str, page: str | None) -> None:
    browser = world.browser()
    if path == CONFIRM_PATH:
        await browser.walk(await world.address(), "ana-codes")
    form = {"ticket": ticket_in(await world.address())} | ({} if page is None else {"page": page})
    assert (await browser.open(path, form=form)).status_code == 400
    browser.cookie = "mine"
    assert (await browser.open(path, form=form)).status_code == 400
    assert (await browser.open(path, form={"ticket": "x" * 5000})).status_code == 400
    assert world.active == []


async def test_one_kind_of_link_is_no_other_kind(world: World) -> None:
    start, browser = await world.address(), world.browser()
    assert (await browser.open(f"{CONFIRM_PATH}?ticket={ticket_in(start)}")).status_code == 403
    await browser.walk(start, "ana-codes")
    confirm = await world.address()
    assert urlsplit(confirm).path == CONFIRM_PATH
    assert (await browser.open(f"{LINK_PATH}?ticket={ticket_in(confirm)}")).status_code == 403


async def test_what_is_not_confirmed_in_an_hour_is_given_back(world: World) -> None:
    browser = world.browser()
    await browser.walk(await world.address(), "ana-codes")
    world.later(timedelta(minutes=30))
    confirm = await world.address()
    world.later(timedelta(minutes=30))
    assert (await browser.press(confirm)).status_code == 403
    assert urlsplit(await world.address()).path == LINK_PATH, "it can be begun again"
    world.later(timedelta(seconds=1))
    await world.link.tidy()
    assert not world.lives("ana-codes")
    assert (await world.linked_up()).can_act


async def test_a_confirmation_counts_for_the_account_that_it_was_made_for(world: World) -> None:
    """After another sign-in, what was asked before is not about that one."""
    world.there.person("ana-at-work", emails=["ana@linear.test"])
    browser = world.browser()
    start = [await world.address(), await world.address()]
    await browser.walk(start[0], "ana-codes")
    confirm = await world.address()
    await browser.walk(start[1], "ana-at-work")
    assert (await browser.press(confirm)).status_code == 403
    assert not world.lives("ana-codes"), "the first one is given back"
    assert world.active == []


async def test_a_second_account_and_a_second_person_are_refused(world: World) -> None:
    world.there.person("ana-at-work", emails=["ana@linear.test"])
    await world.linked_up()
    answer = await world.browser().walk(await world.address(), "ana-at-work")
    assert answer.status_code == 409
    assert "linked to @ana-codes already" in answer.text
    assert not world.lives("ana-at-work")
    world.town.people[BEN.id] = Author("slack", BEN.id, "Ben", email="ana@acme.test")
    answer = await world.browser().walk(await world.address(BEN), "ana-codes")
    assert answer.status_code == 409
    assert "linked to Ana &lt;b&gt; already" in answer.text
    assert world.lives("ana-codes"), "the link that stands keeps its tokens"


async def test_the_same_account_again_needs_no_second_confirmation(world: World) -> None:
    first = await world.linked_up()
    world.town.code_ids["u-ana"] = first.id
    answer = await world.browser().walk(await world.address(ANA_IN_TEAMS), "ana-codes")
    assert "Your account is linked" in answer.text
    assert await world.book.account_of(ANA) == replace(first, evidence="oauth+linear")
    assert [one.id for one in world.active] == [ANA.id, ANA_IN_TEAMS.id]


@pytest.mark.parametrize("person", [GUS, STRANGER, Author("github", "42", "eve")])
async def test_guests_strangers_and_github_itself_get_no_link(world: World, person: Author) -> None:
    with pytest.raises(Refused):
        await world.address(person)


async def test_who_became_a_guest_in_between_is_refused(world: World) -> None:
    browser, link = world.browser(), await world.address(BEN)
    back = await browser.agree(await browser.press(link), "ben-codes")
    world.town.people[BEN.id] = Author("slack", BEN.id, "Ben", email="ben@acme.test", is_guest=True)
    assert (await browser.open(back)).status_code == 403
    assert world.linked == []


async def test_a_bots_account_is_refused(world: World) -> None:
    bot = world.there.world.add_account("helper[bot]", emails=[("ben@acme.test", True)], is_bot=True)
    browser = world.browser()
    answer = await browser.open(await browser.agree(await browser.press(await world.address(BEN)), bot.login))
    assert (answer.status_code, world.linked) == (403, [])


async def test_who_says_no_can_try_again(world: World) -> None:
    browser, link = world.browser(), await world.address()
    redirect = await browser.press(link)
    state = parse_qs(urlsplit(redirect.headers["Location"]).query)["state"][0]
    no = urlencode({"error": "access_denied", "state": state})
    assert (await browser.open(f"{LINK_CALLBACK_PATH}?{no}")).status_code == 403
    assert (await browser.walk(link, "ana-codes")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "fault", "times", "status"),
    [
        ("token", Fault(drop="before"), 1, 502),
        ("token", Fault(status=200, text='{"error": "incorrect_client_credentials"}'), 1, 500),
        ("token", Fault(status=200, text='{"error": "bad_verification_code"}'), 1, 400),
        ("GET /user", Fault(status=500), 3, 502),
        ("GET /user/emails", Fault(status=500), 3, 502),
    ],
    ids=["dropped", "client", "code", "whoami", "emails"],
)
async def test_trouble_at_github_links_nothing_and_can_be_repeated(
    world: World, kind: str, fault: Fault, times: int, status: int
) -> None:
    link = await world.address()
    world.there.fail(kind, fault, times)
    assert (await world.browser().walk(link, "ana-codes")).status_code == status
    assert world.linked == []
    assert (await world.browser().walk(link, "ana-codes")).status_code == 200


async def test_without_the_right_to_read_addresses_linear_has_to_know(world: World) -> None:
    link = await world.address()
    world.there.fail("GET /user/emails", Fault(status=403, message="Resource not accessible by integration"))
    assert (await world.browser().walk(link, "ana-codes")).status_code == 403
    world.town.code_ids["u-ana"] = world.there.world.account("ana-codes").id
    world.there.fail("GET /user/emails", Fault(status=403, message="Resource not accessible by integration"))
    assert (await world.browser().walk(link, "ana-codes")).status_code == 200


async def test_while_chat_does_not_answer_nothing_is_linked(world: World) -> None:
    link, browser = await world.address(), world.browser()
    back = await browser.agree(await browser.press(link), "ana-codes")
    world.town.error = away()
    with pytest.raises(TryLater):
        await world.address()
    assert (await browser.open(back)).status_code == 502
    world.town.error = None
    assert (await browser.walk(link, "ana-codes")).status_code == 200


async def test_a_full_disk_links_nothing_and_gives_the_grant_back(world: World) -> None:
    link, browser = await world.address(), world.browser()
    redirect = await browser.press(link)
    world.database.is_full = True
    with pytest.raises(TryLater):
        await world.address()
    assert (await browser.press(link)).status_code == 503
    world.database.is_full = False
    assert redirect.status_code == 303
    assert (await world.browser().walk(link, "ana-codes")).status_code == 200


async def test_a_confirmation_that_could_not_be_told_is_told_with_the_next_press(world: World) -> None:
    """What waits for the link must go on, whatever happens to the first attempt to say so."""
    browser = world.browser()
    await browser.walk(await world.address(), "ana-codes")
    confirm = await world.address()
    world.is_deaf = True
    assert (await browser.press(confirm)).status_code == 503
    assert world.active == []
    assert (await browser.press(confirm)).status_code == 200
    assert [one.id for one in world.active] == [ANA.id]


async def test_who_cannot_be_asked_in_chat_learns_from_the_page_what_to_write(world: World) -> None:
    browser = world.browser()
    world.is_deaf = True
    answer = await browser.walk(await world.address(), "ana-codes")
    assert (answer.status_code, world.linked) == (200, [])
    assert "write “link github” there" in answer.text
    assert "is linked" in (await browser.press(await world.address())).text


async def test_a_repeated_link_that_could_not_be_told_is_told_with_the_next(world: World) -> None:
    await world.linked_up()
    link = await world.address()
    world.is_deaf = True
    assert (await world.browser().walk(link, "ana-codes")).status_code == 503
    assert (await world.browser().walk(link, "ana-codes")).status_code == 200
    assert [one.id for one in world.active] == [ANA.id, ANA.id]


async def test_who_unlinks_instead_of_confirming_has_linked_nothing(world: World) -> None:
    browser = world.browser()
    await browser.walk(await world.address(), "ana-codes")
    confirm = await world.address()
    gone = await world.book.unlink(ANA)
    assert gone is not None
    assert gone.is_over
    assert (await browser.press(confirm)).status_code == 403
    assert not world.lives("ana-codes")


async def test_links_lead_to_the_provider_that_they_are_for(world: World) -> None:
    linkers = Linkers({"GitHub": world.link})
    assert urlsplit(await linkers.link_for("GitHub", ANA)).path == LINK_PATH
    with pytest.raises(Refused, match="Linear"):
        await linkers.link_for("Linear", ANA)
    with pytest.raises(Refused, match="Linear"):
        await world.link.link_for("Linear", ANA)


async def test_neither_log_nor_pages_nor_database_hold_a_secret(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link, browser = await world.address(), world.browser()
    with caplog.at_level(logging.DEBUG):
        redirect = await browser.press(link)
        cookie = browser.cookie
        back = await browser.agree(redirect, "ana-codes")
        await browser.open(back)
        await browser.open(back)
        confirm = await world.address()
        await browser.press(confirm)
        pair = await world.store.pair(world.linked[0][0].id)
    assert pair is not None
    assert pair.refresh_token is not None
    query = parse_qs(urlsplit(back).query)
    tokens = [pair.access_token, pair.refresh_token, query["code"][0], query["state"][0], cookie]
    tickets = [ticket_in(link), ticket_in(confirm)]
    ours = [one for one in caplog.records if one.name.startswith(("github", "core"))]
    said = "".join(f"{one.getMessage()} {vars(one)}" for one in ours)
    pages = "".join(page.text for page in browser.shown)
    assert "code account linked" in said
    assert not [one for one in tokens if one in said + pages]
    assert not [one for one in tickets if one in said]
    stored = everything_in(tmp_path)
    assert b"ana-codes" in stored
    assert not [one for one in [*tokens, *tickets] if one.encode() in stored]
    assert not re.search(rb"gh[ru]_", stored)
