"""Pushes one branch from a clean repository: never over people's commits, never to a branch of others."""

from collections.abc import Collection
from dataclasses import replace

from core.errors import WorkspaceError
from core.ports import GitAccess
from core.redact import Redactor
from core.workspace.git import GitTimedOut, is_ancestor, run_git
from core.workspace.handover import Handover, HandoverRefused
from core.workspace.names import is_own_branch, shown
from core.workspace.outcomes import (
    LeaseLost,
    Outcome,
    Pushed,
    Refusal,
    RefusedByHost,
    Stale,
    Unreachable,
    read_push,
)
from core.workspace.remote import PATIENCE_S, remote_head

__all__ = ["LeaseLost", "Outcome", "Pushed", "Refusal", "RefusedByHost", "Unreachable", "push"]

TRIES = 2


async def push(
    handover: Handover,
    *,
    access: GitAccess,
    branch: str,
    expect: str | None,
    forbidden: Collection[str],
    timeout_s: float = PATIENCE_S,
) -> Outcome:
    """Bring `branch` at the code host to the head of `handover`, if it still is where we left it.

    When an answer is lost, the host is asked where the branch is before anything is repeated.

    Args:
        access: For this push only.
        expect: The commit at which the branch is there, None if it is not.
        forbidden: Names of branches that are not ours: the default one, protected ones.
        timeout_s: For each single call.

    Raises:
        HandoverRefused: It is no branch of ours.
    """
    _check(branch, forbidden)
    if (
        expect
        and expect != handover.head
        and not await is_ancestor(handover.repository, expect, handover.head)
    ):
        return LeaseLost(expect)  # To push would take their commits away.
    outcome: Outcome = Unreachable("")
    for _ in range(TRIES):
        outcome = await _push_once(handover, access, branch, expect, timeout_s)
        if not isinstance(outcome, Unreachable):
            return outcome
        try:
            head = await remote_head(access.url, branch, access, timeout_s=timeout_s)
        except WorkspaceError:
            return outcome
        if head == handover.head:
            return Pushed(head, was_there=True)
        if head != expect:
            return LeaseLost(head)
        outcome = replace(outcome, maybe_done=False)
    return outcome


def _check(branch: str, forbidden: Collection[str]) -> None:
    names = {name.removeprefix("refs/heads/").casefold() for name in forbidden}
    if not is_own_branch(branch):
        raise HandoverRefused([f"`{shown(branch)}` is no name for a branch of ours."])
    if branch.casefold() in names:
        raise HandoverRefused([f"I never push to `{branch}`."])


async def _push_once(
    handover: Handover, access: GitAccess, branch: str, expect: str | None, timeout_s: float
) -> Outcome:
    name = f"refs/heads/{branch}"
    how = ("--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", "--no-signed")
    lease = f"--force-with-lease={name}:{expect or ''}"
    command = ("push", *how, lease, "--end-of-options", access.url, f"{handover.head}:{name}")
    try:
        done = await run_git("--git-dir", handover.repository, *command, timeout_s=timeout_s, access=access)
    except GitTimedOut as error:
        return Unreachable(error.last_line, maybe_done=True)
    redact = Redactor([access.token])
    out, err = (redact(text.decode(errors="replace")) for text in (done.out, done.err))
    outcome = read_push(done.code, out, err, handover.head)
    if not isinstance(outcome, Stale):
        return outcome
    try:
        head = await remote_head(access.url, branch, access, timeout_s=timeout_s)
    except WorkspaceError as error:
        return Unreachable(error.last_line)
    return Pushed(handover.head, was_there=True) if head == handover.head else LeaseLost(head)
