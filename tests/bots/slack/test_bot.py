"""The whole adapter between the stand-in for Slack and an inbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bots.slack.bot import SlackBot
from bots.slack.ingress import PATH
from bots.slack.render import render
from core.activities import Elicitation, Option
from core.events import Chosen, Deleted, Edited, IncomingEvent, Said, StopAsked
from core.ids import ElicitationId, MessageRef, ThreadRef, TurnId
from core.mirror.cards import ProgressCard, QuestionItem
from playground.slack import APP_TOKEN, BOT_TOKEN, SlackConfig, SlackPlayground
from playground.slack_clock import VirtualClock
from tests.bots.slack.fakes import FakeInbox

SECRET = "s3cret"


class Town:
    """Slack, our bot and what it heard."""

    def __init__(self, slack: SlackPlayground, bot: SlackBot, inbox: FakeInbox, clock: VirtualClock) -> None:
        self.slack = slack
        self.bot = bot
        self.inbox = inbox
        self.clock = clock

    async def heard(self) -> list[IncomingEvent]:
        await self.slack.settled()
        return [incoming.event for incoming in self.inbox.accepted.values()]


@asynccontextmanager
async def town(*, app_token: str | None = None, patience_s: float = 3.0) -> AsyncIterator[Town]:
    inbox, clock = FakeInbox(), VirtualClock()
    config = SlackConfig(signing_secret=SECRET, rate_factor=None, answer_within_s=patience_s)
    async with SlackPlayground(config, clock) as slack:
        bot = SlackBot(
            inbox,
            bot_token=BOT_TOKEN,
            signing_secrets=[] if app_token else [SECRET],
            app_token=app_token,
            api_url=slack.api_url,
        )
        site = web.Application()
        site.router.add_routes(bot.routes())
        async with TestServer(site) as server:
            slack.point_at(str(server.make_url(PATH)))
            await bot.start()
            await bot.connected()
            try:
                yield Town(slack, bot, inbox, clock)
            finally:
                await bot.stop()
                await bot.stop()


@pytest.fixture(params=["http", "socket"])
async def acme(request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    """The same town, reached in both ways."""
    async with town(app_token=APP_TOKEN if request.param == "socket" else None) as built:
        yield built


async def test_conversation_is_heard_once_and_in_order(acme: Town) -> None:
    people = acme.slack.people
    root = people.say("U0ANN", "C0001", "<@U0BOT> fix search")
    await acme.slack.settled()
    reply = people.say("U0BOB", "C0001", "don't touch ranking", root)
    await acme.slack.settled()
    people.unfurl("C0001", reply)
    people.edit("U0BOB", "C0001", reply, "don't touch the ranking")
    await acme.slack.settled()
    people.delete("U0BOB", "C0001", reply)
    message = MessageRef(ThreadRef("slack", "T0001", "C0001", root), reply)
    assert await acme.heard() == [
        Said("fix search", at=1700000000.0001),
        Said("don't touch ranking", at=1700000000.0002),
        Edited(message, "don't touch the ranking"),
        Deleted(message),
    ]


async def test_buttons_menus_and_reactions_come_back(acme: Town) -> None:
    root = acme.slack.people.say("U0ANN", "C0001", "no mention")
    thread = ThreadRef("slack", "T0001", "C0001", root)
    card = await acme.bot.surface.post(
        thread, render(ProgressCard(turn=TurnId("t")))[0], key="k1", again=False
    )
    options = tuple(Option(f"acme/{n}", f"Shop {n}") for n in range(6))
    few = Elicitation(id=ElicitationId("q1"), body="Which?", options=options[:2])
    many = Elicitation(id=ElicitationId("q2"), body="Which?", options=options)
    asked = [
        await acme.bot.surface.post(thread, render(QuestionItem(question))[0], key=question.id, again=False)
        for question in (few, many)
    ]
    people = acme.slack.people
    for ts, action, value in (
        (card, "stop", None),
        (asked[0], "choice/1", None),
        (asked[1], "choice", "acme/5"),
    ):
        assert (await people.click("U0ANN", "C0001", ts, action, value=value)).status == 200
    people.react("U0BOB", "C0001", card, "x")
    people.react("U0BOB", "C0001", card, "eyes")
    people.stop_session("U0EVE", "C0001", root)
    assert await acme.heard() == [
        StopAsked(),
        Chosen(ElicitationId("q1"), "acme/1"),
        Chosen(ElicitationId("q2"), "acme/5"),
        StopAsked(),
        StopAsked(),
    ]
    assert {str(incoming.place) for incoming in acme.inbox.accepted.values()} == {
        str(thread),
        str(ThreadRef("slack", "T0001", "C0001", card)),
    }


async def test_our_own_words_and_other_bots_are_not_heard(acme: Town) -> None:
    root = acme.slack.people.say("U0ANN", "C0001", "no mention")
    thread = ThreadRef("slack", "T0001", "C0001", root)
    await acme.bot.surface.post(thread, {"text": "<@U0BOT> me", "blocks": []}, key="k1", again=False)
    acme.slack.people.say("U0ALERT", "C0001", "<@U0BOT> disk full", root)
    assert await acme.heard() == []


@pytest.mark.parametrize("app_token", [None, APP_TOKEN], ids=["http", "socket"])
async def test_message_survives_a_store_that_is_down_for_a_minute(app_token: str | None) -> None:
    # On a socket, Slack learns of the failure only by its patience.
    async with town(app_token=app_token, patience_s=0.3) as acme:
        acme.inbox.is_down = True
        acme.slack.people.say("U0ANN", "D0ANN", "hello")
        assert await acme.heard() == []
        acme.inbox.is_down = False
        acme.clock.advance(61)
        assert await acme.heard() == [Said("hello", at=1700000000.0001)]


async def test_bot_without_signing_secret_offers_no_address() -> None:
    async with town(app_token=APP_TOKEN) as built:
        assert built.bot.routes() == []
