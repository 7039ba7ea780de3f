"""The Web API methods that write, driven by Slack's own client."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from playground.slack import SlackConfig, SlackPlayground
from playground.slack_clock import VirtualClock
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


async def test_post_edit_delete_leave_their_history(slack: SlackPlayground, client: AsyncWebClient) -> None:
    ts = await posted(client, "one")
    await client.chat_update(channel="C0001", ts=ts, text="two")
    assert slack.transcript("C0001") == [
        {"author": "linear", "text": "two", "ts": ts, "edited": 1, "reactions": {}}
    ]
    await client.chat_delete(channel="C0001", ts=ts)
    assert slack.transcript("C0001") == []
    [message] = slack.state()["channels"]["C0001"]["threads"][ts]
    assert message["deleted"]
    assert [edit["text"] for edit in message["edits"]] == ["one"]


async def test_long_text_is_cut_with_a_warning_in_a_post(client: AsyncWebClient) -> None:
    answer = await client.chat_postMessage(channel="C0001", text="x" * 40_001)
    assert len(answer["message"]["text"]) == 40_000
    assert answer["warning"] == "message_truncated"


async def test_long_text_is_refused_in_an_edit(client: AsyncWebClient) -> None:
    ts = await posted(client)
    await client.chat_update(channel="C0001", ts=ts, text="x" * 4000)
    assert await refused(client.chat_update(channel="C0001", ts=ts, text="x" * 4001)) == "msg_too_long"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"text": ""}, "no_text"),
        ({"text": "t", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        (
            {"text": "t", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
            "invalid_blocks",
        ),
        ({"text": "t", "blocks": [{"type": "markdown", "text": "x" * 13_201}]}, "msg_blocks_too_long"),
        ({"text": "t", "blocks": "not json"}, "invalid_blocks_format"),
        ({"text": "t", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
        ({"text": "t", "markdown_text": "m"}, "markdown_text_conflict"),
        ({"markdown_text": "m" * 12_001}, "msg_too_long"),
        ({"text": "t", "thread_ts": "1.000100"}, "thread_not_found"),
    ],
)
async def test_content_against_the_rules_is_refused(
    client: AsyncWebClient, content: dict[str, Any], error: str
) -> None:
    assert await refused(client.api_call("chat.postMessage", json={"channel": "C0001", **content})) == error


async def test_blocks_sent_as_a_form_field_are_read(slack: SlackPlayground, client: AsyncWebClient) -> None:
    blocks = json.dumps([{"type": "header", "text": {"type": "plain_text", "text": "ENG-142"}}])
    await client.api_call("chat.postMessage", data={"channel": "C0001", "text": "t", "blocks": blocks})
    assert slack.transcript("C0001")[0]["text"] == "ENG-142"


async def test_user_id_as_channel_means_the_direct_message(client: AsyncWebClient) -> None:
    assert (await client.chat_postMessage(channel="U0ANN", text="hi"))["channel"] == "D0ANN"
    assert (await client.conversations_open(users="U0ANN"))["channel"]["id"] == "D0ANN"


async def test_places_the_bot_cannot_write_to_are_named(
    slack: SlackPlayground, client: AsyncWebClient
) -> None:
    assert await refused(client.chat_postMessage(channel="C0404", text="t")) == "channel_not_found"
    slack.people.archive("C0001")
    assert await refused(client.chat_postMessage(channel="C0001", text="t")) == "is_archived"
    slack.people.leave("U0BOT", "C0002")
    assert await refused(client.chat_postMessage(channel="C0002", text="t")) == "not_in_channel"


async def test_bot_edits_and_deletes_only_its_own(slack: SlackPlayground, client: AsyncWebClient) -> None:
    ts = slack.people.say("U0ANN", "C0001", "mine")
    assert await refused(client.chat_update(channel="C0001", ts=ts, text="x")) == "cant_update_message"
    assert await refused(client.chat_delete(channel="C0001", ts=ts)) == "cant_delete_message"
    assert await refused(client.chat_update(channel="C0001", ts="1.000100", text="x")) == "message_not_found"


async def test_ephemeral_message_reaches_one_member_only(
    slack: SlackPlayground, client: AsyncWebClient
) -> None:
    answer = await client.chat_postEphemeral(channel="C0001", user="U0ANN", text="link your account")
    assert slack.transcript("C0001") == []
    [message] = slack.state()["channels"]["C0001"]["threads"][answer["message_ts"]]
    assert (message["ephemeral_for"], message["text"]) == ("U0ANN", "link your account")
    outsider = client.chat_postEphemeral(channel="C0001", user="U0EXT", text="t")
    assert await refused(outsider) == "user_not_in_channel"
    edit = client.chat_update(channel="C0001", ts=answer["message_ts"], text="x")
    assert await refused(edit) == "message_not_found"


async def test_permalink_of_a_reply_names_its_thread(client: AsyncWebClient) -> None:
    root = await posted(client)
    reply = await posted(client, "more", thread_ts=root)
    link = (await client.chat_getPermalink(channel="C0001", message_ts=reply))["permalink"]
    assert link.endswith(f"/archives/C0001/p{reply.replace('.', '')}?thread_ts={root}&cid=C0001")


async def test_reaction_once_each_way(client: AsyncWebClient) -> None:
    ts = await posted(client)
    await client.reactions_add(channel="C0001", timestamp=ts, name="eyes")
    assert (
        await refused(client.reactions_add(channel="C0001", timestamp=ts, name="eyes")) == "already_reacted"
    )
    message = (await client.reactions_get(channel="C0001", timestamp=ts))["message"]
    assert message["reactions"] == [{"name": "eyes", "users": ["U0BOT"], "count": 1}]
    await client.reactions_remove(channel="C0001", timestamp=ts, name="eyes")
    assert await refused(client.reactions_remove(channel="C0001", timestamp=ts, name="eyes")) == "no_reaction"
    assert (
        await refused(client.reactions_add(channel="C0001", timestamp="1.000100", name="eyes"))
        == "message_not_found"
    )


async def test_agent_session_keeps_status_and_title(slack: SlackPlayground, client: AsyncWebClient) -> None:
    root = await posted(client)
    await client.agents_sessions_setStatus(
        channel_id="C0001", thread_ts=root, status="processing", title="ENG-142"
    )
    await client.agents_sessions_setStatus(channel_id="C0001", thread_ts=root, status="suspended")
    assert slack.state()["agent_sessions"] == [
        {"channel": "C0001", "thread_ts": root, "status": "suspended", "title": "ENG-142"}
    ]
    wrong = client.agents_sessions_setStatus(channel_id="C0001", thread_ts=root, status="working")
    assert await refused(wrong) == "invalid_arguments"


async def test_stop_button_without_its_subscription_is_warned_about() -> None:
    async with SlackPlayground(SlackConfig(subscriptions={"app_mention"})) as slack:
        client = client_of(slack)
        root = await posted(client)
        answer = await client.agents_sessions_setStatus(
            channel_id="C0001", thread_ts=root, status="processing"
        )
        assert answer["warning"] == "missing_agent_session_stopped_event_subscription"


async def test_thread_status_goes_with_the_reply(slack: SlackPlayground, client: AsyncWebClient) -> None:
    root = await posted(client)
    await client.assistant_threads_setStatus(channel_id="C0001", thread_ts=root, status="is reading")
    assert slack.state()["thread_statuses"] == [
        {"channel": "C0001", "thread_ts": root, "status": "is reading"}
    ]
    await posted(client, "here", thread_ts=root)
    assert slack.state()["thread_statuses"] == []


async def test_statuses_are_for_declared_agents_only() -> None:
    async with SlackPlayground(SlackConfig(is_agent=False)) as slack:
        client = client_of(slack)
        root = await posted(client)
        session = client.agents_sessions_setStatus(channel_id="C0001", thread_ts=root, status="processing")
        line = client.assistant_threads_setStatus(channel_id="C0001", thread_ts=root, status="x")
        assert [await refused(session), await refused(line)] == ["not_authorized", "not_authorized"]


async def test_home_view_is_stored(slack: SlackPlayground, client: AsyncWebClient) -> None:
    await client.views_publish(user_id="U0ANN", view={"type": "home", "blocks": []})
    assert slack.state()["views"][0]["type"] == "home"
    assert (
        await refused(client.views_open(trigger_id="1.unknown", view={"type": "modal"}))
        == "invalid_trigger_id"
    )
