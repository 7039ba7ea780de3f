"""Lock files that a git left behind when it was killed, or the machine went down."""

import time
from pathlib import Path

STALE_S = 600.0
"""Older than any call of git may get."""


def drop_locks(git_dir: Path, *, older_than_s: float = 0.0) -> None:
    """Remove the locks of an index and of refs.

    Args:
        older_than_s: 0 only where no other git can be at work.
    """
    before = time.time() - older_than_s
    names = ("index.lock", "HEAD.lock", "packed-refs.lock", "shallow.lock", "config.lock")
    for lock in (*(git_dir / name for name in names), *(git_dir / "refs").rglob("*.lock")):
        if _made_at(lock) <= before:
            lock.unlink(missing_ok=True)


def _made_at(lock: Path) -> float:
    """When it was made; never, if it is gone."""
    try:
        return lock.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
