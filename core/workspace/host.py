"""Our own git folder of a session: what it remembers beside the branch, and git by its rules on the tree.

refs/threadline/base      the commit that the session's own change is counted from
refs/threadline/accepted  the newest commit that passed every check before leaving
refs/threadline/refused   the commit that did not, until the next one takes its place
refs/threadline/merging   the commit whose conflicts with ours the tree holds, for the agent to resolve
refs/threadline/upstream  the newest commit of the base branch that was taken in, or is being
refs/threadline/moving    what the agent's tree still has to become; there while it does, or after a crash
refs/threadline/theirs    what was fetched last
refs/threadline/made/ID   every commit that we made
refs/threadline/known/ID  every commit that people made at the code host and that we took in
"""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import WorkspaceError
from core.workspace.git import git
from core.workspace.names import looks_like_git
from core.workspace.tree import renew_git

_REFS = "refs/threadline/"
BASE, ACCEPTED, REFUSED = f"{_REFS}base", f"{_REFS}accepted", f"{_REFS}refused"
MERGING, UPSTREAM, MOVING, THEIRS = (f"{_REFS}{name}" for name in ("merging", "upstream", "moving", "theirs"))
MADE, KNOWN = f"{_REFS}made/", f"{_REFS}known/"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A session's clone.

    Attributes:
        path: The agent's working tree, with a `.git` of its own that nobody else trusts.
        host_git: Our own git folder for the same tree, out of the agent's reach.
        branch: The session's branch.
        base_sha: The commit that its change is counted from: where it started, until the base is merged in.
    """

    path: Path
    host_git: Path
    branch: str
    base_sha: str


@dataclass(frozen=True, slots=True)
class Marks:
    """Where our own refs stand; "" where one does not exist."""

    head: str = ""
    base: str = ""
    accepted: str = ""
    refused: str = ""
    merging: str = ""
    upstream: str = ""
    moving: str = ""
    made: frozenset[str] = frozenset()
    known: tuple[str, ...] = ()


async def host(workspace: Workspace, *arguments: str | Path, stdin: bytes = b"") -> str:
    """git in our own folder, with no tree."""
    return await git("--git-dir", workspace.host_git, *arguments, stdin=stdin)


async def on_tree(workspace: Workspace, *arguments: str, stdin: bytes = b"") -> str:
    """git on the agent's tree with our own git folder in force.

    Raises:
        WorkspaceError: git could not do it, or there is no tree.
    """
    if not workspace.path.is_dir():
        raise WorkspaceError("the workspace is gone", last_line=f"{workspace.path.name} does not exist")
    place = ("--git-dir", workspace.host_git, "--work-tree", workspace.path, "-c", "core.bare=false")
    return await git(*place, *arguments, cwd=workspace.path, stdin=stdin)


async def stage(workspace: Workspace) -> tuple[str, ...]:
    """Index what the tree holds, less what is ignored and what no commit can hold; that is returned.

    No commit can hold folders that are repositories themselves, and what git would take for its own folder.
    """
    left_out = await asyncio.to_thread(_left_out, workspace.path)
    await unlock(workspace)
    specs = [":/", *(f":(exclude,literal){path}" for path in left_out)]
    stdin = "\0".join(specs).encode(errors="surrogateescape")
    await on_tree(workspace, "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=stdin)
    return tuple(left_out)


async def settle(workspace: Workspace) -> Marks:
    """Bring the agent's tree to where it should be by now, and give it a `.git` for that.

    Only files that are not ignored change. No process of the agent may be alive.
    """
    known = await marks(workspace)
    if known.moving:
        await unlock(workspace)
        await on_tree(workspace, "read-tree", "--reset", "-u", known.moving)
        await renew_git(workspace.path, workspace.host_git, workspace.branch)
        await set_refs(workspace, {MOVING: ""})
    return replace(known, moving="")


async def unlock(workspace: Workspace) -> None:
    """Remove a lock of the index that a crash left behind: there is one at work at a time, and this is it."""
    await asyncio.to_thread((workspace.host_git / "index.lock").unlink, missing_ok=True)


async def marks(workspace: Workspace) -> Marks:
    """Read all our refs at once."""
    listed = await host(workspace, "for-each-ref", "--format=%(refname) %(objectname)", _REFS, "refs/heads/")
    refs = dict(line.split(" ") for line in listed.splitlines())
    return Marks(
        head=refs.get(f"refs/heads/{workspace.branch}", ""),
        base=refs.get(BASE, ""),
        accepted=refs.get(ACCEPTED, ""),
        refused=refs.get(REFUSED, ""),
        merging=refs.get(MERGING, ""),
        upstream=refs.get(UPSTREAM, ""),
        moving=refs.get(MOVING, ""),
        made=frozenset(id_ for name, id_ in refs.items() if name.startswith(MADE)),
        known=tuple(id_ for name, id_ in refs.items() if name.startswith(KNOWN)),
    )


async def set_refs(workspace: Workspace, refs: Mapping[str, str], *, was: str | None = None) -> None:
    """Set all of them or none; "" deletes one.

    Args:
        was: Where the session's branch must still stand.
    """
    lines = [f"update {name}\0{id_}\0\0" if id_ else f"delete {name}\0\0" for name, id_ in refs.items()]
    branch = f"refs/heads/{workspace.branch}"
    if was is not None:
        lines = [line for line in lines if not line.startswith(f"update {branch}\0")]
        moved = f"update {branch}\0{refs[branch]}\0{was}\0" if branch in refs else f"verify {branch}\0{was}\0"
        lines.append(moved)
    await host(workspace, "update-ref", "--stdin", "-z", stdin="".join(lines).encode())


async def independent(workspace: Workspace, commits: Sequence[str]) -> list[str]:
    """Those that no other one of them holds, in their order."""
    wanted = list(dict.fromkeys(commits))
    if len(wanted) < 2:
        return wanted
    left = set((await host(workspace, "merge-base", "--independent", *wanted)).splitlines())
    return [one for one in wanted if one in left]


async def write_commit(
    workspace: Workspace, tree: str, parents: Iterable[str], message: str, environment: Mapping[str, str]
) -> str:
    """A commit in our own folder, on no branch yet."""
    on = [part for parent in parents for part in ("-p", parent)]
    text = message.encode(errors="replace")
    command = ("commit-tree", tree, *on)
    return await git("--git-dir", workspace.host_git, *command, environment=environment, stdin=text)


def _left_out(tree: Path) -> list[str]:
    """Paths below `tree` that git would take for links, or for which it would refuse the whole commit."""
    found = []
    for folder, folders, files in os.walk(tree):
        here = Path(folder)
        if here != tree and (".git" in folders or ".git" in files):
            found.append(here)
            folders.clear()
            continue
        odd = [name for name in (*folders, *files) if name != ".git" and looks_like_git(name)]
        found.extend(here / name for name in odd)
        folders[:] = [name for name in folders if name != ".git" and name not in odd]
    return sorted(str(path.relative_to(tree)) for path in found)
