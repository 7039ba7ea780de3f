"""The code host among GitHub's rules: a repository that is called something else by now is the same one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from core.errors import Refused
from core.ports import PullDraft
from core.pulls import CodeAccount, MergeMethod, PullRef, PullState, ReviewState
from github.acts import GitHubActs
from github.app import GitHubApp
from github.checks import GitHubChecks
from github.client import GitHubClient
from github.credentials import UserToken
from github.host import GitHubHost, GitHubReviewer
from github.merging import GitHubMerging
from github.wire import Wire
from playground.github import GitHubPlayground
from playground.github_state import Repository
from playground.github_tokens import INSTALLATION_S
from playground.shop import make_repository

SHOP = "acme/shop"
OP = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True, slots=True)
class House:
    there: GitHubPlayground
    home: Repository
    host: GitHubHost
    reviewer: GitHubReviewer
    eve: CodeAccount

    async def rename(self, name: str) -> None:
        """It is called so from now on, and every token that we hold is over."""
        self.there.forge.rename(self.home, name)
        self.there.tokens.ahead_s += INSTALLATION_S

    async def push(self, branch: str) -> str:
        return await self.there.push(self.home, branch, "eve", {f"{branch}.md": "hello\n"})


@dataclass(slots=True)
class Given:
    """Implements `github.host.UserTokens`."""

    there: GitHubPlayground

    async def token(self, account: CodeAccount) -> UserToken:
        pair = self.there.tokens.pair(self.there.world.account(account.login))
        return UserToken(str(pair["access_token"]), account.id)

    async def refused(self, account: CodeAccount, token: UserToken) -> None:
        raise AssertionError(f"the token of {account.login} was refused")


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    source = tmp_path / "shop.git"
    make_repository(source)
    async with GitHubPlayground(tmp_path) as there, httpx.AsyncClient() as http:
        home = await there.repository(SHOP, source)
        eve = there.person("eve")
        wire = Wire(http, there.url)
        client, tokens = GitHubClient(wire), Given(there)
        app = GitHubApp(wire, app_id=str(there.app.id), private_key=there.app.private_key)

        async def slug() -> str:
            return there.app.slug

        host = GitHubHost(
            client,
            GitHubChecks(wire),
            app=app,
            personal=None,
            git_url=there.url,
            slug=slug,
            tokens=tokens,
        )
        acts = GitHubActs(wire, client)
        reviewer = GitHubReviewer(client, acts, GitHubMerging(wire, client, acts), tokens)
        by = CodeAccount(person="linear:eve", id=eve.id, login="eve", evidence="oauth+linear")
        yield House(there, home, host, reviewer, by)


def draft(branch: str) -> PullDraft:
    return PullDraft(repository=SHOP, branch=branch, base="main", title="ENG-1: Notes", body="Fixes ENG-1")


@pytest.mark.parametrize("is_linked", [True, False], ids=["by a person", "by the app"])
async def test_work_is_shipped_to_a_renamed_repository(house: House, *, is_linked: bool) -> None:
    await house.push("notes")
    await house.rename("store")
    access = await house.host.access(SHOP, write=True)
    assert access.url == f"{house.there.url}/acme/store.git"
    ref = await house.host.open_pull(draft("notes"), by=house.eve if is_linked else None)
    await house.host.describe_pull(ref, title=None, body="Fixes ENG-1, and more")
    [pull] = house.home.pulls.values()
    assert ref == PullRef(SHOP, pull.number)
    assert pull.author.login == ("eve" if is_linked else "threadline[bot]")
    assert "and more" in pull.body
    assert (await house.host.facts(ref)).ref == PullRef("acme/store", pull.number)


async def test_people_act_in_a_repository_that_is_renamed_meanwhile(house: House) -> None:
    head = await house.push("notes")
    ref = await house.host.open_pull(draft("notes"), by=None)
    await house.rename("store")
    await house.reviewer.make_ready(ref, house.eve)
    given = ReviewState.APPROVED
    await house.reviewer.review(ref, house.eve, sha=head, state=given, body="", op=OP)
    await house.rename("market")
    merged = await house.reviewer.merge(ref, house.eve, sha=head, method=MergeMethod.SQUASH, op=OP)
    assert merged.is_merged
    assert (await house.host.facts(ref)).state is PullState.MERGED
    [pull] = house.home.pulls.values()
    assert [one.by.login for one in pull.reviews] == ["eve"]


async def test_where_there_is_no_such_repository_it_says_so(house: House) -> None:
    with pytest.raises(Refused, match="not installed"):
        await house.host.access("acme/none", write=True)
