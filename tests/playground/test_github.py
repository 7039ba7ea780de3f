"""GitHub's stand-in: real git, GitHub's rules, and nothing said that its own description does not allow."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from github.acts import GitHubActs
from github.app import CHECKS, PULLS, PUSH, GitHubApp
from github.checks import GitHubChecks
from github.client import GitHubClient
from github.credentials import InstallationToken, PersonalToken, UserToken
from github.errors import Forbidden, HeadMoved, Invalid, NotFound, NotInstalled, NotMergeable, Unauthorized
from github.merging import GitHubMerging
from github.oauth import GitHubOAuth, authorize_url
from github.pace import Pace
from github.wire import Wire
from playground import github_rules as rules
from playground.github import Fault, GitHubPlayground
from playground.github_git import run
from playground.github_state import Account, CheckRun, Pull, Repository, Review, Rules, World
from playground.shop import make_repository
from tests.github.contract import check_graphql_data, check_graphql_request, check_request, check_response

SHOP = "acme/shop"


@dataclass
class House:
    there: GitHubPlayground
    home: Repository
    app: GitHubApp
    client: GitHubClient
    acts: GitHubActs
    merging: GitHubMerging
    checks: GitHubChecks
    wire: Wire

    def user(self, login: str) -> UserToken:
        account = self.there.world.account(login)
        pair = self.there.tokens.pair(account)
        return UserToken(str(pair["access_token"]), user_id=account.id)

    async def token(self) -> InstallationToken:
        return await self.token_of(SHOP)

    async def token_of(self, repository: str) -> InstallationToken:
        return await self.app.token(repository, PULLS)

    async def open(self, branch: str = "eng-1", *, draft: bool = False) -> Pull:
        await self.there.push(self.home, branch, "ann", {"new.py": f"x = '{branch}'\n"})
        made = await self.client.create_pull(
            await self.token(),
            SHOP,
            head=branch,
            base="main",
            title="ENG-1: Search",
            body="Fixes ENG-1",
            draft=True,
        )
        pull = self.home.pulls[made.number]
        if not draft:
            self.there.forge.ready(self.home, pull, self.there.bot, is_draft=False)
        return pull


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    make_repository(tmp_path / "shop.git")

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    async with GitHubPlayground(tmp_path) as there, httpx.AsyncClient() as http:
        home = await there.repository(SHOP, tmp_path / "shop.git")
        there.person("ann", emails=["ann@acme.test"])
        there.person("eve", emails=["eve@acme.test"])
        there.person("root", may="admin")
        there.person("guest", may="read")
        wire = Wire(http, there.url, pace=Pace(sleep=at_once))
        client = GitHubClient(wire)
        acts = GitHubActs(wire, client)
        app = GitHubApp(wire, app_id=str(there.app.id), private_key=there.app.private_key)
        merging = GitHubMerging(wire, client, acts)
        yield House(there, home, app, client, acts, merging, GitHubChecks(wire), wire)
    judge(there)


def judge(there: GitHubPlayground) -> None:
    """Everything that was said in the test, against GitHub's own description."""
    assert there.calls or there.courier.deliveries
    for call in there.calls:
        if call.kind in ("push", "fetch", "token") or call.status in (0, 301, 307):
            continue
        if call.kind == "graphql":
            check_graphql_request(call.body)
            if call.answer and call.answer.get("data") and not call.answer.get("errors"):
                check_graphql_data(call.body["query"], call.answer["data"])
            continue
        method = call.kind.partition(" ")[0]
        check_request(method, call.path, call.query, call.body)
        check_response(method, call.path, call.status, call.answer)


async def test_a_pull_request_is_opened_looked_at_reviewed_and_merged_in_real_git(house: House) -> None:
    pull = await house.open(draft=True)
    look = await house.client.pull_facts(await house.token(), SHOP, pull.number)
    assert (look.is_draft, look.files[0].path, look.merge_state_status) == (True, "new.py", "DRAFT")
    await house.acts.mark_ready(house.user("eve"), SHOP, pull.number)
    op = "0b0e7e9c-0000-4000-8000-000000000001"
    review = await house.acts.review(
        house.user("eve"), SHOP, pull.number, sha=pull.head_sha, event="APPROVE", body="", op=op
    )
    assert review.state == "APPROVED"
    merge = await house.merging.merge(
        house.user("eve"), SHOP, pull.number, sha=pull.head_sha, method="squash"
    )
    assert merge.is_merged
    assert await run(house.home.folder, "show", "main:new.py") == "x = 'eng-1'"
    assert house.there.acts() == [
        "user:eve markPullRequestReadyForReview",
        "user:eve POST /repos/{owner}/{repo}/pulls/{number}/reviews",
        "user:eve PUT /repos/{owner}/{repo}/pulls/{number}/merge-async",
    ]


