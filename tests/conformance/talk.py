"""One thread on any platform, as the scenarios talk and look."""

from collections.abc import Mapping
from typing import Any

from playground.scripts import Reply, run
from tests.conformance.room import DELIVERED, QUEUED, SEEN, Room, Seen
from tests.scenarios.story import BOT, ENDED, Story


def held(name: str) -> Reply:
    """A step of the model that waits until it is released; each name counts once."""
    return {"tools": [run("true")], "hold": name}


class Talk(Story):
    """People talk in it; starts with the first thing said."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.stage = room.stage
        self.platform = room.platform
        self.root = ""
        self._said: list[str] = []

    # What people do.

    def say(self, text: str, *, by: str = "ann", files: Mapping[str, str] | None = None) -> str:
        """Say it in the thread, or begin it; the message's id."""
        return self._began(self.room.say(by, text, self.root or None, files=files))

    def mention(self, text: str, *, by: str = "ann", files: Mapping[str, str] | None = None) -> str:
        """Say it to the bot."""
        return self._began(self.room.mention(by, text, self.root or None, files=files))

    async def press(self, label: str, *, by: str = "bob") -> None:
        """Press the newest button with these words on it."""
        for message in reversed(self.ours()):
            if await self.room.press(by, message.id, label):
                return
        raise AssertionError(f"no button {label}: {self.texts()}")

    # What is seen.

    def messages(self) -> list[Seen]:
        return self.room.thread(self.root)

    def ours(self) -> list[Seen]:
        """Our messages that are there now, oldest first."""
        return [one for one in self.messages() if one.author == BOT]

    def chat(self) -> list[dict[str, Any]]:
        return [
            {"author": one.author, "text": one.words, "reactions": sorted(one.marks)}
            for one in self.messages()
        ]

    def texts(self) -> list[str]:
        return [one.words for one in self.ours()]

    def marks(self, message: str) -> set[str]:
        """Which of our marks a message carries."""
        return next(set(one.marks) for one in self.messages() if one.id == message)

    def addresses(self) -> list[str]:
        return [self.room.address(message) for message in self._said]

    # Waiting.

    async def until_marked(self, message: str, *marks: str) -> None:
        await self.until(lambda: self.marks(message) == set(marks), f"the marks are {marks}")

    async def all_marked_done(self) -> None:
        """Until no message waits for its last mark."""
        await self.until(
            lambda: not any(one.marks & {SEEN, QUEUED, DELIVERED} for one in self.messages()),
            "every message is marked",
        )

    async def until_told(self, words: str) -> None:
        """Until Linear shows it for good."""
        await self.until(lambda: words in str(self.lasting()), f"Linear shows “{words}”")

    async def until_progress_ended(self) -> None:
        """Until no turn is on, as this thread shows it."""
        await self.until(lambda: all(map(ENDED.search, self.cards())), "no turn is on")

    def _began(self, message: str) -> str:
        self.root = self.root or message
        self._said.append(message)
        return message
