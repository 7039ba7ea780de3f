"""Our entry in a message's menu, chosen where we are and where we are not."""

import json

import pytest

from bots.slack.client import build_client, open_session
from bots.slack.events import START_SHORTCUT
from bots.slack.threshold import ABSENT, Threshold
from core.events import Said
from playground.slack import BOT_TOKEN
from playground.slack_faults import Fault
from playground.slack_state import ChannelKind
from tests.bots.slack.test_bot import Town, town


def shown(acme: Town) -> str:
    """Every window that we opened."""
    return json.dumps(list(acme.slack.workspace.views.values()))


@pytest.mark.parametrize("kind", [ChannelKind.PUBLIC, ChannelKind.PRIVATE])
async def test_where_we_are_not_nothing_is_started_and_who_asked_is_told(kind: ChannelKind) -> None:
    async with town() as acme:
        people = acme.slack.people
        people.create_channel("C0777", "without-us", kind, ["U0ANN", "U0BOB"])
        said = people.say("U0BOB", "C0777", "toggles are ignored")
        receipt = await people.use_shortcut("U0ANN", "C0777", said, START_SHORTCUT)
        assert (receipt.status, await acme.heard()) == (200, [])
        assert ABSENT in shown(acme)


async def test_where_we_are_it_is_heard_and_nothing_is_opened() -> None:
    async with town() as acme:
        root = acme.slack.people.say("U0BOB", "C0001", "toggles are ignored")
        reply = acme.slack.people.say("U0BOB", "C0001", "and filters", root)
        await acme.slack.settled()
        acme.inbox.accepted.clear()
        for said in (root, reply):
            receipt = await acme.slack.people.use_shortcut("U0ANN", "C0001", said, START_SHORTCUT)
            assert receipt.status == 200
        assert await acme.heard() == [Said("toggles are ignored"), Said("and filters")]
        assert ABSENT not in shown(acme)


@pytest.mark.parametrize(
    "fault", [Fault(drop="before"), Fault(error="ratelimited"), Fault(error="thread_not_found")]
)
async def test_who_cannot_find_out_where_we_are_hears_it(fault: Fault) -> None:
    async with town() as acme:
        said = acme.slack.people.say("U0BOB", "C0001", "toggles are ignored")
        acme.slack.api.faults.fail_next("conversations.replies", fault)
        receipt = await acme.slack.people.use_shortcut("U0ANN", "C0001", said, START_SHORTCUT)
        assert (receipt.status, await acme.heard()) == (200, [Said("toggles are ignored")])


async def test_who_cannot_be_told_is_shown_a_failure() -> None:
    async with town() as acme:
        people = acme.slack.people
        people.create_channel("C0777", "without-us", ChannelKind.PUBLIC, ["U0ANN", "U0BOB"])
        said = people.say("U0BOB", "C0777", "toggles are ignored")
        acme.slack.api.faults.fail_next("views.open", Fault(drop="before"))
        receipt = await people.use_shortcut("U0ANN", "C0777", said, START_SHORTCUT)
        assert (receipt.status, await acme.heard()) == (502, [])


async def test_another_app_s_entry_is_none_of_ours() -> None:
    async with open_session() as session:
        threshold = Threshold(build_client(BOT_TOKEN, "http://127.0.0.1:9/api/", session))
        body = {
            "team": {"id": "T0001"},
            "user": {"id": "U0ANN"},
            "channel": {"id": "C0777"},
            "callback_id": "another",
            "message": {"ts": "1.0"},
        }
        assert await threshold.admits(body)
