"""What every sink promises the mirror: `core.mirror.sink.Sink`."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx
import pytest

from bots.slack.client import build_client, open_session
from bots.slack.render import render as slack_render
from bots.slack.surface import SlackSurface
from core.activities import (
    Author,
    Blocker,
    Elicitation,
    Entry,
    Error,
    Option,
    Prompt,
    Response,
    TurnStarted,
)
from core.errors import DeliveryError, TryLater
from core.ids import ElicitationId, ThreadRef, TurnId
from core.mirror.chat_sink import ChatSink
from core.mirror.queue import Skip, Solid
from core.mirror.sink import Op, Sink, View
from core.mirror.story import fold
from linear.client import LinearClient, StaticToken
from linear.sink import LinearSink
from playground.linear import LinearPlayground
from playground.linear_page import snapshot
from playground.slack import BOT_TOKEN, SlackPlayground
from tests.core.mirror.fakes import SESSION, FakeLinear, FakeSurface, log_of, render

ANN = Author("slack", "T0001/U0ANN", "Ann")
EVE = Author("linear", "eve", "Eve")
STARTED = TurnStarted(turn=TurnId("t1"), author=ANN)
QUESTION = Elicitation(id=ElicitationId("q"), body="Which one?", options=(Option("1", "The first"),))
FAILED = Error(code=Blocker.MODEL_KEY, body="The model refused our key.", action="Check it.")


@dataclass
class Wall:
    """A sink with the place it shows things in.

    `texts` is all that is to be seen there; `here` and `elsewhere` are people of this place and of another;
    `break_down` takes the platform away.
    """

    sink: Sink
    target: str
    texts: Callable[[], str]
    here: Author
    elsewhere: Author
    break_down: Callable[[], None]

    @property
    def view(self) -> View:
        return View(SESSION, self.target, {})

    def op(self, *entries: Entry) -> Op:
        """The call that shows the last of these entries."""
        log = log_of(*entries)
        op = self.sink.op(log[-1:], fold(log), self.view)
        assert op is not None
        return op

    async def show(self, *entries: Entry, again: bool = False) -> None:
        await self.sink.deliver(self.target, self.op(*entries), again=again)


async def slack() -> AsyncIterator[Wall]:
    async with SlackPlayground() as playground, open_session() as session:
        root = playground.people.say("U0ANN", "C0001", "<@U0BOT> fix search")
        surface = SlackSurface(build_client(BOT_TOKEN, playground.api_url, session))
        thread = ThreadRef("slack", "T0001", "C0001", root)

        def texts() -> str:
            return str([one["text"] for one in playground.transcript("C0001", root)[1:]])

        def break_down() -> None:
            playground.api.faults.is_down = True

        yield Wall(ChatSink(surface, slack_render), str(thread), texts, ANN, EVE, break_down)


async def fake_chat() -> AsyncIterator[Wall]:
    surface = FakeSurface()
    thread = ThreadRef("slack", "T0001", "C0001", "1.0")

    def break_down() -> None:
        surface.luck.fail = 1.0

    yield Wall(
        ChatSink(surface, render), str(thread), lambda: str(surface.texts(thread)), ANN, EVE, break_down
    )


async def linear() -> AsyncIterator[Wall]:
    async with LinearPlayground() as playground, httpx.AsyncClient() as http:
        issue = playground.people.create_issue("Search")
        session = playground.people.delegate(issue.identifier)
        client = LinearClient(http, playground.graphql_url, StaticToken(playground.settings.app_token))

        def texts() -> str:
            return str(snapshot(playground.workspace)["issues"][0]["sessions"][0]["history"])

        def break_down() -> None:
            playground.faults.down = True

        yield Wall(LinearSink(client), session.id, texts, EVE, ANN, break_down)


async def fake_linear() -> AsyncIterator[Wall]:
    activities = FakeLinear()

    def break_down() -> None:
        activities.luck.fail = 1.0

    yield Wall(LinearSink(activities), "ls1", lambda: str(activities.solids()), EVE, ANN, break_down)


@pytest.fixture(
    params=[slack, fake_chat, linear, fake_linear], ids=["slack", "fake chat", "linear", "fake linear"]
)
async def wall(request: pytest.FixtureRequest) -> AsyncIterator[Wall]:
    async for one in request.param():
        yield one


@pytest.mark.parametrize("entry", [Response(body="Fixed."), FAILED, QUESTION], ids=lambda one: one.kind)
async def test_what_people_wait_for_is_shown_by_itself_and_at_once(wall: Wall, entry: Entry) -> None:
    log = log_of(STARTED, entry)
    form = wall.sink.form(log[-1], fold(log), wall.view)
    assert isinstance(form, Solid)
    assert form.urgent


async def test_what_people_said_here_is_not_repeated_to_them(wall: Wall) -> None:
    for author, is_shown in ((wall.here, False), (wall.elsewhere, True)):
        log = log_of(STARTED, Prompt(author=author, body="leave ranking alone"))
        assert isinstance(wall.sink.form(log[-1], fold(log), wall.view), Skip) != is_shown


@pytest.mark.parametrize(
    ("entry", "words"),
    [(Response(body="Fixed."), "Fixed."), (FAILED, "The model refused our key."), (QUESTION, "Which one?")],
    ids=["response", "error", "elicitation"],
)
async def test_a_delivery_that_is_repeated_shows_once(wall: Wall, entry: Entry, words: str) -> None:
    await wall.show(STARTED, entry)
    await wall.show(STARTED, entry, again=True)
    assert wall.texts().count(words) == 1


@pytest.mark.parametrize("entry", [Response(body="Fixed."), FAILED, QUESTION], ids=lambda one: one.kind)
async def test_a_line_in_the_place_of_what_was_refused_shows_once(wall: Wall, entry: Entry) -> None:
    refused = wall.op(STARTED, entry)
    assert refused.loss is not None
    assert refused.loss.in_place
    line = wall.sink.instead(refused, "Read it elsewhere.")
    stored = Op(line.cost, json.loads(json.dumps(line.call)), line.more)
    delivered = await wall.sink.deliver(wall.target, stored, again=False)
    await wall.sink.deliver(wall.target, stored, again=True)
    assert wall.texts().count("Read it elsewhere.") == 1
    memory = wall.sink.remember({}, stored, delivered)
    assert json.loads(json.dumps(memory)) == memory


async def test_what_was_said_elsewhere_is_shown_with_its_author(wall: Wall) -> None:
    await wall.show(STARTED, Prompt(author=wall.elsewhere, body="leave ranking alone"))
    assert wall.elsewhere.name in wall.texts()
    assert "leave ranking alone" in wall.texts()


async def test_a_platform_that_is_away_means_later(wall: Wall) -> None:
    wall.break_down()
    with pytest.raises(TryLater):
        await wall.show(STARTED, Response(body="Fixed."))
    assert "Fixed." not in wall.texts()


@pytest.mark.parametrize("error", [TryLater("away"), TryLater("lost", maybe_done=True)], ids=str)
async def test_trouble_has_a_name_for_the_other_side(wall: Wall, error: DeliveryError) -> None:
    assert wall.sink.trouble(error) in (Blocker.LINEAR_DOWN, Blocker.CHAT_THROTTLED)


@pytest.mark.parametrize("entry", [STARTED, Response(body="Fixed."), QUESTION], ids=lambda one: one.kind)
async def test_a_call_and_what_is_remembered_of_it_can_be_stored(wall: Wall, entry: Entry) -> None:
    op = wall.op(STARTED, entry) if entry is not STARTED else wall.op(STARTED)
    stored = Op(op.cost, json.loads(json.dumps(op.call)), op.more)
    delivered = await wall.sink.deliver(wall.target, stored, again=False)
    memory = wall.sink.remember({}, stored, delivered)
    assert json.loads(json.dumps(memory)) == memory
    assert wall.sink.limit(op.cost).capacity > 0
