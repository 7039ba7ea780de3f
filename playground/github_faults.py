"""What the GitHub stand-in does wrong on demand, and what it remembers of every call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Fault:
    """What the next calls of a kind suffer.

    `drop` closes the connection `before` or `after` the deed; `status` answers that instead of the truth,
    after the deed if `executes`; `text` is its body, if it is not JSON.
    """

    status: int = 0
    message: str = "fault"
    drop: Literal["", "before", "after"] = ""
    executes: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None

    @property
    def comes_first(self) -> bool:
        """Whether nothing is done."""
        return not (self.executes or self.drop == "after")


def sso(url: str = "https://github.test/orgs/acme/sso?authorization_request=A1") -> Fault:
    """The organization asks for its own sign-in first."""
    words = "Resource protected by organization SAML enforcement. You must grant your OAuth token access."
    return Fault(403, words, headers={"X-GitHub-SSO": f"required; url={url}"})


def secondary_limit(seconds: int | None = 60) -> Fault:
    """Too much at once; GitHub does not always say how long to wait (None)."""
    words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return Fault(403, words, headers={} if seconds is None else {"Retry-After": str(seconds)})


def primary_limit(reset_at: float, *, resource: str = "core") -> Fault:
    """Nothing is left of the hour's calls until then, seconds since the epoch."""
    told = {
        "Limit": "5000",
        "Used": "5000",
        "Remaining": "0",
        "Reset": str(int(reset_at)),
        "Resource": resource,
    }
    headers = {f"X-RateLimit-{name}": value for name, value in told.items()}
    return Fault(403, "API rate limit exceeded for installation.", headers=headers)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its kind, who made it, and what was answered; `status` 0 for nothing.

    `deeds` are the mutations of a GraphQL document.
    """

    kind: str
    who: str
    status: int
    body: Any = None
    answer: Any = None
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    deeds: tuple[str, ...] = ()


class Faults:
    """Faults that wait for their call."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Fault]] = {}

    def add(self, kind: str, fault: Fault, times: int) -> None:
        self._waiting.setdefault(kind, []).extend([fault] * times)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, *kinds: str) -> Fault | None:
        """The next one of the first of these kinds that has any."""
        for kind in kinds:
            if waiting := self._waiting.get(kind):
                return waiting.pop(0)
        return None


class _Dropped(web.StreamResponse):
    """Hangs up instead of answering."""

    async def prepare(self, request: web.BaseRequest) -> None:
        if request.transport is not None:
            request.transport.abort()


def spoiled(fault: Fault) -> web.StreamResponse:
    """The answer that a fault makes."""
    if fault.drop:
        return _Dropped()
    if fault.text is not None:
        return web.Response(status=fault.status, text=fault.text, headers=fault.headers)
    told = {"message": fault.message, "documentation_url": "", "status": str(fault.status)}
    return web.json_response(told, status=fault.status, headers=fault.headers)
