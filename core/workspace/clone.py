"""A private clone per session, made from a cache of each repository."""

import asyncio
import re
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from core.errors import WorkspaceError
from core.ids import SessionId
from core.workspace.git import git

_NAME = re.compile(r"[^a-z0-9]+")
_BRANCH = re.compile(r"(?!-)[^\s~^:?*\[\\\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A session's clone.

    Attributes:
        path: The agent's working tree, with a `.git` of its own that nobody else trusts.
        host_git: Our own git folder for the same tree, out of the agent's reach.
        branch: The session's branch.
        base_sha: The commit it started from.
    """

    path: Path
    host_git: Path
    branch: str
    base_sha: str


class Workspaces:
    """Clones below `root`: `repositories/` holds the caches, `sessions/<id>/` what a session has."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._fetching: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def prepare(self, session: SessionId, url: str, base: str, branch: str) -> Workspace:
        """The session's workspace: on `branch`, which starts at the newest `base`; the same one every time.

        A crash in between leaves nothing half-made: everything appears under its name when it is whole.

        Args:
            url: Of the repository: https, ssh, or a local path.
            base: A branch of the repository.
            branch: A name for the session's own branch.

        Raises:
            WorkspaceError: git could not do it.
        """
        if not _BRANCH.fullmatch(base) or not _BRANCH.fullmatch(branch):
            raise WorkspaceError("not a branch name", last_line=f"not a valid branch name: {base} {branch}")
        folder = self._root / "sessions" / session
        if not (folder / "host.git").is_dir():
            cache = await self._fresh_cache(url)
            await self._make(folder, cache, base, branch)
        workspace = await self._found(folder)
        if not workspace.path.is_dir():
            await self._restore_tree(workspace)
        return workspace

    async def existing(self, session: SessionId) -> Workspace | None:
        """The session's workspace if it was ever made; nothing is fetched or restored.

        Raises:
            WorkspaceError: git could not read it.
        """
        folder = self._root / "sessions" / session
        return await self._found(folder) if (folder / "host.git").is_dir() else None

    async def _found(self, folder: Path) -> Workspace:
        host = folder / "host.git"
        base_sha = await git("--git-dir", host, "rev-parse", "--verify", "refs/threadline/base")
        branch = await git("--git-dir", host, "symbolic-ref", "--short", "HEAD")
        return Workspace(folder / "workspace", host, branch, base_sha)

    async def _fresh_cache(self, url: str) -> Path:
        """The repository's bare cache, fetched just now."""
        cache = self._root / "repositories" / _cache_name(url)
        async with self._fetching[cache]:
            if not cache.is_dir():
                await self._clone_cache(cache, url)
            else:
                # No pruning: sessions may stand on what its owner has deleted since.
                await git(
                    "--git-dir",
                    cache,
                    "fetch",
                    "--quiet",
                    "--tags",
                    "--force",
                    url,
                    "+refs/heads/*:refs/heads/*",
                )
        return cache

    async def _clone_cache(self, cache: Path, url: str) -> None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        fresh = cache.with_name(f".{cache.name}.{uuid4().hex}")
        try:
            await git("clone", "--quiet", "--mirror", "--template=", "--", url, fresh)
            # The address may carry a login, and it comes with every call anyway.
            await git("--git-dir", fresh, "remote", "remove", "origin")
            await asyncio.to_thread(fresh.rename, cache)
        finally:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)

    async def _make(self, folder: Path, cache: Path, base: str, branch: str) -> None:
        """The tree first, our own git folder last: its being there says that both are whole."""
        async with _in_the_making(folder) as fresh:
            await self._make_tree(fresh / "workspace", cache, base, branch, "--no-hardlinks")
            await self._make_host(fresh / "host.git", cache, base, branch)
            await asyncio.to_thread(shutil.rmtree, folder / "workspace", ignore_errors=True)
            await asyncio.to_thread((fresh / "workspace").rename, folder / "workspace")
            await asyncio.to_thread((fresh / "host.git").rename, folder / "host.git")

    async def _restore_tree(self, workspace: Workspace) -> None:
        """The tree was deleted: make it again from what was committed last."""
        async with _in_the_making(workspace.path.parent) as fresh:
            branch, tree = workspace.branch, fresh / "workspace"
            await self._make_tree(tree, workspace.host_git, branch, branch, "--no-local")
            await asyncio.to_thread(tree.rename, workspace.path)

    async def _make_tree(self, tree: Path, source: Path, base: str, branch: str, copying: str) -> None:
        """A clone with its own copy of all objects: with shared ones the agent could forge the cache."""
        quiet = ("--quiet", "--template=", "--no-tags", copying)
        await git("clone", *quiet, "--branch", base, "--", source, tree)
        await git("checkout", "--quiet", "--no-track", "-B", branch, cwd=tree)
        await git("remote", "remove", "origin", cwd=tree)
        for name, value in (
            ("gc.auto", "0"),
            ("user.name", "Threadline"),
            ("user.email", "threadline@localhost"),
        ):
            await git("config", name, value, cwd=tree)

    async def _make_host(self, host: Path, cache: Path, base: str, branch: str) -> None:
        await git("init", "--quiet", "--bare", "--template=", host)
        alternates = host / "objects" / "info" / "alternates"
        await asyncio.to_thread(_write, alternates, f"{cache / 'objects'}\n")
        base_sha = await git("--git-dir", cache, "rev-parse", "--verify", f"refs/heads/{base}^{{commit}}")
        await git("--git-dir", host, "update-ref", "refs/threadline/base", base_sha)
        await git("--git-dir", host, "update-ref", f"refs/heads/{branch}", base_sha)
        await git("--git-dir", host, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        await git("--git-dir", host, "read-tree", base_sha)


@asynccontextmanager
async def _in_the_making(folder: Path) -> AsyncIterator[Path]:
    """A folder beside the real ones; gone afterwards, with what was not renamed out of it."""
    fresh = folder / f".{uuid4().hex}"
    await asyncio.to_thread(fresh.mkdir, parents=True)
    try:
        yield fresh
    finally:
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _cache_name(url: str) -> str:
    """Readable, and unlike any other address's."""
    tail = _NAME.sub("-", url.removesuffix(".git").rsplit("/", 1)[-1].lower()).strip("-")
    return f"{tail[:40] or 'repository'}-{sha256(url.encode()).hexdigest()[:12]}.git"
