"""Trouble on order: what a call of the bot can suffer."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from playground.teams_faults import Fault
from tests.playground.teams_peer import ENG, Peers, peers


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


def texts(on: Peers) -> list[str]:
    return [line["text"] for line in on.teams.transcript(ENG)]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (412, "PreconditionFailed"),
        (500, "ServiceError"),
        (502, "BadGateway"),
        (504, "GatewayTimeout"),
    ],
)
async def test_status_comes_with_its_code_and_without_effect(on: Peers, status: int, code: str) -> None:
    on.teams.api.faults.fail_next("send", Fault(status=status))
    answer = await on.client.send(ENG)
    assert (answer.status, answer.code) == (status, code)
    assert texts(on) == []
    assert (await on.client.send(ENG)).status == 201


async def test_trouble_can_come_after_the_effect(on: Peers) -> None:
    on.teams.api.faults.fail_next("send", Fault(status=502, executes=True))
    assert (await on.client.send(ENG, "hi")).status == 502
    assert texts(on) == ["hi"]
    assert [called.worked for called in on.teams.api.log if called.kind == "send"] == [True]


@pytest.mark.parametrize(
    ("error", "status"),
    [("BotNotInConversationRoster", 403), ("ConversationNotFound", 404), ("MessageWritesBlocked", 400)],
)
async def test_any_code_can_be_ordered(on: Peers, error: str, status: int) -> None:
    on.teams.api.faults.fail_next("send", Fault(error=error))
    answer = await on.client.send(ENG)
    assert (answer.status, answer.code) == (status, error)


async def test_throttle_on_order_tells_when_or_does_not(on: Peers) -> None:
    on.teams.api.faults.fail_next("update", Fault(status=429, retry_after_s=7))
    on.teams.api.faults.fail_next("update", Fault(status=429, retry_after_s=0))
    told, silent = [await on.client.edit(ENG, "1", "x") for _ in range(2)]
    assert (told.status, told.headers["retry-after"]) == (429, "7")
    assert (silent.status, "retry-after" in silent.headers) == (429, False)


async def test_nth_call_fails(on: Peers) -> None:
    on.teams.api.faults.fail_next("send", Fault(status=500), times=2, after=1)
    statuses = [(await on.client.send(ENG)).status for _ in range(4)]
    assert statuses == [201, 500, 500, 201]


@pytest.mark.parametrize(("drop", "left"), [("before", []), ("after", ["hi"])])
async def test_connection_drops_before_or_after_the_effect(on: Peers, drop: str, left: list[str]) -> None:
    on.teams.api.faults.fail_next("send", Fault(drop="before" if drop == "before" else "after"))
    with pytest.raises(aiohttp.ClientError):
        await on.client.send(ENG)
    assert texts(on) == left
    [called] = [called for called in on.teams.api.log if called.kind == "send"]
    assert (called.status, called.worked) == (None, bool(left))


async def test_everything_can_be_down(on: Peers) -> None:
    on.teams.api.faults.is_down = True
    assert (await on.client.send(ENG)).status == 503
    assert (await on.client.get(on.teams.metadata_url)).status == 503
    on.teams.api.faults.clear()
    assert (await on.client.send(ENG)).status == 201


async def test_moment_of_one_call_is_found_by_its_fields(on: Peers) -> None:
    seen: list[list[str]] = []

    async def look() -> None:
        seen.append(texts(on))

    on.teams.api.faults.at("send", "before", look, when=lambda fields: fields.get("text") == "two")
    on.teams.api.faults.at("send", "executed", look, when=lambda fields: fields["conversation_id"] == ENG)
    await on.client.send(ENG, "one")
    await on.client.send(ENG, "two")
    assert seen == [["one"], ["one"]]
