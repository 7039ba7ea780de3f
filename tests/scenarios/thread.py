"""One thread in Slack with what it brought about in Linear, as people see both."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from playground.slack_blocks import elements_of
from playground.slack_state import BOT_USER, ChannelKind, Message
from playground.stage import Stage
from playground.story import differences

WITHIN_S = 30.0
BOT = "linear"
EVERYBODY = ("U0ANN", "U0BOB", "U0EVE", "U0ALERT", BOT_USER)
ENDED = re.compile(r"(^| · )(done in|stopped after|failed after) \d+ ")

SEEN, QUEUED, DELIVERED, DONE = "eyes", "hourglass_flowing_sand", "incoming_envelope", "white_check_mark"

_CHANGES = (
    (re.compile(r"\b(ENG|eng)-\d+"), r"\1-N"),
    (re.compile(r"(done in|stopped after|failed after) \d+ \w+"), r"\1 N s"),
    (re.compile(r" · \d+ (s|min)$", re.MULTILINE), ""),
    (re.compile(r"\$\d+\.\d\d"), "$N"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,27}"), "UUID"),
    (re.compile(r"p\d{16}\b|\b\d{10}\.\d{6}\b"), "TS"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://STAND-IN"),
)


class Thread:
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

    def cards(self) -> list[str]:
        """Progress messages as they read now."""
        return [text for text in self.texts() if _is_card(text)]

    def answers(self) -> list[str]:
        """Everything else we wrote."""
        return [text for text in self.texts() if not _is_card(text)]

    def shows(self, words: str) -> bool:
        return any(words in text for text in self.texts())

    def reactions(self, ts: str) -> set[str]:
        return set(self.stage.slack.workspace.message(self.channel, ts).reactions)

    def reaction_history(self, ts: str) -> list[str]:
        """Every reaction we ever set on a message, in order, as Slack told it to the app."""
        told = [
            each.payload["event"] for each in self.stage.slack.dispatcher.log if each.name == "reaction_added"
        ]
        return [one["reaction"] for one in told if one["item"].get("ts") == ts and one["user"] == BOT_USER]

    # What is seen in Linear.

    def issues(self) -> list[dict[str, Any]]:
        """The issues that have something to do with this thread."""
        links = ["p" + ts.replace(".", "") for ts in self._said]
        return [one for one in self.stage.issues() if any(link in json.dumps(one) for link in links)]

    def issue(self) -> dict[str, Any]:
        """The only one."""
        (issue,) = self.issues()
        return issue

    def session(self) -> dict[str, Any]:
        """The only session of the only issue; an empty one before it is there."""
        sessions = [each for one in self.issues() for each in one["sessions"]]
        assert len(sessions) <= 1, "more than one session"
        return sessions[0] if sessions else {"history": [], "status": "", "plan": None}

    def lasting(self) -> list[dict[str, Any]]:
        """The activities that stay."""
        return [one for one in self.session()["history"] if not one["ephemeral"]]

    def told(self, kind: str) -> list[str]:
        """Bodies of the lasting activities of a kind."""
        return [one["body"] for one in self.lasting() if one["type"] == kind]

    # Waiting.

    async def until(self, happened: Callable[[], Any], what: str) -> Any:
        try:
            return await self.stage.until(happened, WITHIN_S, what)
        except AssertionError as error:
            error.add_note(json.dumps([self.chat(), self.issues()], indent=1, ensure_ascii=False))
            raise

    async def until_shown(self, words: str) -> None:
        await self.until(lambda: self.shows(words), f"the thread shows “{words}”")

    async def until_held(self, name: str) -> None:
        """Until the model waits to be released."""
        try:
            async with asyncio.timeout(WITHIN_S):
                await self.stage.model.held(name)
        except TimeoutError:
            raise AssertionError(f"the model never held at {name}: {self.texts()}") from None

    async def until_marked(self, ts: str, *names: str) -> None:
        await self.until(lambda: self.reactions(ts) == set(names), f"the reactions are {names}")

    async def ended(self, turns: int = 1) -> None:
        """Until so many turns are over, on both sides."""
        await self.until(lambda: self._ends() == (turns, turns), f"{turns} turns are over on both sides")

    async def all_marked_done(self) -> None:
        """Until no message waits for its last reaction."""
        on_the_way = {SEEN, QUEUED, DELIVERED}
        await self.until(
            lambda: not any(on_the_way & set(one["reactions"]) for one in self.chat()),
            "every message is marked",
        )

    def _ends(self) -> tuple[int, int]:
        cards = sum(bool(ENDED.search(text)) for text in self.cards())
        return cards, sum(one["type"] in ("response", "error") for one in self.lasting())

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


def _is_card(text: str) -> bool:
    return text.endswith("[Stop]") or ENDED.search(text) is not None


def alike(text: str) -> str:
    """Without ids, times and costs."""
    for pattern, instead in _CHANGES:
        text = pattern.sub(instead, text)
    return text


def _activity(one: Mapping[str, Any]) -> list[str]:
    kind = f"{one['type']} (ephemeral)" if one["ephemeral"] else one["type"]
    if one["type"] == "action":
        return _paragraph(kind, f"{one['action']} {one['parameter']} -> {one.get('result')}")
    choices = [f"[{option['label']}]" for option in (one["signalMetadata"] or {}).get("options", ())]
    return _paragraph(kind, " ".join([one["body"], *choices]))


def _paragraph(head: str, text: str) -> list[str]:
    first, *rest = text.splitlines() or [""]
    return [f"{head}: {first}".rstrip(), *(f"    {line}".rstrip() for line in rest)]
