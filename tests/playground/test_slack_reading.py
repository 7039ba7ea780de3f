"""The Web API methods that look things up, driven by Slack's own client."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from playground.slack import SlackConfig, SlackPlayground
from playground.slack_clock import VirtualClock
from tests.playground.slack_peer import client_of, posted, refused

METADATA = {"event_type": "threadline_out", "event_payload": {"k": "row-1"}}


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


async def test_thread_is_read_with_metadata_only_on_request(client: AsyncWebClient) -> None:
    root = await posted(client, metadata=METADATA)
    reply = await posted(client, "more", thread_ts=root)
    plain = (await client.conversations_replies(channel="C0001", ts=root))["messages"]
    assert [(message["ts"], message.get("parent_user_id")) for message in plain] == [
        (root, None),
        (reply, "U0BOT"),
    ]
    assert plain[0]["reply_count"] == 1
    assert "metadata" not in plain[0]
    full = await client.conversations_replies(channel="C0001", ts=root, include_all_metadata=True)
    assert full["messages"][0]["metadata"] == METADATA


async def test_thread_is_paged_and_every_page_starts_with_the_root(client: AsyncWebClient) -> None:
    root = await posted(client)
    replies = [await posted(client, str(number), thread_ts=root) for number in range(5)]
    seen, cursor = [], ""
    while True:
        page = await client.conversations_replies(channel="C0001", ts=root, limit=2, cursor=cursor)
        assert page["messages"][0]["ts"] == root
        seen += [message["ts"] for message in page["messages"][1:]]
        cursor = page["response_metadata"]["next_cursor"]
        if not page["has_more"]:
            break
    assert (seen, cursor) == (replies, "")
    bad = client.conversations_replies(channel="C0001", ts=root, cursor="bm90aGluZw==")
    assert await refused(bad) == "invalid_cursor"


async def test_thread_is_cut_by_oldest_and_latest(client: AsyncWebClient) -> None:
    root = await posted(client)
    first, second, third = [await posted(client, str(number), thread_ts=root) for number in range(3)]

    async def between(**bounds: Any) -> list[str]:
        page = await client.conversations_replies(channel="C0001", ts=root, **bounds)
        return [message["ts"] for message in page["messages"][1:]]

    assert await between(oldest=first) == [second, third]
    assert await between(oldest=first, latest=third) == [second]
    assert await between(oldest=first, latest=second, inclusive=True) == [first, second]


async def test_thread_that_never_was_is_not_found(client: AsyncWebClient) -> None:
    assert await refused(client.conversations_replies(channel="C0001", ts="1.000100")) == "thread_not_found"


async def test_history_is_newest_first_and_leaves_replies_out(client: AsyncWebClient) -> None:
    root = await posted(client)
    await posted(client, "in the thread", thread_ts=root)
    shouted = await posted(client, "for all", thread_ts=root, reply_broadcast=True)
    page = await client.conversations_history(channel="C0001")
    assert [message["ts"] for message in page["messages"]] == [shouted, root]


async def test_channel_says_what_it_is(slack: SlackPlayground, client: AsyncWebClient) -> None:
    slack.people.join("U0EXT", "C0001")
    channel = (await client.conversations_info(channel="C0001"))["channel"]
    assert (channel["name"], channel["is_member"], channel["is_ext_shared"]) == ("eng", True, True)
    direct = (await client.conversations_info(channel="D0BOB"))["channel"]
    assert (direct["is_im"], direct["user"]) == (True, "U0BOB")


async def test_people_are_found_by_id_and_by_email(client: AsyncWebClient) -> None:
    ann = (await client.users_info(user="U0ANN"))["user"]
    assert ann == (await client.users_lookupByEmail(email="Ann@acme.test"))["user"]
    assert ann["profile"]["email"] == "ann@acme.test"
    assert (await client.users_info(user="U0GST"))["user"]["is_restricted"]
    assert (await client.users_info(user="U0EXT"))["user"]["team_id"] == "T0002"
    assert await refused(client.users_info(user="U0404")) == "user_not_found"
    assert await refused(client.users_lookupByEmail(email="nobody@acme.test")) == "users_not_found"
