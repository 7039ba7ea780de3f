"""Clicks, what they open, and the response URLs they bring."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from playground.slack_wire import Refused
from tests.playground.slack_peer import BUTTONS, Peers, client_of, peers


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


async def _with_buttons(on: Peers, **more: Any) -> str:
    ts: str = (await client_of(on.slack).chat_postMessage(channel="C0001", text="t", blocks=BUTTONS, **more))[
        "ts"
    ]
    await on.slack.settled()
    on.app.received.clear()
    return ts


async def test_click_arrives_as_a_signed_form(on: Peers) -> None:
    root = on.slack.people.say("U0ANN", "C0001", "hello")
    ts = await _with_buttons(on, thread_ts=root)
    receipt = await on.slack.people.click("U0ANN", "C0001", ts, "stop")
    [received] = on.app.received
    click = received.interaction
    assert receipt.status == 200
    assert received.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (click["type"], click["user"]["id"], click["team"]["id"]) == ("block_actions", "U0ANN", "T0001")
    assert (click["channel"]["id"], click["message"]["ts"]) == ("C0001", ts)
    assert click["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": "C0001",
        "is_ephemeral": False,
        "thread_ts": root,
    }
    [action] = click["actions"]
    assert (action["action_id"], action["value"], action["type"]) == ("stop", "s-1", "button")
    assert action["block_id"] == click["message"]["blocks"][0]["block_id"]
    assert action["action_ts"]
    assert click["trigger_id"]
    assert click["response_url"].startswith(on.slack.url)


async def test_choice_in_a_menu_names_the_option(on: Peers) -> None:
    ts = await _with_buttons(on)
    await on.slack.people.click("U0ANN", "C0001", ts, "repo", value="acme/shop")
    assert on.app.received[0].interaction["actions"][0]["selected_option"]["value"] == "acme/shop"


@pytest.mark.parametrize(
    ("user", "action_id", "value"),
    [
        ("U0ANN", "merge", None),
        ("U0ANN", "approve", None),
        ("U0ANN", "stop", "s-2"),
        ("U0ANN", "repo", "acme/other"),
    ],
)
async def test_what_is_not_on_offer_cannot_be_clicked(
    on: Peers, user: str, action_id: str, value: str | None
) -> None:
    ts = await _with_buttons(on)
    with pytest.raises(Refused, match="no_such_action"):
        await on.slack.people.click(user, "C0001", ts, action_id, value=value)


async def test_button_for_some_people_works_for_them(on: Peers) -> None:
    ts = await _with_buttons(on)
    await on.slack.people.click("U0EVE", "C0001", ts, "approve")
    assert on.app.received[0].interaction["actions"][0]["value"] == "p-1"


async def test_click_is_not_retried(on: Peers) -> None:
    ts = await _with_buttons(on)
    on.app.statuses = [500]
    receipt = await on.slack.people.click("U0ANN", "C0001", ts, "stop")
    await on.advance(3600)
    assert (receipt.reason, len(on.app.received)) == ("http_error", 1)


async def test_trigger_opens_one_view_within_three_seconds(on: Peers) -> None:
    ts, client = await _with_buttons(on), client_of(on.slack)
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Repository"}, "blocks": []}
    for _ in range(2):
        await on.slack.people.click("U0ANN", "C0001", ts, "stop")
    first, second = (received.interaction["trigger_id"] for received in on.app.received)
    opened = await client.views_open(trigger_id=first, view=view)
    await client.views_update(view_id=opened["view"]["id"], view=view | {"private_metadata": "m"})
    assert [stored["private_metadata"] for stored in on.slack.state()["views"]] == ["m"]
    await on.advance(3.1)
    for trigger, error in ((first, "invalid_trigger_id"), (second, "expired_trigger_id")):
        with pytest.raises(SlackApiError, match=error):
            await client.views_open(trigger_id=trigger, view=view)


async def test_click_in_an_ephemeral_message_has_no_message(on: Peers) -> None:
    client = client_of(on.slack)
    ts = (await client.chat_postEphemeral(channel="C0001", user="U0ANN", text="t", blocks=BUTTONS))[
        "message_ts"
    ]
    await on.slack.people.click("U0ANN", "C0001", ts, "stop")
    click = on.app.received[0].interaction
    assert click["container"]["is_ephemeral"]
    assert "message" not in click
    with pytest.raises(Refused, match="message_not_found"):
        await on.slack.people.click("U0BOB", "C0001", ts, "stop")


async def _response_url(on: Peers, ts: str) -> str:
    await on.slack.people.click("U0ANN", "C0001", ts, "stop")
    url: str = on.app.received[-1].interaction["response_url"]
    return url


async def test_response_url_replaces_and_deletes_the_original(on: Peers) -> None:
    ts = await _with_buttons(on)
    url = await _response_url(on, ts)
    assert await _sent(url, {"replace_original": True, "text": "Stopped by Ann"}) == 200
    assert on.slack.transcript("C0001")[0]["text"] == "Stopped by Ann"
    assert await _sent(url, {"delete_original": True}) == 200
    assert on.slack.transcript("C0001") == []


async def test_response_url_answers_in_private_unless_told_otherwise(on: Peers) -> None:
    url = await _response_url(on, await _with_buttons(on))
    await _sent(url, {"text": "for Ann"})
    await _sent(url, {"text": "for all", "response_type": "in_channel"})
    assert [line["text"] for line in on.slack.transcript("C0001")[1:]] == ["for all"]


async def test_response_url_is_good_for_five_answers_and_half_an_hour(on: Peers) -> None:
    ts = await _with_buttons(on)
    url = await _response_url(on, ts)
    statuses = [await _sent(url, {"text": str(number)}) for number in range(6)]
    assert statuses == [200, 200, 200, 200, 200, 404]
    late = await _response_url(on, ts)
    await on.advance(30 * 60 + 1)
    assert await _sent(late, {"text": "late"}) == 404


async def _sent(url: str, body: dict[str, Any]) -> int:
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        return response.status
