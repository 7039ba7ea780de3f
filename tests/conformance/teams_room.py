"""A room of Teams, read and written through the stand-in."""

import re
from collections.abc import Mapping
from typing import Final

from playground import teams_delivery, teams_faults
from playground.stage import Stage
from playground.teams_reading import actions_of, inputs_of
from playground.teams_state import BOT, Kind, Message, Person, personal_chat
from tests.conformance.room import DELIVERED, DONE, MEMBERS, QUEUED, SEEN, Seen, marks_of, words_of

_MARKS: Final = {
    "1f440_eyes": SEEN,
    "231b_hourglassdone": QUEUED,
    "1f4e8_incomingenvelope": DELIVERED,
    "2705_whiteheavycheckmark": DONE,
}


class TeamsRoom:
    """A channel, or the chat of `alone_with` and the bot."""

    platform = "Teams"

    def __init__(self, stage: Stage, *, alone_with: str | None = None) -> None:
        self.stage = stage
        self._teams = stage.teams
        self._has_threads = alone_with is None
        if alone_with is not None:
            self._home = personal_chat(_id(alone_with))
            return
        number = len(self._teams.workspace.conversations) + 1
        self._home = f"19:room{number}@thread.tacv2"
        members = [*map(_id, MEMBERS), "28:alerts", BOT]
        self._teams.people.create(self._home, f"room-{number}", Kind.CHANNEL, members)

    def say(self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None) -> str:
        contents = {name: content.encode() for name, content in (files or {}).items()}
        below = root if self._has_threads else None
        return self._teams.people.say(_id(who), self._home, text, below, files=contents)

    def mention(
        self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None
    ) -> str:
        return self.say(who, f"<at>linear</at> {text}", root, files=files)

    def edit(self, who: str, message: str, text: str) -> None:
        before = self._message(message).text
        mention = "<at>linear</at> " if before.startswith("<at>linear</at>") else ""
        self._teams.people.edit(_id(who), self._home, message, mention + text)

    def delete(self, who: str, message: str) -> None:
        self._teams.people.delete(_id(who), self._home, message)

    def cross(self, who: str, message: str) -> None:
        self._teams.people.react(_id(who), self._home, message, "274c_crossmark")

    async def press(self, who: str, message: str, label: str) -> bool:
        cards = self._message(message).cards
        if not any(action["title"] == label for card in cards for action in actions_of(card)):
            return False
        receipt = await self._teams.people.click(_id(who), self._home, message, label)
        assert (receipt.reason, receipt.status) == (None, 200), receipt
        return True

    async def press_privately(self, who: str, label: str) -> bool:
        for one in reversed(self._private(_id(who))):
            if await self.press(who, one.id, label):
                return True
        return False

    async def fill_in(self, who: str, message: str, label: str, text: str) -> None:
        dialog = await self._teams.dialogs.open(_id(who), self._home, message, label)
        [field] = inputs_of(dialog.card)
        receipt = await self._teams.dialogs.submit(dialog, inputs={str(field["id"]): text})
        assert (receipt.reason, receipt.status) == (None, 200), receipt

    def thread(self, root: str) -> list[Seen]:
        return [
            Seen(
                id=one["ts"],
                author=one["author"],
                text=one["text"],
                words=_words(one["text"]),
                marks=marks_of(one["reactions"], _MARKS),
            )
            for one in self._teams.transcript(self._home, root if self._has_threads else None)
        ]

    def private(self, who: str) -> list[str]:
        user = _id(who)
        return [_words(one.shown_text(user)) for one in self._private(user)]

    def links(self, who: str) -> list[str]:
        cards = [card for one in self._private(_id(who)) for card in one.cards]
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
        user = _id(name)
        self._teams.workspace.people[user] = Person(user, name, email, email)
        self._teams.workspace.conversations[self._home].members.add(user)
        return name

    def join_outsider(self) -> None:
        self._teams.people.join("29:xenia", self._home)

    def hear_mentions_only(self) -> None:
        """As without the consent of an owner."""
        self._teams.people.consent(self._home, reads_all=False)

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
        self._teams.people.uninstall(_id("ann"), self._home)

    def calm(self) -> None:
        self._teams.dispatcher.options = teams_delivery.DeliveryOptions()
        self._teams.api.faults.clear()

    async def settled(self) -> None:
        await self._teams.settled()

    def _message(self, message: str) -> Message:
        return self._teams.workspace.message(self._home, message)

    def _private(self, user: str) -> list[Message]:
        messages = self._teams.workspace.conversations[self._home].messages.values()
        return [one for one in messages if one.only_for == user]


def _id(who: str) -> str:
    return f"{'28' if who == 'alerts' else '29'}:{who}"


def _words(text: str) -> str:
    return words_of(re.sub(r"\[([^\]]+)\]\(\S+?\)", r"\1", text))
