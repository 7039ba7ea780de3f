"""A thread on any platform with what it brought about in Linear, as people see both, and waiting for it."""

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from playground.stage import Stage
from playground.story import is_about_pull, plain

WITHIN_S = 30.0
BOT = "linear"
ENDED = re.compile(r"(^| · )(done in|stopped after|failed after) \d+ ")

_CHANGES = (
    (re.compile(r"\b(ENG|eng)-\d+"), r"\1-N"),
    (re.compile(r"(done in|stopped after|failed after) \d+ \w+"), r"\1 N s"),
    (re.compile(r" · \d+ (s|min)$", re.MULTILINE), ""),
    (re.compile(r"\$\d+\.\d\d"), "$N"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,27}"), "UUID"),
    (re.compile(r"p\d{16}\b|\b\d{10}\.\d{6}\b"), "TS"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://STAND-IN"),
)


class Story(ABC):
    """What both sides show of one thread; a platform's own says how its side is read."""

    stage: Stage

    @abstractmethod
    def chat(self) -> Sequence[Mapping[str, Any]]:
        """The thread as people read it now: `author`, `text`, `reactions` and more of each message."""

    @abstractmethod
    def texts(self) -> list[str]:
        """What we wrote, as it reads now."""

    @abstractmethod
    def addresses(self) -> list[str]:
        """What a link to this thread contains, for each message it may lead to."""

    def cards(self) -> list[str]:
        """Progress messages as they read now."""
        return [text for text in self.texts() if is_card(text)]

    def answers(self) -> list[str]:
        """Everything else we wrote."""
        return [text for text in self.texts() if not is_card(text)]

    def shows(self, words: str) -> bool:
        return any(words in text for text in self.texts())

    # What is seen in Linear.

    def issues(self) -> list[dict[str, Any]]:
        """The issues that have something to do with this thread."""
        links = self.addresses()
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

    async def ended(self, turns: int = 1) -> None:
        """Until so many turns are over, on both sides."""
        await self.until(lambda: self._ends() == (turns, turns), f"{turns} turns are over on both sides")

    def _ends(self) -> tuple[int, int]:
        cards = sum(bool(ENDED.search(text)) for text in self.cards())
        told = [one for one in self.lasting() if one["type"] in ("response", "error")]
        return cards, sum(not is_about_pull(plain(one["body"])) for one in told)


def is_card(text: str) -> bool:
    return text.endswith("[Stop]") or ENDED.search(text) is not None


def alike(text: str) -> str:
    """Without ids, times and costs."""
    for pattern, instead in _CHANGES:
        text = pattern.sub(instead, text)
    return text
