"""Commits of real trees, hostile ones included."""

from pathlib import Path

import pytest

from core.activities import Author
from core.errors import WorkspaceError
from core.ids import SessionId
from core.workspace.clone import Workspace, Workspaces
from core.workspace.commit import Stat, commit, committed, diff
from core.workspace.git import git
from core.workspace.message import by
from tests.core.workspace.conftest import ANN, run


@pytest.fixture
async def workspace(workspaces: Workspaces, upstream: Path) -> Workspace:
    return await workspaces.prepare(SessionId("one"), str(upstream), "main", "ann/eng-1-fix")


async def show(workspace: Workspace, *arguments: str) -> str:
    return await git("--git-dir", workspace.host_git, *arguments)


async def test_the_tree_is_committed_with_its_author_and_counted(workspace: Workspace) -> None:
    (workspace.path / "search.py").write_text("def search():\n    return [1]\n")
    (workspace.path / "new.py").write_text("a\nb\n")
    (workspace.path / "debug.log").write_text("noise")
    made = await commit(workspace, "ENG-1: Fix search\n\nAsked for by Ann.", ANN)
    assert made is not None
    assert (made.files, made.insertions, made.deletions) == (2, 3, 1)
    assert made.stat_line == "2 files +3 −1"
    facts = await show(workspace, "log", "-1", "--format=%H|%P|%an|%ae|%cn|%s", workspace.branch)
    assert facts == f"{made.sha}|{workspace.base_sha}|Ann|ann@acme.test|Threadline|ENG-1: Fix search"
    assert await show(workspace, "ls-tree", "-r", "--name-only", made.sha) == ".gitignore\nnew.py\nsearch.py"


async def test_nothing_changed_is_no_commit(workspace: Workspace) -> None:
    assert await commit(workspace, "Nothing", ANN) is None
    assert await committed(workspace) is None


async def test_committing_again_finds_nothing_to_do(workspace: Workspace) -> None:
    (workspace.path / "new.py").write_text("a\n")
    made = await commit(workspace, "Add", ANN)
    assert await commit(workspace, "Add", ANN) is None
    assert await committed(workspace) == made


async def test_a_second_turn_counts_itself_and_the_whole(workspace: Workspace) -> None:
    (workspace.path / "one.py").write_text("a\n")
    await commit(workspace, "One", ANN)
    (workspace.path / "two.py").write_text("a\nb\n")
    (workspace.path / "search.py").unlink()
    made = await commit(workspace, "Two", ANN)
    assert made is not None
    assert (made.turn, made.session) == (Stat(2, 2, 2), Stat(3, 3, 2))


async def test_the_patch_shows_the_whole_session(workspace: Workspace) -> None:
    assert await diff(workspace) == ""
    (workspace.path / "search.py").write_text("def search():\n    return [1]\n")
    await commit(workspace, "One", ANN)
    assert "+    return [1]" in await diff(workspace)


async def test_what_the_agent_committed_itself_is_taken_over_as_one_commit_of_ours(
    workspace: Workspace,
) -> None:
    (workspace.path / "new.py").write_text("a\n")
    run(workspace.path, "add", ".")
    run(workspace.path, "commit", "-qm", "mine")
    made = await commit(workspace, "Ours", ANN)
    assert made is not None
    assert await show(workspace, "rev-list", "--count", f"{workspace.base_sha}..{made.sha}") == "1"


async def test_a_lock_left_behind_by_a_crash_does_not_block(workspace: Workspace) -> None:
    (workspace.host_git / "index.lock").touch()
    (workspace.path / "new.py").write_text("a\n")
    assert await commit(workspace, "Add", ANN) is not None


