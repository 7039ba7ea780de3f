"""`make demo`: a mention in chat becomes an issue, an agent session and a coding run, mirrored in both.

Real here: the service, Bolt, the Bot Framework adapter, the coding agent's command line, git. Stand-ins:
Slack, Teams, Linear and, unless MODEL=real, the model.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playground.demo_review import RULES, Review, settle_in
from playground.scripts import DEMO
from playground.shop import make_repository
from playground.sides import Side, SlackSide, TeamsSide
from playground.stage import NeverHappened, Stage
from playground.story import (
    BOT,
    differences,
    differences_since,
    side_by_side,
    told_in_chat,
    told_in_linear,
)

PATIENCE_S = 60
REAL_PATIENCE_S = 900

Session = dict[str, Any]


class Demo:
    """Plays the people, then gathers what all sides show.

    Args:
        stage: With the service running.
        here: Where the sessions begin.
        there: Where the first of them is followed as well, if anywhere.
        real_model: Nothing is scripted, and everything takes longer.
    """

    def __init__(self, stage: Stage, here: Side, there: Side | None, *, real_model: bool) -> None:
        self._stage = stage
        self._here = here
        self._there = there
        self._real = real_model
        self._patience_s = REAL_PATIENCE_S if real_model else PATIENCE_S

    async def search(self) -> Session:
        """A session with a follow-up into the running turn, and a second turn after it."""
        here, began, before = self._here, time.monotonic(), self._calls()
        root = here.say("Bob", "Search is broken for archived projects since Tuesday")
        here.mention("Ann", "search ignores archived projects even with the toggle on, fix it", root)
        await self._happens(lambda: self._shows(root, "ENG-") and self._holds(), "the agent works")
        here.say("Bob", "don't touch ranking", root)
        await self._happens(lambda: self._taken_in(root) == 2, "the follow-up reached the agent")
        followed = await self._followed(root) if self._there else None
        self._stage.model.release("fix")
        await self._happens(lambda: self._ended(here, root) == 1, "the first turn ends")
        more = "now add a line to the changelog"
        if self._there and followed:
            self._there.say("Bob", more, followed)
            await self._happens(lambda: self._ended(self._there, followed) == 2, "it ends there, too")
        else:
            here.say("Ann", more, root)
        await self._happens(lambda: self._ended(here, root) == 2, "the second turn ends")
        asked = 2 if followed else 3
        await self._happens(lambda: self._prompts(root) == asked, "every message has its mark")
        review = Review(self._stage, here, root, self._happens)
        pull = await review.merged()
        await self._happens(lambda: self._linear_says("Merged by Eve"), "Linear says so, too")
        session = self._gathered(root, began, before, followed)
        session["pull"] = {"number": pull.number, "title": pull.title, "story": review.story}
        session["acts"] = self._stage.github.acts()
        return session

    def _linear_says(self, words: str) -> bool:
        return any(words in json.dumps(one) for one in self._stage.issues())

    async def _followed(self, root: str) -> str:
        """Follow the session from the other platform as well; the first message of the thread there."""
        there = self._there
        assert there is not None
        identifier = re.search(r"[A-Z]+-\d+", " ".join(self._ours(self._here, root)))
        followed = there.mention("Eve", f"follow {identifier[0] if identifier else ''}")
        await self._happens(lambda: self._ours(there, followed), f"{there.name} follows the session")
        return followed

    async def stopped(self) -> Session:
        """A session that somebody stops."""
        here, began, before = self._here, time.monotonic(), self._calls()
        root = here.mention("Eve", "the nightly export takes an hour, make it faster")
        await self._happens(lambda: self._shows(root, "Running"), "the agent works")
        here.say("Bob", "stop", root)
        await self._happens(lambda: self._ended(here, root) == 1, "the turn ends")
        await self._happens(lambda: self._prompts(root) == 2, "both messages have their mark")
        return self._gathered(root, began, before)

    async def _happens(self, condition: Any, what: str) -> None:
        print(f"  waiting: {what}", flush=True)
        await self._stage.until(condition, self._patience_s, what)

    def _holds(self) -> bool:
        """Whether the scripted model waits in mid-turn, or the real one has begun to work."""
        return self._real or any(entry.get("step") == 2 for entry in self._stage.model.log)

    def _shows(self, root: str, words: str) -> bool:
        return any(words in text for text in self._ours(self._here, root))

    def _ours(self, side: Side, root: str) -> list[str]:
        return [one["text"] for one in side.thread(root) if one["author"] == BOT]

    def _taken_in(self, root: str) -> int:
        marks = ("envelope", "checkmark", "check_mark")
        thread = self._here.thread(root)
        return sum(any(mark in name for name in one["reactions"] for mark in marks) for one in thread)

    def _prompts(self, root: str) -> int:
        marks = ("checkmark", "check_mark")
        thread = self._here.thread(root)
        return sum(any(mark in name for name in one["reactions"] for mark in marks) for one in thread)

    def _ended(self, side: Side | None, root: str) -> int:
        ends = (" · done in ", " · stopped after ", " · failed after ")
        return sum(any(end in text for end in ends) for text in self._ours(side or self._here, root))

    def _calls(self) -> dict[str, int]:
        sides = [self._here, *([self._there] if self._there else [])]
        linear = sum(self._stage.linear.endpoint.calls.values())
        return {"linear": linear, **{side.name.lower(): side.calls() for side in sides}}

    def _gathered(
        self, root: str, began: float, before: Mapping[str, int], followed: str | None = None
    ) -> Session:
        here, chat = self._here.name, self._here.thread(root)
        issue = next(one for one in reversed(self._stage.issues()) if one["sessions"])
        linear = issue["sessions"][-1]
        sessions = (self._stage.folder / "var" / "sessions").iterdir()
        folder = next(one for one in sessions if _branch(one) == issue["branchName"])
        also = self._there.thread(followed) if self._there and followed else []
        there = self._there.name if self._there and followed else ""
        return {
            "issue": {"identifier": issue["identifier"], "title": issue["title"], "state": issue["state"]},
            "chat": chat,
            "also": {there.lower(): also} if there else {},
            "linear": linear["history"],
            "plan": linear["plan"],
            "status": linear["status"],
            "calls": {side: count - before[side] for side, count in self._calls().items()},
            "seconds": round(time.monotonic() - began, 1),
            "cost_usd": _cost(chat),
            "diff": _git(folder / "host.git", "diff", "refs/threadline/base", "HEAD"),
            "differences": [
                *differences([*chat], linear, here),
                *(differences_since(also, linear, there) if there else []),
            ],
            "told": [(here, told_in_chat(chat)), ("Linear", told_in_linear(linear))]
            + ([(there, told_in_chat(also))] if there else []),
        }


def _branch(session: Path) -> str:
    return _git(session / "host.git", "symbolic-ref", "--short", "HEAD").strip()


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "--git-dir", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _cost(chat: Sequence[Mapping[str, Any]]) -> float:
    """What the newest progress message says."""
    words = " ".join(one["text"] for one in chat if one["author"] == "linear").split()
    amounts = [float(word.strip("$·")) for word in words if word.startswith("$")]
    return amounts[-1] if amounts else 0.0


def _print(session: Session) -> None:
    (here, chat), (linear, feed), *others = session.pop("told")
    issue = session["issue"]
    print(f"\n━━ {issue['identifier']} {issue['title']} ({issue['state']}, session {session['status']})\n")
    print(side_by_side(chat, feed, titles=(here, linear)))
    for there, followed in others:
        print(f"\nFollowed in {there}:")
        print("\n".join(f"  {line}" for line in followed))
    plan = ", ".join(f"{one['content']} ({one['status']})" for one in session["plan"] or [])
    print(f"\nPlan in Linear: {plan or '(none)'}\n\n{session['diff'] or '(no changes)'}")
    if pull := session.get("pull"):
        print(f"Pull request #{pull['number']} {pull['title']}\n")
        print("\n".join(f"  {line}" for line in pull["story"]))
        print("\nWho acted at GitHub, with whose token:")
        print("\n".join(f"  {line}" for line in session["acts"]) + "\n")
    calls, seconds, cost = session["calls"], session["seconds"], session["cost_usd"]
    counts = ", ".join(f"{side.capitalize()} {count}" for side, count in calls.items())
    print(f"Calls: {counts} · {seconds} s · ${cost:.2f}")
    for difference in session["differences"]:
        print(f"DIFFERENCE: {difference}")


async def _play(folder: Path, *, surface: str, real_model: bool) -> dict[str, Any]:
    environment: dict[str, str | None] = {}
    if real_model:
        key = os.environ["ANTHROPIC_API_KEY"]
        environment = {"THREADLINE_CLAUDE__API_KEY": key, "THREADLINE_CLAUDE__BASE_URL": None}
    repository = make_repository(folder / "shop.git")
    teams: dict[str, Any] | None = None if surface == "slack" else {}
    async with Stage(
        folder, scripts=DEMO, repository=repository, environment=environment, teams=teams, github=RULES
    ) as stage:
        ready = await stage.serve()
        print(f"threadline serve is ready after {ready:.1f} s at {stage.url}")
        print(f"Slack stand-in: {stage.slack.url}   Linear stand-in: {stage.linear.url}")
        print(f"GitHub stand-in: {stage.github.url}")
        if surface != "slack":
            print(f"Teams stand-in: {stage.teams.url}")
        here: Side = TeamsSide(stage) if surface == "teams" else SlackSide(stage)
        there = TeamsSide(stage) if surface == "both" else None
        settle_in(stage, here)
        demo = Demo(stage, here, there, real_model=real_model)
        sessions = [await demo.search(), await demo.stopped()]
        await stage.terminate()
    return {"sessions": sessions, "ready_s": round(ready, 1)}


def main() -> int:
    """Exit code 0 only if all transcripts of every session tell the same story."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--model", choices=("scripted", "real"), default="scripted")
    parser.add_argument("--surface", choices=("both", "slack", "teams"), default="both")
    parser.add_argument("--folder", type=Path, default=Path("var"))
    asked = parser.parse_args()
    if asked.model == "real" and not os.environ.get("ANTHROPIC_API_KEY"):
        print("MODEL=real needs ANTHROPIC_API_KEY", file=sys.stderr)
        return 2
    folder = asked.folder.absolute() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        result = asyncio.run(_play(folder, surface=asked.surface, real_model=asked.model == "real"))
    except NeverHappened as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    for session in result["sessions"]:
        _print(session)
    report = asked.folder / "demo.json"
    report.write_text(json.dumps(result, indent=2, ensure_ascii=False))
    same = not any(session["differences"] for session in result["sessions"])
    print(f"\n{'All sides tell the same story.' if same else 'The sides differ.'} Details: {report}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
