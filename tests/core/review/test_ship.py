"""What a session commits gets to the code host: to a branch of its own, and nowhere else."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from core.activities import Notice
from core.errors import WorkspaceError
from core.ports import GitAccess
from core.pulls import PullAction
from core.review.ship import Shipper
from core.routing import Repository
from core.store.acts import Wish
from core.store.audit import broken
from core.store.pulls import Pull
from core.workspace.clone import Workspace, Workspaces
from core.workspace.outcomes import Pushed
from tests.core.review.fakes import (
    ANN,
    EVE,
    FACTS,
    HEAD,
    TURN,
    Desk,
    FakeAccounts,
    FakeCodeHost,
    account,
    desk,
)
from tests.core.turn.fakes import ISSUE, FakeTracker
from tests.core.workspace.conftest import BRANCH, forge, run, upstream
from tests.core.workspace.forge import Forge
from tests.core.workspace.test_push import as_a_person, over, sent, work

__all__ = ["forge", "upstream"]

SHOP = Repository(name="acme/shop", url="https://github.test/acme/shop.git", hosted=True)


@dataclass
class ForgeHost(FakeCodeHost):
    """Its repository is a real one."""

    forge: Forge | None = None

    async def access(self, repository: str, *, write: bool) -> GitAccess:
        assert self.forge is not None
        return self.forge.access()


@dataclass
class Yard:
    desk: Desk
    forge: Forge
    workspaces: Workspaces
    shipper: Shipper
    accounts: FakeAccounts

    async def begun(self, branch: str = BRANCH) -> Workspace:
        """A turn has a clone to work in."""

        async def access() -> GitAccess:
            return self.forge.access()

        return await self.workspaces.prepare(self.desk.session, "acme/shop", "main", branch, access=access)

    async def wanted(self, sha: str, branch: str = BRANCH) -> None:
        await self.desk.pulls.want(self.desk.session, "acme/shop", branch, sha=sha, turn=TURN)

    async def shipped(self, workspace: Workspace, name: str = "new.py", text: str = "ours\n") -> str:
        """The agent changed a file, and its turn ended."""
        head = await work(workspace, name, text)
        await self.wanted(head, workspace.branch)
        assert (await self.shipper.ship(self.desk.session)).conflicts == ()
        return head

    async def pull(self) -> Pull:
        found = await self.desk.pulls.of(self.desk.session)
        assert found is not None
        return found

    async def said(self) -> list[str]:
        return [one.body for one in await self.desk.entries(Notice) if isinstance(one, Notice)]


@pytest.fixture
async def yard(tmp_path: Path, forge: Forge) -> AsyncIterator[Yard]:
    (tmp_path / "store").mkdir()
    async with desk(tmp_path / "store") as made:
        record = await made.sessions.begin_attempt(made.session, "here")
        await made.sessions.update(made.session, epoch=record.epoch, issue=asdict(ISSUE))
        workspaces = Workspaces(tmp_path / "data")
        host, accounts = ForgeHost(forge=forge), FakeAccounts()
        shipper = Shipper(
            host,
            accounts,
            made.pulls,
            made.sessions,
            workspaces,
            made.acts,
            host,
            FakeTracker(),
            repositories={"acme/shop": SHOP},
            audit=made.audit,
            redact=lambda text: text,
        )
        yield Yard(made, forge, workspaces, shipper, accounts)


def pushed_before(tmp_path: Path, forge: Forge, branch: str) -> str:
    """Somebody's branch is there."""
    run(forge.root / "shop.git", "branch", branch, "main")
    return as_a_person(tmp_path, forge, "theirs.py", branch=branch)


async def test_a_branch_that_somebody_else_made_is_not_pushed_to(
    yard: Yard, forge: Forge, tmp_path: Path
) -> None:
    theirs = pushed_before(tmp_path, forge, "production")
    head = await yard.shipped(await yard.begun("production"))
    assert (forge.head("production"), forge.head("production-2")) == (theirs, head)
    assert (await yard.pull()).branch == "production-2"
    assert await yard.said() == [
        "There is a branch `production` that is not of this session, so the work goes to `production-2`."
    ]


