"""Our cards and forms at the stand-in: shown there, pressed there, and understood here."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from bots.teams.bot import TeamsBot
from bots.teams.buttons import START_COMMAND, WORDS
from bots.teams.events import Admission
from bots.teams.render import render
from core.activities import Answered, Author, Elicitation, Option, Outcome
from core.events import Chosen, Deleted, Edited, Incoming, IncomingEvent, Said, StopAsked
from core.ids import ElicitationId, MessageRef, ThreadRef, TurnId
from core.mirror.cards import AnswerItem, ChatItem, ProgressCard, QuestionItem
from core.ports import Receipt
from core.store.addresses import AddressStore
from playground.slack_clock import VirtualClock
from playground.teams import APP_ID, APP_SECRET, TENANT, TeamsPlayground
from playground.teams_faults import Fault
from playground.teams_state import Kind
from playground.teams_wire import Refused as TeamsRefused

ENG = "19:eng@thread.tacv2"
NOW = VirtualClock().now()
TURN = TurnId("turn-1")
QUESTION = Elicitation(
    id=ElicitationId("q1"),
    body="when both toggles are on, which wins?",
    options=(Option("archived", "Archived wins"), Option("hidden", "Hidden wins")),
)
SEVERAL = Elicitation(id=ElicitationId("q2"), body="Which?", options=QUESTION.options, multiple=True)
OPEN = Elicitation(id=ElicitationId("q3"), body="Which wins?")


@dataclass
class Box:
    """Keeps what was accepted, each key once."""

    kept: dict[str, Incoming] = field(default_factory=dict)

    async def accept(self, incoming: Incoming) -> Receipt:
        if incoming.key in self.kept:
            return Receipt.DUPLICATE
        self.kept[incoming.key] = incoming
        return Receipt.ACCEPTED

    @property
    def events(self) -> list[IncomingEvent]:
        return [incoming.event for incoming in self.kept.values()]


@dataclass
class Room:
    """A thread in #eng that Ann began with a mention of the bot."""

    teams: TeamsPlayground
    bot: TeamsBot
    box: Box
    root: str = ""

    @property
    def thread(self) -> ThreadRef:
        return ThreadRef("teams", TENANT, ENG, self.root)

    async def show(self, item: ChatItem) -> str:
        (payload,) = render(item)
        return await self.bot.surface.post(self.thread, payload, key=str(item), again=False)

    async def press(
        self,
        message: str,
        title: str,
        user: str = "29:ann",
        *,
        inputs: Mapping[str, str] | None = None,
        is_old: bool = False,
    ) -> list[str]:
        """Press a button; what the person was told."""
        receipt = await self.teams.people.click(
            user, ENG, message, title, inputs=inputs, is_old_client=is_old
        )
        await self.teams.settled()
        assert receipt.reason is None, receipt
        return self.teams.workspace.message(ENG, message).toasts.get(user, [])

    def text(self, message: str) -> str:
        return str(next(one["text"] for one in self.teams.transcript(ENG) if one["ts"] == message))


