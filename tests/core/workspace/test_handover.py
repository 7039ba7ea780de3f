"""What may leave, from real commits; and what of it deserves a second look."""

import os
import shutil
from pathlib import Path

import pytest

from core.errors import WorkspaceError
from core.redact import Redactor
from core.workspace.clone import Workspace
from core.workspace.commit import commit, committed
from core.workspace.git import git
from core.workspace.handover import HandoverRefused, take_over
from core.workspace.host import ACCEPTED, MADE, host, marks, set_refs
from core.workspace.names import Care, Flag
from core.workspace.rules import HandoverLimits
from tests.core.workspace.conftest import ANN, BRANCH, run
from tests.core.workspace.test_push import over, work

GITHUB = "ghp_" + "Zq8Lm2Nv5Rt7Wy3Xb6Dc9Fg1Hj4Kp0Ms"
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


async def refused(workspace: Workspace, limits: HandoverLimits | None = None) -> tuple[str, ...]:
    into = workspace.host_git.parent / "handover.git"
    with pytest.raises(HandoverRefused) as error:
        await take_over(workspace, into, limits=limits or HandoverLimits())
    assert error.value.last_line == " ".join(error.value.problems)
    return error.value.problems


async def forged(workspace: Workspace, entries: str, *, ours: bool = True) -> str:
    """A commit that our own `commit` would never make, on the branch."""
    tree = await host(workspace, "mktree", "--missing", stdin=entries.encode())
    sha = await host(workspace, "commit-tree", tree, "-p", "HEAD", "-m", "Forged")
    await set_refs(workspace, {f"refs/heads/{BRANCH}": sha, **({f"{MADE}{sha}": sha} if ours else {})})
    return sha


@pytest.fixture(autouse=True)
def as_somebody(workspace: Workspace) -> None:
    """Who forges commits in these tests."""
    for setting in (("user.name", "Mallory"), ("user.email", "mallory@evil.test")):
        run(workspace.host_git, "config", *setting)


@pytest.fixture
async def workspace(hosted: Workspace) -> Workspace:
    return hosted


async def test_it_says_what_leaves(workspace: Workspace) -> None:
    await work(workspace, "search.py", "def search():\n    return [1]\n")
    head = await work(workspace, "a b.py", "a\nb\n")
    handover = await over(workspace)
    facts = (handover.head, handover.base, handover.branch, handover.commits)
    assert facts == (head, workspace.base_sha, BRANCH, 2)
    assert (handover.files, handover.insertions, handover.deletions) == (2, 3, 1)
    assert (handover.paths, handover.flags) == (("a b.py", "search.py"), ())


async def test_the_clean_repository_holds_the_one_branch_and_nothing_else(workspace: Workspace) -> None:
    head = await work(workspace)
    (workspace.path.parent / "handover.git").mkdir()
    (workspace.path.parent / "handover.git" / "rubbish").touch()
    handover = await over(workspace)
    assert (
        await git("--git-dir", handover.repository, "for-each-ref") == f"{head} commit\trefs/heads/{BRANCH}"
    )
    assert not (handover.repository / "rubbish").exists()
    assert not (handover.repository / "hooks").exists()
    assert await git("--git-dir", handover.repository, "fsck", "--no-dangling") == ""


async def test_only_what_is_new_is_copied(workspace: Workspace) -> None:
    await work(workspace)
    handover = await over(workspace)
    counted = await git("--git-dir", handover.repository, "count-objects", "-v")
    assert "in-pack: 3" in counted.splitlines()


async def test_to_take_over_again_is_the_same(workspace: Workspace) -> None:
    await work(workspace)
    assert await over(workspace) == await over(workspace)


async def test_what_one_commit_adds_and_the_next_takes_away_does_not_leave_either(
    workspace: Workspace,
) -> None:
    (workspace.path / "new.py").write_text(f"a = 1\nTOKEN = '{GITHUB}'\n")
    await commit(workspace, "With a token", ANN)
    (workspace.path / "new.py").write_text("a = 1\n")
    await commit(workspace, "Without", ANN)
    assert await refused(workspace) == ("new.py:2: this looks like a secret (GitHub token).",)


