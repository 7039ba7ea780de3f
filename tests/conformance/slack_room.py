"""A room of Slack, read and written through the stand-in."""

import json
import re
from collections.abc import Mapping
from html import unescape
from typing import Final

from playground import slack_delivery, slack_faults
from playground.slack_blocks import elements_of
from playground.slack_state import BOT_USER, ChannelKind, Message, Person
from playground.slack_views import inputs_of
from playground.stage import Stage
from tests.conformance.room import DELIVERED, DONE, MEMBERS, QUEUED, SEEN, Seen, marks_of, words_of

TRIES: Final = 3

_IDS: Final = {"gus": "U0GST", "xenia": "U0EXT", "alerts": "U0ALERT"}
_MARKS: Final = {
    "eyes": SEEN,
    "hourglass_flowing_sand": QUEUED,
    "incoming_envelope": DELIVERED,
    "white_check_mark": DONE,
}


class SlackRoom:
    """A channel, or the chat of `alone_with` and the bot."""

    platform = "Slack"

    def __init__(self, stage: Stage, *, alone_with: str | None = None) -> None:
        self.stage = stage
        self._slack = stage.slack
        self._subscriptions = stage.slack.workspace.subscriptions
        if alone_with is not None:
            self._channel = f"D{_id(alone_with)[1:]}"
            return
        number = len(self._slack.workspace.channels) + 1
        self._channel = f"C2{number:03d}"
        members = [*map(_id, MEMBERS), "U0ALERT", BOT_USER]
        self._slack.people.create_channel(self._channel, f"room-{number}", ChannelKind.PUBLIC, members)

    def say(self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None) -> str:
        return self._slack.people.say(_id(who), self._channel, text, root, files=files)

    def mention(
        self, who: str, text: str, root: str | None, *, files: Mapping[str, str] | None = None
    ) -> str:
        return self.say(who, f"<@{BOT_USER}> {text}", root, files=files)

    def edit(self, who: str, message: str, text: str) -> None:
        # What is edited mentions us as before.
        before = self._message(message).text
        mention = f"<@{BOT_USER}> " if before.startswith(f"<@{BOT_USER}>") else ""
        self._slack.people.edit(_id(who), self._channel, message, mention + text)

    def delete(self, who: str, message: str) -> None:
        self._slack.people.delete(_id(who), self._channel, message)

    def cross(self, who: str, message: str) -> None:
        self._slack.people.react(_id(who), self._channel, message, "x")

    async def press(self, who: str, message: str, label: str) -> bool:
        for _, element in elements_of(self._message(message).blocks):
            if element.get("text", {}).get("text") == label:
                receipt = await self._slack.people.click(
                    _id(who), self._channel, message, element["action_id"], value=element.get("value")
                )
                assert receipt.status == 200
                return True
        return False

    async def press_privately(self, who: str, label: str) -> bool:
        for one in reversed(self._private(who)):
            if await self.press(who, one.ts, label):
                return True
        return False

    async def fill_in(self, who: str, message: str, label: str, text: str) -> None:
        # A trigger lives for three seconds: on a busy machine one may be too late.
        for _ in range(TRIES):
            assert await self.press(who, message, label)
            if form := self._slack.forms.shown(_id(who)):
                [field] = inputs_of(form)
                receipt = await self._slack.forms.submit(_id(who), {field["label"]["text"]: text})
                assert (receipt.reason, receipt.status) == (None, 200), receipt
                return
        raise AssertionError(f"no form was opened: {self.private(who)}")

    def thread(self, root: str) -> list[Seen]:
        return [
            Seen(
                id=one["ts"],
                author=one["author"],
                text=one["text"],
                words=_words(one["text"], self._slack.workspace.people),
                marks=marks_of(one["reactions"], _MARKS),
            )
            for one in self._slack.transcript(self._channel, root)
        ]

    def private(self, who: str) -> list[str]:
        people = self._slack.workspace.people
        return [_words(one.shown_text(), people) for one in self._private(who)]

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
        user = _id(name)
        self._slack.workspace.people[user] = Person(user, name, email)
        self._slack.workspace.channels[self._channel].members.add(user)
        return name

    def join_outsider(self) -> None:
        self._slack.people.join("U0EXT", self._channel)

    def hear_mentions_only(self) -> None:
        """As without the events of messages."""
        self._slack.workspace.subscriptions = [
            one for one in self._subscriptions if not one.startswith("message.")
        ]

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
        self._slack.workspace.subscriptions = self._subscriptions
        self._slack.dispatcher.options = slack_delivery.DeliveryOptions()
        self._slack.api.faults.clear()

    async def settled(self) -> None:
        await self._slack.settled()

    def _message(self, message: str) -> Message:
        return self._slack.workspace.message(self._channel, message)

    def _private(self, who: str) -> list[Message]:
        messages = self._slack.workspace.channels[self._channel].messages.values()
        return [one for one in messages if one.only_for == _id(who)]


def _id(who: str) -> str:
    return _IDS.get(who, f"U0{who.upper()}")


def _words(text: str, people: Mapping[str, Person]) -> str:
    named = re.sub(r"<@(\w+)>", lambda found: f"@{people[found[1]].name}", text)
    linked = re.sub(r"<[^|<>]+\|([^<>]+)>", r"\1", named)
    return words_of(unescape(linked))
