"""Asks the code host where branches are, and fetches them into our own git folder."""

from itertools import accumulate, count

from core.errors import WorkspaceError
from core.ports import GitAccess
from core.workspace.git import git
from core.workspace.host import THEIRS, Workspace, host
from core.workspace.names import BRANCH_CHARS, is_branch, shown

PATIENCE_S = 120.0


async def remote_head(
    url: str, branch: str, access: GitAccess | None = None, *, timeout_s: float = PATIENCE_S
) -> str | None:
    """The commit at which `branch` is there now; None if there is no such branch.

    Raises:
        WorkspaceError: Nobody can tell.
    """
    if not is_branch(branch):
        raise WorkspaceError("not a branch name", last_line=f"not a valid branch name: {shown(branch)}")
    name = f"refs/heads/{branch}"
    quiet = ("ls-remote", "--quiet", "--refs", "--end-of-options")
    listed = await git(*quiet, access.url if access else url, name, timeout_s=timeout_s, access=access)
    # A pattern also matches at the end of longer names.
    heads = (line.split("\t", 1) for line in listed.splitlines())
    return next((sha for sha, ref in heads if ref == name), None)


async def free_name(url: str, taken: str, access: GitAccess | None = None) -> str:
    """A name like `taken` that no branch has there, nor any folder of branches: "fix-2".

    Raises:
        WorkspaceError: Nobody can tell.
    """
    root = taken[: BRANCH_CHARS - 10].rstrip("./-")
    flat, parents = root.replace("/", "-"), list(accumulate(root.split("/")[:-1], "{}/{}".format))
    patterns = [f"refs/heads/{name}" for name in (f"{root}-*", f"{flat}-*", *parents)]
    quiet = ("ls-remote", "--quiet", "--refs", "--end-of-options")
    listed = await git(*quiet, access.url if access else url, *patterns, access=access)
    heads = {line.split("\t", 1)[1].removeprefix("refs/heads/") for line in listed.splitlines()}
    # A branch called like one of its folders leaves no place for it.
    stem = flat if heads.intersection(parents) else root
    names = (f"{stem}-{number}" for number in count(2))
    return next(one for one in names if not any(f"{head}/".startswith(f"{one}/") for head in heads))


async def fetch(workspace: Workspace, url: str, branch: str, access: GitAccess | None) -> str:
    """Fetch a branch into the session's own git folder; the commit at which it is.

    Raises:
        WorkspaceError: Nobody answers, or there is no such branch.
    """
    if not is_branch(branch):
        raise WorkspaceError("not a branch name", last_line=f"not a valid branch name: {shown(branch)}")
    quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options")
    source, refspec = access.url if access else url, f"+refs/heads/{branch}:{THEIRS}"
    await git("--git-dir", workspace.host_git, "fetch", *quiet, source, refspec, access=access)
    return await host(workspace, "rev-parse", "--verify", f"{THEIRS}^{{commit}}")
