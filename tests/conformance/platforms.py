"""Slack and Teams under one interface: what people do there, what they see, what goes wrong."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any, Final, Protocol

from playground import slack_delivery, slack_faults, slack_state, teams_delivery, teams_faults, teams_state
from playground.slack_blocks import elements_of
from playground.slack_state import BOT_USER, ChannelKind
from playground.stage import Stage
from playground.teams_reading import actions_of
from playground.teams_state import BOT, Kind, personal_chat

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


class SlackRoom:
    """A channel, or the chat of `alone_with` and the bot."""

    platform = "Slack"

    def __init__(self, stage: Stage, *, alone_with: str | None = None) -> None:
        self.stage = stage
        self._slack = stage.slack
        if alone_with is not None:
            self._channel = f"D{_slack_id(alone_with)[1:]}"
            return
        number = len(self._slack.workspace.channels) + 1
        self._channel = f"C2{number:03d}"
        members = [*map(_slack_id, MEMBERS), "U0ALERT", BOT_USER]
        self._slack.people.create_channel(self._channel, f"room-{number}", ChannelKind.PUBLIC, members)

    def say(self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None) -> str:
        return self._slack.people.say(_slack_id(who), self._channel, text, root, files=files)

    def mention(
        self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None
    ) -> str:
        return self.say(who, f"<@{BOT_USER}> {text}", root, files=files)

    def edit(self, who: str, message: str, text: str) -> None:
        # What is edited mentions us as before.
        before = self._message(message).text
        mention = f"<@{BOT_USER}> " if before.startswith(f"<@{BOT_USER}>") else ""
        self._slack.people.edit(_slack_id(who), self._channel, message, mention + text)

    def delete(self, who: str, message: str) -> None:
        self._slack.people.delete(_slack_id(who), self._channel, message)

    def cross(self, who: str, message: str) -> None:
        self._slack.people.react(_slack_id(who), self._channel, message, "x")

    async def press(self, who: str, message: str, label: str) -> bool:
        for _, element in elements_of(self._message(message).blocks):
            if element.get("text", {}).get("text") == label:
                receipt = await self._slack.people.click(
                    _slack_id(who), self._channel, message, element["action_id"], value=element.get("value")
                )
                assert receipt.status == 200
                return True
        return False

    def thread(self, root: str) -> list[Seen]:
        return [
            Seen(
                id=one["ts"],
                author=one["author"],
                text=one["text"],
                words=_slack_words(one["text"], self._slack.workspace.people),
                marks=_marks(one["reactions"], _SLACK_MARKS),
            )
            for one in self._slack.transcript(self._channel, root)
        ]

    def private(self, who: str) -> list[str]:
        people = self._slack.workspace.people
        return [_slack_words(one.shown_text(), people) for one in self._private(who)]

    def links(self, who: str) -> list[str]:
        blocks = [block for one in self._private(who) for block in elements_of(one.blocks)]
        return [str(element["url"]) for _, element in blocks if "url" in element]

    def address(self, message: str) -> str:
        return "p" + message.replace(".", "")

    def woken(self, message: str) -> set[str]:
        said = self._message(message)
        sent = f"{said.text}\n{json.dumps(said.blocks, ensure_ascii=False)}"
        people = self._slack.workspace.people
        named = {people[found].name for found in re.findall(r"<@(\w+)>", sent)}
        loud = re.search(r"<!|(?<!\w)@(channel|here|everyone)\b", sent)
        return named | ({"everybody"} if loud else set())

    def stranger(self, name: str, email: str) -> str:
        user = _slack_id(name)
        self._slack.workspace.people[user] = slack_state.Person(user, name, email)
        self._slack.workspace.channels[self._channel].members.add(user)
        return name

    def join_outsider(self) -> None:
        self._slack.people.join("U0EXT", self._channel)

    def repeat(self, copies: int, *, together: bool = False) -> None:
        self._slack.dispatcher.options = slack_delivery.DeliveryOptions(copies=copies, together=together)

    def lose_answer(self) -> None:
        self._slack.dispatcher.options = slack_delivery.DeliveryOptions(drop_answers=1)

    def lose_post(self) -> None:
        self._slack.api.faults.fail_next("chat.postMessage", slack_faults.Fault(drop="after"))

    def throttle(self, times: int) -> None:
        refusal = slack_faults.Fault(error="ratelimited")
        for method in ("chat.postMessage", "chat.update"):
            self._slack.api.faults.fail_next(method, refusal, times)

    def throttled(self) -> int:
        return sum(count for name, count in self._slack.api.refusals.items() if "ratelimited" in name)

    def expel(self) -> None:
        self._slack.people.leave(BOT_USER, self._channel)

    def calm(self) -> None:
        self._slack.dispatcher.options = slack_delivery.DeliveryOptions()
        self._slack.api.faults.clear()

    async def settled(self) -> None:
        await self._slack.settled()

    def _message(self, message: str) -> slack_state.Message:
        return self._slack.workspace.message(self._channel, message)

    def _private(self, who: str) -> list[slack_state.Message]:
        messages = self._slack.workspace.channels[self._channel].messages.values()
        return [one for one in messages if one.only_for == _slack_id(who)]


class TeamsRoom:
    """A channel, or the chat of `alone_with` and the bot."""

    platform = "Teams"

    def __init__(self, stage: Stage, *, alone_with: str | None = None) -> None:
        self.stage = stage
        self._teams = stage.teams
        self._has_threads = alone_with is None
        if alone_with is not None:
            self._home = personal_chat(_teams_id(alone_with))
            return
        number = len(self._teams.workspace.conversations) + 1
        self._home = f"19:room{number}@thread.tacv2"
        members = [*map(_teams_id, MEMBERS), "28:alerts", BOT]
        self._teams.people.create(self._home, f"room-{number}", Kind.CHANNEL, members)

    def say(self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None) -> str:
        contents = {name: content.encode() for name, content in (files or {}).items()}
        below = root if self._has_threads else None
        return self._teams.people.say(_teams_id(who), self._home, text, below, files=contents)

    def mention(
        self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None
    ) -> str:
        return self.say(who, f"<at>linear</at> {text}", root, files=files)

    def edit(self, who: str, message: str, text: str) -> None:
        before = self._message(message).text
        mention = "<at>linear</at> " if before.startswith("<at>linear</at>") else ""
        self._teams.people.edit(_teams_id(who), self._home, message, mention + text)

    def delete(self, who: str, message: str) -> None:
        self._teams.people.delete(_teams_id(who), self._home, message)

    def cross(self, who: str, message: str) -> None:
        self._teams.people.react(_teams_id(who), self._home, message, "274c_crossmark")

    async def press(self, who: str, message: str, label: str) -> bool:
        cards = self._message(message).cards
        if not any(action["title"] == label for card in cards for action in actions_of(card)):
            return False
        receipt = await self._teams.people.click(_teams_id(who), self._home, message, label)
        assert (receipt.reason, receipt.status) == (None, 200), receipt
        return True

    def thread(self, root: str) -> list[Seen]:
        return [
            Seen(
                id=one["ts"],
                author=one["author"],
                text=one["text"],
                words=_teams_words(one["text"]),
                marks=_marks(one["reactions"], _TEAMS_MARKS),
            )
            for one in self._teams.transcript(self._home, root if self._has_threads else None)
        ]

    def private(self, who: str) -> list[str]:
        user = _teams_id(who)
        return [_teams_words(one.shown_text(user)) for one in self._private(user)]

    def links(self, who: str) -> list[str]:
        cards = [card for one in self._private(_teams_id(who)) for card in one.cards]
        return [str(action["url"]) for card in cards for action in actions_of(card) if "url" in action]

    def address(self, message: str) -> str:
        return message

    def woken(self, message: str) -> set[str]:
        sent = self._message(message).raw or {}
        people = self._teams.workspace.people
        entities = [one for one in sent.get("entities", ()) if one["type"] == "mention"]
        named = {people[one["mentioned"]["id"]].name for one in entities}
        text = str(sent.get("text", ""))
        # A tag beside those of the entities is nobody's, or anybody's of that name.
        loud = re.search(r"(?<!\w)@(channel|team|everyone)\b", text) or text.count("<at>") > len(entities)
        return named | ({"everybody"} if loud else set())

    def stranger(self, name: str, email: str) -> str:
        user = _teams_id(name)
        self._teams.workspace.people[user] = teams_state.Person(user, name, email, email)
        self._teams.workspace.conversations[self._home].members.add(user)
        return name

    def join_outsider(self) -> None:
        self._teams.people.join("29:xenia", self._home)

    def repeat(self, copies: int, *, together: bool = False) -> None:
        self._teams.dispatcher.options = teams_delivery.DeliveryOptions(copies=copies, together=together)

    def lose_answer(self) -> None:
        self._teams.dispatcher.options = teams_delivery.DeliveryOptions(drop_answers=1)

    def lose_post(self) -> None:
        self._teams.api.faults.fail_next("send", teams_faults.Fault(drop="after"))

    def throttle(self, times: int) -> None:
        refusal = teams_faults.Fault(status=429)
        for kind in ("send", "update"):
            self._teams.api.faults.fail_next(kind, refusal, times)

    def throttled(self) -> int:
        return sum(count for name, count in self._teams.api.refusals.items() if "TooManyRequests" in name)

    def expel(self) -> None:
        self._teams.people.uninstall(_teams_id("ann"), self._home)

    def calm(self) -> None:
        self._teams.dispatcher.options = teams_delivery.DeliveryOptions()
        self._teams.api.faults.clear()

    async def settled(self) -> None:
        await self._teams.settled()

    def _message(self, message: str) -> teams_state.Message:
        return self._teams.workspace.message(self._home, message)

    def _private(self, user: str) -> list[teams_state.Message]:
        messages = self._teams.workspace.conversations[self._home].messages.values()
        return [one for one in messages if one.only_for == user]


ROOMS: Final[Mapping[str, type[SlackRoom] | type[TeamsRoom]]] = {"Slack": SlackRoom, "Teams": TeamsRoom}

_SLACK_IDS: Final = {"gus": "U0GST", "xenia": "U0EXT", "alerts": "U0ALERT"}
_SLACK_MARKS: Final = {
    "eyes": SEEN,
    "hourglass_flowing_sand": QUEUED,
    "incoming_envelope": DELIVERED,
    "white_check_mark": DONE,
}
_TEAMS_MARKS: Final = {
    "1f440_eyes": SEEN,
    "231b_hourglassdone": QUEUED,
    "1f4e8_incomingenvelope": DELIVERED,
    "2705_whiteheavycheckmark": DONE,
}


def _slack_id(who: str) -> str:
    return _SLACK_IDS.get(who, f"U0{who.upper()}")


def _teams_id(who: str) -> str:
    return f"{'28' if who == 'alerts' else '29'}:{who}"


def _marks(reactions: Mapping[str, Any], known: Mapping[str, str]) -> frozenset[str]:
    return frozenset(
        known[name] for name, people in reactions.items() if name in known and "linear" in people
    )


def _slack_words(text: str, people: Mapping[str, slack_state.Person]) -> str:
    named = re.sub(r"<@(\w+)>", lambda found: f"@{people[found[1]].name}", text)
    linked = re.sub(r"<[^|<>]+\|([^<>]+)>", r"\1", named)
    return _words(unescape(linked))


def _teams_words(text: str) -> str:
    return _words(re.sub(r"\[([^\]]+)\]\(\S+?\)", r"\1", text))


def _words(text: str) -> str:
    """Without markup: the sides write it differently, and a card of Teams shows it as style."""
    plain = re.sub(r"[*`]|\\(?=[\W_])", "", text).replace(ZERO_WIDTH, "")
    return "\n".join(line.strip() for line in plain.splitlines() if line.strip())