async def test_a_draft_a_moved_head_and_missing_rules_are_not_merged(house: House) -> None:
    pull, eve = await house.open(draft=True), house.user("eve")
    with pytest.raises(NotMergeable):
        await house.merging.merge(eve, SHOP, pull.number, sha=pull.head_sha, method="merge")
    house.there.forge.ready(house.home, pull, house.there.bot, is_draft=False)
    with pytest.raises(HeadMoved):
        await house.merging.merge(eve, SHOP, pull.number, sha="1" * 40, method="merge")
    house.home.rules = Rules(reviews=1, checks={"build": None})
    with pytest.raises(NotMergeable, match="approving review"):
        await house.merging.merge(eve, SHOP, pull.number, sha=pull.head_sha, method="merge")
    assert pull.state == "open"


async def test_an_administrator_goes_past_the_rules_as_at_github(house: House) -> None:
    pull = await house.open()
    house.home.rules = Rules(reviews=2)
    root = house.user("root")
    assert (await house.merging.merge(root, SHOP, pull.number, sha=pull.head_sha, method="merge")).is_merged


async def test_old_servers_have_only_the_plain_merge(house: House) -> None:
    pull = await house.open()
    house.there.switches.has_merge_async = False
    merged = await house.merging.merge(
        house.user("eve"), SHOP, pull.number, sha=pull.head_sha, method="rebase"
    )
    assert merged.is_merged


async def test_the_author_cannot_approve_and_a_push_dismisses_approvals(house: House) -> None:
    await house.there.push(house.home, "mine", "ann", {"a.py": "1\n"})
    ann = house.user("ann")
    made = await house.client.create_pull(
        ann, SHOP, head="mine", base="main", title="Mine", body="", draft=False
    )
    op = "0b0e7e9c-0000-4000-8000-000000000002"
    pull = house.home.pulls[made.number]
    with pytest.raises(Invalid, match="your own pull request"):
        await house.acts.review(ann, SHOP, made.number, sha=pull.head_sha, event="APPROVE", body="", op=op)
    await house.there.review(house.home, pull, "eve", "APPROVE")
    house.home.rules = Rules(reviews=1)
    look = await house.client.pull_facts(await house.token(), SHOP, made.number)
    assert (look.review_decision, look.merge_state_status) == ("APPROVED", "CLEAN")
    await house.there.push(house.home, "mine", "ann", {"a.py": "2\n"})
    look = await house.client.pull_facts(await house.token(), SHOP, made.number)
    assert (look.review_decision, look.merge_state_status) == ("REVIEW_REQUIRED", "BLOCKED")


async def test_required_checks_auto_merge_and_the_queue(house: House) -> None:
    pull, eve = await house.open(), house.user("eve")
    house.home.rules = Rules(checks={"build": None})
    await house.acts.enable_auto_merge(eve, SHOP, pull.number, sha=pull.head_sha, method="squash")
    await house.there.check(house.home, pull.head_sha, "build", "failure")
    look = await house.client.pull_facts(await house.token(), SHOP, pull.number)
    assert [(one.name, one.conclusion, one.is_required) for one in look.checks] == [
        ("build", "FAILURE", True)
    ]
    assert look.auto_merge_request is not None
    await house.there.check(house.home, pull.head_sha, "build", "success")
    assert pull.is_merged
    assert pull.merged_by is not None
    assert pull.merged_by.login == "eve"
    other = await house.open("eng-2")
    house.home.rules = Rules(has_queue=True)
    queued = await house.merging.merge(eve, SHOP, other.number, sha=other.head_sha, method="merge")
    assert queued.is_queued
    await house.there.forge.merge_queue(house.home)
    assert other.is_merged


async def test_our_check_is_the_apps_alone(house: House) -> None:
    pull = await house.open()
    token = await house.app.token(SHOP, CHECKS)
    for conclusion in ("failure", "success"):
        await house.checks.put_check(
            token,
            SHOP,
            pull.head_sha,
            name="independent-review",
            external_id="one",
            title="Waits",
            summary="…",
            conclusion=conclusion,
        )
    runs = rules.newest_checks(house.home, pull.head_sha)
    assert [(one.name, one.conclusion) for one in runs] == [("independent-review", "success")]


