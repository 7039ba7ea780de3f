"""Presses and forms: what they ask for, and what Teams is answered at once."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.teams import buttons
from bots.teams.answers import NOT_HERE, UNKNOWN
from bots.teams.buttons import PICKED, START_COMMAND, WORDS, wire
from bots.teams.events import Admission, Invoked, parse_activity, parse_invoke
from bots.teams.wire import MalformedActivity
from core.events import Chosen, Incoming, Said, StopAsked
from core.ids import ElicitationId, MessageRef, ThreadRef, TurnId
from playground.teams_cards import card_problems
from tests.bots.teams.activities import (
    ADMISSION,
    ANN,
    ENG,
    GROUP,
    ROOT,
    TENANT,
    executed,
    invoke,
    submitted,
)

STOP = wire(buttons.stop(TurnId("turn-1")))
CHOOSE = wire(buttons.choose(ElicitationId("q1"), 0, "archived"))
PICK = wire(buttons.pick(ElicitationId("q1"), ["archived", "hidden"]))
ASK = wire(buttons.ask(ElicitationId("q1"), "Which **wins**?"))
KEY = f"teams/{TENANT}/{ENG}/press"
PAYLOAD = {
    "id": "1750",
    "replyToId": "1700",
    "from": {"user": {"displayName": "Bob"}},
    "body": {"contentType": "html", "content": "<p>Search is <b>broken</b></p>"},
}


def answered(body: dict[str, Any], admission: Admission = ADMISSION) -> Invoked:
    invoked = parse_invoke(body, admission)
    assert invoked is not None
    return invoked


def asked(body: dict[str, Any]) -> Incoming:
    incoming = answered(body).incoming
    assert incoming is not None
    return incoming


def form(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The card of an open form, which must be one that Teams shows."""
    attachment = answer["task"]["value"]["card"]
    assert answer["task"]["type"] == "continue"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card: dict[str, Any] = attachment["content"]
    assert list(card_problems(card)) == []
    return card


def sent_with(answer: Mapping[str, Any], **fields: str) -> dict[str, Any]:
    """What comes back when the form is sent."""
    (action,) = form(answer)["actions"]
    data: dict[str, Any] = {**action["data"], **fields}
    return data


# Buttons


def test_stop_button_stops_and_says_so() -> None:
    invoked = answered(executed(STOP))
    assert invoked.incoming == Incoming(
        key=f"{KEY}/stop/turn-1/29:ann", place=ROOT.thread, event=StopAsked(), author=ANN
    )
    assert invoked.answer == {
        "statusCode": 200,
        "type": "application/vnd.microsoft.activity.message",
        "value": "Stopping.",
    }


def test_option_button_answers_its_question() -> None:
    incoming = asked(executed(CHOOSE))
    assert (incoming.event, incoming.place) == (Chosen(ElicitationId("q1"), "archived"), ROOT.thread)


def test_a_press_is_the_same_under_every_id_and_from_every_client() -> None:
    again = executed(CHOOSE, id="f:invoke-2", timestamp="2026-11-21T10:03:00.000Z")
    assert asked(executed(CHOOSE)).key == asked(again).key
    assert parse_activity(submitted(CHOOSE), ADMISSION) == asked(executed(CHOOSE))


@pytest.mark.parametrize("data", [STOP, CHOOSE, PICK | {PICKED: "0"}], ids=["stop", "choose", "pick"])
def test_what_one_person_pressed_another_may_press_too(data: dict[str, Any]) -> None:
    # The first of them may be a guest, who is refused.
    bob = executed(data) | {"from": {"id": "29:bob", "name": "Bob"}}
    assert asked(bob).key != asked(executed(data)).key


def test_other_buttons_and_other_picks_have_keys_of_their_own() -> None:
    other = wire(buttons.choose(ElicitationId("q1"), 1, "hidden"))
    bodies = [executed(data) for data in (STOP, CHOOSE, other, PICK | {PICKED: "0"}, PICK | {PICKED: "0,1"})]
    assert len({asked(body).key for body in bodies}) == 5


@pytest.mark.parametrize(
    ("picked", "value"),
    [("0", "archived"), ("1", "hidden"), ("0,1", "archived, hidden"), ("1,0", "archived, hidden")],
)
def test_picks_are_given_in_the_order_of_the_list(picked: str, value: str) -> None:
    assert asked(executed(PICK | {PICKED: picked})).event == Chosen(ElicitationId("q1"), value)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (PICK, "Choose something first."),
        (PICK | {PICKED: "2"}, "Choose something first."),
        (PICK | {PICKED: "0,x"}, "Choose something first."),
        (PICK | {PICKED: "9" * 5000}, "Choose something first."),
        ({}, UNKNOWN),
        (None, UNKNOWN),
        ("stop", UNKNOWN),
        ({"threadline": {"do": "merge", "nonce": "1"}}, UNKNOWN),
        ({"threadline": {"do": "stop"}}, UNKNOWN),
        ({"threadline": {"do": "choose", "nonce": "1"}}, UNKNOWN),
        (ASK, UNKNOWN),
    ],
)
def test_press_that_says_nothing_is_answered_with_an_error(data: object, text: str) -> None:
    assert answered(executed(data)) == Invoked(
        None,
        {
            "statusCode": 400,
            "type": "application/vnd.microsoft.error",
            "value": {"code": "BadRequest", "message": text},
        },
    )


def test_card_that_refreshes_by_itself_asks_for_nothing() -> None:
    invoked = answered(executed(STOP, trigger="automatic"))
    assert (invoked.incoming, invoked.answer["statusCode"]) == (None, 200)


def test_submitted_data_that_is_not_ours_is_no_message() -> None:
    assert parse_activity(submitted({"other": "app"}), ADMISSION) is None
    assert parse_activity(submitted(ASK), ADMISSION) is None


