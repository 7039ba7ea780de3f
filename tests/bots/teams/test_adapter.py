"""The Bot Framework's turns on our own connector."""

import asyncio
from typing import Any

import aiohttp
import botbuilder.schema as bf
import pytest
from botbuilder.core import TurnContext

from bots.teams.adapter import Authentication, ReceivedActivity, build_adapter, wire
from bots.teams.auth import InboundTokens, NotFromTeams
from bots.teams.connector import Connector
from bots.teams.keys import SigningKeys
from core.errors import TargetGone
from playground.teams import APP_ID, TeamsPlayground
from playground.teams_faults import Fault
from tests.bots.teams.conftest import LOOPBACK

ENG = "19:eng@thread.tacv2"


@pytest.fixture
def authentication(
    teams: TeamsPlayground, http: aiohttp.ClientSession, connector: Connector
) -> Authentication:
    keys = SigningKeys(http, teams.metadata_url)
    return Authentication(InboundTokens(keys, app_id=APP_ID, service_hosts=LOOPBACK), connector)


@pytest.fixture
async def root(teams: TeamsPlayground) -> str:
    return teams.people.mention("29:ann", ENG, "fix search")


def received(teams: TeamsPlayground, root: str) -> ReceivedActivity:
    """A message in the thread, with what the SDK needs to know for sending into it."""
    body = {"type": "message", "id": root, "channelId": "msteams", "serviceUrl": teams.service_url}
    activity = ReceivedActivity(body)
    activity.conversation = bf.ConversationAccount(id=f"{ENG};messageid={root}")
    return activity


async def test_a_turn_sends_edits_and_deletes_through_our_connector(
    teams: TeamsPlayground, authentication: Authentication, root: str
) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        seen.append([line["text"] for line in teams.transcript(ENG, root)[1:]])

    async def talk(turn: TurnContext) -> None:
        sent: Any = await turn.send_activity("One.")
        look()
        await turn.update_activity(bf.Activity(type="message", text="Two.", id=sent.id))
        look()
        await turn.delete_activity(sent.id)
        look()

    token = teams.keys.mint(teams.service_url)
    adapter = build_adapter(authentication)
    assert await adapter.process_activity(f"Bearer {token}", received(teams, root), talk) is None
    assert seen == [["One."], ["Two."], []]


async def test_a_turn_needs_a_token_of_microsofts(
    teams: TeamsPlayground, authentication: Authentication, root: str
) -> None:
    turns: list[TurnContext] = []

    async def note(turn: TurnContext) -> None:
        turns.append(turn)

    with pytest.raises(NotFromTeams):
        await build_adapter(authentication).process_activity("Bearer x", received(teams, root), note)
    with pytest.raises(NotFromTeams):
        await authentication.authenticate_streaming_request("Bearer x", "msteams")
    assert turns == []


async def test_failures_come_in_the_words_of_the_core(
    teams: TeamsPlayground, authentication: Authentication, root: str
) -> None:
    async def talk(turn: TurnContext) -> None:
        await turn.send_activity("One.")

    teams.api.faults.fail_next("send", Fault(error="ConversationNotFound"))
    token = teams.keys.mint(teams.service_url)
    with pytest.raises(TargetGone):
        await build_adapter(authentication).process_activity(f"Bearer {token}", received(teams, root), talk)


def test_every_field_of_an_entity_goes_out() -> None:
    label = bf.Entity(type="streaminfo")
    label.additional_properties = {"streamSequence": 1, "streamType": "informative"}
    mention = bf.Mention(type="mention", text="<at>Ann</at>", mentioned=bf.ChannelAccount(id="29:ann"))
    assert wire(bf.Activity(type="message", entities=[label, mention])) == {
        "type": "message",
        "entities": [
            {"type": "streaminfo", "streamSequence": 1, "streamType": "informative"},
            {"type": "mention", "text": "<at>Ann</at>", "mentioned": {"id": "29:ann"}},
        ],
    }


async def test_many_turns_at_once_keep_their_bodies_apart(
    teams: TeamsPlayground, authentication: Authentication, root: str
) -> None:
    async def body_of(number: int) -> int:
        found: list[int] = []

        async def note(turn: TurnContext) -> None:
            found.append(turn.activity.body["n"])

        body = {"type": "message", "channelId": "msteams", "serviceUrl": teams.service_url, "n": number}
        token = teams.keys.mint(teams.service_url)
        await build_adapter(authentication).process_activity(f"Bearer {token}", ReceivedActivity(body), note)
        return found[0]

    assert await asyncio.gather(*map(body_of, range(5))) == [0, 1, 2, 3, 4]
