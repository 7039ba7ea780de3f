"""Presses and forms: what the bot is asked, and what its answers change for whom."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from playground.teams_wire import Refused, Wire
from tests.playground.teams_peer import CARD, ENG, Peers, attached, peers

ADAPTIVE = "application/vnd.microsoft.card.adaptive"
TOLD = "application/vnd.microsoft.activity.message"
ANSWERED: Wire = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [{"type": "TextBlock", "text": "Stopping"}],
}
FORM: Wire = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [
        {"type": "Input.Text", "id": "prompt", "isRequired": True, "errorMessage": "What should be done?"},
        {
            "type": "Input.ChoiceSet",
            "id": "repo",
            "value": "shop",
            "choices": [{"title": "acme/shop", "value": "shop"}, {"title": "acme/site", "value": "site"}],
        },
    ],
    "actions": [{"type": "Action.Submit", "title": "Start", "data": {"kind": "start"}}],
}
OPENED = {
    "task": {
        "type": "continue",
        "value": {"title": "Start", "card": {"contentType": ADAPTIVE, "content": FORM}},
    }
}


def answer(kind: str, value: object, status: int = 200) -> Wire:
    return {"statusCode": status, "type": kind, "value": value}


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


async def with_card(on: Peers, card: object = CARD) -> tuple[str, str]:
    """A thread of Ann with a card of ours."""
    root = await on.said()
    message = await on.client.post_card(f"{ENG};messageid={root}", card)
    on.bot.received.clear()
    return root, message


def seen(on: Peers, root: str, by: str | None = None) -> str:
    text: str = on.teams.transcript(ENG, root, seen_by=by)[-1]["text"]
    return text


async def test_execute_asks_with_verb_and_data(on: Peers) -> None:
    root, message = await with_card(on)
    on.bot.answers["adaptiveCard/action"] = answer(TOLD, "Stopping.")
    receipt = await on.teams.people.click("29:bob", ENG, message, "Stop")
    activity = on.bot.last()
    assert (receipt.reason, receipt.status) == (None, 200)
    assert (activity["type"], activity["name"]) == ("invoke", "adaptiveCard/action")
    assert activity["value"] == {
        "action": {"type": "Action.Execute", "title": "Stop", "verb": "stop", "data": {"nonce": "n-1"}},
        "trigger": "manual",
    }
    assert activity["from"]["id"] == "29:bob"
    assert (activity["conversation"]["id"], activity["replyToId"]) == (f"{ENG};messageid={root}", message)
    assert on.teams.workspace.message(ENG, message).toasts == {"29:bob": ["Stopping."]}


async def test_answered_card_is_for_the_presser_until_the_message_changes(on: Peers) -> None:
    root, message = await with_card(on)
    on.bot.answers["adaptiveCard/action"] = answer(ADAPTIVE, ANSWERED)
    await on.teams.people.click("29:bob", ENG, message, "Stop")
    assert seen(on, root, "29:bob") == "Stopping"
    assert seen(on, root) == seen(on, root, "29:ann") == "ENG-1 · Search\n[Stop] [Open in Linear]"
    with pytest.raises(Refused, match="NoSuchAction"):
        await on.teams.people.click("29:bob", ENG, message, "Stop")
    await on.client.edit(ENG, message, "", attachments=attached(CARD | {"actions": []}))
    assert seen(on, root, "29:bob") == "ENG-1 · Search"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (None, "needs statusCode, type and value"),
        ({"status": 200}, "needs statusCode, type and value"),
        (answer(TOLD, {"text": "x"}), "needs statusCode, type and value"),
        (answer(ADAPTIVE, {"type": "Card"}), "card: must be an object of type AdaptiveCard"),
    ],
)
async def test_answer_that_teams_cannot_use_is_told_as_trouble(on: Peers, body: object, problem: str) -> None:
    _, message = await with_card(on)
    on.bot.answers["adaptiveCard/action"] = body
    receipt = await on.teams.people.click("29:bob", ENG, message, "Stop")
    assert (receipt.reason, receipt.problem) == ("bad_answer", problem)
    assert on.teams.workspace.message(ENG, message).toasts["29:bob"] == [
        "Something went wrong. Please try again."
    ]
    assert len(on.bot.received) == 1


async def test_error_answer_is_shown(on: Peers) -> None:
    _, message = await with_card(on)
    error = {"code": "BadRequest", "message": "Too late."}
    on.bot.answers["adaptiveCard/action"] = answer("application/vnd.microsoft.error", error, 400)
    assert (await on.teams.people.click("29:bob", ENG, message, "Stop")).reason is None
    assert on.teams.workspace.message(ENG, message).toasts == {"29:bob": ["Too late."]}


async def test_failed_invoke_comes_twice_and_later_twice_under_another_id(on: Peers) -> None:
    root, message = await with_card(on)
    on.bot.answers["adaptiveCard/action"] = answer(ADAPTIVE, ANSWERED)
    on.bot.statuses = [500, 500, 503]
    receipt = await on.teams.people.click("29:bob", ENG, message, "Stop")
    assert (receipt.reason, receipt.status) == ("http_error", 500)
    assert on.teams.workspace.message(ENG, message).toasts == {
        "29:bob": ["Unable to reach app. Please try again."]
    }
    await on.advance(29)
    assert len(on.bot.received) == 2
    await on.advance(1)
    first, same, second, same_again = on.bot.activities()
    assert first == same
    assert second == same_again
    assert (first["id"] != second["id"], first["timestamp"] != second["timestamp"]) == (True, True)
    assert first["value"] == second["value"]
    assert seen(on, root, "29:bob") == "Stopping"
    await on.advance(3600)
    assert len(on.bot.received) == 4


async def test_lost_answer_to_an_invoke_brings_it_again(on: Peers) -> None:
    _, message = await with_card(on)
    on.bot.answers["adaptiveCard/action"] = answer(TOLD, "ok")
    on.teams.dispatcher.options.drop_answers = 1
    assert (await on.teams.people.click("29:bob", ENG, message, "Stop")).reason is None
    first, second = on.bot.activities()
    assert first == second


async def test_old_client_submits_the_fallback_as_a_message(on: Peers) -> None:
    root, message = await with_card(on)
    receipt = await on.teams.people.click("29:bob", ENG, message, "Stop", is_old_client=True)
    activity = on.bot.last()
    assert receipt.reason is None
    assert (activity["type"], activity["value"], "text" in activity) == ("message", {"nonce": "n-1"}, False)
    assert (activity["conversation"]["id"], activity["replyToId"]) == (f"{ENG};messageid={root}", message)
    assert len(on.teams.transcript(ENG, root)) == 2


async def test_submitted_press_is_retried_like_any_activity(on: Peers) -> None:
    _, message = await with_card(on)
    on.bot.statuses = [500]
    receipt = await on.teams.people.click("29:bob", ENG, message, "Stop", is_old_client=True)
    await on.teams.settled()
    assert receipt.reason == "http_error"
    assert len({activity["id"] for activity in on.bot.activities()}) == 1
    assert len(on.bot.received) == 2


async def test_fields_go_along_with_the_data(on: Peers) -> None:
    _, message = await with_card(on, FORM)
    inputs = {"prompt": "fix it", "repo": "site"}
    await on.teams.people.click("29:bob", ENG, message, "Start", inputs=inputs)
    assert on.bot.last()["value"] == {"kind": "start", "prompt": "fix it", "repo": "site"}
    await on.teams.people.click("29:bob", ENG, message, "Start", inputs={"prompt": "fix it"})
    assert on.bot.last()["value"]["repo"] == "shop"


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({}, "InputRequired: What should be done"),
        ({"prompt": "x", "repo": "another"}, "NoSuchChoice"),
        ({"prompt": "x", "branch": "y"}, "NoSuchInput"),
    ],
)
async def test_wrongly_filled_form_is_not_sent(on: Peers, inputs: dict[str, str], code: str) -> None:
    _, message = await with_card(on, FORM)
    with pytest.raises(Refused, match=code):
        await on.teams.people.click("29:bob", ENG, message, "Start", inputs=inputs)
    assert on.bot.received == []


@pytest.mark.parametrize(
    ("user", "title", "code"),
    [
        ("29:bob", "Merge", "NoSuchAction"),
        ("29:bob", "Open in Linear", "NothingSent"),
        ("29:xenia", "Stop", "Forbidden"),
    ],
)
async def test_what_cannot_be_pressed_is_refused(on: Peers, user: str, title: str, code: str) -> None:
    _, message = await with_card(on)
    with pytest.raises(Refused, match=code):
        await on.teams.people.click(user, ENG, message, title)


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ({"data": "restart"}, "restart"),
        ({"data": {"a": 1}, "associatedInputs": "none"}, {"a": 1}),
        ({}, {"why": ""}),
    ],
    ids=["text", "without-fields", "only-fields"],
)
async def test_submitted_value_follows_the_action(on: Peers, action: Wire, value: object) -> None:
    fields = {"body": [{"type": "Input.Text", "id": "why"}]}
    button = {"type": "Action.Submit", "title": "Go"} | action
    _, message = await with_card(on, CARD | fields | {"actions": [button]})
    await on.teams.people.click("29:bob", ENG, message, "Go")
    assert on.bot.last()["value"] == value


async def test_private_card_is_pressed_by_its_reader_only(on: Peers) -> None:
    recipient = {"id": "29:ann", "isTargeted": True}
    sent = await on.client.send(
        ENG, "", query="?isTargetedActivity=true", recipient=recipient, attachments=attached(CARD)
    )
    on.bot.answers["adaptiveCard/action"] = answer(TOLD, "ok")
    assert (await on.teams.people.click("29:ann", ENG, sent.body["id"], "Stop")).reason is None
    with pytest.raises(Refused, match="ActivityNotFound"):
        await on.teams.people.click("29:bob", ENG, sent.body["id"], "Stop")


async def test_card_refreshes_for_those_it_names(on: Peers) -> None:
    action = {"type": "Action.Execute", "verb": "refresh", "data": {"card": "c-1"}}
    root, message = await with_card(on, CARD | {"refresh": {"action": action, "userIds": ["29:eve"]}})
    on.bot.answers["adaptiveCard/action"] = answer(ADAPTIVE, ANSWERED)
    assert await on.teams.people.look("29:ann", ENG, message) is None
    receipt = await on.teams.people.look("29:eve", ENG, message)
    assert receipt is not None
    assert on.bot.last()["value"] == {
        "action": {"type": "Action.Execute", "verb": "refresh", "data": {"card": "c-1"}},
        "trigger": "automatic",
    }
    assert (seen(on, root, "29:eve"), seen(on, root, "29:ann")) == (
        "Stopping",
        "ENG-1 · Search\n[Stop] [Open in Linear]",
    )


async def test_card_that_names_nobody_refreshes_for_all_in_a_small_room(on: Peers) -> None:
    action = {"type": "Action.Execute", "verb": "refresh"}
    _, message = await with_card(on, CARD | {"refresh": {"action": action}})
    on.bot.answers["adaptiveCard/action"] = answer(ADAPTIVE, ANSWERED)
    assert await on.teams.people.look("29:ann", ENG, message) is not None


async def test_form_from_the_menu_of_a_message(on: Peers) -> None:
    root = await on.said("search is <b> **broken**")
    reply = await on.said("since Tuesday, <at>Bob</at>", root=root)
    on.teams.people.react("29:bob", ENG, reply, "like")
    on.bot.answers["composeExtension/fetchTask"] = OPENED
    dialog = await on.teams.dialogs.extension("29:bob", ENG, "startSession", message=reply)
    asked = on.bot.last()
    assert (asked["type"], asked["name"]) == ("invoke", "composeExtension/fetchTask")
    assert asked["conversation"]["id"] == f"{ENG};messageid={root}"
    assert (asked["value"]["commandId"], asked["value"]["commandContext"]) == ("startSession", "message")
    payload = asked["value"]["messagePayload"]
    assert (payload["id"], payload["replyToId"]) == (reply, root)
    assert payload["body"]["contentType"] == "html"
    assert payload["body"]["content"].startswith("<p>since Tuesday, <span")
    assert payload["mentions"] == [{"id": 0, "mentionText": "Bob"}]
    assert payload["from"]["user"]["displayName"] == "Ann"
    assert payload["reactions"][0]["reactionType"] == "like"
    assert dialog.title == "Start"
    on.bot.answers["composeExtension/submitAction"] = {}
    receipt = await on.teams.dialogs.submit(dialog, "Start", {"prompt": "fix it"})
    assert receipt.reason is None
    assert on.bot.last()["value"]["data"] == {"kind": "start", "prompt": "fix it", "repo": "shop"}
    assert on.bot.last()["value"]["messagePayload"] == payload


async def test_form_beside_the_box_has_no_message(on: Peers) -> None:
    on.bot.answers["composeExtension/fetchTask"] = OPENED
    dialog = await on.teams.dialogs.extension("29:ann", "a:ann", "startSession", context="commandBox")
    assert "messagePayload" not in on.bot.last()["value"]
    with pytest.raises(Refused, match="InputRequired"):
        await on.teams.dialogs.submit(dialog)


async def test_form_from_a_button(on: Peers) -> None:
    button = {
        "type": "Action.Submit",
        "title": "Answer…",
        "data": {"msteams": {"type": "task/fetch"}, "q": 1},
    }
    root, message = await with_card(on, CARD | {"actions": [button]})
    on.bot.answers |= {"task/fetch": OPENED, "task/submit": {"task": {"type": "message", "value": "Thanks"}}}
    dialog = await on.teams.dialogs.open("29:eve", ENG, message, "Answer…")
    assert on.bot.last()["value"]["data"] == {"msteams": {"type": "task/fetch"}, "q": 1}
    assert (await on.teams.dialogs.submit(dialog, inputs={"prompt": "both"})).reason is None
    asked = on.bot.last()
    assert (asked["name"], asked["value"]["data"]["prompt"]) == ("task/submit", "both")
    assert (asked["conversation"]["id"], asked["replyToId"]) == (f"{ENG};messageid={root}", message)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"task": {"type": "message", "value": "no"}},
        {"task": {"type": "continue", "value": {"title": "x", "card": {"type": "AdaptiveCard"}}}},
        {
            "task": {
                "type": "continue",
                "value": {"title": "x", "card": {"contentType": ADAPTIVE, "content": {}}},
            }
        },
    ],
)
async def test_answer_without_a_form_opens_none(on: Peers, body: Any) -> None:
    on.bot.answers["composeExtension/fetchTask"] = body
    with pytest.raises(Refused, match="BadAnswer"):
        await on.teams.dialogs.extension("29:ann", ENG, "startSession")


async def test_form_that_fails_says_so_and_one_for_the_box_has_a_result(on: Peers) -> None:
    result = {"composeExtension": {"type": "result", "attachmentLayout": "list", "attachments": []}}
    on.bot.answers |= {"composeExtension/fetchTask": OPENED, "composeExtension/submitAction": result}
    dialog = await on.teams.dialogs.extension("29:ann", ENG, "startSession")
    assert (await on.teams.dialogs.submit(dialog, inputs={"prompt": "x"})).reason is None
    on.bot.statuses = [500, 500]
    assert (await on.teams.dialogs.submit(dialog, inputs={"prompt": "x"})).reason == "http_error"


async def test_strange_answer_to_a_form_is_told(on: Peers) -> None:
    on.bot.answers |= {"composeExtension/fetchTask": OPENED, "composeExtension/submitAction": {"ok": True}}
    dialog = await on.teams.dialogs.extension("29:ann", ENG, "startSession")
    assert (await on.teams.dialogs.submit(dialog, inputs={"prompt": "x"})).reason == "bad_answer"
    with pytest.raises(Refused, match="NoSuchAction"):
        await on.teams.dialogs.submit(dialog, "Cancel", {"prompt": "x"})


async def test_button_that_opens_no_form(on: Peers) -> None:
    _, message = await with_card(on)
    with pytest.raises(Refused, match="NothingSent"):
        await on.teams.dialogs.open("29:eve", ENG, message, "Stop")
