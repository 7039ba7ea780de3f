"""Names of branches and files, harmless ones and others."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WorkspaceError
from core.ids import SessionId
from core.workspace.clone import Workspace, Workspaces
from core.workspace.commit import commit
from core.workspace.handover import HandoverRefused
from core.workspace.names import (
    Care,
    care_for,
    is_branch,
    is_own_branch,
    leads_out,
    path_problem,
    shown,
)
from core.workspace.push import push
from core.workspace.remote import remote_head
from tests.core.workspace.conftest import ANN, run
from tests.core.workspace.forge import Forge
from tests.core.workspace.hostile import FILES, REFS, SHELL
from tests.core.workspace.test_push import over, work


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every git that the service itself starts leaves its arguments in this file, NUL after each."""
    real, programs, calls = shutil.which("git"), folder / "programs", folder / "calls"
    programs.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" '=' >> {calls}\nexec {real} \"$@\"\n")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    calls.touch()
    return calls


def test_there_are_as_many_as_promised() -> None:
    assert (len(set(REFS)), len({name for name, _ in FILES}) >= 120) == (47, True)


@pytest.mark.parametrize("name", REFS)
def test_what_is_nobodys_branch(name: str) -> None:
    assert (is_own_branch(name), is_branch(name)) == (False, False)


@pytest.mark.parametrize("name", SHELL)
def test_what_others_may_call_their_branches(name: str) -> None:
    assert (is_own_branch(name), is_branch(name)) == (False, True)


@pytest.mark.parametrize("name", ["main", "ann/eng-1-fix", "release/1.2", "a_b", "x" * 200, "A.b-c/D_e"])
def test_what_we_may_call_ours(name: str) -> None:
    assert (is_own_branch(name), is_branch(name)) == (True, True)


@given(st.text(max_size=40))
def test_a_name_of_ours_is_one_that_git_takes_and_a_shell_leaves_alone(name: str) -> None:
    if is_own_branch(name):
        assert is_branch(name)
        assert name.isascii()
        assert not set(name) & set(" \t\n$`'\"\\;&|<>(){}[]*?!~^:#=")


@pytest.mark.parametrize(("name", "is_bad"), FILES)
def test_which_new_files_stay_here(name: bytes, is_bad: bool) -> None:
    assert bool(path_problem(name)) is is_bad


@given(st.binary(max_size=30))
def test_any_name_has_a_verdict_and_can_be_shown(name: bytes) -> None:
    assert path_problem(name) == "" or path_problem(name).startswith("its name ")
    assert shown(name).isprintable()
    assert "`" not in shown(name)


