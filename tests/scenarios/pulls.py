"""A pull request of a thread in Slack: at GitHub, on its cards, and in private messages."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from playground.github_state import Account, Pull, Repository
from playground.scripts import call
from playground.slack_blocks import elements_of
from playground.slack_state import Message
from playground.stage import HOSTED, Stage
from playground.story import plain
from tests.scenarios.conftest import on_stage
from tests.scenarios.scripts import Script, script
from tests.scenarios.thread import Thread

RULES = {"reviews": 1, "checks": {"independent-review": 4242}}
"""Of the repository: one approval, and the app's own check."""

_NUMBERS = count(1)


@asynccontextmanager
async def on_pull_stage(folder: Path, **options: Any) -> AsyncIterator[Stage]:
    """A running service with Ann, Bob and Eve, who may write and whose accounts Linear knows."""
    async with on_stage(folder, github=RULES, **options) as stage:
        stage.github.world.repositories[0].methods = ("squash",)
        for login in ("ann", "bob", "eve"):
            connect(stage, login, stage.github.person(login, emails=[f"{login}@acme.test"]))
        await stage.serve()
        yield stage


def connect(stage: Stage, name: str, account: Account) -> None:
    """In Linear, they have connected their account at GitHub."""
    for user in stage.linear.workspace.users.values():
        if user.email == f"{name}@acme.test":
            user.git_hub_user_id = str(account.id)


def writes(match: str, text: str = "It is written.") -> Script:
    """A script for prompts with `match` in them: a file that no other has."""
    number = next(_NUMBERS)
    written = call("Write", file_path=f"notes/{number}.md", content=f"# Note {number}\n")
    return script({"tools": [written]}, {"text": text}, match=match)


class Pulls:
    """The pull request of one thread, at GitHub and on its cards."""

    def __init__(self, thread: Thread) -> None:
        self.thread, self.stage = thread, thread.stage
        self.home = home_of(thread)

    @property
    def pull(self) -> Pull:
        """The only one."""
        [one] = self.pulls()
        return one

    def pulls(self) -> list[Pull]:
        """All there ever were for the issue, oldest first."""
        identifier = self.thread.issue()["identifier"]
        return [each for each in self.home.pulls.values() if each.title.startswith(f"{identifier}:")]

    async def opened(self) -> Pull:
        await self.thread.until_shown(HOSTED + " #")
        return self.pull

    def cards(self) -> list[str]:
        """Messages that show the pull request, as they read now."""
        return [text for text in self.thread.texts() if re.match(r"[\w-]+/[\w-]+ #\d+ · ", plain(text))]

    def reviews(self, login: str) -> list[str]:
        """What they said at GitHub, in order: `APPROVED`, ..."""
        return [one.state for one in self.pull.reviews if one.by.login == login]

    def whispers(self, user: str) -> list[Message]:
        messages = self.stage.slack.workspace.channels[self.thread.channel].messages.values()
        return [one for one in messages if one.only_for == user]

    def told_to(self, user: str) -> list[str]:
        """What they alone read, oldest first."""
        return [one.shown_text() for one in self.whispers(user)]

    async def told(self, user: str, words: str) -> None:
        try:
            await self.thread.until(
                lambda: any(words in text for text in self.told_to(user)), f"{user} is told {words}"
            )
        except AssertionError as error:
            error.add_note(f"{user} was told {self.told_to(user)}")
            raise

    async def link(self, user: str, login: str) -> None:
        """Link an account at GitHub, from the private message to the confirmation."""
        async with httpx.AsyncClient(follow_redirects=False) as browser:
            await self.confirm(browser, await self.sign_in(browser, user, login))

    async def sign_in(self, browser: httpx.AsyncClient, user: str, login: str) -> str:
        """As far as the confirmation; its address."""
        first = await self.address(user)
        page = await browser.get(first)
        begun = await browser.post(first.partition("?")[0], data=fields_of(page.text))
        assert begun.status_code == 303, begun.text
        back = await self.stage.github.signs_in(begun.headers["Location"], login)
        done = await browser.get(back)
        assert done.status_code == 200, done.text
        return await self.address(user, after=first)

    async def confirm(self, browser: httpx.AsyncClient, address: str) -> None:
        page = await browser.get(address)
        confirmed = await browser.post(address.partition("?")[0], data=fields_of(page.text))
        assert confirmed.status_code == 200, confirmed.text

    async def address(self, user: str, *, after: str = "") -> str:
        """Of the newest private link, once there is one behind `after`."""
        found: str = await self.thread.until(
            lambda: (
                next((url for url in reversed(self.addresses(user)) if url != after), None)
                if not after or self.addresses(user)[-1:] != [after]
                else None
            ),
            f"{user} is sent a link",
        )
        return found

    def addresses(self, user: str) -> list[str]:
        """Of all private links that they were sent."""
        return [
            str(element["url"])
            for one in self.whispers(user)
            for _, element in elements_of(one.blocks)
            if "/oauth/github/" in str(element.get("url"))
        ]


def fields_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


def home_of(thread: Thread) -> Repository:
    """The repository that everything is routed to, whatever it is called by now."""
    return thread.stage.github.world.repositories[0]


async def opened(
    thread: Thread, *, links: tuple[str, ...] = (), asked: str = "write the changelog"
) -> tuple[Pulls, Pull]:
    """A session with a pull request that is ready; `links` are those who link their accounts."""
    thread.mention(asked)
    await thread.ended()
    pulls = Pulls(thread)
    pull = await pulls.opened()
    thread.stage.github.forge.ready(pulls.home, pull, thread.stage.github.bot, is_draft=False)
    await thread.until_shown("[Approve ")
    for user in links:
        await linked(pulls, user)
    return pulls, pull


async def linked(pulls: Pulls, user: str) -> None:
    """Have somebody comment, for which they link their account unless they have."""
    login = user.removeprefix("U0").lower()
    pulls.thread.say("comment: hello", by=user)
    await pulls.thread.until(
        lambda: pulls.reviews(login) or pulls.addresses(user), f"{login} is known or asked"
    )
    if not pulls.reviews(login):
        await pulls.link(user, login)
        await pulls.thread.until(lambda: pulls.reviews(login), f"{login} has commented")