@pytest.fixture
async def room(teams: TeamsPlayground, addresses: AddressStore) -> AsyncIterator[Room]:
    box = Box()
    bot = TeamsBot(
        box,
        addresses,
        app_id=APP_ID,
        app_password=APP_SECRET,
        metadata_url=teams.metadata_url,
        token_url=teams.token_url,
        service_hosts=("127.0.0.1",),
        service_url=teams.service_url,
        admission=Admission(tenants=frozenset({TENANT})),
    )
    app = web.Application()
    app.add_routes(bot.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    teams.point_at(f"http://127.0.0.1:{runner.addresses[0][1]}/api/messages")
    room = Room(teams, bot, box)
    room.root = teams.people.mention("29:ann", ENG, "search is broken")
    await teams.settled()
    yield room
    await runner.cleanup()
    await bot.stop()


async def test_what_people_do_in_a_thread_is_read(room: Room) -> None:
    people = room.teams.people
    code = people.say("29:bob", ENG, "see `this`:\n\n```python\nassert found\n```", room.root)
    people.edit("29:bob", ENG, code, "see **that**")
    people.delete("29:bob", ENG, code)
    people.undelete("29:bob", ENG, code)
    await room.teams.settled()
    message = MessageRef(room.thread, code)
    assert room.box.events == [
        Said("search is broken", at=NOW),
        Said("see `this`:\n\n```python\nassert found\n```", at=NOW),
        Edited(message, "see **that**"),
        Deleted(message),
        Edited(message, "see **that**"),
    ]
    assert {incoming.place for incoming in room.box.kept.values()} == {room.thread}
    assert [incoming.opens for incoming in room.box.kept.values()] == [True, False, False, False, False]


async def test_who_adds_the_app_gets_one_welcome(room: Room) -> None:
    room.teams.people.install("29:ann", "19:ops@thread.tacv2")
    await room.teams.settled()
    assert room.box.events[1:] == [Said("help")]


async def test_progress_is_stopped_by_its_button_and_by_a_reaction(room: Room) -> None:
    card = await room.show(ProgressCard(turn=TURN, doing="Running `pytest`"))
    assert room.text(card) == "Running pytest\n[Stop]"
    assert await room.press(card, "Stop", "29:bob") == ["Stopping."]
    room.teams.people.react("29:eve", ENG, card, "274c_crossmark")
    await room.teams.settled()
    assert room.box.events[1:] == [StopAsked(), StopAsked()]
    by_button, by_reaction = list(room.box.kept.values())[1:]
    assert (by_button.place, by_button.author.name) == (room.thread, "Bob")
    assert by_reaction.message is not None
    assert by_reaction.message.id == card


async def test_ended_turn_has_no_button_left(room: Room) -> None:
    card = await room.show(ProgressCard(turn=TURN, doing="Reading"))
    (ended,) = render(ProgressCard(turn=TURN, elapsed_s=60, outcome=Outcome.DONE))
    await room.bot.surface.edit(MessageRef(room.thread, card), ended)
    assert room.text(card) == "done in 1 min"


async def test_option_counts_once_however_often_and_wherever_it_is_pressed(room: Room) -> None:
    card = await room.show(QuestionItem(QUESTION))
    for is_old in (False, True, False):
        await room.press(card, "Archived wins", is_old=is_old)
    assert room.box.events[1:] == [Chosen(QUESTION.id, "archived")]


async def test_answered_question_is_closed_for_everybody(room: Room) -> None:
    card = await room.show(QuestionItem(QUESTION))
    answered = Answered(elicitation=QUESTION.id, by=Author("linear", "eve", "Eve"), answer="hidden")
    (closed,) = render(QuestionItem(QUESTION, answered))
    await room.bot.surface.edit(MessageRef(room.thread, card), closed)
    assert room.text(card).split("\n")[-1] == "→ Answered by Eve in Linear: Hidden wins"


async def test_several_options_are_picked_together(room: Room) -> None:
    card = await room.show(QuestionItem(SEVERAL))
    assert await room.press(card, "Answer", inputs={"picked": "1,0"}) == ["Got it."]
    assert room.box.events[1:] == [Chosen(SEVERAL.id, "Archived wins, Hidden wins")]


@pytest.mark.parametrize(("question", "title"), [(OPEN, "Answer"), (QUESTION, "Something else")])
async def test_question_is_answered_in_words(room: Room, question: Elicitation, title: str) -> None:
    card = await room.show(QuestionItem(question))
    dialog = await room.teams.dialogs.open("29:bob", ENG, card, title)
    for _ in range(2):
        receipt = await room.teams.dialogs.submit(dialog, inputs={WORDS: "neither"})
        assert receipt.reason is None, receipt
    assert room.box.events[1:] == [Chosen(question.id, "neither")]
    assert list(room.box.kept.values())[1].place == room.thread


async def test_session_starts_from_any_message(room: Room) -> None:
    said = room.teams.people.say("29:bob", ENG, "toggles are **ignored**")
    dialog = await room.teams.dialogs.extension("29:eve", ENG, START_COMMAND, message=said)
    receipt = await room.teams.dialogs.submit(dialog, inputs={WORDS: "fix it"})
    assert receipt.reason is None, receipt
    started = list(room.box.kept.values())[1]
    thread = ThreadRef("teams", TENANT, ENG, said)
    assert (started.place, started.opens, started.message) == (thread, True, MessageRef(thread, said))
    assert started.event == Said("fix it\n\n> Bob: toggles are **ignored**")


@pytest.mark.parametrize(
    ("conversation", "kind"), [("19:closed@thread.tacv2", Kind.CHANNEL), ("19:two@thread.v2", Kind.GROUP)]
)
async def test_where_we_are_not_nothing_is_started_and_people_are_told(
    room: Room, conversation: str, kind: Kind
) -> None:
    room.teams.people.create(conversation, "without us", kind, ["29:bob", "29:eve"])
    said = room.teams.people.say("29:bob", conversation, "toggles are ignored")
    with pytest.raises(TeamsRefused, match="I am not in this conversation"):
        await room.teams.dialogs.extension("29:eve", conversation, START_COMMAND, message=said)
    assert len(room.box.kept) == 1


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(drop="before"), Fault(error="BadSyntax")])
async def test_who_cannot_find_out_where_we_are_opens_the_form(room: Room, fault: Fault) -> None:
    said = room.teams.people.say("29:bob", ENG, "toggles are ignored")
    room.teams.api.faults.fail_next("paged_members", fault)
    dialog = await room.teams.dialogs.extension("29:eve", ENG, START_COMMAND, message=said)
    assert dialog.title == "Start a session"


async def test_answer_mentions_the_person_who_asked(room: Room) -> None:
    asked = next(iter(room.box.kept.values()))
    answer = await room.show(AnswerItem("Fixed <at>Bob</at>.", asked.author))
    assert room.text(answer).startswith("@Ann\n\nFixed")
    sent = room.teams.workspace.message(ENG, answer).raw or {}
    mentioned = [one["mentioned"]["id"] for one in sent["entities"] if one["type"] == "mention"]
    assert mentioned == ["29:ann"]
