"""The whole adapter between the stand-in for Teams and an inbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bots.teams.address import PATH
from bots.teams.bot import TeamsBot
from bots.teams.connector import MUTE
from bots.teams.events import Admission
from bots.teams.render import render
from core.activities import Author, Elicitation, Option
from core.errors import TryLater
from core.events import Chosen, Deleted, Edited, IncomingEvent, Said, StopAsked
from core.ids import ElicitationId, MessageRef, ThreadRef, TurnId
from core.mirror.cards import AnswerItem, NoticeItem, ProgressCard, QuestionItem
from core.store.addresses import AddressStore
from playground.slack_clock import VirtualClock
from playground.teams import APP_ID, APP_SECRET, TENANT, TeamsConfig, TeamsPlayground
from playground.teams_delivery import DeliveryOptions
from playground.teams_state import Person
from tests.bots.slack.fakes import FakeInbox
from tests.bots.teams.conftest import LOOPBACK

ENG = "19:eng@thread.tacv2"
GROUP = "19:group@thread.v2"
NOW = VirtualClock().now()
HELLO = render(NoticeItem("Hi."))[0]


class Town:
    """Teams, our bot and what it heard."""

    def __init__(self, teams: TeamsPlayground, bot: TeamsBot, inbox: FakeInbox, clock: VirtualClock) -> None:
        self.teams = teams
        self.bot = bot
        self.inbox = inbox
        self.clock = clock

    async def heard(self) -> list[IncomingEvent]:
        await self.teams.settled()
        return [incoming.event for incoming in self.inbox.accepted.values()]

    async def attempts(self) -> list[list[int | None]]:
        """The status of each attempt at each delivery."""
        await self.teams.settled()
        return [[attempt.status for attempt in one.attempts] for one in self.teams.dispatcher.log]


@asynccontextmanager
async def running(
    teams: TeamsPlayground, inbox: FakeInbox, addresses: AddressStore
) -> AsyncIterator[TeamsBot]:
    """One life of the bot, at an address that the stand-in knows."""
    bot = TeamsBot(
        inbox,
        addresses,
        app_id=APP_ID,
        app_password=APP_SECRET,
        metadata_url=teams.metadata_url,
        token_url=teams.token_url,
        service_hosts=LOOPBACK,
        service_url=teams.service_url,
        admission=Admission(tenants=frozenset({TENANT})),
    )
    site = web.Application()
    site.router.add_routes(bot.routes())
    async with TestServer(site) as server:
        teams.point_at(str(server.make_url(PATH)))
        await bot.start()
        try:
            yield bot
        finally:
            await bot.stop()


@pytest.fixture
async def acme(addresses: AddressStore) -> AsyncIterator[Town]:
    inbox, clock = FakeInbox(), VirtualClock()
    async with (
        TeamsPlayground(TeamsConfig(rate_factor=None), clock) as teams,
        running(teams, inbox, addresses) as bot,
    ):
        yield Town(teams, bot, inbox, clock)


def thread_under(root: str) -> ThreadRef:
    return ThreadRef("teams", TENANT, ENG, root)


async def test_conversation_is_heard_once_and_in_order(acme: Town) -> None:
    people = acme.teams.people
    root = people.mention("29:ann", ENG, "fix search")
    await acme.teams.settled()
    reply = people.say("29:bob", ENG, "don't touch ranking", root)
    await acme.teams.settled()
    people.edit("29:bob", ENG, reply, "don't touch the ranking")
    await acme.teams.settled()
    people.delete("29:bob", ENG, reply)
    message = MessageRef(thread_under(root), reply)
    assert await acme.heard() == [
        Said("fix search", at=NOW),
        Said("don't touch ranking", at=NOW),
        Edited(message, "don't touch the ranking"),
        Deleted(message),
    ]


async def test_answers_go_back_to_where_a_message_came_from(acme: Town) -> None:
    places = {}
    for user, conversation in (("29:ann", ENG), ("29:ann", GROUP), ("29:bob", "a:bob")):
        acme.teams.people.mention(user, conversation, "hello")
        await acme.teams.settled()
        incoming = list(acme.inbox.accepted.values())[-1]
        assert isinstance(incoming.place, ThreadRef)
        places[conversation] = incoming.place
        await acme.bot.surface.post(
            incoming.place, render(NoticeItem("Hi."))[0], key=conversation, again=False
        )
    seen = [
        [line["text"] for line in acme.teams.transcript(ENG, places[ENG].root)],
        *([line["text"] for line in acme.teams.transcript(each)] for each in (GROUP, "a:bob")),
    ]
    assert [texts[-1] for texts in seen] == ["Hi."] * 3
    assert [places[GROUP].root, places["a:bob"].root] == ["chat", "chat"]


async def test_answers_find_the_way_after_a_restart_and_a_move(addresses: AddressStore) -> None:
    inbox, notice = FakeInbox(), render(NoticeItem("Hi."))[0]
    async with TeamsPlayground(TeamsConfig(), VirtualClock()) as teams:
        async with running(teams, inbox, addresses):
            root = teams.people.mention("29:ann", ENG, "hello")
            await teams.settled()
        async with running(teams, inbox, addresses) as bot:
            await bot.surface.post(thread_under(root), notice, key="k1", again=False)
            teams.people.move("emea", retire_old=True)
            teams.people.say("29:bob", ENG, "hm", root)
            await teams.settled()
            await bot.surface.post(thread_under(root), notice, key="k2", again=False)
        texts = [line["text"] for line in teams.transcript(ENG, root)]
        assert texts.count("Hi.") == 2


async def test_buttons_lists_and_reactions_come_back(acme: Town) -> None:
    people = acme.teams.people
    root = people.mention("29:ann", ENG, "fix search")
    await acme.teams.settled()
    thread = thread_under(root)
    card = await acme.bot.surface.post(
        thread, render(ProgressCard(turn=TurnId("t")))[0], key="k1", again=False
    )
    options = (Option("acme/shop", "Shop"), Option("acme/site", "Site"))
    question = Elicitation(id=ElicitationId("q1"), body="Which?", options=options)
    asked = await acme.bot.surface.post(thread, render(QuestionItem(question))[0], key="k2", again=False)
    stopped = await people.click("29:ann", ENG, card, "Stop")
    chosen = await people.click("29:bob", ENG, asked, "Site", is_old_client=True)
    assert (stopped.reason, chosen.reason) == (None, None)
    people.react("29:bob", ENG, card, "274c_crossmark")
    people.react("29:bob", ENG, card, "1f440_eyes")
    events = await acme.heard()
    assert events == [
        Said("fix search", at=NOW),
        StopAsked(),
        Chosen(ElicitationId("q1"), "acme/site"),
        StopAsked(),
    ]


async def test_a_press_counts_once_however_often_teams_repeats_it(acme: Town) -> None:
    root = acme.teams.people.mention("29:ann", ENG, "fix search")
    await acme.teams.settled()
    progress = render(ProgressCard(turn=TurnId("t")))[0]
    card = await acme.bot.surface.post(thread_under(root), progress, key="k1", again=False)
    acme.teams.dispatcher.options = DeliveryOptions(drop_answers=2)
    await acme.teams.people.click("29:ann", ENG, card, "Stop")
    acme.clock.advance(31)
    assert await acme.heard() == [Said("fix search", at=NOW), StopAsked()]
    assert acme.inbox.asked.count(acme.inbox.asked[-1]) == 3


class Renumbered(Person):
    """Ann as another registration of the bot knows her."""

    @property
    def object_id(self) -> str:
        return Person("29:ann", "Ann").object_id


async def test_people_stay_who_they_are_under_another_registration(acme: Town) -> None:
    people, workspace = acme.teams.people, acme.teams.workspace
    people.mention("29:ann", ENG, "fix search")
    await acme.teams.settled()
    workspace.people["29:anew"] = Renumbered("29:anew", "Ann", "ann@acme.test")
    home = workspace.conversation(ENG)
    home.members.remove("29:ann")
    home.members.add("29:anew")
    root = people.mention("29:anew", ENG, "and again")
    await acme.teams.settled()

    first, again = (incoming.author for incoming in acme.inbox.accepted.values())
    assert first.id == again.id == f"{TENANT}/29:ann"
    assert (await acme.bot.surface.person(again)).email == "ann@acme.test"
    answer, question = (
        AnswerItem("Done.", again),
        Elicitation(id=ElicitationId("q"), body="?", asked=(again,)),
    )
    await acme.bot.surface.post(thread_under(root), render(answer)[0], key="k1", again=False)
    asked = render(QuestionItem(question))[0]
    await acme.bot.surface.post(thread_under(root), asked, key="k2", again=False)
    await acme.bot.surface.whisper(thread_under(root), again, "For you.")
    told = [one for one in home.messages.values() if one.raw]
    assert [str(one.raw).count("29:anew") for one in told] == [1, 1, 1]
    assert told[-1].only_for == "29:anew"
    assert "29:ann'" not in str([one.raw for one in told])


async def test_our_own_words_and_other_bots_are_not_heard(acme: Town) -> None:
    root = acme.teams.people.say("29:ann", ENG, "no mention")
    await acme.teams.settled()
    notice = render(NoticeItem("<at>linear</at> me"))[0]
    await acme.bot.surface.post(thread_under(root), notice, key="k1", again=False)
    acme.teams.people.say("28:alerts", ENG, "<at>linear</at> disk full", root)
    assert await acme.heard() == []


async def test_what_others_said_before_is_known_when_we_are_asked(acme: Town) -> None:
    people = acme.teams.people
    root = people.say("29:bob", ENG, "Search is broken")
    alert = people.say("28:alerts", ENG, "500s on /search", root)
    wrong = people.say("29:eve", ENG, "works for me", root)
    await acme.teams.settled()
    people.edit("28:alerts", ENG, alert, "502s on /search")
    people.delete("29:eve", ENG, wrong)
    asked = people.mention("29:ann", ENG, "fix it", root)
    await acme.teams.settled()
    history = await acme.bot.surface.history(thread_under(root))
    assert [(message.author, message.text, message.id) for message in history] == [
        ("Bob", "Search is broken", root),
        ("Alerts", "502s on /search", alert),
        ("Ann", "fix it", asked),
    ]


async def test_a_person_is_known_by_mail_after_their_first_words(acme: Town) -> None:
    acme.teams.people.mention("29:ann", "a:ann", "hello")
    await acme.teams.settled()
    [incoming] = acme.inbox.accepted.values()
    assert await acme.bot.surface.person(incoming.author) == Author(
        "teams", f"{TENANT}/29:ann", "Ann", "ann@acme.test"
    )


async def test_message_survives_a_store_that_is_down_for_a_while(acme: Town) -> None:
    acme.inbox.is_down = True
    acme.teams.people.mention("29:ann", "a:ann", "hello")
    assert await acme.heard() == []
    acme.inbox.is_down = False
    acme.clock.advance(15)
    assert await acme.heard() == [Said("hello", at=NOW)]
    assert await acme.attempts() == [[503, 503, 200]]


async def test_message_survives_a_key_host_that_is_down_for_a_while(acme: Town) -> None:
    acme.teams.api.faults.is_down = True
    acme.teams.people.mention("29:ann", "a:ann", "hello")
    assert await acme.attempts() == [[503, 503]]
    assert acme.inbox.asked == []


async def test_being_added_is_answered_like_a_question_for_help(acme: Town) -> None:
    acme.teams.people.install("29:bob", "a:bob")
    [said] = await acme.heard()
    assert said == Said("help")


async def test_a_secret_that_does_not_count_is_told_at_the_start_and_said_once(
    addresses: AddressStore, caplog: pytest.LogCaptureFixture
) -> None:
    async with TeamsPlayground(TeamsConfig(), VirtualClock()) as teams:
        teams.tokens.secret = "another"
        async with running(teams, FakeInbox(), addresses) as bot:
            assert bot.trouble == "no token from Microsoft (invalid_client)"
            place = ThreadRef("teams", TENANT, ENG, teams.people.mention("29:ann", ENG, "fix search"))
            await teams.settled()
            for _ in range(2):
                with pytest.raises(TryLater):
                    await bot.surface.post(place, HELLO, key="k1", again=False)
            assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == [MUTE]
            teams.tokens.secret = APP_SECRET
            await bot.surface.post(place, HELLO, key="k1", again=False)
            assert caplog.records[-1].getMessage() == "things can be said in Teams again"


async def test_a_start_with_a_secret_that_counts_says_nothing(acme: Town) -> None:
    assert acme.bot.trouble == ""


async def test_a_stop_may_be_repeated(acme: Town) -> None:
    await acme.bot.stop()
    await acme.bot.stop()
