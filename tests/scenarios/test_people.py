"""People whom Linear does not know, guests and people from elsewhere: private links and what they let in."""

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import count
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from playground.scripts import run
from playground.slack_blocks import elements_of
from playground.slack_state import Message, Person
from playground.stage import Stage
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import CHANGELOG, script
from tests.scenarios.thread import DONE, QUEUED, Thread, new_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = count(1)


def held(name: str) -> dict[str, object]:
    """A step that waits until it is released; each name counts once."""
    return {"text": "Looking.", "tools": [run("true")], "hold": name}


def with_links(stage: Stage) -> None:
    """A service whose people have to be known in Linear, and can say who they are."""
    file = stage.folder / "threadline.toml"
    file.write_text(file.read_text() + '\n[people]\nunlinked = "link"\n')
    stage.settings |= {
        "THREADLINE_LINEAR__CLIENT_ID": stage.linear.settings.client_id,
        "THREADLINE_LINEAR__CLIENT_SECRET": stage.linear.settings.client_secret,
        "THREADLINE_LINEAR__AUTHORIZE_URL": stage.linear.authorize_url,
        "THREADLINE_PUBLIC_URL": stage.url,
    }
    stage.linear.tokens.redirect_uris.add(f"{stage.url}/oauth/linear/link/callback")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with on_stage(tmp_path_factory.mktemp("people")) as stage:
        with_links(stage)
        await stage.serve()
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def thread(stage: Stage) -> Thread:
    thread = Thread(stage, new_channel(stage))
    for user in ("U0GST", "U0EXT"):
        stage.slack.people.join(user, thread.channel)
    return thread


class Stranger:
    """Somebody with an account in both, under different addresses; `id` is Slack's."""

    def __init__(self, thread: Thread) -> None:
        number = next(NUMBERS)
        self.id, self.name, self.thread, self.stage = f"U0UNA{number}", f"Una{number}", thread, thread.stage
        slack = self.stage.slack.workspace
        slack.people[self.id] = Person(self.id, self.name, f"una{number}@else.test")
        slack.channels[thread.channel].members.add(self.id)
        self.in_linear = self.stage.linear.workspace.add_person(f"Una{number}", f"una{number}@acme.test")

    def whispers(self) -> list[Message]:
        """What only they see in the thread's channel."""
        messages = self.stage.slack.workspace.channels[self.thread.channel].messages.values()
        return [one for one in messages if one.only_for == self.id]

    async def link(self, number: int = 1) -> str:
        """The address of the private link that they were sent as the `number`th."""
        await self.thread.until(lambda: len(self.whispers()) >= number, "they were sent a link")
        [url] = [element["url"] for _, element in elements_of(self.whispers()[number - 1].blocks)]
        assert isinstance(url, str)
        return url


def database_of(stage: Stage) -> list[bytes]:
    return [file.read_bytes() for file in (stage.folder / "var").glob("threadline.db*")]


async def to_linear(browser: httpx.AsyncClient, link: str) -> httpx.Response:
    """Open the link and press its button; what leads on to Linear, or a page that says why not."""
    page = await browser.get(link)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', page.text))
    if not fields:
        return page
    return await browser.post(link.split("?")[0], data=fields)


async def sign_in(link: str, *, as_user: str, stage: Stage) -> httpx.Response:
    """All the way in a browser of its own, signed in to Linear as this member."""
    stage.linear.tokens.visitor = as_user
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        return await to_linear(browser, link)


async def test_a_request_of_somebody_unknown_waits_for_a_link_and_runs_by_itself(
    thread: Thread, stage: Stage
) -> None:
    stage.model.play([script(*CHANGELOG)])
    una = Stranger(thread)
    asked = thread.mention("add a line to the changelog", by=una.id)
    link = await una.link()
    await thread.until_marked(asked, QUEUED)
    assert f"I don't know you in Linear yet, {una.name}." in una.whispers()[0].shown_text()
    assert thread.texts() == [
        f"Waiting for {una.name} to link an account at Linear;"
        " the link is in a message that only they can see."
    ]
    assert thread.issues() == []

    page = await sign_in(link, as_user=una.in_linear.id, stage=stage)
    assert (page.status_code, "Your account is linked" in page.text) == (200, True)
    await thread.ended()
    await thread.until_marked(asked, DONE)
    assert (thread.issue()["assignee"], thread.issue()["createdAsUser"]) == (una.name, None)
    assert thread.shows("The changelog has a line more.")
    again = thread.say("and another one", by=una.id)
    await thread.ended(2)
    await thread.until_marked(again, DONE)
    assert len(una.whispers()) == 1

    assert stage.linear.tokens.personal == {}
    ticket = parse_qs(urlsplit(link).query)["ticket"][0]
    assert ticket not in stage.log
    assert not any(ticket.encode() in stored for stored in await asyncio.to_thread(database_of, stage))


