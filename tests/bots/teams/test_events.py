"""Teams' activities, read: who said what where, and what is nobody's business."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.teams.address import Address, address_of, conversation_id, thread_ref
from bots.teams.events import Admission, parse_activity, user_of
from bots.teams.wire import MalformedActivity
from core.activities import Author
from core.commands import Help, command_of
from core.events import Deleted, Edited, Incoming, Said, StopAsked
from core.ids import MessageRef, ThreadRef
from tests.bots.teams.activities import (
    ADMISSION,
    ANN,
    BOT,
    ENG,
    GROUP,
    MENTION,
    ROOT,
    SENT_AT,
    TENANT,
    activity,
    group,
    mention,
    message,
    personal,
    reaction,
    reply,
)

OTHER = "07e40000-0000-4000-8000-000000000002"
REPLY = MessageRef(ROOT.thread, "1800")


def read(body: dict[str, Any]) -> Incoming:
    incoming = parse_activity(body, ADMISSION)
    assert incoming is not None
    return incoming


def is_ignored(body: dict[str, Any], admission: Admission = ADMISSION) -> bool:
    return parse_activity(body, admission) is None


# Messages


def test_mention_in_a_channel_opens_a_session_in_its_thread() -> None:
    assert read(mention()) == Incoming(
        key=f"teams/{TENANT}/{ENG}/1700",
        place=ROOT.thread,
        event=Said("fix it", at=SENT_AT),
        author=ANN,
        opens=True,
        message=ROOT,
    )


def test_mention_in_a_reply_belongs_to_the_thread_it_is_in() -> None:
    incoming = read(mention(id="1800"))
    assert (incoming.place, incoming.message, incoming.opens) == (ROOT.thread, REPLY, True)


def test_reply_without_a_mention_counts_only_where_there_is_a_session() -> None:
    incoming = read(reply("don't touch ranking"))
    assert (incoming.opens, incoming.event) == (False, Said("don't touch ranking", at=SENT_AT))


def test_message_that_begins_a_thread_is_not_for_us_without_a_mention() -> None:
    assert is_ignored(message())


def test_message_to_us_alone_is_for_us() -> None:
    assert read(message(recipient={"id": BOT, "name": "linear", "isTargeted": True})).opens


def test_personal_chat_needs_no_mention_and_is_one_thread() -> None:
    incoming = read(personal())
    thread = ThreadRef("teams", TENANT, "a:ann", "chat")
    assert (incoming.place, incoming.opens) == (thread, True)
    assert incoming.key == f"teams/{TENANT}/a:ann/1700"


@pytest.mark.parametrize(("body", "opens"), [(group(), False), (group(entities=[MENTION]), True)])
def test_group_chat_is_one_thread_and_needs_a_mention_to_open(body: dict[str, Any], *, opens: bool) -> None:
    incoming = read(body)
    assert (incoming.place, incoming.opens) == (ThreadRef("teams", TENANT, GROUP, "chat"), opens)


@pytest.mark.parametrize(
    ("body", "if_awaited"),
    [
        (group(), True),
        (group(entities=[MENTION]), False),
        (group(type="messageUpdate"), True),
        (group(type="messageUpdate", entities=[MENTION]), False),
        (group(type="messageDelete"), False),
        (reply(), False),
        (reply(type="messageUpdate"), False),
        (personal(), False),
        (personal(type="messageUpdate"), False),
        (message(conversation={"id": "19:x", "tenantId": TENANT}), True),
    ],
)
def test_in_a_group_chat_words_for_nobody_count_only_if_they_are_awaited(
    body: dict[str, Any], *, if_awaited: bool
) -> None:
    assert read(body).if_awaited is if_awaited


def test_kind_of_conversation_is_not_guessed() -> None:
    assert is_ignored(message(conversation={"id": ENG, "tenantId": TENANT, "conversationType": "channel"}))
    assert not read(message(conversation={"id": "a:ann", "tenantId": TENANT})).opens


def test_redelivery_has_the_same_key_and_another_message_another() -> None:
    assert read(mention()).key == read(mention(timestamp="2026-11-21T10:03:00.000Z")).key
    assert read(mention()).key != read(mention(id="1800")).key


@pytest.mark.parametrize(
    "body",
    [
        mention(**{"from": {"id": BOT, "name": "linear"}}),
        mention(**{"from": {"id": "28:alerts", "name": "Alerts"}}),
        mention(channelData={"tenant": {"id": OTHER}}),
        activity(type="typing"),
        activity(type="conversationUpdate", membersAdded=[{"id": BOT}]),
        activity(type="installationUpdate", action="remove"),
        activity(type="event", name="application/vnd.microsoft.readReceipt", value={}),
        activity(type="somethingNew"),
    ],
    ids=[
        "us",
        "a bot",
        "other tenant",
        "typing",
        "members",
        "removed",
        "event",
        "new",
    ],
)
def test_what_is_nobody_s_word_is_ignored(body: dict[str, Any]) -> None:
    assert is_ignored(body)


def test_a_bot_that_is_listed_is_heard_and_we_never_are() -> None:
    admission = replace(ADMISSION, bots=frozenset({"28:alerts", BOT}))
    assert not is_ignored(mention(**{"from": {"id": "28:alerts", "name": "Alerts"}}), admission)
    assert is_ignored(mention(**{"from": {"id": BOT}}), admission)


def test_a_person_of_another_tenant_is_heard_as_an_outsider() -> None:
    xenia = mention(**{"from": {"id": "29:xenia", "name": "Xenia", "tenantId": OTHER}})
    outsider = Author("teams", f"{TENANT}/29:xenia", "Xenia", is_external=True)
    assert read(xenia).author == outsider
    both = parse_activity(xenia, replace(ADMISSION, tenants=frozenset({TENANT, OTHER})))
    assert both is not None
    assert both.author == replace(outsider, is_external=False)


def test_nobody_is_heard_without_a_tenant_on_the_list() -> None:
    assert is_ignored(mention(), Admission(tenants=frozenset()))


# Edits, deletions, reactions, installs


def test_edit_says_what_the_message_reads_now() -> None:
    at = "2026-11-21T10:05:00.000Z"
    edit = {"type": "messageUpdate", "timestamp": at, "channelData": {"eventType": "editMessage"}}
    incoming = read(reply("with the toggle on", **edit))
    assert incoming == Incoming(
        key=f"teams/{TENANT}/{ENG}/1800/edit/{at}",
        place=ROOT.thread,
        event=Edited(REPLY, "with the toggle on"),
        author=ANN,
        message=REPLY,
    )


def test_edit_that_mentions_us_may_be_the_first_that_we_hear() -> None:
    assert read(mention(type="messageUpdate")).opens


def test_each_edit_has_a_key_of_its_own() -> None:
    first, second = (
        read(reply(type="messageUpdate", timestamp=f"2026-11-21T10:0{n}:00.000Z")) for n in (1, 2)
    )
    assert len({first.key, second.key, read(reply()).key}) == 3


def test_edit_and_restored_message_are_told_apart_even_at_one_moment() -> None:
    edit, restored = (
        read(reply(type="messageUpdate", channelData={"tenant": {"id": TENANT}, "eventType": event}))
        for event in ("editMessage", "undeleteMessage")
    )
    assert edit.key != restored.key


def test_deletion_takes_the_message_back_and_its_end_brings_it_again() -> None:
    gone = read(activity(type="messageDelete", id="1800", channelData={"eventType": "softDeleteMessage"}))
    assert (gone.event, gone.place) == (Deleted(REPLY), ROOT.thread)
    back = read(reply("hello", type="messageUpdate", channelData={"eventType": "undeleteMessage"}))
    assert back.event == Edited(REPLY, "hello")


@pytest.mark.parametrize(
    "name", ["274c_crossmark", "1f6d1_stopsign", "23f9_blacksquareforstop", "stopsign", "❌", "⏹️", "🛑"]
)
def test_stop_sign_on_a_message_of_ours_asks_to_stop(name: str) -> None:
    place = ThreadRef("teams", TENANT, ENG, "1801")
    assert read(reaction(name)) == Incoming(
        key=f"teams/{TENANT}/{ENG}/1801/reaction/29:ann/f:react-1",
        place=place,
        event=StopAsked(),
        author=ANN,
        message=MessageRef(place, "1801"),
    )


@pytest.mark.parametrize(
    "body",
    [
        reaction("like"),
        reaction("1f440_eyes"),
        reaction(""),
        reaction(reactionsAdded=None, reactionsRemoved=[{"type": "274c_crossmark"}]),
        reaction(replyToId=None),
    ],
)
def test_other_reactions_say_nothing(body: dict[str, Any]) -> None:
    assert is_ignored(body)


def test_reaction_in_a_personal_chat_names_the_message_too() -> None:
    conversation = {"id": "a:ann", "conversationType": "personal", "tenantId": TENANT}
    assert read(reaction(conversation=conversation)).place == ThreadRef("teams", TENANT, "a:ann", "1801")


def test_who_adds_us_is_told_what_we_understand() -> None:
    conversation = {"id": ENG, "conversationType": "channel", "tenantId": TENANT}
    incoming = read(activity(type="installationUpdate", id="f:1", action="add", conversation=conversation))
    assert isinstance(incoming.event, Said)
    assert isinstance(command_of(incoming.event.text), Help)
    assert (incoming.opens, incoming.place) == (True, ThreadRef("teams", TENANT, ENG, "chat"))


# Addresses


def test_address_is_what_is_needed_to_write_there() -> None:
    assert address_of(mention()) == Address(
        tenant=TENANT,
        service_url=f"https://smba.trafficmanager.net/amer/{TENANT}/",
        conversation=ENG,
        conversation_type="channel",
        bot_id=BOT,
        bot_name="linear",
    )


@pytest.mark.parametrize(
    ("body", "full_id"),
    [
        (mention(), f"{ENG};messageid=1700"),
        (personal(), "a:ann"),
        (group(), GROUP),
        (mention(conversation={"id": ENG, "conversationType": "channel"}), f"{ENG};messageid=1700"),
        (
            mention(id="1800", replyToId="1700", conversation={"id": ENG, "conversationType": "channel"}),
            f"{ENG};messageid=1700",
        ),
    ],
    ids=["channel", "personal", "group", "root without its thread", "reply without its thread"],
)
def test_thread_leads_back_to_its_conversation(body: dict[str, Any], full_id: str) -> None:
    assert conversation_id(thread_ref(body)) == full_id


def test_tenant_stands_in_one_place_or_the_other() -> None:
    assert thread_ref(mention(channelData=None)).install == TENANT
    with pytest.raises(MalformedActivity, match="tenant"):
        thread_ref(mention(channelData={}, conversation={"id": ENG}))


@pytest.mark.parametrize(("author", "user"), [(ANN, "29:ann"), (Author("slack", "T1/U1", "Ann"), None)])
def test_only_teams_accounts_have_a_user_id(author: Author, user: str | None) -> None:
    assert user_of(author) == user


# Any body


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "message"},
        mention(id=None),
        mention(conversation="19:x"),
        mention(entities=[{"text": "no type"}]),
        mention(conversation={"id": f"{ENG};messageid=1/2", "conversationType": "channel"}),
    ],
)
def test_malformed_bodies_are_named_without_their_content(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedActivity) as raised:
        parse_activity(body, ADMISSION)
    assert "fix it" not in str(raised.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(sorted({*mention(), *reaction(), "value", "attachments", "name", "text", "action"}))


@given(st.sampled_from([mention(), personal(), reaction()]), st.dictionaries(fields, json_values, max_size=3))
def test_any_body_is_read_or_malformed(body: dict[str, Any], changes: dict[str, Any]) -> None:
    try:
        incoming = parse_activity(body | changes, ADMISSION)
    except MalformedActivity:
        return
    assert incoming is None or incoming.key.startswith("teams/")
