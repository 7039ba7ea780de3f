"""What can go wrong with Linear, split by what the caller does next."""

from datetime import datetime


class LinearError(Exception):
    """Any refusal or failure of a call; messages hold no token, variable or response body."""


class Transient(LinearError):
    """Ask again later: network, timeout, server trouble, or an answer nobody can read.

    `maybe_done` is true when Linear may have executed the request all the same, so that a mutation without
    a client-chosen id must be looked up before it is repeated.
    """

    def __init__(self, message: str, *, maybe_done: bool) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done


class RateLimited(LinearError):
    """Nothing was executed; wait. Both hints are None when Linear gave none."""

    def __init__(self, *, retry_at: datetime | None = None, retry_after_s: float | None = None) -> None:
        super().__init__("rate limit reached")
        self.retry_at = retry_at
        self.retry_after_s = retry_after_s

    def delay_s(self, now: datetime, *, default_s: float) -> float:
        """Seconds to wait from `now` (aware): the explicit hint, else until the reset, else `default_s`."""
        if self.retry_after_s is not None:
            return self.retry_after_s
        if self.retry_at is not None:
            return max(0.0, (self.retry_at - now).total_seconds())
        return default_s


class Unauthorized(LinearError):
    """The token is dead or revoked: renew it, or ask an administrator to install the app again."""


class Forbidden(LinearError):
    """The token is alive but may not do this, nor will it until somebody in Linear changes rights or plan."""


class NotFound(LinearError):
    """The named entity is gone or hidden from us."""

    def __init__(self, entity: str) -> None:
        super().__init__(f"{entity} not found")
        self.entity = entity


class AlreadyExists(LinearError):
    """An earlier attempt with the same client-chosen id got through; count it as done."""

    def __init__(self, entity: str, id: str | None) -> None:
        super().__init__(f"{entity} {id or '(id not told)'} already exists")
        self.entity = entity
        self.id = id


class Rejected(LinearError):
    """Permanent: the same request will always be refused."""


class WebhookError(LinearError):
    """A delivery that must not be believed."""


class BadSignature(WebhookError):
    """No known secret signed these bytes: answer 401."""


class StaleDelivery(WebhookError):
    """Signed, but sent too long ago or too far in the future: answer 401."""


class MalformedWebhook(WebhookError):
    """Signed, but not a delivery we can read: answer 400."""
