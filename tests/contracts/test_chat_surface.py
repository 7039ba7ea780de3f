"""What every chat surface promises: `core.ports.ChatSurface`."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import pytest

from bots.slack.client import build_client, open_session
from bots.slack.render import render
from bots.slack.surface import SlackSurface
from core.activities import Fate
from core.ids import MessageRef, ThreadRef
from core.mirror.cards import NoticeItem
from core.ports import ChatSurface, Payload
from playground.slack import BOT_TOKEN, SlackPlayground
from tests.core.mirror.fakes import FakeSurface

MARKS = {"eyes": Fate.SEEN, "hourglass_flowing_sand": Fate.QUEUED, "white_check_mark": Fate.DONE}


@dataclass
class Place:
    """A surface with one thread that a person began; `texts` and `fates` are what is to be seen there."""

    surface: ChatSurface
    asked: MessageRef
    texts: Callable[[], list[str]]
    fates: Callable[[], set[Fate]]

    @property
    def thread(self) -> ThreadRef:
        return self.asked.thread


async def slack() -> AsyncIterator[Place]:
    async with SlackPlayground() as playground, open_session() as session:
        root = playground.people.say("U0ANN", "C0001", "<@U0BOT> fix search")
        asked = MessageRef(ThreadRef("slack", "T0001", "C0001", root), root)

        def texts() -> list[str]:
            return [one["text"] for one in playground.transcript("C0001", root)[1:]]

        def fates() -> set[Fate]:
            return {MARKS[name] for name in playground.workspace.message("C0001", root).reactions}

        yield Place(SlackSurface(build_client(BOT_TOKEN, playground.api_url, session)), asked, texts, fates)


async def fake() -> AsyncIterator[Place]:
    surface = FakeSurface()
    asked = MessageRef(ThreadRef("slack", "T0001", "C0001", "1.0"), "1.0")
    yield Place(
        surface,
        asked,
        lambda: surface.texts(asked.thread),
        lambda: set(surface.reactions.get(asked.id, ())),
    )


@pytest.fixture(params=[slack, fake], ids=["slack", "fake"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async for one in request.param():
        yield one


def words(text: str) -> Payload:
    return render(NoticeItem(text))[0]


async def test_posts_stand_in_order(place: Place) -> None:
    ids = [await place.surface.post(place.thread, words(f"{n}."), key=f"k{n}", again=False) for n in (1, 2)]
    assert place.texts() == ["1.", "2."]
    assert len(set(ids)) == 2


async def test_a_post_that_got_through_is_not_repeated(place: Place) -> None:
    first = await place.surface.post(place.thread, words("Hello."), key="k", again=False)
    assert await place.surface.post(place.thread, words("Hello."), key="k", again=True) == first
    assert place.texts() == ["Hello."]


async def test_a_second_attempt_posts_what_never_got_through(place: Place) -> None:
    await place.surface.post(place.thread, words("Hello."), key="k", again=True)
    assert place.texts() == ["Hello."]


async def test_an_edit_replaces_the_text_however_often_it_is_made(place: Place) -> None:
    id = await place.surface.post(place.thread, words("Working."), key="k", again=False)
    for _ in range(2):
        await place.surface.edit(MessageRef(place.thread, id), words("Done."))
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
