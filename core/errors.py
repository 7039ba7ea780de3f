"""What can go wrong at the ports, split by what the caller does next.

ThreadlineError
  DeliveryError            a sink or surface could not show something
    TryLater               passing trouble; `maybe_done` if the call may have got through
    Throttled              the platform asks for a pause of `retry_after_s`
    TargetGone             nothing can be shown there any more: `code` names why
    Refused                this one thing will never be accepted
      HeadMoved            the pull request moved to `head` since people saw it
    LinkLost               the person's link to an account ended: they have to link it again
  WorkspaceError           git could not do it; `last_line` is git's own, redacted
  AgentError               the agent could not be started; `code` names the blocker
  StoreUnavailable         nothing was accepted: the platform must send it again
  Fenced                   another attempt owns the session now: stop without a trace
"""

from core.activities import Blocker


class ThreadlineError(Exception):
    """Root of everything this package raises on purpose."""


class DeliveryError(ThreadlineError):
    """A sink could not show an entry."""


class TryLater(DeliveryError):
    """Passing trouble. `maybe_done`: the call may have been executed before it failed."""

    def __init__(self, message: str, *, maybe_done: bool = False) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done


class Throttled(DeliveryError):
    """The platform wants a pause. `maybe_done`: of several calls, an earlier one was executed."""

    def __init__(self, message: str, *, retry_after_s: float, maybe_done: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.maybe_done = maybe_done


class TargetGone(DeliveryError):
    """The thread, session or access is gone; suppress this sink for the session."""

    def __init__(self, message: str, *, code: Blocker) -> None:
        super().__init__(message)
        self.code = code


class Refused(DeliveryError):
    """The platform will never accept this payload; retrying cannot help."""


class HeadMoved(Refused):
    """The pull request has another head than the one people saw; "" if nobody knows which."""

    def __init__(self, message: str, *, head: str = "") -> None:
        super().__init__(message)
        self.head = head


class LinkLost(DeliveryError):
    """The person's link ended: revoked, expired, or refused by their organization's sign-in.

    `where` is an address that helps them, if the code host names one.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(message)
        self.where = where


class WorkspaceError(ThreadlineError):
    """The repository could not be cloned, fetched or committed."""

    def __init__(self, message: str, *, last_line: str) -> None:
        super().__init__(message)
        self.last_line = last_line


class AgentError(ThreadlineError):
    """The agent could not be started or resumed."""

    def __init__(self, message: str, *, code: Blocker) -> None:
        super().__init__(message)
        self.code = code


class Fenced(ThreadlineError):
    """A newer attempt owns this session; whoever gets this must stop touching it."""


class StoreUnavailable(ThreadlineError):
    """The database cannot be written; nothing was accepted."""
