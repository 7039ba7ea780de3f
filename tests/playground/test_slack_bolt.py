"""Slack's own framework against the stand-in, over HTTP and over Socket Mode."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.say.async_say import AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from playground.slack import APP_TOKEN, BOT_TOKEN, SlackConfig, SlackPlayground
from tests.playground.slack_peer import SECRET, client_of, served

MENTION = "<@U0BOT> fix the search"
STOP = [
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": "stop",
                "value": "s-1",
                "text": {"type": "plain_text", "text": "Stop"},
            }
        ],
    }
]

Heard = asyncio.Queue[tuple[str, dict[str, Any]]]


def bolt_app(slack: SlackPlayground, heard: Heard) -> AsyncApp:
    """Answers a mention with a Stop button; puts all it hears into `heard`."""
    app = AsyncApp(signing_secret=SECRET, client=client_of(slack))

    @app.event("app_mention")
    async def on_mention(event: dict[str, Any], say: AsyncSay) -> None:
        await say(text="On it", blocks=STOP, thread_ts=event["ts"])
        await heard.put(("app_mention", event))

    @app.event("message")
    async def on_message(event: dict[str, Any]) -> None:
        await heard.put((event.get("subtype", "message"), event))

    @app.action("stop")
    async def on_stop(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await heard.put(("stop", body))

    return app


@pytest.fixture
def heard() -> Heard:
    return asyncio.Queue()


@pytest.fixture
async def slack() -> AsyncIterator[SlackPlayground]:
    async with SlackPlayground(SlackConfig(signing_secret=SECRET)) as running:
        yield running


async def next_of(heard: Heard, count: int) -> dict[str, dict[str, Any]]:
    """The next `count` things heard, by name; their order is up to Bolt's own tasks."""
    async with asyncio.timeout(10):
        return dict([await heard.get() for _ in range(count)])


async def lead_a_conversation(slack: SlackPlayground, heard: Heard) -> None:
    """A mention, a click on the button in the answer, an edit of the mention."""
    ts = slack.people.say("U0ANN", "C0001", MENTION)
    pair = await next_of(heard, 2)
    assert set(pair) == {"app_mention", "message"}
    assert {event["ts"] for event in pair.values()} == {ts}
    await slack.settled()  # The bot's echo; Bolt keeps it from the listeners.

    [_, answer] = slack.transcript("C0001", ts)
    assert (answer["author"], answer["text"]) == ("linear", "[Stop]")
    receipt = await slack.people.click("U0BOB", "C0001", answer["ts"], "stop")
    assert receipt.reason is None
    clicked = await next_of(heard, 1)
    assert clicked["stop"]["actions"][0]["value"] == "s-1"
    assert clicked["stop"]["user"]["id"] == "U0BOB"

    slack.people.edit("U0ANN", "C0001", ts, f"{MENTION}, and only there")
    edited = await next_of(heard, 1)
    assert edited["message_changed"]["message"]["text"].endswith("only there")
    await slack.settled()
    assert heard.empty()
    assert all(delivery.is_delivered for delivery in slack.dispatcher.log)


async def test_bolt_hears_mention_click_and_edit_over_http(slack: SlackPlayground, heard: Heard) -> None:
    app = bolt_app(slack, heard)
    async with served(app.web_app(path="/slack/events")) as url:
        slack.point_at(f"{url}/slack/events")
        await lead_a_conversation(slack, heard)
    assert {attempt.via for delivery in slack.dispatcher.log for attempt in delivery.attempts} == {"http"}


async def test_bolt_refuses_another_signing_secret(heard: Heard) -> None:
    async with SlackPlayground(SlackConfig(signing_secret="other")) as slack:
        app = bolt_app(slack, heard)
        async with served(app.web_app(path="/slack/events")) as url:
            slack.point_at(f"{url}/slack/events")
            slack.people.say("U0ANN", "D0ANN", "hello")
            await slack.settled()
        assert [attempt.status for attempt in slack.dispatcher.log[0].attempts] == [401, 401]
        assert heard.empty()