async def test_the_next_push_goes_to_the_sessions_own_branch_again_with_what_people_pushed_there(
    yard: Yard, forge: Forge, tmp_path: Path
) -> None:
    theirs = pushed_before(tmp_path, forge, "production")
    workspace = await yard.begun("production")
    await yard.shipped(workspace)
    remark = as_a_person(tmp_path, forge, "remark.py", branch="production-2")
    await yard.shipped(workspace, "more.py")
    assert forge.head("production") == theirs
    names = run(forge.root / "shop.git", "ls-tree", "--name-only", "production-2").splitlines()
    assert {"new.py", "more.py", "remark.py"} < set(names)
    assert "theirs.py" not in names
    assert run(forge.root / "shop.git", "merge-base", remark, "production-2") == remark
    assert len(await yard.said()) == 1


@pytest.mark.parametrize("more_by_people", [False, True])
async def test_a_branch_that_a_killed_process_pushed_is_the_sessions_own(
    yard: Yard, forge: Forge, tmp_path: Path, *, more_by_people: bool
) -> None:
    workspace = await yard.begun()
    head = await work(workspace)
    await yard.wanted(head)
    assert await sent(await over(workspace), forge) == Pushed(head)
    if more_by_people:
        as_a_person(tmp_path, forge, "theirs.py", branch=BRANCH)
    again = await yard.shipped(workspace, "more.py")
    assert forge.branches() == {"refs/heads/main", f"refs/heads/{BRANCH}"}
    assert run(forge.root / "shop.git", "merge-base", head, BRANCH) == head
    assert run(forge.root / "shop.git", "merge-base", again, BRANCH) == again
    assert await yard.said() == []


@pytest.mark.parametrize(
    ("there", "asked", "got"),
    [
        (["fix", "fix-2", "fix-3/more"], "fix", "fix-4"),
        (["ann"], "ann/eng-1", "ann-eng-1-2"),
        (["ann", "ann-eng-1-2"], "ann/eng-1", "ann-eng-1-3"),
        (["ann/eng-1/x"], "ann/eng-1", "ann/eng-1-2"),
        ([], "main", "main-2"),
    ],
)
async def test_the_name_that_is_taken_instead_is_free(
    yard: Yard, forge: Forge, there: list[str], asked: str, got: str
) -> None:
    for branch in there:
        run(forge.root / "shop.git", "branch", branch, "main")
    before = forge.branches()
    head = await yard.shipped(await yard.begun(asked))
    assert forge.branches() == before | {f"refs/heads/{got}"}
    assert forge.head(got) == head
    (said,) = await yard.said()
    assert said.endswith(f"so the work goes to `{got}`.")


