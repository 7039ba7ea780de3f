"""`POST /api/messages` with everything behind it, and before it whoever wants to get in."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots.teams.address import PATH
from bots.teams.bot import TeamsBot
from bots.teams.events import Admission
from bots.teams.ingress import BODY_BYTES
from core.activities import Author
from core.events import Chosen, Incoming, Said
from core.ids import ElicitationId, MessageRef, ThreadRef
from core.ports import Receipt
from core.store.addresses import AddressStore
from playground.teams import APP_ID, APP_SECRET, OTHER_TENANT, TENANT, TeamsPlayground
from playground.teams_faults import Fault
from playground.teams_keys import FORGED
from tests.bots.slack.fakes import FakeInbox
from tests.bots.teams.activities import (
    ENG,
    SENT_AT,
    activity,
    executed,
    invoke,
    mention,
    message,
    personal,
)
from tests.bots.teams.conftest import LOOPBACK
from tests.core.store.fakes import UnluckyDatabase

SECRET_WORDS = "the launch codes"


class KnowingInbox(FakeInbox):
    """Notes for each event whether the way back was known by then."""

    def __init__(self, addresses: AddressStore) -> None:
        super().__init__()
        self._addresses = addresses
        self.knew: list[bool] = []

    async def accept(self, incoming: Incoming) -> Receipt:
        place = incoming.place
        assert isinstance(place, ThreadRef)
        self.knew.append(await self._addresses.find(place.install, place.conversation) is not None)
        return await super().accept(incoming)


@dataclass
class Door:
    """Knocks as Microsoft does."""

    teams: TeamsPlayground
    client: TestClient[web.Request, web.Application]
    inbox: KnowingInbox
    addresses: AddressStore

    async def knock(self, body: bytes, token: str | None = None) -> tuple[int, str]:
        token = self.teams.keys.mint(self.teams.service_url) if token is None else token
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if token else {}
        async with self.client.post(PATH, data=BytesIO(body), headers=headers) as answer:
            return answer.status, await answer.text()

    async def send(self, body: object, token: str | None = None) -> int:
        """An activity that comes from the stand-in's address."""
        if isinstance(body, dict) and "serviceUrl" in body:
            body = body | {"serviceUrl": self.teams.service_url}
        status, _ = await self.knock(json.dumps(body).encode(), token)
        return status

    async def ask(self, body: dict[str, Any]) -> tuple[int, Any]:
        """An invoke, and what it is answered."""
        body = body | {"serviceUrl": self.teams.service_url}
        status, text = await self.knock(json.dumps(body).encode())
        return status, json.loads(text) if text else None

    @property
    def stored(self) -> list[str]:
        return list(self.inbox.accepted)


@pytest.fixture
async def door(teams: TeamsPlayground, addresses: AddressStore) -> AsyncIterator[Door]:
    inbox = KnowingInbox(addresses)
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
    site.add_routes(bot.routes())
    async with TestClient(TestServer(site)) as client:
        await bot.start()
        yield Door(teams, client, inbox, addresses)
        await bot.stop()
        await bot.stop()


# What is stored


async def test_a_message_is_stored_with_the_way_back_and_then_answered(door: Door) -> None:
    assert await door.send(mention("fix search")) == 200
    [incoming] = door.inbox.accepted.values()
    thread = ThreadRef("teams", TENANT, ENG, "1700")
    assert (incoming.event, incoming.place, incoming.opens, incoming.message) == (
        Said("fix search", at=SENT_AT),
        thread,
        True,
        MessageRef(thread, "1700"),
    )
    assert incoming.author == Author("teams", f"{TENANT}/29:ann", "Ann")
    assert door.inbox.knew == [True]


async def test_a_redelivery_is_answered_like_the_first(door: Door) -> None:
    assert [await door.send(mention()) for _ in range(3)] == [200, 200, 200]
    assert len(door.stored) == 1


async def test_nothing_is_called_before_the_answer(door: Door) -> None:
    before = Counter(door.teams.api.calls)
    await door.send(mention())
    assert set(Counter(door.teams.api.calls) - before) == {"metadata", "keys"}


