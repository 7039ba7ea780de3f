"""Pushes to a real git over HTTP: what happens, what is lost, and who hears the token."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import WorkspaceError
from core.ids import SessionId
from core.ports import GitAccess
from core.workspace.clone import Workspace, Workspaces
from core.workspace.commit import commit
from core.workspace.git import run_git
from core.workspace.handover import Handover, HandoverRefused, take_over
from core.workspace.outcomes import (
    LeaseLost,
    Outcome,
    Pushed,
    Refusal,
    RefusedByHost,
    Unreachable,
)
from core.workspace.push import push
from core.workspace.remote import remote_head
from tests.core.workspace.conftest import ANN, BRANCH, run
from tests.core.workspace.forge import TOKEN, Forge, login


async def work(workspace: Workspace, name: str = "new.py", text: str = "a\n") -> str:
    """The agent changes a file, and we commit."""
    (workspace.path / name).write_text(text)
    made = await commit(workspace, "Work", ANN)
    assert made is not None
    return made.sha


async def over(workspace: Workspace) -> Handover:
    return await take_over(workspace, workspace.host_git.parent / "handover.git")


async def sent(
    handover: Handover, forge: Forge, expect: str | None = None, *, timeout_s: float = 60
) -> Outcome:
    return await push(
        handover,
        access=forge.access(),
        branch=BRANCH,
        expect=expect,
        forbidden=["main"],
        timeout_s=timeout_s,
    )


def as_a_person(tmp_path: Path, forge: Forge, name: str, text: str = "theirs\n", branch: str = BRANCH) -> str:
    """Somebody pushes a commit to the branch, past us."""
    clone = tmp_path / "person"
    if not clone.exists():
        run(tmp_path, "clone", "-q", str(forge.root / "shop.git"), str(clone))
    run(clone, "fetch", "-q", "origin")
    run(clone, "checkout", "-q", "-B", "here", f"origin/{branch}")
    (clone / name).write_text(text)
    run(clone, "add", ".")
    run(clone, "commit", "-qm", f"Change {name}")
    run(clone, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")
    return run(clone, "rev-parse", "HEAD")


async def test_a_private_repository_is_cloned_and_its_branch_pushed(hosted: Workspace, forge: Forge) -> None:
    head = await work(hosted)
    assert await sent(await over(hosted), forge) == Pushed(head)
    assert forge.head(BRANCH) == head
    assert forge.branches() == {"refs/heads/main", f"refs/heads/{BRANCH}"}
    assert {given for _, _, given in forge.seen} == {"", login(TOKEN)}


async def test_the_cache_is_fetched_with_a_fresh_token_each_time(
    workspaces: Workspaces, hosted: Workspace, forge: Forge, upstream: Path
) -> None:
    run(upstream, "commit", "-q", "--allow-empty", "-m", "Move on")
    run(upstream, "push", "-q", str(forge.root / "shop.git"), "main")
    forge.token = "ghs_another" + "A1b2C3d4E5"

    async def access() -> GitAccess:
        return forge.access()

    second = await workspaces.prepare(SessionId("two"), "acme/shop", "main", "fix", access=access)
    assert second.base_sha == forge.head("main") != hosted.base_sha


async def test_a_wrong_token_clones_nothing_and_is_not_told(workspaces: Workspaces, forge: Forge) -> None:
    async def access() -> GitAccess:
        return replace(forge.access(), token="ghs_wrong" + "A1b2C3d4E5")

    with pytest.raises(WorkspaceError) as refused:
        await workspaces.prepare(SessionId("one"), "acme/shop", "main", BRANCH, access=access)
    assert "ghs_" not in refused.value.last_line


async def test_the_next_push_moves_the_branch_on_and_the_same_again_is_no_second_one(
    hosted: Workspace, forge: Forge
) -> None:
    first = await work(hosted)
    await sent(await over(hosted), forge)
    second = await work(hosted, "two.py")
    handover = await over(hosted)
    assert await sent(handover, forge, first) == Pushed(second)
    pushes = forge.pushes()
    assert await sent(handover, forge, first) == Pushed(second, was_there=True)
    assert await sent(handover, forge, second) == Pushed(second, was_there=True)
    assert forge.pushes() == pushes


async def test_a_branch_that_somebody_moved_stays_where_it_is(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    first = await work(hosted)
    await sent(await over(hosted), forge)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    await work(hosted, "two.py")
    assert await sent(await over(hosted), forge, first) == LeaseLost(theirs)
    assert forge.head(BRANCH) == theirs


async def test_a_branch_that_is_there_already_or_gone_is_no_longer_ours(
    hosted: Workspace, forge: Forge, upstream: Path
) -> None:
    run(upstream, "push", "-q", str(forge.root / "shop.git"), f"main:{BRANCH}")
    first = await work(hosted)
    assert await sent(await over(hosted), forge) == LeaseLost(forge.head("main"))
    run(forge.root / "shop.git", "update-ref", "-d", f"refs/heads/{BRANCH}")
    assert await sent(await over(hosted), forge, hosted.base_sha) == LeaseLost(None)
    assert await sent(await over(hosted), forge) == Pushed(first)


async def test_what_would_take_people_s_commits_away_never_gets_to_git(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await work(hosted)
    await sent(await over(hosted), forge)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    await work(hosted, "two.py")
    handover, asked = await over(hosted), len(forge.seen)
    assert await sent(handover, forge, theirs) == LeaseLost(theirs)
    assert len(forge.seen) == asked


@pytest.mark.parametrize("branch", ["main", "Main", "MAIN", "refs/heads/x", "HEAD", "-f", "a b", "", "+x"])
async def test_a_branch_of_others_never_gets_to_git(hosted: Workspace, forge: Forge, branch: str) -> None:
    await work(hosted)
    handover, asked = await over(hosted), len(forge.seen)
    with pytest.raises(HandoverRefused):
        await push(handover, access=forge.access(), branch=branch, expect=None, forbidden=["refs/heads/main"])
    assert len(forge.seen) == asked


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("error: GH006: Protected branch update failed for refs/heads/x.", Refusal.PROTECTED),
        (
            "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` "
            "without `workflows` permission",
            Refusal.WORKFLOWS,
        ),
        ("this repository is archived", Refusal.ACCESS),
        ("no luck today", Refusal.OTHER),
    ],
)
async def test_a_host_that_says_no_is_quoted_without_the_token(
    hosted: Workspace, forge: Forge, said: str, why: Refusal
) -> None:
    forge.hook(f"echo '{said} {TOKEN}' >&2; exit 1")
    await work(hosted)
    outcome = await sent(await over(hosted), forge)
    assert isinstance(outcome, RefusedByHost)
    assert (outcome.why, said in outcome.words, "ghs_" in outcome.words) == (why, True, False)
    assert forge.head(BRANCH) is None


@pytest.mark.parametrize("status", [403, 404])
async def test_a_host_that_does_not_let_us_in_says_no(hosted: Workspace, forge: Forge, status: int) -> None:
    await work(hosted)
    forge.statuses["service=git-receive-pack"] = status
    outcome = await sent(await over(hosted), forge)
    assert isinstance(outcome, RefusedByHost)
    assert outcome.why is Refusal.ACCESS


async def test_a_token_that_expired_is_a_no(hosted: Workspace, forge: Forge) -> None:
    await work(hosted)
    stale = forge.access()
    forge.token = "ghs_another" + "A1b2C3d4E5"
    outcome = await push(await over(hosted), access=stale, branch=BRANCH, expect=None, forbidden=())
    assert isinstance(outcome, RefusedByHost)
    assert outcome.why is Refusal.ACCESS


async def test_an_answer_that_was_lost_is_asked_for_not_repeated(hosted: Workspace, forge: Forge) -> None:
    head = await work(hosted)
    forge.lose_after = 1
    assert await sent(await over(hosted), forge) == Pushed(head, was_there=True)
    assert forge.pushes() == 1


async def test_a_push_that_was_lost_is_repeated_once_the_host_has_said_so(
    hosted: Workspace, forge: Forge
) -> None:
    head = await work(hosted)
    forge.lose_before = 1
    assert await sent(await over(hosted), forge) == Pushed(head)
    assert (forge.pushes(), forge.head(BRANCH)) == (2, head)


async def test_a_host_that_loses_everything_is_given_up(hosted: Workspace, forge: Forge) -> None:
    await work(hosted)
    forge.lose_before = 9
    outcome = await sent(await over(hosted), forge)
    assert isinstance(outcome, Unreachable)
    assert not outcome.maybe_done
    assert forge.head(BRANCH) is None


async def test_a_host_that_is_broken_or_does_not_answer_may_have_done_it(
    hosted: Workspace, forge: Forge
) -> None:
    await work(hosted)
    handover = await over(hosted)
    forge.statuses["service=git-receive-pack"] = 502
    forge.statuses["service=git-upload-pack"] = 502
    broken = await sent(handover, forge)
    forge.silent.set()
    silent = await sent(handover, forge, timeout_s=0.5)
    assert isinstance(broken, Unreachable)
    assert isinstance(silent, Unreachable)
    assert broken.maybe_done
    assert silent.maybe_done


async def test_nobody_at_the_address_is_nobody(hosted: Workspace, forge: Forge) -> None:
    await work(hosted)
    nobody = replace(forge.access(), url="http://127.0.0.1:1/shop.git")
    outcome = await push(await over(hosted), access=nobody, branch=BRANCH, expect=None, forbidden=())
    assert isinstance(outcome, Unreachable)


async def test_where_a_branch_is_at_the_host(hosted: Workspace, forge: Forge) -> None:
    assert await remote_head(forge.url(), "main", forge.access()) == hosted.base_sha
    assert await remote_head(forge.url(), "ain", forge.access()) is None
    with pytest.raises(WorkspaceError):
        await remote_head(forge.url(), "main")
    with pytest.raises(WorkspaceError):
        await remote_head(forge.url(), "--upload-pack=x", forge.access())


@pytest.mark.parametrize("way", ["settings", "redirect"])
async def test_the_token_is_told_to_its_own_host_only_wherever_git_is_sent(
    hosted: Workspace, forge: Forge, stranger: Forge, way: str
) -> None:
    asked: tuple[str, ...] = ("ls-remote", forge.url())
    assert (await run_git(*asked, access=forge.access())).code == 0
    if way == "redirect":
        forge.elsewhere = f"http://127.0.0.1:{stranger.port}"
    else:
        asked = ("-c", f"url.{stranger.url()}.insteadOf={forge.url()}", *asked)
    assert (await run_git(*asked, access=forge.access())).code != 0
    assert not [given for _, _, given in stranger.seen if TOKEN in given or given == login(TOKEN)]
    assert bool(stranger.seen) is (way != "redirect")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.test/shop.git",
        "ftp://127.0.0.1/shop.git",
        "ssh://git@127.0.0.1/shop.git",
        "https://ann:pw@127.0.0.1/shop.git",
        "file:///srv/shop.git",
        "https:///shop.git",
        "https://a=b/shop.git",
        "ext::sh -c id",
    ],
)
async def test_a_token_goes_to_no_other_kind_of_address(hosted: Workspace, forge: Forge, url: str) -> None:
    await work(hosted)
    handover = await over(hosted)
    with pytest.raises(WorkspaceError):
        await push(
            handover, access=replace(forge.access(), url=url), branch=BRANCH, expect=None, forbidden=()
        )


@pytest.mark.parametrize(("username", "token"), [("a b", TOKEN), ("$(id)", TOKEN), ("x", "a\nb"), ("x", "")])
async def test_a_malformed_token_is_not_used(
    hosted: Workspace, forge: Forge, username: str, token: str
) -> None:
    with pytest.raises(WorkspaceError):
        await remote_head(forge.url(), "main", GitAccess(forge.url(), username, token))