async def test_nothing_that_the_agent_put_into_its_git_folder_runs(
    workspace: Workspace, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    touch = workspace.path / "evil.sh"
    touch.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    touch.chmod(0o755)
    own = workspace.path / ".git"
    (own / "hooks").mkdir(exist_ok=True)
    for hook in ("pre-commit", "post-commit", "post-index-change", "reference-transaction", "post-checkout"):
        (own / "hooks" / hook).write_text(touch.read_text())
        (own / "hooks" / hook).chmod(0o755)
    for name, value in {
        "core.fsmonitor": str(touch),
        "core.hooksPath": str(own / "hooks"),
        "filter.evil.clean": str(touch),
        "filter.evil.smudge": str(touch),
        "filter.evil.process": str(touch),
        "diff.evil.command": str(touch),
        "diff.evil.textconv": str(touch),
        "core.sshCommand": str(touch),
        "gpg.program": str(touch),
    }.items():
        run(workspace.path, "config", name, value)
    (workspace.path / ".gitattributes").write_text("* filter=evil diff=evil\n")
    (workspace.path / "new.py").write_text("a\n")
    made = await commit(workspace, "Add", ANN)
    assert made is not None
    assert "new.py" in await diff(workspace)
    assert not ran.exists()
    assert await show(workspace, "show", f"{made.sha}:new.py") == "a"


async def test_nested_repositories_stay_out_and_are_named(workspace: Workspace) -> None:
    for name in ("empty", "deep/full"):
        (workspace.path / name).mkdir(parents=True)
        run(workspace.path / name, "init", "-q")
    (workspace.path / "deep/full/x").write_text("x")
    run(workspace.path / "deep/full", "add", ".")
    run(workspace.path / "deep/full", "commit", "-qm", "x")
    (workspace.path / "deep/beside.py").write_text("a\n")
    made = await commit(workspace, "Add", ANN)
    assert made is not None
    assert made.left_out == ("deep/full", "empty")
    listed = await show(workspace, "ls-tree", "-r", "--name-only", made.sha)
    assert listed == ".gitignore\ndeep/beside.py\nsearch.py"


async def test_a_tracked_folder_that_became_a_repository_keeps_its_files(
    workspaces: Workspaces, upstream: Path
) -> None:
    (upstream / "lib").mkdir()
    (upstream / "lib" / "a.py").write_text("a\n")
    run(upstream, "add", ".")
    run(upstream, "commit", "-qm", "Add lib")
    workspace = await workspaces.prepare(SessionId("two"), str(upstream), "main", "fix")
    run(workspace.path / "lib", "init", "-q")
    assert await commit(workspace, "Nothing", ANN) is None


async def test_the_agent_s_git_folder_may_be_gone_or_point_elsewhere(
    workspace: Workspace, tmp_path: Path
) -> None:
    (workspace.path / ".git").rename(tmp_path / "moved")
    (workspace.path / ".git").write_text(f"gitdir: {tmp_path}/moved\n")
    (workspace.path / "new.py").write_text("a\n")
    assert await commit(workspace, "Add", ANN) is not None


async def test_a_link_out_of_the_tree_is_committed_as_a_link(workspace: Workspace) -> None:
    (workspace.path / "passwords").symlink_to("/etc/passwd")
    made = await commit(workspace, "Add", ANN)
    assert made is not None
    assert await show(workspace, "show", f"{made.sha}:passwords") == "/etc/passwd"


async def test_names_with_strange_characters_are_committed(workspace: Workspace) -> None:
    for name in ("a b", "ünï", ":(glob)x", "-x", "new\nline"):
        (workspace.path / name).write_text("x\n")
    made = await commit(workspace, "Add", by(Author("slack", "U2", "Eve <x>\nCommitter: Bob", None)))
    assert made is not None
    assert made.files == 5
    assert (
        await show(workspace, "log", "-1", "--format=%an|%ae", made.sha)
        == "Eve x Committer: Bob|threadline@localhost"
    )


async def test_a_workspace_that_is_gone_says_so(workspace: Workspace, tmp_path: Path) -> None:
    workspace.path.rename(tmp_path / "moved")
    with pytest.raises(WorkspaceError):
        await commit(workspace, "Add", ANN)


async def test_git_gets_no_variable_of_ours_and_ends_in_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADLINE_LINEAR__TOKEN", "canary-secret")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    alias = ("-c", "alias.env=!env", "-c", "alias.nap=!read forever < /dev/zero")
    assert "canary-secret" not in await git(*alias, "env", cwd=workspace.path)
    with pytest.raises(WorkspaceError, match="did not end"):
        await git(*alias, "nap", cwd=workspace.path, timeout_s=0.3)