async def test_what_no_list_of_names_shows_is_pointed_out_once(yard: Yard) -> None:
    workspace = await yard.begun()
    (workspace.path / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = https://evil.test/x\n')
    (workspace.path / "passwords").symlink_to("/etc/passwd")
    await yard.shipped(workspace)
    said = [
        "Look closely at this change: `.gitmodules` (submodule: `https://evil.test/x`), "
        "`passwords` (link out of the repository)."
    ]
    assert await yard.said() == said
    await yard.shipped(workspace, "more.py")
    assert await yard.said() == said


async def test_of_more_files_than_are_listed_all_are_looked_at_here(yard: Yard) -> None:
    workspace = await yard.begun()
    for number in range(101):
        (workspace.path / f"{number}.py").write_text("x\n")
    await yard.shipped(workspace, "yarn.lock")
    assert await yard.said() == ["Look closely at this change: `yarn.lock` (lock file)."]


async def test_a_base_that_merges_is_shipped_at_once(yard: Yard, forge: Forge, tmp_path: Path) -> None:
    await yard.shipped(await yard.begun())
    base = as_a_person(tmp_path, forge, "base.py", branch="main")
    assert await yard.shipper.with_base(yard.desk.session) == ()
    assert run(forge.root / "shop.git", "merge-base", base, BRANCH) == base


async def test_a_base_that_disagrees_is_told_again_after_a_death(
    yard: Yard, forge: Forge, tmp_path: Path
) -> None:
    await yard.shipped(await yard.begun(), "search.py")
    as_a_person(tmp_path, forge, "search.py", "base\n", branch="main")
    assert await yard.shipper.with_base(yard.desk.session) == ("search.py",)
    assert await yard.shipper.with_base(yard.desk.session) == ("search.py",)


async def test_people_who_disagree_are_named_where_the_base_was_merged(
    yard: Yard, forge: Forge, tmp_path: Path
) -> None:
    workspace = await yard.begun()
    await yard.shipped(workspace)
    theirs = as_a_person(tmp_path, forge, "new.py", branch=BRANCH)
    as_a_person(tmp_path, forge, "base.py", branch="main")
    (workspace.path / "new.py").write_text("ours again\n")
    head = await work(workspace, "more.py")
    await yard.wanted(head)
    with pytest.raises(WorkspaceError) as error:
        await yard.shipper.with_base(yard.desk.session)
    assert error.value.last_line == "people changed the same lines of new.py"
    assert forge.head(BRANCH) == theirs


async def audited(yard: Yard) -> list[str]:
    trail = await yard.desk.audit.trail()
    assert list(broken(trail)) == []
    told = [one.body for one in trail.records]
    return [f"{one['who']} ({one['account']}) {one['action']} {one['pull']} {one['head']}" for one in told]


async def test_pushes_and_an_opened_pull_request_are_audited_once(yard: Yard) -> None:
    workspace = await yard.begun()
    first = await yard.shipped(workspace)
    await yard.shipper.ship(yard.desk.session)
    second = await yard.shipped(workspace, "more.py")
    branch = f"acme/shop@{BRANCH}"
    assert await audited(yard) == [
        f"app (None) push {branch} {first}",
        f"app (None) open acme/shop#87 {first}",
        f"app (None) push {branch} {second}",
    ]


async def test_what_is_opened_as_the_requester_is_audited_as_theirs(yard: Yard) -> None:
    yard.accounts.link(ANN, account(5, "ann"))
    head = await yard.shipped(await yard.begun())
    assert (await audited(yard))[1:] == [f"slack:T1/UANN (5) open acme/shop#87 {head}"]


async def test_a_push_is_audited_once_though_the_process_died_before_it_was_remembered(
    yard: Yard, forge: Forge
) -> None:
    workspace = await yard.begun()
    head = await work(workspace)
    await yard.wanted(head)
    assert await sent(await over(workspace), forge) == Pushed(head)
    for _ in range(2):
        await yard.shipper.ship(yard.desk.session)
    assert [line for line in await audited(yard) if " push " in line] == [
        f"app (None) push acme/shop@{BRANCH} {head}"
    ]


async def test_a_merge_that_is_taken_back_in_somebodys_name_is_audited(yard: Yard) -> None:
    workspace, desk = await yard.begun(), yard.desk
    await yard.shipped(workspace)
    yard.accounts.link(EVE, account(7, "eve"))
    await desk.acts.want(desk.session, "w", Wish(by=EVE, action=PullAction.MERGE_WHEN_GREEN, sha=HEAD))
    (act,) = await desk.acts.due()
    await desk.acts.begin(act, "once")
    await desk.acts.settle(
        act, done=True, record={"who": "eve", "account": 7, "action": "", "pull": "", "head": ""}, tell=[]
    )
    await desk.pulls.show(desk.session, replace(FACTS, auto_merge="eve"), turn=TURN, steered_by=[], offer="")
    await yard.shipped(workspace, "more.py")
    assert "slack:T1/UEVE (7) don't merge acme/shop#87 None" in await audited(yard)