@asynccontextmanager
async def socket_mode(slack: SlackPlayground, heard: Heard) -> AsyncIterator[AsyncSocketModeHandler]:
    web_client = AsyncWebClient(token=APP_TOKEN, base_url=slack.api_url)
    handler = AsyncSocketModeHandler(bolt_app(slack, heard), APP_TOKEN, web_client=web_client)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt left it untyped.
    try:
        await asyncio.wait_for(slack.sockets.until_connected(), 10)
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # Bolt left it untyped.
        # The SDK drops its closed session without waiting for it.
        await handler.client.aiohttp_client_session.close()


async def test_bolt_hears_mention_click_and_edit_over_socket_mode(
    slack: SlackPlayground, heard: Heard
) -> None:
    async with socket_mode(slack, heard):
        await lead_a_conversation(slack, heard)
    assert {attempt.via for delivery in slack.dispatcher.log for attempt in delivery.attempts} == {"socket"}


async def test_app_reconnects_after_slack_asks_for_it(slack: SlackPlayground, heard: Heard) -> None:
    async with socket_mode(slack, heard):
        await slack.sockets.disconnect()
        await asyncio.wait_for(slack.sockets.until_connected(), 10)
        slack.people.say("U0ANN", "D0ANN", "hello")
        assert set(await next_of(heard, 1)) == {"message"}
        await slack.settled()
    assert slack.state()["calls"]["apps.connections.open"] == 2


# The socket itself


@asynccontextmanager
async def raw_socket(slack: SlackPlayground) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    client = AsyncWebClient(token=APP_TOKEN, base_url=slack.api_url)
    url = (await client.apps_connections_open(app_token=APP_TOKEN))["url"]
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
        hello = await socket.receive_json()
        assert (hello["type"], hello["num_connections"]) == ("hello", 1)
        yield socket


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def hasty() -> AsyncIterator[SlackPlayground]:
    """A Slack that waits for an acknowledgement only shortly."""
    async with SlackPlayground(SlackConfig(answer_within_s=0.05)) as running:
        yield running


async def test_unacknowledged_envelope_comes_again_as_a_retry(hasty: SlackPlayground) -> None:
    async with raw_socket(hasty) as socket:
        hasty.people.say("U0ANN", "D0ANN", "hello")
        first = await socket.receive_json()
        await socket.send_str("not json")
        again = await socket.receive_json()
        await socket.send_json({"envelope_id": again["envelope_id"]})
        await hasty.settled()
    assert (first["type"], first["retry_attempt"], first["payload"]["event"]["text"]) == (
        "events_api",
        0,
        "hello",
    )
    assert (again["retry_attempt"], again["retry_reason"]) == (1, "timeout")
    assert again["payload"] == first["payload"]
    assert [attempt.outcome for attempt in hasty.dispatcher.log[0].attempts] == ["timeout", "ok"]


async def test_socket_that_dies_before_the_acknowledgement_is_a_failed_delivery(
    slack: SlackPlayground,
) -> None:
    async with raw_socket(slack) as socket:
        slack.people.say("U0ANN", "D0ANN", "hello")
        await socket.receive_json()
    await slack.settled()
    outcomes = [attempt.outcome for attempt in slack.dispatcher.log[0].attempts]
    assert outcomes == ["connection_failed", "connection_failed"]


async def test_socket_needs_a_fresh_ticket(slack: SlackPlayground) -> None:
    client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
    url = (await client.apps_connections_open(app_token=APP_TOKEN))["url"]
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(url) as socket:
            await socket.receive_json()
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await http.ws_connect(url)


async def test_socket_can_be_retired_and_cut(slack: SlackPlayground, http: aiohttp.ClientSession) -> None:
    async with raw_socket(slack) as socket:
        answer = await http.post(f"{slack.url}/_control/disconnect", json={"reason": "warning"})
        assert (await answer.json())["ok"]
        asked = await socket.receive_json()
        assert (asked["type"], asked["reason"]) == ("disconnect", "warning")
        assert not slack.sockets.is_connected
        await http.post(f"{slack.url}/_control/disconnect", json={"cut": True})
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
