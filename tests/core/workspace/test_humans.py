"""People push to the session's branch, and the base moves on."""

from pathlib import Path

import pytest

from core.errors import WorkspaceError
from core.ids import SessionId
from core.workspace.clone import Workspace, Workspaces
from core.workspace.commit import Stat, commit, committed
from core.workspace.git import is_ancestor
from core.workspace.handover import HandoverRefused
from core.workspace.host import MOVING, host, marks, set_refs
from core.workspace.humans import Conflict, United, bring_in, update_from_base
from core.workspace.outcomes import Pushed
from tests.core.workspace.conftest import ANN, BRANCH, run
from tests.core.workspace.forge import Forge
from tests.core.workspace.test_push import as_a_person, over, sent, work


async def shared(workspace: Workspace, forge: Forge) -> str:
    """The branch is at the host, with one commit of ours."""
    head = await work(workspace)
    assert await sent(await over(workspace), forge) == Pushed(head)
    return head


def files(workspace: Workspace) -> dict[str, str]:
    """What the agent sees."""
    return {
        str(path.relative_to(workspace.path)): path.read_text()
        for path in sorted(workspace.path.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


async def parents(workspace: Workspace, commit_: str) -> list[str]:
    return (await host(workspace, "show", "-s", "--format=%P", commit_)).split()


def agent_sees_a_clean_tree(workspace: Workspace, head: str) -> bool:
    """In its own `.git`."""
    own = run(workspace.path, "rev-parse", "HEAD"), run(workspace.path, "status", "--porcelain")
    return own == (head, "") and run(workspace.path, "branch", "--show-current") == BRANCH


async def test_what_only_people_pushed_is_simply_there(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    ours = await shared(hosted, forge)
    (hosted.path / "debug.log").write_text("ignored")
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    assert await bring_in(hosted, theirs, access=forge.access(), pushed=ours) == United(theirs, moved=True)
    assert files(hosted)["theirs.py"] == "theirs\n"
    assert files(hosted)["debug.log"] == "ignored"
    assert agent_sees_a_clean_tree(hosted, theirs)


async def test_the_next_commit_stands_on_theirs_and_may_leave(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    ours = await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    await bring_in(hosted, theirs, access=forge.access(), pushed=ours)
    again = await work(hosted, "more.py")
    assert await parents(hosted, again) == [theirs]
    handover = await over(hosted)
    assert (handover.commits, handover.files) == (1, 3)
    assert await sent(handover, forge, theirs) == Pushed(again)


async def test_both_sides_are_merged_by_us(hosted: Workspace, forge: Forge, tmp_path: Path) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    ours = await work(hosted, "more.py")
    united = await bring_in(hosted, theirs, access=forge.access())
    assert isinstance(united, United)
    assert await parents(hosted, united.sha) == [ours, theirs]
    assert {"theirs.py", "more.py", "new.py"} < set(files(hosted))
    assert agent_sees_a_clean_tree(hosted, united.sha)
    assert await sent(await over(hosted), forge, theirs) == Pushed(united.sha)


async def test_bringing_in_twice_is_bringing_in_once(hosted: Workspace, forge: Forge, tmp_path: Path) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    await work(hosted, "more.py")
    united = await bring_in(hosted, theirs, access=forge.access())
    assert isinstance(united, United)
    again = await bring_in(hosted, theirs, access=forge.access())
    assert again == United(united.sha, moved=False)


async def test_a_disagreement_names_the_paths_and_changes_nothing(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "new.py", "theirs\n")
    ours = await work(hosted, "new.py", "ours\n")
    outcome = await bring_in(hosted, theirs, access=forge.access())
    assert outcome == Conflict(("new.py",), theirs)
    assert files(hosted)["new.py"] == "ours\n"
    assert (await marks(hosted)).head == ours


async def test_the_agent_can_be_given_the_disagreement_to_settle(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "new.py", "theirs\n")
    ours = await work(hosted, "new.py", "ours\n")
    outcome = await bring_in(hosted, theirs, access=forge.access(), leave_markers=True)
    assert outcome == Conflict(("new.py",), theirs, marked=True)
    assert "<<<<<<< " in files(hosted)["new.py"]
    (hosted.path / "new.py").write_text("both\n")
    settled = await commit(hosted, "Settle", ANN)
    assert settled is not None
    assert await parents(hosted, settled.sha) == [ours, theirs]
    assert await sent(await over(hosted), forge, theirs) == Pushed(settled.sha)


async def test_markers_that_are_left_do_not_leave(hosted: Workspace, forge: Forge, tmp_path: Path) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "new.py", "theirs\n")
    await work(hosted, "new.py", "ours\n")
    await bring_in(hosted, theirs, access=forge.access(), leave_markers=True)
    await commit(hosted, "Leave it", ANN)
    with pytest.raises(HandoverRefused, match="may not leave") as refused:
        await over(hosted)
    assert refused.value.problems == ("`new.py`: the conflict is not resolved, its markers are still there.",)
    (hosted.path / "new.py").write_text("both\n")
    settled = await commit(hosted, "Settle", ANN)
    assert settled is not None
    assert theirs in await parents(hosted, settled.sha)
    assert await sent(await over(hosted), forge, theirs) == Pushed(settled.sha)


async def test_to_keep_only_ours_is_a_merge_too(hosted: Workspace, forge: Forge, tmp_path: Path) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "new.py", "theirs\n")
    ours = await work(hosted, "new.py", "ours\n")
    await bring_in(hosted, theirs, access=forge.access(), leave_markers=True)
    (hosted.path / "new.py").write_text("ours\n")
    settled = await commit(hosted, "Keep ours", ANN)
    assert settled is not None
    assert await parents(hosted, settled.sha) == [ours, theirs]


async def test_a_branch_that_people_rewrote_is_theirs_if_we_have_nothing_more(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    ours = await shared(hosted, forge)
    as_a_person(tmp_path, forge, "base.py", branch="main")
    person = tmp_path / "person"
    run(person, "fetch", "-q", "origin")
    run(person, "checkout", "-q", "-B", "mine", f"origin/{BRANCH}")
    run(person, "rebase", "-q", "origin/main")
    run(person, "push", "-q", "--force", "origin", f"HEAD:{BRANCH}")
    theirs = run(person, "rev-parse", "HEAD")
    assert not await is_ancestor(person / ".git", ours, theirs)
    assert await bring_in(hosted, theirs, access=forge.access(), pushed=ours) == United(theirs, moved=True)
    again = await work(hosted, "more.py")
    assert await parents(hosted, again) == [theirs]
    assert await sent(await over(hosted), forge, theirs) == Pushed(again)


async def test_a_branch_that_people_set_back_stays_back(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    first = await shared(hosted, forge)
    second = await work(hosted, "two.py")
    assert await sent(await over(hosted), forge, first) == Pushed(second)
    run(forge.root / "shop.git", "update-ref", f"refs/heads/{BRANCH}", first)
    assert await bring_in(hosted, first, access=forge.access(), pushed=second) == United(first, moved=True)
    assert "two.py" not in files(hosted)


async def test_a_rewritten_branch_and_new_work_are_merged(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    pushed = await shared(hosted, forge)
    as_a_person(tmp_path, forge, "theirs.py")
    person = tmp_path / "person"
    run(person, "commit", "-q", "--amend", "-m", "Reworded")
    run(person, "push", "-q", "--force", "origin", f"HEAD:{BRANCH}")
    theirs = run(person, "rev-parse", "HEAD")
    await work(hosted, "more.py")
    united = await bring_in(hosted, theirs, access=forge.access(), pushed=pushed)
    assert isinstance(united, United)
    assert {"theirs.py", "more.py", "new.py"} < set(files(hosted))
    assert await sent(await over(hosted), forge, theirs) == Pushed(united.sha)


async def test_work_that_is_not_committed_is_not_touched(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    (hosted.path / "half.py").write_text("half done")
    with pytest.raises(WorkspaceError):
        await bring_in(hosted, theirs, access=forge.access())
    assert files(hosted)["half.py"] == "half done"
    assert "theirs.py" not in files(hosted)


async def test_a_commit_that_is_not_on_the_branch_is_not_brought_in(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await shared(hosted, forge)
    elsewhere = as_a_person(tmp_path, forge, "base.py", branch="main")
    with pytest.raises(WorkspaceError):
        await bring_in(hosted, elsewhere, access=forge.access())


async def test_the_base_is_merged_in_and_the_change_counted_from_there(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    ours = await shared(hosted, forge)
    base = as_a_person(tmp_path, forge, "base.py", "x\n" * 50, branch="main")
    united = await update_from_base(hosted, forge.url(), "main", access=forge.access())
    assert isinstance(united, United)
    assert await parents(hosted, united.sha) == [ours, base]
    assert "base.py" in files(hosted)
    made = await committed(hosted)
    assert made is not None
    assert made.session == Stat(1, 1, 0)
    handover = await over(hosted)
    assert (handover.paths, handover.commits, handover.base) == (("new.py",), 2, base)
    assert await sent(handover, forge, ours) == Pushed(united.sha)
    again = await update_from_base(hosted, forge.url(), "main", access=forge.access())
    assert again == United(united.sha, moved=False)


async def test_a_base_that_disagrees_is_settled_by_the_agent(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await work(hosted, "search.py", "ours\n")
    base = as_a_person(tmp_path, forge, "search.py", "base\n", branch="main")
    access = forge.access()
    looked = await update_from_base(hosted, forge.url(), "main", access=access)
    assert looked == Conflict(("search.py",), base)
    given = await update_from_base(hosted, forge.url(), "main", access=access, leave_markers=True)
    assert given == Conflict(("search.py",), base, marked=True)
    assert files(hosted)["search.py"].count("\n") > 2
    (hosted.path / "search.py").write_text("both\n")
    settled = await commit(hosted, "Settle", ANN)
    assert settled is not None
    assert settled.session == Stat(1, 1, 1)
    assert await sent(await over(hosted), forge) == Pushed(settled.sha)


async def test_conflicts_that_nobody_was_told_of_are_told_again(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await work(hosted, "search.py", "ours\n")
    base = as_a_person(tmp_path, forge, "search.py", "base\n", branch="main")
    access = forge.access()
    left = await update_from_base(hosted, forge.url(), "main", access=access, leave_markers=True)
    as_a_person(tmp_path, forge, "later.py", branch="main")
    again = await update_from_base(hosted, forge.url(), "main", access=access, leave_markers=True)
    assert again == left == Conflict(("search.py",), base, marked=True)
    (hosted.path / "search.py").write_text("both\n")
    assert await commit(hosted, "Settle", ANN) is not None
    assert isinstance(await update_from_base(hosted, forge.url(), "main", access=access), United)


async def test_a_session_without_a_commit_of_its_own_follows_its_base(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    base = as_a_person(tmp_path, forge, "base.py", branch="main")
    assert await update_from_base(hosted, forge.url(), "main", access=forge.access()) == United(
        base, moved=True
    )
    assert await committed(hosted) is None


async def test_a_tree_that_a_crash_left_behind_the_branch_is_brought_there_first(
    workspaces: Workspaces, hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    await bring_in(hosted, theirs, access=forge.access())
    # As it is between the two: the branch has moved, the tree has not.
    (hosted.path / "theirs.py").unlink()
    await set_refs(hosted, {MOVING: theirs})
    assert await commit(hosted, "Would take theirs back", ANN) is None
    assert files(hosted)["theirs.py"] == "theirs\n"
    (hosted.path / "theirs.py").unlink()
    await set_refs(hosted, {MOVING: theirs})
    await workspaces.prepare(SessionId("one"), "acme/shop", "main", BRANCH)
    assert files(hosted)["theirs.py"] == "theirs\n"


async def test_an_agent_without_a_git_folder_gets_one_again(
    workspaces: Workspaces, hosted: Workspace, tmp_path: Path
) -> None:
    head = await work(hosted)
    (hosted.path / ".git").rename(tmp_path / "gone")
    await workspaces.prepare(SessionId("one"), "acme/shop", "main", BRANCH)
    assert agent_sees_a_clean_tree(hosted, head)


@pytest.mark.parametrize("target", ["/nowhere", ".", "../../outside"])
async def test_a_git_folder_that_is_a_link_is_replaced_not_followed(
    hosted: Workspace, forge: Forge, tmp_path: Path, target: str
) -> None:
    await shared(hosted, forge)
    theirs = as_a_person(tmp_path, forge, "theirs.py")
    outside = tmp_path / "data" / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (hosted.path / ".git").rename(tmp_path / "gone")
    (hosted.path / ".git").symlink_to(target)
    await bring_in(hosted, theirs, access=forge.access())
    assert agent_sees_a_clean_tree(hosted, theirs)
    assert [path.name for path in outside.iterdir()] == ["kept"]


async def test_a_folder_that_became_a_link_out_is_not_written_through(
    hosted: Workspace, forge: Forge, tmp_path: Path
) -> None:
    await shared(hosted, forge)
    outside = tmp_path / "outside"
    outside.mkdir()
    # Ignored, so that it is not in any commit, and in the way of what people add.
    (hosted.path / "build.log").symlink_to(outside)
    person = tmp_path / "person"
    as_a_person(tmp_path, forge, "theirs.py")
    (person / "build.log").mkdir()
    (person / "build.log" / "authorized_keys").write_text("theirs\n")
    run(person, "add", "--force", ".")
    run(person, "commit", "-qm", "Add what is ignored")
    run(person, "push", "-q", "origin", f"HEAD:{BRANCH}")
    theirs = run(person, "rev-parse", "HEAD")
    await bring_in(hosted, theirs, access=forge.access())
    assert list(outside.iterdir()) == []
    assert (hosted.path / "build.log" / "authorized_keys").read_text() == "theirs\n"
