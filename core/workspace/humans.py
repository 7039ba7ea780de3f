"""Catches up with people: what they pushed to the session's branch, and what happened on its base.

Whatever they did stays: their commits are merged, or followed, and never replaced. No git runs with the
agent's settings, and no process of the agent may be alive meanwhile.
"""

from dataclasses import dataclass

from core.errors import WorkspaceError
from core.ports import GitAccess
from core.workspace.clone import Workspace
from core.workspace.git import is_ancestor, run_git
from core.workspace.host import (
    BASE,
    KNOWN,
    MADE,
    MERGING,
    MOVING,
    REFUSED,
    THEIRS,
    UPSTREAM,
    Marks,
    host,
    marks,
    on_tree,
    set_refs,
    settle,
    stage,
    write_commit,
)
from core.workspace.message import Credits, message_of, variables
from core.workspace.names import shown
from core.workspace.remote import fetch

_OURS = Credits()


@dataclass(frozen=True, slots=True)
class United:
    """The branch is at `sha` and holds both sides. `moved`: it was elsewhere; the agent's tree followed."""

    sha: str
    moved: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides changed the same; the branch is where it was.

    Attributes:
        paths: Where they disagree, as people may read them.
        theirs: The other side's commit.
        marked: The agent's tree holds both, with conflict markers; the next commit makes a merge of it.
    """

    paths: tuple[str, ...]
    theirs: str
    marked: bool = False


async def bring_in(
    workspace: Workspace,
    head: str,
    *,
    access: GitAccess,
    branch: str | None = None,
    pushed: str | None = None,
    credits_: Credits = _OURS,
    leave_markers: bool = False,
) -> United | Conflict:
    """Take in what people pushed to the session's branch.

    Safe to repeat. What the agent did has to be committed before. Conflicts that the agent was given before
    and has not settled are told again.

    Args:
        head: The commit at which the branch is at the code host.
        branch: Its name there, if that is another one.
        pushed: The one to which we brought it. If ours ends there, theirs counts as it is, even where they
            rewrote it; without it, theirs is merged.
        credits_: Whom a merge names.
        leave_markers: Give the agent the conflicts to resolve.

    Raises:
        WorkspaceError: git could not do it, or there is work that is not committed.
    """
    known = await settle(workspace)
    if known.merging == head:
        return await _unsettled(workspace, known)
    await _check_committed(workspace, known)
    name = branch or workspace.branch
    newest = await fetch(workspace, access.url, name, access)
    if newest != head and not await is_ancestor(workspace.host_git, head, newest):
        raise WorkspaceError("moved on", last_line="the branch moved on meanwhile")
    took_in = {f"{KNOWN}{head}": head}
    if known.head == pushed and head != pushed:
        return await _follow(workspace, known, head, took_in | await _rebased(workspace, known, head))
    message = f"Merge what people pushed to {name}"
    return await _unite(workspace, known, head, took_in, message, credits_, leave_markers=leave_markers)


async def update_from_base(
    workspace: Workspace,
    url: str,
    base: str,
    *,
    access: GitAccess | None = None,
    credits_: Credits = _OURS,
    leave_markers: bool = False,
) -> United | Conflict:
    """Take in what happened on the base branch; from then on the session's change is counted from there.

    Arguments and errors as in `bring_in`.
    """
    known = await settle(workspace)
    if known.merging and known.merging == known.upstream:
        return await _unsettled(workspace, known)
    await _check_committed(workspace, known)
    head = await fetch(workspace, url, base, access)
    if await is_ancestor(workspace.host_git, head, known.head):
        return United(known.head, moved=False)
    took_in = {f"{KNOWN}{head}": head, UPSTREAM: head, BASE: head}
    message = f"Merge {base} into {workspace.branch}"
    return await _unite(workspace, known, head, took_in, message, credits_, leave_markers=leave_markers)


async def holds_ours(workspace: Workspace, head: str, *, access: GitAccess, branch: str) -> bool:
    """Whether a branch at the code host, which is at `head`, has any commit of this session.

    Raises:
        WorkspaceError: Nobody answers, or it is gone.
    """
    if head in (await marks(workspace)).made:
        return True
    await fetch(workspace, access.url, branch, access)
    return bool(await host(workspace, "for-each-ref", "--count=1", f"--merged={THEIRS}", MADE))


async def _check_committed(workspace: Workspace, known: Marks) -> None:
    await stage(workspace)
    tree = await on_tree(workspace, "write-tree")
    if known.merging or tree != await host(workspace, "rev-parse", "--verify", f"{known.head}^{{tree}}"):
        raise WorkspaceError("uncommitted work", last_line="there is work that is not committed yet")


async def _unsettled(workspace: Workspace, known: Marks) -> Conflict:
    """The tree holds the conflicts since an earlier call; whoever made it may have died."""
    _, paths = await _merge(workspace, known.merging)
    return Conflict(paths, known.merging, marked=True)


async def _unite(
    workspace: Workspace,
    known: Marks,
    theirs: str,
    took_in: dict[str, str],
    message: str,
    credits_: Credits,
    *,
    leave_markers: bool,
) -> United | Conflict:
    if await is_ancestor(workspace.host_git, theirs, known.head):
        await set_refs(workspace, took_in)
        return United(known.head, moved=False)
    if await is_ancestor(workspace.host_git, known.head, theirs):
        return await _follow(workspace, known, theirs, took_in)
    tree, conflicts = await _merge(workspace, theirs)
    if conflicts and leave_markers:
        half_done = {MERGING: theirs, MOVING: tree}
        if UPSTREAM in took_in:
            half_done[UPSTREAM] = theirs
        await set_refs(workspace, half_done, was=known.head)
        await settle(workspace)
    if conflicts:
        return Conflict(conflicts, theirs, marked=leave_markers)
    text = message_of(message, credits_)
    sha = await write_commit(workspace, tree, (known.head, theirs), text, variables(credits_))
    return await _follow(workspace, known, sha, took_in | {f"{MADE}{sha}": sha})


async def _follow(workspace: Workspace, known: Marks, to: str, refs: dict[str, str]) -> United:
    """Move the branch, then the agent's tree; a crash in between is made good by whoever comes next."""
    moved = {f"refs/heads/{workspace.branch}": to, MOVING: to, **refs}
    if known.refused == known.head:  # It may not leave inside of something newer either.
        moved[REFUSED] = to
    await set_refs(workspace, moved, was=known.head)
    await settle(workspace)
    return United(to, moved=True)


async def _merge(workspace: Workspace, theirs: str) -> tuple[str, tuple[str, ...]]:
    """The merged tree, and the paths where it holds conflict markers."""
    how = ("--write-tree", "-z", "--name-only", "--no-messages")
    finished = await run_git("--git-dir", workspace.host_git, "merge-tree", *how, "HEAD", theirs)
    if finished.code not in (0, 1):
        line = shown(finished.err.decode(errors="replace").strip())
        raise WorkspaceError("git merge-tree failed", last_line=line)
    tree, *paths = finished.out.rstrip(b"\0").split(b"\0")
    return tree.decode(), tuple(dict.fromkeys(shown(path) for path in paths))


async def _rebased(workspace: Workspace, known: Marks, head: str) -> dict[str, str]:
    """The new base, where people took away the one that the session stood on."""
    if await is_ancestor(workspace.host_git, known.base, head):
        return {}
    return {BASE: await host(workspace, "merge-base", known.base, head)}
