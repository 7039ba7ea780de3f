"""Takes the state of a session's tree over into a commit of ours."""

import re
from dataclasses import dataclass

from core.workspace.clone import Workspace
from core.workspace.host import (
    BASE,
    KNOWN,
    MADE,
    MERGING,
    REFUSED,
    Marks,
    host,
    independent,
    marks,
    on_tree,
    set_refs,
    settle,
    stage,
    write_commit,
)
from core.workspace.message import Credits, message_of, variables

_NUMBERS = re.compile(r"(\d+) (file|insertion|deletion)")
_DIFF_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class Stat:
    """How much a diff changes."""

    files: int = 0
    insertions: int = 0
    deletions: int = 0

    def __str__(self) -> str:
        return f"{self.files} {'file' if self.files == 1 else 'files'} +{self.insertions} −{self.deletions}"


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit on the session's branch.

    Attributes:
        sha: Its full id.
        turn: What it changes itself.
        session: What the branch changes since its base.
        left_out: What no commit can hold: folders that are repositories of their own, and what git would
            take for its own folder.
    """

    sha: str
    turn: Stat
    session: Stat
    left_out: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        return self.session.files

    @property
    def insertions(self) -> int:
        return self.session.insertions

    @property
    def deletions(self) -> int:
        return self.session.deletions

    @property
    def stat_line(self) -> str:
        """The whole session's change: "3 files +41 −6"."""
        return str(self.session)


async def commit(workspace: Workspace, message: str, credits_: Credits) -> Committed | None:
    """Commit the whole tree as it is now on the session's branch; None when nothing changed.

    Only our own git folder takes part: the agent's `.git`, with whatever hooks, filters, monitors and
    settings it holds, is neither read nor run. Calling it again after a crash finds nothing to do, or
    does what was left undone. Ignored files stay out; `left_out` names what no commit can hold.

    A commit that may not leave is replaced, so that what was wrong with it is in no history. A merge
    whose conflicts the tree was given becomes one.

    Raises:
        WorkspaceError: git could not do it.
    """
    known = await settle(workspace)
    left_out = await stage(workspace)
    tree = await on_tree(workspace, "write-tree")
    if tree == await host(workspace, "rev-parse", "--verify", f"{known.head}^{{tree}}") and not known.merging:
        return None
    parents = await _parents(workspace, known)
    first_tree = await host(workspace, "rev-parse", "--verify", f"{parents[0]}^{{tree}}")
    done = _done(known)
    branch = f"refs/heads/{workspace.branch}"
    if len(parents) == 1 and tree == first_tree:  # What may not leave was taken back.
        await set_refs(workspace, {branch: parents[0], **done}, was=known.head)
        return None
    text = message_of(message, credits_)
    sha = await write_commit(workspace, tree, parents, text, variables(credits_))
    await set_refs(workspace, {branch: sha, f"{MADE}{sha}": sha, **done}, was=known.head)
    return await _committed(workspace, sha, parents[0], left_out)


async def committed(workspace: Workspace) -> Committed | None:
    """The newest commit on the session's branch; None while there is none. For who died in `commit`."""
    known = await marks(workspace)
    if known.head == known.base:
        return None
    return await _committed(workspace, known.head, f"{known.head}^", ())


async def diff(workspace: Workspace) -> str:
    """The session's change so far, base to branch head, as a patch; at most a million characters."""
    patch = await host(workspace, "diff", "--no-ext-diff", "--no-textconv", "--no-color", BASE, "HEAD")
    return patch[:_DIFF_CHARS]


def _done(known: Marks) -> dict[str, str]:
    """Our refs after the commit, besides the branch."""
    refs = {REFUSED: "", MERGING: ""}
    if known.merging:
        refs[f"{KNOWN}{known.merging}"] = known.merging
    return refs | ({BASE: known.merging} if known.merging and known.merging == known.upstream else {})


async def _parents(workspace: Workspace, known: Marks) -> list[str]:
    """What the next commit stands on; first the branch as it was, or what of it may stay."""
    stands_on = [known.head]
    if known.refused == known.head:
        stands_on = [known.accepted or known.base, *await _taken_in(workspace)]
    return await independent(workspace, [*stands_on, *filter(None, [known.merging])])


async def _taken_in(workspace: Workspace) -> list[str]:
    """What people made and the branch holds: it stays, whatever of ours goes."""
    listed = await host(
        workspace, "for-each-ref", "--format=%(objectname)", "--merged=HEAD", "refs/threadline/known/"
    )
    return listed.splitlines()


async def _committed(workspace: Workspace, sha: str, parent: str, left_out: tuple[str, ...]) -> Committed:
    turn = await _stat(workspace, parent, sha)
    return Committed(sha, turn, await _stat(workspace, BASE, sha), left_out)


async def _stat(workspace: Workspace, old: str, new: str) -> Stat:
    line = await host(workspace, "diff", "--shortstat", "--no-ext-diff", "--no-textconv", old, new)
    numbers = {kind: int(number) for number, kind in _NUMBERS.findall(line)}
    return Stat(numbers.get("file", 0), numbers.get("insertion", 0), numbers.get("deletion", 0))
