"""What every chat surface promises: `core.ports.ChatSurface`."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bots.slack.client import build_client, open_session
from bots.slack.render import render as slack_render
from bots.slack.surface import SlackSurface
from bots.teams import http
from bots.teams.address import Address
from bots.teams.connector import Connector
from bots.teams.directory import Directory
from bots.teams.doubts import MAYBE_SAID, SHOW
from bots.teams.heard import Heard
from bots.teams.people import People
from bots.teams.render import render as teams_render
from bots.teams.surface import TeamsSurface
from bots.teams.tokens import BotToken
from core.activities import Fate
from core.ids import MessageRef, ThreadRef
from core.mirror.cards import NoticeItem, Render
from core.ports import ChatSurface, Payload
from core.store.addresses import AddressStore
from playground.slack import BOT_TOKEN, SlackPlayground
from playground.teams import APP_ID, APP_SECRET, BOT, TENANT, TeamsConfig, TeamsPlayground
from tests.core.mirror.fakes import FakeSurface
from tests.core.store.fakes import opened

MARKS = {
    "eyes": Fate.SEEN,
    "hourglass_flowing_sand": Fate.QUEUED,
    "white_check_mark": Fate.DONE,
    "1f440_eyes": Fate.SEEN,
    "231b_hourglassdone": Fate.QUEUED,
    "2705_whiteheavycheckmark": Fate.DONE,
}
ENG = "19:eng@thread.tacv2"


@dataclass
class Place:
    """A surface with one thread that a person began; `texts` and `fates` are what is to be seen there.

    `in_doubt` is how a message reads of which nobody knows whether it is there already.
    """

    surface: ChatSurface
    render: Render
    asked: MessageRef
    texts: Callable[[], list[str]]
    fates: Callable[[], set[Fate]]
    in_doubt: Callable[[str], str] = str

    @property
    def thread(self) -> ThreadRef:
        return self.asked.thread

    def words(self, text: str) -> Payload:
        return self.render(NoticeItem(text))[0]


async def slack(_: Path) -> AsyncIterator[Place]:
    async with SlackPlayground() as playground, open_session() as session:
        root = playground.people.say("U0ANN", "C0001", "<@U0BOT> fix search")
        asked = MessageRef(ThreadRef("slack", "T0001", "C0001", root), root)

        def texts() -> list[str]:
            return [one["text"] for one in playground.transcript("C0001", root)[1:]]

        def fates() -> set[Fate]:
            return {MARKS[name] for name in playground.workspace.message("C0001", root).reactions}

        surface = SlackSurface(build_client(BOT_TOKEN, playground.api_url, session))
        yield Place(surface, slack_render, asked, texts, fates)


async def teams(folder: Path) -> AsyncIterator[Place]:
    config = TeamsConfig(rate_factor=None)
    async with TeamsPlayground(config) as playground, http.open_session() as session, opened(folder) as base:
        token = BotToken(session, playground.token_url, app_id=APP_ID, secret=APP_SECRET)
        connector = Connector(session, token, service_hosts=["127.0.0.1"])
        directory = Directory(AddressStore(base, "teams"))
        root = playground.people.mention("29:ann", ENG, "fix search")
        asked = MessageRef(ThreadRef("teams", TENANT, ENG, root), root)
        home = Address(TENANT, playground.service_url, ENG, "channel", BOT, "linear")
        await directory.remember(home, "29:ann")

        def texts() -> list[str]:
            return [one["text"] for one in playground.transcript(ENG, root)[1:]]

        def fates() -> set[Fate]:
            return {MARKS[name] for name in playground.reactions(ENG, root)}

        people = People(connector, directory)
        surface = TeamsSurface(connector, directory, people, Heard(), bot_id=BOT, service_url="")
        yield Place(surface, teams_render, asked, texts, fates, lambda _: f"{MAYBE_SAID}\n[{SHOW}]")


async def fake(_: Path) -> AsyncIterator[Place]:
    surface = FakeSurface()
    asked = MessageRef(ThreadRef("slack", "T0001", "C0001", "1.0"), "1.0")
    yield Place(
        surface,
        slack_render,
        asked,
        lambda: surface.texts(asked.thread),
        lambda: set(surface.reactions.get(asked.id, ())),
    )


@pytest.fixture(params=[slack, teams, fake], ids=["slack", "teams", "fake"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async for one in request.param(tmp_path):
        yield one


async def test_posts_stand_in_order(place: Place) -> None:
    ids = [
        await place.surface.post(place.thread, place.words(f"{n}."), key=f"k{n}", again=False) for n in (1, 2)
    ]
    assert place.texts() == ["1.", "2."]
    assert len(set(ids)) == 2


async def test_a_post_that_got_through_is_not_repeated(place: Place) -> None:
    first = await place.surface.post(place.thread, place.words("Hello."), key="k", again=False)
    assert await place.surface.post(place.thread, place.words("Hello."), key="k", again=True) == first
    assert place.texts() == ["Hello."]


async def test_a_second_attempt_posts_what_may_never_have_got_through(place: Place) -> None:
    await place.surface.post(place.thread, place.words("Hello."), key="k", again=True)
    assert place.texts() == [place.in_doubt("Hello.")]


async def test_an_edit_replaces_the_text_however_often_it_is_made(place: Place) -> None:
    id = await place.surface.post(place.thread, place.words("Working."), key="k", again=False)
    for _ in range(2):
        await place.surface.edit(MessageRef(place.thread, id), place.words("Done."))
    assert place.texts() == ["Done."]


@pytest.mark.parametrize(
    "moves",
    [
        [(Fate.SEEN, None), (Fate.QUEUED, Fate.SEEN), (Fate.DONE, Fate.QUEUED)],
        [(Fate.SEEN, None), (Fate.DONE, Fate.SEEN), (Fate.DONE, Fate.SEEN)],
    ],
    ids=["in order", "repeated"],
)
async def test_a_reaction_moves_on(place: Place, moves: Sequence[tuple[Fate, Fate | None]]) -> None:
    for add, remove in moves:
        await place.surface.react(place.asked, add=add, remove=remove)
    assert place.fates() == {Fate.DONE}


async def test_a_reaction_can_be_taken_away(place: Place) -> None:
    await place.surface.react(place.asked, add=Fate.SEEN, remove=None)
    for _ in range(2):
        await place.surface.react(place.asked, add=None, remove=Fate.SEEN)
    assert place.fates() == set()
