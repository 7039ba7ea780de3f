"""One thread in Teams with what it brought about in Linear, as people see both."""

from typing import Any

from playground.stage import Stage
from playground.teams_reading import actions_of, plain_text
from playground.teams_state import BOT as BOT_ID
from playground.teams_state import Kind, Message
from tests.scenarios.story import BOT, Story

EVERYBODY = ("29:ann", "29:bob", "29:eve", BOT_ID)
MENTION = f"<at>{BOT}</at> "

DONE = "2705_whiteheavycheckmark"

# What the stand-in for Teams needs on a slow machine; its limits would only make many sessions slow.
PATIENT = {"rate_factor": None, "answer_within_s": 20.0, "invoke_within_s": 20.0}


class TeamsThread(Story):
    """People talk in it; starts with the first thing said."""

    def __init__(self, stage: Stage, channel: str, root: str = "") -> None:
        self.stage = stage
        self.channel = channel
        self.root = root
        self._said = [root] if root else []

    # What people do.

    def say(self, text: str, *, by: str = "29:ann") -> str:
        """Say it in the thread, or begin it; the message's id."""
        said = self.stage.teams.people.say(by, self.channel, text, self.root or None)
        self.root = self.root or said
        self._said.append(said)
        return said

    def mention(self, text: str, *, by: str = "29:ann") -> str:
        return self.say(MENTION + text, by=by)

    def edit(self, message: str, text: str, *, by: str = "29:ann") -> None:
        self.stage.teams.people.edit(by, self.channel, message, text)

    async def press(self, label: str, *, by: str = "29:bob") -> None:
        """Press the newest button with these words on it."""
        for message in reversed(self.ours()):
            if any(action["title"] == label for card in message.cards for action in actions_of(card)):
                receipt = await self.stage.teams.people.click(by, self.channel, message.id, label)
                assert (receipt.reason, receipt.status) == (None, 200), receipt
                return
        raise AssertionError(f"no button {label}: {self.texts()}")

    # What is seen.

    def chat(self) -> list[dict[str, Any]]:
        return self.stage.teams.transcript(self.channel, self.root)

    def ours(self) -> list[Message]:
        """Our messages that are there now, oldest first."""
        shown = self.stage.teams.workspace.thread(self.channel, self.root)
        return [one for one in shown if one.author.id == BOT_ID]

    def texts(self) -> list[str]:
        return [one.shown_text() for one in self.ours()]

    def behind_buttons(self) -> list[str]:
        """What our messages show only to who asks for it."""
        parts = [part for one in self.ours() for card in one.cards for part in card["body"]]
        return [plain_text("", [{"body": one["items"]}]) for one in parts if one.get("isVisible") is False]

    def reactions(self, message: str) -> set[str]:
        return set(self.stage.teams.reactions(self.channel, message))

    def addresses(self) -> list[str]:
        return self._said

    async def all_marked_done(self) -> None:
        """Until every message of people has its last reaction, and no other."""

        def done() -> bool:
            marks = [set(one["reactions"]) for one in self.chat() if one["author"] != BOT]
            return all(each == {DONE} for each in marks)

        await self.until(done, "every message is marked")


def new_channel(stage: Stage) -> str:
    """A channel of its own."""
    number = len(stage.teams.workspace.conversations) + 1
    channel = f"19:project{number}@thread.tacv2"
    stage.teams.people.create(channel, f"project-{number}", Kind.CHANNEL, EVERYBODY)
    return channel
