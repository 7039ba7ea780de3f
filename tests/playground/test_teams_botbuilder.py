"""Microsoft's own library reads what the stand-in sends: each activity ends in the handler meant for it."""

from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import pytest

from playground.teams_state import Kind
from playground.teams_wire import Refused
from tests.playground.teams_peer import ENG, Peers, peers

# The library has no types.
core: Any = import_module("botbuilder.core")
adapters: Any = import_module("botbuilder.core.adapters")
teams_core: Any = import_module("botbuilder.core.teams")
schema: Any = import_module("botbuilder.schema")


@pytest.fixture
async def on() -> AsyncIterator[Peers]:
    async with peers() as both:
        yield both


class Recorder:
    """Takes the place of a bot's handlers; notes which was called, and with what that matters."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.handler = teams_core.TeamsActivityHandler()
        for name in vars(Recorder):
            if name.startswith("on_"):
                setattr(self.handler, name, getattr(self, name))

    async def on_message_activity(self, turn: Any) -> None:
        extras = [one.additional_properties for one in turn.activity.entities if one.type == "mention"]
        mentioned = [one["mentioned"]["id"] for one in extras]
        self.calls.append(("message", (turn.activity.text, turn.activity.value, mentioned)))

    async def on_teams_message_edit(self, turn: Any) -> None:
        self.calls.append(("edit", turn.activity.text))

    async def on_teams_message_undelete(self, turn: Any) -> None:
        self.calls.append(("undelete", turn.activity.text))

    async def on_teams_message_soft_delete(self, turn: Any) -> None:
        self.calls.append(("delete", turn.activity.id))

    async def on_reactions_added(self, reactions: Any, turn: Any) -> None:
        self.calls.append(("reaction", (reactions[0].type, turn.activity.reply_to_id)))

    async def on_reactions_removed(self, reactions: Any, turn: Any) -> None:
        self.calls.append(("no reaction", reactions[0].type))

    async def on_installation_update_add(self, turn: Any) -> None:
        self.calls.append(("install", turn.activity.conversation.id))

    async def on_installation_update_remove(self, turn: Any) -> None:
        self.calls.append(("uninstall", turn.activity.conversation.id))

    async def on_conversation_update_activity(self, turn: Any) -> None:
        people = turn.activity.members_added or turn.activity.members_removed
        self.calls.append(("members", [one.id for one in people]))

    async def on_adaptive_card_invoke(self, turn: Any, value: Any) -> Any:
        self.calls.append(("execute", (value.action["verb"], value.action["data"])))
        return schema.AdaptiveCardInvokeResponse(status_code=200, type="x", value={})

    async def on_teams_messaging_extension_fetch_task(self, turn: Any, action: Any) -> Any:
        self.calls.append(("fetch", (action.command_id, action.message_payload.body.content)))
        return import_module("botbuilder.schema.teams").MessagingExtensionActionResponse()


async def heard(on: Peers) -> list[tuple[str, Any]]:
    """All that the bot got so far, as the library hands it out."""
    await on.teams.settled()
    recorder = Recorder()
    for received in on.bot.activities():
        activity = schema.Activity().deserialize(received)
        await recorder.handler.on_turn(core.TurnContext(adapters.TestAdapter(), activity))
    return recorder.calls


async def test_messages_and_what_becomes_of_them(on: Peers) -> None:
    message = on.teams.people.mention("29:ann", ENG, "fix it")
    await on.teams.settled()
    on.teams.people.edit("29:ann", ENG, message, "fix that")
    await on.teams.settled()
    on.teams.people.delete("29:ann", ENG, message)
    await on.teams.settled()
    on.teams.people.undelete("29:ann", ENG, message)
    assert await heard(on) == [
        ("message", ("<at>linear</at> fix it", None, [on.teams.workspace.bot.id])),
        ("edit", "fix that"),
        ("delete", message),
        ("undelete", "fix that"),
    ]


async def test_reactions_and_installations(on: Peers) -> None:
    ours = await on.client.post(ENG)
    on.teams.people.react("29:ann", ENG, ours, "like")
    await on.teams.settled()
    on.teams.people.unreact("29:ann", ENG, ours, "like")
    await on.teams.settled()
    on.teams.people.create("19:new@thread.tacv2", "new", Kind.CHANNEL, ["29:ann"])
    on.teams.people.install("29:ann", "19:new@thread.tacv2")
    await on.teams.settled()
    on.teams.people.uninstall("29:ann", "19:new@thread.tacv2")
    bot = on.teams.workspace.bot.id
    assert await heard(on) == [
        ("reaction", ("like", ours)),
        ("no reaction", "like"),
        ("install", "19:new@thread.tacv2"),
        ("members", [bot]),
        ("uninstall", "19:new@thread.tacv2"),
        ("members", [bot]),
    ]


async def test_presses_and_forms(on: Peers) -> None:
    ours = await on.client.post_card(ENG)
    await on.teams.people.click("29:ann", ENG, ours, "Stop", is_old_client=True)
    on.bot.statuses = [501, 501]
    await on.teams.people.click("29:ann", ENG, ours, "Stop")
    said = await on.said("broken")
    with pytest.raises(Refused, match="BadAnswer"):
        await on.teams.dialogs.extension("29:ann", ENG, "startSession", message=said)
    assert await heard(on) == [
        ("message", (None, {"nonce": "n-1"}, [])),
        ("execute", ("stop", {"nonce": "n-1"})),
        ("execute", ("stop", {"nonce": "n-1"})),
        ("message", ("broken", None, [])),
        ("fetch", ("startSession", "<p>broken</p>")),
    ]
