"""The pull request of a thread on any platform: at GitHub, on its cards, and the people around it."""

import re
from collections.abc import Mapping
from itertools import count
from typing import Any, Final

import httpx

from playground.github_state import Account, Pull, Repository
from playground.scripts import call
from playground.stage import HOSTED, Stage
from tests.conformance.room import Seen
from tests.conformance.talk import Talk
from tests.scenarios.scripts import script

RULES: Final[Mapping[str, Any]] = {"reviews": 1, "checks": {"independent-review": 4242}}
"""Of the repository: one approval, and the app's own check."""

ASKED: Final = "add a note"

_NUMBERS = count(1)


def settle_in(stage: Stage) -> None:
    """Ann, Bob and Eve have accounts at GitHub, and Linear knows whose is whose."""
    for login in ("ann", "bob", "eve"):
        _connect(stage, stage.github.person(login, emails=[f"{login}@acme.test"]))


def newcomer(talk: Talk, name: str, *, may: str = "write") -> str:
    """Somebody in this room who has not linked an account at GitHub yet; what they go by."""
    stage, who = talk.stage, f"{name}{next(_NUMBERS)}"
    stage.linear.workspace.add_person(who, f"{who}@acme.test")
    _connect(stage, stage.github.person(who, emails=[f"{who}@acme.test"], may=may))
    return talk.room.stranger(who, f"{who}@acme.test")


def _connect(stage: Stage, account: Account) -> None:
    for user in stage.linear.workspace.users.values():
        if user.email == f"{account.login}@acme.test":
            user.git_hub_user_id = str(account.id)


class Review:
    """Of the only session in `talk`."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.stage = talk.stage
        self.github = talk.stage.github

    @property
    def home(self) -> Repository:
        home = self.github.world.repository(HOSTED)
        assert home is not None
        return home

    @property
    def pull(self) -> Pull:
        identifier = self.talk.issue()["identifier"]
        [one] = [each for each in self.home.pulls.values() if each.title.startswith(f"{identifier}:")]
        return one

    @property
    def sha(self) -> str:
        """Of its head, as it is shown."""
        return self.pull.head_sha[:7]

    async def opened(self) -> Pull:
        """Work ends in a pull request, with its card in the thread."""
        # A file of its own: what is merged already is no change.
        note = call("Write", file_path=f"notes/{next(_NUMBERS)}.md", content="Search finds more.\n")
        self.stage.model.play([script({"tools": [note]}, {"text": "There is a note more."})])
        self.talk.mention(ASKED)
        await self.talk.ended()
        await self.talk.until_shown(f"{HOSTED} #")
        return self.pull

    async def ready(self) -> Pull:
        """As `opened`, and somebody marked it ready at GitHub."""
        pull = await self.opened()
        self.github.forge.ready(self.home, pull, self.github.bot, is_draft=False)
        await self.talk.until_shown(f"[Approve {self.sha}]")
        return pull

    def card(self) -> str:
        """The newest one as it reads now; "" while there is none."""
        return next((one.words for one in self._cards()), "")

    def card_message(self) -> str:
        """Its id."""
        return next((one.id for one in self._cards()), "")

    def reviews(self, who: str) -> list[str]:
        """What they said at GitHub, in order: `APPROVED`, ..."""
        return [one.state for one in self.pull.reviews if one.by.login == who]

    def acts(self, who: str) -> list[str]:
        """What was done at GitHub in their name."""
        return [one.partition(" ")[2] for one in self.github.acts() if one.startswith(f"user:{who} ")]

    async def until_told(self, who: str, words: str, *, times: int = 1) -> None:
        """Until they alone read these words, so many times."""
        await self.talk.until(
            lambda: sum(words in text for text in self.talk.room.private(who)) == times,
            f"{who} is told “{words}”",
        )

    async def link(self, who: str) -> None:
        """Link their account, from the private message to the confirmation, in one browser."""
        first = await self._address(who)
        async with httpx.AsyncClient(follow_redirects=False) as browser:
            begun = await _sent(browser, first)
            assert begun.status_code == 303, begun.text
            back = await self.github.signs_in(begun.headers["Location"], who)
            assert (await browser.get(back)).status_code == 200
            second = await self._address(who, after=first)
            confirmed = await _sent(browser, second)
            assert confirmed.status_code == 200, confirmed.text

    def _cards(self) -> list[Seen]:
        headline = f"{HOSTED} #{self.pull.number} "
        return [one for one in reversed(self.talk.ours()) if headline in one.words]

    async def _address(self, who: str, *, after: str = "") -> str:
        """Of the newest private link to GitHub, once there is another than `after`."""

        def newest() -> str:
            found = [url for url in self.talk.room.links(who) if "/oauth/github/" in url]
            return found[-1] if found and found[-1] != after else ""

        found: str = await self.talk.until(newest, f"{who} is sent a link")
        return found


async def _sent(browser: httpx.AsyncClient, address: str) -> httpx.Response:
    """Open a page and press its button."""
    page = await browser.get(address)
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
    return await browser.post(address.partition("?")[0], data=fields)
