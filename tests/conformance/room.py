"""A place to talk in on any platform: what people do there, what they see, what goes wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from playground.stage import Stage

SEEN, QUEUED, DELIVERED, DONE = "seen", "queued", "delivered", "done"
MEMBERS: Final = ("ann", "bob", "eve", "gus")
"""Gus is a guest; `xenia`, who comes from elsewhere, joins where a scenario says so."""

ZERO_WIDTH: Final = "\u200b"


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as people read it: `text` letter by letter, `words` without markup, `marks` of ours."""

    id: str
    author: str
    text: str
    words: str
    marks: frozenset[str]


class Room(Protocol):
    """A place of its own to talk in; people go by their lower-case names, a thread by its first message."""

    platform: str
    stage: Stage

    def say(
        self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None
    ) -> str: ...

    def mention(
        self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None
    ) -> str: ...

    def edit(self, who: str, message: str, text: str) -> None: ...

    def delete(self, who: str, message: str) -> None: ...

    def cross(self, who: str, message: str) -> None:
        """React with a cross."""
        ...

    async def press(self, who: str, message: str, label: str) -> bool:
        """Whether the button was there."""
        ...

    async def press_privately(self, who: str, label: str) -> bool:
        """Press the newest such button of the messages that only they see."""
        ...

    async def fill_in(self, who: str, message: str, label: str, text: str) -> None:
        """Press a button that opens a form, and send that with `text` in its only field."""
        ...

    def thread(self, root: str) -> list[Seen]: ...

    def private(self, who: str) -> list[str]:
        """What they alone were told, in words."""
        ...

    def links(self, who: str) -> list[str]:
        """Addresses behind the buttons of those messages."""
        ...

    def address(self, message: str) -> str:
        """What a link to this message contains."""
        ...

    def woken(self, message: str) -> set[str]:
        """Who was notified by one of our messages, by name; `everybody` for a broadcast."""
        ...

    def stranger(self, name: str, email: str) -> str:
        """Somebody new in this room, whom Linear does not know; what they go by."""
        ...

    def join_outsider(self) -> None:
        """Xenia, of another organisation, is here too."""
        ...

    # What goes wrong.

    def hear_mentions_only(self) -> None:
        """What does not mention the bot is not handed to it any more."""
        ...

    def repeat(self, copies: int, *, together: bool = False) -> None:
        """Whatever happens from now on is delivered so many times."""
        ...

    def lose_answer(self) -> None:
        """The next answer to a delivery is lost on its way."""
        ...

    def lose_post(self) -> None:
        """The bot's next message arrives, but it is never told so."""
        ...

    def throttle(self, times: int) -> None:
        """So many of the next posts and edits are refused for a second."""
        ...

    def throttled(self) -> int:
        """How many calls were refused like that."""
        ...

    def expel(self) -> None:
        """The bot is removed."""
        ...

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        ...

    async def settled(self) -> None:
        """Until everything that was said is delivered."""
        ...


def marks_of(reactions: Mapping[str, Any], known: Mapping[str, str]) -> frozenset[str]:
    """Which of our marks we set; `known` says what the platform calls them."""
    return frozenset(
        known[name] for name, people in reactions.items() if name in known and "linear" in people
    )


def words_of(text: str) -> str:
    """Without markup: the sides write it differently, and a card of Teams shows it as style."""
    plain = re.sub(r"[*`]|\\(?=[\W_])", "", text).replace(ZERO_WIDTH, "")
    return "\n".join(line.strip() for line in plain.splitlines() if line.strip())