async def test_no_hostile_branch_ever_gets_to_git(
    workspaces: Workspaces, upstream: Path, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = recorded(tmp_path, monkeypatch)
    for name in REFS:
        for base, branch in ((name, "fix"), ("main", name)):
            with pytest.raises(WorkspaceError):
                await workspaces.prepare(SessionId("one"), str(upstream), base, branch)
        with pytest.raises(WorkspaceError):
            await remote_head(forge.url(), name, forge.access())
    assert calls.read_bytes() == b""


async def test_what_is_taken_from_others_stands_where_git_reads_no_options(
    workspaces: Workspaces, upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SHELL:
        run(upstream, "branch", name)
    calls = recorded(tmp_path, monkeypatch)
    for number, name in enumerate(SHELL):
        await workspaces.prepare(SessionId(f"s{number}"), str(upstream), name, "fix")
        await remote_head(str(upstream), name)
    for call in calls.read_bytes().split(b"\0=\0")[:-1]:
        arguments = call.decode().split("\0")
        for position, argument in enumerate(arguments):
            if any(name in argument for name in SHELL):
                assert argument.startswith("refs/heads/") or "--end-of-options" in arguments[:position]
    assert not (tmp_path / "ran").exists()


async def test_no_name_of_a_file_ever_is_an_argument(
    hosted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, outside = names_in(hosted.path.parent), names_in(tmp_path)
    made = [name for name, _ in FILES if create(hosted.path, name)]
    assert len(made) > 80
    calls = recorded(tmp_path, monkeypatch)
    committed = await commit(hosted, "Everything", ANN)
    assert committed is not None
    assert ".GIT" in committed.left_out
    with pytest.raises(HandoverRefused) as refused:
        await over(hosted)
    said = refused.value.last_line
    assert said.isprintable()
    assert all(reason in said for reason in ("invisible", "UTF-8", "leads out"))
    arguments = set(calls.read_bytes().split(b"\0"))
    assert arguments & set(made) <= {b"HEAD"}
    assert names_in(hosted.path.parent) == before | {"handover.git"}
    assert names_in(tmp_path) == outside | {"programs", "calls"}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def create(tree: Path, name: bytes) -> bool:
    """Make the file if the file system takes the name, and if it stays inside of the tree."""
    inside = os.path.normpath(os.path.join(b"/", name)) == os.path.join(b"/", name)  # noqa: PTH118
    if not inside or b"\0" in name or not name or name.startswith(b"/") or b".git/" in name + b"/":
        return False
    path = Path(os.fsdecode(os.fsencode(tree) + b"/" + name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return False
        path.write_text("x\n")
    except OSError:
        return False
    return True


async def test_a_branch_is_pushed_under_its_own_name_only(
    hosted: Workspace, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await work(hosted)
    handover = await over(hosted)
    for name in (*REFS, *SHELL, "main"):
        with pytest.raises(HandoverRefused):
            await push(handover, access=forge.access(), branch=name, expect=None, forbidden=["main"])
    calls = recorded(tmp_path, monkeypatch)
    await push(handover, access=forge.access(), branch="fix", expect=None, forbidden=["main"])
    every = calls.read_bytes().decode().split("\0=\0")[:-1]
    (call,) = [one for one in every if "\0push\0" in one]
    arguments = call.split("\0")
    at = arguments.index("--end-of-options")
    assert arguments[at + 1 :] == [forge.url(), f"{handover.head}:refs/heads/fix"]
    assert "--force-with-lease=refs/heads/fix:" in arguments[:at]
    assert forge.branches() == {"refs/heads/main", "refs/heads/fix"}


@pytest.mark.parametrize(
    ("path", "care"),
    [
        (".github/workflows/ci.yml", Care.WORKFLOW),
        (".GitHub/Workflows/ci.yml", Care.WORKFLOW),
        (".github/actions/x/action.yml", Care.WORKFLOW),
        (".github/dependabot.yml", None),
        ("CODEOWNERS", Care.OWNERS),
        (".github/CODEOWNERS", Care.OWNERS),
        ("src/CODEOWNERS", None),
        (".gitmodules", Care.SUBMODULE),
        (".claude/settings.json", Care.AGENT),
        ("web/.claude/hooks/x.sh", Care.AGENT),
        ("CLAUDE.md", Care.AGENT),
        ("web/CLAUDE.team.md", Care.AGENT),
        (".mcp.json", Care.AGENT),
        (".husky/pre-commit", Care.HOOK),
        (".pre-commit-config.yaml", Care.HOOK),
        (".gitattributes", Care.GIT),
        (".lfsconfig", Care.GIT),
        ("web/yarn.lock", Care.LOCK_FILE),
        ("requirements/dev.txt", None),
        ("requirements-dev.txt", Care.LOCK_FILE),
        ("Cargo.lock", Care.LOCK_FILE),
        ("web/Dockerfile.dev", Care.BUILD),
        (".npmrc", Care.BUILD),
        (".env.production", Care.BUILD),
        ("search.py", None),
    ],
)
def test_which_files_deserve_a_second_look(path: str, care: Care | None) -> None:
    assert care_for(path) is care


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("a", "/etc/passwd", True),
        ("a", "../x", True),
        ("d/a", "../x", False),
        ("d/a", "../../x", True),
        ("d/a", "b/../../../x", True),
        ("a", "./b", False),
        ("a", "~/x", True),
        ("a", "C:x", True),
        ("a", "\\x", True),
        ("a", "b", False),
    ],
)
def test_which_links_lead_out(path: str, target: str, expected: bool) -> None:
    assert leads_out(path, target) is expected
