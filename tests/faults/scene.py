"""One session as people play it, and what is to be seen of it in the end."""

import asyncio
import difflib
import json
import re
import subprocess
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from playground.stage import Stage

MENTION = "<@U0BOT> search ignores archived projects even with the toggle on, fix it"
FOLLOW_UP = "now add a line to the changelog"
ENDED = re.compile(r" · (done in|stopped after|failed after) ")
WITHIN_S = 45.0

_CHANGES = (
    (re.compile(r"\b(ENG|eng)-\d+"), r"\1-N"),
    (re.compile(r"(done in|stopped after|failed after) [\d]+ \w+"), r"\1 N"),
    (re.compile(r" · \$\d+\.\d\d"), ""),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,27}"), "UUID"),
    (re.compile(r"p\d{16}\b|\b\d{10}\.\d{6}\b"), "TS"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything of a session that must not depend on crashes, with ids, times and costs made equal."""

    chat: tuple[str, ...]
    linear: tuple[str, ...]
    plan: tuple[str, ...]
    status: str
    links: str
    issue: str
    commits: tuple[str, ...]
    diff: str


Reference = Sequence[Seen]
"""What is to be seen after the first turn, the second, ..."""


def unlike(seen: Seen, expected: Seen) -> list[str]:
    """Where they differ, line by line."""
    told = difflib.unified_diff(_lines(expected), _lines(seen), "expected", "seen", n=0, lineterm="")
    return list(told)


def _lines(seen: Seen) -> list[str]:
    return [
        f"{name}: {line}"
        for name, value in asdict(seen).items()
        for line in ([value] if isinstance(value, str) else value)
    ]


class Scene:
    """A thread in Slack and its session in Linear."""

    def __init__(self, stage: Stage, channel: str = "C0001") -> None:
        self._stage = stage
        self._people = stage.slack.people
        self._issues_before = len(stage.issues())
        self.channel = channel
        self.root = ""
        self.turns = 0
        self._mention = ""

    async def play(self, *, turns: int) -> None:
        """A mention in a thread with context, and after its turn perhaps a second one."""
        self.begin()
        await self.ended(1)
        if turns == 2:
            await self.next_turn()

    async def next_turn(self) -> None:
        self.follow_up()
        await self.ended(2)

    def begin(self) -> None:
        """Somebody complains, somebody else mentions the bot below."""
        complaint = "Search is broken for archived projects since Tuesday"
        self.root = self._people.say("U0BOB", self.channel, complaint)
        self._mention = self.say("U0ANN", MENTION)

    def follow_up(self) -> None:
        self.say("U0ANN", FOLLOW_UP)

    async def choose(self, question: str, number: int) -> None:
        """Press that button of the question."""
        ts = next(one["ts"] for one in self.chat() if question in one["text"])
        await self._people.click("U0ANN", self.channel, ts, f"choice/{number}")

    def say(self, user: str, text: str) -> str:
        return self._people.say(user, self.channel, text, self.root)

    async def ended(self, turns: int) -> None:
        """Wait until so many turns are over and both sides show all of it."""
        await self.until(lambda: self._ends() == turns and self._is_quiet(), f"turn {turns} is over")
        self.turns = turns

    async def until(self, happened: Callable[[], Any], what: str) -> Any:
        try:
            return await self._stage.until(happened, WITHIN_S, what)
        except AssertionError as error:
            error.add_note(json.dumps([self.chat(), self.issues()], indent=1, ensure_ascii=False))
            raise

    def chat(self) -> list[dict[str, Any]]:
        return self._stage.chat(self.channel, self.root)

    def ours(self) -> list[str]:
        return [one["text"] for one in self.chat() if one["author"] == "linear"]

    def shows(self, words: str) -> bool:
        return any(words in text for text in self.ours())

    def issues(self) -> list[dict[str, Any]]:
        """The issues that have something to do with this thread; there should be one."""
        permalink = "p" + self._mention.replace(".", "")
        return [one for one in self._stage.issues() if permalink in json.dumps(one)]

    def session(self) -> dict[str, Any]:
        """Its session in Linear; an empty one before it is there."""
        sessions = [each for one in self.issues() for each in one["sessions"]]
        return sessions[0] if sessions else {"history": [], "status": ""}

    def lasting(self) -> list[dict[str, Any]]:
        return [one for one in self.session()["history"] if not one["ephemeral"]]

    def seen(self) -> Seen:
        """What there is to be seen now."""
        (issue,) = self.issues()
        (session,) = issue["sessions"]
        ids = [one["id"] for one in session["history"]]
        assert len(ids) == len(set(ids)), "an activity twice"
        folder = self._folder(issue["branchName"])
        return Seen(
            chat=tuple(_told(one) for one in self.chat()),
            linear=tuple(_activity(one) for one in self.lasting()),
            plan=tuple(f"{one['content']}: {one['status']}" for one in session["plan"] or ()),
            status=session["status"],
            links=alike(json.dumps(session["externalLinks"])),
            issue=alike(f"{issue['title']}\n{issue['description']}\n{issue['state']} {issue['assignee']}"),
            commits=tuple(
                alike(folder("log", "--format=%an: %s", "refs/threadline/base..HEAD")).splitlines()
            ),
            diff=folder("diff", "refs/threadline/base", "HEAD"),
        )

    def expect(self, reference: Reference, where: str) -> None:
        """Fail if anything differs after as many turns, or if another issue came up since the beginning."""
        differences = unlike(self.seen(), reference[self.turns - 1])
        assert not differences, "\n".join([where, *differences])
        assert len(self._stage.issues()) == self._issues_before + 1, where

    def _ends(self) -> int:
        cards = sum(bool(ENDED.search(text)) for text in self.ours())
        answers = sum(one["type"] in ("response", "error") for one in self.lasting())
        return cards if cards == answers else -1

    def _is_quiet(self) -> bool:
        """The mark of an ended turn is on every message that was meant for the bot, and no other."""
        marked = [set(one["reactions"]) for one in self.chat() if one["author"] != "linear"]
        asked = marked[1:] if self.chat()[0]["author"] != "linear" else marked
        return all(reactions == {"white_check_mark"} for reactions in asked)

    def _folder(self, branch: str) -> Callable[..., str]:
        """git in the folder of the session on that branch; there is one."""
        sessions = (self._stage.folder / "var" / "sessions").iterdir()
        (host,) = [one / "host.git" for one in sessions if _head(one) == branch]
        return lambda *words: _git(str(host), *words)


async def together(*work: Coroutine[Any, Any, object]) -> None:
    """Do all of it at once; if one fails, the others end."""
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one)


def alike(text: str) -> str:
    """Without what two runs of the same story may not have in common."""
    for pattern, instead in _CHANGES:
        text = pattern.sub(instead, text)
    return text


def _told(message: Mapping[str, Any]) -> str:
    reactions = " ".join(f":{name}:×{len(people)}" for name, people in message["reactions"].items())
    return alike(f"{message['author']}: {message['text']} {reactions}".rstrip())


def _activity(one: Mapping[str, Any]) -> str:
    said = one.get("body") or f"{one['action']} {one['parameter']} -> {one.get('result')}"
    return alike(f"{one['type']}: {said} {one['signal'] or ''}".rstrip())


def _head(session: Any) -> str:
    host = session / "host.git"
    return _git(str(host), "symbolic-ref", "--short", "HEAD").strip() if host.is_dir() else ""


def _git(folder: str, *words: str) -> str:
    command = ["git", "--git-dir", folder, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
