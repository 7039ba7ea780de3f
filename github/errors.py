"""What can go wrong with GitHub, split by what the caller does next."""


class GitHubError(Exception):
    """Any refusal or failure of a call; messages hold no token, and of an answer only GitHub's own words."""


class Transient(GitHubError):
    """Ask again later: network, timeout, server trouble, or an answer nobody can read.

    `maybe_done` is true when GitHub may have done it all the same, so that a write must be looked up before
    it is repeated; of a read it says nothing.
    """

    def __init__(self, message: str, *, maybe_done: bool) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done


class RateLimited(GitHubError):
    """Nothing was done; wait. `retry_after_s` is None when GitHub gave no hint.

    The same for the hourly limit of a credential and for the secondary limits against bursts.
    """

    def __init__(self, retry_after_s: float | None = None) -> None:
        super().__init__("rate limit reached")
        self.retry_after_s = retry_after_s


class Unauthorized(GitHubError):
    """The token is dead: refresh or mint another, or ask the person to link their account again."""


class Refusal(GitHubError):
    """GitHub understood and said no; `words` are its own, in one line, fit to be shown after escaping."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Forbidden(Refusal):
    """The token is alive but may not do this. `sso_url`: where the person has to sign in first, if so."""

    def __init__(self, words: str, *, sso_url: str | None = None) -> None:
        super().__init__(words)
        self.sso_url = sso_url


class NotFound(Refusal):
    """It does not exist, or is hidden from this token: GitHub does not say which."""


class NotInstalled(NotFound):
    """The app is not installed in this repository."""


class Gone(Refusal):
    """It was there and never will be again."""


class Moved(Refusal):
    """The repository has another name now and nothing was written: read its name, then repeat."""


class Conflict(Refusal):
    """What was asked does not fit the state it met: read again and decide anew."""


class HeadMoved(Conflict):
    """The pull request has another head than the one that was named; nothing was done."""


class NotMergeable(Refusal):
    """It cannot be merged now, for the reason given."""


class Invalid(Refusal):
    """The same request will always be refused."""


class BadName(Invalid):
    """A name or number that can be none of GitHub's; nothing was sent."""


class WebhookError(GitHubError):
    """A delivery that must not be believed."""


class BadSignature(WebhookError):
    """No known secret signed these bytes: answer 401."""


class MalformedWebhook(WebhookError):
    """Signed, but not a delivery we can read: answer 400."""
