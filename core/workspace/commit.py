"""Takes the state of a session's tree over into a commit of ours."""

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.activities import Author
from core.errors import WorkspaceError
from core.workspace.clone import Workspace
from core.workspace.git import git

COMMITTER = ("Threadline", "threadline@localhost")

_NUMBERS = re.compile(r"(\d+) (file|insertion|deletion)")
_UNSAFE = re.compile(r"[\x00-\x1f<>]+")
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
        left_out: Folders that are repositories of their own, and so not in it.
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


async def commit(workspace: Workspace, message: str, author: Author) -> Committed | None:
    """Commit the whole tree as it is now on the session's branch; None when nothing changed.

    Only our own git folder takes part: the agent's `.git`, with whatever hooks, filters, monitors and
    settings it holds, is neither read nor run. Calling it again after a crash finds nothing to do, or
    does what was left undone. Ignored files stay out; `left_out` names nested repositories.

    Raises:
        WorkspaceError: git could not do it.
    """
    head = await _host(workspace, "rev-parse", "--verify", "HEAD")
    left_out = await _stage(workspace)
    tree = await _host(workspace, "write-tree")
    if tree == await _host(workspace, "rev-parse", "--verify", f"{head}^{{tree}}"):
        return None
    sha = await _write_commit(workspace, tree, head, message, author)
    await _host(workspace, "update-ref", f"refs/heads/{workspace.branch}", sha, head)
    return await _committed(workspace, sha, head, left_out)


async def committed(workspace: Workspace) -> Committed | None:
    """The newest commit on the session's branch; None while there is none. For who died in `commit`."""
    head = await _host(workspace, "rev-parse", "--verify", "HEAD")
    if head == workspace.base_sha:
        return None
    return await _committed(workspace, head, f"{head}^", ())


async def diff(workspace: Workspace) -> str:
    """The session's change so far, base to branch head, as a patch; at most a million characters."""
    patch = await _host(
        workspace, "diff", "--no-ext-diff", "--no-textconv", "--no-color", workspace.base_sha, "HEAD"
    )
    return patch[:_DIFF_CHARS]


async def _stage(workspace: Workspace) -> tuple[str, ...]:
    """The index becomes what the tree holds, less the folders that are repositories themselves."""
    nested = await asyncio.to_thread(_nested, workspace.path)
    # A lock that a crash left behind: there is one commit at a time, and this is it.
    await asyncio.to_thread((workspace.host_git / "index.lock").unlink, missing_ok=True)
    specs = [":/", *(f":(exclude,literal){folder}" for folder in nested)]
    stdin = "\0".join(specs).encode(errors="surrogateescape")
    await _host(workspace, "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=stdin)
    return tuple(nested)


def _nested(tree: Path) -> list[str]:
    """Folders below `tree` with a `.git` of their own; git would take them for links, or refuse them."""
    found = []
    for folder, folders, files in os.walk(tree):
        here = Path(folder)
        if here != tree and (".git" in folders or ".git" in files):
            found.append(str(here.relative_to(tree)))
            folders.clear()
        elif ".git" in folders:
            folders.remove(".git")
    return sorted(found)


async def _write_commit(workspace: Workspace, tree: str, parent: str, message: str, author: Author) -> str:
    name, email = COMMITTER
    identity = {
        "GIT_AUTHOR_NAME": _safe(author.name) or name,
        "GIT_AUTHOR_EMAIL": _safe(author.email or "") or email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
    text = message.replace("\0", "").encode()
    return await git(
        "--git-dir", workspace.host_git, "commit-tree", tree, "-p", parent, environment=identity, stdin=text
    )


async def _committed(workspace: Workspace, sha: str, parent: str, left_out: tuple[str, ...]) -> Committed:
    turn = await _stat(workspace, parent, sha)
    return Committed(sha, turn, await _stat(workspace, workspace.base_sha, sha), left_out)


async def _stat(workspace: Workspace, old: str, new: str) -> Stat:
    line = await _host(workspace, "diff", "--shortstat", "--no-ext-diff", "--no-textconv", old, new)
    numbers = {kind: int(number) for number, kind in _NUMBERS.findall(line)}
    return Stat(numbers.get("file", 0), numbers.get("insertion", 0), numbers.get("deletion", 0))


async def _host(workspace: Workspace, *arguments: str, stdin: bytes = b"") -> str:
    """git on the agent's tree with our own git folder in force."""
    if not workspace.path.is_dir():
        raise WorkspaceError("the workspace is gone", last_line=f"{workspace.path.name} does not exist")
    place = ("--git-dir", workspace.host_git, "--work-tree", workspace.path, "-c", "core.bare=false")
    return await git(*place, *arguments, cwd=workspace.path, stdin=stdin)


def _safe(text: str) -> str:
    return " ".join(_UNSAFE.sub(" ", text).split())
