"""Clones of real repositories."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from core.errors import WorkspaceError
from core.ids import SessionId
from core.workspace.clone import Workspaces
from core.workspace.commit import commit
from tests.core.workspace.conftest import ANN, run

ONE, TWO = SessionId("one"), SessionId("two")


async def test_a_workspace_is_a_clone_of_its_own_on_the_session_s_branch(
    workspaces: Workspaces, upstream: Path
) -> None:
    workspace = await workspaces.prepare(ONE, str(upstream), "main", "ann/eng-1-fix")
    assert run(workspace.path, "branch", "--show-current") == "ann/eng-1-fix"
    assert (workspace.path / ".git").is_dir()
    assert run(workspace.path, "remote") == ""
    assert workspace.base_sha == run(upstream, "rev-parse", "main")


async def test_preparing_again_gives_the_same_workspace_with_the_work_in_it(
    workspaces: Workspaces, upstream: Path
) -> None:
    first = await workspaces.prepare(ONE, str(upstream), "main", "fix")
    (first.path / "notes.txt").write_text("half done")
    (upstream / "search.py").write_text("moved on\n")
    run(upstream, "commit", "-qam", "Move on")
    assert await workspaces.prepare(ONE, str(upstream), "main", "fix") == first
    assert (first.path / "notes.txt").read_text() == "half done"


async def test_only_a_workspace_that_was_made_exists(workspaces: Workspaces, upstream: Path) -> None:
    assert await workspaces.existing(ONE) is None
    made = await workspaces.prepare(ONE, str(upstream), "main", "fix")
    assert await workspaces.existing(ONE) == made


async def test_a_new_session_starts_from_the_newest_base(workspaces: Workspaces, upstream: Path) -> None:
    await workspaces.prepare(ONE, str(upstream), "main", "fix")
    run(upstream, "commit", "-q", "--allow-empty", "-m", "Move on")
    workspace = await workspaces.prepare(TWO, str(upstream), "main", "fix")
    assert workspace.base_sha == run(upstream, "rev-parse", "main")


async def test_many_sessions_at_once_share_one_cache(
    workspaces: Workspaces, upstream: Path, tmp_path: Path
) -> None:
    made = await asyncio.gather(
        *(workspaces.prepare(SessionId(f"s{n}"), str(upstream), "main", f"fix-{n}") for n in range(4))
    )
    assert len({workspace.path for workspace in made}) == 4
    assert len(list((tmp_path / "data" / "repositories").iterdir())) == 1


async def test_tree_and_base_are_the_same_commit_even_if_another_session_fetches_in_between(
    workspaces: Workspaces, upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workspaces.prepare(ONE, str(upstream), "main", "fix")
    run(upstream, "commit", "-q", "--allow-empty", "-m", "Move on")
    moved = run(upstream, "rev-parse", "main")
    (cache,) = (tmp_path / "data" / "repositories").iterdir()
    old = run(cache, "rev-parse", "main")
    # The cache of this repository moves on after every git that looks at it.
    real, programs = shutil.which("git"), tmp_path / "programs"
    programs.mkdir()
    turn = f'case "$*" in *rev-parse*|*clone*) now={moved};; *fetch*) now={old};; *) now=;; esac'
    move = f'test -z "$now" || {real} --git-dir {cache} update-ref refs/heads/main $now'
    (programs / "git").write_text(f'#!/bin/sh\n{real} "$@"\ncode=$?\n{turn}\n{move}\nexit $code\n')
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    workspace = await workspaces.prepare(TWO, str(upstream), "main", "fix")
    assert run(workspace.path, "rev-parse", "HEAD") == workspace.base_sha == old
    assert await commit(workspace, "Nothing", ANN) is None


async def test_locks_that_a_crash_left_behind_are_gone_at_the_next_turn(
    workspaces: Workspaces, upstream: Path, tmp_path: Path
) -> None:
    workspace = await workspaces.prepare(ONE, str(upstream), "main", "fix")
    for name in ("index.lock", "packed-refs.lock", "refs/heads/fix.lock", "refs/threadline/base.lock"):
        (workspace.host_git / name).touch()
    (workspace.path / "new.txt").write_text("x")
    await workspaces.prepare(ONE, str(upstream), "main", "fix")
    assert await commit(workspace, "Add", ANN) is not None


async def test_old_locks_of_the_cache_are_removed_and_fresh_ones_respected(
    workspaces: Workspaces, upstream: Path, tmp_path: Path
) -> None:
    await workspaces.prepare(ONE, str(upstream), "main", "fix")
    run(upstream, "commit", "-q", "--allow-empty", "-m", "Move on")
    (cache,) = (tmp_path / "data" / "repositories").iterdir()
    lock = cache / "refs" / "heads" / "main.lock"
    lock.touch()
    with pytest.raises(WorkspaceError):
        await workspaces.prepare(TWO, str(upstream), "main", "fix")
    os.utime(lock, (0, 0))
    assert (await workspaces.prepare(TWO, str(upstream), "main", "fix")).base_sha == run(
        upstream, "rev-parse", "main"
    )


async def test_a_branch_that_upstream_deleted_stays_usable(workspaces: Workspaces, upstream: Path) -> None:
    run(upstream, "branch", "release")
    first = await workspaces.prepare(ONE, str(upstream), "release", "fix")
    run(upstream, "branch", "-D", "release")
    await workspaces.prepare(TWO, str(upstream), "main", "other")
    (first.path / "new.txt").write_text("x")
    assert await commit(first, "Add", ANN) is not None


async def test_what_a_crash_left_half_made_is_made_again(
    workspaces: Workspaces, upstream: Path, tmp_path: Path
) -> None:
    half = tmp_path / "data" / "sessions" / ONE / "workspace"
    half.mkdir(parents=True)
    (half / "rubbish").touch()
    workspace = await workspaces.prepare(ONE, str(upstream), "main", "fix")
    assert not (workspace.path / "rubbish").exists()
    assert (workspace.path / "search.py").is_file()


async def test_a_deleted_tree_comes_back_as_it_was_committed(workspaces: Workspaces, upstream: Path) -> None:
    workspace = await workspaces.prepare(ONE, str(upstream), "main", "fix")
    (workspace.path / "new.txt").write_text("kept")
    await commit(workspace, "Add", ANN)
    shutil.rmtree(workspace.path)
    again = await workspaces.prepare(ONE, str(upstream), "main", "fix")
    assert again == workspace
    assert (again.path / "new.txt").read_text() == "kept"


async def test_the_agent_shares_no_file_with_the_cache(workspaces: Workspaces, upstream: Path) -> None:
    workspace = await workspaces.prepare(ONE, str(upstream), "main", "fix")
    objects = [path for path in (workspace.path / ".git" / "objects").rglob("*") if path.is_file()]
    assert objects
    assert {path.stat().st_nlink for path in objects} == {1}


async def test_an_unknown_base_and_a_missing_repository_say_why(
    workspaces: Workspaces, upstream: Path, tmp_path: Path
) -> None:
    with pytest.raises(WorkspaceError) as unknown:
        await workspaces.prepare(ONE, str(upstream), "nowhere", "fix")
    assert "nowhere" in unknown.value.last_line
    with pytest.raises(WorkspaceError) as missing:
        await workspaces.prepare(TWO, f"file://ann:hunter22@localhost{tmp_path}/missing", "main", "fix")
    assert "hunter22" not in missing.value.last_line
    assert missing.value.last_line
    assert not (tmp_path / "data" / "sessions" / ONE).exists()
    assert len(list((tmp_path / "data" / "repositories").iterdir())) == 1


@pytest.mark.parametrize(
    ("base", "branch"), [("main", "-x"), ("--upload-pack=x", "fix"), ("main", "a b"), ("main", "")]
)
async def test_what_is_no_branch_name_never_reaches_git(
    workspaces: Workspaces, upstream: Path, base: str, branch: str
) -> None:
    with pytest.raises(WorkspaceError):
        await workspaces.prepare(ONE, str(upstream), base, branch)


async def test_an_address_that_would_run_a_program_is_refused(workspaces: Workspaces, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError):
        await workspaces.prepare(ONE, f"ext::sh -c 'touch {tmp_path}/ran'", "main", "fix")
    assert not (tmp_path / "ran").exists()
