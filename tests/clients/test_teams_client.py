"""Microsoft's own client in front of the real service: it sends what Teams sends, and shows our messages."""

from typing import Any

import pytest

from playground.scripts import run
from playground.stage import Stage
from playground.teams_keys import FORGED
from tests.clients.agents_playground import CHANNEL, CHAT, ME, AgentsPlayground, actions_of, text_of
from tests.clients.listening import listened_addresses
from tests.clients.relay import Relay
from tests.scenarios.scripts import FIXED, SEARCH, plan, script
from tests.scenarios.thread import WITHIN_S

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

DONE = script({"text": "Done as asked."})


async def until_read(stage: Stage, client: AgentsPlayground, conversation: str, words: str) -> None:
    def happened() -> bool:
        return any(words in text for text in client.texts(conversation))

    try:
        await stage.until(happened, WITHIN_S, f"the client shows “{words}”")
    except AssertionError as error:
        error.add_note("\n\n".join(client.texts(conversation)))
        raise


async def mentioned(client: AgentsPlayground, text: str) -> str:
    """Ann begins a post in the channel with it; the conversation that is its thread."""
    said = await client.say(CHANNEL, text, mention=True)
    return str(said["postConversationId"])


def session(stage: Stage, title: str) -> dict[str, Any]:
    """The only session of the issue with that title."""
    (found,) = [each for one in stage.issues() if one["title"] == title for each in one["sessions"]]
    assert isinstance(found, dict)
    return found


def told(stage: Stage, title: str, kind: str) -> list[str]:
    """Bodies of the lasting activities of a kind in that session."""
    history = session(stage, title)["history"]
    return [one["body"] for one in history if one["type"] == kind and not one["ephemeral"]]


async def test_the_client_listens_on_loopback_alone(client: AgentsPlayground) -> None:
    assert client.process is not None
    assert [str(each) for each in listened_addresses(client.process.pid)] == ["127.0.0.1"]


async def test_a_mention_in_a_channel_becomes_a_card_that_is_edited_and_an_answer(
    stage: Stage, client: AgentsPlayground
) -> None:
    stage.model.play([script(*SEARCH)])
    thread = await mentioned(client, "search ignores archived projects")
    await until_read(stage, client, thread, "◐ Reproduce with a failing test")
    stage.model.release("fix")
    await until_read(stage, client, thread, FIXED)
    await until_read(stage, client, thread, "done in")

    card, answer = client.shown(thread)
    versions = client.versions(card["messageId"])
    assert versions[-1].startswith("ENG-")
    assert "[Stop]" in versions[-2]
    assert not actions_of(card)
    assert client.versions(answer["messageId"]) == [text_of(answer)]
    assert answer["aiEntity"]["additionalType"] == ["AIGeneratedContent"]
    (response,) = told(stage, "Search ignores archived projects", "response")
    assert response.startswith(FIXED)
    assert text_of(answer).startswith(f"<at>Ann</at>\n\n{FIXED}")
    assert [each["mentioned"]["id"] for each in answer["mentions"]] == [ME]


async def test_a_reply_in_the_thread_reaches_the_agent_at_work(
    stage: Stage, client: AgentsPlayground
) -> None:
    heard = {"with tests": ({"text": "Done, with tests."},)}
    stage.model.play([script({"tools": [run("true")], "hold": "reply"}, {"text": "Done.", "if_told": heard})])
    thread = await mentioned(client, "export is slow")
    await stage.model.held("reply")
    await client.say(thread, "with tests, please", mention=True)
    await stage.until(
        lambda: "Ann in Teams: with tests, please" in told(stage, "Export is slow", "thought"),
        WITHIN_S,
        "Linear shows the reply",
    )
    stage.model.release("reply")

    await until_read(stage, client, thread, "Done, with tests.")


async def test_a_plan_is_approved_in_a_personal_chat(stage: Stage, client: AgentsPlayground) -> None:
    change = ["Write", {"file_path": "{{WORKSPACE}}/notes.md", "content": "# Notes\n"}]
    stage.model.play([script(*plan("1. Write it"), {"tools": [change]}, {"text": "Written as planned."})])
    await client.say(CHAT, "plan first: take notes")
    await until_read(stage, client, CHAT, "1. Write it")
    answer = await client.press(CHAT, "Go ahead")
    assert answer["value"] == "Got it."

    await until_read(stage, client, CHAT, "Written as planned.")
    await until_read(stage, client, CHAT, "done in")
    card, asked, result = client.shown(CHAT)
    assert "Answered by Ann in Teams: Go ahead" in text_of(asked)
    assert not actions_of(asked)
    assert "1 file +1" in text_of(result)
    assert "Answered by Ann in Teams: Go ahead" in told(stage, "Take notes", "thought")
    assert "done in" in text_of(card)


async def test_the_button_on_the_card_stops_the_work(stage: Stage, client: AgentsPlayground) -> None:
    stage.model.play([script({"tools": [run("true")], "hold": "stop"}, {"text": "Done."})])
    thread = await mentioned(client, "import is slow")
    await stage.model.held("stop")
    await client.press(thread, "Stop")

    await until_read(stage, client, thread, "Stopped by Ann.")
    stage.model.release("stop")


async def test_what_the_client_does_not_know_hurts_nothing(
    stage: Stage, client: AgentsPlayground, relay: Relay
) -> None:
    stage.model.play([DONE])
    before = len(relay.calls)
    thread = await mentioned(client, "index is slow")
    await until_read(stage, client, thread, "done in")
    await stage.until(
        lambda: any("2705_" in one.path for one in relay.calls[before:]),
        WITHIN_S,
        "the last reaction is tried",
    )

    calls = relay.calls[before:]
    assert {one.status for one in calls if "/reactions/" in one.path} == {404}
    told = [one for one in calls if "/reactions/" not in one.path]
    # In place of reactions it types, which the client takes without keeping it.
    kept = [one for one in told if (one.body or {}).get("type") != "typing"]
    assert {one.status for one in kept} == {200, 201}
    assert len(client.shown(thread)) == 2


async def test_a_forged_activity_is_refused_and_the_next_one_is_heard(
    stage: Stage, client: AgentsPlayground, relay: Relay
) -> None:
    stage.model.play([DONE])
    relay.signed_by = FORGED
    forged = await mentioned(client, "give me everything")
    await stage.until(lambda: relay.activities[-1].status == 401, WITHIN_S, "the forged one is refused")
    relay.signed_by = None
    thread = await mentioned(client, "cache is slow")

    await until_read(stage, client, thread, "Done as asked.")
    assert client.shown(forged) == []
    assert "Give me everything" not in [one["title"] for one in stage.issues()]
