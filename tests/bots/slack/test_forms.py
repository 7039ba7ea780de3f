"""Presses on a pull request's card, and the form for changes, through Bolt and the stand-in for Slack."""

import json
from collections.abc import AsyncIterator

import pytest

from bots.slack.events import Admission, parse_action
from bots.slack.forms import FormAsked, parse_form_asked, parse_submission, review_form
from bots.slack.render import render
from core.events import Incoming, Pressed
from core.ids import ThreadRef
from core.ports import PrivateButton
from core.pulls import PullAction
from playground.slack import APP_TOKEN
from playground.slack_faults import Fault
from playground.slack_state import Message
from playground.slack_views import check_view
from playground.slack_wire import Refused, Wire
from tests.bots.slack.envelopes import ANN, click, sent_form, thread
from tests.bots.slack.test_bot import Town, town
from tests.core.mirror.pull_items import CARD, ITEMS

FORM = "Request changes"
FIELD = "What should change?"


class Card:
    """A pull request's card in a thread of #eng."""

    def __init__(self, town: Town, root: str, ts: str) -> None:
        self.town = town
        self.root = root
        self.ts = ts

    @property
    def thread(self) -> ThreadRef:
        return ThreadRef("slack", "T0001", "C0001", self.root)

    async def press(self, action: str, user: str = "U0EVE") -> int | None:
        receipt = await self.town.slack.people.click(user, "C0001", self.ts, f"pull/{action}")
        return receipt.status

    def form(self, user: str = "U0EVE") -> Wire:
        shown = self.town.slack.forms.shown(user)
        assert shown is not None
        return shown

    def whispers(self) -> list[Message]:
        messages = self.town.slack.workspace.channel("C0001").messages.values()
        return [message for message in messages if message.only_for]

    @property
    def heard(self) -> list[Incoming]:
        return list(self.town.inbox.accepted.values())


async def card_in(built: Town) -> Card:
    root = built.slack.people.say("U0ANN", "C0001", "no mention")
    thread = ThreadRef("slack", "T0001", "C0001", root)
    ts = await built.bot.surface.post(thread, render(ITEMS["ready"])[0], key="k1", again=False)
    return Card(built, root, ts)


@pytest.fixture(params=["http", "socket"])
async def card(request: pytest.FixtureRequest) -> AsyncIterator[Card]:
    """The same card, with Slack reaching us in both ways."""
    async with town(app_token=APP_TOKEN if request.param == "socket" else None) as built:
        yield await card_in(built)


async def test_press_says_which_card_and_what_and_who(card: Card) -> None:
    assert await card.press("approve") == 200
    [incoming] = card.heard
    assert incoming.event == Pressed(CARD, PullAction.APPROVE)
    assert (incoming.place, incoming.author.id) == (card.thread, "T0001/U0EVE")
    assert not incoming.opens


async def test_second_press_is_a_new_event(card: Card) -> None:
    for _ in range(2):
        assert await card.press("merge_when_green") == 200
    assert len(card.heard) == 2


async def test_changes_are_asked_for_in_a_form(card: Card) -> None:
    assert await card.press("request_changes") == 200
    assert card.form()["title"]["text"] == FORM
    assert card.heard == []
    receipt = await card.town.slack.forms.submit("U0EVE", {FIELD: "  Rename `x`.\nAnd test it. "})
    assert (receipt.reason, card.town.slack.forms.shown("U0EVE")) == (None, None)
    [incoming] = card.heard
    assert incoming.event == Pressed(CARD, PullAction.REQUEST_CHANGES, text="Rename `x`.\nAnd test it.")
    assert (incoming.place, incoming.author.id) == (card.thread, "T0001/U0EVE")


async def test_form_with_nothing_but_blanks_stays_open_and_says_so(card: Card) -> None:
    await card.press("request_changes")
    receipt = await card.town.slack.forms.submit("U0EVE", {FIELD: "  \n "})
    assert receipt.reason is None
    assert card.form()["errors"] == {"words": "Write something first."}
    assert card.heard == []


