"""One thread in Slack with what it brought about in Linear, as people see both."""

from collections.abc import Mapping
from typing import Any

from playground.slack_blocks import elements_of
from playground.slack_state import BOT_USER, ChannelKind, Message
from playground.stage import Stage
from playground.story import differences
from tests.scenarios.story import BOT, ENDED, WITHIN_S, Story, alike, is_card

__all__ = [
    "BOT",
    "DELIVERED",
    "DONE",
    "ENDED",
    "EVERYBODY",
    "QUEUED",
    "SEEN",
    "WITHIN_S",
    "Thread",
    "alike",
    "is_card",
    "new_channel",
]

EVERYBODY = ("U0ANN", "U0BOB", "U0EVE", "U0ALERT", BOT_USER)

SEEN, QUEUED, DELIVERED, DONE = "eyes", "hourglass_flowing_sand", "incoming_envelope", "white_check_mark"


class Thread(Story):
    """People talk in it; what is seen is read from the stand-ins. Starts with the first thing said."""

    def __init__(self, stage: Stage, channel: str) -> None:
        self.stage = stage
        self.channel = channel
        self.root = ""
        self._said: list[str] = []

    # What people do.

    def say(self, text: str, *, by: str = "U0ANN") -> str:
        """Say it in the thread, or begin it; the message's ts."""
        ts = self.stage.slack.people.say(by, self.channel, text, self.root or None)
        self.root = self.root or ts
        self._said.append(ts)
        return ts

    def join(self, root: str) -> None:
        """Talk in a thread that is there already; `root` is the ts of its first message."""
        self.root = root
        self._said.append(root)

    def mention(self, text: str, *, by: str = "U0ANN") -> str:
        return self.say(f"<@{BOT_USER}> {text}", by=by)

    async def press(self, label: str, *, by: str = "U0BOB") -> None:
        """Press the newest button with these words on it."""
        for message in reversed(self.ours()):
            for _, element in elements_of(message.blocks):
                if element.get("text", {}).get("text") == label:
                    receipt = await self.stage.slack.people.click(
                        by, self.channel, message.ts, element["action_id"], value=element.get("value")
                    )
                    assert receipt.status == 200
                    return
        raise AssertionError(f"no button {label}: {self.texts()}")

    # What is seen in Slack.

    def chat(self) -> list[dict[str, Any]]:
        return self.stage.chat(self.channel, self.root)

    def ours(self) -> list[Message]:
        """Our messages that are there now, oldest first."""
        shown = self.stage.slack.workspace.thread(self.channel, self.root)
        return [one for one in shown if one.author.name == BOT]

    def texts(self) -> list[str]:
        return [one.shown_text() for one in self.ours()]

    def reactions(self, ts: str) -> set[str]:
        return set(self.stage.slack.workspace.message(self.channel, ts).reactions)

    def reaction_history(self, ts: str) -> list[str]:
        """Every reaction we ever set on a message, in order, as Slack told it to the app."""
        told = [
            each.payload["event"] for each in self.stage.slack.dispatcher.log if each.name == "reaction_added"
        ]
        return [one["reaction"] for one in told if one["item"].get("ts") == ts and one["user"] == BOT_USER]

    def addresses(self) -> list[str]:
        return ["p" + ts.replace(".", "") for ts in self._said]

    # Waiting.

    async def until_marked(self, ts: str, *names: str) -> None:
        await self.until(lambda: self.reactions(ts) == set(names), f"the reactions are {names}")

    async def all_marked_done(self) -> None:
        """Until no message waits for its last reaction."""
        on_the_way = {SEEN, QUEUED, DELIVERED}
        await self.until(
            lambda: not any(on_the_way & set(one["reactions"]) for one in self.chat()),
            "every message is marked",
        )

    def same_story(self) -> None:
        """Both sides tell the same."""
        assert differences(self.chat(), self.session()) == []

    # Both sides as text, for golden files.

    def transcript(self) -> str:
        """Everything to be seen now, without what differs from run to run."""
        return alike("\n".join([*self._slack_lines(), "", *self._linear_lines(), ""]))

    def slack_transcript(self) -> str:
        """The thread alone."""
        return alike("\n".join([*self._slack_lines(), ""]))

    def _slack_lines(self) -> list[str]:
        lines = ["# Slack"]
        for one in self.chat():
            marks = " ".join(f":{name}:" for name in one["reactions"])
            lines += _paragraph(one["author"], f"{one['text']} {marks}".rstrip())
        return lines

    def _linear_lines(self) -> list[str]:
        issue, session = self.issue(), self.session()
        lines = [f"# Linear: {issue['identifier']} {issue['title']}"]
        lines += _paragraph("description", issue["description"])
        lines.append(f"{issue['state']}, assignee {issue['assignee']}, created as {issue['createdAsUser']}")
        lines += [f"link: {link['label']} {link['url']}" for link in session["externalLinks"]]
        lines += [f"plan: {step['content']} ({step['status']})" for step in session["plan"] or ()]
        for one in session["history"]:
            # Passing activities depend on how fast things happen, but for the first sign.
            if not one["ephemeral"] or one.get("body", "").startswith("On it"):
                lines += _activity(one)
        return [*lines, f"session: {session['status']}"]


def new_channel(stage: Stage) -> str:
    """A public channel of its own, so that scenarios do not share Slack's limits."""
    number = len(stage.slack.workspace.channels) + 1
    channel = f"C1{number:03d}"
    stage.slack.people.create_channel(channel, f"project-{number}", ChannelKind.PUBLIC, EVERYBODY)
    return channel


def _activity(one: Mapping[str, Any]) -> list[str]:
    kind = f"{one['type']} (ephemeral)" if one["ephemeral"] else one["type"]
    if one["type"] == "action":
        return _paragraph(kind, f"{one['action']} {one['parameter']} -> {one.get('result')}")
    choices = [f"[{option['label']}]" for option in (one["signalMetadata"] or {}).get("options", ())]
    return _paragraph(kind, " ".join([one["body"], *choices]))


def _paragraph(head: str, text: str) -> list[str]:
    first, *rest = text.splitlines() or [""]
    return [f"{head}: {first}".rstrip(), *(f"    {line}".rstrip() for line in rest)]
