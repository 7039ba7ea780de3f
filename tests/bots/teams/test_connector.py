"""The calls of the connector, against the stand-in that judges them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bots.teams.connector import Connector, Nameless, Opened, Spot
from bots.teams.tokens import BotToken
from core.errors import DeliveryError, Refused, TargetGone, Throttled, TryLater
from playground.teams import BOT, TENANT, TeamsPlayground
from playground.teams_faults import Fault
from tests.bots.teams.conftest import LOOPBACK
from tests.playground.slack_peer import served

ENG = "19:eng@thread.tacv2"
HELLO = {"type": "message", "text": "Hello."}
AI_LABEL = {
    "type": "https://schema.org/Message",
    "@type": "Message",
    "@context": "https://schema.org",
    "additionalType": ["AIGeneratedContent"],
}


@pytest.fixture
async def root(teams: TeamsPlayground) -> str:
    return teams.people.mention("29:ann", ENG, "fix search")


@pytest.fixture
def thread(teams: TeamsPlayground, root: str) -> Spot:
    return Spot(teams.service_url, f"{ENG};messageid={root}")


def texts(teams: TeamsPlayground, root: str) -> list[str]:
    return [line["text"] for line in teams.transcript(ENG, root) if line["author"] == "linear"]


# What the calls do


async def test_a_message_goes_into_its_thread_and_changes_there(
    teams: TeamsPlayground, connector: Connector, thread: Spot, root: str
) -> None:
    id = await connector.send(thread, HELLO)
    assert texts(teams, root) == ["Hello."]
    await connector.update(thread, id, HELLO | {"text": "Done."})
    assert texts(teams, root) == ["Done."]
    await connector.delete(thread, id)
    assert texts(teams, root) == []


async def test_every_field_of_an_entity_arrives(
    teams: TeamsPlayground, connector: Connector, thread: Spot
) -> None:
    id = await connector.send(thread, HELLO | {"entities": [AI_LABEL]})
    raw = teams.workspace.message(ENG, id).raw
    assert raw is not None
    assert raw["entities"] == [AI_LABEL]


async def test_reactions_come_and_go_however_often(
    teams: TeamsPlayground, connector: Connector, thread: Spot, root: str
) -> None:
    for _ in range(2):
        await connector.react(thread, root, "1f440_eyes")
    assert teams.reactions(ENG, root) == {"1f440_eyes": [BOT]}
    teams.limits.reset(None)
    for _ in range(2):
        await connector.unreact(thread, root, "1f440_eyes")
    assert teams.reactions(ENG, root) == {}


async def test_a_member_is_looked_up(teams: TeamsPlayground, connector: Connector) -> None:
    told = await connector.member(Spot(teams.service_url, ENG), "29:ann")
    assert (told["name"], told["email"], told["tenantId"]) == ("Ann", "ann@acme.test", TENANT)


async def test_members_come_in_pages(teams: TeamsPlayground, connector: Connector) -> None:
    for number in range(60):
        user = f"29:extra{number:02}"
        person = type(teams.workspace.people["29:ann"])(user, f"Extra {number}")
        teams.workspace.people[user] = person
        teams.workspace.conversation(ENG).members.add(user)
    at = Spot(teams.service_url, ENG)
    first, after = await connector.members(at)
    rest, end = await connector.members(at, after)
    ids = [each["id"] for each in (*first, *rest)]
    assert (len(first), end, len(set(ids))) == (50, "", 65)


async def test_a_chat_is_opened_with_its_first_message(teams: TeamsPlayground, connector: Connector) -> None:
    parameters = {
        "isGroup": False,
        "bot": {"id": BOT},
        "members": [{"id": "29:bob"}],
        "tenantId": TENANT,
        "activity": HELLO,
    }
    opened = await connector.open_conversation(teams.service_url, parameters)
    [line] = teams.transcript("a:bob")
    assert (opened, line["text"]) == (Opened("a:bob", line["ts"]), "Hello.")


async def test_a_targeted_message_is_seen_and_changed_by_nobody_else(
    teams: TeamsPlayground, connector: Connector, thread: Spot, root: str
) -> None:
    to_ann = {"recipient": {"id": "29:ann", "isTargeted": True}}
    id = await connector.send(thread, HELLO | to_ann, targeted=True)
    await connector.update(thread, id, HELLO | {"text": "Psst."}, targeted=True)
    seen = teams.transcript(ENG, root, seen_by="29:ann")
    assert (texts(teams, root), seen[-1]["text"]) == ([], "Psst.")
    await connector.delete(thread, id, targeted=True)
    assert teams.transcript(ENG, root, seen_by="29:ann") == teams.transcript(ENG, root)


# How they fail


@pytest.mark.parametrize(
    ("fault", "maybe_done"),
    [
        (Fault(drop="before"), True),
        (Fault(drop="after"), True),
        (Fault(status=500), True),
        (Fault(status=502, executes=True), True),
        (Fault(status=503), True),
        (Fault(status=503, executes=True), True),
        (Fault(status=504), True),
        (Fault(status=412), False),
        (Fault(status=302), False),
    ],
    ids=["lost before", "lost after", "500", "502 done", "503", "503 done", "504", "412", "302"],
)
async def test_a_post_that_fails_is_not_repeated_here(
    teams: TeamsPlayground, connector: Connector, thread: Spot, fault: Fault, maybe_done: bool
) -> None:
    teams.api.faults.fail_next("send", fault)
    with pytest.raises(TryLater) as failed:
        await connector.send(thread, HELLO)
    assert (failed.value.maybe_done, teams.api.calls["send"]) == (maybe_done, 1)


async def test_a_pause_is_handed_on(teams: TeamsPlayground, connector: Connector, thread: Spot) -> None:
    teams.api.faults.fail_next("send", Fault(status=429, retry_after_s=7))
    with pytest.raises(Throttled) as failed:
        await connector.send(thread, HELLO)
    assert (failed.value.retry_after_s, failed.value.maybe_done) == (7.0, False)


async def test_microsofts_own_limits_are_felt(teams: TeamsPlayground, connector: Connector) -> None:
    chat = Spot(teams.service_url, "a:ann")
    for _ in range(7):
        await connector.send(chat, HELLO)
    with pytest.raises(Throttled):
        await connector.send(chat, HELLO)


@pytest.mark.parametrize(
    "code",
    ["ConversationNotFound", "BotNotInConversationRoster", "BotDisabledByAdmin", "NotEnoughPermissions"],
)
async def test_a_dead_thread_is_said_to_be_gone(
    teams: TeamsPlayground, connector: Connector, thread: Spot, code: str
) -> None:
    teams.api.faults.fail_next("send", Fault(error=code))
    with pytest.raises(TargetGone, match=f"^send: {code}$"):
        await connector.send(thread, HELLO)


async def test_a_message_that_is_too_large_is_refused(
    teams: TeamsPlayground, connector: Connector, thread: Spot
) -> None:
    with pytest.raises(Refused, match=r"^send: MessageSizeTooBig$"):
        await connector.send(thread, HELLO | {"text": "x" * 60_000})


async def test_an_edit_of_a_removed_message_is_refused(
    teams: TeamsPlayground, connector: Connector, thread: Spot
) -> None:
    id = await connector.send(thread, HELLO)
    await connector.delete(thread, id)
    with pytest.raises(Refused, match=r"^update: ActivityNotFoundInConversation$"):
        await connector.update(thread, id, HELLO)


async def test_an_address_that_serves_no_more_is_no_end(
    teams: TeamsPlayground, connector: Connector, thread: Spot
) -> None:
    teams.people.move("emea", retire_old=True)
    with pytest.raises(TryLater, match=r"^send: NotFound$") as failed:
        await connector.send(thread, HELLO)
    assert not failed.value.maybe_done


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
async def test_where_teams_will_have_no_reaction_there_is_none(
    teams: TeamsPlayground, connector: Connector, thread: Spot, root: str, status: int
) -> None:
    teams.api.faults.fail_next("react", Fault(status=status))
    assert not await connector.react(thread, root, "1f440_eyes")
    assert teams.reactions(ENG, root) == {}


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault(status=429), Throttled), (Fault(status=503), TryLater)], ids=["429", "503"]
)
async def test_a_reaction_in_passing_trouble_is_for_later(
    teams: TeamsPlayground,
    connector: Connector,
    thread: Spot,
    root: str,
    fault: Fault,
    kind: type[DeliveryError],
) -> None:
    teams.api.faults.fail_next("react", fault)
    with pytest.raises(kind):
        await connector.react(thread, root, "1f440_eyes")


async def test_no_connection_means_not_done(http: aiohttp.ClientSession, token: BotToken) -> None:
    connector = Connector(http, token, service_hosts=LOOPBACK)
    with pytest.raises(TryLater) as failed:
        await connector.send(Spot("http://127.0.0.1:9/", ENG), HELLO)
    assert not failed.value.maybe_done


# Our token


async def test_a_dead_token_is_replaced_and_the_call_made(
    teams: TeamsPlayground, connector: Connector, thread: Spot, root: str
) -> None:
    await connector.send(thread, HELLO)
    teams.tokens.revoke()
    await asyncio.gather(*(connector.send(thread, HELLO) for _ in range(3)))
    assert (texts(teams, root), teams.api.calls["token"]) == (["Hello."] * 4, 2)


async def test_a_token_that_is_refused_again_waits_for_whoever_mends_it(
    teams: TeamsPlayground, connector: Connector, thread: Spot
) -> None:
    teams.api.faults.fail_next("send", Fault(status=401), 2)
    with pytest.raises(TryLater, match=r"^send: Teams refuses our token$") as failed:
        await connector.send(thread, HELLO)
    assert (failed.value.maybe_done, teams.api.calls["send"]) == (False, 2)


async def test_the_token_goes_to_no_other_host(teams: TeamsPlayground, token: BotToken) -> None:
    async with aiohttp.ClientSession() as http:
        connector = Connector(http, token, service_hosts=["smba.trafficmanager.net"])
        with pytest.raises(TryLater, match="not among the service hosts"):
            await connector.send(Spot(teams.service_url, ENG), HELLO)
    assert (teams.api.calls["send"], teams.api.calls["token"]) == (0, 0)


async def test_the_token_follows_no_redirect(http: aiohttp.ClientSession, token: BotToken) -> None:
    reached: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(request.headers.get("Authorization", ""))
        return web.json_response({"id": "1"})

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with answering(moved, ("/elsewhere", elsewhere)) as url:
        with pytest.raises(TryLater):
            await Connector(http, token, service_hosts=LOOPBACK).send(Spot(url, ENG), HELLO)
    assert reached == []


# Answers and addresses


Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(handle: Handle, *more: tuple[str, Handle]) -> Any:
    site = web.Application()
    for path, other in more:
        site.router.add_route("*", path, other)
    site.router.add_route("*", "/{tail:.*}", handle)
    return served(site)


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", '{"id": ""}', '{"id": 7}', "<html>", "[" * 5_000], ids=range(7)
)
async def test_a_post_without_an_id_is_done_and_not_made_again(
    http: aiohttp.ClientSession, token: BotToken, answer: str
) -> None:
    async def created(_: web.Request) -> web.Response:
        return web.Response(status=201, text=answer)

    async with answering(created) as url:
        with pytest.raises(Nameless, match=r"^send: no id in the answer$"):
            await Connector(http, token, service_hosts=LOOPBACK).send(Spot(url, ENG), HELLO)


async def test_an_endless_answer_is_not_read_to_its_end(http: aiohttp.ClientSession, token: BotToken) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except ConnectionError:
            return response

    async with answering(endless) as url:
        with pytest.raises(TryLater):
            await Connector(http, token, service_hosts=LOOPBACK).send(Spot(url, ENG), HELLO)


async def test_ids_cannot_change_the_path(http: aiohttp.ClientSession, token: BotToken) -> None:
    asked: list[str] = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        return web.json_response({})

    async with answering(note) as url:
        connector = Connector(http, token, service_hosts=LOOPBACK)
        await connector.update(Spot(f"{url}/amer/t/", f"{ENG};messageid=1"), "a/../b?c#d%2F ü", HELLO)
    assert asked == [
        "/amer/t/v3/conversations/19%3Aeng%40thread.tacv2%3Bmessageid%3D1"
        "/activities/a%2F..%2Fb%3Fc%23d%252F%20%C3%BC"
    ]


@pytest.mark.parametrize("id", ["", ".", ".."])
async def test_dots_are_no_id(connector: Connector, thread: Spot, id: str) -> None:
    with pytest.raises(Refused):
        await connector.delete(thread, id)