async def test_conflicts_and_a_base_that_moved_show(house: House) -> None:
    pull, eve = await house.open(), house.user("eve")
    house.home.rules = Rules(is_strict=True)
    await house.there.push(house.home, "main", "ann", {"other.py": "1\n"})
    look = await house.client.pull_facts(await house.token(), SHOP, pull.number)
    assert look.merge_state_status == "BEHIND"
    before = pull.head_sha
    await house.acts.update_branch(eve, SHOP, pull.number, sha=before)
    assert pull.head_sha != before
    await house.there.push(house.home, "main", "ann", {"new.py": "y = 1\n"})
    look = await house.client.pull_facts(await house.token(), SHOP, pull.number)
    assert (look.mergeable, look.merge_state_status) == ("CONFLICTING", "DIRTY")


def git(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", "PATH": os.environ["PATH"]}
    identity = ("-c", "user.name=Bot", "-c", "user.email=bot@acme.test")
    command = ["git", *identity, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=alone, capture_output=True, check=False)


async def pushed(house: House, folder: Path, token: str, path: str, branch: str) -> str:
    """Clone with a token, commit a file, push; what git said."""
    address = f"{house.there.url}/{SHOP}.git".replace("://", f"://x-access-token:{token}@")
    tree = folder / f"tree-{branch.replace('/', '-')}"
    cloned = await asyncio.to_thread(git, "clone", "--quiet", address, tree, cwd=folder)
    if cloned.returncode != 0:
        return cloned.stderr.decode()
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text("x\n")
    git("add", "--all", cwd=tree)
    git("commit", "--quiet", "--message=x", cwd=tree)
    done = await asyncio.to_thread(git, "push", "origin", f"HEAD:refs/heads/{branch}", cwd=tree)
    return done.stderr.decode()


async def test_git_over_http_asks_who_and_what_they_may(house: House, tmp_path: Path) -> None:
    write = (await house.app.token(SHOP, PUSH)).token
    read = (await house.app.token(SHOP, PULLS)).token
    assert "new branch" in await pushed(house, tmp_path, write, "a.py", "one")
    assert "403" in await pushed(house, tmp_path, read, "a.py", "two")
    assert "protected branch" in (await pushed(house, tmp_path, write, "a.py", "main")).lower()
    said = await pushed(house, tmp_path, write, ".github/workflows/ci.yml", "three")
    assert "without `workflows` permission" in said
    assert "Authentication failed" in await pushed(house, tmp_path, "ghs_unknown", "a.py", "four")
    personal = house.there.personal_token("ann")
    assert "new branch" in await pushed(house, tmp_path, personal, ".github/workflows/ci.yml", "five")
    assert (await house.client.repository(PersonalToken(personal), SHOP)).full_name == SHOP


async def test_tokens_end_and_reach_no_further_than_asked(house: House) -> None:
    token = await house.token()
    house.there.tokens.ahead_s = 3601
    with pytest.raises(Unauthorized):
        await house.client.repository(token, SHOP)
    house.there.tokens.ahead_s = 0
    with pytest.raises(NotInstalled):
        await house.app.token("acme/other", PULLS)
    guest = house.user("guest")
    pull = await house.open()
    with pytest.raises(Forbidden):
        await house.merging.merge(guest, SHOP, pull.number, sha=pull.head_sha, method="merge")


async def test_people_sign_in_with_pkce_once(house: House) -> None:
    async with httpx.AsyncClient() as http:
        oauth = GitHubOAuth(
            http,
            Wire(http, house.there.url, pace=Pace()),
            web_url=house.there.url,
            client_id=house.there.app.client_id,
            client_secret=house.there.app.client_secret,
        )
        where = authorize_url(
            house.there.url,
            client_id=house.there.app.client_id,
            redirect_uri="https://t.test/back",
            state="s" * 43,
            verifier="v" * 64,
        )
        back = httpx.URL(await house.there.signs_in(where, "eve"))
        assert back.params["state"] == "s" * 43
        grant = await oauth.exchange(
            back.params["code"], verifier="v" * 64, redirect_uri="https://t.test/back"
        )
        with pytest.raises(Unauthorized):
            await oauth.exchange(back.params["code"], verifier="v" * 64, redirect_uri="https://t.test/back")
        renewed = await oauth.refresh(grant.refresh_token or "")
        with pytest.raises(Unauthorized):
            await oauth.refresh(grant.refresh_token or "")
        assert renewed.access_token != grant.access_token


async def test_a_renamed_repository_is_found_and_a_strange_one_is_not(house: House) -> None:
    house.there.forge.rename(house.home, "store")
    assert (await house.client.repository(await house.token_of("acme/store"), SHOP)).full_name == "acme/store"
    with pytest.raises(NotFound):
        await house.client.repository(await house.token_of("acme/store"), "acme/none")


async def test_webhooks_are_signed_and_told_once_more_on_demand(house: House) -> None:
    pull = await house.open()
    await house.there.review(house.home, pull, "eve", "APPROVE")
    events = [f"{one.event}.{one.action}" for one in house.there.courier.deliveries]
    assert events == ["pull_request.opened", "pull_request.ready_for_review", "pull_request_review.submitted"]
    listed = await house.app.deliveries(datetime.now().astimezone() - timedelta(hours=1))
    assert len(listed) == 3
    await house.app.redeliver(listed[0].id)
    assert house.there.courier.deliveries[-1].guid == house.there.courier.deliveries[2].guid


async def test_calls_fail_on_demand_before_and_after_the_deed(house: House) -> None:
    pull = await house.open()
    kind = "POST /repos/{owner}/{repo}/pulls/{number}/reviews"
    house.there.fail(kind, Fault(drop="after"))
    op = "0b0e7e9c-0000-4000-8000-000000000003"
    await house.acts.review(
        house.user("eve"), SHOP, pull.number, sha=pull.head_sha, event="APPROVE", body="", op=op
    )
    assert len(pull.reviews) == 1


ANN, EVE, BOT = Account(1, "ann"), Account(2, "eve"), Account(3, "app[bot]", type="Bot")
NOW = datetime(2026, 11, 21).astimezone()


def case(*reviews: tuple[Account, str], author: Account = BOT, **more: object) -> tuple[Repository, Pull]:
    home = Repository(1, "acme", "shop", Path(), may={1: "write", 2: "write"})
    home.rules = Rules(**more)  # type: ignore[arg-type]
    pull = Pull(87, 1, "t", "", "b", "main", "a" * 40, author, False, NOW, NOW)
    for by, state in reviews:
        pull.reviews.append(Review(len(pull.reviews), by, state, "a" * 40, "", NOW, True))
    return home, pull


@pytest.mark.parametrize(
    ("built", "decided"),
    [
        (case(), None),
        (case(reviews=1), "REVIEW_REQUIRED"),
        (case((EVE, "APPROVED"), reviews=1), "APPROVED"),
        (case((BOT, "APPROVED"), reviews=1), "REVIEW_REQUIRED"),
        (case((EVE, "APPROVED"), (ANN, "CHANGES_REQUESTED"), reviews=1), "CHANGES_REQUESTED"),
        (case((EVE, "APPROVED"), (EVE, "CHANGES_REQUESTED"), reviews=1), "CHANGES_REQUESTED"),
        (case((EVE, "CHANGES_REQUESTED"), (EVE, "APPROVED"), reviews=1), "APPROVED"),
        (case((EVE, "APPROVED"), (EVE, "COMMENTED"), reviews=1), "APPROVED"),
        (case((EVE, "APPROVED"), reviews=2), "REVIEW_REQUIRED"),
        (case((EVE, "APPROVED"), reviews=1, owners=("ann",)), "REVIEW_REQUIRED"),
        (case((ANN, "APPROVED"), author=ANN, reviews=1), "REVIEW_REQUIRED"),
    ],
)
def test_reviews_count_as_at_github(built: tuple[Repository, Pull], decided: str | None) -> None:
    assert rules.decision(*built) == decided


def test_a_required_check_may_belong_to_one_app() -> None:
    home, pull = case(checks={"build": 7})
    home.checks.append(CheckRun(1, "build", 8, pull.head_sha, "completed", "success"))
    assert list(rules.missing_checks(home, pull)) == ["build"]
    home.checks.append(CheckRun(2, "build", 7, pull.head_sha, "completed", "success"))
    assert list(rules.missing_checks(home, pull)) == []
    assert World().next_id() == 1001