async def test_a_link_counts_once_and_in_one_browser(thread: Thread, stage: Stage) -> None:
    stage.model.play([script(*CHANGELOG)])
    una, other = Stranger(thread), Stranger(thread)
    thread.mention("add a line to the changelog", by=una.id)
    link = await una.link()
    stage.linear.tokens.visitor = una.in_linear.id
    async with httpx.AsyncClient() as browser, httpx.AsyncClient() as another:
        consent = await to_linear(browser, link)
        back = (await browser.get(consent.headers["location"])).headers["location"]
        stolen = await another.get(back)
        assert (stolen.status_code, "another browser" in stolen.text) == (400, True)
        reused = await browser.get(back)
        assert (reused.status_code, "over" in reused.text) == (400, True)
    assert thread.issues() == []

    assert (await sign_in(link, as_user=una.in_linear.id, stage=stage)).status_code == 200
    assert (await sign_in(link, as_user=una.in_linear.id, stage=stage)).status_code == 403
    await thread.ended()
    thread.mention("and another", by=other.id)
    taken = await sign_in(await other.link(), as_user=una.in_linear.id, stage=stage)
    assert (taken.status_code, "another link" in taken.text) == (409, True)
    assert len(thread.issues()) == 1
    assert len(thread.cards()) == 1


async def test_a_foreign_form_begins_nothing(thread: Thread, stage: Stage) -> None:
    una = Stranger(thread)
    thread.mention("fix it", by=una.id)
    link = await una.link()
    ticket = parse_qs(urlsplit(link).query)["ticket"][0]
    async with httpx.AsyncClient() as victim:
        for fields in (
            {"ticket": ticket},
            {"ticket": ticket, "page": ""},
            {"ticket": ticket, "page": "0" * 64},
        ):
            assert (await victim.post(link.split("?")[0], data=fields)).status_code == 400
    assert stage.linear.tokens.personal == {}


async def test_somebody_unknown_who_steers_is_waited_for_on_both_sides(thread: Thread, stage: Stage) -> None:
    told = {"text": "Done, with tests."}
    stage.model.play([script(held("steer"), {"text": "Done.", "if_told": {"with tests": (told,)}})])
    una = Stranger(thread)
    thread.mention("fix the search")
    await thread.until_held("steer")
    thread.say("with tests please", by=una.id)
    link = await una.link()
    waiting = f"Waiting for {una.name} in Slack to link an account at Linear."
    await thread.until(lambda: waiting in thread.told("thought"), "Linear shows who is waited for")
    assert "ticket" not in str(thread.session())
    assert (await sign_in(link, as_user=una.in_linear.id, stage=stage)).status_code == 200
    await thread.until(
        lambda: any("with tests please" in body for body in thread.told("thought")), "it goes on"
    )
    stage.model.release("steer")
    await thread.ended()
    assert thread.shows("Done, with tests.")


async def test_what_waits_outlives_the_service(thread: Thread, stage: Stage) -> None:
    stage.model.play([script(*CHANGELOG)])
    una = Stranger(thread)
    asked = thread.mention("add a line to the changelog", by=una.id)
    link = await una.link()
    await stage.kill()
    await stage.serve()
    assert (await sign_in(link, as_user=una.in_linear.id, stage=stage)).status_code == 200
    await stage.kill()
    await stage.serve()
    await thread.ended()
    await thread.until_marked(asked, DONE)
    assert len(thread.cards()) == 1


async def test_a_new_link_comes_with_the_next_try_and_with_the_word(thread: Thread, stage: Stage) -> None:
    stage.model.play([script({"text": "Done."})])
    una = Stranger(thread)
    thread.mention("fix it", by=una.id)
    first = await una.link()
    thread.say("please", by=una.id)
    second = await una.link(2)
    thread.say("link", by=una.id)
    third = await una.link(3)
    assert len({first, second, third}) == 3
    assert len(thread.texts()) == 1
    assert (await sign_in(third, as_user=una.in_linear.id, stage=stage)).status_code == 200
    await thread.ended()
    assert len(thread.issues()) == 1


@pytest.mark.parametrize(
    ("user", "sentence"), [("U0GST", "Guests can read along"), ("U0EXT", "People from other organisations")]
)
async def test_guests_and_people_from_elsewhere_read_and_may_stop(
    thread: Thread, stage: Stage, user: str, sentence: str
) -> None:
    def told() -> list[str]:
        messages = stage.slack.workspace.channels[thread.channel].messages.values()
        return [one.shown_text() for one in messages if one.only_for == user]

    stage.model.play([script(held(user), {"text": "Done."})])
    outside = Thread(stage, thread.channel)
    asked = outside.mention("fix the search", by=user)
    await outside.until(told, "they are told privately")
    assert sentence in told()[0]
    await outside.until_marked(asked)
    assert (outside.texts(), outside.issues()) == ([], [])

    thread.mention("fix the search")
    await thread.until_held(user)
    thread.say("and the ranking", by=user)
    await thread.until(lambda: len(told()) == 2, "they are told again")
    thread.say("stop", by=user)
    await thread.ended()
    assert not any("ranking" in body for body in thread.told("thought"))