async def test_a_commit_that_may_not_leave_is_replaced_by_the_next_one(workspace: Workspace) -> None:
    good = await work(workspace, "good.py")
    await over(workspace)
    (workspace.path / "new.py").write_text(f"TOKEN = '{GITHUB}'\n")
    bad = await commit(workspace, "With a token", ANN)
    assert bad is not None
    await refused(workspace)
    (workspace.path / "new.py").write_text("TOKEN = environ['TOKEN']\n")
    better = await commit(workspace, "Without", ANN)
    assert better is not None
    assert await host(workspace, "rev-list", f"{workspace.base_sha}..HEAD") == f"{better.sha}\n{good}"
    assert (await over(workspace)).head == better.sha


async def test_to_take_back_what_may_not_leave_is_enough(workspace: Workspace) -> None:
    good = await work(workspace, "good.py")
    await over(workspace)
    await work(workspace, "new.py", f"TOKEN = '{GITHUB}'\n")
    await refused(workspace)
    (workspace.path / "new.py").unlink()
    assert await commit(workspace, "Without", ANN) is None
    assert (await marks(workspace)).head == good
    assert (await over(workspace)).head == good
    assert await committed(workspace) is not None


async def test_a_secret_of_this_service_is_known_by_its_value(workspace: Workspace) -> None:
    await work(workspace, "new.py", "x = 'correct-horse-battery'\n")
    into = workspace.host_git.parent / "handover.git"
    with pytest.raises(HandoverRefused) as error:
        await take_over(workspace, into, redact=Redactor(["correct-horse-battery"]))
    assert error.value.problems == ("new.py:1: this looks like a secret (a secret of this service).",)


async def test_a_secret_in_a_file_that_counts_as_binary_is_seen(workspace: Workspace) -> None:
    (workspace.path / ".gitattributes").write_text("*.py -diff\n")
    await work(workspace, "new.py", f"\0\0\0\n{GITHUB}\n")
    assert await refused(workspace) == ("new.py:2: this looks like a secret (GitHub token).",)


async def test_a_secret_in_wider_characters_or_in_a_name_does_not_leave(workspace: Workspace) -> None:
    (workspace.path / "wide.txt").write_text(f"k = {GITHUB}\n", encoding="utf-16")
    (workspace.path / GITHUB).mkdir()
    (workspace.path / GITHUB / "empty").touch()
    await work(workspace)
    (problem,) = await refused(workspace)
    assert problem.endswith("/empty, wide.txt:1: this looks like a secret (GitHub token).")
    assert GITHUB not in problem


async def test_a_name_that_was_there_before_may_stay(workspace: Workspace) -> None:
    await set_refs(workspace, {"refs/threadline/base": await work(workspace, GITHUB, "x\n")})
    head = await work(workspace, GITHUB, "y\n")
    assert (await over(workspace)).head == head


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (HandoverLimits(blob_bytes=1_000_000), "`big.bin`: larger than the 1 MB that a file may have."),
        (HandoverLimits(total_bytes=1_000_000), "2 MB of changes are more than the 1 MB allowed."),
        (HandoverLimits(files=1), "2 changed files are more than the 1 allowed at once."),
        (HandoverLimits(commits=1), "2 commits are more than the 1 allowed at once."),
    ],
)
async def test_what_is_too_much_is_not_even_looked_at(
    workspace: Workspace, limits: HandoverLimits, said: str
) -> None:
    await work(workspace, "big.bin", "x" * 1_500_001)
    await work(workspace, "small.py", GITHUB)
    assert await refused(workspace, limits) == (said,)


async def test_a_large_file_that_was_there_before_may_be_renamed(workspace: Workspace) -> None:
    await set_refs(workspace, {"refs/threadline/base": await work(workspace, "big.bin", "x" * 2_000_000)})
    (workspace.path / "big.bin").rename(workspace.path / "moved.bin")
    made = await commit(workspace, "Rename", ANN)
    assert made is not None
    handover = await take_over(
        workspace, workspace.host_git.parent / "handover.git", limits=HandoverLimits(blob_bytes=1_000_000)
    )
    assert handover.head == made.sha


async def test_a_pointer_to_a_large_file_that_is_nowhere_does_not_leave(workspace: Workspace) -> None:
    await work(workspace, "model.bin", POINTER)
    assert await refused(workspace) == ("`model.bin`: large files (Git LFS) cannot be handed over yet.",)


async def test_a_pointer_that_was_there_before_may_be_renamed(workspace: Workspace) -> None:
    await set_refs(workspace, {"refs/threadline/base": await work(workspace, "model.bin", POINTER)})
    (workspace.path / "model.bin").rename(workspace.path / "moved.bin")
    made = await commit(workspace, "Rename", ANN)
    assert made is not None
    assert (await over(workspace)).head == made.sha


