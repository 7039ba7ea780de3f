"""The git half of the GitHub stand-in: what it does in its bare repositories, with real git."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ALONE = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
"""Settings of the machine count for nothing."""

_IDENTITY = {"GIT_AUTHOR_NAME": "GitHub", "GIT_AUTHOR_EMAIL": "noreply@github.test"}
_IDENTITY |= {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.test"}
_WHOSE = "%an%x00%ae%x00%aI%x00%B"


class GitFailed(Exception):
    """git said no; `code` is its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


async def run(
    folder: Path,
    *arguments: str,
    stdin: bytes = b"",
    ok: tuple[int, ...] = (0,),
    more: Mapping[str, str] | None = None,
) -> str:
    """What `git ARGUMENTS` prints in a bare repository, without the last newline."""
    process = await asyncio.create_subprocess_exec(
        "git",
        "--git-dir",
        str(folder),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **ALONE, **_IDENTITY, **(more or {})},
    )
    out, err = await process.communicate(stdin)
    if process.returncode not in ok:
        raise GitFailed(err.decode(errors="replace").strip() or "git failed", process.returncode or 1)
    return out.decode(errors="replace").removesuffix("\n")


async def clone(source: Path, bare: Path) -> None:
    """Copy a repository into a new bare one."""
    await run(bare, "clone", "--quiet", "--bare", str(source), str(bare))


@dataclass(frozen=True, slots=True)
class Change:
    """What a branch changes: (path, added, deleted) of each file."""

    files: tuple[tuple[str, int, int], ...]

    @property
    def additions(self) -> int:
        return sum(added for _, added, _ in self.files)

    @property
    def deletions(self) -> int:
        return sum(deleted for _, _, deleted in self.files)


async def head_of(folder: Path, branch: str) -> str | None:
    """The commit of a branch; None if there is no such branch."""
    found = await run(folder, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", ok=(0, 1))
    return found or None


async def change_of(folder: Path, base: str, head: str) -> Change:
    """What `head` changes since it left `base`."""
    listed = await run(folder, "diff", "--numstat", "-z", "--no-renames", f"{base}...{head}")
    files = []
    for line in listed.split("\0"):
        if line:
            added, deleted, path = line.split("\t", 2)
            files.append((path, int(added) if added != "-" else 0, int(deleted) if deleted != "-" else 0))
    return Change(tuple(files))


async def commits_of(folder: Path, base: str, head: str) -> list[str]:
    """The commits of `head` that `base` lacks, oldest first; without merges."""
    between = f"{base}..{head}"
    return (await run(folder, "rev-list", "--reverse", "--topo-order", "--no-merges", between)).split()


async def has(folder: Path, base: str, head: str, sha: str) -> bool:
    """Whether a commit is one of those that `head` has and `base` lacks."""
    return sha in (await run(folder, "rev-list", f"{base}..{head}")).split()


async def conflicts(folder: Path, base: str, head: str) -> bool:
    """Whether the two do not merge by themselves."""
    return await _merged(folder, base, head) is None


async def _merged(folder: Path, ours: str, theirs: str) -> str | None:
    """The tree of the two together; None if they do not merge by themselves."""
    try:
        found = await run(folder, "merge-tree", "--write-tree", "--no-messages", ours, theirs)
    except GitFailed as error:
        if error.code == 1:
            return None
        raise
    return found.splitlines()[0]


async def is_behind(folder: Path, base: str, head: str) -> bool:
    """Whether `base` has commits that `head` lacks."""
    return await run(folder, "rev-list", "--count", f"{head}..{base}") != "0"


async def merge(folder: Path, base: str, head: str, *, method: str, message: str) -> str | None:
    """Bring `head` into the branch `base` as GitHub does; the new commit, None if it does not go."""
    old = await run(folder, "rev-parse", f"refs/heads/{base}")
    if method == "rebase":
        new = await _replayed(folder, old, head)
    else:
        parents = ["-p", old] + (["-p", head] if method == "merge" else [])
        tree = await _merged(folder, old, head)
        new = tree and await run(folder, "commit-tree", tree, *parents, stdin=message.encode())
    if new:
        await run(folder, "update-ref", f"refs/heads/{base}", new, old)
    return new or None


async def _replayed(folder: Path, onto: str, head: str) -> str | None:
    """Each commit of `head` once more on top of `onto`, by the same people."""
    for sha in await commits_of(folder, onto, head):
        author, email, at, message = (
            await run(folder, "show", "--no-patch", f"--format={_WHOSE}", sha)
        ).split("\0", 3)
        # With the parent of the commit below it, merging brings in that one commit alone.
        side = await run(folder, "commit-tree", f"{onto}^{{tree}}", "-p", f"{sha}^", stdin=b"onto")
        tree = await _merged(folder, side, sha)
        if tree is None:
            return None
        if tree == await run(folder, "rev-parse", f"{onto}^{{tree}}"):
            continue
        whose = {"GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": email, "GIT_AUTHOR_DATE": at}
        onto = await run(folder, "commit-tree", tree, "-p", onto, stdin=message.encode(), more=whose)
    return onto


async def update(folder: Path, branch: str, base: str) -> str | None:
    """Merge `base` into `branch`; its new head, None if it does not go."""
    old = await run(folder, "rev-parse", f"refs/heads/{branch}")
    onto = await run(folder, "rev-parse", f"refs/heads/{base}")
    tree = await _merged(folder, old, onto)
    if tree is None:
        return None
    text = f"Merge branch '{base}' into {branch}".encode()
    new = await run(folder, "commit-tree", tree, "-p", old, "-p", onto, stdin=text)
    await run(folder, "update-ref", f"refs/heads/{branch}", new, old)
    return new


async def commit(folder: Path, branch: str, files: Mapping[str, str], message: str) -> str:
    """Commit whole files on a branch, which is made from the default one if it is not there."""
    old = await head_of(folder, branch) or await run(folder, "rev-parse", "HEAD")
    index = folder / f"index.{os.urandom(8).hex()}"
    apart = {"GIT_INDEX_FILE": str(index)}
    try:
        await run(folder, "read-tree", old, more=apart)
        for path, text in files.items():
            blob = await run(folder, "hash-object", "-w", "--stdin", stdin=text.encode())
            entry = f"100644,{blob},{path}"
            await run(folder, "update-index", "--add", "--cacheinfo", entry, more=apart)
        tree = await run(folder, "write-tree", more=apart)
    finally:
        index.unlink(missing_ok=True)
    new = await run(folder, "commit-tree", tree, "-p", old, stdin=message.encode())
    await run(folder, "update-ref", f"refs/heads/{branch}", new)
    return new
