"""The edge of the Web API: tokens, scopes, limits and faults, driven by Slack's own client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from playground.slack import APP_TOKEN, Grant, SlackConfig, SlackPlayground
from playground.slack_clock import VirtualClock
from playground.slack_faults import Fault
from tests.playground.slack_peer import client_of, posted, refused


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def slack(clock: VirtualClock) -> AsyncIterator[SlackPlayground]:
    async with SlackPlayground(SlackConfig(rate_factor=None), clock) as running:
        yield running


@pytest.fixture
def client(slack: SlackPlayground) -> AsyncWebClient:
    return client_of(slack)


async def test_bot_learns_who_it_is_and_what_it_may_do(client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == ("T0001", "U0BOT", "B0BOT")
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


async def test_token_may_also_come_as_a_field(slack: SlackPlayground) -> None:
    async with aiohttp.ClientSession() as http:
        answer = await http.post(f"{slack.api_url}auth.test", data={"token": "xoxb-acme"})
        assert (await answer.json())["ok"]


async def test_unknown_and_missing_tokens_are_refused(slack: SlackPlayground) -> None:
    assert await refused(client_of(slack, "xoxb-other").auth_test()) == "invalid_auth"
    async with aiohttp.ClientSession() as http:
        answer = await http.post(f"{slack.api_url}auth.test")
        assert (await answer.json())["error"] == "not_authed"
        assert "x-oauth-scopes" in answer.headers


async def test_dead_token_says_how_it_died(slack: SlackPlayground, client: AsyncWebClient) -> None:
    slack.people.revoke_tokens()
    assert await refused(client.auth_test()) == "token_revoked"
    slack.people.uninstall()
    assert await refused(client.auth_test()) == "account_inactive"


async def test_missing_scope_is_named() -> None:
    grants = {"xoxb-small": Grant(frozenset({"chat:write", "channels:history"}))}
    async with SlackPlayground(SlackConfig(grants=grants)) as slack:
        client = client_of(slack, "xoxb-small")
        with pytest.raises(SlackApiError) as caught:
            await client.reactions_add(channel="C0001", name="eyes", timestamp="1.000100")
        answer = caught.value.response
        assert (answer["error"], answer["needed"]) == ("missing_scope", "reactions:write")
        assert answer["provided"] == "channels:history,chat:write"
        assert await refused(client.conversations_history(channel="D0ANN")) == "missing_scope"
        assert (await client.conversations_history(channel="C0001"))["ok"]


async def test_email_needs_its_own_scope() -> None:
    grants = {"xoxb-small": Grant(frozenset({"users:read"}))}
    async with SlackPlayground(SlackConfig(grants=grants)) as slack:
        answer = await client_of(slack, "xoxb-small").users_info(user="U0ANN")
        assert "email" not in answer["user"]["profile"]


async def test_bot_and_app_level_tokens_are_not_interchangeable(slack: SlackPlayground) -> None:
    assert (
        await refused(client_of(slack).apps_connections_open(app_token="xoxb-acme"))
        == "not_allowed_token_type"
    )
    assert await refused(client_of(slack, APP_TOKEN).auth_test()) == "not_allowed_token_type"


async def test_unknown_method_is_refused_and_counted(slack: SlackPlayground, client: AsyncWebClient) -> None:
    assert await refused(client.chat_startStream(channel="C0001", thread_ts="1.000100")) == "unknown_method"
    assert slack.state()["calls"] == {"chat.startStream": 1}
    assert slack.state()["refusals"] == {"chat.startStream unknown_method": 1}


async def test_exhausted_tier_answers_429_and_says_how_long_to_wait() -> None:
    clock = VirtualClock()
    async with SlackPlayground(SlackConfig(rate_factor=0.1), clock) as slack:
        client = client_of(slack)
        ts = await posted(client)
        for number in range(5):
            await client.chat_update(channel="C0001", ts=ts, text=str(number))
        with pytest.raises(SlackApiError) as caught:
            await client.chat_update(channel="C0001", ts=ts, text="one too many")
        response = caught.value.response
        assert (response.status_code, response["error"], response.headers["Retry-After"]) == (
            429,
            "ratelimited",
            "12",
        )
        clock.advance(12)
        await client.chat_update(channel="C0001", ts=ts, text="now")


async def test_ordered_error_hits_as_often_as_ordered(slack: SlackPlayground, client: AsyncWebClient) -> None:
    slack.api.faults.fail_next("chat.postMessage", Fault(error="internal_error"), times=2)
    outcomes = [await refused(client.chat_postMessage(channel="C0001", text="t")) for _ in range(2)]
    await posted(client)
    assert outcomes == ["internal_error", "internal_error"]
    assert len(slack.transcript("C0001")) == 1


@pytest.mark.parametrize(("drop", "shown"), [("before", 0), ("after", 1)])
async def test_lost_answer_may_hide_an_effect(
    slack: SlackPlayground, client: AsyncWebClient, drop: Any, shown: int
) -> None:
    slack.api.faults.fail_next("chat.postMessage", Fault(drop=drop))
    with pytest.raises(aiohttp.ClientError):
        await posted(client)
    assert len(slack.transcript("C0001")) == shown


async def test_trouble_at_the_gateway_is_html(slack: SlackPlayground) -> None:
    slack.api.faults.is_down = True
    async with aiohttp.ClientSession() as http:
        down = await http.post(f"{slack.api_url}auth.test", headers={"Authorization": "Bearer xoxb-acme"})
        slack.api.faults.clear()
        slack.api.faults.fail_next("auth.test", Fault(status=502))
        bad = await http.post(f"{slack.api_url}auth.test", headers={"Authorization": "Bearer xoxb-acme"})
        assert (down.status, bad.status) == (503, 502)
        assert "html" in await bad.text()


async def test_latency_passes_on_the_clock(
    slack: SlackPlayground, client: AsyncWebClient, clock: VirtualClock
) -> None:
    slack.api.faults.latency_s = 2.0
    call = asyncio.ensure_future(client.auth_test())
    await clock.until_waited_for()
    clock.advance(1.9)
    assert not call.done()
    clock.advance(0.1)
    assert (await call)["ok"]


async def test_malformed_body_counts_as_empty(slack: SlackPlayground) -> None:
    headers = {"Authorization": "Bearer xoxb-acme", "Content-Type": "application/json"}
    async with aiohttp.ClientSession() as http:
        answer = await http.post(f"{slack.api_url}chat.postMessage", data=b"{broken", headers=headers)
        assert (await answer.json())["error"] == "invalid_arguments"


async def test_ordered_rate_limit_comes_with_its_wait(slack: SlackPlayground, client: AsyncWebClient) -> None:
    slack.api.faults.fail_next("chat.postMessage", Fault(error="ratelimited", retry_after_s=7))
    with pytest.raises(SlackApiError) as caught:
        await posted(client)
    response = caught.value.response
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert "chat:write" in response.headers["x-oauth-scopes"]
