"""Presses on a pull request's card, through the real adapter and the stand-in for Teams."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bots.teams import buttons
from bots.teams.answers import UNKNOWN
from bots.teams.buttons import WORDS, wire
from bots.teams.events import parse_activity, parse_invoke
from bots.teams.render import render
from core.activities import Author
from core.events import Incoming, Pressed, Said
from core.ids import ThreadRef
from core.ports import PrivateButton
from core.pulls import PullAction
from core.store.addresses import AddressStore
from playground.slack_clock import VirtualClock
from playground.teams import TENANT, TeamsConfig, TeamsPlayground
from playground.teams_delivery import DeliveryOptions
from playground.teams_faults import Fault
from playground.teams_wire import Refused
from tests.bots.slack.fakes import FakeInbox
from tests.bots.teams.activities import ADMISSION, ROOT, executed, invoke, submitted
from tests.bots.teams.test_bot import ENG, Town, running, thread_under
from tests.core.mirror.pull_items import CARD, ITEMS

APPROVE = wire(buttons.act(CARD, PullAction.APPROVE))
ANN = Author("teams", f"{TENANT}/29:ann", "Ann")
FORM = "Request changes"


class Card:
    """A pull request's card in a thread of the channel."""

    def __init__(self, town: Town, root: str, id: str) -> None:
        self.town = town
        self.root = root
        self.id = id

    @property
    def thread(self) -> ThreadRef:
        return thread_under(self.root)

    async def press(self, title: str, *, is_old_client: bool = False) -> list[str]:
        """What Eve is told at once."""
        people = self.town.teams.people
        receipt = await people.click("29:eve", ENG, self.id, title, is_old_client=is_old_client)
        await self.town.teams.settled()
        assert receipt.reason is None
        return self.town.teams.workspace.message(ENG, self.id).toasts.get("29:eve", [])

    async def heard(self) -> list[Incoming]:
        await self.town.teams.settled()
        return [one for one in self.town.inbox.accepted.values() if not isinstance(one.event, Said)]


@pytest.fixture
async def card(addresses: AddressStore) -> AsyncIterator[Card]:
    inbox, clock = FakeInbox(), VirtualClock()
    async with (
        TeamsPlayground(TeamsConfig(rate_factor=None), clock) as teams,
        running(teams, inbox, addresses) as bot,
    ):
        root = teams.people.mention("29:ann", ENG, "fix search")
        await teams.settled()
        id = await bot.surface.post(thread_under(root), render(ITEMS["ready"])[0], key="k1", again=False)
        yield Card(Town(teams, bot, inbox, clock), root, id)


@pytest.mark.parametrize("is_old_client", [False, True])
async def test_press_says_which_card_and_what_and_who(card: Card, *, is_old_client: bool) -> None:
    told = await card.press("Approve abc1234", is_old_client=is_old_client)
    assert told == ([] if is_old_client else ["Got it."])
    [incoming] = await card.heard()
    assert incoming.event == Pressed(CARD, PullAction.APPROVE)
    assert (incoming.place, incoming.author.id) == (card.thread, f"{TENANT}/29:eve")
    assert not incoming.opens


async def test_second_press_is_a_new_event(card: Card) -> None:
    for _ in range(2):
        await card.press("Merge when green")
    assert [one.event for one in await card.heard()] == [Pressed(CARD, PullAction.MERGE_WHEN_GREEN)] * 2


async def test_press_that_teams_repeats_at_once_counts_once(card: Card) -> None:
    card.town.teams.dispatcher.options = DeliveryOptions(drop_answers=1)
    await card.town.teams.people.click("29:eve", ENG, card.id, "Approve abc1234")
    assert len(await card.heard()) == 1
    assert card.town.inbox.asked.count(card.town.inbox.asked[-1]) == 2


async def test_changes_are_asked_for_in_a_form(card: Card) -> None:
    dialogs = card.town.teams.dialogs
    dialog = await dialogs.open("29:eve", ENG, card.id, FORM)
    assert dialog.title == FORM
    for _ in range(2):  # Sent twice, it is the same.
        receipt = await dialogs.submit(dialog, "Send", {WORDS: " Rename `x`.\nAnd test it. "})
        assert (receipt.reason, receipt.answer) == (None, {})
    [incoming] = await card.heard()
    assert incoming.event == Pressed(CARD, PullAction.REQUEST_CHANGES, text="Rename `x`.\nAnd test it.")
    assert (incoming.place, incoming.author.id) == (card.thread, f"{TENANT}/29:eve")