async def test_form_that_is_left_says_nothing(card: Card) -> None:
    await card.press("request_changes")
    card.town.slack.forms.close("U0EVE")
    with pytest.raises(Refused, match="no_form"):
        await card.town.slack.forms.submit("U0EVE", {FIELD: "x"})
    assert card.heard == []


@pytest.mark.parametrize(
    "fault", [Fault(error="expired_trigger_id"), Fault(status=500), Fault(drop="before")]
)
async def test_who_gets_no_form_is_told_what_to_write(card: Card, fault: Fault) -> None:
    card.town.slack.api.faults.fail_next("views.open", fault)
    assert await card.press("request_changes") == 200
    [whisper] = card.whispers()
    assert (whisper.only_for, whisper.thread_ts) == ("U0EVE", card.root)
    assert "write `request changes: …` in this thread" in whisper.shown_text()
    assert card.heard == []


async def test_store_that_is_down_keeps_the_form_open() -> None:
    async with town() as built:
        card = await card_in(built)
        await card.press("request_changes")
        built.inbox.is_down = True
        assert (await built.slack.forms.submit("U0EVE", {FIELD: "Rename it."})).status == 503
        built.inbox.is_down = False
        assert card.form()["title"]["text"] == FORM
        assert (await built.slack.forms.submit("U0EVE", {FIELD: "Rename it."})).status == 200
        assert [incoming.event for incoming in card.heard] == [
            Pressed(CARD, PullAction.REQUEST_CHANGES, text="Rename it.")
        ]


async def test_one_person_confirms_and_nobody_else_can(card: Card) -> None:
    button = PrivateButton("Merge abc1234", CARD, PullAction.MERGE)
    await card.town.bot.surface.whisper(card.thread, ANN, "Merge it?", buttons=[button])
    [whisper] = card.whispers()
    with pytest.raises(Refused, match="message_not_found"):
        await card.town.slack.people.click("U0EVE", "C0001", whisper.ts, "confirm/merge")
    receipt = await card.town.slack.people.click("U0ANN", "C0001", whisper.ts, "confirm/merge")
    assert receipt.status == 200
    [incoming] = card.heard
    assert incoming.event == Pressed(CARD, PullAction.MERGE, confirmed=True)
    assert (incoming.place, incoming.author.id) == (card.thread, ANN.id)


# What is read, without Slack


ASKED = FormAsked("1.t", thread(), "U0ANN", CARD)
METADATA = review_form(ASKED)["private_metadata"]


def test_form_is_one_that_slack_takes() -> None:
    check_view(review_form(ASKED))
    assert json.loads(METADATA) == {"channel": "C0001", "root": "17.000100", "card": CARD}


def test_form_is_opened_for_who_pressed_and_where() -> None:
    press = click({"action_id": "pull/request_changes", "value": CARD}, trigger_id="1.t")
    assert parse_form_asked(press) == ASKED
    assert parse_form_asked(click({"action_id": "pull/approve", "value": CARD})) is None


@pytest.mark.parametrize(
    "action",
    [
        {"action_id": "pull/explode", "value": "c"},
        {"action_id": "pull/approve"},
        {"action_id": "confirm", "value": "c"},
        {"action_id": "pulls/approve", "value": "c"},
    ],
)
def test_buttons_that_nobody_knows_say_nothing(action: dict[str, str]) -> None:
    assert parse_action(click(action)) is None


def test_form_that_comes_twice_is_the_same() -> None:
    first, again = (parse_submission(sent_form(METADATA)) for _ in range(2))
    assert first == again
    assert first.key == "slack/T0001/C0001/17.000100/form/V1"


@pytest.mark.parametrize(("team", "is_external"), [("T0001", False), ("T0002", True), ("T0003", False)])
def test_people_from_elsewhere_are_heard_as_such(team: str, *, is_external: bool) -> None:
    friends = Admission(teams=frozenset({"T0003"}))
    incoming = parse_submission(sent_form(METADATA, team_id=team), friends)
    assert incoming.author.is_external is is_external
