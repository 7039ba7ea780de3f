"""How events reach the app: retries, and misbehaviour on order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from slack_sdk.signature import Clock as SignatureClock
from slack_sdk.signature import SignatureVerifier

from tests.playground.slack_peer import SECRET, Peers, peers, served

MENTION = "<@U0BOT> fix the search"


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


async def test_failed_event_is_retried_at_once_then_after_one_and_five_minutes(on: Peers) -> None:
    on.app.statuses = [500, 503, 404, 500]
    on.slack.people.say("U0ANN", "C0001", "hello")
    await on.slack.settled()
    counts = [len(on.app.received)]
    for seconds in (59, 1, 299, 1, 3600):
        await on.advance(seconds)
        counts.append(len(on.app.received))
    assert counts == [2, 2, 3, 3, 4, 4]
    retries = [received.headers.get("x-slack-retry-num") for received in on.app.received]
    assert retries == [None, "1", "2", "3"]
    assert {received.headers["x-slack-retry-reason"] for received in on.app.received[1:]} == {"http_error"}


async def test_retry_is_byte_identical_under_a_signature_of_its_own() -> None:
    times = iter([1_000, 1_060])
    async with peers(wall=lambda: next(times)) as on:
        on.app.statuses = [500]
        on.slack.people.say("U0ANN", "C0001", "hello")
        await on.slack.settled()
        first, second = on.app.received
        assert first.body == second.body
        assert first.headers["x-slack-request-timestamp"] == "1000"
        assert second.headers["x-slack-request-timestamp"] == "1060"
        assert first.headers["x-slack-signature"] != second.headers["x-slack-signature"]
        assert SignatureVerifier(SECRET, _At(1_060)).is_valid_request(second.body, second.headers)


async def test_app_can_decline_retries(on: Peers) -> None:
    on.app.statuses, on.app.answer_headers = [500], {"X-Slack-No-Retry": "1"}
    on.slack.people.say("U0ANN", "C0001", "hello")
    await on.slack.settled()
    await on.advance(3600)
    assert len(on.app.received) == 1


async def test_lost_answer_looks_like_a_timeout_and_brings_the_event_again(on: Peers) -> None:
    on.slack.dispatcher.options.drop_answers = 1
    on.slack.people.say("U0ANN", "C0001", "hello")
    await on.slack.settled()
    first, second = on.app.received
    assert first.body == second.body
    assert second.headers["x-slack-retry-reason"] == "http_timeout"


async def test_absent_app_is_a_failed_connection(on: Peers) -> None:
    on.slack.point_at("http://127.0.0.1:1/slack/events")
    on.slack.people.say("U0ANN", "C0001", "hello")
    await on.slack.settled()
    assert _outcomes(on) == ["connection_failed", "connection_failed"]


async def test_late_app_gets_the_event_again() -> None:
    async with _never_answering() as url, peers(answer_within_s=0.05) as on:
        on.slack.point_at(url)
        on.slack.people.say("U0ANN", "C0001", "hello")
        await on.slack.settled()
        assert _outcomes(on) == ["http_timeout", "http_timeout"]


async def test_app_without_any_address_is_tried_again_later(on: Peers) -> None:
    url = on.app.url
    on.slack.point_at(None)
    on.slack.people.say("U0ANN", "C0001", "hello")
    await on.slack.settled()
    on.slack.point_at(url)
    await on.advance(60)
    assert [received.headers["x-slack-retry-num"] for received in on.app.received] == ["2"]


async def test_log_tells_how_each_delivery_went(on: Peers) -> None:
    on.app.statuses = [500]
    on.slack.people.say("U0ANN", "C0001", "hello")
    await on.slack.settled()
    [logged] = on.slack.state()["deliveries"]
    assert [(entry["outcome"], entry["status"], entry["via"]) for entry in logged["attempts"]] == [
        ("http_error", 500, "http"),
        ("ok", 200, "http"),
    ]
    assert on.slack.dispatcher.log[0].is_delivered


async def test_every_event_can_come_several_times(on: Peers) -> None:
    on.slack.dispatcher.options.copies = 3
    on.slack.people.say("U0ANN", "C0001", MENTION)
    await on.slack.settled()
    assert on.app.types() == ["app_mention"] * 3 + ["message"] * 3
    assert len({received.envelope["event_id"] for received in on.app.received}) == 2


async def test_message_can_overtake_the_mention(on: Peers) -> None:
    on.slack.dispatcher.options.reorder = True
    on.slack.people.say("U0ANN", "C0001", MENTION)
    await on.slack.settled()
    assert on.app.types() == ["message", "app_mention"]


async def test_pair_can_come_at_the_same_time(on: Peers) -> None:
    on.slack.dispatcher.options.together = True
    on.slack.people.say("U0ANN", "C0001", MENTION)
    await on.slack.settled()
    assert sorted(on.app.types()) == ["app_mention", "message"]


async def test_events_can_be_held_back(on: Peers) -> None:
    on.slack.dispatcher.options.delay_s = 30
    on.slack.people.say("U0ANN", "C0001", "hello")
    await on.advance(29)
    assert on.app.received == []
    await on.advance(1)
    assert on.app.types() == ["message"]


def _outcomes(on: Peers) -> list[str]:
    return [attempt.outcome for attempt in on.slack.dispatcher.log[0].attempts]


@asynccontextmanager
async def _never_answering() -> AsyncIterator[str]:
    released = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    site = web.Application()
    site.router.add_post("/slack/events", hang)
    async with served(site) as url:
        try:
            yield f"{url}/slack/events"
        finally:
            released.set()


class _At(SignatureClock):
    """A verifier's idea of now."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now
