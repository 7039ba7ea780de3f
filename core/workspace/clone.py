"""A private clone per session, made from a cache of each repository."""

import asyncio
import re
import shutil
from collections import defaultdict
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from core.errors import WorkspaceError
from core.ids import SessionId
from core.ports import GitAccess
from core.workspace.git import git, run_git
from core.workspace.host import Workspace, settle
from core.workspace.locks import STALE_S, drop_locks
from core.workspace.names import is_branch, is_own_branch
from core.workspace.tree import in_the_making, make_tree, renew_git

__all__ = ["Access", "Workspace", "Workspaces"]

Access = Callable[[], Awaitable[GitAccess | None]]
"""How to reach a repository just now; None: as it is written in `threadline.toml`."""

_NAME = re.compile(r"[^a-z0-9]+")


class Workspaces:
    """Clones below `root`: `repositories/` holds the caches, `sessions/<id>/` what a session has."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._fetching: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def prepare(
        self, session: SessionId, url: str, base: str, branch: str, *, access: Access | None = None
    ) -> Workspace:
        """The session's workspace: on `branch`, which starts at the newest `base`; the same one every time.

        A crash in between leaves nothing half-made: everything appears under its name when it is whole.

        Args:
            url: Of the repository: https, ssh, or a local path.
            base: A branch of the repository.
            branch: A name for the session's own branch.
            access: Asked when the repository has to be fetched, which is once for each session. What it
                raises comes through.

        Raises:
            WorkspaceError: git could not do it.
        """
        if not is_branch(base) or not is_own_branch(branch):
            raise WorkspaceError("not a branch name", last_line=f"not a valid branch name: {base} {branch}")
        folder = self._root / "sessions" / session
        if not (folder / "host.git").is_dir():
            cache = await self._fresh_cache(url, await access() if access else None)
            await self._make(folder, cache, base, branch)
        workspace = await self._found(folder)
        if not workspace.path.is_dir():
            await self._restore_tree(workspace)
        # The session's turn begins: nobody else is at work in its folder.
        await asyncio.to_thread(drop_locks, workspace.host_git)
        await settle(workspace)
        await renew_git(workspace.path, workspace.host_git, workspace.branch, only_if_missing=True)
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

    async def _fresh_cache(self, url: str, access: GitAccess | None) -> Path:
        """The repository's bare cache, fetched just now."""
        cache = self._root / "repositories" / _cache_name(url)
        source = access.url if access else url
        async with self._fetching[cache]:
            if not cache.is_dir():
                await self._clone_cache(cache, source, access)
            else:
                await asyncio.to_thread(drop_locks, cache, older_than_s=STALE_S)
                # No pruning: sessions may stand on what its owner has deleted since.
                await git(
                    "--git-dir",
                    cache,
                    "fetch",
                    "--quiet",
                    "--tags",
                    "--force",
                    "--end-of-options",
                    source,
                    "+refs/heads/*:refs/heads/*",
                    access=access,
                )
        return cache

    async def _clone_cache(self, cache: Path, url: str, access: GitAccess | None) -> None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        fresh = cache.with_name(f".{cache.name}.{uuid4().hex}")
        try:
            await git("clone", "--quiet", "--mirror", "--template=", "--", url, fresh, access=access)
            # The address may carry a login, and it comes with every call anyway.
            await git("--git-dir", fresh, "remote", "remove", "origin")
            await asyncio.to_thread(fresh.rename, cache)
        finally:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)

    async def _make(self, folder: Path, cache: Path, base: str, branch: str) -> None:
        """The tree first, our own git folder last: its being there says that both are whole."""
        # Once for both: another session may fetch in between.
        base_sha = await _tip(cache, base)
        async with in_the_making(folder) as fresh:
            await make_tree(fresh / "workspace", cache, base_sha, branch, "--no-hardlinks")
            await self._make_host(fresh / "host.git", cache, base_sha, branch)
            await asyncio.to_thread(shutil.rmtree, folder / "workspace", ignore_errors=True)
            await asyncio.to_thread((fresh / "workspace").rename, folder / "workspace")
            await asyncio.to_thread((fresh / "host.git").rename, folder / "host.git")

    async def _restore_tree(self, workspace: Workspace) -> None:
        """The tree was deleted: make it again from what was committed last."""
        async with in_the_making(workspace.path.parent) as fresh:
            tree = fresh / "workspace"
            await make_tree(tree, workspace.host_git, "HEAD", workspace.branch, "--no-local")
            await asyncio.to_thread(tree.rename, workspace.path)

    async def _make_host(self, host: Path, cache: Path, base_sha: str, branch: str) -> None:
        await git("init", "--quiet", "--bare", "--template=", host)
        alternates = host / "objects" / "info" / "alternates"
        await asyncio.to_thread(_write, alternates, f"{cache / 'objects'}\n")
        await git("--git-dir", host, "update-ref", "refs/threadline/base", base_sha)
        await git("--git-dir", host, "update-ref", f"refs/heads/{branch}", base_sha)
        await git("--git-dir", host, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        await git("--git-dir", host, "read-tree", base_sha)


async def _tip(cache: Path, branch: str) -> str:
    asked = ("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
    found = await run_git("--git-dir", cache, *asked)
    if found.code != 0:
        raise WorkspaceError("no such branch", last_line=f"there is no branch {branch}")
    return found.out.decode().strip()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _cache_name(url: str) -> str:
    """Readable, and unlike any other address's."""
    tail = _NAME.sub("-", url.removesuffix(".git").rsplit("/", 1)[-1].lower()).strip("-")
    return f"{tail[:40] or 'repository'}-{sha256(url.encode()).hexdigest()[:12]}.git"
