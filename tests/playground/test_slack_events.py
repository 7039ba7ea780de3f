"""What the app is told, and in which form."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_sdk.signature import SignatureVerifier

from playground.slack_state import ChannelKind
from tests.playground.slack_peer import BUTTONS, SECRET, Peers, client_of, peers

MENTION = "<@U0BOT> fix the search"


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


async def test_mention_gives_two_events_with_ids_of_their_own(on: Peers) -> None:
    ts = on.slack.people.say("U0ANN", "C0001", MENTION)
    await on.slack.settled()
    mention, message = on.app.received
    assert [mention.event["type"], message.event["type"]] == ["app_mention", "message"]
    assert mention.envelope["event_id"] != message.envelope["event_id"]
    assert {mention.event["ts"], message.event["ts"]} == {ts}
    assert message.event["channel_type"] == "channel"


async def test_envelope_names_the_installation(on: Peers) -> None:
    on.slack.people.say("U0ANN", "C0001", "hello")
    await on.slack.settled()
    envelope = on.app.received[0].envelope
    assert envelope["authorizations"] == [
        {
            "enterprise_id": None,
            "team_id": "T0001",
            "user_id": "U0BOT",
            "is_bot": True,
            "is_enterprise_install": False,
        }
    ]
    assert (envelope["type"], envelope["team_id"], envelope["api_app_id"]) == (
        "event_callback",
        "T0001",
        "A0001",
    )
    assert envelope["event_time"] == int(on.clock.now())
    assert envelope["is_ext_shared_channel"] is False


async def test_every_request_is_signed(on: Peers) -> None:
    root = on.slack.people.say("U0ANN", "C0001", "ümlaut <@U0BOT>")
    ts = (
        await client_of(on.slack).chat_postMessage(channel="C0001", text="t", blocks=BUTTONS, thread_ts=root)
    )["ts"]
    await on.slack.settled()
    await on.slack.people.click("U0ANN", "C0001", ts, "stop")
    verifier = SignatureVerifier(SECRET)
    assert len(on.app.received) == 4
    for received in on.app.received:
        assert verifier.is_valid_request(received.body, received.headers)
        assert not verifier.is_valid_request(received.body + b" ", received.headers)


async def test_direct_message_gives_one_event_even_with_a_mention(on: Peers) -> None:
    on.slack.people.say("U0ANN", "D0ANN", MENTION)
    await on.slack.settled()
    [received] = on.app.received
    assert (received.event["type"], received.event["channel_type"]) == ("message", "im")


async def test_reply_names_its_thread(on: Peers) -> None:
    root = on.slack.people.say("U0ANN", "C0001", "hello")
    on.slack.people.say("U0BOB", "C0001", "me too", root)
    await on.slack.settled()
    reply = on.app.received[-1].event
    assert (reply["thread_ts"], reply["parent_user_id"], reply["user"]) == (root, "U0ANN", "U0BOB")


async def test_edit_carries_both_wordings(on: Peers) -> None:
    ts = on.slack.people.say("U0ANN", "C0001", "one")
    on.slack.people.edit("U0ANN", "C0001", ts, "two")
    await on.slack.settled()
    edit = on.app.received[-1].event
    assert (edit["subtype"], edit["hidden"]) == ("message_changed", True)
    assert (edit["previous_message"]["text"], edit["message"]["text"]) == ("one", "two")
    assert edit["message"]["edited"]["user"] == "U0ANN"
    assert edit["message"]["ts"] == ts != edit["ts"]
    assert "edited" not in edit["previous_message"]


async def test_unfurl_is_a_change_that_nobody_made(on: Peers) -> None:
    ts = on.slack.people.say("U0ANN", "C0001", "see https://a.test")
    on.slack.people.unfurl("C0001", ts)
    await on.slack.settled()
    change = on.app.received[-1].event
    assert change["subtype"] == "message_changed"
    assert "edited" not in change["message"]


async def test_deletion_names_what_is_gone(on: Peers) -> None:
    ts = on.slack.people.say("U0ANN", "C0001", "oops")
    on.slack.people.delete("U0ANN", "C0001", ts)
    await on.slack.settled()
    gone = on.app.received[-1].event
    assert (gone["subtype"], gone["deleted_ts"], gone["previous_message"]["text"]) == (
        "message_deleted",
        ts,
        "oops",
    )


async def test_reaction_names_message_and_both_people(on: Peers) -> None:
    ts = on.slack.people.say("U0ANN", "C0001", "hello")
    on.slack.people.react("U0BOB", "C0001", ts, "x")
    await on.slack.settled()
    event = on.app.received[-1].event
    assert (event["type"], event["user"], event["item_user"], event["reaction"]) == (
        "reaction_added",
        "U0BOB",
        "U0ANN",
        "x",
    )
    assert event["item"] == {"type": "message", "channel": "C0001", "ts": ts}


async def test_only_subscribed_events_are_delivered() -> None:
    async with peers(subscriptions={"app_mention", "reaction_removed"}) as on:
        ts = on.slack.people.say("U0ANN", "C0001", MENTION)
        on.slack.people.react("U0BOB", "C0001", ts, "x")
        on.slack.people.unreact("U0BOB", "C0001", ts, "x")
        on.slack.people.say("U0ANN", "D0ANN", "hello")
        await on.slack.settled()
        assert on.app.types() == ["app_mention", "reaction_removed"]


async def test_channel_without_the_bot_is_silent(on: Peers) -> None:
    on.slack.people.leave("U0BOT", "C0001")
    on.slack.people.say("U0ANN", "C0001", MENTION)
    await on.slack.settled()
    assert on.app.received == []


async def test_own_posts_come_back_with_the_bots_ids(on: Peers) -> None:
    await client_of(on.slack).chat_postMessage(channel="C0001", text="to <@U0BOT> myself")
    await on.slack.settled()
    [echo] = [received.event for received in on.app.received]
    assert (echo["type"], echo["bot_id"], echo["app_id"]) == ("message", "B0BOT", "A0001")


async def test_other_bots_may_mention_ours(on: Peers) -> None:
    on.slack.people.say("U0ALERT", "C0001", MENTION, subtype="bot_message")
    await on.slack.settled()
    assert on.app.types() == ["app_mention", "message"]
    assert {received.event["bot_id"] for received in on.app.received} == {"B0ALERT"}
    assert on.app.received[0].event["subtype"] == "bot_message"


async def test_outsider_brings_team_and_shared_channel_along(on: Peers) -> None:
    on.slack.people.join("U0EXT", "C0001")
    on.slack.people.say("U0EXT", "C0001", MENTION)
    await on.slack.settled()
    received = on.app.received[0]
    assert (received.event["user_team"], received.envelope["team_id"]) == ("T0002", "T0001")
    assert received.envelope["is_ext_shared_channel"] is True


async def test_shared_file_needs_the_token_to_be_read(on: Peers) -> None:
    on.slack.people.say("U0ANN", "C0001", "the log", files={"ci.log": "boom"})
    await on.slack.settled()
    event = on.app.received[0].event
    assert event["subtype"] == "file_share"
    [file] = event["files"]
    client = client_of(on.slack)
    headers = {"Authorization": f"Bearer {client.token}"}
    assert await _fetched(file["url_private_download"], headers) == (200, "boom")
    status, text = await _fetched(file["url_private_download"], {})
    assert status == 200
    assert text.startswith("<!doctype html>")


async def test_stop_button_of_a_session_is_an_event(on: Peers) -> None:
    root = on.slack.people.say("U0ANN", "C0001", "hello")
    on.slack.people.stop_session("U0BOB", "C0001", root)
    await on.slack.settled()
    event = on.app.received[-1].event
    assert (event["type"], event["user"], event["thread_ts"]) == ("agent_session_stopped", "U0BOB", root)


async def test_uninstalling_is_told_in_two_events(on: Peers) -> None:
    on.slack.people.uninstall()
    await on.slack.settled()
    assert sorted(on.app.types()) == ["app_uninstalled", "tokens_revoked"]


async def test_request_url_is_verified_by_its_challenge(on: Peers) -> None:
    assert await on.slack.dispatcher.verify_url("abc")
    on.app.statuses = [500]
    assert not await on.slack.dispatcher.verify_url("abc")


async def test_private_channel_has_a_subscription_of_its_own() -> None:
    async with peers(subscriptions={"message.groups"}) as on:
        on.slack.people.create_channel("G0001", "secret", ChannelKind.PRIVATE, ["U0ANN", "U0BOT"])
        on.slack.people.say("U0ANN", "G0001", MENTION)
        on.slack.people.say("U0ANN", "C0001", MENTION)
        await on.slack.settled()
        [received] = on.app.received
        assert (received.event["channel"], received.event["channel_type"]) == ("G0001", "group")


async def _fetched(url: str, headers: dict[str, str]) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as response:
        return response.status, await response.text()
