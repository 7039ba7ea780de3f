"""The stand-in as somebody uses it by hand: control calls, state, transcript, page, command line."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from playground.slack import SlackConfig, SlackPlayground
from tests.playground.slack_peer import Peers, client_of, peers


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Remote:
    """Control calls over HTTP."""

    def __init__(self, slack: SlackPlayground, http: aiohttp.ClientSession) -> None:
        self._slack = slack
        self._http = http

    async def __call__(self, control: str, /, **fields: Any) -> Any:
        async with self._http.post(f"{self._slack.url}/_control/{control}", json=fields) as response:
            return await response.json()

    async def get(self, path: str, **query: str) -> Any:
        async with self._http.get(f"{self._slack.url}{path}", params=query) as response:
            return await response.json()

    async def page(self, path: str) -> str:
        async with self._http.get(f"{self._slack.url}{path}") as response:
            assert response.content_type == "text/html"
            return await response.text()


@pytest.fixture
def control(on: Peers, http: aiohttp.ClientSession) -> Remote:
    return Remote(on.slack, http)


async def test_a_conversation_can_be_led_by_control_calls(on: Peers, control: Remote) -> None:
    root = (await control("say", user="U0ANN", channel="C0001", text="hello"))["ts"]
    reply = (await control("say", user="U0BOB", channel="C0001", text="me to", thread_ts=root))["ts"]
    await control("edit", user="U0BOB", channel="C0001", ts=reply, text="me too")
    await control("react", user="U0EVE", channel="C0001", ts=reply, name="tada")
    assert await control.get("/_transcript", channel="C0001", thread_ts=root) == [
        {"author": "Ann", "text": "hello", "ts": root, "edited": 0, "reactions": {}},
        {"author": "Bob", "text": "me too", "ts": reply, "edited": 1, "reactions": {"tada": ["Eve"]}},
    ]
    await control("unreact", user="U0EVE", channel="C0001", ts=reply, name="tada")
    await control("unfurl", channel="C0001", ts=root)
    await control("delete", user="U0BOB", channel="C0001", ts=reply)
    await control("stop_session", user="U0ANN", channel="C0001", thread_ts=root)
    await on.slack.settled()
    assert len(await control.get("/_transcript", channel="C0001", thread_ts=root)) == 1
    told = {received.event.get("subtype", received.event["type"]) for received in on.app.received}
    assert told == {
        "message",
        "message_changed",
        "message_deleted",
        "reaction_added",
        "agent_session_stopped",
    }


async def test_click_answers_with_what_the_app_said(on: Peers, control: Remote) -> None:
    element = {"type": "button", "action_id": "stop", "text": {"type": "plain_text", "text": "Stop"}}
    blocks = [{"type": "actions", "elements": [element]}]
    ts = (await client_of(on.slack).chat_postMessage(channel="C0001", text="t", blocks=blocks))["ts"]
    await on.slack.settled()
    clicked = await control("click", user="U0ANN", channel="C0001", ts=ts, action_id="stop")
    assert clicked == {"ok": True, "status": 200, "reason": None}


async def test_membership_archive_and_uninstall_change_what_the_app_may(on: Peers, control: Remote) -> None:
    await control("membership", user="U0BOT", channel="C0001", leave=True)
    await control("membership", user="U0EXT", channel="C0001")
    assert on.slack.workspace.channel("C0001").members >= {"U0EXT", "U0ANN"}
    assert "U0BOT" not in on.slack.workspace.channel("C0001").members
    await control("archive", channel="C0002")
    assert on.slack.workspace.channel("C0002").is_archived
    await control("archive", channel="C0002", undo=True)
    assert not on.slack.workspace.channel("C0002").is_archived
    await control("uninstall", tokens_only=True)
    await on.slack.settled()
    assert on.app.types() == ["tokens_revoked"]
    await control("uninstall")
    await on.slack.settled()
    assert sorted(on.app.types()) == ["app_uninstalled", "tokens_revoked", "tokens_revoked"]


async def test_channels_can_be_added(on: Peers, control: Remote) -> None:
    fields = {"channel": "G0001", "name": "secret", "kind": "groups", "members": ["U0ANN"]}
    assert (await control("create_channel", **fields))["ok"]
    channel = on.slack.workspace.channel("G0001")
    assert (channel.name, channel.kind.value, channel.members) == ("secret", "groups", {"U0ANN"})
    assert (await control("create_channel", **fields))["error"] == "name_taken"
    assert (await control("create_channel", **fields | {"kind": "club"}))["error"] == "invalid_arguments"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"error": "internal_error"}, "internal_error"),
        ({"status": 500}, 500),
        ({"drop": "before"}, "dropped"),
    ],
)
async def test_trouble_can_be_ordered(
    on: Peers, control: Remote, http: aiohttp.ClientSession, fault: dict[str, Any], outcome: object
) -> None:
    await control("fail", method="auth.test", times=1, **fault)
    assert [await _auth_test(on, http), await _auth_test(on, http)] == [outcome, True]


async def test_weather_is_for_all_calls_until_it_clears(
    on: Peers, control: Remote, http: aiohttp.ClientSession
) -> None:
    await control("weather", down=True)
    assert await _auth_test(on, http) == 503
    await control("fail", method="auth.test", error="internal_error")
    await control("weather", clear=True)
    assert await _auth_test(on, http) is True


async def test_delivery_options_are_replaced_as_a_whole(on: Peers, control: Remote) -> None:
    await control("delivery", copies=2, reorder=True, together=True, drop_answers=1)
    answer = await control("delivery", delay_ms=1500)
    assert answer == {
        "ok": True,
        "copies": 1,
        "reorder": False,
        "together": False,
        "drop_answers": 0,
        "drop_answers_to": None,
        "delay_s": 1.5,
    }
    await control("say", user="U0ANN", channel="C0001", text="hello")
    assert on.app.received == []
    await control("advance", seconds=2)
    assert on.app.types() == ["message"]


async def test_rate_limits_can_be_switched(on: Peers, control: Remote) -> None:
    await control("rate", percent=5)
    assert on.slack.api.limits.factor == 0.05
    await control("rate", percent=0)
    assert on.slack.api.limits.factor is None


async def test_url_is_verified_on_request(control: Remote) -> None:
    assert (await control("verify_url", challenge="abc"))["verified"]


@pytest.mark.parametrize(
    ("name", "fields", "error"),
    [
        ("dance", {}, "unknown_control"),
        ("say", {"channel": "C0001", "text": "t"}, "invalid_arguments"),
        ("say", {"user": "U0ANN", "channel": "C0404", "text": "t"}, "channel_not_found"),
        ("say", {"user": "U0404", "channel": "C0001", "text": "t"}, "user_not_found"),
        ("fail", {"method": "auth.test", "drop": "sometimes"}, "invalid_arguments"),
        ("advance", {"seconds": "soon"}, "invalid_arguments"),
    ],
)
async def test_wrong_control_call_says_what_is_wrong(
    control: Remote, name: str, fields: dict[str, Any], error: str
) -> None:
    answer = await control(name, **fields)
    assert (answer["ok"], answer["error"]) == (False, error)


async def test_real_clock_cannot_be_advanced(http: aiohttp.ClientSession) -> None:
    async with SlackPlayground() as slack:
        assert (await Remote(slack, http)("advance", seconds=1))["error"] == "clock_is_real"


async def test_real_clock_delays_for_real_and_forgets_on_close() -> None:
    async with peers() as on, SlackPlayground(SlackConfig(events_url=on.app.url)) as slack:
        slack.dispatcher.options.delay_s = 0.01
        slack.people.say("U0ANN", "C0001", "soon")
        slack.dispatcher.options.delay_s = 3600
        slack.people.say("U0ANN", "C0001", "never")
        await asyncio.wait_for(on.app.called.wait(), 5)
    assert [received.event["text"] for received in on.app.received] == ["soon"]


async def test_state_shows_threads_calls_and_deliveries(on: Peers, control: Remote) -> None:
    root = (await control("say", user="U0ANN", channel="C0001", text="hello"))["ts"]
    await client_of(on.slack).chat_postMessage(channel="C0001", text="hi", thread_ts=root)
    await on.slack.settled()
    state = await control.get("/_state")
    assert [message["text"] for message in state["channels"]["C0001"]["threads"][root]] == ["hello", "hi"]
    assert state["calls"] == {"chat.postMessage": 1}
    assert [delivery["name"] for delivery in state["deliveries"]] == ["message", "message"]


async def test_transcript_of_nowhere_is_refused(control: Remote) -> None:
    assert (await control.get("/_transcript", channel="C0404"))["error"] == "channel_not_found"


async def test_page_escapes_what_people_write(on: Peers, control: Remote) -> None:
    ts = on.slack.people.say("U0ANN", "C0001", "<script>alert('x')</script> & more")
    on.slack.people.say("U0BOB", "C0001", "<b>reply</b>", ts)
    on.slack.people.edit("U0ANN", "C0001", ts, "<script>two</script>")
    on.slack.people.react("U0BOB", "C0001", ts, "<i>")
    page = await control.page("/_messages")
    assert "<script>" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;two&lt;/script&gt;" in page
    assert "#eng" in page
    assert "edited 1 times" in page


async def test_form_on_the_page_posts_and_returns(
    on: Peers, control: Remote, http: aiohttp.ClientSession
) -> None:
    assert "<option value='U0ANN'>Ann</option>" in await control.page("/")
    fields = {"user": "U0ANN", "channel": "C0001", "text": "by hand", "thread_ts": ""}
    url = f"{on.slack.url}/_control/say"
    async with http.post(url, data=fields, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")
    assert on.slack.transcript("C0001")[0]["text"] == "by hand"


async def test_command_line_serves_until_it_is_stopped() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "playground.slack", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        url = line.split()[3]
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            assert response.status == 200
    finally:
        process.terminate()
        await process.wait()


async def _auth_test(on: Peers, http: aiohttp.ClientSession) -> object:
    headers = {"Authorization": "Bearer xoxb-acme"}
    try:
        async with http.post(f"{on.slack.api_url}auth.test", headers=headers) as response:
            if response.status != 200:
                return response.status
            answer = await response.json()
            return answer.get("error", answer["ok"])
    except aiohttp.ClientError:
        return "dropped"