async def test_a_branch_that_left_its_base_does_not_leave(workspace: Workspace) -> None:
    tree = await host(workspace, "rev-parse", "HEAD^{tree}")
    alone = await host(workspace, "commit-tree", tree, "-m", "Alone")
    await set_refs(workspace, {f"refs/heads/{BRANCH}": alone, f"{MADE}{alone}": alone})
    assert await refused(workspace) == ("The branch no longer stands on the commit it started from.",)


async def test_a_commit_that_somebody_else_made_does_not_leave(workspace: Workspace) -> None:
    blob = await host(workspace, "hash-object", "-w", "--stdin", stdin=b"x")
    await forged(workspace, f"100644 blob {blob}\tx\n", ours=False)
    assert await refused(workspace) == ("1 commit on the branch came from somewhere else.",)


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", ".git ", "..", ".", ".g\u200cit"])
async def test_a_tree_that_git_itself_finds_malformed_is_not_taken_over(
    workspace: Workspace, name: str
) -> None:
    blob = await host(workspace, "hash-object", "-w", "--stdin", stdin=b"x")
    inner = await host(workspace, "mktree", stdin=f"100644 blob {blob}\tconfig\n".encode())
    await forged(workspace, f"040000 tree {inner}\t{name}\n")
    with pytest.raises(WorkspaceError):
        await over(workspace)


async def test_an_object_that_is_not_there_is_no_hand_over(workspace: Workspace) -> None:
    await forged(workspace, f"100644 blob {'1' * 40}\tx\n")
    with pytest.raises(WorkspaceError):
        await over(workspace)


async def test_names_that_people_cannot_see_do_not_leave(workspace: Workspace) -> None:
    for name in ("new\nline", "evil\u202egnp.exe"):
        (workspace.path / name).write_text("x\n")
    await work(workspace, "good.py")
    assert await refused(workspace) == (
        "`evil%E2%80%AEgnp.exe`, `new%0Aline`: its name holds invisible characters.",
    )


async def test_a_strange_name_that_was_there_before_may_be_changed(workspace: Workspace) -> None:
    await set_refs(workspace, {"refs/threadline/base": await work(workspace, "new\nline", "x\n")})
    head = await work(workspace, "new\nline", "y\n")
    assert (await over(workspace)).head == head


async def test_what_deserves_a_second_look_is_named(workspace: Workspace) -> None:
    for path in (".github/workflows/ci.yml", "CODEOWNERS", "web/package-lock.json", ".claude/settings.json"):
        (workspace.path / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace.path / path).write_text("x\n")
    (workspace.path / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = https://evil.test/x\n')
    (workspace.path / "passwords").symlink_to("/etc/passwd")
    (workspace.path / "inside").symlink_to("search.py")
    await work(workspace, "plain.py")
    assert (await over(workspace)).flags == (
        Flag(".claude/settings.json", Care.AGENT),
        Flag(".github/workflows/ci.yml", Care.WORKFLOW),
        Flag(".gitmodules", Care.SUBMODULE, "https://evil.test/x"),
        Flag("CODEOWNERS", Care.OWNERS),
        Flag("passwords", Care.LINK),
        Flag("web/package-lock.json", Care.LOCK_FILE),
    )


async def test_a_submodule_that_moved_is_named(workspace: Workspace) -> None:
    await forged(workspace, f"160000 commit {workspace.base_sha}\tlib\n")
    assert Flag("lib", Care.SUBMODULE) in (await over(workspace)).flags


async def test_a_refusal_and_a_pass_are_remembered_in_our_own_folder(workspace: Workspace) -> None:
    head = await work(workspace, "new.py", GITHUB)
    await refused(workspace)
    assert ((await marks(workspace)).refused, (await marks(workspace)).accepted) == (head, "")
    (workspace.path / "new.py").write_text("fine\n")
    better = await commit(workspace, "Better", ANN)
    assert better is not None
    await over(workspace)
    assert ((await marks(workspace)).refused, (await marks(workspace)).accepted) == ("", better.sha)
    assert await host(workspace, "rev-parse", ACCEPTED) == better.sha


async def test_a_hand_over_takes_few_calls_of_git(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await work(workspace)
    calls = counting(tmp_path, monkeypatch)
    await over(workspace)
    assert len(calls.read_text().splitlines()) == 12


def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every git that the service itself starts leaves a line in this file."""
    real, programs, calls = shutil.which("git"), tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    (programs / "git").write_text(f'#!/bin/sh\necho "$*" >> {calls}\nexec {real} "$@"\n')
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return calls