@pytest.mark.parametrize(
    "body",
    [
        activity(type="wormhole"),
        activity(type="typing"),
        activity(type="event", name="application/vnd.microsoft.meetingStart", value={"Id": 7}),
        activity(type="conversationUpdate", membersAdded=[{"id": "29:bob"}]),
        activity(type="endOfConversation"),
        activity(type="messageReaction", reactionsAdded=[{"type": "like"}], replyToId="1801"),
        activity(type="installationUpdate", action="remove"),
        message("just talking"),
        mention(**{"from": {"id": "28:other-bot", "name": "Alerts"}}),
        {"type": "wormhole", "serviceUrl": "x", "channelId": "msteams"},
    ],
    ids=["unknown", "typing", "event", "members", "end", "like", "removed", "talk", "bot", "bare"],
)
async def test_what_is_not_for_us_is_answered_and_left(door: Door, body: dict[str, Any]) -> None:
    assert await door.send(body) == 200
    assert door.stored == []


async def test_nothing_is_kept_of_a_tenant_that_is_not_admitted(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    data = {"tenant": {"id": OTHER_TENANT}}
    stranger = mention(channelData=data, conversation={"id": "a:xenia", "conversationType": "personal"})
    assert await door.send(stranger) == 200
    assert (door.stored, await door.addresses.find(OTHER_TENANT, "a:xenia")) == ([], None)
    assert "not admitted" in caplog.text


# Invokes


async def test_a_press_is_stored_and_answered_in_the_response(door: Door) -> None:
    data = {"threadline": {"do": "choose", "nonce": "choose/q1/0", "question": "q1", "value": "Hidden"}}
    for id in ("f:first", "f:second-layer"):
        assert await door.ask(executed(data, id=id)) == (
            200,
            {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "Got it."},
        )
    [incoming] = door.inbox.accepted.values()
    assert (incoming.event, door.inbox.knew) == (Chosen(ElicitationId("q1"), "Hidden"), [True, True])


async def test_an_invoke_of_somebody_elses_is_not_implemented(door: Door) -> None:
    assert await door.ask(invoke("wormhole/open", {})) == (501, None)
    assert await door.ask(activity(type="invoke")) == (501, None)


async def test_a_press_that_cannot_be_stored_is_sent_again(door: Door) -> None:
    data = {"threadline": {"do": "choose", "nonce": "choose/q1/0", "question": "q1", "value": "Hidden"}}
    door.inbox.is_down = True
    assert await door.ask(executed(data)) == (503, None)


# Who gets in: the table of what the vendor's own library gets wrong


@pytest.mark.parametrize(
    ("mint", "change", "status"),
    [
        ({}, {}, 200),
        ({"aud": "another-app"}, {}, 401),
        ({"iss": "https://sts.windows.net/t/"}, {}, 401),
        ({"signed_by": FORGED}, {}, 401),
        ({"lifetime_s": -3_600}, {}, 401),
        ({"kid": "key-99"}, {}, 401),
        ({"algorithm": "none"}, {}, 401),
        ({"algorithm": "HS256"}, {}, 401),
        ({"serviceurl": "https://evil.test/"}, {}, 401),
        ({}, {"channelId": "webchat"}, 401),
        ({}, {"channelId": 7}, 401),
        ({}, {"channelId": None}, 401),
        ({}, {"serviceUrl": None}, 401),
    ],
)
async def test_only_microsofts_word_about_this_activity_counts(
    door: Door, mint: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    token = door.teams.keys.mint(door.teams.service_url, **mint)
    body = mention() | {"serviceUrl": door.teams.service_url} | change
    assert (await door.knock(json.dumps(body).encode(), token))[0] == status
    assert len(door.stored) == (status == 200)
    assert (await door.addresses.find(TENANT, ENG) is not None) == (status == 200)


async def test_a_trusted_token_for_an_untrusted_host_counts_for_nothing(door: Door) -> None:
    token = door.teams.keys.mint("https://evil.test/")
    body = mention() | {"serviceUrl": "https://evil.test/"}
    assert (await door.knock(json.dumps(body).encode(), token))[0] == 401
    assert door.stored == []


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c"])
async def test_without_a_token_nobody_gets_in(door: Door, token: str) -> None:
    assert await door.send(mention(), token) == 401
    assert door.stored == []


async def test_a_new_key_of_microsofts_counts_at_once(door: Door) -> None:
    assert await door.send(mention()) == 200
    door.teams.keys.rotate()
    assert await door.send(message("and this", id="1701", replyToId="1700")) == 200


async def test_a_slow_key_host_holds_up_nobody_else(door: Door) -> None:
    await door.send(mention())
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        asked.set()
        await answer.wait()

    door.teams.api.faults.at("keys", "before", hold)
    token = door.teams.keys.mint(door.teams.service_url, kid="key-99", signed_by=FORGED)
    waits = asyncio.create_task(door.send(mention(id="1702"), token))
    await asked.wait()
    assert await door.send(mention(id="1703")) == 200
    assert not waits.done()
    answer.set()
    assert await waits == 401


async def test_without_keys_it_must_be_sent_again(door: Door) -> None:
    door.teams.api.faults.fail_next("metadata", Fault(status=500))
    assert await door.send(mention()) == 503
    assert door.stored == []


# What cannot be read or stored


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"n": ' + b"9" * 5_000 + b"}",
        b"{}",
        b'{"type": 7}',
        b'{"type": ""}',
    ],
    ids=range(12),
)
async def test_what_is_no_activity_is_malformed(door: Door, body: bytes) -> None:
    assert (await door.knock(body))[0] == 400
    assert door.stored == []


