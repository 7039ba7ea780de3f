"""Writes that GitHub takes without a key of ours: looked up after a failure before they are made again."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from github.errors import GitHubError, Transient
from github.pace import Pace

ATTEMPTS: Final = 2
SETTLE_S: Final = 2.0
"""What was under way when the connection broke may still be written for a moment."""

T = TypeVar("T")


async def once(pace: Pace, act: Callable[[], Awaitable[T]], probe: Callable[[], Awaitable[T | None]]) -> T:
    """Do `act`; if nobody knows whether it was done, ask `probe` before doing it a second time.

    Args:
        act: Sends the write.
        probe: What the write made, read from GitHub; None if it was not done.

    Raises:
        Transient: With `maybe_done` unless it surely was not done.
        GitHubError: GitHub refused.
    """
    for _ in range(ATTEMPTS):
        try:
            return await act()
        except Transient as trouble:
            if not trouble.maybe_done:
                raise
        await pace.sleep(SETTLE_S)
        done = await _looked(probe)
        if done is not None:
            return done
    raise Transient(f"no answer to {ATTEMPTS} attempts", maybe_done=True)


async def _looked(probe: Callable[[], Awaitable[T | None]]) -> T | None:
    try:
        return await probe()
    except GitHubError as blind:
        raise Transient(f"nobody knows whether it was done: {blind}", maybe_done=True) from None


def marker(op: str) -> str:
    """The line in a text of ours that says which wish made it; people do not see it."""
    return f"<!-- op:{op} -->"


def marked(body: str, op: str) -> str:
    """`body` with the marker of `op` at its end."""
    return f"{body}\n\n{marker(op)}" if body else marker(op)
