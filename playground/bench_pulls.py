"""What `make bench` measures of pull requests: from clicks to what GitHub has, and calls for that."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from playground.bench_clicks import Clicker, SlackClicker, TeamsClicker, Watch, until
from playground.bench_numbers import spread
from playground.demo_review import RULES, settle_in
from playground.github_state import Pull, Repository
from playground.scripts import Reply, call
from playground.stage import HOSTED, Stage

__all__ = ["PULLS", "RULES", "pulls"]

ROUNDS = 5
"""Pull requests on each platform; each is merged."""

APPROVALS = 4
"""For each, of one head after another."""

QUESTIONS = 20
CALM_S = 1.5
"""If GitHub is asked nothing for so long, nothing follows any more; writes are a second apart."""

PLATFORMS = ("Slack", "Teams")
LINKED = ("Ann", "Bob", "Eve")


def _question(number: int) -> Reply:
    options = [{"label": f"{word} {number}", "description": ""} for word in ("Yes", "No")]
    asked = {"question": f"Is {number} fine?", "header": "Choice", "multiSelect": False, "options": options}
    return {"tools": [["AskUserQuestion", {"questions": [asked]}]]}


def _change(platform: str, number: int) -> Reply:
    return {"tools": [call("Write", file_path=f"changes/{platform}{number}.md", content="Better.\n")]}


PULLS = [
    {"match": "ask us", "steps": [*map(_question, range(QUESTIONS)), {"text": "Thank you."}]},
    *(
        {"match": f"{platform} change {number}", "steps": [_change(platform, number), {"text": "Changed."}]}
        for platform in PLATFORMS
        for number in range(ROUNDS)
    ),
]


async def pulls(stage: Stage) -> dict[str, Any]:
    """Clicks on both platforms in turns, so that both meet the same noise."""
    clickers: dict[str, Clicker] = {"Slack": SlackClicker(stage), "Teams": TeamsClicker(stage)}
    settle_in(stage, clickers["Slack"].side)
    plain = {name: await _answers(clicker) for name, clicker in clickers.items()}
    reviews = {name: Reviews(stage, clicker, name) for name, clicker in clickers.items()}
    linked: list[float] = []
    for number in range(ROUNDS):
        for one in reviews.values():
            pull = await one.opened(number)
            linked += [] if linked else [await one.link(person) for person in LINKED]
            await one.approved_and_merged(pull)
    return {
        **{f"a choice, from {name} (ms)": _spreads(watch) for name, watch in plain.items()},
        **{f"pull requests, from {name} (ms)": _spreads(one.watch) for name, one in reviews.items()},
        "from the private link to a confirmed account (ms)": spread(linked),
        "calls to GitHub": {name: _sums(counts) for name, counts in _together(reviews.values()).items()},
    }


async def _answers(clicker: Clicker) -> Watch:
    """A plain button of ours, pressed again and again."""
    watch = Watch()
    clicker.side.mention("Ann", "ask us")
    for number in range(QUESTIONS):
        label = f"Yes {number}"
        await until(lambda label=label: clicker.shows("Ann", label), f"question {number}")  # type: ignore[misc]
        await watch.press(clicker, "Ann", label, "click")
    return watch


class Reviews:
    """Pull requests of one platform, from a mention to the merge; Eve reviews, Ann has asked for them."""

    def __init__(self, stage: Stage, clicker: Clicker, platform: str) -> None:
        self._stage = stage
        self._clicker = clicker
        self._platform = platform
        self._root = ""
        self._calm_at = -1
        self.watch = Watch()
        self.calls: dict[str, list[Counter[str]]] = {}

    @property
    def _home(self) -> Repository:
        home = self._stage.github.world.repository(HOSTED)
        assert home is not None
        return home

    async def opened(self, number: int) -> Pull:
        """A pull request of a session of its own, ready for review."""
        known = len(self._home.pulls)
        self._root = self._clicker.side.mention("Ann", f"{self._platform} change {number}")
        await until(lambda: len(self._home.pulls) > known, "a pull request is opened")
        pull = next(reversed(self._home.pulls.values()))
        await until(lambda: self._shows(f"{HOSTED} #{pull.number}"), "its card is there")
        self._stage.github.forge.ready(self._home, pull, self._stage.github.bot, is_draft=False)
        return pull

    async def link(self, person: str) -> float:
        """From opening the private link to the confirmed account, with nobody thinking; milliseconds."""
        self._clicker.side.say(person, "comment: hello", self._root)
        await until(lambda: self._addresses(person), f"{person} gets a link")
        first, began = self._addresses(person)[-1], time.perf_counter()
        async with httpx.AsyncClient(follow_redirects=False) as browser:
            begun = await self._submitted(browser, first)
            back = await self._stage.github.signs_in(begun.headers["Location"], person.lower())
            (await browser.get(back)).raise_for_status()
            await until(lambda: self._addresses(person)[-1] != first, f"{person} is asked to confirm")
            (await self._submitted(browser, self._addresses(person)[-1])).raise_for_status()
        took = (time.perf_counter() - began) * 1000
        await self._calm()
        return took

    async def approved_and_merged(self, pull: Pull) -> None:
        """Approve one head after another, then merge the last."""
        for number in range(APPROVALS):
            if number:
                files = {f"notes/{pull.number}.md": f"{number}\n"}
                await self._stage.github.push(self._home, pull.branch, "ann", files)
            await self._approve(pull)
        confirm = f"Merge {pull.head_sha[:7]} .*"
        await self._press("Merge", "click on Merge", asked_to_confirm=lambda: self._can(confirm))
        await self._press(
            confirm,
            "confirmed Merge",
            merged_at_GitHub=lambda: pull.is_merged,
            shown_on_the_card=lambda: self._shows("Merged by Eve"),
        )

    async def _approve(self, pull: Pull) -> None:
        def is_given() -> bool:
            return any((one.state, one.sha) == ("APPROVED", pull.head_sha) for one in pull.reviews)

        await self._press(
            f"Approve {pull.head_sha[:7]}",
            "click on Approve",
            given_at_GitHub=is_given,
            shown_on_the_card=lambda: self._shows(pull.head_sha[:7], "Approved by Eve"),
            Merge_on_the_card=lambda: self._can("Merge"),
        )

    async def _press(self, label: str, name: str, **happens: Callable[[], bool]) -> None:
        """Once it is calm: press, and count what GitHub is asked until it is calm again."""
        await until(lambda: self._can(label), f"the button {label}")
        await self._calm()
        begun = len(self._stage.github.calls)
        await self.watch.press(self._clicker, "Eve", label, name, **happens)
        await self._calm()
        kinds = (one.kind for one in self._stage.github.calls[begun:])
        self.calls.setdefault(name, []).append(Counter(map(_sort, kinds)))

    async def _calm(self) -> None:
        calls, asked_at = self._stage.github.calls, time.perf_counter()
        asked = len(calls)

        def is_calm() -> bool:
            nonlocal asked, asked_at
            if len(calls) != asked:
                asked, asked_at = len(calls), time.perf_counter()
            return asked == self._calm_at or time.perf_counter() - asked_at > CALM_S

        await until(is_calm, "GitHub is left alone")
        self._calm_at = asked

    def _can(self, label: str) -> bool:
        return self._clicker.shows("Eve", label)

    def _shows(self, *words: str) -> bool:
        """Whether one message says all of this."""
        thread = self._clicker.side.thread(self._root)
        return any(all(one in message["text"] for one in words) for message in thread)

    def _addresses(self, person: str) -> list[str]:
        private = " ".join(self._clicker.side.private(person))
        return re.findall(r"http://[^\s\"|>\\)]+/oauth/github/[^\s\"|>\\)]+", private)

    async def _submitted(self, browser: httpx.AsyncClient, address: str) -> httpx.Response:
        """The only form of a page, sent as it is."""
        page = await browser.get(address)
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
        return await browser.post(address.partition("?")[0], data=fields)


def _sort(kind: str) -> str:
    return {"graphql": "GraphQL", "push": "pushes"}.get(kind, "REST")


def _spreads(watch: Watch) -> dict[str, dict[str, float]]:
    return {name: spread(times) for name, times in watch.times.items()}


def _together(reviews: Iterable[Reviews]) -> dict[str, list[Counter[str]]]:
    together: dict[str, list[Counter[str]]] = {}
    for one in reviews:
        for name, counts in one.calls.items():
            together.setdefault(name, []).extend(counts)
    return together


def _sums(counts: list[Counter[str]]) -> dict[str, str]:
    """How many calls of each sort, from the fewest to the most."""
    sums = {}
    for sort in ("REST", "GraphQL", "pushes"):
        few, many = min(one[sort] for one in counts), max(one[sort] for one in counts)
        sums[sort] = str(few) if few == many else f"{few} to {many}"
    return sums
