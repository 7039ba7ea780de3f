"""The tree that an agent works in, and its own `.git`, made new from what we trust."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from core.workspace.git import git

_SETTINGS = (("gc.auto", "0"), ("user.name", "Threadline"), ("user.email", "threadline@localhost"))


async def make_tree(tree: Path, source: Path, commit: str, branch: str, copying: str) -> None:
    """A clone on `branch` at `commit` with its own copy of all objects: shared ones an agent could forge."""
    await _make_git(tree, source, copying)
    await git("checkout", "--quiet", "--no-track", "-B", branch, commit, cwd=tree)


async def renew_git(tree: Path, source: Path, branch: str, *, only_if_missing: bool = False) -> None:
    """Give the tree a new `.git` that stands at `branch` of `source`; its files stay as they are.

    What was there is moved away unread, so nothing in it is run, and nothing of it comes back.
    """
    own = tree / ".git"
    if only_if_missing and await asyncio.to_thread(_is_there, own):
        return
    async with in_the_making(tree.parent) as fresh:
        made = fresh / "made"
        await _make_git(made, source, "--no-local")
        await git("symbolic-ref", "HEAD", f"refs/heads/{branch}", cwd=made)
        await git("read-tree", "HEAD", cwd=made)
        await asyncio.to_thread(_exchange, made / ".git", own, fresh / "old")


async def _make_git(tree: Path, source: Path, copying: str) -> None:
    """A clone without files, remote, hooks and tags."""
    quiet = ("--quiet", "--template=", "--no-tags", "--no-checkout", copying)
    await git("clone", *quiet, "--", source, tree)
    await git("remote", "remove", "origin", cwd=tree)
    for name, value in _SETTINGS:
        await git("config", name, value, cwd=tree)


@asynccontextmanager
async def in_the_making(folder: Path) -> AsyncIterator[Path]:
    """A folder beside the real ones; gone afterwards, with what was not renamed out of it."""
    fresh = folder / f".{uuid4().hex}"
    await asyncio.to_thread(fresh.mkdir, parents=True)
    try:
        yield fresh
    finally:
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)


def _exchange(new: Path, place: Path, old: Path) -> None:
    if _is_there(place):
        place.rename(old)
    new.rename(place)


def _is_there(path: Path) -> bool:
    """Also a link that leads nowhere."""
    return path.is_symlink() or path.exists()
