"""How activities reach the bot: retries, and misbehaviour on order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.playground.slack_peer import served
from tests.playground.teams_peer import ENG, Peers, peers


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


async def test_failed_activity_is_sent_again_at_once_and_twice_later(on: Peers) -> None:
    on.bot.statuses = [500, 503, 404, 401]
    await on.said()
    counts = [len(on.bot.received)]
    for seconds in (14, 1, 29, 1, 3600):
        await on.advance(seconds)
        counts.append(len(on.bot.received))
    assert counts == [2, 2, 3, 3, 4, 4]


async def test_retry_has_the_same_id_and_time(on: Peers) -> None:
    on.bot.statuses = [500]
    await on.said()
    first, second = on.bot.activities()
    assert first == second


async def test_lost_answer_looks_like_a_timeout_and_brings_the_activity_again(on: Peers) -> None:
    on.teams.dispatcher.options.drop_answers = 1
    await on.said()
    assert outcomes(on) == ["timeout", "ok"]
    assert on.teams.dispatcher.log[0].is_delivered


async def test_only_answers_about_one_message_can_be_lost(on: Peers) -> None:
    on.teams.dispatcher.options.drop_answers = 5
    on.teams.dispatcher.options.drop_answers_to = "another"
    await on.said()
    assert outcomes(on) == ["ok"]


async def test_absent_bot_is_tried_again_later(on: Peers) -> None:
    on.teams.point_at("http://127.0.0.1:1/api/messages")
    await on.said()
    on.teams.point_at(None)
    await on.advance(15)
    on.teams.point_at(on.bot.url)
    await on.advance(30)
    assert outcomes(on) == ["connection_failed"] * 3 + ["ok"]


async def test_late_bot_gets_the_activity_again() -> None:
    async with _never_answering() as url, peers(answer_within_s=0.05) as on:
        on.teams.point_at(url)
        await on.said()
        assert outcomes(on) == ["timeout", "timeout"]


async def test_every_activity_can_come_several_times(on: Peers) -> None:
    on.teams.dispatcher.options.copies = 3
    message = await on.said()
    assert [activity["id"] for activity in on.bot.activities()] == [message] * 3


async def test_presses_can_come_several_times(on: Peers) -> None:
    message = await on.client.post_card(ENG)
    on.teams.dispatcher.options.copies = 2
    await on.teams.people.click("29:ann", ENG, message, "Stop", is_old_client=True)
    await on.teams.people.click("29:ann", ENG, message, "Stop")
    submits, invokes = on.bot.activities()[:2], on.bot.activities()[2:]
    assert [activity["type"] for activity in submits] == ["message"] * 2
    assert [activity["type"] for activity in invokes] == ["invoke"] * 2
    assert submits[0] == submits[1]
    assert invokes[0] == invokes[1]


async def test_answer_without_json_is_kept_as_it_is(on: Peers) -> None:
    async def greet(_: web.Request) -> web.Response:
        return web.Response(text="<h1>hello</h1>")

    message = await on.client.post_card(ENG)
    site = web.Application()
    site.router.add_post("/api/messages", greet)
    async with served(site) as url:
        on.teams.point_at(f"{url}/api/messages")
        receipt = await on.teams.people.click("29:ann", ENG, message, "Stop")
    assert (receipt.reason, receipt.answer) == ("bad_answer", "<h1>hello</h1>")


async def test_copies_can_come_at_the_same_time(on: Peers) -> None:
    on.teams.dispatcher.options.copies = 2
    on.teams.dispatcher.options.together = True
    await on.said()
    assert on.bot.types() == ["message"] * 2


async def test_next_activity_can_overtake_one(on: Peers) -> None:
    on.teams.dispatcher.options.reorder = True
    await on.said("one")
    assert on.bot.received == []
    await on.said("two")
    assert [activity["text"] for activity in on.bot.activities()] == ["two", "one"]


async def test_activities_can_be_held_back(on: Peers) -> None:
    on.teams.dispatcher.options.delay_s = 30
    await on.said()
    await on.advance(29)
    assert on.bot.received == []
    await on.advance(1)
    assert on.bot.types() == ["message"]


async def test_without_consent_only_mentions_reach_the_bot() -> None:
    async with peers(reads_all=False) as on:
        await on.said("among us")
        await on.said("<at>Bob</at> look")
        await on.said("<at>linear</at> fix it")
        await on.said("just between us", "a:ann")
        assert [activity["text"] for activity in on.bot.activities()] == [
            "<at>linear</at> fix it",
            "just between us",
        ]
        on.teams.people.consent(ENG, reads_all=True)
        await on.said("now you hear it")
        assert on.bot.last()["text"] == "now you hear it"


def outcomes(on: Peers) -> list[str]:
    return [attempt.outcome for attempt in on.teams.dispatcher.log[0].attempts]


@asynccontextmanager
async def _never_answering() -> AsyncIterator[str]:
    released = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    site = web.Application()
    site.router.add_post("/api/messages", hang)
    async with served(site) as url:
        try:
            yield f"{url}/api/messages"
        finally:
            released.set()