def test_people_whom_we_do_not_hear_are_told() -> None:
    nobody = Admission(tenants=frozenset())
    assert answered(executed(STOP), nobody).answer["value"]["message"] == NOT_HERE
    assert answered(invoke("task/fetch", {"data": ASK}), nobody).answer["task"]["value"] == NOT_HERE


# Answers in words


def test_question_is_answered_in_a_form() -> None:
    opened = answered(invoke("task/fetch", {"data": ASK}))
    assert opened.incoming is None
    assert form(opened.answer)["body"][0]["text"] == "Which **wins**?"
    sent = answered(
        invoke("task/submit", {"data": sent_with(opened.answer, **{WORDS: " neither "})}, id="f:2")
    )
    assert sent.answer == {}
    assert sent.incoming == Incoming(
        key=f"{KEY}/answer/f:invoke-1/29:ann",
        place=ROOT.thread,
        event=Chosen(ElicitationId("q1"), "neither"),
        author=ANN,
    )


def test_each_opened_form_counts_once() -> None:
    forms = [answered(invoke("task/fetch", {"data": ASK}, id=id)).answer for id in ("f:1", "f:2")]
    keys = [
        asked(invoke("task/submit", {"data": sent_with(answer, **{WORDS: "x"})}, id=id)).key
        for answer in forms
        for id in ("f:3", "f:4")
    ]
    assert keys[0] == keys[1] != keys[2] == keys[3]


@pytest.mark.parametrize("value", [{"data": {}}, {"data": STOP}, {}])
def test_form_of_nothing_we_know_says_so(value: dict[str, Any]) -> None:
    assert answered(invoke("task/fetch", value)) == Invoked(
        None, {"task": {"type": "message", "value": UNKNOWN}}
    )


def test_empty_answer_is_no_answer() -> None:
    data = sent_with(answered(invoke("task/fetch", {"data": ASK})).answer, **{WORDS: "  "})
    assert answered(invoke("task/submit", {"data": data})).incoming is None


# A session from a message


def fetched(payload: dict[str, Any], **changes: Any) -> Invoked:
    value = {"commandId": START_COMMAND, "commandContext": "message", "messagePayload": payload}
    return answered(invoke("composeExtension/fetchTask", value, **{"replyToId": None} | changes))


def started(payload: dict[str, Any], words: str, **changes: Any) -> Incoming:
    data = sent_with(fetched(payload, **changes).answer, **{WORDS: words})
    value = {"commandId": START_COMMAND, "messagePayload": payload, "data": data}
    return asked(invoke("composeExtension/submitAction", value, **{"id": "f:2"} | changes))


def test_form_shows_the_message_that_it_is_about() -> None:
    body = form(fetched(PAYLOAD).answer)["body"]
    assert body[0]["text"] == "Bob: Search is **broken**"
    assert (body[1]["id"], "isRequired" in body[1]) == (WORDS, False)


def test_session_starts_under_the_message_with_it_as_context() -> None:
    assert started(PAYLOAD, "fix it") == Incoming(
        key=f"teams/{TENANT}/{ENG}/1750/start/start/f:invoke-1",
        place=ROOT.thread,
        event=Said("fix it\n\n> Bob: Search is **broken**"),
        author=ANN,
        opens=True,
        message=MessageRef(ROOT.thread, "1750"),
    )


def test_message_itself_is_the_request_if_nothing_is_added() -> None:
    assert started(PAYLOAD, "").event == Said("Search is **broken**")
    plain = PAYLOAD | {"body": {"contentType": "text", "content": "Search <is> broken"}}
    assert started(plain, "").event == Said("Search <is> broken")


def test_thread_is_that_of_the_message_even_where_teams_does_not_say() -> None:
    conversation = {"id": ENG, "conversationType": "channel", "tenantId": TENANT}
    assert started(PAYLOAD, "fix", conversation=conversation).place == ROOT.thread
    root = PAYLOAD | {"id": "1700", "replyToId": None}
    assert started(root, "fix", conversation=conversation).place == ROOT.thread


def test_in_a_chat_the_session_is_the_chat_s() -> None:
    conversation = {"id": GROUP, "conversationType": "groupChat", "tenantId": TENANT}
    incoming = started(PAYLOAD | {"replyToId": None}, "fix", conversation=conversation)
    assert incoming.place == ThreadRef("teams", TENANT, GROUP, "chat")


# Any invoke


def test_invokes_of_others_are_left_to_others() -> None:
    assert parse_invoke(invoke("signin/verifyState", {}), ADMISSION) is None


@pytest.mark.parametrize("value", [None, "x", {}, {"action": None}, {"action": {}, "trigger": 1}])
def test_malformed_presses_are_named(value: object) -> None:
    with pytest.raises(MalformedActivity):
        parse_invoke(invoke("adaptiveCard/action", value), ADMISSION)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
datas = json_values | st.builds(
    lambda data, changes: {"threadline": data | changes},
    st.sampled_from([each["threadline"] for each in (STOP, CHOOSE, PICK, ASK)]),
    st.dictionaries(st.sampled_from(["do", "nonce", "question", "gives", "value"]), json_values, max_size=2),
)


@given(
    st.sampled_from(
        [
            "adaptiveCard/action",
            "task/fetch",
            "task/submit",
            "composeExtension/fetchTask",
            "composeExtension/submitAction",
        ]
    ),
    datas,
)
def test_any_press_is_answered_or_malformed(name: str, data: object) -> None:
    value = {"action": {"data": data}, "data": data, "commandId": START_COMMAND, "messagePayload": PAYLOAD}
    invoked = parse_invoke(invoke(name, value), ADMISSION)
    assert invoked is not None
    assert invoked.incoming is None or invoked.incoming.author == ANN