async def test_form_needs_words(card: Card) -> None:
    dialogs = card.town.teams.dialogs
    dialog = await dialogs.open("29:eve", ENG, card.id, FORM)
    with pytest.raises(Refused, match="InputRequired"):
        await dialogs.submit(dialog, "Send", {})
    receipt = await dialogs.submit(dialog, "Send", {WORDS: "  "})
    assert receipt.answer == {"task": {"type": "message", "value": "Write something first."}}
    assert await card.heard() == []


async def test_one_person_confirms_in_the_thread(card: Card) -> None:
    button = PrivateButton("Merge abc1234", CARD, PullAction.MERGE)
    await card.town.bot.surface.whisper(card.thread, ANN, "Merge it?", buttons=[button])
    [*_, whisper] = card.town.teams.workspace.conversation(ENG).messages.values()
    assert whisper.only_for == "29:ann"
    with pytest.raises(Refused):
        await card.town.teams.people.click("29:eve", ENG, whisper.id, "Merge abc1234")
    await card.town.teams.people.click("29:ann", ENG, whisper.id, "Merge abc1234")
    [incoming] = await card.heard()
    assert incoming.event == Pressed(CARD, PullAction.MERGE, confirmed=True)
    assert (incoming.place, incoming.author.id) == (card.thread, ANN.id)


async def test_beside_the_thread_there_are_words_and_no_button(card: Card) -> None:
    card.town.teams.api.faults.fail_next("send", Fault(error="BadSyntax"))
    button = PrivateButton("Merge abc1234", CARD, PullAction.MERGE)
    await card.town.bot.surface.whisper(card.thread, ANN, "Write `merge abc1234`.", buttons=[button])
    [line] = card.town.teams.transcript("a:ann")
    assert line["text"] == "Write `merge abc1234`."


# What is read, without Teams


def asked(body: dict[str, Any]) -> Incoming:
    invoked = parse_invoke(body, ADMISSION)
    assert invoked is not None
    assert invoked.incoming is not None
    return invoked.incoming


def test_press_has_a_key_of_its_own_for_each_person_and_each_time() -> None:
    by_bob: dict[str, Any] = {"from": {"id": "29:bob", "name": "Bob"}}
    bodies = [
        executed(APPROVE),
        executed(APPROVE, id="f:invoke-2"),
        executed(APPROVE, **by_bob),
        executed(wire(buttons.act(CARD, PullAction.MERGE))),
        executed(wire(buttons.act(CARD, PullAction.MERGE, sure=True))),
        executed(wire(buttons.act("d" * 32, PullAction.MERGE))),
    ]
    assert len({asked(body).key for body in bodies}) == len(bodies)
    assert asked(executed(APPROVE)) == asked(executed(APPROVE, timestamp="2026-11-21T10:03:00.000Z"))
    assert parse_activity(submitted(APPROVE, id="f:invoke-1"), ADMISSION) == asked(executed(APPROVE))
    assert asked(executed(APPROVE)).place == ROOT.thread


@pytest.mark.parametrize(
    "data",
    [
        {"do": "act", "nonce": "n", "card": CARD, "action": "explode"},
        {"do": "act", "nonce": "n", "action": "merge"},
        {"do": "review", "nonce": "n"},
        {"do": "review", "nonce": "n", "card": CARD},
    ],
)
def test_buttons_that_nobody_knows_say_so(data: dict[str, Any]) -> None:
    invoked = parse_invoke(executed({"threadline": data}), ADMISSION)
    assert invoked is not None
    assert (invoked.incoming, invoked.answer["value"]["message"]) == (None, UNKNOWN)


def test_each_opened_form_counts_once() -> None:
    review = wire(buttons.review(CARD))
    keys = []
    for id in ("f:1", "f:2"):
        opened = parse_invoke(invoke("task/fetch", {"data": review}, id=id), ADMISSION)
        assert opened is not None
        [action] = opened.answer["task"]["value"]["card"]["content"]["actions"]
        sent = {"data": action["data"] | {WORDS: "x"}}
        keys += [asked(invoke("task/submit", sent, id=again)).key for again in ("f:3", "f:4")]
    assert keys[0] == keys[1] != keys[2] == keys[3]
