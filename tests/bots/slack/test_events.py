"""Slack's envelopes, read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.buttons import question_block
from bots.slack.events import STOP_REACTIONS, Admission, author_of, parse_action, parse_event, user_of
from bots.slack.wire import MalformedEvent
from core.activities import Author
from core.events import Attachment, Chosen, Deleted, Edited, Incoming, Said, StopAsked
from core.ids import ElicitationId
from tests.bots.slack.envelopes import (
    ANN,
    BOT,
    changed,
    click,
    deleted,
    edited,
    envelope,
    message,
    reaction,
    ref,
    reply,
    thread,
)


def read(event: dict[str, Any], **changes: Any) -> Incoming:
    incoming = parse_event(envelope(event, **changes))
    assert incoming is not None
    return incoming


# Messages


def test_mention_opens_a_session_in_the_thread_under_it() -> None:
    assert read(message("<@U0BOT> fix search", type="app_mention")) == Incoming(
        key="slack/T0001/C0001/17.000100",
        place=thread(),
        event=Said("fix search", at=17.0001),
        author=ANN,
        opens=True,
        message=ref("17.000100"),
    )


def test_both_copies_of_a_mention_read_the_same() -> None:
    copies = [message("<@U0BOT> fix search", type=kind) for kind in ("app_mention", "message")]
    assert read(copies[0], event_id="Ev1") == read(copies[1], event_id="Ev2")


def test_mention_in_a_thread_opens_there() -> None:
    incoming = read(reply("what about <@U0BOT|linear>?"))
    assert (incoming.place, incoming.opens, incoming.event) == (
        thread(),
        True,
        Said("what about ?", at=18.0002),
    )
    assert incoming.key == "slack/T0001/C0001/18.000200"


def test_reply_without_mention_counts_only_where_a_session_is() -> None:
    incoming = read(reply("don't touch ranking"))
    assert (incoming.opens, incoming.event) == (False, Said("don't touch ranking", at=18.0002))


def test_direct_message_opens_without_mention() -> None:
    incoming = read(message("hi", channel="D0ANN", channel_type="im"))
    assert (incoming.opens, str(incoming.place)) == (True, "slack:T0001/D0ANN/17.000100")


@pytest.mark.parametrize("subtype", ["file_share", "me_message", "thread_broadcast"])
def test_people_speak_in_other_subtypes_too(subtype: str) -> None:
    assert read(reply("hello", subtype=subtype)).event == Said("hello", at=18.0002)


@pytest.mark.parametrize(
    "event",
    [
        message("nothing for us"),
        message("a root with replies", thread_ts="17.000100"),
        reply("our own", user=BOT),
        reply("our own", user=None, bot_id="B0BOT", app_id="A0001"),
        reply("another bot", user="U0ALERT", bot_id="B0ALERT"),
        reply("Slack itself", user="USLACKBOT"),
        reply("nobody at all", user=None),
        reply("joined", subtype="channel_join"),
        reply("classic bot", subtype="bot_message", user=None, bot_id="B0ALERT"),
        {"type": "app_home_opened", "user": "U0ANN"},
        {"type": ["not", "a", "word"]},
        {},
    ],
    ids=lambda event: str(event.get("text", event.get("type"))),
)
def test_what_is_not_for_us_is_dropped(event: dict[str, Any]) -> None:
    assert parse_event(envelope(event)) is None


def test_somebody_of_another_workspace_is_heard_as_such() -> None:
    assert read(reply("hello", user_team="T0002")).author.is_external
    assert not read(reply("hello", user_team="T0001")).author.is_external
    pressed = parse_action(click({"action_id": "stop"}, user={"id": "U0EXT", "team_id": "T0002"}))
    assert pressed is not None
    assert pressed.author.is_external


def test_allow_listed_bot_is_heard() -> None:
    alert = message(
        "<@U0BOT> disk full", user=None, bot_id="B0ALERT", subtype="bot_message", username="Alerts"
    )
    incoming = parse_event(envelope(alert), Admission(bots=frozenset({"B0ALERT"})))
    assert incoming is not None
    assert incoming.author == Author("slack", "T0001/B0ALERT", "Alerts")


def test_our_own_app_is_never_heard_even_if_listed() -> None:
    own = message("<@U0BOT> loop", user=None, bot_id="B0BOT", app_id="A0001")
    assert parse_event(envelope(own), Admission(bots=frozenset({"B0BOT"}))) is None


def test_allow_listed_workspace_is_heard() -> None:
    incoming = parse_event(envelope(reply(user_team="T0002")), Admission(teams=frozenset({"T0002"})))
    assert incoming is not None


def test_install_is_the_authorization_and_not_the_author_s_team() -> None:
    incoming = read(reply(), team_id="T0002")
    assert incoming.key == "slack/T0001/C0001/18.000200"
    assert incoming.author.id == "T0001/U0ANN"


def test_files_come_along_with_the_reason_why_one_is_unseen() -> None:
    files = [
        {
            "name": "log.txt",
            "mimetype": "text/plain",
            "mode": "hosted",
            "url_private_download": "https://f.test/1",
        },
        {"title": "Plan", "mode": "external", "url_private": "https://f.test/2"},
        {"mode": "tombstone"},
        {"name": "theirs.png", "file_access": "check_file_info"},
        {"name": "nowhere"},
    ]
    said = read(reply("see", files=files, subtype="file_share")).event
    assert isinstance(said, Said)
    assert said.attachments[:2] == (
        Attachment("log.txt", "text/plain", "https://f.test/1", "the app lacks files:read"),
        Attachment("Plan", "application/octet-stream", "https://f.test/2", "it is stored outside of Slack"),
    )
    assert [file.unseen for file in said.attachments[2:]] == [
        "it was deleted",
        "it belongs to another organization",
        "Slack names no address for it",
    ]


# Edits and deletions


def test_edit_by_the_author_changes_the_message() -> None:
    assert read(changed(reply("old"), edited("new &amp; better"))) == Incoming(
        key="slack/T0001/C0001/18.000200/edit/19.000000",
        place=thread(),
        event=Edited(ref("18.000200"), "new & better"),
        author=ANN,
        message=ref("18.000200"),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (reply("same"), reply("same", attachments=[{"text": "a preview"}])),
        (edited("same"), edited("same", attachments=[{"text": "a preview"}])),
        (reply("same"), edited("same")),
        (reply("old"), edited("new", by="U0BOB")),
        (reply("old", user=BOT), edited("new", by=BOT, user=BOT)),
        (reply("old", bot_id="B0ALERT"), edited("new", bot_id="B0ALERT")),
    ],
    ids=["unfurl", "unfurl of an edit", "same words", "by somebody else", "our own", "another bot"],
)
def test_change_that_is_no_edit_by_its_author_is_dropped(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert parse_event(envelope(changed(before, after))) is None


@pytest.mark.parametrize("before", ["fix search", "<@U0BOT> fix serch"], ids=["first mention", "not heard"])
def test_edit_that_mentions_us_may_be_the_first_that_we_hear(before: str) -> None:
    assert read(changed(reply(before), edited("<@U0BOT> fix search"))).opens


def test_mention_event_of_an_edit_is_that_edit() -> None:
    text = "<@U0BOT> fix search"
    change = read(changed(reply("fix search"), edited(text)))
    assert read(edited(text, type="app_mention")) == change
    assert change.event == Edited(ref("18.000200"), "fix search")


@pytest.mark.parametrize(
    "event",
    [
        deleted(reply("gone")),
        changed(reply("gone"), reply("This message was deleted.", user="USLACKBOT", subtype="tombstone")),
    ],
    ids=["deleted", "tombstone"],
)
def test_deletion_takes_the_message_back(event: dict[str, Any]) -> None:
    assert read(event) == Incoming(
        key="slack/T0001/C0001/18.000200/delete",
        place=thread(),
        event=Deleted(ref("18.000200")),
        author=ANN,
        message=ref("18.000200"),
    )


def test_deletion_of_our_own_message_is_dropped() -> None:
    assert parse_event(envelope(deleted(reply("card", user=BOT)))) is None


# Stop


@pytest.mark.parametrize("name", sorted(STOP_REACTIONS))
def test_stop_reaction_on_our_message_asks_to_stop(name: str) -> None:
    assert read(reaction(name)) == Incoming(
        key="slack/T0001/C0001/18.000200/reaction/U0ANN/21.000000",
        place=thread("18.000200"),
        event=StopAsked(),
        author=ANN,
        message=ref("18.000200", root="18.000200"),
    )


@pytest.mark.parametrize(
    "event",
    [
        reaction("eyes"),
        reaction(item_user="U0BOB"),
        reaction(item_user=None),
        reaction(user=BOT),
        reaction(item={"type": "file", "file": "F1"}),
    ],
    ids=["another emoji", "another's message", "nobody's message", "our own reaction", "a file"],
)
def test_other_reactions_are_dropped(event: dict[str, Any]) -> None:
    assert parse_event(envelope(event)) is None


def test_native_stop_button_asks_to_stop() -> None:
    stopped = {
        "type": "agent_session_stopped",
        "channel": "C0001",
        "user": "U0ANN",
        "thread_ts": "17.000100",
        "event_ts": "21.000000",
    }
    assert read(stopped) == Incoming(
        key="slack/T0001/C0001/17.000100/stop/21.000000", place=thread(), event=StopAsked(), author=ANN
    )


# Clicks


def test_stop_button_asks_to_stop_in_its_thread() -> None:
    assert parse_action(click({"action_id": "stop", "value": "turn-1"})) == Incoming(
        key="slack/T0001/C0001/18.000200/click/22.000000",
        place=thread(),
        event=StopAsked(),
        author=ANN,
    )


@pytest.mark.parametrize(
    "action",
    [
        {"action_id": "choice/1", "value": "b|c"},
        {"action_id": "choice", "selected_option": {"value": "b|c"}},
    ],
    ids=["button", "menu"],
)
def test_choice_names_question_and_option(action: dict[str, Any]) -> None:
    incoming = parse_action(click({"block_id": question_block(ElicitationId("q|1"))} | action))
    assert incoming is not None
    assert incoming.event == Chosen(ElicitationId("q|1"), "b|c")


def test_click_on_a_message_that_is_no_reply_belongs_to_the_thread_under_it() -> None:
    container = {"message_ts": "18.000200", "channel_id": "C0001"}
    incoming = parse_action(click({"action_id": "stop"}, container=container))
    assert incoming is not None
    assert incoming.place == thread("18.000200")


@pytest.mark.parametrize(
    "payload",
    [
        click({"action_id": "open"}),
        click({"action_id": "choice/0", "value": "a"}),
        click({"action_id": "stop"}, actions=[]),
    ],
    ids=["link", "choice of no question", "nothing"],
)
def test_click_without_meaning_is_dropped(payload: dict[str, Any]) -> None:
    assert parse_action(payload) is None


# Anything


def test_malformed_event_names_the_field_and_not_its_content() -> None:
    with pytest.raises(MalformedEvent, match=r"^MessageEvent does not fit at: ts$"):
        parse_event(envelope(reply(ts={"secret": "value"})))


def test_user_id_is_for_mentions_of_slack_accounts_only() -> None:
    assert user_of(author_of("T0001", "U0ANN")) == "U0ANN"
    assert user_of(Author("linear", "user-1", "Eve")) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(sorted({*message(), *reaction(), *changed({}, {}), "subtype", "edited", "files"}))
events = st.sampled_from(
    [message(), reply(), changed(reply("a"), edited("b")), deleted(reply()), reaction(), edited("c")]
)


@given(
    event=events, field=fields, value=json_values, outside=st.dictionaries(fields, json_values, max_size=2)
)
def test_no_envelope_does_worse_than_malformed(
    event: dict[str, Any], field: str, value: Any, outside: dict[str, Any]
) -> None:
    for body in (envelope(event | {field: value}), envelope(event) | outside, outside):
        try:
            incoming = parse_event(body)
        except MalformedEvent:
            continue
        assert incoming is None or incoming.key.startswith("slack/")


@given(field=st.sampled_from(["team", "user", "container", "actions", "message"]), value=json_values)
def test_no_interaction_does_worse_than_malformed(field: str, value: Any) -> None:
    try:
        incoming = parse_action(click({"action_id": "stop"}) | {field: value})
    except MalformedEvent:
        return
    assert incoming is None or incoming.event == StopAsked()
