"""The demo's pull request: reviewed and merged from chat, by people who act as themselves at GitHub."""

import re
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from playground.github_state import Pull, Repository
from playground.sides import Side
from playground.stage import HOSTED, Stage
from playground.story import plain

RULES = {"reviews": 1, "checks": {"independent-review": 4242}}
"""Of the repository: one approval, and the app's own check, so that nobody who steered decides alone."""

PEOPLE = {"ann": "write", "bob": "write", "eve": "write", "max": "read", "zoe": "write"}

Happens = Callable[[Callable[[], Any], str], Coroutine[Any, Any, None]]


def settle_in(stage: Stage, side: Side) -> None:
    """Accounts at GitHub for those who talk, connected in Linear; Max, who is new, may only read there."""
    side.join("Max")
    for login, may in PEOPLE.items():
        account = stage.github.person(login, emails=[f"{login}@acme.test"], may=may)
        for user in stage.linear.workspace.users.values():
            if user.email == f"{login}@acme.test":
                user.git_hub_user_id = str(account.id)


class Review:
    """Plays the people around the pull request of a session; `root` is its thread in `side`."""

    def __init__(self, stage: Stage, side: Side, root: str, happens: Happens) -> None:
        self._stage = stage
        self._side = side
        self._root = root
        self._happens = happens
        self.story: list[str] = []

    @property
    def _home(self) -> Repository:
        home = self._stage.github.world.repository(HOSTED)
        assert home is not None
        return home

    def _pull(self) -> Pull | None:
        return next(reversed(self._home.pulls.values()), None)

    async def merged(self) -> Pull:
        """From the card to the merge; what happened is in `story`."""
        await self._happens(lambda: self._shows(f"{HOSTED} #"), "the pull request's card")
        pull = self._pull()
        assert pull is not None
        await self._happens(lambda: self._shows(pull.head_sha[:7]), "the card of the newest commit")
        await self._asks("Ann", "ready", lambda: not pull.is_draft, "it is ready for review", links=True)
        await self._asks(
            "Max",
            "approve",
            lambda: self._told("Max", "write access"),
            "a reader is refused",
            links=True,
        )
        await self._asks(
            "Ann", "approve", lambda: self._told("Ann", "does not count"), "who asked does not count"
        )
        approved = "Approved by Eve"
        await self._asks("Eve", "approve", lambda: self._shows(approved), "a reviewer approves", links=True)
        before = pull.head_sha
        await self._stage.github.push(self._home, pull.branch, "zoe", {"NOTES.md": "One more thing.\n"})
        await self._happens(lambda: self._shows(pull.head_sha[:7]), "a push makes the card stale")
        self.story.append(f"Zoe pushes at github.com: {before[:7]} -> {pull.head_sha[:7]}")
        await self._asks("Eve", "approve", lambda: self._is_green(pull), "she approves what is there now")
        word = f"merge {pull.head_sha[:7]}"
        await self._asks("Eve", "merge", lambda: self._told("Eve", word), "a merge is confirmed")
        await self._asks("Eve", word, lambda: pull.is_merged, "it is merged")
        await self._happens(lambda: self._shows("is Done"), "the card says so, and the issue is done")
        [card] = [one["text"] for one in self._side.thread(self._root) if "Merged by Eve" in one["text"]]
        self.story += ["", f"The card at the end: {plain(card)}"]
        return pull

    async def _asks(
        self, person: str, words: str, happened: Callable[[], Any], what: str, *, links: bool = False
    ) -> None:
        """Somebody says a word in the thread; who has no account linked yet does that first."""
        self._side.say(person, words, self._root)
        if links:
            await self._link(person)
        await self._happens(happened, what)
        self.story.append(f"{person}: {words} · {what}")

    async def _link(self, person: str) -> None:
        """What the person does with the two private links, in one browser."""
        await self._happens(lambda: self._addresses(person), f"{person} gets a private link to GitHub")
        first = self._addresses(person)[-1]
        async with httpx.AsyncClient(follow_redirects=False) as browser:
            back = await self._signed_in(browser, first, person.lower())
            (await browser.get(back)).raise_for_status()
            await self._happens(lambda: self._addresses(person)[-1] != first, "the account is confirmed")
            second = self._addresses(person)[-1]
            page = await browser.get(second)
            answer = await browser.post(second.partition("?")[0], data=_fields(page.text))
            answer.raise_for_status()

    async def _signed_in(self, browser: httpx.AsyncClient, address: str, login: str) -> str:
        page = await browser.get(address)
        begun = await browser.post(address.partition("?")[0], data=_fields(page.text))
        return await self._stage.github.signs_in(begun.headers["Location"], login)

    def _addresses(self, person: str) -> list[str]:
        private = " ".join(self._side.private(person))
        return re.findall(r"http://[^\s\"|>\\)]+/oauth/github/[^\s\"|>\\)]+", private)

    def _shows(self, words: str) -> bool:
        return any(words in one["text"] for one in self._side.thread(self._root))

    def _told(self, person: str, words: str) -> bool:
        return any(words in text for text in self._side.private(person))

    def _is_green(self, pull: Pull) -> bool:
        runs = [one for one in self._home.checks if one.sha == pull.head_sha]
        return bool(runs) and runs[-1].conclusion == "success"


def _fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