@pytest.mark.parametrize(
    "change",
    [
        {"from": None},
        {"from": "Ann"},
        {"conversation": {"id": 7}},
        {"recipient": []},
        {"id": None},
        {"id": "1700\x00"},
        {"conversation": {"id": f"{ENG};messageid=1/2", "conversationType": "channel", "tenantId": TENANT}},
        {"channelData": 7},
        {"entities": "none"},
    ],
)
async def test_an_activity_of_another_shape_is_malformed(door: Door, change: dict[str, Any]) -> None:
    body = mention() | change
    assert await door.send({name: value for name, value in body.items() if value is not None}) == 400
    assert door.stored == []


async def test_half_a_character_does_not_spoil_the_message(door: Door) -> None:
    body = personal(text="cut \ud83d here") | {"serviceUrl": door.teams.service_url}
    assert (await door.knock(json.dumps(body).encode()))[0] == 200
    [incoming] = door.inbox.accepted.values()
    assert incoming.event == Said("cut ? here", at=SENT_AT)


async def test_a_large_body_is_given_up(door: Door) -> None:
    assert (await door.knock(b"x" * (BODY_BYTES + 1)))[0] == 413


async def test_a_large_body_of_unknown_length_is_given_up(door: Door) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES // 65_536 + 2):
            yield b"x" * 65_536

    async with door.client.post(PATH, data=chunks()) as answer:
        assert answer.status == 413


async def test_what_the_inbox_cannot_store_is_sent_again(door: Door) -> None:
    door.inbox.is_down = True
    assert await door.send(mention()) == 503
    door.inbox.is_down = False
    assert await door.send(mention()) == 200


async def test_what_has_no_way_back_is_not_accepted(door: Door, database: UnluckyDatabase) -> None:
    database.is_full = True
    assert await door.send(mention()) == 503
    assert door.inbox.asked == []
    database.is_full = False
    assert await door.send(mention()) == 200


async def test_a_refusal_is_one_line_and_repeats_nothing(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "bots.teams")
    token = door.teams.keys.mint(door.teams.service_url, signed_by=FORGED)
    await door.send(mention(SECRET_WORDS), token)
    [record] = [one for one in caplog.records if one.name.startswith("bots.teams")]
    shown = f"{record.getMessage()} {record.__dict__}"
    assert "teams request refused" in shown
    assert SECRET_WORDS not in shown
    assert token not in shown


# Whatever comes, signed or not


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
TYPES = ["message", "messageUpdate", "messageDelete", "messageReaction", "installationUpdate", "invoke", "x"]
NAMES = ["adaptiveCard/action", "task/fetch", "task/submit", "composeExtension/fetchTask"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
async def test_any_bytes_are_refused_like_a_stranger_or_as_malformed(door: Door, raw: bytes) -> None:
    assert (await door.knock(raw))[0] in {400, 401}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.dictionaries(st.sampled_from(sorted(mention())), JSON_VALUES, max_size=4),
    st.sampled_from(TYPES),
    st.sampled_from(NAMES) | st.text(max_size=5),
    JSON_VALUES,
)
async def test_signed_nonsense_is_never_an_error_of_ours(
    door: Door, changes: dict[str, Any], kind: str, name: str, value: Any
) -> None:
    body = mention() | changes | {"type": kind, "name": name, "value": value, "channelId": "msteams"}
    status, _ = await door.knock(json.dumps(body | {"serviceUrl": door.teams.service_url}).encode())
    assert status in {200, 400, 501}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    st.dictionaries(st.sampled_from(["type", "serviceUrl", "channelId", "id"]), JSON_VALUES),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30),
)
async def test_unsigned_nonsense_never_gets_in(door: Door, changes: dict[str, Any], token: str) -> None:
    status, _ = await door.knock(json.dumps(mention() | changes).encode(), token)
    assert status in {400, 401}
    assert door.stored == []
